"""Buttons under a message, each messenger's way."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.pictures.canvas import Canvas
from bot.pictures.letters import Style, cut_to, width_of
from gateways.base import Outgoing
from gateways.looks import Keys, Look
from gateways.message import Button, Link

HEIGHT = 72
_GAP = 8
_SIZE = 26
_MOST_IN_BUBBLE = 3  # replies under a message of WhatsApp, and buttons in a card of Messenger; more stand otherwise
_PANEL_WIDTH = 720
_PANEL = "#e9e8f0"
_LINE = "#d8dce1"


@dataclass(frozen=True, slots=True)
class Keyboard:
    """`rows` of buttons; `is_inside`: they are a part of the bubble."""

    rows: Sequence[Sequence[Button]]
    width: int
    look: Look
    shape: Keys
    is_inside: bool = False
    opens: str = ""  # what stands on the button that opens a list of them

    @classmethod
    def rows_of_a_card(cls, buttons: Sequence[Button], look: Look, width: int) -> "Keyboard":
        return cls([(button,) for button in buttons], width, look, Keys.INSIDE, is_inside=True)

    @property
    def _is_chips(self) -> bool:
        return self.shape is Keys.STACK

    @property
    def height(self) -> int:
        if self.opens:
            return HEIGHT + _GAP * 2 + HEIGHT * len(self.rows)
        if self.shape is Keys.INSIDE:
            return HEIGHT * len(self.rows)
        if self._is_chips:
            return len(self._chip_rows()) * (HEIGHT - 8 + _GAP) - _GAP
        return len(self.rows) * (HEIGHT + _GAP) - _GAP + (2 * 16 if self.shape is Keys.PANEL else 0)

    def draw(self, canvas: Canvas, left: int, top: int) -> None:
        if self.opens:
            self._draw_list(canvas, left, top)
        elif self.shape is Keys.INSIDE:
            self._draw_inside(canvas, left, top)
        elif self._is_chips:
            self._draw_chips(canvas, left, top)
        elif self.shape is Keys.PANEL:
            canvas.box((left, top, left + _PANEL_WIDTH, top + self.height), _PANEL)
            self._draw_boxes(canvas, left + 16, top + 16, _PANEL_WIDTH - 32, 12)
        else:
            self._draw_boxes(canvas, left, top, self.width, 18)

    def _draw_boxes(self, canvas: Canvas, left: int, top: int, width: int, radius: int) -> None:
        for number, row in enumerate(self.rows):
            y = top + number * (HEIGHT + _GAP)
            wide = (width - _GAP * (len(row) - 1)) / len(row)
            for place, button in enumerate(row):
                x = left + round(place * (wide + _GAP))
                self._box(canvas, button, (x, y), round(wide), radius)

    def _box(self, canvas: Canvas, button: Button, at: tuple[int, int], width: int, radius: int) -> None:
        x, y = at
        canvas.solid.append((y, y + HEIGHT))
        canvas.box((x, y, x + width, y + HEIGHT), self.look.key, radius)
        label = cut_to(button.label, width - 40, _SIZE)
        canvas.label((x + width // 2, y + HEIGHT // 2), label, _SIZE, self.look.key_ink)
        if isinstance(button, Link):
            arrow(canvas, (x + width - 22, y + 20), self.look.key_ink)

    def _draw_inside(self, canvas: Canvas, left: int, top: int) -> None:
        for number, row in enumerate(self.rows):
            y = top + number * HEIGHT
            canvas.line((left + 2, y), (left + self.width - 2, y), _LINE)
            self._line_of(canvas, row[0], (left, y))

    def _line_of(self, canvas: Canvas, button: Button, at: tuple[int, int]) -> None:
        x, y = at
        canvas.solid.append((y, y + HEIGHT))
        label = cut_to(button.label, self.width - 90, _SIZE)
        shift = 16 if isinstance(button, Link) else 0
        middle = (x + self.width // 2 + shift, y + HEIGHT // 2)
        canvas.label(middle, label, _SIZE, self.look.accent)
        if isinstance(button, Link):
            arrow(canvas, (middle[0] - round(width_of(label, Style(), _SIZE) / 2) - 22, middle[1]), self.look.accent)

    def _draw_list(self, canvas: Canvas, left: int, top: int) -> None:
        """The button, and the list that it opens."""
        canvas.solid.append((top, top + HEIGHT))
        canvas.line((left + 2, top), (left + self.width - 2, top), _LINE)
        middle = (left + self.width // 2, top + HEIGHT // 2)
        canvas.label(middle, cut_to(self.opens, self.width - 60, _SIZE), _SIZE, self.look.accent)
        y = top + HEIGHT + _GAP
        canvas.box((left + 16, y, left + self.width - 16, y + HEIGHT * len(self.rows)), "#f4f6f5", 16)
        for number, row in enumerate(self.rows):
            here = y + number * HEIGHT
            canvas.solid.append((here, here + HEIGHT))
            if number:
                canvas.line((left + 36, here), (left + self.width - 36, here), _LINE)
            label = cut_to(row[0].label, self.width - 140, _SIZE)
            canvas.label((left + 36, here + HEIGHT // 2), label, _SIZE, self.look.ink, anchor="lm")
            canvas.circle((left + self.width - 52, here + HEIGHT // 2), 15, "#aab3b0")
            canvas.circle((left + self.width - 52, here + HEIGHT // 2), 12, "#f4f6f5")

    def _chip_rows(self) -> list[list[tuple[Button, int]]]:
        rows: list[list[tuple[Button, int]]] = [[]]
        x = 0
        for button in (button for row in self.rows for button in row):
            wide = min(round(width_of(cut_to(button.label, self.width - 60, _SIZE), Style(), _SIZE)) + 60, self.width)
            if rows[-1] and x + wide > self.width:
                rows.append([])
                x = 0
            rows[-1].append((button, wide))
            x += wide + _GAP
        return rows

    def _draw_chips(self, canvas: Canvas, left: int, top: int) -> None:
        for number, row in enumerate(self._chip_rows()):
            y, x = top + number * (HEIGHT - 8 + _GAP), left
            canvas.solid.append((y, y + HEIGHT - 8))
            for button, wide in row:
                canvas.box((x, y, x + wide, y + HEIGHT - 8), "#ffffff", 34, outline=self.look.accent)
                label = cut_to(button.label, wide - 50, _SIZE)
                canvas.label((x + wide // 2, y + (HEIGHT - 8) // 2), label, _SIZE, self.look.accent)
                x += wide + _GAP


def keyboard_of(out: Outgoing, look: Look, width: int) -> Keyboard | None:
    if not out.buttons:
        return None
    buttons = [button for row in out.buttons for button in row]
    one_each = [(button,) for button in buttons]
    if look.keys is Keys.INSIDE:
        opens = ""
        if len(buttons) > _MOST_IN_BUBBLE:
            opens = f"≡  {out.part.extra.get('list_button') or ''}".rstrip()
        return Keyboard(one_each, width, look, Keys.INSIDE, is_inside=True, opens=opens)
    if look.keys is Keys.STACK:
        as_chips = len(buttons) > _MOST_IN_BUBBLE or not out.text.text.strip()
        if as_chips and not any(isinstance(button, Link) for button in buttons):
            return Keyboard(one_each, width, look, Keys.STACK)
        return Keyboard(one_each, width, look, Keys.INSIDE, is_inside=True)
    return Keyboard(out.buttons, width, look, look.keys)


def arrow(canvas: Canvas, middle: tuple[int, int], ink: str) -> None:
    """The sign of a link: it leads out."""
    x, y = middle
    canvas.line((x - 7, y + 7), (x + 7, y - 7), ink, 3)
    canvas.line((x - 4, y - 7), (x + 7, y - 7), ink, 3)
    canvas.line((x + 7, y - 7), (x + 7, y + 4), ink, 3)
