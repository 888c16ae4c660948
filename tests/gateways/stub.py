"""A Bot API server of a few lines, written from Telegram's documentation and not from our simulator: it answers what a
test tells it to, in order, and keeps every request as it came."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

Json = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """A request: the method and its parameters, nested ones decoded; files as {key: (name, type, bytes)}."""

    method: str
    values: Json
    files: Mapping[str, tuple[str, str, bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """An answer; `hang_up` closes the connection instead, after the request was read."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    hang_up: bool = False
    delay_s: float = 0.0


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


class Stub:
    def __init__(self) -> None:
        self.url = ""
        self.replies: list[Reply] = []
        self.sent: list[Sent] = []
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
        parts = request.path.split("/")
        if len(parts) != 3 or not parts[1].startswith("bot"):
            self.wrong_paths.append(request.path)
            return web.Response(status=404)
        self.sent.append(await _read(parts[2], request))
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


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


async def _read(method: str, request: web.Request) -> Sent:
    kind = request.content_type
    if kind == "application/json":
        return Sent(method, json.loads(await request.read()))
    if kind == "application/x-www-form-urlencoded":
        return Sent(method, {name: _decoded(value) for name, value in parse_qsl(await request.text())})
    values: Json = {}
    files: dict[str, tuple[str, str, bytes]] = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        content = bytes(await part.read())
        if part.filename is None:
            values[str(part.name)] = _decoded(content.decode())
        else:
            files[str(part.name)] = (part.filename, part.headers["Content-Type"], content)
    return Sent(method, values, files)


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


@asynccontextmanager
async def running_stub() -> AsyncIterator[Stub]:
    stub = Stub()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{tail:.*}", stub.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stub.url = f"http://127.0.0.1:{site.port}"
    try:
        yield stub
    finally:
        await runner.cleanup()
