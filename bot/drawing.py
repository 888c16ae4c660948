"""Paper, colours and type of our pictures: one column as wide as a phone, in letters that can be read there.

Nothing of matplotlib's global state is touched, and it is imported when something is drawn, not before."""

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any, Final

_DPI: Final = 150
_WIDTH: Final = 7.2  # inches: 1,080 pixels
_MARGIN: Final = 0.42
_RIGHT: Final = _WIDTH - _MARGIN
_FULL: Final = _RIGHT - _MARGIN
_FONT: Final = "DejaVu Sans"  # matplotlib brings it: the same picture on every machine


@dataclass(frozen=True, slots=True)
class Look:
    """Colours, told apart by those too who see no red or no green."""

    paper: str
    ink: str
    quiet: str
    track: str
    sent: str
    good: str
    acted: str
    failed: str
    other: str


LIGHT: Final = Look(
    paper="#fffefb",
    ink="#23262a",
    quiet="#62625d",
    track="#ebe8e0",
    sent="#1f6f8b",
    good="#46a095",
    acted="#c58a2c",
    failed="#b3402f",
    other="#a59d8c",
)
DARK: Final = Look(
    paper="#1c2124",
    ink="#e6e4de",
    quiet="#a3a59f",
    track="#30373b",
    sent="#58a9c7",
    good="#7fcabb",
    acted="#dcaa55",
    failed="#ea8474",
    other="#8d897e",
)


@dataclass(frozen=True, slots=True)
class Type:
    points: float  # as wide as a phone's 360 dp the picture shows them at 0.69 dp each
    bold: bool = False


_TITLE: Final = Type(23, bold=True)
_TEXT: Final = Type(17)
_NUMBER: Final = Type(17, bold=True)
_SMALL: Final = Type(14.5)

Pieces = Sequence[tuple[float, str]]  # of a bar from the left: shares of its full length, and their colours


class Sheet:
    """A picture that grows downwards: each method puts something below what stands there already."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._y = _MARGIN
        self._work: list[Callable[[Any, float], object]] = []  # on the figure, so many inches high

    def title(self, words: str, under: str) -> None:
        for line in _wrapped(words or under, _FULL, _TITLE, most=2):
            self._y += 0.36
            self._write(_MARGIN, line, _TITLE, self.look.ink)
            self._y += 0.06
        if under:
            self._y += 0.27
            self._write(_MARGIN, _cut(under, _FULL, _SMALL), _SMALL, self.look.quiet)
        self._y += 0.18

    def heading(self, words: str) -> None:
        self._y += 0.5
        self._write(_MARGIN, _cut(words, _FULL, _SMALL), _SMALL, self.look.quiet)
        self._y += 0.04

    def line(self, words: str) -> None:
        """A quiet line of text, in as many lines as it takes."""
        for line in _wrapped(words, _FULL, _SMALL, most=4):
            self._y += 0.27
            self._write(_MARGIN, line, _SMALL, self.look.quiet)
        self._y += 0.1

    def row(self, words: str, told: str, more: str = "", bars: Sequence[Pieces] = ()) -> None:
        """A name at the left, its number and what is said quietly beside it at the right, bars beneath."""
        self._y += 0.38
        right = _RIGHT
        if more:
            more = _cut(more, _FULL * 0.55, _SMALL)
            self._write(right, more, _SMALL, self.look.quiet, at_right=True)
            right -= _width(more, _SMALL) + 0.14
        # Words instead of a number stay quiet, and give way to the name.
        is_number = told[:1].isdecimal()
        room = right - _MARGIN - 0.2
        told = told if is_number else _cut(told, room - min(_width(words, _TEXT), room / 2), _SMALL)
        kind, colour = (_NUMBER, self.look.ink) if is_number else (_SMALL, self.look.quiet)
        self._write(right, told, kind, colour, at_right=True)
        room -= _width(told, kind)
        self._write(_MARGIN, _cut(words, room, _TEXT), _TEXT, self.look.ink)
        self._y += 0.1
        for pieces in bars:
            self._bar(pieces)
            self._y += 0.18

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """What the colours mean, in as many lines as it takes."""
        x, self._y = _MARGIN, self._y + 0.36
        for named, colour in entries:
            words = _cut(named, _FULL - 0.26, _SMALL)
            wide = 0.26 + _width(words, _SMALL)
            if x > _MARGIN and x + wide > _RIGHT:
                x, self._y = _MARGIN, self._y + 0.3
            self._box(x, self._y - 0.15, 0.16, 0.16, colour, round_by=0.03)
            self._write(x + 0.26, words, _SMALL, self.look.quiet)
            x += wide + 0.3
        self._y += 0.08

    def plot(self, height: float, left: float, draw: Callable[[Any], object]) -> None:
        """Axes of so many inches; `left` of them are for the numbers beside."""
        self._y += 0.15
        bottom = self._y + height
        self._y += height + 0.42

        def work(figure: Any, full: float) -> None:
            place = ((_MARGIN + left) / _WIDTH, 1 - bottom / full, (_FULL - left) / _WIDTH, height / full)
            draw(self._plain(figure.add_axes(place)))

        self._work.append(work)

    def png(self) -> bytes:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure  # without pyplot: no display, nothing global
        from PIL import Image

        height = self._y + _MARGIN
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor=self.look.paper)
        canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves it untyped
        for work in self._work:
            work(figure, height)
        canvas.draw()
        written = BytesIO()
        drawn = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
        drawn.convert("RGB").save(written, "png")
        return written.getvalue()

    # --- within

    def _write(self, x: float, words: str, kind: Type, colour: str, *, at_right: bool = False) -> None:
        y = self._y

        def work(figure: Any, full: float) -> None:
            inches = figure.dpi_scale_trans
            text = figure.text(x, full - y, words, transform=inches, va="baseline", parse_math=False)
            text.set(color=colour, family=_FONT, size=kind.points, weight="bold" if kind.bold else "normal")
            text.set_ha("right" if at_right else "left")

        self._work.append(work)

    def _bar(self, pieces: Pieces) -> None:
        self._box(_MARGIN, self._y, _FULL, 0.13, self.look.track, round_by=0.065)
        x = _MARGIN
        for share, colour in pieces:
            wide = min(max(share, 0.0), (_RIGHT - x) / _FULL) * _FULL
            if wide > 0:
                self._box(x, self._y, max(wide, 0.03), 0.13, colour, round_by=min(0.065, wide / 2))
            x += wide

    def _box(self, x: float, y: float, wide: float, high: float, colour: str, *, round_by: float) -> None:
        def work(figure: Any, full: float) -> None:
            from matplotlib.patches import FancyBboxPatch

            style = f"round,pad=0,rounding_size={round_by}"
            box = FancyBboxPatch((x, full - y - high), wide, high, boxstyle=style, facecolor=colour, linewidth=0)
            box.set_transform(figure.dpi_scale_trans)
            figure.add_artist(box)

        self._work.append(work)

    def _plain(self, axes: Any) -> Any:
        """Axes without a frame, with quiet lines and numbers."""
        axes.set_facecolor(self.look.paper)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.grid(visible=True, axis="y", color=self.look.track, linewidth=1.2)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, pad=6, labelsize=_SMALL.points, labelcolor=self.look.quiet, labelfontfamily=_FONT)
        axes.tick_params(axis="x", pad=12)
        return axes


def drawable(words: str) -> str:
    """The words on one line, without the letters that the font lacks: those would be boxes."""
    font = _font(bold=False)
    kept = (one for one in unicodedata.normalize("NFC", words) if one.isspace() or font.get_char_index(ord(one)))
    return " ".join("".join(kept).split())


def _width(words: str, kind: Type) -> float:
    """Inches."""
    font = _font(bold=kind.bold)
    font.set_size(kind.points, 72)
    font.set_text(words, 0)
    width: float = font.get_width_height()[0] / 64 / 72
    return width


def _cut(words: str, room: float, kind: Type) -> str:
    if _width(words, kind) <= room:
        return words
    most = bisect_right(range(len(words)), room, key=lambda length: _width(f"{words[:length]}…", kind))
    return f"{words[: max(most - 1, 0)].rstrip()}…"


def _wrapped(words: str, room: float, kind: Type, *, most: int) -> list[str]:
    """In lines that fit; what is over the `most` of them is cut off."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or len(lines) == most or _width(longer, kind) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_cut(line, room, kind) for line in lines]


def _font(*, bold: bool) -> Any:
    from matplotlib.font_manager import get_font

    return get_font(_font_file("bold" if bold else "normal"))


@cache
def _font_file(weight: str) -> str:
    from matplotlib.font_manager import FontProperties, findfont

    return str(findfont(FontProperties(family=_FONT, weight=weight)))
