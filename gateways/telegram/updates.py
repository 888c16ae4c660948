"""Updates in the words of `gateways.base`. aiogram, which checks them, is heavy: import this module late.

Only what is read here is handed to aiogram's types, so that an update with parts that are newer than them, or that
another server of the same API left out, is understood as far as we use it."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aiogram.types import CallbackQuery, ChatMemberUpdated, Message, Update, User
from pydantic import ValidationError

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
        known = Update.model_validate({"update_id": update_id, **{name: _TRIM[name](used[name]) for name in used}})
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


def _inbound(update: Update, raw: Json, key: str, now: Callable[[], datetime]) -> Inbound | None:
    if update.message is not None:
        return _said(update.message, raw["message"], key, now)
    if update.callback_query is not None:
        return _pressed(update.callback_query, raw["callback_query"], key, now)
    if update.my_chat_member is not None:
        return _member(update.my_chat_member, raw["my_chat_member"], key, now)
    return None


def _said(message: Message, raw: Json, key: str, now: Callable[[], datetime]) -> Inbound | None:
    sender = message.from_user
    if sender is not None and sender.is_bot:
        return None
    address = str(message.chat.id)
    at = message.date if raw.get("date") else now()
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


def _pressed(query: CallbackQuery, raw: Json, key: str, now: Callable[[], datetime]) -> Inbound | None:
    if query.data is None:
        return None
    held = raw.get("message")
    message_id = held.get("message_id") if isinstance(held, Mapping) else None
    # In a private chat the chat is the presser; a message that is too old comes as a stub.
    external_id = f"{query.from_user.id}:{message_id}" if isinstance(message_id, int) and message_id else None
    return Pressed(str(query.from_user.id), now(), key, query.data, query.id, external_id, _profile(query.from_user))


def _member(change: ChatMemberUpdated, raw: Json, key: str, now: Callable[[], datetime]) -> Inbound:
    address = str(change.chat.id)
    at = change.date if raw.get("date") else now()
    if change.new_chat_member.status in _LEFT:
        return Unsubscribed(address, at, key, AddressStatus.BLOCKED)
    return Subscribed(address, at, key, "", _profile(change.from_user), explicit=False)


def _profile(user: User | None) -> Profile:
    if user is None:
        return Profile()
    return Profile(user.first_name or None, user.last_name, user.username, user.language_code)


def _is_private(used: Json) -> bool:
    """Whether it comes from a chat with one client; groups and channels are nobody's address."""
    for event in used.values():
        message = event.get("message")
        chat = message.get("chat") if isinstance(message, Mapping) else event.get("chat")
        if isinstance(chat, Mapping) and chat.get("type", "private") != "private":
            return False
    return True


# --- what aiogram is given: the fields that are read, with what its types require and we do not


def _user(raw: Any) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    names = ("id", "last_name", "username", "language_code")
    return {
        **{name: raw[name] for name in names if raw.get(name) is not None},
        "is_bot": raw.get("is_bot") or False,
        "first_name": raw.get("first_name") or "",
    }


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _chat(raw: Any) -> Any:
    return {"id": raw.get("id"), "type": "private"} if isinstance(raw, Mapping) else raw


def _message(raw: Json) -> Json:
    kept = {name: raw[name] for name in ("text", "caption") if raw.get(name) is not None}
    if raw.get("from") is not None:
        kept["from"] = _user(raw["from"])
    if isinstance(contact := raw.get("contact"), Mapping):
        phone = _text(contact.get("phone_number"))
        kept["contact"] = {"first_name": "", "phone_number": phone, "user_id": contact.get("user_id")}
    return {"message_id": raw.get("message_id", 0), "date": raw.get("date", 0), "chat": _chat(raw.get("chat")), **kept}


def _query(raw: Json) -> Json:
    return {
        "id": _text(raw.get("id")),
        "from": _user(raw.get("from")),
        "chat_instance": "",
        "data": raw.get("data"),
    }


def _membership(raw: Json) -> Json:
    user = _user(raw.get("from")) if raw.get("from") is not None else {"id": 0, "is_bot": False, "first_name": ""}
    new = raw.get("new_chat_member")
    status = new.get("status") if isinstance(new, Mapping) else None
    here: Json = {"status": "member", "user": user}
    left: Json = {"status": "left", "user": user}
    if not isinstance(status, str):
        raise ValueError("no status")  # noqa: TRY004  # the caller makes Unreadable of it
    return {
        "chat": _chat(raw.get("chat")),
        "from": user,
        "date": raw.get("date", 0),
        "old_chat_member": here,
        "new_chat_member": left if status in _LEFT else here,
    }


_TRIM: Mapping[str, Callable[[Json], Json]] = {
    "message": _message,
    "callback_query": _query,
    "my_chat_member": _membership,
}
