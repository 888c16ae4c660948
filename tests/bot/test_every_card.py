"""Every button, command and answer there is, visited in each language; what is shown on the way fits everywhere."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.clock import FakeClock, SystemClock
from engine.imports import upsert_clients
from engine.operations import Operations
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import Account
from gateways.telegram.capabilities import TELEGRAM
from storage.counters import add_counters
from storage.store import open_store
from tests.bot.bazaar import begin_the_rest, furnish, with_messengers
from tests.bot.conftest import ZONE, Desk
from tests.bot.scenes_after import AFTER, APPROVAL, CHANNELS, CLIENTS, LAUNCH, LISTS, NUMBERS, PEOPLE, STEERING
from tests.bot.scenes_before import AUDIENCE, COUNTING, MESSAGE, OUTCOMES, SEGMENTS, TEMPLATES, TRIAL, TRIAL_OF_MANY
from tests.bot.test_after import finish
from tests.bot.test_messengers import WA
from tests.bot.test_previews import Told
from tests.bot.test_template_writing import Shop
from tests.bot.test_template_writing import shop as writing  # noqa: F401 - a fixture
from tests.bot.touring import Tour, named_in, not_visited, noting_visits, things_on
from tests.engine.test_channel_start import running


@pytest.fixture
def settings(settings: EngineSettings) -> EngineSettings:
    return with_messengers(settings)


@pytest.fixture
async def bazaar(shop: Desk) -> Desk:
    return await furnish(shop)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("one", "many")}
    for folder in made.values():
        folder.mkdir()
    return made


@asynccontextmanager
async def at_work(template: Path, folder: Path, *channels: ChannelSettings) -> AsyncIterator[Desk]:
    """A desk on a storage of its own, with a running engine."""
    settings = EngineSettings({channel.id: channel for channel in channels}, folder, timezone=ZONE)
    speakers = {channel.id: Told(channel.able) for channel in channels}
    url = f"sqlite:///{shutil.copy(template, folder / 'carillon.db')}"
    async with open_store(url, data_dir=folder, secret=b"of the tests") as store:
        address = {"wa-shop": "380501234567"} if "wa-shop" in settings.channels else {"tg-0": "2001"}
        rows = [{"id": "a", "first_name": "Ann", "addresses": address}]
        await upsert_clients(store, rows, channels=settings.channels)

        async def ask(channel: str) -> Account:
            return await speakers[channel].check()

        async with running(store, settings, speakers) as engine:
            operations = Operations(store, settings, SystemClock(), check_channel=ask, engine=engine)
            yield Desk(store, operations, settings, FakeClock())


def test_every_press_and_command_is_on_the_tour() -> None:
    """Whoever adds a route is told so at once; the tour itself takes long."""
    before = (MESSAGE, AUDIENCE, OUTCOMES, SEGMENTS, COUNTING, TEMPLATES, TRIAL, TRIAL_OF_MANY)
    after = (LAUNCH, APPROVAL, STEERING, LISTS, AFTER, NUMBERS, CLIENTS, PEOPLE, CHANNELS)
    left = not_visited(named_in("\n".join((*before, *after))))
    assert {one for one in left if not one.startswith("answer ")} == {"press lang:is"}  # by each person


@pytest.mark.parametrize("language", ["en", "ru", "uk"])
async def test_a_tour_visits_every_route(
    bazaar: Desk,
    writing: Shop,  # noqa: F811 - the fixture
    sqlite_template: Path,
    folders: dict[str, Path],
    language: str,
) -> None:
    with noting_visits() as visited:
        tour = Tour(bazaar, language, things_on(bazaar))
        for scene in (MESSAGE, AUDIENCE, APPROVAL, STEERING):
            await tour.go(scene)
        await finish(bazaar)
        step_id = (await bazaar.operations.get(1)).step_id
        async with bazaar.store.database.writing() as connection:
            await add_counters(connection, {(step_id, "wa-shop", "", "", "planned"): 1})
        for scene in (OUTCOMES, SEGMENTS, LAUNCH, LISTS, AFTER):
            await tour.go(scene)
        await begin_the_rest(bazaar)
        for scene in (NUMBERS, CLIENTS, COUNTING, PEOPLE, CHANNELS):
            await tour.go(scene)
        await Tour(writing.desk, language, things_on(writing.desk)).go(TEMPLATES)
        wa, many = ChannelSettings("wa-shop", WA), [ChannelSettings(f"tg-{n}", TELEGRAM) for n in range(11)]
        for name, channels, scene in (("one", [wa], TRIAL), ("many", many, TRIAL_OF_MANY)):
            async with at_work(sqlite_template, folders[name], *channels) as desk:
                await Tour(desk, language).go(scene)
    assert not_visited(visited) == set()
