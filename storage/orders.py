"""Orders: opened by a Buy button or told by the user's system, put down to the message that brought them.

A change takes the next number of one row that stays locked until the commit, so that whoever reads on from a number
misses nothing, however many processes write.
"""

from collections import defaultdict
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, and_, case, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.counters import CounterKey, add_counters
from storage.database import Database, insert
from storage.errors import NotFound, Refused, _
from storage.money import in_ten_thousandths
from storage.reactions import counter_key
from storage.schema import clients, deliveries, events, orders, steps, updates
from storage.writer import Writer

# How long a touch counts, from the touch on: platforms/tracking.md section 6.
CLICK_COUNTS_FOR = timedelta(days=5)
READ_COUNTS_FOR = timedelta(hours=24)

SEQUENCE = "orders"  # its row in `updates`


class OrderState(StrEnum):
    OPENED = "opened"
    PAID = "paid"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


# An order only goes on: a "paid" that is repeated late does not undo a refund.
_RANKS: Mapping[OrderState, int] = {
    OrderState.OPENED: 0,
    OrderState.PAID: 1,
    OrderState.CANCELLED: 2,
    OrderState.REFUNDED: 2,
}


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a Buy button offers; a price that can't be read is no amount."""

    sku: str
    amount: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class OrderChange:
    """An order as the user's system tells it: a new one, or news of one that is known by `external_id` or by `number`.

    None leaves a field as it is. `delivery_id` is what brought it, where the system can say so."""

    state: OrderState
    occurred_at: datetime
    received_at: datetime
    external_id: str | None = None
    number: int | None = None
    client_id: int | None = None
    delivery_id: int | None = None
    sku: str | None = None
    amount: Decimal | None = None
    currency: str | None = None


class Change(StrEnum):
    """What came of it."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """`number` is ours, `external_id` the user's system's; `sequence` grows with every change of any order."""

    number: int
    external_id: str | None
    client_id: int | None
    client_external_id: str | None
    mailing_id: int | None
    channel: str | None
    sku: str | None
    amount: Decimal | None
    currency: str | None
    state: OrderState
    sequence: int
    created_at: datetime
    updated_at: datetime


class Orders:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def put(self, change: OrderChange) -> Change:
        """Raises NotFound for an unknown number, Refused where the number has another id already."""
        return await self._writer.write(_put, change)

    async def page(self, *, after: int = 0, since: datetime | None = None, limit: int = 100) -> list[OrderRecord]:
        """What changed after that sequence, and since then, in order of the changes."""
        wanted = select_orders().where(orders.c.sequence > after).order_by(orders.c.sequence).limit(limit)
        if since is not None:
            wanted = wanted.where(orders.c.updated_at >= since)
        async with self._database.read() as connection:
            return [as_order(row) for row in await connection.execute(wanted)]


def select_orders() -> Select[Any]:
    """Rows that `as_order` reads."""
    return (
        select(
            orders,
            clients.c.external_id.label("client_external_id"),
            steps.c.mailing_id,
            deliveries.c.channel,
        )
        .join(clients, clients.c.id == orders.c.client_id, isouter=True)
        .join(deliveries, deliveries.c.id == orders.c.delivery_id, isouter=True)
        .join(steps, steps.c.id == deliveries.c.step_id, isouter=True)
    )


def as_order(row: Row[Any]) -> OrderRecord:
    return OrderRecord(
        number=row.id,
        external_id=row.external_id,
        client_id=row.client_id,
        client_external_id=row.client_external_id,
        mailing_id=row.mailing_id,
        channel=row.channel,
        sku=row.sku,
        amount=row.amount,
        currency=row.currency,
        state=OrderState(row.state),
        sequence=row.sequence,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def open_order(
    connection: AsyncConnection,
    delivery: Row[Any],
    client_id: int,
    purchase: Purchase,
    at: datetime,
    deltas: MutableMapping[CounterKey, int],
) -> None:
    """A Buy button of a delivery was pressed; pressed again while the order is still opened, it is the same order."""
    row = {
        "client_id": client_id,
        "delivery_id": delivery.id,
        "sku": purchase.sku,
        "amount": purchase.amount,
        "currency": purchase.currency,
        "state": OrderState.OPENED.value,
        "sequence": await _next_sequence(connection),
        "created_at": at,
        "updated_at": at,
    }
    statement = insert(connection, orders).values(row).on_conflict_do_nothing().returning(orders)
    opened = (await connection.execute(statement)).one_or_none()
    if opened is not None:
        _count(deltas, delivery, None, opened)
        await _write_event(connection, opened, delivery, at, at)


async def _put(connection: AsyncConnection, changes: Sequence[OrderChange]) -> Sequence[Change]:
    deltas: dict[CounterKey, int] = defaultdict(int)
    outcomes = [await _put_one(connection, change, deltas) for change in changes]
    await add_counters(connection, deltas)
    return outcomes


async def _put_one(connection: AsyncConnection, change: OrderChange, deltas: MutableMapping[CounterKey, int]) -> Change:
    before = await _find(connection, change)
    values = await _values_after(connection, before, change)
    if before is not None and all(before._mapping[name] == value for name, value in values.items()):
        return Change.UNCHANGED
    values |= {"sequence": await _next_sequence(connection), "updated_at": change.received_at}
    if before is None:
        statement: Any = insert(connection, orders).values(created_at=change.received_at, **values)
    else:
        statement = update(orders).where(orders.c.id == before.id).values(values)
    after = (await connection.execute(statement.returning(orders))).one()
    delivery = await _delivery(connection, after.delivery_id)
    if delivery is not None:
        credited = before if before is not None and before.delivery_id == after.delivery_id else None
        _count(deltas, delivery, credited, after)
    if before is None or before.state != after.state:
        await _write_event(connection, after, delivery, change.occurred_at, change.received_at)
    return Change.ADDED if before is None else Change.UPDATED


async def _find(connection: AsyncConnection, change: OrderChange) -> Row[Any] | None:
    """The order that is meant: by the system's id, by our number, or opened lately by this client for this thing."""
    if change.external_id is not None:
        known = await _first(connection, orders.c.external_id == change.external_id)
        if known is not None:
            if change.number not in (None, known.id):
                raise Refused(_("The order “{id}” is number {number}."), id=change.external_id, number=known.id)
            return known
    if change.number is not None:
        numbered = await _first(connection, orders.c.id == change.number)
        if numbered is None:
            raise NotFound(_("There is no order {number}."), number=change.number)
        if numbered.external_id is not None and change.external_id is not None:
            words = _("The order {number} has the id “{id}” already.")
            raise Refused(words, number=change.number, id=numbered.external_id)
        return numbered
    if change.client_id is None or change.sku is None:
        return None
    return await _first(
        connection,
        and_(
            orders.c.client_id == change.client_id,
            orders.c.sku == change.sku,
            orders.c.state == OrderState.OPENED.value,
            orders.c.external_id.is_(None),
            orders.c.created_at > change.occurred_at - CLICK_COUNTS_FOR,
        ),
    )


async def _first(connection: AsyncConnection, condition: Any) -> Row[Any] | None:
    """The newest that fits."""
    found = await connection.execute(select(orders).where(condition).order_by(orders.c.id.desc()).limit(1))
    return found.one_or_none()


async def _values_after(connection: AsyncConnection, before: Row[Any] | None, change: OrderChange) -> dict[str, Any]:
    """The order's columns once the change is taken; a state that lies behind the order changes nothing at all."""
    known = {} if before is None else before._mapping
    told = {name: getattr(change, name) for name in ("client_id", "delivery_id", "sku", "amount", "currency")}
    if before is not None and _lies_behind(OrderState(before.state), change.state):
        told, state = {}, before.state
    else:
        state = change.state.value
    values = {name: known.get(name) if value is None else value for name, value in told.items()}
    if known.get("delivery_id") is not None:
        values.pop("delivery_id", None)  # a credit that was given stays where it is
    elif before is None and values["delivery_id"] is None:
        values["delivery_id"] = await _touched_by(connection, values["client_id"], change.occurred_at)
    if values.get("delivery_id") is not None and values["client_id"] is None:
        values["client_id"] = await connection.scalar(
            select(deliveries.c.client_id).where(deliveries.c.id == values["delivery_id"])
        )
    return values | {"external_id": known.get("external_id") or change.external_id, "state": state}


def _lies_behind(now: OrderState, told: OrderState) -> bool:
    return _RANKS[told] < _RANKS[now] or (_RANKS[told] == _RANKS[now] and told is not now)


async def _touched_by(connection: AsyncConnection, client_id: int | None, at: datetime) -> int | None:
    """The last message that the client clicked or read before it ordered, while that still counts."""
    if client_id is None:
        return None
    found: int | None = await connection.scalar(
        select(events.c.delivery_id)
        .where(
            events.c.client_id == client_id,
            events.c.delivery_id.is_not(None),
            events.c.occurred_at <= at,
            or_(
                and_(events.c.type == "clicked", events.c.occurred_at > at - CLICK_COUNTS_FOR),
                and_(events.c.type == "read", events.c.occurred_at > at - READ_COUNTS_FOR),
            ),
        )
        .order_by(events.c.occurred_at.desc(), case((events.c.type == "clicked", 0), else_=1))
        .limit(1)
    )
    return found


async def _delivery(connection: AsyncConnection, delivery_id: int | None) -> Row[Any] | None:
    if delivery_id is None:
        return None
    return (await connection.execute(select(deliveries).where(deliveries.c.id == delivery_id))).one_or_none()


def _count(
    deltas: MutableMapping[CounterKey, int], delivery: Row[Any], before: Row[Any] | None, after: Row[Any]
) -> None:
    """Move the mailing's counters by what the order says more than it said; money is counted in ten-thousandths."""
    for row, sign in ((before, -1), (after, 1)):
        if row is None:
            continue
        deltas[counter_key(delivery, "orders")] += sign
        if row.state == OrderState.PAID:
            deltas[counter_key(delivery, "sales")] += sign
            if row.amount is not None and row.currency is not None:
                deltas[counter_key(delivery, f"revenue:{row.currency}")] += sign * in_ten_thousandths(row.amount)


async def _write_event(
    connection: AsyncConnection, order: Row[Any], delivery: Row[Any] | None, occurred_at: datetime, at: datetime
) -> None:
    row = {
        "type": "order",
        "key": f"order|{order.id}|{order.state}",
        "channel": delivery.channel if delivery is not None else None,
        "client_id": order.client_id,
        "address_id": delivery.address_id if delivery is not None else None,
        "step_id": delivery.step_id if delivery is not None else None,
        "delivery_id": order.delivery_id,
        "occurred_at": occurred_at,
        "received_at": at,
        "details": {"order": order.id, "state": order.state},
    }
    await connection.execute(insert(connection, events).values(row).on_conflict_do_nothing())


async def _next_sequence(connection: AsyncConnection) -> int:
    """The next number; its row is locked until the commit, so they are seen in the order in which they are given."""
    statement = insert(connection, updates).values(source=SEQUENCE, position=1)
    statement = statement.on_conflict_do_update(index_elements=["source"], set_={"position": updates.c.position + 1})
    number: int = (await connection.execute(statement.returning(updates.c.position))).scalar_one()
    return number
