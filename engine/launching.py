"""The life of a mailing as people move it: launch, pause, resume, cancel, and what each asks before."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.access import require
from engine.advice import LookAt
from engine.approval import NeedsApproval
from engine.check import CheckCard, Checker
from engine.clock import Clock
from engine.errors import NotFound, Refused, Stale, _
from engine.plan import channels_of
from engine.settings import CHANGEABLE_UNTIL_S, EngineSettings
from gateways.base import Account, ChannelBroken, GatewayError, NewTemplate, Submitted
from gateways.message import content_hash
from storage import settling
from storage.audit import Audited, NewNotice
from storage.channel_states import MENDED, told_of
from storage.deliveries import DeliveryRow
from storage.mailings import Move, Moved
from storage.records import Actor, CanaryState, DeliveryState, Mailing, Status
from storage.store import Store

if TYPE_CHECKING:
    from engine.runner import Engine

CheckChannel = Callable[[str], Awaitable[Account]]
"""Asks a channel's platform who we are. Raises GatewayError."""

SubmitTemplate = Callable[[str, NewTemplate], Awaitable[Submitted]]
"""Hands a template to a channel's platform. Raises GatewayError."""

STARTED = (Status.SENDING, Status.PAUSED, Status.INTERRUPTED)


class Launching:
    """The half of `engine.operations.Operations` that moves mailings.

    `engine` is there where the engine works in this process: changes then take hold at once, and tests can be sent."""

    def __init__(
        self,
        store: Store,
        settings: EngineSettings,
        clock: Clock,
        *,
        check_channel: CheckChannel,
        engine: "Engine | None" = None,
        look_at: LookAt | None = None,
        submit: SubmitTemplate | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self._clock = clock
        self.checker = Checker(store, settings, clock, look_at=look_at)
        self._check_channel = check_channel
        self._submit = submit
        self._engine = engine

    async def get(self, mailing_id: int) -> Mailing:
        mailing = await self.store.mailings.find(mailing_id)
        if mailing is None:
            raise NotFound(_("There is no mailing {id}."), id=mailing_id)
        return mailing

    async def stopped(self) -> Actor | None:
        """Who pressed the kill switch, while it is on."""
        return await self.store.mailings.stopped_by()

    # --- the life cycle ---

    async def launch(self, mailing_id: int, by: Actor, *, revision: int | None = None, by_hand: bool = True) -> Mailing:
        """Start a draft now or schedule it; a cancelled one goes on to those it had not reached. Without `by_hand` who
        launches it has no card of it yet, and is told that it starts.

        Raises Stale when `revision` is not the mailing's any more: somebody changed it since the check card."""
        require(by, "launch")
        await self._require_not_stopped()
        mailing = await self.get(mailing_id)
        if mailing.status is Status.CANCELLED:
            return await self._launch_again(mailing, by, revision, by_hand=by_hand)
        if mailing.status is not Status.DRAFT:
            raise Refused(_("“{name}” is {status} already."), name=mailing.draft.name, status=mailing.status.value)
        await self._require_launchable(mailing, by)
        start_at, _note = self.checker.start_at(mailing.draft)
        now = self._clock.now()
        values: dict[str, Any] = {
            "start_at": start_at,
            "launched_at": now,
            "content_hash": content_hash(mailing.draft.message),
        }
        if mailing.draft.start == "now":
            values |= {"status": Status.SENDING.value, "started_at": now}
        else:
            values |= {"status": Status.SCHEDULED.value}
        await self._move(
            mailing,
            (Status.DRAFT,),
            values,
            self._audited(by, "launch"),
            revision=mailing.revision if revision is None else revision,
            mailing_values={"launched_by": str(by)},
            notice=NewNotice("started", now, by, {"at_once": by_hand}) if mailing.draft.start == "now" else None,
        )
        return await self.get(mailing_id)

    async def pause(self, mailing_id: int, by: Actor) -> Mailing:
        require(by, "pause")
        mailing = await self.get(mailing_id)
        values = {
            "status": Status.PAUSED.value,
            "reason": "person",
            "reason_words": _("paused by {name}").format(name=by.name),
        }
        from_statuses: tuple[Status, ...] = (Status.SENDING,)
        if mailing.canary_state is CanaryState.WAITING:  # it would go on by itself
            from_statuses = (Status.SENDING, Status.PAUSED)
            values["canary_state"] = CanaryState.HELD.value
        await self._move(mailing, from_statuses, values, self._audited(by, "pause"))
        return await self.get(mailing_id)

    async def resume(self, mailing_id: int, by: Actor) -> Mailing:
        """Go on exactly where it stopped. A broken channel is asked first: while it is still broken nothing changes."""
        require(by, "resume")
        await self._require_not_stopped()
        mailing = await self.get(mailing_id)
        if mailing.status not in (Status.PAUSED, Status.INTERRUPTED):
            raise Refused(
                _("“{name}” is {status}; there is nothing to resume."),
                name=mailing.draft.name,
                status=mailing.status.value,
            )
        channels = await self._channels_to_go(mailing)
        if still := await self._mend(channels, by):
            raise still[0]
        if mailing.planned_all:
            await self.checker.require_quota(channels)
        if mailing.started_at is None:
            self._require_approved(await self.checker.check(mailing, again=True))
        await self._sweep_all(mailing, DeliveryState.CANCELLED, DeliveryState.PLANNED, (mailing.status,))
        now = self._clock.now()
        values: dict[str, Any] = {"status": Status.SENDING.value, "reason": None, "reason_words": None}
        values |= _canary_passed(mailing)
        if mailing.started_at is None and mailing.start_at is not None and mailing.start_at > now:
            values["status"] = Status.SCHEDULED.value  # it was held before its time, which is still to come
        elif mailing.started_at is None:
            values["started_at"] = now
        await self._move(mailing, (mailing.status,), values, self._audited(by, "resume"))
        return await self.get(mailing_id)

    async def cancel(self, mailing_id: int, by: Actor) -> int:
        """Send no more, from the next slot on. Returns how many were on their way just then and may still arrive."""
        require(by, "cancel")
        mailing = await self.get(mailing_id)
        now = self._clock.now()
        values = {
            "status": Status.CANCELLED.value,
            "finished_at": now,
            "reason": "person",
            "reason_words": _("cancelled by {name}").format(name=by.name),
        }
        await self._move(mailing, (Status.SCHEDULED, *STARTED), values, self._audited(by, "cancel"))
        in_flight = await self.store.deliveries.in_flight(mailing.step_id)
        await self._sweep_all(mailing, DeliveryState.PLANNED, DeliveryState.CANCELLED, (Status.CANCELLED,), "cancelled")
        return in_flight

    async def edit_again(self, mailing_id: int, by: Actor) -> Mailing:
        """Take a scheduled mailing back to a draft: cancel, edit, schedule again."""
        require(by, "compose")
        mailing = await self.get(mailing_id)
        values = {"status": Status.DRAFT.value, "start_at": None, "launched_at": None, "content_hash": None}
        await self._move(mailing, (Status.SCHEDULED,), values, self._audited(by, "edit_again"))
        return await self.get(mailing_id)

    async def set_speed(self, mailing_id: int, speed: float, by: Actor) -> Mailing:
        """Messages/second per channel, from the next slot on."""
        require(by, "speed")
        mailing = await self.get(mailing_id)
        self.checker.require_speed(speed)
        audited = self._audited(by, "speed", details={"speed": speed})
        statuses = (Status.DRAFT, Status.SCHEDULED, *STARTED)
        await self._move(mailing, statuses, {}, audited, mailing_values={"speed": float(speed)})
        return await self.get(mailing_id)

    async def unknown(self, mailing_id: int) -> list[DeliveryRow]:
        """Those that may or may not have got it."""
        mailing = await self.get(mailing_id)
        return await self.store.deliveries.rows(mailing.step_id, [DeliveryState.UNKNOWN], limit=1000)

    async def repeat_unknown(self, mailing_id: int, by: Actor) -> int:
        """Decide that the unknown ones get it again, at the risk that some have it; returns how many."""
        require(by, "repeat")
        await self._require_not_stopped()
        mailing = await self.get(mailing_id)
        moved = await self._sweep_all(mailing, DeliveryState.UNKNOWN, DeliveryState.PLANNED)
        if moved and mailing.status is Status.SENT:
            values = {"status": Status.SENDING.value, "finished_at": None}
            await self._move(mailing, (Status.SENT,), values, self._audited(by, "repeat", details={"count": moved}))
        elif moved:
            await self.store.mailings.note(self._audited(by, "repeat", mailing_id, details={"count": moved}))
        self._nudge()
        return moved

    # --- inside ---

    def _audited(self, by: Actor, verb: str, mailing_id: int | None = None, **more: Any) -> Audited:
        return Audited(self._clock.now(), by, verb, mailing_id, **more)

    def _nudge(self) -> None:
        if self._engine is not None:
            self._engine.nudge()

    async def _move(
        self,
        mailing: Mailing,
        from_statuses: tuple[Status, ...],
        values: Mapping[str, Any],
        audited: Audited,
        *,
        revision: int | None = None,
        mailing_values: Mapping[str, Any] | None = None,
        notice: NewNotice | None = None,
    ) -> Moved:
        moved = await self.store.mailings.move(
            Move(
                mailing_id=mailing.id,
                from_statuses=from_statuses,
                values=values,
                audited=audited,
                revision=revision,
                mailing_values=mailing_values or {},
                notice=notice,
            )
        )
        if not moved.happened:
            if moved.status in from_statuses:
                raise Stale(_("“{name}” was changed meanwhile; look at it again."), name=mailing.draft.name)
            status = moved.status.value if moved.status else "deleted"
            raise Refused(_("“{name}” is {status}; that can't be done now."), name=mailing.draft.name, status=status)
        self._nudge()
        return moved

    async def _sweep_all(
        self,
        mailing: Mailing,
        from_state: DeliveryState,
        to_state: DeliveryState,
        only_status: tuple[Status, ...] = (),
        reason: str | None = None,
    ) -> int:
        """Move all rows of a state, piece by piece, so that no lane waits for the lock."""
        moved = 0
        while True:
            sweep = settling.Sweep(mailing.step_id, from_state, to_state, self._clock.now(), reason, only_status)
            piece = await self.store.writer.write(settling.sweep, sweep)
            moved += piece
            if piece < settling.SWEEP:
                return moved

    async def _launch_again(
        self, mailing: Mailing, by: Actor, revision: int | None, *, by_hand: bool = True
    ) -> Mailing:
        """Through `paused`, so that a kill in between leaves something that a person can resume."""
        await self._require_launchable(mailing, by, again=True)
        waits = {"status": Status.PAUSED.value, "reason": "launching", "reason_words": None, "finished_at": None}
        waits |= _canary_passed(mailing)
        await self._move(
            mailing,
            (Status.CANCELLED,),
            waits,
            self._audited(by, "launch_again"),
            revision=revision,
            mailing_values={"launched_by": str(by)},
        )
        await self._sweep_all(mailing, DeliveryState.CANCELLED, DeliveryState.PLANNED, (Status.PAUSED,))
        start_at, _note = self.checker.start_at(mailing.draft)
        now = self._clock.now()
        later = mailing.started_at is None and mailing.draft.start != "now" and start_at > now
        values: dict[str, Any] = {
            "status": (Status.SCHEDULED if later else Status.SENDING).value,
            "reason": None,
            "launched_at": now,
            "start_at": start_at if later else mailing.start_at or now,
            "started_at": None if later else mailing.started_at or now,
        }
        notice = None if later else NewNotice("started", now, by, {"at_once": by_hand})
        await self._move(mailing, (Status.PAUSED,), values, self._audited(by, "launch"), notice=notice)
        return await self.get(mailing.id)

    async def _mend(self, channels: Collection[str], by: Actor) -> list[Refused]:
        """Ask the platforms of broken channels again; those that are mended start, the others say why not."""
        states = await self.store.channel_states.all()
        still: list[Refused] = []
        for channel in channels:
            state = states.get(channel)
            if state is None or state.broken_at is None:
                continue
            try:
                await self._ask(channel, by, "mend")
            except Refused as error:
                still.append(error)
        return still

    async def _ask(self, channel: str, by: Actor, verb: str) -> Account:
        """Ask the platform who we are and keep what it tells; a channel that was broken goes on. Raises Refused."""
        try:
            account = await self._check_channel(channel)
        except GatewayError as error:
            words = error.words or error.code
            if isinstance(error, ChannelBroken):
                sentence = _("{channel} is still broken: {words}. Mend it, then try again.")
            else:
                sentence = _("{channel} does not answer just now: {words}. Try again soon.")
            raise Refused(sentence, channel=channel, words=words) from error
        values = {**told_of(account, self._clock.now()), **MENDED}
        await self.store.channel_states.set(channel, values, self._audited(by, verb, subject=channel))
        return account

    async def _channels_to_go(self, mailing: Mailing) -> Collection[str]:
        """Where the rest of the mailing goes."""
        if mailing.planned_all:
            return await self.store.deliveries.waiting_by_channel(mailing.step_id)
        return channels_of(mailing.draft, self.settings.channels)

    async def _require_not_stopped(self) -> None:
        by = await self.stopped()
        if by is not None:
            raise Refused(
                _("Everything is stopped: {name} pressed the kill switch. An owner lifts it with /go."), name=by.name
            )

    def _require_changeable(self, mailing: Mailing) -> None:
        left = mailing.start_at - self._clock.now() if mailing.start_at else timedelta(0)
        if left < timedelta(seconds=CHANGEABLE_UNTIL_S):
            raise Refused(
                _("“{name}” starts in less than 5 minutes; it can only be cancelled now."), name=mailing.draft.name
            )

    def _require_approved(self, card: CheckCard) -> None:
        if not card.may_go:
            words = _("“{name}” goes out when a second person has approved it: {why}. /approval {id} asks for that.")
            mailing = card.mailing
            raise NeedsApproval(words, name=mailing.draft.name, why=card.needs[0], id=mailing.id)

    async def _require_launchable(self, mailing: Mailing, by: Actor, *, again: bool = False) -> None:
        card = await self.checker.check(mailing, again=again)
        if card.problems:
            raise card.problems[0]
        self._require_approved(card)
        still = await self._mend(card.count.by_channel, by)
        if still and len(still) == len(card.count.by_channel):  # with others that work, these finish first
            raise still[0]


def _canary_passed(mailing: Mailing) -> dict[str, Any]:
    """A person lets it go on to everybody, once its first clients have it."""
    return {"canary_state": CanaryState.PASSED.value} if mailing.canary_state is not None else {}
