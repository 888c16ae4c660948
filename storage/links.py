"""Links that lead through us: where they go, who followed them, and who left by one.

docs/decisions/links.md tells why some links stand once a step and others once a delivery.
"""

from collections import defaultdict
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.counters import CounterKey, add_counters
from storage.database import Database, insert
from storage.opting import OptOut, Revoked, opt_out
from storage.reactions import count_click, counter_key, is_first
from storage.schema import CLIENTS_IN_STEP, addresses, clients, deliveries, events, links, own_links
from storage.writer import Writer

BUTTON, TEXT = "button", "text"
_KINDS: Mapping[str, str] = {BUTTON: "link", TEXT: "text_link"}  # what a click on it counts as

# Who opens so many different links of one message in such a time is a scanner: platforms/tracking.md section 5. A click
# that may yet turn out to be such a one's waits to be counted; where a message has fewer links, none waits.
SCANNED_LINKS = 3
SCANNED_WITHIN = timedelta(seconds=2)
PENDING_FOR = timedelta(seconds=60)

_CLICKED, _PENDING, _FETCHED = "clicked", "pending_click", "fetched"
_AT_ONCE = 500  # clicks that one transaction settles
MAX_NUMBER = 254  # 255 marks a delivery's own link in a token

Link = tuple[str, str]  # place and url


class Visitor(StrEnum):
    """Who asked for a link; only people are counted."""

    HUMAN = "human"
    PREVIEW = "preview"
    PREFETCH = "prefetch"
    SCANNER = "scanner"


@dataclass(frozen=True, slots=True)
class LinkName:
    """What a token names: a link of the step by its number, or one of the delivery's own by its name."""

    delivery_id: int
    number: int | None = None
    own: int | None = None

    def __str__(self) -> str:
        return str(self.number) if self.own is None else f"{self.own:x}"


@dataclass(frozen=True, slots=True)
class OwnLink:
    """A link that holds a client's values, as it was rendered."""

    delivery_id: int
    name: int
    place: str
    url: str


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody asked for a link that stands in `place`."""

    link: LinkName
    place: str
    visitor: Visitor
    at: datetime

    @property
    def key(self) -> str:
        """The same link by the same sort of visitor within one second is one event."""
        sort = "click" if self.visitor is Visitor.HUMAN else self.visitor.value
        return f"{sort}|{self.link.delivery_id}|{self.link}|{int(self.at.timestamp())}"


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose unsubscribe link it is: which channel it is about, the client's language, whether the client is out."""

    channel: str
    language: str | None
    is_out: bool


class Links:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def keep(self, step_id: int, wanted: Sequence[Link]) -> Mapping[Link, int]:
        """The numbers of all links that a step has, these among them as far as numbers go round; each stays the same
        for ever."""
        return await self._writer.write(_keep, (step_id, tuple(wanted)))

    def keep_own(self, link: OwnLink) -> None:
        """Keep it no later than anything that is written from now on: the send's own mark comes after."""
        self._writer.put(_keep_own, link)

    async def find(self, link: LinkName) -> Link | None:
        """Where it stands and leads; None for one that was never kept."""
        async with self._database.read() as connection:
            if link.own is not None:
                statement = select(own_links.c.place, own_links.c.url).where(
                    own_links.c.delivery_id == link.delivery_id, own_links.c.name == link.own
                )
            else:
                statement = select(links.c.place, links.c.url).where(
                    links.c.step_id == link.delivery_id // CLIENTS_IN_STEP, links.c.number == link.number
                )
            row = (await connection.execute(statement)).one_or_none()
            return None if row is None else (row.place, row.url)

    async def note(self, visit: Visit) -> None:
        """Commit that somebody asked for a link, and count a person's click; the same within one second is one."""
        await self._writer.write(_note, visit)

    async def settle(self, at: datetime) -> int:
        """Count the clicks that have waited long enough, or put them down to scanners; how many there were."""
        async with self._database.read() as connection:
            oldest = await connection.scalar(select(func.min(events.c.received_at)).where(events.c.type == _PENDING))
        if oldest is None or oldest > at - PENDING_FOR:
            return 0
        return await self._writer.write(_settle, at)

    async def find_reader(self, delivery_id: int) -> Reader | None:
        async with self._database.read() as connection:
            row = await _find_reader(connection, delivery_id)
            if row is None:
                return None
            return Reader(row.channel, row.language, row.status == AddressStatus.UNSUBSCRIBED)

    async def leave(self, delivery_id: int, at: datetime) -> Sequence[Revoked]:
        """The client wants no more messages on the delivery's channel; the same a second time changes nothing."""
        return await self._writer.write(_leave, (delivery_id, at))


# --- keeping ---------------------------------------------------------------------------------------------------------


async def _keep(
    connection: AsyncConnection, values: Sequence[tuple[int, Sequence[Link]]]
) -> Sequence[Mapping[Link, int]]:
    return [await _keep_of_step(connection, step_id, wanted) for step_id, wanted in values]


async def _keep_of_step(connection: AsyncConnection, step_id: int, wanted: Sequence[Link]) -> Mapping[Link, int]:
    found = await connection.execute(select(links).where(links.c.step_id == step_id))
    known: dict[Link, int] = {(row.place, row.url): row.number for row in found}
    room = MAX_NUMBER + 1 - len(known)
    fresh = [link for link in dict.fromkeys(wanted) if link not in known][:room]
    numbered = {link: number for number, link in enumerate(fresh, start=len(known))}
    if numbered:
        await connection.execute(
            insert(connection, links),
            [
                {"step_id": step_id, "number": number, "place": place, "url": url}
                for (place, url), number in numbered.items()
            ],
        )
    return known | numbered


async def _keep_own(connection: AsyncConnection, values: Sequence[OwnLink]) -> Sequence[None]:
    rows = [{"delivery_id": one.delivery_id, "name": one.name, "place": one.place, "url": one.url} for one in values]
    await connection.execute(insert(connection, own_links).on_conflict_do_nothing(), rows)
    return [None for _ in values]


# --- clicks ----------------------------------------------------------------------------------------------------------


async def _note(connection: AsyncConnection, visits: Sequence[Visit]) -> Sequence[None]:
    deltas: dict[CounterKey, int] = defaultdict(int)
    for visit in visits:
        await _note_one(connection, visit, deltas)
    await add_counters(connection, deltas)
    return [None for _ in visits]


async def _note_one(connection: AsyncConnection, visit: Visit, deltas: MutableMapping[CounterKey, int]) -> None:
    delivery = await _find_delivery(connection, visit.link.delivery_id)
    if delivery is None:
        return
    kind, type_ = _KINDS[visit.place], _FETCHED
    if visit.visitor is Visitor.HUMAN:
        type_ = _PENDING if await _may_be_scanned(connection, delivery) else _CLICKED
    row = {
        "type": type_,
        "key": visit.key,
        "channel": delivery.channel,
        "client_id": delivery.client_id,
        "address_id": delivery.address_id,
        "step_id": delivery.step_id,
        "delivery_id": delivery.id,
        "occurred_at": visit.at,
        "received_at": visit.at,
        "details": {"kind": kind, "link": str(visit.link), "class": visit.visitor.value},
    }
    statement = insert(connection, events).values(row).on_conflict_do_nothing().returning(events.c.id)
    if await connection.scalar(statement) is not None and type_ == _CLICKED:
        await _count(connection, delivery, kind, visit.at, deltas)


async def _find_delivery(connection: AsyncConnection, delivery_id: int) -> Row[Any] | None:
    return (await connection.execute(select(deliveries).where(deliveries.c.id == delivery_id))).one_or_none()


async def _may_be_scanned(connection: AsyncConnection, delivery: Row[Any]) -> bool:
    """Whether the message has so many links that a scanner could show itself."""
    of_step = select(func.count()).select_from(links).where(links.c.step_id == delivery.step_id)
    own = select(func.count()).select_from(own_links).where(own_links.c.delivery_id == delivery.id)
    count: int = (await connection.execute(select(of_step.scalar_subquery() + own.scalar_subquery()))).scalar_one()
    return count >= SCANNED_LINKS


async def _count(
    connection: AsyncConnection,
    delivery: Row[Any],
    kind: str,
    at: datetime,
    deltas: MutableMapping[CounterKey, int],
) -> None:
    await count_click(connection, delivery, kind, at, deltas)
    await connection.execute(
        update(clients)
        .where(clients.c.id == delivery.client_id, or_(clients.c.last_seen_at.is_(None), clients.c.last_seen_at < at))
        .values(last_seen_at=at)
    )


async def _settle(connection: AsyncConnection, instants: Sequence[datetime]) -> Sequence[int]:
    return [await _settle_until(connection, at - PENDING_FOR) for at in instants]


async def _settle_until(connection: AsyncConnection, until: datetime) -> int:
    waiting = (
        await connection.execute(
            select(events)
            .where(events.c.type == _PENDING, events.c.received_at <= until)
            .order_by(events.c.id)
            .limit(_AT_ONCE)
        )
    ).all()
    visits = await _visits_of(connection, {row.delivery_id for row in waiting})
    deltas: dict[CounterKey, int] = defaultdict(int)
    for row in waiting:
        visitor = Visitor.SCANNER if _is_scan(row, visits[row.delivery_id]) else Visitor.HUMAN
        settled = await connection.execute(
            update(events)
            .where(events.c.id == row.id, events.c.type == _PENDING)
            .values(
                type=_CLICKED if visitor is Visitor.HUMAN else _FETCHED,
                details={**row.details, "class": visitor.value},
            )
        )
        if visitor is Visitor.HUMAN and settled.rowcount:
            delivery = await _find_delivery(connection, row.delivery_id)
            if delivery is not None:
                await _count(connection, delivery, row.details["kind"], row.occurred_at, deltas)
    await add_counters(connection, deltas)
    return len(waiting)


async def _visits_of(connection: AsyncConnection, delivery_ids: set[int]) -> Mapping[int, list[tuple[datetime, str]]]:
    """When which link of each delivery was followed, by anybody who did not say to be a program."""
    found = await connection.execute(
        select(events.c.delivery_id, events.c.occurred_at, events.c.details).where(
            events.c.delivery_id.in_(delivery_ids), events.c.type.in_([_CLICKED, _PENDING, _FETCHED])
        )
    )
    visits: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for row in found:
        details = row.details or {}
        if "link" in details and details["class"] in (Visitor.HUMAN, Visitor.SCANNER):
            visits[row.delivery_id].append((row.occurred_at, details["link"]))
    return visits


def _is_scan(row: Row[Any], visits: Sequence[tuple[datetime, str]]) -> bool:
    """Whether some span of time around the click holds too many different links for a person."""
    begins = [at for at, _link in visits if row.occurred_at - SCANNED_WITHIN <= at <= row.occurred_at]
    return any(
        len({link for at, link in visits if begin <= at <= begin + SCANNED_WITHIN}) >= SCANNED_LINKS for begin in begins
    )


# --- leaving ---------------------------------------------------------------------------------------------------------


async def _find_reader(connection: AsyncConnection, delivery_id: int) -> Row[Any] | None:
    """The delivery, and whose address it went to: cards may have been merged since."""
    return (
        await connection.execute(
            select(
                deliveries,
                addresses.c.client_id.label("owner_id"),
                addresses.c.status,
                clients.c.language,
            )
            .join(addresses, addresses.c.id == deliveries.c.address_id)
            .join(clients, clients.c.id == addresses.c.client_id)
            .where(deliveries.c.id == delivery_id)
        )
    ).one_or_none()


async def _leave(connection: AsyncConnection, values: Sequence[tuple[int, datetime]]) -> Sequence[Sequence[Revoked]]:
    return [await _leave_one(connection, delivery_id, at) for delivery_id, at in values]


async def _leave_one(connection: AsyncConnection, delivery_id: int, at: datetime) -> Sequence[Revoked]:
    reader = await _find_reader(connection, delivery_id)
    if reader is None or reader.status == AddressStatus.UNSUBSCRIBED:
        return []
    (revoked,) = await opt_out(connection, [OptOut(reader.owner_id, reader.channel, "page", at, delivery_id)])
    deltas: dict[CounterKey, int] = defaultdict(int)
    if await is_first(connection, reader, "unsubscribed", at):
        deltas[counter_key(reader, "unsubscribed")] += 1
    await add_counters(connection, deltas)
    row = {
        "type": "unsubscribed",
        "key": f"page|{delivery_id}|{at.isoformat()}",
        "channel": reader.channel,
        "client_id": reader.owner_id,
        "address_id": reader.address_id,
        "step_id": reader.step_id,
        "delivery_id": delivery_id,
        "occurred_at": at,
        "received_at": at,
        "details": {"via": "page"},
    }
    await connection.execute(insert(connection, events).values(row).on_conflict_do_nothing())
    return revoked
