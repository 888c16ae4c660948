"""Deliveries: planned in packages, claimed, started, ended. Every function here is set-wise and runs in the writer."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Text, and_, bindparam, cast, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.clients import AddressChange, change_addresses, move_address, values_for
from storage.database import Database, insert
from storage.records import AcceptedPart, Claimed, DeliveryState, OnUnknown, Outcome, Status
from storage.schema import (
    addresses,
    attempts,
    channel_states,
    clients,
    counters,
    deliveries,
    mailings,
    parts,
    settings,
    steps,
)

WAITING = (DeliveryState.PLANNED, DeliveryState.SENDING)
SWEEP = 5000  # rows that one transaction moves, so that nobody waits long for the lock

CounterKey = tuple[int, str, str, str, str]  # step, channel, variant, sender, name


async def add_counters(connection: AsyncConnection, deltas: Mapping[CounterKey, int]) -> None:
    """Move counters, in key order so that two processes never wait for each other in a circle."""
    rows = [
        {"step_id": key[0], "channel": key[1], "variant": key[2], "sender": key[3], "name": key[4], "amount": amount}
        for key, amount in sorted(deltas.items())
        if amount
    ]
    if not rows:
        return
    statement = insert(connection, counters).values(rows)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(counters.primary_key.columns),
            set_={"amount": counters.c.amount + statement.excluded.amount},
        )
    )


@dataclass(frozen=True, slots=True)
class DayQuota:
    """So many messages on this day of the app's zone."""

    messages: int
    day: str  # ISO date


@dataclass(frozen=True, slots=True)
class PackageQuota:
    """The balance in storage, which begins with so many."""

    messages: int


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    step_id: int
    channel: str
    limit: int
    run_id: int
    at: datetime
    quota: DayQuota | PackageQuota | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """`used_up`: the quota gives no more, even when what is in hand came back unsent."""

    deliveries: list[Claimed]
    used_up: bool = False


async def claim(connection: AsyncConnection, requests: Sequence[ClaimRequest]) -> Sequence[Claim]:
    """Take up to `limit` due deliveries of a step on a channel into a run's hand, with all they need to be sent."""
    taken: list[list[Any]] = []
    used_up: list[bool] = []
    for request in requests:
        left, in_hand = await _quota_left(connection, request)
        limit = request.limit if left is None else max(min(request.limit, left - in_hand), 0)
        taken.append(list(await connection.execute(_claim_one(request, limit))) if limit else [])
        used_up.append(left is not None and left <= 0)
    rows = [row for group in taken for row in group]
    if not rows:
        return [Claim([], used) for used in used_up]
    places = await _addresses_of(connection, [row.address_id for row in rows])
    cards = await values_for(connection, [row.client_id for row in rows])
    return [Claim(_claimed(group, places, cards), used) for group, used in zip(taken, used_up, strict=True)]


async def quota_left(connection: AsyncConnection, channel: str, quota: DayQuota | PackageQuota) -> int:
    """How many messages the quota still gives; begins a new day or a new package where it has to."""
    row = (await connection.execute(select(channel_states).where(channel_states.c.channel == channel))).one_or_none()
    if isinstance(quota, DayQuota):
        if row is None or row.sent_on != quota.day:
            await _upsert_channel(connection, channel, {"sent_on": quota.day, "sent_that_day": 0})
            return quota.messages
        return quota.messages - int(row.sent_that_day)
    if row is None or row.package_left is None:
        await _upsert_channel(connection, channel, {"package_left": quota.messages})
        return quota.messages
    return int(row.package_left)


async def _upsert_channel(connection: AsyncConnection, channel: str, values: Mapping[str, Any]) -> None:
    await connection.execute(
        insert(connection, channel_states)
        .values(channel=channel, **values)
        .on_conflict_do_update(index_elements=["channel"], set_=dict(values))
    )


async def _quota_left(connection: AsyncConnection, request: ClaimRequest) -> tuple[int | None, int]:
    if request.quota is None:
        return None, 0
    left = await quota_left(connection, request.channel, request.quota)
    in_hand = await connection.scalar(
        select(func.count()).where(
            deliveries.c.state == DeliveryState.SENDING.value,
            deliveries.c.run_id == request.run_id,
            deliveries.c.channel == request.channel,
        )
    )
    return left, int(in_hand or 0)


def _claimed(group: Sequence[Any], places: Mapping[int, Any], cards: Mapping[int, Mapping[str, Any]]) -> list[Claimed]:
    return [
        Claimed(
            id=row.id,
            step_id=row.step_id,
            client_id=row.client_id,
            address_id=row.address_id,
            address=places[row.address_id].external_id,
            address_details=places[row.address_id].details,
            last_wrote_at=places[row.address_id].last_wrote_at,
            attempt=row.attempt,
            tries=row.tries,
            client=cards[row.client_id],
        )
        # RETURNING promises no order; the oldest due goes first.
        for row in sorted(group, key=lambda row: (row.due_at, row.id))
    ]


def _claim_one(request: ClaimRequest, limit: int) -> Any:
    due = (
        select(deliveries.c.id)
        .where(
            deliveries.c.step_id == request.step_id,
            deliveries.c.channel == request.channel,
            deliveries.c.state == DeliveryState.PLANNED.value,
            deliveries.c.due_at <= request.at,
        )
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(limit)
    )
    return (
        update(deliveries)
        .where(deliveries.c.id.in_(due.scalar_subquery()), deliveries.c.state == DeliveryState.PLANNED.value)
        .values(state=DeliveryState.SENDING.value, run_id=request.run_id, started_at=None)
        .returning(
            deliveries.c.id,
            deliveries.c.step_id,
            deliveries.c.client_id,
            deliveries.c.address_id,
            deliveries.c.attempt,
            deliveries.c.tries,
            deliveries.c.due_at,
        )
    )


async def _addresses_of(connection: AsyncConnection, ids: Sequence[int]) -> Mapping[int, Any]:
    found = await connection.execute(
        select(addresses.c.id, addresses.c.external_id, addresses.c.details, addresses.c.last_wrote_at).where(
            addresses.c.id.in_(ids)
        )
    )
    return {row.id: row for row in found}


@dataclass(frozen=True, slots=True)
class StartRequest:
    ids: tuple[int, ...]
    at: datetime


GO = "go"
RELEASE = "release"  # its step does not send now: back to planned


async def start(connection: AsyncConnection, requests: Sequence[StartRequest]) -> Sequence[Mapping[int, str]]:
    """Mark deliveries as about to be written to the socket, after a last look at each.

    Answers for each id GO, RELEASE, or the status of an address that is no longer enabled."""
    ids = [delivery for request in requests for delivery in request.ids]
    stopped = await _is_stopped(connection)
    verdicts: dict[int, str] = {}
    looked = await connection.execute(
        select(deliveries.c.id, addresses.c.status, steps.c.status.label("step_status"))
        .join(addresses, addresses.c.id == deliveries.c.address_id)
        .join(steps, steps.c.id == deliveries.c.step_id)
        .where(deliveries.c.id.in_(ids), deliveries.c.state == DeliveryState.SENDING.value)
    )
    for row in looked:
        if stopped or row.step_status != Status.SENDING:
            verdicts[row.id] = RELEASE
        else:
            verdicts[row.id] = GO if row.status == AddressStatus.ENABLED else row.status
    marks = [
        {"delivery": delivery, "at": request.at}
        for request in requests
        for delivery in request.ids
        if verdicts.get(delivery) == GO
    ]
    if marks:
        await connection.execute(
            update(deliveries).where(deliveries.c.id == bindparam("delivery")).values(started_at=bindparam("at")), marks
        )
    return [{delivery: verdicts.get(delivery, RELEASE) for delivery in request.ids} for request in requests]


async def _is_stopped(connection: AsyncConnection) -> bool:
    value = await connection.scalar(select(settings.c.value).where(settings.c.name == "stopped"))
    return bool(value)


async def finish(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> Sequence[bool]:
    """Commit how deliveries ended. False for one that was not in hand any more (the outcome had been committed)."""
    in_hand = await _in_hand(connection, [outcome.delivery.id for outcome in outcomes])
    fresh = [outcome for outcome in outcomes if outcome.delivery.id in in_hand]
    if fresh:
        await connection.execute(_FINISH, [_finished(outcome) for outcome in fresh])
        await _keep_attempts(connection, fresh)
        await _keep_parts(connection, fresh)
        await _move_addresses(connection, fresh)
        await add_counters(connection, _count(fresh))
        await _use_quota(connection, fresh)
    return [outcome.delivery.id in in_hand for outcome in outcomes]


_FINISH = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"))
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        tries=bindparam("new_tries"),
        due_at=func.coalesce(bindparam("new_due_at", type_=deliveries.c.due_at.type), deliveries.c.due_at),
        started_at=bindparam("new_started_at"),
        finished_at=bindparam("new_finished_at"),
        run_id=None,
    )
)


def _finished(outcome: Outcome) -> Mapping[str, Any]:
    back = outcome.state is DeliveryState.PLANNED
    return {
        "delivery": outcome.delivery.id,
        "new_state": outcome.state.value,
        "new_reason": outcome.reason,
        "new_tries": outcome.tries,
        "new_due_at": outcome.due_at,
        "new_started_at": None if back else outcome.started_at,
        "new_finished_at": None if back else outcome.finished_at,
    }


async def _in_hand(connection: AsyncConnection, ids: Sequence[int]) -> set[int]:
    found = await connection.scalars(
        select(deliveries.c.id).where(deliveries.c.id.in_(ids), deliveries.c.state == DeliveryState.SENDING.value)
    )
    return set(found)


async def _keep_attempts(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    rows = [
        {
            "delivery_id": outcome.delivery.id,
            "number": outcome.delivery.attempt,
            "channel": outcome.channel,
            "address_id": outcome.delivery.address_id,
            "tries": outcome.tries,
            "started_at": outcome.started_at,
            "finished_at": outcome.finished_at,
            "outcome": outcome.state.value,
            "reason": outcome.reason,
            "code": outcome.code,
            "words": outcome.words,
        }
        for outcome in outcomes
        if outcome.started_at is not None
    ]
    if not rows:
        return
    statement = insert(connection, attempts)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["delivery_id", "number"],
            set_={
                name: statement.excluded[name]
                for name in ("tries", "started_at", "finished_at", "outcome", "reason", "code", "words")
            },
        ),
        rows,
    )


async def _keep_parts(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    rows = [
        {
            "delivery_id": outcome.delivery.id,
            "attempt": outcome.delivery.attempt,
            "position": part.position,
            "channel": outcome.channel,
            "external_id": part.external_id,
            "accepted_at": outcome.finished_at,
            "details": dict(part.details) or None,
        }
        for outcome in outcomes
        for part in outcome.parts
    ]
    if rows:
        await connection.execute(insert(connection, parts).on_conflict_do_nothing(), rows)


async def _move_addresses(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    changes = [
        AddressChange(
            address_id=outcome.delivery.address_id,
            status=outcome.address_status,
            reason=outcome.reason or "",
            at=outcome.finished_at,
        )
        for outcome in outcomes
        if outcome.address_status is not None
    ]
    if changes:
        await change_addresses(connection, changes)
    for outcome in outcomes:
        if outcome.new_address is not None:
            await move_address(connection, outcome.delivery.address_id, outcome.new_address)


def _count(outcomes: Iterable[Outcome]) -> Mapping[CounterKey, int]:
    deltas: dict[CounterKey, int] = defaultdict(int)
    for outcome in outcomes:
        if outcome.state is not DeliveryState.PLANNED:
            count_end(deltas, outcome.delivery.step_id, outcome.channel, outcome.state, outcome.reason)
    return deltas


def count_end(
    deltas: dict[CounterKey, int], step_id: int, channel: str, state: DeliveryState, reason: str | None, amount: int = 1
) -> None:
    """A waiting delivery that ended; a negative amount puts it back."""
    deltas[step_id, channel, "", "", "waiting"] -= amount
    deltas[step_id, channel, "", "", state.value] += amount
    if reason and state in (DeliveryState.FAILED, DeliveryState.SKIPPED):
        deltas[step_id, channel, "", "", f"{state.value}:{reason}"] += amount


async def _use_quota(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    """What may have reached the platform counts against a package."""
    used: dict[str, int] = defaultdict(int)
    for outcome in outcomes:
        if outcome.state in (DeliveryState.SENT, DeliveryState.UNKNOWN):
            used[outcome.channel] += 1
    for channel, amount in sorted(used.items()):
        statement = insert(connection, channel_states).values(channel=channel, sent_that_day=amount)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["channel"],
                set_={
                    "sent_that_day": channel_states.c.sent_that_day + amount,
                    "package_left": channel_states.c.package_left - amount,
                },
            )
        )


# --- recovery, cancelling, launching again ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recovery:
    """Settle what is in nobody's hand any more: of every run that is over, or of one lane that broke down."""

    at: datetime
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many went back, and how many are unknown."""

    planned: int = 0
    unknown: int = 0


async def recover(connection: AsyncConnection, requests: Sequence[Recovery]) -> Sequence[Recovered]:
    """Claimed and not started goes back; started without an outcome is unknown, or goes back where the mailing says
    `on_unknown = "repeat"`. Call it only while no other run is alive (the engine's lock says so)."""
    return [await _recover_one(connection, request) for request in requests]


async def _recover_one(connection: AsyncConnection, request: Recovery) -> Recovered:
    statement = _left_in_hand()
    if request.channel is not None:
        statement = statement.where(deliveries.c.channel == request.channel)
    left = list(await connection.execute(statement))
    repeat = [row.id for row in left if row.started_at is None or row.on_unknown == OnUnknown.REPEAT]
    lost = [row for row in left if row.started_at is not None and row.on_unknown != OnUnknown.REPEAT]
    if repeat:
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.id == bindparam("delivery"))
            .values(state=DeliveryState.PLANNED.value, run_id=None, started_at=None),
            [{"delivery": delivery} for delivery in repeat],
        )
    if lost:
        await _mark_unknown(connection, lost, request.at)
    return Recovered(len(repeat), len(lost))


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


async def sweep(connection: AsyncConnection, requests: Sequence[Sweep]) -> Sequence[int]:
    """How many rows moved; fewer than SWEEP means that none is left."""
    return [await _sweep_one(connection, request) for request in requests]


async def _sweep_one(connection: AsyncConnection, request: Sweep) -> int:
    if request.only_status:
        status = await connection.scalar(select(steps.c.status).where(steps.c.id == request.step_id))
        if status not in request.only_status:
            return 0
    back = request.to_state is DeliveryState.PLANNED
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
                started_at=None if back else deliveries.c.started_at,
                tries=0 if back else deliveries.c.tries,
                # A new attempt: what a first one that was not settled may still report stays its own.
                attempt=deliveries.c.attempt + 1
                if back and request.from_state is DeliveryState.UNKNOWN
                else deliveries.c.attempt,
            )
            .returning(deliveries.c.channel)
        )
    )
    deltas: dict[CounterKey, int] = defaultdict(int)
    for row in moved:
        deltas[request.step_id, row.channel, "", "", _counter(request.from_state)] -= 1
        deltas[request.step_id, row.channel, "", "", _counter(request.to_state)] += 1
    await add_counters(connection, deltas)
    return len(moved)


def _counter(state: DeliveryState) -> str:
    return "waiting" if state in WAITING else state.value


@dataclass(frozen=True, slots=True)
class Undo:
    """Failures that were no fault of the addresses (a wrong token): back to planned, addresses enabled again."""

    ids: tuple[int, ...]
    reason: str
    at: datetime


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


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as a person sees it."""

    id: int
    client_id: int
    client_name: str
    channel: str
    state: DeliveryState
    reason: str | None
    words: str | None
    code: str | None
    tries: int
    started_at: datetime | None
    finished_at: datetime | None
    parts: tuple[AcceptedPart, ...] = field(default=())


_NAME = func.coalesce(
    clients.c.name,
    func.nullif(func.trim(func.coalesce(clients.c.first_name, "") + " " + func.coalesce(clients.c.last_name, "")), ""),
    clients.c.external_id,
    "#" + cast(clients.c.id, Text),
)


class Deliveries:
    """Reading deliveries; what changes them stands above and goes through the writer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting_by_channel(self, step_id: int) -> Mapping[str, int]:
        """How many of a step still wait on each channel, from the counters."""
        async with self._database.read() as connection:
            found = await connection.execute(
                select(counters.c.channel, func.sum(counters.c.amount))
                .where(counters.c.step_id == step_id, counters.c.name == "waiting")
                .group_by(counters.c.channel)
            )
            return {row[0]: int(row[1]) for row in found if row[1]}

    async def none_left(self, step_id: int) -> bool:
        """Whether no row of the step waits or is in hand, asked of the rows themselves."""
        async with self._database.read() as connection:
            left = await connection.scalar(
                select(deliveries.c.id)
                .where(deliveries.c.step_id == step_id, deliveries.c.state.in_([state.value for state in WAITING]))
                .limit(1)
            )
            return left is None

    async def in_flight(self, step_id: int) -> int:
        """How many are on their way to the platform just now."""
        async with self._database.read() as connection:
            return int(
                await connection.scalar(
                    select(func.count()).where(
                        deliveries.c.step_id == step_id,
                        deliveries.c.state == DeliveryState.SENDING.value,
                        deliveries.c.started_at.is_not(None),
                    )
                )
                or 0
            )

    async def next_due(self, step_id: int) -> datetime | None:
        async with self._database.read() as connection:
            found: datetime | None = await connection.scalar(
                select(func.min(deliveries.c.due_at)).where(
                    deliveries.c.step_id == step_id, deliveries.c.state == DeliveryState.PLANNED.value
                )
            )
            return found

    async def rows(
        self,
        step_id: int,
        states: Sequence[DeliveryState] = (),
        *,
        client_id: int | None = None,
        after_id: int = 0,
        limit: int = 100,
    ) -> list[DeliveryRow]:
        """Deliveries of a step in the order of their ids, with the last attempt's words."""
        wanted = [deliveries.c.step_id == step_id, deliveries.c.id > after_id]
        if states:
            wanted.append(deliveries.c.state.in_([state.value for state in states]))
        if client_id is not None:
            wanted.append(deliveries.c.client_id == client_id)
        statement = (
            select(deliveries, attempts.c.words, attempts.c.code, _NAME.label("client_name"))
            .join(clients, clients.c.id == deliveries.c.client_id)
            .outerjoin(
                attempts,
                and_(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempt),
            )
            .where(*wanted)
            .order_by(deliveries.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [
                DeliveryRow(
                    id=row.id,
                    client_id=row.client_id,
                    client_name=row.client_name,
                    channel=row.channel,
                    state=DeliveryState(row.state),
                    reason=row.reason,
                    words=row.words,
                    code=row.code,
                    tries=row.tries,
                    started_at=row.started_at,
                    finished_at=row.finished_at,
                )
                for row in await connection.execute(statement)
            ]

    async def counters(self, step_ids: Sequence[int]) -> Mapping[int, Mapping[tuple[str, str], int]]:
        """Counters by step, and in each by (channel, name), summed over variants and senders."""
        async with self._database.read() as connection:
            found = await connection.execute(
                select(counters.c.step_id, counters.c.channel, counters.c.name, func.sum(counters.c.amount))
                .where(counters.c.step_id.in_(step_ids))
                .group_by(counters.c.step_id, counters.c.channel, counters.c.name)
            )
            sums: dict[int, dict[tuple[str, str], int]] = {step_id: {} for step_id in step_ids}
            for step_id, channel, name, amount in found:
                sums[step_id][channel, name] = int(amount)
            return sums
