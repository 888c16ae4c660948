"""What benchmarks share: a simulator in another process, a storage with clients, an engine over both."""

import asyncio
import resource
import sys
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import insert

from engine.clock import SystemClock
from engine.runner import Engine
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import Accepted, Capabilities, Gateway, GatewayError, Outgoing, Part
from gateways.config import Context
from gateways.registry import config_model
from gateways.telegram.capabilities import TELEGRAM
from storage.audit import Audited
from storage.mailings import Move
from storage.migrate import upgrade
from storage.records import ENGINE, Draft, Routing, Status
from storage.schema import addresses, clients
from storage.store import Store, open_store

FIRST_CHAT = 1_000_000_000
TEXT = (
    "<b>Hello, {{ client.first_name | default('friend') }}!</b> The <a href=\"https://acme.test/sale\">sale</a> is on."
)


@asynccontextmanager
async def simulator(bots: int, latency_s: float = 0.0) -> AsyncIterator[str]:
    """A simulated Telegram in a process of its own, with bots 1:simulated … whose every chat is active; its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateways.simulator.telegram.server",
        *("--port", "0", "--bots", str(bots), "--everyone", "active", "--count-only"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    try:
        if latency_s:
            await control(url, "latency", latency_s=latency_s)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def control(url: str, verb: str, **data: Any) -> Any:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/_sim/{verb}", json=data) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


@dataclass
class Watched:
    """A gateway that notes when each send began, by this process's clock."""

    inner: Gateway
    starts: list[float] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        self.starts.append(time.monotonic())
        return await self.inner.send(parts)

    async def needs_upload(self, part: Part) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class Bench:
    store: Store
    engine: Engine
    gateways: dict[str, Watched]

    async def launch(self, draft: Draft) -> int:
        mailing_id = await self.store.mailings.create(draft, _audited("create"))
        now = SystemClock().now()
        await self.store.mailings.move(
            Move(
                mailing_id,
                (Status.DRAFT,),
                {"status": Status.SENDING.value, "started_at": now, "launched_at": now},
                _audited("launch"),
            )
        )
        self.engine.nudge()
        return mailing_id

    async def until_sent(self, mailing_id: int) -> None:
        while True:
            mailing = await self.store.mailings.find(mailing_id)
            assert mailing is not None
            if mailing.status is Status.SENT:
                return
            assert mailing.status is Status.SENDING, (mailing.status, mailing.reason_words)
            await asyncio.sleep(0.1)


def _audited(verb: str) -> Audited:
    return Audited(SystemClock().now(), ENGINE, verb)


@asynccontextmanager
async def bench(
    folder: Path, url: str, channels: int, rate: float, each: int, storage: str | None = None
) -> AsyncIterator[Bench]:
    """An engine with so many Telegram channels, each the main one of `each` clients."""
    ids = [f"tg-{number}" for number in range(1, channels + 1)]
    settings = EngineSettings(
        channels={name: ChannelSettings(name, TELEGRAM, rate, max_rate=rate) for name in ids}, data_dir=folder
    )
    async with open_store(storage or f"sqlite:///{folder / 'bench.db'}", data_dir=folder, secret=b"benchmark") as store:
        await upgrade(store.database)
        await _fill(store, ids, each)
        gateways = {name: _gateway(name, number, url, store) for number, name in enumerate(ids, start=1)}
        for gateway in gateways.values():
            await gateway.inner.open()
        engine = Engine(store, gateways, settings, SystemClock())
        running = asyncio.create_task(engine.run())
        while not engine.running:
            assert not running.done(), running.result()
            await asyncio.sleep(0.01)
        try:
            yield Bench(store, engine, gateways)
        finally:
            await engine.stop()
            await running
            for gateway in gateways.values():
                await gateway.inner.close()


def _gateway(name: str, number: int, url: str, store: Store) -> Watched:
    model = config_model("telegram")
    settings = model.model_validate(
        {"id": name, "kind": "telegram", "token": f"{number}:simulated", "api_base": url, "mode": "polling"}
    )
    return Watched(settings.open_gateway(Context(store.uploads, b"benchmark")))


async def _fill(store: Store, channels: Sequence[str], each: int) -> None:
    now = SystemClock().now()
    total = len(channels) * each
    for begin in range(1, total + 1, 20_000):
        numbers = range(begin, min(begin + 20_000, total + 1))
        async with store.database.writing() as connection:
            await connection.execute(
                insert(clients),
                [
                    {
                        "id": n,
                        "first_name": f"Name{n}",
                        "main_channel": channels[n % len(channels)],
                        "main_address_id": n,
                        "main_status": "enabled",
                        "created_at": now,
                        "updated_at": now,
                    }
                    for n in numbers
                ],
            )
            await connection.execute(
                insert(addresses),
                [
                    {
                        "id": n,
                        "client_id": n,
                        "scope": channels[n % len(channels)],
                        "channel": channels[n % len(channels)],
                        "external_id": str(FIRST_CHAT + n),
                        "status": "enabled",
                        "status_at": now,
                        "created_at": now,
                        "details": {},
                    }
                    for n in numbers
                ],
            )


def most_in_a_second(starts: Sequence[float]) -> int:
    return max((bisect_left(starts, start + 1.0) - place for place, start in enumerate(starts)), default=0)


def cpu_s() -> float:
    """Seconds of processor time that this process has used, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def draft(name: str, text: str) -> Draft:
    from gateways.message import Message, Text

    return Draft(name=name, message=Message((Text(text),)), routing=Routing.MAIN)


def run(main: Any) -> None:
    """Run a benchmark on the loop that `carillon run` uses; its return value is the exit code."""
    try:
        import uvloop
    except ImportError:
        sys.exit(asyncio.run(main))
    sys.exit(uvloop.run(main))
