"""What is known of each channel beside the configuration: whose it is, whether it works, what its quota still gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import Account
from storage import database as db
from storage.audit import Audited, write_audit
from storage.database import Database
from storage.quotas import DayQuota, PackageQuota, quota_left
from storage.schema import channel_states
from storage.writer import Writer, lasting


@dataclass(frozen=True, slots=True)
class ChannelState:
    channel: str
    account_id: str | None = None
    account_name: str | None = None
    link: str | None = None
    broken_at: datetime | None = None
    reason: str | None = None
    down_since: datetime | None = None
    throttled_until: datetime | None = None
    package_left: int | None = None
    sent_on: str | None = None
    sent_that_day: int = 0
    webhook: str | None = None  # this and what follows: as the platform told it at `checked_at`
    warnings: tuple[str, ...] = ()
    may_begin: int | None = None  # how many more clients the platform lets us begin with; None: it sets no limit
    checked_at: datetime | None = None


MENDED: Mapping[str, Any] = {"broken_at": None, "reason": None, "down_since": None}


def told_of(account: Account, at: datetime) -> dict[str, Any]:
    """The columns that hold what the platform told of the account."""
    details = {
        "webhook": account.webhook,
        "warnings": list(account.warnings),
        "may_begin": account.quota_left,
        "checked_at": at.isoformat(),
    }
    return {"account_id": account.external_id, "account_name": account.name, "link": account.link, "details": details}


class ChannelStates:
    """Every method is one transaction."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def all(self) -> Mapping[str, ChannelState]:
        async with self._database.read() as connection:
            return {row.channel: _state(row) for row in await connection.execute(select(channel_states))}

    async def set(self, channel: str, values: Mapping[str, Any], audited: Audited | None = None) -> None:
        await self._writer.write(_set, (channel, values, audited))

    async def top_up(self, channel: str, amount: int, audited: Audited) -> int:
        """Add to the package's balance; what it is now."""
        return await self._writer.write(_top_up, (channel, amount, audited))

    async def quota_left(self, channel: str, quota: DayQuota | PackageQuota) -> int:
        """How many messages a channel's quota still gives; a new day or package begins with its own number."""
        return await self._writer.write(_quota_left, (channel, quota))


def _state(row: Row[Any]) -> ChannelState:
    told = row.details or {}
    return ChannelState(
        channel=row.channel,
        account_id=row.account_id,
        account_name=row.account_name,
        link=row.link,
        broken_at=row.broken_at,
        reason=row.reason,
        down_since=row.down_since,
        throttled_until=row.throttled_until,
        package_left=row.package_left,
        sent_on=row.sent_on,
        sent_that_day=row.sent_that_day,
        webhook=told.get("webhook"),
        warnings=tuple(told.get("warnings", ())),
        may_begin=told.get("may_begin"),
        checked_at=datetime.fromisoformat(told["checked_at"]) if told.get("checked_at") else None,
    )


@lasting
async def _set(
    connection: AsyncConnection, values: Sequence[tuple[str, Mapping[str, Any], Audited | None]]
) -> Sequence[None]:
    for channel, fields, audited in values:
        await connection.execute(
            db.insert(connection, channel_states)
            .values(channel=channel, **fields)
            .on_conflict_do_update(index_elements=["channel"], set_=dict(fields))
        )
        if audited is not None:
            await write_audit(connection, audited, None)
    return [None for _ in values]


async def _top_up(connection: AsyncConnection, values: Sequence[tuple[str, int, Audited]]) -> Sequence[int]:
    balances = []
    for channel, amount, audited in values:
        balance = func.coalesce(channel_states.c.package_left, 0) + amount
        left: int = (
            await connection.execute(
                db.insert(connection, channel_states)
                .values(channel=channel, package_left=amount)
                .on_conflict_do_update(index_elements=["channel"], set_={"package_left": balance})
                .returning(channel_states.c.package_left)
            )
        ).scalar_one()
        await write_audit(connection, audited, None)
        balances.append(left)
    return balances


async def _quota_left(
    connection: AsyncConnection, values: Sequence[tuple[str, DayQuota | PackageQuota]]
) -> Sequence[int]:
    return [await quota_left(connection, channel, quota) for channel, quota in values]
