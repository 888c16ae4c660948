"""Feeds a lane: claims and renders a little ahead, marks as started just before the slot."""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice

from engine.lane.ending import Ending
from engine.lane.state import Job, LaneState, LaneStep
from engine.pacing import Pacer
from engine.personalise import Personaliser, TemplateFailed
from gateways.base import Gateway, HoldsMedia, MessageRejected, Outgoing, SendsTogether
from storage import claims, settling
from storage.outcomes import finish
from storage.quotas import DayQuota, PackageQuota
from storage.records import Claimed, DeliveryState, Outcome
from storage.writer import Writer

log = logging.getLogger(__name__)

CLAIM_AHEAD_S = 0.25  # of the lane's rate
START_AHEAD_S = 0.05  # a delivery is marked as started at most so long before its slot; with its commits, 0.1 s
MAX_CLAIM = 500
LOOK_AGAIN_S = 0.25  # where nothing was due


class Feeder:
    def __init__(
        self,
        state: LaneState,
        ending: Ending,
        *,
        gateway: Gateway,
        writer: Writer,
        run_id: int,
        quota: Callable[[], DayQuota | PackageQuota | None],
    ) -> None:
        self._state = state
        self._ending = ending
        self._media = gateway if isinstance(gateway, HoldsMedia) else None
        self._writer = writer
        self._run_id = run_id
        self._quota = quota
        self._refused = writer.figures.refused
        self._starting = False
        window_s = gateway.capabilities.window_s
        self._window = None if window_s is None else timedelta(seconds=window_s)
        self._repeats_safely_for = timedelta(seconds=gateway.capabilities.repeats_safely_for_s)
        self._most_together = gateway.capabilities.batch
        self._together = gateway.together if isinstance(gateway, SendsTogether) else None

    async def release(self, jobs: Iterable[Job]) -> None:
        """Give back what has not gone out."""
        now = self._state.clock.now()
        channel = self._state.channel.id
        await asyncio.gather(
            *(
                self._writer.write(
                    finish,
                    Outcome(
                        job.delivery,
                        channel,
                        DeliveryState.PLANNED,
                        now,
                        tries=job.delivery.tries,
                        doubted_at=job.delivery.doubted_at,
                    ),
                )
                for job in jobs
            )
        )

    async def _wait(self, event: asyncio.Event, longest_s: float) -> None:
        """The time-out notices what nobody announces."""
        event.clear()
        await self._state.clock.wait(event, longest_s)

    # --- claiming ---

    async def claim_ahead(self) -> None:
        """Forever: keep a quarter of a second's deliveries of each step in hand."""
        while True:
            await self._settle_lost()
            busy = False
            for step in list(self._state.steps.values()):
                busy = await self._claim_for(step) or busy
            if not busy:
                await self._wait(self._state.claim_wake, LOOK_AGAIN_S)

    async def _claim_for(self, step: LaneStep) -> bool:
        """Whether there may be more to claim at once."""
        now = self._state.clock.monotonic()
        if not self._state.may_claim() or not self.is_low(step) or now < step.look_again_at:
            return False
        want = self._ahead(step) - step.waiting()
        channel, at = self._state.channel.id, self._state.clock.now()
        request = claims.ClaimRequest(
            step.step_id, channel, want, self._run_id, at, self._quota(), step.fields, step.canary
        )
        claim = await self._writer.write(claims.claim, request)
        step.used_up = claim.used_up
        if len(claim.deliveries) < want:
            step.look_again_at = now + LOOK_AGAIN_S
        jobs = [job for delivery in claim.deliveries if (job := await self._prepare(step, delivery)) is not None]
        if not self._state.holds(step) or not self._state.may_claim():
            await self.release(jobs)
            return False
        step.claimed.extend(jobs)
        self._state.start_wake.set()
        return len(claim.deliveries) == want

    async def _settle_lost(self) -> None:
        """A storage that went away in the middle of a commit may have kept a claim which we were told had failed. Once
        this lane has nothing in hand, whatever is marked so was lost that way."""
        refused = self._writer.figures.refused
        if refused == self._refused or self._starting or not self._state.is_idle():
            return
        channel, at = self._state.channel.id, self._state.clock.now()
        safe = {channel: self._repeats_safely_for.total_seconds()}
        recovered = await self._writer.write(settling.recover, settling.Recovery(at, channel, safe, self._run_id))
        self._refused = refused
        if recovered.planned or recovered.unknown:
            log.warning("claims that a lost commit had kept were settled", extra={"deliveries": recovered.planned})

    def is_low(self, step: LaneStep) -> bool:
        return step.waiting() <= self._ahead(step) // 2

    def _ahead(self, step: LaneStep) -> int:
        rate = min(self._state.pacer.rate, step.pacer.rate)
        return min(max(math.ceil(rate * CLAIM_AHEAD_S), 2), MAX_CLAIM)

    async def _prepare(self, step: LaneStep, delivery: Claimed) -> Job | None:
        is_outside = self._is_outside(delivery)
        personaliser = step.outside if is_outside else step.personaliser
        if personaliser is None:
            await self._ending.skip(step, Job(delivery, ()), "outside_window")
            return None
        try:
            return Job(delivery, render(personaliser, delivery), is_outside)
        except TemplateFailed as error:
            job = Job(delivery, (), started_at=self._state.clock.now())
            await self._ending.settle(step, job, MessageRejected(str(error), reason=error.reason))
            return None

    def _is_outside(self, delivery: Claimed) -> bool:
        """Whether the platform takes no free message for this client now; never heard from counts as closed."""
        if self._window is None:
            return False
        wrote_at = delivery.last_wrote_at
        return wrote_at is None or self._state.clock.now() - wrote_at > self._window

    # --- starting ---

    async def start_ahead(self) -> None:
        """Forever: mark what goes out within START_AHEAD_S, and hand it to the slots."""
        while True:
            self._starting = True
            jobs = await self._take_due()
            if not jobs:
                self._starting = False
                await self._wait(self._state.start_wake, self._until_next_due())
                continue
            at = self._state.clock.now()
            request = claims.StartRequest(tuple(job.delivery.id for _, job in jobs), at, self._run_id)
            verdicts = await self._writer.write(claims.start, request)
            for step, job in jobs:
                await self._obey(step, job, verdicts[job.delivery.id], at)
            self._state.slot_wake.set()

    async def _take_due(self) -> list[tuple[LaneStep, Job]]:
        """Of each step in turn, the longest unserved first, as many as have a slot within START_AHEAD_S."""
        taken: list[tuple[LaneStep, Job]] = []
        if not self._state.may_start():
            return taken
        now = self._state.clock.monotonic()
        steps = sorted(self._ready_steps(), key=lambda step: step.served_at)
        queues = {step.step_id: self._queues(step, now) for step in steps}
        while steps and len(taken) < MAX_CLAIM:
            for step in list(steps):
                if not step.claimed or _next_at(queues[step.step_id]) > now + START_AHEAD_S:
                    steps.remove(step)
                    continue
                if self._media is not None and await self._needs_upload(step):
                    step.priming = True
                    steps.remove(step)
                taken.append((step, step.claimed.popleft()))
                queues[step.step_id][1].before += 1
                for lane_queue, _ in queues.values():
                    lane_queue.before += 1
        return taken

    def _until_next_due(self) -> float:
        if not self._state.may_start():
            return LOOK_AGAIN_S
        now = self._state.clock.monotonic()
        due_in = (_next_at(self._queues(step, now)) - now for step in self._ready_steps())
        return min((max(each - START_AHEAD_S, 0.001) for each in due_in), default=LOOK_AGAIN_S)

    def _ready_steps(self) -> list[LaneStep]:
        return [step for step in self._state.steps.values() if step.claimed and not step.priming]

    def _queues(self, step: LaneStep, now: float) -> "_Queues":
        before = sum(len(each.started) for each in self._state.steps.values())
        # What travels alone has a slot of its own: waiting for those of a whole call would lose most of them.
        most = 1 if self._is_alone(step) else self._most_together
        return _Queue(self._state.pacer, now, before, most), _Queue(step.pacer, now, len(step.started), most)

    def _is_alone(self, step: LaneStep) -> bool:
        """Whether the next one to be started shares its call with none of its neighbours."""
        if self._together is None:
            return True
        near = [*islice(step.claimed, 2), *islice(reversed(step.started), 1)]
        first, *others = (self._together(job.outgoing[0]) for job in near)
        return first is None or first not in others

    async def _needs_upload(self, step: LaneStep) -> bool:
        for part in step.parts:
            if (part.media or part.cards) and self._media is not None and await self._media.needs_upload(part):
                return True
        return False

    async def _obey(self, step: LaneStep, job: Job, verdict: str, at: datetime) -> None:
        if verdict == claims.GO and self._is_too_late(job, at):
            step.priming = False
            await self._ending.leave_unknown(step, job)
            return
        if verdict == claims.GO and self._state.holds(step) and self._state.may_claim():
            job.started_at = at
            step.started.append(job)
            return
        step.priming = False
        if verdict in (claims.GO, claims.RELEASE):
            await self.release([job])
        else:
            await self._ending.skip(step, job, verdict)

    def _is_too_late(self, job: Job, at: datetime) -> bool:
        """Whether it may have been taken so long ago that the platform would not drop the repeat any more."""
        doubted_at = job.delivery.doubted_at
        return doubted_at is not None and at - doubted_at >= self._repeats_safely_for


def render(personaliser: Personaliser, delivery: Claimed) -> Sequence[Outgoing]:
    """What this client gets. Raises TemplateFailed."""
    return personaliser.render(
        delivery.client,
        address=delivery.address,
        delivery_id=delivery.id,
        attempt=delivery.attempt,
        details=delivery.address_details,
    )


class _Queue:
    """When the call is made that carries the message behind so many others."""

    __slots__ = ("_first_at", "_interval_s", "_together", "before", "now")

    def __init__(self, pacer: Pacer, now: float, before: int, most_together: int) -> None:
        self.now = now
        self.before = before
        self._together = pacer.together(most_together) if most_together > 1 else 1
        self._first_at = pacer.next_start(now, self._together)
        self._interval_s = 1 / pacer.rate

    def next_at(self) -> float:
        return self._first_at + self.before // self._together * self._together * self._interval_s


_Queues = tuple[_Queue, _Queue]  # the channel's and the step's own


def _next_at(queues: _Queues) -> float:
    return max(queue.next_at() for queue in queues)
