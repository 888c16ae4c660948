"""Throttling as Telegram does it: real sliding windows, flood waits that hang, and repeated uploads."""

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from gateways.simulator.telegram.answers import Refusal, throttled

_BIG_UPLOAD_BYTES = 100_000  # platforms/telegram.md section 4 [impl]
_UPLOAD_BYTES_PER_S = 10_000_000
_UPLOAD_BACKLOG_S = 5.0
_UPLOAD_STALL_S = 3.0
_UPLOAD_RETRY_AFTER_S = 60


class _Window:
    """The moments of the last `window_s`; says how long until there is room."""

    __slots__ = ("_moments",)

    def __init__(self) -> None:
        self._moments: deque[float] = deque()

    def wait_s(self, now: float, limit: int, window_s: float) -> float:
        moments = self._moments
        while moments and moments[0] <= now - window_s:
            moments.popleft()
        return 0.0 if len(moments) < limit else moments[len(moments) - limit] + window_s - now

    def add(self, at: float) -> None:
        self._moments.append(at)


@dataclass
class Pressure:
    """The budgets of one bot; all off until set. Published figures: 30 a second for the bot, 1 a second for a chat."""

    per_second: int | None = None  # sending calls of the whole bot in any second
    per_chat: int | None = None  # sending calls to one chat ...
    per_chat_window_s: float = 1.0  # ... in any window of this length
    retry_after_s: int | None = None  # None: as long as it really takes, rounded up
    absorbs_s: float = 0.0  # a wait up to this hangs and then succeeds (Telegram: 8 s)
    slows_equal_uploads: bool = False
    time_scale: float = 1.0  # of the stalls and gaps of uploads
    holds_back: bool = False  # after a 429 everything is refused until its retry_after has passed
    closed_until: float = 0.0  # monotonic seconds
    _bot: _Window = field(default_factory=_Window)
    _chats: dict[int, _Window] = field(default_factory=dict)
    _upload_free_at: dict[int, float] = field(default_factory=dict)

    @property
    def watches_sends(self) -> bool:
        return self.per_second is not None or self.per_chat is not None or self.closed_until > 0

    def close_for(self, seconds: float, now: float) -> None:
        """Refuse every sending call for a while, as a bot that was throttled."""
        self.closed_until = max(self.closed_until, now + seconds)

    def admit(self, chat_id: int, now: float) -> float:
        """Book one sending call: seconds to hang before it. Raises Refusal 429 where the wait is too long."""
        if now < self.closed_until:
            raise throttled(max(1, ceil(self.closed_until - now)))
        wait_s = 0.0
        chat: _Window | None = None
        if self.per_second is not None:
            wait_s = self._bot.wait_s(now, self.per_second, 1.0)
        if self.per_chat is not None:
            chat = self._chats.setdefault(chat_id, _Window())
            wait_s = max(wait_s, chat.wait_s(now, self.per_chat, self.per_chat_window_s))
        if wait_s > self.absorbs_s:
            retry_after_s = self.retry_after_s or max(1, ceil(wait_s))
            if self.holds_back:
                self.close_for(retry_after_s, now)
            raise throttled(retry_after_s)
        if self.per_second is not None:
            self._bot.add(now + wait_s)
        if chat is not None:
            chat.add(now + wait_s)
        return wait_s

    def admit_upload(self, size_bytes: int, now: float) -> tuple[float, Refusal | None]:
        """Seconds to hang before an upload of this size, and the refusal that follows when its queue is too long."""
        if not self.slows_equal_uploads or size_bytes <= _BIG_UPLOAD_BYTES:
            return 0.0, None
        gap_s = min(0.9, max(0.2, size_bytes / _UPLOAD_BYTES_PER_S)) * self.time_scale
        free_at = max(now, self._upload_free_at.get(size_bytes, 0.0))
        if free_at - now > _UPLOAD_BACKLOG_S * self.time_scale:
            return _UPLOAD_STALL_S * self.time_scale, throttled(_UPLOAD_RETRY_AFTER_S)
        self._upload_free_at[size_bytes] = free_at + gap_s
        return free_at - now, None
