"""Two engines on one storage: the second waits its turn, and one that lost the storage starts nothing more."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.flows.carillon import FIRST_CLIENT, TOKEN, Carillon, assert_adds_up, carillon
from tests.flows.faults.test_storage import cut_connections
from tests.processes import Process

pytestmark = pytest.mark.timeout(120)
RATE, CLIENTS, LATENCY_S = 50.0, 250, 0.1
FROZEN_S = 11.0  # longer than a mark of a start is good for


@asynccontextmanager
async def first_engine(url: str, folder: Path) -> AsyncIterator[tuple[Carillon, int]]:
    """One that is in the middle of a mailing."""
    async with carillon(folder, url, rate=RATE) as made:
        made.simulator.faults.latency_s = LATENCY_S
        await made.import_clients(CLIENTS)
        await made.start(only="engine")
        mailing = await made.create()
        await made.until_sent(mailing, 30)
        yield made, mailing


async def test_a_second_engine_is_turned_away_and_begins_at_once_when_the_first_is_killed(
    storage_url: str, tmp_path: Path
) -> None:
    async with first_engine(storage_url, tmp_path) as (made, mailing):
        assert made.process is not None
        said = await made.run_to_its_end("run", "--only", "engine", code=2)
        assert f"Another Carillon engine works on this storage: process {made.process.pid} on" in said
        await made.kill()
        await made.start(only="engine")
        figures = await made.until_status(mailing, "sent")
        assert_adds_up(figures)
        assert_nobody_twice_or_lost(made, figures["unknown"])


async def test_a_frozen_engine_keeps_its_file_and_goes_on_where_it_was(tmp_path: Path) -> None:
    async with first_engine("sqlite:///data/carillon.db", tmp_path) as (made, mailing):
        first = process_of(made)
        async with frozen(first):
            await asyncio.sleep(LATENCY_S * 2)
            stood_at = len(made.simulator.accepted_at(TOKEN))
            assert "Another Carillon engine works" in await made.run_to_its_end("run", "--only", "engine", code=2)
            await asyncio.sleep(FROZEN_S)
            assert len(made.simulator.accepted_at(TOKEN)) == stood_at
        figures = await made.until_status(mailing, "sent")
        assert (figures["sent"], figures["unknown"]) == (CLIENTS, 0)
        assert_nobody_twice_or_lost(made, 0)


async def test_a_frozen_engine_that_lost_the_storage_to_a_second_one_starts_nothing_more(
    postgres_database: str, tmp_path: Path
) -> None:
    async with first_engine(postgres_database, tmp_path) as (made, mailing):
        first = process_of(made)
        async with frozen(first):
            await cut_connections(postgres_database)  # as the server does with a peer that is silent for long
            await made.start(only="engine")
            await asyncio.sleep(FROZEN_S)
            await made.kill()  # so that whatever goes out from now on is the first one's
            stood_at = len(made.simulator.accepted_at(TOKEN))
        assert await asyncio.wait_for(first.wait(), 30) == 2
        assert "Another Carillon engine works on this storage" in made.said()
        assert len(made.simulator.accepted_at(TOKEN)) == stood_at
        await made.start(only="engine")
        figures = await made.until_status(mailing, "sent")
        assert_adds_up(figures)
        assert_nobody_twice_or_lost(made, figures["unknown"])


def process_of(made: Carillon) -> Process:
    assert made.process is not None
    return made.process


@asynccontextmanager
async def frozen(process: Process) -> AsyncIterator[None]:
    """As a machine that is suspended, or one that swaps."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def assert_nobody_twice_or_lost(made: Carillon, unknown: int) -> None:
    accepted = made.simulator.accepted_by_chat(TOKEN)
    assert max(accepted.values()) == 1
    without = [chat for chat in range(FIRST_CLIENT, FIRST_CLIENT + CLIENTS) if not accepted[chat]]
    assert len(without) <= unknown
