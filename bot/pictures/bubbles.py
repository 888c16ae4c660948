"""A message in its bubble, with its buttons as the messenger shows them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from bot.pictures.blocks import SIZE, SMALL, Block, Film, Grid, Paper, Place, Shelf, Shot, Text, shot_height
from bot.pictures.canvas import Canvas, Corners
from bot.pictures.keys import Keyboard, keyboard_of
from bot.pictures.letters import Line, Style, lay_out, width_of
from bot.pictures.scene import Words
from gateways.base import Outgoing, PartKind
from gateways.looks import Keys, Look
from gateways.markup import RichText
from gateways.message import Card

COLUMN = 720  # px: a phone's width, twice as fine
EDGE = 20
_PAD = 22
_FACE = 60
_WIDEST = 600
_GAP = 12
_MEDIA = frozenset({PartKind.PICTURE, PartKind.ALBUM, PartKind.VIDEO, PartKind.LOCATION})


@dataclass(frozen=True, slots=True)
class Bubble:
    """`content` from top to bottom, each with the room on its sides; a card of buttons may follow inside."""

    content: Sequence[tuple[int, Block]]
    width: int
    look: Look
    corners: Corners
    is_bare: bool = False
    inside: Keyboard | None = None

    @property
    def _padding(self) -> int:
        return 0 if self.is_bare else 16

    @property
    def height(self) -> int:
        inner = sum(block.height for _pad, block in self.content) + _GAP * (len(self.content) - 1)
        above = self._above + self._below
        return inner + above + (self.inside.height if self.inside else 0)

    @property
    def _above(self) -> int:
        return self._padding if self.content and self.content[0][0] else 0

    @property
    def _below(self) -> int:
        return self._padding if self.content and self.content[-1][0] else 0

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        if not self.is_bare:
            if self.look.beak and self._above:
                canvas.shape([(left - 14, top), (left + 12, top), (left + 12, top + 22)], self.look.bubble)
            canvas.box((left, top, left + self.width, top + self.height), self.look.bubble, self.corners)
        canvas.solid.append((top, top + self._above))
        y = top + self._above
        for pad, block in self.content:
            block.draw(canvas, left + pad, y)
            y += block.height + _GAP
        if self.inside:
            self.inside.draw(canvas, left, top + self.height - self.inside.height)


@dataclass(frozen=True, slots=True)
class Said:
    """One part of the message: its bubbles and what stands under them."""

    blocks: Sequence[tuple[int, Block]]  # with the left edge
    look: Look
    letter: str

    @property
    def height(self) -> int:
        return sum(block.height for _left, block in self.blocks) + 8 * (len(self.blocks) - 1)

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        y = top
        bottom = y
        for at, block in self.blocks:
            block.draw(canvas, left + at, y)
            if isinstance(block, Bubble):
                bottom = y + block.height
            y += block.height + 8
        if self.look.face and bottom > top:
            middle = (left + EDGE + _FACE // 2, bottom - _FACE // 2)
            draw_face(canvas, middle, _FACE // 2, self.letter, self.look.accent, "#ffffff")


def draw_face(canvas: Canvas, middle: tuple[int, int], radius: int, letter: str, fill: str, ink: str) -> None:
    canvas.circle(middle, radius, fill)
    canvas.word(middle, letter, radius, ink, bold=True, anchor="mm")


def said(out: Outgoing, text: RichText, look: Look, shelf: Shelf, words: Words, clock: str, letter: str) -> Said:
    """`text` as the messenger shows it."""
    left = EDGE + (_FACE + 14 if look.face else (10 if look.beak else 0))
    wide = min(_WIDEST, COLUMN - left - 50)
    media = _media(out, look, shelf, words, wide)
    lines = lay_out(text, wide - 2 * _PAD, SIZE) if text.text.strip() else []
    keyboard = keyboard_of(out, look, wide)
    inside = keyboard if keyboard is not None and keyboard.is_inside else None
    blocks: list[tuple[int, Block]] = []
    if out.cards:
        if lines:
            blocks.append((left, _bubble([], lines, look, wide, clock)))
        blocks += [(left, row) for row in _card_rows(out.cards, look, shelf, COLUMN - left - EDGE)]
    elif look.bare_media and media is not None and out.part.kind in _MEDIA:
        blocks.append((left, Bubble([(0, media)], wide, look, (0, 0, 0, 0), is_bare=True)))
        if lines or inside:
            blocks.append((left, _bubble([], lines, look, wide, clock, inside)))
    else:
        held = [(0 if out.part.kind in _MEDIA else _PAD, media)] if media is not None else []
        blocks.append((left, _bubble(held, lines, look, wide, clock, inside)))
    if keyboard is not None and not keyboard.is_inside:
        blocks.append((0 if look.keys is Keys.PANEL else left, keyboard))
    return Said(blocks, look, letter)


def _bubble(
    media: Sequence[tuple[int, Block]],
    lines: Sequence[Line],
    look: Look,
    wide: int,
    clock: str,
    inside: Keyboard | None = None,
) -> Bubble:
    content = list(media)
    if lines:
        hour = width_of(clock, Style(), SMALL)
        longest = max(line.width for line in lines)
        needed = int(max(longest, min(lines[-1].width + 24 + hour, wide - 2 * _PAD))) + 2 * _PAD + 2
        wide = wide if media or inside or any(line.style.code for line in lines) else needed
        words = Text(lines, wide - 2 * _PAD, look, clock)
        content = [(_PAD, words), *media] if look.text_first else [*media, (_PAD, words)]
    return Bubble(content, wide, look, corners_of(look), inside=inside)


def corners_of(look: Look) -> Corners:
    """The bubble's own corner is the lower left one, or with a point the upper left one."""
    if look.beak:
        return look.corner, look.radius, look.radius, look.radius
    return look.radius, look.radius, look.radius, look.corner


def _media(out: Outgoing, look: Look, shelf: Shelf, words: Words, wide: int) -> Block | None:
    part = out.part
    has_words = bool(out.text.text.strip())
    corners = corners_of(look) if look.bare_media else _media_corners(look, has_words)
    match part.kind:
        case PartKind.PICTURE if part.media:
            return Shot(part.media[0], wide, shot_height(part.media[0], wide, shelf), shelf, corners)
        case PartKind.ALBUM:
            return Grid(part.media, wide, shelf, corners)
        case PartKind.VIDEO:
            return Film(part.name or words.video, wide, corners)
        case PartKind.FILE:
            name = part.name or _last(part.media) or words.file
            return Paper(name, words.file, wide - 2 * _PAD, look)
        case PartKind.LOCATION:
            return Place(part.latitude, part.longitude, wide, look, corners)
    return None


def _media_corners(look: Look, has_words: bool) -> Corners:
    first, second, third, fourth = corners_of(look)
    if not has_words:
        return first, second, third, fourth
    return (0, 0, third, fourth) if look.text_first else (first, second, 0, 0)


def _last(media: Sequence[str]) -> str:
    return "" if not media or media[0].startswith("media:") else PurePosixPath(media[0].partition("?")[0]).name


# --- carousels


@dataclass(frozen=True, slots=True)
class _CardBox:
    """One card of a carousel."""

    picture: Shot | None
    title: Text
    text: Text | None
    keys: Keyboard | None
    width: int
    look: Look

    @property
    def height(self) -> int:
        words = self.title.height + (self.text.height if self.text else 0) + 28
        return (self.picture.height if self.picture else 0) + words + (self.keys.height if self.keys else 0)

    def draw_in(self, canvas: Canvas, left: int, top: int, height: int) -> None:
        canvas.box((left, top, left + self.width, top + height), "#ffffff", 20, outline="#d5dae0")
        y = top
        if self.picture:
            self.picture.draw(canvas, left, y)
            y += self.picture.height
        y += 14
        self.title.draw(canvas, left + 18, y)
        if self.text:
            self.text.draw(canvas, left + 18, y + self.title.height)
        if self.keys:
            self.keys.draw(canvas, left, top + height - self.keys.height)


@dataclass(frozen=True, slots=True)
class _CardRow:
    cards: Sequence[_CardBox]

    @property
    def height(self) -> int:
        return max(card.height for card in self.cards)

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        canvas.solid.append((top, top + self.height))
        for number, card in enumerate(self.cards):
            card.draw_in(canvas, left + number * (card.width + 16), top, self.height)


def _card_rows(cards: Sequence[Card], look: Look, shelf: Shelf, wide: int) -> list[_CardRow]:
    """Two cards beside each other; clients push them sideways, a picture shows them all."""
    width = (wide - 16) // 2
    boxes = [_card_box(card, replace(look, bubble="#ffffff"), shelf, width) for card in cards]
    return [_CardRow(boxes[at : at + 2]) for at in range(0, len(boxes), 2)]


def _card_box(card: Card, look: Look, shelf: Shelf, width: int) -> _CardBox:
    room = width - 36
    title = Text(lay_out(RichText(card.title), room, 26, bold=True), room, look, size=26)
    lines = lay_out(RichText(card.text), room, 24) if card.text else ()
    text = Text(lines, room, replace(look, ink=look.quiet), size=24) if lines else None
    shot = Shot(card.picture, width, width * 5 // 8, shelf, (20, 20, 0, 0)) if card.picture else None
    keys = Keyboard.rows_of_a_card(card.buttons, look, width) if card.buttons else None
    return _CardBox(shot, title, text, keys, width, look)
