"""The lanes of an engine, one for each channel: built, checked, kept running, drained; and what they report of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from engine.clock import Clock
from engine.errors import _
from engine.lane.lane import Lane
from engine.lane.preparing import Preparing
from engine.lane.state import LaneReport
from engine.quota import quota_at
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import ChannelBroken, Gateway, GatewayError
from storage import settling
from storage.audit import NewNotice
from storage.channel_states import MENDED, told_of
from storage.store import Store

log = logging.getLogger(__name__)

LANE_RESTART_S = 5.0


class Channels:
    """`fell_over` is told of a lane that has to be given its steps again."""

    def __init__(
        self,
        store: Store,
        gateways: Mapping[str, Gateway],
        settings: EngineSettings,
        clock: Clock,
        *,
        nudge: Callable[[], None],
        fell_over: Callable[[Lane], Awaitable[None]],
    ) -> None:
        self.lanes: dict[str, Lane] = {}
        self.alive: dict[str, bool] = {}  # a lane whose task fell over is not, until it runs again
        self._store = store
        self._gateways = gateways
        self._settings = settings
        self._clock = clock
        self._nudge = nudge
        self._fell_over = fell_over
        self._kept_broken: set[str] = set()  # storage knows by now that these are
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._preparing = Preparing()

    async def open(self, run_id: int, report: LaneReport, tasks: asyncio.TaskGroup) -> None:
        """Build the lanes of this run and set them going; each asks its platform first who we are."""
        states = await self._store.channel_states.all()
        for channel, gateway in self._gateways.items():
            lane = self._build(self._settings.channels[channel], gateway, run_id, report)
            state = states.get(channel)
            # It stays broken until the platform has said otherwise.
            if state is not None and state.broken_at is not None:
                lane.state.broken = state.reason
                self._kept_broken.add(channel)
            self.lanes[channel] = lane
            self._tasks.append(tasks.create_task(self._keep(channel), name=f"lane {channel}"))

    async def drain(self) -> None:
        """Begin no new sends; what is in flight gets `drain_s` to end."""
        self._closing = True
        for lane in self.lanes.values():
            await lane.close()
        pending = [task for task in self._tasks if not task.done()]
        if pending:
            await asyncio.wait(pending, timeout=self._settings.drain_s)
        for task in self._tasks:
            task.cancel()

    def halt(self, halted: bool) -> None:
        """The kill switch."""
        for lane in self.lanes.values():
            lane.state.halted = halted
            lane.state.wake()

    async def notice_mended(self) -> None:
        """A person has mended a channel, in this process or another: its lane starts again."""
        # One that has just broken may not be in storage yet: that does not say that it is mended.
        broken = frozenset(self._kept_broken)
        if not broken:
            return
        states = await self._store.channel_states.all()
        for channel in broken:
            state = states.get(channel)
            if state is None or state.broken_at is None:
                self._kept_broken.discard(channel)
                self.lanes[channel].mend()

    def why_blocked(self, step_id: int, channel: str) -> tuple[str, str] | None:
        """Why a channel will not send what waits on it, once nothing of it is in flight; None while it will."""
        lane = self.lanes.get(channel)
        if lane is None:
            return "channel_missing", _("{channel} stands in no configuration any more").format(channel=channel)
        if lane.state.in_flight:
            return None
        if lane.state.broken is not None:
            return "channel_broken", f"{channel}: {lane.state.broken}"
        if lane.used_up(step_id) and not lane.in_hand(step_id):
            return "quota", _("the quota of {channel} is used up").format(channel=channel)
        return None

    async def break_channel(self, channel: str, words: str) -> None:
        """The platform says by itself that the account may not send."""
        if lane := self.lanes.get(channel):
            await lane.break_off(words)

    # --- what lanes report of their channel ---

    async def broken(self, channel: str, words: str) -> None:
        now = self._clock.now()
        await self._store.channel_states.set(channel, {"broken_at": now, "reason": words})
        self._kept_broken.add(channel)
        await self._store.mailings.notify(NewNotice("channel_broken", now, None, {"channel": channel, "words": words}))
        self._nudge()

    async def down(self, channel: str, since: datetime | None) -> None:
        await self._store.channel_states.set(channel, {"down_since": since})
        log.warning("a platform is away" if since else "a platform is back", extra={"channel": channel})

    async def throttled(self, channel: str, until: datetime) -> None:
        await self._store.channel_states.set(channel, {"throttled_until": until})

    # --- inside ---

    def _build(self, channel: ChannelSettings, gateway: Gateway, run_id: int, report: LaneReport) -> Lane:
        return Lane(
            channel,
            gateway,
            writer=self._store.writer,
            clock=self._clock,
            report=report,
            run_id=run_id,
            tries=self._settings.tries,
            quota=lambda: quota_at(channel, self._clock.now(), self._settings.timezone),
            preparing=self._preparing,
        )

    async def _keep(self, channel: str) -> None:
        """Run a lane; one that falls over through a fault of ours is cleaned up after and started again."""
        lane = self.lanes[channel]
        await self._check(channel)
        while not self._closing:
            self.alive[channel] = True
            try:
                await lane.run()
            except Exception:
                log.exception("a lane fell over", extra={"channel": channel})
            else:
                break
            finally:
                self.alive[channel] = False
            await self._clean_up_after(lane)

    async def _clean_up_after(self, lane: Lane) -> None:
        await self._clock.sleep(LANE_RESTART_S)
        try:
            await self._fell_over(lane)
            safe = {lane.channel.id: lane.gateway.capabilities.repeats_safely_for_s}
            recovery = settling.Recovery(self._clock.now(), lane.channel.id, safe)
            await self._store.writer.write(settling.recover, recovery)
        except Exception:
            log.exception("what a lane left can't be settled yet", extra={"channel": lane.channel.id})
        self._nudge()

    async def _check(self, channel: str) -> None:
        """Ask the platform who we are; a channel whose token is refused does not start, the others do."""
        lane = self.lanes[channel]
        try:
            account = await lane.gateway.check()
        except ChannelBroken as error:
            lane.state.broken = error.words
            await self.broken(channel, error.words)
        except GatewayError as error:
            log.warning("a platform does not answer", extra={"channel": channel, "code": error.code})
        else:
            lane.mend()
            self._kept_broken.discard(channel)
            await self._store.channel_states.set(channel, {**told_of(account, self._clock.now()), **MENDED})
