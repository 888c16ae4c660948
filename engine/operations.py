"""The one door: every verb that a person or a program has, with its right, its guard and its audit.

Those by which a mailing lives stand in `engine.launching`, the numbers in `engine.reporting`, what comes after
sending in `engine.amending`, tests in `engine.trial`, templates to be approved in `engine.template_writing`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.access import require
from engine.amending import Amending
from engine.approving import Approving
from engine.card_verbs import CardVerbs
from engine.check import CheckCard
from engine.errors import Invalid, NotFound, Refused, _
from engine.launching import STARTED
from engine.preview import Look, Preview
from engine.settings import EngineSettings, QuotaPer
from engine.statistics import render_totals, revenue_in
from engine.template_parts import check_template
from engine.template_writing import TemplateWriting
from engine.trial import Trials
from gateways.base import Account
from gateways.message import content_hash, for_all, only_for
from storage import archiving
from storage.deliveries import DeliveryRow
from storage.mailing_rows import plain_mailing, plain_step
from storage.records import Actor, DeliveryState, Draft, Mailing, Notice, Status


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
    delivered: int | None = None  # None: no messenger of it reports that
    read: int | None = None
    archived: bool = False


class Operations(Approving, Trials, CardVerbs, Amending, TemplateWriting):
    """Every method may raise Invalid and its kinds; nothing is half done then."""

    # --- composing ---

    async def create(self, draft: Draft, by: Actor) -> int:
        """Keep a draft; it may still be incomplete. Returns the mailing's id."""
        require(by, "compose")
        _require_name(draft)
        return await self.store.mailings.create(draft, self._audited(by, "create"))

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
        if _goes_to(draft) != _goes_to(mailing.draft):  # what somebody counted was another audience
            values |= {"last_count": None, "counted_at": None}
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

    async def export_to_all(self, mailing_id: int, by: Actor, *, revision: int | None = None) -> Mailing:
        """Make the message everybody's, on whichever messenger; what differs on single ones stays."""
        draft = (await self.get(mailing_id)).draft
        return await self.change(mailing_id, replace(draft, message=for_all(draft.message)), by, revision=revision)

    async def only_for(self, mailing_id: int, kind: str, by: Actor, *, revision: int | None = None) -> Mailing:
        """Make the message exist for one kind of messenger alone: whoever is enabled there gets it, whatever the main
        channel. `export_to_all` undoes it."""
        known = sorted({channel.kind for channel in self.settings.channels.values()})
        if kind not in known:
            raise NotFound(
                _("There is no channel of the kind “{kind}”; there is {known}."), kind=kind, known=", ".join(known)
            )
        draft = (await self.get(mailing_id)).draft
        message = only_for(draft.message, kind)
        return await self.change(mailing_id, replace(draft, message=message), by, revision=revision)

    async def set_template(
        self, mailing_id: int, kind: str, template: Mapping[str, Any] | None, by: Actor, *, revision: int | None = None
    ) -> Mailing:
        """What a kind of messenger sends where it takes no free message; None: nothing. Raises Invalid for what is no
        template."""
        if template is not None:
            check_template(template)
        draft = (await self.get(mailing_id)).draft
        own = {name: value for name, value in draft.message.only.get(kind, {}).items() if name != "template"}
        own |= {"template": dict(template)} if template is not None else {}
        others = {name: fields for name, fields in draft.message.only.items() if name != kind}
        message = replace(draft.message, only=others | ({kind: own} if own else {}))
        return await self.change(mailing_id, replace(draft, message=message), by, revision=revision)

    async def copy(self, mailing_id: int, by: Actor, *, name: str | None = None) -> int:
        """A new draft with the same message, audience and settings, to be sent now; returns its id."""
        require(by, "copy")
        mailing = await self.get(mailing_id)
        draft = replace(mailing.draft, name=name or f"{mailing.draft.name} (copy)", start="now")
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

    async def archive(self, mailing_id: int, by: Actor) -> Mailing:
        """Out of the list of mailings, with all its numbers; only what has ended."""
        require(by, "archive")
        mailing = await self.get(mailing_id)
        if mailing.archived_at is not None:
            raise Refused(_("“{name}” is in the archive already."), name=mailing.draft.name)
        audited = self._audited(by, "archive")
        if not await self.store.writer.write(archiving.archive, (mailing_id, audited)):
            raise Refused(
                _("“{name}” is {status}; only what is finished or cancelled goes to the archive."),
                name=mailing.draft.name,
                status=mailing.status.value,
            )
        return await self.get(mailing_id)

    async def bring_back(self, mailing_id: int, by: Actor) -> Mailing:
        """Back into the list."""
        require(by, "archive")
        mailing = await self.get(mailing_id)
        if not await self.store.writer.write(archiving.bring_back, (mailing_id, self._audited(by, "bring_back"))):
            raise Refused(_("“{name}” is not in the archive."), name=mailing.draft.name)
        return await self.get(mailing_id)

    # --- looking before ---

    async def check(self, mailing_id: int) -> CheckCard:
        return await self.checker.card(await self.get(mailing_id))

    async def preview(self, mailing_id: int, *, client: str | None = None, channel: str | None = None) -> Preview:
        """The message as one client gets it: the one named, or one of the audience."""
        return await self.checker.preview((await self.get(mailing_id)).draft, client=client, channel=channel)

    async def previews(self, mailing_id: int, *, client: str | None = None) -> list[Look]:
        """The same on every kind of messenger that the mailing may use, one channel of each."""
        return await self.checker.previews((await self.get(mailing_id)).draft, client=client)

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

    async def ask_channel(self, channel: str, by: Actor) -> Account:
        """Ask the platform now who we are and what it lets us do; a channel that was broken goes on."""
        require(by, "resume")
        self.checker.channel(channel)
        return await self._ask(channel, by, "ask")

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

    async def list_mailings(
        self, *, search: str = "", limit: int = 20, offset: int = 0, archived: bool | None = False
    ) -> list[Summary]:
        """Newest first; `archived` True: those in the archive; None: these and all others."""
        mailings = await self.store.mailings.page(search=search, limit=limit, offset=offset, archived=archived)
        counters = await self.store.deliveries.counters([mailing.step_id for mailing in mailings])
        return [_summary(mailing, counters[mailing.step_id], self.settings) for mailing in mailings]

    async def active(self) -> list[Mailing]:
        """Mailings that have started and not ended."""
        return await self.store.mailings.with_status(STARTED)

    async def totals(self, since: datetime | None = None) -> dict[str, Any]:
        """Counters of all mailings launched since then, summed; `revenue` is a table by currency."""
        sums = await self.store.mailings.totals(since)
        counted = {name: amount for name, amount in sums.items() if not name.startswith("revenue:")}
        return {**counted, "revenue": revenue_in(sums)}

    async def failed(self, mailing_id: int, *, after_id: int = 0, limit: int = 100) -> list[DeliveryRow]:
        mailing = await self.get(mailing_id)
        return await self.store.deliveries.rows(mailing.step_id, [DeliveryState.FAILED], after_id=after_id, limit=limit)

    async def notices(self) -> list[Notice]:
        """What people are still to be told."""
        return await self.store.mailings.untold()

    async def mark_told(self, notice_id: int) -> None:
        await self.store.mailings.mark_told(notice_id, self._clock.now())

    # --- inside ---


def _goes_to(draft: Draft) -> tuple[Any, ...]:
    return dict(draft.audience), draft.routing, draft.channels, draft.message.kinds


def _require_name(draft: Draft) -> None:
    if not draft.name.strip():
        raise Invalid(_("A mailing needs a name."))
    if len(draft.name) > 200:
        raise Invalid(_("A mailing's name has at most 200 characters; this one has {length}."), length=len(draft.name))


def _summary(mailing: Mailing, counters: Mapping[tuple[str, str], int], settings: EngineSettings) -> Summary:
    totals = render_totals(counters, settings=settings)
    planned, waiting = totals["planned"], totals["waiting"]
    return Summary(
        id=mailing.id,
        name=mailing.draft.name,
        status=mailing.status,
        created_at=mailing.created_at,
        start_at=mailing.start_at,
        planned=planned,
        waiting=waiting,
        sent=totals["sent"],
        failed=totals["failed"],
        progress=(planned - waiting) / planned if planned else 0.0,
        delivered=totals["delivered"],
        read=totals["read"],
        archived=mailing.archived_at is not None,
    )
