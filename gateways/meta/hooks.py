"""What Meta's webhooks have in common: their proof, the challenge, the envelope, and cutting a body by account.

Messenger and WhatsApp of one app may come to one URL, in one shape: {"object": …, "entry": [{"id": …}, …]}.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from gateways.base import Answer, BadSignature, Heard, Hook, Unreadable
from gateways.jsons import read_json
from gateways.signatures import require_same

SIGNATURE_HEADER = "x-hub-signature-256"
PAGE = "page"  # `object` of Messenger's events
WHATSAPP = "whatsapp_business_account"

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MILLISECONDS_FROM = 100_000_000_000  # as seconds that is the year 5138, as milliseconds 1973

Json = Mapping[str, Any]


def require_meta(request: Hook, app_secret: str, verify_token: str) -> None:
    """Raise BadSignature unless Meta signed exactly these bytes, or asks for the challenge with our verify token."""
    if request.method == "GET":
        if request.query.get("hub.mode") != "subscribe":
            raise BadSignature
        require_same(request.query.get("hub.verify_token"), verify_token)
        return
    if not app_secret:
        raise BadSignature
    require_same(request.headers.get(SIGNATURE_HEADER), signature_of(request.body, app_secret))


def signature_of(body: bytes, app_secret: str) -> str:
    """What stands in X-Hub-Signature-256 over these bytes, which are never written anew: Meta escapes them its way."""
    return f"sha256={hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()}"


def challenge_answer(request: Hook) -> Heard:
    """What a verified GET is answered: the bare challenge."""
    return Heard(answer=Answer(request.query.get("hub.challenge", "")))


def entries_of(request: Hook) -> tuple[str, list[Json]]:
    """The body's `object` and its entries. Raises Unreadable."""
    data = request.content if request.content is not None else read_json(request.body)
    if not isinstance(data, dict) or not isinstance(data.get("object"), str):
        raise Unreadable("no event as Meta sends it")
    entries = data.get("entry", [])
    if not isinstance(entries, list):
        raise Unreadable("its entries are no list")
    return data["object"], [entry for entry in entries if isinstance(entry, dict)]


def split_by_account(request: Hook) -> Mapping[str, Hook]:
    """The request cut by whose events they are: page:ID, phone:ID, waba:ID; each with its content, which is read but
    once. Raises Unreadable."""
    if request.method == "GET":
        return {}
    what, entries = entries_of(request)
    cuts: dict[str, list[Json]] = {}
    for entry in entries:
        for account, piece in _pieces(what, entry):
            cuts.setdefault(account, []).append(piece)
    return {account: _with_content(request, {"object": what, "entry": cut}) for account, cut in cuts.items()}


def _with_content(request: Hook, content: Json) -> Hook:
    """`dataclasses.replace` takes twice as long, and this is made of every receipt."""
    its = request
    return Hook(its.method, its.headers, its.query, its.body, its.raw_query, its.channel, content)


def _pieces(what: str, entry: Json) -> Iterator[tuple[str, Json]]:
    """An entry belongs to one page, or to one WhatsApp account whose changes may name single numbers."""
    account = id_of(entry.get("id"))
    if what == PAGE and account:
        yield f"page:{account}", entry
    if what != WHATSAPP:
        return
    by_owner: dict[str, list[Any]] = {}
    changes = entry.get("changes")
    for change in changes if isinstance(changes, list) else ():
        phone = phone_of(change)
        owner = f"phone:{phone}" if phone else f"waba:{account}" if account else ""
        if owner:
            by_owner.setdefault(owner, []).append(change)
    for owner, own in by_owner.items():
        yield owner, {**entry, "changes": own}


def phone_of(change: Any) -> str:
    """The phone number id that a change of a WhatsApp account is about; "" where it is about the whole account."""
    value = change.get("value") if isinstance(change, dict) else None
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return id_of(metadata.get("phone_number_id")) if isinstance(metadata, dict) else ""


def id_of(value: Any) -> str:
    """An id as text, exact whatever its length; "" for what is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(value).strip()


def text_of(value: Any) -> str:
    """A text that any database keeps; "" for what is none."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() and "\0" not in value else _UNSTORABLE.sub("\ufffd", value)


def moment_of(value: Any) -> datetime | None:
    """A moment that stands as milliseconds or as seconds, as a number or as text; None where it is none."""
    try:
        number = float(value) if not isinstance(value, bool) else 0.0
        if number > _MILLISECONDS_FROM:
            number /= 1000
        return datetime.fromtimestamp(number, UTC) if number > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
