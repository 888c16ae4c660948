"""The things of which a chat is made: words, pictures, files, places; each knows its height and draws itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

from PIL import Image, ImageOps

from bot.pictures.canvas import Canvas, Corners
from bot.pictures.letters import Line, Style, cut_to, width_of
from gateways.looks import Look

SIZE = 27  # px of letters: a picture of one column is twice as fine as a phone is wide
SMALL = 21
LEADING = 38

Shelf = Mapping[str, Image.Image]  # pictures by their source; one that could not be had is missing


class Block(Protocol):
    @property
    def height(self) -> int: ...

    def draw(self, canvas: Canvas, left: int, top: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Text:
    """Lines with the hour behind the last one, if there is one."""

    lines: Sequence[Line]
    width: int
    look: Look
    clock: str = ""
    size: int = SIZE

    @property
    def leading(self) -> int:
        return round(self.size * LEADING / SIZE)

    @property
    def has_room(self) -> bool:
        """Whether the hour fits behind the last line."""
        return self.lines[-1].width + 24 + width_of(self.clock, Style(), SMALL) <= self.width

    @property
    def height(self) -> int:
        return len(self.lines) * self.leading + (0 if not self.clock or self.has_room else SMALL + 6)

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        for number, line in enumerate(self.lines):
            y = top + number * self.leading
            if line.style.quote:
                canvas.box((left, y, left + 6, y + self.leading), self.look.accent)
            elif line.style.code:
                canvas.box((left, y, left + self.width, y + self.leading), "#e7eaee")
            canvas.text_line(line, left, y + self.size, self.size, self.look.ink, self.look.accent)
            canvas.solid.append((y, y + self.leading))
        if self.clock:
            bottom = top + self.height
            canvas.word((left + self.width, bottom - 7), self.clock, SMALL, self.look.quiet, anchor="rs")
            canvas.solid.append((bottom - self.leading, bottom))


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture, filled to its size; where it could not be had, its name."""

    source: str
    width: int
    height: int
    shelf: Shelf
    corners: Corners | int = 0

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        canvas.solid.append((top, top + self.height))
        picture = self.shelf.get(self.source)
        if picture is not None:
            canvas.paste(ImageOps.fit(picture, (self.width, self.height)), (left, top), self.corners)
            return
        canvas.box((left, top, left + self.width, top + self.height), "#dfe5ea", self.corners)
        x, y = left + self.width // 2, top + self.height // 2
        canvas.circle((x - 42, y - 52), 14, "#f2f5f7")
        hills = [(x - 90, y + 22), (x - 30, y - 46), (x + 16, y + 2), (x + 40, y - 20), (x + 90, y + 22)]
        canvas.shape(hills, "#f2f5f7")
        name = cut_to(_name_of(self.source), self.width - 40, SMALL)
        canvas.word((x, y + 52), name, SMALL, "#7d8790", anchor="mm")


@dataclass(frozen=True, slots=True)
class Grid:
    """An album."""

    sources: Sequence[str]
    width: int
    shelf: Shelf
    corners: Corners | int = 0

    @property
    def rows(self) -> list[Sequence[str]]:
        first = len(self.sources) % 2
        rows = [self.sources[:first]] if first else []
        return rows + [self.sources[at : at + 2] for at in range(first, len(self.sources), 2)]

    @property
    def height(self) -> int:
        return sum(self._high(row) for row in self.rows) + 4 * (len(self.rows) - 1)

    def _high(self, row: Sequence[str]) -> int:
        return self.width * (9 if len(row) == 1 else 6) // 16

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        radii = (self.corners,) * 4 if isinstance(self.corners, int) else self.corners
        rows = self.rows
        for number, row in enumerate(rows):
            high = self._high(row)
            wide = self.width if len(row) == 1 else (self.width - 4) // 2
            for place, source in enumerate(row):
                is_last = place == len(row) - 1
                corners = (
                    radii[0] if number == 0 and place == 0 else 0,
                    radii[1] if number == 0 and is_last else 0,
                    radii[2] if number == len(rows) - 1 and is_last else 0,
                    radii[3] if number == len(rows) - 1 and place == 0 else 0,
                )
                x = left if place == 0 else left + self.width - wide
                Shot(source, wide, high, self.shelf, corners).draw(canvas, x, top)
            top += high + 4


@dataclass(frozen=True, slots=True)
class Film:
    """A video: what is in it is not shown."""

    name: str
    width: int
    corners: Corners | int = 0

    @property
    def height(self) -> int:
        return self.width * 9 // 16

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        canvas.solid.append((top, top + self.height))
        canvas.box((left, top, left + self.width, top + self.height), "#39424c", self.corners)
        x, y = left + self.width // 2, top + self.height // 2
        canvas.circle((x, y), 48, "#ffffff")
        canvas.shape([(x - 15, y - 24), (x - 15, y + 24), (x + 26, y)], "#39424c")
        name = cut_to(self.name, self.width - 36, SMALL)
        canvas.word((left + 18, top + self.height - 18), name, SMALL, "#dfe5ea", anchor="ls")


@dataclass(frozen=True, slots=True)
class Paper:
    """A file with its name."""

    name: str
    under: str
    width: int
    look: Look
    height: int = 92

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        canvas.solid.append((top, top + self.height))
        canvas.box((left, top + 6, left + 66, top + 86), self.look.accent, 10)
        canvas.shape([(left + 44, top + 6), (left + 66, top + 28), (left + 66, top + 6)], self.look.bubble)
        canvas.shape([(left + 44, top + 6), (left + 44, top + 28), (left + 66, top + 28)], "#ffffff")
        ending = PurePosixPath(self.name).suffix[1:5].upper()
        canvas.word((left + 33, top + 60), ending, 20, "#ffffff", bold=True, anchor="mm")
        name = cut_to(self.name, self.width - 86, 28)
        canvas.word((left + 86, top + 42), name, 28, self.look.ink, anchor="ls")
        canvas.word((left + 86, top + 76), self.under, SMALL, self.look.quiet, anchor="ls")


@dataclass(frozen=True, slots=True)
class Place:
    """A location: a map of nowhere, with its coordinates."""

    latitude: float
    longitude: float
    width: int
    look: Look
    corners: Corners | int = 0
    height: int = 280

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        canvas.solid.append((top, top + self.height))
        sheet = Canvas(self.width, self.height, "#e6ede0")
        wide, high = self.width, self.height
        sheet.shape([(0, high * 0.62), (wide * 0.4, high * 0.8), (wide * 0.3, high), (0, high)], "#b9d9ec")
        for start, end in (((0.1, 0), (0.35, 1)), ((0.7, 0), (0.6, 1)), ((0, 0.3), (1, 0.16)), ((0, 0.72), (1, 0.6))):
            ends = ((int(start[0] * wide), int(start[1] * high)), (int(end[0] * wide), int(end[1] * high)))
            sheet.line(*ends, "#ffffff", 12)
        x, y = wide // 2, high // 2
        sheet.shape([(x - 25, y - 28), (x + 25, y - 28), (x, y + 22)], "#d64545")
        sheet.circle((x, y - 36), 28, "#d64545")
        sheet.circle((x, y - 36), 11, "#ffffff")
        words = f"{self.latitude:.5g}, {self.longitude:.5g}"
        half = int(width_of(words, Style(), SMALL)) // 2 + 16
        sheet.box((x - half, high - 52, x + half, high - 14), "#ffffff", 19)
        sheet.word((x, high - 33), words, SMALL, self.look.ink, anchor="mm")
        canvas.paste(sheet.image, (left, top), self.corners)


def shot_height(source: str, width: int, shelf: Shelf) -> int:
    """As high as the picture is, within what a messenger shows of it."""
    picture = shelf.get(source)
    if picture is None:
        return width * 9 // 16
    return max(min(width * picture.height // picture.width, width * 11 // 10), width * 2 // 5)


def _name_of(source: str) -> str:
    """Where a picture lies that is not here."""
    if source.startswith("media:"):
        return ""
    try:
        return urlsplit(source).hostname or source
    except ValueError:
        return source
