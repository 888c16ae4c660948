"""A platform that answers nothing but 429 for a while: no busy loop, no tries, and the other channels do not notice."""

import asyncio
import os
from pathlib import Path

import pytest
from sqlalchemy import func, select

from storage.schema import deliveries
from tests.flows.carillon import TOKEN, assert_adds_up, until
from tests.flows.five import five

pytestmark = pytest.mark.timeout(120)
CLIENTS, STORM_S, RETRY_AFTER_S = 100, 8, 1


async def test_a_storm_of_429_takes_no_processor_no_tries_and_nothing_from_other_channels(tmp_path: Path) -> None:
    async with five(tmp_path, "sqlite:///data/carillon.db", kinds=("telegram", "vk")) as made:
        await made.import_clients(CLIENTS, ("telegram", "vk"))
        simulator, kinds = made.running.simulator, ("telegram", "vk")
        storm = simulator.faults.add("throttle", chance=1.0, method="sendMessage", retry_after_s=RETRY_AFTER_S)
        await made.running.start(only="web,engine")
        assert made.running.process is not None
        pid = made.running.process.pid
        mailing = await made.running.create()

        async def vk_is_through() -> bool:
            return len(made.accepted("vk")) == CLIENTS

        await until(vk_is_through, 60, "the other channel to send everything")
        assert not simulator.accepted_by_chat(TOKEN)
        asked, spent_s = len(simulator.requests(TOKEN, "sendMessage")), cpu_s(pid)
        await asyncio.sleep(STORM_S)
        # One call or a few when the time is over that was asked for, and nothing to do in between.
        assert len(simulator.requests(TOKEN, "sendMessage")) - asked <= STORM_S / RETRY_AFTER_S * 5
        assert cpu_s(pid) - spent_s <= STORM_S / 4
        figures = await made.running.figures(mailing)
        assert (figures["status"], figures["by_channel"]["tg-shop"]["waiting"]) == ("sending", CLIENTS)
        simulator.faults.remove(storm)
        figures = await made.running.until_status(mailing, "sent")
        assert_adds_up(figures)
        assert (figures["sent"], figures["failed"], figures["unknown"]) == (2 * CLIENTS, 0, 0)
        assert {max(made.accepted(kind).values()) for kind in kinds} == {1}
        async with made.running.desk.store.database.read() as connection:
            assert await connection.scalar(select(func.max(deliveries.c.tries))) == 1


def cpu_s(pid: int) -> float:
    """Of the process and all its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
