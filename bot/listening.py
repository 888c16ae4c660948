"""Hearing what messengers have for us: polled channels, and webhooks that stay where they should be."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from gateways.base import ChannelBroken, Gateway, GatewayError, Heard, PollsUpdates, SetsWebhook, Throttled

log = logging.getLogger(__name__)

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # after failures in a row; the last one repeats
MOST_PATIENCE_S = 30.0
BROKEN_PAUSE_S = 60.0  # until a refused token is tried again

Take = Callable[[str, Heard], Awaitable[None]]


async def poll(channel: str, gateway: PollsUpdates, take: Take) -> None:
    """Take whatever the platform has, forever. What could not be taken comes again."""
    failures = 0
    while True:
        try:
            async for heard in gateway.updates():
                await take(channel, heard)
                failures = 0
        except ChannelBroken as error:
            log.warning("updates are refused", extra={"channel": channel, "code": error.code})
            await asyncio.sleep(BROKEN_PAUSE_S)
        except Throttled as error:
            await asyncio.sleep(error.retry_after_s)
        except GatewayError as error:
            log.warning("updates do not come", extra={"channel": channel, "code": error.code, "in_a_row": failures})
            await asyncio.sleep(_pause_s(failures))
            failures += 1
        except Exception:
            log.exception("updates could not be taken", extra={"channel": channel})
            await asyncio.sleep(_pause_s(failures))
            failures += 1


def polled(gateways: Mapping[str, Gateway]) -> dict[str, PollsUpdates]:
    return {name: gateway for name, gateway in gateways.items() if isinstance(gateway, PollsUpdates) and gateway.polls}


class Webhooks:
    """Sets every channel's webhook once our server is up, and again whenever somebody has taken it away."""

    def __init__(self, gateways: Mapping[str, Gateway], public_url: str | None) -> None:
        self.tried = public_url is None
        self.problems: dict[str, str] = {}
        polling = polled(gateways)
        self._urls = (
            {}
            if public_url is None
            else {
                name: f"{public_url.rstrip('/')}/hooks/{name}"
                for name, gateway in gateways.items()
                if isinstance(gateway, SetsWebhook) and name not in polling
            }
        )
        self._gateways = gateways

    async def set_all(self) -> None:
        await asyncio.gather(*(self._set(channel, url) for channel, url in self._urls.items()))
        self.tried = True

    async def watch(self) -> None:
        """Look once whether each still points here, and mend it."""
        for channel, url in self._urls.items():
            try:
                account = await self._gateways[channel].check()
            except GatewayError as error:
                log.info("a webhook could not be looked at", extra={"channel": channel, "code": error.code})
                continue
            if account.webhook != url or channel in self.problems:
                await self._set(channel, url)

    async def _set(self, channel: str, url: str) -> None:
        gateway = self._gateways[channel]
        if not isinstance(gateway, SetsWebhook):
            return
        try:
            await _patiently(gateway, url)
        except GatewayError as error:
            self.problems[channel] = error.words or type(error).__name__
            log.warning("a webhook could not be set", extra={"channel": channel, "code": error.code})
        else:
            self.problems.pop(channel, None)
            log.info("a webhook is set", extra={"channel": channel})


async def _patiently(gateway: SetsWebhook, url: str) -> None:
    """Set it, once more where the platform asks us to wait a little. Raises GatewayError."""
    try:
        await gateway.set_webhook(url)
    except Throttled as error:
        await asyncio.sleep(min(error.retry_after_s, MOST_PATIENCE_S))
        await gateway.set_webhook(url)


def _pause_s(failures: int) -> float:
    return PAUSES_S[min(failures, len(PAUSES_S) - 1)]
