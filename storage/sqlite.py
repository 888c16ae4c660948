"""SQLite's writing connection: statements run where they are asked for, only committing waits in a thread.

A statement in a thread of its own costs several changes of thread and as many waits for the interpreter's lock; a group
commit of twenty outcomes took 60 ms that way and takes 3 so (docs/decisions/sqlite.md). Reading goes by aiosqlite.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Dialect, Engine, Executable, Result, RootTransaction, ScalarResult
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
LOCK_WAIT_S = 10.0
LOCK_PAUSE_S = 0.002
_SHOWN = "shown"
Work = Callable[[AsyncConnection], Awaitable[T]]
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class SqliteWriting:
    """One transaction at a time, over one connection of a synchronous engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._one_at_a_time = asyncio.Lock()
        self._connection: Connection | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Direct"]:
        """A transaction that commits at its end, or rolls back on an exception."""
        async with self._one_at_a_time:
            if self._connection is None:
                self._connection = await self._in_thread(self._engine.connect)
            transaction = await self._begin(self._connection)
            try:
                yield Direct(self._connection)
                await self._in_thread(transaction.commit)
            except BaseException:
                await self._in_thread(_roll_back, self._connection, transaction)
                raise

    async def _begin(self, connection: Connection) -> RootTransaction:
        """Take the write lock; another process may hold it for a while."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + LOCK_WAIT_S
        while True:
            try:
                return connection.begin()
            except OperationalError:
                if loop.time() > ends:
                    raise
            await asyncio.sleep(LOCK_PAUSE_S)

    async def aside(self, connection: "Direct", work: Work[T]) -> T:
        """Run `work`, which awaits nothing but its connection, in the thread: other tasks go on meanwhile."""
        return await self._in_thread(_drive, work, connection)

    async def show(self, image: bytes) -> None:
        """Have the tables of a serialized database beside our own, instead of those that were shown before."""
        async with self._one_at_a_time:
            if self._connection is None:
                self._connection = await self._in_thread(self._engine.connect)
            await self._in_thread(_show, Direct(self._connection), image)

    async def close(self) -> None:
        if self._connection is not None:
            await self._in_thread(self._connection.close)
        self._engine.dispose()
        self._thread.shutdown()

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


def _roll_back(connection: Connection, transaction: RootTransaction) -> None:
    """Also one whose commit failed; whoever was cancelled while it committed finds it committed."""
    if connection.get_transaction() is transaction:
        transaction.rollback()
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    if driver.in_transaction:  # a commit that failed may leave it open, and SQLAlchemy takes it for over
        driver.rollback()


class Direct:
    """What of an AsyncConnection the statements of storage use, over a synchronous one: it never waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        return self._connection.dialect

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Result[Any]:
        return self._connection.execute(statement, parameters)

    async def scalar(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Any:
        return self._connection.scalar(statement, parameters)

    async def scalars(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> ScalarResult[Any]:
        return self._connection.scalars(statement, parameters)

    async def exec_driver_sql(self, statement: str, parameters: Any = None) -> Result[Any]:
        return self._connection.exec_driver_sql(statement, parameters)

    def fetch(self, statement: str, values: Sequence[Any]) -> list[Any]:
        """What one statement gives, straight from the driver."""
        try:
            return self.driver.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._ours(error) from error

    def change(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """The statement for each of the rows, straight to the driver."""
        try:
            self.driver.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._ours(error) from error

    @property
    def driver(self) -> sqlite3.Connection:
        return cast(sqlite3.Connection, self._connection.connection.driver_connection)

    def _ours(self, error: sqlite3.Error) -> BaseException:
        """The error as SQLAlchemy raises it, without a value in it."""
        return DBAPIError.instance(
            None, None, error, sqlite3.Error, hide_parameters=True, dialect=self._connection.dialect
        )

    async def run_sync(self, call: Callable[..., T], *arguments: Any) -> T:
        return call(self._connection, *arguments)


def _show(connection: Direct, image: bytes) -> None:
    driver = connection.driver
    if not any(name == _SHOWN for _number, name, _file in driver.execute("PRAGMA database_list")):
        driver.execute(f"ATTACH ':memory:' AS {_SHOWN}")
        driver.execute("PRAGMA main.cache_size=-65536")  # for indexes that are written all over, as only an import does
    driver.deserialize(image, name=_SHOWN)


def _drive(work: Work[T], connection: Direct) -> T:
    """Run a coroutine that never waits, without a loop."""
    running = cast("Any", work(cast(AsyncConnection, connection)))
    try:
        running.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    running.close()
    raise RuntimeError("what runs aside awaits nothing but its connection")
