"""What Twilio posts to our hook, in the words of `gateways.base`. Pure.

twilio.com/docs/messaging/guides/webhook-request, …/track-outbound-message-status and nyaruka/courier
`handlers/twiml/handlers_test.go`, read November 2026."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl

from gateways.base import (
    AddressStatus,
    Answer,
    Heard,
    Hook,
    Inbound,
    Pressed,
    Profile,
    Receipt,
    ReceiptState,
    Subscribed,
    Unreadable,
    Unsubscribed,
    Wrote,
)
from gateways.twilio.capabilities import SMS_ADDRESS, WHATSAPP_ADDRESS
from gateways.twilio.errors import failure_of
from gateways.twilio.render import PREFIX
from gateways.twilio.signature import MAX_FIELDS, is_form

TAKEN = Answer("<Response/>", "text/xml")  # other words would go to the client; another type raises alarm 12300
REFERENCE = "d"  # our name of a part, in the query of its StatusCallback

Form = Mapping[str, str]

_STATES = {
    "accepted": ReceiptState.SENT,
    "scheduled": ReceiptState.SENT,
    "queued": ReceiptState.SENT,
    "sending": ReceiptState.SENT,
    "sent": ReceiptState.SENT,
    "delivered": ReceiptState.DELIVERED,
    "partially_delivered": ReceiptState.DELIVERED,
    "read": ReceiptState.READ,
    "undelivered": ReceiptState.FAILED,
    "failed": ReceiptState.FAILED,
    "canceled": ReceiptState.FAILED,
}
_RECEIVED = ("received", "receiving")
# Twilio itself acts on these, and answers them: one word, whatever its case. help.twilio.com 223134027.
_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"})
_START = frozenset({"START", "UNSTOP", "YES"})
_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PHONE = re.compile(SMS_ADDRESS)
_ADDRESSES = {True: re.compile(WHATSAPP_ADDRESS), False: re.compile(SMS_ADDRESS)}


@dataclass(frozen=True, slots=True)
class Ours:
    """Whose events a channel takes: those of its sender, else of its service."""

    account_sid: str
    on_whatsapp: bool
    sender: str | None
    service: str | None

    @property
    def name(self) -> str:
        return _account_name(self.sender or self.service or "", on_whatsapp=self.on_whatsapp)

    def owns(self, form: Form) -> bool:
        """Whether a client's message came to this channel. On WhatsApp the prefixes are missing, seldom: then the hook
        of a sender is proof enough."""
        on_whatsapp = _is_whatsapp(form)
        if on_whatsapp and not self.on_whatsapp:
            return False
        if self.sender is not None:
            return form.get("To", "").removeprefix(PREFIX) == self.sender
        return on_whatsapp is self.on_whatsapp and form.get("MessagingServiceSid") in (self.service, "", None)


def read_request(request: Hook, ours: Ours, now: Callable[[], datetime]) -> Heard:
    """What a request says to this channel; Heard() for what is another's or not used. Raises Unreadable."""
    form = read_form(request)
    if form is None or form.get("AccountSid", ours.account_sid) != ours.account_sid:
        return Heard()
    if is_report(form):
        return _report(form, request.query.get(REFERENCE, ""), now())
    if not _is_inbound(form):
        return Heard()
    inbound = _inbound(form, now(), on_whatsapp=ours.on_whatsapp) if ours.owns(form) else ()
    return Heard(inbound=inbound, answer=TAKEN)


def read_form(request: Hook) -> Form | None:
    """The parameters of a message's event; None for an event of another product. Raises Unreadable."""
    if not is_form(request.headers):
        _require_json(request.body)
        return None
    try:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Unreadable("no form in UTF-8") from None
    form = {name: value.replace("\0", "") for name, value in pairs}
    if not (_sid(form) or form.get("AccountSid")):
        raise Unreadable("no form as Twilio posts it")
    return form if _sid(form) else None


def is_report(form: Form) -> bool:
    """Whether it is about a message of ours."""
    return _status(form) in _STATES


def accounts_of(form: Form) -> Sequence[str]:
    """The names under which channels may claim a client's message: the number it came to, and the service."""
    names = (form.get("To", "").removeprefix(PREFIX), form.get("MessagingServiceSid", ""))
    return [_account_name(name, on_whatsapp=_is_whatsapp(form)) for name in names if name]


# --- about our messages


def _report(form: Form, reference: str, now: datetime) -> Heard:
    """Several steps on Twilio's side are one fact to us: it was taken. The order in which they come says nothing."""
    sid, state = _sid(form), _STATES[_status(form)]
    receipt = Receipt(
        state=state,
        external_id=sid,
        reference=reference if _REFERENCE.fullmatch(reference) else None,
        occurred_at=now,
        key=f"{sid}:{state}",
        address=_address(form.get("To", "")) or None,
    )
    if state is not ReceiptState.FAILED:
        return Heard((receipt,))
    failure = failure_of(form.get("ErrorCode", ""))
    receipt = replace(
        receipt,
        code=form.get("ErrorCode", ""),
        words=failure.words,
        reason=failure.reason,
        address_status=failure.address_status,
    )
    return Heard((receipt,), news=(failure.stops,) if failure.stops is not None else ())


# --- from clients


def _inbound(form: Form, now: datetime, *, on_whatsapp: bool) -> tuple[Inbound, ...]:
    address = _address(form.get("From", ""))
    if not _ADDRESSES[on_whatsapp].fullmatch(address):
        return ()
    # Signed, and one a message; Twilio's I-Twilio-Idempotency-Token is neither covered by the signature nor needed.
    key = f"twilio:{_sid(form)}"
    profile = _profile(form, address)
    text = form.get("Body", "")
    match _wish(form, on_whatsapp=on_whatsapp):
        case "STOP":
            return (Unsubscribed(address, now, key, AddressStatus.UNSUBSCRIBED),)
        case "START":
            return (Subscribed(address, now, key, "", profile),)
    data = form.get("ButtonPayload") or form.get("ButtonText")
    if on_whatsapp and data:
        said = form.get("ButtonText") or text
        replied = form.get("OriginalRepliedMessageSid") or None
        pressed = Pressed(address, now, key, data, external_id=replied, profile=profile)
        # What the button says stands in the chat as the client's own words, a stop among them.
        words = Wrote(address, now, f"{key}:words", said, "button", profile, begins=True)
        return (pressed, words) if said else (pressed,)
    what = _what(form)
    if what == "location":
        text = text or form.get("Label", "") or form.get("Address", "")
    # On WhatsApp writing opens the chat, as it does at Meta's own API; an SMS to a number subscribes to nothing.
    return (Wrote(address, now, key, text, what, profile, begins=on_whatsapp),)


def _wish(form: Form, *, on_whatsapp: bool) -> str:
    """STOP and START as Twilio understood them; on WhatsApp it acts only where a service has Advanced Opt-Out."""
    given = form.get("OptOutType", "").upper()
    if given or on_whatsapp:
        return given
    word = form.get("Body", "").strip().upper()
    return "STOP" if word in _STOP else "START" if word in _START else ""


def _profile(form: Form, address: str) -> Profile:
    digits = next((each for each in (form.get("WaId", ""), address) if _PHONE.fullmatch(each)), "")
    others = (digits, _address(form.get("ExternalUserId", "")))
    return Profile(
        first_name=form.get("ProfileName") or None,
        phone=f"+{digits}" if digits else None,
        other_ids=tuple(other for other in others if other and other != address),
    )


def _what(form: Form) -> str:
    if form.get("Latitude"):
        return "location"
    if form.get("NumMedia", "0") not in ("", "0"):
        main = form.get("MediaContentType0", "").partition("/")[0]
        return main if main in ("image", "video", "audio") else "document"
    kind = form.get("MessageType", "")
    return kind if kind.isalpha() else "text"


# --- reading


def _sid(form: Form) -> str:
    return form.get("MessageSid") or form.get("SmsSid") or ""


def _status(form: Form) -> str:
    return (form.get("MessageStatus") or form.get("SmsStatus") or "").lower()


def _is_inbound(form: Form) -> bool:
    return bool(form.get("From")) and (_status(form) in _RECEIVED or (not _status(form) and "Body" in form))


def _is_whatsapp(form: Form) -> bool:
    named = any(form.get(name, "").startswith(PREFIX) for name in ("From", "To"))
    return named or bool(form.get("WaId")) or form.get("ChannelPrefix") == "whatsapp"


def _address(given: str) -> str:
    return given.removeprefix(PREFIX).removeprefix("+")


def _account_name(name: str, *, on_whatsapp: bool) -> str:
    return f"twilio:{'whatsapp' if on_whatsapp else 'sms'}:{name}"


def _require_json(body: bytes) -> None:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("neither a form nor JSON") from None
