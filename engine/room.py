"""So much at a time: whoever came first goes first."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """`size` of it may be taken at once; nobody takes more than that."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, amount: int) -> AsyncIterator[None]:
        """Wait until there is so much room, and hold it for the block."""
        if self._waiting or amount > self._free:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((amount, place))
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():  # it was given just then
                    self._give(amount)
                raise
        else:
            self._free -= amount
        try:
            yield
        finally:
            self._give(amount)

    def _give(self, amount: int) -> None:
        self._free += amount
        while self._waiting and (self._waiting[0][1].cancelled() or self._waiting[0][0] <= self._free):
            wanted, place = self._waiting.popleft()
            if not place.cancelled():
                self._free -= wanted
                place.set_result(None)
