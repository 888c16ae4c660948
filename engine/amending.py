"""What people do about a mailing that clients have: take it back, correct it where it stands, write to some of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine.access import require
from engine.amender import NEVER, SAME, SHAPE, why_not, window_of
from engine.approval import reasons_for
from engine.errors import Invalid, NotFound, Refused, _
from engine.fits import Fits
from engine.reporting import ENDED, LEFT_UNKNOWN, Reporting
from gateways.message import Message
from storage.amendments import Amendment, EndAmendment, NewAmendment
from storage.deliveries import DeliveryRow
from storage.filters import MailingResult
from storage.records import Actor, AmendedState, AmendmentKind, AmendmentStatus, DeliveryState, Mailing, Status

TOO_OLD = "too_old"


@dataclass(frozen=True, slots=True)
class Hope:
    """What can be done on one channel, where `got` have the message: until `until` at least.

    `hopeless` says why nothing can be: never (nobody can there), shape (the new message would need other parts), same
    (nothing changes there), too_old, channel_missing."""

    channel: str
    title: str
    got: int
    until: datetime | None
    hopeless: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an amendment is. `missed` are counted by reason, `by_channel` has reached and waiting of each."""

    amendment: Amendment
    reached: int
    waiting: int
    missed: Mapping[str, int]
    by_channel: Mapping[str, tuple[int, int, int]]  # reached, waiting, missed

    @property
    def all_missed(self) -> int:
        return sum(self.missed.values())


class Amending(Reporting):
    """The part of `engine.operations.Operations` that comes after sending."""

    # --- looking ---

    async def hopes(self, mailing_id: int, kind: AmendmentKind, message: Message | None = None) -> list[Hope]:
        """What can be done on each channel where somebody has it; `message` is how it would read."""
        mailing = await self.get(mailing_id)
        counters = (await self.store.deliveries.counters([mailing.step_id]))[mailing.step_id]
        gone = await self._taken_back(mailing)
        change = None if message is None else (await self.reads_now(mailing_id), message)
        hopes = []
        for channel in sorted({channel for channel, name in counters if name == "sent"}):
            got = counters[channel, "sent"] - gone.get(channel, 0)
            if got > 0:
                hopes.append(self._hope(mailing, channel, got, kind, change))
        return hopes

    def _hope(
        self, mailing: Mailing, channel: str, got: int, kind: AmendmentKind, change: tuple[Message, Message] | None
    ) -> Hope:
        settings = self.settings.channels.get(channel)
        if settings is None:
            return Hope(channel, channel, got, None, "channel_missing")
        able, now = settings.able, self._clock.now()
        window = window_of(able, kind)
        if window is None:
            return Hope(channel, able.title, got, None, NEVER)
        if change is not None and (reason := why_not(Fits(self.store, self.settings), *change, able)):
            return Hope(channel, able.title, got, None, reason)
        if (mailing.finished_at or now) + window < now:
            return Hope(channel, able.title, got, None, TOO_OLD)
        return Hope(channel, able.title, got, (mailing.started_at or now) + window)

    async def _taken_back(self, mailing: Mailing) -> Mapping[str, int]:
        gone: dict[str, int] = {}
        for one in await self.store.amendments.of_step(mailing.step_id):
            if one.kind is AmendmentKind.TAKE_BACK:
                for (channel, name), amount in (await self.store.amendments.counts(one.id)).items():
                    if name == AmendedState.REACHED:
                        gone[channel] = gone.get(channel, 0) + amount
        return gone

    async def amendments(self, mailing_id: int) -> list[Progress]:
        """Everything that was done to it after it was sent, oldest first."""
        mailing = await self.get(mailing_id)
        return [await self._progress(one) for one in await self.store.amendments.of_step(mailing.step_id)]

    async def amendment(self, amendment_id: int) -> Progress:
        found = await self.store.amendments.find(amendment_id)
        if found is None:
            raise NotFound(_("There is no such correction."))
        return await self._progress(found)

    async def _progress(self, one: Amendment) -> Progress:
        missed: dict[str, int] = {}
        by_channel: dict[str, list[int]] = {}
        for (channel, name), amount in (await self.store.amendments.counts(one.id)).items():
            state, _colon, reason = name.partition(":")
            place = list(AmendedState).index(AmendedState(state))
            by_channel.setdefault(channel, [0, 0, 0])[place] += amount
            if reason:
                missed[reason] = missed.get(reason, 0) + amount
        lines = {channel: (reached, waiting, lost) for channel, (waiting, reached, lost) in sorted(by_channel.items())}
        return Progress(
            one,
            sum(reached for reached, _waiting, _lost in lines.values()),
            sum(waiting for _reached, waiting, _lost in lines.values()),
            missed,
            lines,
        )

    async def reads_now(self, mailing_id: int) -> Message:
        """The message as it was corrected last, or as it was launched."""
        mailing = await self.get(mailing_id)
        corrected = [one.message for one in await self.store.amendments.of_step(mailing.step_id) if one.message]
        return corrected[-1] if corrected else mailing.draft.message

    # --- doing ---

    async def take_back(self, mailing_id: int, by: Actor) -> Amendment:
        """Delete the message from the chats of all who have it, as far as their messengers allow."""
        return await self._amend(mailing_id, AmendmentKind.TAKE_BACK, None, by)

    async def correct(self, mailing_id: int, message: Message, by: Actor) -> Amendment:
        """Let the message read so from now on, where it stands, as far as messengers allow."""
        mailing = await self.get(mailing_id)
        self._require_other_words(await self.reads_now(mailing_id), message)
        await self._require_no_approval(mailing)
        return await self._amend(mailing_id, AmendmentKind.CORRECT, message, by)

    async def _amend(self, mailing_id: int, kind: AmendmentKind, message: Message | None, by: Actor) -> Amendment:
        require(by, "amend")
        await self._require_not_stopped()
        mailing = await self.get(mailing_id)
        self._require_ended(mailing)
        hopes = await self.hopes(mailing_id, kind, message)
        if not any(hope.hopeless is None for hope in hopes):
            raise why_hopeless(hopes)
        audited = self._audited(by, kind.value, mailing_id)
        made = await self.store.amendments.begin(NewAmendment(mailing.step_id, kind, message, audited))
        if made is None:
            words = _("“{name}” is being taken back or corrected already; wait for its end, or stop it.")
            raise Refused(words, name=mailing.draft.name)
        self._nudge()
        return (await self.amendment(made)).amendment

    async def stop_amendment(self, amendment_id: int, by: Actor) -> bool:
        """Change no more messages; what is done stays done. False where it had ended already."""
        require(by, "amend")
        one = (await self.amendment(amendment_id)).amendment
        ended = await self.store.amendments.end(
            EndAmendment(
                one.id,
                AmendmentStatus.STOPPED,
                self._audited(by, f"stop_{one.kind.value}", one.mailing_id),
                _("stopped by {name}").format(name=by.name),
            )
        )
        self._nudge()
        return ended

    async def follow_up(
        self, mailing_id: int, outcome: MailingResult, by: Actor, *, name: str, message: Message | None = None
    ) -> int:
        """A new draft to exactly those clients of this mailing, with its message or another; returns its id."""
        require(by, "copy")
        mailing = await self.get(mailing_id)
        self._require_ended(mailing)
        draft = replace(
            mailing.draft,
            name=name,
            message=message or await self.reads_now(mailing_id),
            audience={"where": [{"mailing": mailing_id, "outcome": outcome.value}]},
            start="now",
            timezone=None,
        )
        return await self.store.mailings.create(draft, self._audited(by, "follow_up"), copied_from=mailing_id)

    async def unknown_page(self, mailing_id: int, after_id: int, limit: int) -> list[DeliveryRow]:
        """Those that may or may not have got it, page by page."""
        mailing = await self.get(mailing_id)
        return await self.store.deliveries.rows(
            mailing.step_id, [DeliveryState.UNKNOWN], after_id=after_id, limit=limit
        )

    async def leave_unknown(self, mailing_id: int, by: Actor) -> None:
        """Decide that those do not get it again; a receipt that comes late still settles them."""
        require(by, "repeat")
        unknown = (await self.figures(mailing_id))["unknown"]
        await self.store.mailings.note(self._audited(by, LEFT_UNKNOWN, mailing_id, details={"count": unknown}))

    # --- guards ---

    def _require_ended(self, mailing: Mailing) -> None:
        if mailing.status in (Status.DRAFT, Status.SCHEDULED):
            raise Refused(_("“{name}” was not sent yet: nobody has it."), name=mailing.draft.name)
        if mailing.status not in ENDED:
            words = _("“{name}” is {status}: cancel it first, so that nobody gets it any more.")
            raise Refused(words, name=mailing.draft.name, status=mailing.status.value)

    def _require_other_words(self, before: Message, after: Message) -> None:
        if before == after:
            raise Invalid(_("That is what clients have already: nothing would change."))

    async def _require_no_approval(self, mailing: Mailing) -> None:
        """New words to many are a second person's business too, and a correction has nobody to ask."""
        if self.settings.approval is None:
            return
        hopes = await self.hopes(mailing.id, AmendmentKind.CORRECT)
        got = sum(hope.got for hope in hopes)
        span = (self._clock.now(), self._clock.now() + timedelta(seconds=got))
        channels = [hope.channel for hope in hopes]
        draft = replace(mailing.draft, start="now", timezone=None)
        reasons = reasons_for(self.settings.approval, draft, got, channels, span, self.settings.timezone)
        if reasons:
            words = _("That needs a second person, because {reason}: send a correction as a new mailing instead.")
            raise Refused(words, reason=reasons[0])


_NOBODY = _("Nobody has it: there is nothing to do.")
_WHY: Mapping[str, str] = {
    NEVER: _("{title} lets nobody change or take back what was sent."),
    SAME: _("{title} has a version of its own: nothing changes there."),
    SHAPE: _("{title}: only words and buttons can be changed, not pictures, files or the number of messages."),
    TOO_OLD: _("{title}: it was sent too long ago."),
    "channel_missing": _("{title} stands in no configuration any more."),
}


def why_hopeless(hopes: list[Hope]) -> Refused:
    """Why nothing can be done anywhere, by the first channel's reason."""
    if not hopes:
        return Refused(_NOBODY)
    return Refused(_WHY[hopes[0].hopeless or NEVER], title=hopes[0].title)
