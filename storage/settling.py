"""Deliveries moved together: after a run that died, by a cancel or a new launch, and failures that were none."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.cascading import settle_as_sent
from storage.clients import AddressChange, change_addresses
from storage.counters import CounterKey, add_counters, count_end
from storage.database import insert
from storage.deliveries import WAITING
from storage.receipts import apply_early_receipts
from storage.records import DeliveryState, OnUnknown, Status
from storage.schema import attempts, deliveries, mailings, steps
from storage.writer import lasting, long

_MOST_PARTS = 20  # of a message, as far as receipts are looked for that came while nobody waited for them
SWEEP = 5000  # rows that one transaction moves, so that nobody waits long for the lock


@dataclass(frozen=True, slots=True)
class Recovery:
    """Settle what is in nobody's hand any more: of every run that is over, or of one lane that broke down.

    `repeats_safely_for_s`: the channels whose platform drops a repeated send, and for how long after the first.
    `run_id`: what that run has in hand alone, where another one may work by now."""

    at: datetime
    channel: str | None = None
    repeats_safely_for_s: Mapping[str, float] = field(default_factory=dict)
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many went back, and how many are unknown."""

    planned: int = 0
    unknown: int = 0


@long
async def recover(connection: AsyncConnection, requests: Sequence[Recovery]) -> Sequence[Recovered]:
    """Claimed and not started goes back; started without an outcome is unknown, or goes back where the mailing says
    `on_unknown = "repeat"` or the platform drops a repeat. What the platform's receipts have said of it meanwhile by
    our reference is applied. Call it only while no other run is alive (the engine's lock says so)."""
    return [await _recover_one(connection, request) for request in requests]


async def _recover_one(connection: AsyncConnection, request: Recovery) -> Recovered:
    statement = _left_in_hand()
    if request.channel is not None:
        statement = statement.where(deliveries.c.channel == request.channel)
    if request.run_id is not None:
        statement = statement.where(deliveries.c.run_id == request.run_id)
    left = list(await connection.execute(statement))
    repeat = [row for row in left if _goes_back(request, row)]
    lost = [row for row in left if not _goes_back(request, row)]
    if repeat:
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.id == bindparam("delivery"))
            .values(
                state=DeliveryState.PLANNED.value,
                run_id=None,
                # Since when it may have been taken: a repeat is safe for so long only, however long it now waits.
                started_at=bindparam("doubted_at", type_=deliveries.c.started_at.type),
            ),
            [
                {"delivery": row.id, "doubted_at": row.started_at if _repeats_safely(request, row) else None}
                for row in repeat
            ],
        )
    if lost:
        await _mark_unknown(connection, lost, request.at)
    started = [row for row in left if row.started_at is not None]
    if started:
        await apply_early_receipts(connection, (), {name for row in started for name in _references(row)})
    return Recovered(len(repeat), len(lost))


def _goes_back(request: Recovery, row: Any) -> bool:
    return row.started_at is None or row.on_unknown == OnUnknown.REPEAT or _repeats_safely(request, row)


def _repeats_safely(request: Recovery, row: Any) -> bool:
    safe_for = timedelta(seconds=request.repeats_safely_for_s.get(row.channel, 0.0))
    return row.started_at is not None and bool(request.at < row.started_at + safe_for)


def _references(row: Any) -> Sequence[tuple[str, str]]:
    """The names by which a platform may have told of parts that we do not know to have gone out."""
    return [(row.channel, f"{row.id}.{row.attempt}.{position}") for position in range(_MOST_PARTS)]


def _left_in_hand() -> Select[Any]:
    return (
        select(
            deliveries.c.id,
            deliveries.c.step_id,
            deliveries.c.channel,
            deliveries.c.address_id,
            deliveries.c.attempt,
            deliveries.c.tries,
            deliveries.c.started_at,
            mailings.c.on_unknown,
        )
        .join(steps, steps.c.id == deliveries.c.step_id)
        .join(mailings, mailings.c.id == steps.c.mailing_id)
        .where(deliveries.c.state == DeliveryState.SENDING.value)
    )


async def _mark_unknown(connection: AsyncConnection, rows: Sequence[Any], at: datetime) -> None:
    await connection.execute(
        update(deliveries)
        .where(deliveries.c.id == bindparam("delivery"))
        .values(state=DeliveryState.UNKNOWN.value, reason="interrupted_run", run_id=None, finished_at=at),
        [{"delivery": row.id} for row in rows],
    )
    statement = insert(connection, attempts)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["delivery_id", "number"],
            set_={"outcome": statement.excluded.outcome, "reason": statement.excluded.reason, "finished_at": at},
        ),
        [
            {
                "delivery_id": row.id,
                "number": row.attempt,
                "channel": row.channel,
                "address_id": row.address_id,
                "tries": row.tries + 1,
                "started_at": row.started_at,
                "finished_at": at,
                "outcome": DeliveryState.UNKNOWN.value,
                "reason": "interrupted_run",
            }
            for row in rows
        ],
    )
    deltas: dict[CounterKey, int] = defaultdict(int)
    for row in rows:
        count_end(deltas, row.step_id, row.channel, DeliveryState.UNKNOWN, None)
    await add_counters(connection, deltas)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Move rows of a step from one resting state to another, at most SWEEP of them."""

    step_id: int
    from_state: DeliveryState
    to_state: DeliveryState
    at: datetime
    reason: str | None = None
    only_status: tuple[Status, ...] = ()  # of the step; another status: nothing moves


@long
async def sweep(connection: AsyncConnection, requests: Sequence[Sweep]) -> Sequence[int]:
    """How many rows moved; fewer than SWEEP means that none is left."""
    return [await _sweep_one(connection, request) for request in requests]


async def _sweep_one(connection: AsyncConnection, request: Sweep) -> int:
    if request.only_status:
        status = await connection.scalar(select(steps.c.status).where(steps.c.id == request.step_id))
        if status not in request.only_status:
            return 0
    back = request.to_state is DeliveryState.PLANNED
    deltas: dict[CounterKey, int] = defaultdict(int)
    if request.from_state is DeliveryState.PLANNED:  # what waits for its next channel was sent on an earlier one
        await settle_as_sent(connection, request.step_id, None, request.at, deltas)
    which = (
        select(deliveries.c.id)
        .where(deliveries.c.step_id == request.step_id, deliveries.c.state == request.from_state.value)
        .limit(SWEEP)
    )
    moved = list(
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.id.in_(which.scalar_subquery()))
            .values(
                state=request.to_state.value,
                reason=request.reason,
                finished_at=None if back else request.at,
                # Of a cancelled one it says since when it may have been taken, as of one that waits.
                started_at=None if back and request.from_state is DeliveryState.UNKNOWN else deliveries.c.started_at,
                tries=0 if back else deliveries.c.tries,
                # A new attempt: what a first one that was not settled may still report stays its own.
                attempt=deliveries.c.attempt + 1
                if back and request.from_state is DeliveryState.UNKNOWN
                else deliveries.c.attempt,
            )
            .returning(deliveries.c.channel)
        )
    )
    for row in moved:
        deltas[request.step_id, row.channel, "", "", _counter(request.from_state)] -= 1
        deltas[request.step_id, row.channel, "", "", _counter(request.to_state)] += 1
    await add_counters(connection, deltas)
    return len(moved)


def _counter(state: DeliveryState) -> str:
    return "waiting" if state in WAITING else state.value


@dataclass(frozen=True, slots=True)
class SetBack:
    """The clock was set back: by the one before it was `before`, by the one since it is `at`."""

    before: datetime
    at: datetime


async def pull_due(connection: AsyncConnection, requests: Sequence[SetBack]) -> Sequence[int]:
    """What was due by the clock that ran ahead is due still; how many. Only who waits for an hour of the client's own
    has to wait for it."""
    pulled = 0
    for request in requests:
        own_hour = select(steps.c.id).where(steps.c.id == deliveries.c.step_id, steps.c.timezone == "client")
        moved = await connection.execute(
            update(deliveries)
            .where(
                deliveries.c.state == DeliveryState.PLANNED.value,
                deliveries.c.due_at > request.at,
                deliveries.c.due_at <= request.before,
                ~own_hour.exists(),
            )
            .values(due_at=request.at)
        )
        pulled += moved.rowcount
    return [pulled for _ in requests]


@dataclass(frozen=True, slots=True)
class Undo:
    """Failures that were no fault of the addresses (a wrong token): back to planned, addresses enabled again."""

    ids: tuple[int, ...]
    reason: str
    at: datetime


@lasting
async def undo_failures(connection: AsyncConnection, requests: Sequence[Undo]) -> Sequence[int]:
    return [await _undo_one(connection, request) for request in requests]


async def _undo_one(connection: AsyncConnection, request: Undo) -> int:
    rows = list(
        await connection.execute(
            update(deliveries)
            .where(
                deliveries.c.id.in_(request.ids),
                deliveries.c.state == DeliveryState.FAILED.value,
                deliveries.c.reason == request.reason,
            )
            .values(state=DeliveryState.PLANNED.value, reason=None, finished_at=None, started_at=None, tries=0)
            .returning(deliveries.c.step_id, deliveries.c.channel, deliveries.c.address_id, deliveries.c.id)
        )
    )
    await connection.execute(delete(attempts).where(attempts.c.delivery_id.in_([row.id for row in rows])))
    deltas: dict[CounterKey, int] = defaultdict(int)
    for row in rows:
        count_end(deltas, row.step_id, row.channel, DeliveryState.FAILED, request.reason, -1)
    await add_counters(connection, deltas)
    changes = [
        AddressChange(address_id=row.address_id, status=AddressStatus.ENABLED, reason="undone", at=request.at)
        for row in rows
    ]
    if changes:
        await change_addresses(connection, changes)
    return len(rows)


@dataclass(frozen=True, slots=True)
class Refund:
    """Deliveries whose last try failed because the platform was away: the try does not count."""

    ids: tuple[int, ...]


@lasting
async def refund(connection: AsyncConnection, requests: Sequence[Refund]) -> Sequence[None]:
    for request in requests:
        await connection.execute(
            update(deliveries)
            .where(
                deliveries.c.id.in_(request.ids),
                deliveries.c.state == DeliveryState.PLANNED.value,
                deliveries.c.tries > 0,
            )
            .values(tries=deliveries.c.tries - 1)
        )
    return [None for _ in requests]
