"""What a lane takes into its hand: deliveries claimed, then marked as about to be written to the socket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.clients import values_for
from storage.quotas import DayQuota, PackageQuota, quota_left
from storage.records import Claimed, DeliveryState, Status
from storage.schema import addresses, deliveries, settings, steps


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
        taken.append(list(await connection.execute(_CLAIM, _claim_values(request, limit))) if limit else [])
        used_up.append(left is not None and left <= 0)
    rows = [row for group in taken for row in group]
    if not rows:
        return [Claim([], used) for used in used_up]
    places = await _addresses_of(connection, [row.address_id for row in rows])
    cards = await values_for(connection, [row.client_id for row in rows])
    return [Claim(_claimed(group, places, cards), used) for group, used in zip(taken, used_up, strict=True)]


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


_DUE = (
    select(deliveries.c.id)
    .where(
        deliveries.c.step_id == bindparam("step"),
        deliveries.c.channel == bindparam("on_channel"),
        deliveries.c.state == DeliveryState.PLANNED.value,
        deliveries.c.due_at <= bindparam("at", type_=deliveries.c.due_at.type),
    )
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(bindparam("most", type_=Integer))
)
_CLAIM = (
    update(deliveries)
    .where(deliveries.c.id.in_(_DUE.scalar_subquery()), deliveries.c.state == DeliveryState.PLANNED.value)
    .values(state=DeliveryState.SENDING.value, run_id=bindparam("run"), started_at=None)
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


def _claim_values(request: ClaimRequest, limit: int) -> Mapping[str, Any]:
    return {
        "step": request.step_id,
        "on_channel": request.channel,
        "at": request.at,
        "most": limit,
        "run": request.run_id,
    }


async def _addresses_of(connection: AsyncConnection, ids: Sequence[int]) -> Mapping[int, Any]:
    return {row.id: row for row in await connection.execute(_ADDRESSES, {"ids": ids})}


_ADDRESSES = select(addresses.c.id, addresses.c.external_id, addresses.c.details, addresses.c.last_wrote_at).where(
    addresses.c.id.in_(bindparam("ids", expanding=True))
)


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
    looked = await connection.execute(_LOOK, {"ids": ids})
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
        await connection.execute(_MARK, marks)
    return [{delivery: verdicts.get(delivery, RELEASE) for delivery in request.ids} for request in requests]


_LOOK = (
    select(deliveries.c.id, addresses.c.status, steps.c.status.label("step_status"))
    .join(addresses, addresses.c.id == deliveries.c.address_id)
    .join(steps, steps.c.id == deliveries.c.step_id)
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)), deliveries.c.state == DeliveryState.SENDING.value)
)
_MARK = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"))
    .values(started_at=bindparam("at", type_=deliveries.c.started_at.type))
)
_STOPPED = select(settings.c.value).where(settings.c.name == "stopped")


async def _is_stopped(connection: AsyncConnection) -> bool:
    return bool(await connection.scalar(_STOPPED))
