import asyncio
import time

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import BufferedInputFile

from gateways.simulator.counts import most_in_window, rate_per_s
from gateways.simulator.faults import FaultKind
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.pressure import Pressure
from gateways.simulator.telegram.server import TelegramSimulator
from tests.gateways.simulator.conftest import TOKEN, Post
from tests.gateways.simulator.pictures import png


async def test_a_throttle_says_how_long_and_takes_nothing(
    telegram: TelegramSimulator, bot: Bot, http: aiohttp.ClientSession, ann: SimulatedClient
) -> None:
    telegram.faults.add(FaultKind.THROTTLE, times=2, retry_after_s=17, method="sendMessage")
    await bot.get_me()
    with pytest.raises(TelegramRetryAfter) as throttled:
        await bot.send_message(7, "Hi")
    assert throttled.value.retry_after == 17
    async with http.post(f"{telegram.url}/bot{TOKEN}/sendMessage", data={"chat_id": "7", "text": "Hi"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "17")
        assert await answer.json() == {
            "ok": False,
            "error_code": 429,
            "description": "Too Many Requests: retry after 17",
            "parameters": {"retry_after": 17},
        }
    await bot.send_message(7, "Hi")
    assert len(ann.messages) == 1


async def test_server_errors_come_as_json_and_as_html(
    telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient
) -> None:
    telegram.faults.add("error")
    telegram.faults.add("bad_gateway", accepted=True)
    with pytest.raises(TelegramServerError, match="Internal Server Error"):
        await bot.send_message(7, "one")
    with pytest.raises(ClientDecodeError):
        await bot.send_message(7, "two")
    assert [message.text for message in ann.messages] == ["two"]
    assert [call.outcome for call in telegram.requests()] == ["500", "502 after accept"]


async def test_a_connection_closed_before_reading_and_one_dropped_after_accepting(
    telegram: TelegramSimulator, bot: Bot, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    telegram.faults.add("close")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(7, "never")
    telegram.faults.add("drop")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(7, "unknown")
    assert [message.text for message in ann.messages] == ["unknown"]
    assert [call.outcome for call in telegram.requests()] == ["closed", "dropped after accept"]
    assert shop.accepted.by_chat == {7: 1}


@pytest.mark.parametrize("accepted", [False, True])
async def test_silence_ends_with_the_callers_own_timeout(
    telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient, accepted: bool
) -> None:
    telegram.faults.add("silence", accepted=accepted)
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(7, "Hi", request_timeout=1)
    assert len(ann.messages) == accepted


async def test_hanging_takes_the_message_late_and_slowness_at_once(
    telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient
) -> None:
    for kind, seen_meanwhile in (("hang", 0), ("slow", 1)):
        telegram.faults.add(kind, seconds=0.2)
        sending = asyncio.create_task(bot.send_message(7, kind))
        await asyncio.sleep(0.1)
        assert sum(message.text == kind for message in ann.messages) == seen_meanwhile
        assert (await sending).text == kind


async def test_content_is_refused_in_words_of_ones_choice(
    telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient
) -> None:
    telegram.faults.add("refuse", words="PHOTO_INVALID_DIMENSIONS")
    telegram.faults.add(
        "refuse", words="group chat was upgraded to a supergroup chat", parameters={"migrate_to_chat_id": -1005}
    )
    with pytest.raises(TelegramBadRequest, match="PHOTO_INVALID_DIMENSIONS"):
        await bot.send_message(7, "Hi")
    with pytest.raises(TelegramMigrateToChat):
        await bot.send_message(7, "Hi")


async def test_faults_of_one_chat_bot_or_later_call_leave_the_others_alone(
    telegram: TelegramSimulator, post: Post, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    shop.add_client(8, "Bob")
    telegram.faults.add("throttle", times=9, chat_id=8)
    telegram.faults.add("throttle", times=9, token="2:other")
    telegram.faults.add("error", chat_id=7, after=1)
    codes = [(await post("sendMessage", chat_id=chat, text="Hi")).get("error_code") for chat in (8, 7, 7, 7, 8)]
    assert codes == [429, None, 500, None, 429]
    telegram.faults.clear()
    assert (await post("sendMessage", chat_id=8, text="Hi"))["ok"]


async def test_chances_repeat_for_the_same_seed(telegram: TelegramSimulator, post: Post, ann: SimulatedClient) -> None:
    async def outcomes() -> list[bool]:
        telegram.faults.seed(5)
        return [(await post("sendMessage", chat_id=7, text="Hi"))["ok"] for _ in range(30)]

    telegram.faults.add("error", chance=0.3)
    first = await outcomes()
    assert first == await outcomes()
    assert 3 <= first.count(False) <= 20


async def test_latency_is_of_everything_or_of_one_method(
    telegram: TelegramSimulator, post: Post, ann: SimulatedClient
) -> None:
    async def took_s(method: str, **parameters: object) -> float:
        begun = time.monotonic()
        await post(method, **parameters)
        return time.monotonic() - begun

    telegram.faults.latency_s = 0.1
    telegram.faults.delay_answers(0.0, method="getMe")
    telegram.faults.delay_answers((0.2, 0.25), token=TOKEN, method="sendMessage")
    assert await took_s("getMe") < 0.09
    assert 0.1 <= await took_s("getMyCommands") < 0.19
    assert await took_s("sendMessage", chat_id=7, text="Hi") >= 0.2


async def test_the_budget_of_a_bot_is_a_sliding_second(
    telegram: TelegramSimulator, post: Post, shop: SimulatedBot
) -> None:
    for user_id in range(1, 41):
        shop.add_client(user_id, f"Client {user_id}")
    shop.pressure.per_second = 30
    answers = await asyncio.gather(*(post("sendMessage", chat_id=user_id, text="Hi") for user_id in range(1, 41)))
    assert sum(answer["ok"] for answer in answers) == 30
    assert {answer["parameters"]["retry_after"] for answer in answers if not answer["ok"]} == {1}
    await asyncio.sleep(1.0)
    assert (await post("sendMessage", chat_id=1, text="Hi"))["ok"]
    assert most_in_window(shop.accepted.at) <= 30


async def test_the_budget_of_a_chat_leaves_other_chats_alone(
    telegram: TelegramSimulator, post: Post, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    shop.add_client(8, "Bob")
    shop.pressure.per_chat, shop.pressure.retry_after_s = 1, 5
    answers = [await post("sendMessage", chat_id=chat, text="Hi") for chat in (7, 7, 8)]
    assert [answer["ok"] for answer in answers] == [True, False, True]
    assert answers[1]["parameters"] == {"retry_after": 5}


async def test_a_throttled_bot_stays_closed_until_its_time_is_over(
    telegram: TelegramSimulator, post: Post, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    telegram.faults.add("throttle", retry_after_s=1, holds=True)
    codes = [(await post("sendMessage", chat_id=7, text="Hi")).get("error_code") for _ in range(3)]
    assert codes == [429, 429, 429]
    assert (await post("getMe"))["ok"]
    await asyncio.sleep(1.0)
    assert (await post("sendMessage", chat_id=7, text="Hi"))["ok"]


async def test_a_short_flood_wait_hangs_and_then_succeeds(
    telegram: TelegramSimulator, post: Post, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    shop.pressure.per_chat, shop.pressure.per_chat_window_s, shop.pressure.absorbs_s = 1, 0.2, 8.0
    begun = time.monotonic()
    answers = [await post("sendMessage", chat_id=7, text="Hi") for _ in range(3)]
    assert all(answer["ok"] for answer in answers)
    assert 0.35 <= time.monotonic() - begun < 2


async def test_uploads_of_equal_size_are_spaced(
    telegram: TelegramSimulator, bot: Bot, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    shop.pressure.slows_equal_uploads = True
    begun = time.monotonic()
    for size_bytes in (200_000, 200_000, 200_001, 5_000, 5_000):
        await bot.send_photo(7, BufferedInputFile(png(size_bytes=size_bytes), "sale.png"))
    assert 0.15 <= time.monotonic() - begun < 1.5


def test_equal_uploads_past_a_backlog_of_5_s_are_throttled_after_a_stall() -> None:
    pressure = Pressure(slows_equal_uploads=True)
    outcomes = [pressure.admit_upload(5_000_000, now=100.0) for _ in range(13)]
    assert [round(wait_s, 3) for wait_s, refusal in outcomes if refusal is None] == [0.5 * n for n in range(11)]
    wait_s, refusal = outcomes[11]
    assert refusal is not None
    assert (wait_s, refusal.retry_after_s) == (3.0, 60)
    assert pressure.admit_upload(5_000_001, now=100.0) == (0.0, None)
    assert pressure.admit_upload(100_000, now=100.0) == pressure.admit_upload(100_000, now=100.0) == (0.0, None)


async def test_an_outage_refuses_connections_and_ends_on_the_same_port(
    telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient
) -> None:
    await bot.send_message(7, "before")
    url = telegram.url
    async with telegram.outage():
        with pytest.raises(TelegramNetworkError):
            await bot.send_message(7, "meanwhile")
        with pytest.raises(TelegramNetworkError, match="Cannot connect"):
            await bot.send_message(7, "meanwhile")
    assert telegram.url == url
    await bot.send_message(7, "after")
    assert [message.text for message in ann.messages] == ["before", "after"]


def test_windows_and_rates_are_computed_from_moments() -> None:
    moments = [0.0, 0.1, 0.2, 1.05, 1.15, 1.19, 3.0]
    assert most_in_window(moments) == 4  # 0.2 .. 1.19
    assert most_in_window([]) == 0
    assert most_in_window([0.0, 1.0]) == 1
    assert rate_per_s(moments) == 2.0
    assert rate_per_s([1.0]) == 0.0
