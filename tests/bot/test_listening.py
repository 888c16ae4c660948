"""Hearing platforms: polls that go on after failures, webhooks that are put back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot import listening
from bot.listening import Webhooks, poll, polled
from gateways.base import Heard, Subscribed
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.server import TelegramSimulator
from gateways.telegram.gateway import TelegramGateway
from tests.bot.test_http import NoMedia

TOKEN = "1:SHOP"


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSimulator]:
    simulator = TelegramSimulator()
    simulator.add_bot(TOKEN).add_client(7001, "Ann")
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def shop(telegram: TelegramSimulator) -> SimulatedBot:
    return telegram.bot(TOKEN)


async def gateway_of(telegram: TelegramSimulator, *, polls: bool) -> TelegramGateway:
    gateway = TelegramGateway(
        channel="tg", token=TOKEN, media=NoMedia(), api_base=telegram.url, webhook_secret="s", polls=polls
    )
    await gateway.open()
    return gateway


async def test_what_could_not_be_taken_comes_again(
    telegram: TelegramSimulator, shop: SimulatedBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "PAUSES_S", (0.01,))
    gateway = await gateway_of(telegram, polls=True)
    taken: list[Heard] = []
    enough = asyncio.Event()

    async def take(channel: str, heard: Heard) -> None:
        taken.append(heard)
        if len(taken) == 1:
            raise OSError("the storage is away")
        enough.set()

    telegram.faults.add("error", method="getUpdates", times=2)
    shop.client(7001).start("promo")
    polling = asyncio.create_task(poll("tg", gateway, take))
    await asyncio.wait_for(enough.wait(), 30)
    polling.cancel()
    await asyncio.wait([polling])
    await gateway.close()

    assert [type(each.inbound[0]) for each in taken] == [Subscribed, Subscribed]
    assert taken[0].inbound[0].key == taken[1].inbound[0].key


async def test_a_webhook_that_was_taken_away_is_put_back(telegram: TelegramSimulator, shop: SimulatedBot) -> None:
    gateway = await gateway_of(telegram, polls=False)
    webhooks = Webhooks({"tg": gateway}, "http://127.0.0.1:9/")

    await webhooks.set_all()
    assert webhooks.tried
    first = (await gateway.check()).webhook
    await gateway._api.ask("deleteWebhook", {})
    await webhooks.watch()
    second = (await gateway.check()).webhook
    await gateway.close()

    assert first == second == "http://127.0.0.1:9/hooks/tg"


async def test_a_webhook_that_can_not_be_set_is_told_and_tried_again(
    telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    gateway = await gateway_of(telegram, polls=False)
    webhooks = Webhooks({"tg": gateway}, "http://127.0.0.1:9")
    shop.revoke()

    await webhooks.set_all()
    assert webhooks.tried
    assert list(webhooks.problems) == ["tg"]
    shop.restore()
    await webhooks.watch()
    await gateway.close()

    assert webhooks.problems == {}


async def test_a_polled_channel_has_no_webhook_of_ours(telegram: TelegramSimulator) -> None:
    gateway = await gateway_of(telegram, polls=True)
    webhooks = Webhooks({"tg": gateway}, "http://127.0.0.1:9")

    await webhooks.set_all()
    account = await gateway.check()
    await gateway.close()

    assert list(polled({"tg": gateway})) == ["tg"]
    assert account.webhook is None
