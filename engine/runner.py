"""The engine: one on a storage. Starts what is due, plans, gives the lanes their steps, ends what has ended."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engine.clock import Clock
from engine.errors import Invalid
from engine.fit import fit
from engine.lane.lane import Lane
from engine.lane.state import LaneStep
from engine.media import Media
from engine.pacing import Pacer
from engine.personalise import Personaliser
from engine.plan import Planner, channels_of
from engine.receipts import Inbox
from engine.settings import LATE_START_S, SILENCE_S, ChannelSettings, EngineSettings, QuotaPer
from gateways.base import Accepted, ChannelBroken, Gateway, GatewayError, Outgoing, Part, PartKind
from gateways.markup import RichText
from gateways.message import content_hash
from storage import settling
from storage.mailings import ActiveStep, Audited, Move, NewNotice
from storage.quotas import DayQuota, PackageQuota
from storage.records import ENGINE, DeliveryState, Mailing, Status
from storage.store import Store

log = logging.getLogger(__name__)

LOOK_S = 0.25  # between looks at what people changed from other processes
HEARTBEAT_S = 60.0
LANE_RESTART_S = 5.0
RATE_OVER_S = 5.0  # the rate that people see is reckoned over so long
RATE_EVERY_S = 1.0
# Failures that say something about the client and nothing about us.
NORMAL_FAILURES = frozenset(
    {
        "blocked",
        "not_found",
        "deactivated",
        "never_subscribed",
        "gone",
        "unsubscribed",
        "outside_window",
        "bot",
        "kicked",
    }
)


@dataclass(slots=True)
class _Work:
    """What the engine remembers of a step while it is active."""

    mailing: Mailing
    planning: asyncio.Task[None] | None = None
    counted_from: dict[str, int] = field(default_factory=dict)  # outcomes when this run of it began
    prepared: bool = False
    ended_at: deque[tuple[float, int]] = field(default_factory=deque)  # how many had ended, and when it was looked


class Engine:
    """`run` takes the storage's lock and works until it is cancelled or `stop` is awaited."""

    def __init__(self, store: Store, gateways: Mapping[str, Gateway], settings: EngineSettings, clock: Clock) -> None:
        self.lanes: dict[str, Lane] = {}
        self.alive: dict[str, bool] = {}  # a lane whose task fell over is not, until it runs again
        self.running = False
        self.stopped = False  # the kill switch
        self._store = store
        self._gateways = gateways
        self._settings = settings
        self._clock = clock
        self._planner = Planner(store, settings, clock)
        self._work: dict[int, _Work] = {}
        self._nudged = asyncio.Event()
        self._closing = False
        self._ended = asyncio.Event()
        self._lane_tasks: dict[str, asyncio.Task[None]] = {}
        self.inbox = Inbox(store, clock, gateways, replies=self, revoked=self.revoke)

    # --- what others ask ---

    def nudge(self) -> None:
        """Somebody in this process changed something: look now."""
        self._nudged.set()

    def revoke(self, channel: str, address_id: int) -> None:
        """An address is not to be written to any more, from this moment on."""
        if lane := self.lanes.get(channel):
            lane.revoke(address_id)

    async def send_now(self, channel: str, outgoing: Outgoing) -> Accepted:
        """Send ahead of all bulk, at the channel's pace. Raises GatewayError."""
        if not self.alive.get(channel):
            raise ChannelBroken("the channel is not running")
        return await self.lanes[channel].send_first(outgoing)

    async def stop(self) -> None:
        """Begin no new sends, finish and record what is in flight (for `drain_s` at most), then end `run`."""
        self._closing = True
        self._nudged.set()
        await self._ended.wait()

    # --- running ---

    async def run(self) -> None:
        """Raises AnotherEngine at once where another one works on this storage."""
        try:
            async with self._store.runs.lock(self._settings.data_dir):
                await self._run()
        finally:
            self.running = False
            self._ended.set()

    async def _run(self) -> None:
        await self._guard_long_silence()
        await self._recover()
        run_id = await self._store.runs.begin(self._clock.now())
        for channel, gateway in self._gateways.items():
            self.lanes[channel] = self._build_lane(self._settings.channels[channel], gateway, run_id)
        await self._restore_channels()
        async with asyncio.TaskGroup() as tasks:
            for channel in self.lanes:
                self._lane_tasks[channel] = tasks.create_task(self._keep_lane(channel), name=f"lane {channel}")
            beating = tasks.create_task(self._beat(run_id), name="heartbeat")
            self.running = True
            try:
                await self._look_round(tasks)
            finally:
                self.running = False
                await asyncio.shield(asyncio.ensure_future(self._drain()))
                beating.cancel()
                for task in (*self._lane_tasks.values(), *self._plannings()):
                    task.cancel()
        await self._recover()
        await self._store.runs.end(run_id, self._clock.now())

    def _build_lane(self, channel: ChannelSettings, gateway: Gateway, run_id: int) -> Lane:
        return Lane(
            channel,
            gateway,
            writer=self._store.writer,
            clock=self._clock,
            report=self,
            run_id=run_id,
            tries=self._settings.tries,
            quota=self._quota_of(channel),
        )

    def _quota_of(self, channel: ChannelSettings) -> Callable[[], DayQuota | PackageQuota | None]:
        quota = channel.quota
        if quota is None:
            return lambda: None
        if quota.per is QuotaPer.PACKAGE:
            return lambda: PackageQuota(quota.messages)
        zone = ZoneInfo(self._settings.timezone)
        return lambda: DayQuota(quota.messages, self._clock.now().astimezone(zone).date().isoformat())

    async def _recover(self) -> None:
        recovered = await self._store.writer.write(settling.recover, settling.Recovery(self._clock.now()))
        if recovered.planned or recovered.unknown:
            log.warning(
                "deliveries of an ended run were settled",
                extra={"planned": recovered.planned, "unknown": recovered.unknown},
            )

    async def _guard_long_silence(self) -> None:
        """After a long outage or a restored backup, what was sending asks a person before it goes on."""
        last = await self._store.runs.last_heartbeat()
        now = self._clock.now()
        if last is None or now - last <= timedelta(seconds=SILENCE_S):
            return
        for mailing in await self._store.mailings.with_status([Status.SENDING]):
            await self._pause(
                mailing.id,
                "long_silence",
                f"Carillon did not run from {last:%Y-%m-%d %H:%M} to {now:%Y-%m-%d %H:%M} UTC",
            )

    async def _restore_channels(self) -> None:
        """A channel that broke in an earlier run is asked once: it may be mended by now, the restart being the mend."""
        states = await self._store.mailings.channel_states()
        for channel, lane in self.lanes.items():
            state = states.get(channel)
            lane.state.broken = state.reason if state is not None and state.broken_at is not None else None

    async def _keep_lane(self, channel: str) -> None:
        """Run a lane; one that falls over through a fault of ours is cleaned up after and started again."""
        lane = self.lanes[channel]
        await self._check_channel(channel)
        while not self._closing:
            self.alive[channel] = True
            try:
                await lane.run()
            except Exception:
                self.alive[channel] = False
                log.exception("a lane fell over", extra={"channel": channel})
                await self._clock.sleep(LANE_RESTART_S)
                with suppress(Exception):
                    await self._store.writer.write(settling.recover, settling.Recovery(self._clock.now(), channel))
                for work in self._work.values():
                    work.prepared = False
                for step_id in list(self._work):
                    await lane.drop_step(step_id)
                self._nudged.set()
            else:
                break
        self.alive[channel] = False

    async def _check_channel(self, channel: str) -> None:
        """Ask the platform who we are; a channel whose token is refused does not start, the others do."""
        lane = self.lanes[channel]
        try:
            account = await lane.gateway.check()
        except ChannelBroken as error:
            lane.state.broken = error.words
            await self.channel_broken(channel, error.words)
        except GatewayError as error:
            log.warning("a platform does not answer", extra={"channel": channel, "code": error.code})
        else:
            lane.mend()
            await self._store.mailings.set_channel(
                channel,
                {
                    "account_id": account.external_id,
                    "account_name": account.name,
                    "link": account.link,
                    "broken_at": None,
                    "reason": None,
                    "down_since": None,
                },
            )

    async def _beat(self, run_id: int) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            await self._store.runs.beat(run_id, self._clock.now())

    async def _drain(self) -> None:
        for lane in self.lanes.values():
            await lane.close()
        pending = [task for task in self._lane_tasks.values() if not task.done()]
        if pending:
            await asyncio.wait(pending, timeout=self._settings.drain_s)

    def _plannings(self) -> list[asyncio.Task[None]]:
        return [work.planning for work in self._work.values() if work.planning is not None]

    # --- looking round ---

    async def _look_round(self, tasks: asyncio.TaskGroup) -> None:
        while not self._closing:
            self._nudged.clear()
            await self._look(tasks)
            await self._wait_for_nudge()

    async def _wait_for_nudge(self) -> None:
        woken = asyncio.ensure_future(self._nudged.wait())
        nap = asyncio.ensure_future(self._clock.sleep(LOOK_S))
        try:
            await asyncio.wait((woken, nap), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            nap.cancel()

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        stopped = await self._store.mailings.stopped_by() is not None
        if stopped != self.stopped:
            self.stopped = stopped
            for lane in self.lanes.values():
                lane.state.halted = stopped
                lane.state.wake()
        steps = await self._store.mailings.active_steps()
        await self._notice_mended()
        sending = {step.step_id for step in steps if step.status is Status.SENDING}
        for step_id in [step_id for step_id in self._work if step_id not in sending]:
            await self._drop(step_id)
        for step in steps:
            match step.status:
                case Status.SCHEDULED if not stopped:
                    await self._start_if_due(step)
                case Status.CANCELLED:
                    await self._sweep_cancelled(step.step_id)
                case Status.SENDING if not stopped:
                    await self._work_on(step, tasks)
                case _:
                    continue

    async def _notice_mended(self) -> None:
        if not any(lane.state.broken for lane in self.lanes.values()):
            return
        states = await self._store.mailings.channel_states()
        for channel, lane in self.lanes.items():
            state = states.get(channel)
            if lane.state.broken is not None and (state is None or state.broken_at is None):
                lane.mend()

    async def _start_if_due(self, step: ActiveStep) -> None:
        now = self._clock.now()
        if step.start_at is None or step.start_at > now:
            return
        if now - step.start_at > timedelta(seconds=LATE_START_S):
            late_min = int((now - step.start_at).total_seconds() // 60)
            await self._pause(step.mailing_id, "late_start", f"its start was {late_min} minutes ago", Status.SCHEDULED)
            return
        await self._store.mailings.move(
            Move(
                mailing_id=step.mailing_id,
                from_statuses=(Status.SCHEDULED,),
                values={"status": Status.SENDING.value, "started_at": now},
                audited=Audited(now, ENGINE, "start"),
                notice=NewNotice("started", now, step.launched_by),
            )
        )
        self._nudged.set()

    async def _sweep_cancelled(self, step_id: int) -> None:
        """Rows that came back after a cancel, or that a killed process had not come to."""
        sweep = settling.Sweep(
            step_id, DeliveryState.PLANNED, DeliveryState.CANCELLED, self._clock.now(), "cancelled", (Status.CANCELLED,)
        )
        await self._store.writer.write(settling.sweep, sweep)

    async def _work_on(self, step: ActiveStep, tasks: asyncio.TaskGroup) -> None:
        work = self._work.get(step.step_id)
        if work is None:
            mailing = await self._store.mailings.find(step.mailing_id)
            if mailing is None or mailing.status is not Status.SENDING:
                return
            work = self._work[step.step_id] = _Work(mailing, counted_from=dict(await self._outcomes(step.step_id)))
        if not work.prepared and not await self._prepare(work):
            return
        if not step.planned_all and (work.planning is None or work.planning.done()):
            work.planning = tasks.create_task(self._plan(work), name=f"plan {step.step_id}")
        self._set_speed(step)
        outcomes = await self._outcomes(step.step_id)
        await self._keep_rate(step, work, outcomes)
        if await self._too_many_failures(step, work, outcomes):
            return
        await self._end_if_done(step)

    async def _prepare(self, work: _Work) -> bool:
        """Fit the message to each channel and give the lanes the step. False: it was interrupted instead."""
        mailing = work.mailing
        if mailing.content_hash is not None and mailing.content_hash != content_hash(mailing.draft.message):
            await self.interrupt(mailing.id, "content_changed", "the message is not the one that was launched")
            return False
        known_fields = await self._store.clients.known_fields()
        try:
            sizes = Media(self._settings.data_dir).sizes(mailing.draft.message)
            for channel in channels_of(mailing, list(self.lanes)):
                lane = self.lanes[channel]
                capabilities = lane.gateway.capabilities
                fitted = fit(mailing.draft.message, capabilities, sizes)
                personaliser = Personaliser(fitted.parts, capabilities, known_fields)
                speed = min(mailing.draft.speed or lane.channel.rate, lane.channel.rate)
                lane.add_step(LaneStep(mailing.step_id, fitted.parts, personaliser, Pacer(speed)))
        except Invalid as error:
            await self.interrupt(mailing.id, "template", str(error))
            return False
        work.prepared = True
        return True

    async def _plan(self, work: _Work) -> None:
        try:
            while not self._closing:
                planned = await self._planner.plan_next(work.mailing)
                for lane in self.lanes.values():
                    lane.state.wake()
                if planned.all:
                    break
                await asyncio.sleep(0)
        except Invalid as error:
            await self.interrupt(work.mailing.id, "audience", str(error))
        self._nudged.set()

    def _set_speed(self, step: ActiveStep) -> None:
        for lane in self.lanes.values():
            lane_step = lane.step(step.step_id)
            if lane_step is not None:
                lane_step.pacer.set_rate(min(step.speed or lane.channel.rate, lane.channel.rate))

    async def _drop(self, step_id: int) -> None:
        work = self._work.pop(step_id)
        if work.planning is not None:
            work.planning.cancel()
        for lane in self.lanes.values():
            await lane.drop_step(step_id)

    # --- ends and interruptions ---

    async def _outcomes(self, step_id: int) -> Mapping[str, int]:
        sums: dict[str, int] = {}
        for (_, name), amount in (await self._store.deliveries.counters([step_id]))[step_id].items():
            sums[name] = sums.get(name, 0) + amount
        return sums

    async def _keep_rate(self, step: ActiveStep, work: _Work, outcomes: Mapping[str, int]) -> None:
        """Write down how fast the step goes, for whoever asks from another process."""
        now = self._clock.monotonic()
        seen = work.ended_at
        if seen and now - seen[-1][0] < RATE_EVERY_S:
            return
        seen.append((now, sum(outcomes.get(name, 0) for name in ("sent", "failed", "unknown"))))
        while now - seen[0][0] > RATE_OVER_S:
            seen.popleft()
        if len(seen) > 1:
            rate = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
            await self._store.mailings.set_rate(step.step_id, max(rate, 0.0), self._clock.now())

    async def _too_many_failures(self, step: ActiveStep, work: _Work, now: Mapping[str, int]) -> bool:
        """Count only what has ended since this run of the mailing began, so that a resumed one gets its chance."""
        limits = self._settings.interrupt_at
        since = {name: amount - work.counted_from.get(name, 0) for name, amount in now.items()}
        failed = since.get("failed", 0)
        normal = sum(since.get(f"failed:{reason}", 0) for reason in NORMAL_FAILURES)
        ended = since.get("sent", 0) + failed + since.get("unknown", 0)
        if ended < limits.after:
            return False
        if (failed - normal) / ended > limits.failed_share:
            await self.interrupt(step.mailing_id, "failures", f"{failed - normal} of the last {ended} failed")
            return True
        if limits.gone_share is not None and normal / ended > limits.gone_share:
            await self.interrupt(step.mailing_id, "gone", f"{normal} of the last {ended} addresses are blocked or gone")
            return True
        return False

    async def _end_if_done(self, step: ActiveStep) -> None:
        if not step.planned_all:
            return
        waiting = await self._store.deliveries.waiting_by_channel(step.step_id)
        if not waiting:
            if await self._store.deliveries.none_left(step.step_id):
                await self._finish(step)
            return
        reasons = {channel: self._why_blocked(step.step_id, channel) for channel in waiting}
        if all(reason is not None for reason in reasons.values()):
            kind, words = next(reason for reason in reasons.values() if reason is not None)
            await self.interrupt(step.mailing_id, kind, words)

    def _why_blocked(self, step_id: int, channel: str) -> tuple[str, str] | None:
        """Why a channel will not send what waits on it, once nothing of it is in flight; None while it will."""
        lane = self.lanes.get(channel)
        if lane is None:
            return "channel_missing", f"{channel} stands in no configuration any more"
        if lane.state.in_flight:
            return None
        if lane.state.broken is not None:
            return "channel_broken", f"{channel}: {lane.state.broken}"
        if lane.used_up(step_id) and not lane.in_hand(step_id):
            return "quota", f"the quota of {channel} is used up"
        return None

    async def _finish(self, step: ActiveStep) -> None:
        now = self._clock.now()
        await self._store.mailings.move(
            Move(
                mailing_id=step.mailing_id,
                from_statuses=(Status.SENDING,),
                values={"status": Status.SENT.value, "finished_at": now, "reason": None, "reason_words": None},
                audited=Audited(now, ENGINE, "finish"),
                notice=NewNotice("finished", now, step.launched_by),
            )
        )
        self._nudged.set()

    async def interrupt(self, mailing_id: int, reason: str, words: str) -> None:
        """Stop a mailing until a person resumes or cancels it, and tell who launched it."""
        now = self._clock.now()
        mailing = await self._store.mailings.find(mailing_id)
        if mailing is None:
            return
        await self._store.mailings.move(
            Move(
                mailing_id=mailing_id,
                from_statuses=(Status.SENDING,),
                values={"status": Status.INTERRUPTED.value, "reason": reason, "reason_words": words},
                audited=Audited(now, ENGINE, "interrupt", details={"reason": reason}),
                notice=NewNotice("interrupted", now, mailing.launched_by, {"reason": reason, "words": words}),
            )
        )
        if mailing.step_id in self._work:
            await self._drop(mailing.step_id)
        self._nudged.set()

    async def _pause(self, mailing_id: int, reason: str, words: str, status: Status = Status.SENDING) -> None:
        now = self._clock.now()
        mailing = await self._store.mailings.find(mailing_id)
        await self._store.mailings.move(
            Move(
                mailing_id=mailing_id,
                from_statuses=(status,),
                values={"status": Status.PAUSED.value, "reason": reason, "reason_words": words},
                audited=Audited(now, ENGINE, "pause", details={"reason": reason}),
                notice=NewNotice(
                    "paused", now, mailing.launched_by if mailing else None, {"reason": reason, "words": words}
                ),
            )
        )

    # --- what lanes report ---

    async def message_refused(self, step_id: int, channel: str, words: str) -> None:
        if work := self._work.get(step_id):
            await self.interrupt(work.mailing.id, "message_rejected", f"{channel}: {words}")

    async def channel_broken(self, channel: str, words: str) -> None:
        now = self._clock.now()
        await self._store.mailings.set_channel(channel, {"broken_at": now, "reason": words})
        await self._store.mailings.notify(NewNotice("channel_broken", now, None, {"channel": channel, "words": words}))
        self._nudged.set()

    async def channel_down(self, channel: str, since: datetime | None) -> None:
        await self._store.mailings.set_channel(channel, {"down_since": since})
        log.warning("a platform is away" if since else "a platform is back", extra={"channel": channel})

    async def channel_throttled(self, channel: str, until: datetime) -> None:
        await self._store.mailings.set_channel(channel, {"throttled_until": until})

    def progressed(self, step_id: int) -> None:
        """Look again soon when a step's last delivery may have ended."""
        lanes = [lane for lane in self.lanes.values() if lane.step(step_id) is not None]
        if not any(lane.in_hand(step_id) or lane.state.in_flight > 1 for lane in lanes):
            self._nudged.set()

    async def reply(self, channel: str, address: str, text: str) -> None:
        """Answer a client ahead of all bulk; an answer that fails is logged and harms nothing."""
        part = Part(PartKind.TEXT, text)
        outgoing = Outgoing(address, part, RichText(text), (), (), reference="")
        try:
            await self.send_now(channel, outgoing)
        except GatewayError as error:
            log.warning("an answer to a client did not go out", extra={"channel": channel, "code": error.code})
