"""The message as one client gets it, on one channel."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any

from engine.clock import Clock
from engine.errors import Invalid, NotFound, _
from engine.fit import Loss
from engine.fits import Fits, channel_of
from engine.personalise import Personaliser, TemplateFailed
from engine.plan import channels_of
from engine.settings import EngineSettings
from gateways.base import Capabilities, Outgoing, Part, PartKind, Template
from gateways.markup import RichText
from gateways.message import Rows
from gateways.templates import find_template
from storage.audiences import Audience
from storage.records import ClientCard, Draft
from storage.store import Store

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Preview:
    """What one client would get on one channel. `client` is None where the audience is empty.

    `outgoing` is what goes while the client's window is open, `outside` what goes else; `is_outside` says that it is
    closed now. `shown` is what of both this client would get now, in parts that any messenger can show: templates are
    written out, cards are parts of their own."""

    client: ClientCard | None
    channel: str
    outgoing: tuple[Outgoing, ...]
    losses: tuple[Loss, ...]
    outside: tuple[Outgoing, ...] = ()
    is_outside: bool = False
    shown: tuple[Outgoing, ...] = ()
    shown_outside: tuple[Outgoing, ...] = ()  # what goes while the window is closed, in the same way


@dataclass(frozen=True, slots=True)
class Look:
    """How the message looks on one channel; `problem` says why it can't go out there, and `preview` is None then.

    `templates` are those that the channel has."""

    able: Capabilities
    channel: str
    preview: Preview | None
    problem: Invalid | None = None
    templates: tuple[Template, ...] = ()


class Previews:
    """Every method may raise Invalid and its kinds."""

    def __init__(self, store: Store, settings: EngineSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._fits = Fits(store, settings)

    async def make(self, draft: Draft, audience: Audience, client: str | None, channel: str | None) -> Preview:
        """For the client that is named, or one of the audience."""
        seer = await self._seer(audience, client)
        look = await self._look(draft, seer, channel or self._channel(draft, seer.card))
        if look.preview is None:
            raise look.problem or Invalid(_("The message can't be shown."))
        return look.preview

    async def make_all(
        self, draft: Draft, audience: Audience, client: str | None, channels: Sequence[str] | None = None
    ) -> list[Look]:
        """For the same client on each of these channels, or on one channel of each kind that the draft may use."""
        seer = await self._seer(audience, client)
        if channels is None:
            channels = self._one_of_each(draft, seer.card)
        return [await self._look(draft, seer, channel) for channel in channels]

    async def _seer(self, audience: Audience, client: str | None) -> "_Seer":
        card = await self._client(audience, client)
        values = await self._store.clients.values_of(card.id) if card is not None else {}
        return _Seer(card, values, await self._store.clients.known_fields())

    async def _look(self, draft: Draft, seer: "_Seer", channel: str) -> Look:
        able = channel_of(self._settings, channel).able
        templates = tuple(await self._store.templates.of_channel(channel)) if able.takes_templates else ()
        try:
            preview = self._preview(draft, seer, channel, able, templates)
        except Invalid as error:
            return Look(able, channel, None, error, templates)
        return Look(able, channel, preview, None, templates)

    def _preview(
        self, draft: Draft, seer: "_Seer", channel: str, able: Capabilities, templates: Sequence[Template]
    ) -> Preview:
        fitted = self._fits.fit(draft.message, able)
        card, values, known_fields = seer.card, seer.values, seer.known_fields
        inside = _rendered(Personaliser(fitted.parts, able, known_fields), values)
        outside = _rendered(Personaliser(fitted.outside, able, known_fields), values)
        is_outside = card is not None and self._is_outside(card, channel, able)
        shown = outside or inside if is_outside else inside
        return Preview(
            client=card,
            channel=channel,
            outgoing=inside,
            losses=fitted.losses,
            outside=outside,
            is_outside=is_outside,
            shown=_all_written_out(shown, templates),
            shown_outside=_all_written_out(outside, templates),
        )

    async def _client(self, audience: Audience, client: str | None) -> ClientCard | None:
        if client is None:
            return await self._store.clients.sample(audience)
        card = await self._store.clients.find_by_any(client)
        if card is None:
            raise NotFound(_("There is no client “{client}”."), client=client)
        return card

    def _channel(self, draft: Draft, card: ClientCard | None) -> str:
        usable = channels_of(draft, self._settings.channels)
        if card is not None and card.main_channel in usable and card.main_channel in self._settings.channels:
            return card.main_channel
        if not usable:
            raise Invalid(_("No channel is configured yet; add a [[channels]] table."))
        return usable[0]

    def _one_of_each(self, draft: Draft, card: ClientCard | None) -> list[str]:
        """A channel of each kind; where there are several, the client's own before others."""
        usable = channels_of(draft, self._settings.channels)
        if not usable:
            raise Invalid(_("No channel is configured yet; add a [[channels]] table."))
        own = {address.channel for address in card.addresses} if card is not None else set()
        first = sorted(usable, key=lambda channel: channel not in own)
        chosen = {id(self._settings.channels[channel].able): channel for channel in reversed(first)}
        return [channel for channel in usable if channel in chosen.values()]

    def _is_outside(self, card: ClientCard, channel: str, able: Capabilities) -> bool:
        if able.window_s is None:
            return False
        since = self._clock.now() - timedelta(seconds=able.window_s)
        wrote = [address.last_wrote_at for address in card.addresses if address.channel == channel]
        return not any(at is not None and at >= since for at in wrote)


@dataclass(frozen=True, slots=True)
class _Seer:
    """Through whose eyes; without a client, through nobody's."""

    card: ClientCard | None
    values: Mapping[str, Any]
    known_fields: Collection[str]


def _rendered(personaliser: Personaliser, values: Mapping[str, Any]) -> tuple[Outgoing, ...]:
    try:
        return tuple(personaliser.render(values, address="", delivery_id=0, attempt=0, details={}))
    except TemplateFailed as error:
        raise Invalid(_("For this client the message can't be made: {words}"), words=str(error)) from error


def _all_written_out(parts: Sequence[Outgoing], templates: Sequence[Template]) -> tuple[Outgoing, ...]:
    return tuple(part for outgoing in parts for part in written_out(outgoing, templates))


def written_out(outgoing: Outgoing, templates: Sequence[Template]) -> tuple[Outgoing, ...]:
    """The same in parts that every messenger shows."""
    match outgoing.part.kind:
        case PartKind.TEMPLATE:
            field = outgoing.part.extra.get("template", {})
            text = RichText(template_text(field, find_template(templates, field)))
            return (replace(outgoing, part=Part(PartKind.TEXT, buttons=outgoing.buttons), text=text),)
        case PartKind.CAROUSEL:
            return _cards_of(outgoing)
    return (outgoing,)


def _cards_of(outgoing: Outgoing) -> tuple[Outgoing, ...]:
    data = iter(outgoing.button_data)

    def part(kind: Part, text: RichText, buttons: Rows) -> Outgoing:
        count = sum(map(len, buttons))
        mine = tuple(islice(data, count))
        return replace(outgoing, part=kind, text=text, buttons=buttons, cards=(), button_data=mine)

    parts: list[Outgoing] = []
    if outgoing.text.text.strip() or outgoing.buttons:
        parts.append(part(Part(PartKind.TEXT), outgoing.text, outgoing.buttons))
    for card in outgoing.cards:
        kind = Part(PartKind.PICTURE, media=(card.picture,)) if card.picture else Part(PartKind.TEXT)
        words = "\n".join(filter(None, (card.title, card.text)))
        parts.append(part(kind, RichText(words), tuple((button,) for button in card.buttons)))
    return tuple(parts)


def template_text(field: Any, template: Template | None) -> str:
    """The template's words with the values in their places; where its words are not known, its name and the values."""
    named = _values_of(field.get("parameters")) if isinstance(field, Mapping) else {}
    if template is not None and template.body:
        return _PLACEHOLDER.sub(lambda found: named.get(found[1], found[0]), template.body)
    name = field.get("name") or field.get("sid") if isinstance(field, Mapping) else ""
    return "\n".join([f"[{name}]", *named.values()])


def _values_of(given: object) -> dict[str, str]:
    if isinstance(given, Mapping):
        return {str(name): str(value) for name, value in given.items()}
    return {str(number): str(value) for number, value in enumerate(given, start=1)} if isinstance(given, list) else {}
