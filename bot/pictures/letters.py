"""Rich text laid out in lines of a width, as pixels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from PIL import ImageFont

from bot.pictures.fonts import EMOJI, drawn_as, font, has_shape, seen
from gateways.markup import RichText

MAX_LETTERS = 8000  # of one text: no picture has room for more
_KEPT = 30  # letters of a word whose width is remembered
_INDENT = 22  # px before a quote and inside code
_TOKENS = re.compile(r"\n|[^\S\n]+|\S+")
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>]*[^\s<>.,;:!?)\]»”\"']", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Style:
    bold: bool = False
    italic: bool = False
    mono: bool = False
    underlined: bool = False
    struck: bool = False
    link: bool = False
    hidden: bool = False
    quote: bool = False
    code: bool = False  # a block of it
    emoji: bool = False
    blank: bool = False  # a letter that the font lacks


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    style: Style
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    pieces: tuple[Piece, ...]

    @property
    def width(self) -> float:
        return self.pieces[-1].x + self.pieces[-1].width if self.pieces else 0.0

    @property
    def style(self) -> Style:
        return self.pieces[0].style if self.pieces else Style()


_TAGS = {
    "b": {"bold": True},
    "i": {"italic": True},
    "u": {"underlined": True},
    "s": {"struck": True},
    "code": {"mono": True},
    "pre": {"mono": True, "code": True},
    "a": {"link": True},
    "blockquote": {"quote": True},
    "tg-spoiler": {"hidden": True},
}


def font_of(style: Style, size: int) -> ImageFont.FreeTypeFont:
    return font(size - 2 if style.mono else size, bold=style.bold, italic=style.italic, mono=style.mono)


def width_of(text: str, style: Style, size: int) -> float:
    if style.emoji:
        return size * (1.3 if len(text) < 2 else 1.7)
    if style.blank:
        return size * 0.9
    letters = font_of(style, size)
    return _length(text, letters) if len(text) <= _KEPT else letters.getlength(text)


@lru_cache(maxsize=8192)
def _length(text: str, letters: ImageFont.FreeTypeFont) -> float:
    return letters.getlength(text)


def lay_out(rich: RichText, width: int, size: int, *, bold: bool = False) -> list[Line]:
    """The text's lines; a word that is longer than a line is broken."""
    lines = _Lines(width, size)
    for text, style in _styled(rich, bold=bold):
        for token in _TOKENS.findall(text):
            lines.add(token, style)
    return lines.all()


def cut_to(text: str, width: float, size: int, *, bold: bool = False) -> str:
    """As much of one line as there is room for."""
    style = Style(bold=bold)
    text = seen(text).replace("\n", " ")[:300]
    if width_of(text, style, size) <= width:
        return text
    while text and width_of(f"{text}…", style, size) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _styled(rich: RichText, *, bold: bool) -> Iterator[tuple[str, Style]]:
    """Stretches of one style; addresses that stand in the text are links, as every messenger makes them."""
    text = rich.text[:MAX_LETTERS]
    marks = [(span.start, span.end, _TAGS.get(span.tag, {})) for span in rich.spans]
    marks += [(found.start(), found.end(), _TAGS["a"]) for found in _ADDRESS.finditer(text)]
    edges = sorted({0, len(text), *(min(edge, len(text)) for start, end, _mark in marks for edge in (start, end))})
    for start, end in pairwise(edges):
        style = Style(bold=bold)
        for begins, ends, mark in marks:
            if begins <= start and end <= ends:
                style = replace(style, **mark)
        yield from _with_emoji(text[start:end], style)


def _with_emoji(text: str, style: Style) -> Iterator[tuple[str, Style]]:
    at = 0
    for found in EMOJI.finditer(text):
        yield seen(text[at : found.start()]), style
        yield drawn_as(found[0]) or " ", replace(style, emoji=True)
        at = found.end()
    yield seen(text[at:]), style


class _Lines:
    """Collects words into lines."""

    def __init__(self, width: int, size: int) -> None:
        self._width = width
        self._size = size
        self._lines: list[Line] = []
        self._pieces: list[Piece] = []
        self._word: list[tuple[str, Style]] = []  # a word may change its style in the middle
        self._space = ("", Style())
        self._x = 0.0
        self._is_first = True  # word of its paragraph: spaces before it stay

    def add(self, found: str, style: Style) -> None:
        if style.emoji:
            self._word.append((found.strip(), style))
        elif found == "\n":
            self._end_word()
            self._end_line()
            self._is_first = True
        elif found.isspace():
            self._end_word()
            self._space = (self._space[0] + found, style)
        else:
            self._word += _shaped(found, style)

    def all(self) -> list[Line]:
        self._end_word()
        if self._pieces or not self._lines:
            self._end_line()
        return self._lines

    def _end_word(self) -> None:
        if not self._word:
            return
        gap = width_of(self._space[0], self._space[1], self._size) if self._space[0] else 0.0
        length = sum(width_of(text, style, self._size) for text, style in self._word)
        if self._pieces and self._x + gap + length > self._width:
            self._end_line()
        if self._space[0] and (self._pieces or self._is_first):
            self._put(*self._space)
        self._is_first = False
        self._space = ("", Style())
        for text, style in self._word:
            self._put_broken(text, style)
        self._word = []

    def _put_broken(self, text: str, style: Style) -> None:
        """Letter by letter where the word by itself is wider than a line."""
        self._begin(style)
        while self._x + width_of(text, style, self._size) > self._width:
            count = self._fitting(text, style)
            if count == len(text):
                break
            if count:
                self._put(text[:count], style)
            text = text[count:]
            self._end_line()
            self._begin(style)
        self._put(text, style)

    def _fitting(self, text: str, style: Style) -> int:
        """How many letters the line has room for; one at least where it is empty."""
        count, x = 0, self._x
        for letter in text:
            x += width_of(letter, style, self._size)
            if x > self._width:
                break
            count += 1
        return count or (0 if self._pieces else 1)

    def _begin(self, style: Style) -> None:
        if not self._pieces and (style.quote or style.code):
            self._x = float(_INDENT)

    def _put(self, text: str, style: Style) -> None:
        self._begin(style)
        width = width_of(text, style, self._size)
        self._pieces.append(Piece(text, style, self._x, width))
        self._x += width

    def _end_line(self) -> None:
        self._lines.append(Line(tuple(self._pieces)))
        self._pieces, self._x, self._space = [], 0.0, ("", Style())


def _shaped(token: str, style: Style) -> list[tuple[str, Style]]:
    """The token in stretches that are quickly measured; every letter that the font lacks by itself."""
    if token.isascii() or all(map(has_shape, token)):
        return [(token[at : at + _KEPT], style) for at in range(0, len(token), _KEPT)]
    return [(letter, style if has_shape(letter) else replace(style, blank=True)) for letter in token]
