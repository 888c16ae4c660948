"""A simulated platform's own server on loopback: it listens, and goes dark on demand."""

import argparse
import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

MAX_BODY_BYTES = 64 * 1024 * 1024
BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>502 Bad Gateway</h1></body></html>"
)


class Hangup(Exception):
    """Close the connection without an answer."""


class Listening(ABC):
    """`handle` answers every request."""

    def __init__(self) -> None:
        self._outage: asyncio.Task[None] | None = None
        self._host = "127.0.0.1"
        self._port = 0
        self._server: web.Server | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.TCPSite | None = None
        self.dark = False

    @abstractmethod
    async def handle(self, request: web.BaseRequest) -> web.StreamResponse: ...

    @property
    def url(self) -> str:
        """Where it listens; `api_base` of a channel begins with it."""
        return f"http://{self._host}:{self._port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one, `url` then names it."""
        factory = partial(web.BaseRequest, loop=asyncio.get_running_loop(), client_max_size=MAX_BODY_BYTES)
        self._server = web.Server(self.handle, request_factory=factory, access_log=None)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.2)
        await self._runner.setup()
        self._host = host
        await self._listen(port)

    async def _listen(self, port: int) -> None:
        assert self._runner is not None  # noqa: S101
        self._site = web.TCPSite(self._runner, self._host, port, reuse_address=True, backlog=1024)
        await self._site.start()
        self._port = self._site.port

    async def stop(self) -> None:
        if self._outage is not None:
            self._outage.cancel()
            await asyncio.wait([self._outage])
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = self._site = self._server = None

    # --- going dark

    async def begin_outage(self) -> None:
        """Refuse connections and cut those that are open, until `end_outage`."""
        self.dark = True
        if self._site is not None:
            await self._site.stop()
        if self._server is not None:
            for connection in self._server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    async def end_outage(self) -> None:
        """Listen again, on the same port."""
        if self._runner is not None and self.dark:
            await self._listen(self._port)
        self.dark = False

    @contextlib.asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        await self.begin_outage()
        try:
            yield
        finally:
            await self.end_outage()

    def schedule_outage(self, seconds: float) -> None:
        """An outage that begins in a moment, so that whoever asked for it over HTTP still gets an answer."""
        if self._outage is None or self._outage.done():
            self._outage = asyncio.create_task(self._run_outage(seconds), name="outage")

    async def _run_outage(self, seconds: float) -> None:
        await asyncio.sleep(0.05)
        async with self.outage():
            await asyncio.sleep(seconds)


def hang_up(request: web.BaseRequest) -> web.Response:
    """Cut the connection; the answer goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def wait_for_hangup(request: web.BaseRequest) -> None:
    # aiohttp tells a handler of a disconnect only by cancelling it, which would lose accepted messages elsewhere.
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def serve(simulator: Listening, options: argparse.Namespace) -> None:
    """Listen as the options say until cancelled; whoever started this process reads the URL in its first line."""
    await simulator.start(options.host, options.port)
    print(simulator.url, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await simulator.stop()


def server_options(description: str) -> argparse.ArgumentParser:
    """What every simulator takes when it is a process of its own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; the first line printed is the URL")
    parser.add_argument("--count-only", action="store_true", help="keep no messages and no calls, only counts")
    return parser


def run_until_interrupted(work: "Coroutine[Any, Any, None]") -> None:
    """On uvloop where it is there, for benchmarks."""
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)
