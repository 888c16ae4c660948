"""A mailing's whole life over a real storage, in an engine that is killed and started: for the test of its model."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from engine.clock import Alarm
from engine.operations import Operations
from engine.runner import Engine
from engine.settings import ChannelSettings, EngineSettings, InterruptAt
from gateways.base import (
    Accepted,
    Account,
    AddressGone,
    AddressStatus,
    Capabilities,
    GatewayError,
    Heard,
    Hook,
    Outgoing,
    Receipt,
    ReceiptState,
    Rejected,
    Throttled,
    Unavailable,
    Unsubscribed,
)
from gateways.message import Message, Text
from gateways.telegram.capabilities import TELEGRAM
from storage.addresses import keep_in_step
from storage.records import Actor, Draft, Role, Routing
from storage.schema import addresses, clients, deliveries
from storage.store import Store, open_store

OLHA = Actor("Olha", Role.OWNER)
TOLD = replace(TELEGRAM, kind="told", receipts=frozenset(ReceiptState), carries_reference=True)
SAFE = replace(TOLD, kind="safe", repeats_safely_for_s=3600.0)
CHANNELS = {"told": TOLD, "safe": SAFE}
CLIENTS = 14
LATENCY_S = 2.0  # so that a kill meets some on their way
ANSWERS = ("taken", "blocked", "rejected", "throttled", "away")
ENDS = ("waiting", "sent", "failed", "skipped", "cancelled", "unknown")


class QuickClock:
    """The real one, twenty times as fast: pauses of seconds pass in a moment."""

    FACTOR = 20

    def __init__(self) -> None:
        self._wall, self._began = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        return self._wall + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self.FACTOR

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(max(delay_s, 0) / self.FACTOR)

    async def sleep_until(self, monotonic_s: float) -> None:
        await self.sleep(monotonic_s - self.monotonic())

    def call_at(self, monotonic_s: float, call: Callable[[], None]) -> Alarm:
        delay_s = max(monotonic_s - self.monotonic(), 0)
        return asyncio.get_running_loop().call_later(delay_s / self.FACTOR, call)

    async def wait(self, event: asyncio.Event, longest_s: float) -> None:
        alarm = self.call_at(self.monotonic() + longest_s, event.set)
        try:
            await event.wait()
        finally:
            alarm.cancel()


class Platform:
    """What clients got outlives our process. It answers an address as it is told to, each once; then it takes."""

    def __init__(self, capabilities: Capabilities, clock: QuickClock) -> None:
        self.capabilities = capabilities
        self.answers: dict[str, list[GatewayError | str]] = {}
        self.taken: list[Outgoing] = []
        self.got: Counter[int] = Counter()  # messages by delivery
        self.last_call_at: dict[str, float] = {}
        self.flying = 0
        self._clock = clock
        self._references: set[str] = set()

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        outcomes = [self._take(one) for one in parts]
        self.flying += 1
        try:
            await self._clock.sleep(LATENCY_S)  # killed now, nobody here knows what became of it
        finally:
            self.flying -= 1
        return outcomes

    def _take(self, one: Outgoing) -> Accepted | GatewayError:
        self.last_call_at[one.address] = time.monotonic()
        answer = self.answers[one.address].pop(0) if self.answers.get(one.address) else None
        if isinstance(answer, GatewayError):
            return answer
        if not self.capabilities.repeats_safely_for_s or one.reference not in self._references:
            self._references.add(one.reference)
            self.got[int(one.reference.split(".")[0])] += 1
            self.taken.append(one)
        return Accepted(one.reference)

    async def check(self) -> Account:
        return Account("1", self.capabilities.kind)

    def verify(self, request: Hook) -> None: ...

    def parse(self, request: Hook) -> Heard:
        return Heard()

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Life:
    """`start`, `kill` and `stop` the engine; the platforms and the storage stay."""

    def __init__(self, url: str, folder: Path, clock: QuickClock | None = None) -> None:
        self.clock = clock or QuickClock()
        self.platforms = {name: Platform(able, self.clock) for name, able in CHANNELS.items()}
        self.mailing = 0
        self.left: dict[str, float] = {}  # when an address had opted out
        self._url = url
        self._folder = folder
        self._stack = AsyncExitStack()
        self.store: Store
        self.engine: Engine
        self.operations: Operations
        self._running: asyncio.Task[None]
        self._writing: asyncio.Task[Any]

    async def start(self) -> None:
        before = asyncio.all_tasks()
        opened = open_store(self._url, data_dir=self._folder, secret=b"of the tests")
        self.store = await self._stack.enter_async_context(opened)
        (self._writing,) = [task for task in asyncio.all_tasks() - before if task.get_name() == "writer"]
        channels = {name: ChannelSettings(name, able) for name, able in CHANNELS.items()}
        settings = EngineSettings(channels, self._folder, interrupt_at=InterruptAt(failed_share=1.0))
        self.engine = Engine(self.store, self.platforms, settings, self.clock)

        async def check_channel(channel: str) -> Account:
            return await self.platforms[channel].check()

        self.operations = Operations(self.store, settings, self.clock, check_channel=check_channel, engine=self.engine)
        self._running = asyncio.create_task(self.engine.run())
        while not self.engine.running:
            await asyncio.sleep(0.002)

    async def kill(self) -> None:
        """From this instant on nothing is written any more, as with kill -9."""
        self._writing.cancel()
        await asyncio.wait([self._writing])
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await self._stack.aclose()

    async def stop(self) -> None:
        await self.engine.stop()
        await self._running
        await self._stack.aclose()

    async def until_on_its_way(self, longest_s: float = 0.3) -> None:
        ends = time.monotonic() + longest_s
        while not any(each.flying for each in self.platforms.values()) and time.monotonic() < ends:
            await asyncio.sleep(0.002)

    # --- what there is ---

    async def begin(self, answers: Sequence[Sequence[str]], speed: float = 25.0) -> None:
        """Clients on both channels in turn, what the platforms will say of each, and a mailing to all of them."""
        await self.start()
        now = self.clock.now()
        async with self.store.database.writing() as connection:
            for number in range(1, CLIENTS + 1):
                channel = channel_of(number)
                card = {"id": number, "created_at": now, "updated_at": now, "main_channel": channel}
                await connection.execute(insert(clients).values(**card))
                place = {"client_id": number, "scope": channel, "channel": channel, "external_id": f"a{number}"}
                status = {"status": "enabled", "status_at": now, "created_at": now, "details": {}}
                await connection.execute(insert(addresses).values(**place, **status))
            await keep_in_step(connection, list(range(1, CLIENTS + 1)))
        for number, said in enumerate(answers, start=1):
            self.platforms[channel_of(number)].answers[f"a{number}"] = [_answer(word) for word in said]
        draft = Draft("Life", Message((Text("Hi"),)), routing=Routing.MAIN, channels=(), speed=speed)
        self.mailing = await self.operations.create(draft, OLHA)
        await self.operations.launch(self.mailing, OLHA)

    async def resume(self) -> None:
        await self.operations.resume(self.mailing, OLHA)

    async def figures(self) -> dict[str, Any]:
        return dict(await self.operations.figures(self.mailing))

    async def states(self) -> dict[int, str]:
        """By client."""
        async with self.store.database.read() as connection:
            rows = await connection.execute(select(deliveries.c.client_id, deliveries.c.state))
            return {client: state for client, state in rows}  # noqa: C416

    async def hear(self, number: int, state: ReceiptState) -> None:
        """What a phone reports of a message that it got, however late."""
        taken = [(name, one) for name, each in self.platforms.items() for one in each.taken]
        if not taken:
            return
        channel, one = taken[number % len(taken)]
        more: dict[str, Any] = {"reason": "rejected"} if state is ReceiptState.FAILED else {}
        key = f"{state}{one.reference}"  # the same for the same fact
        receipt = Receipt(state, one.reference, one.reference, self.clock.now(), key, **more)
        await self.engine.inbox.take(channel, Heard((receipt,)))

    async def leave(self, number: int) -> None:
        channel, address = channel_of(number), f"a{number}"
        gone = Unsubscribed(address, self.clock.now(), f"left{number}", AddressStatus.UNSUBSCRIBED)
        await self.engine.inbox.take(channel, Heard((), (gone,)))
        self.left.setdefault(address, time.monotonic())


def channel_of(number: int) -> str:
    return "told" if number % 2 else "safe"


def _answer(word: str) -> GatewayError | str:
    match word:
        case "blocked":
            return AddressGone("blocked", status=AddressStatus.BLOCKED)
        case "rejected":
            return Rejected("no")
        case "throttled":
            return Throttled(1.0)
        case "away":
            return Unavailable("away")
        case _:
            return word
