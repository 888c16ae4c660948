"""What a simulated VK tells us: by its Callback API, until the answer is exactly `ok`, and by Bots Long Poll."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateways.simulator.hooks import Hook
from gateways.simulator.platform import Call, SimAccount, json_response
from gateways.simulator.vk.community import GIVES_UP_AFTER, Community, Server

if TYPE_CHECKING:
    from gateways.simulator.hooks import Hooks

Json = dict[str, Any]

API_VERSION = "5.199"
NOT_TOLD = ("message_reply",)  # by a server set by hand, unless `not_told` of the account's details says otherwise
_HEADERS = {"Content-Type": "application/json"}


class Events:
    def __init__(self, hooks: "Hooks") -> None:
        self._hooks = hooks
        self._waiting: set[asyncio.Event] = set()

    def emit(self, account: SimAccount, community: Community, kind: str, content: Mapping[str, Any]) -> None:
        """Tell it wherever it is asked for."""
        event = {
            "type": kind, "event_id": secrets.token_hex(20), "v": API_VERSION, "group_id": community.group_id,
            "object": content,
        }  # fmt: skip
        if community.polled and str(community.poll_settings.get(kind)) == "1":
            community.queue.append((community.ts, event))
            community.ts += 1
            for waiting in self._waiting:
                waiting.set()
        by_hand = account.hook is not None and self._server(account, community) is None
        if by_hand and kind not in account.details.get("not_told", NOT_TOLD):
            assert account.hook is not None  # noqa: S101
            self._post(account.hook, event | {"secret": account.details.get("secret", "")}, None)
        for server in community.servers.values():
            if str(server.settings.get(kind)) == "1":
                self._post_to(server, account, event, community)

    def _server(self, account: SimAccount, community: Community) -> Server | None:
        """The server set by API that the account's hook is, if it is one."""
        url = account.hook.url if account.hook is not None else ""
        return next((server for server in community.servers.values() if server.url == url), None)

    def _post_to(self, server: Server, account: SimAccount, event: Json, community: Community) -> None:
        if server.status != "ok":
            community.held.append({"server": server.id, **event})
            return
        self._post(self._hook(server, account), event | {"secret": server.secret}, server)

    def _hook(self, server: Server, account: SimAccount) -> Hook:
        """How well the platform behaves toward a server is told by the account's hook."""
        if account.hook is not None and account.hook.url == server.url:
            return account.hook
        if server.hook is None or server.hook.url != server.url:
            server.hook = Hook(server.url)
        account.hook = account.hook or server.hook
        return server.hook

    def _post(self, hook: Hook, event: Json, server: Server | None) -> None:
        body = json.dumps(event, ensure_ascii=False).encode()

        def is_taken(status: int, answer: bytes) -> bool:
            taken = status == 200 and answer == b"ok"
            if server is not None:
                server.failures = 0 if taken else server.failures + 1
                if server.failures >= GIVES_UP_AFTER:
                    server.status = "failed"
            return taken

        self._hooks.post(hook, body, _HEADERS, is_taken=is_taken, retry_header="X-Retry-Counter")

    def confirm(self, server: Server, account: SimAccount, community: Community) -> None:
        """Ask the server for the code; only then does it get events, those that were held too."""
        server.status = "wait"
        asked = {"type": "confirmation", "group_id": community.group_id, "secret": server.secret}

        def is_taken(status: int, answer: bytes) -> bool:
            server.failures = 0
            server.status = "ok" if status == 200 and answer.decode(errors="replace") == community.code else "failed"
            return True

        task = self._hooks.post(Hook(server.url), json.dumps(asked).encode(), _HEADERS, is_taken=is_taken)
        task.add_done_callback(lambda _: self._release(server, account, community))

    def _release(self, server: Server, account: SimAccount, community: Community) -> None:
        if server.status != "ok":
            return
        held = [event for event in community.held if event["server"] == server.id]
        community.held = [event for event in community.held if event["server"] != server.id]
        for event in held:
            del event["server"]
            self._post_to(server, account, event, community)

    # --- Long Poll

    async def poll(self, call: Call, community: Community) -> web.Response:
        if call.query.get("act") != "a_check" or not community.polled:
            return web.Response(status=404)
        if call.query.get("key") != community.poll_key:
            return json_response({"failed": community.poll_failed})
        asked = call.query.get("ts", "")
        since = int(asked) if asked.isdecimal() else 0
        oldest = community.queue[0][0] if community.queue else community.ts
        if not oldest <= since <= community.ts:
            return json_response({"failed": 1, "ts": community.ts})
        until = time.monotonic() + min(float(call.query.get("wait", "25")), 90.0)
        while not (events := [event for ts, event in community.queue if ts >= since]):
            if not await self._wait(until - time.monotonic()):
                break
        return json_response({"ts": str(community.ts), "updates": events})

    async def _wait(self, seconds: float) -> bool:
        """Whether something happened in time."""
        if seconds <= 0:
            return False
        happened = asyncio.Event()
        self._waiting.add(happened)
        try:
            async with asyncio.timeout(seconds):
                await happened.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(happened)
        return True
