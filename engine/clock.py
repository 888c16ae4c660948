"""Time for the engine: the real one, and one that a test moves."""

import asyncio
import heapq
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Alarm(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; slots are counted in them."""
        ...

    async def sleep(self, delay_s: float) -> None: ...

    async def sleep_until(self, monotonic_s: float) -> None: ...

    def call_at(self, monotonic_s: float, call: Callable[[], None]) -> Alarm:
        """Have it called then, from the loop."""
        ...

    async def wait(self, event: asyncio.Event, longest_s: float) -> None:
        """Until the event is set; after so long it is set by the clock. Clearing it is the caller's."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(max(delay_s, 0))

    async def sleep_until(self, monotonic_s: float) -> None:
        await asyncio.sleep(_until(monotonic_s))

    def call_at(self, monotonic_s: float, call: Callable[[], None]) -> Alarm:
        return asyncio.get_running_loop().call_later(_until(monotonic_s), call)

    async def wait(self, event: asyncio.Event, longest_s: float) -> None:
        alarm = self.call_at(time.monotonic() + longest_s, event.set)
        try:
            await event.wait()
        finally:
            alarm.cancel()


class FakeClock:
    """Stands still until a test advances it; whoever sleeps wakes in order of time."""

    def __init__(self, start: datetime = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    async def sleep(self, delay_s: float) -> None:
        await self.sleep_until(self._elapsed_s + delay_s)

    async def sleep_until(self, monotonic_s: float) -> None:
        if monotonic_s <= self._elapsed_s:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (monotonic_s, self._count, woken))
        await woken

    def call_at(self, monotonic_s: float, call: Callable[[], None]) -> Alarm:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        woken.add_done_callback(lambda done: None if done.cancelled() else call())
        self._count += 1
        heapq.heappush(self._sleepers, (monotonic_s, self._count, woken))
        return _FakeAlarm(woken)

    async def wait(self, event: asyncio.Event, longest_s: float) -> None:
        alarm = self.call_at(self._elapsed_s + longest_s, event.set)
        try:
            await event.wait()
        finally:
            alarm.cancel()

    async def advance(self, seconds: float, settle: Callable[[], Awaitable[None]] | None = None) -> None:
        """Move on by so many seconds, letting everybody run at each instant at which somebody wakes.

        `settle` waits for what happens outside the loop, such as a real database's work."""
        until = self._elapsed_s + seconds
        await self._settle(settle)
        while self._sleepers and self._sleepers[0][0] <= until:
            wake_at, _, woken = heapq.heappop(self._sleepers)
            self._elapsed_s = max(self._elapsed_s, wake_at)
            if not woken.done():
                woken.set_result(None)
                await self._settle(settle)
        self._elapsed_s = until
        await self._settle(settle)

    async def _settle(self, settle: Callable[[], Awaitable[None]] | None) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        if settle is not None:
            await settle()


class _FakeAlarm:
    def __init__(self, woken: "asyncio.Future[None]") -> None:
        self._woken = woken

    def cancel(self) -> None:
        self._woken.cancel()


def _until(monotonic_s: float) -> float:
    """How long a timer has to run to wake then or within the next millisecond, and never before.

    uvloop's timers count whole milliseconds of the clock, the present one too: asked for the exact time they fire up to
    one early, and who wakes early sleeps again, seven times for each slot (docs/decisions/path.md)."""
    return (math.ceil(monotonic_s * 1000) - math.floor(time.monotonic() * 1000)) / 1000
