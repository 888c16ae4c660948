"""Templates that people write here: drafts, what was submitted, and what the platform said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import NewTemplate, Template
from gateways.new_templates import plain, read_new
from storage.audit import Audited, NewNotice, write_audit, write_notice
from storage.database import Database, insert
from storage.errors import NotFound, Stale, _
from storage.records import Actor
from storage.schema import written_templates as table
from storage.templates import Listed
from storage.writer import Writer

SETTLES_WITHIN = timedelta(minutes=2)  # so long whoever submits it may still hear the answer
LOST_AFTER = timedelta(minutes=10)  # one whose answer never came and that no list shows by then was not taken
TOLD = frozenset({"approved", "rejected", "paused", "disabled"})  # statuses of which people are told


class WrittenState(StrEnum):
    DRAFT = "draft"
    SENDING = "sending"  # it was handed to the platform, and the answer has not come
    SUBMITTED = "submitted"


@dataclass(frozen=True, slots=True)
class WrittenTemplate:
    """`status` and `category` are the platform's last word of a submitted one; `reason` is why it was refused."""

    id: int
    channel: str
    state: WrittenState
    new: NewTemplate
    revision: int
    written_by: Actor
    changed_at: datetime
    status: str = ""
    category: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Draft:
    channel: str
    new: NewTemplate
    by: Actor
    at: datetime


@dataclass(frozen=True, slots=True)
class _Change:
    written: WrittenTemplate
    state: WrittenState
    audited: Audited | None = None


class WrittenTemplates:
    """Every method is one transaction."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def create(self, channel: str, new: NewTemplate, by: Actor, at: datetime) -> WrittenTemplate:
        return await self._writer.write(_create, _Draft(channel, new, by, at))

    async def get(self, template_id: int) -> WrittenTemplate:
        """Raises NotFound."""
        async with self._database.read() as connection:
            return await _get(connection, template_id)

    async def of_channel(
        self, channel: str, states: Sequence[WrittenState] = tuple(WrittenState), *, limit: int = 100
    ) -> list[WrittenTemplate]:
        """The newest first."""
        which = (table.c.channel == channel, table.c.state.in_([state.value for state in states]))
        async with self._database.read() as connection:
            return await _select(connection, *which, limit=limit)

    async def waiting(self) -> frozenset[str]:
        """The channels on which a platform has not said its word yet."""
        async with self._database.read() as connection:
            return frozenset(await connection.scalars(select(table.c.channel).where(_waits()).distinct()))

    async def change(self, written: WrittenTemplate) -> WrittenTemplate:
        """Keep a draft as it is given. Raises Stale where it is another one by now."""
        return await self._writer.write(_change, _Change(written, WrittenState.DRAFT))

    async def begin(self, written: WrittenTemplate, audited: Audited) -> WrittenTemplate:
        """It is handed to the platform: only one press does that. Raises Stale as `change`."""
        return await self._writer.write(_change, _Change(written, WrittenState.DRAFT, audited))

    async def settle(self, written: WrittenTemplate) -> WrittenTemplate:
        """What came of it. Raises Stale where the platform's list was quicker."""
        return await self._writer.write(_change, _Change(written, WrittenState.SENDING))

    async def delete(self, template_id: int) -> None:
        """A draft, for good. Raises NotFound where it is none any more."""
        await self._writer.write(_delete, template_id)

    async def follow(self, listed: Listed) -> None:
        """What the platform lists is its word of what was submitted: whatever is new of it is told."""
        await self._writer.write(_follow, listed)


def _waits() -> ColumnElement[bool]:
    pending = (table.c.state == WrittenState.SUBMITTED.value) & table.c.status.not_in(TOLD)
    return (table.c.state == WrittenState.SENDING.value) | pending


async def _create(connection: AsyncConnection, values: Sequence[_Draft]) -> Sequence[WrittenTemplate]:
    made = []
    for value in values:
        written = WrittenTemplate(0, value.channel, WrittenState.DRAFT, value.new, 0, value.by, value.at)
        statement = insert(connection, table).values(channel=value.channel, revision=0, **_values(written))
        made.append(replace(written, id=int(await connection.scalar(statement.returning(table.c.id)) or 0)))
    return made


async def _change(connection: AsyncConnection, values: Sequence[_Change]) -> Sequence[WrittenTemplate]:
    changed = []
    for value in values:
        written = replace(value.written, revision=value.written.revision + 1)
        found = await connection.execute(
            update(table)
            .where(
                table.c.id == written.id,
                table.c.revision == value.written.revision,
                table.c.state == value.state.value,
            )
            .values(revision=written.revision, **_values(written))
        )
        if not found.rowcount:
            await _get(connection, written.id)
            raise Stale(_("That card was old: the template has changed since. Here it is as it is now."))
        if value.audited is not None:
            await write_audit(connection, value.audited, None)
        changed.append(written)
    return changed


async def _delete(connection: AsyncConnection, ids: Sequence[int]) -> Sequence[None]:
    for template_id in ids:
        which = (table.c.id == template_id, table.c.state == WrittenState.DRAFT.value)
        if not (await connection.execute(delete(table).where(*which))).rowcount:
            raise _gone()
    return [None for _id in ids]


async def _follow(connection: AsyncConnection, lists: Sequence[Listed]) -> Sequence[None]:
    for listed in lists:
        by_name = {(one.name, one.language): one for one in listed.templates}
        states = (WrittenState.SENDING.value, WrittenState.SUBMITTED.value)
        for written in await _select(connection, table.c.channel == listed.channel, table.c.state.in_(states)):
            await _follow_one(connection, written, by_name, listed.at)
    return [None for _listed in lists]


async def _follow_one(
    connection: AsyncConnection,
    written: WrittenTemplate,
    by_name: Mapping[tuple[str, str], Template],
    at: datetime,
) -> None:
    found = by_name.get((written.new.name, written.new.language))
    if written.state is WrittenState.SENDING and at - written.changed_at < SETTLES_WITHIN:
        return
    if found is not None:
        now = replace(
            written,
            state=WrittenState.SUBMITTED,
            status=found.status,
            category=found.category or written.category,
            reason=found.reason,
        )
    elif written.state is WrittenState.SENDING and at - written.changed_at >= LOST_AFTER:
        now = replace(written, state=WrittenState.DRAFT, status="", reason="")
    else:
        return
    if now == written:
        return
    now = replace(now, revision=written.revision + 1)
    await connection.execute(update(table).where(table.c.id == now.id).values(revision=now.revision, **_values(now)))
    if now.state is WrittenState.DRAFT or (now.status != written.status and now.status in TOLD):
        await write_notice(connection, _notice(now, at), None)


def _notice(written: WrittenTemplate, at: datetime) -> NewNotice:
    return NewNotice(
        "template",
        at,
        written.written_by,
        {
            "id": written.id,
            "channel": written.channel,
            "name": written.new.name,
            "language": written.new.language,
            "status": written.status if written.state is WrittenState.SUBMITTED else "lost",
            "reason": written.reason,
            "category": written.category,
            "asked_category": written.new.category,
        },
    )


async def _get(connection: AsyncConnection, template_id: int) -> WrittenTemplate:
    found = await _select(connection, table.c.id == template_id)
    if not found:
        raise _gone()
    return found[0]


def _gone() -> NotFound:
    return NotFound(_("That template is not here any more; the list is in /templates."))


async def _select(
    connection: AsyncConnection, *which: ColumnElement[bool], limit: int | None = None
) -> list[WrittenTemplate]:
    statement = select(table).where(*which).order_by(table.c.id.desc()).limit(limit)
    return [_written(row) for row in await connection.execute(statement)]


def _values(written: WrittenTemplate) -> dict[str, Any]:
    return {
        "state": written.state.value,
        "name": written.new.name,
        "language": written.new.language,
        "content": plain(written.new),
        "written_by": str(written.written_by),
        "changed_at": written.changed_at,
        "status": written.status,
        "category": written.category,
        "reason": written.reason,
    }


def _written(row: Any) -> WrittenTemplate:
    return WrittenTemplate(
        id=row.id,
        channel=row.channel,
        state=WrittenState(row.state),
        new=read_new(row.content),
        revision=row.revision,
        written_by=Actor.read(row.written_by),
        changed_at=row.changed_at,
        status=row.status or "",
        category=row.category or "",
        reason=row.reason or "",
    )
