"""A cascade: what did not arrive on one channel goes on to the client's next one, as a further attempt."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.bulk import among, is_among
from storage.counters import CounterKey
from storage.records import DeliveryState, Outcome
from storage.schema import addresses, attempts, deliveries

Deltas = dict[CounterKey, int]


@dataclass(frozen=True, slots=True)
class Way:
    channel: str
    address_id: int


async def further_ways(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> Mapping[int, Way]:
    """Where each of these that may go on goes on to, by delivery; an opt-out on the way ends a cascade."""
    going = [outcome for outcome in outcomes if outcome.hand_on_after_s is not None]
    if not going:
        return {}
    dialect = connection.dialect.name
    found = await connection.execute(
        select(addresses.c.client_id, addresses.c.channel, addresses.c.id, addresses.c.status)
        .where(
            is_among(dialect, addresses.c.client_id, "clients"),
            addresses.c.channel.in_({channel for outcome in going for channel in outcome.next_channels}),
        )
        .order_by(addresses.c.id),
        {"clients": among(dialect, [outcome.delivery.client_id for outcome in going])},
    )
    known: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for client_id, channel, address_id, status in found:
        known[client_id, channel].setdefault(status, address_id)
    ways = {outcome.delivery.id: _way(outcome, known) for outcome in going}
    return {delivery: way for delivery, way in ways.items() if way is not None}


def _way(outcome: Outcome, known: Mapping[tuple[int, str], Mapping[str, int]]) -> Way | None:
    for channel in outcome.next_channels:
        on_channel = known.get((outcome.delivery.client_id, channel), {})
        if AddressStatus.ENABLED in on_channel:
            return Way(channel, on_channel[AddressStatus.ENABLED])
        if AddressStatus.UNSUBSCRIBED in on_channel:
            return None
    return None


async def hand_on(
    connection: AsyncConnection, outcomes: Sequence[Outcome], ways: Mapping[int, Way], deltas: Deltas
) -> None:
    """Plan these, which are in hand, on their next channel: at once, or once the receipt they wait for is overdue."""
    if not outcomes:
        return
    await connection.execute(_HAND_ON, [_next(outcome, ways[outcome.delivery.id]) for outcome in outcomes])
    for outcome in outcomes:
        _move_plan(deltas, outcome.delivery.step_id, outcome.channel, ways[outcome.delivery.id].channel)


_HAND_ON = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"))
    .values(
        state=DeliveryState.PLANNED.value,
        reason=None,
        channel=bindparam("next_channel"),
        address_id=bindparam("next_address"),
        attempt=deliveries.c.attempt + 1,
        tries=0,
        due_at=bindparam("next_due_at", type_=deliveries.c.due_at.type),
        run_id=None,
        started_at=None,
        finished_at=None,
    )
)


def _next(outcome: Outcome, way: Way) -> Mapping[str, Any]:
    return {
        "delivery": outcome.delivery.id,
        "next_channel": way.channel,
        "next_address": way.address_id,
        "next_due_at": outcome.finished_at + timedelta(seconds=outcome.hand_on_after_s or 0.0),
    }


async def settle_as_sent(
    connection: AsyncConnection, step_id: int, ids: Collection[int] | None, at: datetime, deltas: Deltas
) -> set[int]:
    """Deliveries that go no further, though an earlier channel had taken them: they were sent there.

    `ids` are in the state in which they are found; None: all of the step that wait for their next channel. Returns
    which of them were; the counters of the others are untouched."""
    dialect = connection.dialect.name
    last = (
        select(attempts.c.delivery_id, func.max(attempts.c.number).label("number"))
        .where(attempts.c.outcome == DeliveryState.SENT.value)
        .group_by(attempts.c.delivery_id)
    )
    which = [deliveries.c.step_id == step_id, deliveries.c.attempt > 1]
    values: dict[str, Any] = {}
    if ids is None:
        which.append(deliveries.c.state == DeliveryState.PLANNED.value)
        last = last.where(attempts.c.delivery_id.in_(select(deliveries.c.id).where(*which)))
    else:
        which.append(is_among(dialect, deliveries.c.id, "ids"))
        last = last.where(is_among(dialect, attempts.c.delivery_id, "ids"))
        values["ids"] = among(dialect, list(ids))
    taken = last.subquery()
    rows = (
        await connection.execute(
            select(deliveries.c.id, deliveries.c.channel, attempts.c.number, attempts.c.channel.label("sent_on"))
            .add_columns(attempts.c.address_id, attempts.c.tries, attempts.c.started_at, attempts.c.finished_at)
            .join(taken, taken.c.delivery_id == deliveries.c.id)
            .join(attempts, (attempts.c.delivery_id == taken.c.delivery_id) & (attempts.c.number == taken.c.number))
            .where(*which),
            values,
        )
    ).all()
    if rows:
        await connection.execute(_SETTLE, [_settled(row, at) for row in rows])
    for row in rows:
        deltas[step_id, row.channel, "", "", "waiting"] -= 1
        deltas[step_id, row.channel, "", "", "planned"] -= 1
        deltas[step_id, row.sent_on, "", "", "planned"] += 1
        deltas[step_id, row.sent_on, "", "", "sent"] += 1
    return {row.id for row in rows}


_SETTLE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"))
    .values(
        state=DeliveryState.SENT.value,
        reason=None,
        channel=bindparam("sent_on"),
        address_id=bindparam("sent_to"),
        attempt=bindparam("sent_as"),
        tries=bindparam("sent_after"),
        run_id=None,
        started_at=bindparam("was_started_at", type_=deliveries.c.started_at.type),
        finished_at=bindparam("was_finished_at", type_=deliveries.c.finished_at.type),
    )
)


def _settled(row: Any, at: datetime) -> Mapping[str, Any]:
    return {
        "delivery": row.id,
        "sent_on": row.sent_on,
        "sent_to": row.address_id,
        "sent_as": row.number,
        "sent_after": row.tries,
        "was_started_at": row.started_at,
        "was_finished_at": row.finished_at or at,
    }


def _move_plan(deltas: Deltas, step_id: int, before: str, after: str) -> None:
    for name in ("planned", "waiting"):
        deltas[step_id, before, "", "", name] -= 1
        deltas[step_id, after, "", "", name] += 1
