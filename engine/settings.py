"""What the configuration decides about the engine, in its own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from gateways.base import Capabilities

MAX_RATE = 25.0  # messages/second of a channel, unless a person allowed more
LATE_START_S = 30 * 60.0  # a start that is further past asks a person
SILENCE_S = 30 * 60.0  # a longer one before this start, and what was sending asks a person
CHANGEABLE_UNTIL_S = 5 * 60.0  # before a scheduled start

Price = tuple[Decimal, str]  # an amount, and the currency in capitals


class QuotaPer(StrEnum):
    DAY = "day"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class Quota:
    """`messages` a day of the app's zone; or a package, whose balance is in storage and begins with `messages`."""

    messages: int
    per: QuotaPer


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    id: str
    able: Capabilities
    rate: float = MAX_RATE
    quota: Quota | None = None
    max_rate: float = MAX_RATE  # what a mailing's speed may be at most

    @property
    def kind(self) -> str:
        return self.able.kind


@dataclass(frozen=True, slots=True)
class InterruptAt:
    """A mailing that fails this much stops by itself. Normal failures (blocked, gone, windows, opt-outs) count only for
    `gone_share`, which is off while it is None."""

    failed_share: float = 0.3
    after: int = 200
    gone_share: float | None = None


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """When a second person has to approve a mailing: any of these is enough."""

    above: int | None = None  # clients
    outside_hours: tuple[time, time] | None = None  # from, until, in the app's zone; over midnight too
    channels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EngineSettings:
    channels: Mapping[str, ChannelSettings]
    data_dir: Path
    kinds: tuple[str, ...] = ()  # of messengers, that a message may name
    timezone: str = "UTC"
    tries: int = 3
    interrupt_at: InterruptAt = field(default_factory=InterruptAt)
    cascade_after_s: float = 30 * 60.0  # without a delivered receipt, until the next channel is tried
    inbox: bool = False  # what clients write is shown to people
    drain_s: float = 8.0  # how long a shutdown waits for what is in flight
    approval: ApprovalRule | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)  # by what is charged for; empty: no cost is told
    same_text_days: int = 7  # a text that most of the audience had within so many days is warned of; 0: never
    link_length: int | None = None  # characters of a link that leads through us; None: links go as they are

    @property
    def links_counted(self) -> bool:
        """Whether clicks on links are numbers."""
        return self.link_length is not None
