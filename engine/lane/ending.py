"""How a delivery ends in a lane: one arm for each error class, and what a row of failures means."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from engine.errors import _
from engine.lane.state import Job, LaneReport, LaneState, LaneStep
from engine.retry import pause_before_probe, pause_before_try
from gateways.base import (
    AddressGone,
    AddressStatus,
    ChannelBroken,
    Gateway,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    OutsideWindow,
    Rejected,
    Throttled,
    Unavailable,
)
from storage import settling
from storage.outcomes import finish
from storage.records import DeliveryState, Outcome
from storage.writer import Writer, WriterStopped

log = logging.getLogger(__name__)

DOWN_AFTER = 3  # failures in a row on different clients
SAME_REJECTION = 3
NO_SUCH_ADDRESS = 20
HIGH_USAGE = 0.8  # platforms/facebook.md section 4
FULL_USAGE = 0.95
FULL_REST_S = 60.0

Spawn = Callable[[Coroutine[Any, Any, None], str], None]


class FaultOfOurs(OutcomeUnknown):
    """A send that fell over in our own code: the request may have gone out, and nobody says what became of it."""


@dataclass(slots=True)
class _Streaks:
    """What came in a row, with no success between; keys are clients. A message at fault is its own step's: another
    mailing's successes say nothing of it, and its failures are not another's."""

    away: dict[int, int] = field(default_factory=dict)  # deliveries
    rejected: dict[int, dict[int, str]] = field(default_factory=dict)  # words, by step
    no_such_address: dict[int, int] = field(default_factory=dict)  # deliveries

    def clear(self) -> None:
        self.away.clear()
        self.rejected.clear()
        self.no_such_address.clear()

    def end(self, step_id: int) -> None:
        """One of this step went through."""
        self.away.clear()
        self.no_such_address.clear()
        self.rejected.pop(step_id, None)


class Ending:
    def __init__(
        self,
        state: LaneState,
        *,
        gateway: Gateway,
        writer: Writer,
        report: LaneReport,
        tries: int,
        spawn: Spawn,
        release_all: Callable[[], Awaitable[None]],
    ) -> None:
        self._state = state
        self._gateway = gateway
        self._writer = writer
        self._report = report
        self._tries = tries
        self._spawn = spawn
        self._release_all = release_all
        self._streaks = _Streaks()
        self._wrong_account = False  # the platform knows none of our addresses

    def forget(self) -> None:
        """A person has seen to the channel: what came before says nothing any more."""
        self._streaks.clear()
        self._wrong_account = False

    async def settle(self, step: LaneStep, job: Job, error: GatewayError | None) -> None:
        """Commit what became of a delivery; None: the platform took every part."""
        match error:
            case None:
                self._streaks.end(step.step_id)
                await self._finish(step, job, DeliveryState.SENT, None, None)
            case OutcomeUnknown() if job.accepted:
                await self._finish(step, job, DeliveryState.UNKNOWN, error, "incomplete")
            case FaultOfOurs():
                await self._finish(step, job, DeliveryState.UNKNOWN, error, "fault")
                await self._count_rejection(step, job, error)
            case _ if job.accepted:
                await self._finish(step, job, DeliveryState.FAILED, error, "incomplete")
            case Throttled(only_this=True):
                await self._back(job, error, job.delivery.tries, error.retry_after_s)
            case Throttled():
                await self.throttle(error.retry_after_s)
                await self._back(job, error, job.delivery.tries, 0.0)
            case Unavailable():
                await self._away(step, job, error)
            case OutcomeUnknown() if self._gateway.capabilities.repeats_safely_for_s:
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
                await self.break_channel(error.words)
                await self._back(job, error, job.delivery.tries, 0.0)
            case _:
                await self._finish(step, job, DeliveryState.FAILED, error, "rejected")

    def settle_sent(self, step: LaneStep, job: Job, ended: Callable[[LaneStep], None]) -> None:
        """The same for what the platform took, as it takes nearly all: nobody waits, `ended` is called after the
        commit."""
        self._streaks.end(step.step_id)
        outcome = self._outcome(step, job, DeliveryState.SENT, None, None)
        kept = partial(self._kept, self._state.era, step, outcome, ended)
        self._writer.hand_in(finish, outcome).add_done_callback(kept)

    def _kept(
        self,
        era: int,
        step: LaneStep,
        outcome: Outcome,
        ended: Callable[[LaneStep], None],
        done: "asyncio.Future[bool]",
    ) -> None:
        if done.cancelled() or era != self._state.era:
            return
        if done.exception() is not None:
            self._spawn(self._keep_again(step, outcome, ended), f"keep {outcome.delivery.id}")
            return
        self._count(step, outcome.state)
        ended(step)

    async def _keep_again(self, step: LaneStep, outcome: Outcome, ended: Callable[[LaneStep], None]) -> None:
        try:
            await self._keep(outcome)
            self._count(step, outcome.state)
        finally:
            ended(step)

    async def skip(self, step: LaneStep, job: Job, reason: str) -> None:
        """At the last look it was out of bounds: not sent, and counted by its reason; unknown, if it may have been."""
        if job.delivery.doubted_at is not None:
            await self.leave_unknown(step, job)
        else:
            await self._finish(step, job, DeliveryState.SKIPPED, None, reason, job.delivery.tries)

    async def leave_unknown(self, step: LaneStep, job: Job) -> None:
        """It may have been taken, and can't be repeated any more: nobody gets it twice."""
        job.started_at = job.delivery.doubted_at
        await self._finish(step, job, DeliveryState.UNKNOWN, None, "no_answer", job.delivery.tries)

    async def throttle(self, retry_after_s: float) -> None:
        state, now = self._state, self._state.clock.monotonic()
        state.figures.throttles += 1
        if now >= state.throttled_until:  # the answers to what was in flight belong to the same throttle
            state.pacer.stretch(now)
        state.throttled_until = max(state.throttled_until, now + retry_after_s)
        until = state.clock.now() + timedelta(seconds=retry_after_s)
        await self._report.channel_throttled(state.channel.id, until)

    def heed(self, usage: float) -> None:
        """Slow down before the platform blocks: half the pace from 80 % of what it allows, a minute's rest at 95 %."""
        state, now = self._state, self._state.clock.monotonic()
        if usage >= FULL_USAGE:
            state.throttled_until = max(state.throttled_until, now + FULL_REST_S)
        elif usage >= HIGH_USAGE:
            state.pacer.halve(now)

    async def break_channel(self, words: str) -> None:
        if self._state.broken is None:
            self._state.broken = words
            await self._report.channel_broken(self._state.channel.id, words)
            await self._release_all()

    # --- committing ---

    async def _finish(
        self,
        step: LaneStep,
        job: Job,
        state: DeliveryState,
        error: GatewayError | None,
        reason: str | None,
        tries: int | None = None,
    ) -> None:
        outcome = self._outcome(step, job, state, error, reason, tries)
        await self._keep(outcome)
        self._count(step, state)

    def _outcome(
        self,
        step: LaneStep,
        job: Job,
        state: DeliveryState,
        error: GatewayError | None,
        reason: str | None,
        tries: int | None = None,
    ) -> Outcome:
        return Outcome(
            delivery=job.delivery,
            channel=self._state.channel.id,
            state=state,
            started_at=job.started_at,
            finished_at=self._state.clock.now(),
            tries=job.delivery.tries + 1 if tries is None else tries,
            reason=reason,
            code=error.code if error else None,
            words=error.words if error else None,
            parts=tuple(job.accepted),
            address_status=error.status if isinstance(error, AddressGone) else None,
            new_address=job.new_address,
            next_channels=step.next_channels,
            hand_on_after_s=_hand_on_after_s(step, state, reason, error) if step.next_channels else None,
        )

    def _count(self, step: LaneStep, state: DeliveryState) -> None:
        figures = self._state.figures
        match state:
            case DeliveryState.SENT:
                figures.sent += 1
            case DeliveryState.UNKNOWN:
                figures.unknown += 1
            case DeliveryState.SKIPPED:
                figures.skipped += 1
            case _:
                figures.failed += 1
        if self._state.in_flight <= 1 and not step.waiting():
            self._report.progressed(step.step_id)

    async def _keep(self, outcome: Outcome) -> None:
        """A value of it that the database refuses takes neither the outcome nor the lane with it."""
        try:
            await self._writer.write(finish, outcome)
        except WriterStopped:
            raise
        except Exception:
            log.exception("an outcome is kept without what came with it", extra={"channel": outcome.channel})
            await self._writer.write(finish, replace(outcome, code=None, words=None, parts=()))

    async def _back(self, job: Job, error: GatewayError, tries: int, pause_s: float) -> None:
        """Back to planned, with the attempt's words kept."""
        now = self._state.clock.now()
        outcome = Outcome(
            delivery=job.delivery,
            channel=self._state.channel.id,
            state=DeliveryState.PLANNED,
            started_at=job.started_at,
            finished_at=now,
            tries=tries,
            code=error.code,
            words=error.words,
            due_at=now + timedelta(seconds=pause_s) if pause_s else None,
            doubted_at=job.delivery.doubted_at or (job.started_at if isinstance(error, OutcomeUnknown) else None),
        )
        await self._keep(outcome)

    # --- the platform is away ---

    async def _away(self, step: LaneStep, job: Job, error: GatewayError) -> None:
        """Tries count only while the lane works: a platform that is away uses none up."""
        works = self._state.down_since is None
        tries = job.delivery.tries + works
        if tries < self._tries:
            await self._back(job, error, tries, pause_before_try(tries) if works else 0.0)
            if works and self._state.down_since is not None:
                # The lane went down while this try was being written: it was none.
                await self._writer.write(settling.refund, settling.Refund((job.delivery.id,)))
            await self._count_away(job)
        elif await self._is_away():
            await self._back(job, error, job.delivery.tries, 0.0)
            await self._go_down()
        else:
            state = DeliveryState.UNKNOWN if isinstance(error, OutcomeUnknown) else DeliveryState.FAILED
            await self._finish(step, job, state, error, "unavailable", tries)
            await self._count_away(job)

    async def _is_away(self) -> bool:
        """Before a client's last try counts: whether the platform answers anybody at all."""
        if self._state.down_since is not None:
            return True
        try:
            await self._gateway.check()
        except (Unavailable, OutcomeUnknown, Throttled):
            return True
        except GatewayError:
            return False
        return False

    async def _count_away(self, job: Job) -> None:
        self._streaks.away[job.delivery.client_id] = job.delivery.id
        if len(self._streaks.away) >= DOWN_AFTER:
            await self._go_down()

    async def _go_down(self) -> None:
        state = self._state
        if state.down_since is not None or state.closing:
            return
        state.down_since = state.clock.now()
        spent = tuple(self._streaks.away.values())
        await self._report.channel_down(state.channel.id, state.down_since)
        await self._writer.write(settling.refund, settling.Refund(spent))
        await self._release_all()
        self._spawn(self._probe(), "probe")

    async def _probe(self) -> None:
        state, probes = self._state, 0
        while not state.closing and state.broken is None:
            await state.clock.sleep(pause_before_probe(probes))
            probes += 1
            try:
                await self._gateway.check()
            except ChannelBroken as error:
                await self.break_channel(error.words)
            except Throttled as error:
                await self.throttle(error.retry_after_s)
                break
            except GatewayError as error:
                log.info("the platform is still away", extra={"channel": state.channel.id, "code": error.code})
            else:
                break
        state.down_since = None
        self._streaks.clear()
        await self._report.channel_down(state.channel.id, None)
        state.wake()

    # --- the message or the token is at fault ---

    async def _count_rejection(self, step: LaneStep, job: Job, error: "Rejected | FaultOfOurs") -> None:
        if not isinstance(error, MessageRejected | FaultOfOurs):
            self._streaks.rejected.pop(step.step_id, None)
            return
        rejected = self._streaks.rejected.setdefault(step.step_id, {})
        rejected[job.delivery.client_id] = error.words
        last = list(rejected.values())[-SAME_REJECTION:]
        if len(last) == SAME_REJECTION and len(set(last)) == 1:
            rejected.clear()
            await self._report.message_refused(step.step_id, self._state.channel.id, error.words)

    async def _count_no_such_address(self, job: Job, error: AddressGone) -> None:
        unknown = self._streaks.no_such_address
        if not error.no_such_address:
            unknown.clear()
            return
        unknown[job.delivery.client_id] = job.delivery.id
        if len(unknown) >= NO_SUCH_ADDRESS and not self._wrong_account:
            self._wrong_account = True
            words = _("the platform knows none of the last {n} addresses: this looks like another account's token")
            await self.break_channel(words.format(n=len(unknown)))
        if self._wrong_account:  # those that were in flight come back after the lane has stopped
            undo = settling.Undo(tuple(unknown.values()), error.reason, self._state.clock.now())
            unknown.clear()
            await self._writer.write(settling.undo_failures, undo)


def _hand_on_after_s(
    step: LaneStep, state: DeliveryState, reason: str | None, error: GatewayError | None
) -> float | None:
    """In a cascade: how long until the next channel is tried; None: it ends here, as an opt-out does."""
    if state is DeliveryState.SENT:
        return step.hand_on_after_s
    match error:
        case AddressGone(status=status) if status is not AddressStatus.UNSUBSCRIBED:
            return 0.0
        case OutsideWindow():
            return 0.0
    return 0.0 if state is DeliveryState.SKIPPED and reason in _TRY_ELSEWHERE else None


_TRY_ELSEWHERE = ("outside_window", AddressStatus.BLOCKED, AddressStatus.GONE)
