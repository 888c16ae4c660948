"""Feeds a lane: claims and renders a little ahead, marks as started just before the slot."""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from engine.lane.ending import Ending, Spawn
from engine.lane.preparing import Preparing
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

CLAIM_AHEAD_S = 0.5  # of the lane's rate; half of it before there is more (docs/decisions/path.md)
# A delivery is marked as started so long before its slot: longer where commits take longer, never more than the last.
START_AHEAD_S = 0.05
MOST_START_AHEAD_S = 0.09
MARK_LATER_S = 0.02  # than a mark could be made: the lane's own slots come then, and need no wake-up beside them
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
        preparing: Preparing,
        spawn: Spawn,
    ) -> None:
        self.marking = False  # whether a request to mark starts is on its way
        self._state = state
        self._ending = ending
        self._media = gateway if isinstance(gateway, HoldsMedia) else None
        self._writer = writer
        self._run_id = run_id
        self._quota = quota
        self._preparing = preparing
        self._spawn = spawn
        self._refused = writer.figures.refused
        self._ahead_s = START_AHEAD_S
        self._beside = 0  # deliveries that end or go back without having been sent
        self._error: BaseException | None = None  # why starts could not be marked
        window_s = gateway.capabilities.window_s
        self._window = None if window_s is None else timedelta(seconds=window_s)
        self._repeats_safely_for = timedelta(seconds=gateway.capabilities.repeats_safely_for_s)
        self._most_together = gateway.capabilities.batch
        self._together = gateway.together if isinstance(gateway, SendsTogether) else None

    async def release(self, given: Iterable[Claimed]) -> None:
        """Give back what has not gone out."""
        now = self._state.clock.now()
        channel = self._state.channel.id
        await asyncio.gather(
            *(
                self._writer.write(
                    finish,
                    Outcome(
                        delivery,
                        channel,
                        DeliveryState.PLANNED,
                        now,
                        tries=delivery.tries,
                        doubted_at=delivery.doubted_at,
                    ),
                )
                for delivery in given
            )
        )

    async def _wait(self, event: asyncio.Event, longest_s: float) -> None:
        """The time-out notices what nobody announces."""
        event.clear()
        await self._state.clock.wait(event, longest_s)

    # --- claiming ---

    async def claim_ahead(self) -> None:
        """Forever: keep a quarter to half a second's deliveries of each step in hand."""
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
        ahead = self._ahead(step)
        step.low = ahead // 2
        if step.waiting() > step.low or now < step.look_again_at or not self._state.may_claim():
            return False
        want = ahead - step.waiting()
        channel, at = self._state.channel.id, self._state.clock.now()
        request = claims.ClaimRequest(
            step.step_id, channel, want, self._run_id, at, self._quota(), step.fields, step.canary
        )
        claim = await self._writer.write(claims.claim, request)
        step.used_up = claim.used_up
        if len(claim.deliveries) < want:
            step.look_again_at = now + LOOK_AGAIN_S
        if self._media is not None:
            step.needs_upload = await self.needs_upload(step)
        await self._prepare_all(step, claim.deliveries)
        return len(claim.deliveries) == want

    async def _prepare_all(self, step: LaneStep, claimed: Sequence[Claimed]) -> None:
        """Render them in shares; what is ready goes on meanwhile."""
        left = deque(claimed)
        while left:
            async with self._preparing.share() as has_time_left:
                while left and has_time_left() and self._takes(step):
                    self._prepare(step, left.popleft())
            if not self._takes(step):
                await self.release(left)
                return
            if self._state.turns.is_idle:
                self._state.turns.ask()

    def _takes(self, step: LaneStep) -> bool:
        return self._state.holds(step) and self._state.may_claim()

    async def _settle_lost(self) -> None:
        """A storage that went away in the middle of a commit may have kept a claim which we were told had failed. Once
        this lane has nothing in hand, whatever is marked so was lost that way."""
        refused = self._writer.figures.refused
        if refused == self._refused or self.marking or self._beside or not self._state.is_idle():
            return
        channel, at = self._state.channel.id, self._state.clock.now()
        safe = {channel: self._repeats_safely_for.total_seconds()}
        recovered = await self._writer.write(settling.recover, settling.Recovery(at, channel, safe, self._run_id))
        self._refused = refused
        if recovered.planned or recovered.unknown:
            log.warning("claims that a lost commit had kept were settled", extra={"deliveries": recovered.planned})

    def _ahead(self, step: LaneStep) -> int:
        rate = self._state.pacer.rate
        if step.pacer is not None:
            rate = min(rate, step.pacer.rate)
        return min(max(math.ceil(rate * CLAIM_AHEAD_S), 2), MAX_CLAIM)

    def _prepare(self, step: LaneStep, delivery: Claimed) -> None:
        is_outside = self._is_outside(delivery)
        personaliser = step.outside if is_outside else step.personaliser
        if personaliser is None:
            self._see_to(self._ending.skip(step, Job(delivery, ()), "outside_window"), "skip")
            return
        try:
            job = Job(delivery, render(personaliser, delivery), is_outside)
        except TemplateFailed as error:
            failed = Job(delivery, (), started_at=self._state.clock.now())
            refused = MessageRejected(str(error), reason=error.reason)
            self._see_to(self._ending.settle(step, failed, refused), "refuse")
            return
        step.claimed.append(job)

    def _see_to(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """What one delivery comes to meanwhile must not keep the next one waiting."""
        self._beside += 1
        self._spawn(self._beside_the_others(work), name)

    async def _beside_the_others(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            self._beside -= 1

    def _is_outside(self, delivery: Claimed) -> bool:
        """Whether the platform takes no free message for this client now; never heard from counts as closed."""
        if self._window is None:
            return False
        wrote_at = delivery.last_wrote_at
        return wrote_at is None or self._state.clock.now() - wrote_at > self._window

    # --- starting ---

    def mark_due(self, now: float) -> float:
        """Have marked what goes out in the next moments; it is handed to the slots when that is committed.

        Returns when there is more to be marked, by monotonic time; infinity: not before something else happens."""
        if self._error is not None:
            raise self._error
        if self.marking or not self._state.may_start():
            return math.inf
        jobs, due_at = self._take_due(now)
        if not jobs:
            return due_at
        at = self._state.clock.now()
        request = claims.StartRequest(tuple([job.delivery.id for _, job in jobs]), at, self._run_id)
        self.marking = True
        self._writer.hand_in(claims.start, request).add_done_callback(
            partial(self._obey, self._state.era, jobs, at, now)
        )
        return math.inf

    @property
    def _is_late(self) -> bool:
        """Whether commits take so long that marks have no time to lose."""
        return self._ahead_s > START_AHEAD_S

    def forget_marks(self) -> None:
        self.marking, self._error, self._beside = False, None, 0

    def _take_due(self, now: float) -> tuple[list[tuple[LaneStep, Job]], float]:
        """Of each step in turn, the longest unserved first, as many as have a slot soon; and until when the next of the
        others can wait."""
        ready = [step for step in self._state.steps.values() if step.claimed and not step.priming]
        if len(ready) > 1:
            ready.sort(key=_served_at)
        taken: list[tuple[LaneStep, Job]] = []
        due_at = math.inf
        before = sum([len(step.started) for step in self._state.steps.values()])
        before_own = {step.step_id: len(step.started) for step in ready}
        # What travels alone has a slot of its own: waiting for those of a whole call would lose most of them.
        most = {step.step_id: 1 if self._is_alone(step) else self._most_together for step in ready}
        while ready and len(taken) < MAX_CLAIM:
            for step in list(ready):
                if not step.claimed:
                    ready.remove(step)
                    continue
                slot_at = _slot_behind(self._state.pacer, now, before, most[step.step_id])
                if step.pacer is not None:
                    own_at = _slot_behind(step.pacer, now, before_own[step.step_id], most[step.step_id])
                    slot_at = max(slot_at, own_at)
                mark_at = slot_at - self._ahead_s
                if mark_at > now:
                    due_at = min(due_at, mark_at if self._is_late else mark_at + MARK_LATER_S)
                    ready.remove(step)
                    continue
                if step.needs_upload:
                    step.priming = True
                    ready.remove(step)
                taken.append((step, step.claimed.popleft()))
                before += 1
                before_own[step.step_id] += 1
        return taken, due_at

    def _is_alone(self, step: LaneStep) -> bool:
        """Whether the next one to be started shares its call with none of its neighbours."""
        if self._together is None:
            return True
        near = [*islice(step.claimed, 2), *islice(reversed(step.started), 1)]
        first, *others = (self._together(job.outgoing[0]) for job in near)
        return first is None or first not in others

    async def needs_upload(self, step: LaneStep) -> bool:
        """Whether the first message has to go out alone, so that the others use what it uploads."""
        for part in step.parts:
            if (part.media or part.cards) and self._media is not None and await self._media.needs_upload(part):
                return True
        return False

    def _obey(
        self,
        era: int,
        jobs: Sequence[tuple[LaneStep, Job]],
        at: datetime,
        asked_at: float,
        done: "asyncio.Future[Mapping[int, str]]",
    ) -> None:
        """What was marked goes to the slots; the rest as its row says."""
        if era != self._state.era or done.cancelled():
            return
        self.marking = False
        took_s = self._state.clock.monotonic() - asked_at
        self._ahead_s = min(max(START_AHEAD_S, took_s * 1.25, self._ahead_s * 0.98), MOST_START_AHEAD_S)
        self._error = done.exception()
        if self._error is None:
            verdicts = done.result()
            for step, job in jobs:
                self._obey_one(step, job, verdicts[job.delivery.id], at)
        if self._state.turns.is_idle or self._is_late or self._error is not None or self._state.closing:
            self._state.turns.ask()

    def _obey_one(self, step: LaneStep, job: Job, verdict: str, at: datetime) -> None:
        if verdict == claims.GO and self._is_too_late(job, at):
            step.priming = False
            self._see_to(self._ending.leave_unknown(step, job), "leave")
        elif verdict == claims.GO and self._state.holds(step) and self._state.may_claim():
            job.started_at = at
            step.started.append(job)
        else:
            step.priming = False
            gone = verdict not in (claims.GO, claims.RELEASE)
            self._see_to(self._ending.skip(step, job, verdict) if gone else self.release([job.delivery]), "hold back")

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


def _slot_behind(pacer: Pacer, now: float, before: int, most_together: int) -> float:
    """When the call is made that carries the message behind so many others."""
    if most_together == 1:
        return pacer.next_start(now) + before / pacer.rate
    together = pacer.together(most_together)
    return pacer.next_start(now, together) + before // together * together / pacer.rate


def _served_at(step: LaneStep) -> float:
    return step.served_at
