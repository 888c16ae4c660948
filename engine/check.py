"""What a person should see before a launch: the count, what is lost on the way, problems, and the message itself."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.audience import read_audience
from engine.clock import Clock
from engine.errors import Invalid, NotFound, Refused, _
from engine.fit import Loss, fit
from engine.media import Media
from engine.personalise import Personaliser, TemplateFailed
from engine.plan import channels_of, route_of
from engine.quota import quota_at
from engine.schedule import resolve_start
from engine.settings import ChannelSettings, EngineSettings, QuotaPer
from engine.statistics import seconds_for
from gateways.base import Outgoing
from storage.audiences import Audience
from storage.clients import AudienceCount
from storage.filters import AudienceFilter
from storage.records import ClientCard, Draft, Mailing, Routing
from storage.store import Store

_PACKAGE_TOO_SMALL = _("The package of {channel} has {left} messages left, this mailing needs {needed}; top it up.")
_PACKAGE_USED_UP = _("The package of {channel} is used up; top it up.")
_DAY_USED_UP = _("The quota of {channel} is used up for today; go on tomorrow.")
_DAY_TOO_SMALL = _(
    "The quota of {channel} has {left} messages left today and this mailing needs {needed}: it will stop there."
)


@dataclass(frozen=True, slots=True)
class CheckCard:
    """What a person should know before the launch. `problems` forbid it, `warnings` do not."""

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


@dataclass(frozen=True, slots=True)
class Preview:
    """What one client would get on one channel. `client` is None where the audience is empty."""

    client: ClientCard | None
    channel: str
    outgoing: tuple[Outgoing, ...]
    losses: tuple[Loss, ...]


class Checker:
    """Looks, and changes nothing. Every method may raise Invalid and its kinds."""

    def __init__(self, store: Store, settings: EngineSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    async def count_audience(
        self, audience: Mapping[str, Any], routing: Any = "main", channels: Sequence[str] = ()
    ) -> AudienceCount:
        """How many match now, how many of them can be reached, by channel; and why the others can't."""
        chosen = Routing(routing)
        return await self._store.clients.count(self._audience(read_audience(audience), chosen, tuple(channels)))

    def audience_of(self, draft: Draft) -> Audience:
        """Whom the draft would reach now, and by which way. Raises Invalid."""
        return self._audience(read_audience(draft.audience), *route_of(draft, self._settings.channels))

    def _audience(self, chosen: AudienceFilter, routing: Routing, channels: tuple[str, ...]) -> Audience:
        zone = ZoneInfo(self._settings.timezone)
        return Audience(chosen, routing, channels, tuple(self._settings.channels), self._clock.now(), zone)

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
            count = await self._store.clients.count(self.audience_of(draft))
        except Invalid as error:
            problems.append(error)
        if not again and not problems and count.planned == 0:
            problems.append(_nobody(count))
        losses = await self._fit_all(draft, count, problems)
        if draft.speed is not None:
            try:
                self.require_speed(draft.speed)
            except Invalid as error:
                problems.append(error)
        package_left = await self._check_quotas(count, problems, warnings)
        duration_s = max(
            (seconds_for(channel, n, draft.speed, self._settings) for channel, n in count.by_channel.items()),
            default=0.0,
        )
        return CheckCard(
            mailing=mailing,
            count=count,
            losses=losses,
            starts_at=starts_at,
            start_note=note,
            duration_s=duration_s,
            ends_at=starts_at + timedelta(seconds=duration_s),
            problems=tuple(problems),
            warnings=tuple(warnings),
            package_left=package_left,
        )

    async def require_sendable(self, draft: Draft) -> None:
        """Raise what no launch would let pass, whoever is in the audience by then."""
        await self._store.clients.count(self.audience_of(draft))
        problems: list[Invalid] = []
        await self._fit_all(draft, AudienceCount(), problems)
        if problems:
            raise problems[0]

    async def _fit_all(
        self, draft: Draft, count: AudienceCount, problems: list[Invalid]
    ) -> dict[str, tuple[Loss, ...]]:
        """Fit the message to each kind that it will go to, and try its templates."""
        channels = list(count.by_channel) or channels_of(draft, self._settings.channels)
        known = [self._settings.channels[channel].able for channel in channels if channel in self._settings.channels]
        known_fields = await self._store.clients.known_fields()
        losses: dict[str, tuple[Loss, ...]] = {}
        for kind, capabilities in sorted({able.kind: able for able in known}.items()):
            try:
                sizes = Media(self._settings.data_dir).sizes(draft.message)
                fitted = fit(draft.message, capabilities, sizes, link_length=self._settings.link_length)
                Personaliser(fitted.parts, capabilities, known_fields)
                Personaliser(fitted.outside, capabilities, known_fields, after=fitted.parts)
            except Invalid as error:
                problems.append(error)
            else:
                losses[kind] = fitted.losses
        return losses

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

    async def _preview_client(self, draft: Draft, client: str | None) -> ClientCard | None:
        if client is None:
            return await self._store.clients.sample(self.audience_of(draft))
        card = await self._store.clients.find_by_any(client)
        if card is None:
            raise NotFound(_("There is no client “{client}”."), client=client)
        return card

    def _preview_channel(self, draft: Draft, card: ClientCard | None) -> str:
        usable = channels_of(draft, self._settings.channels)
        if card is not None and card.main_channel in usable and card.main_channel in self._settings.channels:
            return card.main_channel
        if not usable:
            raise Invalid(_("No channel is configured yet; add a [[channels]] table."))
        return usable[0]

    async def preview(self, draft: Draft, *, client: str | None = None, channel: str | None = None) -> Preview:
        card = await self._preview_client(draft, client)
        channel = channel or self._preview_channel(draft, card)
        capabilities = self.channel(channel).able
        sizes = Media(self._settings.data_dir).sizes(draft.message)
        fitted = fit(draft.message, capabilities, sizes, link_length=self._settings.link_length)
        personaliser = Personaliser(fitted.parts, capabilities, await self._store.clients.known_fields())
        values = await self._store.clients.values_of(card.id) if card is not None else {}
        try:
            outgoing = personaliser.render(values, address="", delivery_id=0, attempt=0, details={})
        except TemplateFailed as error:
            raise Invalid(_("For this client the message can't be made: {words}"), words=str(error)) from error
        return Preview(card, channel, tuple(outgoing), fitted.losses)

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
        found = self._settings.channels.get(channel)
        if found is None:
            known = ", ".join(self._settings.channels) or "none"
            raise NotFound(_("There is no channel “{channel}”; there is {known}."), channel=channel, known=known)
        return found


def _nobody(count: AudienceCount) -> Invalid:
    if not count.audience:
        return Invalid(_("Nobody matches this audience."))
    reasons = ", ".join(f"{reason} {amount}" for reason, amount in sorted(count.left_out.items()))
    return Invalid(
        _("{audience} match and none of them can be reached: {reasons}."), audience=count.audience, reasons=reasons
    )
