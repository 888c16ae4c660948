"""How late a busy machine makes the process that the simulators live in."""

import asyncio
import time
from typing import Self


class Lateness:
    """How late this process, and so the simulators in it, came to look at most: `async with` it while that matters."""

    EVERY_S = 0.005

    def __init__(self) -> None:
        self.most_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch(), name="lateness")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def window_s(self) -> float:
        """A second less what was seen late: what began in a whole one may seem to lie in less. One that was a second
        late has seen nothing of it."""
        return max(1.0 - self.most_s - 0.02, 0.001)

    async def _watch(self) -> None:
        while True:
            due = time.monotonic() + self.EVERY_S
            await asyncio.sleep(self.EVERY_S)
            self.most_s = max(self.most_s, time.monotonic() - due)
