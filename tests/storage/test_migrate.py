"""Migrations make exactly the tables that the code works with, on both databases."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from storage.database import Database, UnusableStorage
from storage.migrate import ensure_current, head, revision, upgrade
from storage.schema import metadata


async def test_a_new_storage_gets_every_table_and_index(storage_url: str) -> None:
    database = Database(storage_url)
    assert (await upgrade(database))[-1] == head()
    assert await revision(database) == head()
    async with database.read() as connection:
        assert await connection.run_sync(_differences) == []
    assert await upgrade(database) == []
    await database.close()


async def test_a_storage_of_a_newer_carillon_is_refused(storage_url: str) -> None:
    database = Database(storage_url)
    await upgrade(database)
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnusableStorage, match="made by a newer one"):
        await ensure_current(database)
    with pytest.raises(UnusableStorage, match="made by a newer one"):
        await upgrade(database)
    await database.close()


async def test_a_command_makes_a_new_storage_by_itself(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/carillon.db")
    await ensure_current(database)
    assert await revision(database) == head()
    await database.close()


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))
