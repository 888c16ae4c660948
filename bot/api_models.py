"""What programs send to /api/v1 and get from it; `openapi.json` is made of these."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    StringConstraints,
    Tag,
)

from storage.money import DIGITS, PLACES
from storage.orders import OrderState

MAX_DETAILS = 4096  # characters of an event's details


def _id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a broken character")
    return text


def _small(details: dict[str, "Scalar"]) -> dict[str, "Scalar"]:
    written = json.dumps(details, ensure_ascii=False, allow_nan=False)
    if len(written) > MAX_DETAILS:
        raise ValueError(f"more than {MAX_DETAILS} characters")
    _storable(written.replace("\\u0000", "\0"))
    return details


Id = Annotated[str, BeforeValidator(_id), AfterValidator(_storable), Field(min_length=1, max_length=200)]
Scalar = str | int | float | bool | None


class Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ClientIn(Sent):
    """A client. Whoever has the `id`, or without one any of the addresses, is updated; fields left out stay.

    Any further key is a channel's id, with the client's address there, as in a client file."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Id | None]

    id: Id | None = Field(default=None, description="The client's id in your own system.")
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = Field(default=None, description="E.164, or local where `region` says whose.")
    email: str | None = None
    language: str | None = None
    timezone: str | None = None
    main_channel: str | None = None
    tags: list[str] | None = Field(default=None, description="Added to those that the client has.")
    subscribed_to: list[str] | None = None
    addresses: dict[str, Id] = Field(default_factory=dict, description="By channel id: Telegram chat id …")
    attributes: dict[str, Scalar] = Field(default_factory=dict, description="Custom attributes by name.")


class ClientsIn(Sent):
    clients: list[ClientIn] = Field(max_length=10_000)
    region: str | None = Field(default=None, description="Country of phones written without one, such as UA.")


ONE, MANY = "one", "many"  # begin the place of a problem in what follows


def _how_many(value: object) -> str:
    return MANY if isinstance(value, list) else ONE


class ClientOrClientsIn(
    RootModel[
        Annotated[
            Annotated[ClientIn, Tag(ONE)] | Annotated[list[ClientIn], Field(max_length=10_000), Tag(MANY)],
            Discriminator(_how_many),
        ]
    ]
):
    """One client, or a list of them."""


class RejectedRow(BaseModel):
    row: int = Field(description="Its place in the request, from 1.")
    reason: str


class Upserted(BaseModel):
    added: int
    updated: int
    rejected: list[RejectedRow]


class TagsIn(Sent):
    add: list[str] = Field(default_factory=list)
    remove: list[str] = Field(default_factory=list)


class Address(BaseModel):
    channel: str | None
    scope: str
    external_id: str
    status: str
    status_reason: str | None
    status_at: datetime


class ClientOut(BaseModel):
    number: int = Field(description="Our own number of the client.")
    id: str | None
    name: str | None
    first_name: str | None
    last_name: str | None
    language: str | None
    timezone: str | None
    main_channel: str | None
    tags: list[str]
    subscribed_to: list[str]
    attributes: dict[str, Any]
    addresses: list[Address]
    created_at: datetime
    last_seen_at: datetime | None


class ClientsOut(BaseModel):
    clients: list[ClientOut]
    next: int | None = Field(description="`after` of the next page; null on the last.")


class TagOut(BaseModel):
    name: str
    clients: int


class AudienceIn(Sent):
    """As in a mailing: `segment` and/or `where`; neither means everybody."""

    segment: str | None = None
    where: list[dict[str, Any]] = Field(default_factory=list)


class CountIn(Sent):
    audience: AudienceIn = AudienceIn()
    routing: str = "main"
    channels: list[str] = Field(default_factory=list)


class CountOut(BaseModel):
    audience: int = Field(description="Who matches.")
    planned: int = Field(description="Who of them can be reached.")
    by_channel: dict[str, int]
    left_out: dict[str, int]


class SegmentOut(BaseModel):
    name: str
    audience: dict[str, Any]
    last_count: int | None
    counted_at: datetime | None
    updated_at: datetime


class MailingIn(BaseModel):
    """A mailing, field by field as in a mailing file. Pictures and files are https URLs."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)
    name: str
    message: dict[str, Any]


class MailingMade(BaseModel):
    id: int
    status: str


class MailingLaunched(MailingMade):
    approval: str | None = None  # "waiting": it starts when a second person has approved it


class MailingLine(BaseModel):
    id: int
    name: str
    status: str
    created_at: datetime
    start_at: datetime | None
    planned: int
    waiting: int
    sent: int
    failed: int
    progress: float


class Cancelled(MailingMade):
    in_flight: int = Field(description="How many were on their way just then and may still arrive.")


class Delivery(BaseModel):
    id: int
    client_id: int
    client_name: str | None
    channel: str
    state: str
    reason: str | None
    words: str | None
    code: str | None
    tries: int
    started_at: datetime | None
    finished_at: datetime | None


class WhyRule(BaseModel):
    rule: str = Field(description="condition, opt_out, channel or address.")
    holds: bool = Field(description="Whether it lets the client have the mailing.")
    words: str


class WhyEvent(BaseModel):
    at: datetime
    what: str = Field(description="tried, delivered, read, failed, clicked, unsubscribed …")
    channel: str | None
    reason: str | None


class Why(BaseModel):
    id: int
    client: str
    state: str | None
    reason: str | None = Field(description="Why not; null where it was sent or is still to be.")
    channel: str | None
    tries: int
    words: str | None = Field(description="The platform's own words.")
    finished_at: datetime | None
    rules: list[WhyRule] = Field(description="What decides, as it is now.")
    events: list[WhyEvent] = Field(description="What happened, in order.")


class Repeated(BaseModel):
    repeated: int


Amount = Annotated[Decimal, Field(ge=0, max_digits=DIGITS + PLACES, decimal_places=PLACES)]
Currency = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{3}$")]
Details = Annotated[dict[str, Scalar], AfterValidator(_small)]


class OrderIn(Sent):
    """An order, known by your `id`; or by our `number`, where a Buy button opened it. Fields left out stay.

    A state only goes on: opened, paid, then cancelled or refunded. Without `click`, `mailing` or `number` it is put
    down to the last message that the client clicked in the 5 days before, or read in the 24 hours before."""

    id: Id | None = Field(default=None, description="The order's id in your own system.")
    number: int | None = Field(default=None, ge=1, lt=2**63, description="Our number, as GET /orders shows it.")
    state: OrderState = Field(validation_alias=AliasChoices("state", "status"))
    client: Id | None = Field(default=None, description="The client's id in your system, or an address.")
    sku: Id | None = None
    amount: Amount | None = None
    currency: Currency | None = None
    click: str | None = Field(default=None, description="The token of the link by which the client came.")
    mailing: int | None = Field(default=None, ge=1, lt=2**63, description="The mailing that brought it.")
    occurred_at: datetime | None = Field(default=None, description="When; left out: now.")


class OrderOrOrdersIn(
    RootModel[
        Annotated[
            Annotated[OrderIn, Tag(ONE)] | Annotated[list[OrderIn], Field(max_length=1000), Tag(MANY)],
            Discriminator(_how_many),
        ]
    ]
):
    """One order, or a list of them."""


class OrdersTaken(BaseModel):
    added: int
    updated: int
    unchanged: int = Field(description="Told before, or behind the order's state.")
    rejected: list[RejectedRow]


class OrderOut(BaseModel):
    number: int = Field(description="Our own number of the order.")
    id: str | None
    client: str | None = Field(description="The client's id in your system.")
    client_number: int | None = Field(description="Our own number of the client.")
    mailing: int | None = Field(description="The mailing that brought it.")
    channel: str | None
    sku: str | None
    amount: str | None
    currency: str | None
    state: OrderState
    created_at: datetime
    updated_at: datetime


class OrdersOut(BaseModel):
    orders: list[OrderOut]
    next: int | None = Field(description="`since` of the next call; null where a date was asked for and nothing found.")


class EventIn(Sent):
    """Something that a client did in your own system. `id` is yours, and makes a repeat harmless."""

    id: Id
    type: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    client: Id = Field(description="The client's id in your system, or an address.")
    click: str | None = Field(default=None, description="The token of the link by which the client came.")
    occurred_at: datetime | None = Field(default=None, description="When; left out: now.")
    details: Details = Field(default_factory=dict)


class EventOrEventsIn(
    RootModel[
        Annotated[
            Annotated[EventIn, Tag(ONE)] | Annotated[list[EventIn], Field(max_length=1000), Tag(MANY)],
            Discriminator(_how_many),
        ]
    ]
):
    """One event, or a list of them."""


class EventsTaken(BaseModel):
    added: int
    unchanged: int = Field(description="Told before.")
    rejected: list[RejectedRow]


EACH: Mapping[type[BaseModel], type[Sent]] = {  # what a body is one of, or a list of
    ClientOrClientsIn: ClientIn,
    OrderOrOrdersIn: OrderIn,
    EventOrEventsIn: EventIn,
}


class Problem(BaseModel):
    error: str
