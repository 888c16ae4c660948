"""Storage as one thing: open it, hand it round, close it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from storage.amendments import Amendments
from storage.approvals import Approvals
from storage.attributes import Attributes
from storage.channel_states import ChannelStates
from storage.clients import Clients
from storage.conversations import Conversations
from storage.database import Database
from storage.deliveries import Deliveries
from storage.digests import Digests
from storage.histories import Histories
from storage.inbound import InboundStore
from storage.invitations import Invitations
from storage.links import Links
from storage.mailings import Mailings
from storage.members import Audiences
from storage.order_hooks import OrderHooks
from storage.orders import Orders
from storage.own_events import OwnEvents
from storage.periods import Periods
from storage.preferences import Preferences
from storage.runs import Runs
from storage.saved import SavedMessages
from storage.segments import Segments
from storage.staging import Staging
from storage.templates import Templates
from storage.timelines import Timelines
from storage.uploads import Uploads
from storage.upserts import Upserts
from storage.writer import Writer
from storage.written import WrittenTemplates


@dataclass(frozen=True, slots=True)
class Store:
    database: Database
    writer: Writer
    clients: Clients
    attributes: Attributes
    upserts: Upserts
    staging: Staging
    segments: Segments
    audiences: Audiences
    inbound: InboundStore
    mailings: Mailings
    channel_states: ChannelStates
    deliveries: Deliveries
    amendments: Amendments
    runs: Runs
    conversations: Conversations
    preferences: Preferences
    invitations: Invitations
    histories: Histories
    uploads: Uploads
    templates: Templates
    written: WrittenTemplates
    links: Links
    orders: Orders
    order_hooks: OrderHooks
    own_events: OwnEvents
    approvals: Approvals
    saved: SavedMessages
    periods: Periods
    timelines: Timelines
    digests: Digests


@asynccontextmanager
async def open_store(url: str, *, data_dir: Path, secret: bytes) -> AsyncIterator[Store]:
    """Open the storage with its writer running; what waits to be written is written before it closes.

    `secret` keys the hashes of erased addresses. Raises UnusableStorage for a URL that names none."""
    database = Database(url)
    writer = Writer(database)
    store = Store(
        database=database,
        writer=writer,
        clients=Clients(database, writer, secret),
        attributes=Attributes(database, writer),
        upserts=Upserts(database, writer, secret),
        staging=Staging(database, writer, secret),
        segments=Segments(database, writer),
        audiences=Audiences(database, writer),
        inbound=InboundStore(database, writer, secret),
        mailings=Mailings(database, writer),
        channel_states=ChannelStates(database, writer),
        deliveries=Deliveries(database),
        amendments=Amendments(database, writer),
        runs=Runs(database, writer),
        conversations=Conversations(database, writer),
        preferences=Preferences(database, writer),
        invitations=Invitations(database, writer),
        histories=Histories(database),
        uploads=Uploads(database, writer, data_dir / "media"),
        templates=Templates(database, writer),
        written=WrittenTemplates(database, writer),
        links=Links(database, writer),
        orders=Orders(database, writer),
        order_hooks=OrderHooks(database, writer),
        own_events=OwnEvents(database, writer),
        approvals=Approvals(database, writer),
        saved=SavedMessages(database, writer),
        periods=Periods(database),
        timelines=Timelines(database),
        digests=Digests(database, writer),
    )
    writing = asyncio.create_task(writer.run(), name="writer")
    try:
        yield store
    finally:
        writer.stop()
        await asyncio.wait((writing,))  # one that fell over keeps nobody from closing
        await database.close()
