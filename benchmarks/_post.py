"""Posts ready-made requests as fast as they are answered, or so many a second: a process of its own, so that its work
is not counted.

Reads pickled `Posts` from stdin, prints {"seconds": …, "statuses": {"200": …}}. Speaks just enough HTTP/1.1 for answers
with a Content-Length, because a whole client would take as long as what it measures.
"""

import asyncio
import json
import pickle
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class Posts:
    host: str
    port: int
    connections: int
    requests: Sequence[bytes]  # heads and bodies, as they go over the wire
    per_s: float | None = None  # the next when it is due and a connection is free; None: at once


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the one before is there."""

    def __init__(self, requests: Iterator[bytes], due: Iterator[float], statuses: Counter[str]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._due = due
        self._statuses = statuses
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator or len(rest) < _length_of(head):
            return
        self._statuses[head[9:12].decode()] += 1
        self._received = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is not None:
            asyncio.get_running_loop().call_at(next(self._due), self._transport.write, request)
            return
        self.done.set_result(None)
        self._transport.close()


def _length_of(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def main() -> None:
    posts: Posts = pickle.load(sys.stdin.buffer)  # noqa: S301  # the benchmark's own
    loop, statuses, requests = asyncio.get_running_loop(), Counter[str](), iter(posts.requests)
    began = time.monotonic()
    due = count(loop.time(), 1 / posts.per_s if posts.per_s else 0)
    opened = [
        await loop.create_connection(lambda: _Connection(requests, due, statuses), posts.host, posts.port)
        for _ in range(posts.connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in opened))
    print(json.dumps({"seconds": time.monotonic() - began, "statuses": statuses}))


if __name__ == "__main__":
    asyncio.run(main())
