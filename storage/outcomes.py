"""How deliveries end: rows, attempts, parts, addresses and counters in one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, Update, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.bulk import Asked, Rows, among, is_among
from storage.cascading import further_ways, hand_on, settle_as_sent
from storage.clients import AddressChange, move_address
from storage.counters import CounterKey, add_counters, count_end
from storage.database import insert_in
from storage.opting import note_statuses
from storage.quotas import use_quota
from storage.receipts import apply_early_receipts
from storage.records import DeliveryState, Outcome
from storage.schema import attempts, deliveries, parts
from storage.writer import lasting


@lasting
async def finish(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> Sequence[bool]:
    """Commit how deliveries ended. False for one that was not in hand any more (the outcome had been committed)."""
    ways = await further_ways(connection, outcomes)
    ending = [outcome for outcome in outcomes if outcome.delivery.id not in ways]
    in_hand = await _finish_plain(connection, [outcome for outcome in ending if _is_plain(outcome)])
    others = [outcome for outcome in ending if not _is_plain(outcome)]
    onward = [outcome for outcome in outcomes if outcome.delivery.id in ways]
    held = await _held(connection, [*others, *onward])
    in_hand |= held
    deltas: dict[CounterKey, int] = defaultdict(int)
    await hand_on(connection, [outcome for outcome in onward if outcome.delivery.id in held], ways, deltas)
    if ended := [_finished(outcome) for outcome in others if outcome.delivery.id in held]:
        await connection.execute(_FINISH, ended)
    fresh = [outcome for outcome in outcomes if outcome.delivery.id in in_hand]
    if fresh:
        await _keep_attempts(connection, fresh)
        await _keep_parts(connection, fresh)
        await _move_addresses(connection, fresh)
        settled = await _settle_earlier(
            connection, [outcome for outcome in others if outcome.delivery.id in held], deltas
        )
        _count(deltas, [outcome for outcome in fresh if outcome.delivery.id not in ways.keys() | settled])
        _count_costs(deltas, fresh)
        await add_counters(connection, deltas)
        await _apply_early_receipts(connection, fresh)
        await use_quota(connection, fresh)
    return [outcome.delivery.id in in_hand for outcome in outcomes]


def _is_plain(outcome: Outcome) -> bool:
    """Sent, as nearly all are: these need no statement of their own."""
    return outcome.state is DeliveryState.SENT and outcome.reason is None


async def _finish_plain(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> set[int]:
    """Those of them that were in hand. They end at one time: that of this commit, near enough."""
    if not outcomes:
        return set()
    dialect = connection.dialect.name
    ids = among(dialect, [outcome.delivery.id for outcome in outcomes])
    at = max(outcome.finished_at for outcome in outcomes)
    return {delivery for (delivery,) in await _FINISH_SENT.rows(connection, {"ids": ids, "at": at})}


def _finish_sent(dialect: str) -> Update:
    return (
        update(deliveries)
        .where(is_among(dialect, deliveries.c.id, "ids"), deliveries.c.state == DeliveryState.SENDING.value)
        .values(
            state=DeliveryState.SENT.value,
            reason=None,
            tries=deliveries.c.tries + 1,
            finished_at=bindparam("at", type_=deliveries.c.finished_at.type),
            run_id=None,
        )
        .returning(deliveries.c.id)
    )


_FINISH_SENT = Asked(_finish_sent)


async def _held(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> set[int]:
    """Those of them that are in hand still. What another run has in hand meanwhile is not put back: it may be on its
    way from there."""
    if not outcomes:
        return set()
    dialect = connection.dialect.name
    ids = among(dialect, [outcome.delivery.id for outcome in outcomes])
    runs = {row[0]: row[1] for row in await _IN_HAND.rows(connection, {"ids": ids})}
    return {
        outcome.delivery.id
        for outcome in outcomes
        if outcome.delivery.id in runs
        and (outcome.state is not DeliveryState.PLANNED or runs[outcome.delivery.id] == outcome.delivery.run_id)
    }


_IN_HAND = Asked(
    lambda dialect: select(deliveries.c.id, deliveries.c.run_id).where(
        is_among(dialect, deliveries.c.id, "ids"), deliveries.c.state == DeliveryState.SENDING.value
    )
)


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
        "new_started_at": outcome.doubted_at if back else outcome.started_at,
        "new_finished_at": None if back else outcome.finished_at,
    }


async def _keep_attempts(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    rows = [
        (
            outcome.delivery.id,
            outcome.delivery.attempt,
            outcome.channel,
            outcome.delivery.address_id,
            outcome.tries,
            outcome.started_at,
            outcome.finished_at,
            outcome.state.value,
            outcome.reason,
            outcome.code,
            outcome.words,
        )
        for outcome in outcomes
        if outcome.started_at is not None
    ]
    await _ATTEMPTS.insert(connection, rows)


def _attempt(dialect: str) -> Insert:
    """A further try of the same attempt writes over the one before."""
    statement = insert_in(dialect, attempts)
    changed = ("tries", "started_at", "finished_at", "outcome", "reason", "code", "words")
    return statement.on_conflict_do_update(
        index_elements=["delivery_id", "number"], set_={name: statement.excluded[name] for name in changed}
    )


_ATTEMPTS = Rows(
    [
        attempts.c.delivery_id,
        attempts.c.number,
        attempts.c.channel,
        attempts.c.address_id,
        attempts.c.tries,
        attempts.c.started_at,
        attempts.c.finished_at,
        attempts.c.outcome,
        attempts.c.reason,
        attempts.c.code,
        attempts.c.words,
    ],
    _attempt,
)


async def _keep_parts(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    rows = [
        (
            outcome.delivery.id,
            outcome.delivery.attempt,
            part.position,
            outcome.channel,
            part.external_id,
            outcome.finished_at,
            dict(part.details) or None,
        )
        for outcome in outcomes
        for part in outcome.parts
    ]
    await _PARTS.insert(connection, rows)


_PARTS = Rows(
    [
        parts.c.delivery_id,
        parts.c.attempt,
        parts.c.position,
        parts.c.channel,
        parts.c.external_id,
        parts.c.accepted_at,
        parts.c.details,
    ],
    lambda dialect: insert_in(dialect, parts).on_conflict_do_nothing(),
)


async def _apply_early_receipts(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    """What a platform said of a part before its own answer to the send was here."""
    await apply_early_receipts(
        connection,
        ((outcome.channel, part.external_id) for outcome in outcomes for part in outcome.parts),
        (
            (outcome.channel, f"{outcome.delivery.id}.{outcome.delivery.attempt}.{position}")
            for outcome in outcomes
            if outcome.started_at is not None
            for position in range(len(outcome.parts) + 1)
        ),
    )


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
    await note_statuses(connection, changes)
    for outcome in outcomes:
        if outcome.new_address is not None:
            await move_address(connection, outcome.delivery.address_id, outcome.new_address)


async def _settle_earlier(
    connection: AsyncConnection, outcomes: Sequence[Outcome], deltas: dict[CounterKey, int]
) -> set[int]:
    """In a cascade: those that ended in vain on a later channel, when an earlier one had taken them."""
    vain = (DeliveryState.FAILED, DeliveryState.SKIPPED)
    settled: set[int] = set()
    later = [outcome for outcome in outcomes if outcome.delivery.attempt > 1 and outcome.state in vain]
    for step_id in {outcome.delivery.step_id for outcome in later}:
        its = [outcome for outcome in later if outcome.delivery.step_id == step_id]
        ids = [outcome.delivery.id for outcome in its]
        settled |= await settle_as_sent(connection, step_id, ids, its[0].finished_at, deltas)
    return settled


def _count(deltas: dict[CounterKey, int], outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.state is not DeliveryState.PLANNED:
            count_end(deltas, outcome.delivery.step_id, outcome.channel, outcome.state, outcome.reason)


def _count_costs(deltas: dict[CounterKey, int], outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        for part in outcome.parts:
            if part.cost:
                deltas[outcome.delivery.step_id, outcome.channel, "", "", f"cost:{part.cost}"] += part.units
