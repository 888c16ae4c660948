"""A message as a picture: one messenger's screen with the message in it."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

from PIL import Image

from bot.pictures.blocks import SMALL, Block, Shelf
from bot.pictures.bubbles import COLUMN, EDGE, draw_face, said
from bot.pictures.canvas import Canvas
from bot.pictures.fonts import has_shape
from bot.pictures.letters import Style, cut_to, width_of
from bot.pictures.scene import Note, Scene, as_shown
from gateways.looks import Look

HEAD = 112
_FOOT = 76
_LOWEST = 300
TALLEST = 1360  # px of a column: a picture of one column is shown as large as a phone's screen
MOST_COLUMNS = 4
_GAP = 18
_BETWEEN = "#c3c9cf"  # columns


def draw(scene: Scene, shelf: Shelf) -> bytes:
    """The picture as PNG. A long message goes on in further columns; what is longer still is told."""
    look = scene.look
    most = (MOST_COLUMNS + 1) * TALLEST
    blocks: list[tuple[int, Block]] = []
    height = EDGE
    for block in _blocks(scene, look, shelf):
        blocks.append((height, block))
        height += block.height + _GAP
        if height > most:
            break
    sheet = Canvas(COLUMN, min(height, most), look.paper)
    for top, block in blocks:
        block.draw(sheet, 0, top)
    return _png(_page(scene, look, sheet, min(height, most)))


def _blocks(scene: Scene, look: Look, shelf: Shelf) -> Iterator[Block]:
    letter = _initial(scene.name)
    for part in scene.parts:
        if isinstance(part, Note):
            yield _Pill(part.text, look)
        else:
            text = as_shown(part.text, scene.markup, links_in_words=look.links_in_words)
            yield said(part, text, look, shelf, scene.words, scene.clock, letter)


class _Pill:
    """A line in the middle, between messages."""

    height = 52

    def __init__(self, text: str, look: Look) -> None:
        self._text = cut_to(text, COLUMN - 80, SMALL)
        self._look = look

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        canvas.solid.append((top, top + 2 * self.height))
        half = round(width_of(self._text, Style(), SMALL) / 2) + 22
        middle = left + COLUMN // 2
        canvas.box((middle - half, top + 4, middle + half, top + 48), "#f4f1c9", 22)
        canvas.word((middle, top + 26), self._text, SMALL, "#5c5836", anchor="mm")


def _page(scene: Scene, look: Look, sheet: Canvas, height: int) -> Image.Image:
    """The head over the columns into which the sheet is cut."""
    cuts = _cuts(sheet.solid, height)
    columns = list(pairwise(cuts))
    tall = max(EDGE + max(end - start for start, end in columns), _LOWEST)
    goes_on = cuts[-1] < height
    page = Canvas(len(columns) * (COLUMN + 2) - 2, HEAD + tall + (_FOOT if goes_on else 0), look.paper)
    for number, (start, end) in enumerate(columns):
        left = number * (COLUMN + 2)
        page.image.paste(sheet.image.crop((0, start, COLUMN, end)), (left, HEAD + (EDGE if number else 0)))
        if number:
            page.box((left - 2, HEAD, left, page.image.height), _BETWEEN)
    if goes_on:
        _tell_more(page, scene, look)
    _head(page, scene, look)
    return page.image


def _cuts(solid: Sequence[tuple[int, int]], height: int) -> list[int]:
    """Where the sheet is cut, its beginning and its end with them: nowhere through a line or a picture."""
    cuts = [0]
    while cuts[-1] < height and len(cuts) <= MOST_COLUMNS:
        end = cuts[-1] + TALLEST
        if end >= height:
            end = height
        else:
            begins = {start for start, ends in solid if start < end < ends}
            while begins and min(begins) > cuts[-1]:
                end = min(begins)
                begins = {start for start, ends in solid if start < end < ends}
        cuts.append(end)
    return cuts


def _tell_more(page: Canvas, scene: Scene, look: Look) -> None:
    width, height = page.image.size
    text = f"{scene.words.more} …"
    half = round(width_of(text, Style(), SMALL) / 2) + 22
    middle = width - COLUMN // 2
    page.box((middle - half, height - 62, middle + half, height - 14), look.accent, 24)
    page.word((middle, height - 38), text, SMALL, "#ffffff", anchor="mm")


def _head(page: Canvas, scene: Scene, look: Look) -> None:
    width = page.image.size[0]
    page.box((0, 0, width, HEAD), look.head)
    if look.head in ("#ffffff", look.paper) or look.head_ink != "#ffffff":
        page.line((0, HEAD - 1), (width, HEAD - 1), "#d9dde2")
    colours = (look.accent, "#ffffff") if look.head_ink != "#ffffff" else ("#ffffff", look.head)
    draw_face(page, (EDGE + 38, HEAD // 2), 36, _initial(scene.name), *colours)
    name = cut_to(scene.name, COLUMN - 140, 30, bold=True)
    page.label((EDGE + 94, 40), name, 30, look.head_ink, anchor="lm", bold=True)
    quiet = look.quiet if look.head_ink != "#ffffff" else "#e6e9f2"
    page.word((EDGE + 94, 86), cut_to(scene.under, COLUMN - 140, 24), 24, quiet, anchor="ls")


def _initial(name: str) -> str:
    return next((letter.upper() for letter in name if letter.isalnum() and has_shape(letter)), "?")


def _png(image: Image.Image) -> bytes:
    """Written by hand: Pillow compresses without letting anybody else work meanwhile, zlib lets them."""
    width, height = image.size
    raw, row = image.tobytes(), 3 * width
    lines = b"".join(b"\0" + raw[at : at + row] for at in range(0, len(raw), row))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits each of red, green and blue
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
