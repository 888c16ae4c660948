"""Mailings and their steps: drafts, moves between statuses with their guard, audit, notices, the kill switch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import database as db
from storage.audit import Audited, NewNotice, write_audit, write_notice
from storage.database import Database
from storage.mailing_rows import plain_mailing, plain_step, read_mailing, select_mailings
from storage.records import Actor, CanaryState, Draft, Mailing, Notice, Status
from storage.schema import (
    approvals,
    audit,
    cards,
    counters,
    deliveries,
    links,
    mailings,
    notices,
    settings,
    steps,
)
from storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Move:
    """Change a mailing's step if it still is what the caller saw; everything in one transaction."""

    mailing_id: int
    from_statuses: tuple[Status, ...]
    values: Mapping[str, Any]  # of steps; status among them where it changes
    audited: Audited
    revision: int | None = None
    mailing_values: Mapping[str, Any] = field(default_factory=dict)
    notice: NewNotice | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """Whether it happened, and what the step is now; `status` None: there is no such mailing."""

    happened: bool
    status: Status | None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ActiveStep:
    """What the engine needs of a step that it works on."""

    step_id: int
    mailing_id: int
    status: Status
    start: str
    start_at: datetime | None
    speed: float | None
    planned_all: bool
    launched_by: Actor | None
    name: str


_WAITING = select(counters.c.step_id).where(counters.c.name == "waiting", counters.c.amount > 0)
# Asked four times a second while anything is sent: made once, and without the message.
_ACTIVE = (
    select(
        steps.c.id,
        steps.c.mailing_id,
        steps.c.status,
        steps.c.start,
        steps.c.start_at,
        steps.c.planned_all,
        mailings.c.speed,
        mailings.c.launched_by,
        mailings.c.name.label("mailing_name"),
    )
    .join(mailings, mailings.c.id == steps.c.mailing_id)
    .where(
        or_(
            steps.c.status.in_([Status.SENDING.value, Status.SCHEDULED.value]),
            (steps.c.status == Status.CANCELLED.value) & steps.c.id.in_(_WAITING),
            (steps.c.status == Status.PAUSED.value) & (steps.c.canary_state == CanaryState.WAITING.value),
        )
    )
    .order_by(steps.c.id)
)
_STOPPED_BY = select(settings.c.value, settings.c.set_by).where(settings.c.name == "stopped")


class Mailings:
    """Every method is one transaction."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    # --- drafts ---

    async def create(self, draft: Draft, audited: Audited, *, copied_from: int | None = None) -> int:
        return await self._writer.write(_create, (draft, audited, copied_from))

    async def find(self, mailing_id: int) -> Mailing | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select_mailings().where(mailings.c.id == mailing_id))).one_or_none()
            return read_mailing(row) if row is not None else None

    async def page(
        self, *, search: str = "", limit: int = 20, offset: int = 0, archived: bool | None = False
    ) -> list[Mailing]:
        """Newest first; `search` is part of a name, or a number; `archived` None: those in the archive as well."""
        statement = select_mailings().order_by(mailings.c.id.desc())
        if archived is not None:
            statement = statement.where(mailings.c.archived_at.is_not(None) == archived)
        if search:
            named = mailings.c.name.icontains(search, autoescape=True)
            statement = statement.where(or_(named, mailings.c.id == int(search)) if _is_id(search) else named)
        async with self._database.read() as connection:
            found = await connection.execute(statement.limit(limit).offset(offset))
            return [read_mailing(row) for row in found]

    async def with_status(self, statuses: Sequence[Status]) -> list[Mailing]:
        async with self._database.read() as connection:
            found = await connection.execute(
                select_mailings()
                .where(steps.c.status.in_([status.value for status in statuses]))
                .order_by(mailings.c.id)
            )
            return [read_mailing(row) for row in found]

    async def set_rate(self, step_id: int, rate: float, at: datetime, *, moved: bool = False) -> None:
        """Keep how fast it goes just now; `moved` where an outcome has come since the last time."""
        values = {"rate": rate, "rate_at": at} | ({"moved_at": at} if moved else {})
        await self._writer.write(_set_rate, (step_id, values))

    async def move(self, move: Move) -> Moved:
        return await self._writer.write(_move, move)

    async def delete_draft(self, mailing_id: int, audited: Audited) -> bool:
        """False unless it is a draft that was never launched."""
        return await self._writer.write(_delete_draft, (mailing_id, audited))

    # --- the engine's look ---

    async def active_steps(self) -> list[ActiveStep]:
        """Steps that the engine has to do with: sending or scheduled, cancelled ones with rows still waiting, and those
        whose first clients have it."""
        async with self._database.read() as connection:
            return [
                ActiveStep(
                    step_id=row.id,
                    mailing_id=row.mailing_id,
                    status=Status(row.status),
                    start=row.start,
                    start_at=row.start_at,
                    speed=row.speed,
                    planned_all=row.planned_all,
                    launched_by=Actor.read(row.launched_by) if row.launched_by else None,
                    name=row.mailing_name,
                )
                for row in await connection.execute(_ACTIVE)
            ]

    # --- the kill switch ---

    async def stopped_by(self) -> Actor | None:
        """Who pressed the kill switch, while it is on."""
        async with self._database.read() as connection:
            row = (await connection.execute(_STOPPED_BY)).one_or_none()
            return Actor.read(row.set_by) if row is not None and row.value else None

    async def switch(self, on: bool, audited: Audited) -> bool:
        """Set the kill switch; False when it already stood so."""
        return await self._writer.write(_switch, (on, audited))

    # --- statistics ---

    async def totals(self, since: datetime | None) -> dict[str, int]:
        """Counters of all mailings launched since then, summed by name."""
        statement = (
            select(counters.c.name, func.sum(counters.c.amount))
            .join(steps, steps.c.id == counters.c.step_id)
            .group_by(counters.c.name)
        )
        if since is not None:
            statement = statement.where(steps.c.launched_at >= since)
        async with self._database.read() as connection:
            sums = {name: int(amount) for name, amount in await connection.execute(statement)}
            launched = select(func.count()).where(steps.c.launched_at.is_not(None))
            if since is not None:
                launched = launched.where(steps.c.launched_at >= since)
            return sums | {"mailings": int(await connection.scalar(launched) or 0)}

    # --- notices, audit ---

    async def notify(self, notice: NewNotice, mailing_id: int | None = None) -> None:
        await self._writer.write(_notify, (notice, mailing_id))

    async def untold(self, limit: int = 50) -> list[Notice]:
        statement = select(notices).where(notices.c.told_at.is_(None)).order_by(notices.c.id).limit(limit)
        async with self._database.read() as connection:
            return [
                Notice(
                    id=row.id,
                    kind=row.kind,
                    mailing_id=row.mailing_id,
                    actor=Actor.read(row.actor) if row.actor else None,
                    details=row.details,
                    created_at=row.created_at,
                )
                for row in await connection.execute(statement)
            ]

    async def mark_told(self, notice_id: int, at: datetime) -> None:
        await self._writer.write(_mark_told, (notice_id, at))

    async def note(self, audited: Audited) -> None:
        await self._writer.write(_note, audited)

    async def history(self, mailing_id: int) -> list[Audited]:
        """Who did what with the mailing, oldest first."""
        statement = select(audit).where(audit.c.mailing_id == mailing_id).order_by(audit.c.id)
        async with self._database.read() as connection:
            return [
                Audited(row.at, Actor.read(row.actor), row.verb, row.mailing_id, row.subject, row.details)
                for row in await connection.execute(statement)
            ]

    async def last_details(self, verb: str, mailing_ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        """What was noted when somebody last did this with each of them; those it was never done with are not in it."""
        if not mailing_ids:
            return {}
        wanted = (audit.c.verb == verb) & audit.c.mailing_id.in_(mailing_ids)
        statement = select(audit.c.mailing_id, audit.c.details).where(wanted).order_by(audit.c.id)
        async with self._database.read() as connection:
            return {row.mailing_id: row.details for row in await connection.execute(statement)}


async def _create(connection: AsyncConnection, values: Sequence[tuple[Draft, Audited, int | None]]) -> Sequence[int]:
    ids = []
    for draft, audited, copied_from in values:
        mailing_id: int = (
            await connection.execute(
                insert(mailings)
                .values(
                    **plain_mailing(draft),
                    created_by=str(audited.actor),
                    created_at=audited.at,
                    copied_from=copied_from,
                )
                .returning(mailings.c.id)
            )
        ).scalar_one()
        await connection.execute(
            insert(steps).values(mailing_id=mailing_id, number=1, status=Status.DRAFT.value, **plain_step(draft))
        )
        await write_audit(connection, audited, mailing_id)
        ids.append(mailing_id)
    return ids


async def _move(connection: AsyncConnection, moves: Sequence[Move]) -> Sequence[Moved]:
    return [await _move_one(connection, move) for move in moves]


async def _move_one(connection: AsyncConnection, move: Move) -> Moved:
    guard = [
        steps.c.mailing_id == move.mailing_id,
        steps.c.number == 1,
        steps.c.status.in_([status.value for status in move.from_statuses]),
    ]
    if move.revision is not None:
        guard.append(steps.c.revision == move.revision)
    moved = (
        await connection.execute(
            update(steps)
            .where(*guard)
            .values(**move.values, revision=steps.c.revision + 1)
            .returning(steps.c.status, steps.c.revision)
        )
    ).one_or_none()
    if moved is None:
        now = (
            await connection.execute(
                select(steps.c.status, steps.c.revision).where(
                    steps.c.mailing_id == move.mailing_id, steps.c.number == 1
                )
            )
        ).one_or_none()
        return Moved(False, Status(now.status), now.revision) if now is not None else Moved(False, None)
    if move.mailing_values:
        await connection.execute(update(mailings).where(mailings.c.id == move.mailing_id).values(**move.mailing_values))
    await write_audit(connection, move.audited, move.mailing_id)
    if move.notice is not None:
        await write_notice(connection, move.notice, move.mailing_id)
    return Moved(True, Status(moved.status), moved.revision)


async def _set_rate(connection: AsyncConnection, rates: Sequence[tuple[int, Mapping[str, Any]]]) -> Sequence[None]:
    for step_id, values in rates:
        await connection.execute(update(steps).where(steps.c.id == step_id).values(**values))
    return [None for _ in rates]


async def _delete_draft(connection: AsyncConnection, values: Sequence[tuple[int, Audited]]) -> Sequence[bool]:
    deleted = []
    for mailing_id, audited in values:
        step_id = await connection.scalar(
            select(steps.c.id).where(
                steps.c.mailing_id == mailing_id, steps.c.number == 1, steps.c.status == Status.DRAFT.value
            )
        )
        # A draft made of a scheduled mailing again may not have planned anybody; one that has keeps its rows.
        planned = step_id is not None and await connection.scalar(
            select(deliveries.c.id).where(deliveries.c.step_id == step_id).limit(1)
        )
        if step_id is None or planned:
            deleted.append(False)
            continue
        for table in (counters, links):
            await connection.execute(delete(table).where(table.c.step_id == step_id))
        for its in (approvals, cards):
            await connection.execute(delete(its).where(its.c.mailing_id == mailing_id))
        await connection.execute(delete(steps).where(steps.c.mailing_id == mailing_id))
        await connection.execute(delete(mailings).where(mailings.c.id == mailing_id))
        await write_audit(connection, audited, mailing_id)
        deleted.append(True)
    return deleted


async def _switch(connection: AsyncConnection, values: Sequence[tuple[bool, Audited]]) -> Sequence[bool]:
    changed = []
    for on, audited in values:
        before = await connection.scalar(select(settings.c.value).where(settings.c.name == "stopped"))
        changed.append(bool(before) != on)
        row = {"value": on, "set_by": str(audited.actor), "set_at": audited.at}
        if changed[-1]:
            notice = NewNotice("stopped" if on else "went_on", audited.at, audited.actor, {"name": audited.actor.name})
            await write_notice(connection, notice, None)
            await connection.execute(
                db.insert(connection, settings)
                .values(name="stopped", **row)
                .on_conflict_do_update(index_elements=["name"], set_=row)
            )
            await write_audit(connection, audited, None)
    return changed


async def _notify(connection: AsyncConnection, values: Sequence[tuple[NewNotice, int | None]]) -> Sequence[None]:
    for notice, mailing_id in values:
        await write_notice(connection, notice, mailing_id)
    return [None for _ in values]


async def _mark_told(connection: AsyncConnection, values: Sequence[tuple[int, datetime]]) -> Sequence[None]:
    for notice_id, at in values:
        await connection.execute(update(notices).where(notices.c.id == notice_id).values(told_at=at))
    return [None for _ in values]


async def _note(connection: AsyncConnection, values: Sequence[Audited]) -> Sequence[None]:
    for audited in values:
        await write_audit(connection, audited, audited.mailing_id)
    return [None for _ in values]


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
