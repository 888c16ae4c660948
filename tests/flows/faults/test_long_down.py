"""VK drops what it is sent again, for an hour. Who is killed and comes back after more than that repeats nobody."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateways.simulator.vk.server import VkSimulator
from storage.schema import deliveries, runs
from tests.flows.carillon import assert_adds_up, until
from tests.flows.five import Five, five

pytestmark = pytest.mark.timeout(120)
CLIENTS, DOWN_S = 60, 70 * 60.0


async def test_killed_and_started_after_more_than_an_hour_repeats_nobody_on_vk(tmp_path: Path) -> None:
    async with five(tmp_path, "sqlite:///data/carillon.db", kinds=("vk",)) as made:
        await made.import_clients(CLIENTS, ("vk",))
        made.platforms["vk"].faults.latency_s = 3.0
        await made.running.start(only="web,engine")
        mailing = await made.running.create()

        async def is_taken() -> bool:
            return len(made.accepted("vk")) >= 20

        await until(is_taken, 60, "some to be taken that are not answered yet")
        await made.running.kill()
        taken = set(made.accepted("vk"))
        await let_time_pass(made, DOWN_S)
        made.platforms["vk"].faults.latency_s = 0.0
        await made.running.start(only="web,engine")
        figures = await made.running.until_status(mailing, "paused")
        assert "did not run from" in figures["reason"]
        await made.running.cli("mailing", "resume", str(mailing))
        figures = await made.running.until_status(mailing, "sent")
        assert_adds_up(figures)
        assert max(made.accepted("vk").values()) == 1
        # Who may have been taken is left as it is; who was not even begun with gets it now.
        assert 0 < figures["unknown"] <= 25 * (3.0 + 0.5)
        assert taken <= made.accepted("vk").keys()
        assert figures["sent"] + figures["unknown"] == CLIENTS


async def let_time_pass(made: Five, seconds: float) -> None:
    """Everything that was written down happened so much earlier, and the platform has forgotten what it compared."""
    by = timedelta(seconds=seconds)
    async with made.running.desk.store.database.writing() as connection:
        for row in (await connection.execute(select(deliveries.c.id, deliveries.c.started_at))).all():
            if row.started_at is not None:
                statement = update(deliveries).where(deliveries.c.id == row.id)
                await connection.execute(statement.values(started_at=row.started_at - by))
        for row in (await connection.execute(select(runs.c.id, runs.c.heartbeat_at))).all():
            statement = update(runs).where(runs.c.id == row.id)
            await connection.execute(statement.values(heartbeat_at=row.heartbeat_at - by))
    vk = made.platforms["vk"]
    assert isinstance(vk, VkSimulator)
    for community in vk.communities.values():
        for dialog in community.dialogs.values():
            dialog.sent.clear()
