"""One connection to a platform's server: a request goes out, its answer comes in, one at a time."""

import asyncio
import functools
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateways.base import OutcomeUnknown, Unavailable

KEEP_ALIVE_S = 60.0  # less than the 75 s after which nginx hangs up by itself
PIECE_BYTES = 64 * 1024  # of a large body: TLS would encrypt the whole of it at once, and every lane would wait
_TIMEOUT = re.compile(r"timeout=(\d{1,6})")


class HttpAnswer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]  # names in lower case


class Connection(asyncio.Protocol):
    """Made by a loop on `sock`; `exchange` once, and again whenever it is `usable` after that.

    `most_bytes` bounds an answer with its head; `on_lost` is called when the connection has ended."""

    def __init__(self, sock: socket.socket, most_bytes: int, on_lost: Callable[["Connection"], None]) -> None:
        self.good_until = 0.0  # by the loop's clock, while nobody uses it
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._most_bytes = most_bytes
        self._on_lost = on_lost
        self._transport: asyncio.Transport
        self._parser = HttpResponseParser(self)
        self._sound = True  # nothing is under way, and what comes next answers the next request
        self._answer: asyncio.Future[HttpAnswer | OutcomeUnknown] | None = None
        self._written = False  # the whole of the request
        self._flowing: asyncio.Future[None] | None = None  # done when the peer takes more of it
        self._received = 0
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._ends_with_connection = False

    def usable(self, now: float) -> bool:
        """Whether a kept one may carry another request: the peer has not hung up, nor said a word that nobody asked
        for (the answer to another request), nor is such waiting in the socket for the loop to read it."""
        if not self._sound or now >= self.good_until or self._transport.is_closing():
            return False
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def abort(self) -> None:
        self._break("closed by us")

    async def exchange(self, request: bytes, rest: Sequence[bytes], total_s: float) -> HttpAnswer:
        """Write a request, `rest` piece by piece, and return the answer.

        Raises Unavailable where nothing was written, else OutcomeUnknown; this connection has ended then, as it has
        when the call is cancelled."""
        if not self._sound or self._transport.is_closing():
            raise Unavailable("no connection: it was closed before it was used")
        self._sound = self._written = self._ends_with_connection = False
        self._received = 0
        self._answer = self._loop.create_future()
        late = self._loop.call_later(total_s, self._be_late, total_s)
        try:
            self._transport.write(request)
            if rest:
                await self._write(rest)
            self._written = True
            answer = await self._answer
        except asyncio.CancelledError:
            self._sound = False  # also where the answer has just come: nobody is there to keep the connection
            raise
        finally:
            late.cancel()
            self._answer = None
            if not self._sound:
                self._transport.abort()
        if isinstance(answer, OutcomeUnknown):
            raise answer
        return answer

    async def _write(self, pieces: Sequence[bytes]) -> None:
        """As fast as the peer takes it, or until it answers."""
        for piece in pieces:
            view = memoryview(piece)
            for place in range(0, len(view), PIECE_BYTES):
                if self._flowing is not None:
                    await self._flowing
                if self._answer is None or self._answer.done():
                    return
                self._transport.write(view[place : place + PIECE_BYTES])

    def _be_late(self, total_s: float) -> None:
        self._break(f"no answer within {total_s:g} s")

    def _break(self, why: str) -> None:
        self._sound = False
        self._settle(OutcomeUnknown(why))
        self._transport.abort()

    def _settle(self, answer: HttpAnswer | OutcomeUnknown) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
        self.resume_writing()

    # --- called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._answer is None or self._answer.done():
            self._break("an answer that nobody asked for")
        elif self._received > self._most_bytes:
            self._break("the answer is larger than any that the platform gives")
        else:
            try:
                self._parser.feed_data(data)
            except (HttpParserError, HttpParserUpgrade):
                self._break("the answer is no HTTP")

    def connection_lost(self, error: Exception | None) -> None:
        if self._ends_with_connection and error is None:
            self._settle(self._whole_answer())
        self._break(f"the connection broke off: {type(error).__name__ if error else 'closed by the server'}")
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._flowing = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._flowing is not None and not self._flowing.done():
            self._flowing.set_result(None)
        self._flowing = None

    # --- called by the parser

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            self._sound = False  # a second answer came right behind the first
        self._headers = {}
        self._body = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[_lower(name)] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            self._ends_with_connection = not ("content-length" in self._headers or "transfer-encoding" in self._headers)

    def on_body(self, piece: bytes) -> None:
        self._body.append(piece)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            return  # 100 Continue, 103 Early Hints: the answer follows
        if self._answer is None or self._answer.done():
            return
        self._sound = self._written and self._parser.should_keep_alive()
        self.good_until = self._loop.time() + _kept_s(self._headers)
        self._settle(self._whole_answer())

    def _whole_answer(self) -> HttpAnswer:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        return HttpAnswer(self._parser.get_status_code(), body, self._headers)


@functools.lru_cache(maxsize=256)  # every answer has the same names
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _kept_s(headers: Mapping[str, str]) -> float:
    """How long the server keeps a connection that nobody uses, less what a request needs to get there."""
    if "keep-alive" not in headers:
        return KEEP_ALIVE_S
    said = _TIMEOUT.search(headers["keep-alive"])
    return min(float(said[1]) - 1.0, KEEP_ALIVE_S) if said else KEEP_ALIVE_S
