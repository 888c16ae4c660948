"""What an engine settles before it begins: rows that a dead run had in hand, and what sent before a long silence."""

import logging
from datetime import datetime, timedelta

from engine.clock import Clock
from engine.errors import _
from engine.moves import Moves
from engine.settings import SILENCE_S, EngineSettings
from storage import settling
from storage.records import CanaryState, Status
from storage.store import Store

log = logging.getLogger(__name__)

SET_BACK_S = 1.0  # less is drift


async def recover(store: Store, clock: Clock, settings: EngineSettings) -> None:
    """Nothing stays in the hand of a run that is over: claimed goes back, and started is unknown; it goes back as well
    where the platform drops a repeat."""
    safe = {name: channel.able.repeats_safely_for_s for name, channel in settings.channels.items()}
    recovery = settling.Recovery(clock.now(), repeats_safely_for_s=safe)
    recovered = await store.writer.write(settling.recover, recovery)
    if recovered.planned or recovered.unknown:
        figures = {"planned": recovered.planned, "unknown": recovered.unknown}
        log.warning("deliveries of an ended run were settled", extra=figures)


async def guard_copy(store: Store, moves: Moves) -> None:
    """A restored backup knows nothing of what was sent after it was made: it sends nothing until a person says so."""
    copied_at = await store.runs.copied_at()
    if copied_at is None:
        return
    words = _("this is a copy of {at} UTC: whoever got it after that would get it again")
    told = words.format(at=f"{copied_at:%Y-%m-%d %H:%M}")
    for mailing in await store.mailings.with_status([Status.SENDING, Status.SCHEDULED]):
        await moves.pause(mailing.id, "restored", told, mailing.status)
    for mailing in await store.mailings.with_status([Status.PAUSED]):
        if mailing.canary_state is CanaryState.WAITING:
            await moves.hold_canary(mailing, told)
    log.warning("this storage is a restored copy; nothing is sent before a person says so")
    await store.runs.forget_copy()


class ClockGuard:
    """Notices that the clock of the day was set back, while we ran or before."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._now, self._at = clock.now(), clock.monotonic()

    async def look(self, last_known: datetime | None = None) -> None:
        """`last_known`: what it said when it was looked at last, where that was another process."""
        now, at = self._clock.now(), self._clock.monotonic()
        before = last_known or self._now + timedelta(seconds=at - self._at)
        if before - now > timedelta(seconds=SET_BACK_S):
            pulled = await self._store.writer.write(settling.pull_due, settling.SetBack(before, now))
            log.warning("the clock was set back", extra={"by_s": (before - now).total_seconds(), "deliveries": pulled})
        self._now, self._at = now, at


async def guard_long_silence(store: Store, moves: Moves, clock: Clock) -> None:
    """After a long outage, what was sending asks a person before it goes on."""
    last, now = await store.runs.last_heartbeat(), clock.now()
    if last is None or now - last <= timedelta(seconds=SILENCE_S):
        return
    words = _("Carillon did not run from {since} to {until} UTC").format(
        since=f"{last:%Y-%m-%d %H:%M}", until=f"{now:%Y-%m-%d %H:%M}"
    )
    for mailing in await store.mailings.with_status([Status.SENDING]):
        await moves.pause(mailing.id, "long_silence", words)
