"""Socket Mode: Slack's requests over a WebSocket that we open; docs.slack.dev/apis/events-api/using-socket-mode,
November 2026. Written out rather than taken from the library, whose client tries again forever without saying so."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bot.screens import Busy, Unreachable
from bot.surfaces.slack.api import Json, Passing, Refused, SlackApi, SlackError
from engine.clock import Clock

log = logging.getLogger(__name__)

HEARTBEAT_S = 20.0
CONNECT_S = 15.0
_PAUSES_S = (0.5, 2.0, 5.0, 15.0, 60.0)
_MAX_FRAME = 4 * 1024 * 1024

# A request's payload in, the acknowledgement's payload out; None: it is not acknowledged.
Take = Callable[[Json, Json], Awaitable[Json | None]]


@dataclass(eq=False)
class _Connection:
    """`ends` is set as soon as another one is needed."""

    socket: aiohttp.ClientWebSocketResponse
    ends: asyncio.Event = field(default_factory=asyncio.Event)
    greeted: bool = False


class Sockets:
    """`run` keeps one connection, and opens the next before Slack closes it. `told` hears of each failure, and of None
    once Slack has said hello."""

    def __init__(
        self, api: SlackApi, app_token: str, take: Take, told: Callable[[Exception | None], None], clock: Clock
    ) -> None:
        self._api = api
        self._app_token = app_token
        self._take = take
        self._told = told
        self._clock = clock

    async def run(self) -> None:
        """Listen until cancelled."""
        failures = 0
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    socket = await self._connect()
                except (Busy, Unreachable, SlackError) as error:
                    self._told(error)
                    wait_s = _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]
                    await self._clock.sleep(error.retry_after_s if isinstance(error, Busy) else wait_s)
                    failures += 1
                    continue
                opened = _Connection(socket)
                tasks.create_task(self._listen(opened, tasks), name="slack socket")
                await opened.ends.wait()
                if opened.greeted:
                    failures = 0
                else:  # it would be opened and ended without a pause
                    await self._clock.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                    failures += 1

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        url = await self._api.open_socket_url(self._app_token)
        try:
            async with asyncio.timeout(CONNECT_S):
                return await self._api.session.ws_connect(url, heartbeat=HEARTBEAT_S, max_msg_size=_MAX_FRAME)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Passing(type(error).__name__) from error

    async def _listen(self, opened: _Connection, tasks: asyncio.TaskGroup) -> None:
        """Until the connection ends. What comes after Slack said that it will is still answered."""
        socket = opened.socket
        try:
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    continue
                message = _read(frame.data)
                match message.get("type"):
                    case "hello":
                        opened.greeted = True
                        self._told(None)
                    case "disconnect":
                        self._take_leave(opened, str(message.get("reason")))
                    case _ if message.get("envelope_id"):
                        tasks.create_task(self._acknowledge(socket, message), name="slack envelope")
        finally:
            opened.ends.set()
            await socket.close()

    def _take_leave(self, opened: _Connection, reason: str) -> None:
        log.info("Slack ends a connection", extra={"why": reason})
        if reason == "link_disabled":  # somebody switched Socket Mode off
            opened.greeted = False
            self._told(Refused(reason))
        opened.ends.set()

    async def _acknowledge(self, socket: aiohttp.ClientWebSocketResponse, message: Json) -> None:
        payload = message.get("payload")
        if not isinstance(payload, dict):
            return
        try:
            answer = await self._take(message, payload)
        except Exception:
            # Without an acknowledgement Slack sends it again; the connection serves everybody else.
            log.exception("an envelope could not be taken", extra={"surface": "slack"})
            return
        if answer is None:
            return
        body = {"payload": answer} if answer and message.get("accepts_response_payload") else {}
        try:
            await socket.send_json({"envelope_id": message["envelope_id"], **body})
        except (ConnectionError, aiohttp.ClientError) as error:
            log.info("an acknowledgement came too late", extra={"error": type(error).__name__})


def _read(data: str) -> dict[str, Any]:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
