"""Everything that can happen, at random, to mailings over five platforms that report back: make torture MINUTES=10

    python -m tests.flows.faults.torture --minutes 10 [--only kill,term] [--times 100] [--seed N] [--storage postgresql]

Says what it did and what each fault left unknown. Exit code 1 if anybody got a mailing twice or got lost, if a sum is
wrong, if a kill left more unknown than its bound, or SIGTERM anything at all."""

import argparse
import asyncio
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from sqlalchemy import func, select

from gateways.simulator.faults import Faults
from gateways.simulator.hooks import Hook
from storage.records import Actor, Role
from storage.schema import receipts
from tests.flows.carillon import assert_adds_up
from tests.flows.faults.test_storage import cut_connections
from tests.flows.five import FIVE, TEMPLATE, Five, address_of, channel_of, five
from tests.flows.lateness import Lateness
from tests.postgres import Server, own_server

RATE, LATENCY_S, EACH, AHEAD_S = 25.0, 0.1, 300, 0.1
LOCKED_S, LOOKED_AT_AGAIN_S = 2.0, 75.0
TELLS_ALL = ("facebook", "whatsapp")  # of what they took, by our reference: also where we were killed meanwhile
EVERYWHERE = ("kill", "term", "outage", "throttles", "drops", "gateways", "pause", "locked", "forged", "open")
DRAWN = {"sqlite": (*EVERYWHERE, "full_disk"), "postgresql": (*EVERYWHERE, "restart", "crash", "cut")}


@dataclass(slots=True)
class Done:
    """What was done, and what came of it."""

    mailings: int = 0
    sent: int = 0
    twice: int = 0
    lost: int = 0
    wrong: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)  # by what left it so

    @property
    def passed(self) -> bool:
        return not (self.twice or self.lost or self.wrong)


class Torturer:
    def __init__(self, made: Five, seed: int, say: Callable[[str], None], server: Server | None = None) -> None:
        self.made = made
        self.done = Done()
        self.mailing = 0
        self.lateness = Lateness()
        self._random = random.Random(seed)
        self._say = say
        self._server = server
        self._cut_off = 0  # answers that the platforms cut off: each may leave one unknown

    async def prepare(self) -> None:
        made = self.made
        await made.import_clients(EACH, FIVE)
        await made.open_windows("facebook")
        made.expect_receipts(sent=0.0, delivered=0.2, read=1.0)
        for kind, account in made.accounts.items():
            # Platforms repeat for days; one that gave up would look like a receipt that we lost.
            account.hook = Hook(f"{made.running.url}/hooks/{kind}", retries=100, retry_after_s=0.3, most_pause_s=5.0)
        for faults in self._all_faults():
            faults.latency_s = LATENCY_S
        await made.running.start(only="web,engine")

    async def run(self, kinds: list[str], minutes: float, times: int | None) -> Done:
        ends = time.monotonic() + minutes * 60
        async with self.lateness:
            while time.monotonic() < ends and (times is None or self.done.times.total() < times):
                await self._send_one(kinds, ends, times)
        self.made.assert_no_secrets()
        return self.done

    async def _send_one(self, kinds: list[str], ends: float, times: int | None) -> None:
        """One mailing to everybody, with faults until it is sent."""
        made, before = self.made, {kind: Counter(self.made.accepted(kind)) for kind in FIVE}
        self.done.mailings += 1
        self._cut_off = 0
        self.mailing = await made.running.create(f"Torture {self.done.mailings}", more=TEMPLATE)
        while (await self._figures())["status"] != "sent":
            if time.monotonic() < ends and (times is None or self.done.times.total() < times):
                await self._draw(self._random.choice(kinds))
            await asyncio.sleep(self._random.uniform(0.3, 1.5))
        for platform in made.platforms.values():
            await platform.hooks.settled()
        await self._judge(before)

    async def _draw(self, name: str) -> None:
        before = await self._unknown()
        self.lateness.most_s = 0.0
        work: Callable[[], Awaitable[None]] = getattr(self, f"_{name}")
        await work()
        figures = await self._figures()
        left = {kind: now - before[kind] for kind, now in (await self._unknown()).items()}
        self.done.times[name] += 1
        self.done.unknown[name] += sum(left.values())
        told = " ".join(f"{kind} {count}" for kind, count in left.items() if count)
        self._say(f"{name}: {figures['sent']} sent, unknown since: {told or 'none'}")
        if name == "kill":
            most = RATE * (LATENCY_S + AHEAD_S + self.lateness.most_s) + self._cut_off
            for kind, count in left.items():
                if count > (0 if kind == "vk" else most):
                    self._wrong(f"a kill left {count} unknown on {kind}, at most {most:.1f} may be")
        elif name not in ("drops", "gateways", "outage") and sum(left.values()) > self._cut_off:
            self._wrong(f"{name} left {told} unknown")

    async def _judge(self, before: Mapping[str, Counter[str]]) -> None:
        figures = await self._all_told()
        self.done.sent += figures["sent"]
        for kind in FIVE:
            got = Counter(self.made.accepted(kind)) - before[kind]
            told = figures["by_channel"][channel_of(kind)]
            without = [number for number in range(1, EACH + 1) if not got[address_of(kind, number)]]
            self.done.twice += sum(count > 1 for count in got.values())
            missing = max(len(without) - told["unknown"] - told["failed"], 0)
            self.done.lost += missing + abs(EACH - told["sent"] - told["unknown"] - told["failed"])
            if told["failed"]:
                self._wrong(f"{told['failed']} failed on {kind}: {figures['failures']}")
            if kind in TELLS_ALL and told["delivered"] < told["sent"]:
                self._wrong(
                    f"of {told['sent']} on {kind}, {told['delivered']} are counted as delivered: receipts are missing"
                )

    async def _all_told(self) -> Mapping[str, Any]:
        """A receipt that came before its part was known is kept, and looked at again within a minute."""
        ends = time.monotonic() + LOOKED_AT_AGAIN_S
        while True:
            figures = await self._figures()
            told = figures["by_channel"]
            untold = any(told[kind]["delivered"] < told[kind]["sent"] for kind in TELLS_ALL)
            if not (untold and await self._receipts_wait()) or time.monotonic() > ends:
                return figures
            await asyncio.sleep(1)

    async def _receipts_wait(self) -> bool:
        """Whether any is kept that is not counted yet."""
        query = select(func.count()).where(receipts.c.applied_at.is_(None))
        async with self.made.running.desk.store.database.read() as connection:
            return bool(await connection.scalar(query))

    # --- what is done ---

    async def _kill(self) -> None:
        await self.made.running.kill()
        await self.made.running.start(only="web,engine")

    async def _term(self) -> None:
        code, took_s = await self.made.running.terminate()
        if code or took_s > 10:
            self._wrong(f"SIGTERM ended it with {code} after {took_s:.1f} s")
        await self.made.running.start(only="web,engine")

    async def _outage(self) -> None:
        """One platform cuts every connection and takes none."""
        kind = self._random.choice(FIVE)
        simulator = self.made.running.simulator if kind == "telegram" else self.made.platforms[kind]
        async with simulator.outage():
            await asyncio.sleep(self._random.uniform(0.5, 4))

    async def _throttles(self) -> None:
        """Not on Viber: what it refuses so is the one client's limit, and waits for half an hour."""
        kind = self._random.choice([kind for kind in FIVE if kind != "viber"])
        faults = self.made.running.simulator.faults if kind == "telegram" else self.made.platforms[kind].faults
        fault = faults.add("throttle", chance=0.7, retry_after_s=1)
        await asyncio.sleep(3)
        fault.chance = 0.0

    async def _drops(self) -> None:
        """Taken, and the answer cut off."""
        self._any_faults().add("drop", times=3)
        self._cut_off += 3
        await asyncio.sleep(1)

    async def _gateways(self) -> None:
        self._any_faults().add("bad_gateway", times=3, accepted=self._random.random() < 0.5)
        self._cut_off += 3
        await asyncio.sleep(1)

    async def _pause(self) -> None:
        if (await self._figures())["status"] == "sending":
            await self.made.running.desk.operations.pause(self.mailing, _BY)
            await asyncio.sleep(0.7)
            await self.made.running.desk.operations.resume(self.mailing, _BY)

    async def _full_disk(self) -> None:
        process = self.made.running.process
        assert process is not None
        limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
        await asyncio.sleep(2)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
        await asyncio.sleep(1)

    async def _locked(self) -> None:
        """Another program holds the database."""
        if self._server is not None:
            await self._hold(self._server.url)
            return
        file = self.made.running.desk.store.database.url.database

        def hold() -> None:
            with closing(sqlite3.connect(str(file), timeout=5)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(LOCKED_S)

        await asyncio.to_thread(hold)

    async def _hold(self, url: str) -> None:
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await connection.execute("LOCK TABLE deliveries IN EXCLUSIVE MODE")
            await asyncio.sleep(LOCKED_S)
        await connection.close()

    async def _restart(self) -> None:
        """The database's server ends its sessions, and is back after some seconds."""
        await self._stop_server("fast")

    async def _crash(self) -> None:
        """It dies, and recovers by its log."""
        await self._stop_server("immediate")

    async def _stop_server(self, mode: str) -> None:
        assert self._server is not None
        await asyncio.to_thread(self._server.stop, mode)
        await asyncio.sleep(self._random.uniform(0, 3))
        await asyncio.to_thread(self._server.start)
        await asyncio.sleep(2)

    async def _cut(self) -> None:
        """It ends every session but ours."""
        assert self._server is not None
        await cut_connections(self._server.url)
        await asyncio.sleep(1)

    async def _forged(self) -> None:
        """Three hundred webhooks that nobody signed."""
        url = f"{self.made.running.url}/hooks/whatsapp"
        async with aiohttp.ClientSession() as session:
            answers = await asyncio.gather(*(_status(session, url) for _ in range(300)))
        if set(answers) - {403, 503}:
            self._wrong(f"forged webhooks were answered {Counter(answers)}")

    async def _open(self) -> None:
        """Two hundred connections that begin a request and say no more."""
        host, port = "127.0.0.1", self.made.running.port
        opened = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(200)))
        for _reader, writer in opened:
            writer.write(b"POST /hooks/vk HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await asyncio.sleep(2)
        for _reader, writer in opened:
            writer.close()

    # --- inside ---

    async def _figures(self) -> Mapping[str, Any]:
        figures = await self.made.running.figures(self.mailing)
        try:
            assert_adds_up(figures)
        except AssertionError:
            self._wrong(f"sums are wrong: {figures}")
        return figures

    async def _unknown(self) -> dict[str, int]:
        figures = await self._figures()
        return {kind: figures["by_channel"].get(channel_of(kind), {}).get("unknown", 0) for kind in FIVE}

    def _all_faults(self) -> list[Faults]:
        return [self.made.running.simulator.faults, *(each.faults for each in self.made.platforms.values())]

    def _any_faults(self) -> Faults:
        return self._random.choice(self._all_faults())

    def _wrong(self, words: str) -> None:
        self.done.wrong.append(words)
        self._say(f"WRONG: {words}")


_BY = Actor("Olha", Role.OWNER)


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    forged = {"X-Hub-Signature-256": "sha256=" + "0" * 64, "Content-Type": "application/json"}
    async with session.post(
        url, data=b'{"object": "whatsapp_business_account", "entry": []}', headers=forged
    ) as answer:
        return answer.status


async def torture(
    folder: Path,
    storage_url: str,
    *,
    kinds: list[str],
    minutes: float,
    times: int | None,
    seed: int,
    say: Callable[[str], None],
    server: Server | None = None,
) -> Done:
    async with five(folder, storage_url, kinds=FIVE, rate=RATE) as made:
        torturer = Torturer(made, seed, say, server)
        await torturer.prepare()
        return await torturer.run(kinds, minutes, times)


def main() -> int:
    parser = argparse.ArgumentParser(description="Send mailings while everything goes wrong, and count.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--times", type=int, help="so many faults and no more; absent: as many as fit in")
    parser.add_argument("--only", help="; ".join(f"{name}: {','.join(kinds)}" for name, kinds in DRAWN.items()))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--storage", default="sqlite", choices=DRAWN, help="postgresql: a server of its own")
    options = parser.parse_args()
    kinds = options.only.split(",") if options.only else list(DRAWN[options.storage])
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {words}", flush=True)

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="carillon-torture-"))
        server = stack.enter_context(own_server()) if options.storage == "postgresql" else None
        done = asyncio.run(
            torture(
                Path(folder),
                server.url if server else "sqlite:///data/carillon.db",
                kinds=kinds,
                minutes=options.minutes,
                times=options.times,
                seed=options.seed,
                say=say,
                server=server,
            )
        )
    print(f"{done.mailings} mailings, {done.sent} sent, {done.lost} lost, {done.twice} twice, {len(done.wrong)} wrong")
    for name, times in sorted(done.times.items()):
        print(f"  {name:10} {times:4} times  {done.unknown[name]:4} unknown")
    return 0 if done.passed else 1


if __name__ == "__main__":
    sys.exit(main())
