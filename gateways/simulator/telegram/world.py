"""Everything that the simulated platform holds in common: bots, files, the ledger, faults and knobs."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gateways.simulator.faults import Faults
from gateways.simulator.telegram.files import Files
from gateways.simulator.telegram.ledger import Ledger
from gateways.simulator.telegram.messages import Event

if TYPE_CHECKING:
    from gateways.simulator.telegram.bots import SimulatedBot


class Subscription:
    """Events as they happen, from the moment of subscribing; `async for`, `get()`, `close()` or `with`."""

    def __init__(self, world: "World", bound: int) -> None:
        self._world = world
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(bound)
        self.lost = 0

    def put(self, event: Event | None) -> None:
        if self._queue.full():  # a page that does not read must not hold the platform: it loses the oldest
            self._queue.get_nowait()
            self.lost += 1
        self._queue.put_nowait(event)

    async def get(self) -> Event:
        event = await self._queue.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def close(self) -> None:
        self._world.subscriptions.discard(self)
        self.put(None)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class World:
    def __init__(self, seed: int) -> None:
        self.bots: dict[str, SimulatedBot] = {}
        self.files = Files()
        self.ledger = Ledger()
        self.faults = Faults(seed)
        self.subscriptions: set[Subscription] = set()
        self.keeps_messages = True  # off: only counted, for a benchmark of a million
        self.query_fresh_s = 60.0  # how long a press can be answered
        self.refuses_links = False  # True: every file by URL fails with "failed to get HTTP URL content"
        self.allows_insecure_webhooks = True
        self.webhook_time_scale = 1.0  # of pauses between repeats and of the ages at which updates are dropped
        self.webhook_duplicates = 0  # how often a taken update comes once more

    def subscribe(self, bound: int = 10_000) -> Subscription:
        subscription = Subscription(self, bound)
        self.subscriptions.add(subscription)
        return subscription

    def tell(self, event: Event) -> None:
        for subscription in self.subscriptions:
            subscription.put(event)
