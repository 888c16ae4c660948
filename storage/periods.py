"""What began in a span of time: its counters summed, and the mailings themselves, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from storage.database import Database
from storage.mailing_rows import read_mailing, select_mailings
from storage.records import Mailing, Status
from storage.schema import counters, mailings, steps

_began = func.coalesce(steps.c.started_at, steps.c.start_at, steps.c.launched_at)
_has_begun = (
    steps.c.launched_at.is_not(None),
    steps.c.status.not_in([Status.DRAFT.value, Status.SCHEDULED.value]),
)


@dataclass(frozen=True, slots=True)
class Periods:
    """A period is from `begin` to before `end`, by when a mailing began. Archived ones count as all others."""

    database: Database

    async def sums(self, begin: datetime, end: datetime) -> Mapping[tuple[str, str], int]:
        """Counters by (channel, name), summed over all mailings of the period."""
        statement = (
            select(counters.c.channel, counters.c.name, func.sum(counters.c.amount))
            .join(steps, steps.c.id == counters.c.step_id)
            .where(*_within(begin, end))
            .group_by(counters.c.channel, counters.c.name)
        )
        async with self.database.read() as connection:
            return {(channel, name): int(amount) for channel, name, amount in await connection.execute(statement)}

    async def count(self, begin: datetime, end: datetime) -> int:
        async with self.database.read() as connection:
            return int(
                await connection.scalar(select(func.count()).select_from(steps).where(*_within(begin, end))) or 0
            )

    async def mailings(self, begin: datetime, end: datetime, *, limit: int, offset: int = 0) -> list[Mailing]:
        statement = select_mailings().where(*_within(begin, end)).order_by(_began.desc(), mailings.c.id.desc())
        async with self.database.read() as connection:
            found = await connection.execute(statement.limit(limit).offset(offset))
            return [read_mailing(row) for row in found]

    async def find_before(self, mailing: Mailing) -> Mailing | None:
        """The one that began last before this one did."""
        began = _began_at(mailing)
        earlier = or_(_began < began, and_(_began == began, mailings.c.id < mailing.id))
        return await self._first(earlier, _began.desc(), mailings.c.id.desc())

    async def find_after(self, mailing: Mailing) -> Mailing | None:
        """The one that began first after this one did."""
        began = _began_at(mailing)
        later = or_(_began > began, and_(_began == began, mailings.c.id > mailing.id))
        return await self._first(later, _began, mailings.c.id)

    async def _first(self, terms: ColumnElement[bool], *order: ColumnElement[Any]) -> Mailing | None:
        statement = select_mailings().where(*_has_begun, terms).order_by(*order).limit(1)
        async with self.database.read() as connection:
            row = (await connection.execute(statement)).one_or_none()
            return read_mailing(row) if row is not None else None


def _began_at(mailing: Mailing) -> datetime:
    return mailing.started_at or mailing.start_at or mailing.launched_at or mailing.created_at


def _within(begin: datetime, end: datetime) -> tuple[ColumnElement[bool], ...]:
    return (*_has_begun, _began >= begin, _began < end)
