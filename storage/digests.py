"""Digests that people ordered: where each goes, when, and for which moment it is due next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, insert
from storage.schema import digests
from storage.writer import Writer


class Every(StrEnum):
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class NewDigest:
    """`weekday` (0 is Monday) and `minute` of the day are by the clock of `timezone`; a daily one has no weekday."""

    surface: str
    account: str  # who ordered it, and whose right counts when it is sent
    chat: str
    every: Every
    weekday: int | None
    minute: int
    timezone: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Digest(NewDigest):
    id: int = 0


@dataclass(frozen=True, slots=True)
class _Move:
    digest_id: int
    seen: datetime
    due_at: datetime


class Digests:
    """Each write is committed when it returns."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def put(self, digest: NewDigest) -> int:
        """Keep it, in place of the one that the person has in this chat as often; returns its id."""
        return await self._writer.write(_put, digest)

    async def of(self, surface: str, account: str, chat: str) -> list[Digest]:
        mine = (digests.c.surface == surface, digests.c.account == account, digests.c.chat == chat)
        async with self._database.read() as connection:
            found = await connection.execute(select(digests).where(*mine).order_by(digests.c.every))
            return [_read(row) for row in found]

    async def find(self, digest_id: int) -> Digest | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(digests).where(digests.c.id == digest_id))).one_or_none()
            return _read(row) if row is not None else None

    async def due(self, at: datetime) -> list[Digest]:
        async with self._database.read() as connection:
            found = await connection.execute(select(digests).where(digests.c.due_at <= at).order_by(digests.c.due_at))
            return [_read(row) for row in found]

    async def move(self, digest: Digest, due_at: datetime) -> bool:
        """Make it due at another moment; False when it is not any more what was read, so somebody else has it."""
        return await self._writer.write(_move, _Move(digest.id, digest.due_at, due_at))

    async def remove(self, digest_id: int) -> None:
        await self._writer.write(_remove, digest_id)


async def _put(connection: AsyncConnection, values: Sequence[NewDigest]) -> Sequence[int]:
    ids = []
    for one in values:
        row = {
            "weekday": one.weekday,
            "minute": one.minute,
            "timezone": one.timezone,
            "due_at": one.due_at,
        }
        place = {"surface": one.surface, "account": one.account, "chat": one.chat, "every": one.every.value}
        statement = insert(connection, digests).values(**place, **row)
        kept = statement.on_conflict_do_update(index_elements=list(place), set_=row).returning(digests.c.id)
        ids.append(int((await connection.execute(kept)).scalar_one()))
    return ids


async def _move(connection: AsyncConnection, moves: Sequence[_Move]) -> Sequence[bool]:
    moved = []
    for one in moves:
        statement = update(digests).where(digests.c.id == one.digest_id, digests.c.due_at == one.seen)
        done = await connection.scalar(statement.values(due_at=one.due_at).returning(digests.c.id))
        moved.append(done is not None)
    return moved


async def _remove(connection: AsyncConnection, ids: Sequence[int]) -> Sequence[None]:
    await connection.execute(delete(digests).where(digests.c.id.in_(ids)))
    return [None for _ in ids]


def _read(row: Row[Any]) -> Digest:
    return Digest(
        surface=row.surface,
        account=row.account,
        chat=row.chat,
        every=Every(row.every),
        weekday=row.weekday,
        minute=row.minute,
        timezone=row.timezone,
        due_at=row.due_at,
        id=row.id,
    )
