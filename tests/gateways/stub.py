"""A platform's server of a few lines, written from its documentation and not from our simulator: it answers what a test
tells it to, in order, and keeps every request as it came. `Stub` is a Bot API server of Telegram, `AnyStub` takes
requests to any path."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

Json = dict[str, Any]

# Of this process alone, where the system lets anybody use the whole of 127/8: a port that another test has just left is
# soon given to us, and whoever still calls there would be counted.
_HOST = f"127.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}" if sys.platform == "linux" else "127.0.0.1"


@dataclass(frozen=True)
class Sent:
    """A request: the method and its parameters, nested ones decoded; files as {key: (name, type, bytes)}."""

    method: str
    values: Json
    files: Mapping[str, tuple[str, str, bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class Got:
    """A request to any path: `values` are its JSON or form, nested ones decoded, and None where it has no body.

    `headers` holds those that the stub was told to keep, names in lower case; `raw` is not compared."""

    path: str
    values: Any = None
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, str, bytes]] = field(default_factory=dict)
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True)
class Reply:
    """An answer; `hang_up` closes the connection instead, after the request was read."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    hang_up: bool = False
    delay_s: float = 0.0


def said(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer that is this JSON and nothing around it."""
    kept = {"Content-Type": "application/json", **(headers or {})}
    return Reply(status, json.dumps(value, ensure_ascii=False).encode(), kept)


def taken(result: Any) -> Reply:
    return Reply(200, json.dumps({"ok": True, "result": result}, ensure_ascii=False).encode())


def refused(code: int, description: str | None = None, *, status: int | None = None, **rest: Any) -> Reply:
    headers = {"Content-Type": "application/json", **rest.pop("headers", {})}
    body: Json = {"ok": False, "error_code": code, **rest}
    if description is not None:
        body["description"] = description
    return Reply(status or code, json.dumps(body).encode(), headers)


def message(message_id: Any, chat_id: int = 100200300, **rest: Any) -> Json:
    """A sent message as core.telegram.org/bots/api#message shows it."""
    return {
        "message_id": message_id,
        "from": {"id": 555000111, "is_bot": True, "first_name": "Shop", "username": "shop_demo_bot"},
        "chat": {"id": chat_id, "first_name": "Ирина", "type": "private"},
        "date": 1798761700,
        **rest,
    }


Request = TypeVar("Request")


class _Server(Generic[Request]):
    def __init__(self) -> None:
        self.url = ""
        self.replies: list[Reply] = []
        self.sent: list[Request] = []
        self.arrived = asyncio.Event()  # a request was read
        self.wrong_paths: list[str] = []
        self.pages: dict[str, Reply] = {}  # what GET answers, for files by URL
        self._peers: set[object] = set()

    @property
    def connections(self) -> int:
        return len(self._peers)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and request.path in self.pages:
            return _response(self.pages[request.path])
        assert request.transport is not None
        self._peers.add(request.transport.get_extra_info("peername"))
        read = await self.read(request)
        if read is None:
            self.wrong_paths.append(request.path)
            return web.Response(status=404)
        self.sent.append(read)
        self.arrived.set()
        if not self.replies:
            return web.Response(status=404, text="the test gave no answer to this request")
        reply = self.replies.pop(0)
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        if reply.hang_up:
            assert request.transport is not None
            request.transport.abort()
        return _response(reply)

    async def read(self, request: web.Request) -> Request | None:
        """The request as a test compares it, or None where the platform has no such path."""
        raise NotImplementedError


class Stub(_Server[Sent]):
    async def read(self, request: web.Request) -> Sent | None:
        parts = request.path.split("/")
        if len(parts) != 3 or not parts[1].startswith("bot"):
            return None
        values, files = await _read(request)
        return Sent(parts[2], values, files)


class AnyStub(_Server[Got]):
    """`keeps` are the headers that a test compares, such as the one with the token."""

    def __init__(self, keeps: Sequence[str] = ()) -> None:
        super().__init__()
        self._keeps = keeps

    async def read(self, request: web.Request) -> Got | None:
        has_body = request.can_read_body  # which is false once it was read
        raw = b"" if request.content_type.startswith("multipart/") else await request.read()
        values, files = await _read(request) if has_body else (None, {})
        headers = {name: request.headers[name] for name in self._keeps if name in request.headers}
        return Got(request.path, values, request.method, dict(request.query), headers, files, raw)


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


Files = dict[str, tuple[str, str, bytes]]


async def _read(request: web.Request) -> tuple[Json, Files]:
    kind = request.content_type
    if kind == "application/json":
        return json.loads(await request.read()), {}
    if kind == "application/x-www-form-urlencoded":
        return {name: _decoded(value) for name, value in parse_qsl(await request.text())}, {}
    if not kind.startswith("multipart/"):
        return {}, {}  # bytes: `raw` holds them
    values: Json = {}
    files: Files = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        content = bytes(await part.read())
        if part.filename is None:
            values[str(part.name)] = _decoded(content.decode())
        else:
            files[str(part.name)] = (part.filename, part.headers["Content-Type"], content)
    return values, files


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


@asynccontextmanager
async def running_stub() -> AsyncIterator[Stub]:
    stub = Stub()
    async with _running(stub):
        yield stub


@asynccontextmanager
async def running_any_stub(keeps: Sequence[str] = ()) -> AsyncIterator[AnyStub]:
    stub = AnyStub(keeps)
    async with _running(stub):
        yield stub


@asynccontextmanager
async def _running(stub: _Server[Any]) -> AsyncIterator[None]:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{tail:.*}", stub.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, _HOST, 0)
    await site.start()
    stub.url = f"http://{_HOST}:{site.port}"
    try:
        yield
    finally:
        await runner.cleanup()
