"""A lane: the task that sends everything of one channel, and the only one that does.

Deliveries flow through three hands: claimed (rendered, waiting), started (marked durably, about to be written) and in
flight (on the socket, waiting for the answer). The feeder fills the first two, the slots here empty them, the ending
commits what became of each.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice, takewhile
from typing import Any

from engine.clock import Clock
from engine.lane.ending import Ending
from engine.lane.feeder import Feeder
from engine.lane.preparing import Preparing
from engine.lane.senders import Senders
from engine.lane.sending import Amend, AmendCall, First, Sending
from engine.lane.state import Job, LaneReport, LaneState, LaneStep
from engine.pacing import Pacer
from engine.settings import ChannelSettings
from gateways.base import (
    Accepted,
    ChannelBroken,
    CostsSlots,
    Gateway,
    GatewayError,
    Outgoing,
    SendsTogether,
    Unavailable,
)
from storage.quotas import DayQuota, PackageQuota
from storage.writer import Writer

LONGEST_NAP_S = 0.2  # before the lane looks round again, so that a change takes hold
TIMER_S = 0.001  # a timer is no finer: where slots lie closer, the lane has a turn at each turn of the loop
MARK_LASTS = timedelta(seconds=10)  # of a start; what is older is asked for again
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
        self._sending = Sending(self.state, self._ending, self._feeder, gateway=gateway, tries=tries, spawn=self._spawn)
        self._first: deque[First] = deque()
        self._amends: deque[Amend] = deque()
        self._amended_at = 0.0
        self._awaited_at: float | None = None  # the slot that the lane last waited for
        self._most_together = gateway.capabilities.batch
        self._together = gateway.together if isinstance(gateway, SendsTogether) else None
        self._slots = gateway.slots if isinstance(gateway, CostsSlots) else None
        self._tasks: asyncio.TaskGroup | None = None
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
        self.state.turns.ask()

    async def send_first(self, outgoing: Outgoing) -> Accepted:
        """Send ahead of all bulk: answers to people, opt-out confirmations, tests. Raises GatewayError."""
        if self.state.broken is not None:
            raise ChannelBroken(self.state.broken)
        if self._tasks is None:
            raise Unavailable("the channel is not running")
        first = First(outgoing, asyncio.get_running_loop().create_future())
        self._first.append(first)
        self.state.turns.ask()
        return await first.done

    async def amend(self, call: AmendCall, slots: int) -> Sequence[GatewayError | None]:
        """Make a call about messages that were sent before, in slots as sends have them and in turn with the steps.

        It waits while the lane may not send; returns what the call returns. Raises Unavailable when the lane ends."""
        if self._tasks is None:
            raise Unavailable("the channel is not running")
        amend = Amend(call, slots, asyncio.get_running_loop().create_future())
        self._amends.append(amend)
        self.state.turns.ask()
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
            async with asyncio.TaskGroup() as tasks:
                self._tasks, self._senders = tasks, Senders(tasks, f"{self.channel.id}: send")
                claims = tasks.create_task(self._feeder.claim_ahead(), name=f"claim {self.channel.id}")
                await self.state.turns.run(self._turn)
                claims.cancel()
                self._senders.close()
        finally:
            self._tasks = self._senders = None
            self.state.end_run()
            self._feeder.forget_marks()
            stopping = Unavailable("Carillon is stopping")
            for first in self._first:
                if not first.done.done():
                    first.done.set_exception(stopping)
            self._first.clear()
            for amend in self._amends:
                if not amend.done.done():
                    amend.done.set_exception(stopping)
            self._amends.clear()
            self._sending.more.clear()  # whose delivery ended with the run: what it was left at is settled elsewhere

    async def close(self) -> None:
        """Begin nothing more; give back what has not gone out."""
        self.state.closing = True
        for step_id in list(self.state.steps):
            await self.drop_step(step_id)
        self.state.wake()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if self._tasks is None:
            work.close()
            raise RuntimeError("the lane does not run")
        self._tasks.create_task(work, name=f"{self.channel.id}: {name}")

    async def _release_all(self) -> None:
        """Nothing stays marked as about to go while the lane may not send."""
        held = [job.delivery for job in self.state.take_all()]
        if held:
            await self._feeder.release(held)

    # --- slots ---

    def _turn(self, now: float) -> float | None:
        """Use the slots whose time has come and have marked what goes next; when to have the next turn."""
        state = self.state
        for _ in range(MOST_AT_ONCE):
            if state.closing and state.in_flight == 0 and not self._feeder.marking:
                return None
            if not self._may_use():
                self._awaited_at = None
                return now + LONGEST_NAP_S
            slot_at, use = self._next_use(now)
            if use is None or slot_at > now:
                break
            state.figures.slots += 1
            if self._awaited_at is not None:
                state.figures.lateness.add(max(now - self._awaited_at, 0.0))
                self._awaited_at = None
            use(now)
        else:
            return now
        mark_at = self._feeder.mark_due(now)
        self._awaited_at = None if use is None else slot_at
        return self._next_turn(now, slot_at, mark_at, waits=use is not None)

    def _may_use(self) -> bool:
        state = self.state
        is_reachable = state.reachable()
        if (state.halted or not is_reachable) and state.holds_any():
            self._spawn(self._release_all(), "release")
        return is_reachable and bool(state.has_room() or self._first or self._sending.more or self._amends)

    def _next_turn(self, now: float, slot_at: float, mark_at: float, *, waits: bool) -> float:
        """When there is a slot to use or a start to mark; until then somebody may ask. `waits`: something is to go."""
        if waits and (slot_at - now < TIMER_S or slot_at == math.inf):
            return now
        if not waits and self._feeder.marking:
            slot_at = self.state.pacer.next_start(now)  # of what is just being marked
        wake_at = min(slot_at, mark_at)
        return min(wake_at, now + LONGEST_NAP_S) if now < wake_at < math.inf else math.inf

    def _next_use(self, now: float) -> tuple[float, Callable[[float], None] | None]:
        """When the next slot is, and what to do with it: answers first, then parts that others wait for, then bulk."""
        state = self.state
        if self._first:
            slots = self._slots_of([self._first[0].outgoing])
            return state.pacer.next_start(now, slots), self._use_for_first
        if state.halted:
            return math.inf, None
        if self._sending.more:
            count, slots = self._next_call((waiting.outgoing for waiting in self._sending.more), state.pacer)
            return state.pacer.next_start(now, slots), partial(self._use_for_more, count)
        best: LaneStep | None = None
        best_at, best_count = math.inf, 1
        for step in state.steps.values():
            if not step.started:
                continue
            step_at, count = self._next_of(step, now)
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

    def _next_of(self, step: LaneStep, now: float) -> tuple[float, int]:
        """When the step's next call may be made, and how many messages it carries."""
        pacer, own = self.state.pacer, step.pacer
        if self._together is None and self._slots is None:
            count = slots = 1
        else:
            slower = pacer if own is None or own.rate >= pacer.rate else own
            count, slots = self._next_call((job.outgoing[0] for job in step.started), slower)
        next_at = pacer.next_start(now, slots)
        return next_at if own is None else max(own.next_start(now, slots), next_at), count

    def _next_call(self, waiting: Iterator[Outgoing], pacer: Pacer) -> tuple[int, int]:
        """How many of those that wait go in the next call, and how many slots that takes."""
        call = [next(waiting)]
        together = self._together
        if together is not None and (key := together(call[0])) is not None:
            others = islice(waiting, pacer.together(self._most_together) - 1)
            call += takewhile(lambda out: together(out) == key, others)
        return len(call), self._slots_of(call)

    def _slots_of(self, call: Sequence[Outgoing]) -> int:
        return len(call) if self._slots is None else sum(map(self._slots, call))

    def _use_for_first(self, now: float) -> None:
        first = self._first.popleft()
        self._begin(self._sending.send_first(first), now, self._slots_of([first.outgoing]))

    def _use_for_more(self, count: int, now: float) -> None:
        call = [self._sending.more.popleft() for _ in range(count)]
        slots = self._slots_of([waiting.outgoing for waiting in call])
        self._begin(self._sending.send_more(call), now, slots)

    def _use_for_step(self, step: LaneStep, count: int, now: float) -> None:
        jobs = [step.started.popleft() for _ in range(count)]
        if self._is_stale(jobs[0]):
            self._spawn(self._feeder.release([job.delivery for job in (*jobs, *step.take_all())]), "release")
            return
        self.state.in_flight += count
        step.served_at = now
        calls = [job.outgoing[0] for job in jobs]
        self._begin(self._sending.send(step, jobs, calls), now, self._slots_of(calls), step.pacer)
        if step.waiting() <= step.low:
            self.state.claim_wake.set()

    def _is_stale(self, job: Job) -> bool:
        """Whether we stood still since it was marked: another engine may have the storage, and it in its hand."""
        return job.started_at is not None and self._clock.now() - job.started_at > MARK_LASTS

    def _use_for_amend(self, now: float) -> None:
        amend = self._amends.popleft()
        self._amended_at = now
        self._begin(self._sending.amend(amend), now, amend.slots)

    def _begin(self, work: Coroutine[Any, Any, None], now: float, slots: int, own: Pacer | None = None) -> None:
        """Begin a call that takes so many slots of the channel, and of a step's own pace."""
        if self._senders is None:
            work.close()
            raise RuntimeError("the lane does not run")
        self.state.pacer.take(now, slots)
        if own is not None:
            own.take(now, slots)
        self._senders.send(work, partial(self._record, slots, own))

    def _record(self, slots: int, own: Pacer | None) -> None:
        now = self._clock.monotonic()
        self.state.pacer.record(now, slots)
        if own is not None:
            own.record(now, slots)
        if self.state.turns.is_idle:  # nobody could say before when the next slot is
            self.state.turns.ask()
