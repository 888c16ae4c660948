"""A message made to fit a kind of messenger: its parts, and what is changed or dropped on the way.

Pure, and run once per message and kind: the preview shows and the lane sends the same parts. Nothing is dropped
silently: each change is a Loss, and what can't be sent at all raises Invalid.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import assert_never

from engine.errors import Invalid, _
from engine.expressions import Fields, compile_expression, has_expressions, literal_text, parse_expressions
from engine.personalise import length_in, mark_text, texts_of
from engine.values import is_absolute
from gateways.base import Capabilities, Fact, Part, PartKind
from gateways.markup import read_marked
from gateways.message import Button, Carousel, Element, File, Link, Location, Message, Pictures, Rows, Text, Video

NEUTRAL_TEXT = "⬇️"  # where buttons need a text of their own and there is none
_SCHEMES = ("https://", "http://", "tg://")
_NEAR = 0.9  # of a limit: then values may go over it


@dataclass(frozen=True, slots=True)
class Loss:
    """What a client on this kind of messenger gets otherwise than it was written; `str` is the sentence in English.

    `words` is a gettext message id with {names}, `values` fill them. `element` counts from 1; 0 is the message."""

    words: str
    values: Mapping[str, object] = field(default_factory=dict)
    element: int = 0

    def __str__(self) -> str:
        return self.words.format(**self.values) if self.values else self.words


@dataclass(frozen=True, slots=True)
class Fitted:
    parts: tuple[Part, ...]
    losses: tuple[Loss, ...]


def fit(message: Message, capabilities: Capabilities, sizes: Mapping[str, int] | None = None) -> Fitted:
    """Make the parts of a message for one kind of messenger; `sizes` are the bytes of its files where they are known.

    Raises Invalid, with the numbers, for what can't be sent there: nothing in it, too long, too many buttons …"""
    if message.kinds and capabilities.kind not in message.kinds:
        kinds = ", ".join(sorted(message.kinds))
        words = _("The message is for {kinds} only, so {title} can't send it.")
        raise Invalid(words, kinds=kinds, title=capabilities.title)
    fitter = _Fitter(capabilities, sizes or {})
    for number, element in enumerate(message.for_kind(capabilities.kind), start=1):
        fitter.add(element, number)
    if not fitter.parts:
        raise Invalid(_("The message is empty: nothing in it can be sent by {title}."), title=capabilities.title)
    only = message.only.get(capabilities.kind, {})
    own = {name: value for name, value in only.items() if name not in _ELEMENT_FIELDS}
    for name in own:
        if name not in capabilities.own_fields:
            raise Invalid(_("{title} knows no field “{name}” in a message."), title=capabilities.title, name=name)
    if own:
        fitter.parts[0] = replace(fitter.parts[0], extra=own)
    return Fitted(tuple(fitter.parts), tuple(fitter.losses))


_ELEMENT_FIELDS = frozenset({"text", "pictures", "file", "name", "video", "location", "buttons", "elements"})


class _Fitter:
    """Collects parts and losses, element by element."""

    def __init__(self, capabilities: Capabilities, sizes: Mapping[str, int]) -> None:
        self._able = capabilities
        self._sizes = sizes
        self._element = 0
        self.parts: list[Part] = []
        self.losses: list[Loss] = []

    def add(self, element: Element, number: int) -> None:
        self._element = number
        rows = self._fit_rows(element.buttons)
        match element:
            case Text():
                self._add_text(element.text, rows)
            case Pictures(pictures=pictures):
                self._check_sizes(pictures, self._able.max_picture_bytes)
                self._add_pictures(pictures, element.text, rows)
            case File():
                self._check_sizes([element.file], self._able.max_file_bytes)
                self._add_captioned(Part(PartKind.FILE, media=(element.file,), name=element.name), element.text, rows)
            case Video():
                self._check_sizes([element.video], self._able.max_file_bytes)
                self._add_captioned(Part(PartKind.VIDEO, media=(element.video,)), element.text, rows)
            case Location():
                self._add_location(element, rows)
            case Carousel():
                self._add_text(element.text, rows)
            case _:
                assert_never(element)

    # --- texts and media ---

    def _add_text(self, text: str, rows: Rows) -> None:
        self._check_text(text, self._able.max_text)
        if not has_expressions(text) and not read_marked(mark_text(text)).text.strip():
            if not rows:
                raise Invalid(_("Element {number} is an empty text."), number=self._element)
            self._lose(_("Buttons need a text here, so they stand under “{text}”."), text=NEUTRAL_TEXT)
            text = NEUTRAL_TEXT
        self.parts.append(Part(PartKind.TEXT, text=text, buttons=rows))

    def _add_pictures(self, pictures: Sequence[str], text: str, rows: Rows) -> None:
        if len(pictures) == 1:
            self._add_captioned(Part(PartKind.PICTURE, media=tuple(pictures)), text, rows)
            return
        if PartKind.ALBUM not in self._able.media:
            self._lose(_("{title} has no albums: the pictures go one by one."))
            self._add_captioned(Part(PartKind.PICTURE, media=(pictures[0],)), text, ())
            for picture in pictures[1:-1]:
                self._add_captioned(Part(PartKind.PICTURE, media=(picture,)), "", ())
            self._add_captioned(Part(PartKind.PICTURE, media=(pictures[-1],)), "", rows)
            return
        *first, last = self._albums(pictures)
        self.parts += [Part(PartKind.ALBUM, media=album) for album in first]
        album_part = Part(PartKind.ALBUM, media=last)
        if rows and not self._able.album_takes_buttons:
            self.parts.append(album_part)
            self._lose(_("An album can't have buttons: they follow it, with the text, as a message of their own."))
            self._add_text(text, rows)
        else:
            self._add_captioned(album_part, text, rows)

    def _albums(self, pictures: Sequence[str]) -> list[tuple[str, ...]]:
        """The pictures in as few albums as possible, as even as possible, so that none is left with one picture."""
        most = self._able.album_sizes[-1]
        count = math.ceil(len(pictures) / most)
        if count > 1:
            words = _("An album holds {most} pictures: the {number} go as {count} albums.")
            self._lose(words, most=most, number=len(pictures), count=count)
        edges = [round(len(pictures) * place / count) for place in range(count + 1)]
        return [tuple(pictures[start:end]) for start, end in pairwise(edges)]

    def _add_captioned(self, part: Part, text: str, rows: Rows) -> None:
        if part.kind not in self._able.media:
            self._lose(_("{title} can't carry this ({what}): it is left out."), what=part.kind.value)
            if text.strip() or rows:
                self._add_text(text, rows)
            return
        shortest, longest = self._lengths(text)
        most = self._able.max_caption.value if part.kind in self._able.captioned else 0
        if shortest <= most:
            self._check_text(text, self._able.max_caption)
            self.parts.append(replace(part, text=text, buttons=rows))
            return
        if most:
            words = _("A caption holds {limit} characters: the text, of {length}, follows as a message of its own.")
            self._lose(words, length=longest, limit=most)
        else:
            words = _("{title} shows no text with this ({what}): it follows as a message of its own.")
            self._lose(words, what=part.kind.value)
        self.parts.append(part)
        self._add_text(text, rows)

    def _add_location(self, element: Location, rows: Rows) -> None:
        point = element.location
        if not (-90 <= point.latitude <= 90 and -180 <= point.longitude <= 180):
            words = _("Element {number}: a latitude is from -90 to 90, a longitude from -180 to 180.")
            raise Invalid(words, number=self._element)
        if PartKind.LOCATION not in self._able.media:
            self._lose(_("{title} can't carry this ({what}): it is left out."), what=PartKind.LOCATION.value)
            if rows:
                self._add_text("", rows)
            return
        self.parts.append(Part(PartKind.LOCATION, latitude=point.latitude, longitude=point.longitude, buttons=rows))

    def _check_sizes(self, sources: Sequence[str], limit: Fact) -> None:
        for source in sources:
            size = self._sizes.get(source, 0)
            if size > limit.value:
                raise Invalid(
                    _("{title} takes no file over {limit} MB; one of element {number} has {size} MB."),
                    title=self._able.title,
                    limit=_megabytes(limit.value),
                    number=self._element,
                    size=_megabytes(size),
                )

    def _check_text(self, text: str, limit: Fact) -> None:
        """Raise Invalid if the text can't be read, or is too long for everybody."""
        self._tell_markup(text)
        shortest, longest = self._lengths(text)
        if shortest > limit.value:
            raise Invalid(
                _("The text of element {number} takes {length} characters; {title} carries {limit}."),
                number=self._element,
                length=shortest,
                title=self._able.title,
                limit=limit.value,
            )
        if has_expressions(text) and longest > limit.value * _NEAR:
            words = _(
                "The text takes {length} of {limit} characters: a client whose values make it too long gets nothing."
            )
            self._lose(words, length=longest, limit=limit.value)

    def _lengths(self, text: str) -> tuple[int, int]:
        """Literal characters on the shortest and on the longest way through the conditions; values count nothing."""
        marked = mark_text(text)
        if not has_expressions(marked):
            length = length_in(self._able.text_unit, read_marked(marked).text)
            return length, length
        compile_expression(marked, Fields())
        body = parse_expressions(marked).body
        shortest, longest = (read_marked(literal_text(body, longest=longest)).text for longest in (False, True))
        return length_in(self._able.text_unit, shortest), length_in(self._able.text_unit, longest)

    def _tell_markup(self, text: str) -> None:
        rich = read_marked(mark_text(text))
        lost = sorted({span.tag for span in rich.spans} - self._able.markup)
        if lost:
            self._lose(
                _("{title} doesn't show {tags}: the words stay, plain."), tags=", ".join(f"<{tag}>" for tag in lost)
            )
        for span in rich.spans:
            if span.tag == "a":
                check_link(span.url)

    # --- buttons ---

    def _fit_rows(self, rows: Rows) -> Rows:
        kept = [[self._fit_button(button) for button in row if self._can_show(button)] for row in rows]
        total = sum(map(len, kept))
        most = max((each.most.value for each in self._able.button_sets), default=0)
        if total > most:
            raise Invalid(
                _("Element {number} has {count} buttons; {title} shows {limit} at most."),
                number=self._element,
                count=total,
                title=self._able.title,
                limit=most,
            )
        width = self._able.max_buttons_in_row.value
        if any(len(row) > width for row in kept):
            self._lose(_("{title} shows {width} buttons in a row: longer rows are divided."), width=width)
        return tuple(tuple(row[start : start + width]) for row in kept for start in range(0, len(row), width))

    def _can_show(self, button: Button) -> bool:
        if any(type(button) in each.kinds for each in self._able.button_sets):
            return True
        self._lose(_("{title} can't show the button “{label}”: it is left out."), label=button.label)
        return False

    def _fit_button(self, button: Button) -> Button:
        for text in texts_of(button):
            if has_expressions(text):
                compile_expression(text, Fields())
        if not button.label.strip():
            raise Invalid(_("A button of element {number} has no label."), number=self._element)
        if isinstance(button, Link):
            check_link(button.link)
        most = self._able.max_label.value
        if has_expressions(button.label) or len(button.label) <= most:
            return button
        label = button.label[: most - 1].rstrip() + "…"
        words = _("A label holds {most} characters: “{label}” is cut to “{cut}”.")
        self._lose(words, most=most, label=button.label, cut=label)
        return replace(button, label=label)

    def _lose(self, words: str, **values: object) -> None:
        loss = Loss(words, {"title": self._able.title, **values}, self._element)
        if loss not in self.losses:
            self.losses.append(loss)


def check_link(link: str) -> None:
    """Raise Invalid unless a link, which may hold expressions, can be opened: http, https or tg."""
    if not has_expressions(link):
        holds = is_absolute(link)
    else:
        literal = literal_text(parse_expressions(link).body, longest=True)
        # A value may stand for the whole address, or for the host: https://{{ client.shop }}.
        holds = link.startswith(("{{", "{%")) or (literal.lower().startswith(_SCHEMES) and " " not in literal)
    if not holds:
        raise Invalid(_("“{link}” is no address for a link: it must start with https://, http:// or tg://."), link=link)


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.3g}"
