"""How much may be prepared at once."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter

SHARE_S = 0.002


class Preparing:
    """What all lanes together prepare in one turn of the loop: a slot waits for no more than that and one message,
    however many there are to prepare and however slow a template is. Lanes take turns. One belongs to an engine."""

    def __init__(self) -> None:
        self._spent_s = 0.0  # in this turn of the loop
        self._turning = False  # whether the next one is asked for
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def share(self) -> AsyncIterator[Callable[[], bool]]:
        """Wait for our turn; prepare within, awaiting nothing, while what it gives says that there is time left."""
        if self._waiting or self._spent_s >= SHARE_S:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                self._turn()
                raise
        began, before = perf_counter(), self._spent_s
        try:
            yield lambda: before + perf_counter() - began < SHARE_S
        finally:
            self._spent_s = before + perf_counter() - began
            self._turn()

    def _turn(self) -> None:
        """A turn later there is time again, and it is for who waits longest."""
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._turning, self._spent_s = False, 0.0
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                return
