import asyncio

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramConflictError
from aiogram.types import InaccessibleMessage, InlineKeyboardButton, InlineKeyboardMarkup, Update

from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import ClientState, SimulatedClient
from gateways.simulator.telegram.entities import Entity
from gateways.simulator.telegram.messages import EventKind
from gateways.simulator.telegram.server import TelegramSimulator
from tests.gateways.simulator.conftest import TOKEN, Post
from tests.gateways.simulator.pictures import png

YES_OR_SITE = InlineKeyboardMarkup(
    inline_keyboard=[
        [InlineKeyboardButton(text="Yes", callback_data="m17:yes")],
        [InlineKeyboardButton(text="Site", url="https://shop.example/sale")],
    ]
)


async def heard(bot: Bot) -> list[Update]:
    """Everything that waits for the bot, confirmed."""
    updates = await bot.get_updates(timeout=0)
    if updates:
        await bot.get_updates(offset=updates[-1].update_id + 1, timeout=0)
    return updates


async def test_a_start_with_a_payload_is_a_command(bot: Bot, ann: SimulatedClient) -> None:
    ann.state = ClientState.NEVER_STARTED
    ann.start("promo_42")
    (update,) = await heard(bot)
    assert update.message is not None
    assert update.message.text == "/start promo_42"
    assert update.message.entities is not None
    assert [(each.type, each.offset, each.length) for each in update.message.entities] == [("bot_command", 0, 6)]
    assert update.message.from_user is not None
    assert update.message.chat.id == update.message.from_user.id == 7
    assert (update.message.from_user.username, update.message.from_user.language_code) == ("ann_k", "en")
    assert ann.state is ClientState.ACTIVE
    assert await heard(bot) == []


async def test_updates_are_numbered_one_by_one_and_repeated_until_confirmed(bot: Bot, ann: SimulatedClient) -> None:
    for number in range(5):
        ann.says(str(number))
    first = await bot.get_updates(limit=2)
    assert [update.message.text for update in first if update.message] == ["0", "1"]
    assert [update.update_id for update in await bot.get_updates()] == [first[0].update_id + n for n in range(5)]
    rest = await bot.get_updates(offset=first[1].update_id + 1)
    assert [update.message.text for update in rest if update.message] == ["2", "3", "4"]
    last = await bot.get_updates(offset=-1)
    assert [update.message.text for update in last if update.message] == ["4"]


async def test_long_polling_answers_when_something_happens(bot: Bot, ann: SimulatedClient) -> None:
    polling = asyncio.create_task(bot.get_updates(timeout=30))
    await asyncio.sleep(0.05)
    ann.says("Hi")
    (update,) = await polling
    assert update.message is not None
    assert await bot.get_updates(offset=update.update_id + 1, timeout=0) == []


async def test_a_second_poller_ends_the_first(bot: Bot, shop: SimulatedBot) -> None:
    polling = asyncio.create_task(bot.get_updates(timeout=30))
    await asyncio.sleep(0.05)
    await bot.get_updates(timeout=0)
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request"):
        await polling


async def test_a_press_is_answered_once(bot: Bot, shop: SimulatedBot, ann: SimulatedClient) -> None:
    message = await bot.send_message(7, "Coming?", reply_markup=YES_OR_SITE)
    query_id = ann.presses(message.message_id, "Yes")
    (update,) = await heard(bot)
    query = update.callback_query
    assert query is not None
    assert (query.id, query.data, query.from_user.id) == (query_id, "m17:yes", 7)
    assert query.message is not None
    assert query.message.message_id == message.message_id
    await bot.answer_callback_query(query.id, text="Noted", show_alert=True)
    answer = shop.answer_to(query_id)
    assert answer is not None
    assert (answer.text, answer.alert) == ("Noted", True)
    with pytest.raises(
        TelegramBadRequest, match="query is too old and response timeout expired or query ID is invalid"
    ):
        await bot.answer_callback_query(query.id)


async def test_a_stale_press_cant_be_answered(telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient) -> None:
    message = await bot.send_message(7, "Coming?", reply_markup=YES_OR_SITE)
    telegram.world.query_fresh_s = 0.0
    query_id = ann.presses(message.message_id, "m17:yes")
    assert query_id is not None
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query(query_id)


async def test_a_link_button_tells_the_bot_nothing(bot: Bot, ann: SimulatedClient) -> None:
    message = await bot.send_message(7, "Coming?", reply_markup=YES_OR_SITE)
    assert ann.presses(message.message_id, "Site") is None
    assert await heard(bot) == []
    with pytest.raises(LookupError, match="no button 'No'"):
        ann.presses(message.message_id, "No")


async def test_a_press_of_a_lost_or_forged_button_is_told_too(bot: Bot, ann: SimulatedClient) -> None:
    message = await bot.send_message(7, "Coming?", reply_markup=YES_OR_SITE)
    await bot.delete_message(7, message.message_id)
    ann.sends_press(message.message_id, "m17:yes")
    (update,) = await heard(bot)
    assert update.callback_query is not None
    assert isinstance(update.callback_query.message, InaccessibleMessage)
    assert update.callback_query.data == "m17:yes"


async def test_blocking_and_coming_back_are_told_and_starting_is_not(bot: Bot, ann: SimulatedClient) -> None:
    ann.block()
    ann.block()
    ann.unblock()
    ann.deactivate()
    changes = [update.my_chat_member for update in await heard(bot)]
    assert [(each.old_chat_member.status, each.new_chat_member.status) for each in changes if each] == [
        ("member", "kicked"),
        ("kicked", "member"),
    ]


async def test_a_client_that_blocked_and_writes_has_come_back(bot: Bot, ann: SimulatedClient) -> None:
    ann.block()
    ann.start()
    assert [update.event_type for update in await heard(bot)] == ["my_chat_member", "my_chat_member", "message"]
    assert (await bot.send_message(7, "Hi again")).message_id


async def test_what_else_a_client_can_send(bot: Bot, telegram: TelegramSimulator, ann: SimulatedClient) -> None:
    ann.shares_contact("+79001234567")
    ann.shares_location(55.75, 37.62)
    ann.sends_photo(png(), "Look", entities=[Entity("bold", 0, 4)])
    ann.sends_album([png(), png()], "Two")
    ann.sends_file("voice", b"ogg", "voice.ogg")
    ann.sends_file("animation", b"gif", "a.gif")
    ann.forwards("Somebody's words")
    messages = [update.message for update in await heard(bot) if update.message]
    contact, place, photo, first, second, voice, animation, forwarded = messages
    assert contact.contact is not None
    assert (contact.contact.phone_number, contact.contact.user_id) == ("79001234567", 7)
    assert place.location is not None
    assert photo.caption_entities is not None
    assert (photo.caption, photo.caption_entities[0].type) == ("Look", "bold")
    assert first.media_group_id == second.media_group_id is not None
    assert (first.caption, second.caption) == ("Two", None)
    assert voice.voice is not None
    assert animation.document is not None
    assert forwarded.forward_origin is not None
    copy = await bot.send_photo(7, (photo.photo or [])[-1].file_id)
    assert copy.photo


async def test_a_forwarded_picture_of_another_bot_gets_an_id_of_this_one(
    telegram: TelegramSimulator, bot: Bot, post: Post, ann: SimulatedClient
) -> None:
    news = telegram.add_bot("2:news", username="news_bot")
    reader = news.add_client(7, "Ann")
    await post("sendPhoto", token="2:news", chat_id=7, photo="https://news.example/1.jpg", caption="News")
    ann.forwards(reader.last)
    (update,) = await heard(bot)
    assert update.message is not None
    assert update.message.caption == "News"
    assert (await bot.send_photo(7, (update.message.photo or [])[-1].file_id)).photo


async def test_an_edited_message_and_a_reaction_are_told_as_far_as_asked_for(bot: Bot, ann: SimulatedClient) -> None:
    message_id = ann.says("helo")
    ann.edits(message_id, "hello")
    ann.reacts(message_id, "👍")
    updates = await bot.get_updates(allowed_updates=["message", "edited_message", "message_reaction"])
    assert [update.event_type for update in updates] == ["message", "edited_message"]
    ann.reacts(message_id, "👍")
    assert (await bot.get_updates())[-1].event_type == "message_reaction"


async def test_a_test_can_wait_for_what_a_client_receives(bot: Bot, ann: SimulatedClient) -> None:
    waiting = asyncio.create_task(ann.receives(2, containing="Sale"))
    for text in ("Hi", "Sale 1", "Sale 2"):
        await bot.send_message(7, text)
    assert [message.text for message in await waiting] == ["Sale 1", "Sale 2"]
    await ann.wait_for(lambda client: client.last.text == "Sale 2")
    with pytest.raises(TimeoutError, match="waited for 4"):
        await ann.receives(4, timeout_s=0.01)


async def test_whoever_subscribes_sees_the_phones_live(
    telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient
) -> None:
    with telegram.subscribe() as events:
        message = await bot.send_message(7, "Coming?", reply_markup=YES_OR_SITE)
        query_id = ann.presses(message.message_id, "Yes")
        assert query_id is not None
        await bot.answer_callback_query(query_id, text="Noted")
        await bot.edit_message_text("Thanks", chat_id=7, message_id=message.message_id)
        await bot.send_chat_action(7, "typing")
        ann.says("Bye")
        await bot.delete_message(7, message.message_id)
        ann.block()
        seen = [await events.get() for _ in range(7)]
    assert [event.kind for event in seen] == [
        EventKind.MESSAGE,
        EventKind.ANSWERED,
        EventKind.EDITED,
        EventKind.ACTION,
        EventKind.SAID,
        EventKind.DELETED,
        EventKind.STATE,
    ]
    assert {(event.token, event.chat_id) for event in seen} == {(TOKEN, 7)}
    assert seen[0].message is not None
    assert seen[0].message.keyboard[0][0].label == "Yes"
    assert (seen[1].text, seen[2].text) == ("Noted", "Thanks")


async def test_a_page_that_does_not_read_loses_the_oldest_and_holds_nobody(
    telegram: TelegramSimulator, ann: SimulatedClient
) -> None:
    events = telegram.subscribe(bound=2)
    for number in range(5):
        ann.says(str(number))
    assert (events.lost, (await events.get()).text) == (3, "3")
    events.close()
    assert [event.text async for event in events] == ["4"]
