"""Bring a storage to this version's tables. Alembic is imported only where there is something to do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from storage.database import Database, UnusableStorage

_FOLDER = Path(__file__).parent / "migrations"


def head() -> str:
    """The newest revision that this program knows: the number that its file's name begins with."""
    return max(file.name.split("_")[0] for file in (_FOLDER / "versions").glob("[0-9]*.py"))


async def upgrade(database: Database) -> Sequence[str]:
    """Migrate to the newest tables; returns the revisions that were applied, none if it was current."""
    before = await revision(database)
    if before == head():
        return []
    _require_known(before)
    async with database.writing() as connection:
        await connection.run_sync(_upgrade)
    return [number for number in _revisions() if before is None or number > before]


async def ensure_current(database: Database) -> None:
    """For commands that are not to migrate a storage in use: a new storage is made, an older one refused."""
    found = await revision(database)
    if found is None:
        await upgrade(database)
    elif found != head():
        _require_known(found)
        raise UnusableStorage(
            f"The storage is of version {found} and this Carillon needs {head()}; run `carillon db upgrade` first"
        )


async def revision(database: Database) -> str | None:
    """What the storage is at; None for one without tables."""
    async with database.read() as connection:
        return await connection.run_sync(_revision)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _require_known(found: str | None) -> None:
    if found is not None and found not in _revisions():
        raise UnusableStorage(
            f"The storage is of version {found}, which this Carillon does not know; it was made by a newer one"
        )


def _revisions() -> list[str]:
    return sorted(file.name.split("_")[0] for file in (_FOLDER / "versions").glob("[0-9]*.py"))


def _upgrade(connection: Connection) -> None:
    from alembic import command

    command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection) -> Any:
    """Alembic's settings for an open connection; nothing of it is read from a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config
