"""The same conversation on Slack: composed, checked and launched by commands, words, buttons and windows."""

import asyncio

from bot.people import Everybody
from bot.surfaces.slack.surface import SlackSurface
from gateways.message import Pictures, Text
from gateways.simulator.slack.delivery import SlackApp
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator
from storage.records import Actor, Role
from tests.bot.conftest import Desk
from tests.bot.slack.conftest import TOKEN, pressing, wait_until
from tests.gateways.pictures import JPEG

BOLD = [
    {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [
                    {"type": "emoji", "name": "tada", "unicode": "1f389"},
                    {"type": "text", "text": " Sale: "},
                    {"type": "text", "text": "bold", "style": {"bold": True}},
                    {"type": "text", "text": " words for {{ client.first_name }}"},
                ],
            }
        ],
    }
]


async def test_a_mailing_is_composed_and_launched_on_slack(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson, shop: Desk
) -> None:
    await olha.commands()
    await olha.receives("Hello, Olha!")
    await pressing(olha, "New mailing", "exactly as clients should see it")
    await olha.says(blocks=BOLD)
    await olha.receives("draft #1")
    preview = next(one for one in olha.messages if one.shown == "🎉 Sale: bold words for Ann")
    [block] = preview.blocks
    assert {"type": "text", "text": "bold", "style": {"bold": True}} in block["elements"][0]["elements"]
    await pressing(olha, "Next: audience", "Now about 10 clients.")
    await pressing(olha, "Next: when", "When and how fast?")
    await pressing(olha, "Next: check", "to 10 clients now?")
    await pressing(olha, "Send to 10 clients", "– being sent")
    await wait_until(shop.store.conversations.open_cards)
    [card] = await shop.store.conversations.open_cards()
    live = next(one for one in olha.messages if "– being sent" in one.shown)
    assert card.message_id == f"{olha.dm.id}:{live.ts}"
    assert card.chat == "U01OLHA"
    assert live.edited == 4  # one card, updated in place from the audience on
    assert "being sent" in live.text  # what a notification and a screen reader have of it
    assert len(slack.requests(TOKEN, "conversations.open")) == 1


async def test_somebody_joins_by_the_command_of_an_invitation(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp, shop: Desk
) -> None:
    petro = slack.add_person(app, "U09PETRO", "Petro")
    owner = Actor("Ostap", Role.OWNER, "slack", "U02OSTAP")
    _invitation, code = await Everybody({}, shop.store).invite("Petro", Role.OPERATOR, owner, shop.clock.now())
    assert surface.way_in(code) == f"/carillon join {code}"
    await petro.commands(f"join {code}")
    await petro.receives("Welcome! You belong to the team now, as operator.")
    await petro.commands("mailings")
    await petro.receives("No mailing yet.")


async def test_a_press_twice_is_one_launch(surface: SlackSurface, olha: SlackPerson, app: SlackApp, shop: Desk) -> None:
    await olha.says("Hello all")
    await olha.receives("Shall I make a new mailing of this message?")
    await pressing(olha, "New mailing", "draft #1")
    for label, then in (
        ("Next: audience", "Now about"),
        ("Next: when", "When and how"),
        ("Next: check", "clients now?"),
    ):
        await pressing(olha, label, then)
    check = olha.messages[-1]
    app.clicks_twice = True
    await asyncio.gather(*(olha.presses(check, "Send to 10 clients") for _ in range(2)))
    await olha.receives("– being sent")
    app.clicks_twice = False
    await wait_until(shop.store.conversations.open_cards)
    mailings = await shop.operations.list_mailings()
    assert [one.status for one in mailings] == ["sending"]


async def test_a_stale_press_is_told_and_gets_the_fresh_card(surface: SlackSurface, olha: SlackPerson) -> None:
    await olha.says("Hello all")
    await pressing_after(olha, "Shall I make", "New mailing", "draft #1")
    old = olha.messages[-1]
    await olha.commands("audience 1")
    await olha.receives("Now about 10 clients.")
    await pressing(olha, "By tag", "Tag: what must it be?")
    await pressing(olha, "vip", "4 clients")
    await olha.presses(old, "Next: audience")
    await olha.receives("That card was old")


async def pressing_after(person: SlackPerson, words: str, label: str, then: str) -> None:
    await person.receives(words)
    await pressing(person, label, then)


async def test_words_may_be_written_in_a_window(surface: SlackSurface, olha: SlackPerson, shop: Desk) -> None:
    await olha.commands("new Spring")
    await olha.receives("exactly as clients should see it")
    await olha.presses(olha.messages[-1], "window")
    view = await olha.sees_window()
    assert view.content["blocks"][0]["label"]["text"] == "The message, as clients should see it"
    ack = await olha.submits("")
    assert (ack.status, view.errors) == (200, {"words": "Nothing is written here yet."})
    await olha.submits(rich=BOLD[0])
    assert olha.window is None
    await olha.receives("draft #1")
    mailing = await shop.operations.get(1)
    assert mailing.draft.message.elements == (Text("🎉 Sale: <b>bold</b> words for {{ client.first_name }}"),)


async def test_a_window_whose_question_has_passed_says_so(surface: SlackSurface, olha: SlackPerson, shop: Desk) -> None:
    await olha.commands("new")
    await olha.receives("exactly as clients should see it")
    await olha.presses(olha.messages[-1], "window")
    view = await olha.sees_window()
    await olha.commands("clients")
    await olha.receives("client")
    await wait_until(lambda: _asked(surface, "k.find"))
    await olha.submits("Hello")
    assert view.errors == {"words": "That question has passed: close this window and answer the newest card."}
    assert await shop.operations.list_mailings() == []


async def _asked(surface: SlackSurface, name: str) -> bool:
    return (await surface._conversation.asked("slack", "U01OLHA", "U01OLHA")).startswith(name)


async def test_a_window_that_comes_too_late_is_a_sentence(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson
) -> None:
    slack.trigger_s = -1.0
    await olha.commands("new")
    await olha.receives("exactly as clients should see it")
    await olha.presses(olha.messages[-1], "window")
    await olha.receives("The window did not open: press the button again, or simply write me a message.")


async def test_pictures_that_were_sent_are_the_message(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson, shop: Desk
) -> None:
    await olha.commands("new")
    await olha.receives("exactly as clients")
    files = [slack.add_file(f"{number}.jpg", JPEG + bytes([number]), "image/jpeg") for number in range(3)]
    await olha.says("Three of them", files=files)
    await olha.receives("draft #1")
    [element] = (await shop.operations.get(1)).draft.message.elements
    assert isinstance(element, Pictures)
    assert (element.text, len(element.pictures)) == ("Three of them", 3)
    shared = [one for one in olha.messages if one.files]
    assert [len(one.files) for one in shared] == [3]
    assert {file.content for file in shared[0].files} == {file.content for file in files}


async def test_a_file_of_clients_is_the_audience(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson, shop: Desk
) -> None:
    await olha.commands("new Spring")
    await olha.receives("exactly as clients")
    await olha.says("Hello all")
    await pressing_after(olha, "draft #1", "Next: audience", "Now about 10 clients.")
    card = await pressing(olha, "From a file", "Send me a CSV or an Excel file")
    assert not any("window" in label for label in card.labels)  # a file is no words
    await olha.says("", files=[slack.add_file("vip.csv", b"id,who\nc1,Ann\nc2,Bohdan\nzz,Nobody\n", "text/csv")])
    await olha.receives("1 row is nobody we know.")
    await pressing(olha, "Use these 2 clients", "Now about 2 clients.")
    [term] = (await shop.operations.get(1)).draft.audience["where"]
    assert term["is"].startswith("vip.csv ")


async def test_how_it_looks_comes_as_pictures_above_the_message(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson
) -> None:
    await olha.commands("new")
    await olha.receives("exactly as clients")
    await olha.says("Hello all")
    await pressing_after(olha, "draft #1", "Preview", "Pictures: Telegram.")
    *_before, pictures, message, card = olha.messages
    assert [one.title for one in pictures.files] == ["Telegram"]
    assert pictures.files[0].content.startswith(b"\x89PNG")
    assert (message.shown, card.shown.splitlines()[0]) == ("Hello all", "Hello all · draft #1")


async def test_a_shortcut_opens_the_menu_and_one_on_a_message_makes_a_mailing_of_it(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson, shop: Desk
) -> None:
    assert (await olha.uses_shortcut()).status == 200
    await olha.receives("Hello, Olha!")
    slack.add_channel("C0OPS", "U01OLHA", "UBOT")
    await olha.mentions("C0OPS", "nothing")
    theirs = slack.channels["C0OPS"].messages[0]
    theirs.text, theirs.blocks = "", BOLD
    await olha.uses_shortcut("carillon_mail", theirs)
    await olha.receives("Shall I make a new mailing of this message?")
    await pressing(olha, "New mailing", "draft #1")
    assert (await shop.operations.get(1)).draft.message.elements[0] == Text(
        "🎉 Sale: <b>bold</b> words for {{ client.first_name }}"
    )


async def test_a_person_is_answered_in_the_language_in_which_they_use_slack(
    surface: SlackSurface, slack: SlackSimulator, olha: SlackPerson
) -> None:
    olha.locale = "uk-UA"
    await olha.commands("new")
    [card] = await olha.receives("Нова розсилка")
    assert "✍ Write it in a window" not in card.labels
    await olha.commands("help")
    await olha.receives("/carillon new")
    assert len(slack.requests(TOKEN, "users.info")) == 1


async def test_a_message_without_anything_in_it_is_answered(surface: SlackSurface, olha: SlackPerson) -> None:
    await olha.commands("new")
    await olha.receives("exactly as clients")
    await olha.says("")
    await olha.receives("can't")
