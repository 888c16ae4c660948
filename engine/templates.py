"""Keeps what we know of the platforms' templates fresh, and tells of those that may not be sent any more."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from engine.clock import Clock
from gateways.base import Gateway, GatewayError, Part, SyncsTemplates, Template, Throttled
from storage.store import Store
from storage.templates import Listed

log = logging.getLogger(__name__)

SYNC_EVERY_S = 3600.0
WAITING_EVERY_S = 300.0  # where people wait for a platform's word; not every platform tells it by itself
LOOK_S = 60.0  # between looks for such people
RETRY_S = 60.0
DELETED = "deleted"  # the status of one that the platform does not list any more
STOPPED = frozenset({"paused", "disabled", "rejected", DELETED})


def names_template(parts: Sequence[Part], template: Template) -> bool:
    """Whether a message, as it was fitted to a kind, is sent by this template."""
    named = (part.extra.get("template") for part in parts)
    return any(
        isinstance(one, Mapping) and (one.get("name"), one.get("language")) == (template.name, template.language)
        for one in named
    )


class TemplateSync:
    """Run `run` as a task: it reads the templates of every channel that has some at the start, hourly, when one
    changed, and every few minutes where one that was written here is not judged yet.

    `stopped` is told of each template that may not be sent, at every reading: whoever sends by it is to stop. What it
    does it must bear to do again."""

    def __init__(
        self,
        store: Store,
        gateways: Mapping[str, Gateway],
        clock: Clock,
        *,
        stopped: Callable[[str, Template], Awaitable[None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._stopped = stopped
        self._syncing = {
            channel: gateway for channel, gateway in gateways.items() if isinstance(gateway, SyncsTemplates)
        }
        self._due = dict.fromkeys(self._syncing, clock.monotonic())
        self._read_at: dict[str, float] = {}
        self._changed = asyncio.Event()

    def changed(self, channel: str) -> None:
        """The platform told that a template of the channel is another now: read them soon."""
        if channel in self._due:
            self._due[channel] = self._clock.monotonic()
            self._changed.set()

    async def run(self) -> None:
        """Until it is cancelled; returns at once where no channel has templates."""
        while self._due:
            self._changed.clear()
            await self._hurry()
            for channel in [channel for channel, due in self._due.items() if due <= self._clock.monotonic()]:
                self._due[channel] = self._clock.monotonic() + SYNC_EVERY_S
                again_s = await self._try(channel)
                if again_s is not None:
                    self._due[channel] = min(self._due[channel], self._clock.monotonic() + again_s)
            longest_s = min(*self._due.values(), self._clock.monotonic() + LOOK_S) - self._clock.monotonic()
            if longest_s > 0:
                await self._clock.wait(self._changed, longest_s)

    async def sync(self, channel: str) -> Sequence[Template]:
        """Read a channel's templates now. Raises GatewayError, and KeyError where it has none."""
        listed = await self._syncing[channel].templates()
        gone = await self._store.templates.sync(channel, listed, self._clock.now())
        await self._store.written.follow(Listed(channel, tuple(listed), self._clock.now()))
        for template in [*listed, *(replace(one, status=DELETED) for one in gone)]:
            if template.status in STOPPED:
                await self._stopped(channel, template)
        return listed

    async def _hurry(self) -> None:
        """Read sooner where people wait."""
        try:
            waiting = await self._store.written.waiting()
        except Exception:
            log.exception("nobody knows whether somebody waits for a template")
            return
        for channel in waiting & self._due.keys():
            soon = self._read_at.get(channel, float("-inf")) + WAITING_EVERY_S
            self._due[channel] = min(self._due[channel], soon)

    async def _try(self, channel: str) -> float | None:
        """None where they were read; else how long to wait before the next try."""
        self._read_at[channel] = self._clock.monotonic()
        try:
            listed = await self.sync(channel)
        except GatewayError as error:
            log.warning("templates could not be read", extra={"channel": channel, "code": error.code})
            return max(error.retry_after_s, RETRY_S) if isinstance(error, Throttled) else RETRY_S
        except Exception:
            log.exception("templates could not be kept", extra={"channel": channel})
            return RETRY_S
        log.info("templates were read", extra={"channel": channel, "templates": len(listed)})
        return None
