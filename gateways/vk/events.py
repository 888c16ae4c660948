"""VK's events in the words of `gateways.base`: the same from the Callback API and from Bots Long Poll. Pure."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from gateways.base import (
    AddressStatus,
    Answer,
    Heard,
    Inbound,
    Pressed,
    Profile,
    ReceiptState,
    Subscribed,
    Unreadable,
    Unsubscribed,
    Watermark,
    Wrote,
)

OK = Answer("ok")  # anything else is a failure to VK

# What is asked for, of the Callback API and of Long Poll alike; every other event stays off.
USED_EVENTS = (
    "message_new", "message_event", "message_allow", "message_deny", "message_read", "user_block", "user_unblock",
)  # fmt: skip
CHAT_PEERS = 2_000_000_000  # from here on a peer is a group chat
_MOST_ID = 2**63 - 1
# client_info.lang_id; dev.vk.com/en/api/api-requests, lang
_LANGUAGES = {0: "ru", 1: "uk", 2: "be", 3: "en", 4: "es", 5: "fi", 6: "de", 7: "it"}

Json = Mapping[str, Any]
Now = Callable[[], datetime]


def read_json(body: bytes) -> Json:
    """Raises Unreadable."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if not isinstance(read, dict):
        raise Unreadable("no JSON object")
    return read


def is_ours(event: Json, group_id: str) -> bool:
    group = event.get("group_id")
    return isinstance(group, int | str) and not isinstance(group, bool) and str(group) == group_id


def read_event(event: Json, group_id: str, now: Now) -> Heard:
    """What an event says to us; Heard(answer=ok) for what we do not use. Raises Unreadable.

    `now` dates what VK does not: a press, a permission, a reading."""
    kind = event.get("type")
    if not isinstance(kind, str):
        raise Unreadable("no type")
    if kind not in USED_EVENTS or not is_ours(event, group_id):
        return Heard(answer=OK)
    content = event.get("object")
    if not isinstance(content, Mapping):
        raise Unreadable("no object")
    key = _key(event, kind, content)
    match kind:
        case "message_new":
            return Heard(inbound=_message(content, key, now), answer=OK)
        case "message_read":
            return Heard(watermarks=_read(content, now), answer=OK)
        case "message_event":
            return Heard(inbound=_pressed(content, key, now), answer=OK)
        case _:
            return Heard(inbound=(_changed(kind, content, key, now),), answer=OK)


def read_until(peer: Any, message_id: Any, now: Now) -> Watermark | None:
    """Everything of ours up to a message is read; None where nothing is, or in a group chat."""
    address, until_id = _user(peer, "a peer"), _whole(message_id, "a message's id")
    if until_id <= 0 or int(address) >= CHAT_PEERS:
        return None
    return Watermark(address, ReceiptState.READ, now(), f"read:{address}:{until_id}", until_id=until_id)


def _message(content: Json, key: str, now: Now) -> tuple[Inbound, ...]:
    message = content.get("message", content)
    if not isinstance(message, Mapping):
        raise Unreadable("no message")
    sender = _whole(message.get("from_id"), "from_id")
    peer = _whole(message.get("peer_id", sender), "peer_id")
    if message.get("out") == 1 or sender <= 0 or sender != peer:
        return ()  # ours, a community's, or a group chat's
    address, at = str(sender), _moment(message.get("date"), now)
    profile = Profile(language=_language(content.get("client_info")))
    begun: tuple[Inbound, ...] = ()
    payload, ref = _payload(message.get("payload")), _text(message.get("ref"))
    if payload.get("command") == "start" or ref:
        # vk.me/NAME?ref=…: comes with the first message after it, whether that is the Start button or words.
        begun = (Subscribed(address, at, f"{key}:start", ref, profile),)
    if payload.get("command") == "start":
        return begun
    if isinstance(data := payload.get("b"), str) and data:
        return (*begun, Pressed(address, at, key, data, profile=profile))
    text = _text(message.get("text"))
    what = "text" if text else _what(message)
    return (*begun, Wrote(address, at, key, text, what, profile, begins=True))


def _pressed(content: Json, key: str, now: Now) -> tuple[Inbound, ...]:
    address = _user(content.get("user_id"), "user_id")
    data = _payload(content.get("payload")).get("b")
    press_id = content.get("event_id")
    if str(content.get("peer_id", address)) != address or not isinstance(data, str) or not data:
        return ()  # pressed in a group chat, or a button of somebody else's making
    return (Pressed(address, now(), key, data, press_id if isinstance(press_id, str) else ""),)


def _read(content: Json, now: Now) -> tuple[Watermark, ...]:
    reader = _whole(content.get("from_id"), "from_id")
    if reader <= 0 or _whole(content.get("peer_id", reader), "peer_id") != reader:
        return ()  # we read what the client wrote, or somebody read in a group chat
    watermark = read_until(reader, content.get("read_message_id"), now)
    return (watermark,) if watermark is not None else ()


def _changed(kind: str, content: Json, key: str, now: Now) -> Inbound:
    address = _user(content.get("user_id"), "user_id")
    match kind:
        case "message_allow":
            return Subscribed(address, now(), key, _text(content.get("key")))
        case "message_deny":
            return Unsubscribed(address, now(), key, AddressStatus.UNSUBSCRIBED)
        case "user_block":
            return Unsubscribed(address, now(), key, AddressStatus.BLOCKED)
        case _:
            return Subscribed(address, now(), key, explicit=False)


def _key(event: Json, kind: str, content: Json) -> str:
    """The same for every repeat: VK's id of the event, or what stands in it."""
    given = event.get("event_id")
    if isinstance(given, str) and given:
        return f"vk:{_clean(given)[:64]}"
    whole = json.dumps([kind, content], sort_keys=True, default=str)
    return f"vk:{hashlib.sha256(whole.encode()).hexdigest()[:32]}"


def _payload(given: Any) -> Json:
    """A button's payload: an object, or a string that holds one; whatever else a client sent is none of ours."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return {}
    return given if isinstance(given, Mapping) else {}


def _what(message: Json) -> str:
    attachments = message.get("attachments")
    first = attachments[0] if isinstance(attachments, list) and attachments else None
    kind = first.get("type") if isinstance(first, Mapping) else None
    if isinstance(kind, str) and kind.isascii() and kind.isidentifier():
        return kind[:32]
    return "location" if message.get("geo") else "text"


def _language(client: Any) -> str | None:
    known = client.get("lang_id") if isinstance(client, Mapping) else None
    return _LANGUAGES.get(known) if isinstance(known, int) and not isinstance(known, bool) else None


def _moment(seconds: Any, now: Now) -> datetime:
    if seconds is None:
        return now()
    try:
        return datetime.fromtimestamp(_whole(seconds, "a date"), UTC)
    except (ValueError, OverflowError, OSError):
        raise Unreadable("a date that is none") from None


def _user(given: Any, what: str) -> str:
    """A user's address. Raises Unreadable."""
    number = _whole(given, what)
    if number <= 0:
        raise Unreadable(f"{what} is no user")
    return str(number)


def _whole(given: Any, what: str) -> int:
    """An id as VK writes it, a number or its digits, within 64 bits. Raises Unreadable."""
    if isinstance(given, str) and given.isascii() and given.removeprefix("-").isdecimal() and len(given) <= 20:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) > _MOST_ID:
        raise Unreadable(f"{what} is no number")
    return given


def _text(given: Any) -> str:
    return _clean(given) if isinstance(given, str) else ""


def _clean(text: str) -> str:
    """Without what no database keeps: NUL, lone halves of an emoji."""
    if text.isprintable():
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()
