"""Callbacks in the words of `gateways.base`; bots-api, Callbacks, read in November 2026. Pure.

viberbot's parser drops tokens and knows not all events, so ours reads the JSON itself. A token is a whole number near
5.9e18, which Python keeps exact; as a float it has lost its end, so it names nothing."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gateways.base import (
    AddressStatus,
    Answer,
    Heard,
    Inbound,
    Pressed,
    Profile,
    Receipt,
    ReceiptState,
    Subscribed,
    Unreadable,
    Unsubscribed,
    Watermark,
    Wrote,
)
from gateways.jsons import read_json
from gateways.viber.api import whole
from gateways.viber.errors import MAX_WORDS
from gateways.viber.presses import START

Json = Mapping[str, Any]
FindPress = Callable[[str, str], str | None]  # of address and text, the data of a button of ours
Welcome = Callable[[str, str, str], str]  # of address, payload and language, the body of the answer

USED = ("delivered", "seen", "failed", "subscribed", "unsubscribed", "conversation_started")  # asked for
_ADDRESS = re.compile(r"[!-~]{1,128}")
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_WHAT = re.compile(r"[a-z_]{1,32}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_event(body: bytes, find_press: FindPress, welcome: Welcome, now: Callable[[], datetime]) -> Heard:
    """What a callback says to us; Heard() for what we do not use. Raises Unreadable.

    `now` dates what came without a timestamp."""
    data = read_json(body)
    if not isinstance(data, dict) or not isinstance(data.get("event"), str):
        raise Unreadable("no event")
    event = _Event(data, now)
    match event.name:
        case "delivered" | "failed" | "seen":
            return _receipt(event)
        case "message":
            return Heard(inbound=_said(event, find_press))
        case "subscribed":
            user = event.part("user")
            subscribed = Subscribed(event.address(user), event.at, event.key(user), "", _profile(user))
            return Heard(inbound=(subscribed,))
        case "unsubscribed":
            address = event.address(event.data, "user_id")
            key = event.key(event.data, "user_id")
            return Heard(inbound=(Unsubscribed(address, event.at, key, AddressStatus.UNSUBSCRIBED),))
        case "conversation_started":
            return _opened(event, welcome)
        case _:  # webhook (our own set_webhook), client_status (payments), and whatever is new
            return Heard()


class _Event:
    """One callback, its fields checked as they are asked for."""

    def __init__(self, data: Json, now: Callable[[], datetime]) -> None:
        self.data = data
        self.name: str = data["event"]
        self.at = _moment(data.get("timestamp"), now)

    @property
    def token(self) -> str:
        """The message's token in digits, "" where there is none."""
        token = whole(self.data.get("message_token"))
        return "" if token is None else str(token)

    def part(self, name: str) -> Json:
        part = self.data.get(name)
        if not isinstance(part, Mapping):
            raise Unreadable(f"no {name}")
        return part

    def address(self, user: Json, name: str = "id") -> str:
        address = user.get(name)
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            raise Unreadable("no user id")
        return address

    def key(self, user: Json, name: str = "id", what: str = "") -> str:
        """The same for every repeat: Viber repeats the same bytes, and `delivered` once for each device."""
        about = self.token or f"at{whole(self.data.get('timestamp'))}"
        return f"viber:{what or self.name}:{about}:{self.address(user, name)}"


def _receipt(event: _Event) -> Heard:
    address = event.address(event.data, "user_id")
    if not event.token:
        raise Unreadable("no message_token")
    key = event.key(event.data, "user_id")
    external_id = external_id_of(event.token, address)
    if event.name == "failed":
        words = event.data.get("desc")
        said = words.replace("\0", "").replace(address, "…")[:MAX_WORDS] if isinstance(words, str) else ""
        failed = Receipt(
            ReceiptState.FAILED,
            external_id,
            None,
            event.at,
            key,
            code="failed",
            words=said,
            reason="rejected",
            address=address,
        )
        return Heard(receipts=(failed,))
    if event.name == "delivered":
        return Heard(receipts=(Receipt(ReceiptState.DELIVERED, external_id, None, event.at, key, address=address),))
    # `seen` comes once when the client opens the chat, however many messages wait there: all before it are read.
    read = Receipt(ReceiptState.READ, external_id, None, event.at, key, address=address)
    all_before = Watermark(
        address,
        ReceiptState.READ,
        event.at,
        event.key(event.data, "user_id", "seen all before"),
        until=event.at,
    )
    return Heard(receipts=(read,), watermarks=(all_before,))


def external_id_of(token: str, address: str) -> str:
    """A part's name: the token alone is shared by all receivers of a broadcast."""
    return f"{token}:{address}"


def _said(event: _Event, find_press: FindPress) -> tuple[Inbound, ...]:
    sender, message = event.part("sender"), event.part("message")
    address, key, profile = event.address(sender), event.key(sender), _profile(sender)
    text = message.get("text")
    text = text if isinstance(text, str) else ""
    what = message.get("type")
    what = what if isinstance(what, str) and _WHAT.fullmatch(what) else "other"
    if what == "text":
        data = find_press(address, text)
        if data is not None and data.startswith(START):
            return (Subscribed(address, event.at, key, data.removeprefix(START), profile),)
        if data is not None:
            return (Pressed(address, event.at, key, data, profile=profile),)
        if event.data.get("silent") is True and _LINK.fullmatch(text):
            # A link button, whose URL is posted to us beside being opened: no words of the client's.
            return (Pressed(address, event.at, key, text, profile=profile),)
    wrote = Wrote(address, event.at, key, text, what, profile, begins=True)
    tracked = message.get("tracking_data")
    if isinstance(tracked, str) and tracked.startswith(START):
        # The first words after our welcome, which said that they subscribe; it carried the payload of the link.
        payload = tracked.removeprefix(START)
        came = Subscribed(address, event.at, event.key(sender, what="came by link"), payload, profile)
        return came, wrote
    return (wrote,)


def _opened(event: _Event, welcome: Welcome) -> Heard:
    """Opening the chat is no subscription: who is none yet gets the one message that is allowed, in our answer."""
    user = event.part("user")
    address, key, profile = event.address(user), event.key(user), _profile(user)
    context = event.data.get("context")
    payload = context if isinstance(context, str) else ""
    if event.data.get("subscribed") is True:
        came = Subscribed(address, event.at, key, payload, profile, explicit=False)
        return Heard(inbound=(came,) if payload else ())
    return Heard(answer=Answer(welcome(address, payload, profile.language or ""), "application/json"))


def _profile(user: Json) -> Profile:
    name, language = user.get("name"), user.get("language")
    return Profile(
        first_name=name.strip()[:120] or None if isinstance(name, str) else None,
        language=language[:16] or None if isinstance(language, str) else None,
    )


def _moment(value: Any, now: Callable[[], datetime]) -> datetime:
    milliseconds = whole(value)
    if milliseconds is None:
        return now()
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise Unreadable("no timestamp") from None
