"""How much of its limits a channel has used, as the Graph API tells it in headers, and how long to wait once it is all.

Percents and minutes; developers.facebook.com/docs/graph-api/overview/rate-limiting, read November 2026.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from gateways.jsons import read_json

_SHARES = ("call_count", "total_cputime", "total_time")
_REGAIN = "estimated_time_to_regain_access"
_FLAT_HEADERS = ("x-app-usage", "x-page-usage")
_BY_ACCOUNT_HEADER = "x-business-use-case-usage"

FIRST_PAUSE_S = 60.0  # platforms/facebook.md section 4: 60 s doubling to 15 min where Meta names no time
MOST_PAUSE_S = 900.0
MOST_REGAIN_S = 86_400.0  # more than a day is a garbled number


class Usage(NamedTuple):
    """The largest share of any limit, 1.0 = all of it; `regain_s` until Meta lets us in again, 0 where it says none."""

    share: float = 0.0
    regain_s: float = 0.0


def usage_of(headers: Mapping[str, str]) -> Usage:
    """What the headers of an answer say; their names in lower case. Unreadable ones say nothing."""
    share = regain_s = 0.0
    for entry in _entries(headers):
        share = max(share, *(_number(entry.get(name)) / 100 for name in _SHARES))
        regain_s = max(regain_s, _number(entry.get(_REGAIN)) * 60)
    if regain_s:
        share = max(share, 1.0)
    return Usage(share, min(regain_s, MOST_REGAIN_S))


class Pauses:
    """How long to wait after a throttle that names no time: longer each time in a row.

    Calls in flight are throttled together; only the first of them after a pause makes the next one longer."""

    def __init__(
        self, monotonic: Callable[[], float], *, first_s: float = FIRST_PAUSE_S, most_s: float = MOST_PAUSE_S
    ) -> None:
        self._monotonic = monotonic
        self._first_s = first_s
        self._most_s = most_s
        self._pause_s = 0.0
        self._until = 0.0

    def next_s(self, usage: Usage = Usage()) -> float:  # noqa: B008  # an immutable value
        if usage.regain_s:
            return usage.regain_s
        now = self._monotonic()
        if not self._pause_s or now >= self._until:
            self._pause_s = min(self._pause_s * 2, self._most_s) if self._pause_s else self._first_s
            self._until = now + self._pause_s
        return self._pause_s

    def end(self) -> None:
        """A call went through: the next throttle begins anew. One that set out before the throttle says nothing."""
        if self._pause_s and self._monotonic() >= self._until:
            self._pause_s = 0.0


def _entries(headers: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    for name in _FLAT_HEADERS:
        if name in headers and isinstance(found := read_json(headers[name]), dict):
            yield found
    if _BY_ACCOUNT_HEADER in headers and isinstance(by_account := read_json(headers[_BY_ACCOUNT_HEADER]), dict):
        for entries in by_account.values():
            yield from (entry for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
