"""What a person should see before a launch: the count, what is lost on the way, what each channel has to carry, and the
problems."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.advice import Adviser, LookAt
from engine.approval import draft_hash, reasons_for
from engine.audience import read_audience
from engine.clock import Clock
from engine.costs import HISTORY, Cost, Expected, category_of, costs_of, expected_of
from engine.errors import Invalid, Refused, _
from engine.fit import Loss
from engine.fits import Fit, Fits, channel_of, losses_by_kind
from engine.plan import channels_of, route_of
from engine.preview import Look, Preview, Previews
from engine.quota import quota_at
from engine.reckoning import Leg, Load, Reckoner
from engine.schedule import resolve_start
from engine.settings import ChannelSettings, EngineSettings, QuotaPer
from engine.template_check import check_templates
from gateways.message import content_hash
from storage.approvals import Approval, ApprovalState
from storage.audiences import Audience
from storage.clients import AudienceCount
from storage.filters import AudienceFilter
from storage.records import Draft, Mailing, Routing, Status
from storage.store import Store

_PACKAGE_TOO_SMALL = _("The package of {channel} has {left} messages left, this mailing needs {needed}; top it up.")
_PACKAGE_USED_UP = _("The package of {channel} is used up; top it up.")
_DAY_USED_UP = _("The quota of {channel} is used up for today; go on tomorrow.")
_DAY_TOO_SMALL = _(
    "The quota of {channel} has {left} messages left today and this mailing needs {needed}: it will stop there."
)

_NO_SUCH_CHANNEL = _("The message is for {kinds} only, and the mailing goes through no channel of that kind.")
_OVER_LIMIT = _(
    "{channel} may begin {limit} conversations in 24 hours, and this mailing begins {needed}: narrow the audience, or "
    "send more slowly."
)


@dataclass(frozen=True, slots=True)
class CheckCard:
    """What a person should know before the launch. `problems` forbid it, `warnings` and `advice` do not.

    `needs` are why a second person has to approve it, `approval` what was asked and answered of just this mailing."""

    mailing: Mailing
    count: AudienceCount
    losses: Mapping[str, tuple[Loss, ...]]  # by kind of messenger
    starts_at: datetime
    start_note: str | None
    duration_s: float
    ends_at: datetime
    problems: tuple[Invalid, ...]
    warnings: tuple[Invalid, ...]
    package_left: Mapping[str, int]
    loads: tuple[Load, ...] = ()
    legs: tuple[Leg, ...] = ()  # of a cascade
    only_for: tuple[str, ...] = ()  # titles of the messengers that the message exists for; empty: all
    expected: tuple[Expected, ...] = ()
    costs: tuple[Cost, ...] = ()
    at_most: tuple[Cost, ...] = ()  # of a cascade whose every client is charged for on every channel that reaches them
    advice: tuple[Invalid, ...] = ()
    needs: tuple[Invalid, ...] = ()
    approval: Approval | None = None
    tested_at: datetime | None = None  # when somebody last sent exactly this message to an own account

    @property
    def may_go(self) -> bool:
        """Whether nobody has to approve it any more."""
        return not self.needs or (self.approval is not None and self.approval.state is ApprovalState.APPROVED)


class Checker:
    """Looks, and changes nothing. Every method may raise Invalid and its kinds."""

    def __init__(self, store: Store, settings: EngineSettings, clock: Clock, *, look_at: LookAt | None = None) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._adviser = Adviser(store, settings, clock, look_at)
        self._fits = Fits(store, settings)
        self._reckoner = Reckoner(store, settings)
        self._previews = Previews(store, settings, clock)

    async def count_audience(
        self, audience: Mapping[str, Any], routing: Any = "main", channels: Sequence[str] = ()
    ) -> AudienceCount:
        """How many match now, how many of them can be reached, by channel; and why the others can't."""
        chosen = Routing(routing)
        return await self._store.clients.count(self._audience(read_audience(audience), chosen, tuple(channels)))

    def audience_of(self, draft: Draft) -> Audience:
        """Whom the draft would reach now, and by which way. Raises Invalid."""
        return self._audience(read_audience(draft.audience), *route_of(draft, self._settings.channels))

    def audience_by(self, chosen: AudienceFilter) -> Audience:
        """Whom a filter means now, each by the main channel."""
        return self._audience(chosen, Routing.MAIN, ())

    def _audience(self, chosen: AudienceFilter, routing: Routing, channels: tuple[str, ...]) -> Audience:
        zone = ZoneInfo(self._settings.timezone)
        return Audience(chosen, routing, channels, tuple(self._settings.channels), self._clock.now(), zone)

    async def card(self, mailing: Mailing) -> CheckCard:
        """The check with what only a person who looks at it needs: it takes longer, and waits for other servers."""
        check = await self.check(mailing, again=mailing.status not in (Status.DRAFT, Status.SCHEDULED))
        tested_at = await self._tested_at(mailing)
        if not check.count.planned or check.problems:
            return replace(check, tested_at=tested_at)
        fits = await self._fits_of(mailing.draft, check.count)
        advice = await self._adviser.advise(mailing, self.audience_of(mailing.draft), check.count.planned, fits)
        return replace(check, tested_at=tested_at, advice=advice)

    async def _tested_at(self, mailing: Mailing) -> datetime | None:
        """Any change of the message voids its tests."""
        now = content_hash(mailing.draft.message)
        history = await self._store.mailings.history(mailing.id)
        tests = [entry.at for entry in history if entry.verb == "test" and entry.details.get("hash") == now]
        return max(tests, default=None)

    async def check(self, mailing: Mailing, *, again: bool = False) -> CheckCard:
        draft = mailing.draft
        problems: list[Invalid] = []
        warnings: list[Invalid] = []
        now = self._clock.now()
        starts_at, note = now, None
        try:
            starts_at, note = (now, None) if again else self.start_at(draft)
        except Invalid as error:
            problems.append(error)
        count = AudienceCount()
        try:
            for channel in draft.channels:
                self.channel(channel)
            count = await self._store.clients.count(self._with_windows(self.audience_of(draft)))
        except Invalid as error:
            problems.append(error)
        if draft.message.kinds and not channels_of(draft, self._settings.channels):
            problems.append(Refused(_NO_SUCH_CHANNEL, kinds=", ".join(self.titles(draft.message.kinds))))
        if not again and not problems and count.planned == 0:
            problems.append(_nobody(count))
        fits = await self._fits_of(draft, count)
        problems += _problems_of(fits)
        wrong, unsure = await check_templates(self._store, draft.message, fits)
        problems += wrong
        warnings += unsure
        if draft.speed is not None:
            try:
                self.require_speed(draft.speed)
            except Invalid as error:
                problems.append(error)
        loads = await self._loads(draft, count, fits)
        package_left = await self._check_quotas(count, problems, warnings)
        await self._check_limits(loads, problems)
        duration_s = max((load.seconds for load in loads), default=0.0)
        ends_at = starts_at + timedelta(seconds=duration_s)
        needs = self._needs(draft, count, fits, (starts_at, ends_at))
        return CheckCard(
            mailing=mailing,
            count=count,
            losses=losses_by_kind(fits),
            starts_at=starts_at,
            start_note=note,
            duration_s=duration_s,
            ends_at=ends_at,
            problems=tuple(problems),
            warnings=tuple(warnings),
            package_left=package_left,
            loads=loads,
            legs=self._reckoner.legs(draft, count, channels_of(draft, self._settings.channels)),
            only_for=self.titles(draft.message.kinds),
            expected=await self._expected(count),
            costs=await self._costs(draft, count, fits, loads),
            at_most=await self._costs_at_most(draft, fits),
            needs=needs,
            approval=await self._approval(mailing) if needs else None,
        )

    def _needs(
        self, draft: Draft, count: AudienceCount, fits: Mapping[str, Fit], span: tuple[datetime, datetime]
    ) -> tuple[Invalid, ...]:
        rule = self._settings.approval
        return () if rule is None else reasons_for(rule, draft, count.planned, fits, span, self._settings.timezone)

    async def _approval(self, mailing: Mailing) -> Approval | None:
        """The last question about it, while it is exactly what was asked about."""
        last = await self._store.approvals.last(mailing.id)
        if last is None or last.draft_hash != await draft_hash(self._store, mailing.draft):
            return None
        return last

    async def _expected(self, count: AudienceCount) -> tuple[Expected, ...]:
        now = self._clock.now()
        return expected_of(count.by_channel, await self._store.periods.sums(now - HISTORY, now))

    async def _costs(
        self, draft: Draft, count: AudienceCount, fits: Mapping[str, Fit], loads: Sequence[Load]
    ) -> tuple[Cost, ...]:
        if not self._settings.prices:
            return ()
        categories: dict[str, str] = {}
        for channel, fit in fits.items():
            if fit.able.takes_templates:
                templates = await self._store.templates.of_channel(channel)
                if category := category_of(templates, draft.message, fit.able.kind):
                    categories[channel] = category
        return costs_of(loads, fits, count.inside, categories, self._settings.prices)

    async def _costs_at_most(self, draft: Draft, fits: Mapping[str, Fit]) -> tuple[Cost, ...]:
        """Nobody knows how many go on to the next channel of a cascade; that more than all do is not possible."""
        if draft.routing is not Routing.CASCADE or not self._settings.prices:
            return ()
        costs: list[Cost] = []
        for channel, fit in fits.items():
            if fit.able.charges is not None:
                alone = replace(draft, routing=Routing.CHOSEN, channels=(channel,))
                count = await self._store.clients.count(self._with_windows(self.audience_of(alone)))
                costs += await self._costs(alone, count, fits, await self._loads(alone, count, fits))
        return tuple(costs)

    async def require_sendable(self, draft: Draft) -> None:
        """Raise what no launch would let pass, whoever is in the audience by then."""
        await self._store.clients.count(self.audience_of(draft))
        if problems := _problems_of(await self._fits_of(draft, AudienceCount())):
            raise problems[0]

    async def duration(self, draft: Draft) -> tuple[AudienceCount, float]:
        """How many it reaches now, and for how many seconds the slowest channel is at it. Raises Invalid."""
        count = await self._store.clients.count(self._with_windows(self.audience_of(draft)))
        loads = await self._loads(draft, count, await self._fits_of(draft, count))
        return count, max((load.seconds for load in loads), default=0.0)

    async def fits(self, draft: Draft) -> dict[str, Fit]:
        """How every channel that the message may go through would carry it."""
        return await self._fits.of(draft.message, channels_of(draft, self._settings.channels))

    def titles(self, kinds: Collection[str]) -> tuple[str, ...]:
        """What people call these kinds of messenger."""
        known = {channel.kind: channel.able.title for channel in self._settings.channels.values()}
        return tuple(known.get(kind, kind) for kind in sorted(kinds))

    async def _fits_of(self, draft: Draft, count: AudienceCount) -> dict[str, Fit]:
        """By channel, for each that the mailing will go to; a cascade may come to all of its channels."""
        going = () if draft.routing is Routing.CASCADE else count.by_channel
        return await self._fits.of(draft.message, going or channels_of(draft, self._settings.channels))

    async def _loads(self, draft: Draft, count: AudienceCount, fits: Mapping[str, Fit]) -> tuple[Load, ...]:
        # One client's values stand for everybody's, and are looked up only where the length of the text matters.
        counted = any(fits[channel].able.units for channel in count.by_channel if channel in fits)
        card = await self._store.clients.sample(self.audience_of(draft)) if counted else None
        return await self._reckoner.loads(draft, count, fits, card.id if card is not None else None)

    def _with_windows(self, audience: Audience) -> Audience:
        """Counted beside: who wrote to each channel within its window, or the time in which a message costs less."""
        windows: dict[str, float] = {}
        for name, each in self._settings.channels.items():
            session_s = each.able.charges.session_s if each.able.charges and self._settings.prices else None
            span_s = each.able.window_s or session_s
            if span_s is not None:
                windows[name] = span_s
        return replace(audience, windows=windows)

    async def _check_limits(self, loads: Sequence[Load], problems: list[Invalid]) -> None:
        """Whether the platform lets us begin with so many clients, as it told last."""
        states = await self._store.channel_states.all()
        for load in loads:
            state = states.get(load.channel)
            if state is None or state.may_begin is None or load.begins_in_a_day <= state.may_begin:
                continue
            numbers = {"channel": load.channel, "limit": state.may_begin, "needed": load.begins_in_a_day}
            problems.append(Refused(_OVER_LIMIT, **numbers))

    async def _check_quotas(
        self, count: AudienceCount, problems: list[Invalid], warnings: list[Invalid]
    ) -> dict[str, int]:
        """What packages still hold; what a quota does not allow."""
        packages: dict[str, int] = {}
        for channel, needed in count.by_channel.items():
            left = await self.quota_left(channel)
            if left is None:
                continue
            numbers = {"channel": channel, "left": max(left, 0), "needed": needed}
            if self._has_package(channel):
                packages[channel] = left
                if left < needed:
                    problems.append(Refused(_PACKAGE_TOO_SMALL, **numbers))
            elif left <= 0:
                problems.append(Refused(_DAY_USED_UP, channel=channel))
            elif left < needed:
                warnings.append(Refused(_DAY_TOO_SMALL, **numbers))
        return packages

    async def preview(self, draft: Draft, *, client: str | None = None, channel: str | None = None) -> Preview:
        """The message as one client gets it: the one named, or one of the audience."""
        return await self._previews.make(draft, self.audience_of(draft), client, channel)

    async def previews(
        self, draft: Draft, *, client: str | None = None, channels: Sequence[str] | None = None
    ) -> list[Look]:
        """The same client's view on each of these channels; without them, on one channel of each kind."""
        return await self._previews.make_all(draft, self.audience_of(draft), client, channels)

    async def package_left(self, channel: str) -> int | None:
        """The balance of a channel's package; None where it has none."""
        return await self.quota_left(channel) if self._has_package(channel) else None

    async def quota_left(self, channel: str) -> int | None:
        """How many messages the channel's quota still gives, of today or of its package; None where it has none."""
        quota = quota_at(self.channel(channel), self._clock.now(), self._settings.timezone)
        return None if quota is None else await self._store.channel_states.quota_left(channel, quota)

    async def require_quota(self, channels: Collection[str]) -> None:
        """Raises Refused for a channel whose quota gives nothing now."""
        for channel in channels:
            left = await self.quota_left(channel) if channel in self._settings.channels else None
            if left is not None and left <= 0:
                words = _PACKAGE_USED_UP if self._has_package(channel) else _DAY_USED_UP
                raise Refused(words, channel=channel)

    def _has_package(self, channel: str) -> bool:
        quota = self.channel(channel).quota
        return quota is not None and quota.per is QuotaPer.PACKAGE

    def start_at(self, draft: Draft) -> tuple[datetime, str | None]:
        """When it starts, and what is to be said of that time. Raises Invalid for a date in the past."""
        now = self._clock.now()
        start = resolve_start(draft.start, draft.timezone or self._settings.timezone, now)
        return start.at, start.note

    def require_speed(self, speed: float) -> None:
        ceiling = max((channel.max_rate for channel in self._settings.channels.values()), default=25.0)
        if not 0 < speed <= ceiling:
            raise Invalid(
                _("A speed is between 1 and {ceiling:g} messages/second; this one is {speed:g}."),
                ceiling=ceiling,
                speed=speed,
            )

    def channel(self, channel: str) -> ChannelSettings:
        """Raises NotFound with those that there are."""
        return channel_of(self._settings, channel)


class _Amounts(dict[str, int]):
    """How many for each reason: a chat says them in its person's language, all else as they are."""

    def __str__(self) -> str:
        return ", ".join(f"{reason} {amount}" for reason, amount in sorted(self.items()))


def _nobody(count: AudienceCount) -> Invalid:
    if not count.audience:
        return Invalid(_("Nobody matches this audience."))
    words = _("{audience} match and none of them can be reached: {reasons}.")
    return Invalid(words, audience=count.audience, reasons=_Amounts(count.left_out))


def _problems_of(fits: Mapping[str, Fit]) -> list[Invalid]:
    """Why the message can't go to some messenger, each once."""
    return list({str(fit.problem): fit.problem for fit in fits.values() if fit.problem is not None}.values())
