"""A message made to fit a kind of messenger: its parts, and what is changed or dropped on the way.

Pure, and run once per message and kind: the preview shows and the lane sends the same parts. Nothing is dropped
silently: each change is a Loss, and what can't be sent at all raises Invalid.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar, assert_never

from engine.buttons import Under, check_link, fit_buttons
from engine.cards import caption_of, carousel_cards
from engine.errors import Invalid, _
from engine.expressions import Fields, compile_expression, has_expressions, literal_text, parse_expressions
from engine.losses import Loss, Losses
from engine.rich_texts import mark_text
from engine.template_parts import template_part
from gateways.base import Capabilities, Fact, Part, PartKind
from gateways.dialects import measure_of
from gateways.markup import RichText, read_marked
from gateways.message import (
    ELEMENT_FIELDS,
    Card,
    Carousel,
    Element,
    File,
    Location,
    Message,
    Pictures,
    Rows,
    Text,
    Video,
)

__all__ = ["NEUTRAL_TEXT", "Fitted", "Loss", "check_link", "fit"]

NEUTRAL_TEXT = "⬇️"  # where buttons need a text of their own and there is none
_NEAR = 0.9  # of a limit: then values may go over it
_Thing = TypeVar("_Thing")


@dataclass(frozen=True, slots=True)
class Fitted:
    """`outside` is what goes to a client whose window is closed: a template, or nothing where there is none."""

    parts: tuple[Part, ...]
    losses: tuple[Loss, ...]
    outside: tuple[Part, ...] = ()

    @property
    def every_part(self) -> tuple[Part, ...]:
        """In the order in which buttons and links are numbered: first the parts, then those of `outside`."""
        return self.parts + self.outside


def fit(
    message: Message,
    capabilities: Capabilities,
    sizes: Mapping[str, int] | None = None,
    *,
    link_length: int | None = None,
) -> Fitted:
    """Make the parts of a message for one kind of messenger; `sizes` are the bytes of its files where they are known,
    `link_length` is how long every link is once it leads through us.

    Raises Invalid, with the numbers, for what can't be sent there: nothing in it, too long, too large …"""
    if message.kinds and capabilities.kind not in message.kinds:
        kinds = ", ".join(sorted(message.kinds))
        words = _("The message is for {kinds} only, so {title} can't send it.")
        raise Invalid(words, kinds=kinds, title=capabilities.title)
    own = {name: value for name, value in message.only.get(capabilities.kind, {}).items() if name not in ELEMENT_FIELDS}
    known = capabilities.own_fields | ({"template"} if capabilities.takes_templates else set())
    for name in own:
        if name not in known:
            raise Invalid(_("{title} knows no field “{name}” in a message."), title=capabilities.title, name=name)
    outside = (template_part(own.pop("template")),) if capabilities.takes_templates and "template" in own else ()
    fitter = _Fitter(capabilities, sizes or {}, link_length)
    for number, element in enumerate(message.for_kind(capabilities.kind), start=1):
        fitter.add(element, number)
    parts = tuple(fitter.parts) or outside
    if not parts:
        raise Invalid(_("The message is empty: nothing in it can be sent by {title}."), title=capabilities.title)
    if own:
        parts = (replace(parts[0], extra={**parts[0].extra, **own}), *parts[1:])
    return Fitted(parts, fitter.losses.all(), outside)


class _Fitter:
    """Collects parts and losses, element by element."""

    def __init__(self, capabilities: Capabilities, sizes: Mapping[str, int], link_length: int | None) -> None:
        self._able = capabilities
        self._sizes = sizes
        self._measure = measure_of(capabilities)
        self._link = "x" * link_length if link_length is not None else None
        self.parts: list[Part] = []
        self.losses = Losses(capabilities.title)

    def add(self, element: Element, number: int) -> None:
        self.losses.element = number
        under = fit_buttons(element.buttons, self._able, self.losses)
        rows = under.rows
        text, rest = ("", under.lines) if isinstance(element, Location) else self._with_lines(element.text, under)
        match element:
            case Text():
                self._add_text(text, rows)
            case Pictures(pictures=pictures):
                self._check_sizes(pictures, PartKind.PICTURE, self._able.max_picture_bytes)
                self._add_pictures(pictures, text, rows)
            case File():
                self._check_sizes([element.file], PartKind.FILE, self._able.max_file_bytes)
                self._add_captioned(Part(PartKind.FILE, media=(element.file,), name=element.name), text, rows)
            case Video():
                self._check_sizes([element.video], PartKind.VIDEO, self._able.max_file_bytes)
                self._add_captioned(Part(PartKind.VIDEO, media=(element.video,)), text, rows)
            case Location():
                self._add_location(element, rows)
            case Carousel():
                self._add_carousel(element, text, rows)
            case _:
                assert_never(element)
        if rest:
            self._add_text("\n".join(rest), ())

    def _with_lines(self, text: str, under: Under) -> tuple[str, Sequence[str]]:
        """The text with the lines of links below, where both fit into one; else the lines by themselves."""
        if not under.lines:
            return text, ()
        lines = "\n".join(under.lines)
        whole = f"{text}\n\n{lines}" if text.strip() else lines
        fits = self._lengths(whole)[1] <= self._able.max_text.value
        return (whole, ()) if fits or not text.strip() else (text, under.lines)

    # --- texts and media ---

    def _add_text(self, text: str, rows: Rows) -> None:
        self._check_text(text, self._able.max_text)
        if not has_expressions(text) and not read_marked(mark_text(text)).text.strip():
            if not rows:
                raise Invalid(_("Element {number} is an empty text."), number=self.losses.element)
            self.losses.tell(_("Buttons need a text here, so they stand under “{text}”."), text=NEUTRAL_TEXT)
            text = NEUTRAL_TEXT
        limit = self._able.max_text_with_buttons
        if rows and limit is not None and self._may_exceed(text, limit):
            words = _("{title} shows buttons under {limit} characters at most: the text, of {length}, goes first.")
            self.losses.tell(words, length=self._lengths(text)[1], limit=limit.value)
            self.parts.append(Part(PartKind.TEXT, text=text))
            text = NEUTRAL_TEXT
        self.parts.append(Part(PartKind.TEXT, text=text, buttons=rows))

    def _add_pictures(self, pictures: Sequence[str], text: str, rows: Rows) -> None:
        if len(pictures) == 1:
            self._add_captioned(Part(PartKind.PICTURE, media=tuple(pictures)), text, rows)
            return
        if PartKind.ALBUM not in self._able.media:
            self._add_one_by_one(pictures, text, rows)
            return
        *first, last = _divided(pictures, self._able.album_sizes[-1])
        if first:
            words = _("An album holds {most} pictures: the {number} go as {count} albums.")
            most = self._able.album_sizes[-1]
            self.losses.tell(words, most=most, number=len(pictures), count=len(first) + 1)
        self.parts += [Part(PartKind.ALBUM, media=album) for album in first]
        album_part = Part(PartKind.ALBUM, media=last)
        if rows and not self._able.album_takes_buttons:
            self.parts.append(album_part)
            words = _("An album can't have buttons: they follow it, with the text, as a message of their own.")
            self.losses.tell(words)
            self._add_text(text, rows)
        else:
            self._add_captioned(album_part, text, rows)

    def _add_one_by_one(self, pictures: Sequence[str], text: str, rows: Rows) -> None:
        self.losses.tell(_("{title} has no albums: the pictures go one by one."))
        *first, last = [Part(PartKind.PICTURE, media=(picture,)) for picture in pictures]
        if PartKind.PICTURE not in self._able.media or not self._can_caption(PartKind.PICTURE, text, rows):
            # The text follows the last picture, with the buttons.
            for part in first:
                self._add_captioned(part, "", ())
            self._add_captioned(last, text, rows)
            return
        self._add_captioned(first[0], text, ())
        for part in first[1:]:
            self._add_captioned(part, "", ())
        self._add_captioned(last, "", rows)

    def _add_captioned(self, part: Part, text: str, rows: Rows) -> None:
        if part.kind not in self._able.media:
            self.losses.tell(_("{title} can't carry this ({what}): it is left out."), what=part.kind.value)
            if text.strip() or rows:
                self._add_text(text, rows)
            return
        if self._can_caption(part.kind, text, rows):
            self._check_text(text, self._able.max_caption)
            self.parts.append(replace(part, text=text, buttons=rows))
            return
        if not self._shows_buttons(part.kind, rows):
            words = _("{title} shows no such buttons with this ({what}): they follow it, with the text.")
            self.losses.tell(words, what=part.kind.value)
        elif most := self._most_caption(part.kind, rows):
            words = _("A caption holds {limit} characters: the text, of {length}, follows as a message of its own.")
            self.losses.tell(words, length=self._lengths(text)[1], limit=most)
        else:
            words = _("{title} shows no text with this ({what}): it follows as a message of its own.")
            self.losses.tell(words, what=part.kind.value)
        self.parts.append(part)
        self._add_text(text, rows)

    def _most_caption(self, kind: PartKind, rows: Rows) -> int:
        if kind not in self._able.captioned:
            return 0
        limits = [self._able.max_caption, *([self._able.max_text_with_buttons] if rows else [])]
        return min(limit.value for limit in limits if limit is not None)

    def _can_caption(self, kind: PartKind, text: str, rows: Rows) -> bool:
        if not self._shows_buttons(kind, rows):
            return False
        most = self._most_caption(kind, rows)
        return not text.strip() or (most > 0 and self._lengths(text)[0] <= most)

    def _shows_buttons(self, kind: PartKind, rows: Rows) -> bool:
        most = self._able.max_buttons_with_media
        fit_in = most is None or sum(map(len, rows)) <= most.value
        return not rows or (kind in self._able.buttoned and fit_in)

    def _add_location(self, element: Location, rows: Rows) -> None:
        point = element.location
        if not (-90 <= point.latitude <= 90 and -180 <= point.longitude <= 180):
            words = _("Element {number}: a latitude is from -90 to 90, a longitude from -180 to 180.")
            raise Invalid(words, number=self.losses.element)
        part = Part(PartKind.LOCATION, latitude=point.latitude, longitude=point.longitude)
        self._add_captioned(part, "", rows)

    def _add_carousel(self, element: Carousel, text: str, rows: Rows) -> None:
        """The text stands before the cards; buttons stand under them where the kind shows a text there as well."""
        pictures = [card.picture for card in element.carousel if card.picture]
        self._check_sizes(pictures, PartKind.PICTURE, self._able.max_picture_bytes)
        cards = carousel_cards(element, self._able, self.losses)
        kind = PartKind.CAROUSEL
        if cards and kind in self._able.captioned and self._can_caption(kind, text, rows):
            self._check_text(text, self._able.max_caption)
            carousels = self._carousels(cards)
            carousels[0] = replace(carousels[0], text=text)
            carousels[-1] = replace(carousels[-1], buttons=rows)
            self.parts += carousels
            return
        if text.strip():
            if rows:
                self.losses.tell(_("{title} shows no buttons under cards: they stand under the text before them."))
            self._add_text(text, rows)
        self.parts += self._carousels(cards)
        if not cards:
            self._add_cards(element)
        if rows and not text.strip():
            self._add_text("", rows)

    def _carousels(self, cards: Sequence[Card]) -> list[Part]:
        limits = self._able.carousel
        if limits is None or not cards:
            return []
        most = limits.cards[-1]
        pieces = _divided(cards, most)
        if len(pieces) > 1:
            words = _("A carousel holds {most} cards: the {number} go as {count} carousels.")
            self.losses.tell(words, most=most, number=len(cards), count=len(pieces))
        return [Part(PartKind.CAROUSEL, cards=piece) for piece in pieces]

    def _add_cards(self, element: Carousel) -> None:
        """Each card as a message of its own."""
        for card in element.carousel:
            under = fit_buttons(tuple((button,) for button in card.buttons), self._able, self.losses)
            text, rest = self._with_lines(caption_of(card, self._able), under)
            if card.picture:
                self._add_captioned(Part(PartKind.PICTURE, media=(card.picture,)), text, under.rows)
            else:
                self._add_text(text, under.rows)
            if rest:
                self._add_text("\n".join(rest), ())

    # --- sizes and lengths ---

    def _check_sizes(self, sources: Sequence[str], kind: PartKind, limit: Fact) -> None:
        if kind not in self._able.media:
            return  # it is left out, and told
        for source in sources:
            size = self._sizes.get(source, 0)
            if size > limit.value:
                raise Invalid(
                    _("{title} takes no file over {limit} MB; one of element {number} has {size} MB."),
                    title=self._able.title,
                    limit=_megabytes(limit.value),
                    number=self.losses.element,
                    size=_megabytes(size),
                )

    def _check_text(self, text: str, limit: Fact) -> None:
        """Raise Invalid if the text can't be read, or is too long for everybody."""
        self._tell_markup(text)
        shortest, longest = self._lengths(text)
        if shortest > limit.value:
            raise Invalid(
                _("The text of element {number} takes {length} characters; {title} carries {limit}."),
                number=self.losses.element,
                length=shortest,
                title=self._able.title,
                limit=limit.value,
            )
        if has_expressions(text) and longest > limit.value * _NEAR:
            words = _(
                "The text takes {length} of {limit} characters: a client whose values make it too long gets nothing."
            )
            self.losses.tell(words, length=longest, limit=limit.value)

    def _may_exceed(self, text: str, limit: Fact) -> bool:
        near = limit.value * _NEAR if has_expressions(text) else limit.value
        return self._lengths(text)[1] > near

    def _lengths(self, text: str) -> tuple[int, int]:
        """Of the shortest and of the longest way through the conditions, as it is written; values count nothing."""
        marked = mark_text(text)
        if not has_expressions(marked):
            length = self._length(read_marked(marked))
            return length, length
        compile_expression(marked, Fields())
        body = parse_expressions(marked).body
        shortest, longest = (read_marked(literal_text(body, longest=longest)) for longest in (False, True))
        return self._length(shortest), self._length(longest)

    def _length(self, rich: RichText) -> int:
        if self._link is not None:
            url = self._link
            rich = replace(rich, spans=tuple(replace(each, url=url) if each.url else each for each in rich.spans))
        return self._measure(rich)

    def _tell_markup(self, text: str) -> None:
        rich = read_marked(mark_text(text))
        if lost := sorted({span.tag for span in rich.spans} - self._able.markup - {"a"}):
            tags = ", ".join(f"<{tag}>" for tag in lost)
            self.losses.tell(_("{title} doesn't show {tags}: the words stay, plain."), tags=tags)
        for span in rich.spans:
            if span.tag == "a":
                check_link(span.url)
                if "a" not in self._able.markup and rich.text[span.start : span.end] != span.url:
                    self.losses.tell(_("{title} hides no address behind words: it stands after them."))


def _divided(things: Sequence[_Thing], most: int) -> list[tuple[_Thing, ...]]:
    """In as few pieces as possible, as even as possible, so that none is left with one."""
    count = math.ceil(len(things) / most)
    edges = [round(len(things) * place / count) for place in range(count + 1)]
    return [tuple(things[start:end]) for start, end in pairwise(edges)]


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.3g}"
