"""What a lane takes into its hand: deliveries claimed, then marked as about to be written to the socket."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from math import ceil
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    Update,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from gateways.hot import record
from storage.bulk import Asked, Row, among, is_among
from storage.clients import values_for
from storage.quotas import DayQuota, PackageQuota, quota_left
from storage.records import Canary, Claimed, DeliveryState, Status
from storage.schema import addresses, attempts, counters, deliveries, runs, settings, steps
from storage.writer import lasting


@record
class ClaimRequest:
    step_id: int
    channel: str
    limit: int
    run_id: int
    at: datetime
    quota: DayQuota | PackageQuota | None = None
    fields: frozenset[str] | None = None  # of the card, that the message names; None: all
    canary: Canary | None = None  # only the first clients of the step get it now

    @property
    def is_bounded(self) -> bool:
        return self.quota is not None or self.canary is not None


@record
class Claim:
    """`used_up`: the quota gives no more, even when what is in hand came back unsent."""

    deliveries: list[Claimed]
    used_up: bool = False


@lasting
async def claim(connection: AsyncConnection, requests: Sequence[ClaimRequest]) -> Sequence[Claim]:
    """Take up to `limit` due deliveries of a step on a channel into a run's hand, with all they need to be sent."""
    unbounded = [request for request in requests if not request.is_bounded]
    taken = dict(zip(map(id, unbounded), await _take(connection, unbounded), strict=True))
    used_up: dict[int, bool] = {}
    for request in requests:
        if request.is_bounded:  # one after the other: what one takes, the next can't have
            limit = request.limit
            if request.quota is not None:
                left, in_hand = await _quota_left(connection, request, request.quota)
                used_up[id(request)] = left <= 0
                limit = min(limit, left - in_hand)
            if request.canary is not None:
                limit = min(limit, await _canary_left(connection, request, request.canary))
            taken[id(request)] = (await _take(connection, [replace(request, limit=max(limit, 0))]))[0]
    fields = (
        None
        if any(request.fields is None for request in requests)
        else set[str]().union(*(request.fields or () for request in requests))
    )
    cards = await values_for(connection, [row[3] for rows in taken.values() for row in rows], fields)
    return [
        Claim([_claimed(row, cards, request.run_id) for row in taken[id(request)]], used_up.get(id(request), False))
        for request in requests
    ]


async def _take(connection: AsyncConnection, requests: Sequence[ClaimRequest]) -> list[list[Row]]:
    """One look for many lanes, and one mark: a hundred of them cost two statements."""
    taken: list[list[Row]] = [[] for _ in requests]
    for begin in range(0, len(requests), _AT_ONCE):
        some = requests[begin : begin + _AT_ONCE]
        places = next(size for size in _SIZES if size >= len(some))
        values: dict[str, Any] = {}
        for place in range(places):
            terms = _terms(some[place]) if place < len(some) else _NOBODY
            values |= {f"{name}_{place}": value for name, value in terms.items()}
        for row in await _due(places).rows(connection, values):
            taken[begin + row[0]].append(row)
    for run_id in {request.run_id for request in requests}:
        ids = [
            row[1] for request, rows in zip(requests, taken, strict=True) for row in rows if request.run_id == run_id
        ]
        if ids:
            dialect = connection.dialect.name
            await _TAKE_THESE.rows(connection, {"ids": among(dialect, ids), "run": run_id})
    return taken


_SIZES = (1, 3, 10, 50)  # of a look: each is compiled once, which takes longer than many looks
_AT_ONCE = _SIZES[-1]
_NOBODY: Mapping[str, Any] = {"step": 0, "channel": "", "at": datetime.fromtimestamp(0, UTC), "most": 0}


def _terms(request: ClaimRequest) -> Mapping[str, Any]:
    return {"step": request.step_id, "channel": request.channel, "at": request.at, "most": request.limit}


@cache
def _due(count: int) -> Asked:
    """The due deliveries of so many requests, the oldest first, each with the number of its request."""
    looks = [select(_due_one(number).subquery()) for number in range(count)]
    return Asked(lambda _dialect: looks[0] if count == 1 else union_all(*looks))


def _due_one(number: int) -> Select[Any]:
    return (
        select(
            literal(number).label("request"),
            deliveries.c.id,
            deliveries.c.step_id,
            deliveries.c.client_id,
            deliveries.c.address_id,
            deliveries.c.attempt,
            deliveries.c.tries,
            addresses.c.external_id,
            addresses.c.details,
            addresses.c.last_wrote_at,
            deliveries.c.started_at,
        )
        .join(addresses, addresses.c.id == deliveries.c.address_id)
        .where(
            deliveries.c.step_id == bindparam(f"step_{number}"),
            deliveries.c.channel == bindparam(f"channel_{number}"),
            deliveries.c.state == literal_column(f"'{DeliveryState.PLANNED.value}'"),  # as the partial index says it
            deliveries.c.due_at <= bindparam(f"at_{number}", type_=deliveries.c.due_at.type),
        )
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(bindparam(f"most_{number}", type_=Integer))
    )


_TAKE_THESE = Asked(
    lambda dialect: (
        update(deliveries)
        .where(
            is_among(dialect, deliveries.c.id, "ids"),
            deliveries.c.state == DeliveryState.PLANNED.value,
            ~_has_successor(),
        )
        .values(state=DeliveryState.SENDING.value, run_id=bindparam("run"))
    )
)


async def _quota_left(
    connection: AsyncConnection, request: ClaimRequest, quota: DayQuota | PackageQuota
) -> tuple[int, int]:
    left = await quota_left(connection, request.channel, quota)
    in_hand = await connection.scalar(
        select(func.count()).where(
            deliveries.c.state == DeliveryState.SENDING.value,
            deliveries.c.run_id == request.run_id,
            deliveries.c.channel == request.channel,
        )
    )
    return left, int(in_hand or 0)


async def _canary_left(connection: AsyncConnection, request: ClaimRequest, canary: Canary) -> int:
    """How many of the first clients are to be begun with here at once. Of those that are left a channel takes only its
    share of the mailing, so that each of them is tried; one that can't send keeps none from the others."""
    counted = await connection.execute(
        select(counters.c.channel, counters.c.name, func.sum(counters.c.amount))
        .where(counters.c.step_id == request.step_id, counters.c.name.in_(("planned", "waiting")))
        .group_by(counters.c.channel, counters.c.name)
    )
    amounts = {(channel, name): int(amount) for channel, name, amount in counted}
    planned, waiting = (
        sum(amount for (_channel, of), amount in amounts.items() if of == name) for name in ("planned", "waiting")
    )
    in_hand = await connection.scalar(
        select(func.count()).where(
            deliveries.c.state == DeliveryState.SENDING.value,
            deliveries.c.run_id == request.run_id,
            deliveries.c.step_id == request.step_id,
        )
    )
    left = canary.size(planned) - (planned - waiting) - int(in_hand or 0)
    return ceil(left * amounts.get((request.channel, "waiting"), 0) / max(waiting, 1))


def _claimed(row: Row, cards: Mapping[int, Mapping[str, Any]], run_id: int) -> Claimed:
    # By position: by name it costs more than all the rest of a claim.
    values: Sequence[Any] = row
    _, delivery, step, client, address_id, attempt, tries, address, details, last_wrote_at, doubted_at = values
    card = cards[client]
    return Claimed(
        delivery, step, client, address_id, address, attempt, tries, details, card, last_wrote_at, doubted_at, run_id
    )


@record
class StartRequest:
    ids: tuple[int, ...]
    at: datetime
    run_id: int


GO = "go"
RELEASE = "release"  # its step does not send now: back to planned


@lasting
async def start(connection: AsyncConnection, requests: Sequence[StartRequest]) -> Sequence[Mapping[int, str]]:
    """Mark deliveries as about to be written to the socket, after a last look at each.

    Answers for each id GO, RELEASE, or the status of an address that is no longer enabled."""
    dialect = connection.dialect.name
    ids = [delivery for request in requests for delivery in request.ids]
    at, run_id = max(request.at for request in requests), requests[0].run_id  # of one process, so of one run
    values = {"ids": among(dialect, ids), "at": at, "run": run_id}
    verdicts = dict.fromkeys([delivery for (delivery,) in await _START_THESE.rows(connection, values)], GO)
    if held := [delivery for delivery in ids if delivery not in verdicts]:
        for delivery, status, step_status in await _WHY_HELD.rows(connection, {"ids": among(dialect, held)}):
            if step_status == Status.SENDING and status != AddressStatus.ENABLED:
                verdicts[delivery] = status
    return [{delivery: verdicts.get(delivery, RELEASE) for delivery in request.ids} for request in requests]


def _start_these(dialect: str) -> Update:
    """The last look and the mark in one: those that may go, marked as started; one in doubt keeps its first start."""
    address = select(addresses.c.status).where(addresses.c.id == deliveries.c.address_id).scalar_subquery()
    step = select(steps.c.status).where(steps.c.id == deliveries.c.step_id).scalar_subquery()
    return (
        update(deliveries)
        .where(
            is_among(dialect, deliveries.c.id, "ids"),
            deliveries.c.state == DeliveryState.SENDING.value,
            # Another engine may have the storage by now, and this row in its own hand: nobody sends it twice.
            deliveries.c.run_id == bindparam("run"),
            ~_has_successor(),
            address == AddressStatus.ENABLED.value,
            or_(deliveries.c.attempt == 1, ~_has_opted_out()),
            step == Status.SENDING.value,
            ~_is_stopped(),
        )
        .values(started_at=func.coalesce(deliveries.c.started_at, bindparam("at", type_=deliveries.c.started_at.type)))
        .returning(deliveries.c.id)
    )


_START_THESE = Asked(_start_these)


def _has_successor() -> ColumnElement[bool]:
    """Whether another engine has begun since: a process that stood still for long may not know yet."""
    return select(runs.c.id).where(runs.c.id > bindparam("run")).exists()


def _has_opted_out() -> ColumnElement[bool]:
    """Whether the client has opted out, meanwhile, where an earlier attempt of this delivery went."""
    earlier = addresses.alias()
    return (
        select(attempts.c.number)
        .join(earlier, earlier.c.id == attempts.c.address_id)
        .where(attempts.c.delivery_id == deliveries.c.id, earlier.c.status == AddressStatus.UNSUBSCRIBED.value)
        .correlate(deliveries)
        .exists()
    )


def _why_held(dialect: str) -> Select[Any]:
    status = case((_has_opted_out(), AddressStatus.UNSUBSCRIBED.value), else_=addresses.c.status).label("status")
    return (
        select(deliveries.c.id, status, steps.c.status.label("step_status"))
        .join(addresses, addresses.c.id == deliveries.c.address_id)
        .join(steps, steps.c.id == deliveries.c.step_id)
        .where(is_among(dialect, deliveries.c.id, "ids"), deliveries.c.state == DeliveryState.SENDING.value)
    )


_WHY_HELD = Asked(_why_held)


def _is_stopped() -> ColumnElement[bool]:
    """Whether the kill switch is on; an empty value says that it was."""
    switched = select(settings.c.name).where(settings.c.name == "stopped", cast(settings.c.value, Text) != "false")
    return switched.exists()
