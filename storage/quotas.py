"""How many messages a channel may still send: a day, or out of a package."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Executable, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert, insert_in
from storage.records import DeliveryState, Outcome
from storage.schema import channel_states


@dataclass(frozen=True, slots=True)
class DayQuota:
    """So many messages on this day of the app's zone."""

    messages: int
    day: str  # ISO date


@dataclass(frozen=True, slots=True)
class PackageQuota:
    """The balance in storage, which begins with so many."""

    messages: int


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


async def use_quota(connection: AsyncConnection, outcomes: Sequence[Outcome]) -> None:
    """What may have reached the platform counts against a package."""
    used: dict[str, int] = defaultdict(int)
    for outcome in outcomes:
        if outcome.state in (DeliveryState.SENT, DeliveryState.UNKNOWN):
            used[outcome.channel] += 1
    if used:
        rows = [{"channel": channel, "sent_that_day": amount} for channel, amount in sorted(used.items())]
        await connection.execute(_use(connection.dialect.name), rows)


@cache
def _use(dialect: str) -> Executable:
    statement = insert_in(dialect, channel_states)
    amount = statement.excluded.sent_that_day
    return statement.on_conflict_do_update(
        index_elements=["channel"],
        set_={
            "sent_that_day": channel_states.c.sent_that_day + amount,
            "package_left": channel_states.c.package_left - amount,
        },
    )
