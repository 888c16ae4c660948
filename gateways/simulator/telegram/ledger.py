"""What reached the simulator: calls as they came, and counts that cost little at a million messages."""

from collections import Counter, deque
from collections.abc import Mapping
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
