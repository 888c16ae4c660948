"""Runs of the engine: one at a time on a storage, each with its heartbeat."""

import asyncio
import fcntl
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, may_pass
from storage.schema import runs, settings
from storage.writer import Writer

log = logging.getLogger(__name__)

_KEEP_S = 1.0  # between looks at a lock that goes with its connection
_ANSWER_S = 5.0  # of a server that is asked for nothing
COPIED = "copied"  # of settings, in a copy of a storage alone: see storage.backup
_LOCK_KEY = 0x0CA7_1110  # of PostgreSQL's advisory lock: any number, the same in every Carillon


class AnotherEngine(Exception):
    """Another engine works on this storage; the words name it."""


class Runs:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    @asynccontextmanager
    async def lock(self, data_dir: Path) -> AsyncIterator["KeepLock"]:
        """Be the only engine of this storage. Raises AnotherEngine at once where there is one.

        The lock goes with the process, however it ends; on PostgreSQL with its connection too, so what is yielded is to
        be awaited with the run's id for as long as the engine works: it takes the lock again."""
        if self._database.dialect == "sqlite":
            with _FileLock(self._lock_file(data_dir)) as taken:
                if not taken:
                    raise AnotherEngine(await self._name_other())
                yield _keep_file_lock
            return
        lock = _AdvisoryLock(self._database)
        try:
            if not await lock.take():
                raise AnotherEngine(await self._name_other())
            yield partial(self._keep, lock)
        finally:
            await lock.give_back()

    async def _keep(self, lock: "_AdvisoryLock", run_id: int) -> None:
        """Another engine may have begun meanwhile, or even ended: then this one ends. Until it does, it claims and
        starts nothing, as storage.claims asks for the latest run."""
        while True:
            await asyncio.sleep(_KEEP_S)
            if await lock.is_held():
                continue
            log.warning("the lock on the storage went with its connection, and is taken again")
            try:
                await lock.take()  # where it is not given, its owner is our own lost connection, or begins just now
                if await self._latest() != run_id:
                    raise AnotherEngine(await self._name_other())
            except Exception as error:
                if not may_pass(error):
                    raise

    async def _latest(self) -> int | None:
        async with self._database.read() as connection:
            found: int | None = await connection.scalar(select(func.max(runs.c.id)))
            return found

    async def last_heartbeat(self) -> datetime | None:
        """Of the latest run, ended or not."""
        async with self._database.read() as connection:
            found: datetime | None = await connection.scalar(
                select(runs.c.heartbeat_at).order_by(runs.c.id.desc()).limit(1)
            )
            return found

    async def copied_at(self) -> datetime | None:
        """When this storage was copied by a backup, where it is such a copy and no engine has worked on it yet."""
        async with self._database.read() as connection:
            found: datetime | None = await connection.scalar(select(settings.c.set_at).where(settings.c.name == COPIED))
            return found

    async def forget_copy(self) -> None:
        await self._writer.write(_forget, COPIED)

    async def begin(self, at: datetime) -> int:
        return await self._writer.write(_begin, at)

    async def beat(self, run_id: int, at: datetime) -> None:
        await self._writer.write(_beat, (run_id, {"heartbeat_at": at}))

    async def end(self, run_id: int, at: datetime) -> None:
        await self._writer.write(_beat, (run_id, {"heartbeat_at": at, "ended_at": at}))

    def _lock_file(self, data_dir: Path) -> Path:
        # Beside the database, so that two configurations with one database are one storage.
        database = self._database.url.database
        return Path(f"{database}.lock") if database and database != ":memory:" else data_dir / "carillon.lock"

    async def _name_other(self) -> str:
        async with self._database.read() as connection:
            row = (await connection.execute(select(runs).order_by(runs.c.id.desc()).limit(1))).one_or_none()
        if row is None:
            return "Another Carillon engine has just started on this storage; stop it first."
        return (
            f"Another Carillon engine works on this storage: process {row.pid} on {row.host}, "
            f"started {row.started_at:%Y-%m-%d %H:%M} UTC. Stop it first, or give this one a storage of its own."
        )


KeepLock = Callable[[int], Coroutine[Any, Any, None]]
"""Keeps the lock of the run with this id until cancelled. Raises AnotherEngine where it was lost to another one."""


async def _keep_file_lock(_: int) -> None:
    """It is the process's, and nothing takes it away."""
    await asyncio.Event().wait()


class _AdvisoryLock:
    """PostgreSQL's: of one connection, and gone with it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: AsyncConnection | None = None

    async def take(self) -> bool:
        await self.give_back()
        connection = await self._database.read().start()
        try:
            taken = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK_KEY})
            await connection.commit()  # the lock is the session's, and no transaction stays open for days
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        if taken:
            self._connection = connection
        else:
            await connection.close()
        return bool(taken)

    async def is_held(self) -> bool:
        return await self._ask("SELECT 1")

    async def give_back(self) -> None:
        if await self._ask(f"SELECT pg_advisory_unlock({_LOCK_KEY})") and self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _ask(self, words: str) -> bool:
        """False where the connection does not answer, which takes the lock with it."""
        connection = self._connection
        if connection is None:
            return False
        try:
            async with asyncio.timeout(_ANSWER_S):
                await connection.execute(text(words))
                await connection.commit()
        except BaseException as error:  # cancelled in the middle it is of no use any more, too
            self._connection = None
            await connection.invalidate()
            await connection.close()
            if not (isinstance(error, Exception) and may_pass(error)):
                raise
            return False
        return True


class _FileLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        self._file.close()


async def _begin(connection: AsyncConnection, instants: Sequence[datetime]) -> Sequence[int]:
    started: list[int] = []
    for at in instants:
        row = await connection.execute(
            insert(runs)
            .values(started_at=at, heartbeat_at=at, host=socket.gethostname(), pid=os.getpid())
            .returning(runs.c.id)
        )
        started.append(row.scalar_one())
    return started


async def _forget(connection: AsyncConnection, names: Sequence[str]) -> Sequence[None]:
    await connection.execute(delete(settings).where(settings.c.name.in_(names)))
    return [None for _ in names]


async def _beat(connection: AsyncConnection, beats: Sequence[tuple[int, dict[str, Any]]]) -> Sequence[None]:
    for run_id, values in beats:
        await connection.execute(update(runs).where(runs.c.id == run_id).values(**values))
    return [None for _ in beats]
