"""What a person does on the page and what stands in the chat then, over a real socket."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import WSMsgType

from bot.screens import Button, Command, Document, Drawn, Event, Press, Said, Screen, Unreachable
from bot.surfaces.console.chat import MAX_ENTRIES, Chat
from bot.surfaces.console.socket import BURST, MAX_FRAME_BYTES, MAX_TEXT, RATE, Pace, meant
from engine.clock import FakeClock, SystemClock
from gateways.base import Outgoing, Part, PartKind
from gateways.markup import RichText
from tests.bot.console.script import Page, Site

MENU = Screen("<b>Menu</b>", ((Button("New mailing", "c:new"),),), edit=True)
FORM = Screen("Send me the message", ask="The message", edit=True)
PREVIEW = (Outgoing("7", Part(PartKind.TEXT), RichText("Hi Olena"), (), (), "r"),)


def by_event(answers: dict[object, Screen | Sequence[Screen]]) -> Any:
    def answer(event: Event) -> Sequence[Screen]:
        what = event.what
        name = what.token if isinstance(what, Press) else what.name if isinstance(what, Command) else "said"
        found = answers.get(name, ())
        return [found] if isinstance(found, Screen) else found

    return answer


async def entries(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await page.told("hello"))["entries"]
    return found


async def test_an_empty_chat_opens_with_the_menu(console: Site) -> None:
    console.script.answer = by_event({"start": MENU})
    await console.enter()
    async with console.page() as page:
        assert await entries(page) == []
        entry = (await page.told("entry"))["entry"]
    assert (entry["side"], entry["text"]) == ("bot", [{"tag": "b", "nodes": ["Menu"]}])
    assert [event.what for event in console.script.heard] == [Command("start")]


async def test_the_history_stands_there_after_a_new_connection(console: Site) -> None:
    console.script.answer = by_event({"start": MENU})
    await console.enter()
    async with console.page() as page:
        first = (await page.told("entry"))["entry"]
    async with console.page() as page:
        assert await entries(page) == [first]
    assert len(console.script.heard) == 1


async def test_what_is_typed_becomes_an_event_and_stands_in_the_chat(console: Site) -> None:
    console.script.answer = by_event({"said": FORM})
    await console.enter()
    async with console.page() as page:
        await page.say(type="say", key="key-0001", html="<b>Hello</b> &amp; welcome")
        mine = (await page.told("entry"))["entry"]
        answer = (await page.told("entry"))["entry"]
        assert (await page.told("ask"))["text"] == "The message"
        assert (await page.told("done"))["key"] == "key-0001"
    event = console.script.heard[-1]
    assert event == Event("console", "Ann", "Ann", "Ann:key-0001", Said("<b>Hello</b> &amp; welcome"))
    assert (mine["side"], mine["text"]) == ("me", [{"tag": "b", "nodes": ["Hello"]}, " & welcome"])
    assert (answer["side"], answer["text"]) == ("bot", ["Send me the message"])


TYPED = [
    ("/stats week", Command("stats", "week")),
    ("/NEW", Command("new")),
    ("/why 7 O&#x27;Brien &amp; Sons", Command("why", "7 O'Brien & Sons")),
    ("/ what", Said("/ what")),
    ("/new\nline", Said("/new\nline")),
    ("3 &lt; 4", Said("3 &lt; 4")),
    ("&lt;b&gt;Hi&lt;/b&gt; {{ client.name }}", Said("<b>Hi</b> {{ client.name }}")),
    ("&lt;b&gt;Hi", Said("&lt;b&gt;Hi")),
    ("<i>&lt;b&gt;Hi&lt;/b&gt;</i>", Said("<i>&lt;b&gt;Hi&lt;/b&gt;</i>")),
    ("<script>x</script>", Said("&lt;script&gt;x&lt;/script&gt;")),
    ("{% if client.ltv &gt; 3 %}A{% endif %}", Said("{% if client.ltv &gt; 3 %}A{% endif %}")),
]


@pytest.mark.parametrize(("typed", "what"), TYPED)
def test_typed_words_are_a_command_or_a_text_in_our_subset(typed: str, what: Command | Said) -> None:
    assert meant(typed) == what


async def test_a_press_changes_its_card_in_place(console: Site) -> None:
    console.script.answer = by_event(
        {"start": MENU, "c:new": [Screen(toast="Saved"), FORM, Screen("Also this", edit=True)]}
    )
    await console.enter()
    async with console.page() as page:
        card = (await page.told("entry"))["entry"]
        await page.say(type="press", key="key-0001", token="c:new", message=card["id"])
        assert (await page.told("toast"))["text"] == "Saved"
        changed = (await page.told("edit"))["entry"]
        second = (await page.told("entry"))["entry"]
    assert (changed["id"], changed["text"]) == (card["id"], ["Send me the message"])
    assert (changed["at"], second["text"]) == (card["at"], ["Also this"])
    assert console.script.heard[-1].what == Press("c:new", card["id"])
    assert [message_id for _, message_id in console.script.placed] == [card["id"], card["id"], second["id"]]


async def test_a_press_that_names_no_card_is_of_the_newest_with_that_button(console: Site) -> None:
    console.script.answer = by_event({"start": MENU, "now": MENU, "c:new": FORM})
    await console.surface.act("Ann", Command("start"))
    (newest,) = await console.surface.act("Ann", Command("now"))
    assert await console.surface.act("Ann", Press("c:new")) == [newest]
    assert console.script.heard[-1].what == Press("c:new", newest)


async def test_a_preview_stands_above_its_card_which_comes_anew(console: Site) -> None:
    console.script.answer = by_event({"start": MENU, "c:new": Screen("Draft", preview=PREVIEW, edit=True)})
    await console.enter()
    async with console.page() as page:
        card = (await page.told("entry"))["entry"]
        await page.say(type="press", key="key-0001", token="c:new", message=card["id"])
        preview = (await page.told("entry"))["entry"]
        draft = (await page.told("entry"))["entry"]
    assert preview["preview"][0]["text"] == ["Hi Olena"]
    assert draft["text"] == ["Draft"]


async def test_the_same_event_twice_is_done_once(console: Site) -> None:
    console.script.answer = by_event({"said": FORM})
    await console.enter()
    async with console.page() as page:
        await page.say(type="say", key="key-0001", html="Hi")
        await page.told("done")
    async with console.page() as page:
        before = await entries(page)
        await page.say(type="say", key="key-0001", html="Hi")
        assert (await page.told("done"))["key"] == "key-0001"
    assert len(before) == 2
    assert [event.key for event in console.script.heard if isinstance(event.what, Said)] == ["Ann:key-0001"]


async def test_events_of_a_person_are_answered_in_their_order(console: Site) -> None:
    await console.enter()
    async with console.page() as page:
        for number in range(20):
            await page.say(type="say", key=f"key-{number:04}", html=str(number))
        for number in range(20):
            assert (await page.told("done"))["key"] == f"key-{number:04}"
    said = [event.what.text for event in console.script.heard if isinstance(event.what, Said)]
    assert said == [str(number) for number in range(20)]


async def test_two_open_pages_show_the_same(console: Site) -> None:
    console.script.answer = by_event({"start": MENU, "said": FORM})
    await console.enter()
    async with console.page() as first:
        menu = (await first.told("entry"))["entry"]
        async with console.page() as second:
            assert await entries(second) == [menu]
            await second.say(type="say", key="key-0001", html="Hi")
            for page in (first, second):
                assert [(await page.told("entry"))["entry"]["text"] for _ in range(2)] == [
                    ["Hi"],
                    ["Send me the message"],
                ]


async def test_what_was_asked_for_before_the_page_closed_is_still_done(console: Site) -> None:
    await console.enter()
    async with console.page() as page:
        for number in range(5):
            await page.say(type="say", key=f"key-{number:04}", html=str(number))
    async with asyncio.timeout(5):
        while len([event for event in console.script.heard if isinstance(event.what, Said)]) < 5:
            await asyncio.sleep(0.01)


async def test_an_announcement_waits_for_whoever_is_away(console: Site) -> None:
    console.script.answer = by_event({"start": MENU})
    message_id = await console.surface.show("Ann", Screen("“Sale” is finished.", picture=b"PNG"))
    await console.enter()
    async with console.page() as page:
        (entry,) = await entries(page)
    assert (entry["id"], entry["text"]) == (message_id, ["“Sale” is finished."])
    async with console.session.get(console.url + entry["picture"]) as answer:
        assert (answer.content_type, await answer.read()) == ("image/png", b"PNG")


async def test_pictures_beside_each_other_stand_above_their_card(console: Site) -> None:
    album = (Drawn("Telegram", b"PNG1", "Hello, Ann"), Drawn("Viber", b"PNG2"))
    await console.surface.show("Ann", Screen("Pictures: Telegram, Viber.", album=album))
    await console.enter()
    pictures, card = console.surface.chat("Ann").entries
    assert card["text"] == ["Pictures: Telegram, Viber."]
    assert [(one["title"], one["words"]) for one in pictures["album"]] == [("Telegram", "Hello, Ann"), ("Viber", "")]
    async with console.session.get(console.url + pictures["album"][1]["url"]) as answer:
        assert (answer.content_type, await answer.read()) == ("image/png", b"PNG2")


async def test_a_file_of_a_card_is_saved_under_its_name_by_whose_chat_it_is(console: Site) -> None:
    await console.surface.show("Ann", Screen("“Sale” is finished.", files=(Document("Отчёт 7.csv", b"sent;9"),)))
    file = console.surface.chat("Ann").entries[-1]["files"][0]
    async with console.session.get(console.url + file["url"]) as answer:
        assert answer.status == 403
    await console.enter()
    async with console.session.get(console.url + file["url"]) as answer:
        assert (answer.content_type, await answer.read()) == ("application/octet-stream", b"sent;9")
        assert answer.headers["Content-Disposition"].endswith("%D0%9E%D1%82%D1%87%D1%91%D1%82%207.csv")
    assert (file["name"], file["kind"]) == ("Отчёт 7.csv", "file")


async def test_a_live_card_moves_on_and_leaves_the_question_alone(console: Site) -> None:
    console.script.answer = by_event({"said": FORM})
    await console.surface.act("Ann", Said("Hi"))
    message_id = await console.surface.show("Ann", Screen("█░░░ 10 %", live=7))
    await console.enter()
    async with console.page() as page:
        assert (await page.told("hello"))["ask"] == "The message"
        assert await console.surface.edit("Ann", message_id, Screen("██░░ 50 %", live=7)) == message_id
        entry = (await page.told("edit"))["entry"]
    assert (entry["text"], entry["live"]) == (["██░░ 50 %"], True)
    assert console.surface.chat("Ann").ask == "The message"


async def test_a_card_of_an_earlier_process_is_shown_anew(console: Site) -> None:
    message_id = await console.surface.edit("Ann", "0a1b2c-1", Screen("██░░ 50 %", live=7))
    assert message_id != "0a1b2c-1"
    assert console.surface.chat("Ann").has(message_id)


async def test_an_edit_that_changes_nothing_is_told_to_nobody() -> None:
    chat = Chat("Ann")
    message_id = chat.add("bot", SystemClock().now(), {"text": ["Hi"]})
    told: list[object] = []
    with chat.watched(told.append):
        chat.replace(message_id, {"text": ["Hi"]})
    assert told == []


async def test_a_stranger_can_not_be_shown_anything(console: Site) -> None:
    with pytest.raises(Unreachable):
        await console.surface.show("Eve", Screen("Hi"))
    with pytest.raises(Unreachable):
        await console.surface.act("Eve", Command("start"))


async def test_the_bot_is_at_work_while_it_answers(console: Site) -> None:
    console.script.answer = by_event({"start": MENU})
    await console.enter()
    async with console.page() as page:
        assert [(await page.told("typing"))["on"] for _ in range(2)] == [True, False]


def test_a_chat_keeps_only_its_newest_messages() -> None:
    chat = Chat("Ann")
    ids = [chat.add("bot", SystemClock().now(), {"text": [str(number)]}) for number in range(MAX_ENTRIES + 3)]
    assert [entry["id"] for entry in chat.entries] == ids[3:]


UNREADABLE = [
    "{",
    "[]",
    '{"type": "unknown"}',
    '{"type": "say", "key": "short", "html": "x"}',
    '{"type": "say", "key": "key-0001", "html": 7}',
    '{"type": "say", "key": "key-0001", "html": "x", "more": 1}',
    '{"type": "press", "key": "key-0001", "token": "' + "x" * 65 + '", "message": "1"}',
    '{"type": "say", "key": "key-0001", "html": "' + "x" * (MAX_TEXT + 1) + '"}',
    '{"type": "phone", "phone": "1", "do": "say", "text": "no phones here"}',
]


@pytest.mark.parametrize("frame", UNREADABLE)
async def test_what_can_not_be_read_is_refused_and_the_page_goes_on(console: Site, frame: str) -> None:
    await console.enter()
    async with console.page() as page:
        await page.socket.send_str(frame)
        await page.told("refused")
        await page.say(type="say", key="key-0002", html="Hi")
        assert (await page.told("done"))["key"] == "key-0002"
    assert [event.what for event in console.script.heard] == [Command("start"), Said("Hi")]


async def test_a_frame_that_is_too_large_ends_the_connection(console: Site) -> None:
    await console.enter()
    async with console.page() as page:
        await page.socket.send_str("x" * (MAX_FRAME_BYTES + 1))
        while (message := await page.socket.receive(timeout=5)).type is WSMsgType.TEXT:
            pass
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)


async def test_whoever_is_faster_than_a_person_waits() -> None:
    clock = FakeClock()
    pace = Pace(clock, RATE, BURST)
    for _ in range(int(BURST)):
        await pace.step()
    waits = asyncio.create_task(pace.step())
    await clock.advance(0.9 / RATE)
    assert not waits.done()
    await clock.advance(0.2 / RATE)
    assert waits.done()
    await waits


async def test_closing_ends_every_page(console: Site) -> None:
    await console.enter()
    async with console.page() as page:
        await page.told("hello")
        await console.surface.close()
        while (message := await page.socket.receive(timeout=5)).type is WSMsgType.TEXT:
            pass
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)


async def test_a_manager_is_offered_only_what_a_manager_may(console: Site) -> None:
    await console.enter("Max")
    async with console.page() as page:
        commands = (await page.told("hello"))["commands"]
    assert [command["name"] for command in commands] == ["stats", "digest", "language", "help"]
