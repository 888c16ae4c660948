"""Parts to what one client gets: texts, labels and addresses with that client's values, checked against the limits.

A text is compiled once for a step and a kind: its tags become marks (`gateways.markup`), its expressions a function
(`engine.expressions`); after that a client costs some microseconds and a broken card fails only that client's delivery.

Buttons are numbered through the message from 0: part by part, those of a part before those of its cards. The links of
texts are numbered apart from them: part by part, those of a part's text before those of its cards' texts.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.errors import _
from engine.expressions import Fields, has_expressions
from engine.rich_texts import RichTemplate, counted_addresses, mark_text
from engine.short_texts import Buttons, LinkMaker, ShortText, compile_fields, cut, is_counted, rendered_fields, texts_of
from engine.values import MAX_VALUE, TemplateFailed
from gateways.base import Capabilities, Fact, Outgoing, Part, PartKind
from gateways.dialects import length_in, measure_of, plain_text
from gateways.markup import RichText
from gateways.message import Button, Card, Link

__all__ = [
    "LinkMaker",
    "Personaliser",
    "TemplateFailed",
    "button_at",
    "buttons_of",
    "fixed_links",
    "length_in",
    "mark_text",
    "read_button_data",
    "texts_of",
]

_BUTTON_DATA = re.compile(r"c([0-9]{1,19})\.([0-9]{1,4})")
_ROOM = 64  # more than the addresses that lead through us can differ in length
_MOST_GROWTH = 10  # what marks, units and all that can make of one character when a platform measures a text


class Personaliser:
    """Renders the parts of one step on one kind of messenger.

    `known_fields` are the names that cards have; an unknown one in a text raises Invalid here, before anything is
    sent, as does whatever else can't stand in a text. With `links` every link leads through us. `after` are the parts
    whose buttons and links are numbered before these: `Fitted.parts`, for those of `Fitted.outside`. `step_id` names
    the parts for all clients at once. One client is rendered at a time."""

    def __init__(
        self,
        parts: Sequence[Part],
        capabilities: Capabilities,
        known_fields: Collection[str],
        *,
        links: LinkMaker | None = None,
        after: Sequence[Part] = (),
        step_id: int | None = None,
    ) -> None:
        self._fields = Fields(frozenset(known_fields))
        self._forms: list[_Form] = []
        numbers = _Numbers(len(buttons_of(after)), sum(len(_counted_in(part)) for part in after) if links else 0)
        for position, part in enumerate(parts):
            shared = f"{step_id}.{position}" if step_id is not None else ""
            self._forms.append(_Form(part, position, shared, capabilities, self._fields, links, numbers))

    def fields(self) -> frozenset[str]:
        """The client fields that texts, labels and links name."""
        return frozenset(self._fields.slots)

    def render(
        self,
        client: Mapping[str, Any],
        *,
        address: str,
        delivery_id: int,
        attempt: int,
        details: Mapping[str, Any],
    ) -> list[Outgoing]:
        """What this client gets, one for each part. Raises TemplateFailed, nothing else, if its values don't fit."""
        self._fields.fill(client)
        reference = f"{delivery_id}.{attempt}."
        return [form.outgoing(address, delivery_id, reference, details) for form in self._forms]


def buttons_of(parts: Sequence[Part]) -> list[Button]:
    """Every button of a message by its number."""
    return [button for part in parts for button in _buttons_in(part)]


def button_at(parts: Sequence[Part], index: int) -> Button | None:
    """The button that `index` of a press names: they are counted through all parts of the message, from 0."""
    buttons = buttons_of(parts)
    return buttons[index] if 0 <= index < len(buttons) else None


def fixed_links(parts: Sequence[Part]) -> list[tuple[str, str]]:
    """Place ("button", "text") and address of every link that is the same for all clients, in order, each once; what
    `Personaliser` hands to its `links` for them."""
    found: dict[tuple[str, str], None] = {}
    for part in parts:
        urls = [("button", each.link) for each in _buttons_in(part) if isinstance(each, Link)]
        urls += [("text", url) for url in _counted_in(part)]
        found |= {(place, url): None for place, url in urls if is_counted(url) and not has_expressions(url)}
    return list(found)


def read_button_data(data: str) -> tuple[int, int] | None:
    """Delivery and index of the button, from what came back with a press; None if it isn't ours."""
    found = _BUTTON_DATA.fullmatch(data)
    return (int(found[1]), int(found[2])) if found else None


def _buttons_in(part: Part) -> Iterator[Button]:
    for row in part.buttons:
        yield from row
    for card in part.cards:
        yield from card.buttons


def _counted_in(part: Part) -> list[str]:
    return [url for text in (part.text, *(card.text for card in part.cards)) for url in counted_addresses(text)]


class _Numbers:
    """Hands out the numbers of buttons and of links in texts."""

    def __init__(self, buttons: int, links: int) -> None:
        self.buttons = buttons
        self.links = links

    def next_buttons(self, count: int) -> int:
        first, self.buttons = self.buttons, self.buttons + count
        return first

    def next_text(self, text: str, fields: Fields, links: LinkMaker | None) -> RichTemplate:
        template = RichTemplate(text, fields, links, self.links)
        self.links += template.count
        return template


class _Form:
    """One part, compiled."""

    __slots__ = (
        "_always_fits",
        "_buttons",
        "_cards",
        "_extra",
        "_limit",
        "_measure",
        "_numbers",
        "_part",
        "_position",
        "_shared",
        "_template",
    )

    def __init__(
        self,
        part: Part,
        position: int,
        shared: str,
        capabilities: Capabilities,
        fields: Fields,
        links: LinkMaker | None,
        numbers: _Numbers,
    ) -> None:
        self._part = part
        self._position = position
        self._shared = shared
        self._limit = _limit_of(part, capabilities).value
        self._measure = measure_of(capabilities)
        first = numbers.buttons
        self._template = numbers.next_text(part.text, fields, links)
        self._always_fits = self._template.is_fixed
        max_label = capabilities.max_label.value
        count = sum(map(len, part.buttons))
        self._buttons = Buttons(part.buttons, numbers.next_buttons(count), max_label, fields, links)
        self._cards = [_CardForm(card, capabilities, fields, links, numbers) for card in part.cards]
        self._numbers = tuple(f".{number}" for number in range(first, numbers.buttons))
        self._extra = compile_fields(part.extra, fields, required=part.kind is PartKind.TEMPLATE)

    def outgoing(self, address: str, delivery_id: int, reference: str, details: Mapping[str, Any]) -> Outgoing:
        return Outgoing(
            address,
            self._part if self._extra is None else replace(self._part, extra=rendered_fields(self._extra)),
            self._template.render(delivery_id) if self._always_fits else self._checked(delivery_id),
            self._buttons.rendered(delivery_id),
            tuple([f"c{delivery_id}{number}" for number in self._numbers]) if self._numbers else (),
            f"{reference}{self._position}",
            details,
            tuple([card.rendered(delivery_id) for card in self._cards]) if self._cards else (),
            self._shared,
        )

    def _checked(self, delivery_id: int) -> RichText:
        rich = self._template.render(delivery_id)
        if self._part.kind is PartKind.TEXT and (not rich.text or rich.text.isspace()):
            raise TemplateFailed(_("With this client's values the text is empty."), reason="empty")
        if _MOST_GROWTH * (len(rich.text) + sum([len(span.url) + 3 for span in rich.spans])) <= self._limit:
            return rich
        length = self._measure(rich)
        if length > self._limit:
            raise TemplateFailed(
                _("With this client's values the text takes {length} of {limit} characters."),
                reason="too_long",
                length=length,
                limit=self._limit,
            )
        if not self._template.has_values:
            # Only the addresses differ from client to client, and those hardly.
            self._always_fits = length + _ROOM <= self._limit
        return rich


class _CardForm:
    """One card of a carousel, compiled; what it shows is plain."""

    __slots__ = ("_buttons", "_card", "_max_text", "_max_title", "_template", "_title")

    def __init__(
        self, card: Card, capabilities: Capabilities, fields: Fields, links: LinkMaker | None, numbers: _Numbers
    ) -> None:
        limits = capabilities.carousel
        self._card = card
        self._max_title = limits.max_title.value if limits else MAX_VALUE
        self._max_text = limits.max_text.value if limits else MAX_VALUE
        self._title = ShortText(card.title, fields)
        self._template = numbers.next_text(card.text, fields, links)
        first = numbers.next_buttons(len(card.buttons))
        self._buttons = Buttons((card.buttons,), first, capabilities.max_label.value, fields, links)

    def rendered(self, delivery_id: int) -> Card:
        empty = _("With this client's values a card has no title.")
        (buttons,) = self._buttons.rendered(delivery_id)
        rich = self._template.render(delivery_id)
        text = plain_text(rich)
        if len(text) > self._max_text:
            text = cut(rich.text, self._max_text)  # an address that is cut leads nowhere
        return Card(self._title.render_within(self._max_title, empty=empty), text, self._card.picture, buttons)


def _limit_of(part: Part, capabilities: Capabilities) -> Fact:
    if part.kind is not PartKind.TEXT:
        return capabilities.max_caption
    less = capabilities.max_text_with_buttons if part.buttons else None
    return less or capabilities.max_text
