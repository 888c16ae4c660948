"""What platforms say later about parts: forward only, repeats and early ones harmless.

A group of receipts costs a handful of statements, however many there are: one look for the parts, one insert, one
update of parts and one of deliveries, the events and the counters.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus, Receipt, ReceiptState
from gateways.hot import record
from storage.applying import FAILED_BY_RECEIPT, Applying, Deltas, Told, cost_counters, count_state
from storage.bulk import Asked, Rows, among, is_among
from storage.database import insert_in
from storage.opting import Revoked
from storage.reached import PartKey, Reached, read_reference
from storage.records import DeliveryState
from storage.schema import deliveries, receipts, watermarks
from storage.watermarks import apply_told, told_before

__all__ = [
    "FAILED_BY_RECEIPT",
    "SETTLED",
    "Late",
    "LookedAt",
    "TakenReceipt",
    "apply_early_receipts",
    "apply_late_receipts",
    "cost_counters",
    "read_reference",
    "settle_unknown",
    "take_receipts",
]

SETTLED = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ)
_LATE_AT_ONCE = 200  # what is applied at once holds the loop up: as much as hooks may bring


@record
class TakenReceipt:
    channel: str
    receipt: Receipt
    received_at: datetime

    @property
    def key(self) -> str:
        return f"{self.channel}|{self.receipt.key}"


async def take_receipts(connection: AsyncConnection, taken: Iterable[TakenReceipt]) -> Sequence[Revoked]:
    """Keep each receipt once, and apply those whose part is known; the others wait for it. Returns the addresses that
    turned out not to be written to any more."""
    once = {one.key: one for one in taken}
    if not once:
        return ()
    reached = Reached(connection)
    await reached.look_for([(one.channel, one.receipt) for one in once.values()])
    applying = Applying(connection, reached)
    places = {key: place for key, one in once.items() if (place := _place(applying, reached, one)) is not None}
    fresh = await _keep(connection, once, places)
    applying.tell(_told(once[key], places[key]) for key in fresh if key in places)
    revoked = await applying.write()
    await _follow(connection, applying.new_parts, reached)
    return revoked


async def apply_early_receipts(
    connection: AsyncConnection, external_ids: Iterable[tuple[str, str]], references: Iterable[tuple[str, str]]
) -> None:
    """Apply what came before these parts were known: channel and external id, channel and our reference.

    Call it in the transaction that writes the parts and the delivery's outcome. Most find nothing, and then none of
    the names is made."""
    ((waiting, told),) = await _ANYTHING_EARLY.rows(connection, {})
    if waiting is None and told is None:
        return
    external_ids, references = set(external_ids), set(references)
    if waiting is not None:
        await _apply_stored(connection, await _waiting(connection, external_ids, references))
    if told is not None:
        named = {key[0] for _channel, reference in references if (key := read_reference(reference)) is not None}
        await apply_told(connection, await told_before(connection, named))


@dataclass(frozen=True, slots=True)
class Late:
    """Where to look on for receipts that wait: those received since then, after the one with this id."""

    since: datetime
    after_id: int = 0


@dataclass(frozen=True, slots=True)
class LookedAt:
    """How many could be applied, and where to look on; None: at all of them was looked."""

    applied: int
    onward: Late | None


async def apply_late_receipts(connection: AsyncConnection, looks: Sequence[Late]) -> Sequence[LookedAt]:
    """Apply those of the next few waiting receipts that can be applied now.

    Another process may write a part just while this one keeps the receipt for it, and a receipt of an earlier attempt
    waits while a lane has the delivery in hand: neither sees the other. Most that wait are of messages that are not
    ours and wait for ever, so it goes through them all, a few at a time."""
    return [await _look_at_few(connection, look) for look in looks]


async def _look_at_few(connection: AsyncConnection, look: Late) -> LookedAt:
    at, number = receipts.c.received_at, receipts.c.id
    few = await connection.execute(
        select(receipts)
        .where(receipts.c.applied_at.is_(None), at >= look.since, or_(at > look.since, number > look.after_id))
        .order_by(at, number)
        .limit(_LATE_AT_ONCE)
    )
    rows = few.all()
    applied = await _apply_stored(connection, rows)
    return LookedAt(applied, Late(rows[-1].received_at, rows[-1].id) if len(rows) == _LATE_AT_ONCE else None)


async def settle_unknown(connection: AsyncConnection, delivery: Row[Any], deltas: Deltas) -> None:
    """A press on its button proves that an unknown delivery arrived."""
    moved = await connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery.id, deliveries.c.state == DeliveryState.UNKNOWN.value)
        .values(state=DeliveryState.SENT.value, reason=None)
    )
    if moved.rowcount:
        counted = (delivery.step_id, delivery.channel, delivery.variant, delivery.sender)
        count_state(deltas, counted, DeliveryState.UNKNOWN, None, -1)
        count_state(deltas, counted, DeliveryState.SENT, None, 1)


# --- taking ----------------------------------------------------------------------------------------------------------


def _place(applying: Applying, reached: Reached, one: TakenReceipt) -> PartKey | None:
    key = reached.find(one.channel, one.receipt)
    return key if key is not None and applying.bears(key) else None


def _told(one: TakenReceipt, place: PartKey) -> Told:
    return Told(place, one.channel, one.receipt, one.received_at, one.key)


async def _keep(
    connection: AsyncConnection, once: Mapping[str, TakenReceipt], places: Mapping[str, PartKey]
) -> Sequence[str]:
    """The keys of those that were not kept before.

    Their deliveries are locked by now: whoever keeps the same receipt in another process comes before or after."""
    known: set[str] = set()
    dialect = connection.dialect.name
    for channel in sorted({one.channel for one in once.values()}):
        keys = [one.receipt.key for one in once.values() if one.channel == channel]
        found = await _KEPT.rows(connection, {"channel": channel, "keys": among(dialect, keys)})
        known.update(f"{channel}|{key}" for (key,) in found)
    fresh = [key for key in once if key not in known]
    await _RECEIPTS.insert(connection, [_row(once[key], key in places) for key in fresh])
    return fresh


_CHANNEL: Any = bindparam("channel")
_KEPT = Asked(
    lambda dialect: select(receipts.c.key).where(
        receipts.c.channel == _CHANNEL, is_among(dialect, receipts.c.key, "keys")
    )
)
_RECEIPTS = Rows(
    [
        receipts.c[name]
        for name in (
            *("channel", "external_id", "reference", "state", "occurred_at", "received_at", "key", "code", "words"),
            *("reason", "address", "address_status", "cost", "units", "applied_at"),
        )
    ],
    lambda dialect: insert_in(dialect, receipts).on_conflict_do_nothing(),
)


def _row(one: TakenReceipt, is_applied: bool) -> tuple[Any, ...]:
    receipt = one.receipt
    return (
        one.channel,
        receipt.external_id,
        receipt.reference,
        receipt.state.value,
        receipt.occurred_at,
        one.received_at,
        receipt.key,
        receipt.code or None,
        receipt.words or None,
        receipt.reason or None,
        receipt.address,
        receipt.address_status.value if receipt.address_status is not None else None,
        receipt.cost or None,
        receipt.units if receipt.cost else None,
        one.received_at if is_applied else None,
    )


# --- what waited -----------------------------------------------------------------------------------------------------

_ANYTHING_EARLY = Asked(
    lambda _dialect: select(
        select(receipts.c.id).where(receipts.c.applied_at.is_(None)).limit(1).scalar_subquery(),
        select(watermarks.c.address_id).limit(1).scalar_subquery(),
    )
)


async def _waiting(
    connection: AsyncConnection, external_ids: Collection[tuple[str, str]], references: Collection[tuple[str, str]]
) -> Sequence[Row[Any]]:
    """Those that wait for these external ids, or these references of ours, each with its channel."""
    dialect = connection.dialect.name
    ids: set[int] = set()
    for look, names in ((_BY_EXTERNAL_ID, external_ids), (_BY_REFERENCE, references)):
        for channel in sorted({its for its, _name in names}):
            named = among(dialect, sorted(name for its, name in names if its == channel and name))
            ids.update(number for (number,) in await look.rows(connection, {"channel": channel, "names": named}))
    if not ids:
        return []
    found = select(receipts).where(is_among(dialect, receipts.c.id, "ids")).order_by(receipts.c.id)
    return (await connection.execute(found, {"ids": among(dialect, sorted(ids))})).all()


def _waiting_by(column: ColumnElement[Any]) -> Asked:
    return Asked(
        lambda dialect: select(receipts.c.id).where(
            receipts.c.channel == _CHANNEL, is_among(dialect, column, "names"), receipts.c.applied_at.is_(None)
        )
    )


_BY_EXTERNAL_ID, _BY_REFERENCE = _waiting_by(receipts.c.external_id), _waiting_by(receipts.c.reference)


async def _apply_stored(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> int:
    """Apply receipts that were kept before; how many could be."""
    if not rows:
        return 0
    stored = [(row.id, _read(row)) for row in rows]
    reached = Reached(connection)
    await reached.look_for([(one.channel, one.receipt) for _id, one in stored])
    applying = Applying(connection, reached)
    found = [(number, one, place) for number, one in stored if (place := _place(applying, reached, one)) is not None]
    if not found:
        return 0
    applying.tell(_told(one, place) for _id, one, place in found)
    await applying.write()
    await connection.execute(_APPLIED, [{"its": number, "at": one.received_at} for number, one, _place_of in found])
    await _follow(connection, applying.new_parts, reached)
    return len(found)


_APPLIED = (
    update(receipts)
    .where(receipts.c.id == bindparam("its"))
    .values(applied_at=bindparam("at", type_=receipts.c.applied_at.type))
)


def _read(row: Row[Any]) -> TakenReceipt:
    receipt = Receipt(
        state=ReceiptState(row.state),
        external_id=row.external_id,
        reference=row.reference,
        occurred_at=row.occurred_at,
        key=row.key,
        code=row.code or "",
        words=row.words or "",
        reason=row.reason or "",
        address_status=AddressStatus(row.address_status) if row.address_status else None,
        address=row.address,
        cost=row.cost or "",
        units=row.units if row.units is not None else 1,
    )
    return TakenReceipt(row.channel, receipt, row.received_at)


async def _follow(connection: AsyncConnection, new: Collection[PartKey], reached: Reached) -> None:
    """Parts that are known only now: what waited for their external ids, and what had been told of all before them."""
    if not new:
        return
    names = {(part.channel, part.external_id) for key in new if (part := reached.parts[key]).external_id}
    await _apply_stored(connection, await _waiting(connection, names, ()))
    await apply_told(connection, await told_before(connection, {key[0] for key in new}))
