"""What a person did on Telegram, read from an update: who, where, and a command, a press or a message. Pure."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from bot.screens import Command, Press
from bot.surfaces.telegram.library import InlineKeyboardMarkup, Message, MessageEntity, Update
from bot.texts import _
from gateways.base import PartKind, Unreadable
from gateways.markup import RichText, Span, to_html
from gateways.message import Link, Point, Rows

_TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "spoiler": "tg-spoiler",
    "code": "code",
    "pre": "pre",
    "text_link": "a",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
}
_COMMAND = re.compile(r"/(?P<name>[A-Za-z0-9_]{1,32})(?:@(?P<bot>\w+))?(?:\s+(?P<args>.*))?\s*", re.DOTALL)
_UNUSABLE = {  # what a message may hold that no mailing can carry, in the words that a person uses for it
    "sticker": _("sticker"),
    "voice": _("voice message"),
    "video_note": _("round video"),
    "contact": _("contact"),
    "poll": _("poll"),
    "dice": _("dice"),
    "game": _("game"),
    "story": _("story"),
    "paid_media": _("paid post"),
    "checklist": _("checklist"),
}


@dataclass(frozen=True, slots=True)
class FileToFetch:
    """A file that Telegram keeps for us until it is fetched."""

    kind: PartKind
    file_id: str
    name: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as it came, its files not yet fetched; `album` is what its pieces share."""

    text: str = ""
    files: tuple[FileToFetch, ...] = ()
    location: Point | None = None
    buttons: Rows = ()
    forwarded: bool = False
    unusable: str = ""
    album: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """One update that is meant for us. `press_id` is what the press waits to be answered by."""

    account: str
    chat: str
    private: bool
    key: str
    what: Command | Press | Sent
    press_id: str = ""
    message_id: int = 0
    language: str = ""


def read_update(data: dict[str, Any], username: str = "") -> Heard | None:
    """What an update says, None where it is nothing that we use. Raises Unreadable."""
    try:
        update = Update.model_validate(data)
    except ValidationError as error:
        raise Unreadable("this is no update of Telegram's Bot API") from error
    if update.callback_query is not None:
        query = update.callback_query
        chat = query.message.chat if query.message else None
        chat_id = str(chat.id) if chat else str(query.from_user.id)
        message_id = query.message.message_id if query.message else 0
        press = Press(query.data or "", str(message_id) if message_id else "")
        private = chat is None or chat.type == "private"
        language = query.from_user.language_code or ""
        return Heard(str(query.from_user.id), chat_id, private, f"q{query.id}", press, query.id, message_id, language)
    message = update.message
    if message is None or message.from_user is None or message.from_user.is_bot:
        return None
    what = _what(message, username)
    if what is None:
        return None
    return Heard(
        account=str(message.from_user.id),
        chat=str(message.chat.id),
        private=message.chat.type == "private",
        key=f"m{message.chat.id}.{message.message_id}",
        what=what,
        message_id=message.message_id,
        language=message.from_user.language_code or "",
    )


def together(pieces: Sequence[Sent]) -> Sent:
    """An album as one message: the files in order, and the text that one of them carries."""
    text = "\n".join(piece.text for piece in pieces if piece.text)
    return replace(pieces[0], text=text, files=tuple(file for piece in pieces for file in piece.files), album="")


def _what(message: Message, username: str) -> Command | Sent | None:
    forwarded = message.forward_origin is not None
    found = _COMMAND.fullmatch(message.text) if message.text and not forwarded else None
    if found:
        if found["bot"] and username and found["bot"].lower() != username.lower():
            return None  # meant for another bot of the group
        return Command(found["name"].lower(), (found["args"] or "").strip())
    if not _is_said(message):
        return None
    location = message.location or (message.venue.location if message.venue else None)
    sent = Sent(
        text=to_html(
            rich_of(message.text or message.caption or "", message.entities or message.caption_entities or ())
        ),
        files=tuple(_files(message)),
        location=Point(location.latitude, location.longitude) if location else None,
        buttons=_links(message.reply_markup),
        forwarded=forwarded,
        album=message.media_group_id or "",
    )
    if sent.text or sent.files or sent.location:
        return sent
    unusable = next((words for name, words in _UNUSABLE.items() if getattr(message, name, None) is not None), "")
    return replace(sent, unusable=unusable or _("message of this kind"))


def _is_said(message: Message) -> bool:
    """Whether a person said it, as against what Telegram tells of the chat (somebody joined, a pin …)."""
    carried = ("text", "caption", "photo", "video", "document", "animation", "audio", "location", "venue", *_UNUSABLE)
    return any(getattr(message, name, None) for name in carried)


def rich_of(text: str, entities: Iterable[MessageEntity]) -> RichText:
    """The text with spans in code points; Telegram counts UTF-16 units, of which an emoji has two."""
    wide = [place + number for number, place in enumerate(i for i, letter in enumerate(text) if letter > "\uffff")]
    spans = []
    for entity in entities:
        tag = _TAGS.get(entity.type)
        if tag is None or (tag == "a" and not entity.url):
            continue
        start = entity.offset - bisect_left(wide, entity.offset)
        end = entity.offset + entity.length
        spans.append(Span(tag, start, min(end - bisect_left(wide, end), len(text)), entity.url or ""))
    return RichText(text, tuple(_nested(spans)))


def _nested(spans: list[Span]) -> list[Span]:
    """Outer before inner, none of a tag inside the same, none inside code: what our subset can say."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end, one.tag in ("code", "pre"))):
        around = [one for one in kept if one.start < span.end and span.start < one.end]
        crossing = any(one.end < span.end for one in around)
        refused = any(one.tag in (span.tag, "code", "pre") for one in around)
        if span.end > span.start and not crossing and not refused:
            kept.append(span)
    return kept


def _files(message: Message) -> Iterable[FileToFetch]:
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        yield FileToFetch(PartKind.PICTURE, largest.file_id, "picture.jpg", largest.file_size)
    elif message.video is not None:
        video = message.video
        yield FileToFetch(PartKind.VIDEO, video.file_id, video.file_name or "video.mp4", video.file_size)
    elif message.animation is not None:  # it comes with a document, which is the same file
        moving = message.animation
        yield FileToFetch(PartKind.VIDEO, moving.file_id, moving.file_name or "animation.mp4", moving.file_size)
    elif message.document is not None:
        document = message.document
        yield FileToFetch(PartKind.FILE, document.file_id, document.file_name or "file", document.file_size)
    elif message.audio is not None:
        audio = message.audio
        yield FileToFetch(PartKind.FILE, audio.file_id, audio.file_name or "audio.mp3", audio.file_size)


def _links(markup: InlineKeyboardMarkup | None) -> Rows:
    """The link buttons of a forwarded message; its other buttons belong to another bot."""
    if markup is None:
        return ()
    rows = (
        tuple(Link(one.url, one.text) for one in row if one.url and one.url.startswith(("http://", "https://")))
        for row in markup.inline_keyboard
    )
    return tuple(row for row in rows if row)
