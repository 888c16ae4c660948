"""Hearing what messengers have for us: polled channels, and webhooks that stay where they should be."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from bot.channel_check import wanted_webhook
from gateways.base import Account, ChannelBroken, Gateway, GatewayError, Heard, PollsUpdates, SetsWebhook, Throttled

log = logging.getLogger(__name__)

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # after failures in a row; the last one repeats
MOST_PATIENCE_S = 30.0
BROKEN_PAUSE_S = 60.0  # until a refused token is tried again

Take = Callable[[str, Heard], Awaitable[None]]
Keep = Callable[[str, Account], Awaitable[None]]


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
    """Sets every channel's webhook once our server is up, and again whenever somebody has taken it away or the platform
    has stopped sending us what we need. `keep` is told what each platform tells of its account at every look."""

    def __init__(self, gateways: Mapping[str, Gateway], public_url: str | None, keep: Keep | None = None) -> None:
        self.tried = public_url is None
        self.problems: dict[str, str] = {}
        wanted = {name: wanted_webhook(gateway, public_url, name) for name, gateway in gateways.items()}
        self._urls = {name: url for name, url in wanted.items() if url is not None}
        self._gateways = gateways
        self._keep = keep
        self._warned: dict[str, tuple[str, ...]] = {}

    async def set_all(self) -> None:
        await asyncio.gather(*(self._set(channel, url) for channel, url in self._urls.items()))
        self.tried = True

    async def watch(self) -> None:
        """Look once at every account, and mend a webhook that does not point here any more."""
        for channel, gateway in self._gateways.items():
            try:
                account = await gateway.check()
            except GatewayError as error:
                log.info("a channel could not be looked at", extra={"channel": channel, "code": error.code})
                continue
            url = self._urls.get(channel)
            if url is not None and (account.webhook != url or channel in self.problems):
                await self._set(channel, url)
                account = account if channel in self.problems else replace(account, webhook=url)
            self._warn(channel, account.warnings)
            if self._keep is not None:
                await self._keep(channel, account)

    def _warn(self, channel: str, warnings: tuple[str, ...]) -> None:
        if warnings and warnings != self._warned.get(channel):
            log.warning("a platform has something to say", extra={"channel": channel, "said": "; ".join(warnings)})
        self._warned[channel] = warnings

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
