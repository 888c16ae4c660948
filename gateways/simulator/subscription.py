"""Events of a simulated platform, as they happen."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Generic, Self, TypeVar

Event = TypeVar("Event")


class Subscription(Generic[Event]):
    """Events from the moment of subscribing; `async for`, or `with` and `get()`.

    `watching` is the set that it stands in until it is closed; `lost` counts what nobody read in time."""

    def __init__(self, watching: "set[Subscription[Event]]", bound: int) -> None:
        self._watching = watching
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(bound)
        self.lost = 0
        watching.add(self)

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
        self._watching.discard(self)
        self.put(None)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
