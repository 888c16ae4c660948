"""The simulated clients' phones: over the simulator, and through the page."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, FormData

from bot.surfaces.console.phones import Phone
from bot.surfaces.console.telegram_phones import TelegramPhones, rich_text
from gateways.markup import RichText, Span
from gateways.simulator.telegram.entities import Entity
from gateways.simulator.telegram.server import TelegramSimulator
from tests.bot.console.script import Site, site
from tests.bot.console.test_files import picture

TOKEN = "1:demo"
KEYBOARD = {
    "inline_keyboard": [[{"text": "Site", "url": "https://acme.test"}, {"text": "More", "callback_data": "c1.1"}]]
}


@pytest.fixture
async def simulator() -> AsyncIterator[TelegramSimulator]:
    started = TelegramSimulator()
    bot = started.add_bot(TOKEN)
    bot.add_client(7, "Olena", last_name="Koval")
    bot.add_client(8, "Piotr")
    bot.add_client(9, "Nobody")
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
def phones(simulator: TelegramSimulator) -> TelegramPhones:
    return TelegramPhones(simulator, simulator.bot(TOKEN), [7, 8], channel="tg-shop")


@pytest.fixture
async def console(tmp_path: Path, phones: TelegramPhones) -> AsyncIterator[Site]:
    async with site(tmp_path, demo=True, phones=phones) as served:
        await served.enter()
        yield served


async def call(simulator: TelegramSimulator, method: str, **values: Any) -> Any:
    form = FormData()
    for name, value in values.items():
        if isinstance(value, bytes):
            form.add_field(name, value, filename="picture.png")
        else:
            form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    async with ClientSession() as session, session.post(f"{simulator.url}/bot{TOKEN}/{method}", data=form) as answer:
        assert answer.status == 200
        return (await answer.json())["result"]


async def test_a_phone_shows_what_arrived(simulator: TelegramSimulator, phones: TelegramPhones) -> None:
    await call(
        simulator,
        "sendPhoto",
        chat_id=7,
        caption="<b>Hi</b>",
        parse_mode="HTML",
        photo=picture(),
        reply_markup=KEYBOARD,
    )
    (message,) = phones.messages("7")
    assert message["text"] == [{"tag": "b", "nodes": ["Hi"]}]
    assert message["media"] == [{"kind": "picture", "url": "/console/phones/7/1", "name": ""}]
    assert message["rows"] == [[{"label": "Site", "url": "https://acme.test/"}, {"label": "More"}]]
    assert phones.picture("7", "1").content == picture()
    assert phones.picture("7", "1").content_type == "image/png"


async def test_only_the_chosen_clients_have_phones(simulator: TelegramSimulator, phones: TelegramPhones) -> None:
    with phones.events() as events:
        await call(simulator, "sendMessage", chat_id=9, text="Not shown")
        await call(simulator, "sendMessage", chat_id=8, text="Shown")
        event = await anext(events)
    assert (event.phone, event.what["message"]["text"]) == ("8", ["Shown"])
    assert phones.phones() == [
        Phone("7", "Olena Koval", "Telegram", "tg-shop", "active", "telegram"),
        Phone("8", "Piotr", "Telegram", "tg-shop", "active", "telegram"),
    ]


async def test_what_a_client_does_on_the_page_reaches_the_bot(simulator: TelegramSimulator, console: Site) -> None:
    await call(simulator, "sendMessage", chat_id=7, text="Hi", reply_markup=KEYBOARD)
    async with console.page() as page:
        hello = await page.told("hello")
        assert [phone["name"] for phone in hello["phones"]] == ["Olena Koval", "Piotr"]
        assert hello["phones"][0]["messages"][0]["text"] == ["Hi"]
        await page.say(type="phone", phone="7", do="press", message="1", number=1)
        await page.say(type="phone", phone="8", do="say", text=" STOP ")
        said = await page.told("phone")
        assert (said["phone"], said["message"]["side"], said["message"]["text"]) == ("8", "me", ["STOP"])
        await page.say(type="phone", phone="8", do="block")
        assert (await page.told("phone"))["state"] == "blocked"
        await page.say(type="phone", phone="8", do="unblock")
        assert (await page.told("phone"))["state"] == "active"
    updates = await call(simulator, "getUpdates")
    assert [next(kind for kind in update if kind != "update_id") for update in updates] == [
        "callback_query",
        "message",
        "my_chat_member",
        "my_chat_member",
    ]
    assert updates[0]["callback_query"]["data"] == "c1.1"


@pytest.mark.parametrize(
    "frame",
    [
        {"phone": "9", "do": "say", "text": "Hi"},
        {"phone": "7", "do": "press", "message": "99", "number": 0},
        {"phone": "7", "do": "press", "message": "1", "number": 99},
        {"phone": "7", "do": "press", "message": "1", "number": -1},
    ],
)
async def test_a_touch_of_what_is_not_there_does_nothing(
    simulator: TelegramSimulator, console: Site, frame: dict[str, Any]
) -> None:
    await call(simulator, "sendMessage", chat_id=7, text="Hi", reply_markup=KEYBOARD)
    async with console.page() as page:
        await page.say(type="phone", **frame)
        await page.say(type="say", key="key-0001", html="Hi")
        await page.told("done")
    assert await call(simulator, "getUpdates") == []


async def test_a_message_on_a_phone_is_edited_and_deleted(simulator: TelegramSimulator, phones: TelegramPhones) -> None:
    await call(simulator, "sendMessage", chat_id=7, text="Hi")
    with phones.events() as events:
        await call(simulator, "editMessageText", chat_id=7, message_id=1, text="Hello")
        edited = (await anext(events)).what
        await call(simulator, "deleteMessage", chat_id=7, message_id=1)
        deleted = (await anext(events)).what
    assert (edited["message"]["text"], edited["message"]["edited"]) == (["Hello"], True)
    assert deleted == {"kind": "deleted", "id": "1"}


async def test_the_answer_to_a_press_is_a_note_on_the_phone(
    simulator: TelegramSimulator, phones: TelegramPhones
) -> None:
    await call(simulator, "sendMessage", chat_id=7, text="Hi", reply_markup=KEYBOARD)
    phones.press("7", "1", 1)
    (update,) = await call(simulator, "getUpdates")
    with phones.events() as events:
        await call(simulator, "answerCallbackQuery", callback_query_id=update["callback_query"]["id"], text="Thanks")
        assert (await anext(events)).what == {"kind": "note", "text": "Thanks"}


async def test_pictures_of_phones_are_served_to_the_page(simulator: TelegramSimulator, console: Site) -> None:
    await call(simulator, "sendPhoto", chat_id=7, photo=picture())
    async with console.session.get(f"{console.url}/console/phones/7/1") as answer:
        assert (answer.content_type, await answer.read()) == ("image/png", picture())
    for path in ("7/2", "9/1", "x/y"):
        async with console.session.get(f"{console.url}/console/phones/{path}") as answer:
            assert answer.status == 404


async def test_phones_stand_on_the_page_of_the_demo_only(tmp_path: Path, phones: TelegramPhones) -> None:
    async with site(tmp_path, phones=phones) as served:
        await served.enter()
        async with served.page() as page:
            assert "phones" not in await page.told("hello")


def test_entities_count_in_utf16_units() -> None:
    bold = Entity("bold", 3, 2)
    assert rich_text("🔔 Hi", [bold]) == RichText("🔔 Hi", (Span("b", 2, 4),))
    assert rich_text("Hi", [Entity("bold", 1, 99), Entity("hashtag", 0, 2)]) == RichText("Hi", (Span("b", 1, 2),))
