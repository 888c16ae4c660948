"""Saved filters over clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, insert
from storage.errors import Invalid, NotFound, Refused, _
from storage.filters import AudienceFilter, from_plain, plain
from storage.records import Status
from storage.schema import mailings, segments, steps
from storage.writer import Writer

MAX_NAME = 100  # characters


@dataclass(frozen=True, slots=True)
class Segment:
    """`audience` is plain data as in a mailing file; `last_count` how many there were when somebody last counted."""

    id: int
    name: str
    audience: Mapping[str, Any]
    last_count: int | None
    counted_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class _Save:
    name: str
    audience: AudienceFilter
    at: datetime


@dataclass(frozen=True, slots=True)
class _Count:
    name: str
    count: int
    at: datetime


class Segments:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def list(self) -> list[Segment]:
        """All segments by name."""
        async with self._database.read() as connection:
            found = await connection.execute(select(segments).order_by(segments.c.name))
            return [_segment(row) for row in found]

    async def get(self, name: str) -> Segment:
        """Raises NotFound."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(segments).where(segments.c.name == name))).one_or_none()
        if row is None:
            raise NotFound(_("There is no segment “{name}”."), name=name)
        return _segment(row)

    async def find(self, segment_id: int) -> Segment | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(segments).where(segments.c.id == segment_id))).one_or_none()
        return None if row is None else _segment(row)

    async def save(self, name: str, audience: AudienceFilter, at: datetime) -> None:
        """Save an audience under a name; the one that had the name is replaced. Raises Invalid."""
        if not name.strip() or len(name) > MAX_NAME or "\0" in name:
            raise Invalid(_("A segment's name has 1 to {most} characters."), most=MAX_NAME)
        await self._writer.write(_save, _Save(name.strip(), audience, at))

    async def remember_count(self, name: str, count: int, at: datetime) -> None:
        """Keep how many clients were in it, for lists."""
        await self._writer.write(_remember, _Count(name, count, at))

    async def delete(self, name: str) -> None:
        """Raises NotFound, or Refused where something that is still to start stands on it."""
        await self._writer.write(_delete, name)


def _segment(row: Any) -> Segment:
    return Segment(row.id, row.name, row.audience, row.last_count, row.counted_at, row.updated_at)


async def _save(connection: AsyncConnection, values: Sequence[_Save]) -> Sequence[None]:
    for value in values:
        await _refuse_circle(connection, value.name, value.audience)
        changed = {"audience": plain(value.audience), "updated_at": value.at, "last_count": None, "counted_at": None}
        statement = insert(connection, segments).values(name=value.name, created_at=value.at, **changed)
        await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))
    return [None for _value in values]


async def _refuse_circle(connection: AsyncConnection, name: str, audience: AudienceFilter) -> None:
    seen: set[str] = set()
    below = audience.segment
    while below is not None and below not in seen:
        if below == name:
            raise Invalid(_("The segment “{name}” would be built on itself."), name=name)
        seen.add(below)
        data = await connection.scalar(select(segments.c.audience).where(segments.c.name == below))
        if data is None:
            raise NotFound(_("There is no segment “{name}”."), name=below)
        below = from_plain(data).segment


async def _remember(connection: AsyncConnection, values: Sequence[_Count]) -> Sequence[None]:
    for value in values:
        await connection.execute(
            update(segments).where(segments.c.name == value.name).values(last_count=value.count, counted_at=value.at)
        )
    return [None for _value in values]


async def _delete(connection: AsyncConnection, names: Sequence[str]) -> Sequence[None]:
    for name in names:
        await _refuse_in_use(connection, name)
        gone = await connection.execute(delete(segments).where(segments.c.name == name))
        if not gone.rowcount:
            raise NotFound(_("There is no segment “{name}”."), name=name)
    return [None for _name in names]


async def _refuse_in_use(connection: AsyncConnection, name: str) -> None:
    standing = await connection.execute(select(segments.c.name, segments.c.audience).where(segments.c.name != name))
    for other, audience in standing:
        if audience.get("segment") == name:
            raise Refused(_("The segment “{other}” is built on “{name}”; change it first."), other=other, name=name)
    waiting = await connection.execute(
        select(mailings.c.id, mailings.c.name, steps.c.audience)
        .join(steps, steps.c.mailing_id == mailings.c.id)
        .where(
            steps.c.planned_all.is_(False),
            steps.c.status.in_([Status.SCHEDULED.value, Status.SENDING.value, Status.PAUSED.value]),
        )
    )
    for mailing_id, mailing, audience in waiting:
        if audience.get("segment") == name:
            words = _("Mailing {mailing} “{title}” still goes out to the segment “{name}”.")
            raise Refused(words, mailing=mailing_id, title=mailing, name=name)
