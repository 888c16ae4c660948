"""Work on storage in pieces that hold its write lock no longer than others can wait for it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

# While a mailing is being sent 20 ms are the limit, so that no lane waits; no two pieces take the same time.
HOLD_S = 0.010


@dataclass(slots=True)
class Pieces:
    """How many rows the next piece takes: what would have fitted into the last one's time, at most twice as many."""

    size: int
    least: int
    most: int

    def took(self, count: int, held_s: float, hold_s: float = HOLD_S) -> None:
        """So many rows held the lock so long, which was to be `hold_s`."""
        fitting = int(count * hold_s / max(held_s, 1e-6))
        self.size = max(self.least, min(fitting, 2 * self.size, self.most))


async def one_ahead(make: Callable[[], Coroutine[Any, Any, T | None]]) -> AsyncGenerator[T, None]:
    """What `make` gives, until that is None; the next one is made while the last one is used."""
    making = asyncio.create_task(make(), name="one ahead")
    try:
        while (made := await making) is not None:
            making = asyncio.create_task(make(), name="one ahead")
            yield made
    finally:
        making.cancel()
        await asyncio.wait([making])
