"""What comes to /hooks/bots/slack: proved, kept, acknowledged at once, taken once."""

import asyncio
import json
import logging
import time
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.surfaces.slack.surface import SlackSurface
from gateways.simulator.slack.delivery import SlackApp, signed
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator
from tests.bot.conftest import Desk
from tests.bot.slack.conftest import APP_TOKEN, SECRET, TOKEN, hooked, pressing, running, surface_on, wait_until


async def test_a_wrong_signature_changes_nothing(surface: SlackSurface, olha: SlackPerson, app: SlackApp) -> None:
    app.signing_secret = "another"
    assert (await olha.commands("new")).status == 403
    app.signing_secret, app.clock_s = SECRET, -400.0
    assert (await olha.commands("new")).status == 403
    app.clock_s = 400.0
    assert (await olha.says("Hello")).status == 403
    assert olha.messages == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Slack-Request-Timestamp": "now", "X-Slack-Signature": "v0=00"},
        {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=ключ"},
        {"X-Slack-Request-Timestamp": "9" * 40, "X-Slack-Signature": "v0=00"},
    ],
)
async def test_a_request_without_a_proof_is_refused(
    surface: SlackSurface, app: SlackApp, headers: dict[str, str]
) -> None:
    async with aiohttp.ClientSession() as session, session.post(app.hook, data=b"{}", headers=headers) as answer:
        assert answer.status == 403


async def test_the_worked_example_of_a_signature_is_ours_too() -> None:
    body = b"team_id=T0ACME&channel_id=C0OPS&user_id=U01OLHA&command=%2Fbells&text=status+7&trigger_id=11.22.33"
    assert signed("carillon-signing-secret", body, 1795245000)["X-Slack-Signature"] == (
        "v0=1dcfccfbf89d7a7493e604cbeece21baed6895e4f9881bee764e2eb8693395a0"
    )


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a"', b"\xff\xfe", b'"x"', b"payload=x", b"payload=%5B1%5D"])
async def test_a_signed_body_that_can_not_be_read_is_an_answer(
    surface: SlackSurface, app: SlackApp, body: bytes
) -> None:
    headers = {"Content-Type": "application/json", **signed(SECRET, body, time.time())}
    async with aiohttp.ClientSession() as session, session.post(app.hook, data=body, headers=headers) as answer:
        assert answer.status in (200, 400)


async def test_slack_may_check_the_address(surface: SlackSurface, app: SlackApp) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    headers = {"Content-Type": "application/json", **signed(SECRET, body, time.time())}
    async with aiohttp.ClientSession() as session, session.post(app.hook, data=body, headers=headers) as answer:
        assert (answer.status, await answer.json()) == (200, {"challenge": "abc"})
    ssl_check = urlencode({"ssl_check": "1", "token": "x"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", **signed(SECRET, ssl_check, time.time())}
    async with aiohttp.ClientSession() as session, session.post(app.hook, data=ssl_check, headers=headers) as answer:
        assert answer.status == 200


async def test_an_acknowledgement_waits_for_no_answer(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson
) -> None:
    slack.faults.delay_answers(1.0, method="chat.postMessage")
    ack = await olha.commands()
    assert ack.status == 200
    assert ack.took_s < 0.9
    assert olha.messages == []
    await olha.receives("Hello, Olha!")


async def test_a_repeated_event_is_taken_once(
    surface: SlackSurface, olha: SlackPerson, app: SlackApp, shop: Desk
) -> None:
    await olha.commands("new")
    await olha.receives("exactly as clients")
    await olha.says("Hello all")
    await olha.receives("draft #1")
    event = app.events[-1]["payload"]
    shown = len(olha.messages)
    await asyncio.gather(*(olha.repeats(event) for _ in range(3)))
    await olha.commands("help")
    await olha.receives("What I understand")
    assert len(olha.messages) == shown + 1
    assert len(await shop.operations.list_mailings()) == 1


async def test_an_event_that_could_not_be_kept_is_brought_again(
    shop: Desk, slack: SlackSimulator, app: SlackApp, olha: SlackPerson, tmp_path: Path
) -> None:
    """Slack repeats what met a server that was away."""
    app.hook = "http://127.0.0.1:9/hooks/bots/slack"
    app.retries_s = (0.3, 0.3)
    await olha.says("Hello all")
    async with running(surface_on(shop, slack, tmp_path)) as surface, hooked(surface, app):
        await olha.receives("Shall I make a new mailing of this message?")
    assert [one["retry"] for one in app.events][:2] == [0, 1]


async def test_what_was_acknowledged_before_a_restart_is_answered_after_it(
    shop: Desk, slack: SlackSimulator, app: SlackApp, olha: SlackPerson, tmp_path: Path
) -> None:
    first = surface_on(shop, slack, tmp_path)  # it takes requests, and ends before it runs
    async with hooked(first, app):
        assert (await olha.says("Hello all")).status == 200
        assert (await olha.commands("new")).status == 200
    assert olha.messages == []
    async with running(surface_on(shop, slack, tmp_path)):
        await olha.receives("Shall I make a new mailing of this message?")
        await olha.receives("exactly as clients")
        await wait_until(lambda: _nothing_waits(shop))


async def _nothing_waits(shop: Desk) -> bool:
    places = await shop.store.conversations.places_on("slack inbox")
    return all(not place.state.get("waiting") for place in places)


async def test_a_restart_between_question_and_answer_loses_nothing(
    shop: Desk, slack: SlackSimulator, app: SlackApp, olha: SlackPerson, tmp_path: Path
) -> None:
    async with running(surface_on(shop, slack, tmp_path)) as surface, hooked(surface, app):
        await olha.commands("new")
        await olha.receives("exactly as clients")
        await olha.presses(olha.messages[-1], "window")
        await olha.sees_window()
    async with running(surface_on(shop, slack, tmp_path)) as surface, hooked(surface, app):
        await olha.submits("Hello all")
        await olha.receives("draft #1")
        await pressing(olha, "Next: audience", "Now about 10 clients.")


async def test_a_stranger_gets_one_sentence_that_others_do_not_see(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp
) -> None:
    mallory = slack.add_person(app, "U09MALLORY", "Mallory")
    ops = slack.add_channel("C0OPS", "U09MALLORY", "UBOT")
    await mallory.commands("new", where="C0OPS")
    told = await mallory.is_whispered("Sorry, I work for the team of Acme only")
    assert "U09MALLORY" in told.shown
    await mallory.says("Please")
    await mallory.commands("stop", where="C0OPS")
    await slack.delivery.settled()
    await asyncio.sleep(0.2)
    assert (mallory.messages, ops.messages, len(mallory.whispers)) == ([], [], 1)


async def test_in_a_channel_the_right_belongs_to_who_presses(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp, olha: SlackPerson, shop: Desk
) -> None:
    maria = slack.add_person(app, "U03MARIA", "Maria")
    mallory = slack.add_person(app, "U09MALLORY", "Mallory")
    slack.add_channel("C0OPS", "U01OLHA", "U03MARIA", "U09MALLORY", "UBOT")
    await olha.mentions("C0OPS", "new")
    [card] = await olha.receives("exactly as clients", where="C0OPS")
    await mallory.presses(card, "Cancel")
    await mallory.is_whispered("Sorry, I work for the team of Acme only")
    await maria.presses(card, "window")
    await maria.is_whispered("Somebody else was asked that")
    await maria.presses(card, "Cancel")
    await maria.is_whispered("⚠ Maria: You may ask for statistics")
    await olha.presses(card, "Cancel")
    await olha.receives("Hello, Olha!", where="C0OPS")
    assert await shop.operations.list_mailings() == []


async def test_a_command_given_elsewhere_is_answered_in_the_own_chat(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson
) -> None:
    ops = slack.add_channel("C0OPS", "U01OLHA", "UBOT")
    await olha.commands("help", where="C0OPS")
    await olha.receives("What I understand")
    await olha.is_whispered("I have answered you in our own chat.")
    assert ops.messages == []
    await olha.commands("help")
    await olha.receives("What I understand", number=2)
    assert len(olha.whispers) == 1


async def test_what_is_no_word_of_a_person_is_left_alone(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson, app: SlackApp
) -> None:
    others = [{"subtype": "message_changed"}, {"bot_id": "B0OTHER"}, {"user": "UBOT"}, {"user": ""}]
    for number, more in enumerate(others):
        event = {
            "type": "message",
            "channel": olha.dm.id,
            "user": olha.id,
            "text": "Hello",
            "ts": f"1.{number}",
            **more,
        }
        assert (await slack.delivery.event(app, slack.event_of(app, event))).status == 200
    for event in ({"type": "app_home_opened", "user": "U01OLHA", "tab": "home"}, {"type": "reaction_added"}):
        assert (await slack.delivery.event(app, slack.event_of(app, event))).status == 200
    await asyncio.sleep(0.2)
    assert olha.messages == []


async def test_a_bot_of_socket_mode_takes_no_requests(
    shop: Desk, slack: SlackSimulator, app: SlackApp, olha: SlackPerson, tmp_path: Path
) -> None:
    surface = surface_on(shop, slack, tmp_path, app_token=APP_TOKEN)
    async with hooked(surface, app):
        assert (await olha.commands("new")).status == 403


async def test_no_secret_and_no_words_are_in_a_log(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.faults.add("error", method="chat.postMessage", times=1, code=503)
    await olha.commands("new")
    await olha.receives("exactly as clients")
    await olha.says("Unmistakable words")
    await olha.receives("draft #1")
    for secret in (TOKEN, SECRET, "Unmistakable", "/respond/"):
        assert secret not in caplog.text
