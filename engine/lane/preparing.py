"""How much may be prepared at once."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

SHARE_S = 0.002


class Preparing:
    """What all lanes together prepare in one turn of the loop: a slot waits for no more than that and one message,
    however many there are to prepare and however slow a template is. One of them belongs to an engine."""

    def __init__(self) -> None:
        self._spent_s = 0.0  # in this turn

    async def next_turn(self) -> None:
        """Wait for a turn of the loop that has time left: others may be before us."""
        while True:
            await asyncio.sleep(0)
            if self._spent_s < SHARE_S:
                return

    @contextmanager
    def spending(self) -> Iterator[Callable[[], bool]]:
        """Prepare within, while what it yields says that there is time left."""
        began, before = perf_counter(), self._spent_s
        if not before:
            asyncio.get_running_loop().call_soon(self._begin_turn)
        try:
            yield lambda: before + perf_counter() - began < SHARE_S
        finally:
            self._spent_s = before + perf_counter() - began

    def _begin_turn(self) -> None:
        self._spent_s = 0.0
