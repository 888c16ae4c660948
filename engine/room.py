"""So much at a time: whoever came first goes first."""

import asyncio
from collections import deque
from types import TracebackType


class Room:
    """`size` of it may be taken at once, and may be changed; who wants more has it alone."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return len(self._waiting)

    def take(self, amount: int) -> "_Place":
        """A block that waits until there is so much room, and holds it."""
        return _Place(self, amount)

    async def enter(self, amount: int) -> None:
        if not self._waiting and self._holds(amount):
            self._taken += amount
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was given just then
                self.leave(amount)
            raise

    def leave(self, amount: int) -> None:
        self._taken -= amount
        while self._waiting and (self._waiting[0][1].cancelled() or self._holds(self._waiting[0][0])):
            wanted, place = self._waiting.popleft()
            if not place.cancelled():
                self._taken += wanted
                place.set_result(None)

    def _holds(self, amount: int) -> bool:
        return self._taken == 0 or self._taken + amount <= self.size


class _Place:
    __slots__ = ("_amount", "_room")

    def __init__(self, room: Room, amount: int) -> None:
        self._room = room
        self._amount = amount

    async def __aenter__(self) -> None:
        await self._room.enter(self._amount)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._room.leave(self._amount)
