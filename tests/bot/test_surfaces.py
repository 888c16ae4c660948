"""The same tasks on each messenger that the bot lives on, over its simulator: a few first, a merge, templates."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from engine.settings import EngineSettings
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.server import TelegramSimulator
from storage.records import Canary, Status
from tests.bot import test_telegram as telegram
from tests.bot.bazaar import furnish, with_messengers
from tests.bot.conftest import Desk
from tests.bot.slack import conftest as slack
from tests.storage.people import card_of


class Seat(Protocol):
    """Olha before her messenger. Each waits until something that is shown there holds the words `then`."""

    async def say(self, words: str, then: str) -> None: ...

    async def press(self, label: str, then: str) -> None: ...


class OnTelegram:
    def __init__(self, olha: SimulatedClient) -> None:
        self._olha = olha

    async def say(self, words: str, then: str) -> None:
        self._olha.says(words)
        await self._olha.receives(containing=then)

    async def press(self, label: str, then: str) -> None:
        await telegram.pressing(self._olha, label, then)


class OnSlack:
    def __init__(self, olha: SlackPerson) -> None:
        self._olha = olha

    async def say(self, words: str, then: str) -> None:
        await (self._olha.commands(words[1:]) if words.startswith("/") else self._olha.says(words))
        await self._olha.receives(then)

    async def press(self, label: str, then: str) -> None:
        await slack.pressing(self._olha, label, then)


@asynccontextmanager
async def on_telegram(shop: Desk, folder: Path) -> AsyncIterator[Seat]:
    simulator = TelegramSimulator()
    await simulator.start()
    simulator.add_bot(telegram.TOKEN, username="acme_admin_bot", is_admin=True)
    polling = asyncio.create_task(telegram.surface_on(shop, simulator, folder).run())
    yield OnTelegram(simulator.add_client(simulator.bot(telegram.TOKEN), 1001, "Olha"))
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    await simulator.stop()


@asynccontextmanager
async def on_slack(shop: Desk, folder: Path) -> AsyncIterator[Seat]:
    simulator = SlackSimulator()
    await simulator.start()
    app = simulator.add_app(slack.TOKEN, signing_secret=slack.SECRET, app_token=slack.APP_TOKEN)
    surface = slack.surface_on(shop, simulator, folder)
    async with slack.running(surface), slack.hooked(surface, app):
        yield OnSlack(simulator.add_person(app, "U01OLHA", "Olha"))
    await simulator.stop()


@pytest.fixture
def settings(settings: EngineSettings) -> EngineSettings:
    return with_messengers(settings)


@pytest.fixture(params=[on_telegram, on_slack], ids=["telegram", "slack"])
async def olha(request: pytest.FixtureRequest, shop: Desk, tmp_path: Path) -> AsyncIterator[Seat]:
    async with request.param(await furnish(shop), tmp_path) as seat:
        yield seat


async def test_a_few_clients_get_it_first(olha: Seat, shop: Desk) -> None:
    await olha.say("/new Sale", "exactly as clients should see it")
    await olha.say("Hello {{ client.first_name }}", "draft #1")
    await olha.press("Next: audience", "Everybody")
    await olha.say("vip", "Now about 4 clients.")
    await olha.press("Next: when", "When and how fast?")
    await olha.press("A few clients first", "They get it alone.")
    await olha.say("2", "the first 2 clients, then a pause of 30 min")
    await olha.press("15 min", "then a pause of 15 min")
    await olha.press("Done", "When and how fast?")
    await olha.press("Next: check", "“Sale” to 4 clients now?")
    await olha.press("Send to", "– being sent")
    mailing = await shop.operations.get(1)
    assert mailing.status is Status.SENDING
    assert mailing.draft.canary == Canary(first=2, wait_s=900.0)


async def test_two_cards_are_merged(olha: Seat, shop: Desk) -> None:
    await olha.say("/merge Ann", "Which other card is Ann Lee, too?")
    await olha.say("Iryna", "Are these two one client?")
    await olha.press("The other one stays", "Stays: Iryna Sova")
    await olha.press("Yes, they are one", "The two cards are one now.")
    assert (await card_of(shop.store, "c1")).name == "Iryna Sova"


async def test_a_template_is_filled_and_goes_along(olha: Seat, shop: Desk) -> None:
    await olha.say("/new Sale", "exactly as clients should see it")
    await olha.say("Hello", "draft #1")
    await olha.press("Template", "• sale (en, marketing): Hi {{1}}, {{2}} off!")
    await olha.press("sale · en", "What stands in place of {{1}}?")
    await olha.press("first name", "whose first name is not known?")
    await olha.say("friend", "What stands in place of {{2}}?")
    await olha.say("30%", "The template is kept.")
    field = {"name": "sale", "language": "en", "parameters": ["{{ client.first_name | default('friend') }}", "30%"]}
    assert (await shop.operations.get(1)).draft.message.only == {"wa": {"template": field}}


async def test_a_template_is_written_and_submitted_once(olha: Seat, shop: Desk) -> None:
    await olha.say("/templates", "Templates of wa-shop")
    await olha.press("Write a template", "What is the template called?")
    await olha.say("spring_sale", "In which language is it?")
    await olha.press("English", "What is it for?")
    await olha.press("Marketing", "What does it say?")
    await olha.say("Hi Bob, everything is {{discount}} off!", "What may stand in place of {{1}}")
    await olha.say("30%", "It can be submitted now.")
    await olha.press("Submit", "Submit")
    await olha.press("Yes, submit it", "Submitted.")
    [written] = await shop.store.written.of_channel("wa-shop")
    assert (written.new.name, written.status) == ("spring_sale", "pending")
