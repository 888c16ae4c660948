"""How many messages a channel may still send: a day, or out of a package."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.bulk import Changes
from storage.database import insert
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
    """What may have reached the platform counts against a quota, where the channel has had one."""
    used: dict[str, int] = defaultdict(int)
    for outcome in outcomes:
        if outcome.state in _USED:
            used[outcome.channel] += 1
    await _USE.execute(connection, [(channel, amount) for channel, amount in sorted(used.items())])


_USED = (DeliveryState.SENT, DeliveryState.UNKNOWN)
_USE = Changes(
    ("its", "amount"),
    lambda: (
        update(channel_states)
        .where(channel_states.c.channel == bindparam("its"))
        .values(
            sent_that_day=channel_states.c.sent_that_day + bindparam("amount"),
            package_left=channel_states.c.package_left - bindparam("amount"),
        )
    ),
)
