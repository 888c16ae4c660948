"""What people write with the platforms' own libraries: a loop over the clients, nothing kept of what became of it."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from benchmarks._world import FIRST_CHAT

if TYPE_CHECKING:
    from aiogram import Bot

HTML = '<b>Hello, Name123!</b> The <a href="https://acme.test/sale">sale</a> is on.'
PLAIN = "Hello, Name123! The sale is on."
AT_ONCE = 50


async def aiogram_one_by_one(url: str, messages: int) -> None:
    async with bot_at(url) as bot:
        for number in range(messages):
            await bot.send_message(FIRST_CHAT + number, HTML, parse_mode="HTML")


async def aiogram_together(url: str, messages: int) -> None:
    """All at once, so many of them in flight: what comes first to mind against the wait for each answer."""
    room = asyncio.Semaphore(AT_ONCE)
    async with bot_at(url) as bot:

        async def send(number: int) -> None:
            async with room:
                await bot.send_message(FIRST_CHAT + number, HTML, parse_mode="HTML")

        await asyncio.gather(*(send(number) for number in range(messages)))


async def viberbot_one_by_one(url: str, messages: int) -> None:
    """Its sender blocks, so it has a thread, as it would have in a web application."""
    await asyncio.to_thread(_send_by_viberbot, url, messages)


def bot_at(url: str) -> "AbstractAsyncContextManager[Bot]":
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    session = AiohttpSession(api=TelegramAPIServer.from_base(url), limit=AT_ONCE)
    return Bot("1:simulated", session=session).context()


def _send_by_viberbot(url: str, messages: int) -> None:
    # viberbot has no types.
    from viberbot.api.api_request_sender import ApiRequestSender  # type: ignore[import-untyped]
    from viberbot.api.bot_configuration import BotConfiguration  # type: ignore[import-untyped]
    from viberbot.api.message_sender import MessageSender  # type: ignore[import-untyped]
    from viberbot.api.messages import TextMessage  # type: ignore[import-untyped]

    log = logging.getLogger("viberbot")
    configuration = BotConfiguration(auth_token="1-simulated", name="Shop", avatar="")
    sender = MessageSender(log, ApiRequestSender(log, f"{url}/pa", configuration, "viberbot"), configuration)
    for number in range(messages):
        sender.send_message(str(FIRST_CHAT + number), "Shop", "", TextMessage(text=PLAIN))
