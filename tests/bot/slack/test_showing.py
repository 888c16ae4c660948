"""What Slack makes difficult: limits, throttling, messages that are gone, a token that died."""

import asyncio
from pathlib import Path

import pytest

from bot.screens import Busy, Button, Document, Drawn, Screen, Unreachable
from bot.surfaces.slack.api import SlackError
from bot.surfaces.slack.surface import SlackSurface
from gateways.simulator.slack.delivery import SlackApp
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator
from tests.bot.conftest import Desk
from tests.bot.slack.conftest import TOKEN, pressing, surface_on
from tests.gateways.pictures import JPEG, PNG

SLOW = 0.3  # seconds that Slack asks to wait


async def test_an_answer_waits_as_long_as_slack_asks(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson
) -> None:
    slack.faults.add("throttle", method="chat.postMessage", times=1, retry_after_s=SLOW)
    began = asyncio.get_running_loop().time()
    await olha.commands()
    await olha.receives("Hello, Olha!")
    assert asyncio.get_running_loop().time() - began >= SLOW
    assert [call.outcome for call in slack.requests(TOKEN, "chat.postMessage")] == ["429", "200"]


async def test_a_live_card_is_told_to_wait(surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson) -> None:
    shown = await surface.show("U01OLHA", Screen("<b>First</b>"))
    slack.faults.add("throttle", method="chat.update", times=1, retry_after_s=7)
    with pytest.raises(Busy) as busy:
        await surface.edit("U01OLHA", shown, Screen("Second"))
    assert busy.value.retry_after_s == 7
    assert await surface.edit("U01OLHA", shown, Screen("Second")) == shown
    assert [one.shown for one in olha.messages] == ["Second"]


async def test_live_cards_together_keep_within_slacks_tier(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson
) -> None:
    shown = await surface.show("U01OLHA", Screen("0"))
    updated, busy = 0, None
    while busy is None and updated < 100:
        updated += 1
        try:
            await surface.edit("U01OLHA", shown, Screen(str(updated)))
        except Busy as told:
            busy = told
    assert busy is not None
    assert updated <= 50 // 2
    assert 0 < busy.retry_after_s <= 60 / 45
    await olha.commands()  # people go first
    await olha.receives("Hello, Olha!")
    await pressing(olha, "Help", "What I understand")


@pytest.mark.parametrize("code", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_card_that_can_not_be_updated_is_posted_anew(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson, code: str
) -> None:
    await olha.commands()
    await olha.receives("Hello, Olha!")
    slack.faults.add("refuse", words=code, method="chat.update", times=1)
    await pressing(olha, "Help", "What I understand")
    assert len(olha.messages) == 2


async def test_trouble_of_slacks_is_outlasted(surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson) -> None:
    slack.faults.add("bad_gateway", method="chat.postMessage", times=1)
    await olha.commands()
    await olha.receives("Hello, Olha!", timeout_s=8)


@pytest.mark.parametrize("chat", ["U0NOBODY", "C0NOWHERE"])
async def test_a_chat_that_is_not_there_can_never_be_reached(surface: SlackSurface, chat: str) -> None:
    with pytest.raises(Unreachable):
        await surface.show(chat, Screen("Hello"))


async def test_the_team_chat_must_have_the_bot_in_it(surface: SlackSurface, slack: SlackSimulator) -> None:
    ops = slack.add_channel("C0OPS", "U01OLHA")
    with pytest.raises(Unreachable):
        await surface.show("C0OPS", Screen("started"))
    ops.members.add("UBOT")
    shown = await surface.show("C0OPS", Screen("started"))
    assert shown == f"C0OPS:{ops.messages[-1].ts}"


async def test_a_long_card_comes_in_pieces_with_its_buttons_under_the_last(
    surface: SlackSurface, olha: SlackPerson
) -> None:
    rows = tuple(tuple(Button(f"{row}.{number}", f"t:{row}") for number in range(30)) for row in range(40))
    text = "\n".join(f"<b>row {number}</b> of a long card" for number in range(300))
    await surface.show("U01OLHA", Screen(text, rows=rows))
    texts = [one for one in olha.messages if not one.buttons]
    assert len(texts) >= 2
    assert "\n".join(one.shown for one in olha.messages if one.shown != "…").count("row") == 300
    assert sum(len(one.buttons) for one in olha.messages) == 40 * 30


async def test_a_picture_stands_above_its_card(surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson) -> None:
    await surface.show("U01OLHA", Screen("<b>Statistics</b>\nof a mailing", picture=PNG))
    await olha.receives("Statistics")
    await slack.until(lambda: len(olha.messages) == 2)
    shared = next(one for one in olha.messages if one.files)
    assert (shared.files[0].content, shared.files[0].title) == (PNG, "Statistics")


async def test_pictures_beside_each_other_are_one_message(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson
) -> None:
    album = (Drawn("Telegram", PNG, "Hello"), Drawn("WhatsApp · wa-shop", PNG, "Hello"))
    await surface.show("U01OLHA", Screen("<b>Pictures</b>", album=album))
    await slack.until(lambda: any(one.files for one in olha.messages))
    shared = next(one for one in olha.messages if one.files)
    assert [(one.title, one.content) for one in shared.files] == [("Telegram", PNG), ("WhatsApp · wa-shop", PNG)]


async def test_files_stand_above_their_card(surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson) -> None:
    files = (Document("report-7.csv", b"sent;9"), Document("report-7.xlsx", b"PK"))
    await surface.show("U01OLHA", Screen("<b>Finished</b>", files=files))
    await slack.until(lambda: any(one.files for one in olha.messages))
    shared = next(one for one in olha.messages if one.files)
    assert [(one.title, one.content) for one in shared.files] == [("report-7.csv", b"sent;9"), ("report-7.xlsx", b"PK")]


async def test_a_picture_that_slack_does_not_take_is_told_of(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson
) -> None:
    slack.faults.add("refuse", words="file_uploads_disabled", method="files.getUploadURLExternal", times=1)
    await surface.show("U01OLHA", Screen("Numbers", picture=PNG))
    [card] = olha.messages
    assert card.shown == "⚠ Slack did not take the picture or file: file_uploads_disabled\n\nNumbers"


@pytest.mark.parametrize(
    ("scopes", "size", "words"),
    [
        ("commands", None, "Slack does not let me read price.jpg: the app needs the scope files:read."),
        ("files:read", 60_000_000, "price.jpg is larger than 50 MB"),
    ],
)
async def test_a_file_that_can_not_be_had_is_a_sentence(
    surface: SlackSurface,
    slack: SlackSimulator,
    olha: SlackPerson,
    app: SlackApp,
    scopes: str,
    size: int | None,
    words: str,
) -> None:
    await olha.commands("new")
    await olha.receives("exactly as clients")
    app.scopes = scopes
    file = slack.add_file("price.jpg", JPEG, "image/jpeg")
    if size:
        file.claimed_size = size
    await olha.says("Look", files=[file])
    await olha.receives(words)


async def test_a_token_that_died_is_seen_told_and_mended(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson, app: SlackApp
) -> None:
    await slack.until(lambda: surface.problem is None and slack.requests(TOKEN, "auth.test"))
    app.revoked = "token_revoked"
    with pytest.raises(SlackError):
        await surface.show("U01OLHA", Screen("Hello"))
    assert surface.problem == "Slack refuses the admin bot's token: token_revoked"


async def test_slack_may_say_itself_that_the_app_was_removed(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp
) -> None:
    app.revoked = "account_inactive"
    event = {"type": "app_uninstalled"}
    assert (await slack.delivery.event(app, slack.event_of(app, event))).status == 200
    async with asyncio.timeout(5):
        while surface.problem is None or "account_inactive" not in surface.problem:
            await asyncio.sleep(0.02)
    app.revoked = ""
    surface._look.set()
    async with asyncio.timeout(5):
        while surface.problem is not None:
            await asyncio.sleep(0.02)


async def test_a_wrong_token_is_a_problem_from_the_start(shop: Desk, slack: SlackSimulator, tmp_path: Path) -> None:
    surface = surface_on(shop, slack, tmp_path)
    task = asyncio.create_task(surface.run())
    async with asyncio.timeout(5):
        while surface.problem is None:
            await asyncio.sleep(0.02)
    assert surface.problem == "Slack refuses the admin bot's token: invalid_auth"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
