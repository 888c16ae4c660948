import asyncio
import json

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramNotFound, TelegramUnauthorizedError
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import ClientState, SimulatedClient
from gateways.simulator.telegram.groups import GroupState
from gateways.simulator.telegram.server import TelegramSimulator
from tests.gateways.simulator.conftest import TOKEN, Post


async def test_get_me_proves_the_token(bot: Bot, shop: SimulatedBot) -> None:
    me = await bot.get_me()
    assert (me.id, me.username, me.is_bot) == (555000111, "shop_demo_bot", True)


async def test_a_text_arrives_on_the_phone_and_comes_back_as_the_platform_writes_it(
    bot: Bot, ann: SimulatedClient
) -> None:
    message = await bot.send_message(7, "<b>Sale</b> 😀 &lt;now&gt;", parse_mode="HTML", disable_notification=True)
    assert message.text == "Sale 😀 <now>"
    assert [(each.type, each.offset, each.length) for each in message.entities or ()] == [("bold", 0, 4)]
    assert (message.chat.id, message.chat.type, message.chat.first_name) == (7, "private", "Ann")
    (seen,) = ann.messages
    assert (seen.text, seen.message_id, seen.silent, seen.from_bot) == ("Sale 😀 <now>", message.message_id, True, True)


async def test_message_ids_grow_in_each_chat_by_itself(post: Post, shop: SimulatedBot, ann: SimulatedClient) -> None:
    shop.add_client(8, "Bob")
    ids = [(await post("sendMessage", chat_id=chat, text="Hi"))["result"]["message_id"] for chat in (7, 7, 8, 7)]
    assert ids == [1, 2, 1, 3]


async def test_all_ways_to_carry_parameters_are_read(
    telegram: TelegramSimulator, http: aiohttp.ClientSession, ann: SimulatedClient
) -> None:
    url = f"{telegram.url}/bot{TOKEN}/SENDMESSAGE"
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    form = aiohttp.FormData({"chat_id": "7", "text": "multipart", "reply_markup": json.dumps(keyboard)})
    await http.get(url, params={"chat_id": "7", "text": "query"})
    await http.post(url, data={"chat_id": "7", "text": "urlencoded", "reply_markup": json.dumps(keyboard)})
    await http.post(url, json={"chat_id": 7, "text": "json", "reply_markup": keyboard})
    with aiohttp.MultipartWriter("form-data") as parts:
        for options, _, value in form._fields:
            part = parts.append(value)
            part.set_content_disposition("form-data", name=options["name"])
    await http.post(url, data=parts)
    assert [message.text for message in ann.messages] == ["query", "urlencoded", "json", "multipart"]
    assert [len(message.keyboard) for message in ann.messages] == [0, 1, 1, 1]
    assert telegram.requests(method="sendmessage")[1].parameters["reply_markup"] == keyboard


async def test_unknown_tokens_methods_and_paths_are_told_apart(
    telegram: TelegramSimulator, http: aiohttp.ClientSession, post: Post, shop: SimulatedBot
) -> None:
    unauthorized = await post("getMe", token="1:other")
    assert (unauthorized["error_code"], unauthorized["description"]) == (401, "Unauthorized")
    assert (await post("getMe", token="nonsense"))["description"] == "Not Found"
    assert (await post("sendPigeon"))["description"] == "Not Found: method not found"
    async with http.get(f"{telegram.url}/elsewhere") as answer:
        assert (answer.status, await answer.json()) == (
            404,
            {"ok": False, "error_code": 404, "description": "Not Found"},
        )


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (ClientState.UNKNOWN, 400, "Bad Request: chat not found"),
        (ClientState.NEVER_STARTED, 403, "Forbidden: bot can't initiate conversation with a user"),
        (ClientState.BLOCKED, 403, "Forbidden: bot was blocked by the user"),
        (ClientState.DEACTIVATED, 403, "Forbidden: user is deactivated"),
        (ClientState.IS_BOT, 403, "Forbidden: bots can't send messages to the bot"),
    ],
)
async def test_each_state_of_a_client_refuses_in_its_own_words(
    post: Post, shop: SimulatedBot, state: ClientState, code: int, words: str
) -> None:
    shop.add_client(9, "Cid", state=state)
    answer = await post("sendMessage", chat_id=9, text="Hi")
    assert (answer["error_code"], answer["description"]) == (code, words)
    assert shop.accepted.by_chat == {}


async def test_clients_nobody_added_are_in_the_state_of_everyone(post: Post, shop: SimulatedBot) -> None:
    assert (await post("sendMessage", chat_id=1_000_000, text="Hi"))["error_code"] == 400
    shop.everyone = lambda user_id: ClientState.BLOCKED if user_id % 10 == 0 else ClientState.ACTIVE
    assert (await post("sendMessage", chat_id=1_000_000, text="Hi"))["error_code"] == 403
    assert (await post("sendMessage", chat_id=999_999, text="Hi"))["ok"]
    shop.add_range(range(2_000_000, 3_000_000), ClientState.DEACTIVATED)
    assert "deactivated" in (await post("sendMessage", chat_id=2_500_000, text="Hi"))["description"]
    assert sorted(shop.clients) == [999_999, 1_000_000, 2_500_000]


async def test_a_revoked_token_is_unauthorized_until_it_is_restored(
    bot: Bot, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    shop.revoke(after_messages=2)
    await bot.send_message(7, "one")
    await bot.send_message(7, "two")
    with pytest.raises(TelegramUnauthorizedError):
        await bot.send_message(7, "three")
    with pytest.raises(TelegramUnauthorizedError):
        await bot.get_me()
    shop.restore()
    await bot.send_message(7, "three")
    assert [message.text for message in ann.messages] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": " \n "}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "😀" * 4097}, "message is too long"),
        ({"text": "x" * 32_769}, "text is too long"),
        ({"text": "Hi", "chat_id": ""}, "chat_id is empty"),
        ({"text": "Hi", "parse_mode": "BBCode"}, "unsupported parse_mode"),
        ({"text": "Hi", "reply_markup": "{"}, "can't parse reply markup JSON object"),
        ({"text": "Hi", "reply_parameters": {"message_id": 99}}, "message to be replied not found"),
    ],
)
async def test_a_text_that_telegram_would_not_take_is_refused(
    post: Post, ann: SimulatedClient, parameters: dict[str, object], words: str
) -> None:
    answer = await post("sendMessage", **({"chat_id": 7} | parameters))
    assert (answer["error_code"], answer["description"]) == (400, f"Bad Request: {words}")
    assert ann.messages == []


async def test_lengths_are_code_points_after_parsing(post: Post, ann: SimulatedClient) -> None:
    assert (await post("sendMessage", chat_id=7, text="😀" * 4096))["ok"]
    assert (await post("sendMessage", chat_id=7, text="<b>" + "x" * 4096 + "</b>", parse_mode="HTML"))["ok"]


def button(**action: object) -> dict[str, object]:
    return {"inline_keyboard": [[{"text": "Go", **action}]]}


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        (button(callback_data="ж" * 33), "BUTTON_DATA_INVALID"),
        (button(callback_data=""), "BUTTON_DATA_INVALID"),
        (button(), "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
        (
            button(url="https://shop.example", callback_data="x"),
            "can't parse inline keyboard button: only one of url and callback_data can be used",
        ),
        (
            button(url="http://localhost/x"),
            "inline keyboard button URL 'http://localhost/x' is invalid: Wrong HTTP URL",
        ),
        (
            button(url="javascript:alert(1)"),
            "inline keyboard button URL 'javascript:alert(1)' is invalid: Unsupported URL protocol",
        ),
        (
            button(web_app={"url": "http://shop.example/"}),
            "inline keyboard button Web App URL 'http://shop.example/' is invalid: Only HTTPS links are allowed",
        ),
        (button(callback_data="x", style="loud"), "can't parse inline keyboard button: invalid button style specified"),
        (
            {"inline_keyboard": [[{"text": "", "callback_data": "x"}]]},
            "can't parse inline keyboard button: Can't find field \"text\"",
        ),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "x"}] * 9]}, "reply markup is too long"),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "x"}]] * 101}, "reply markup is too long"),
        ({"keyboard": [[{"text": "x"}] * 13]}, "reply markup is too long"),
        ({"inline_keyboard": {}}, 'field "inline_keyboard" must be of type Array'),
    ],
)
async def test_a_keyboard_that_telegram_would_not_take_is_refused(
    post: Post, ann: SimulatedClient, markup: dict[str, object], words: str
) -> None:
    answer = await post("sendMessage", chat_id=7, text="Hi", reply_markup=markup)
    assert (answer["error_code"], answer["description"]) == (400, f"Bad Request: {words}")


async def test_callback_data_of_exactly_64_bytes_is_taken(post: Post, ann: SimulatedClient) -> None:
    assert (await post("sendMessage", chat_id=7, text="Hi", reply_markup=button(callback_data="ж" * 32)))["ok"]


async def test_links_of_buttons_come_back_as_telegram_writes_them(bot: Bot, ann: SimulatedClient) -> None:
    keyboard = InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text="Site", url="HTTPS://Shop.Example?m=17", style="success")]]
    )
    message = await bot.send_message(7, "Hi", reply_markup=keyboard)
    assert message.reply_markup is not None
    assert message.reply_markup.inline_keyboard[0][0].url == "https://shop.example/?m=17"
    assert (ann.last.keyboard[0][0].label, ann.last.keyboard[0][0].style) == ("Site", "success")


async def test_a_reply_keyboard_is_on_the_phone_and_not_in_the_answer(post: Post, ann: SimulatedClient) -> None:
    markup = {"keyboard": [[{"text": "My order"}, {"text": "Phone", "request_contact": True}]], "resize_keyboard": True}
    assert "reply_markup" not in (await post("sendMessage", chat_id=7, text="Hi", reply_markup=markup))["result"]
    assert [button.label for button in ann.last.reply_keyboard[0]] == ["My order", "Phone"]
    ann.presses(ann.last.message_id, "My order")
    assert ann.chat[-1].text == "My order"


async def test_places_and_contacts_are_sent(bot: Bot, ann: SimulatedClient) -> None:
    await bot.send_location(7, 55.75, 37.62)
    await bot.send_venue(7, 55.75, 37.62, "Shop", "Main street 1")
    await bot.send_contact(7, "+79001234567", "Ann")
    assert ann.messages[0].location == (55.75, 37.62)
    assert ann.messages[1].raw["venue"]["title"] == "Shop"
    assert ann.messages[2].raw["contact"]["phone_number"] == "79001234567"
    with pytest.raises(TelegramBadRequest, match="wrong location"):
        await bot.send_location(7, 91, 0)


async def test_messages_of_groups_and_what_happens_to_groups(bot: Bot, shop: SimulatedBot, post: Post) -> None:
    group = shop.add_group(-100, "Staff")
    assert (await bot.send_message(-100, "Hi")).chat.title == "Staff"
    group.migrate(-1_001_000_000_100)
    answer = await post("sendMessage", chat_id=-100, text="Hi")
    assert answer["parameters"] == {"migrate_to_chat_id": -1_001_000_000_100}
    assert "group chat was upgraded to a supergroup chat" in answer["description"]
    shop.groups[-1_001_000_000_100].group_state = GroupState.KICKED
    with pytest.raises(TelegramForbiddenError, match="bot was kicked from the supergroup chat"):
        await bot.send_message(-1_001_000_000_100, "Hi")


async def test_an_edit_is_seen_and_an_equal_edit_is_refused(bot: Bot, ann: SimulatedClient) -> None:
    message = await bot.send_message(7, "Sent 0")
    await bot.edit_message_text("Sent 5", chat_id=7, message_id=message.message_id)
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("Sent 5", chat_id=7, message_id=message.message_id)
    keyboard = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Stop", callback_data="stop")]])
    await bot.edit_message_reply_markup(chat_id=7, message_id=message.message_id, reply_markup=keyboard)
    (seen,) = ann.messages
    assert (seen.text, seen.edited, seen.keyboard[0][0].callback_data) == ("Sent 5", 2, "stop")
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await bot.edit_message_text("x", chat_id=7, message_id=99)


async def test_a_deleted_message_is_gone(bot: Bot, ann: SimulatedClient) -> None:
    first, second = await bot.send_message(7, "one"), await bot.send_message(7, "two")
    await bot.delete_message(7, first.message_id)
    assert [message.text for message in ann.messages] == ["two"]
    with pytest.raises(TelegramBadRequest, match="message to delete not found"):
        await bot.delete_message(7, first.message_id)
    await bot.delete_messages(7, [second.message_id, 99])
    assert ann.messages == []


async def test_a_message_is_copied_without_its_author(bot: Bot, shop: SimulatedBot, ann: SimulatedClient) -> None:
    bob = shop.add_client(8, "Bob")
    said = ann.says("Look at https://shop.example now")
    copy = await bot.copy_message(8, 7, said)
    assert copy.message_id == 1
    assert (bob.last.text, bob.last.from_bot) == ("Look at https://shop.example now", True)
    assert [entity.type for entity in bob.last.entities] == ["url"]
    copies = await bot.copy_messages(8, 7, [said, said + 50])
    assert len(copies) == 1


async def test_commands_and_profile_are_remembered(bot: Bot, shop: SimulatedBot) -> None:
    from aiogram.types import BotCommand

    await bot.set_my_commands([BotCommand(command="new", description="A new mailing")])
    assert [command.command for command in await bot.get_my_commands()] == ["new"]
    await bot.set_my_description("Mailings")
    assert (await bot.get_my_description()).description == "Mailings"
    assert await bot.log_out()


async def test_the_ledger_counts_what_was_accepted(
    telegram: TelegramSimulator, post: Post, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    for text in ("one", "two", "one"):
        await post("sendMessage", chat_id=7, text=text)
    await post("sendMessage", chat_id=404, text="lost")
    assert telegram.accepted_by_chat(TOKEN) == {7: 3}
    assert shop.accepted.repeats() == 1
    assert len(shop.accepted.at) == 3
    assert [call.outcome for call in telegram.requests(TOKEN, "sendMessage")] == ["200", "200", "200", "400"]
    assert telegram.requests()[-1].description == "Bad Request: chat not found"


async def test_counting_goes_on_where_recording_is_off(
    telegram: TelegramSimulator, post: Post, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    telegram.world.ledger.recording = False
    telegram.world.keeps_messages = False
    ids = [(await post("sendMessage", chat_id=7, text="Hi"))["result"]["message_id"] for _ in range(2)]
    assert ids == [1, 2]
    assert (telegram.requests(), ann.messages, telegram.accepted_by_chat(TOKEN)[7]) == ([], [], 2)
    assert telegram.world.ledger.count_by_method["sendMessage"] == 2


async def test_a_wrong_method_raises_not_found_in_aiogram(bot: Bot, shop: SimulatedBot) -> None:
    with pytest.raises(TelegramNotFound):
        await bot.get_business_account_star_balance("x")


async def test_the_simulator_can_be_mounted_in_another_application(
    telegram: TelegramSimulator, http: aiohttp.ClientSession, ann: SimulatedClient
) -> None:
    from aiohttp.test_utils import TestServer

    server = TestServer(telegram.app)
    await server.start_server()
    try:
        async with http.post(
            server.make_url(f"/bot{TOKEN}/sendMessage"), data={"chat_id": "7", "text": "Hi"}
        ) as answer:
            assert (await answer.json())["ok"]
        async with http.post(server.make_url("/_sim/stats"), json={"token": TOKEN}) as answer:
            assert (await answer.json())["accepted"] == 1
    finally:
        await server.close()


async def test_bulk_identifiers_must_be_numbers_in_order(post: Post, ann: SimulatedClient) -> None:
    for message_ids in ([], ["x"], list(range(1, 102)), "7"):
        assert "1 to 100" in (await post("deleteMessages", chat_id=7, message_ids=message_ids))["description"]
    answer = await post("copyMessages", chat_id=7, from_chat_id=7, message_ids=[2, 1])
    assert "strictly increasing" in answer["description"]


async def test_stopping_waits_for_no_silent_call_and_no_long_poll(http: aiohttp.ClientSession) -> None:
    simulator = TelegramSimulator()
    await simulator.start()
    simulator.add_bot(TOKEN)
    simulator.faults.add("silence", method="getMe")
    silent = asyncio.create_task(http.post(f"{simulator.url}/bot{TOKEN}/getMe"))
    polling = asyncio.create_task(http.post(f"{simulator.url}/bot{TOKEN}/getUpdates", data={"timeout": "30"}))
    await asyncio.sleep(0.1)  # both have arrived and wait
    async with asyncio.timeout(5):
        await simulator.stop()
        assert (await (await polling).json())["result"] == []
        with pytest.raises(aiohttp.ClientError):
            await silent
