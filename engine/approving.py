"""A second person's approval: asked for, given, refused, taken back. What is approved starts by itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.access import require
from engine.approval import NeedsApproval, draft_hash
from engine.errors import Refused, Stale, _
from engine.reporting import Reporting
from storage.approvals import Approval, ApprovalState, Ask, Decision
from storage.audit import NewNotice
from storage.records import Actor, Mailing, Status

if TYPE_CHECKING:
    from engine.check import CheckCard

MAX_WORDS = 500  # characters of a reason
_ENDED = {
    ApprovalState.APPROVED: _("“{name}” was approved already, by {who}."),
    ApprovalState.REJECTED: _("“{name}” was rejected already, by {who}."),
    ApprovalState.WITHDRAWN: _("{who} has taken the question about “{name}” back."),
}


@dataclass(frozen=True, slots=True)
class Launched:
    """A mailing as it is after somebody launched it; `approval` is what it waits for where it has not started."""

    mailing: Mailing
    approval: Approval | None = None


class Approving(Reporting):
    """The part of `engine.operations.Operations` that two people need."""

    async def launch_or_ask(self, mailing_id: int, by: Actor, *, revision: int | None = None) -> Launched:
        """Launch it; where a second person has to approve it first, ask, and it starts with the approval."""
        try:
            return Launched(await self.launch(mailing_id, by, revision=revision))
        except NeedsApproval:
            return Launched(await self.get(mailing_id), await self.ask_approval(mailing_id, by, revision=revision))

    async def ask_approval(self, mailing_id: int, by: Actor, *, revision: int | None = None) -> Approval:
        """Ask every approver and owner but the one who asks. Asked again, it stays one question."""
        require(by, "launch")
        await self._require_not_stopped()
        mailing = await self.get(mailing_id)
        if revision is not None and mailing.revision != revision:
            raise Stale(_("“{name}” was changed meanwhile; look at it again."), name=mailing.draft.name)
        check = await self._askable(mailing)
        if check.problems:
            raise check.problems[0]
        if check.may_go:
            raise Refused(_("“{name}” needs no approval: launch it."), name=mailing.draft.name)
        asked = Ask(
            mailing.id,
            await draft_hash(self.store, mailing.draft),
            self._audited(by, "ask_approval"),
            NewNotice("approval_asked", self._clock.now(), by),
        )
        await self.store.approvals.ask(asked)
        return await self._last(mailing)

    async def approve(self, mailing_id: int, approval_id: int, by: Actor) -> Mailing:
        """Let it go out, at its time, in the name of who asked. Nobody approves what they asked for themselves."""
        require(by, "approve")
        await self._require_not_stopped()
        mailing = await self.get(mailing_id)
        approval = await self._open(mailing, approval_id)
        if approval.asked_by.name == by.name:
            raise Refused(
                _("You asked for it yourself: somebody else has to approve “{name}”."), name=mailing.draft.name
            )
        check = await self._askable(mailing)
        if approval.draft_hash != await draft_hash(self.store, mailing.draft):
            raise Stale(
                _("“{name}” was changed after the question: {who} has to ask again."),
                name=mailing.draft.name,
                who=approval.asked_by.name,
            )
        if check.problems:
            raise check.problems[0]
        await self._decide(mailing, approval, ApprovalState.APPROVED, by)
        if mailing.status is Status.PAUSED:
            return await self.resume(mailing.id, approval.asked_by)
        return await self.launch(mailing.id, approval.asked_by, revision=mailing.revision, by_hand=False)

    async def reject(self, mailing_id: int, approval_id: int, by: Actor, words: str) -> None:
        """Say no, and why; it stays what it is, to be changed and asked about again."""
        require(by, "approve")
        mailing = await self.get(mailing_id)
        approval = await self._open(mailing, approval_id)
        if approval.asked_by.name == by.name:
            raise Refused(_("You asked for it yourself: take the question back instead."))
        if not words.strip():
            raise Refused(_("Say in a few words why not."))
        await self._decide(mailing, approval, ApprovalState.REJECTED, by, words.strip()[:MAX_WORDS])

    async def withdraw(self, mailing_id: int, by: Actor) -> None:
        """Take the question back: it does not start, whoever says yes later."""
        require(by, "launch")
        mailing = await self.get(mailing_id)
        last = await self.store.approvals.last(mailing_id)
        if last is None:
            raise Refused(_("Nobody has asked for an approval of “{name}”."), name=mailing.draft.name)
        await self._decide(mailing, await self._open(mailing, last.id), ApprovalState.WITHDRAWN, by)

    async def waiting_approvals(self) -> list[tuple[Mailing, Approval]]:
        """What a second person is still to answer, the oldest first."""
        waiting = await self.store.approvals.waiting()
        found = [(await self.store.mailings.find(one.mailing_id), one) for one in waiting]
        return [(mailing, one) for mailing, one in found if mailing is not None and _may_start(mailing)]

    async def find_approval(self, mailing_id: int) -> Approval | None:
        """The last question about the mailing, also one about how it was before."""
        return await self.store.approvals.last(mailing_id)

    # --- inside ---

    async def _askable(self, mailing: Mailing) -> "CheckCard":
        if not _may_start(mailing):
            raise Refused(
                _("“{name}” is {status}; there is nothing to approve."),
                name=mailing.draft.name,
                status=mailing.status.value,
            )
        return await self.checker.check(mailing, again=mailing.status is not Status.DRAFT)

    async def _last(self, mailing: Mailing) -> Approval:
        last = await self.store.approvals.last(mailing.id)
        if last is None:
            raise Refused(_("Nobody has asked for an approval of “{name}”."), name=mailing.draft.name)
        return last

    async def _open(self, mailing: Mailing, approval_id: int) -> Approval:
        """The question that a card shows, while it waits for its answer. Raises Stale and Refused."""
        last = await self._last(mailing)
        if last.id != approval_id:
            raise Stale(_("“{name}” was asked about anew: look at it again."), name=mailing.draft.name)
        if last.state is not ApprovalState.WAITING:
            raise _answered(mailing, last)
        return last

    async def _decide(
        self, mailing: Mailing, approval: Approval, state: ApprovalState, by: Actor, words: str | None = None
    ) -> None:
        now = self._clock.now()
        told = {"by": by.name, "words": words} if words else {"by": by.name}
        notice = NewNotice(f"approval_{state.value}", now, approval.asked_by, told)
        audited = self._audited(by, {"approved": "approve", "rejected": "reject"}.get(state.value, "withdraw"))
        is_own = approval.asked_by.name == by.name
        decision = Decision(approval.id, state, audited, words, None if is_own else notice)
        if not await self.store.approvals.decide(decision):
            raise _answered(mailing, await self._last(mailing))


def _may_start(mailing: Mailing) -> bool:
    return mailing.status in (Status.DRAFT, Status.CANCELLED) or (
        mailing.status is Status.PAUSED and mailing.started_at is None
    )


def _answered(mailing: Mailing, approval: Approval) -> Refused:
    who = approval.decided_by.name if approval.decided_by else ""
    return Refused(_ENDED.get(approval.state, _("“{name}” waits no more.")), name=mailing.draft.name, who=who)
