"""What programs send to /api/v1 and get from it; `openapi.json` is made of these."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, RootModel, Tag


def _id(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, BeforeValidator(_id), Field(min_length=1, max_length=200)]
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


class Why(BaseModel):
    id: int
    client: str
    state: str | None
    reason: str | None = Field(description="Why not; null where it was sent or is still to be.")
    channel: str | None
    tries: int
    words: str | None = Field(description="The platform's own words.")
    finished_at: datetime | None


class Repeated(BaseModel):
    repeated: int


class Problem(BaseModel):
    error: str
