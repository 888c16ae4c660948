"""Who may stand in the doorway: whoever connects and asks for nothing is hung up on, and sending keeps its files."""

import asyncio
import resource
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from bot.ports import taken_port

if TYPE_CHECKING:
    from aiohttp.web_protocol import RequestHandler

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SPEAK_WITHIN_S = 10.0  # of connecting, a whole head of a request
MOST_CONNECTIONS = 5000
FEW_FILES = 4096  # that the process may open at least; many systems give 1024 until one asks for more


class Doorway:
    """`note` stands among the app's middlewares."""

    def __init__(self, *, speak_within_s: float = SPEAK_WITHIN_S, most: int = MOST_CONNECTIONS) -> None:
        self._speak_within_s = speak_within_s
        self._most = min(most, _files() // 2)
        self._silent: set[RequestHandler] = set()
        self._server: web.Server
        self._loop: asyncio.AbstractEventLoop

    async def open(self, runner: web.AppRunner, host: str, port: int) -> tuple[asyncio.Server, int]:
        """Listen; the port is another than asked for only where 0 was. Raises TakenPort."""
        self._loop = asyncio.get_running_loop()
        assert runner.server is not None  # noqa: S101  # it is set up
        self._server = runner.server
        try:
            listening = await self._loop.create_server(self._greet, host, port, backlog=1024, reuse_address=True)
        except OSError as error:
            raise taken_port(host, port, error, "Stop what listens there, or set another port in [web].") from error
        return listening, int(listening.sockets[0].getsockname()[1])

    @web.middleware
    async def note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._silent.discard(request.protocol)
        return await handler(request)

    def _greet(self) -> "RequestHandler":
        protocol = self._server()
        self._silent.add(protocol)
        crowded = len(self._server.connections) >= self._most
        self._loop.call_later(0.1 if crowded else self._speak_within_s, self._look_at, protocol)
        return protocol

    def _look_at(self, protocol: "RequestHandler") -> None:
        if protocol in self._silent:
            self._silent.discard(protocol)
            if protocol.transport is not None:
                protocol.transport.abort()


def _files() -> int:
    """How many files this process may have open, after asking for as many as it is given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FEW_FILES and (hard == resource.RLIM_INFINITY or hard > soft):
        soft = FEW_FILES if hard == resource.RLIM_INFINITY else min(hard, FEW_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
