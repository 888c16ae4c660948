"""The vocabulary between the engine and a messenger: what can be sent, what is heard, how it can fail.

The engine knows these names and no messenger. Errors, drawn as a tree; a class is a reaction (see `engine.lane`):

    GatewayError
    ├── Throttled         the platform asked us to wait; costs no try
    ├── Unavailable       surely not taken; again later
    ├── OutcomeUnknown    may have been taken
    ├── Rejected          this message to this client can't be
    │   └── MessageRejected  ... and the message itself is at fault, for every client
    ├── AddressGone       blocked, never subscribed, deleted
    ├── OutsideWindow     needs a template or a reply first
    └── ChannelBroken     the token is revoked, the account unpaid, banned
"""

from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from gateways.looks import PLAIN, Look
from gateways.markup import RichText
from gateways.message import Card, Rows


def _(words: str) -> str:
    """Mark a sentence for translation where it stands, filled or not; bot translates it where it is shown."""
    return words


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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


class GatewayError(Exception):
    """A send or a call that failed; `code` and `words` are the platform's own, free of secrets and addresses."""

    def __init__(self, words: str = "", *, code: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.code = code


class Throttled(GatewayError):
    """With `only_this` the delivery waits by itself and the lane goes on at its pace: the platform takes nothing more
    for this client before then, or takes this message in another way, which the gateway knows from now on."""

    def __init__(self, retry_after_s: float, words: str = "", *, code: str = "", only_this: bool = False) -> None:
        super().__init__(words, code=code)
        self.retry_after_s = retry_after_s
        self.only_this = only_this


class Unavailable(GatewayError):
    pass


class OutcomeUnknown(GatewayError):
    pass


class Rejected(GatewayError):
    """`reason` is the short word under which statistics count it, such as "rejected" or "too_long"."""

    def __init__(self, words: str = "", *, code: str = "", reason: str = "rejected") -> None:
        super().__init__(words, code=code)
        self.reason = reason


class MessageRejected(Rejected):
    pass


class AddressGone(GatewayError):
    """`reason`: "blocked", "not_found" (no such address), "deactivated", "never_subscribed" …; `status` is what the
    address becomes. `no_such_address` says that a wrong token would look the same (see DESIGN.md section 3)."""

    def __init__(
        self,
        reason: str,
        words: str = "",
        *,
        code: str = "",
        status: AddressStatus = AddressStatus.GONE,
        no_such_address: bool = False,
    ) -> None:
        super().__init__(words, code=code)
        self.reason = reason
        self.status = status
        self.no_such_address = no_such_address


class OutsideWindow(GatewayError):
    pass


class ChannelBroken(GatewayError):
    pass


class BadSignature(Exception):
    """The request does not come from the platform: 403, and nothing changes."""


class Unreadable(Exception):
    """The body can't be read as what the platform sends: 400."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose token it is, as the platform told it."""

    external_id: str
    name: str
    webhook: str | None = None
    warnings: tuple[str, ...] = ()
    link: str | None = None  # where a client starts a chat with it
    quota_left: int | None = None  # how many more clients the platform lets us begin with now; None: it says nothing


@dataclass(frozen=True, slots=True)
class Hook:
    """A request to our webhook, as it came."""

    method: str
    headers: Mapping[str, str]  # names in lower case
    query: Mapping[str, str]
    body: bytes
    raw_query: str = ""  # as it stood in the request line, for signatures over the URL
    channel: str = ""  # whose hook was called: of one that several share, maybe a sibling's
    content: Any = None  # what the body holds, where whoever cut it has read it already


@dataclass(frozen=True, slots=True)
class Profile:
    """What the platform tells of a client beside the address. `other_ids` name the same client on the same channel:
    whatever of them we know already is this client."""

    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    language: str | None = None
    phone: str | None = None  # E.164, known to the platform as the client's
    other_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a platform says later about a part, found by its external id or by our reference.

    A failed one has the platform's code and words, `reason`, under which statistics count it (as that of the error
    which a send would have raised: "blocked", "outside_window", "rejected" …), and what the address becomes, if
    anything. `address` helps where a platform's ids are only unique for one client."""

    state: ReceiptState
    external_id: str | None
    reference: str | None
    occurred_at: datetime
    key: str  # the same for every repeat of the same fact
    code: str = ""
    words: str = ""
    reason: str = ""
    address_status: AddressStatus | None = None
    address: str | None = None
    cost: str = ""  # as in Accepted
    units: int = 1


@dataclass(frozen=True, slots=True)
class Watermark:
    """Everything that we sent to an address up to a point is in this state: up to a moment of the platform's clock, or
    up to an external id, where those are numbers that grow. Exactly one of both is set."""

    address: str
    state: ReceiptState
    occurred_at: datetime
    key: str
    until: datetime | None = None
    until_id: int | None = None


@dataclass(frozen=True, slots=True)
class AccountBroken:
    """The platform says that the account may not send now: restricted, banned, unpaid. As ChannelBroken."""

    words: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A message that the platform approved, as it knows it. `parameters` are the names of the body's placeholders in
    order ("1", "2" or words); `header` is "", "text", "image", "video", "document" or "location"; `buttons` has one
    kind a button: "quick_reply", "url" (with a parameter: "url_parameter"), "phone", "copy_code" …"""

    name: str
    language: str
    status: str  # approved, pending, rejected, paused, disabled
    category: str  # marketing, utility, authentication
    external_id: str = ""
    body: str = ""
    parameters: tuple[str, ...] = ()
    header: str = ""
    header_parameters: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    reason: str = ""  # why it was rejected or paused


class ButtonKind(StrEnum):
    """Of a template that is being written, in the order in which they stand."""

    REPLY = "reply"
    LINK = "link"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class NewButton:
    """`target`: an address that may end with {{1}}, which `example` fills, or a phone with its plus."""

    kind: ButtonKind
    label: str
    target: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """A template to be approved. `body` is in our HTML subset and holds {{1}}, {{2}} …, in this order; `examples` has
    what may stand there, one for each, `fields` what they stand for, for people. Above it stand the words `header` or
    the picture `picture`, a source as messages have it; `header`, `footer` and labels are plain text."""

    name: str = ""
    language: str = ""
    category: str = ""  # marketing, utility
    body: str = ""
    fields: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    header: str = ""
    picture: str = ""
    footer: str = ""
    buttons: tuple[NewButton, ...] = ()


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a platform made of a template that was submitted; statuses and categories as in Template."""

    external_id: str
    status: str = "pending"
    category: str = ""


@dataclass(frozen=True, slots=True)
class TemplateChanged:
    """The platform approved, paused, disabled … one of ours: the list is to be read anew."""

    name: str
    language: str
    status: str


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The client lets us write. `explicit`: asked for it (/start, allow); otherwise only took a block away, which
    does not undo an opt-out. `opens_window`: the platform counts an explicit one as writing to us; a plugin on a web
    page or a switch in its settings is none."""

    address: str
    occurred_at: datetime
    key: str
    payload: str = ""
    profile: Profile = Profile()
    explicit: bool = True
    opens_window: bool = True


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """The platform's own event: the client blocked us or left. `status` is what the address becomes."""

    address: str
    occurred_at: datetime
    key: str
    status: AddressStatus = AddressStatus.BLOCKED


@dataclass(frozen=True, slots=True)
class Wrote:
    """A client's own words (or file: `text` is empty then and `what` names it). `begins`: the platform takes writing to
    us as a subscription: somebody unknown becomes a client by it, and a block ends."""

    address: str
    occurred_at: datetime
    key: str
    text: str = ""
    what: str = "text"
    profile: Profile = Profile()
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of ours was pressed; `data` is what we gave, or what a forger made of it."""

    address: str
    occurred_at: datetime
    key: str
    data: str
    press_id: str = ""
    external_id: str | None = None  # of the part that holds the button
    profile: Profile = Profile()


@dataclass(frozen=True, slots=True)
class SharedPhone:
    """The client's own phone, verified by the platform; E.164."""

    address: str
    occurred_at: datetime
    key: str
    phone: str


@dataclass(frozen=True, slots=True)
class Moved:
    """The platform gave the chat another address."""

    address: str
    new_address: str
    occurred_at: datetime
    key: str


Inbound = Subscribed | Unsubscribed | Wrote | Pressed | SharedPhone | Moved
News = AccountBroken | TemplateChanged


@dataclass(frozen=True, slots=True)
class Answer:
    """What the webhook answers once everything heard is committed."""

    body: str = ""
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Heard:
    receipts: tuple[Receipt, ...] = ()
    inbound: tuple[Inbound, ...] = ()
    answer: Answer = Answer()
    watermarks: tuple[Watermark, ...] = ()
    news: tuple[News, ...] = ()


@runtime_checkable
class Gateway(Protocol):
    """One channel's speaker and listener."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        """Send up to `batch` parts; one outcome for each, in order. Raises nothing but CancelledError."""
        ...

    async def check(self) -> Account:
        """Ask the platform who we are. Raises GatewayError."""
        ...

    def verify(self, request: Hook) -> None:
        """Raise BadSignature unless the platform signed exactly these bytes."""
        ...

    def parse(self, request: Hook) -> Heard:
        """Read a verified request; pure. Raises Unreadable."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...


@runtime_checkable
class HoldsMedia(Protocol):
    """A gateway that uploads a file once and refers to it afterwards."""

    async def needs_upload(self, part: Part) -> bool:
        """Whether the next send of this part uploads: the lane then sends it alone, so that one upload serves all."""
        ...


@runtime_checkable
class AnswersPresses(Protocol):
    async def answer_press(self, pressed: Pressed, words: str = "") -> None:
        """End the button's waiting, with a short note to the client if there is one. A late answer is no error."""
        ...


@runtime_checkable
class PollsUpdates(Protocol):
    @property
    def polls(self) -> bool: ...

    def updates(self) -> AsyncIterator[Heard]:
        """What the platform has for us, as it comes, forever; asking for the next one acknowledges the one before, so
        commit in between. Raises GatewayError; whoever reads starts again after a pause."""
        ...


@runtime_checkable
class SetsWebhook(Protocol):
    async def set_webhook(self, url: str) -> None:
        """Point the platform at our hook; raises GatewayError. Call it only when our server is up."""
        ...


@runtime_checkable
class SendsTogether(Protocol):
    """A gateway whose `send` takes several messages in one call, `capabilities.batch` at most."""

    def together(self, outgoing: Outgoing) -> Hashable | None:
        """Messages with equal answers may travel in one call; None: this one travels alone."""
        ...


@runtime_checkable
class CostsSlots(Protocol):
    def slots(self, outgoing: Outgoing) -> int:
        """How many slots of the channel's pace this one takes: an SMS of three segments takes three."""
        ...


@runtime_checkable
class PollsReads(Protocol):
    """A platform that tells what was read only when it is asked."""

    async def poll_reads(self, addresses: Sequence[str]) -> Sequence[Watermark]:
        """What these clients have read, a hundred addresses at most. Raises GatewayError."""
        ...


@runtime_checkable
class TakesBack(Protocol):
    """A platform that deletes a message for whom it was sent to; `capabilities.takes_back_for_s` says how long."""

    async def take_back(self, parts: Sequence[SentPart]) -> Sequence[GatewayError | None]:
        """Delete up to `batch` parts; for each None when it is gone, also when it was before. Raises nothing but
        CancelledError."""
        ...


@runtime_checkable
class Corrects(Protocol):
    """A platform that changes a message where it stands; `capabilities.corrects_for_s` says how long."""

    async def correct(self, corrections: Sequence[Correction]) -> Sequence[GatewayError | None]:
        """Change up to `batch` parts; for each None when it reads so now, also when it did before. Raises nothing but
        CancelledError."""
        ...


@runtime_checkable
class SyncsTemplates(Protocol):
    async def templates(self) -> Sequence[Template]:
        """Every template of the account. Raises GatewayError."""
        ...


@runtime_checkable
class SubmitsTemplates(Protocol):
    """A platform that takes templates which are written here; `capabilities.submits_templates` says so."""

    async def submit_template(self, new: NewTemplate) -> Submitted:
        """Have it approved. Raises Rejected where there is one of that name and language, GatewayError; what was not
        taken, or is not known to be, may be submitted again: that makes no second one."""
        ...


@runtime_checkable
class SharesHook(Protocol):
    """Several channels of one app have one webhook between them."""

    @property
    def hook_accounts(self) -> frozenset[str]:
        """The accounts whose events are this channel's: page:…, phone:…, waba:…"""
        ...

    def split(self, request: Hook) -> Mapping[str, Hook]:
        """The request cut by account. What one account's channel hears, it reads from its own cut by `parse`, which
        leaves out what belongs to others. Raises Unreadable."""
        ...


class MediaStore(Protocol):
    """What was uploaded where; storage satisfies it."""

    async def find_upload(self, channel: str, source: str, kind: PartKind) -> str | None: ...

    async def remember_upload(self, channel: str, source: str, kind: PartKind, remote_id: str) -> None: ...

    async def forget_upload(self, channel: str, source: str, kind: PartKind) -> None: ...

    def read_file(self, source: str) -> bytes:
        """The bytes of a `media:` source; raises FileNotFoundError."""
        ...
