"""The one door: every verb that a person or a program has, with its right, its guard and its audit."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.access import require
from engine.check import CheckCard, Checker, Preview
from engine.clock import Clock
from engine.errors import Invalid, NotFound, Refused, Stale, _
from engine.plan import channels_of
from engine.settings import CHANGEABLE_UNTIL_S, EngineSettings, QuotaPer
from engine.statistics import render_figures, revenue_in
from gateways.base import Account, AddressGone, ChannelBroken, GatewayError
from gateways.message import content_hash
from storage import settling
from storage.audit import Audited
from storage.deliveries import DeliveryRow
from storage.mailings import Move, Moved, plain_mailing, plain_step
from storage.records import Actor, ClientCard, DeliveryState, Draft, Mailing, Notice, Status
from storage.store import Store

if TYPE_CHECKING:
    from engine.runner import Engine

CheckChannel = Callable[[str], Awaitable[Account]]
"""Asks a channel's platform who we are. Raises GatewayError."""

_STARTED = (Status.SENDING, Status.PAUSED, Status.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Summary:
    """A line of the list of mailings."""

    id: int
    name: str
    status: Status
    created_at: datetime
    start_at: datetime | None
    planned: int
    waiting: int
    sent: int
    failed: int
    progress: float


class Operations:
    """Every method may raise Invalid and its kinds; nothing is half done then.

    `engine` is there where the engine works in this process: changes then take hold at once, and tests can be sent.
    """

    def __init__(
        self,
        store: Store,
        settings: EngineSettings,
        clock: Clock,
        *,
        check_channel: CheckChannel,
        engine: "Engine | None" = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self._clock = clock
        self.checker = Checker(store, settings, clock)
        self._check_channel = check_channel
        self._engine = engine

    # --- composing ---

    async def create(self, draft: Draft, by: Actor) -> int:
        """Keep a draft; it may still be incomplete. Returns the mailing's id."""
        require(by, "compose")
        _require_name(draft)
        return await self.store.mailings.create(draft, self._audited(by, "create"))

    async def get(self, mailing_id: int) -> Mailing:
        mailing = await self.store.mailings.find(mailing_id)
        if mailing is None:
            raise NotFound(_("There is no mailing {id}."), id=mailing_id)
        return mailing

    async def change(self, mailing_id: int, draft: Draft, by: Actor, *, revision: int | None = None) -> Mailing:
        """Change a draft, or a scheduled mailing until 5 minutes before its start."""
        require(by, "compose")
        _require_name(draft)
        mailing = await self.get(mailing_id)
        if mailing.status not in (Status.DRAFT, Status.SCHEDULED):
            raise Refused(
                _("“{name}” is {status} and can't be edited; copy it instead."),
                name=mailing.draft.name,
                status=mailing.status.value,
            )
        values = plain_step(draft)
        if mailing.status is Status.SCHEDULED:
            self._require_changeable(mailing)
            values |= {"start_at": self.checker.start_at(draft)[0], "content_hash": content_hash(draft.message)}
            await self._require_launchable(replace(mailing, draft=draft), by)
        await self._move(
            mailing,
            (mailing.status,),
            values,
            self._audited(by, "change"),
            revision=revision,
            mailing_values=plain_mailing(draft),
        )
        return await self.get(mailing_id)

    async def copy(self, mailing_id: int, by: Actor) -> int:
        """A new draft with the same message, audience and settings, to be sent now; returns its id."""
        require(by, "copy")
        mailing = await self.get(mailing_id)
        draft = replace(mailing.draft, name=f"{mailing.draft.name} (copy)", start="now")
        return await self.store.mailings.create(draft, self._audited(by, "copy"), copied_from=mailing_id)

    async def delete(self, mailing_id: int, by: Actor) -> None:
        """Delete a draft for good; anything that was launched stays."""
        require(by, "delete")
        mailing = await self.get(mailing_id)
        if not await self.store.mailings.delete_draft(mailing_id, self._audited(by, "delete")):
            raise Refused(
                _("“{name}” is {status}; only a draft that was never launched can be deleted."),
                name=mailing.draft.name,
                status=mailing.status.value,
            )

    # --- looking before ---

    async def check(self, mailing_id: int) -> CheckCard:
        return await self.checker.check(await self.get(mailing_id))

    async def preview(self, mailing_id: int, *, client: str | None = None, channel: str | None = None) -> Preview:
        """The message as one client gets it: the one named, or one of the audience."""
        return await self.checker.preview((await self.get(mailing_id)).draft, client=client, channel=channel)

    async def send_test(self, mailing_id: int, channel: str, address: str, by: Actor) -> None:
        """Send the message to one address that is no client's, ahead of all bulk, with a real client's values."""
        require(by, "test")
        self.checker.channel(channel)
        if self._engine is None:
            raise Refused(_("A test needs the engine, and it does not run in this process."))
        preview = await self.preview(mailing_id, channel=channel)
        try:
            for outgoing in preview.outgoing:
                await self._engine.send_now(channel, replace(outgoing, address=address, reference=""))
        except AddressGone as error:
            raise Invalid(
                _("{channel} can't write to that account: open the channel there, press Start, test again ({words})."),
                channel=channel,
                words=error.words or error.code,
            ) from error
        except GatewayError as error:
            raise Invalid(
                _("{channel} did not take the test: {words}"), channel=channel, words=error.words or error.code
            ) from error
        await self.store.mailings.note(self._audited(by, "test", mailing_id, subject=channel))

    # --- the life cycle ---

    async def launch(self, mailing_id: int, by: Actor, *, revision: int | None = None) -> Mailing:
        """Start a draft now or schedule it; a cancelled one goes on to those it had not reached.

        Raises Stale when `revision` is not the mailing's any more: somebody changed it since the check card."""
        require(by, "launch")
        await self._require_not_stopped()
        mailing = await self.get(mailing_id)
        if mailing.status is Status.CANCELLED:
            return await self._launch_again(mailing, by, revision)
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
        )
        return await self.get(mailing_id)

    async def pause(self, mailing_id: int, by: Actor) -> Mailing:
        require(by, "pause")
        mailing = await self.get(mailing_id)
        values = {"status": Status.PAUSED.value, "reason": "person", "reason_words": f"paused by {by.name}"}
        await self._move(mailing, (Status.SENDING,), values, self._audited(by, "pause"))
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
        await self._sweep_all(mailing, DeliveryState.CANCELLED, DeliveryState.PLANNED, (mailing.status,))
        now = self._clock.now()
        values: dict[str, Any] = {"status": Status.SENDING.value, "reason": None, "reason_words": None}
        if mailing.started_at is None:
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
            "reason_words": f"cancelled by {by.name}",
        }
        await self._move(mailing, (Status.SCHEDULED, *_STARTED), values, self._audited(by, "cancel"))
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
        statuses = (Status.DRAFT, Status.SCHEDULED, *_STARTED)
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

    # --- the kill switch, channels ---

    async def stop(self, by: Actor) -> bool:
        """No channel sends anything from the next slot on. False when it was on already."""
        require(by, "stop")
        changed = await self.store.mailings.switch(True, self._audited(by, "stop"))
        self._nudge()
        return changed

    async def go(self, by: Actor) -> bool:
        """Lift the kill switch; mailings go on where they were. False when it was not on."""
        require(by, "go")
        changed = await self.store.mailings.switch(False, self._audited(by, "go"))
        self._nudge()
        return changed

    async def stopped(self) -> Actor | None:
        """Who pressed the kill switch, while it is on."""
        return await self.store.mailings.stopped_by()

    async def topup(self, channel: str, amount: int, by: Actor) -> int:
        """Add to a channel's package; returns its balance."""
        require(by, "topup")
        quota = self.checker.channel(channel).quota
        if quota is None or quota.per is not QuotaPer.PACKAGE:
            raise Invalid(_('{channel} has no package; its quota would be {{ …, per = "package" }}.'), channel=channel)
        if not 0 < amount <= 1_000_000_000:
            raise Invalid(_("A package is topped up by a number above 0."))
        await self.checker.package_left(channel)
        return await self.store.channel_states.top_up(channel, amount, self._audited(by, "topup", subject=channel))

    # --- statistics ---

    async def figures(self, mailing_id: int) -> dict[str, Any]:
        """The JSON of CONTRACT.md section 6."""
        mailing = await self.get(mailing_id)
        return render_figures(
            mailing,
            (await self.store.deliveries.counters([mailing.step_id]))[mailing.step_id],
            settings=self.settings,
            states=await self.store.channel_states.all(),
            stopped=await self.stopped() is not None,
            at=self._clock.now(),
        )

    async def list_mailings(self, *, search: str = "", limit: int = 20, offset: int = 0) -> list[Summary]:
        """Newest first."""
        mailings = await self.store.mailings.page(search=search, limit=limit, offset=offset)
        counters = await self.store.deliveries.counters([mailing.step_id for mailing in mailings])
        return [_summary(mailing, counters[mailing.step_id]) for mailing in mailings]

    async def active(self) -> list[Mailing]:
        """Mailings that have started and not ended."""
        return await self.store.mailings.with_status(_STARTED)

    async def totals(self, since: datetime | None = None) -> dict[str, Any]:
        """Counters of all mailings launched since then, summed; `revenue` is a table by currency."""
        sums = await self.store.mailings.totals(since)
        counted = {name: amount for name, amount in sums.items() if not name.startswith("revenue:")}
        return {**counted, "revenue": revenue_in(sums)}

    async def failed(self, mailing_id: int, *, after_id: int = 0, limit: int = 100) -> list[DeliveryRow]:
        mailing = await self.get(mailing_id)
        return await self.store.deliveries.rows(mailing.step_id, [DeliveryState.FAILED], after_id=after_id, limit=limit)

    async def why(self, mailing_id: int, client: str) -> tuple[ClientCard, DeliveryRow | None, str]:
        """The client's card, its delivery of this mailing if it has one, and in a word why it did (not) get it."""
        mailing = await self.get(mailing_id)
        card = await self.store.clients.find_by_any(client)
        if card is None:
            raise NotFound(_("There is no client “{client}”."), client=client)
        found = await self.store.deliveries.rows(mailing.step_id, client_id=card.id, limit=1)
        if found:
            return card, found[0], found[0].reason or found[0].state.value
        return card, None, await self._why_not_planned(mailing, card)

    async def notices(self) -> list[Notice]:
        """What people are still to be told."""
        return await self.store.mailings.untold()

    async def mark_told(self, notice_id: int) -> None:
        await self.store.mailings.mark_told(notice_id, self._clock.now())

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
    ) -> Moved:
        moved = await self.store.mailings.move(
            Move(
                mailing_id=mailing.id,
                from_statuses=from_statuses,
                values=values,
                audited=audited,
                revision=revision,
                mailing_values=mailing_values or {},
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

    async def _launch_again(self, mailing: Mailing, by: Actor, revision: int | None) -> Mailing:
        """Through `paused`, so that a kill in between leaves something that a person can resume."""
        await self._require_launchable(mailing, by, again=True)
        waits = {"status": Status.PAUSED.value, "reason": "launching", "reason_words": None, "finished_at": None}
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
        await self._move(mailing, (Status.PAUSED,), values, self._audited(by, "launch"))
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
                await self._check_channel(channel)
            except GatewayError as error:
                words = error.words or error.code
                if isinstance(error, ChannelBroken):
                    sentence = _("{channel} is still broken: {words}. Mend it, then try again.")
                else:
                    sentence = _("{channel} does not answer just now: {words}. Try again soon.")
                still.append(Refused(sentence, channel=channel, words=words))
            else:
                audited = self._audited(by, "mend", subject=channel)
                await self.store.channel_states.set(channel, {"broken_at": None, "reason": None}, audited)
        return still

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

    async def _require_launchable(self, mailing: Mailing, by: Actor, *, again: bool = False) -> None:
        card = await self.checker.check(mailing, again=again)
        if card.problems:
            raise card.problems[0]
        still = await self._mend(card.count.by_channel, by)
        if still and len(still) == len(card.count.by_channel):  # with others that work, these finish first
            raise still[0]

    async def _why_not_planned(self, mailing: Mailing, card: ClientCard) -> str:
        if mailing.status in (Status.DRAFT, Status.SCHEDULED):
            return "not_started"
        reason = await self.store.clients.why_left_out(card.id, self.checker.audience_of(mailing.draft))
        return reason or "came_later"


def _require_name(draft: Draft) -> None:
    if not draft.name.strip():
        raise Invalid(_("A mailing needs a name."))
    if len(draft.name) > 200:
        raise Invalid(_("A mailing's name has at most 200 characters; this one has {length}."), length=len(draft.name))


def _summary(mailing: Mailing, counters: Mapping[tuple[str, str], int]) -> Summary:
    sums: dict[str, int] = {}
    for (_channel, name), amount in counters.items():
        sums[name] = sums.get(name, 0) + amount
    planned, waiting = sums.get("planned", 0), sums.get("waiting", 0)
    return Summary(
        id=mailing.id,
        name=mailing.draft.name,
        status=mailing.status,
        created_at=mailing.created_at,
        start_at=mailing.start_at,
        planned=planned,
        waiting=waiting,
        sent=sums.get("sent", 0),
        failed=sums.get("failed", 0),
        progress=(planned - waiting) / planned if planned else 0.0,
    )
