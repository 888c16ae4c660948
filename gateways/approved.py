"""Messages that a platform approves before they may be sent: templates, and how one is written."""

from dataclasses import dataclass
from enum import StrEnum


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
