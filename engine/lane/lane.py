"""A lane: the task that sends everything of one channel, and the only one that does.

Deliveries flow through three hands: claimed (rendered, waiting), started (marked durably, about to be written) and in
flight (on the socket, waiting for the answer). The feeder fills the first two, the slots here empty them, the ending
commits what became of each.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from typing import Any

from engine.clock import Clock
from engine.lane.ending import Ending, FaultOfOurs
from engine.lane.feeder import Feeder, render
from engine.lane.preparing import Preparing
from engine.lane.senders import Senders
from engine.lane.state import Job, LaneReport, LaneState, LaneStep
from engine.pacing import Pacer
from engine.personalise import TemplateFailed
from engine.retry import pause_before_try
from engine.settings import ChannelSettings
from gateways.base import (
    Accepted,
    ChannelBroken,
    CostsSlots,
    Gateway,
    GatewayError,
    MessageRejected,
    Outgoing,
    OutsideWindow,
    SendsTogether,
    Throttled,
    Unavailable,
)
from storage.quotas import DayQuota, PackageQuota
from storage.records import AcceptedPart
from storage.writer import Writer

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 60.0  # of a client who has the first part of a message and may get no more just now
LONGEST_NAP_S = 0.2  # before the lane looks round again, so that a change takes hold
TIMER_S = 0.001  # a timer is no finer: where slots lie closer, the lane looks at each turn of the loop
MOST_AT_ONCE = 8  # calls begun before others have a turn of the loop, where slots lie so close


class Lane:
    """Run it as a task; the runner gives it steps, and it sends what they have at the channel's pace.

    `state` says why it may not send just now; the runner sets `halted` there."""

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
        preparing: Preparing,
    ) -> None:
        self.channel = channel
        self.gateway = gateway
        self.state = LaneState(channel, clock)
        self._clock = clock
        self._tries = tries
        self._ending = Ending(
            self.state,
            gateway=gateway,
            writer=writer,
            report=report,
            tries=tries,
            spawn=self._spawn,
            release_all=self._release_all,
        )
        self._feeder = Feeder(
            self.state,
            self._ending,
            gateway=gateway,
            writer=writer,
            run_id=run_id,
            quota=quota,
            preparing=preparing,
            spawn=self._spawn,
        )
        self._first: deque[tuple[Outgoing, asyncio.Future[Accepted]]] = deque()
        self._more: deque[_Waiting] = deque()  # next parts of messages, each waiting for a slot
        self._amends: deque[_Amend] = deque()
        self._amended_at = 0.0
        self._most_together = gateway.capabilities.batch
        self._together = gateway.together if isinstance(gateway, SendsTogether) else None
        self._slots = gateway.slots if isinstance(gateway, CostsSlots) else None
        self._sends: asyncio.TaskGroup | None = None
        self._senders: Senders | None = None

    # --- what the runner and others ask ---

    @property
    def rate(self) -> float:
        """Messages/second at present."""
        return self.state.pacer.rate

    def in_hand(self, step_id: int) -> bool:
        """Whether anything of the step is claimed or about to go."""
        step = self.state.steps.get(step_id)
        return step is not None and (step.waiting() > 0 or step.priming)

    def used_up(self, step_id: int) -> bool:
        """Whether the quota has nothing left for this step."""
        step = self.state.steps.get(step_id)
        return step is not None and step.used_up

    def step(self, step_id: int) -> LaneStep | None:
        return self.state.steps.get(step_id)

    def add_step(self, step: LaneStep) -> None:
        if step.step_id not in self.state.steps:
            self.state.steps[step.step_id] = step
            self.state.wake()

    async def drop_step(self, step_id: int) -> None:
        """Send no more of the step; what is claimed goes back, what is in flight ends as it ends."""
        step = self.state.steps.pop(step_id, None)
        if step is not None:
            await self._feeder.release([job.delivery for job in step.take_all()])

    def revoke(self, address_id: int) -> None:
        """Hold back what is about to go to an address that opted out; the next look at its row says why."""
        for step in self.state.steps.values():
            for job in [job for job in step.started if job.delivery.address_id == address_id]:
                step.started.remove(job)
                step.claimed.appendleft(job)
        self.state.slot_wake.set()

    async def send_first(self, outgoing: Outgoing) -> Accepted:
        """Send ahead of all bulk: answers to people, opt-out confirmations, tests. Raises GatewayError."""
        if self.state.broken is not None:
            raise ChannelBroken(self.state.broken)
        if self._sends is None:
            raise Unavailable("the channel is not running")
        done: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._first.append((outgoing, done))
        self.state.slot_wake.set()
        return await done

    async def amend(self, call: "AmendCall", slots: int) -> Sequence[GatewayError | None]:
        """Make a call about messages that were sent before, in slots as sends have them and in turn with the steps.

        It waits while the lane may not send; returns what the call returns. Raises Unavailable when the lane ends."""
        if self._sends is None:
            raise Unavailable("the channel is not running")
        amend = _Amend(call, slots, asyncio.get_running_loop().create_future())
        self._amends.append(amend)
        self.state.slot_wake.set()
        return await amend.done

    async def break_off(self, words: str) -> None:
        """The platform said beside any send that the channel may not send."""
        await self._ending.break_channel(words)

    def mend(self) -> None:
        """A person has seen to the channel: start again."""
        self.state.broken = None
        self._ending.forget()
        self.state.wake()

    # --- running ---

    async def run(self) -> None:
        """Send until cancelled. After `close`, no new sends begin and it ends when nothing is in flight."""
        try:
            async with asyncio.TaskGroup() as sends:
                self._sends, self._senders = sends, Senders(sends, f"{self.channel.id}: send")
                claims = sends.create_task(self._feeder.claim_ahead(), name=f"claim {self.channel.id}")
                await self._use_slots()
                claims.cancel()
                self._senders.close()
        finally:
            self._sends = self._senders = None
            self._feeder.forget_marks()
            for _, done in self._first:
                if not done.done():
                    done.set_exception(Unavailable("Carillon is stopping"))
            self._first.clear()
            for amend in self._amends:
                if not amend.done.done():
                    amend.done.set_exception(Unavailable("Carillon is stopping"))
            self._amends.clear()

    async def close(self) -> None:
        """Begin nothing more; give back what has not gone out."""
        self.state.closing = True
        for step_id in list(self.state.steps):
            await self.drop_step(step_id)
        self.state.wake()

    async def _use_slots(self) -> None:
        state = self.state
        awaited_at: float | None = None  # the slot that the lane last slept for
        at_once = 0
        while not (state.closing and state.in_flight == 0 and not self._feeder.marking):
            now = self._clock.monotonic()
            if state.halted or not state.reachable():
                await self._release_all()
            if not (state.reachable() and (state.has_room() or self._first or self._more or self._amends)):
                awaited_at = None
                await self._nap(LONGEST_NAP_S)
                continue
            slot_at, use = self._next_use(now)
            if use is not None and slot_at <= now and at_once < MOST_AT_ONCE:
                state.figures.slots += 1
                if awaited_at is not None:
                    state.figures.lateness.add(max(now - awaited_at, 0.0))
                    awaited_at = None
                use()
                at_once += 1
                continue
            at_once = 0
            mark_at = self._feeder.mark_due(now)
            awaited_at = slot_at if use is not None else None
            await self._until_next(now, slot_at, mark_at, waits=use is not None)

    async def _until_next(self, now: float, slot_at: float, mark_at: float, *, waits: bool) -> None:
        """Until there is a slot to use or a start to mark, or somebody wakes the lane. `waits`: something is to go."""
        if waits and (slot_at - now < TIMER_S or slot_at == math.inf):
            await asyncio.sleep(0)
            return
        if not waits and self._feeder.marking:
            slot_at = self.state.pacer.next_start(now)  # of what is just being marked
        wake_at = min(slot_at, mark_at)
        if now < wake_at < math.inf:
            await self._nap(min(wake_at - now, LONGEST_NAP_S))
            return
        self.state.is_starved = True
        self.state.slot_wake.clear()
        await self.state.slot_wake.wait()
        self.state.is_starved = False

    async def _nap(self, longest_s: float) -> None:
        self.state.slot_wake.clear()
        await self._clock.wait(self.state.slot_wake, longest_s)

    def _next_use(self, now: float) -> tuple[float, Callable[[], None] | None]:
        """When the next slot is, and what to do with it: answers first, then parts that others wait for, then bulk."""
        state = self.state
        if self._first:
            slots = self._slots_of([self._first[0][0]])
            return state.pacer.next_start(now, slots), self._use_for_first
        if state.halted:
            return math.inf, None
        if self._more:
            count, slots = self._next_call([waiting.outgoing for waiting in self._more], state.pacer)
            return state.pacer.next_start(now, slots), partial(self._use_for_more, count)
        best: LaneStep | None = None
        best_at, best_count = math.inf, 0
        for step in state.steps.values():
            if not step.started:
                continue
            slower = step.pacer if step.pacer.rate < state.pacer.rate else state.pacer
            first = [job.outgoing[0] for job in islice(step.started, self._most_together)]
            count, slots = self._next_call(first, slower)
            step_at = max(step.pacer.next_start(now, slots), state.pacer.next_start(now, slots))
            # Of those that may go now, the one that has waited longest; so mailings share the channel's slots.
            if best is None or (step_at, step.served_at) < (best_at, best.served_at):
                best, best_at, best_count = step, step_at, count
        if self._amends:
            amend_at = state.pacer.next_start(now, self._amends[0].slots)
            if best is None or (amend_at, self._amended_at) < (best_at, best.served_at):
                return amend_at, self._use_for_amend
        if best is None:
            return best_at, None
        return best_at, partial(self._use_for_step, best, best_count)

    def _next_call(self, waiting: Sequence[Outgoing], pacer: Pacer) -> tuple[int, int]:
        """How many of those that wait go in the next call, and how many slots that takes."""
        together = self._together
        if together is None:
            return 1, self._slots_of(waiting[:1])
        key = together(waiting[0])
        most = 1 if key is None else pacer.together(self._most_together)
        call = [waiting[0], *takewhile(lambda out: together(out) == key, waiting[1:most])]
        return len(call), self._slots_of(call)

    def _slots_of(self, call: Sequence[Outgoing]) -> int:
        return len(call) if self._slots is None else sum(map(self._slots, call))

    def _use_for_first(self) -> None:
        outgoing, done = self._first.popleft()
        self._send_in_slots(self._send_first(outgoing, done), self._slots_of([outgoing]))

    def _use_for_more(self, count: int) -> None:
        call = [self._more.popleft() for _ in range(count)]
        self._send_in_slots(self._send_more(call), self._slots_of([waiting.outgoing for waiting in call]))

    def _use_for_step(self, step: LaneStep, count: int) -> None:
        jobs = [step.started.popleft() for _ in range(count)]
        self.state.in_flight += count
        calls = [job.outgoing[0] for job in jobs]
        step.served_at = self._send_in_slots(self._send(step, jobs, calls), self._slots_of(calls), step.pacer)
        if self._feeder.is_low(step):
            self.state.claim_wake.set()

    def _use_for_amend(self) -> None:
        amend = self._amends.popleft()
        self._amended_at = self._send_in_slots(self._make(amend), amend.slots)

    def _send_in_slots(self, work: Coroutine[Any, Any, None], slots: int, own: Pacer | None = None) -> float:
        """Begin a call that takes so many slots of the channel, and of a step's own pace; returns the time."""
        if self._senders is None:
            work.close()
            raise RuntimeError("the lane does not run")
        now = self._clock.monotonic()
        pacers = (self.state.pacer,) if own is None else (self.state.pacer, own)
        for pacer in pacers:
            pacer.take(now, slots)
        self._senders.send(work, partial(self._record, pacers, slots))
        return now

    def _record(self, pacers: Sequence[Pacer], slots: int) -> None:
        now = self._clock.monotonic()
        for pacer in pacers:
            pacer.record(now, slots)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if self._sends is None:
            work.close()
            raise RuntimeError("the lane does not run")
        self._sends.create_task(work, name=f"{self.channel.id}: {name}")

    async def _release_all(self) -> None:
        """Nothing stays marked as about to go while the lane may not send."""
        held = [job.delivery for job in self.state.take_all()]
        if held:
            await self._feeder.release(held)

    # --- sending ---

    async def _send_first(self, outgoing: Outgoing, done: "asyncio.Future[Accepted]") -> None:
        (outcome,) = await self._write([outgoing])
        if isinstance(outcome, ChannelBroken):
            await self._ending.break_channel(outcome.words)
        elif isinstance(outcome, Throttled) and not outcome.only_this:
            await self._ending.throttle(outcome.retry_after_s)
        if done.done():
            return
        if isinstance(outcome, Accepted):
            done.set_result(outcome)
        else:
            done.set_exception(outcome)

    async def _send(self, step: LaneStep, jobs: Sequence[Job], call: Sequence[Outgoing]) -> None:
        """Make one call for the first parts of these, then see each to its end."""
        outcomes = await self._write(call)
        if len(jobs) == 1:
            await self._see_to_end(step, jobs[0], outcomes[0])
            return
        for job, outcome in zip(jobs, outcomes, strict=True):
            self._spawn(self._see_to_end(step, job, outcome), f"end {job.delivery.id}")

    async def _see_to_end(self, step: LaneStep, job: Job, outcome: Accepted | GatewayError) -> None:
        state = self.state
        try:
            await self._ending.settle(step, job, await self._send_rest(step, job, outcome))
            if step.priming:
                step.needs_upload = await self._feeder.needs_upload(step)
        finally:
            had_room = state.has_room()
            state.in_flight -= 1
            if step.priming or not had_room or state.closing:
                step.priming = False
                state.slot_wake.set()

    async def _send_rest(self, step: LaneStep, job: Job, outcome: Accepted | GatewayError) -> GatewayError | None:
        """What the first part's outcome leaves to do, each further part in a slot of its own. None: all accepted."""
        if isinstance(outcome, OutsideWindow) and step.outside is not None and not job.is_outside:
            try:
                job.outgoing, job.is_outside = render(step.outside, job.delivery), True
            except TemplateFailed as error:
                return MessageRejected(str(error), reason=error.reason)
            outcome = await self._send_in_another_slot(job.outgoing[0])
        for position, outgoing in enumerate(job.outgoing):
            if position:
                outcome = await self._send_further(outgoing)
            if not isinstance(outcome, Accepted):
                return outcome
            job.accepted.append(
                AcceptedPart(position, outcome.external_id, outcome.details, outcome.cost, outcome.units)
            )
            job.new_address = outcome.new_address or job.new_address
        return None

    async def _send_further(self, outgoing: Outgoing) -> Accepted | GatewayError:
        """The client has the first part when later ones come, so these are tried again here: a new try of the delivery
        would repeat what has arrived."""
        tries = 0
        while True:
            outcome = await self._send_in_another_slot(outgoing)
            tries += not isinstance(outcome, Throttled)
            if tries >= self._tries or not isinstance(outcome, Throttled | Unavailable):
                return outcome
            if isinstance(outcome, Unavailable):
                await self._clock.sleep(pause_before_try(tries))
            elif not outcome.only_this:
                await self._ending.throttle(outcome.retry_after_s)
            elif outcome.retry_after_s > LONGEST_WAIT_S:
                return outcome
            else:
                await self._clock.sleep(outcome.retry_after_s)

    async def _send_in_another_slot(self, outgoing: Outgoing) -> Accepted | GatewayError:
        waiting = _Waiting(outgoing, asyncio.get_running_loop().create_future())
        self._more.append(waiting)
        self.state.slot_wake.set()
        return await waiting.outcome

    async def _send_more(self, call: Sequence["_Waiting"]) -> None:
        outcomes = await self._write([waiting.outgoing for waiting in call])
        for waiting, outcome in zip(call, outcomes, strict=True):
            if not waiting.outcome.done():
                waiting.outcome.set_result(outcome)

    async def _make(self, amend: "_Amend") -> None:
        try:
            outcomes = await amend.call()
        except Exception as error:  # noqa: BLE001  # whoever asked sees to it; the lane goes on
            if not amend.done.done():
                amend.done.set_exception(error)
            return
        for outcome in outcomes:
            if isinstance(outcome, ChannelBroken):
                await self._ending.break_channel(outcome.words)
            elif isinstance(outcome, Throttled) and not outcome.only_this:
                await self._ending.throttle(outcome.retry_after_s)
        if not amend.done.done():
            amend.done.set_result(outcomes)

    async def _write(self, call: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        outcomes: Sequence[Accepted | GatewayError]
        try:
            outcomes = await self.gateway.send(call)
        except Exception as error:
            # A lane that fell over here would take everything with it that is on its way for others.
            log.exception("a send fell over", extra={"channel": self.channel.id})
            outcomes = [FaultOfOurs(f"a fault of ours: {type(error).__name__}")] * len(call)
        for outcome in outcomes:
            if isinstance(outcome, Accepted) and outcome.usage:
                self._ending.heed(outcome.usage)
        return outcomes


@dataclass(slots=True)
class _Waiting:
    """A part that waits for a slot; whoever sends it sets the outcome."""

    outgoing: Outgoing
    outcome: "asyncio.Future[Accepted | GatewayError]"


AmendCall = Callable[[], Coroutine[Any, Any, Sequence[GatewayError | None]]]


@dataclass(slots=True)
class _Amend:
    """A call about messages that were sent before, waiting for its slots."""

    call: AmendCall
    slots: int
    done: "asyncio.Future[Sequence[GatewayError | None]]"
