"""Links that lead through us: short signed tokens, and whoever makes them while a message is rendered.

A token names a delivery and a link, nothing of a client; where the link leads stands in storage. Its shape is that of
platforms/tracking.md section 3: version, key, delivery, link and ten bytes of an HMAC over the purpose and all that, so
that a link's token can't unsubscribe anybody.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, urlsplit, urlunsplit

from engine.personalise import fixed_links
from engine.short_texts import is_counted
from gateways.base import Part
from storage.links import MAX_NUMBER, Link, LinkName, OwnLink
from storage.store import Store

LINK_ROUTE = "/l/"  # the token follows
UNSUBSCRIBE_ROUTE = "/u/"

_CLICK, _UNSUBSCRIBE = b"click\0", b"unsub\0"
_HEAD = b"\x01\x01"  # version 1, key 1
_OWN = MAX_NUMBER + 1  # the link's number where a name follows
_MAC_BYTES = 10
_NAME_BYTES = 6
_BODY = len(_HEAD) + 8 + 1
_OWN_CHARACTERS = (_BODY + _NAME_BYTES + _MAC_BYTES) * 4 // 3
_TOKEN = re.compile(r"[A-Za-z0-9_-]{28}(?:[A-Za-z0-9_-]{8})?")


class Tokens:
    """Makes and reads tokens; two that have the same key read each other's."""

    def __init__(self, key: bytes) -> None:
        if not key:
            raise ValueError("without a key anybody could make a token")
        self._key = key

    @classmethod
    def of_app(cls, secret: bytes) -> "Tokens":
        """Those of an installation, by a key of their own made of the app's secret."""
        return cls(hmac.digest(secret, b"links", "sha256"))

    def link(self, delivery_id: int, number: int) -> str:
        """28 characters for a link that is the same for everybody; `number` is at most MAX_NUMBER."""
        return self._make(_CLICK, _HEAD + delivery_id.to_bytes(8, "big") + number.to_bytes(1, "big"))

    def own_link(self, delivery_id: int, name: int) -> str:
        """36 characters for a link of this delivery alone."""
        body = _HEAD + delivery_id.to_bytes(8, "big") + b"\xff" + name.to_bytes(_NAME_BYTES, "big")
        return self._make(_CLICK, body)

    def unsubscribe(self, delivery_id: int) -> str:
        return self._make(_UNSUBSCRIBE, _HEAD + delivery_id.to_bytes(8, "big") + b"\0")

    def read_link(self, token: str) -> LinkName | None:
        """What a link's token names; None for any that we did not make."""
        body = self._read(_CLICK, token)
        if body is None or (body[_BODY - 1] == _OWN) != (len(body) > _BODY):
            return None
        delivery_id = int.from_bytes(body[2:10], "big")
        if len(body) > _BODY:
            return LinkName(delivery_id, own=int.from_bytes(body[_BODY:], "big"))
        return LinkName(delivery_id, number=body[_BODY - 1])

    def read_unsubscribe(self, token: str) -> int | None:
        """The delivery whose unsubscribe link it is; None for any that we did not make."""
        body = self._read(_UNSUBSCRIBE, token)
        return None if body is None or len(body) > _BODY else int.from_bytes(body[2:10], "big")

    def _make(self, purpose: bytes, body: bytes) -> str:
        mac = hmac.digest(self._key, purpose + body, "sha256")
        return base64.urlsafe_b64encode(body + mac[:_MAC_BYTES]).decode("ascii")

    def _read(self, purpose: bytes, token: str) -> bytes | None:
        if not _TOKEN.fullmatch(token):
            return None
        raw = binascii.a2b_base64(token.translate(_STANDARD))
        body, given = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        expected = hmac.digest(self._key, purpose + body, "sha256")[:_MAC_BYTES]
        return body if hmac.compare_digest(given, expected) and body.startswith(_HEAD) else None


_STANDARD = str.maketrans("-_", "+/")


class StepLinks:
    """Gives each link of one step its address at ours while a message is rendered; some microseconds each."""

    __slots__ = ("_keep_own", "_numbers", "_ours", "_tokens", "_url")

    def __init__(
        self, tokens: Tokens, public_url: str, numbers: Mapping[Link, int], keep_own: Callable[[OwnLink], None]
    ) -> None:
        self._tokens = tokens
        self._ours = f"{public_url}/".lower()
        self._url = public_url + LINK_ROUTE
        self._numbers = numbers
        self._keep_own = keep_own

    def __call__(self, delivery_id: int, place: str, index: int, url: str) -> str:
        """The address to be sent instead of `url`. A link is known by where it stands and leads, so `index` tells
        nothing: two buttons that open the same page are one link."""
        number = self._numbers.get((place, url))
        if number is not None:
            return self._url + self._tokens.link(delivery_id, number)
        if not is_counted(url) or url.lower().startswith(self._ours):
            return url
        name = int.from_bytes(hashlib.sha256(f"{place}\0{url}".encode()).digest()[:_NAME_BYTES], "big")
        self._keep_own(OwnLink(delivery_id, name, place, exact_location(url)))
        return self._url + self._tokens.own_link(delivery_id, name)


class LinkDesk:
    """Makes the links of steps, where the app has a public address."""

    def __init__(self, store: Store, secret: bytes, public_url: str) -> None:
        self._store = store
        self._tokens = Tokens.of_app(secret)
        self._public_url = public_url.rstrip("/")

    async def of_step(self, step_id: int, parts: Sequence[Part]) -> StepLinks:
        """Keep the links in these parts that are the same for everybody. Call it for each channel, before its first
        message is rendered: what the step had before stays."""
        ours = f"{self._public_url}/".lower()
        exact = {
            link: (link[0], exact_location(link[1]))
            for link in fixed_links(parts)
            if not link[1].lower().startswith(ours)
        }
        numbers = await self._store.links.keep(step_id, list(exact.values()))
        known = {link: numbers[kept] for link, kept in exact.items() if kept in numbers}
        return StepLinks(self._tokens, self._public_url, known, self._store.links.keep_own)


def exact_location(url: str) -> str:
    """The address as a Location header carries it, byte for byte where it is plain ASCII already."""
    if _is_plain(url):
        return url
    try:
        parts = urlsplit(url)
        host = ":".join(name if name.isascii() else name.encode("idna").decode() for name in parts.netloc.split(":"))
    except ValueError:
        host = ""
    if not _is_plain(host) or not host:  # none that there can be; what it is, the client's browser says
        return quote(url, safe=_KEPT)
    rest = (quote(piece, safe=_KEPT) for piece in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme, host, *rest))


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


_KEPT = "!#$%&'()*+,/:;=?@[]~"


def link_length(public_url: str) -> int:
    """How many characters a link that leads through us has at most."""
    return len(public_url.rstrip("/") + LINK_ROUTE) + _OWN_CHARACTERS
