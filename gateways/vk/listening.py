"""How VK reaches us: a server of the community's Callback API, or Bots Long Poll where nobody can reach us."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways.base import Rejected, Unavailable, _
from gateways.vk.api import API_VERSION, VkApi
from gateways.vk.errors import SERVERS_FULL
from gateways.vk.events import USED_EVENTS

POLL_S = 25  # how long VK holds a request that has nothing; dev.vk.com/en/api/bots-long-poll/getting-started
POLL_PAUSE_S = 0.3  # between polls that a server answers empty at once
_SETTINGS: Mapping[str, Any] = {"api_version": API_VERSION, **dict.fromkeys(USED_EVENTS, 1)}
_STATUS_WORDS = {
    "unconfigured": _("VK has not confirmed the callback server yet"),
    "wait": _("VK is confirming the callback server"),
    "failed": _("VK could not confirm or reach the callback server"),
}


@dataclass(frozen=True, slots=True)
class Server:
    """One of the community's callback servers; 10 at most."""

    id: int
    title: str
    url: str
    status: str

    @property
    def warnings(self) -> tuple[str, ...]:
        return () if self.status == "ok" else (_STATUS_WORDS.get(self.status, _("VK says nothing of its state")),)


class CallbackServers:
    """`title` names ours among them, whatever their URL was before."""

    def __init__(self, api: VkApi, group_id: str, *, title: str, secret: str) -> None:
        self._api = api
        self._group = {"group_id": group_id}
        self._title = title
        self._secret = secret

    async def confirmation(self) -> str:
        """The code that VK wants in answer to a confirmation. Raises GatewayError."""
        answer = await self._api.ask("groups.getCallbackConfirmationCode", self._group)
        code = answer.get("code") if isinstance(answer, Mapping) else None
        if not isinstance(code, str) or not code:
            raise Unavailable("VK told no confirmation code")
        return code

    async def find(self, url: str | None) -> Server | None:
        """The server at that URL, or ours at another one. Raises GatewayError."""
        servers = await self._all()
        at_url = next((server for server in servers if server.url == url), None)
        return at_url or next((server for server in servers if server.title == self._title), None)

    async def set(self, url: str) -> None:
        """Have events sent there; VK asks that address for the confirmation at once. Raises GatewayError."""
        server = await self.find(url)
        values = {**self._group, "url": url, "title": self._title, "secret_key": self._secret}
        if server is None:
            server_id = await self._add(values)
        else:
            server_id = server.id
            # It stands there with another secret, or was given up: being set again, it is confirmed again.
            await self._api.ask("groups.editCallbackServer", {**values, "server_id": server_id})
        await self._api.ask("groups.setCallbackSettings", {**self._group, "server_id": server_id, **_SETTINGS})

    async def _add(self, values: Mapping[str, Any]) -> int:
        try:
            answer = await self._api.ask("groups.addCallbackServer", values)
        except Rejected as error:
            if error.code == str(SERVERS_FULL):
                raise Rejected(
                    "the community has 10 callback servers already: delete one in its settings, Working with API",
                    code=error.code,
                ) from None
            raise
        server_id = answer.get("server_id") if isinstance(answer, Mapping) else None
        if not isinstance(server_id, int):
            raise Unavailable("VK named no server")
        return server_id

    async def _all(self) -> Sequence[Server]:
        answer = await self._api.ask("groups.getCallbackServers", self._group)
        items = answer.get("items") if isinstance(answer, Mapping) else None
        return [
            Server(item["id"], str(item.get("title") or ""), str(item.get("url") or ""), str(item.get("status") or ""))
            for item in (items if isinstance(items, list) else [])
            if isinstance(item, Mapping) and isinstance(item.get("id"), int)
        ]


class LongPoll:
    """Where we are in VK's queue of events; kept when reading breaks off, so that what is uncommitted comes again."""

    def __init__(self, api: VkApi, group_id: str) -> None:
        self._api = api
        self._group = {"group_id": group_id}
        self._server: str | None = None
        self._key = ""
        self._ts = ""

    async def batches(self) -> AsyncIterator[Sequence[Any]]:
        """Events as they come, forever; asking for the next batch acknowledges the one before. Raises GatewayError."""
        await self._api.ask("groups.setLongPollSettings", {**self._group, "enabled": 1, **_SETTINGS})
        while True:
            if self._server is None:
                await self._connect()
            query = {"act": "a_check", "key": self._key, "ts": self._ts, "wait": str(POLL_S)}
            began = time.monotonic()
            answer = await self._api.poll(self._server, query, wait_s=POLL_S)
            if answer.get("updates") == [] and time.monotonic() - began < POLL_PAUSE_S:
                await asyncio.sleep(POLL_PAUSE_S)
            match answer.get("failed"):
                case None:
                    updates = answer.get("updates")
                    yield updates if isinstance(updates, list) else []
                    self._ts = str(answer.get("ts") or self._ts)
                case 1:  # events before that are gone
                    self._ts = str(answer.get("ts") or "")
                case 2:
                    self._server = None
                case _:
                    self._server, self._ts = None, ""

    async def _connect(self) -> None:
        answer = await self._api.ask("groups.getLongPollServer", self._group)
        known = answer if isinstance(answer, Mapping) else {}
        self._server, self._key = str(known.get("server") or ""), str(known.get("key") or "")
        self._ts = self._ts or str(known.get("ts") or "")
