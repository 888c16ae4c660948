"""Digests: the numbers of a day or a week, sent to a chat at the hour that a person chose, each once."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from bot.dialogs.spans import told_period
from bot.dialogs.talk import House, button, paragraphs
from bot.periods import Days, whole_days
from bot.screens import Busy, People, Screen, Surface, Unreachable
from bot.texts import Html, Texts, _
from engine.access import may
from engine.clock import Clock
from storage.digests import Digest, Every, NewDigest

if TYPE_CHECKING:
    from engine.operations import Operations
    from storage.store import Store

log = logging.getLogger(__name__)

LATE: Final = timedelta(hours=12)  # later than this nobody waits for it any more: the next one comes in time
_IN_HAND: Final = timedelta(minutes=5)  # longer than a surface takes to show one; a kill delays it by so much
_LOOKS: Final = "*/20"  # seconds of each minute
_PAUSE_S: Final = 60.0  # for a surface that does not take one
_HEADS: Final = {Every.DAY: _("Yesterday"), Every.WEEK: _("The last 7 days")}
_DAYS: Final = {Every.DAY: 1, Every.WEEK: 7}


class Digests:
    """Run `run` as a task. What is due stands in storage, so a restart forgets nothing and repeats nothing."""

    def __init__(
        self,
        *,
        operations: "Operations",
        store: "Store",
        surfaces: Mapping[str, Surface],
        people: People,
        house: House,
        clock: Clock,
    ) -> None:
        self._operations = operations
        self._store = store
        self._surfaces = surfaces
        self._people = people
        self._house = house
        self._clock = clock
        self._paused_until_s: dict[str, float] = {}

    async def run(self) -> None:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler

        scheduler = AsyncIOScheduler(timezone="UTC")
        scheduler.add_job(self.tick, "cron", second=_LOOKS, coalesce=True, max_instances=1)
        scheduler.start()
        try:
            await self.tick()
            await asyncio.Event().wait()
        finally:
            scheduler.shutdown(wait=False)

    async def tick(self) -> None:
        """Send all that are due."""
        for digest in await self._store.digests.due(self._clock.now()):
            try:
                await self._send(digest)
            except Exception:
                # Whatever broke with one, the others are due too.
                log.exception("a digest could not be sent", extra={"digest": digest.id})

    async def _send(self, digest: Digest) -> None:
        person = self._people.get((digest.surface, digest.account))
        if person is None or not may(person.role, "statistics"):
            log.info("a digest has ended with the right to it", extra={"digest": digest.id})
            await self._store.digests.remove(digest.id)
            return
        surface, now = self._surfaces.get(digest.surface), self._clock.now()
        if surface is None or self._clock.monotonic() < self._paused_until_s.get(digest.surface, 0.0):
            return
        meant, next_at = replace(digest, due_at=_meant_for(digest)), due_after(digest, now)
        if now - meant.due_at > LATE:
            await self._store.digests.move(digest, next_at)
            return
        # In hand for a while, so that a kill before it is shown has it shown after: none is lost. One that is killed
        # between the chat's answer and the next line comes twice, which a reader of numbers forgives.
        taken = replace(digest, due_at=now + _IN_HAND)
        if not await self._store.digests.move(digest, taken.due_at):
            return
        try:
            t = Texts(person.locale or self._house.locale, digest.timezone)
            await surface.show(digest.chat, await digest_screen(t, self._operations, meant))
            await self._store.digests.move(taken, next_at)
        except Unreachable:
            await self._store.digests.move(taken, next_at)
            log.warning("a digest's chat can't be written to", extra={"digest": digest.id, "surface": digest.surface})
        except Exception as error:  # noqa: BLE001  # it was not shown, so it is due again
            wait_s = error.retry_after_s if isinstance(error, Busy) else _PAUSE_S
            self._paused_until_s[digest.surface] = self._clock.monotonic() + wait_s
            await self._store.digests.move(taken, meant.due_at)
            log.warning("a digest waits", extra={"digest": digest.id, "error": type(error).__name__, "wait_s": wait_s})


async def digest_screen(t: Texts, operations: "Operations", digest: Digest) -> Screen:
    """The numbers of the whole days before it is due, beside those of the days before these."""
    days = whole_days(_DAYS[digest.every], digest.due_at, digest.timezone)
    head = Html(t("<b>{period}</b>", period=t(_HEADS[digest.every])) + f" · {days.told(t)}")
    told = await told_period(t, operations, operations.settings, days)
    rows = ((button(t("Statistics"), "s", 0), button(t("This digest"), "d:of", digest.id)),)
    if told is None:
        text = paragraphs(head, t("No mailing was launched in this time."), await _before(t, operations, days.before))
        return Screen(text, rows=rows)
    text, picture, _period = told
    return Screen(paragraphs(head, text, await _before(t, operations, days.before)), rows=rows, picture=picture)


async def _before(t: Texts, operations: "Operations", days: Days) -> Html | None:
    period = await operations.period(days.begin, days.end)
    if not period.mailings:
        return None
    return t(
        "Before that, {days}: sent {sent}, failed {failed}, clicked {clicked}.",
        days=days.told(t),
        sent=t.number(period.figures["sent"]),
        failed=t.number(period.figures["failed"]),
        clicked=t.number(period.figures["clicked"]["any"] or 0),
    )


def due_after(digest: NewDigest, after: datetime) -> datetime:
    """The first moment after that one at which it is due, by the clock of its zone: once a day, also where clocks are
    put back over its hour."""
    return next(at for at in _moments(digest, after, 0) if at > after)


def _meant_for(digest: Digest) -> datetime:
    """The moment that it is about: the one at which it became due, whoever has it in hand since."""
    return max(at for at in _moments(digest, digest.due_at, -8) if at <= digest.due_at)


def _moments(digest: NewDigest, around: datetime, first_day: int) -> Iterator[datetime]:
    zone = ZoneInfo(digest.timezone)
    today, hour = around.astimezone(zone).date(), time(*divmod(digest.minute, 60), tzinfo=zone)
    days = (today + timedelta(days=number) for number in range(first_day, first_day + 9))
    return (datetime.combine(day, hour).astimezone(UTC) for day in days if digest.weekday in (None, day.weekday()))
