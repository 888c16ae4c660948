"""The database: one engine for reads, one for the writer, the same statements on SQLite and PostgreSQL."""

import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from storage.sqlite import Direct, SqliteWriting, Work

log = logging.getLogger(__name__)
T = TypeVar("T")

_BUSY_S = 10.0  # how long SQLite waits for another process's write
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


class UnusableStorage(Exception):
    """The storage can't be used; the words say why and how to mend it, without the password."""


class Database:
    """Open connections; nothing is connected before first use."""

    def __init__(self, url: str) -> None:
        self.url = _driver_url(url)
        self.dialect = self.url.get_backend_name()
        self._engine = self._create_engine()
        self._sqlite = SqliteWriting(self._create_sqlite_writer()) if self.dialect == "sqlite" else None

    def read(self) -> AsyncConnection:
        """A connection for one method's reading; use it as an async context manager."""
        return self._engine.connect()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that may write: it commits at the end, or rolls back on an exception."""
        if self._sqlite is not None:
            async with self._sqlite.transaction() as direct:
                yield cast(AsyncConnection, direct)
        else:
            async with self._engine.connect() as connection, connection.begin():
                yield connection

    async def aside(self, connection: AsyncConnection, work: Work[T]) -> T:
        """Within `writing`, run what takes longer than some milliseconds; it awaits nothing but its connection."""
        if self._sqlite is not None and isinstance(connection, Direct):
            return await self._sqlite.aside(connection, work)
        return await work(connection)

    async def show(self, image: bytes) -> None:
        """Have SQLite's `writing` see the tables of a serialized database beside our own, until the next one."""
        if self._sqlite is not None:
            await self._sqlite.show(image)

    async def close(self) -> None:
        await self._engine.dispose()
        if self._sqlite is not None:
            await self._sqlite.close()

    def _create_engine(self) -> AsyncEngine:
        if self.dialect != "sqlite":
            return create_async_engine(
                self.url, pool_size=10, max_overflow=5, pool_pre_ping=True, json_serializer=_json, hide_parameters=True
            )
        if self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(
            self.url,
            json_serializer=_json,
            hide_parameters=True,  # an error's words must hold nothing of clients
            pool_size=8,
            max_overflow=2,
            connect_args={"timeout": _BUSY_S},
        )
        event.listen(engine.sync_engine, "do_connect", self._make_file)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", lambda connection: _begin(connection, "BEGIN"))
        return engine

    def _create_sqlite_writer(self) -> Engine:
        engine = create_engine(
            self.url.set(drivername="sqlite"),
            json_serializer=_json,
            hide_parameters=True,
            # Two threads use it, never both at once: the loop's and the one that locks and commits.
            connect_args={"timeout": 0, "check_same_thread": False},
            poolclass=StaticPool,
        )
        event.listen(engine, "do_connect", self._make_file)
        event.listen(engine, "connect", _prepare_sqlite_writer)
        # A transaction that writes takes the lock at once: one that read first could not upgrade it.
        event.listen(engine, "begin", lambda connection: _begin(connection, "BEGIN IMMEDIATE"))
        return engine

    def _make_file(self, *_: object) -> None:
        """A new file is for us alone, and so is what SQLite puts beside it: all that we know of clients."""
        file = self.url.database
        if file and file != ":memory:":
            with suppress(OSError):  # it is there already; or SQLite itself says why it can't be
                os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def insert(connection: AsyncConnection | Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT in this connection's dialect."""
    return insert_in(connection.dialect.name, table)


def insert_in(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """The same by the dialect's name, for statements that are built once and kept."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


# SQLSTATE of PostgreSQL, or how it begins, where the same may do later: no connection, no resources (as a full disk),
# a server that stops or starts, input and output, read-only for now, deadlocks, locks; Appendix A of its manual.
_PASSING_STATES = ("08", "53", "57P", "58", "25006", "40", "55P03")
_PASSING_WORDS = ("locked", "busy", "full", "disk i/o", "readonly", "unable to open", "connect")


def may_pass(error: Exception) -> bool:
    """Whether waiting can help: a lost connection, a locked or full database; not a wrong statement or value."""
    if isinstance(error, OSError | PoolTimeout):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # The driver's own error comes bare while there is no connection yet.
    cause = error.orig if isinstance(error, DBAPIError) else error
    if (state := getattr(cause, "sqlstate", None)) is not None:
        return str(state).startswith(_PASSING_STATES)
    words = str(cause).lower()
    return isinstance(error, OperationalError | InterfaceError) and any(word in words for word in _PASSING_WORDS)


def now() -> datetime:
    return datetime.now(UTC)


def _driver_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except Exception as error:
        raise UnusableStorage("storage.url is no URL; write sqlite:///data/carillon.db or postgresql://…") from error
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise UnusableStorage(
            f"storage.url begins with “{parsed.drivername}”; Carillon keeps its data in sqlite:// or postgresql://"
        )
    return parsed.set(drivername=driver)


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions, by the event below
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # what is committed survives a power cut
        "foreign_keys=ON",
        f"busy_timeout={int(_BUSY_S * 1000)}",
        "cache_size=-65536",
        "mmap_size=1073741824",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_sqlite_writer(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    _prepare_sqlite(connection, record)
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=0")  # who waits for the lock must not hold the loop up
    cursor.execute("PRAGMA cache_size=-16384")  # what is read is mapped; more of it would be memory for nothing
    cursor.close()


def _begin(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
