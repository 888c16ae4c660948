"""What a kind of messenger can carry, each limit with its source."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gateways.looks import PLAIN, Look
from gateways.markup import RichText


class PartKind(StrEnum):
    TEXT = "text"
    PICTURE = "picture"
    ALBUM = "album"
    FILE = "file"
    VIDEO = "video"
    LOCATION = "location"
    CAROUSEL = "carousel"
    TEMPLATE = "template"  # approved by the platform beforehand; `extra["template"]` names it


class TextUnit(StrEnum):
    CHARACTERS = "characters"  # Unicode code points
    UTF16 = "utf16"
    BYTES = "bytes"  # of UTF-8


class ReceiptState(StrEnum):
    SENT = "sent"  # the platform took it: proves a send whose answer never came
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


class AddressStatus(StrEnum):
    ENABLED = "enabled"
    UNSUBSCRIBED = "unsubscribed"
    BLOCKED = "blocked"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Fact:
    """A number that a platform set, and where it says so."""

    value: int
    source: str


@dataclass(frozen=True, slots=True)
class ButtonSet:
    """Kinds of buttons that may stand together under one message, and how many of them in all."""

    kinds: frozenset[type]
    most: Fact


@dataclass(frozen=True, slots=True)
class CarouselLimits:
    cards: range
    max_title: Fact
    max_text: Fact
    max_buttons: Fact  # of one card
    needs_picture: bool = False
    alike: bool = False  # pictures on all cards or on none, and as many buttons on each, one at least


@dataclass(frozen=True, slots=True)
class Counted:
    """What a platform counts of a text, for who writes it: `room` is what `units` hold beside it, `odd` the letters for
    which the wider alphabet is taken."""

    alphabet: str
    characters: int
    units: int
    room: int
    odd: str = ""


@dataclass(frozen=True, slots=True)
class Charges:
    """What messages may cost, by the names that `[prices]` of the configuration has. `message` is each platform call,
    or each of the things that `unit` names; one by a template costs `template`, with the template's {category}. Within
    `session_s` after the client wrote (None: as the window goes) it costs `session`, free where it has no price."""

    message: str = ""
    template: str = ""
    session: str = ""
    session_s: float | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a kind of messenger can carry. Every limit has its source; `engine.fit` reads them all.

    `markup` are the tags of our HTML subset that the dialect shows; others are dropped, and told as a loss.
    `button_sets` are alternatives: a message's buttons go by the first set that holds them all. `captioned` are the
    kinds of parts that can hold a text of `max_caption`; under others it follows as a message of its own. So do buttons
    under those that are not `buttoned`.
    """

    kind: str
    title: str
    max_text: Fact
    max_caption: Fact
    text_unit: TextUnit
    markup: frozenset[str]
    media: frozenset[PartKind]
    max_picture_bytes: Fact
    max_file_bytes: Fact
    album_sizes: range
    album_takes_buttons: bool
    max_buttons_in_row: Fact
    max_label: Fact
    button_sets: tuple[ButtonSet, ...]  # none: no buttons; links then stand in the text
    max_text_with_buttons: Fact | None = None  # where it is less than `max_text`
    captioned: frozenset[PartKind] = frozenset({PartKind.PICTURE, PartKind.ALBUM, PartKind.FILE, PartKind.VIDEO})
    buttoned: frozenset[PartKind] = frozenset(PartKind)
    max_buttons_with_media: Fact | None = None  # under anything but a text, where they are less
    carousel: CarouselLimits | None = None
    measure: Callable[[RichText], int] | None = None  # length as rendered, in `text_unit`; None: of the plain text
    units: Callable[[RichText], int] | None = None  # how many things pace and price count a text for; None: one
    unit: str = ""  # the name of such a thing: segment …
    counted: Callable[[RichText], Counted] | None = None  # the same in full, to be shown while a text is written
    address_pattern: str = ""  # what an address looks like, a regular expression; "" takes anything
    address_by_phone: bool = False  # an address is the client's phone, digits without the plus
    start_link: str = ""  # appended to the account's link, it opens a chat that brings us {payload}
    max_start_payload: int = 64
    receipts: frozenset[ReceiptState] = frozenset()
    why_no_receipts: str = ""
    max_rate: float = 25.0  # messages/second
    batch: int = 1
    repeats_safely_for_s: float = 0.0  # the platform drops a repeated send for so long; 0: it sends twice
    carries_reference: bool = False
    own_fields: frozenset[str] = frozenset()  # what `only.<kind>` of a message may hold beside elements
    charges: Charges | None = None  # None: messages cost nothing here
    window_s: float | None = None  # free messages only so long after the client wrote; None: always
    takes_templates: bool = False  # `only.<kind>.template` goes where the window is closed
    submits_templates: str = ""  # where people look after the templates that they wrote here; "": none can be written
    takes_back_for_s: Fact | None = (
        None  # so long after it was sent a message can be deleted for its reader; None: never
    )
    corrects_for_s: Fact | None = None  # the same for changing its text and buttons where it stands
    look: Look = PLAIN  # how previews draw it
    also_called: tuple[str, ...] = ()  # other names of it that columns of clients' addresses have, in lower case
