"""What storage gives and takes: frozen records, and the words that stand in columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import Any

from gateways.base import AddressStatus
from gateways.hot import record
from gateways.message import Message


class Status(StrEnum):
    """Of a step, and of the mailing that it belongs to."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class DeliveryState(StrEnum):
    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Routing(StrEnum):
    MAIN = "main"
    CHOSEN = "chosen"
    CASCADE = "cascade"


class OnUnknown(StrEnum):
    SKIP = "skip"
    REPEAT = "repeat"


class AmendmentKind(StrEnum):
    TAKE_BACK = "take_back"
    CORRECT = "correct"


class AmendmentStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


class AmendedState(StrEnum):
    WAITING = "waiting"
    REACHED = "reached"
    MISSED = "missed"


class Role(StrEnum):
    OWNER = "owner"
    OPERATOR = "operator"
    APPROVER = "approver"
    MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a person of `[[people]]`, the command line, the API, or Carillon itself ("engine")."""

    name: str
    role: Role = Role.OWNER
    surface: str = "cli"  # cli, api, engine, telegram, slack, console
    account: str = ""  # the person's id on that surface

    def __str__(self) -> str:
        return f"{self.name}|{self.surface}|{self.account}"

    @classmethod
    def read(cls, text: str) -> "Actor":
        """The actor that a column names; the role is not kept there, because rights are looked up anew."""
        name, surface, account = text.split("|")
        return cls(name, Role.OPERATOR, surface, account)


ENGINE = Actor("Carillon", Role.OWNER, "engine")


class CanaryState(StrEnum):
    """Of a mailing whose first clients have it."""

    WAITING = "waiting"  # it is judged when its time is up
    HELD = "held"  # too much failed, or a person said so: a person decides
    PASSED = "passed"  # all the others get it


@dataclass(frozen=True, slots=True)
class Canary:
    """The first clients get a mailing alone: `first` of them, or that `share` of all. After `wait_s` it goes on by
    itself unless more than `failed_share` failed or `unsubscribed_share` unsubscribed."""

    first: int | None = None
    share: float | None = None
    wait_s: float = 30 * 60.0
    failed_share: float = 0.05
    unsubscribed_share: float = 0.01

    def size(self, planned: int) -> int:
        """How many of so many clients get it first."""
        return min(self.first or max(ceil((self.share or 0.0) * planned), 1), planned)


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything a person decides about a mailing before it starts.

    `start` is "now" or a local ISO time; `timezone` an IANA name, "client", or None for the app's.
    `audience` is plain data as in a mailing file: `segment` and/or `where`."""

    name: str
    message: Message
    audience: Mapping[str, Any] = field(default_factory=dict)
    routing: Routing = Routing.MAIN
    channels: tuple[str, ...] = ()
    speed: float | None = None
    start: str = "now"
    timezone: str | None = None
    on_unknown: OnUnknown = OnUnknown.SKIP
    canary: Canary | None = None


@dataclass(frozen=True, slots=True)
class Mailing:
    """A mailing with its first step, as it is now."""

    id: int
    step_id: int
    draft: Draft
    status: Status
    reason: str | None
    reason_words: str | None
    start_at: datetime | None
    created_by: Actor
    created_at: datetime
    launched_by: Actor | None
    launched_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    content_hash: str | None
    revision: int
    planned_all: bool
    rate: float | None = None
    rate_at: datetime | None = None
    moved_at: datetime | None = None  # when an outcome last came, as the engine saw it
    archived_at: datetime | None = None
    last_count: int | None = None  # how many it was going to when a person last saw a number, at counted_at
    counted_at: datetime | None = None
    canary_state: CanaryState | None = None
    canary_until: datetime | None = None


@record
class Claimed:
    """A delivery in a lane's hand, with what it needs to be sent."""

    id: int
    step_id: int
    client_id: int
    address_id: int
    address: str
    attempt: int
    tries: int
    address_details: Mapping[str, Any]
    client: Mapping[str, Any]  # the card as templates see it: column and attribute names to values
    last_wrote_at: datetime | None = None
    doubted_at: datetime | None = None  # when it may have been taken already, where the platform drops a repeat
    run_id: int | None = None  # in whose hand it is: another run's outcome puts nothing back


@record
class AcceptedPart:
    position: int
    external_id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    cost: str = ""  # the price class of `units` things, as gateways.base.Accepted names it
    units: int = 1


@record
class Outcome:
    """How a delivery's attempt ended. `state` PLANNED puts it back (retry, throttled, channel broken), due at `due_at`.

    `address_status` is what the address becomes; `new_address` its new external id. In a cascade it goes on to the
    first of `next_channels` where the client can be reached, after `hand_on_after_s`; None: it ends here. One that
    is put back keeps since when it may have been taken all the same, `doubted_at`."""

    delivery: Claimed
    channel: str
    state: DeliveryState
    finished_at: datetime
    started_at: datetime | None = None
    tries: int = 0
    reason: str | None = None
    code: str | None = None
    words: str | None = None
    due_at: datetime | None = None
    parts: Sequence[AcceptedPart] = ()
    address_status: AddressStatus | None = None
    new_address: str | None = None
    next_channels: tuple[str, ...] = ()
    hand_on_after_s: float | None = None
    doubted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClientCard:
    id: int
    external_id: str | None
    name: str | None
    first_name: str | None
    last_name: str | None
    language: str | None
    timezone: str | None
    main_channel: str | None
    tags: tuple[str, ...]
    attributes: Mapping[str, Any]
    addresses: tuple["AddressRecord", ...]
    created_at: datetime
    last_seen_at: datetime | None
    erased_at: datetime | None = None
    subscribed_to: tuple[str, ...] = ()  # sources


@dataclass(frozen=True, slots=True)
class AddressRecord:
    id: int
    client_id: int
    scope: str
    external_id: str
    channel: str | None
    status: AddressStatus
    status_reason: str | None
    status_at: datetime
    last_wrote_at: datetime | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people are to be told."""

    id: int
    kind: str
    mailing_id: int | None
    actor: Actor | None
    details: Mapping[str, Any]
    created_at: datetime
