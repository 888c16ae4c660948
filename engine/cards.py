"""The cards of a carousel made to fit."""

import html
from dataclasses import replace

from engine.buttons import check_button, check_link, fit_label
from engine.errors import Invalid, _
from engine.expressions import has_expressions
from engine.losses import Losses
from engine.rich_texts import mark_text
from gateways.base import Capabilities, CarouselLimits, PartKind
from gateways.dialects import plain_text
from gateways.markup import read_marked
from gateways.message import Button, Card, Carousel


def carousel_cards(element: Carousel, able: Capabilities, losses: Losses) -> tuple[Card, ...]:
    """The cards as the kind shows them; none where each has to go as a message of its own. Raises Invalid."""
    for card in element.carousel:
        if not card.title.strip():
            raise Invalid(_("A card of element {number} has no title."), number=losses.element)
    limits = able.carousel
    if limits is None or PartKind.CAROUSEL not in able.media:
        losses.tell(_("{title} has no carousels: each card goes as a message of its own."))
        return ()
    if limits.needs_picture and not all(card.picture for card in element.carousel):
        losses.tell(_("{title} shows cards with pictures only: each goes as a message of its own."))
        return ()
    if len(element.carousel) < limits.cards.start or (limits.alike and not _are_alike(element, limits)):
        losses.tell(_("{title} can't show these cards as a carousel: each goes as a message of its own."))
        return ()
    return tuple(_fit_card(card, able, limits, losses) for card in element.carousel)


def caption_of(card: Card, able: Capabilities) -> str:
    """The title and the text of a card as one text."""
    title = html.escape(card.title, quote=False)
    title = f"<b>{title}</b>" if "b" in able.markup else title
    return f"{title}\n{card.text}" if card.text.strip() else title


def _are_alike(element: Carousel, limits: CarouselLimits) -> bool:
    looks = {(bool(card.picture), min(len(card.buttons), limits.max_buttons.value)) for card in element.carousel}
    return len(looks) == 1 and all(count for _, count in looks)


def _fit_card(card: Card, able: Capabilities, limits: CarouselLimits, losses: Losses) -> Card:
    rich = read_marked(mark_text(card.text))
    for span in rich.spans:
        if span.tag == "a":
            check_link(span.url)
        else:
            losses.tell(_("Cards of {title} show no formatting: the words stay, plain."))
    title, text = card.title, card.text
    if not has_expressions(title):
        title = _cut(title, limits.max_title.value, losses)
    if not has_expressions(text) and len(plain_text(rich)) > limits.max_text.value:
        text = html.escape(_cut(rich.text, limits.max_text.value, losses), quote=False)  # half an address leads nowhere
    return replace(card, title=title, text=text, buttons=_fit_buttons(card, able, limits, losses))


def _cut(text: str, most: int, losses: Losses) -> str:
    if len(text) <= most:
        return text
    cut = text[: most - 1].rstrip() + "…"
    losses.tell(_("A card holds {most} characters here: “{text}” is cut to “{cut}”."), most=most, text=text, cut=cut)
    return cut


def _fit_buttons(card: Card, able: Capabilities, limits: CarouselLimits, losses: Losses) -> tuple[Button, ...]:
    kept: list[Button] = []
    for button in card.buttons:
        check_button(button, losses.element)
        if len(kept) < limits.max_buttons.value and any(type(button) in each.kinds for each in able.button_sets):
            kept.append(fit_label(button, able, losses))
        else:
            words = _("A card holds {most} buttons here: “{label}” is left out.")
            losses.tell(words, most=limits.max_buttons.value, label=button.label)
    return tuple(kept)
