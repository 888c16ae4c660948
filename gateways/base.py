"""The vocabulary between the engine and a messenger: what can be sent, what is heard, how it can fail, who speaks.

The engine knows these names and no messenger.
"""

from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from gateways.abilities import (
    AddressStatus,
    ButtonSet,
    Capabilities,
    CarouselLimits,
    Charges,
    Counted,
    Fact,
    PartKind,
    ReceiptState,
    TextUnit,
)
from gateways.approved import ButtonKind, NewButton, NewTemplate, Submitted, Template
from gateways.errors import (
    AddressGone,
    BadSignature,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    OutsideWindow,
    Rejected,
    Throttled,
    Unavailable,
    Unreadable,
)
from gateways.heard import (
    Account,
    AccountBroken,
    Answer,
    Heard,
    Hook,
    Inbound,
    Moved,
    News,
    Pressed,
    Profile,
    Receipt,
    SharedPhone,
    Subscribed,
    TemplateChanged,
    Unsubscribed,
    Watermark,
    Wrote,
)
from gateways.outgoing import Accepted, Correction, Outgoing, Part, SentPart

__all__ = [
    "Accepted",
    "Account",
    "AccountBroken",
    "AddressGone",
    "AddressStatus",
    "Answer",
    "AnswersPresses",
    "BadSignature",
    "ButtonKind",
    "ButtonSet",
    "Capabilities",
    "CarouselLimits",
    "ChannelBroken",
    "Charges",
    "Correction",
    "Corrects",
    "CostsSlots",
    "Counted",
    "Fact",
    "Gateway",
    "GatewayError",
    "Heard",
    "HoldsMedia",
    "Hook",
    "Inbound",
    "MediaStore",
    "MessageRejected",
    "Moved",
    "NewButton",
    "NewTemplate",
    "News",
    "OutcomeUnknown",
    "Outgoing",
    "OutsideWindow",
    "Part",
    "PartKind",
    "PollsReads",
    "PollsUpdates",
    "Pressed",
    "Profile",
    "Receipt",
    "ReceiptState",
    "Rejected",
    "SendsTogether",
    "SentPart",
    "SetsWebhook",
    "SharedPhone",
    "SharesHook",
    "SubmitsTemplates",
    "Submitted",
    "Subscribed",
    "SyncsTemplates",
    "TakesBack",
    "Template",
    "TemplateChanged",
    "TextUnit",
    "Throttled",
    "Unavailable",
    "Unreadable",
    "Unsubscribed",
    "Watermark",
    "Wrote",
    "_",
]


def _(words: str) -> str:
    """Mark a sentence for translation where it stands, filled or not; bot translates it where it is shown."""
    return words


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
