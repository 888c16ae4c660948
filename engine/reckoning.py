"""What a mailing would cost its channels in messages, units and time, and whom a closed window keeps it from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.fits import Fit
from engine.personalise import Personaliser, TemplateFailed
from engine.settings import EngineSettings
from engine.statistics import seconds_for
from gateways.base import Capabilities, Part, PartKind, ReceiptState
from storage.audiences import AudienceCount
from storage.records import Draft, Routing
from storage.store import Store

SECONDS_IN_DAY = 86_400.0
_ANY = Part(PartKind.TEXT, "")  # stands for a message that can't be fitted yet


@dataclass(frozen=True, slots=True)
class Load:
    """What one channel has to carry at first. `outside` are those of `planned` whose window is known to be closed now,
    None where the messenger knows no windows; `by_template`: they get the template, else nothing.

    `messages` are platform calls for one client; where the platform counts by something smaller, such as an SMS's
    segments, `unit` names it, `units_each` are those of one client, about, and `units` those of all."""

    channel: str
    planned: int
    outside: int | None
    by_template: bool
    messages: int
    unit: str
    units_each: int
    units: int
    seconds: float

    @property
    def begins(self) -> int:
        """With how many clients the platform would see us begin a conversation."""
        if self.outside is None:
            return self.planned
        return self.outside if self.by_template else 0

    @property
    def begins_in_a_day(self) -> int:
        return self.begins if self.seconds <= SECONDS_IN_DAY else round(self.begins * SECONDS_IN_DAY / self.seconds)


@dataclass(frozen=True, slots=True)
class Leg:
    """One channel of a cascade: `then` is tried where it refuses, and after `after_s` without a delivered receipt; None
    where the messenger gives none, so that what it took stays there."""

    channel: str
    first: int  # clients who are tried here first
    then: str | None
    after_s: float | None


class Reckoner:
    def __init__(self, store: Store, settings: EngineSettings) -> None:
        self._store = store
        self._settings = settings

    async def loads(
        self, draft: Draft, count: AudienceCount, fits: Mapping[str, Fit], client_id: int | None
    ) -> tuple[Load, ...]:
        """By channel; `client_id` is whose values stand for everybody's where the length of a text matters."""
        values: Mapping[str, Any] = await self._store.clients.values_of(client_id) if client_id is not None else {}
        known_fields = await self._store.clients.known_fields()

        def units(parts: Sequence[Part], able: Capabilities) -> int:
            return self._units(parts, able, values, known_fields)

        loads = []
        for channel, planned in sorted(count.by_channel.items()):
            fit = fits.get(channel)
            if fit is None:
                continue
            able = fit.able
            parts, for_outside = (fit.fitted.parts, fit.fitted.outside) if fit.fitted is not None else ((_ANY,), ())
            outside = planned - count.inside.get(channel, 0) if able.window_s is not None else None
            each, each_outside = units(parts, able), units(for_outside, able)
            in_all = each * (planned - (outside or 0)) + each_outside * (outside or 0)
            loads.append(
                Load(
                    channel=channel,
                    planned=planned,
                    outside=outside,
                    by_template=bool(for_outside),
                    messages=len(parts),
                    unit=able.unit,
                    units_each=each,
                    units=in_all,
                    seconds=seconds_for(channel, in_all, draft.speed, self._settings),
                )
            )
        return tuple(loads)

    def _units(
        self, parts: Sequence[Part], able: Capabilities, values: Mapping[str, Any], known_fields: set[str]
    ) -> int:
        """As many as the pace counts; a message whose text can't be made for this client counts as one a part."""
        if able.units is None or not parts:
            return len(parts)
        try:
            made = self._personaliser(parts, able, known_fields).render(
                values, address="", delivery_id=0, attempt=0, details={}
            )
        except TemplateFailed:
            return len(parts)
        return sum(able.units(outgoing.text) for outgoing in made)

    def _personaliser(self, parts: Sequence[Part], able: Capabilities, known_fields: set[str]) -> Personaliser:
        """Links are as long as those that lead through us."""
        length = self._settings.link_length
        links = (lambda _delivery, _place, _index, _url: "https://".ljust(length, "x")) if length is not None else None
        return Personaliser(parts, able, known_fields, links=links)

    def legs(self, draft: Draft, count: AudienceCount, channels: Sequence[str]) -> tuple[Leg, ...]:
        """Of a cascade, in its order; empty for any other routing."""
        if draft.routing is not Routing.CASCADE:
            return ()
        following = [*channels[1:], None]
        return tuple(
            Leg(channel, count.by_channel.get(channel, 0), then, self._waits_s(channel) if then else None)
            for channel, then in zip(channels, following, strict=True)
        )

    def _waits_s(self, channel: str) -> float | None:
        gives = ReceiptState.DELIVERED in self._settings.channels[channel].able.receipts
        return self._settings.cascade_after_s if gives else None
