"""From a message to its launch, as chats."""

from bot.screens import Attachment, Said
from gateways.base import PartKind
from gateways.message import Link, Pictures, Point, Reply, Text
from storage.records import Status
from tests.bot.composed import HELLO, composed, only_mailing
from tests.bot.conftest import Desk


async def test_a_newcomer_launches_with_five_presses_and_one_text(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/start")
    chat.sees("Hello, Olha!", "Nothing is being sent.")
    await chat.press("New mailing")
    chat.sees("exactly as clients should see it")
    await chat.say(HELLO)
    assert chat.answer[0].preview[0].text.text == "Hello, Ann! The spring sale is on."
    chat.sees("The spring sale is on · draft #1", "Saved as a draft", "Above is what Ann Lee gets by tg-shop.")
    await chat.press("Next: audience")
    chat.sees("Everybody", "Now about 10 clients.", "Left out 2: 1 blocked us, 1 unsubscribed")
    await chat.press("Next: when")
    chat.sees("Start: at once", "Speed: 25 messages a second")
    await chat.press("Next: check")
    chat.sees("10 clients: tg-shop 10", "Send “The spring sale is on” to 10 clients now?")
    await chat.press("Send to 10 clients")
    chat.sees("The spring sale is on – being sent")
    mailing = await only_mailing(shop)
    assert mailing.status is Status.SENDING
    assert mailing.launched_by is not None
    assert (mailing.launched_by.name, mailing.launched_by.surface, mailing.launched_by.account) == (
        "Olha",
        "telegram",
        "1001",
    )
    [card] = await shop.store.conversations.open_cards()
    assert (card.mailing_id, card.chat, card.message_id) == (mailing.id, "1001", chat.card().id)


async def test_a_launch_works_once_however_often_it_is_pressed(shop: Desk) -> None:
    chat = await composed(shop)
    for label in ("Next: audience", "Next: when", "Next: check"):
        await chat.press(label)
    token = chat.sees_button("Send to 10 clients").token
    await chat.press_token(token, chat.card().id)
    chat.sees("being sent")
    await chat.press_token(token, chat.card().id)
    chat.sees("It was launched already; once is enough.", "being sent")
    history = await shop.store.mailings.history((await only_mailing(shop)).id)
    assert [entry.verb for entry in history].count("launch") == 1


async def test_two_people_press_launch_at_once(shop: Desk) -> None:
    import asyncio

    olha, ostap = await composed(shop), shop.chat("Ostap")
    await olha.say("/check 1")
    token = olha.sees_button("Send to 10 clients").token
    await asyncio.gather(olha.press_token(token), ostap.press_token(token))
    for chat in (olha, ostap):
        chat.sees("being sent")
    history = await shop.store.mailings.history(1)
    assert [entry.verb for entry in history].count("launch") == 1


async def test_a_press_on_an_old_card_is_told_so_and_gets_the_fresh_card(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Next: audience")
    old = chat.sees_button("Next: when").token
    await chat.press("By tag")
    await chat.press("vip")
    await chat.press_token(old)
    chat.sees("That card was old: “The spring sale is on” has changed since.", "draft #1")
    assert chat.sees_button("Next: audience").token != old


async def test_an_old_check_card_does_not_launch_what_was_changed_since(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/check 1")
    old = chat.sees_button("Send to 10 clients").token
    await chat.say("/audience 1")
    await chat.say("vip")
    await chat.press_token(old)
    chat.sees("That card was old", "Send “The spring sale is on” to 4 clients now?")
    assert (await only_mailing(shop)).status is Status.DRAFT


async def test_a_half_made_mailing_survives_a_restart(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Add buttons")
    await chat.press("+ Link")
    await chat.say("Open")
    again = shop.chat()
    await again.say("acme.test/sale")
    again.sees("• Open → https://acme.test/sale")
    await again.say("/mailings")
    again.sees("#1 The spring sale is on – draft")
    await again.press("#1")
    again.sees("Buttons: Open")


async def test_buttons_are_typed_or_made_step_by_step(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Add buttons")
    await chat.say("Open - https://acme.test/sale | More - Tell me more\nSite — acme.test")
    chat.sees("• Open → https://acme.test/sale", "• More → “Tell me more”", "• Site → https://acme.test")
    await chat.press("+ Message")
    await chat.say("Call me")
    await chat.say("Please call me back")
    await chat.press("✕ Site")
    [element] = (await only_mailing(shop)).draft.message.elements
    assert element.buttons == (
        (Link("https://acme.test/sale", "Open"), Reply("Tell me more", "More")),
        (Reply("Please call me back", "Call me"),),
    )
    await chat.say("no address here")
    chat.sees("“no address here” has no address")
    assert chat.labels() == ["◀ Back", "Cancel"]


async def test_formatting_pictures_files_and_places_are_kept_as_sent(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/new")
    album = tuple(Attachment(PartKind.PICTURE, f"media:{letter * 64}.jpg") for letter in "ab")
    await chat.send(Said(text="<b>Sale</b> for {{ client.<i>first</i>_name }}", attachments=album, forwarded=True))
    [element] = (await only_mailing(shop)).draft.message.elements
    assert element == Pictures(
        ("media:" + "a" * 64 + ".jpg", "media:" + "b" * 64 + ".jpg"), "<b>Sale</b> for {{ client.first_name }}"
    )
    await chat.send(Said(location=Point(50.45, 30.52)))
    await chat.press("Send it after the other")
    assert len((await only_mailing(shop)).draft.message.elements) == 2


async def test_the_message_is_changed_and_its_buttons_stay(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Add buttons")
    await chat.say("Open - https://acme.test")
    await chat.press("Back")
    await chat.press("Change message")
    await chat.say("Autumn sale & more")
    chat.sees("Changed, and saved.", "Buttons: Open")
    [element] = (await only_mailing(shop)).draft.message.elements
    assert element == Text("Autumn sale &amp; more", ((Link("https://acme.test", "Open"),),))
    await chat.press("Rename")
    await chat.say("Autumn <2026>")
    chat.sees("Autumn <2026> · draft #1")


async def test_a_message_out_of_the_blue_may_become_a_mailing(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("Big news for everybody")
    chat.sees("Shall I make a new mailing of this message?")
    await chat.press("New mailing")
    chat.sees("Big news for everybody · draft #1")


async def test_the_preview_shows_another_client(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Another client")
    await chat.say("Nobody Known")
    chat.sees("I find no client “Nobody Known”")
    await chat.say("Iryna")
    assert chat.answer[0].preview[0].text.text == "Hello, Iryna! The spring sale is on."
    chat.sees("Above is what Iryna Sova gets by tg-shop.")


async def test_a_broken_template_is_told_at_the_preview_and_forbids_the_launch(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/new")
    await chat.say("Hello {{ client.frist_name }}")
    chat.sees("It can't go out like this", "frist_name")
    assert not chat.answer[0].preview
    await chat.say("/check 1")
    chat.sees("⛔", "Mend that first")
    assert not [label for label in chat.labels() if label.startswith("🚀")]


async def test_the_audience_is_narrowed_by_tags_conditions_and_segments(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Next: audience")
    await chat.press("By tag")
    assert any(label.startswith("vip · 4") for label in chat.labels())
    await chat.press("vip")
    chat.sees("Now about 4 clients.")
    await chat.press("Done")
    chat.sees("Tag is vip", "Now about 4 clients.")
    await chat.press("By condition")
    await chat.press("Language")
    await chat.press("uk ·")
    await chat.press("Done")
    chat.sees("Tag is vip and language is uk", "Now about 2 clients.")
    await chat.press("✕ tag is vip")
    await chat.press("✕ language is uk")
    await chat.say("city is Kyiv")
    chat.sees("City is Kyiv", "Now about 1 client.")
    await chat.press("Everybody")
    chat.sees("Now about 10 clients.")
    await chat.press("A saved segment")
    await chat.press("Ukrainians")
    chat.sees("Segment Ukrainians", "Now about 2 clients.")
    await chat.press("✕ Ukrainians")
    await chat.press("By condition")
    await chat.press("Last seen")
    await chat.say("soon")
    chat.sees("Type a number of days, such as 14.")
    await chat.say("14")
    chat.sees("Last seen within the last 14 days", "Now about 0 clients.")
    await chat.say("citty is Kyiv")
    chat.sees("did you mean “city”?")
    await chat.say("all")
    assert (await only_mailing(shop)).draft.audience == {}


async def test_an_audience_of_nobody_can_not_be_launched(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/audience")
    await chat.say("new")
    await chat.say("/check")
    chat.sees("⛔ Nobody matches this audience.", "Mend that first")
    assert not [label for label in chat.labels() if label.startswith("🚀")]


async def test_a_date_is_understood_and_its_zone_always_shown(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/send 1")
    await chat.say("tomorrow 10:00")
    chat.sees("Start: Sun, 22 Nov 2026, 10:00 (Europe/Kyiv)")
    await chat.say("blue moon")
    chat.sees("I don't understand “blue moon” as a time")
    await chat.say("yesterday 10:00")
    chat.sees("past")
    await chat.press("At each client's own hour")
    chat.sees("by each client's own clock")
    await chat.press("✓ At each client's own hour")
    await chat.press("Next: check")
    chat.sees("Send “The spring sale is on” to about 10 clients, Sun, 22 Nov 2026, 10:00 (Europe/Kyiv)?")
    await chat.press("Schedule it")
    chat.sees("The spring sale is on – scheduled")
    mailing = await only_mailing(shop)
    assert mailing.status is Status.SCHEDULED
    await chat.say("/mailings 1")
    await chat.press("Cancel, edit, schedule again")
    chat.sees("It is a draft again")


async def test_an_hour_that_the_clocks_leave_out_is_shown_as_the_one_it_becomes(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/send 1")
    await chat.say("28.03.2027 03:30")
    await chat.say("/launch 1")
    await chat.press("Schedule it")
    chat.sees("It starts Sun, 28 Mar 2027, 04:30 (Europe/Kyiv).")


async def test_the_speed_goes_from_25_to_1(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/send")
    await chat.press("10")
    chat.sees("Speed: 10 messages a second", "For about 10 clients that takes about 1 s.")
    await chat.say("3/s")
    chat.sees("Speed: 3 messages a second")
    await chat.say("99")
    chat.sees("The speed is from 1 to 25 messages a second.")
