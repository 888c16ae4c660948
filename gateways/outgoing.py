"""What is sent: parts of a message for one client, and what the platform took."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateways.abilities import PartKind
from gateways.hot import record
from gateways.markup import RichText
from gateways.message import Card, Rows


@dataclass(frozen=True, slots=True)
class Part:
    """One platform call of a message as it was fitted to a kind; `text` is a template in our HTML subset."""

    kind: PartKind
    text: str = ""
    media: tuple[str, ...] = ()
    name: str | None = None
    latitude: float = 0.0
    longitude: float = 0.0
    buttons: Rows = ()
    cards: tuple[Card, ...] = ()  # of a carousel
    extra: Mapping[str, Any] = field(default_factory=dict)  # what only this kind knows: a template's name …


@record
class Outgoing:
    """A part for one client: text and buttons are rendered, `button_data` goes with the buttons that come back to us.

    `button_data` has one string for each button of `buttons` and then of `cards`, in reading order (64 bytes at most).
    `reference` names delivery, attempt and part; a platform that drops repeats gets it as the key. `shared_reference`
    names step and part, the same for every client ("" outside of a mailing): the key where a platform drops repeats
    within one client's chat, so that one call may bring equal texts to many.
    """

    address: str
    part: Part
    text: RichText
    buttons: Rows
    button_data: tuple[str, ...]
    reference: str
    details: Mapping[str, Any] = field(default_factory=dict)  # of the address: a topic, a second id …
    cards: tuple[Card, ...] = ()  # rendered
    shared_reference: str = ""


@record
class Accepted:
    """The platform took the part; `external_id` is its name there, unique within the channel.

    `usage` is the share of its limits that the platform says is used up: the lane slows down before a block. `cost` is
    the price class of `units` things, as `[prices]` of the configuration names it: "viber.charged", "sms.segment" …"""

    external_id: str
    new_address: str | None = None  # the platform moved the chat to another id
    details: Mapping[str, Any] = field(default_factory=dict)
    usage: float = 0.0
    cost: str = ""
    units: int = 1


@dataclass(frozen=True, slots=True)
class SentPart:
    """A part that the platform took: where it went, and what it is called there; `details` as Accepted had them."""

    address: str
    external_id: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Correction:
    """A part that stands in a client's chat, and how it is to read from now on: the same kind, with the same media."""

    sent: SentPart
    outgoing: Outgoing
