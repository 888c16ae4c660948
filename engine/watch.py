"""Watches a mailing while it is sent: how fast it goes, and whether too much of it fails."""

from collections import deque
from collections.abc import Mapping

from engine.clock import Clock
from engine.errors import _
from engine.settings import InterruptAt
from storage.store import Store

RATE_OVER_S = 5.0  # the rate that people see is reckoned over so long
RATE_EVERY_S = 1.0
# Failures that say something about the client and nothing about us.
NORMAL_FAILURES = frozenset(
    {
        "blocked",
        "capped",
        "deactivated",
        "deleted",
        "gone",
        "is_bot",
        "kicked",
        "never_subscribed",
        "not_allowed_in_country",
        "not_found",
        "old_app",
        "other_app",
        "outside_window",
        "own_number",
        "phone_needed",
        "unreachable",
        "unsubscribed",
    }
)


class Watch:
    """Over one step, from the moment at which it is launched or resumed: what failed before says nothing then."""

    def __init__(self, step_id: int, store: Store, clock: Clock, limits: InterruptAt) -> None:
        self._step_id = step_id
        self._store = store
        self._clock = clock
        self._limits = limits
        self._counted_from: Mapping[str, int] | None = None
        self._seen: deque[tuple[float, int]] = deque()  # how many were tried by then, and when it was looked
        self._ended: int | None = None  # None: what has just begun has had no time to get stuck

    async def look(self) -> tuple[str, str] | None:
        """Keep the rate for whoever asks from another process; why the mailing is to be interrupted, if it is."""
        outcomes = await self._outcomes()
        if self._counted_from is None:
            self._counted_from = outcomes
        await self._keep_rate(outcomes)
        return self._too_many_failures({name: n - self._counted_from.get(name, 0) for name, n in outcomes.items()})

    async def _outcomes(self) -> Mapping[str, int]:
        sums: dict[str, int] = {}
        for (_channel, name), amount in (await self._store.deliveries.counters([self._step_id]))[self._step_id].items():
            sums[name] = sums.get(name, 0) + amount
        return sums

    async def _keep_rate(self, outcomes: Mapping[str, int]) -> None:
        now, seen = self._clock.monotonic(), self._seen
        if seen and now - seen[-1][0] < RATE_EVERY_S:
            return
        tried = sum(outcomes.get(name, 0) for name in ("sent", "failed", "unknown"))
        ended = tried + outcomes.get("skipped", 0)
        moved, self._ended = ended != self._ended, ended
        seen.append((now, tried))
        while now - seen[0][0] > RATE_OVER_S:
            seen.popleft()
        rate = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0]) if len(seen) > 1 else 0.0
        await self._store.mailings.set_rate(self._step_id, max(rate, 0.0), self._clock.now(), moved=moved)

    def _too_many_failures(self, since: Mapping[str, int]) -> tuple[str, str] | None:
        limits, failed = self._limits, since.get("failed", 0)
        normal = sum(since.get(f"failed:{reason}", 0) for reason in NORMAL_FAILURES)
        ended = since.get("sent", 0) + failed + since.get("unknown", 0)
        if ended < limits.after or not ended:
            return None
        if (failed - normal) / ended > limits.failed_share:
            return "failures", _("{bad} of the last {all} failed").format(bad=failed - normal, all=ended)
        if limits.gone_share is not None and normal / ended > limits.gone_share:
            words = _("{bad} of the last {all} addresses are blocked or gone")
            return "gone", words.format(bad=normal, all=ended)
        return None
