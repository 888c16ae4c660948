"""A consistent copy of the storage, taken while others write to it."""

import asyncio
import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, delete

from storage.database import Database, UnusableStorage, insert, insert_in, now
from storage.records import Actor, Role
from storage.runs import COPIED
from storage.schema import settings


async def back_up(database: Database, file: Path) -> int:
    """Copy everything into a new file; returns its size in bytes.

    SQLite gives a database that can be used as it is, PostgreSQL what pg_restore reads. The copy knows that it is one:
    the first engine on it sends nothing before a person says so. The file appears when it is whole. Raises
    FileExistsError, UnusableStorage."""
    unfinished = await asyncio.to_thread(_begin, file)
    try:
        if database.dialect == "sqlite":
            await asyncio.to_thread(_copy_sqlite, str(database.url.database), unfinished)
        else:
            await _dump_marked(database, unfinished)
        return await asyncio.to_thread(_finish, unfinished, file)
    finally:
        await asyncio.to_thread(unfinished.unlink, missing_ok=True)


def _begin(file: Path) -> Path:
    if file.exists():
        raise FileExistsError(errno.EEXIST, "it exists already; a backup writes over nothing", str(file))
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)  # it holds everything that we know of clients
    return unfinished


def _finish(unfinished: Path, file: Path) -> int:
    os.link(unfinished, file)  # and not a rename, which would write over one that appeared meanwhile
    return file.stat().st_size


def _copy_sqlite(source: str, target: Path) -> None:
    if not Path(source).is_file():
        raise UnusableStorage(f"There is no storage yet at {source}; nothing to back up")
    with closing(sqlite3.connect(f"file:{source}?mode=rw", uri=True, timeout=10)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))  # one reading transaction: it holds no writer up
    copy = create_engine(URL.create("sqlite", database=str(target)))
    with copy.begin() as writing:
        writing.execute(insert_in("sqlite", settings).values(_mark()).on_conflict_do_nothing())
    copy.dispose()


async def _dump_marked(database: Database, target: Path) -> None:
    """A dump can't be written into, so the mark stands in the storage while it is made. An engine that starts in these
    seconds takes its own storage for a copy and asks a person needlessly, which harms nobody."""
    async with database.writing() as connection:
        await connection.execute(insert(connection, settings).values(_mark()).on_conflict_do_nothing())
    try:
        await _dump_postgresql(database.url, target)
    finally:
        async with database.writing() as connection:
            await connection.execute(delete(settings).where(settings.c.name == COPIED))


def _mark() -> dict[str, Any]:
    by = Actor("carillon db backup", Role.OWNER, "cli")
    return {"name": COPIED, "value": True, "set_by": str(by), "set_at": now()}


async def _dump_postgresql(url: URL, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise UnusableStorage("A copy of PostgreSQL is made by pg_dump, which is not installed here")
    plain = url.set(drivername="postgresql", password=None)
    environment = dict(os.environ) | ({"PGPASSWORD": url.password} if url.password else {})
    process = await asyncio.create_subprocess_exec(
        program,
        "--format=custom",
        f"--file={target}",
        plain.render_as_string(hide_password=False),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, words = await process.communicate()
    if process.returncode != 0:
        lines = words.decode(errors="replace").strip().splitlines()
        raise UnusableStorage(f"pg_dump failed: {lines[-1] if lines else process.returncode}")
