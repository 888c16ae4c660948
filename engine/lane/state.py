"""What the parts of a lane share: its steps, its pacer, and why it may not send just now."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from engine.clock import Clock
from engine.lane.turns import Turns
from engine.pacing import Pacer
from engine.personalise import Personaliser
from engine.settings import ChannelSettings
from gateways.base import Outgoing, Part
from storage.records import AcceptedPart, Canary, Claimed
from storage.spans import Spans

IN_FLIGHT_S = 10.0  # of the lane's rate: a platform that takes calls and never answers can't pile up more
MIN_IN_FLIGHT = 50
MAX_IN_FLIGHT = 1000


class LaneReport(Protocol):
    """What a lane tells the runner."""

    async def message_refused(self, step_id: int, channel: str, words: str) -> None:
        """The message can't be sent to anybody: the mailing is to be interrupted."""
        ...

    async def channel_broken(self, channel: str, words: str) -> None: ...

    async def channel_down(self, channel: str, since: datetime | None) -> None:
        """The platform is away since then; None: it is back."""
        ...

    async def channel_throttled(self, channel: str, until: datetime) -> None: ...

    def progressed(self, step_id: int) -> None:
        """A delivery of this step ended, and for now it was the lane's last one."""
        ...


@dataclass(slots=True)
class Job:
    """A delivery in the lane's hand, rendered."""

    delivery: Claimed
    outgoing: Sequence[Outgoing]
    is_outside: bool = False  # rendered for a closed window
    started_at: datetime | None = None
    accepted: list[AcceptedPart] = field(default_factory=list)
    new_address: str | None = None


@dataclass(slots=True)
class LaneStep:
    """A step as this lane sends it: fitted, personalised, at its own speed."""

    step_id: int
    parts: Sequence[Part]
    personaliser: Personaliser
    pacer: Pacer | None = None  # its own, where it is to go slower than the channel does
    outside: Personaliser | None = None  # what goes where the client's window is closed
    outside_parts: Sequence[Part] = ()
    next_channels: tuple[str, ...] = ()  # of a cascade, after this one
    canary: Canary | None = None  # while only its first clients get it
    hand_on_after_s: float | None = None  # what was sent goes on there where no receipt came; None: it does not
    claimed: deque[Job] = field(default_factory=deque)
    started: deque[Job] = field(default_factory=deque)
    look_again_at: float = 0.0
    needs_upload: bool = False  # the next one goes out alone
    priming: bool = False  # a first message uploads; the others wait to use what it uploaded
    served_at: float = 0.0
    used_up: bool = False  # the quota gives no more
    low: int = 0  # so few in hand are to be followed by more
    fields: frozenset[str] = field(init=False)  # of the card, that the message names

    def __post_init__(self) -> None:
        self.fields = self.personaliser.fields() | (self.outside.fields() if self.outside else frozenset())

    def set_speed(self, speed: float | None) -> None:
        """At most so many messages/second of this step; None: as many as the channel may."""
        if speed is None:
            self.pacer = None
        elif self.pacer is None:
            self.pacer = Pacer(speed)
        else:
            self.pacer.set_rate(speed)

    def waiting(self) -> int:
        return len(self.claimed) + len(self.started)

    def take_all(self) -> list[Job]:
        jobs = [*self.started, *self.claimed]
        self.started.clear()
        self.claimed.clear()
        self.priming = False
        return jobs


@dataclass(slots=True)
class LaneFigures:
    """What the lane did, for metrics."""

    slots: int = 0
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0
    throttles: int = 0
    lateness: Spans = field(default_factory=Spans)  # from a slot's time to its use, where the lane waited for the slot


class LaneState:
    def __init__(self, channel: ChannelSettings, clock: Clock) -> None:
        self.channel = channel
        self.clock = clock
        self.pacer = Pacer(channel.rate)
        self.steps: dict[int, LaneStep] = {}
        self.figures = LaneFigures()
        self.in_flight = 0
        self.broken: str | None = None  # the platform's words
        self.down_since: datetime | None = None
        self.throttled_until = 0.0  # monotonic
        self.halted = False  # the kill switch
        self.era = 0  # of the lane's runs: what an earlier one began is not this one's
        self.closing = False
        self.turns = Turns(clock)  # of the slots
        self.claim_wake = asyncio.Event()

    def may_claim(self) -> bool:
        return not (self.closing or self.halted) and self.reachable()

    def may_start(self) -> bool:
        return self.may_claim() and self.has_room()

    def reachable(self) -> bool:
        """Whether the platform takes calls, as far as we know."""
        return (
            self.broken is None
            and self.down_since is None
            and (not self.throttled_until or self.clock.monotonic() >= self.throttled_until)
        )

    def is_idle(self) -> bool:
        """Whether nothing is in any of the three hands."""
        return not self.in_flight and not any(step.waiting() or step.priming for step in self.steps.values())

    def has_room(self) -> bool:
        in_flight = self.in_flight
        return in_flight < MIN_IN_FLIGHT or in_flight < min(self.pacer.rate * IN_FLIGHT_S, MAX_IN_FLIGHT)

    def holds(self, step: LaneStep) -> bool:
        return self.steps.get(step.step_id) is step

    def holds_any(self) -> bool:
        """Whether anything is claimed or about to go."""
        return any(step.claimed or step.started for step in self.steps.values())

    def take_all(self) -> Iterator[Job]:
        """Empty every step's hands."""
        for step in self.steps.values():
            yield from step.take_all()

    def end_run(self) -> None:
        """Nobody sends any more: what is marked or on its way is settled by whoever cleans up after the lane."""
        self.era += 1
        self.in_flight = 0

    def wake(self) -> None:
        """Something has changed: look again whether there is something to claim and to send."""
        for step in self.steps.values():
            step.look_again_at = 0.0
        self.turns.ask()
        self.claim_wake.set()
