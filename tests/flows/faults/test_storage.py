"""A storage that is full, goes away or is copied in mid-mailing: sending waits, goes on, and loses nothing."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.flows.carillon import FIRST_CLIENT, TOKEN, Carillon, assert_adds_up, carillon
from tests.postgres import Server, own_server

pytestmark = pytest.mark.timeout(120)
RATE, CLIENTS = 100.0, 250
SQLITE = "sqlite:///data/carillon.db"


async def test_a_full_disk_makes_sending_wait_and_nothing_is_lost(tmp_path: Path) -> None:
    async with carillon(tmp_path, SQLITE, rate=RATE) as made:
        mailing = await sending(made)
        assert made.process is not None
        pid, limits = made.process.pid, resource.prlimit(made.process.pid, resource.RLIMIT_FSIZE)
        # No file of the program may grow any more: what a full disk says to the database, and to the log as well.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
        await asyncio.sleep(1)
        stood_at = len(made.simulator.accepted_at(TOKEN))
        await asyncio.sleep(2)
        assert len(made.simulator.accepted_at(TOKEN)) == stood_at < CLIENTS
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        await assert_all_got_it_once(made, mailing)


async def test_a_database_that_cuts_its_connections_is_waited_for(postgres_database: str, tmp_path: Path) -> None:
    async with carillon(tmp_path, postgres_database, rate=RATE) as made:
        mailing = await sending(made)
        for _ in range(3):
            await cut_connections(postgres_database)
            await asyncio.sleep(0.5)
        await assert_all_got_it_once(made, mailing)
        # Its lock went with a connection, and it has taken it again.
        await asyncio.sleep(1.5)
        assert "Another Carillon engine works" in await made.run_to_its_end("run", "--only", "engine", code=2)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_server_that_is_stopped_in_mid_mailing_is_waited_for(
    own_postgres: Server, mode: str, tmp_path: Path
) -> None:
    """`immediate` ends as a crash: it recovers from its log what was committed."""
    async with carillon(tmp_path, own_postgres.url, rate=RATE) as made:
        mailing = await sending(made)
        await asyncio.to_thread(own_postgres.stop, mode)
        await asyncio.sleep(1)
        stood_at = len(made.simulator.accepted_at(TOKEN))
        await asyncio.sleep(2)
        assert len(made.simulator.accepted_at(TOKEN)) == stood_at < CLIENTS  # nothing starts that can't be kept
        await asyncio.to_thread(own_postgres.start)
        await assert_all_got_it_once(made, mailing)
        assert "Another Carillon engine works" in await made.run_to_its_end("run", "--only", "engine", code=2)


@pytest.fixture
def own_postgres() -> Iterator[Server]:
    with own_server() as server:
        yield server


async def sending(made: Carillon) -> int:
    made.simulator.faults.latency_s = 0.1
    await made.import_clients(CLIENTS)
    await made.start(only="engine")
    mailing = await made.create()
    await made.until_sent(mailing, 30)
    return mailing


async def assert_all_got_it_once(made: Carillon, mailing: int) -> None:
    figures = await made.until_status(mailing, "sent")
    assert_adds_up(figures)
    assert (figures["sent"], figures["unknown"], figures["failed"]) == (CLIENTS, 0, 0)
    accepted = made.simulator.accepted_by_chat(TOKEN)
    assert dict(accepted) == dict.fromkeys(range(FIRST_CLIENT, FIRST_CLIENT + CLIENTS), 1)


async def cut_connections(url: str) -> None:
    """As a server that is restarted does it."""
    admin = await asyncpg.connect(url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await admin.close()
