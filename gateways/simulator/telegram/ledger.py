"""What reached the simulator: calls as they came, and counts that cost little at a million messages."""

from array import array
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gateways.simulator.telegram.forms import Upload, decoded


@dataclass
class RecordedCall:
    """One call. `outcome` is the HTTP status in words or what was done to the connection: "200", "429", "dropped"."""

    token: str
    method: str
    values: Mapping[str, Any]
    files: Mapping[str, Upload]
    arrived_at: float  # monotonic seconds
    outcome: str = "waiting"
    description: str = ""

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The parameters with numbers, flags and nested objects decoded."""
        return decoded(self.values)

    @property
    def accepted(self) -> bool:
        return self.outcome in ("200", "dropped after accept", "silent after accept")


class Accepted:
    """The messages of one bot that were taken, whatever their sender heard of it."""

    __slots__ = ("at", "by_chat", "by_content")

    def __init__(self) -> None:
        self.at = array("d")  # monotonic seconds, one a call
        self.by_chat: Counter[int] = Counter()  # messages; an album counts each of its items
        self.by_content: Counter[int] = Counter()  # calls by hash of (chat, content)

    def add(self, at: float, chat_id: int, content: object, messages: int = 1) -> None:
        self.at.append(at)
        self.by_chat[chat_id] += messages
        self.by_content[hash((chat_id, content))] += 1

    def repeats(self) -> int:
        """How many calls brought a chat what it had already got."""
        return self.by_content.total() - len(self.by_content)

    def clear(self) -> None:
        del self.at[:]
        self.by_chat.clear()
        self.by_content.clear()


def most_in_window(moments: Sequence[float], window_s: float = 1.0) -> int:
    """The most moments that lie in any half-open window of that length."""
    most = begin = 0
    for end, moment in enumerate(moments):
        while moment - moments[begin] >= window_s:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def rate_per_s(moments: Sequence[float]) -> float:
    """Calls a second between the first and the last one; 0.0 for fewer than two."""
    if len(moments) < 2 or moments[-1] <= moments[0]:
        return 0.0
    return (len(moments) - 1) / (moments[-1] - moments[0])


class Ledger:
    """Records calls up to `bound`, the newest kept; with `recording` off it only counts."""

    def __init__(self, bound: int = 20_000) -> None:
        self.recording = True
        self.calls: deque[RecordedCall] = deque(maxlen=bound)
        self.count_by_method: Counter[str] = Counter()

    def open(self, token: str, method: str, arrived_at: float) -> RecordedCall:
        call = RecordedCall(token, method, {}, {}, arrived_at)
        self.count_by_method[method] += 1
        if self.recording:
            self.calls.append(call)
        return call

    def find(self, token: str | None, method: str | None) -> list[RecordedCall]:
        name = None if method is None else method.lower()
        return [
            call
            for call in self.calls
            if (token is None or call.token == token) and (name is None or call.method.lower() == name)
        ]

    def clear(self) -> None:
        self.calls.clear()
        self.count_by_method.clear()
