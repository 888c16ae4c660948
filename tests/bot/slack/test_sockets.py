"""Socket Mode: the same bot over a real WebSocket, with no address of its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.surfaces.slack.surface import SlackSurface
from gateways.simulator.slack.delivery import SlackApp
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator
from tests.bot.conftest import Desk
from tests.bot.slack.conftest import APP_TOKEN, pressing, running, surface_on, wait_until


@pytest.fixture
async def surface(
    shop: Desk, slack: SlackSimulator, app: SlackApp, olha: SlackPerson, tmp_path: Path
) -> AsyncIterator[SlackSurface]:
    async with running(surface_on(shop, slack, tmp_path, app_token=APP_TOKEN, signing_secret="")) as surface:
        await slack.until(lambda: app.sockets)
        yield surface


async def test_a_mailing_is_composed_and_launched_by_socket(
    surface: SlackSurface, olha: SlackPerson, shop: Desk
) -> None:
    ack = await olha.commands("new")
    assert (ack.status, ack.body) == (200, "")
    await olha.receives("exactly as clients should see it")
    await olha.presses(olha.messages[-1], "window")
    await olha.sees_window()
    await olha.submits("")
    assert olha.window is not None
    assert olha.window.errors == {"words": "Nothing is written here yet."}
    await olha.submits("Hello all")
    await olha.receives("draft #1")
    await pressing(olha, "Next: audience", "Now about 10 clients.")
    await pressing(olha, "Next: when", "When and how fast?")
    await pressing(olha, "Next: check", "to 10 clients now?")
    await pressing(olha, "Send to 10 clients", "– being sent")
    await wait_until(shop.store.conversations.open_cards)


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
async def test_nothing_is_lost_when_slack_ends_a_connection(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp, olha: SlackPerson, reason: str
) -> None:
    first = app.sockets[0]
    ending = asyncio.create_task(slack.disconnect(app, reason, grace_s=0.3))
    await slack.until(lambda: len(app.sockets) == 2)  # the next one is open before the first ends
    for number in range(4):
        assert (await olha.says(f"Words {number}")).status == 200
    await ending
    await slack.until(lambda: first not in app.sockets)
    assert len(app.sockets) == 1
    await olha.receives("Shall I make a new mailing of this message?", number=4)


async def test_a_connection_that_breaks_is_opened_again(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp, olha: SlackPerson
) -> None:
    [first] = app.sockets
    slack.cut(app)
    await slack.until(lambda: app.sockets and first not in app.sockets)
    await olha.commands("help")
    await olha.receives("What I understand")


async def test_an_event_without_an_acknowledgement_comes_again_and_is_taken_once(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp, olha: SlackPerson
) -> None:
    app.ack_s = 0.0
    assert (await olha.says("Hello all")).failed == "operation_timeout"
    app.ack_s = 3.0
    await slack.delivery.settled()
    assert [one["retry"] for one in app.events][:2] == [0, 1]
    await olha.receives("Shall I make a new mailing of this message?")
    await olha.commands("help")
    await olha.receives("What I understand")
    assert len(await olha.receives("Shall I make")) == 1


async def test_socket_mode_switched_off_is_told_and_on_again_is_mended(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp, olha: SlackPerson
) -> None:
    app.link_disabled = True
    await slack.disconnect(app, "link_disabled", grace_s=0.0)
    async with asyncio.timeout(5):
        while surface.problem is None or "socket_mode_not_enabled" not in surface.problem:
            await asyncio.sleep(0.02)
    app.link_disabled = False
    await slack.until(lambda: app.sockets)
    await olha.commands("help")
    await olha.receives("What I understand")
    assert surface.problem is None


async def test_a_server_that_ends_every_connection_is_not_run_down(
    shop: Desk, slack: SlackSimulator, app: SlackApp, tmp_path: Path
) -> None:
    async with running(surface_on(shop, slack, tmp_path, app_token=APP_TOKEN, signing_secret="")):
        slack.max_connections = 0
        await asyncio.sleep(0.4)
        assert len(slack.requests(name="apps.connections.open")) <= 2


async def test_a_wrong_app_token_is_a_problem_that_is_told(
    shop: Desk, slack: SlackSimulator, app: SlackApp, tmp_path: Path
) -> None:
    async with running(surface_on(shop, slack, tmp_path, app_token="xapp-other", signing_secret="")) as surface:
        async with asyncio.timeout(5):
            while surface.problem is None:
                await asyncio.sleep(0.02)
        assert surface.problem == "Slack refuses the admin bot's socket: invalid_auth"


async def test_slack_may_be_away_when_we_start(
    shop: Desk, slack: SlackSimulator, app: SlackApp, olha: SlackPerson, tmp_path: Path
) -> None:
    slack.faults.add("bad_gateway", method="apps.connections.open", times=1)
    async with running(surface_on(shop, slack, tmp_path, app_token=APP_TOKEN, signing_secret="")) as surface:
        await slack.until(lambda: app.sockets)
        await olha.commands("help")
        await olha.receives("What I understand")
        assert surface.problem is None


async def test_noise_on_the_wire_is_left_alone(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp, olha: SlackPerson
) -> None:
    for noise in ("", "[]", "{", '"x"', '{"type":"strange"}', '{"envelope_id":"e","payload":7}'):
        await app.sockets[0].send_str(noise)
    await olha.commands("help")
    await olha.receives("What I understand")
    assert len(app.sockets) == 1
