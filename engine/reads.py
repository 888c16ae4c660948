"""Asks platforms that do not tell by themselves what clients have read: less and less often after each send."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from engine.clock import Clock
from gateways.base import ChannelBroken, Gateway, GatewayError, Heard, PollsReads, Throttled
from storage.reads import Span, Unread
from storage.store import Store

log = logging.getLogger(__name__)

AFTER_S = (60.0, 300.0, 1800.0, 21600.0, 86400.0)  # a message is asked about so long after it was sent
AT_ONCE = 100  # addresses in one call
LOOK_S = 15.0
CALL_PAUSE_S = 0.25  # between calls: the platform's limit of requests serves the sending first
SLICE = timedelta(minutes=5)  # of sends, that one look goes through before those sent later have their turn
FAILED_PAUSE_S = 30.0
BROKEN_PAUSE_S = 300.0


class ReadPolling:
    """Run `run` as a task. `take` commits what a channel heard: the Inbox's.

    After a start everything of the last day is asked about once, so that a standstill leaves nothing out."""

    def __init__(
        self,
        store: Store,
        gateways: Mapping[str, Gateway],
        clock: Clock,
        take: Callable[[str, Heard], Awaitable[None]],
    ) -> None:
        self._unread = Unread(store.database)
        self._clock = clock
        self._take = take
        self._polling = {channel: gateway for channel, gateway in gateways.items() if isinstance(gateway, PollsReads)}

    async def run(self) -> None:
        """Until it is cancelled; returns at once where no channel has to be asked."""
        async with asyncio.TaskGroup() as tasks:
            for channel, gateway in self._polling.items():
                tasks.create_task(self._poll(channel, gateway), name=f"reads {channel}")

    async def _poll(self, channel: str, gateway: PollsReads) -> None:
        asked_to = _begin(self._clock.now())
        while True:
            pause_s = LOOK_S
            try:
                if await self.look(channel, gateway, asked_to):
                    pause_s = CALL_PAUSE_S
            except GatewayError as error:
                log.warning("reads could not be asked for", extra={"channel": channel, "code": error.code})
                pause_s = _pause_after(error)
            except Exception:
                log.exception("reads could not be looked for", extra={"channel": channel})
                pause_s = FAILED_PAUSE_S
            await self._clock.sleep(pause_s)

    async def look(self, channel: str, gateway: PollsReads, asked_to: dict[float, datetime]) -> bool:
        """Ask about the next slice of each interval, the freshest first; whether any of them is behind.

        `asked_to` is, for each interval, the moment up to whose sends it has been asked, and moves on."""
        now, behind = self._clock.now(), False
        steps = await self._unread.fresh_steps(channel, min(asked_to.values()))
        for after_s in AFTER_S:
            due = now - timedelta(seconds=after_s)
            first = await self._unread.first_end(steps, Span(asked_to[after_s], due))
            if first is None:
                asked_to[after_s] = max(asked_to[after_s], due)
                continue
            span = Span(asked_to[after_s], min(due, first + SLICE))
            await self._ask(channel, gateway, await self._unread.addresses(channel, steps, span))
            asked_to[after_s] = span.end
            behind = behind or span.end < due
        return behind

    async def _ask(self, channel: str, gateway: PollsReads, addresses: Sequence[str]) -> None:
        for begin in range(0, len(addresses), AT_ONCE):
            if begin:
                await self._clock.sleep(CALL_PAUSE_S)
            read = await gateway.poll_reads(addresses[begin : begin + AT_ONCE])
            if read:
                await self._take(channel, Heard(watermarks=tuple(read)))


def _begin(now: datetime) -> dict[float, datetime]:
    """Each interval begins where the next one ends, the last one a slice before its time."""
    ends = [now - timedelta(seconds=after_s) for after_s in AFTER_S]
    return dict(zip(AFTER_S, [*ends[1:], ends[-1] - SLICE], strict=True))


def _pause_after(error: GatewayError) -> float:
    match error:
        case Throttled():
            return max(error.retry_after_s, FAILED_PAUSE_S)
        case ChannelBroken():
            return BROKEN_PAUSE_S
        case _:
            return FAILED_PAUSE_S
