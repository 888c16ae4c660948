"""What Meta's webhook tells of a Page, in the words of `gateways.base`. Pure.

Shapes as developers.facebook.com/documentation/business-messaging/messenger-platform/reference/webhook-events prints
them; platforms/facebook.md section 8. One event that can't be read is left out: the others of its body are as true
without it, and a refused body comes again for an hour, after which Meta unsubscribes us.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateways.base import (
    AccountBroken,
    AddressStatus,
    Heard,
    Hook,
    Inbound,
    News,
    Pressed,
    Receipt,
    ReceiptState,
    Subscribed,
    TemplateChanged,
    Unsubscribed,
    Watermark,
    Wrote,
)
from gateways.meta.hooks import PAGE, challenge_answer, entries_of, id_of, moment_of, text_of

log = logging.getLogger(__name__)

GET_STARTED = "GET_STARTED"  # our payload of the button that begins a conversation
FIELDS = (  # of the Page's subscription: what is read here
    "messages", "messaging_postbacks", "messaging_optins", "messaging_referrals", "message_deliveries",
    "message_reads", "message_echoes", "message_reactions", "messaging_policy_enforcement",
)  # fmt: skip
EXTRA_FIELDS = ("messenger_template_status_update",)  # read too; an app without utility messages may not have it
_TEMPLATE_FIELDS = ("messenger_template_status_update", "message_template_status_update")  # Meta prints both

_REFERENCE = re.compile(r"[0-9.]{3,64}")  # ours: delivery.attempt.position
_PAYLOAD = re.compile(r"[A-Za-z0-9+/=\-.:_]{1,250}")  # what an m.me link may carry; …/discovery/m-me-links
_MAX_ID = 512

Json = Mapping[str, Any]


@dataclass(slots=True)
class _Ears:
    """Who listens, and what was heard so far."""

    page: str
    app_id: str
    now: Callable[[], datetime]
    receipts: list[Receipt] = field(default_factory=list)
    watermarks: list[Watermark] = field(default_factory=list)
    inbound: list[Inbound] = field(default_factory=list)
    news: list[News] = field(default_factory=list)


def read_hook(request: Hook, page: str, app_id: str, now: Callable[[], datetime]) -> Heard:
    """What a verified request says to this page; events of other pages are left out. Raises Unreadable.

    `app_id`, where known, tells our own echoes from those of another tool. `now` dates what has no time."""
    if request.method == "GET":
        return challenge_answer(request)
    what, entries = entries_of(request)
    ears = _Ears(page, app_id, now)
    for entry in entries if what == PAGE else ():
        if id_of(entry.get("id")) == page:
            _take_entry(ears, entry)
    return Heard(
        receipts=tuple(ears.receipts),
        inbound=tuple(ears.inbound),
        watermarks=tuple(ears.watermarks),
        news=tuple(ears.news),
    )


def _take_entry(ears: _Ears, entry: Json) -> None:
    for event in _objects(entry, "messaging"):
        _take_event(ears, event)
    # Another app holds the conversation: what it says of our own messages is true, the rest is not ours to answer.
    for event in _objects(entry, "standby"):
        _take_receipts(ears, event)
    for change in _objects(entry, "changes"):
        value = change.get("value")
        if change.get("field") in _TEMPLATE_FIELDS and isinstance(value, Mapping):
            _take_template(ears, value)


def _take_event(ears: _Ears, event: Json) -> None:
    if isinstance(policy := event.get("policy_enforcement"), Mapping):
        _take_policy(ears, policy)
        return
    if _take_receipts(ears, event):
        return
    client = _party(event, "sender")
    if not client or client == ears.page:
        return
    ears.inbound.extend(_inbound(event, client, ears.now))


# --- of our own messages


def _take_receipts(ears: _Ears, event: Json) -> bool:
    """Whether it was one: an echo, a delivery, a reading."""
    at = moment_of(event.get("timestamp"))
    message = event.get("message")
    if isinstance(message, Mapping) and message.get("is_echo"):
        _take_echo(ears, event, message, at or ears.now())
        return True
    client = _party(event, "sender")
    delivery, read = event.get("delivery"), event.get("read")
    if isinstance(delivery, Mapping):
        for mid in _mids(delivery):
            key = f"fb:{ears.page}:delivered:{mid}"
            occurred_at = at or moment_of(delivery.get("watermark")) or ears.now()
            ears.receipts.append(Receipt(ReceiptState.DELIVERED, mid, None, occurred_at, key, address=client or None))
        _take_watermark(ears, client, ReceiptState.DELIVERED, delivery, at)
    if isinstance(read, Mapping):
        _take_watermark(ears, client, ReceiptState.READ, read, at)
    return isinstance(delivery, Mapping) or isinstance(read, Mapping)


def _take_echo(ears: _Ears, event: Json, message: Json, at: datetime) -> None:
    """Meta took a message of the Page. Sender and recipient are swapped in it; without our reference, or of another
    app, it is what a person or another tool answered."""
    mid, reference = id_of(message.get("mid")), text_of(message.get("metadata"))
    app = id_of(message.get("app_id"))
    if not mid or len(mid) > _MAX_ID or not _REFERENCE.fullmatch(reference):
        return
    if ears.app_id and app and app != ears.app_id:
        return
    client = _party(event, "recipient")
    key = f"fb:{ears.page}:sent:{mid}"
    ears.receipts.append(Receipt(ReceiptState.SENT, mid, reference, at, key, address=client or None))


def _take_watermark(ears: _Ears, client: str, state: ReceiptState, told: Json, at: datetime | None) -> None:
    until = moment_of(told.get("watermark"))
    if client and until is not None:
        key = f"fb:{ears.page}:{client}:{state.value}:{until.timestamp():.3f}"
        ears.watermarks.append(Watermark(client, state, at or until, key, until=until))


def _mids(delivery: Json) -> Iterator[str]:
    mids = delivery.get("mids")
    for each in mids if isinstance(mids, list) else ():
        mid = id_of(each)
        if mid and len(mid) <= _MAX_ID:
            yield mid


# --- of clients


@dataclass(frozen=True, slots=True)
class _Act:
    """Who did it and when; `mark` is the same for a repeat of the event, and another for another of this client."""

    client: str
    at: datetime
    mark: str

    def key(self, holder: Json, what: str) -> str:
        """By the id that Meta gave, where there is one."""
        mid = id_of(holder.get("mid"))
        return f"fb:{mid}" if mid and len(mid) <= _MAX_ID else f"fb:{self.client}:{what}:{self.mark}"


def _inbound(event: Json, client: str, now: Callable[[], datetime]) -> Iterator[Inbound]:
    """What a client did, one event as Meta sends it."""
    for name, read in _READERS.items():
        value = event.get(name)
        if isinstance(value, Mapping):
            told = moment_of(event.get("timestamp"))
            mark = f"{told.timestamp():.3f}" if told else _digest(event)
            yield from read(value, _Act(client, told or now(), mark))
            return


def _said(message: Json, act: _Act) -> Iterator[Inbound]:
    key = act.key(message, "message")
    if isinstance(referral := message.get("referral"), Mapping):
        yield _referred(referral, act, f"{key}:ref")
    quick_reply = message.get("quick_reply")
    payload = text_of(quick_reply.get("payload")) if isinstance(quick_reply, Mapping) else ""
    if payload:
        yield Pressed(act.client, act.at, key, payload)
        return
    text = text_of(message.get("text"))
    what = _attached(message)
    if text or what:
        yield Wrote(act.client, act.at, key, text, what or "text", begins=True)


def _attached(message: Json) -> str:
    """What the client sent beside words: image, audio, sticker … ; "" for nothing."""
    attachments = _objects(message, "attachments")
    if not attachments:
        return "unsupported" if message.get("is_unsupported") else ""
    # Until 30 August 2026 a sticker came as an image that has a sticker_id.
    return "sticker" if any(map(_is_sticker, attachments)) else (text_of(attachments[0].get("type")) or "file")[:32]


def _is_sticker(attachment: Json) -> bool:
    payload = attachment.get("payload")
    return isinstance(payload, Mapping) and payload.get("sticker_id") is not None


def _pressed(postback: Json, act: _Act) -> Iterator[Inbound]:
    payload = text_of(postback.get("payload"))
    key = act.key(postback, f"postback:{payload[:64]}")
    referral = postback.get("referral")
    if isinstance(referral, Mapping):
        yield _referred(referral, act, f"{key}:ref")
    elif payload == GET_STARTED:
        yield Subscribed(act.client, act.at, key)
    if payload and payload != GET_STARTED:
        yield Pressed(act.client, act.at, key, payload)


def _opened(referral: Json, act: _Act) -> Iterator[Inbound]:
    yield _referred(referral, act, act.key(referral, "ref"))


def _referred(referral: Json, act: _Act, key: str) -> Subscribed:
    """A link that opens the chat asks for it; a click on an advertisement undoes no opt-out."""
    explicit = text_of(referral.get("source")).upper() != "ADS"
    return Subscribed(act.client, act.at, key, _payload(referral), explicit=explicit)


def _opted_in(optin: Json, act: _Act) -> Iterator[Inbound]:
    """A plugin on a web page. The notifications of old were switched off in February 2026; only their STOP counts."""
    key = act.key(optin, "optin")
    if optin.get("type") is None:
        # It is none of the actions that open the window; …/messenger-platform/policy, 28 September 2026.
        yield Subscribed(act.client, act.at, key, _payload(optin), opens_window=False)
    elif text_of(optin.get("notification_messages_status")).upper() == "STOP_NOTIFICATIONS":
        yield Unsubscribed(act.client, act.at, key, AddressStatus.UNSUBSCRIBED)


def _reacted(reaction: Json, act: _Act) -> Iterator[Inbound]:
    if reaction.get("action") == "react":
        # Its mid is that of the message reacted to.
        key = f"fb:{act.client}:reaction:{id_of(reaction.get('mid'))[:_MAX_ID]}:{act.mark}"
        yield Wrote(act.client, act.at, key, text_of(reaction.get("emoji"))[:16], "reaction", begins=True)


_READERS: Mapping[str, Callable[[Json, _Act], Iterator[Inbound]]] = {
    "message": _said,
    "postback": _pressed,
    "referral": _opened,
    "optin": _opted_in,
    "reaction": _reacted,
}


# --- of the account


def _take_policy(ears: _Ears, policy: Json) -> None:
    action, reason = text_of(policy.get("action")), text_of(policy.get("reason"))[:300]
    if action == "block":
        ears.news.append(AccountBroken(f"Meta blocked this Page by its policies: {reason}", "policy_block"))
    else:
        log.warning("Meta speaks of its policies", extra={"page": ears.page, "action": action[:32]})


def _take_template(ears: _Ears, value: Json) -> None:
    name = text_of(value.get("message_template_name"))
    status = text_of(value.get("message_template_status")) or text_of(value.get("event"))
    if name:
        ears.news.append(TemplateChanged(name, text_of(value.get("message_template_language")), status.lower()))


# --- reading


def _objects(holder: Json, name: str) -> list[Json]:
    found = holder.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _party(event: Json, name: str) -> str:
    """The page-scoped id of a side; "" where there is none, as in sends by `user_ref`."""
    party = event.get(name)
    found = id_of(party.get("id")) if isinstance(party, Mapping) else ""
    return found if len(found) <= 64 else ""


def _payload(holder: Json) -> str:
    ref = text_of(holder.get("ref"))
    return ref if _PAYLOAD.fullmatch(ref) else ""


def _digest(event: Json) -> str:
    return hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()[:32]
