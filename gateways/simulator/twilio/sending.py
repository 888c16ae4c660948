"""What the simulated Messages.json takes, in Twilio's order of complaints, and each sender's queue."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from gateways.simulator.phones import ChatButton, ChatMedia
from gateways.simulator.platform import Call, SimAccount
from gateways.simulator.twilio.dialect import Json, Message, TwilioError
from gateways.twilio.segments import count

MAX_BODY = 1600
MAX_VALIDITY_S = 36_000
_FORM = "application/x-www-form-urlencoded"
_PHONE = re.compile(r"\+[1-9][0-9]{5,14}")
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,128}")
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_KINDS = {".jpg": "picture", ".jpeg": "picture", ".png": "picture", ".mp4": "video", ".3gp": "video", ".mp3": "audio"}

# How a message to a client in such a state ends; "" is nobody at all.
SMS_ENDS = {"": 30005, "dead": 30005, "landline": 30006, "away": 30003, "blocked": 30004, "filtered": 30007}
WHATSAPP_ENDS = {"": 63024, "no_whatsapp": 63024, "blocked": 63033, "experiment": 63032}
TEMPLATE_ENDS = {"paused": 63041, "disabled": 63042, "rejected": 63040}
REFUSED = {"invalid": 21211, "region": 21408}  # at once


@dataclass
class Queue:
    """What waits at one sender: it leaves at so many segments a second; 0 is at once."""

    segments_per_s: float = 0.0
    most_s: float = 36_000.0
    free_at: float = 0.0  # monotonic

    def wait_s(self, now: float) -> float:
        return max(0.0, self.free_at - now)

    def add(self, now: float, segments: int) -> None:
        if self.segments_per_s:
            self.free_at = max(now, self.free_at) + segments / self.segments_per_s


def read_message(call: Call, account: SimAccount | None, contents: Mapping[str, Json]) -> Message:
    """Raises TwilioError."""
    if call.headers.get("Content-Type", "").partition(";")[0] != _FORM:
        raise TwilioError(21604)  # a body that is no form has no fields at all
    form = call.form
    to = _recipient(form)
    sender, service = form.get("From") or None, form.get("MessagingServiceSid") or None
    _require_sender(account, to, sender, service)
    body, is_template = form.get("Body", ""), False
    rows: tuple[tuple[ChatButton, ...], ...] = ()
    media = _media([value for name, value in call.pairs if name == "MediaUrl"])
    if content_sid := form.get("ContentSid"):
        content = contents.get(content_sid)
        if content is None:
            raise TwilioError(21655)
        shown = _shown(content, form.get("ContentVariables"))
        body, rows, is_template = str(shown.get("body", "")), _rows(shown), True
        media = _media([str(url) for url in shown.get("media", [])])
    elif not body and not media:
        raise TwilioError(21602)
    if len(body) > MAX_BODY:
        raise TwilioError(21617)
    if place := form.get("PersistentAction", "").removeprefix("geo:").partition("|")[0]:
        media = (*media, ChatMedia("location", name=place))
    return Message(
        account_sid=call.path.split("/")[3],
        to=to,
        sender=sender,
        service=service,
        body=body,
        segments=1 if to.startswith("whatsapp:") else count(body).segments,
        callback=_callback(form.get("StatusCallback")),
        validity_s=_validity_s(form.get("ValidityPeriod")),
        is_template=is_template,
        media=media,
        rows=rows,
    )


def end_of(message: Message, state: str, content_status: str, *, window_open: bool, category: str) -> int:
    """The code by which a message to a client in that state fails; 0 where it arrives."""
    if not message.on_whatsapp:
        return SMS_ENDS.get(state, 0)
    if state in WHATSAPP_ENDS:
        return WHATSAPP_ENDS[state]
    if message.is_template and content_status in TEMPLATE_ENDS:
        return TEMPLATE_ENDS[content_status]
    if not window_open and not (message.is_template and content_status == "approved"):
        return 63016
    return 63049 if state == "capped" and category == "MARKETING" and message.is_template else 0


def starts_at(form: Mapping[str, str]) -> float | None:
    """Unix seconds of a scheduled message; None of any other."""
    if form.get("ScheduleType") != "fixed":
        return None
    try:
        return datetime.fromisoformat(form.get("SendAt", "")).timestamp()
    except ValueError:
        raise TwilioError(35111, words="SendAt is invalid") from None


def _recipient(form: Mapping[str, str]) -> str:
    to = form.get("To", "")
    if not to:
        raise TwilioError(21604)
    bare = to.removeprefix("whatsapp:")
    if not (_PHONE.fullmatch(bare) or (bare != to and _USER_ID.fullmatch(bare))):
        raise TwilioError(21211, words=f"Invalid 'To' Phone Number: {to[:4]}XXXX")
    return to


def _require_sender(account: SimAccount | None, to: str, sender: str | None, service: str | None) -> None:
    if sender is None and service is None:
        raise TwilioError(21603)
    if sender is not None and sender.startswith("whatsapp:") != to.startswith("whatsapp:"):
        raise TwilioError(21910)
    if account is None:
        raise TwilioError(21606 if sender is not None else 21705)
    if sender is None and not account.details.get("sender", "+447700900900"):
        raise TwilioError(21703)


def _media(urls: Sequence[str]) -> tuple[ChatMedia, ...]:
    if len(urls) > 10:
        raise TwilioError(21623)
    found = []
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TwilioError(21620)
        dot = parts.path.rfind(".")
        found.append(ChatMedia(_KINDS.get(parts.path[dot:].lower(), "file"), url, parts.path.rpartition("/")[2]))
    return tuple(found)


def _callback(url: str | None) -> str | None:
    parts = urlsplit(url or "")
    if url and (parts.scheme not in ("http", "https") or "_" in (parts.hostname or "_")):
        raise TwilioError(21609)
    return url or None


def _validity_s(given: str | None) -> float:
    if given is None:
        return MAX_VALIDITY_S
    if not given.isdecimal() or not 1 <= int(given) <= MAX_VALIDITY_S:
        raise TwilioError(21624, words="Invalid validity period value")
    return float(given)


def _shown(content: Json, variables: str | None) -> Json:
    """The richest type of a content, filled; a value that is left out is the sample's."""
    try:
        values = json.loads(variables or "{}")
    except ValueError:
        raise TwilioError(21656) from None
    if not isinstance(values, dict) or not all(isinstance(each, str) and _is_line(each) for each in values.values()):
        raise TwilioError(21656)
    filling = {**content.get("variables", {}), **values}
    types = content["types"]
    richest = next((types[name] for name in types if name != "twilio/text"), None) or next(iter(types.values()))
    shown: Json = _filled(richest, filling)
    return shown


def _is_line(value: str) -> bool:
    return bool(value) and not re.search(r"[\n\t]| {5}", value)


def _filled(value: Any, filling: Mapping[str, Any]) -> Any:
    match value:
        case str():
            return _PLACEHOLDER.sub(lambda found: str(filling.get(found[1], found[0])), value)
        case dict():
            return {name: _filled(inner, filling) for name, inner in value.items()}
        case list():
            return [_filled(inner, filling) for inner in value]
    return value


def _rows(shown: Json) -> tuple[tuple[ChatButton, ...], ...]:
    rows = []
    for action in shown.get("actions", []):
        if "url" in action:
            rows.append((ChatButton(action["title"], "link", action["url"]),))
        elif action.get("type", "QUICK_REPLY") == "QUICK_REPLY":
            rows.append((ChatButton(action["title"], "reply", action.get("id", "")),))
        else:
            rows.append((ChatButton(action["title"], "other", str(action.get("phone") or action.get("code") or "")),))
    return tuple(rows)
