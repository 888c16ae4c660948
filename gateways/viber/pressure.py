"""Status 12, which Viber says of one client and of the whole bot alike, and never how long to wait.

bots-api, Error codes, and developers.viber.com/docs/faq: a client is sent at most 100 messages in a clock hour without
a reply. So one client waits for the next full hour; several in a row are a throttle of the bot."""

from collections.abc import Callable
from datetime import datetime

from gateways.base import Throttled

CODE = "12"
SEVERAL = 5  # different clients in a row
FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 300.0


class Pressure:
    def __init__(self, monotonic: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._monotonic = monotonic
        self._now = now
        self._refused: set[str] = set()  # clients in a row
        self._until = 0.0
        self._pause_s = FIRST_PAUSE_S

    def taken(self) -> None:
        """Viber took something."""
        self._refused.clear()
        if self._monotonic() >= self._until:
            self._pause_s = FIRST_PAUSE_S

    def of_client(self, address: str, words: str) -> Throttled:
        self._refused.add(address)
        if len(self._refused) >= SEVERAL:
            return self.of_channel(words)
        return Throttled(self._to_full_hour_s(), words, code=CODE, only_this=True)

    def of_channel(self, words: str) -> Throttled:
        """Answers to what was in flight belong to the same throttle; each further one waits twice as long."""
        now = self._monotonic()
        if now >= self._until:
            self._until = now + self._pause_s
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        return Throttled(self._until - now, words, code=CODE)

    def _to_full_hour_s(self) -> float:
        now = self._now()
        return 3601.0 - now.minute * 60 - now.second
