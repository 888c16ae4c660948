"""Mailings put away once they have ended, and brought back; their numbers stay."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit import Audited, write_audit
from storage.records import Status
from storage.schema import mailings, steps

ENDED = (Status.SENT, Status.CANCELLED)


async def archive(connection: AsyncConnection, values: Sequence[tuple[int, Audited]]) -> Sequence[bool]:
    """Put them away; False for one that has not ended, and for one that is away already."""
    return [await _archive_one(connection, mailing_id, audited) for mailing_id, audited in values]


async def bring_back(connection: AsyncConnection, values: Sequence[tuple[int, Audited]]) -> Sequence[bool]:
    """False for one that is not away."""
    return [await _bring_back_one(connection, mailing_id, audited) for mailing_id, audited in values]


async def _archive_one(connection: AsyncConnection, mailing_id: int, audited: Audited) -> bool:
    ended = select(steps.c.mailing_id).where(
        steps.c.mailing_id == mailing_id, steps.c.number == 1, steps.c.status.in_([status.value for status in ENDED])
    )
    statement = (
        update(mailings)
        .where(mailings.c.id == mailing_id, mailings.c.archived_at.is_(None), ended.exists())
        .values(archived_at=audited.at)
        .returning(mailings.c.id)
    )
    return await _noted(connection, await connection.scalar(statement), audited)


async def _bring_back_one(connection: AsyncConnection, mailing_id: int, audited: Audited) -> bool:
    statement = (
        update(mailings)
        .where(mailings.c.id == mailing_id, mailings.c.archived_at.is_not(None))
        .values(archived_at=None)
        .returning(mailings.c.id)
    )
    return await _noted(connection, await connection.scalar(statement), audited)


async def _noted(connection: AsyncConnection, changed: int | None, audited: Audited) -> bool:
    if changed is not None:
        await write_audit(connection, audited, changed)
    return changed is not None
