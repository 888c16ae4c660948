"""Who may open the page: one-time links, the sessions that they open, and where a request comes from."""

import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from bot.screens import Person
from engine.clock import Clock

COOKIE = "carillon"
SESSION_IDLE_S = 7 * 24 * 3600.0
MAX_SESSIONS = 20  # of one person; the one not used for longest ends
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class _Session:
    account: str
    used_at_s: float


class Doorman:
    """Links and sessions live as long as the process: a restart prints new links."""

    def __init__(self, people: Mapping[str, Person], clock: Clock, *, demo: bool) -> None:
        self._people = people
        self._clock = clock
        self._demo = demo
        self._keys: dict[str, str] = {}
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def make_key(self, account: str) -> str:
        """What a new link for this person holds; in the demo it opens again and again, otherwise once."""
        key = secrets.token_urlsafe(32)
        self._keys[key] = account
        return key

    def use_key(self, key: str, *, local: bool) -> str | None:
        """Whose link this is; None where there is no such link, or where it was used."""
        if self._demo:
            return self._keys.get(key) if local else None
        return self._keys.pop(key, None)

    def guest(self, *, local: bool, name: str | None = None) -> str | None:
        """Whom the demo lets in without a link, on this machine only: the first of its people, or whoever is named."""
        if not (self._demo and local):
            return None
        return next((one for one in self._people if name in (None, one)), None)

    def open_session(self, account: str) -> str:
        token = secrets.token_urlsafe(32)
        theirs = [name for name, session in self._sessions.items() if session.account == account]
        if len(theirs) >= MAX_SESSIONS:
            del self._sessions[theirs[0]]
        self._sessions[token] = _Session(account, self._clock.monotonic())
        return token

    def whose(self, request: web.BaseRequest) -> str | None:
        """The person of the request's session; None where there is none or it was idle for too long."""
        token = request.cookies.get(COOKIE, "")
        session = self._sessions.get(token)
        if session is None:
            return None
        now_s = self._clock.monotonic()
        if now_s - session.used_at_s > SESSION_IDLE_S:
            del self._sessions[token]
            return None
        if session.account not in self._people:
            return None  # removed since
        session.used_at_s = now_s
        self._sessions.move_to_end(token)
        return session.account


def spoken_by(request: web.BaseRequest) -> str:
    """The language that a person set first in their browser, or ""."""
    return request.headers.get("Accept-Language", "").partition(",")[0].partition(";")[0].strip()


def is_local(request: web.BaseRequest) -> bool:
    """From this very machine, by a loopback name, and through no proxy.

    The name counts too: a foreign page can point its own name at 127.0.0.1."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    try:
        return host in _LOOPBACK_NAMES and ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def same_origin(request: web.BaseRequest, public_url: str | None) -> bool:
    """Whether the page that asks is ours: browsers always name the origin of a WebSocket and of a POST."""
    origin = _place(request.headers.get("Origin", ""))
    if origin is None:
        return False
    scheme = urlsplit(request.headers["Origin"]).scheme
    return origin in (_place(f"{scheme}://{request.headers.get('Host', '')}"), _place(public_url or ""))


def _place(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None
