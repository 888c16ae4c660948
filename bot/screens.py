"""What passes between the conversation and a surface: an event in, screens out.

A surface (Telegram, Slack, the console page) turns what a person did into an `Event`, hands it to
`Conversation.handle`, and shows the `Screen`s that come back. It decides nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from gateways.base import Outgoing, PartKind
from gateways.message import Point, Rows
from storage.records import Actor, Role

MAX_TOKEN_BYTES = (
    64  # callback_data of Telegram, the narrowest surface; core.telegram.org/bots/api#inlinekeyboardbutton
)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who may use the admin bot; `locale` and `timezone` are None where the app's hold.

    `accounts` are the person's own addresses by kind of messenger, for tests to oneself: {"telegram": "1001"}."""

    name: str
    role: Role
    locale: str | None = None
    timezone: str | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)


People = Mapping[tuple[str, str], Person]  # (surface, account) -> who it is


@dataclass(frozen=True, slots=True)
class Command:
    """`/stats week` is Command("stats", "week"); the name is lower case, without slash and bot name."""

    name: str
    args: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """A button was pressed: the token that the button had, and the message that holds it."""

    token: str
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture, video or file that came with a message; `source` is `media:…` as `engine.media` keeps it."""

    kind: PartKind
    source: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """Anything that is no command and no press: what a person typed, sent or forwarded, an album as one.

    `text` is in our HTML subset, so a surface whose people type plain text escapes it. `buttons` are link buttons of a
    forwarded message. `unusable` names what can't be sent on, such as "sticker"; `problem` is the sentence when a file
    could not be fetched."""

    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    location: Point | None = None
    buttons: Rows = ()
    forwarded: bool = False
    unusable: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person did. `key` is the same for every repeat of the same event, unique within the surface.

    In a private chat `chat` equals `account`: announcements find a person there. `language` is the person's own there,
    where the messenger tells it."""

    surface: str  # telegram, slack, console
    account: str  # the person's id on that surface
    chat: str
    key: str
    what: Command | Press | Said
    private: bool = True  # False in a group: only presses and commands are meant for us there
    language: str = ""


class Style(StrEnum):
    """What a surface may show as colour."""

    PLAIN = "plain"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Button:
    """Either `token` (comes back in a Press) or `url` (opens it)."""

    label: str
    token: str = ""
    style: Style = Style.PLAIN
    url: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A file for the person to keep, such as a table of numbers; the name has its ending."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture of an album; `words` say what is in it to those who don't see it."""

    title: str
    png: bytes
    words: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """One message of ours: first `album`, `preview`, `files` to keep, then the card with `text`, `picture` and `rows`.

    `album` are pictures beside each other, each with its title. `preview` is the real message, sent as clients get it;
    the surface puts its own chat in place of the address. A screen without text is only its preview or its toast.
    `edit` replaces the card that was pressed; where there is none, or it can't be edited, the card is sent anew. `ask`
    says what the input field waits for, `wants_file` that it is a file and no words. `aside` is for who did it alone,
    where a chat can show something to one of many. `toast` is a short note over the card for surfaces that can;
    whatever matters stands in the text as well. `live` is the mailing whose live card this is: once shown, the surface
    tells `Conversation.shown` where it stands."""

    text: str = ""
    rows: tuple[tuple[Button, ...], ...] = ()
    picture: bytes | None = None  # PNG
    album: tuple[Drawn, ...] = ()
    preview: tuple[Outgoing, ...] = ()
    files: tuple[Document, ...] = ()
    ask: str = ""
    wants_file: bool = False
    aside: bool = False
    edit: bool = False
    toast: str = ""
    live: int | None = None


class Busy(Exception):
    """The surface asks us to wait before the next call."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"wait {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class Unreachable(Exception):
    """The chat can't be written to: blocked, deleted, closed. Trying again changes nothing."""


class Surface(Protocol):
    """What live cards and announcements need of a surface. Both raise Busy and Unreachable; anything else may pass."""

    @property
    def name(self) -> str: ...

    async def show(self, chat: str, screen: Screen) -> str:
        """Send a new message; returns its id."""
        ...

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        """Replace a card in place; where that is refused for good, send it anew. Returns the id where it stands now."""
        ...


def actor_of(person: Person, event: Event) -> Actor:
    return Actor(person.name, person.role, event.surface, event.account)


def shown_hash(screen: Screen) -> str:
    """A name for what the card shows, so that an unchanged one is not edited."""
    content = repr((screen.text, screen.rows, screen.picture))
    return hashlib.blake2b(content.encode(), digest_size=12).hexdigest()


def with_note(screen: Screen, note: str) -> Screen:
    """The screen with one sentence on top of it."""
    return replace(screen, text=f"{note}\n\n{screen.text}" if screen.text else note)
