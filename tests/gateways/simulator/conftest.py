"""A simulated platform, one bot on it with one client, and two ways to speak to it: aiogram and bare HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.server import TelegramSimulator

TOKEN = "555000111:simulated"

Post = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSimulator]:
    simulator = TelegramSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def shop(telegram: TelegramSimulator) -> SimulatedBot:
    return telegram.add_bot(TOKEN)


@pytest.fixture
def ann(telegram: TelegramSimulator, shop: SimulatedBot) -> SimulatedClient:
    return telegram.add_client(shop, 7, "Ann", username="ann_k", language_code="en")


@pytest.fixture
async def bot(telegram: TelegramSimulator) -> AsyncIterator[Bot]:
    session = AiohttpSession(api=TelegramAPIServer.from_base(telegram.url), timeout=20)
    yield Bot(TOKEN, session=session)
    # Its own close() sleeps 0.25 s for TLS, which is not spoken here; a hundred tests would feel it.
    await (await session.create_session()).close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def post(telegram: TelegramSimulator, http: aiohttp.ClientSession) -> Post:
    """`await post("sendMessage", chat_id=7, text="Hi")`: the decoded envelope."""

    async def post(method: str, *, token: str = TOKEN, **parameters: Any) -> dict[str, Any]:
        async with http.post(f"{telegram.url}/bot{token}/{method}", json=parameters) as answer:
            body: dict[str, Any] = await answer.json()
            assert body["ok"] is (answer.status == 200)
            assert body["ok"] or body["error_code"] == answer.status
            return body

    return post
