"""Whom an amendment concerns, and what became of each: rows and counts in one transaction.

Both kinds may be done twice with the same result, so a row that was in hand when the process died is simply done again.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Insert, and_, bindparam, case, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.bulk import Rows, among, is_among
from storage.clients import values_for
from storage.database import insert_in
from storage.records import AmendedState, AmendmentKind, AmendmentStatus, DeliveryState
from storage.schema import (
    CLIENTS_IN_STEP,
    addresses,
    amended,
    amendment_counts,
    amendments,
    attempts,
    deliveries,
    parts,
)
from storage.writer import long

_ERASED = "erased"  # why an address is gone whose client was forgotten


@dataclass(frozen=True, slots=True)
class AmendPackage:
    """The next `size` deliveries of an amendment's step. `hopeless` says of channels why nothing can be done there."""

    amendment_id: int
    size: int
    hopeless: Mapping[str, str]
    known: Collection[str]  # channels that are configured
    at: datetime


@dataclass(frozen=True, slots=True)
class TakenPart:
    position: int
    external_id: str | None
    accepted_at: datetime | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToAmend:
    """A message that a client has, with what it takes to change it."""

    amendment_id: int
    delivery_id: int
    attempt: int
    client_id: int
    address: str
    address_details: Mapping[str, Any]
    is_erased: bool
    tries: int
    sent_at: datetime | None
    parts: tuple[TakenPart, ...]
    client: Mapping[str, Any]  # the card as templates see it


@dataclass(frozen=True, slots=True)
class AmendedOutcome:
    """What became of one; one that waits again is due at `due_at`."""

    of: ToAmend
    channel: str
    state: AmendedState
    at: datetime
    reason: str | None = None
    words: str | None = None
    tries: int = 0
    due_at: datetime | None = None


# --- whom it concerns ------------------------------------------------------------------------------------------------

_HAVE_IT = (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ, DeliveryState.UNKNOWN)


@long
async def plan_amendment(connection: AsyncConnection, packages: Sequence[AmendPackage]) -> Sequence[bool]:
    return [await _plan_one(connection, package) for package in packages]


async def _plan_one(connection: AsyncConnection, package: AmendPackage) -> bool:
    row = (await connection.execute(select(amendments).where(amendments.c.id == package.amendment_id))).one()
    if row.planned_all or row.status != AmendmentStatus.RUNNING:
        return True
    first = row.planned_through or row.step_id * CLIENTS_IN_STEP
    ids = (
        select(deliveries.c.id)
        .where(deliveries.c.id > first, deliveries.c.id < (row.step_id + 1) * CLIENTS_IN_STEP)
        .order_by(deliveries.c.id)
        .limit(package.size)
        .subquery()
    )
    last, scanned = (await connection.execute(select(func.max(ids.c.id), func.count()).select_from(ids))).one()
    if scanned:
        taken_back = await _taken_back(connection, row.step_id)
        await connection.execute(_insert_rows(package, first, last, taken_back))
        await _count_planned(connection, package.amendment_id, first, last)
    everything = scanned < package.size
    await connection.execute(
        update(amendments)
        .where(amendments.c.id == package.amendment_id)
        .values(planned_through=last or first, planned_all=everything)
    )
    return bool(everything)


async def _taken_back(connection: AsyncConnection, step_id: int) -> list[int]:
    """Earlier amendments that took messages of the step away: what is gone is not amended again."""
    found = await connection.scalars(
        select(amendments.c.id).where(
            amendments.c.step_id == step_id, amendments.c.kind == AmendmentKind.TAKE_BACK.value
        )
    )
    return list(found)


def _insert_rows(package: AmendPackage, first: int, last: int, taken_back: Sequence[int]) -> Insert:
    hopeless = [(attempts.c.channel == channel, literal(reason)) for channel, reason in package.hopeless.items()]
    hopeless.append((attempts.c.channel.not_in(package.known), literal("channel_missing")))
    reason = case(*hopeless)
    state = case(
        (reason.is_(None), literal(AmendedState.WAITING.value)),
        else_=literal(AmendedState.MISSED.value),
    )
    chosen = (
        select(
            literal(package.amendment_id),
            attempts.c.delivery_id,
            attempts.c.number,
            attempts.c.channel,
            attempts.c.address_id,
            state,
            reason,
            literal(0),
            literal(package.at, type_=amended.c.due_at.type),
        )
        .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
        .where(attempts.c.delivery_id > first, attempts.c.delivery_id <= last, _may_have_it())
    )
    if taken_back:
        gone = amended.alias()
        chosen = chosen.where(
            ~select(gone.c.delivery_id)
            .where(
                gone.c.amendment_id.in_(taken_back),
                gone.c.delivery_id == attempts.c.delivery_id,
                gone.c.attempt == attempts.c.number,
                gone.c.state == AmendedState.REACHED.value,
            )
            .exists()
        )
    names = ["amendment_id", "delivery_id", "attempt", "channel", "address_id", "state", "reason", "tries", "due_at"]
    return insert(amended).from_select(names, chosen)


def _may_have_it() -> ColumnElement[bool]:
    """The last attempt as the delivery stands; an earlier one of a cascade where the platform had taken it."""
    stands = or_(
        deliveries.c.state.in_([state.value for state in _HAVE_IT]),
        and_(deliveries.c.state == DeliveryState.FAILED.value, deliveries.c.reason == "incomplete"),
    )
    taken = (
        select(parts.c.delivery_id)
        .where(parts.c.delivery_id == attempts.c.delivery_id, parts.c.attempt == attempts.c.number)
        .exists()
    )
    is_last = attempts.c.number == deliveries.c.attempt
    return or_(and_(is_last, stands), and_(~is_last, taken))


async def _count_planned(connection: AsyncConnection, amendment_id: int, first: int, last: int) -> None:
    deltas: dict[tuple[int, str, str], int] = defaultdict(int)
    found = await connection.execute(
        select(amended.c.channel, amended.c.state, amended.c.reason, func.count())
        .where(amended.c.amendment_id == amendment_id, amended.c.delivery_id > first, amended.c.delivery_id <= last)
        .group_by(amended.c.channel, amended.c.state, amended.c.reason)
    )
    for channel, state, reason, amount in found:
        deltas[amendment_id, channel, _counter(state, reason)] += amount
    await _add_counts(connection, deltas)


# --- one by one ------------------------------------------------------------------------------------------------------


async def due_to_amend(
    connection: AsyncConnection, amendment_id: int, channel: str, at: datetime, limit: int, fields: frozenset[str]
) -> list[ToAmend]:
    rows = (
        await connection.execute(
            select(
                amended.c.delivery_id,
                amended.c.attempt,
                amended.c.tries,
                addresses.c.external_id,
                addresses.c.details,
                addresses.c.status_reason,
                deliveries.c.client_id,
                attempts.c.started_at,
            )
            .join(addresses, addresses.c.id == amended.c.address_id)
            .join(deliveries, deliveries.c.id == amended.c.delivery_id)
            .join(
                attempts,
                and_(attempts.c.delivery_id == amended.c.delivery_id, attempts.c.number == amended.c.attempt),
            )
            .where(
                amended.c.amendment_id == amendment_id,
                amended.c.channel == channel,
                amended.c.state == AmendedState.WAITING.value,
                amended.c.due_at <= at,
            )
            .order_by(amended.c.due_at, amended.c.delivery_id)
            .limit(limit)
        )
    ).all()
    taken = await _parts_of(connection, [row.delivery_id for row in rows])
    cards = await values_for(connection, [row.client_id for row in rows], fields)
    return [
        ToAmend(
            amendment_id,
            row.delivery_id,
            row.attempt,
            row.client_id,
            row.external_id,
            row.details,
            row.status_reason == _ERASED,
            row.tries,
            row.started_at,
            tuple(taken[row.delivery_id, row.attempt]),
            cards[row.client_id],
        )
        for row in rows
    ]


async def _parts_of(
    connection: AsyncConnection, delivery_ids: Sequence[int]
) -> Mapping[tuple[int, int], list[TakenPart]]:
    taken: dict[tuple[int, int], list[TakenPart]] = defaultdict(list)
    dialect = connection.dialect.name
    found = await connection.execute(
        select(parts)
        .where(is_among(dialect, parts.c.delivery_id, "ids"))
        .order_by(parts.c.delivery_id, parts.c.attempt, parts.c.position),
        {"ids": among(dialect, list(delivery_ids))},
    )
    for row in found:
        part = TakenPart(row.position, row.external_id, row.accepted_at, row.details or {})
        taken[row.delivery_id, row.attempt].append(part)
    return taken


async def settle_amended(connection: AsyncConnection, outcomes: Sequence[AmendedOutcome]) -> Sequence[None]:
    dialect = connection.dialect.name
    found = await connection.execute(
        _still_waiting(dialect), {"ids": among(dialect, [outcome.of.delivery_id for outcome in outcomes])}
    )
    waiting = {tuple(row) for row in found}
    fresh = [outcome for outcome in outcomes if _key(outcome) in waiting]
    if fresh:
        await connection.execute(_SETTLE, [_settled(outcome) for outcome in fresh])
    deltas: dict[tuple[int, str, str], int] = defaultdict(int)
    for outcome in fresh:
        deltas[outcome.of.amendment_id, outcome.channel, _counter(AmendedState.WAITING, None)] -= 1
        deltas[outcome.of.amendment_id, outcome.channel, _counter(outcome.state, outcome.reason)] += 1
    await _add_counts(connection, deltas)
    return [None for _ in outcomes]


def _key(outcome: AmendedOutcome) -> tuple[int, int, int]:
    return outcome.of.amendment_id, outcome.of.delivery_id, outcome.of.attempt


@cache
def _still_waiting(dialect: str) -> Any:
    return select(amended.c.amendment_id, amended.c.delivery_id, amended.c.attempt).where(
        is_among(dialect, amended.c.delivery_id, "ids"), amended.c.state == AmendedState.WAITING.value
    )


_SETTLE = (
    update(amended)
    .where(
        amended.c.amendment_id == bindparam("its_amendment"),
        amended.c.delivery_id == bindparam("its_delivery"),
        amended.c.attempt == bindparam("its_attempt"),
    )
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        words=bindparam("new_words"),
        tries=bindparam("new_tries"),
        due_at=func.coalesce(bindparam("new_due_at", type_=amended.c.due_at.type), amended.c.due_at),
        finished_at=bindparam("new_finished_at", type_=amended.c.finished_at.type),
    )
)


def _settled(outcome: AmendedOutcome) -> Mapping[str, Any]:
    amendment_id, delivery_id, attempt = _key(outcome)
    return {
        "its_amendment": amendment_id,
        "its_delivery": delivery_id,
        "its_attempt": attempt,
        "new_state": outcome.state.value,
        "new_reason": outcome.reason,
        "new_words": outcome.words,
        "new_tries": outcome.tries,
        "new_due_at": outcome.due_at,
        "new_finished_at": None if outcome.state is AmendedState.WAITING else outcome.at,
    }


def _counter(state: str, reason: str | None) -> str:
    return f"{state}:{reason}" if state == AmendedState.MISSED else str(state)


async def _add_counts(connection: AsyncConnection, deltas: Mapping[tuple[int, str, str], int]) -> None:
    await _COUNTS.insert(connection, [(*key, amount) for key, amount in sorted(deltas.items()) if amount])


def _add(dialect: str) -> Insert:
    statement = insert_in(dialect, amendment_counts)
    return statement.on_conflict_do_update(
        index_elements=list(amendment_counts.primary_key.columns),
        set_={"amount": amendment_counts.c.amount + statement.excluded.amount},
    )


_COUNTS = Rows(
    [
        amendment_counts.c.amendment_id,
        amendment_counts.c.channel,
        amendment_counts.c.name,
        amendment_counts.c.amount,
    ],
    _add,
)
