"""Posting JSON and reading the answer: our client of the sending path beside a bare aiohttp client, by processor time.

Both post the same messages of a mailing, fifty at once, to the same simulated Telegram in a process of its own; in
turn, so that whatever else the machine does meets both. Prints microseconds of this process for each message and the
median of the ratios:
python -m benchmarks.wire [--messages 4000] [--rounds 5] [--full] [--check]
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable

import aiohttp
from yarl import URL

from benchmarks._world import FIRST_CHAT, run, simulator
from gateways.http import HttpClient, target
from gateways.jsons import read_json, write_json

AT_MOST = 0.5  # of aiohttp's processor time
IN_FLIGHT = 50
HEADERS = {"Content-Type": "application/json"}
MESSAGE = {
    "text": "Hello, Name123! The sale is on.",
    "entities": [
        {"type": "bold", "offset": 0, "length": 15},
        {"type": "text_link", "offset": 20, "length": 4, "url": "https://acme.test/sale"},
    ],
}

Post = Callable[[int], Awaitable[None]]


async def by_aiohttp(url: str, messages: int) -> float:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(number: int) -> None:
            body = json.dumps({"chat_id": FIRST_CHAT + number, **MESSAGE}).encode()
            async with session.post(url, data=body, headers=HEADERS) as answer:
                assert json.loads(await answer.read())["ok"]

        return await cpu_us(post, messages)


async def by_ours(url: str, messages: int) -> float:
    http, where = HttpClient(), target("POST", URL(url), HEADERS)
    await http.open()

    async def post(number: int) -> None:
        answer = await http.call(where, write_json({"chat_id": FIRST_CHAT + number, **MESSAGE}), total_s=30.0)
        assert read_json(answer.body)["ok"]

    try:
        return await cpu_us(post, messages)
    finally:
        await http.close()


async def cpu_us(post: Post, messages: int) -> float:
    numbers = iter(range(messages))

    async def worker() -> None:
        for number in numbers:
            await post(number)

    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return (time.process_time() - began) / messages * 1e6


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="ten times the messages")
    parser.add_argument("--check", action="store_true", help="exit 1 where the target is missed")
    arguments = parser.parse_args()
    messages = arguments.messages * (10 if arguments.full else 1)
    ratios = []
    async with simulator(1) as base:
        url = f"{base}/bot1:simulated/sendMessage"
        await by_aiohttp(url, 500)
        for number in range(1, arguments.rounds + 1):
            theirs, ours = await by_aiohttp(url, messages), await by_ours(url, messages)
            ratios.append(ours / theirs)
            print(f"round {number}: aiohttp {theirs:.0f} us, ours {ours:.0f} us, ratio {ratios[-1]:.3f}", flush=True)
    median = statistics.median(ratios)
    print(f"median ratio {median:.3f} of aiohttp's processor time; target at most {AT_MOST}")
    return 1 if arguments.check and median > AT_MOST else 0


if __name__ == "__main__":
    run(main())
