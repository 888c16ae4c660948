"""The admin bot on Slack before a simulated workspace: over real HTTP, or over a real WebSocket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.conversation import Conversation
from bot.dialogs.talk import House
from bot.http import Doors, Readiness, create_app, serve
from bot.people import Everybody
from bot.screens import Person
from bot.surfaces.slack.surface import SlackSurface
from engine.clock import SystemClock
from engine.media import Media
from gateways.base import Heard
from gateways.simulator.slack.delivery import SlackApp
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator
from gateways.simulator.slack.world import SlackMessage
from storage.records import Role
from tests.bot.conftest import Desk

TOKEN, APP_TOKEN, SECRET = "xoxb-acme", "xapp-acme", "carillon-signing-secret"
PEOPLE = {
    ("slack", "U01OLHA"): Person("Olha", Role.OPERATOR),
    ("slack", "U02OSTAP"): Person("Ostap", Role.OWNER),
    ("slack", "U03MARIA"): Person("Maria", Role.MANAGER),
}


@pytest.fixture
async def slack() -> AsyncIterator[SlackSimulator]:
    simulator = SlackSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def app(slack: SlackSimulator) -> SlackApp:
    return slack.add_app(TOKEN, signing_secret=SECRET, app_token=APP_TOKEN, retries_s=(0.0, 0.05, 0.1))


@pytest.fixture
def olha(slack: SlackSimulator, app: SlackApp) -> SlackPerson:
    return slack.add_person(app, "U01OLHA", "Olha")


def surface_on(desk: Desk, slack: SlackSimulator, folder: Path, **more: Any) -> SlackSurface:
    people = Everybody(PEOPLE, desk.store)
    conversation = Conversation(
        operations=desk.operations,
        store=desk.store,
        people=people,
        settings=desk.settings,
        house=House(name="Acme", support="ops@acme.test"),
        clock=desk.clock,
    )
    terms: dict[str, Any] = {"signing_secret": SECRET, "clock": SystemClock(), "media": Media(folder), **more}
    return SlackSurface(
        conversation=conversation,
        people=people,
        places=desk.store.conversations,
        token=TOKEN,
        api_base=f"{slack.url}/api",
        **terms,
    )


@asynccontextmanager
async def running(surface: SlackSurface) -> AsyncIterator[SlackSurface]:
    task = asyncio.create_task(surface.run())
    try:
        yield surface
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def hooked(surface: SlackSurface, app: SlackApp) -> AsyncIterator[str]:
    """Our web side, to which the app posts."""

    async def take(_channel: str, _heard: Heard) -> None:
        raise AssertionError("no channel is here")

    async def ready() -> Readiness:
        return Readiness(ready=True)

    async def metrics() -> tuple[bytes, str]:
        return b"", "text/plain"

    doors = Doors(gateways={}, take=take, ready=ready, metrics=metrics, bots={"slack": surface})
    async with serve(create_app(doors), "127.0.0.1", 0) as port:
        app.hook = f"http://127.0.0.1:{port}/hooks/bots/slack"
        yield app.hook


@pytest.fixture
async def surface(shop: Desk, slack: SlackSimulator, app: SlackApp, tmp_path: Path) -> AsyncIterator[SlackSurface]:
    """A bot that hears by HTTP."""
    async with running(surface_on(shop, slack, tmp_path)) as surface, hooked(surface, app):
        yield surface


async def pressing(person: SlackPerson, label: str, then: str) -> SlackMessage:
    """Press the newest button with this label, and wait until the card (or a new message) says `then`."""
    fitting = [one for one in person.messages if any(label in name for name in one.labels)]
    assert fitting, f"no button {label!r} in {[one.labels for one in person.messages]}"
    message = fitting[-1]
    ack = await person.presses(message, label)
    assert (ack.status, ack.body) == (200, "")
    return (await person.receives(then))[-1]


async def wait_until(look: Callable[[], Awaitable[object]]) -> None:
    """Until it finds something; storage tells nobody."""
    async with asyncio.timeout(5):
        while not await look():
            await asyncio.sleep(0.02)
