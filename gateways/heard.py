"""What is heard from a platform: receipts, what clients do, news of an account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateways.abilities import AddressStatus, ReceiptState
from gateways.hot import record


@dataclass(frozen=True, slots=True)
class Account:
    """Whose token it is, as the platform told it."""

    external_id: str
    name: str
    webhook: str | None = None
    warnings: tuple[str, ...] = ()
    link: str | None = None  # where a client starts a chat with it
    quota_left: int | None = None  # how many more clients the platform lets us begin with now; None: it says nothing


@record
class Hook:
    """A request to our webhook, as it came."""

    method: str
    headers: Mapping[str, str]  # asked for by names in lower case
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


@record
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


@record
class Heard:
    receipts: tuple[Receipt, ...] = ()
    inbound: tuple[Inbound, ...] = ()
    answer: Answer = Answer()
    watermarks: tuple[Watermark, ...] = ()
    news: tuple[News, ...] = ()
