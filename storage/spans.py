"""How long things took, counted as a histogram counts them."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

UP_TO_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(slots=True)
class Spans:
    """What Prometheus takes as a histogram; it costs a bisection, and never grows."""

    total_s: float = 0.0
    _counts: list[int] = field(default_factory=lambda: [0] * (len(UP_TO_S) + 1))

    def add(self, took_s: float) -> None:
        self.total_s += took_s
        self._counts[bisect_left(UP_TO_S, took_s)] += 1

    @property
    def count(self) -> int:
        return sum(self._counts)

    def up_to(self) -> Iterator[tuple[str, int]]:
        """Each bound in seconds, the last one endless, and how many took no longer."""
        so_far = 0
        for bound, count in zip((*map(str, UP_TO_S), "+Inf"), self._counts, strict=True):
            so_far += count
            yield bound, so_far
