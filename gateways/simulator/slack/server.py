"""A simulated Slack over real HTTP and real WebSockets, as platforms' documentation and bolt 1.30 have it.

Point an admin bot's api_base at `{url}/api`. `python -m gateways.simulator.slack.server --port N` runs it alone."""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp import web

from gateways.simulator.faults import Fault, FaultKind
from gateways.simulator.listening import run_until_interrupted, serve, server_options
from gateways.simulator.platform import Call, Platform, Window, json_response
from gateways.simulator.slack.delivery import Delivery, SlackApp
from gateways.simulator.slack.methods import TIER_OF, TIERS, Methods
from gateways.simulator.slack.people import SlackPerson, as_json, now_s
from gateways.simulator.slack.world import (
    TEAM,
    Changes,
    Channel,
    Json,
    SlackMessage,
    StoredFile,
    Trigger,
    View,
    new_id,
)

TRIGGER_S = 3.0
RESPONSES, RESPONSE_S = 5, 1800.0  # of one response_url
MAX_CONNECTIONS = 10
BURST = 10  # of posts to one channel, which else are one a second


@dataclass
class _ResponseUrl:
    user: str
    channel: str
    message: SlackMessage | None
    until: float
    left: int = RESPONSES


class SlackSimulator(Platform):
    """One workspace. Accounts are apps, by their bot tokens; people and channels belong to the workspace.

    `trigger_s`, `file_delay_s` and the tiers in `most_per_minute` may be changed by tests."""

    title = "Slack"

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.apps: dict[str, SlackApp] = {}
        self.people: dict[str, SlackPerson] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, StoredFile] = {}
        self.views: dict[str, list[View]] = {}
        self.triggers: dict[str, Trigger] = {}
        self.delivery = Delivery(seed)
        self.trigger_s = TRIGGER_S
        self.file_delay_s = 0.0
        self.most_per_minute = dict(TIERS)
        self.limited = True
        self.max_connections = MAX_CONNECTIONS
        self._responses: dict[str, _ResponseUrl] = {}
        self._windows: dict[tuple[str, str], Window] = {}
        self._transports: WeakKeyDictionary[web.WebSocketResponse, asyncio.Transport] = WeakKeyDictionary()
        self._methods = Methods(self)
        self._changes = Changes()

    # --- setting up

    def add_app(self, token: str = "xoxb-acme", **terms: Any) -> SlackApp:  # noqa: S107
        """`signing_secret`, `hook`, `app_token` …: the fields of SlackApp."""
        self.add_account(token, name="mailings")
        app = self.apps[token] = SlackApp(token, **terms)
        return app

    def add_person(self, app: SlackApp, user_id: str, name: str, **terms: Any) -> SlackPerson:
        dm = Channel(f"D{user_id[1:]}", {user_id, app.user})
        self.channels[dm.id] = dm
        person = self.people[user_id] = SlackPerson(self, app, user_id, name, dm, **terms)
        return person

    def add_channel(self, channel_id: str, *members: str) -> Channel:
        channel = self.channels[channel_id] = Channel(channel_id, set(members))
        return channel

    def add_file(self, name: str, content: bytes, content_type: str) -> StoredFile:
        """A file that a person has brought and sends then."""
        file = StoredFile(new_id("F"), name, content, name, content_type, complete=True)
        self.files[file.id] = file
        return file

    # --- what the parts use

    def put(self, channel: Channel, message: SlackMessage) -> None:
        channel.messages.append(message)
        self.changed()

    def changed(self) -> None:
        self._changes.tell()

    async def until(self, look: Callable[[], object], timeout_s: float = 5.0) -> None:
        await self._changes.until(look, timeout_s)

    def later(self, do: Callable[[], None]) -> None:
        """Slack works on files after it has answered."""
        self.hooks.later(self.file_delay_s, do)

    def views_of(self, user: str) -> list[View]:
        return self.views.setdefault(user, [])

    def new_trigger(self, user: str) -> str:
        trigger = Trigger(new_id("1."), user, time.monotonic() + self.trigger_s)
        self.triggers[trigger.id] = trigger
        return trigger.id

    def new_response_url(self, user: str, channel: str, message: SlackMessage | None = None) -> str:
        name = new_id("R")
        self._responses[name] = _ResponseUrl(user, channel, message, time.monotonic() + RESPONSE_S)
        return f"{self.url}/respond/{name}"

    def event_of(self, app: SlackApp, event: Json) -> Json:
        return {
            "type": "event_callback",
            "event_id": new_id("Ev"),
            "event_time": now_s(),
            "team_id": TEAM,
            "api_app_id": app.id,
            "authorizations": [{"team_id": TEAM, "user_id": app.user, "is_bot": True}],
            "event": event,
        }

    def file_json(self, file: StoredFile) -> Json:
        return {
            "id": file.id,
            "name": file.name,
            "title": file.title,
            "mimetype": file.content_type,
            "size": len(file.content) if file.claimed_size is None else file.claimed_size,
            "mode": "hosted",
            "url_private_download": f"{self.url}/files/{file.id}/{file.name}",
        }

    # --- life and requests

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        await self.delivery.start()
        await super().start(host, port)

    async def stop(self) -> None:
        await self.delivery.stop()
        for app in self.apps.values():
            for socket in list(app.sockets):
                await socket.close()
        await super().stop()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/socket/") and not self.dark:
            return await self._serve_socket(request)
        return await super().handle(request)

    def identify(self, call: Call) -> tuple[str, str, str]:
        token = call.headers.get("Authorization", "").removeprefix("Bearer ")
        parts = call.path.strip("/").split("/")
        name = parts[1] if parts[0] == "api" and len(parts) == 2 else parts[0]
        return token, name, str(_values(call).get("channel", "")) if call.body else ""

    def fault_answer(self, call: Call, fault: Fault) -> web.Response:
        if fault.kind is FaultKind.THROTTLE:
            return _throttled(fault.retry_after_s)
        if fault.kind is FaultKind.REFUSE:
            return json_response({"ok": False, "error": fault.words, **(fault.parameters or {})})
        return json_response({"ok": False, "error": "internal_error"}, status=max(fault.code, 500))

    async def answer(self, call: Call) -> web.Response:
        kind, _slash, rest = call.path.strip("/").partition("/")
        match kind:
            case "api":
                return self._answer_method(call, rest)
            case "upload":
                return self._take_upload(call, rest.removeprefix("v1/"))
            case "files":
                return self._give_file(call, rest.partition("/")[0])
            case "respond":
                return self._take_response(call, rest)
            case _:
                return web.Response(status=404, text="Not found")

    def _answer_method(self, call: Call, name: str) -> web.Response:
        values = _values(call)
        token = call.account or str(values.get("token", ""))
        if name == "apps.connections.open":
            return self._open_connection(token)
        app = self.apps.get(token)
        if app is None:
            return json_response({"ok": False, "error": "invalid_auth" if token else "not_authed"})
        if app.revoked:
            return json_response({"ok": False, "error": app.revoked})
        if wait_s := self._over_limit(token, name, str(values.get("channel", ""))):
            return _throttled(max(round(wait_s + 0.499), 1))
        if not self._methods.knows(name):
            return json_response({"ok": False, "error": "unknown_method", "req_method": name})
        self.changed()
        headers = {"x-oauth-scopes": app.scopes} if name == "auth.test" else {}
        return json_response(self._methods.call(app, name, values), headers=headers)

    def _over_limit(self, token: str, name: str, channel: str) -> float:
        """Seconds until this method may be called again."""
        if not self.limited:
            return 0.0
        if name == "chat.postMessage":
            window = self._windows.setdefault((token, channel), Window(BURST, float(BURST)))
        else:
            most = self.most_per_minute[TIER_OF.get(name, 3)]
            window = self._windows.setdefault((token, name), Window(most, 60.0))
        return window.admit(time.monotonic())

    # --- files and response URLs

    def _take_upload(self, call: Call, file_id: str) -> web.Response:
        file = self.files.get(file_id)
        if file is None or file.complete or not call.body:
            return web.Response(status=404, text="file_not_found")
        file.content = call.body
        return web.Response(text=f"OK - {len(call.body)}")

    def _give_file(self, call: Call, file_id: str) -> web.Response:
        app = self.apps.get(call.account)
        file = self.files.get(file_id)
        if app is None or app.revoked or "files:read" not in app.scopes.split(","):
            page = "<!DOCTYPE html><html><title>Sign in to Slack</title></html>"
            return web.Response(text=page, content_type="text/html")
        if file is None:
            return web.Response(status=404, text="file_not_found")
        return web.Response(body=file.content, content_type=file.content_type)

    def _take_response(self, call: Call, name: str) -> web.Response:
        found = self._responses.get(name)
        if found is None or time.monotonic() > found.until:
            return json_response({"ok": False, "error": "expired_url"}, status=404)
        if found.left <= 0:
            return json_response({"ok": False, "error": "used_url"}, status=404)
        found.left -= 1
        said = call.json if isinstance(call.json, dict) else {}
        app = next(iter(self.apps.values()))
        message = SlackMessage(found.channel, f"r{name}{found.left}", app.user, said.get("text", ""))
        message.blocks = said.get("blocks") or []
        if said.get("replace_original") and found.message is not None:
            found.message.text, found.message.blocks = message.text, message.blocks
        elif said.get("response_type") == "in_channel":
            self.channels[found.channel].messages.append(message)
        else:
            message.for_user = found.user
            self.people[found.user].whispers.append(message)
        self.changed()
        return web.Response(text="ok")

    # --- Socket Mode

    def _open_connection(self, app_token: str) -> web.Response:
        app = next((one for one in self.apps.values() if one.app_token and one.app_token == app_token), None)
        if app is None:
            return json_response({"ok": False, "error": "invalid_auth"})
        if app.link_disabled:
            return json_response({"ok": False, "error": "socket_mode_not_enabled"})
        if wait_s := self._over_limit(app_token, "apps.connections.open", ""):
            return _throttled(max(round(wait_s + 0.499), 1))
        app.socket_mode = True
        return json_response(
            {"ok": True, "url": f"ws://{urlsplit(self.url).netloc}/socket/{app.token}?ticket={new_id('t')}"}
        )

    async def _serve_socket(self, request: web.BaseRequest) -> web.WebSocketResponse:
        app = self.apps[request.path.rpartition("/")[2]]
        socket = web.WebSocketResponse(heartbeat=30.0)
        await socket.prepare(request)
        if len(app.sockets) >= self.max_connections:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        app.sockets.append(socket)
        if request.transport is not None:
            self._transports[socket] = request.transport
        hello = {"type": "hello", "num_connections": len(app.sockets), "connection_info": {"app_id": app.id}}
        await socket.send_json({**hello, "debug_info": {"host": "simulated", "approximate_connection_time": 3600}})
        self.changed()
        try:
            async for frame in socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._take_ack(app, json.loads(frame.data))
        finally:
            app.sockets.remove(socket)
            self.changed()
        return socket

    def _take_ack(self, app: SlackApp, told: Json) -> None:
        future = app.waiting.get(str(told.get("envelope_id")))
        if future is not None and not future.done():
            future.set_result(told.get("payload") or "")

    async def disconnect(self, app: SlackApp, reason: str = "refresh_requested", *, grace_s: float = 0.1) -> None:
        """Tell a connection that it ends, and end it a moment later."""
        socket = app.sockets[0]
        await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "simulated"}})
        await asyncio.sleep(grace_s)
        await socket.close()

    def cut(self, app: SlackApp) -> None:
        """Break every connection without a word."""
        for socket in app.sockets:
            self._transports[socket].abort()


def _values(call: Call) -> Json:
    """Arguments as JSON, a form or the query, whichever the caller chose."""
    if isinstance(call.json, dict):
        return {**call.query, **call.json}
    return {**call.query, **call.form}


def _throttled(retry_after_s: float) -> web.Response:
    body = as_json({"ok": False, "error": "ratelimited"})
    headers = {"Retry-After": f"{retry_after_s:g}", "Content-Type": "application/json"}
    return web.Response(status=429, body=body.encode(), headers=headers)


def main() -> None:
    parser = server_options("A simulated Slack workspace with one app and one person.")
    parser.add_argument("--token", default="xoxb-acme")
    parser.add_argument("--app-token", default="xapp-acme")
    parser.add_argument("--signing-secret", default="carillon-signing-secret")
    parser.add_argument("--hook", default="", help="where requests are posted while no WebSocket is open")
    options = parser.parse_args()
    run_until_interrupted(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    slack = SlackSimulator()
    app = slack.add_app(
        options.token, app_token=options.app_token, signing_secret=options.signing_secret, hook=options.hook
    )
    slack.add_person(app, "U01OLHA", "Olha")
    slack.keeps = not options.count_only
    await serve(slack, options)


if __name__ == "__main__":
    main()
