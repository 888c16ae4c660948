"""What Meta's webhook tells of a WhatsApp number and its account, in the words of `gateways.base`. Pure.

Shapes as developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference prints them; see
platforms/whatsapp.md section 8. One event that can't be read is left out: the others of its body are as true without
it, and a refused body comes again for a week.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateways.base import (
    AccountBroken,
    AddressStatus,
    Heard,
    Hook,
    Inbound,
    Moved,
    News,
    Pressed,
    Profile,
    Receipt,
    ReceiptState,
    Subscribed,
    TemplateChanged,
    Unsubscribed,
    Wrote,
)
from gateways.meta.hooks import WHATSAPP, challenge_answer, entries_of, id_of, moment_of, phone_of, text_of
from gateways.whatsapp.capabilities import PHONE, USER_ID
from gateways.whatsapp.errors import failure_of

Json = Mapping[str, Any]

_STATES = {
    "sent": ReceiptState.SENT,
    "delivered": ReceiptState.DELIVERED,
    "read": ReceiptState.READ,
    "played": ReceiptState.READ,  # a voice message that was heard
    "failed": ReceiptState.FAILED,
}
_BILLED = (ReceiptState.DELIVERED, ReceiptState.READ)  # pricing comes with `sent` too, and once more with one of these
_LOOK = "see Account quality in WhatsApp Manager"
_RESTRICTED = "RESTRICTED_BIZ_INITIATED_MESSAGING"
_MEDIA = ("image", "video", "document")  # may have a caption

_PHONE = re.compile(PHONE)
_USER_ID = re.compile(USER_ID)
_REFERENCE = re.compile(r"[0-9.]{3,64}")  # ours: delivery.attempt.position
_CATEGORY = re.compile(r"[a-z_]{1,40}")
_MAX_ID = 512


@dataclass(slots=True)
class _Ears:
    """Who listens, and what was heard so far."""

    phone: str
    account: str
    now: Callable[[], datetime]
    receipts: list[Receipt] = field(default_factory=list)
    inbound: list[Inbound] = field(default_factory=list)
    news: list[News] = field(default_factory=list)


def read_hook(request: Hook, phone: str, account: str, now: Callable[[], datetime]) -> Heard:
    """What a verified request says to this number (`phone`) and its account; that of others is left out.

    `now` dates what has no time. Raises Unreadable."""
    if request.method == "GET":
        return challenge_answer(request)
    what, entries = entries_of(request)
    ears = _Ears(phone, account, now)
    for entry in entries if what == WHATSAPP else ():
        for change in _objects(entry.get("changes")):
            if is_of(change, id_of(entry.get("id")), phone, account):
                _take_change(ears, change)
    return Heard(tuple(ears.receipts), tuple(ears.inbound), news=tuple(ears.news))


def is_of(change: Json, entry_id: str, phone: str, account: str) -> bool:
    """A change that names a number is that number's; any other is the account's."""
    named = phone_of(change)
    return named == phone if named else entry_id == account


def _take_change(ears: _Ears, change: Json) -> None:
    value = change.get("value")
    if not isinstance(value, dict):
        return
    # By what is in it: Meta's own samples print a wrong `field` at times.
    if "statuses" in value or "messages" in value:
        statuses = _objects(value.get("statuses"))
        ears.receipts += [receipt for status in statuses if (receipt := _receipt(ears, status)) is not None]
        _take_breaks(ears, statuses)
        contacts = _objects(value.get("contacts"))
        ears.inbound += filter(None, (_said(ears, each, contacts) for each in _objects(value.get("messages"))))
    elif "user_preferences" in value:
        contacts = _objects(value.get("contacts"))
        wishes = _objects(value.get("user_preferences"))
        ears.inbound += filter(None, (_preference(ears, wish, contacts) for wish in wishes))
    elif "message_template_name" in value:
        _take_template(ears, value)
    elif change.get("field") == "account_update":
        _take_account(ears, value)


# --- receipts ---


def _receipt(ears: _Ears, status: Json) -> Receipt | None:
    """A status of a message of ours; None for one that is no receipt, such as "deleted"."""
    state = _STATES.get(text_of(status.get("status")))
    wamid = id_of(status.get("id"))
    if state is None or not 0 < len(wamid) <= _MAX_ID:
        return None
    failure = failure_of(status.get("errors")) if state is ReceiptState.FAILED else None
    reference = text_of(status.get("biz_opaque_callback_data"))
    return Receipt(
        state=state,
        external_id=wamid,
        reference=reference if _REFERENCE.fullmatch(reference) else None,
        occurred_at=moment_of(status.get("timestamp")) or ears.now(),
        key=f"wa:{wamid}:{state.value}",
        code=failure.code if failure else "",
        words=failure.words if failure else "",
        reason=failure.reason if failure else "",
        address_status=failure.address_status if failure else None,
        address=_address_of(status.get("recipient_id"), status.get("recipient_user_id"))[0] or None,
        cost=_cost(status) if state in _BILLED else "",
    )


def _cost(status: Json) -> str:
    pricing = status.get("pricing")
    if not isinstance(pricing, dict) or pricing.get("billable") is not True:
        return ""
    category = text_of(pricing.get("category")).lower()
    return f"whatsapp.{category}" if _CATEGORY.fullmatch(category) else ""


def _take_breaks(ears: _Ears, statuses: Iterable[Json]) -> None:
    """A failed status may say that nothing at all goes out any more: once is enough."""
    for status in statuses:
        failure = failure_of(status.get("errors")) if status.get("status") == "failed" else None
        if failure is not None and failure.breaks:
            _break(ears, failure.breaks, failure.code)


def _break(ears: _Ears, words: str, code: str) -> None:
    if (broken := AccountBroken(words, code)) not in ears.news:
        ears.news.append(broken)


# --- what clients do ---


def _said(ears: _Ears, message: Json, contacts: list[Json]) -> Inbound | None:
    kind = text_of(message.get("type"))
    wamid = id_of(message.get("id"))
    if not 0 < len(wamid) <= _MAX_ID:
        return None
    at = moment_of(message.get("timestamp")) or ears.now()
    key = f"wa:{wamid}"
    if kind == "system":
        return _moved(message, at, key)
    address, _ = _address_of(message.get("from"), message.get("from_user_id"))
    # What is said in a group is not said to us; what is taken back, or a chat that was only opened, says nothing.
    if not address or message.get("group_id") or kind in ("revoke", "request_welcome", ""):
        return None
    profile = _profile(message.get("from"), message.get("from_user_id"), contacts)
    content = message.get(kind)
    content = content if isinstance(content, dict) else {}
    if kind in ("button", "interactive"):
        return _pressed(message, content, (address, at, key, profile))
    if kind == "edit":
        inner = content.get("message")
        inner = inner if isinstance(inner, dict) else {}
        return Wrote(address, at, key, _words_of(inner), "edit", profile, begins=True)
    return Wrote(address, at, key, _words_of(message), kind[:40], profile, begins=True)


def _words_of(message: Json) -> str:
    kind = text_of(message.get("type"))
    content = message.get(kind)
    if not isinstance(content, dict):
        return ""
    if kind == "text":
        return text_of(content.get("body"))
    return text_of(content.get("caption")) if kind in _MEDIA else ""


def _pressed(message: Json, content: Json, said: tuple[str, datetime, str, Profile]) -> Inbound:
    """A quick reply of a template (`button`), a reply button or a row of a list. One that brings its own label as data
    is one that we gave none: the client says those words."""
    address, at, key, profile = said
    if message.get("type") == "button":
        data, label = text_of(content.get("payload")), text_of(content.get("text"))
    else:
        reply = content.get(text_of(content.get("type")))
        reply = reply if isinstance(reply, dict) else {}
        data, label = text_of(reply.get("id")), text_of(reply.get("title"))
    if not data or data == label:
        return Wrote(address, at, key, label, text_of(message.get("type")), profile, begins=True)
    context = message.get("context")
    held_by = id_of(context.get("id")) if isinstance(context, dict) else ""
    return Pressed(address, at, key, data, external_id=held_by[:_MAX_ID] or None, profile=profile)


def _moved(message: Json, at: datetime, key: str) -> Moved | None:
    """The client has another number, or, with a hidden one, another id."""
    system = message.get("system")
    if not isinstance(system, dict):
        return None
    kind = text_of(system.get("type"))
    if kind == "user_changed_user_id":
        before, _ = _address_of(None, system.get("previous_user_id") or message.get("from_user_id"))
        after, _ = _address_of(None, system.get("user_id"))
    elif kind in ("user_changed_number", "customer_changed_number"):  # as the docs print it, and as it was before
        before, _ = _address_of(system.get("customer") or message.get("from"), message.get("from_user_id"))
        after, _ = _address_of(system.get("wa_id") or system.get("new_wa_id"), system.get("user_id"))
    else:
        return None
    return Moved(before, after, at, key) if before and after and before != after else None


def _preference(ears: _Ears, wish: Json, contacts: list[Json]) -> Inbound | None:
    """The client used WhatsApp's own menu to stop our marketing, or to take it up again."""
    address, _ = _address_of(wish.get("wa_id"), wish.get("user_id"))
    if not address and len(contacts) == 1:
        address, _ = _address_of(contacts[0].get("wa_id"), contacts[0].get("user_id"))
    value = text_of(wish.get("value")).lower()
    if not address or value not in ("stop", "resume", "signup"):
        return None
    at = moment_of(wish.get("timestamp")) or ears.now()
    key = f"wa:preference:{address}:{at.timestamp():.0f}:{value}"
    if value == "stop":
        return Unsubscribed(address, at, key, AddressStatus.UNSUBSCRIBED)
    profile = _profile(wish.get("wa_id"), wish.get("user_id"), contacts)
    return Subscribed(address, at, key, profile=profile, opens_window=False)


def _address_of(phone: Any, user_id: Any) -> tuple[str, str]:
    """The address and the client's other id: the phone where it is known, else the business-scoped id, which may also
    stand where the phone should."""
    first, second = id_of(phone).removeprefix("+"), id_of(user_id)
    digits = first if _PHONE.fullmatch(first) else second if _PHONE.fullmatch(second) else ""
    scoped = second if _USER_ID.fullmatch(second) else first if _USER_ID.fullmatch(first) else ""
    return (digits, scoped) if digits else (scoped, "")


def _profile(phone: Any, user_id: Any, contacts: list[Json]) -> Profile:
    address, other = _address_of(phone, user_id)
    contact = _contact_of(address, other, contacts)
    if contact and not other:
        _, other = _address_of(contact.get("wa_id"), contact.get("user_id"))
    inner = contact.get("profile")
    inner = inner if isinstance(inner, dict) else {}
    first, _, last = text_of(inner.get("name")).strip()[:200].partition(" ")
    parent = id_of(contact.get("parent_user_id"))
    others = [each for each in (other, parent) if each and each != address and _USER_ID.fullmatch(each)]
    return Profile(
        first_name=first or None,
        last_name=last.strip() or None,
        username=text_of(inner.get("username")).strip().removeprefix("@")[:100] or None,
        phone=f"+{address}" if _PHONE.fullmatch(address) else None,
        other_ids=tuple(dict.fromkeys(others)),
    )


def _contact_of(address: str, other: str, contacts: list[Json]) -> Json:
    for contact in contacts:
        if {*_address_of(contact.get("wa_id"), contact.get("user_id"))} & {address, other} - {""}:
            return contact
    return contacts[0] if len(contacts) == 1 else {}


# --- templates and the account ---


def _take_template(ears: _Ears, value: Json) -> None:
    """Its status is the event's own word; another category or quality only says that the list is to be read anew."""
    name, language = (id_of(value.get(f"message_template_{part}"))[:_MAX_ID] for part in ("name", "language"))
    event = text_of(value.get("event")).lower()
    if name:
        ears.news.append(TemplateChanged(name, language, event))


def _take_account(ears: _Ears, value: Json) -> None:
    event = text_of(value.get("event"))
    restrictions = [text_of(each.get("restriction_type")) for each in _objects(value.get("restriction_info"))]
    ban = value.get("ban_info")
    is_banned = isinstance(ban, dict) and text_of(ban.get("waba_ban_state")) == "DISABLE"
    if event == "ACCOUNT_RESTRICTION" and _RESTRICTED in restrictions:
        _break(
            ears, "Meta lets this account begin no conversations now: see Account quality in WhatsApp Manager", event
        )
    elif event == "DISABLED_UPDATE" and is_banned:
        ears.news.append(
            AccountBroken("Meta has disabled this account: see Account quality in WhatsApp Manager", event)
        )
    elif event in ("ACCOUNT_DELETED", "ACCOUNT_OFFBOARDED"):
        _break(ears, "this WhatsApp account was taken off the Cloud API", event)


def _objects(values: Any) -> list[Json]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []
