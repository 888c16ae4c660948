"""Slots: evenly spaced, never more than the rate in any window of one second, however late the loop wakes."""

from collections import deque
from math import ceil

# The guard's window is this much wider than n / rate, so that the jitter between the clock's reading and the socket's
# write never puts one start too many into a second. Slots lie a little further apart still: a start that came late has
# the guard hold its successor of a second later off its slot, and what the two differ by wears that off again, before
# it grows into a lost slot. It costs a thousandth and a half of the pace.
MARGIN = 0.0005
SPACING = 0.0015
# Of a call that carries several: one that comes late there puts all of them into another second.
MARGIN_TOGETHER_S = 0.008

STRETCH = 0.7  # of the pace, after a throttle answer
RECOVER_STEP = 0.05  # of the pace, given back after each RECOVER_AFTER_S without one
RECOVER_AFTER_S = 10.0
TOGETHER_S = 0.25  # of the pace, that one call carries at most


class Pacer:
    """Says when the next start may be; told when its slots are taken, and when its call is written. Times are monotonic
    seconds."""

    def __init__(self, rate: float) -> None:
        self._ceiling = rate
        self._share = 1.0  # of the ceiling, lowered by throttles
        self._next_slot = float("-inf")
        self._starts: deque[float] = deque()
        self._unwritten = 0  # slots taken whose call is not written yet
        self._recovers_at = float("inf")
        self._next_at: float | None = None  # reckoned when somebody asks for it
        self._reckon()

    @property
    def rate(self) -> float:
        """Messages/second at present."""
        return self._rate

    def set_rate(self, rate: float) -> None:
        """A new ceiling from the next slot on; what has started in the last second still counts."""
        if rate != self._ceiling:
            self._ceiling = rate
            self._reckon()

    def next_start(self, now: float, slots: int = 1) -> float:
        """The earliest time of the next start, of a call that takes so many slots and is made at the last of them: the
        coming slot, or now where slots were missed; never in a burst."""
        if now >= self._recovers_at:
            self._recover(now)
        if slots == 1:
            if self._next_at is None:
                self._next_at = max(self._next_slot, self._guard(1))
            return max(now, self._next_at)
        return max(self._next_slot + (slots - 1) * self._interval_s, self._guard(slots), now)

    def take(self, now: float, slots: int = 1) -> None:
        """These slots are used from now on. They stay on their grid while starts keep up with it; missed ones are let
        go."""
        self._next_at = None
        on_grid = self._next_slot + slots * self._interval_s
        self._next_slot = on_grid if on_grid > now else now + self._interval_s
        self._unwritten += slots

    def record(self, at: float, slots: int = 1) -> None:
        """The call that took so many was written."""
        self._next_at = None
        self._unwritten -= slots
        starts = self._starts
        if slots == 1:
            starts.append(at)
        else:
            starts.extend([at] * slots)
        while len(starts) > self._most_kept:
            starts.popleft()

    def stretch(self, now: float) -> None:
        """The platform asked for a slower pace."""
        self._share = max(self._share * STRETCH, 0.04)
        self._recovers_at = now + RECOVER_AFTER_S
        self._reckon()

    def halve(self, now: float) -> None:
        """The platform says that most of what it allows is used up."""
        self._share = min(self._share, 0.5)
        self._recovers_at = now + RECOVER_AFTER_S
        self._reckon()

    def together(self, most: int) -> int:
        """How many messages one call may carry: a quarter of a second's at most, and so many that whole calls fill a
        second (at 25/s five, not six)."""
        count = self._together.get(most)
        if count is None:
            able = max(min(most, int(self._rate * TOGETHER_S)), 1)
            count = max(range(1, able + 1), key=lambda count: (self._whole // count * count, count))
            self._together[most] = count
        return count

    def _recover(self, now: float) -> None:
        while now >= self._recovers_at:
            self._share = min(self._share + RECOVER_STEP, 1.0)
            self._recovers_at = self._recovers_at + RECOVER_AFTER_S if self._share < 1.0 else float("inf")
        self._reckon()

    def _reckon(self) -> None:
        """What follows from the rate, reckoned when it changes and not at each start."""
        self._next_at = None
        self._rate = self._ceiling * self._share
        self._interval_s = (1 + SPACING) / self._rate
        self._whole = max(int(self._rate), 1)
        self._most = max(ceil(self._rate), 1)
        self._most_kept = max(ceil(self._ceiling), 1)
        self._together: dict[int, int] = {}

    def _guard(self, slots: int) -> float:
        """No more than the rate in the time that so many take, nor more than it, rounded up, in a second."""
        guard = self._after(self._whole - slots + 1, self._whole / self._rate)
        if self._most != self._whole:
            guard = max(guard, self._after(self._most - slots + 1, 1.0))
        return guard if slots == 1 else guard + MARGIN_TOGETHER_S

    def _after(self, count: int, window_s: float) -> float:
        """When so many starts back is out of the window."""
        count = max(count, 1) - self._unwritten
        if count <= 0:
            return float("inf")  # as many as may be are about to be written: it is known in a moment when
        return self._starts[-count] + window_s * (1 + MARGIN) if len(self._starts) >= count else float("-inf")
