"""The admin bot on Telegram, over real HTTP against the simulated Bot API."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.dialogs.talk import House
from bot.progress import LiveCards
from bot.screens import Button, Document, Drawn, Screen
from bot.surfaces.telegram.surface import TelegramSurface
from engine.clock import SystemClock
from engine.media import Media
from engine.settings import ApprovalRule
from gateways.base import BadSignature, Hook, Unreadable
from gateways.message import Pictures, Text
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.entities import Entity
from gateways.simulator.telegram.server import TelegramSimulator
from gateways.telegram.gateway import TelegramGateway
from storage.records import Status
from tests.bot.chat import conversation_on
from tests.bot.conftest import Desk
from tests.gateways.pictures import JPEG, PNG

TOKEN = "777000111:admin"
SECRET = "a-secret"


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSimulator]:
    simulator = TelegramSimulator()
    await simulator.start()
    simulator.add_bot(TOKEN, username="acme_admin_bot", is_admin=True)
    yield simulator
    await simulator.stop()


@pytest.fixture
def olha(telegram: TelegramSimulator) -> SimulatedClient:
    return telegram.add_client(telegram.bot(TOKEN), 1001, "Olha")


def surface_on(desk: Desk, telegram: TelegramSimulator, tmp_path: Path, **more: Any) -> TelegramSurface:
    speaker = TelegramGateway(channel="bots/telegram", token=TOKEN, media=desk.store.uploads, api_base=telegram.url)
    conversation = conversation_on(desk.store, desk.operations, desk.settings, desk.clock)
    people = conversation._people
    surface = TelegramSurface(
        conversation=conversation,
        people=people,
        places=desk.store.conversations,
        media=Media(tmp_path),
        speaker=speaker,
        clock=SystemClock(),
        token=TOKEN,
        api_base=telegram.url,
        webhook_secret=SECRET,
        **more,
    )
    people.doors["telegram"] = surface
    people.followers.append(surface.people_changed)
    return surface


@pytest.fixture
async def surface(shop: Desk, telegram: TelegramSimulator, tmp_path: Path) -> AsyncIterator[TelegramSurface]:
    """A bot that polls."""
    opened = surface_on(shop, telegram, tmp_path)
    task = asyncio.create_task(opened.run())
    yield opened
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def pressing(person: SimulatedClient, label: str, then: str) -> None:
    """Press the newest button with this label, and wait until the card (or a new message) says `then`."""
    message = next(
        one for one in reversed(person.messages) if any(label in b.label for row in one.keyboard for b in row)
    )
    button = next(b for row in message.keyboard for b in row if label in b.label)
    person.presses(message.message_id, button.label)
    await person.receives(containing=then)


async def wait_until(look: Callable[[], Awaitable[object]]) -> None:
    """Until it finds something; a card is noted a moment after it is shown."""
    async with asyncio.timeout(5):
        while not await look():  # storage tells nobody
            await asyncio.sleep(0.02)


async def test_a_mailing_is_composed_and_launched_on_telegram(
    surface: TelegramSurface, telegram: TelegramSimulator, olha: SimulatedClient, shop: Desk
) -> None:
    olha.start()
    await olha.receives(containing="Hello, Olha!")
    await pressing(olha, "New mailing", "exactly as clients should see it")
    bold = Entity("bold", 14, 4)
    olha.says("Emoji 😀 sale: bold words for {{ client.first_name }}", entities=[bold])
    await olha.receives(containing="draft #1")
    preview = next(one for one in olha.messages if one.text == "Emoji 😀 sale: bold words for Ann")
    assert [(e.type, e.offset, e.length) for e in preview.entities] == [("bold", 14, 4)]
    await pressing(olha, "Next: audience", "Now about 10 clients.")
    await pressing(olha, "Next: when", "When and how fast?")
    await pressing(olha, "Next: check", "to 10 clients now?")
    await pressing(olha, "Send to 10 clients", "– being sent")
    await wait_until(shop.store.conversations.open_cards)
    [card] = await shop.store.conversations.open_cards()
    live = next(one for one in olha.messages if "– being sent" in one.text)
    assert card.message_id == str(live.message_id)
    assert live.edited == 4  # one card, edited in place from the audience on
    answered = telegram.requests(TOKEN, "answerCallbackQuery")
    assert len(answered) == 5


async def test_a_press_is_answered_before_anything_else(
    surface: TelegramSurface, telegram: TelegramSimulator, olha: SimulatedClient
) -> None:
    olha.start()
    await olha.receives(containing="Hello, Olha!")
    before = len(telegram.requests(TOKEN))
    await pressing(olha, "Help", "What I understand")
    calls = [call.method for call in telegram.requests(TOKEN)[before:] if call.method != "getUpdates"]
    assert calls == ["answerCallbackQuery", "editMessageText"]


async def test_an_album_is_one_message_and_its_preview_an_album(
    surface: TelegramSurface, olha: SimulatedClient, shop: Desk, tmp_path: Path
) -> None:
    olha.says("/new")
    await olha.receives(containing="exactly as clients")
    pictures = [JPEG, JPEG + b"1", JPEG + b"2"]  # bytes after the end of a picture change nothing but its hash
    olha.sends_album(pictures, "Three of them")
    await olha.receives(containing="draft #1")
    mailing = await shop.operations.get(1)
    [element] = mailing.draft.message.elements
    assert isinstance(element, Pictures)
    assert element.text == "Three of them"
    assert len(element.pictures) == 3
    assert [len(Media(tmp_path).read_file(one)) for one in element.pictures] == [len(one) for one in pictures]
    album = [one for one in olha.messages if one.media]
    assert len(album) == 3
    assert len(await shop.operations.list_mailings()) == 1


async def test_a_forwarded_message_keeps_its_words_even_if_they_look_like_a_command(
    surface: TelegramSurface, olha: SimulatedClient, shop: Desk
) -> None:
    olha.says("/new")
    await olha.receives(containing="exactly as clients")
    olha.forwards("/help is on its way")
    await olha.receives(containing="draft #1")
    assert (await shop.operations.get(1)).draft.message.elements == (Text("/help is on its way"),)


async def test_a_file_that_can_not_be_fetched_is_a_sentence(
    surface: TelegramSurface, telegram: TelegramSimulator, olha: SimulatedClient
) -> None:
    olha.says("/new")
    await olha.receives(containing="exactly as clients")
    telegram.faults.add("refuse", code=400, words="Bad Request: file is too big", method="getFile", times=1)
    olha.sends_document(b"x" * 10, "price.pdf")
    await olha.receives(containing="price.pdf is larger than 20 MB")


@pytest.mark.parametrize("missing", ["setMyCommands", "deleteWebhook"])
async def test_a_server_that_lacks_what_is_a_comfort_only_is_worked_with(
    shop: Desk, telegram: TelegramSimulator, olha: SimulatedClient, tmp_path: Path, missing: str
) -> None:
    telegram.faults.add("refuse", code=404, words="Not Found: method not found", method=missing, chance=1.0)
    surface = surface_on(shop, telegram, tmp_path)
    task = asyncio.create_task(surface.run())
    try:
        olha.start()
        await olha.receives(containing="Hello, Olha!")
        assert surface.problem is None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_stranger_gets_one_sentence(surface: TelegramSurface, telegram: TelegramSimulator) -> None:
    stranger = telegram.add_client(telegram.bot(TOKEN), 4242, "Mallory")
    stranger.start()
    await stranger.receives(containing="Sorry, I work for the team of Acme only")
    stranger.says("Please")
    stranger.says("/new")
    await asyncio.sleep(0.6)
    assert len(stranger.messages) == 1


def menu_of(telegram: TelegramSimulator, person: SimulatedClient) -> list[str]:
    """The commands that Telegram offers to the person beside the input field."""
    menus = telegram.bot(TOKEN).profile.commands
    return [one["command"] for one in menus.get(f"chat/{person.user_id}/", menus["default//"])]


def words_of(telegram: TelegramSimulator, person: SimulatedClient, command: str) -> str:
    menu = telegram.bot(TOKEN).profile.commands[f"chat/{person.user_id}/"]
    return next(str(one["description"]) for one in menu if one["command"] == command)


async def test_somebody_comes_by_the_link_of_an_invitation_and_the_menu_follows_the_role(
    surface: TelegramSurface, telegram: TelegramSimulator
) -> None:
    bot = telegram.bot(TOKEN)
    ostap, petro = telegram.add_client(bot, 1002, "Ostap"), telegram.add_client(bot, 7001, "Petro")
    ostap.says("/invite Petro operator")
    [card] = await ostap.receives(containing="An invitation for Petro")
    link = next(word for word in card.text.split() if "start=" in word)
    assert link.startswith("https://t.me/acme_admin_bot?start=join-")
    assert "invite" not in menu_of(telegram, petro)
    petro.start(link.partition("start=")[2])
    await petro.receives(containing="Welcome! You belong to the team now, as operator.")
    assert {"new", "now", "saved", "segments", "stop"} < set(menu_of(telegram, petro))
    assert not {"people", "go"} & set(menu_of(telegram, petro))
    await pressing(ostap, "People", "Petro – operator")
    await pressing(ostap, "Petro", "Invited by Ostap")
    await pressing(ostap, "Make approver", "Petro – approver")
    await wait_until(lambda: asyncio.sleep(0, "approval" in menu_of(telegram, petro)))
    assert "new" not in menu_of(telegram, petro)
    petro.says("/language uk")
    await wait_until(lambda: asyncio.sleep(0, words_of(telegram, petro, "help") == "що я розумію"))
    await pressing(ostap, "Remove", "Remove Petro?")
    await pressing(ostap, "Yes, remove", "Petro is removed.")
    await wait_until(lambda: asyncio.sleep(0, menu_of(telegram, petro) == ["help"]))


async def test_in_a_group_the_right_is_that_of_who_presses(
    surface: TelegramSurface, telegram: TelegramSimulator, olha: SimulatedClient, shop: Desk
) -> None:
    bot = telegram.bot(TOKEN)
    group, ostap = bot.add_group(-1001, "Ops"), telegram.add_client(bot, 1002, "Ostap")
    shop.operations.checker._settings = replace(shop.settings, approval=ApprovalRule(above=5))
    olha.says("Hello all")
    await olha.receives(containing="Shall I make a new mailing")
    await pressing(olha, "New mailing", "draft #1")
    olha.says("/launch 1")
    await olha.receives(containing="Ask for the approval")
    await pressing(olha, "Ask for approval", "Asked: Ostap.")
    told = LiveCards(
        operations=shop.operations,
        store=shop.store,
        surfaces={"telegram": surface},
        people=surface._conversation._people,
        settings=shop.settings,
        house=House(name="Acme"),
        clock=shop.clock,
        team_chats={"telegram": "-1001"},
    )
    await told.tick()
    [card] = await group.receives(containing="Approval · “Hello all” #1")
    group.pressed_by(olha, card.message_id, "✅ Approve")
    await group.receives(containing="⚠ Olha: Your role does not include that")
    group.hears(olha, "Who may, then?")
    group.pressed_by(ostap, card.message_id, "✖ Reject…")
    [asked] = await group.receives(containing="Why not “Hello all”?")
    assert "as a reply to this message" in asked.text
    group.hears(ostap, "Too many exclamation marks")
    await group.receives(containing="Rejected: “Hello all” stays as it is")
    await told.tick()
    await olha.receives(containing="Ostap has rejected “Hello all”: Too many exclamation marks")
    assert (await shop.operations.get(1)).status is Status.DRAFT


async def test_a_file_of_clients_is_the_audience(surface: TelegramSurface, olha: SimulatedClient, shop: Desk) -> None:
    olha.says("/new Spring")
    await olha.receives(containing="exactly as clients")
    olha.says("Hello all")
    await olha.receives(containing="draft #1")
    await pressing(olha, "Next: audience", "Now about 10 clients.")
    await pressing(olha, "From a file", "Send me a CSV or an Excel file")
    olha.sends_document(b"id,who\nc1,Ann\nc2,Bohdan\nzz,Nobody\n", "vip.csv")
    await olha.receives(containing="1 row is nobody we know.")
    await pressing(olha, "Use these 2 clients", "Now about 2 clients.")
    [term] = (await shop.operations.get(1)).draft.audience["where"]
    assert term["is"].startswith("vip.csv ")


async def test_a_card_that_can_not_be_edited_is_sent_anew(
    surface: TelegramSurface, telegram: TelegramSimulator, olha: SimulatedClient
) -> None:
    olha.start()
    await olha.receives(containing="Hello, Olha!")
    telegram.faults.add(
        "refuse", code=400, words="Bad Request: message can't be edited", method="editMessageText", times=1
    )
    await pressing(olha, "Help", "What I understand")
    assert len(olha.messages) == 2


async def test_an_unchanged_card_is_no_error(surface: TelegramSurface, olha: SimulatedClient) -> None:
    olha.says("/stats")
    [card] = await olha.receives(containing="Statistics")
    again = Screen(text="<b>Same</b>")
    first = await surface.edit("1001", str(card.message_id), again)
    assert await surface.edit("1001", first, again) == str(card.message_id)


async def test_the_webhook_answers_once_the_event_is_committed(
    shop: Desk, telegram: TelegramSimulator, olha: SimulatedClient, tmp_path: Path
) -> None:
    surface = surface_on(shop, telegram, tmp_path, polls=False, public_url="https://m.acme.test")
    task = asyncio.create_task(surface.run())
    try:
        body = update_saying(7, "/start")
        headers = {"x-telegram-bot-api-secret-token": SECRET}
        await surface.take_hook(Hook("POST", headers, {}, body))
        await surface.take_hook(Hook("POST", headers, {}, body))
        assert len(await olha.receives(containing="Hello, Olha!")) == 1
        with pytest.raises(BadSignature):
            await surface.take_hook(Hook("POST", {"x-telegram-bot-api-secret-token": "wrong"}, {}, body))
        with pytest.raises(BadSignature):
            await surface.take_hook(Hook("POST", {}, {}, body))
        for unreadable in (b"", b"[]", b'{"update_id": "x"}', b"\xff"):
            with pytest.raises(Unreadable):
                await surface.take_hook(Hook("POST", headers, {}, unreadable))
        [call] = telegram.requests(TOKEN, "setWebhook")
        assert call.values["url"] == "https://m.acme.test/hooks/bots/telegram"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_album_whose_pieces_came_before_a_restart_is_taken_up(
    shop: Desk, telegram: TelegramSimulator, olha: SimulatedClient, tmp_path: Path
) -> None:
    telegram_ids = olha.sends_album([JPEG, JPEG], "Both")
    first = surface_on(shop, telegram, tmp_path, polls=False, public_url="https://m.acme.test")
    headers = {"x-telegram-bot-api-secret-token": SECRET}
    for stored in olha.chat[-2:]:
        body = json.dumps({"update_id": stored.message_id, "message": stored.raw}).encode()
        await first.take_hook(Hook("POST", headers, {}, body))
    assert len(telegram_ids) == 2
    await first.close()
    second = surface_on(shop, telegram, tmp_path, polls=False, public_url="https://m.acme.test")
    task = asyncio.create_task(second.run())
    try:
        await olha.receives(containing="Shall I make a new mailing of this message?")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def update_saying(number: int, text: str) -> bytes:
    person = {"id": 1001, "is_bot": False, "first_name": "Olha"}
    chat = {"id": 1001, "type": "private"}
    message = {"message_id": number, "from": person, "chat": chat, "date": 1798761600, "text": text}
    return json.dumps({"update_id": number, "message": message}).encode()


async def test_the_last_file_carries_a_short_card_and_a_long_one_follows(
    surface: TelegramSurface, telegram: TelegramSimulator, olha: SimulatedClient
) -> None:
    olha.start()
    await olha.receives(containing="Hello, Olha!")
    files = (Document("report-7.csv", b"sent;9"), Document("report-7.xlsx", b"PK"))
    rows = ((Button("Statistics", "s:of:7"),),)
    await surface.show("1001", Screen("<b>Finished</b>", rows, files=files))
    assert [one.text for one in olha.messages[-2:]] == ["", "Finished"]
    assert olha.messages[-1].keyboard[0][0].label == "Statistics"
    carrier = str(olha.messages[-1].message_id)  # holds a file: what is pressed there is answered below it
    assert await surface.edit("1001", carrier, Screen("<b>Numbers</b>")) != carrier
    assert olha.messages[-1].text == "Numbers"
    shown = await surface.show("1001", Screen("word " * 500, rows, files=files[:1]))
    assert [bool(one.keyboard) for one in olha.messages[-2:]] == [False, True]
    assert str(olha.messages[-1].message_id) == shown


async def test_a_token_that_dies_is_noticed_where_telegram_calls_us_too(
    shop: Desk, telegram: TelegramSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.surfaces.telegram.surface.LOOK_AGAIN_S", 0.05)
    surface = surface_on(shop, telegram, tmp_path, polls=False, public_url="https://m.acme.test")
    task = asyncio.create_task(surface.run())

    async def fails() -> bool:
        return surface.problem == "Telegram refuses the admin bot's token"

    await wait_until(lambda: asyncio.sleep(0, telegram.requests(TOKEN, "setWebhook")))
    assert surface.problem is None
    telegram.faults.add("refuse", code=401, words="Unauthorized", chance=1.0)
    await wait_until(fails)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_pictures_beside_each_other_are_an_album(
    surface: TelegramSurface, telegram: TelegramSimulator, olha: SimulatedClient
) -> None:
    drawn = tuple(Drawn(f"Messenger {number}", JPEG) for number in range(11))
    await surface.show("1001", Screen("Eleven", album=drawn))
    shown = [one for one in olha.messages if one.media]
    assert [one.text for one in shown] == [one.title for one in drawn]
    assert len({one.media_group_id for one in shown}) == 2  # ten in one, and the eleventh by itself
    telegram.faults.add("refuse", code=400, words="Bad Request: PHOTO_INVALID_DIMENSIONS", method="sendPhoto", times=1)
    await surface.show("1001", Screen("One", album=drawn[:1]))
    assert "Telegram did not take the preview: " in olha.messages[-1].text
    assert olha.messages[-1].text.endswith("One")


async def test_a_chart_takes_the_place_of_the_card_that_was_pressed(
    surface: TelegramSurface, olha: SimulatedClient
) -> None:
    chart = Screen("<b>Numbers</b>", picture=PNG)
    first = await surface.show("1001", Screen("Of which mailing?"))
    assert await surface.edit("1001", first, chart) == first
    assert await surface.edit("1001", first, replace(chart, text="<b>Newer</b>")) == first
    (card,) = olha.messages
    assert (card.text, bool(card.media)) == ("Newer", True)
    assert await surface.edit("1001", first, Screen("A text again")) != first
    assert await surface.edit("1001", first, replace(chart, text="x" * 1025)) != first  # too long for a caption
