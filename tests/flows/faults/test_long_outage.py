"""Forty minutes without a platform, whose name is not even known any more; a hasty clock makes them twenty seconds."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select

from bot.app import running
from bot.config import load
from gateways.simulator.telegram.clients import ClientState
from gateways.simulator.telegram.server import TelegramSimulator
from storage.schema import deliveries
from tests.engine.life import QuickClock
from tests.flows.carillon import FIRST_CLIENT, TOKEN, Carillon, assert_adds_up, carillon, shop_channel
from tests.flows.person import ADMIN_BOT, OLHA, AtTheBot

pytestmark = pytest.mark.timeout(180)
HOST, CLIENTS, OUTAGE_S = "api.shop.test", 200, 40 * 60.0


class HastyClock(QuickClock):
    FACTOR = 120


class Names:
    """The system's resolver, which knows one more name until it is gone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gone = False
        self.asked = 0
        self._known = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: str, *arguments: Any, **options: Any) -> Sequence[Any]:
        if host != HOST:
            return self._known(host, *arguments, **options)
        self.asked += 1
        if self.gone:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._known("127.0.0.1", *arguments, **options)


@asynccontextmanager
async def shop_elsewhere() -> AsyncIterator[TelegramSimulator]:
    """A Telegram of the shop's own, so that the admin bot's goes on."""
    simulator = TelegramSimulator()
    await simulator.start()
    shop = simulator.add_bot(TOKEN, username="shop_demo_bot", first_name="Shop")
    shop.everyone = ClientState.ACTIVE
    try:
        yield simulator
    finally:
        await simulator.stop()


async def test_after_forty_minutes_without_the_platform_it_goes_on_by_itself_and_nobody_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch)
    async with shop_elsewhere() as shop:
        channel = shop_channel().replace("{api_base}", f"http://{HOST}:{urlsplit(shop.url).port}")
        async with carillon(
            tmp_path, "sqlite:///data/carillon.db", channels=channel, bots=ADMIN_BOT.format(api_base="{api_base}")
        ) as made:
            await made.import_clients(CLIENTS)
            clock = HastyClock()
            async with running(load(made.config), frozenset({"engine", "bot"}), clock=clock):
                olha = AtTheBot(made, OLHA, "Olha")
                mailing = await made.create(launch=False, speed=1.0)
                await olha.say(f"/launch {mailing}", "to 200 clients now?")
                live = await olha.press("Send to 200 clients", "– being sent")
                await made.until_sent(mailing, 40)

                names.gone = True
                await shop.begin_outage()  # a connection that is open asks nobody for a name
                began = clock.monotonic()
                told = await olha.sees("tg-shop does not answer. It goes on by itself when it does")
                assert told.message_id == live.message_id
                stood_at = len(shop.accepted_at(TOKEN))
                await clock.sleep_until(began + OUTAGE_S)
                assert (await made.figures(mailing))["status"] == "sending"
                assert len(shop.accepted_at(TOKEN)) == stood_at < CLIENTS
                assert names.asked >= OUTAGE_S / 60 / 2  # all the time, and in no hurry
                names.gone = False
                await shop.end_outage()
                figures = await made.until_status(mailing, "sent")
            assert_adds_up(figures)
            assert figures["failed"] == 0
            accepted = shop.accepted_by_chat(TOKEN)
            assert max(accepted.values()) == 1
            without = [chat for chat in range(FIRST_CLIENT, FIRST_CLIENT + CLIENTS) if not accepted[chat]]
            assert len(without) <= figures["unknown"] <= 2  # what was on its way when the connections were cut
            assert await most_tries(made) == 1


async def most_tries(made: Carillon) -> int:
    async with made.desk.store.database.read() as connection:
        return int(await connection.scalar(select(func.max(deliveries.c.tries))) or 0)
