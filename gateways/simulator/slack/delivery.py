"""How a simulated Slack brings an app what happened: signed POSTs or envelopes on a WebSocket, three seconds to
acknowledge, events again."""

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from gateways.simulator.slack.world import new_id

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ack:
    """What the app answered. `failed` is what the person is shown where it did not in time."""

    status: int
    body: Any
    took_s: float
    failed: str = ""


@dataclass
class SlackApp:
    """One app of the workspace. With `app_token` and a connection open, nothing goes by HTTP."""

    token: str
    signing_secret: str = ""
    app_token: str = ""
    hook: str = ""
    id: str = "A0BELLS"
    user: str = "UBOT"
    bot: str = "B0BOT"
    scopes: str = "commands,chat:write,im:write,im:history,files:write,files:read,app_mentions:read,users:read"
    revoked: str = ""  # Slack's word for why its token is dead
    socket_mode: bool = False
    link_disabled: bool = False  # Socket Mode is off in the app's settings
    ack_s: float = 3.0
    retries_s: tuple[float, ...] = (0.0, 60.0, 300.0)  # of events that were not taken
    clicks_twice: bool = False
    clock_s: float = 0.0  # how wrong the signed time is
    events: list[Json] = field(default_factory=list)  # each delivery: kind, payload, retry
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    waiting: dict[str, "asyncio.Future[Any]"] = field(default_factory=dict)  # by envelope


class Delivery:
    """Posts for all apps. `settled` waits until nothing is on its way."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._session is not None:
            await self._session.close()

    async def settled(self) -> None:
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def once(self, app: SlackApp, kind: str, payload: Json) -> Ack:
        """A command or an interaction: brought once, whatever comes of it (or a click twice, as people do)."""
        if app.clicks_twice and payload.get("type") == "block_actions":
            self._begin(self._bring(app, kind, payload))
        return await self._bring(app, kind, payload)

    async def event(self, app: SlackApp, payload: Json) -> Ack:
        """An event: what was not taken is brought again, later and in the background."""
        ack = await self._bring(app, "events_api", payload)
        if ack.failed:
            self._begin(self._again(app, payload))
        return ack

    async def _again(self, app: SlackApp, payload: Json) -> None:
        for number, pause_s in enumerate(app.retries_s, start=1):
            await asyncio.sleep(pause_s)
            ack = await self._bring(app, "events_api", payload, retry=number)
            if not ack.failed:
                return

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work, name="slack delivery")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring(self, app: SlackApp, kind: str, payload: Json, retry: int = 0) -> Ack:
        app.events.append({"kind": kind, "payload": payload, "retry": retry})
        began = time.monotonic()
        bring = self._by_socket if app.socket_mode else self._by_http
        try:
            async with asyncio.timeout(app.ack_s):
                status, body = await bring(app, kind, payload, retry)
        except TimeoutError:
            return Ack(0, None, time.monotonic() - began, "operation_timeout")
        took_s = time.monotonic() - began
        return Ack(status, body, took_s, "" if 200 <= status < 300 else "dispatch_failed")

    async def _by_http(self, app: SlackApp, kind: str, payload: Json, retry: int) -> tuple[int, Any]:
        if kind == "events_api":
            body, content_type = json.dumps(payload).encode(), "application/json"
        else:
            form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
            body, content_type = urlencode(form).encode(), "application/x-www-form-urlencoded"
        headers = {"Content-Type": content_type, **signed(app.signing_secret, body, time.time() + app.clock_s)}
        if retry:
            headers |= {"x-slack-retry-num": str(retry), "x-slack-retry-reason": "http_error"}
        assert self._session is not None  # noqa: S101
        try:
            async with self._session.post(app.hook, data=body, headers=headers) as answer:
                text = await answer.text()
                return answer.status, _json(text)
        except (aiohttp.ClientError, OSError):
            return 0, None

    async def _by_socket(self, app: SlackApp, kind: str, payload: Json, retry: int) -> tuple[int, Any]:
        if not app.sockets:
            return 0, None
        envelope = new_id("e")
        future = app.waiting[envelope] = asyncio.get_running_loop().create_future()
        told: Json = {"envelope_id": envelope, "type": kind, "payload": payload}
        told["accepts_response_payload"] = kind != "events_api"
        if kind == "events_api":
            told |= {"retry_attempt": retry, "retry_reason": "timeout" if retry else ""}
        try:
            await self._random.choice(app.sockets).send_json(told)
            return 200, await future
        except ConnectionError:
            return 0, None
        finally:
            app.waiting.pop(envelope, None)


def signed(secret: str, body: bytes, at: float) -> Mapping[str, str]:
    """The headers that prove a request; docs.slack.dev/authentication/verifying-requests-from-slack."""
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
