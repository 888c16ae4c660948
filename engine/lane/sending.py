"""What a lane's slots are used for: calls to the platform, and what each of their outcomes leaves to do."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from engine.lane.ending import Ending, FaultOfOurs, Spawn
from engine.lane.feeder import Feeder, render
from engine.lane.state import Job, LaneState, LaneStep
from engine.personalise import TemplateFailed
from engine.retry import pause_before_try
from gateways.base import (
    Accepted,
    ChannelBroken,
    Gateway,
    GatewayError,
    MessageRejected,
    Outgoing,
    OutsideWindow,
    Throttled,
    Unavailable,
)
from storage.records import AcceptedPart

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 60.0  # of a client who has the first part of a message and may get no more just now

AmendCall = Callable[[], Coroutine[Any, Any, Sequence[GatewayError | None]]]


@dataclass(slots=True)
class Waiting:
    """A part that waits for a slot; whoever sends it sets the outcome."""

    outgoing: Outgoing
    outcome: "asyncio.Future[Accepted | GatewayError]"


@dataclass(slots=True)
class First:
    """What goes ahead of all bulk."""

    outgoing: Outgoing
    done: "asyncio.Future[Accepted]"


@dataclass(slots=True)
class Amend:
    """A call about messages that were sent before, waiting for its slots."""

    call: AmendCall
    slots: int
    done: "asyncio.Future[Sequence[GatewayError | None]]"


class Sending:
    """Each of these is done in slots that were taken for it."""

    def __init__(
        self, state: LaneState, ending: Ending, feeder: Feeder, *, gateway: Gateway, tries: int, spawn: Spawn
    ) -> None:
        self.more: deque[Waiting] = deque()  # next parts of messages
        self._state = state
        self._ending = ending
        self._feeder = feeder
        self._gateway = gateway
        self._tries = tries
        self._spawn = spawn

    async def send(self, step: LaneStep, jobs: Sequence[Job], call: Sequence[Outgoing]) -> None:
        """Make one call for the first parts of these, and see each to its end."""
        outcomes = await self._write(call)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if type(outcome) is Accepted and len(job.outgoing) == 1 and not step.priming:
                _accept(job, 0, outcome)
                self._ending.settle_sent(step, job, self._let_go)
            elif len(jobs) == 1:
                await self._see_to_end(step, job, outcome)
            else:
                self._spawn(self._see_to_end(step, job, outcome), f"end {job.delivery.id}")

    async def send_first(self, first: First) -> None:
        (outcome,) = await self._write([first.outgoing])
        await self._heed(outcome)
        if first.done.done():
            return
        if isinstance(outcome, Accepted):
            first.done.set_result(outcome)
        else:
            first.done.set_exception(outcome)

    async def send_more(self, call: Sequence[Waiting]) -> None:
        outcomes = await self._write([waiting.outgoing for waiting in call])
        for waiting, outcome in zip(call, outcomes, strict=True):
            if not waiting.outcome.done():
                waiting.outcome.set_result(outcome)

    async def amend(self, amend: Amend) -> None:
        try:
            outcomes = await amend.call()
        except Exception as error:  # noqa: BLE001  # whoever asked sees to it; the lane goes on
            if not amend.done.done():
                amend.done.set_exception(error)
            return
        for outcome in outcomes:
            await self._heed(outcome)
        if not amend.done.done():
            amend.done.set_result(outcomes)

    async def _heed(self, outcome: Accepted | GatewayError | None) -> None:
        if isinstance(outcome, ChannelBroken):
            await self._ending.break_channel(outcome.words)
        elif isinstance(outcome, Throttled) and not outcome.only_this:
            await self._ending.throttle(outcome.retry_after_s)

    async def _see_to_end(self, step: LaneStep, job: Job, outcome: Accepted | GatewayError) -> None:
        try:
            await self._ending.settle(step, job, await self._send_rest(step, job, outcome))
            if step.priming:
                step.needs_upload = await self._feeder.needs_upload(step)
        finally:
            self._let_go(step)

    def _let_go(self, step: LaneStep) -> None:
        """One less in flight."""
        state = self._state
        had_room = state.has_room()
        state.in_flight -= 1
        if step.priming or not had_room or state.closing:
            step.priming = False
            state.turns.ask()

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
            _accept(job, position, outcome)
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
                await self._state.clock.sleep(pause_before_try(tries))
            elif not outcome.only_this:
                await self._ending.throttle(outcome.retry_after_s)
            elif outcome.retry_after_s > LONGEST_WAIT_S:
                return outcome
            else:
                await self._state.clock.sleep(outcome.retry_after_s)

    async def _send_in_another_slot(self, outgoing: Outgoing) -> Accepted | GatewayError:
        waiting = Waiting(outgoing, asyncio.get_running_loop().create_future())
        self.more.append(waiting)
        self._state.turns.ask()
        return await waiting.outcome

    async def _write(self, call: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        outcomes: Sequence[Accepted | GatewayError]
        try:
            outcomes = await self._gateway.send(call)
        except Exception as error:
            # A lane that fell over here would take everything with it that is on its way for others.
            log.exception("a send fell over", extra={"channel": self._state.channel.id})
            outcomes = [FaultOfOurs(f"a fault of ours: {type(error).__name__}")] * len(call)
        for outcome in outcomes:
            if isinstance(outcome, Accepted) and outcome.usage:
                self._ending.heed(outcome.usage)
        return outcomes


def _accept(job: Job, position: int, taken: Accepted) -> None:
    job.accepted.append(AcceptedPart(position, taken.external_id, taken.details, taken.cost, taken.units))
    job.new_address = taken.new_address or job.new_address
