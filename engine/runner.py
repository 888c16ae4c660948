"""The engine: one on a storage. Starts what is due, plans, gives the lanes their steps, ends what has ended."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.amender import Amender
from engine.binding import StartPayloads
from engine.canary import Canaries
from engine.channels import Channels
from engine.clock import Clock
from engine.errors import Invalid, _
from engine.fit import fit
from engine.lane.lane import Lane
from engine.lane.state import LaneStep
from engine.links import LinkDesk
from engine.media import Media
from engine.moves import Moves
from engine.pacing import Pacer
from engine.personalise import Personaliser
from engine.plan import Planner, channels_of
from engine.reads import ReadPolling
from engine.receipts import Inbox, keep_late_receipts
from engine.recovery import ClockGuard, guard_copy, guard_long_silence, recover
from engine.settings import EngineSettings
from engine.starting import Starts
from engine.templates import TemplateSync, names_template
from engine.watch import Watch
from gateways.base import (
    Accepted,
    Gateway,
    GatewayError,
    Outgoing,
    Part,
    PartKind,
    ReceiptState,
    Template,
    Unavailable,
)
from gateways.markup import RichText
from gateways.message import content_hash
from storage import settling
from storage.mailings import ActiveStep
from storage.records import DeliveryState, Mailing, Routing, Status
from storage.runs import KeepLock
from storage.store import Store

log = logging.getLogger(__name__)

LOOK_S = 0.25  # between looks at what people changed from other processes
HEARTBEAT_S = 60.0
ANSWERS_S = 1.0  # of a shutdown's time, for answers to clients
STORAGE_PAUSE_S = 1.0  # before another look at a storage that did not answer


@dataclass(slots=True)
class _Work:
    """What the engine remembers of a step while it is active."""

    mailing: Mailing
    watch: Watch
    planning: asyncio.Task[None] | None = None
    prepared: bool = False


class Engine:
    """`run` takes the storage's lock and works until it is cancelled or `stop` is awaited."""

    def __init__(
        self,
        store: Store,
        gateways: Mapping[str, Gateway],
        settings: EngineSettings,
        clock: Clock,
        *,
        links: LinkDesk | None = None,
        payloads: StartPayloads | None = None,
    ) -> None:
        self.running = False
        self.stopped = False  # the kill switch
        self._store = store
        self._settings = settings
        self._clock = clock
        self._links = links
        self._channels = Channels(store, gateways, settings, clock, nudge=self.nudge, fell_over=self._take_steps_from)
        self._moves = Moves(store, clock)
        self._clock_guard = ClockGuard(store, clock)
        self._canaries = Canaries(store, self._moves, clock)
        self._starts = Starts(store, settings, self._moves, clock)
        self._work: dict[int, _Work] = {}
        self._nudged = asyncio.Event()
        self._closing = False
        self._ended = asyncio.Event()
        self._templates = TemplateSync(store, gateways, clock, stopped=self._template_stopped)
        self.inbox = Inbox(
            store,
            clock,
            gateways,
            replies=self,
            revoked=self.revoke,
            broken=self._channels.break_channel,
            templates_changed=self._templates.changed,
            payloads=payloads,
            hands_over=settings.inbox,
            sending=lambda: bool(self._work),
        )
        self._amender = Amender(store, settings, clock, lanes=lambda: self.lanes, links=links)
        self._reads = ReadPolling(store, gateways, clock, self.inbox.take)

    # --- what others ask ---

    @property
    def lanes(self) -> Mapping[str, Lane]:
        return self._channels.lanes

    @property
    def alive(self) -> Mapping[str, bool]:
        """Whether each lane's task runs."""
        return self._channels.alive

    def nudge(self) -> None:
        """Somebody in this process changed something: look now."""
        self._nudged.set()
        self._amender.nudge()

    def revoke(self, channel: str, address_id: int) -> None:
        """An address is not to be written to any more, from this moment on."""
        if lane := self.lanes.get(channel):
            lane.revoke(address_id)

    async def send_now(self, channel: str, outgoing: Outgoing) -> Accepted:
        """Send ahead of all bulk, at the channel's pace. Raises GatewayError."""
        if not self.alive.get(channel):
            raise Unavailable("the channel is not running")
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
            async with self._store.runs.lock(self._settings.data_dir) as keep_lock:
                await self._run(keep_lock)
        finally:
            self.running = False
            self._ended.set()

    async def _run(self, keep_lock: KeepLock) -> None:
        await guard_copy(self._store, self._moves)
        await guard_long_silence(self._store, self._moves, self._clock)
        await self._clock_guard.look(await self._store.runs.last_heartbeat())
        await recover(self._store, self._clock, self._settings)
        run_id = await self._store.runs.begin(self._clock.now())
        async with asyncio.TaskGroup() as tasks:
            await self._channels.open(run_id, self, tasks)
            beside = [
                tasks.create_task(keep_lock(run_id), name="lock"),
                tasks.create_task(self._beat(run_id), name="heartbeat"),
                tasks.create_task(self._templates.run(), name="templates"),
                tasks.create_task(self._reads.run(), name="reads"),
                tasks.create_task(self._amender.run(), name="amendments"),
                tasks.create_task(keep_late_receipts(self._store, self._clock), name="late receipts"),
            ]
            self.running = True
            try:
                await self._look_round(tasks)
            finally:
                self.running = False
                await self._end_answers()
                await asyncio.shield(asyncio.ensure_future(self._channels.drain()))
                for task in beside:
                    task.cancel()
                for work in self._work.values():
                    if work.planning is not None:
                        work.planning.cancel()
        await recover(self._store, self._clock, self._settings)
        await self._store.runs.end(run_id, self._clock.now())

    async def _end_answers(self) -> None:
        """What a client was promised an answer to is answered before the lanes close."""
        try:
            async with asyncio.timeout(ANSWERS_S):
                await self.inbox.settled()
        except TimeoutError:
            log.warning("answers to clients were still on their way at the end")

    async def _beat(self, run_id: int) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            try:
                await self._store.runs.beat(run_id, self._clock.now())
            except Exception:
                log.exception("the heartbeat could not be kept")

    # --- looking round ---

    async def _look_round(self, tasks: asyncio.TaskGroup) -> None:
        while not self._closing:
            self._nudged.clear()
            try:
                await self._look(tasks)
            except Exception:
                # The storage may be away for a while; what is in flight ends meanwhile, and nothing is lost.
                log.exception("the engine could not look round")
                await self._clock.sleep(STORAGE_PAUSE_S)
            await self._clock.wait(self._nudged, LOOK_S)

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        await self._clock_guard.look()
        stopped = await self._store.mailings.stopped_by() is not None
        if stopped != self.stopped:
            self.stopped = stopped
            self._channels.halt(stopped)
        steps = await self._store.mailings.active_steps()
        await self._channels.notice_mended()
        sending = {step.step_id for step in steps if step.status is Status.SENDING}
        for step_id in [step_id for step_id in self._work if step_id not in sending]:
            await self._drop(step_id)
        for step in steps:
            match step.status:
                case Status.SCHEDULED if not stopped:
                    if await self._starts.start_if_due(step):
                        self.nudge()
                case Status.CANCELLED:
                    await self._sweep_cancelled(step.step_id)
                case Status.SENDING if not stopped:
                    await self._work_on(step, tasks)
                case Status.PAUSED if not stopped:
                    await self._canaries.judge(step.mailing_id)
                case _:
                    continue

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
            watch = Watch(step.step_id, self._store, self._clock, self._settings.interrupt_at)
            work = self._work[step.step_id] = _Work(mailing, watch)
        if not work.prepared and not await self._prepare(work):
            return
        if not step.planned_all and (work.planning is None or work.planning.done()):
            work.planning = tasks.create_task(self._plan(work), name=f"plan {step.step_id}")
        self._set_speed(step)
        failing = await work.watch.look()
        if failing is not None:
            await self.interrupt(step.mailing_id, *failing)
            return
        if step.planned_all and await self._canaries.has_paused(work.mailing):
            return
        await self._end_if_done(step)

    async def _prepare(self, work: _Work) -> bool:
        """Fit the message to each channel and give the lanes the step. False: it was interrupted instead."""
        mailing = work.mailing
        if mailing.content_hash is not None and mailing.content_hash != content_hash(mailing.draft.message):
            await self.interrupt(mailing.id, "content_changed", _("the message is not the one that was launched"))
            return False
        known_fields = await self._store.clients.known_fields()
        try:
            channels = [name for name in channels_of(mailing.draft, self._settings.channels) if name in self.lanes]
            for place, channel in enumerate(channels):
                step = await self._step_for(mailing, self.lanes[channel], known_fields)
                if mailing.draft.routing is Routing.CASCADE:
                    step.next_channels = tuple(channels[place + 1 :])
                    step.hand_on_after_s = self._hand_on_after_s(channel)
                self.lanes[channel].add_step(step)
        except Invalid as error:
            await self.interrupt(mailing.id, "template", str(error))
            return False
        work.prepared = True
        return True

    async def _step_for(self, mailing: Mailing, lane: Lane, known_fields: Collection[str]) -> LaneStep:
        """The step as one lane sends it. Raises Invalid."""
        message, able = mailing.draft.message, lane.gateway.capabilities
        sizes = Media(self._settings.data_dir).sizes(message)
        fitted = fit(message, able, sizes, link_length=self._settings.link_length)
        links = await self._links.of_step(mailing.step_id, fitted.every_part) if self._links else None
        inside = Personaliser(fitted.parts, able, known_fields, links=links, step_id=mailing.step_id)
        outside = None
        if fitted.outside:
            outside = Personaliser(
                fitted.outside, able, known_fields, links=links, after=fitted.parts, step_id=mailing.step_id
            )
        speed = _own_speed(mailing.draft.speed, lane)
        return LaneStep(
            mailing.step_id,
            fitted.parts,
            inside,
            None if speed is None else Pacer(speed),
            outside,
            fitted.outside,
            canary=mailing.draft.canary if mailing.canary_state is None else None,
        )

    def _hand_on_after_s(self, channel: str) -> float | None:
        """How long a cascade waits for a receipt of this channel; None where the platform gives none."""
        gives = ReceiptState.DELIVERED in self.lanes[channel].gateway.capabilities.receipts
        return self._settings.cascade_after_s if gives else None

    async def _plan(self, work: _Work) -> None:
        planner = Planner(self._store, self._settings, self._clock)
        try:
            while not self._closing:
                planned = await planner.plan_next(work.mailing)
                for lane in self.lanes.values():
                    lane.state.wake()
                if planned.all:
                    break
                await asyncio.sleep(0)
        except Invalid as error:
            await self.interrupt(work.mailing.id, "audience", str(error))
        except Exception:
            # The mark stands with the last whole package; the next look goes on from there.
            log.exception("a package could not be planned", extra={"step": work.mailing.step_id})
            await self._clock.sleep(STORAGE_PAUSE_S)
        self.nudge()

    def _set_speed(self, step: ActiveStep) -> None:
        for lane in self.lanes.values():
            lane_step = lane.step(step.step_id)
            if lane_step is not None:
                lane_step.set_speed(_own_speed(step.speed, lane))

    async def _drop(self, step_id: int) -> None:
        work = self._work.pop(step_id)
        if work.planning is not None:
            work.planning.cancel()
        for lane in self.lanes.values():
            await lane.drop_step(step_id)

    async def _take_steps_from(self, lane: Lane) -> None:
        """A lane fell over: it gets its steps anew."""
        for step_id, work in self._work.items():
            work.prepared = False
            await lane.drop_step(step_id)

    # --- ends and interruptions ---

    async def _end_if_done(self, step: ActiveStep) -> None:
        if not step.planned_all:
            return
        waiting = await self._store.deliveries.waiting_by_channel(step.step_id)
        if not waiting:
            if await self._store.deliveries.none_left(step.step_id):
                await self._moves.finish(step.mailing_id, step.launched_by)
                self.nudge()
            return
        reasons = {channel: self._channels.why_blocked(step.step_id, channel) for channel in waiting}
        if all(reason is not None for reason in reasons.values()):
            await self.interrupt(step.mailing_id, *next(reason for reason in reasons.values() if reason is not None))

    async def interrupt(self, mailing_id: int, reason: str, words: str) -> None:
        """Stop a mailing until a person resumes or cancels it, and tell who launched it."""
        await self._moves.interrupt(mailing_id, reason, words)
        for step_id in [step_id for step_id, work in self._work.items() if work.mailing.id == mailing_id]:
            await self._drop(step_id)
        self.nudge()

    # --- what lanes report ---

    async def message_refused(self, step_id: int, channel: str, words: str) -> None:
        if work := self._work.get(step_id):
            await self.interrupt(work.mailing.id, "message_rejected", f"{channel}: {words}")

    async def _template_stopped(self, channel: str, template: Template) -> None:
        """The platform takes a template no more: what is being sent by it on this channel stops."""
        lane = self.lanes.get(channel)
        if lane is None:
            return
        for work in list(self._work.values()):
            step = lane.step(work.mailing.step_id)
            if step is not None and names_template([*step.parts, *step.outside_parts], template):
                told = _("the template “{name}” is {status}").format(name=template.name, status=template.status)
                words = f"{channel}: {told}"
                await self.interrupt(work.mailing.id, "template_stopped", words)

    async def channel_broken(self, channel: str, words: str) -> None:
        await self._channels.broken(channel, words)

    async def channel_down(self, channel: str, since: datetime | None) -> None:
        await self._channels.down(channel, since)

    async def channel_throttled(self, channel: str, until: datetime) -> None:
        await self._channels.throttled(channel, until)

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


def _own_speed(speed: float | None, lane: Lane) -> float | None:
    """A mailing's speed where the channel would go faster."""
    return speed if speed and speed < lane.channel.rate else None
