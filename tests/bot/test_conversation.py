"""The conversation, as chats."""

import logging

import pytest

from bot.screens import MAX_TOKEN_BYTES, Attachment, Said
from gateways.base import PartKind
from gateways.message import Link, Pictures, Point, Reply, Text
from storage.records import Mailing, Status
from tests.bot.chat import Chat
from tests.bot.conftest import Desk

HELLO = "Hello, {{ client.first_name | default('friend') }}! The spring sale is on."


async def only_mailing(desk: Desk) -> Mailing:
    found = await desk.operations.list_mailings()
    assert len(found) == 1
    return await desk.operations.get(found[0].id)


async def composed(desk: Desk, name: str = "Olha") -> Chat:
    chat = desk.chat(name)
    await chat.say("/new")
    await chat.say(HELLO)
    return chat


async def launched(desk: Desk) -> Chat:
    chat = await composed(desk)
    for label in ("Next: audience", "Next: when", "Next: check", "Send to"):
        await chat.press(label)
    return chat


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


async def test_a_running_mailing_is_steered_by_its_card(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.press("Slower")
    chat.sees("Speed: 20 a second.")
    await chat.press("Faster")
    await chat.press("Faster")
    chat.sees("That is as fast as its channels allow.")
    await chat.press("Pause")
    chat.sees("paused", "Why: paused by Olha")
    await chat.press("Resume")
    chat.sees("being sent")
    await chat.press("Cancel")
    chat.sees("Cancel “The spring sale is on”?", "None is on its way this moment.")
    await chat.press("Yes, cancel it")
    chat.sees("Cancelled. Nothing more leaves.", "copy it for that")
    await chat.press("Launch again")
    chat.sees("Launch “The spring sale is on” again?")
    await chat.press("Yes, launch it")
    chat.sees("being sent")


async def test_what_a_state_does_not_allow_is_said_with_the_reason(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.say("/edit 1")
    chat.sees("that can't be done now", "being sent")
    await chat.say("/delete 1")
    chat.sees("Only a draft can be deleted; this one is sending.")
    await chat.say("/resume 1")
    chat.sees("there is nothing to resume")
    await chat.say("/audience 1")
    chat.sees("is no draft any more")


async def test_a_draft_is_deleted_after_a_question(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Cancel")
    chat.sees("is saved as a draft, #1")
    await chat.press("Delete the draft")
    chat.sees("It can't be brought back.")
    await chat.press("Yes, delete it")
    chat.sees("Deleted: “The spring sale is on”.", "No mailing yet")
    assert await shop.operations.list_mailings() == []


async def test_copy_makes_a_new_draft(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.say("/copy 1")
    chat.sees("Copied: this is a new draft, saved.", "draft #2")


async def test_the_list_has_pages_and_a_search(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/mailings")
    chat.sees("No mailing yet.")
    for number in range(10):
        await chat.say(f"/new Campaign {number}")
        await chat.say(f"Text {number}")
    await chat.say("/mailings")
    chat.sees("Campaign 9", "Campaign 2")
    chat.sees_not("Campaign 1")
    await chat.press("More ▶")
    chat.sees("Campaign 1", "Campaign 0")
    await chat.say("campaign 4")
    chat.sees("Campaign 4 · draft")
    await chat.say("/mailings nothing like it")
    chat.sees("No mailing has “nothing like it” in its name.")


async def test_statistics_say_what_is_not_reported_and_never_0(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.say("/stats 1")
    chat.sees("Delivered", "not reported by Telegram")
    delivered = next(line for line in chat.card().text.splitlines() if line.startswith("Delivered"))
    assert "0" not in delivered
    await chat.say("/stats week")
    chat.sees("1 mailing was launched.", "not reported by Telegram")
    await chat.say("/stats spring")
    chat.sees("The spring sale is on · #1")
    await chat.say("/stats")
    chat.sees("Of which mailing, or of what time?")
    await chat.say("/stats 99")
    chat.sees("There is no mailing 99.")


async def test_a_manager_gets_statistics_and_nothing_else(shop: Desk) -> None:
    await launched(shop)
    maria = shop.chat("Maria")
    await maria.say("/start")
    assert maria.labels() == ["Statistics", "This week", "Help", "🌐 Language"]
    await maria.press("Statistics")
    await maria.press("#1")
    maria.sees("Planned")
    for command in ("/new", "/mailings", "/now", "/pause 1", "/stop", "/clients Ann", "/channels", "/launch 1"):
        await maria.say(command)
        maria.sees("You may ask for statistics: /stats.")
    for token in ("m:pause:1", "m:cancel:1", "l:go:1:0", "stop", "c:new"):
        await maria.press_token(token)
        maria.sees("You may ask for statistics: /stats.")
    assert (await only_mailing(shop)).status is Status.SENDING
    await maria.say("spring")
    maria.sees("The spring sale is on · #1")


async def test_the_right_of_who_presses_counts_and_not_the_chats(shop: Desk) -> None:
    chat = await launched(shop)
    token = chat.sees_button("Pause").token
    stranger = shop.chat("4242", chat="-100200", private=False)
    await stranger.press_token(token)
    await shop.chat("Maria", chat="-100200", private=False).press_token(token)
    assert (await only_mailing(shop)).status is Status.SENDING
    await shop.chat("Ostap", chat="-100200", private=False).press_token(token)
    assert (await only_mailing(shop)).status is Status.PAUSED


async def test_a_stranger_gets_one_polite_sentence_once(shop: Desk) -> None:
    stranger = shop.chat("4242")
    await stranger.say("/start")
    stranger.sees("Sorry, I work for the team of Acme only", "4242")
    assert stranger.labels() == []
    await stranger.say("Please!")
    stranger.sees_nothing()
    again = shop.chat("4242")
    await again.say("/new")
    again.sees_nothing()
    assert await shop.operations.list_mailings() == []


async def test_stop_holds_everything_and_only_an_owner_lifts_it(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/stop")
    chat.sees("Everything is stopped.", "An owner lifts it with /go.")
    await chat.say("/go")
    chat.sees("Only an owner lets sending go on.")
    await chat.say("/check 1")
    await chat.press("Send to")
    chat.sees("An owner lifts it with /go.", "Send “The spring sale is on” to 10 clients now?")
    ostap = shop.chat("Ostap")
    await ostap.say("/start")
    ostap.sees("Sending is stopped by Olha.")
    await ostap.say("/go")
    ostap.sees("Sending goes on.")
    await chat.press("Send to")
    chat.sees("being sent")


async def test_a_client_is_found_tagged_and_opted_out(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/clients")
    await chat.say("Nobody at all")
    chat.sees("I find no client “Nobody at all”.")
    await chat.say("Ann")
    chat.sees("Ann Lee · id c1", "Tags: vip", "tg-shop: 2001, enabled (main)", "city: Kyiv")
    await chat.press("Tags")
    await chat.press("new")
    await chat.say("gold")
    await chat.press("✓ vip")
    await chat.press("Back")
    chat.sees("gold", "new")
    await chat.press("Opt out")
    await chat.press("On tg-shop only")
    chat.sees("Opted out on tg-shop.", "tg-shop: 2001, unsubscribed (main)")


async def test_why_somebody_did_not_get_it(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/why 1 Client12")
    chat.sees("Not sent yet: the mailing has not started.")
    await chat.say("/launch 1")
    await chat.press("Send to")
    await chat.say("/why 1 Client12")
    chat.sees("Client12 Test and “The spring sale is on”", "left out before the start, unsubscribed")
    await chat.say("/why")
    chat.sees("such as: /why 7 Ann")


async def test_channels_show_what_works_and_are_topped_up(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/channels")
    chat.sees("tg-shop · Telegram", "✓ Works", "500 messages left in the package")
    await chat.press("Top up tg-club")
    await chat.say("many")
    chat.sees("Type how many messages to add, such as 5000.")
    await chat.say("1 000")
    chat.sees("1,500 messages left in the package")


async def test_every_command_without_arguments_answers_usefully(shop: Desk) -> None:
    from bot.dialogs.routes import COMMANDS

    for name in COMMANDS:
        chat = shop.chat("Ostap")
        await chat.say(f"/{name}")
        assert chat.answer, name
        assert chat.answer[-1].text, name
        chat.sees_not("something broke")


async def test_an_unknown_command_names_the_nearest(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/mailing")
    chat.sees("I don't know /mailing. Did you mean /mailings?")


async def test_anything_typed_at_any_step_gets_a_sentence(shop: Desk) -> None:
    odd = (
        Said(unusable="sticker"),
        Said(problem="That file is too large."),
        Said(text="<b>"),
        Said(text="{{ broken"),
        Said(text="x" * 5000),
        Said(text="\u202e\x00 <a href=''>"),
        Said(location=Point(1, 2)),
    )
    for label in (
        "Next: audience",
        "By tag",
        "By condition",
        "Language",
        "Last seen",
        "Add buttons",
        "+ Link",
        "Change message",
        "Another client",
        "Rename",
        "Test to myself",
    ):
        chat, question = shop.chat(), "none yet"
        for said in odd:
            # A question that refused what was said stands still, and hears the next.
            if await chat.conversation.asked("telegram", chat.account, chat.account) != question:
                chat = await composed(shop)
                if label in ("By tag", "By condition", "Language", "Last seen"):
                    await chat.press("Next: audience")
                if label in ("Language", "Last seen"):
                    await chat.press("By condition")
                if label == "+ Link":
                    await chat.press("Add buttons")
                await chat.press(label)
                question = await chat.conversation.asked("telegram", chat.account, chat.account)
            await chat.send(said)
            assert chat.answer, (label, said)
            assert chat.answer[-1].text, (label, said)
            assert chat.labels(), (label, said)
            chat.sees_not("something broke")


async def test_a_sticker_is_told_what_can_be_sent(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/new")
    await chat.send(Said(unusable="sticker"))
    chat.sees("A sticker can't be sent on to clients. Send a text, a picture")
    await chat.say("Then so")
    chat.sees("Then so · draft #1")


async def test_forged_and_foreign_presses_change_nothing(shop: Desk) -> None:
    chat = await composed(shop)
    for token in (
        "",
        ":",
        "m:open",
        "m:open:x",
        "m:pause:1:2:3",
        "l:go:1",
        "zzz:1",
        "a:add:1",
        "c:m:99:0",
        "l:go:99:0",
    ):
        await chat.press_token(token)
        assert chat.answer, token
        chat.sees_not("something broke")
    await chat.press_token("c7.0")
    chat.sees("That button belongs to the message")
    assert (await only_mailing(shop)).status is Status.DRAFT


async def test_a_repeated_event_is_answered_once(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/new")
    await chat.repeat("same", "A message")
    await chat.repeat("same", "A message")
    chat.sees_nothing()
    after_a_restart = shop.chat()
    await after_a_restart.repeat("same", "A message")
    after_a_restart.sees_nothing()
    assert len(await shop.operations.list_mailings()) == 1


async def test_what_breaks_is_apologised_for_and_logged(
    shop: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(*_args: object, **_more: object) -> None:
        raise RuntimeError("the disk is full")

    chat = await composed(shop)
    monkeypatch.setattr(shop.operations, "check", breaks)
    with caplog.at_level(logging.ERROR):
        await chat.say("/check 1")
    chat.sees("Sorry, something broke on my side.", "tell ops@acme.test")
    assert "the disk is full" in caplog.text
    assert HELLO not in caplog.text


async def test_every_token_fits_the_narrowest_surface(shop: Desk) -> None:
    chat = await composed(shop)
    for label in (
        "Next: audience",
        "By tag",
        "vip",
        "Done",
        "By condition",
        "Channel",
        "tg-shop",
        "Done",
        "Next: when",
        "Next: check",
    ):
        await chat.press(label)
        assert all(len(one.token.encode()) <= MAX_TOKEN_BYTES for row in chat.answer[-1].rows for one in row)


async def test_in_a_group_people_talk_to_each_other_undisturbed(shop: Desk) -> None:
    group = shop.chat("Olha", chat="-100200", private=False)
    await group.say("Shall we meet at ten?")
    group.sees_nothing()
    await group.say("/stats")
    group.sees("Statistics")
