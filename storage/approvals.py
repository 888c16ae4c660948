"""A second person's word on a mailing: asked for, given, refused or taken back; each answer counts once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit import Audited, NewNotice, write_audit, write_notice
from storage.database import Database
from storage.records import Actor
from storage.schema import approvals
from storage.writer import Writer


class ApprovalState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"  # by who asked, or because the mailing was changed and asked about anew


@dataclass(frozen=True, slots=True)
class Approval:
    """`draft_hash` names the mailing exactly as it was asked about; `words` are why it was rejected."""

    id: int
    mailing_id: int
    draft_hash: str
    state: ApprovalState
    asked_by: Actor
    asked_at: datetime
    decided_by: Actor | None = None
    decided_at: datetime | None = None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    mailing_id: int
    draft_hash: str
    audited: Audited
    notice: NewNotice


@dataclass(frozen=True, slots=True)
class Decision:
    approval_id: int
    state: ApprovalState
    audited: Audited
    words: str | None = None
    notice: NewNotice | None = None


class Approvals:
    """Every method is one transaction."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def ask(self, ask: Ask) -> bool:
        """Ask about the mailing as it is now; a question about how it was before is taken back. False where this one
        waits for its answer already."""
        return await self._writer.write(_ask, ask)

    async def decide(self, decision: Decision) -> bool:
        """False where it does not wait any more: somebody was quicker."""
        return await self._writer.write(_decide, decision)

    async def last(self, mailing_id: int) -> Approval | None:
        """The newest question about the mailing, answered or not."""
        found = await self._found(_of(mailing_id))
        return found[0] if found else None

    async def waiting(self, limit: int = 50) -> list[Approval]:
        """What waits for an answer, the oldest first."""
        unanswered = approvals.c.state == ApprovalState.WAITING.value
        return await self._found(select(approvals).where(unanswered).order_by(approvals.c.id).limit(limit))

    async def _found(self, statement: Select[Any]) -> list[Approval]:
        async with self._database.read() as connection:
            return [_approval(row) for row in await connection.execute(statement)]


def _of(mailing_id: int) -> Select[Any]:
    return select(approvals).where(approvals.c.mailing_id == mailing_id).order_by(approvals.c.id.desc()).limit(1)


async def _ask(connection: AsyncConnection, asks: Sequence[Ask]) -> Sequence[bool]:
    return [await _ask_one(connection, ask) for ask in asks]


async def _ask_one(connection: AsyncConnection, ask: Ask) -> bool:
    last = (await connection.execute(_of(ask.mailing_id))).one_or_none()
    if last is not None and last.state == ApprovalState.WAITING:
        if last.draft_hash == ask.draft_hash:
            return False
        values = {"state": ApprovalState.WITHDRAWN.value, "decided_by": str(ask.audited.actor)}
        await connection.execute(
            update(approvals).where(approvals.c.id == last.id).values(**values, decided_at=ask.audited.at)
        )
    await connection.execute(
        insert(approvals).values(
            mailing_id=ask.mailing_id,
            draft_hash=ask.draft_hash,
            state=ApprovalState.WAITING.value,
            asked_by=str(ask.audited.actor),
            asked_at=ask.audited.at,
        )
    )
    await write_audit(connection, ask.audited, ask.mailing_id)
    await write_notice(connection, ask.notice, ask.mailing_id)
    return True


async def _decide(connection: AsyncConnection, decisions: Sequence[Decision]) -> Sequence[bool]:
    return [await _decide_one(connection, decision) for decision in decisions]


async def _decide_one(connection: AsyncConnection, decision: Decision) -> bool:
    waits = (approvals.c.id == decision.approval_id, approvals.c.state == ApprovalState.WAITING.value)
    values = {"state": decision.state.value, "decided_by": str(decision.audited.actor), "words": decision.words}
    mailing_id = await connection.scalar(
        update(approvals)
        .where(*waits)
        .values(**values, decided_at=decision.audited.at)
        .returning(approvals.c.mailing_id)
    )
    if mailing_id is None:
        return False
    await write_audit(connection, decision.audited, mailing_id)
    if decision.notice is not None:
        await write_notice(connection, decision.notice, mailing_id)
    return True


def _approval(row: Any) -> Approval:
    return Approval(
        id=row.id,
        mailing_id=row.mailing_id,
        draft_hash=row.draft_hash,
        state=ApprovalState(row.state),
        asked_by=Actor.read(row.asked_by),
        asked_at=row.asked_at,
        decided_by=Actor.read(row.decided_by) if row.decided_by else None,
        decided_at=row.decided_at,
        words=row.words,
    )
