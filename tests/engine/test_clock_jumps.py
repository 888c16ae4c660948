"""A clock that is set while a mailing goes out: who was due stays due, and nobody gets it twice."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.life import CLIENTS, Life, QuickClock


class SetClock(QuickClock):
    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s)


@pytest.mark.parametrize("jumps", [[-3600.0], [86400.0], [3600.0, -7200.0]], ids=["back", "on", "on and back"])
@pytest.mark.parametrize("while_down", [False, True], ids=["running", "down"])
async def test_a_clock_that_jumps_holds_nothing_up(
    made_storage_url: str, tmp_path: Path, jumps: Sequence[float], while_down: bool
) -> None:
    clock = SetClock()
    life = Life(made_storage_url, tmp_path, clock)
    await life.begin([[] for _ in range(CLIENTS)], speed=4.0)  # so slow that most are not claimed yet
    await life.until_on_its_way(5)
    for jump in jumps:
        if while_down:
            await life.stop()
        clock.ahead_s += jump
        if while_down:
            await life.start()
        await asyncio.sleep(0.01)
    async with asyncio.timeout(20):
        while (figures := await life.figures())["status"] == "sending":
            await asyncio.sleep(0.02)
    if figures["status"] == "paused":  # down for longer than half an hour, as far as anybody can tell
        assert "did not run from" in figures["reason"]
        assert while_down
        await life.resume()
        async with asyncio.timeout(20):
            while (figures := await life.figures())["status"] != "sent":
                await asyncio.sleep(0.02)
    assert (figures["sent"], figures["unknown"]) == (CLIENTS, 0)
    assert max(max(each.got.values()) for each in life.platforms.values()) == 1
    await life.stop()
