"""Calls to a platform over HTTP/1.1: kept connections, and errors that say whether a call may have arrived.

A token often stands in the URL, so nothing here logs a URL or lets one into an exception. Redirects are not followed,
cookies not kept, proxies not asked, and answers come unpacked. docs/decisions/wire.md says why no library does this.
"""

import asyncio
import base64
import functools
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import aiohappyeyeballs
from yarl import URL

from gateways.base import Unavailable
from gateways.connection import KEEP_ALIVE_S, PIECE_BYTES, Connection, HttpAnswer

MAX_CALLS = 1000  # of one channel at once: 25 calls/s that hang for 40 s
CONNECT_S = 10.0  # for the name, TCP and TLS
NAMES_KEPT_S = 60.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024  # a hundred updates are far below
_OTHER_FAMILY_AFTER_S = 0.25  # RFC 8305 section 5
_UNSPEAKABLE = re.compile(r"[\x00-\x20\x7f-\uffff]")
_TORN = re.compile(r"[\x00\r\n]")


class Origin(NamedTuple):
    host: str
    port: int
    secure: bool


class Target(NamedTuple):
    """Where a call goes and what each one says before its body; made once for many messages."""

    origin: Origin
    head: bytes


def target(method: str, url: URL, headers: Mapping[str, str] | None = None) -> Target:
    """Raises Unavailable where no call can be made of this: nothing was sent."""
    if url.scheme not in ("http", "https") or not url.raw_host or url.port is None:
        raise Unavailable("no http or https URL")
    asked = url.raw_path_qs or "/"
    lines = {"Host": url.host_port_subcomponent, "User-Agent": "Carillon", "Accept": "*/*"}
    lines |= {"Accept-Encoding": "identity", **_proof(url), **(headers or {})}
    if _UNSPEAKABLE.search(asked) or any(_TORN.search(f"{name}{value}") for name, value in lines.items()):
        raise Unavailable("a URL or a header that no request can carry")
    head = [f"{method} {asked} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items()), ""]
    return Target(Origin(url.raw_host, url.port, url.scheme == "https"), "\r\n".join(head).encode())


def _proof(url: URL) -> Mapping[str, str]:
    """Name and password that stand in a URL, as a proxy in front of an API has them."""
    if url.user is None:
        return {}
    named = f"{url.user}:{url.password or ''}".encode()
    return {"Authorization": f"Basic {base64.b64encode(named).decode()}"}


class HttpClient:
    """Open it before use and close it after; calls overlap freely.

    Raises Unavailable where the request surely did not go out (no connection was made), OutcomeUnknown where it may
    have: a time-out or a drop after that, an answer that can't be read or is larger than `max_answer_bytes`. No call
    is ever made again by itself.
    """

    def __init__(
        self,
        *,
        connect_s: float = CONNECT_S,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        max_calls: int = MAX_CALLS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connect_s = connect_s
        self._max_answer_bytes = max_answer_bytes
        self._tls = tls
        self._is_open = False
        self._room = asyncio.Semaphore(max_calls)
        self._connections: set[Connection] = set()
        self._idle: dict[Origin, list[Connection]] = {}  # the last one that was used stands last, and is used first
        self._sweeping: asyncio.TimerHandle | None = None
        self._names = _Names()

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        self._idle.clear()
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # until the transports have let go of their sockets

    async def call(self, target: Target, body: bytes | Sequence[bytes] | None = None, *, total_s: float) -> HttpAnswer:
        """Make the call and read the whole answer, whatever its status, within `total_s`; connecting before it takes a
        third of that at most. A body in pieces goes out as the peer takes it."""
        if not self._is_open:
            raise Unavailable("the connection is closed")
        connect_s = min(self._connect_s, total_s / 3)
        if self._room.locked():
            await self._wait_for_room(connect_s)
        else:
            await self._room.acquire()
        try:
            connection = self._kept(target.origin) or await self._connect(target.origin, connect_s)
            answer = await connection.exchange(*_request(target.head, body), total_s)
            self._keep(target.origin, connection)
            return answer
        finally:
            self._room.release()

    async def _wait_for_room(self, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self._room.acquire()
        except TimeoutError:
            raise Unavailable("too many calls wait for an answer") from None

    def _kept(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        if idle:
            now = asyncio.get_running_loop().time()
            while idle:
                connection = idle.pop()
                if connection.usable(now):
                    return connection
                connection.abort()
        return None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        if not self._is_open:
            connection.abort()
            return
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = []
        idle.append(connection)
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(KEEP_ALIVE_S, self._sweep)

    def _sweep(self) -> None:
        """Hang up on connections that nobody has used for long."""
        loop = asyncio.get_running_loop()
        for origin, idle in list(self._idle.items()):
            kept = [connection for connection in idle if connection.usable(loop.time())]
            for connection in set(idle).difference(kept):
                connection.abort()
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        self._sweeping = loop.call_later(KEEP_ALIVE_S, self._sweep) if self._idle else None

    async def _connect(self, origin: Origin, limit_s: float) -> Connection:
        try:
            async with asyncio.timeout(limit_s):
                return await self._connected(origin)
        except (OSError, UnicodeError) as error:  # their words hold the host
            self._names.forget(origin)
            why = "it took too long" if isinstance(error, TimeoutError) else type(error).__name__
            raise Unavailable(f"no connection: {why}") from None

    async def _connected(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        addresses = await self._names.find(origin)
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_OTHER_FAMILY_AFTER_S, interleave=1
        )
        try:
            transport, connection = await loop.create_connection(
                lambda: Connection(sock, self._max_answer_bytes, self._connections.discard),
                sock=sock,
                ssl=(self._tls or tls_context()) if origin.secure else None,
                server_hostname=origin.host if origin.secure else None,
            )
        except BaseException:
            sock.close()
            raise
        if not transport.is_closing():
            self._connections.add(connection)
        return connection


class _Names:
    """Where hosts stand, asked again after a while, and once for all who ask at the same time."""

    def __init__(self) -> None:
        self._known: dict[Origin, tuple[float, Sequence[aiohappyeyeballs.AddrInfoType]]] = {}
        self._asking = asyncio.Lock()

    async def find(self, origin: Origin) -> Sequence[aiohappyeyeballs.AddrInfoType]:
        if literal := _as_address(origin):
            return literal
        loop = asyncio.get_running_loop()
        async with self._asking:
            until, addresses = self._known.get(origin, (0.0, []))
            if loop.time() >= until:
                addresses = await loop.getaddrinfo(
                    origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
                )
                self._known[origin] = loop.time() + NAMES_KEPT_S, addresses
            return addresses

    def forget(self, origin: Origin) -> None:
        self._known.pop(origin, None)


def _as_address(origin: Origin) -> Sequence[aiohappyeyeballs.AddrInfoType]:
    """A host that is an address already: asking for it would wait for a thread. Empty for a name."""
    for family, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        try:
            socket.inet_pton(family, origin.host)
        except (OSError, ValueError):
            continue
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (origin.host, origin.port, *rest))]
    return ()


@functools.cache
def tls_context() -> ssl.SSLContext:
    """One for all: reading the system's authorities takes some 20 ms."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _request(head: bytes, body: bytes | Sequence[bytes] | None) -> tuple[bytes, Sequence[bytes]]:
    """What is written at once, and what after it."""
    if body is None:
        return head + b"\r\n", ()
    if isinstance(body, bytes):
        if len(body) <= PIECE_BYTES:
            return b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body), ()
        body = (body,)
    return b"%sContent-Length: %d\r\n\r\n" % (head, sum(map(len, body))), body
