"""The bot's side is a small server that answers as each test wants."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramConflictError, TelegramRetryAfter
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.server import TelegramSimulator


class Receiver:
    """What arrived; `answers` are used up first, then it is always 200."""

    def __init__(self) -> None:
        self.updates: list[dict[str, object]] = []
        self.secrets: list[str | None] = []
        self.answers: list[int] = []
        self.retry_after: str | None = None
        self.slow_chats: set[int] = set()
        self.running = 0
        self.most_running = 0
        self.release = asyncio.Event()
        self.arrived = asyncio.Event()
        self.url = ""

    @property
    def texts(self) -> list[str]:
        return [update["message"]["text"] for update in self.updates if "message" in update]  # type: ignore[index]

    async def take(self, request: web.Request) -> web.Response:
        update = await request.json()
        self.updates.append(update)
        self.arrived.set()
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        chat = update.get("message", {}).get("chat", {}).get("id")
        if chat in self.slow_chats:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            await self.release.wait()
            self.running -= 1
        status = self.answers.pop(0) if self.answers else 200
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        return web.Response(status=status, headers=headers)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.updates) < count:
                self.arrived.clear()
                await self.arrived.wait()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    server = TestServer(app)
    await server.start_server()
    receiver.url = str(server.make_url("/hook"))
    yield receiver
    receiver.release.set()
    await server.close()


@pytest.fixture(autouse=True)
def fast(telegram: TelegramSimulator) -> None:
    telegram.world.webhook_time_scale = 0.01


async def test_updates_are_pushed_with_the_secret_and_in_order(
    bot: Bot, ann: SimulatedClient, receiver: Receiver
) -> None:
    ann.says("waiting already")
    assert await bot.set_webhook(receiver.url, secret_token="s3cret")
    for number in range(5):
        ann.says(str(number))
    await receiver.until(6)
    assert receiver.texts == ["waiting already", "0", "1", "2", "3", "4"]
    assert set(receiver.secrets) == {"s3cret"}
    await asyncio.sleep(0.02)
    info = await bot.get_webhook_info()
    assert (info.url, info.pending_update_count, info.last_error_message) == (receiver.url, 0, None)


async def test_polling_and_a_webhook_exclude_each_other(bot: Bot, shop: SimulatedBot, receiver: Receiver) -> None:
    polling = asyncio.create_task(bot.get_updates(timeout=30))
    await asyncio.sleep(0.05)
    await bot.set_webhook(receiver.url)
    with pytest.raises(TelegramConflictError, match="terminated by setWebhook request"):
        await polling
    with pytest.raises(TelegramConflictError, match="can't use getUpdates method while webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert await bot.get_updates() == []
    assert (await bot.get_webhook_info()).url == ""


async def test_what_is_not_taken_comes_again_and_later_ones_of_the_chat_wait(
    bot: Bot, shop: SimulatedBot, ann: SimulatedClient, receiver: Receiver
) -> None:
    bob = shop.add_client(8, "Bob")
    receiver.answers = [500, 503]
    await bot.set_webhook(receiver.url)
    ann.says("first")
    ann.says("second")
    await receiver.until(4)
    bob.says("other chat")
    await receiver.until(5)
    assert receiver.texts == ["first", "first", "first", "second", "other chat"]
    info = await bot.get_webhook_info()
    assert info.last_error_message == "Wrong response from the webhook: 503 Service Unavailable"
    assert info.last_error_date is not None


async def test_one_update_of_a_chat_is_in_flight_and_other_chats_flow(
    bot: Bot, shop: SimulatedBot, ann: SimulatedClient, receiver: Receiver
) -> None:
    bob = shop.add_client(8, "Bob")
    receiver.slow_chats = {7}
    await bot.set_webhook(receiver.url)
    ann.says("one")
    ann.says("two")
    bob.says("three")
    await receiver.until(2)
    await asyncio.sleep(0.03)
    assert sorted(receiver.texts) == ["one", "three"]
    receiver.release.set()
    await receiver.until(3)
    assert receiver.most_running == 1


async def test_the_bots_own_pause_overrides(bot: Bot, ann: SimulatedClient, receiver: Receiver) -> None:
    receiver.answers, receiver.retry_after = [429], "3600"
    await bot.set_webhook(receiver.url)
    ann.says("later")
    await receiver.until(1)
    await asyncio.sleep(0.1)
    assert len(receiver.updates) == 1
    assert (await bot.get_webhook_info()).pending_update_count == 1


async def test_a_press_that_is_never_taken_is_dropped_and_a_message_is_not(
    telegram: TelegramSimulator, bot: Bot, shop: SimulatedBot, ann: SimulatedClient, receiver: Receiver
) -> None:
    telegram.world.webhook_time_scale = 0.001
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    message = await bot.send_message(7, "Coming?", reply_markup=keyboard)  # type: ignore[arg-type]
    receiver.answers = [500] * 1000
    await bot.set_webhook(receiver.url)
    ann.presses(message.message_id, "Yes")
    ann.says("Hello?")
    await asyncio.sleep(0.4)
    assert [update.kind for update in shop.updates.pending.values()] == ["message"]
    assert shop.webhook is not None
    assert shop.webhook.dropped == 1


async def test_an_update_can_come_twice(
    telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient, receiver: Receiver
) -> None:
    telegram.world.webhook_duplicates = 1
    await bot.set_webhook(receiver.url)
    ann.says("Hi")
    await receiver.until(2)
    assert receiver.updates[0] == receiver.updates[1]


async def test_setting_says_whether_anything_changed_and_not_too_often(
    telegram: TelegramSimulator, bot: Bot, shop: SimulatedBot, receiver: Receiver
) -> None:
    await bot.set_webhook(receiver.url)
    await asyncio.sleep(0.02)
    await bot.set_webhook(receiver.url)
    telegram.world.webhook_time_scale = 1.0
    with pytest.raises(TelegramRetryAfter):
        await bot.set_webhook(receiver.url)


async def test_a_url_that_telegram_would_not_take_is_refused(
    telegram: TelegramSimulator, bot: Bot, shop: SimulatedBot
) -> None:
    telegram.world.allows_insecure_webhooks = False
    for url, words in [
        ("http://shop.example/hook", "An HTTPS URL must be provided"),
        ("https://shop.example:8080/hook", "only on ports 80, 88, 443 or 8443"),
        ("https://shop/hook", "Failed to resolve host"),
        ("http://127.0.0.1:8080/hook", "An HTTPS URL must be provided"),
    ]:
        with pytest.raises(TelegramBadRequest, match=words):
            await bot.set_webhook(url)
    with pytest.raises(TelegramBadRequest, match="unallowed characters"):
        await bot.set_webhook("https://shop.example/hook", secret_token="not allowed!")


async def test_waiting_updates_can_be_dropped_and_kinds_chosen(
    bot: Bot, ann: SimulatedClient, receiver: Receiver
) -> None:
    ann.says("old")
    await bot.set_webhook(receiver.url, drop_pending_updates=True, allowed_updates=["my_chat_member"])
    ann.says("not asked for")
    ann.block()
    await receiver.until(1)
    assert list(receiver.updates[0]) == ["update_id", "my_chat_member"]
    assert (await bot.get_webhook_info()).allowed_updates == ["my_chat_member"]


async def test_a_server_that_is_not_there_is_named_in_the_info(bot: Bot, ann: SimulatedClient) -> None:
    await bot.set_webhook("http://127.0.0.1:9/hook")
    ann.says("Hi")
    await asyncio.sleep(0.1)
    info = await bot.get_webhook_info()
    assert (info.pending_update_count, info.last_error_message) == (1, "Connection refused")


async def test_hours_of_nothing_but_gone_remove_the_webhook(
    telegram: TelegramSimulator, bot: Bot, shop: SimulatedBot, ann: SimulatedClient, receiver: Receiver
) -> None:
    telegram.world.webhook_time_scale = 0.000_001  # 23 h are 0.08 s
    receiver.answers = [410] * 10_000
    await bot.set_webhook(receiver.url)
    async with asyncio.timeout(5):
        while shop.webhook is not None:
            ann.says("Hello?")
            await asyncio.sleep(0.01)
    assert (await bot.get_webhook_info()).url == ""
