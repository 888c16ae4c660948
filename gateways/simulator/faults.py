"""What can go wrong on demand, the same way every time for the same seed."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

LatencyS = float | tuple[float, float]  # seconds: fixed, or from..to


class FaultKind(StrEnum):
    THROTTLE = "throttle"  # 429 with retry_after_s; not accepted
    ERROR = "error"  # 500 with a JSON envelope
    BAD_GATEWAY = "bad_gateway"  # 502 with HTML
    CLOSE = "close"  # the connection closed before the body is read; not accepted
    SILENCE = "silence"  # never answered
    DROP = "drop"  # accepted, then the socket closed
    SLOW = "slow"  # accepted, then answered after seconds
    HANG = "hang"  # a flood wait that hangs seconds (Telegram: 8 at most), then 200
    REFUSE = "refuse"  # code and words of your choice; not accepted


@dataclass
class Fault:
    """Applies to the next `times` fitting calls, or to each with `chance`. None fits anything.

    `token` is the key of one account of ours, `chat_id` a client's address there."""

    kind: FaultKind
    times: int | None = None
    chance: float | None = None
    token: str | None = None
    method: str | None = None
    chat_id: int | str | None = None
    after: int = 0  # fitting calls that are let through first
    retry_after_s: int = 1
    holds: bool = False  # THROTTLE: every sending call of the bot is refused until retry_after_s has passed
    seconds: float = 0.0
    accepted: bool = False  # ERROR, BAD_GATEWAY, SILENCE: take the message before failing
    code: int = 400
    words: str = "refused by a fault"
    parameters: dict[str, Any] | None = None
    hits: int = 0

    @property
    def takes_message(self) -> bool:
        return self.accepted or self.kind in (FaultKind.DROP, FaultKind.SLOW, FaultKind.HANG)

    def fits(self, token: str, method: str, chat_id: int | str | None) -> bool:
        return (
            (self.token is None or self.token == token)
            and (self.method is None or self.method.lower() == method.lower())
            and (self.chat_id is None or self.chat_id == chat_id)
        )


class Faults:
    """The faults that wait to happen, and the latency of answers."""

    def __init__(self, seed: int = 0) -> None:
        self.latency_s: LatencyS = 0.0
        self._latencies: dict[tuple[str | None, str | None], LatencyS] = {}
        self._faults: list[Fault] = []
        self._random = random.Random(seed)

    def seed(self, seed: int) -> None:
        self._random.seed(seed)

    def add(self, kind: FaultKind | str, **terms: Any) -> Fault:
        """`add("throttle", times=3, retry_after_s=2, token=..., method="sendMessage")`; see Fault for the terms."""
        fault = Fault(FaultKind(kind), **terms)
        if fault.times is None and fault.chance is None:
            fault.times = 1
        self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        if fault in self._faults:
            self._faults.remove(fault)

    def clear(self) -> None:
        self._faults.clear()
        self._latencies.clear()
        self.latency_s = 0.0

    def delay_answers(self, latency_s: LatencyS, *, token: str | None = None, method: str | None = None) -> None:
        """Latency of one bot, one method, or both; the more exact one wins over `latency_s`."""
        self._latencies[token, None if method is None else method.lower()] = latency_s

    def take(self, token: str, method: str, chat_id: int | str | None, *, before_reading: bool) -> Fault | None:
        """The fault that happens to this call, used up where it was to happen a number of times."""
        if not self._faults:
            return None
        for fault in self._faults:
            fits = (fault.kind is FaultKind.CLOSE) is before_reading and fault.fits(token, method, chat_id)
            if fits and self._happens(fault):
                return fault
        return None

    def _happens(self, fault: Fault) -> bool:
        if fault.after > 0:
            fault.after -= 1
            return False
        if fault.chance is not None and self._random.random() >= fault.chance:
            return False
        fault.hits += 1
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.remove(fault)
        return True

    def answer_delay_s(self, token: str, method: str) -> float:
        latency = self.latency_s
        if self._latencies:
            name = method.lower()
            for key in ((token, name), (None, name), (token, None)):
                if key in self._latencies:
                    latency = self._latencies[key]
                    break
        if isinstance(latency, tuple):
            return self._random.uniform(*latency)
        return latency
