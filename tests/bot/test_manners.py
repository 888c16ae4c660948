"""What the conversation does with strangers and managers, odd words, forged presses, repeats and its own faults."""

import logging

import pytest

from bot.screens import MAX_TOKEN_BYTES, Said
from gateways.message import Point
from storage.records import Status
from tests.bot.composed import HELLO, composed, launched, only_mailing
from tests.bot.conftest import Desk


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
