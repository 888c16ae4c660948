"""A simulated VK with one community, one client beside it, and a listener for its events."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount
from gateways.simulator.vk.server import VkSimulator

KEY = "vk1.a.simulated"
GROUP = 190000017
ANN, BOB = "100500", "100501"
TEXT = {"peer_ids": ANN, "random_id": 11, "message": "Привет"}

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
async def vk() -> AsyncIterator[VkSimulator]:
    simulator = VkSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def shop(vk: VkSimulator) -> SimAccount:
    return vk.add_account(KEY, details={"group_id": GROUP, "secret": "s3cr3t"})


@pytest.fixture
def ann(vk: VkSimulator, shop: SimAccount) -> SimClient:
    vk.add_client(KEY, BOB, "Bob", state="denied")
    return vk.add_client(KEY, ANN, "Ann")


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def ask(vk: VkSimulator, http: aiohttp.ClientSession, ann: SimClient) -> Ask:
    """`await ask("messages.send", peer_ids=…)`: the whole answer."""

    async def ask(method: str, *, key: str = KEY, v: str = "5.199", **values: Any) -> Any:
        nested = {name: json.dumps(value) if isinstance(value, dict) else str(value) for name, value in values.items()}
        form = {**nested, **({"access_token": key} if key else {}), **({"v": v} if v else {})}
        async with http.post(f"{vk.url}/method/{method}", data=form) as answer:
            assert answer.status == 200, "VK answers 200 whatever happens"
            return await answer.json()

    return ask


async def code_of(answer: Awaitable[Any]) -> int:
    return int((await answer)["error"]["error_code"])


def button(kind: str = "callback", **action: Any) -> dict[str, Any]:
    return {"action": {"type": kind, "label": "Yes", **action}}


class Listener:
    """Our side of the Callback API, of a few lines."""

    def __init__(self) -> None:
        self.url = ""
        self.events: list[dict[str, Any]] = []
        self.counters: list[str | None] = []
        self.answers: list[Any] = []  # instead of "ok", one a request
        self.code = "a1b2c3d4"

    async def take(self, request: web.Request) -> web.Response:
        event = await request.json()
        if event["type"] == "confirmation":
            return web.Response(text=self.code)
        self.events.append(event)
        self.counters.append(request.headers.get("X-Retry-Counter"))
        answer = self.answers.pop(0) if self.answers else "ok"
        return web.Response(status=answer) if isinstance(answer, int) else web.Response(text=answer)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event["object"] for event in self.events if event["type"] == kind]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    ours = Listener()
    app = web.Application()
    app.router.add_post("/hook", ours.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ours.url = f"http://127.0.0.1:{site.port}/hook"
    yield ours
    await runner.cleanup()
