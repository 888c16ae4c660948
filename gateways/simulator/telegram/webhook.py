"""Updates pushed to a bot's URL: one in flight for each ordering key, repeated until they are taken or too old."""

import asyncio
import random
import time
from collections import deque
from typing import TYPE_CHECKING

import aiohttp

from gateways.simulator.telegram.answers import Json, to_json
from gateways.simulator.telegram.updates import Update

if TYPE_CHECKING:
    from gateways.simulator.telegram.bots import SimulatedBot

READ_TIMEOUT_S = 60.0  # platforms/telegram.md section 7 [impl], as the ages and pauses below
MAX_AGE_S = 24 * 3600.0
MAX_QUERY_AGE_S = 150.0
GONE_AFTER_S = 23 * 3600.0
MAX_RETRY_AFTER_S = 3600.0
_HTTP_GONE = 410


class Webhook:
    """One registered URL. `start` needs a running loop; `close` leaves undelivered updates pending."""

    def __init__(self, bot: "SimulatedBot", url: str, secret: str, max_connections: int) -> None:
        self.bot = bot
        self.url = url
        self.secret = secret
        self.max_connections = max_connections
        self.delivered = 0
        self.dropped = 0
        self._last_error: tuple[int, str] | None = None
        self._gone_since: float | None = None
        self._removed = False
        self._streams: dict[tuple[str, int], deque[Update]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = asyncio.Semaphore(max_connections)
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=READ_TIMEOUT_S))
        self.bot.updates.on_new = self._take
        for update in self.bot.updates.pending.values():
            self._take(update)

    async def close(self) -> None:
        self.bot.updates.on_new = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def info(self) -> Json:
        info: Json = {"url": self.url, "max_connections": self.max_connections, "ip_address": "127.0.0.1"}
        if self._last_error is not None:
            info["last_error_date"], info["last_error_message"] = self._last_error
        if self.bot.updates.allowed is not None:
            info["allowed_updates"] = sorted(self.bot.updates.allowed)
        return info

    def _take(self, update: Update) -> None:
        stream = self._streams.get(update.key)
        if stream is not None:
            stream.append(update)
            return
        self._streams[update.key] = deque([update])
        task = asyncio.get_running_loop().create_task(self._run_stream(update.key), name=f"webhook {update.key}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_stream(self, key: tuple[str, int]) -> None:
        stream = self._streams[key]
        while stream and not self._removed:
            update = stream[0]
            taken = await self._deliver(update)
            if taken is None:
                break
            self.delivered += taken
            self.dropped += not taken
            self.bot.updates.pending.pop(update.update_id, None)
            stream.popleft()
        del self._streams[key]
        if self._removed and not self._streams and self._session is not None:
            await self._session.close()

    async def _deliver(self, update: Update) -> bool | None:
        """Until the bot takes it (True), it is too old (False), or nobody wants updates here any more (None)."""
        failures = 0
        scale = self.bot.world.webhook_time_scale
        while update.update_id in self.bot.updates.pending and not self._too_old(update):
            taken, retry_after_s = await self._post(update)
            if taken:
                for _ in range(self.bot.world.webhook_duplicates):
                    await self._post(update)
                return True
            if self._removed:
                return None
            failures += 1
            pause_s = retry_after_s
            if pause_s is None:
                pause_s = 0.0 if failures == 1 else min(2.0 ** (failures - 1), random.uniform(60, 120))
            await asyncio.sleep(pause_s * scale)
        return False

    def _too_old(self, update: Update) -> bool:
        limit_s = MAX_QUERY_AGE_S if update.kind == "callback_query" else MAX_AGE_S
        return time.monotonic() - update.born_at > limit_s * self.bot.world.webhook_time_scale

    async def _post(self, update: Update) -> tuple[bool, float | None]:
        """Whether it was taken, and the pause that the bot asked for."""
        assert self._session is not None  # noqa: S101
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self.secret
        try:
            async with (
                self._connections,
                self._session.post(self.url, data=to_json(update.body).encode(), headers=headers) as answer,
            ):
                await answer.read()
        except TimeoutError:
            self._failed("Read timeout expired")
            return False, None
        except aiohttp.ClientConnectorError:
            self._failed("Connection refused")
            return False, None
        except aiohttp.ClientError:
            self._failed("Connection closed unexpectedly")
            return False, None
        if 200 <= answer.status < 300:
            self._gone_since = None
            return True, None
        self._failed(f"Wrong response from the webhook: {answer.status} {answer.reason}")
        self._watch_gone(answer.status)
        return False, _retry_after_s(answer.headers.get("Retry-After"))

    def _failed(self, words: str) -> None:
        self._last_error = int(time.time()), words

    def _watch_gone(self, status: int) -> None:
        """Hours of nothing but 410 remove the webhook."""
        if status != _HTTP_GONE:
            self._gone_since = None
            return
        now = time.monotonic()
        self._gone_since = self._gone_since or now
        if now - self._gone_since > GONE_AFTER_S * self.bot.world.webhook_time_scale:
            self._removed = True  # the last stream closes the session
            self.bot.updates.on_new = None
            self.bot.webhook = None


def _retry_after_s(header: str | None) -> float | None:
    try:
        return None if header is None else min(float(header), MAX_RETRY_AFTER_S)
    except ValueError:
        return None
