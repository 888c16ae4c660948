"""A backup that is taken while sending goes on, and what an engine does that is started on it."""

import asyncio
import os
import subprocess
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.flows.carillon import TOKEN, assert_adds_up, carillon
from tests.postgres import tools

pytestmark = pytest.mark.timeout(120)
CLIENTS, EARLY = 200, 60


async def test_a_restored_copy_sends_nothing_before_a_person_says_so(
    storage_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tools()), prepend=os.pathsep)
    async with carillon(tmp_path, storage_url, rate=50.0) as made:
        await made.import_clients(CLIENTS)
        await made.start(only="engine")
        mailing = await made.create()
        later = await made.create("Later", launch=False, start="2099-01-01T10:00:00")
        await made.cli("mailing", "launch", str(later))
        await made.until_sent(mailing, EARLY)
        await made.cli("db", "backup", str(tmp_path / "copy"))
        await made.until_sent(mailing, CLIENTS // 2)  # the original went on, and does until it is stopped
        await made.terminate()
        stood_at = len(made.simulator.accepted_at(TOKEN))
        with_copy = await restored(storage_url, tmp_path)
    async with carillon(tmp_path / "new", with_copy, rate=50.0) as copy:
        await copy.start(only="engine")
        for held in (mailing, later):
            figures = await copy.until_status(held, "paused")
            assert "this is a copy of" in figures["reason"]
        await asyncio.sleep(1)
        assert copy.simulator.accepted_at(TOKEN) == copy.simulator.accepted_at(TOKEN)[:0]
        figures = await copy.figures(mailing)
        assert_adds_up(figures)
        assert EARLY <= figures["sent"] <= stood_at
        await copy.cli("mailing", "resume", str(later))
        assert (await copy.figures(later))["status"] == "scheduled"
        await copy.cli("mailing", "resume", str(mailing))
        await copy.until_status(mailing, "sent")
        # It asks once: what is begun on the copy from now on is its own.
        await copy.terminate()
        await copy.start(only="engine")
        assert (await copy.figures(later))["status"] == "scheduled"


async def restored(storage_url: str, folder: Path) -> str:
    """As docs/reliability.md says it."""
    (folder / "new" / "data").mkdir(parents=True)
    if storage_url.startswith("sqlite"):
        (folder / "copy").rename(folder / "new" / "data" / "carillon.db")
        return "sqlite:///data/carillon.db"
    name = f"carillon_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(storage_url)
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    url = urlsplit(storage_url)._replace(path=f"/{name}").geturl()
    command = [str(tools() / "pg_restore"), f"--dbname={url}", str(folder / "copy")]
    await asyncio.to_thread(subprocess.run, command, check=True)
    return url
