"""Fetching a file that an operator named by URL: public addresses only, bounded in size and time."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    ThreadedResolver,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

Address = IPv4Address | IPv6Address

TOTAL_S = 60.0
CONNECT_S = 10.0
MAX_REDIRECTS = 4
_MISSING = frozenset({400, 404, 410})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSLATED = ip_network("64:ff9b::/96")  # NAT64: an IPv4 address that may be anything


class NotFetched(Exception):
    """The file can't be had; the words say why, for an operator."""


class Fetched(NamedTuple):
    content: bytes
    content_type: str
    name: str


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, and hides no other inside."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address in _TRANSLATED or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


def near(api_base: str) -> Callable[[Address], bool]:
    """Where the pictures of a channel may be fetched: from the open internet, and, where the platform itself stands
    on this very machine (a test bench), from this machine too.

    For what is recognised by its bytes, or only measured: nothing else of this machine may go out in its place."""
    host = URL(api_base).host or ""
    try:
        on_bench = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        on_bench = False
    return _public_or_ours if on_bench else is_public


def _public_or_ours(address: Address) -> bool:
    return is_public(address) or address.is_loopback


class _CheckedResolver(AbstractResolver):
    """Names that lead to an address which is not allowed lead nowhere: checked where the connection is made, so that
    a name can't change in between."""

    def __init__(self, allowed: Callable[[Address], bool]) -> None:
        self._allowed = allowed
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        kept = [result for result in found if self._allowed(ip_address(result["host"].partition("%")[0]))]
        if not kept:
            raise NotFetched("its address is not a public one")
        return kept

    async def close(self) -> None:
        await self._inner.close()


async def fetch(url: str, max_bytes: int, *, allowed: Callable[[Address], bool] = is_public) -> Fetched:
    """The file behind an http(s) URL. Raises NotFetched."""
    async with _session(allowed) as session, _opened(session, url, allowed) as response:
        if response.status != 200:
            raise NotFetched(f"its server answers HTTP {response.status}")
        content = bytearray()
        async for piece in response.content.iter_any():
            content += piece
            if len(content) > max_bytes:
                raise NotFetched(f"it is larger than {max_bytes // (1024 * 1024)} MB")
        if not content:
            raise NotFetched("it is empty")
        return Fetched(bytes(content), response.content_type, response.url.name)


async def look_at(url: str, *, allowed: Callable[[Address], bool] = is_public) -> int | None:
    """How large what stands behind an http(s) URL is, where its server says so; the content is not read.

    Raises NotFetched where there is nothing. A server that only does not let us in counts as one that has it."""
    async with _session(allowed) as session, _opened(session, url, allowed) as response:
        if response.status in _MISSING or response.status >= 500:
            raise NotFetched(f"its server answers HTTP {response.status}")
        return response.content_length


def _session(allowed: Callable[[Address], bool]) -> ClientSession:
    connector = TCPConnector(resolver=_CheckedResolver(allowed), force_close=True, use_dns_cache=False)
    timeout = ClientTimeout(total=TOTAL_S, connect=CONNECT_S)
    return ClientSession(connector=connector, timeout=timeout, cookie_jar=DummyCookieJar())


@asynccontextmanager
async def _opened(
    session: ClientSession, source: str, allowed: Callable[[Address], bool]
) -> AsyncIterator[ClientResponse]:
    """The answer of the last of all places that we are sent to. Raises NotFetched."""
    try:
        url = URL(source)
        for _ in range(MAX_REDIRECTS + 1):
            _require_allowed(url, allowed)
            async with session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS or "Location" not in response.headers:
                    yield response
                    return
                url = url.join(URL(response.headers["Location"]))
        raise NotFetched("its server sends us from place to place")
    except TimeoutError:
        raise NotFetched("it took too long") from None
    except (ClientError, OSError, ValueError) as error:
        raise NotFetched(f"it can't be reached ({type(error).__name__})") from None


def _require_allowed(url: URL, allowed: Callable[[Address], bool]) -> None:
    """An address that stands in the URL itself is connected to without asking any resolver."""
    if url.scheme not in ("http", "https") or not url.host:
        raise NotFetched("it is no http or https URL")
    try:
        address = ip_address(url.host.partition("%")[0])
    except ValueError:
        return
    if not allowed(address):
        raise NotFetched("its address is not a public one")
