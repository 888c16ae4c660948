"""Scheduled mailings whose time has come."""

from dataclasses import dataclass
from datetime import timedelta

from engine.check import Checker
from engine.clock import Clock
from engine.errors import Invalid, _
from engine.moves import Moves
from engine.settings import LATE_START_S, EngineSettings
from storage.mailings import ActiveStep
from storage.records import Status
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Starts:
    store: Store
    settings: EngineSettings
    moves: Moves
    clock: Clock

    async def start_if_due(self, step: ActiveStep) -> bool:
        """Whether it began; one that is too late, or that a second person would have to see now, asks people."""
        now = self.clock.now()
        if step.start_at is None or step.start_at > now:
            return False
        if now - step.start_at > timedelta(seconds=LATE_START_S):
            late_min = int((now - step.start_at).total_seconds() // 60)
            words = _("its start was {minutes} minutes ago").format(minutes=late_min)
            await self.moves.pause(step.mailing_id, "late_start", words, Status.SCHEDULED)
            return False
        if words := await self._unapproved(step.mailing_id):
            await self.moves.pause(step.mailing_id, "approval", words, Status.SCHEDULED)
            return False
        await self.moves.start(step.mailing_id, step.launched_by)
        return True

    async def _unapproved(self, mailing_id: int) -> str:
        """Why it needs a second person that it did not need when it was scheduled: its audience has grown since."""
        mailing = await self.store.mailings.find(mailing_id) if self.settings.approval is not None else None
        if mailing is None:
            return ""
        try:
            check = await Checker(self.store, self.settings, self.clock).check(mailing, again=True)
        except Invalid:
            return ""  # what is wrong with it interrupts it, with its reason
        if check.may_go:
            return ""
        return _("a second person has to approve it now: {why}").format(why=check.needs[0])
