"""The database: one engine for reads, one for the writer, the same statements on SQLite and PostgreSQL."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Insert, Table, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

log = logging.getLogger(__name__)

_BUSY_S = 10.0  # how long SQLite waits for another process's write
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


class UnusableStorage(Exception):
    """The storage can't be used; the words say why and how to mend it, without the password."""


class Database:
    """Open connections; nothing is connected before first use."""

    def __init__(self, url: str) -> None:
        self.url = _driver_url(url)
        self.dialect = self.url.get_backend_name()
        self._engine = self._create_engine(readers=8)
        # A SQLite transaction that writes takes the lock at once: one that read first could not upgrade it.
        self._write_engine = self._create_engine(readers=0) if self.dialect == "sqlite" else self._engine

    def read(self) -> AsyncConnection:
        """A connection for one method's reading; use it as an async context manager."""
        return self._engine.connect()

    def write(self) -> AsyncConnection:
        """A connection that may write: for the writer, migrations and imports. Begin it yourself."""
        return self._write_engine.connect()

    async def close(self) -> None:
        await self._engine.dispose()
        if self._write_engine is not self._engine:
            await self._write_engine.dispose()

    def _create_engine(self, readers: int) -> AsyncEngine:
        if self.dialect != "sqlite":
            return create_async_engine(
                self.url, pool_size=10, max_overflow=5, pool_pre_ping=True, json_serializer=_json, echo=False
            )
        if self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(
            self.url,
            json_serializer=_json,
            pool_size=max(readers, 1),
            max_overflow=2,
            connect_args={"timeout": _BUSY_S},
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        begin = "BEGIN IMMEDIATE" if readers == 0 else "BEGIN"
        event.listen(engine.sync_engine, "begin", lambda connection: _begin(connection, begin))
        return engine


def insert(connection: AsyncConnection | Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT in this connection's dialect."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


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


def _begin(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


Rows = Sequence[Mapping[str, Any]]
__all__ = ["Database", "Insert", "Rows", "UnusableStorage", "insert", "now"]
