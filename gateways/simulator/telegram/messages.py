"""A message as it stands in a chat, and the view of it that a phone or a test sees."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateways.simulator.telegram.answers import Json
from gateways.simulator.telegram.entities import Entity, entity_from_json
from gateways.simulator.telegram.files import StoredFile

MEDIA_KINDS = ("photo", "video", "animation", "document", "audio", "voice", "video_note", "sticker")


@dataclass(frozen=True, slots=True)
class Button:
    label: str
    action: str  # "callback_data", "url", "web_app", "copy_text", "text", "request_contact" ...
    value: str = ""
    style: str | None = None

    @property
    def callback_data(self) -> str | None:
        return self.value if self.action == "callback_data" else None

    @property
    def url(self) -> str | None:
        return self.value if self.action in ("url", "web_app") else None


Keyboard = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Media:
    kind: str
    file_id: str
    size_bytes: int
    file_name: str | None
    mime_type: str
    content: bytes | None  # None where the file came by URL, or files are not kept
    source_url: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """What a client sees now. `text` is the caption where there is media."""

    message_id: int
    chat_id: int
    from_bot: bool
    date: int  # Unix seconds
    text: str
    entities: tuple[Entity, ...]
    media: tuple[Media, ...]
    keyboard: Keyboard
    reply_keyboard: Keyboard
    edited: int  # how many times
    media_group_id: str | None
    location: tuple[float, float] | None
    silent: bool
    raw: Json

    def button(self, wanted: str) -> Button:
        """By label or by callback data. Raises LookupError."""
        for row in (*self.keyboard, *self.reply_keyboard):
            for button in row:
                if wanted in (button.label, button.callback_data):
                    return button
        raise LookupError(f"message {self.message_id} has no button {wanted!r}")


class StoredMessage:
    """The platform's own record: the JSON that goes to bots, and what does not travel in it."""

    __slots__ = ("edited", "from_bot", "raw", "silent")

    def __init__(self, raw: Json, *, from_bot: bool, silent: bool = False) -> None:
        self.raw = raw
        self.from_bot = from_bot
        self.silent = silent
        self.edited = 0

    def seen(self, find_file: Callable[[str], StoredFile | None]) -> Message:
        raw = self.raw
        entities = raw.get("entities") or raw.get("caption_entities") or ()
        markup = raw.get("reply_markup") or {}
        place = raw.get("location")
        return Message(
            message_id=raw["message_id"],
            chat_id=raw["chat"]["id"],
            from_bot=self.from_bot,
            date=raw["date"],
            text=raw.get("text") or raw.get("caption") or "",
            entities=tuple(entity_from_json(entity) for entity in entities),
            media=_media(raw, find_file),
            keyboard=_keyboard(markup.get("inline_keyboard", ())),
            reply_keyboard=_keyboard(markup.get("keyboard", ())),
            edited=self.edited,
            media_group_id=raw.get("media_group_id"),
            location=None if place is None else (place["latitude"], place["longitude"]),
            silent=self.silent,
            raw=raw,
        )


def _media(raw: Json, find_file: Callable[[str], StoredFile | None]) -> tuple[Media, ...]:
    for kind in MEDIA_KINDS:
        if kind not in raw:
            continue
        item = raw[kind][-1] if kind == "photo" else raw[kind]
        file = find_file(item["file_id"])
        if file is None:
            return ()
        return (
            Media(kind, file.file_id, file.size_bytes, file.file_name, file.mime_type, file.content, file.source_url),
        )
    return ()


def _keyboard(rows: Any) -> Keyboard:
    return tuple(tuple(_button(button) for button in row) for row in rows)


def _button(button: Json) -> Button:
    style = button.get("style")
    for action, value in button.items():
        if action in ("text", "style", "icon_custom_emoji_id"):
            continue
        if isinstance(value, dict):
            value = value.get("url") or value.get("text") or ""
        return Button(button["text"], action, str(value), style)
    return Button(button["text"], "text", button["text"], style)


class EventKind(StrEnum):
    MESSAGE = "message"  # the bot's message arrived
    SAID = "said"  # the client's own message
    EDITED = "edited"
    DELETED = "deleted"
    ANSWERED = "answered"  # a press was answered; `text` and `alert` are set
    ACTION = "action"  # "typing" and the like; `text` is the action
    STATE = "state"  # the client blocked, came back or left; `text` is the state


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a phone would show."""

    kind: EventKind
    token: str
    chat_id: int
    message_id: int | None = None
    message: Message | None = None
    text: str = ""
    alert: bool = False
    url: str | None = None
    query_id: str | None = None
