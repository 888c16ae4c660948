"""The simulator from another process: its own HTTP API, and the program itself."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.server import TelegramSimulator
from tests.gateways.simulator.conftest import TOKEN, Post

Order = Callable[..., Awaitable[Any]]


@pytest.fixture
def order(telegram: TelegramSimulator, http: aiohttp.ClientSession) -> Order:
    async def order(verb: str, *, status: int = 200, **terms: Any) -> Any:
        async with http.post(f"{telegram.url}/_sim/{verb}", json=terms) as answer:
            body = await answer.json()
            assert answer.status == status, body
            return body

    return order


async def test_a_benchmark_sets_up_sends_and_reads_its_figures(order: Order, post: Post) -> None:
    await order("add_bot", token="9:bench", username="bench_bot")
    await order("add_clients", token="9:bench", **{"from": 1, "to": 1_000_000})
    await order("add_clients", token="9:bench", **{"from": 11, "to": 20, "state": "blocked"})
    for user_id in (1, 2, 2, 15, 1_000_000, 1_000_001):
        await post("sendMessage", token="9:bench", chat_id=user_id, text="Hi")
    stats = await order("stats", token="9:bench")
    assert stats["rate_per_s"] > 0
    assert {name: value for name, value in stats.items() if name != "rate_per_s"} == {
        "accepted": 4,
        "messages": 4,
        "chats": 3,
        "chats_with_several": 1,
        "repeats": 1,
        "most_in_1_s": 4,
    }
    everything = await order("stats")
    assert (everything["accepted"], everything["calls"]) == (4, {"sendMessage": 6})
    await order("reset")
    assert (await order("stats"))["accepted"] == 0


async def test_a_client_speaks_and_presses_from_outside(order: Order, post: Post, ann: SimulatedClient) -> None:
    keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
    await post("sendMessage", chat_id=7, text="Coming?", reply_markup=keyboard)
    assert (await order("press", token=TOKEN, user_id=7, button="Yes"))["query_id"]
    await order("say", token=TOKEN, user_id=7, text="Thanks")
    await order("state", token=TOKEN, user_id=7, state="blocked")
    await order("state", token=TOKEN, user_id=7, state="active")
    updates = (await post("getUpdates"))["result"]
    assert [next(name for name in update if name != "update_id") for update in updates] == [
        "callback_query",
        "message",
        "my_chat_member",
        "my_chat_member",
    ]
    seen = await order("messages", token=TOKEN, user_id=7)
    assert [(message["text"], message["from_bot"]) for message in seen] == [("Coming?", True), ("Thanks", False)]
    assert seen[0]["buttons"] == [["Yes"]]


async def test_faults_latency_pressure_and_settings_are_set_from_outside(
    telegram: TelegramSimulator, order: Order, post: Post, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    await order("fault", kind="throttle", times=1, retry_after_s=3)
    assert (await post("sendMessage", chat_id=7, text="Hi"))["parameters"] == {"retry_after": 3}
    await order("latency", latency_s=[0.0, 0.01])
    await order("latency", latency_s=0.02, method="getMe")
    await order("pressure", token=TOKEN, per_second=1)
    codes = [(await post("sendMessage", chat_id=7, text="Hi")).get("error_code") for _ in range(2)]
    assert codes == [None, 429]
    await order("settings", recording=False, keeps_messages=False)
    assert (telegram.world.ledger.recording, telegram.world.keeps_messages) == (False, False)
    await order("clear_faults")
    await order("revoke", token=TOKEN)
    assert (await post("getMe"))["error_code"] == 401
    await order("restore", token=TOKEN)
    assert (await post("getMe"))["ok"]
    requests = await order("requests", token=TOKEN, last=1)
    assert [(call["method"], call["outcome"]) for call in requests] == [("sendMessage", "429")]


async def test_an_outage_of_some_length_is_ordered_from_outside(order: Order, post: Post, shop: SimulatedBot) -> None:
    async def until(reachable: bool) -> None:
        async with asyncio.timeout(5):
            while await is_reachable() is not reachable:
                await asyncio.sleep(0.01)

    async def is_reachable() -> bool:
        try:
            return bool((await post("getMe"))["ok"])
        except aiohttp.ClientError:
            return False

    await order("outage", seconds=0.3)
    await until(reachable=False)
    await until(reachable=True)


@pytest.mark.parametrize(
    ("verb", "terms", "status", "words"),
    [
        ("fly", {}, 404, "no verb 'fly'"),
        ("say", {"token": "1:none"}, 400, "KeyError"),
        ("settings", {"wings": 2}, 400, "World has no 'wings'"),
        ("fault", {"kind": "flood"}, 400, "ValueError"),
        ("fault", {"kind": "error", "colour": "red"}, 400, "TypeError"),
    ],
)
async def test_a_wrong_order_is_answered_with_a_sentence(
    order: Order, shop: SimulatedBot, verb: str, terms: dict[str, Any], status: int, words: str
) -> None:
    assert words in (await order(verb, status=status, **terms))["error"]


async def test_the_program_prints_its_address_serves_its_bots_and_ends_on_a_signal(http: aiohttp.ClientSession) -> None:
    program = [sys.executable, "-m", "gateways.simulator.telegram.server", "--bots", "2", "--count-only"]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        async with http.post(f"{url}/bot2:simulated/sendMessage", json={"chat_id": 5, "text": "Hi"}) as answer:
            assert (await answer.json())["result"]["chat"]["id"] == 5
        async with http.post(f"{url}/_sim/stats", json={}) as answer:
            assert (await answer.json())["accepted"] == 1
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)


async def test_the_simulator_is_made_without_the_library_that_it_tests() -> None:
    code = (
        "import sys, gateways.simulator.telegram.server;"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'aiogram', 'bot', 'engine', 'storage'}))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert output.decode().strip() == "[]"
