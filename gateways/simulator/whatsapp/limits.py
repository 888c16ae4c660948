"""WhatsApp's limits beside throughput: of one client, and of the whole portfolio; platforms/whatsapp.md section 4."""

from dataclasses import dataclass, field

TIERS = {"TIER_250": 250, "TIER_2K": 2_000, "TIER_10K": 10_000, "TIER_100K": 100_000}
_DAY_S = 86_400.0


@dataclass
class PairLimit:
    """One message in `every_s` to each client; a burst borrows from what comes."""

    every_s: float = 6.0
    burst: int = 45
    _left: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)  # tokens, and when counted

    def admit(self, pair: tuple[str, str], now: float) -> bool:
        left, counted_at = self._left.get(pair, (float(self.burst), now))
        left = min(self.burst, left + (now - counted_at) / self.every_s)
        taken = left >= 1
        self._left[pair] = (left - taken, now)
        return taken


@dataclass
class PortfolioLimit:
    """So many clients opened by templates outside of the window in any 24 hours, all numbers together."""

    _opened: dict[str, float] = field(default_factory=dict)  # when, in Unix seconds

    def admit(self, tier: str, client: str, now: float) -> bool:
        most = TIERS.get(tier)
        if most is None:
            return True
        if now - self._opened.get(client, 0.0) < _DAY_S:
            return True
        if sum(now - at < _DAY_S for at in self._opened.values()) >= most:
            return False
        self._opened[client] = now
        return True
