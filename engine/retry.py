"""How long to wait before what failed for a while is tried again."""

import random

PAUSES_S = (2.0, 10.0, 30.0)  # after the first, second … try of a delivery; the last one repeats
PROBES_S = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)  # between looks at a platform that is away
JITTER = 0.25

_random = random.Random()  # noqa: S311  # spreads retries, hides nothing


def pause_before_try(tries: int) -> float:
    """Seconds before the next try of a delivery that has had `tries`, with jitter so that retries spread."""
    return _spread(PAUSES_S[min(tries, len(PAUSES_S)) - 1])


def pause_before_probe(probes: int) -> float:
    """Seconds before the next look at a platform that did not answer `probes` looks."""
    return _spread(PROBES_S[min(probes, len(PROBES_S) - 1)])


def _spread(pause_s: float) -> float:
    return pause_s * (1 + _random.uniform(-JITTER, JITTER))
