"""A lane: the task that sends everything of one channel, and the only one that does.

Deliveries flow through three hands: claimed (rendered, waiting), started (marked durably, about to be written) and in
flight (on the socket, waiting for the answer). Each error class of `gateways.base` has one arm in `_settle`.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from engine.clock import Clock
from engine.pacing import Pacer
from engine.personalise import Personaliser, TemplateFailed
from engine.retry import pause_before_probe, pause_before_try
from engine.settings import ChannelSettings
from gateways.base import (
    Accepted,
    AddressGone,
    ChannelBroken,
    Gateway,
    GatewayError,
    HoldsMedia,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    OutsideWindow,
    Part,
    Rejected,
    Throttled,
    Unavailable,
)
from storage import claims, settling
from storage.outcomes import finish
from storage.quotas import DayQuota, PackageQuota
from storage.records import AcceptedPart, Claimed, DeliveryState, Outcome
from storage.writer import Writer

log = logging.getLogger(__name__)

CLAIM_AHEAD_S = 0.25  # of the lane's rate
START_AHEAD_S = 0.1
MAX_CLAIM = 500
IN_FLIGHT_S = 10.0  # of the lane's rate: a platform that takes calls and never answers can't pile up more
LOOK_AGAIN_S = 0.25  # where nothing was due
LONGEST_NAP_S = 0.2  # before the lane looks round again, so that a change takes hold

DOWN_AFTER = 3  # failures in a row on different clients
SAME_REJECTION = 3
NO_SUCH_ADDRESS = 20


class LaneReport(Protocol):
    """What a lane tells the runner."""

    async def message_refused(self, step_id: int, channel: str, words: str) -> None:
        """The platform refuses this message for everybody: the mailing is to be interrupted."""
        ...

    async def channel_broken(self, channel: str, words: str) -> None: ...

    async def channel_down(self, channel: str, since: datetime | None) -> None:
        """The platform is away since then; None: it is back."""
        ...

    async def channel_throttled(self, channel: str, until: datetime) -> None: ...

    def progressed(self, step_id: int) -> None:
        """A delivery of this step ended."""
        ...


@dataclass(slots=True)
class Job:
    """A delivery in the lane's hand, rendered."""

    delivery: Claimed
    outgoing: Sequence[Outgoing]
    started_at: datetime | None = None
    accepted: list[AcceptedPart] = field(default_factory=list)
    new_address: str | None = None


@dataclass(slots=True)
class LaneStep:
    """A step as this lane sends it: fitted, personalised, at its own speed."""

    step_id: int
    parts: Sequence[Part]
    personaliser: Personaliser
    pacer: Pacer
    claimed: deque[Job] = field(default_factory=deque)
    started: deque[Job] = field(default_factory=deque)
    look_again_at: float = 0.0
    priming: bool = False  # a first message uploads; the others wait to use what it uploaded
    served_at: float = 0.0
    used_up: bool = False

    def waiting(self) -> int:
        return len(self.claimed) + len(self.started)


@dataclass(slots=True)
class LaneFigures:
    """What the lane did, for metrics."""

    slots: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    throttles: int = 0
    late_s: float = 0.0  # sum over slots of how much later than planned they were used


@dataclass(slots=True)
class _Streaks:
    """What came in a row, with no success between."""

    away: dict[int, int] = field(default_factory=dict)  # client -> delivery
    rejected: dict[int, str] = field(default_factory=dict)  # client -> words
    no_such_address: dict[int, int] = field(default_factory=dict)

    def clear(self) -> None:
        self.away.clear()
        self.rejected.clear()
        self.no_such_address.clear()


class Lane:
    """Run it as a task; the runner gives it steps, and it sends what they have at the channel's pace."""

    def __init__(
        self,
        channel: ChannelSettings,
        gateway: Gateway,
        *,
        writer: Writer,
        clock: Clock,
        report: LaneReport,
        run_id: int,
        tries: int,
        quota: Callable[[], DayQuota | PackageQuota | None],
    ) -> None:
        self.channel = channel
        self.gateway = gateway
        self.figures = LaneFigures()
        self.broken: str | None = None  # the platform's words
        self.down_since: datetime | None = None
        self.throttled_until = 0.0
        self.halted = False  # the kill switch
        self.closing = False
        self._writer = writer
        self._clock = clock
        self._report = report
        self._run_id = run_id
        self._tries = tries
        self._quota = quota
        self._pacer = Pacer(channel.rate)
        self._steps: dict[int, LaneStep] = {}
        self._first: deque[tuple[Outgoing, asyncio.Future[Accepted]]] = deque()
        self._more_slots: deque[asyncio.Future[None]] = deque()
        self._in_flight = 0
        self._streaks = _Streaks()
        self._wake = asyncio.Event()  # of the slots, of the claims, of the starts: one who waits for each
        self._claim_wake = asyncio.Event()
        self._start_wake = asyncio.Event()
        self._sends: asyncio.TaskGroup | None = None

    # --- what the runner and others ask ---

    @property
    def rate(self) -> float:
        """Messages/second at present."""
        return self._pacer.rate

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def in_hand(self, step_id: int) -> bool:
        """Whether anything of the step is claimed, started or may still be in flight here."""
        step = self._steps.get(step_id)
        return step is not None and (step.waiting() > 0 or step.priming)

    def used_up(self, step_id: int) -> bool:
        """Whether the quota has nothing left for this step."""
        step = self._steps.get(step_id)
        return step is not None and step.used_up

    @property
    def can_send(self) -> bool:
        return not (self.closing or self.halted or self.broken is not None or self.down_since is not None)

    def add_step(self, step: LaneStep) -> None:
        if step.step_id not in self._steps:
            self._steps[step.step_id] = step
            self.wake()

    def step(self, step_id: int) -> LaneStep | None:
        return self._steps.get(step_id)

    async def drop_step(self, step_id: int) -> None:
        """Send no more of the step; what is claimed goes back, what is in flight ends as it ends."""
        step = self._steps.pop(step_id, None)
        if step is not None:
            await self._release([*step.started, *step.claimed])

    def wake(self) -> None:
        for event in (self._wake, self._claim_wake, self._start_wake):
            event.set()

    def revoke(self, address_id: int) -> None:
        """Drop what is about to go to an address that opted out; the next look at the row says why."""
        for step in self._steps.values():
            for job in [job for job in step.started if job.delivery.address_id == address_id]:
                step.started.remove(job)
                step.claimed.appendleft(job)
        self._start_wake.set()

    async def send_first(self, outgoing: Outgoing) -> Accepted:
        """Send ahead of all bulk: answers to people, opt-out confirmations, tests. Raises GatewayError."""
        if self.broken is not None:
            raise ChannelBroken(self.broken)
        done: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._first.append((outgoing, done))
        self._wake.set()
        return await done

    def mend(self) -> None:
        """A person has seen to the channel: start again."""
        self.broken = None
        self._streaks.clear()
        self.wake()

    # --- running ---

    async def run(self) -> None:
        """Send until cancelled. After `close`, no new sends begin and it ends when nothing is in flight."""
        try:
            async with asyncio.TaskGroup() as sends:
                self._sends = sends
                feeders = [
                    sends.create_task(self._claim_ahead(), name=f"claim {self.channel.id}"),
                    sends.create_task(self._start_ahead(), name=f"start {self.channel.id}"),
                ]
                await self._use_slots()
                for feeder in feeders:
                    feeder.cancel()
        finally:
            self._sends = None
            for _, done in self._first:
                if not done.done():
                    done.set_exception(Unavailable("Carillon is stopping"))
            self._first.clear()

    async def close(self) -> None:
        """Begin nothing more; give back what has not gone out."""
        self.closing = True
        for step_id in list(self._steps):
            await self.drop_step(step_id)
        self.wake()

    async def _use_slots(self) -> None:
        while not (self.closing and self._in_flight == 0):
            now = self._clock.monotonic()
            if not self._may_use_slots(now):
                await self._release_all()
                await self._clock.sleep(LONGEST_NAP_S)
                continue
            if self.halted:
                await self._release_all()
            start_at, use = self._next_use(now)
            if use is None:
                self._wake.clear()
                if self._next_use(now)[1] is None:
                    await self._wake.wait()
                continue
            if start_at > now:
                await self._clock.sleep_until(min(start_at, now + LONGEST_NAP_S))
                continue
            self.figures.slots += 1
            use(now)
            # The send begins before the next slot is reckoned, so that the pacer knows its true start.
            await asyncio.sleep(0)

    def _may_use_slots(self, now: float) -> bool:
        return (
            self.broken is None
            and self.down_since is None
            and now >= self.throttled_until
            and self._in_flight < max(self._pacer.rate * IN_FLIGHT_S, 50)
        )

    def _next_use(self, now: float) -> tuple[float, Callable[[float], None] | None]:
        """When the next slot is, and what to do with it: answers first, then parts that others wait for, then bulk."""
        slot_at = self._pacer.next_start(now)
        if self._first:
            return slot_at, self._use_for_first
        if self.halted:
            return slot_at, None
        if self._more_slots:
            return slot_at, self._use_for_more
        best: LaneStep | None = None
        best_at = math.inf
        for step in self._steps.values():
            if not step.started:
                continue
            step_at = step.pacer.next_start(now)
            # Of those that may go now, the one that has waited longest; so mailings share the channel's slots.
            if best is None or (max(step_at, slot_at), step.served_at) < (max(best_at, slot_at), best.served_at):
                best, best_at = step, step_at
        if best is None:
            return slot_at, None
        chosen = best
        return max(best_at, slot_at), lambda at: self._use_for_step(chosen, at)

    def _use_for_first(self, now: float) -> None:
        outgoing, done = self._first.popleft()
        self._spawn(self._send_first(outgoing, done), "send first")

    def _use_for_more(self, now: float) -> None:
        future = self._more_slots.popleft()
        if not future.done():
            future.set_result(None)

    def _use_for_step(self, step: LaneStep, now: float) -> None:
        job = step.started.popleft()
        step.served_at = now
        self._in_flight += 1
        self._spawn(self._send(step, job), f"send {job.delivery.id}")
        self._start_wake.set()
        self._claim_wake.set()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if self._sends is None:
            work.close()
            raise RuntimeError("the lane does not run")
        self._sends.create_task(work, name=f"{self.channel.id}: {name}")

    # --- feeding ---

    async def _claim_ahead(self) -> None:
        while True:
            busy = False
            for step in list(self._steps.values()):
                busy = await self._claim_for(step) or busy
            if not busy:
                await self._wait(self._claim_wake)

    async def _claim_for(self, step: LaneStep) -> bool:
        ahead = math.ceil(min(self._pacer.rate, step.pacer.rate) * CLAIM_AHEAD_S)
        want = min(max(ahead, 2), MAX_CLAIM) - step.waiting()
        now = self._clock.monotonic()
        if not self.can_send or want <= ahead // 2 or now < step.look_again_at:
            return False
        quota = self._quota()
        claim = await self._writer.write(
            claims.claim,
            claims.ClaimRequest(step.step_id, self.channel.id, want, self._run_id, self._clock.now(), quota),
        )
        step.used_up = claim.used_up
        if len(claim.deliveries) < want:
            step.look_again_at = now + LOOK_AGAIN_S
        jobs = [job for delivery in claim.deliveries if (job := await self._prepare(step, delivery)) is not None]
        if self._steps.get(step.step_id) is not step or not self.can_send:
            await self._release(jobs)
            return False
        step.claimed.extend(jobs)
        self._start_wake.set()
        return len(claim.deliveries) == want

    async def _prepare(self, step: LaneStep, delivery: Claimed) -> Job | None:
        try:
            outgoing = step.personaliser.render(
                delivery.client,
                address=delivery.address,
                delivery_id=delivery.id,
                attempt=delivery.attempt,
                details=delivery.address_details,
            )
        except TemplateFailed as error:
            refusal = MessageRejected(str(error), reason=error.reason)
            job = Job(delivery, (), started_at=self._clock.now())
            await self._finish(step, job, DeliveryState.FAILED, refusal, refusal.reason)
            await self._count_rejection(step, job, refusal)
            return None
        return Job(delivery, outgoing)

    async def _start_ahead(self) -> None:
        while True:
            jobs = await self._take_to_start()
            if not jobs:
                await self._wait(self._start_wake)
                continue
            at = self._clock.now()
            ids = tuple(job.delivery.id for _, job in jobs)
            verdicts = await self._writer.write(claims.start, claims.StartRequest(ids, at))
            for step, job in jobs:
                await self._obey(step, job, verdicts[job.delivery.id], at)
            self._wake.set()

    async def _take_to_start(self) -> list[tuple[LaneStep, Job]]:
        if not self.can_send or self._clock.monotonic() < self.throttled_until:
            return []
        room = max(math.ceil(self._pacer.rate * START_AHEAD_S), 1)
        room = min(room, MAX_CLAIM) - sum(len(step.started) for step in self._steps.values())
        jobs: list[tuple[LaneStep, Job]] = []
        steps = [step for step in self._steps.values() if step.claimed and not step.priming]
        # One of each in turn, the longest unserved first, so that a slow mailing does not take the others' room.
        steps.sort(key=lambda step: step.served_at)
        while room > 0 and steps:
            for step in list(steps):
                own = max(math.ceil(step.pacer.rate * START_AHEAD_S), 1)
                if room <= 0 or not step.claimed or len(step.started) + _count(jobs, step) >= own:
                    steps.remove(step)
                    continue
                if await self._needs_upload(step):
                    step.priming = True
                    steps.remove(step)
                jobs.append((step, step.claimed.popleft()))
                room -= 1
        return jobs

    async def _needs_upload(self, step: LaneStep) -> bool:
        if not isinstance(self.gateway, HoldsMedia):
            return False
        for part in step.parts:
            if part.media and await self.gateway.needs_upload(part):
                return True
        return False

    async def _obey(self, step: LaneStep, job: Job, verdict: str, at: datetime) -> None:
        if verdict == claims.GO and self._steps.get(step.step_id) is step and self.can_send:
            job.started_at = at
            step.started.append(job)
            return
        step.priming = False
        if verdict in (claims.GO, claims.RELEASE):
            await self._release([job])
        else:
            await self._finish(step, job, DeliveryState.SKIPPED, None, verdict)

    async def _wait(self, event: asyncio.Event) -> None:
        """Sleep until there is something to feed; the time-out notices what nobody announces."""
        event.clear()
        woken = asyncio.ensure_future(event.wait())
        nap = asyncio.ensure_future(self._clock.sleep(LOOK_AGAIN_S))
        try:
            await asyncio.wait((woken, nap), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            nap.cancel()

    async def _release(self, jobs: Sequence[Job]) -> None:
        now = self._clock.now()
        await asyncio.gather(
            *(
                self._writer.write(
                    finish,
                    Outcome(job.delivery, self.channel.id, DeliveryState.PLANNED, now, tries=job.delivery.tries),
                )
                for job in jobs
            )
        )

    # --- sending ---

    async def _send_first(self, outgoing: Outgoing, done: "asyncio.Future[Accepted]") -> None:
        self._pacer.record(self._clock.monotonic())
        outcome = (await self.gateway.send([outgoing]))[0]
        if isinstance(outcome, ChannelBroken):
            await self._break(outcome.words)
        if done.done():
            return
        if isinstance(outcome, Accepted):
            done.set_result(outcome)
        else:
            done.set_exception(outcome)

    async def _send(self, step: LaneStep, job: Job) -> None:
        try:
            outcome = await self._send_parts(step, job)
            await self._settle(step, job, outcome)
        finally:
            self._in_flight -= 1
            step.priming = False
            self.wake()

    async def _send_parts(self, step: LaneStep, job: Job) -> GatewayError | None:
        """Send part after part, each in a slot of its own. None: all were accepted."""
        for position, outgoing in enumerate(job.outgoing):
            tries = 0
            while True:
                if position or tries:
                    await self._another_slot()
                now = self._clock.monotonic()
                self._pacer.record(now)
                if position == 0:
                    step.pacer.record(now)
                outcome = (await self.gateway.send([outgoing]))[0]
                if isinstance(outcome, Accepted):
                    job.accepted.append(AcceptedPart(position, outcome.external_id, outcome.details))
                    job.new_address = outcome.new_address or job.new_address
                    break
                # The client has the first part: the rest is tried here, because a new try would repeat what arrived.
                tries += 1
                if not position or tries >= self._tries or not isinstance(outcome, Throttled | Unavailable):
                    return outcome
                await self._clock.sleep(
                    outcome.retry_after_s if isinstance(outcome, Throttled) else pause_before_try(tries)
                )
        return None

    async def _another_slot(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._more_slots.append(future)
        self._wake.set()
        await future

    async def _settle(self, step: LaneStep, job: Job, error: GatewayError | None) -> None:
        tries = job.delivery.tries
        match error:
            case None:
                self._streaks.clear()
                await self._finish(step, job, DeliveryState.SENT, None, None)
            case _ if job.accepted:
                await self._finish(step, job, DeliveryState.FAILED, error, "incomplete")
            case Throttled():
                await self._throttle(error.retry_after_s)
                await self._back(job, error, tries, 0.0)
            case Unavailable():
                await self._away(step, job, error)
            case OutcomeUnknown() if self.gateway.capabilities.repeats_safely_for_s:
                await self._away(step, job, error)
            case OutcomeUnknown():
                await self._finish(step, job, DeliveryState.UNKNOWN, error, "no_answer")
                await self._count_away(job)
            case AddressGone():
                await self._finish(step, job, DeliveryState.FAILED, error, error.reason)
                await self._count_no_such_address(job, error)
            case OutsideWindow():
                await self._finish(step, job, DeliveryState.FAILED, error, "outside_window")
            case Rejected():
                await self._finish(step, job, DeliveryState.FAILED, error, error.reason)
                await self._count_rejection(step, job, error)
            case ChannelBroken():
                await self._back(job, error, tries, 0.0)
                await self._break(error.words)
            case _:
                await self._finish(step, job, DeliveryState.FAILED, error, "rejected")

    async def _away(self, step: LaneStep, job: Job, error: GatewayError) -> None:
        """Tries count only while the lane works: a platform that is away uses none up."""
        tries = job.delivery.tries + (1 if self.down_since is None else 0)
        if tries >= self._tries and await self._is_away():
            await self._back(job, error, job.delivery.tries, 0.0)
            await self._go_down()
            return
        if tries >= self._tries:
            state = DeliveryState.UNKNOWN if isinstance(error, OutcomeUnknown) else DeliveryState.FAILED
            await self._finish(step, job, state, error, "unavailable", tries)
        else:
            pause_s = pause_before_try(tries) if self.down_since is None else 0.0
            await self._back(job, error, tries, pause_s)
        await self._count_away(job)

    async def _finish(
        self,
        step: LaneStep,
        job: Job,
        state: DeliveryState,
        error: GatewayError | None,
        reason: str | None,
        tries: int | None = None,
    ) -> None:
        outcome = Outcome(
            delivery=job.delivery,
            channel=self.channel.id,
            state=state,
            started_at=job.started_at,
            finished_at=self._clock.now(),
            tries=job.delivery.tries + 1 if tries is None else tries,
            reason=reason,
            code=error.code if error else None,
            words=error.words if error else None,
            parts=tuple(job.accepted),
            address_status=error.status if isinstance(error, AddressGone) else None,
            new_address=job.new_address,
        )
        await self._writer.write(finish, outcome)
        match state:
            case DeliveryState.SENT:
                self.figures.sent += 1
            case DeliveryState.UNKNOWN:
                self.figures.unknown += 1
            case _:
                self.figures.failed += 1
        self._report.progressed(step.step_id)

    async def _back(self, job: Job, error: GatewayError, tries: int, pause_s: float) -> None:
        """Back to planned, with the attempt's words kept."""
        now = self._clock.now()
        await self._writer.write(
            finish,
            Outcome(
                delivery=job.delivery,
                channel=self.channel.id,
                state=DeliveryState.PLANNED,
                started_at=job.started_at,
                finished_at=now,
                tries=tries,
                code=error.code,
                words=error.words,
                due_at=now + timedelta(seconds=pause_s) if pause_s else None,
            ),
        )

    # --- what a row of failures means ---

    async def _throttle(self, retry_after_s: float) -> None:
        now = self._clock.monotonic()
        self.figures.throttles += 1
        if now >= self.throttled_until:  # the answers to what was in flight belong to the same throttle
            self._pacer.stretch(now)
        self.throttled_until = max(self.throttled_until, now + retry_after_s)
        await self._report.channel_throttled(self.channel.id, self._clock.now() + timedelta(seconds=retry_after_s))

    async def _count_away(self, job: Job) -> None:
        self._streaks.away[job.delivery.client_id] = job.delivery.id
        if len(self._streaks.away) >= DOWN_AFTER:
            await self._go_down()

    async def _is_away(self) -> bool:
        """Before the last try of a client counts: whether the platform answers anybody at all."""
        if self.down_since is not None:
            return True
        try:
            await self.gateway.check()
        except (Unavailable, OutcomeUnknown, Throttled):
            return True
        except GatewayError:
            return False
        return False

    async def _go_down(self) -> None:
        if self.down_since is not None or self.closing:
            return
        self.down_since = self._clock.now()
        spent = tuple(self._streaks.away.values())
        await self._report.channel_down(self.channel.id, self.down_since)
        await self._writer.write(settling.refund, settling.Refund(spent))
        await self._release_all()
        self._spawn(self._probe(), "probe")

    async def _probe(self) -> None:
        probes = 0
        while not self.closing and self.broken is None:
            await self._clock.sleep(pause_before_probe(probes))
            probes += 1
            try:
                await self.gateway.check()
            except ChannelBroken as error:
                await self._break(error.words)
            except Throttled as error:
                await self._throttle(error.retry_after_s)
                break
            except GatewayError as error:
                log.info("the platform is still away", extra={"channel": self.channel.id, "code": error.code})
            else:
                break
        self.down_since = None
        self._streaks.clear()
        await self._report.channel_down(self.channel.id, None)
        self.wake()

    async def _count_rejection(self, step: LaneStep, job: Job, error: Rejected) -> None:
        if not isinstance(error, MessageRejected):
            self._streaks.rejected.clear()
            return
        self._streaks.rejected[job.delivery.client_id] = error.words
        if len(self._streaks.rejected) >= SAME_REJECTION:
            words = list(self._streaks.rejected.values())[-SAME_REJECTION:]
            if len(set(words)) == 1:
                self._streaks.rejected.clear()
                await self._report.message_refused(step.step_id, self.channel.id, error.words)

    async def _count_no_such_address(self, job: Job, error: AddressGone) -> None:
        if not error.no_such_address:
            self._streaks.no_such_address.clear()
            return
        self._streaks.no_such_address[job.delivery.client_id] = job.delivery.id
        if len(self._streaks.no_such_address) >= NO_SUCH_ADDRESS and self.broken is None:
            ids = tuple(self._streaks.no_such_address.values())
            await self._break(
                f"the platform knows none of the last {len(ids)} addresses: this looks like another account's token"
            )
            await self._writer.write(settling.undo_failures, settling.Undo(ids, error.reason, self._clock.now()))

    async def _break(self, words: str) -> None:
        if self.broken is None:
            self.broken = words
            await self._report.channel_broken(self.channel.id, words)
            await self._release_all()

    async def _release_all(self) -> None:
        for step in self._steps.values():
            jobs = [*step.started, *step.claimed]
            step.started.clear()
            step.claimed.clear()
            step.priming = False
            await self._release(jobs)


def _count(jobs: Sequence[tuple[LaneStep, Job]], step: LaneStep) -> int:
    return sum(1 for other, _ in jobs if other is step)
