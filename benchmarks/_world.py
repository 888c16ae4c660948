"""What benchmarks share: simulators in processes of their own, a storage with clients, an engine over both."""

import asyncio
import resource
import sys
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import insert

from bot.loop import rarely_collect
from engine.clock import SystemClock
from engine.runner import Engine
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import Accepted, Capabilities, Gateway, GatewayError, Outgoing, Part, SendsTogether
from gateways.config import ChannelModel, Context
from gateways.registry import config_model
from storage.audit import Audited
from storage.mailings import Move
from storage.migrate import upgrade
from storage.records import ENGINE, Draft, Routing, Status
from storage.schema import addresses, clients
from storage.store import Store, open_store

KINDS = ("telegram", "viber", "facebook", "vk", "whatsapp")
FIRST_CHAT = 1_000_000_000
APP_SECRET = "simulated-app-secret"
FIRST_NUMBER = 3001  # of the simulated WhatsApp
WABA = "2000"
TEXT = (
    "<b>Hello, {{ client.first_name | default('friend') }}!</b> The <a href=\"https://acme.test/sale\">sale</a> is on."
)


@asynccontextmanager
async def simulator(accounts: int, latency_s: float = 0.0, kind: str = "telegram") -> AsyncIterator[str]:
    """A simulated messenger in a process of its own, with so many accounts whose every client is there; its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"gateways.simulator.{kind}.server",
        *("--port", "0", "--bots" if kind == "telegram" else "--accounts", str(accounts)),
        *("--everyone", "active", "--count-only"),
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


@asynccontextmanager
async def simulators(accounts: Mapping[str, int], latency_s: float = 0.0) -> AsyncIterator[Mapping[str, str]]:
    """One of each kind that has accounts; their URLs by kind."""
    async with AsyncExitStack() as stack:
        yield {
            kind: await stack.enter_async_context(simulator(number, latency_s, kind))
            for kind, number in accounts.items()
            if number
        }


async def control(url: str, verb: str, **data: Any) -> Any:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/_sim/{verb}", json=data) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


@dataclass
class Watched:
    """A gateway that notes when each send began, by this process's clock: once for each message."""

    inner: Gateway
    starts: list[float] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        self.starts += [time.monotonic()] * len(parts)
        return await self.inner.send(parts)

    async def needs_upload(self, part: Part) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class WatchedTogether(Watched):
    """One that takes several messages in a call."""

    together: Callable[[Outgoing], Hashable | None] = field(init=False)

    def __post_init__(self) -> None:
        assert isinstance(self.inner, SendsTogether)
        self.together = self.inner.together


@dataclass
class Bench:
    store: Store
    engine: Engine
    gateways: dict[str, Watched]
    clients: int

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
        """Looks into the storage, which costs, only when everybody has been begun with."""
        while sum(len(gateway.starts) for gateway in self.gateways.values()) < self.clients:  # noqa: ASYNC110 - who begins tells nobody
            await asyncio.sleep(0.02)
        while True:
            mailing = await self.store.mailings.find(mailing_id)
            assert mailing is not None
            if mailing.status is Status.SENT:
                return
            assert mailing.status is Status.SENDING, (mailing.status, mailing.reason_words)
            await asyncio.sleep(0.02)


def _audited(verb: str) -> Audited:
    return Audited(SystemClock().now(), ENGINE, verb)


@asynccontextmanager
async def bench(
    folder: Path, urls: Mapping[str, str], channels: int, rate: float, each: int, storage: str | None = None
) -> AsyncIterator[Bench]:
    """An engine with so many channels, dealt to the kinds in turn, each the main one of `each` clients.

    The n-th channel of a kind is called as viber-1 is, and is the n-th account of that simulator."""
    models = [model_of(name, url, rate) for name, url in _names(urls, channels)]
    settings = EngineSettings(
        channels={model.id: ChannelSettings(model.id, model.able, rate, max_rate=rate) for model in models},
        data_dir=folder,
    )
    async with open_store(storage or f"sqlite:///{folder / 'bench.db'}", data_dir=folder, secret=b"benchmark") as store:
        await upgrade(store.database)
        await _fill(store, [model.id for model in models], each)
        gateways = {model.id: _watched(model.open_gateway(Context(store.uploads, b"benchmark"))) for model in models}
        for gateway in gateways.values():
            await gateway.inner.open()
        engine = Engine(store, gateways, settings, SystemClock())
        running = asyncio.create_task(engine.run())
        while not engine.running:
            assert not running.done(), running.result()
            await asyncio.sleep(0.01)
        try:
            yield Bench(store, engine, gateways, channels * each)
        finally:
            await engine.stop()
            await running
            for gateway in gateways.values():
                await gateway.inner.close()


def shared_out(channels: int, kinds: Sequence[str]) -> Mapping[str, int]:
    """How many channels each kind has."""
    return {kind: len(range(place, channels, len(kinds))) for place, kind in enumerate(kinds)}


def _names(urls: Mapping[str, str], channels: int) -> list[tuple[str, str]]:
    names = []
    for number in range(channels):
        turn, place = divmod(number, len(urls))
        kind = list(urls)[place]
        names.append((f"{kind}-{turn + 1}", urls[kind]))
    return names


def model_of(name: str, url: str, rate: float) -> ChannelModel:
    """The channel's settings, for the account of its number that each simulator makes by itself."""
    kind, _, number = name.partition("-")
    token = f"page-{number}"  # a number of WhatsApp takes any
    of_meta = {"token": token, "app_secret": APP_SECRET, "verify_token": "bench", "api_base": f"{url}/v26.0"}
    keys: Mapping[str, str] = {
        "telegram": {"token": f"{number}:simulated", "api_base": url, "mode": "polling"},
        "viber": {"token": f"{number}-simulated", "sender_name": "Shop", "api_base": f"{url}/pa"},
        "facebook": {"page_id": str(1000 + int(number)), **of_meta},
        "vk": {"token": f"vk-{number}", "group_id": str(190_000_016 + int(number)), "api_base": f"{url}/method"},
        "whatsapp": {
            "provider": "meta",
            "phone_number_id": str(FIRST_NUMBER - 1 + int(number)),
            "business_account_id": WABA,
            **of_meta,
        },
    }[kind]
    values = {"id": name, "kind": kind, "rate": rate, "allow_faster": True, **keys}
    return config_model(kind, keys.get("provider")).model_validate(values)


def _watched(gateway: Gateway) -> Watched:
    return WatchedTogether(gateway) if isinstance(gateway, SendsTogether) else Watched(gateway)


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
                        "last_wrote_at": now,  # so that every window is open
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
    """Run a benchmark on the loop that `carillon run` uses, and as that does; its return value is the exit code."""
    rarely_collect()
    try:
        import uvloop
    except ImportError:
        sys.exit(asyncio.run(main))
    sys.exit(uvloop.run(main))
