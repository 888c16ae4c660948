"""Amendments of mailings that clients have: taken back, or corrected where they stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.message import Message, plain, read_message
from storage.amending import AmendedOutcome, AmendPackage, ToAmend, due_to_amend, plan_amendment, settle_amended
from storage.audit import Audited, NewNotice, write_audit, write_notice
from storage.database import Database, insert_in
from storage.records import Actor, AmendedState, AmendmentKind, AmendmentStatus
from storage.schema import amended, amendment_counts, amendments, steps
from storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Amendment:
    """`message` is how it reads from now on; None: it is taken back."""

    id: int
    mailing_id: int
    step_id: int
    kind: AmendmentKind
    status: AmendmentStatus
    reason_words: str | None
    message: Message | None
    started_by: Actor
    started_at: datetime
    finished_at: datetime | None
    planned_all: bool


@dataclass(frozen=True, slots=True)
class NewAmendment:
    step_id: int
    kind: AmendmentKind
    message: Message | None
    audited: Audited


@dataclass(frozen=True, slots=True)
class EndAmendment:
    """From running to `status`."""

    amendment_id: int
    status: AmendmentStatus
    audited: Audited
    reason_words: str | None = None
    notice: NewNotice | None = None


class Amendments:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def begin(self, new: NewAmendment) -> int | None:
        """The amendment's id; None where another one of the same step runs."""
        return await self._writer.write(_begin, new)

    async def find(self, amendment_id: int) -> Amendment | None:
        found = await self._select(amendments.c.id == amendment_id)
        return found[0] if found else None

    async def of_step(self, step_id: int) -> list[Amendment]:
        """Oldest first."""
        return await self._select(amendments.c.step_id == step_id)

    async def running(self) -> list[Amendment]:
        return await self._select(amendments.c.status == AmendmentStatus.RUNNING.value)

    async def plan(self, package: AmendPackage) -> bool:
        """Whether everything is planned now."""
        return await self._writer.write(plan_amendment, package)

    async def counts(self, amendment_id: int) -> Mapping[tuple[str, str], int]:
        """By channel and name: waiting, reached, missed:REASON."""
        statement = select(amendment_counts).where(
            amendment_counts.c.amendment_id == amendment_id, amendment_counts.c.amount != 0
        )
        async with self._database.read() as connection:
            return {(row.channel, row.name): int(row.amount) for row in await connection.execute(statement)}

    async def due(
        self, amendment_id: int, channel: str, at: datetime, limit: int, fields: frozenset[str]
    ) -> list[ToAmend]:
        """Those to be done next; `fields` of the card are what their text names. One engine asks, one at a time for a
        channel, so nothing is claimed."""
        async with self._database.read() as connection:
            return await due_to_amend(connection, amendment_id, channel, at, limit, fields)

    async def next_due(self, amendment_id: int, channel: str) -> datetime | None:
        """When one of them is due again; None where none is left."""
        async with self._database.read() as connection:
            found: datetime | None = await connection.scalar(
                select(func.min(amended.c.due_at)).where(
                    amended.c.amendment_id == amendment_id,
                    amended.c.channel == channel,
                    amended.c.state == AmendedState.WAITING.value,
                )
            )
            return found

    async def settle(self, outcome: AmendedOutcome) -> None:
        await self._writer.write(settle_amended, outcome)

    async def end(self, end: EndAmendment) -> bool:
        """False where it had ended already."""
        return await self._writer.write(_end, end)

    async def _select(self, which: ColumnElement[bool]) -> list[Amendment]:
        statement = (
            select(amendments, steps.c.mailing_id)
            .join(steps, steps.c.id == amendments.c.step_id)
            .where(which)
            .order_by(amendments.c.id)
        )
        async with self._database.read() as connection:
            return [_amendment(row) for row in await connection.execute(statement)]


def _amendment(row: Row[Any]) -> Amendment:
    return Amendment(
        id=row.id,
        mailing_id=row.mailing_id,
        step_id=row.step_id,
        kind=AmendmentKind(row.kind),
        status=AmendmentStatus(row.status),
        reason_words=row.reason_words,
        message=read_message(row.message) if row.message is not None else None,
        started_by=Actor.read(row.started_by),
        started_at=row.started_at,
        finished_at=row.finished_at,
        planned_all=row.planned_all,
    )


async def _begin(connection: AsyncConnection, values: Sequence[NewAmendment]) -> Sequence[int | None]:
    return [await _begin_one(connection, new) for new in values]


async def _begin_one(connection: AsyncConnection, new: NewAmendment) -> int | None:
    statement = insert_in(connection.dialect.name, amendments).values(
        step_id=new.step_id,
        kind=new.kind.value,
        status=AmendmentStatus.RUNNING.value,
        message=plain(new.message) if new.message is not None else None,
        started_by=str(new.audited.actor),
        started_at=new.audited.at,
    )
    made = await connection.scalar(statement.on_conflict_do_nothing().returning(amendments.c.id))
    if made is not None:
        await write_audit(connection, new.audited, new.audited.mailing_id)
    return None if made is None else int(made)


async def _end(connection: AsyncConnection, ends: Sequence[EndAmendment]) -> Sequence[bool]:
    return [await _end_one(connection, end) for end in ends]


async def _end_one(connection: AsyncConnection, end: EndAmendment) -> bool:
    ended = await connection.scalar(
        update(amendments)
        .where(amendments.c.id == end.amendment_id, amendments.c.status == AmendmentStatus.RUNNING.value)
        .values(status=end.status.value, reason_words=end.reason_words, finished_at=end.audited.at)
        .returning(amendments.c.id)
    )
    if ended is None:
        return False
    await write_audit(connection, end.audited, end.audited.mailing_id)
    if end.notice is not None:
        await write_notice(connection, end.notice, end.audited.mailing_id)
    return True
