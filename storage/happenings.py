"""What clients did, as it stands in the table of events: each once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus, Inbound, Moved, Pressed, SharedPhone, Subscribed, Unsubscribed, Wrote
from storage.database import insert
from storage.fields import as_source
from storage.identities import Known
from storage.orders import Purchase
from storage.schema import events

MAX_WORDS = 4096  # characters of a client's text that are kept

STOP = "stop"
START = "start"


@dataclass(frozen=True, slots=True)
class Press:
    """A button of ours, as the data of a press names it. `kind` is what it is: message, link, buy."""

    delivery_id: int
    index: int
    kind: str | None = None
    purchase: Purchase | None = None  # what a Buy button offers


@dataclass(frozen=True, slots=True)
class Happening:
    """Something a client did, with what the engine read from it: a wish ("stop", "start"), which button, or the client
    whose own link was opened."""

    inbound: Inbound
    wish: str | None = None
    press: Press | None = None
    binds: int | None = None
    hands_over: bool = False  # people are to be shown it


async def begin_event(
    connection: AsyncConnection, channel: str, happening: Happening, received_at: datetime
) -> int | None:
    """Write the event down; None where its key is there already."""
    inbound = happening.inbound
    details = _details(happening)
    row = {
        "type": _event_type(happening),
        "key": f"{channel}|{inbound.key}",
        "channel": channel,
        "occurred_at": inbound.occurred_at,
        "received_at": received_at,
        "details": details or None,
    }
    statement = insert(connection, events).values(row).on_conflict_do_nothing()
    event_id: int | None = await connection.scalar(statement.returning(events.c.id))
    return event_id


async def finish_event(connection: AsyncConnection, event_id: int, known: Known) -> None:
    await connection.execute(
        update(events).where(events.c.id == event_id).values(client_id=known.client_id, address_id=known.id)
    )


def _event_type(happening: Happening) -> str:
    match happening.inbound:
        case Subscribed(explicit=explicit):
            return "subscribed" if explicit else "unblocked"
        case Unsubscribed(status=status):
            return "unsubscribed" if status is AddressStatus.UNSUBSCRIBED else status.value
        case Wrote():
            return {STOP: "unsubscribed", START: "subscribed"}.get(happening.wish or "", "wrote")
        case Pressed():
            return "pressed"
        case SharedPhone():
            return "shared_phone"
        case Moved():
            return "moved"


def _details(happening: Happening) -> dict[str, Any]:
    match happening.inbound:
        case Subscribed(payload=payload) if payload:
            return {"source": as_source(payload)}
        case Wrote(text=text, what=what):
            said = text.replace("\0", "")[:MAX_WORDS]
            return {"text": said, "what": what} | ({"via": "keyword"} if happening.wish else {})
        case Pressed() if happening.press is not None:
            return {"button": happening.press.index, "kind": happening.press.kind}
        case _:
            return {}
