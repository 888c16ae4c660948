"""SQLite's writing connection after a commit that failed or was cut off: it takes the next one."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from storage.database import Database
from storage.schema import tags


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Database:
    file = tmp_path / "carillon.db"
    file.write_bytes(sqlite_template.read_bytes())
    return Database(f"sqlite:///{file}")


async def keep(database: Database, name: str) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(tags).values(name=name))


async def kept(database: Database) -> set[str]:
    async with database.read() as connection:
        return set(await connection.scalars(select(tags.c.name)))


async def test_after_a_commit_that_failed_the_next_one_is_taken(database: Database) -> None:
    async with database.writing() as connection:
        # Deferred, so that it is the commit that fails, as it is where the disk is full.
        await connection.exec_driver_sql("CREATE TABLE one (id INTEGER PRIMARY KEY)")
        await connection.exec_driver_sql(
            "CREATE TABLE other (one INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED)"
        )
    with pytest.raises(Exception, match="FOREIGN KEY"):
        await break_commit(database)
    await keep(database, "after")
    assert await kept(database) == {"after"}
    await database.close()


async def break_commit(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(tags).values(name="lost"))
        await connection.exec_driver_sql("INSERT INTO other VALUES (7)")


async def test_whoever_is_cancelled_while_it_commits_leaves_the_connection_whole(database: Database) -> None:
    for number in range(20):
        writing = asyncio.create_task(keep(database, f"cut {number}"))
        for _ in range(number):
            await asyncio.sleep(0)
        was_at_work = writing.cancel()
        await asyncio.wait([writing])
        assert writing.cancelled() == was_at_work
        await keep(database, f"after {number}")
    assert {f"after {number}" for number in range(20)} <= await kept(database)
    await database.close()
