"""At a message a second nobody knows the next slot before the last call is written: the lane looks again then."""

import asyncio
from pathlib import Path

from tests.engine.life import CLIENTS, Life


async def test_a_mailing_of_one_message_a_second_goes_on_to_its_end(made_storage_url: str, tmp_path: Path) -> None:
    life = Life(made_storage_url, tmp_path)
    await life.begin([[] for _ in range(CLIENTS)], speed=1.0)
    async with asyncio.timeout(20):
        while (figures := await life.figures())["status"] != "sent":
            await asyncio.sleep(0.02)
    assert figures["sent"] == CLIENTS
    await life.stop()
