"""Updates in the words of `gateways.base`.

The models hold only what is read here, and demand only what it can't be read without: an update with parts that are
newer than they, or that another server of the same API left out, is understood as far as we use it. aiogram's own,
which know every part, would cost each engine that listens the seconds and megabytes of its import."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateways.base import (
    AddressStatus,
    Heard,
    Inbound,
    Pressed,
    Profile,
    SharedPhone,
    Subscribed,
    Unreadable,
    Unsubscribed,
    Wrote,
)

USED = ("message", "callback_query", "my_chat_member")  # what is asked for in allowed_updates

_START = re.compile(r"/start(?:@\w+)?(?:\s+(?P<payload>\S.*))?\s*", re.DOTALL)
_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")  # core.telegram.org/bots/features#deep-linking; the rest was typed
# What a client can send beside text; an animation comes together with a document.
_MEDIA = (
    "animation", "photo", "video", "voice", "audio", "video_note", "sticker", "document", "location", "contact",
    "venue", "poll", "dice", "story", "game", "paid_media", "checklist",
)  # fmt: skip
_LEFT = ("kicked", "left")

Json = Mapping[str, Any]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class _User(_Model):
    id: int
    is_bot: bool | None = None
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None


class _Chat(_Model):
    id: int


class _Contact(_Model):
    phone_number: str = Field(coerce_numbers_to_str=True)
    user_id: int | None = None


class _Message(_Model):
    chat: _Chat
    sender: _User | None = Field(default=None, alias="from")
    date: AwareDatetime | None = None
    text: str | None = None
    caption: str | None = None
    contact: _Contact | None = None


class _Query(_Model):
    id: str = Field(coerce_numbers_to_str=True)
    sender: _User = Field(alias="from")
    data: str | None = None


class _Membership(_Model):
    status: str


class _Change(_Model):
    chat: _Chat
    sender: _User | None = Field(default=None, alias="from")
    date: AwareDatetime | None = None
    new_chat_member: _Membership


class _Update(_Model):
    update_id: int
    message: _Message | None = None
    callback_query: _Query | None = None
    my_chat_member: _Change | None = None


def read_update(body: bytes | Json, bot_id: str, now: Callable[[], datetime]) -> Heard:
    """What an update says to us; Heard() for what we do not use. Raises Unreadable.

    `now` dates what Telegram does not: a press, and a message whose date was left out."""
    update = _object(body) if isinstance(body, bytes | bytearray) else body
    update_id = update.get("update_id") if isinstance(update, Mapping) else None
    if not isinstance(update_id, int | str) or isinstance(update_id, bool):
        raise Unreadable("no update_id")
    used = {name: update[name] for name in USED if isinstance(update.get(name), Mapping)}
    if not used or not _is_private(used):
        return Heard()
    try:
        known = _Update.model_validate({"update_id": update_id, **used})
        heard = _inbound(known, used, f"tg:{bot_id}:{known.update_id}", now)
    except (ValidationError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise Unreadable(f"no update as Telegram sends it: {type(error).__name__}") from None
    return Heard(inbound=(heard,)) if heard is not None else Heard()


def _object(body: bytes | bytearray) -> Json:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if not isinstance(data, dict):
        raise Unreadable("no JSON object")
    return data


def _inbound(update: _Update, raw: Json, key: str, now: Callable[[], datetime]) -> Inbound | None:
    if update.message is not None:
        return _said(update.message, raw["message"], key, now)
    if update.callback_query is not None:
        return _pressed(update.callback_query, raw["callback_query"], key, now)
    if update.my_chat_member is not None:
        return _member(update.my_chat_member, key, now)
    return None


def _said(message: _Message, raw: Json, key: str, now: Callable[[], datetime]) -> Inbound | None:
    sender = message.sender
    if sender is not None and sender.is_bot:
        return None
    address = str(message.chat.id)
    at = _date(message.date, now)
    profile = _profile(sender)
    text = message.text or message.caption or ""
    if message.text and (start := _START.fullmatch(message.text)):
        payload = start["payload"] or ""
        return Subscribed(address, at, key, payload if _PAYLOAD.fullmatch(payload) else "", profile)
    contact = message.contact
    if contact is not None and contact.user_id == message.chat.id:
        digits = re.sub(r"\D", "", contact.phone_number)
        return SharedPhone(address, at, key, f"+{digits}") if digits else None
    if raw.get("write_access_allowed") is not None:
        return Subscribed(address, at, key, "", profile)  # consent given inside a Mini App
    if message.text:
        return Wrote(address, at, key, message.text, "text", profile)
    if isinstance(data := raw.get("web_app_data"), Mapping):
        return Wrote(address, at, key, str(data.get("data") or ""), "web_app_data", profile)
    what = next((name for name in _MEDIA if raw.get(name) is not None), None)
    # What is left are Telegram's own notes: a pinned message, a timer, a wallpaper.
    return Wrote(address, at, key, text, what, profile) if what is not None else None


def _pressed(query: _Query, raw: Json, key: str, now: Callable[[], datetime]) -> Inbound | None:
    if query.data is None:
        return None
    held = raw.get("message")
    message_id = held.get("message_id") if isinstance(held, Mapping) else None
    # In a private chat the chat is the presser; a message that is too old comes as a stub.
    external_id = f"{query.sender.id}:{message_id}" if isinstance(message_id, int) and message_id else None
    return Pressed(str(query.sender.id), now(), key, query.data, query.id, external_id, _profile(query.sender))


def _member(change: _Change, key: str, now: Callable[[], datetime]) -> Inbound:
    address = str(change.chat.id)
    at = _date(change.date, now)
    if change.new_chat_member.status in _LEFT:
        return Unsubscribed(address, at, key, AddressStatus.BLOCKED)
    return Subscribed(address, at, key, "", _profile(change.sender), explicit=False)


def _profile(user: _User | None) -> Profile:
    if user is None:
        return Profile()
    return Profile(user.first_name or None, user.last_name, user.username, user.language_code)


def _date(given: datetime | None, now: Callable[[], datetime]) -> datetime:
    return given if given and given.timestamp() else now()


def _is_private(used: Json) -> bool:
    """Whether it comes from a chat with one client; groups and channels are nobody's address."""
    for event in used.values():
        message = event.get("message")
        chat = message.get("chat") if isinstance(message, Mapping) else event.get("chat")
        if isinstance(chat, Mapping) and chat.get("type", "private") != "private":
            return False
    return True
