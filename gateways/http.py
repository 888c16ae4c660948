"""Calls to a platform over HTTP: one session of kept connections, and errors that say whether a call may have arrived.

A token often stands in the URL, so nothing here logs a URL or lets one into an exception.
"""

import asyncio
import socket
from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    FormData,
    TCPConnector,
    ThreadedResolver,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateways.base import OutcomeUnknown, Unavailable

MAX_CONNECTIONS = 1000  # of one channel: 25 calls/s that hang for 40 s
KEEP_ALIVE_S = 60.0
CONNECT_S = 10.0  # for the name, and again for TCP and TLS
MAX_ANSWER_BYTES = 8 * 1024 * 1024  # a hundred updates are far below


class HttpAnswer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]


class HttpClient:
    """Open it before use and close it after; calls overlap freely.

    Raises Unavailable where the request surely did not go out (no connection was made), OutcomeUnknown where it may
    have: a time-out or a drop after that, an answer that can't be read or is larger than `max_answer_bytes`.
    """

    def __init__(self, *, connect_s: float = CONNECT_S, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._connect_s = connect_s
        self._max_answer_bytes = max_answer_bytes
        self._timeouts: dict[float, ClientTimeout] = {}
        self._session: ClientSession | None = None

    async def open(self) -> None:
        if self._session is None:
            connector = TCPConnector(
                limit=MAX_CONNECTIONS,
                keepalive_timeout=KEEP_ALIVE_S,
                ttl_dns_cache=60,
                resolver=_TimedResolver(self._connect_s),
            )
            self._session = ClientSession(connector=connector, cookie_jar=DummyCookieJar())

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(
        self, url: URL, body: bytes | FormData, headers: Mapping[str, str] | None = None, *, total_s: float
    ) -> HttpAnswer:
        """POST and read the whole answer, whatever its status; redirects are not followed."""
        return await self._request("POST", url, body, headers, total_s)

    async def get(self, url: URL, headers: Mapping[str, str] | None = None, *, total_s: float) -> HttpAnswer:
        """The same for what is only asked."""
        return await self._request("GET", url, None, headers, total_s)

    async def _request(
        self, method: str, url: URL, body: bytes | FormData | None, headers: Mapping[str, str] | None, total_s: float
    ) -> HttpAnswer:
        session = self._session
        if session is None or session.closed:
            raise Unavailable("the connection is closed")
        try:
            response = await session.request(
                method, url, data=body, headers=headers, timeout=self._timeout(total_s), allow_redirects=False
            )
            # Their words hold the URL, so the causes are not kept.
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise Unavailable(f"no connection: {_kind_of(error)}") from None
        except TimeoutError:
            raise OutcomeUnknown(f"no answer within {total_s:g} s") from None
        except (ClientError, OSError) as error:
            raise OutcomeUnknown(f"the connection broke off: {type(error).__name__}") from None
        try:
            return HttpAnswer(response.status, await self._read(response), response.headers)
        except TimeoutError:
            raise OutcomeUnknown(f"no whole answer within {total_s:g} s") from None
        except (ClientError, OSError) as error:
            raise OutcomeUnknown(f"the answer broke off: {type(error).__name__}") from None
        finally:
            response.release()

    async def _read(self, response: ClientResponse) -> bytes:
        length = response.content_length
        if length is not None and length <= self._max_answer_bytes and "Content-Encoding" not in response.headers:
            return await response.read()
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > self._max_answer_bytes:
                response.close()
                raise OutcomeUnknown("the answer is larger than any that the platform gives")
        return bytes(body)

    def _timeout(self, total_s: float) -> ClientTimeout:
        timeout = self._timeouts.get(total_s)
        if timeout is None:
            # The whole must not end first while it still connects: it could not be told from a sent request.
            # `sock_connect` and a resolver with a limit of its own cost a kept connection nothing; `connect` would.
            timeout = ClientTimeout(total=total_s, sock_connect=min(self._connect_s, total_s / 3))
            self._timeouts[total_s] = timeout
        return timeout


class _TimedResolver(AbstractResolver):
    """Names, found within a limit: a name server that is silent must not use up the time of the whole call."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        async with asyncio.timeout(self._limit_s):
            return await self._inner.resolve(host, port, family)

    async def close(self) -> None:
        await self._inner.close()


def _kind_of(error: ClientConnectorError | ConnectionTimeoutError) -> str:
    """Why, without host and URL: "ConnectionRefusedError", "ClientConnectorDNSError" …"""
    if isinstance(error, ConnectionTimeoutError):
        return "it took too long"
    cause = error.os_error if isinstance(error, ClientConnectorError) else error
    return type(cause if isinstance(cause, asyncio.TimeoutError | ConnectionError) else error).__name__
