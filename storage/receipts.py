"""What platforms say later about parts: forward only, repeats and early ones harmless."""

from collections import defaultdict
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, and_, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import Receipt, ReceiptState
from storage.counters import CounterKey, add_counters
from storage.database import insert
from storage.records import DeliveryState
from storage.schema import Instant, deliveries, events, parts, receipts

SETTLED = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ)
# From which states a receipt moves a delivery; everything else it leaves alone.
_MOVES: Mapping[ReceiptState, tuple[DeliveryState, ...]] = {
    ReceiptState.DELIVERED: (DeliveryState.SENT, DeliveryState.UNKNOWN),
    ReceiptState.READ: (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.UNKNOWN),
    ReceiptState.FAILED: (DeliveryState.SENT, DeliveryState.UNKNOWN),
}
_MARKS: Mapping[ReceiptState, tuple[str, ...]] = {
    ReceiptState.DELIVERED: ("delivered_at",),
    ReceiptState.READ: ("delivered_at", "read_at"),  # what was read had been delivered
    ReceiptState.FAILED: ("failed_at",),
}
Deltas = MutableMapping[CounterKey, int]

FAILED_BY_RECEIPT = "failed_later"  # the reason where the platform gives no code


@dataclass(frozen=True, slots=True)
class TakenReceipt:
    channel: str
    receipt: Receipt
    received_at: datetime


async def take_receipts(connection: AsyncConnection, taken: Sequence[TakenReceipt]) -> None:
    """Keep each receipt once, and apply those whose part is known; the others wait for it."""
    fresh: list[TakenReceipt] = []
    for one in taken:
        row = {
            "channel": one.channel,
            "external_id": one.receipt.external_id,
            "reference": one.receipt.reference,
            "state": one.receipt.state.value,
            "occurred_at": one.receipt.occurred_at,
            "received_at": one.received_at,
            "key": one.receipt.key,
            "code": one.receipt.code or None,
            "words": one.receipt.words or None,
        }
        kept = await connection.scalar(
            insert(connection, receipts).values(row).on_conflict_do_nothing().returning(receipts.c.id)
        )
        if kept is not None:
            fresh.append(one)
    if fresh:
        await _apply_waiting(
            connection,
            {(one.channel, one.receipt.external_id) for one in fresh if one.receipt.external_id},
            {(one.channel, one.receipt.reference) for one in fresh if one.receipt.reference},
        )


async def apply_early_receipts(
    connection: AsyncConnection, external_ids: Collection[tuple[str, str]], references: Collection[tuple[str, str]]
) -> None:
    """Apply what came before these parts were known: channel and external id, channel and our reference.

    Call it in the transaction that writes the parts and the delivery's outcome."""
    await _apply_waiting(connection, external_ids, references)


async def _apply_waiting(
    connection: AsyncConnection, external_ids: Collection[tuple[str, str]], references: Collection[tuple[str, str]]
) -> None:
    waiting = await _waiting(connection, external_ids, references)
    if not waiting:
        return
    known = await _parts_of(connection, waiting)
    pairs = [(row, known[found]) for row in waiting if (found := _name(row, known)) is not None]
    # A read that came before its delivered is told after it, so that both are counted.
    pairs.sort(key=lambda pair: (pair[0].occurred_at, pair[0].id))
    deltas: dict[CounterKey, int] = defaultdict(int)
    for row, part in pairs:
        await _apply(connection, row, part, deltas)
    await add_counters(connection, deltas)


async def _waiting(
    connection: AsyncConnection, external_ids: Collection[tuple[str, str]], references: Collection[tuple[str, str]]
) -> Sequence[Row[Any]]:
    wanted = [
        and_(receipts.c.channel == channel, column.in_([name for its, name in names if its == channel]))
        for column, names in ((receipts.c.external_id, external_ids), (receipts.c.reference, references))
        for channel in {its for its, _name_of in names}
    ]
    if not wanted:
        return []
    return (await connection.execute(select(receipts).where(or_(*wanted), receipts.c.applied_at.is_(None)))).all()


PartName = tuple[str, str]


async def _parts_of(connection: AsyncConnection, waiting: Sequence[Row[Any]]) -> Mapping[PartName, Row[Any]]:
    """The parts by channel and external id, and by channel and reference."""
    ids = [row.external_id for row in waiting if row.external_id]
    named = [numbers for row in waiting if (numbers := read_reference(row.reference)) is not None]
    conditions: list[ColumnElement[bool]] = [parts.c.external_id.in_(ids)] if ids else []
    conditions += [
        and_(parts.c.delivery_id == delivery, parts.c.attempt == attempt, parts.c.position == position)
        for delivery, attempt, position in named
    ]
    if not conditions:
        return {}
    found = await connection.execute(
        select(parts, deliveries.c.step_id, deliveries.c.client_id, deliveries.c.address_id)
        .join(deliveries, deliveries.c.id == parts.c.delivery_id)
        .where(parts.c.channel.in_({row.channel for row in waiting}), or_(*conditions))
    )
    known: dict[PartName, Row[Any]] = {}
    for part in found:
        known[part.channel, f"{part.delivery_id}.{part.attempt}.{part.position}"] = part
        if part.external_id is not None:
            known[part.channel, part.external_id] = part
    return known


def _name(row: Row[Any], known: Mapping[PartName, Row[Any]]) -> PartName | None:
    names = [(row.channel, name) for name in (row.external_id, row.reference) if name]
    return next((name for name in names if name in known), None)


def read_reference(reference: str | None) -> tuple[int, int, int] | None:
    """Delivery, attempt and position that a reference of ours names; None for anything else."""
    numbers = (reference or "").split(".")
    if len(numbers) != 3 or not all(number.isascii() and number.isdigit() and len(number) < 19 for number in numbers):
        return None
    delivery, attempt, position = (int(number) for number in numbers)
    return (delivery, attempt, position) if attempt < 2**15 and position < 2**15 else None


async def _apply(connection: AsyncConnection, row: Row[Any], part: Row[Any], deltas: Deltas) -> None:
    state = ReceiptState(row.state)
    marks: dict[str, Any] = {
        name: func.coalesce(parts.c[name], literal(row.occurred_at, Instant())) for name in _MARKS[state]
    }
    if state is ReceiptState.FAILED:
        marks["code"] = func.coalesce(parts.c.code, literal(row.code, Text()))
    await connection.execute(
        update(parts)
        .where(
            parts.c.delivery_id == part.delivery_id,
            parts.c.attempt == part.attempt,
            parts.c.position == part.position,
        )
        .values(marks)
    )
    await _move(connection, row, part, state, deltas)
    await connection.execute(update(receipts).where(receipts.c.id == row.id).values(applied_at=row.received_at))
    await connection.execute(
        insert(connection, events)
        .values(
            type=state.value,
            key=f"{row.channel}|{row.key}",
            channel=row.channel,
            client_id=part.client_id,
            address_id=part.address_id,
            step_id=part.step_id,
            delivery_id=part.delivery_id,
            occurred_at=row.occurred_at,
            received_at=row.received_at,
            details={"code": row.code, "words": row.words} if row.code or row.words else None,
        )
        .on_conflict_do_nothing()
    )


async def _move(
    connection: AsyncConnection,
    row: Row[Any],
    part: Row[Any],
    state: ReceiptState,
    deltas: Deltas,
) -> None:
    delivery = (
        await connection.execute(select(deliveries).where(deliveries.c.id == part.delivery_id).with_for_update())
    ).one()
    before = DeliveryState(delivery.state)
    if before not in _MOVES[state]:
        return
    reason = (row.code or FAILED_BY_RECEIPT) if state is ReceiptState.FAILED else None
    await connection.execute(
        update(deliveries).where(deliveries.c.id == delivery.id).values(state=state.value, reason=reason)
    )
    count_receipt(deltas, delivery, before, state, reason)


def count_receipt(
    deltas: Deltas,
    delivery: Row[Any],
    before: DeliveryState,
    state: ReceiptState | None,
    reason: str | None = None,
) -> None:
    """Counters of a delivery that a receipt moved; state None settles an unknown as sent. `sent` keeps what was later
    delivered or read, `delivered` keeps what was read."""

    def add(name: str, amount: int = 1) -> None:
        deltas[delivery.step_id, delivery.channel, delivery.variant, delivery.sender, name] += amount

    if before is DeliveryState.UNKNOWN:
        add("unknown", -1)
        add("sent")
    match state:
        case ReceiptState.FAILED:
            add("sent", -1)
            add("failed")
            add(f"failed:{reason}")
        case ReceiptState.DELIVERED:
            add("delivered")
        case ReceiptState.READ:
            add("read")
            if before is not DeliveryState.DELIVERED:
                add("delivered")


async def settle_unknown(connection: AsyncConnection, delivery: Row[Any], deltas: Deltas) -> None:
    """A press on its button proves that an unknown delivery arrived."""
    moved = await connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery.id, deliveries.c.state == DeliveryState.UNKNOWN.value)
        .values(state=DeliveryState.SENT.value, reason=None)
    )
    if moved.rowcount:
        count_receipt(deltas, delivery, DeliveryState.UNKNOWN, None)
