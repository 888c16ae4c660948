"""The web side over real HTTP: what a webhook answers, and what it committed by then."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from bot.http import MAX_BODY_BYTES, MAX_HOOK_BYTES, Doors, Readiness, create_app, serve
from bot.ports import TakenPort
from gateways.base import Answer, BadSignature, Heard, Hook, Subscribed, Unreadable
from gateways.telegram.gateway import TelegramGateway

SECRET = {"X-Telegram-Bot-Api-Secret-Token": "right"}
START = {
    "update_id": 710000001,
    "message": {
        "message_id": 501,
        "from": {"id": 100200300, "is_bot": False, "first_name": "Ирина"},
        "chat": {"id": 100200300, "first_name": "Ирина", "type": "private"},
        "date": 1798761600,
        "text": "/start promo_42",
        "entities": [{"offset": 0, "length": 6, "type": "bot_command"}],
    },
}


Headers = dict[str, str]


class NoMedia:
    async def find_upload(self, channel: str, source: str, kind: object) -> str | None:
        return None

    async def remember_upload(self, channel: str, source: str, kind: object, remote_id: str) -> None: ...

    async def forget_upload(self, channel: str, source: str, kind: object) -> None: ...

    def read_file(self, source: str) -> bytes:
        raise FileNotFoundError(source)


class AdminBot:
    """Takes hooks as an admin bot does."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def take_hook(self, hook: Hook) -> Answer:
        if hook.headers.get("x-telegram-bot-api-secret-token") != "admin":
            raise BadSignature
        if not hook.body.startswith(b"{"):
            raise Unreadable
        self.heard.append(hook.body)
        return Answer()


@dataclass
class Web:
    """The web side as it is reached from outside, and what came in."""

    url: str
    session: ClientSession
    taken: list[tuple[str, Heard]] = field(default_factory=list)
    admin: AdminBot = field(default_factory=AdminBot)

    async def post(
        self, path: str, body: bytes | dict[str, Any], headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(self.url + path, data=data, headers=headers) as response:
            return response.status, await response.text()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as response:
            return response.status, await response.text()


async def _ready() -> Readiness:
    return Readiness(ready=True, broken={"tg-old": "Unauthorized"}, stopped=True)


async def _metrics() -> tuple[bytes, str]:
    return b"carillon_up 1\n", "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def open_web(
    take: Callable[[str, Heard], Awaitable[None]] | None = None, *, max_hooks: int = 200, **doors: Any
) -> AsyncIterator[Web]:
    shop = TelegramGateway(channel="tg-shop", token="2:SHOP", media=NoMedia(), webhook_secret="right")
    opened: list[Web] = []

    async def remember(channel: str, heard: Heard) -> None:
        opened[0].taken.append((channel, heard))

    admin = AdminBot()
    app = create_app(
        Doors(
            gateways={"tg-shop": shop},
            take=take or remember,
            ready=doors.pop("ready", _ready),
            metrics=_metrics,
            bots={"telegram": admin},
            max_hooks=max_hooks,
            **doors,
        )
    )
    async with serve(app, "127.0.0.1", 0) as port, ClientSession() as session:
        opened.append(Web(f"http://127.0.0.1:{port}", session, admin=admin))
        yield opened[0]


async def megabytes(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * 1024 * 1024


async def test_an_update_is_answered_200_and_taken() -> None:
    async with open_web() as page:
        assert await page.post("/hooks/tg-shop", START, SECRET) == (200, "")

        [(channel, heard)] = page.taken
        assert channel == "tg-shop"
        assert isinstance(heard.inbound[0], Subscribed)
        assert heard.inbound[0].payload == "promo_42"


@pytest.mark.parametrize("headers", [{}, {"X-Telegram-Bot-Api-Secret-Token": "wrong"}])
async def test_a_wrong_or_missing_signature_gets_403_and_changes_nothing(headers: dict[str, str]) -> None:
    async with open_web() as page:
        status, _ = await page.post("/hooks/tg-shop", START, headers)

        assert (status, page.taken) == (403, [])


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"update_id": ', b"\xff\xfe", b"{}"])
async def test_an_unreadable_body_gets_400(body: bytes) -> None:
    async with open_web() as page:
        status, _ = await page.post("/hooks/tg-shop", body, SECRET)

        assert (status, page.taken) == (400, [])


async def test_a_body_above_4_mb_gets_413() -> None:
    async with open_web() as page:
        headers = SECRET | {"Content-Length": str(5 * 1024 * 1024)}
        async with page.session.post(f"{page.url}/hooks/tg-shop", data=megabytes(5), headers=headers) as response:
            assert response.status == 413
        assert page.taken == []


async def test_a_body_above_4_mb_in_chunks_gets_413() -> None:
    async with (
        open_web() as page,
        page.session.post(f"{page.url}/hooks/tg-shop", data=megabytes(5), headers=SECRET) as response,
    ):
        assert response.status == 413


async def test_an_event_that_we_do_not_use_gets_200() -> None:
    async with open_web() as page:
        status, _ = await page.post("/hooks/tg-shop", {"update_id": 5, "poll": {"id": "1"}}, SECRET)

        assert status == 200


async def test_an_unknown_channel_gets_404() -> None:
    async with open_web() as page:
        assert (await page.post("/hooks/tg-other", START, SECRET))[0] == 404
        assert (await page.get("/hooks/tg-other"))[0] == 404


async def test_a_get_is_verified_like_any_other() -> None:
    async with open_web() as page:
        assert (await page.get("/hooks/tg-shop"))[0] == 403


async def test_a_fault_of_ours_gets_500_and_the_log_holds_neither_text_nor_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fall_over(channel: str, heard: Heard) -> None:
        raise RuntimeError("the database is away")

    async with open_web(fall_over) as page:
        status, words = await page.post("/hooks/tg-shop", START, SECRET)

    assert (status, words) == (500, "Something broke on our side.")
    assert "a request failed" in caplog.text
    assert "100200300" not in caplog.text
    assert "promo_42" not in caplog.text


async def test_an_overload_gets_503_with_the_time_to_come_again() -> None:
    free = asyncio.Event()

    async def wait(channel: str, heard: Heard) -> None:
        await free.wait()

    async with open_web(wait, max_hooks=2) as page:
        waiting = [asyncio.create_task(page.post("/hooks/tg-shop", START, SECRET)) for _ in range(2)]
        await asyncio.sleep(0.2)
        async with page.session.post(f"{page.url}/hooks/tg-shop", json=START, headers=SECRET) as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == "1"
        free.set()
        assert [status for status, _ in await asyncio.gather(*waiting)] == [200, 200]
        assert (await page.post("/hooks/tg-shop", START, SECRET))[0] == 200


async def test_bodies_that_would_fill_the_memory_get_503_and_small_ones_still_come_in() -> None:
    async with open_web() as page:
        host = page.url.removeprefix("http://")
        head = f"POST /hooks/tg-shop HTTP/1.1\r\nHost: {host}\r\nContent-Length: {MAX_BODY_BYTES}\r\n\r\n"
        slow = [await asyncio.open_connection(*host.split(":")) for _ in range(MAX_HOOK_BYTES // MAX_BODY_BYTES + 1)]
        answers = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _writer in slow]
        for _reader, writer in slow:
            writer.write(head.encode() + bytes(MAX_BODY_BYTES - 1))
        (refused,), others = await asyncio.wait(answers, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert refused.result().startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in refused.result()
        assert (await page.post("/hooks/tg-shop", START, SECRET))[0] == 200
        for answer in others:
            answer.cancel()
        for _reader, writer in slow:
            writer.close()


async def test_who_begins_a_request_and_says_no_more_keeps_nobody_out() -> None:
    async with open_web(max_hooks=2) as page:
        host = page.url.removeprefix("http://")
        head = f"POST /hooks/tg-shop HTTP/1.1\r\nHost: {host}\r\nContent-Length: {MAX_BODY_BYTES}\r\n\r\n{{"
        slow = [await asyncio.open_connection(*host.split(":")) for _ in range(MAX_HOOK_BYTES // MAX_BODY_BYTES + 1)]
        for _reader, writer in slow:
            writer.write(head.encode())
            await writer.drain()
        assert [(await page.post("/hooks/tg-shop", START, SECRET))[0] for _ in range(3)] == [200, 200, 200]
        for _reader, writer in slow:
            writer.close()


async def test_an_admin_bot_has_its_own_hook() -> None:
    async with open_web() as page:
        admin = {"X-Telegram-Bot-Api-Secret-Token": "admin"}
        assert (await page.post("/hooks/bots/telegram", {"update_id": 1}, admin))[0] == 200
        assert (await page.post("/hooks/bots/telegram", {"update_id": 1}, SECRET))[0] == 403
        assert (await page.post("/hooks/bots/telegram", b"x", admin))[0] == 400
        assert (await page.post("/hooks/bots/slack", {"update_id": 1}, admin))[0] == 404

        assert page.admin.heard == [b'{"update_id": 1}']


async def test_health_readiness_and_metrics_are_told() -> None:
    async with open_web() as page:
        assert await page.get("/health") == (200, '{"status": "ok"}')
        status, body = await page.get("/ready")
        assert status == 200
        assert json.loads(body)["broken_channels"] == {"tg-old": "Unauthorized"}
        assert json.loads(body)["stopped"] is True
        assert (await page.get("/metrics"))[1] == "carillon_up 1\n"


async def test_what_is_not_ready_gets_503_and_says_why() -> None:
    async def not_ready() -> Readiness:
        return Readiness(ready=False, problems=("the lane of tg-shop is not running",))

    async with open_web(ready=not_ready) as page:
        status, body = await page.get("/ready")

        assert status == 503
        assert json.loads(body)["problems"] == ["the lane of tg-shop is not running"]


@pytest.mark.parametrize("path", ["/", "/l/abc", "/u/abc", "/nowhere"])
async def test_what_is_not_there_gets_404(path: str) -> None:
    async with open_web() as page:
        assert (await page.get(path))[0] == 404


async def test_further_routes_are_served() -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async with open_web(mounts=[lambda app: app.add_routes([web.get("/", hello)])]) as page:
        assert await page.get("/") == (200, "hello")


async def test_a_connection_that_never_ends_its_headers_is_closed() -> None:
    async with serve(web.Application(), "127.0.0.1", 0, idle_s=0.2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /hooks/tg-shop HTTP/1.1\r\nHost: m.acme.test\r\nX-Slow: ")
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_a_body_that_does_not_come_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.http.BODY_WITHIN_S", 0.2)
    async with open_web() as page:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(page.url.rpartition(":")[2]))
        head = "POST /hooks/tg-shop HTTP/1.1\r\nHost: m.acme.test\r\nContent-Length: 9\r\n\r\n{"
        writer.write(head.encode())
        async with asyncio.timeout(30):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()


@pytest.mark.parametrize("depth", [10_000, 900_000])
async def test_a_body_nested_without_end_gets_400(depth: int) -> None:
    async with open_web() as page:
        assert await page.post("/hooks/tg-shop", b"[" * depth, SECRET) == (400, "The body can't be read.")


async def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TakenPort, match=f"127.0.0.1:{port} can't be listened on: the port is taken"):
            async with serve(web.Application(), "127.0.0.1", port):
                pass


async def test_who_hangs_up_in_the_middle_of_a_body_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async with open_web() as page:
        address = URL(page.url)
        _reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"POST /hooks/tg-shop HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.transport.abort()
        await asyncio.sleep(0.1)
        assert (await page.post("/hooks/tg-shop", START, SECRET))[0] == 200
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
