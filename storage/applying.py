"""What platforms told of parts, applied: marks, deliveries, counters, events and addresses, forward only.

Whatever the order in which it comes, and however often, it ends alike: a part keeps the earliest time of each state,
and a delivery the highest state that was told of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus, Receipt, ReceiptState
from gateways.hot import record
from storage.addresses import AddressChange
from storage.bulk import Asked, Changes, Rows, among, is_among
from storage.counters import CounterKey, add_counters
from storage.database import insert, insert_in
from storage.opting import Revoked, not_overtaken, note_statuses
from storage.reached import PartKey, Reached, ReachedDelivery, ReachedPart, Standing
from storage.records import DeliveryState
from storage.schema import attempts, deliveries, events, parts, reactions

FAILED_BY_RECEIPT = "failed_later"  # the reason where the platform gives none
BOTH = "both"  # a first message that arrived after all, when another channel had taken over

Deltas = MutableMapping[CounterKey, int]
_PLANNED, _UNKNOWN, _FAILED = DeliveryState.PLANNED, DeliveryState.UNKNOWN, DeliveryState.FAILED
_RANK: Mapping[DeliveryState, int] = {
    _PLANNED: 0,
    _UNKNOWN: 0,
    DeliveryState.SENT: 1,
    _FAILED: 2,  # a failure that came later; what was delivered had not failed
    DeliveryState.DELIVERED: 3,
    DeliveryState.READ: 4,
}
_ARRIVED = (ReceiptState.DELIVERED, ReceiptState.READ)


@record
class Told:
    """A receipt, and the part that it speaks of. `key` names its event: the same for every repeat."""

    part: PartKey
    channel: str
    receipt: Receipt
    received_at: datetime
    key: str


def cost_counters(deltas: Deltas, counted: tuple[int, str, str, str], cost: str, units: int) -> None:
    """Count what a message cost: `units` of the price class `cost`, at step, channel, variant and sender."""
    if cost:
        deltas[(*counted, f"cost:{cost}")] += units


def count_state(
    deltas: Deltas, counted: tuple[int, str, str, str], state: DeliveryState, reason: str | None, amount: int
) -> None:
    """Counters of a delivery that came into a state, or with -1 left it."""
    for name in _counted_as(state, reason):
        deltas[(*counted, name)] += amount


def _counted_as(state: DeliveryState, reason: str | None) -> Sequence[str]:
    """`sent` keeps what was later delivered or read, `delivered` keeps what was read."""
    match state:
        case DeliveryState.DELIVERED:
            return "sent", "delivered"
        case DeliveryState.READ:
            return "sent", "delivered", "read"
        case DeliveryState.FAILED | DeliveryState.SKIPPED if reason:
            return state.value, f"{state.value}:{reason}"
        case DeliveryState.PLANNED | DeliveryState.SENDING:
            return ("waiting",)
        case _:
            return (state.value,)


class Applying:
    """Tell it what was told, then `write` once."""

    def __init__(self, connection: AsyncConnection, reached: Reached) -> None:
        self.new_parts: set[PartKey] = set()  # known, or known by the platform's id, only now: others may wait for them
        self._connection = connection
        self._reached = reached
        self._deltas: dict[CounterKey, int] = defaultdict(int)
        self._events: list[tuple[Any, ...]] = []
        self._both: list[dict[str, Any]] = []
        self._statuses: list[AddressChange] = []

    def bears(self, key: PartKey) -> bool:
        """Whether something can be told of this part now: not while a lane has its delivery in hand."""
        return self._reached.deliveries[key[0]].state is not DeliveryState.SENDING

    def tell(self, told: Iterable[Told]) -> None:
        for one in sorted(told, key=lambda one: one.receipt.occurred_at):
            self._tell(one)

    async def write(self) -> Sequence[Revoked]:
        """Write what came of it; the addresses that nothing goes to any more."""
        await self._write_parts()
        await self._write_deliveries()
        await self._count_both()
        await _EVENTS.insert(self._connection, self._events)
        revoked = await note_statuses(self._connection, await not_overtaken(self._connection, self._statuses))
        await add_counters(self._connection, self._deltas)
        return revoked

    # --- one receipt ---

    def _tell(self, told: Told) -> None:
        delivery = self._reached.deliveries[told.part[0]]
        is_first = told.part not in self._reached.parts
        part = self._part(told)
        is_news = is_first if told.receipt.state is ReceiptState.SENT else _is_unmarked(part, told.receipt.state)
        _mark(part, told.receipt)
        self._move(delivery, part, told, is_news)
        counted = (delivery.step_id, part.channel, delivery.variant, delivery.sender)
        cost_counters(self._deltas, counted, told.receipt.cost, told.receipt.units)
        if is_news:
            self._events.append(self._event(delivery, told))
            if told.receipt.address_status is not None:
                self._note_status(told, told.receipt.address_status)

    def _part(self, told: Told) -> ReachedPart:
        """The part; one that only our reference names is known from now on."""
        part, external_id = self._reached.parts.get(told.part), told.receipt.external_id
        if part is None:
            _id, attempt, position = told.part
            at = told.receipt.occurred_at
            part = ReachedPart(attempt, position, told.channel, None, accepted_at=at, is_new=True)
            self._reached.parts[told.part] = part
        if part.external_id is None and external_id:
            part.external_id, part.is_changed, part.is_named = external_id, True, True
        if part.is_new or part.is_named:
            self.new_parts.add(told.part)
        return part

    def _move(self, delivery: ReachedDelivery, part: ReachedPart, told: Told, is_news: bool) -> None:
        state, target = told.receipt.state, DeliveryState(told.receipt.state.value)
        is_here, is_last = part.channel == delivery.channel, part.attempt == delivery.attempt
        if state in _ARRIVED and not is_here and is_news and delivery.state in _RANK.keys() - {_PLANNED, _FAILED}:
            self._both.append(_reaction(delivery, part, told))
        elif state is ReceiptState.FAILED and delivery.state is _PLANNED and not (is_last and part.is_new):
            # The next channel need not wait any longer for this one.
            delivery.due_at = min(delivery.due_at or told.received_at, told.received_at)
        elif (state is not ReceiptState.FAILED or is_last) and self._may_move(delivery, part, target, is_here):
            self._take(delivery, part, told, target)

    def _may_move(self, delivery: ReachedDelivery, part: ReachedPart, target: DeliveryState, is_here: bool) -> bool:
        arrived = target in (DeliveryState.DELIVERED, DeliveryState.READ)
        if not is_here:
            # It had ended otherwise, or still waits, on the channel that took over from this one.
            return arrived and delivery.state in (_PLANNED, _FAILED, DeliveryState.SKIPPED)
        if delivery.state is _PLANNED and not arrived and not part.is_new:
            return False  # it waits for its next channel: that the platform took it is no news
        if delivery.state is _FAILED and not self._failed_later(delivery):
            return False
        if delivery.state is _FAILED and target is _FAILED:
            return True
        return delivery.state in _RANK and _RANK[target] > _RANK[delivery.state]

    def _failed_later(self, delivery: ReachedDelivery) -> bool:
        """Whether a receipt said so; what a lane ended as failed was never sent whole."""
        attempt = self._reached.attempts.get((delivery.id, delivery.attempt))
        return attempt is None or attempt.outcome != _FAILED

    def _take(self, delivery: ReachedDelivery, part: ReachedPart, told: Told, target: DeliveryState) -> None:
        reason = _reason(told.receipt) if target is _FAILED else None
        if reason is not None and delivery.state is _FAILED:
            # Of several the first by the alphabet, so that it is the same in whatever order they come.
            reason = min(reason, delivery.reason or reason)
        if delivery.state is _PLANNED or part.channel != delivery.channel:
            delivery.address_id = self._reached.address_of(told.part)
            delivery.channel, delivery.attempt = part.channel, part.attempt
            delivery.started_at = delivery.started_at or part.accepted_at
            delivery.finished_at = part.accepted_at
        delivery.state, delivery.reason = target, reason

    def _note_status(self, told: Told, status: AddressStatus) -> None:
        address_id = self._reached.address_of(told.part)
        at, reason = told.receipt.occurred_at, _reason(told.receipt)
        self._statuses.append(AddressChange(address_id=address_id, status=status, reason=reason, at=at))

    def _event(self, delivery: ReachedDelivery, told: Told) -> tuple[Any, ...]:
        receipt = told.receipt
        why = {"code": receipt.code, "words": receipt.words, "reason": receipt.reason}
        details = {name: value for name, value in why.items() if value}
        return (
            receipt.state.value,
            told.key,
            told.channel,
            delivery.client_id,
            self._reached.address_of(told.part),
            delivery.step_id,
            delivery.id,
            receipt.occurred_at,
            told.received_at,
            details or None,
        )

    # --- writing ---

    async def _write_parts(self) -> None:
        changed = [(key, part) for key, part in self._reached.parts.items() if part.is_changed or part.is_new]
        await _PARTS.insert(self._connection, [_part_row(key, part) for key, part in changed if part.is_new])
        known = [(key, part) for key, part in changed if not part.is_new]
        await _MARK.execute(self._connection, [_part_row(key, part) for key, part in known])
        # Apart, because every change of an indexed column costs the index as well.
        named = [_part_row(key, part) for key, part in known if part.is_named]
        await _NAME.execute(self._connection, named)
        await self._keep_attempts()
        for _key, part in changed:
            part.is_new = part.is_changed = part.is_named = False

    async def _keep_attempts(self) -> None:
        """An attempt of which nothing was written: it was put back to be sent again, and has been sent after all."""
        rows = {}
        for key in self.new_parts:
            if key[:2] not in self._reached.attempts:
                delivery, part = self._reached.deliveries[key[0]], self._reached.parts[key]
                rows[key[:2]] = {
                    "delivery_id": key[0],
                    "number": key[1],
                    "channel": part.channel,
                    "address_id": delivery.address_id,
                    "tries": delivery.tries + 1,
                    "started_at": part.accepted_at,
                    "finished_at": part.accepted_at,
                    "outcome": DeliveryState.SENT.value,
                }
        if rows:
            statement = insert(self._connection, attempts).on_conflict_do_nothing()
            await self._connection.execute(statement, list(rows.values()))

    async def _write_deliveries(self) -> None:
        plain: dict[tuple[DeliveryState, str | None], list[int]] = defaultdict(list)
        taken_over = []
        for delivery in self._reached.deliveries.values():
            if delivery.standing == delivery.was:
                continue
            if delivery.was[1] is _PLANNED or delivery.was[0] != delivery.channel:
                taken_over.append(_delivery_row(delivery))
            else:
                plain[delivery.state, delivery.reason].append(delivery.id)
            self._count(delivery, delivery.was, -1)
            self._count(delivery, delivery.standing, 1)
            delivery.was = delivery.standing
        dialect = self._connection.dialect.name
        for (state, reason), ids in sorted(plain.items(), key=str):
            values = {"ids": among(dialect, ids), "its_state": state.value, "its_reason": reason}
            await _MOVE.rows(self._connection, values)
        await _TAKE_OVER.execute(self._connection, taken_over)

    def _count(self, delivery: ReachedDelivery, standing: Standing, amount: int) -> None:
        channel, state, reason = standing[:3]
        counted = (delivery.step_id, channel, delivery.variant, delivery.sender)
        count_state(self._deltas, counted, state, reason, amount)
        if delivery.channel != delivery.was[0]:  # another channel has it now
            self._deltas[(*counted, "planned")] += amount

    async def _count_both(self) -> None:
        """Once for each client, on the channel that came first."""
        for row in self._both:
            channel = row.pop("channel")
            statement = insert(self._connection, reactions).values(row).on_conflict_do_nothing()
            if await self._connection.scalar(statement.returning(reactions.c.client_id)) is not None:
                self._deltas[row["step_id"], channel, "", "", BOTH] += 1


def _is_unmarked(part: ReachedPart, state: ReceiptState) -> bool:
    match state:
        case ReceiptState.DELIVERED:
            return part.delivered_at is None
        case ReceiptState.READ:
            return part.read_at is None
        case _:
            return part.failed_at is None


def _mark(part: ReachedPart, receipt: Receipt) -> None:
    """The earliest time of each state; what was read had been delivered."""
    before = (part.delivered_at, part.read_at, part.failed_at, part.reason, part.code)
    at = receipt.occurred_at
    if receipt.state in _ARRIVED:
        part.delivered_at = min(part.delivered_at or at, at)
    if receipt.state is ReceiptState.READ:
        part.read_at = min(part.read_at or at, at)
    if receipt.state is ReceiptState.FAILED:
        why = (_reason(receipt), receipt.code)
        part.reason, part.code = min(why, (part.reason, part.code or "")) if part.reason is not None else why
        part.failed_at = min(part.failed_at or at, at)
    if before != (part.delivered_at, part.read_at, part.failed_at, part.reason, part.code):
        part.is_changed = True


def _reason(receipt: Receipt) -> str:
    return receipt.reason or receipt.code or FAILED_BY_RECEIPT


def _reaction(delivery: ReachedDelivery, part: ReachedPart, told: Told) -> dict[str, Any]:
    return {
        "step_id": delivery.step_id,
        "kind": BOTH,
        "client_id": delivery.client_id,
        "delivery_id": delivery.id,
        "occurred_at": told.receipt.occurred_at,
        "channel": part.channel,
    }


def _part_row(key: PartKey, part: ReachedPart) -> tuple[Any, ...]:
    return (
        *key,
        part.channel,
        part.external_id,
        part.accepted_at,
        part.delivered_at,
        part.read_at,
        part.failed_at,
        part.reason,
        part.code or None,
    )


def _delivery_row(delivery: ReachedDelivery) -> tuple[Any, ...]:
    return (
        delivery.id,
        delivery.state.value,
        delivery.reason,
        delivery.channel,
        delivery.attempt,
        delivery.address_id,
        delivery.due_at,
        delivery.started_at,
        delivery.finished_at,
    )


def _its(column: ColumnElement[Any]) -> Any:
    return bindparam(f"its_{column.key}", type_=column.type)


_PART_NAMES = (
    *("delivery_id", "attempt", "position", "channel", "external_id", "accepted_at"),
    *("delivered_at", "read_at", "failed_at", "reason", "code"),
)
_MARKS = ("delivered_at", "read_at", "failed_at", "reason", "code")


def _change_parts(*names: str) -> Changes:
    return Changes(
        [f"its_{name}" for name in _PART_NAMES],
        lambda: (
            update(parts)
            .where(*(parts.c[name] == _its(parts.c[name]) for name in ("delivery_id", "attempt", "position")))
            .values({name: _its(parts.c[name]) for name in names})
        ),
    )


_MARK = _change_parts(*_MARKS)
_NAME = _change_parts("external_id")
_PARTS = Rows(
    [parts.c[name] for name in _PART_NAMES], lambda dialect: insert_in(dialect, parts).on_conflict_do_nothing()
)
_DELIVERY_NAMES = (
    *("id", "state", "reason", "channel", "attempt", "address_id"),
    *("due_at", "started_at", "finished_at"),
)
_TAKE_OVER = Changes(
    [f"its_{name}" for name in _DELIVERY_NAMES],
    lambda: (
        update(deliveries)
        .where(deliveries.c.id == _its(deliveries.c.id))
        .values({name: _its(deliveries.c[name]) for name in _DELIVERY_NAMES[1:]})
    ),
)
_EVENTS = Rows(
    [
        events.c[name]
        for name in (
            *("type", "key", "channel", "client_id", "address_id", "step_id", "delivery_id"),
            *("occurred_at", "received_at", "details"),
        )
    ],
    lambda dialect: insert_in(dialect, events).on_conflict_do_nothing(),
)


_MOVE = Asked(
    lambda dialect: (
        update(deliveries)
        .where(is_among(dialect, deliveries.c.id, "ids"))
        .values(state=_its(deliveries.c.state), reason=_its(deliveries.c.reason))
    )
)
