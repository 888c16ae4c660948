"""When a lane looks at its slots."""

import asyncio
import math
from collections.abc import Callable

from engine.clock import Alarm, Clock


class Turns:
    """Calls a lane at the time that it named, or as soon as anybody asks: once, however many ask.

    No task waits for it: a slot costs a timer and a call (docs/decisions/path.md)."""

    def __init__(self, clock: Clock) -> None:
        self.is_idle = False  # nothing is due before somebody asks
        self._clock = clock
        self._ended: asyncio.Future[None] | None = None
        self._take: Callable[[float], float | None]
        self._asked = False
        self._alarm: Alarm | None = None

    async def run(self, take: Callable[[float], float | None]) -> None:
        """Call `take` with the monotonic time until it gives no time for the next turn; infinity: when somebody asks.

        Raises what it raises."""
        self._take = take
        self._ended = asyncio.get_running_loop().create_future()
        self.ask()
        try:
            await self._ended
        finally:
            self._ended = None
            self._silence()

    def ask(self) -> None:
        """Have a turn in the next turn of the loop."""
        if self._asked or self._ended is None:
            return
        self._asked = True
        self._silence()
        asyncio.get_running_loop().call_soon(self._turn)

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _turn(self) -> None:
        self._asked, self._alarm = False, None
        ended = self._ended
        if ended is None or ended.done():
            return
        try:
            next_at = self._take(now := self._clock.monotonic())
            if next_at is None:
                ended.set_result(None)
                return
            self.is_idle = next_at == math.inf
            if next_at <= now:
                self.ask()
            elif not (self.is_idle or self._asked):
                self._alarm = self._clock.call_at(next_at, self._turn)
        except Exception as error:  # noqa: BLE001  # whoever awaits `run` gets it
            ended.set_exception(error)
