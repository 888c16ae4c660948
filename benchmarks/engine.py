"""The whole path of a message without a pace limit, against a bare aiohttp client posting to the same server.

A message is claimed, personalised, marked as started, sent over HTTP, and its outcome committed; the bare client only
posts the same body and reads the answer. Both run in turn; prints each and the median of the ratios.
python -m benchmarks.engine [--messages 4000] [--rounds 5] [--at-least 0.5]
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks._world import FIRST_CHAT, TEXT, bench, draft, run, simulator

UNLIMITED = 20_000.0
IN_FLIGHT = 50


async def bare(url: str, messages: int) -> float:
    """Messages/second of a client that does nothing else."""
    body = {
        "text": "Hello, Name123! The sale is on.",
        "entities": [
            {"type": "bold", "offset": 0, "length": 15},
            {"type": "text_link", "offset": 20, "length": 4, "url": "https://acme.test/sale"},
        ],
    }
    numbers = iter(range(messages))
    target = f"{url}/bot1:simulated/sendMessage"

    async def worker(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            data = json.dumps({"chat_id": FIRST_CHAT + number, **body}).encode()
            async with session.post(target, data=data, headers={"Content-Type": "application/json"}) as answer:
                assert json.loads(await answer.read())["ok"]

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.monotonic()
        await asyncio.gather(*(worker(session) for _ in range(IN_FLIGHT)))
        return messages / (time.monotonic() - began)


async def whole(url: str, messages: int) -> float:
    """Messages/second from launch to the last durable outcome."""
    with tempfile.TemporaryDirectory() as folder:
        async with bench(Path(folder), {"telegram": url}, 1, UNLIMITED, messages) as made:
            began = time.monotonic()
            await made.until_sent(await made.launch(draft("engine", TEXT)))
            return messages / (time.monotonic() - began)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-least", type=float, default=0.0, help="exit 1 below this ratio")
    arguments = parser.parse_args()
    ratios = []
    async with simulator(1) as url:
        await bare(url, 500)
        for number in range(1, arguments.rounds + 1):
            alone, path = await bare(url, arguments.messages), await whole(url, arguments.messages)
            ratios.append(path / alone)
            print(
                f"round {number}: bare {alone:,.0f}/s, whole path {path:,.0f}/s, ratio {path / alone:.3f}", flush=True
            )
    print(f"median ratio {statistics.median(ratios):.3f} of a bare aiohttp client")
    return 0 if statistics.median(ratios) >= arguments.at_least else 1


if __name__ == "__main__":
    run(main())
