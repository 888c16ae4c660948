"""A sheet to draw on: smooth shapes, text, and the places where it may be cut."""

from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw

from bot.pictures.fonts import font
from bot.pictures.letters import Line, Piece, font_of, lay_out
from gateways.markup import RichText

_SMOOTH = 4  # times as large, and made smaller: Pillow's own edges are jagged
_COLOURS = {"✔": "#2f9e57", "★": "#eeb021", "✦": "#eeb021", "✘": "#d64545", "❤": "#e0405e"}  # of emoji
_FACE, _FACE_INK = "#f6c445", "#7a5a10"

Box = tuple[int, int, int, int]  # left, top, right, bottom
Corners = tuple[int, int, int, int]  # radius: top left, top right, bottom right, bottom left


class Canvas:
    """`solid` collects what must not be cut: from one height to another."""

    def __init__(self, width: int, height: int, paper: str) -> None:
        self.image = Image.new("RGB", (width, height), paper)
        self._draw = ImageDraw.Draw(self.image)
        self.solid: list[tuple[int, int]] = []

    def box(self, box: Box, fill: str, corners: Corners | int = 0, outline: str = "") -> None:
        """A rectangle with round corners."""
        left, top, right, bottom = box
        if outline:
            self.box(box, outline, corners)
            self.box((left + 2, top + 2, right - 2, bottom - 2), fill, _inner(corners))
            return
        radii = (corners,) * 4 if isinstance(corners, int) else corners
        most = max(min(right - left, bottom - top) // 2, 0)
        mask = Image.new("L", (right - left, bottom - top), 255)
        for number, radius in enumerate(radii):
            if radius := min(radius, most):
                corner = _corner(radius, number)
                mask.paste(corner, _place(number, mask.size, radius))
        self.image.paste(Image.new("RGB", mask.size, fill), (left, top), mask)

    def paste(self, picture: Image.Image, at: tuple[int, int], corners: Corners | int = 0) -> None:
        """A picture with round corners."""
        radii = (corners,) * 4 if isinstance(corners, int) else corners
        mask = Image.new("L", picture.size, 255)
        for number, radius in enumerate(radii):
            if radius:
                mask.paste(_corner(radius, number), _place(number, mask.size, radius))
        self.image.paste(picture, at, mask)

    def circle(self, middle: tuple[int, int], radius: int, fill: str) -> None:
        x, y = middle
        self.box((x - radius, y - radius, x + radius, y + radius), fill, radius)

    def shape(self, points: Sequence[tuple[float, float]], fill: str) -> None:
        """A polygon."""
        xs, ys = [x for x, _y in points], [y for _x, y in points]
        left, top = int(min(xs)), int(min(ys))
        size = (int(max(xs)) - left + 1, int(max(ys)) - top + 1)
        mask = Image.new("L", (size[0] * _SMOOTH, size[1] * _SMOOTH), 0)
        ImageDraw.Draw(mask).polygon([((x - left) * _SMOOTH, (y - top) * _SMOOTH) for x, y in points], fill=255)
        self.image.paste(Image.new("RGB", size, fill), (left, top), mask.resize(size, Image.Resampling.BOX))

    def line(self, start: tuple[int, int], end: tuple[int, int], fill: str, width: int = 2) -> None:
        self._draw.line((start, end), fill=fill, width=width)

    def word(
        self, at: tuple[float, float], text: str, size: int, fill: str, *, bold: bool = False, anchor: str = "la"
    ) -> None:
        """One line of text; `anchor` as Pillow names it."""
        self._draw.text(at, text, fill=fill, font=font(size, bold=bold), anchor=anchor)

    def label(
        self, at: tuple[int, int], text: str, size: int, fill: str, *, anchor: str = "mm", bold: bool = False
    ) -> None:
        """One line with its emoji, in the middle of a place; with the anchor "lm" from there on."""
        (line, *_more) = lay_out(RichText(text), 10_000, size, bold=bold)
        left = at[0] - (round(line.width / 2) if anchor == "mm" else 0)
        self.text_line(line, left, at[1] + size * 9 // 25, size, fill, fill)

    def text_line(self, line: Line, left: int, baseline: int, size: int, ink: str, link: str) -> None:
        for piece in line.pieces:
            self._piece(piece, left + piece.x, baseline, size, link if piece.style.link else ink)

    def _piece(self, piece: Piece, x: float, baseline: int, size: int, ink: str) -> None:
        style = piece.style
        if style.hidden:
            self.box((int(x), baseline - size + 4, int(x + piece.width), baseline + 6), "#b9bfc6", 6)
            return
        if style.emoji:
            self._emoji(piece, x, baseline, size, ink)
            return
        if style.blank:
            self.box((int(x + 2), baseline - size + 6, int(x + piece.width - 2), baseline + 2), "#d5d9de", 5)
            return
        self._draw.text((x, baseline), piece.text, fill=ink, font=font_of(style, size), anchor="ls")
        for is_drawn, rise in ((style.underlined or style.link, -4), (style.struck, size // 3)):
            if is_drawn:
                y = baseline - rise
                self._draw.line((x, y, x + piece.width, y), fill=ink, width=2)

    def _emoji(self, piece: Piece, x: float, baseline: int, size: int, ink: str) -> None:
        middle = (int(x + piece.width / 2), baseline - size // 3)
        if len(piece.text) > 1:  # a flag
            half = int(piece.width / 2) - 3
            self.box((middle[0] - half, middle[1] - size // 2, middle[0] + half, middle[1] + size // 2), "#4a78b8", 6)
            self.word(middle, piece.text, size * 2 // 3, "#ffffff", bold=True, anchor="mm")
        elif piece.text:
            colour = _COLOURS.get(piece.text, ink)
            self._draw.text((middle[0], baseline), piece.text, fill=colour, font=font(size), anchor="ms")
        else:
            radius = size // 2
            self.circle(middle, radius, _FACE)
            for side in (-1, 1):
                self.circle((middle[0] + side * radius // 3, middle[1] - radius // 4), max(radius // 7, 1), _FACE_INK)
            box = [middle[0] - radius // 2, middle[1] - radius // 2, middle[0] + radius // 2, middle[1] + radius // 2]
            self._draw.arc(box, 25, 155, fill=_FACE_INK, width=2)


@lru_cache(maxsize=128)
def _corner(radius: int, number: int) -> Image.Image:
    """A quarter of a disc: 0 the top left one, then clockwise."""
    disc = Image.new("L", (radius * 2 * _SMOOTH,) * 2, 0)
    ImageDraw.Draw(disc).ellipse((0, 0, radius * 2 * _SMOOTH - 1, radius * 2 * _SMOOTH - 1), fill=255)
    disc = disc.resize((radius * 2, radius * 2), Image.Resampling.BOX)
    left, top = (0 if number in (0, 3) else radius), (0 if number in (0, 1) else radius)
    return disc.crop((left, top, left + radius, top + radius))


def _place(number: int, size: tuple[int, int], radius: int) -> tuple[int, int]:
    return 0 if number in (0, 3) else size[0] - radius, 0 if number in (0, 1) else size[1] - radius


def _inner(corners: Corners | int) -> Corners | int:
    if isinstance(corners, int):
        return max(corners - 2, 0)
    first, second, third, fourth = (max(radius - 2, 0) for radius in corners)
    return first, second, third, fourth
