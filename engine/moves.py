"""What the engine itself does to a mailing: start, finish, interrupt, pause; each with its audit and its notice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.clock import Clock
from storage.audit import Audited, NewNotice
from storage.mailings import Move
from storage.records import ENGINE, Actor, CanaryState, Mailing, Status
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Moves:
    store: Store
    clock: Clock

    async def start(self, mailing_id: int, launched_by: Actor | None) -> None:
        """A scheduled one begins."""
        values = {"status": Status.SENDING.value, "started_at": self.clock.now()}
        await self._move(mailing_id, Status.SCHEDULED, values, "start", "started", launched_by)

    async def finish(self, mailing_id: int, launched_by: Actor | None) -> None:
        values = {
            "status": Status.SENT.value,
            "finished_at": self.clock.now(),
            "reason": None,
            "reason_words": None,
        }
        await self._move(mailing_id, Status.SENDING, values, "finish", "finished", launched_by)

    async def interrupt(self, mailing_id: int, reason: str, words: str) -> None:
        """Stop until a person resumes or cancels, and tell who launched it."""
        values = {"status": Status.INTERRUPTED.value, "reason": reason, "reason_words": words}
        by = await self._launched_by(mailing_id)
        await self._move(mailing_id, Status.SENDING, values, "interrupt", "interrupted", by)

    async def pause(self, mailing_id: int, reason: str, words: str, status: Status = Status.SENDING) -> None:
        """Wait for a person's decision, and ask for it."""
        values = {"status": Status.PAUSED.value, "reason": reason, "reason_words": words}
        await self._move(mailing_id, status, values, "pause", "paused", await self._launched_by(mailing_id))

    # --- a canary ---

    async def wait_for_canary(self, mailing_id: int, until: datetime, words: str) -> None:
        """The first clients have it: hold the others until they are judged."""
        values = {
            "status": Status.PAUSED.value,
            "reason": "canary",
            "reason_words": words,
            "canary_state": CanaryState.WAITING.value,
            "canary_until": until,
        }
        by = await self._launched_by(mailing_id)
        await self._move(mailing_id, Status.SENDING, values, "canary", "canary", by)

    async def hold_canary(self, mailing: Mailing, words: str) -> None:
        """The others get it only when a person says so."""
        values = {"reason": "canary_held", "reason_words": words, "canary_state": CanaryState.HELD.value}
        by, revision = mailing.launched_by, mailing.revision
        await self._move(mailing.id, Status.PAUSED, values, "hold_canary", "paused", by, revision)

    async def pass_canary(self, mailing: Mailing) -> None:
        """On to all the others."""
        values = {
            "status": Status.SENDING.value,
            "reason": None,
            "reason_words": None,
            "canary_state": CanaryState.PASSED.value,
        }
        by, revision = mailing.launched_by, mailing.revision
        await self._move(mailing.id, Status.PAUSED, values, "pass_canary", "canary_passed", by, revision)

    async def _launched_by(self, mailing_id: int) -> Actor | None:
        mailing = await self.store.mailings.find(mailing_id)
        return mailing.launched_by if mailing is not None else None

    async def _move(
        self,
        mailing_id: int,
        from_status: Status,
        values: Mapping[str, Any],
        verb: str,
        notice: str,
        launched_by: Actor | None,
        revision: int | None = None,
    ) -> None:
        now = self.clock.now()
        why = {"reason": values["reason"], "words": values["reason_words"]} if values.get("reason") else {}
        await self.store.mailings.move(
            Move(
                mailing_id=mailing_id,
                from_statuses=(from_status,),
                values=values,
                audited=Audited(now, ENGINE, verb, details=why),
                revision=revision,
                notice=NewNotice(notice, now, launched_by, why),
            )
        )
