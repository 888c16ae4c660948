"""Storage as one thing: open it, hand it round, close it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from storage.database import Database
from storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Store:
    database: Database
    writer: Writer


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    """Open the storage with its writer running; what waits to be written is written before it closes."""
    database = Database(url)
    writer = Writer(database)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(writer.run(), name="writer")
            try:
                yield Store(database=database, writer=writer)
            finally:
                writer.stop()
    finally:
        await database.close()
