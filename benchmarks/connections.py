"""Ten thousand open connections at our hooks while a mailing goes out at 25/s: half say nothing, half begin a request.

Another process opens them and opens each again that is hung up on. Prints how near the mailing kept to its pace, what
memory and how many files it took, and how long a genuine webhook took that came through the crowd; each must be
answered 200 and kept.
python -m benchmarks.connections [--connections 10000] [--seconds 15] [--full] [--check]
"""

import argparse
import asyncio
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
from sqlalchemy import func, select

from benchmarks._world import FIRST_NUMBER, bench, control, draft, run, simulators
from benchmarks.flood import resident_mib
from benchmarks.receipts import (
    PACE_TARGET,
    SPEED,
    UNLIMITED,
    body_of,
    pace_of,
    request_of,
    served,
    statuses_of,
    wamids_of,
)
from bot.doorway import MOST_CONNECTIONS
from storage.schema import receipts

PATH = "/hooks/whatsapp-1"
MESSAGES = 100
MEMORY_TARGET_MIB, TOOK_TARGET_S = 200, 1.0
BEGUN = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode()


@dataclass(frozen=True, slots=True)
class Crowd:
    alone: float  # of its pace
    beside: float
    grew_mib: float
    files: int  # at most
    took_s: Sequence[float]


async def hold(port: int, connections: int) -> None:
    """Keep so many open, until killed: every other one begins a request."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard > connections, f"this process may open {soft} files, {hard} at most"

    async def keep(number: int) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                if number % 2:
                    writer.write(BEGUN)
                await reader.read()
                writer.close()
            await asyncio.sleep(1)

    async with asyncio.TaskGroup() as tasks:
        for number in range(connections):
            tasks.create_task(keep(number))
            if number % 50 == 0:
                await asyncio.sleep(0.02)


async def measure(connections: int, seconds: float) -> Crowd:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            simulators({"whatsapp": 1}) as urls,
            bench(Path(folder), urls, 1, UNLIMITED, MESSAGES + int(SPEED * seconds * 3)) as made,
            served(made) as (port, _bare),
        ):
            await control(urls["whatsapp"], "limits", account=str(FIRST_NUMBER), throughput=1_000_000)
            starts = made.gateways["whatsapp-1"].starts
            await made.launch(replace(draft("beside", "The sale is on."), speed=SPEED))
            while len(starts) < MESSAGES:  # noqa: ASYNC110  # the gateway that is watched has no event
                await asyncio.sleep(0.05)
            told = statuses_of((await wamids_of(made))[: MESSAGES // 2], random.Random(7))
            alone, before = pace_of(starts[int(SPEED) :]), resident_mib()
            holding = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.connections", "--hold", str(port)),
                *("--connections", str(connections)),
            )
            begun, ends, files, took_s = len(starts), time.monotonic() + seconds, 0, list[float]()
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
                while time.monotonic() < ends:
                    files = max(files, _open_files())
                    if told:
                        took_s.append(await _post(session, port, body_of([told.pop()])))
                    await asyncio.sleep(0.1)
            crowd = Crowd(alone, pace_of(starts[begun:]), resident_mib() - before, files, took_s)
            holding.kill()
            await holding.wait()
            async with made.store.database.read() as connection:
                kept = await connection.scalar(select(func.count()).select_from(receipts))
            assert kept == len(took_s), (kept, len(took_s))
    return crowd


def _open_files() -> int:
    return sum(1 for _each in Path("/proc/self/fd").iterdir())


async def _post(session: aiohttp.ClientSession, port: int, body: bytes) -> float:
    """How long one receipt took, from connecting to its 200."""
    head, _, _ = request_of(PATH, body).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    began = time.monotonic()
    async with session.post(f"http://127.0.0.1:{port}{PATH}", data=body, headers=headers) as answer:
        assert answer.status == 200, answer.status
    return time.monotonic() - began


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--full", action="store_true", help="a minute of it")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--hold", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.hold:
        await hold(arguments.hold, arguments.connections)
    crowd = await measure(arguments.connections, 60 if arguments.full else arguments.seconds)
    slowest_s = max(crowd.took_s)
    print(f"{arguments.connections:,} connections, {len(crowd.took_s)} genuine webhooks among them")
    print(f"{'':<44}{'measured':>9}{'target':>9}")
    print(f"{'of its pace, the mailing alone':<44}{crowd.alone:>9.4f}")
    print(f"{'of its pace, the mailing beside':<44}{crowd.beside:>9.4f}{PACE_TARGET:>9.4f}")
    print(f"{'memory that it took more, MiB':<44}{crowd.grew_mib:>9.1f}{MEMORY_TARGET_MIB:>9}")
    print(f"{'files open at most':<44}{crowd.files:>9,}{MOST_CONNECTIONS + 1000:>9,}")
    print(f"{'a genuine webhook, median and slowest, s':<36}{statistics.median(crowd.took_s):>8.3f}", end="")
    print(f"{slowest_s:>9.3f}{TOOK_TARGET_S:>9.1f}")
    good = crowd.beside >= PACE_TARGET and crowd.grew_mib <= MEMORY_TARGET_MIB and slowest_s <= TOOK_TARGET_S
    return 1 if arguments.check and not good else 0


if __name__ == "__main__":
    run(main())
