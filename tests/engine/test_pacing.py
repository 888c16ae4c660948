"""The pace: even, exact, and never above the rate in any window of one second, however late the loop wakes."""

from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.pacing import RECOVER_AFTER_S, Pacer


def run(pacer: Pacer, seconds: float, lateness: list[float]) -> list[float]:
    """Start as early as the pacer lets, each time as late as the list says; the starts."""
    now = 0.0
    starts: list[float] = []
    while now < seconds:
        now = pacer.next_start(now) + lateness[len(starts) % len(lateness)]
        pacer.take(now)
        pacer.record(now)
        starts.append(now)
    return starts


def most_in_a_second(starts: list[float]) -> int:
    return max(bisect_left(starts, start + 1.0) - place for place, start in enumerate(starts))


@pytest.mark.parametrize("rate", [1.0, 5.0, 20.0, 25.0])
def test_the_pace_is_held_within_a_thousandth(rate: float) -> None:
    starts = run(Pacer(rate), 400, [0.0])
    assert len(starts) / starts[-1] >= rate * 0.998
    assert most_in_a_second(starts) <= rate


def test_small_lateness_does_not_lower_the_pace() -> None:
    starts = run(Pacer(25.0), 100, [0.0003, 0.0, 0.0011, 0.0002, 0.0])
    assert len(starts) / starts[-1] >= 25 * 0.995


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=60), st.sampled_from([1.0, 2.0, 7.0, 25.0]))
def test_no_second_ever_holds_more_than_the_rate(lateness: list[float], rate: float) -> None:
    assert most_in_a_second(run(Pacer(rate), 30, lateness)) <= rate


def test_missed_slots_are_not_caught_up_in_a_burst() -> None:
    starts = run(Pacer(25.0), 12, [0.0] * 30 + [2.0] + [0.0] * 400)
    after = starts[31:]
    assert all(later - earlier >= 0.039 for earlier, later in pairwise(after))


def test_a_throttle_stretches_the_pace_and_it_recovers_step_by_step() -> None:
    pacer = Pacer(20.0)
    pacer.stretch(0.0)
    assert pacer.rate == pytest.approx(14.0)
    pacer.next_start(RECOVER_AFTER_S)
    assert pacer.rate == pytest.approx(15.0)
    pacer.next_start(RECOVER_AFTER_S * 10)
    assert pacer.rate == pytest.approx(20.0)


def test_a_new_rate_holds_from_the_next_slot_and_the_last_second_still_counts() -> None:
    pacer = Pacer(5.0)
    starts = run(pacer, 3, [0.0])
    pacer.set_rate(25.0)
    now = starts[-1]
    more = []
    while now < 5:
        now = pacer.next_start(now)
        pacer.take(now)
        pacer.record(now)
        more.append(now)
    assert most_in_a_second(starts + more) <= 25
    assert len([start for start in more if 4 <= start < 5]) == pytest.approx(25, abs=1)
