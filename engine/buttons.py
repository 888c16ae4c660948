"""The buttons of one element made to fit: which of a kind's sets they go by, and what becomes of the others."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from engine.errors import Invalid, _
from engine.expressions import Fields, compile_expression, has_expressions, literal_text, parse_expressions
from engine.losses import Losses
from engine.short_texts import texts_of
from engine.values import is_absolute
from gateways.base import ButtonSet, Capabilities
from gateways.markup import escape_values
from gateways.message import Button, Link, Rows

_SCHEMES = ("https://", "http://", "tg://")


@dataclass(frozen=True, slots=True)
class Under:
    """What stands under a text: rows of buttons, and before them lines (of our HTML subset) for links without one."""

    rows: Rows = ()
    lines: tuple[str, ...] = ()


def fit_buttons(rows: Rows, able: Capabilities, losses: Losses) -> Under:
    """The set that holds most of them decides, the first of several: replies and purchases before links. A link that
    it has no room for goes into the text, any other button is left out. Raises Invalid for one that is none."""
    buttons = [button for row in rows for button in row]
    for button in buttons:
        check_button(button, losses.element)
    held = max((_held(buttons, each) for each in able.button_sets), key=partial(_weight, buttons), default=frozenset())
    lines: list[str] = []
    for number, button in enumerate(buttons):
        if number in held:
            continue
        if isinstance(button, Link):
            words = _("{title} has no room for the button “{label}”: its link stands in the text.")
            losses.tell(words, label=button.label)
            lines.append(_line(button))
        else:
            losses.tell(_("{title} can't show the button “{label}”: it is left out."), label=button.label)
    kept: list[list[Button]] = []
    number = 0
    for row in rows:
        kept.append([fit_label(each, able, losses) for place, each in enumerate(row, start=number) if place in held])
        number += len(row)
    return Under(_divided(kept, able, losses), tuple(lines))


def check_button(button: Button, element: int) -> None:
    """Raise Invalid for a button that no messenger could show."""
    for text in texts_of(button):
        if has_expressions(text):
            compile_expression(text, Fields())
    if not button.label.strip():
        raise Invalid(_("A button of element {number} has no label."), number=element)
    if isinstance(button, Link):
        check_link(button.link)


def fit_label(button: Button, able: Capabilities, losses: Losses) -> Button:
    most = able.max_label.value
    if has_expressions(button.label) or len(button.label) <= most:
        return button
    label = button.label[: most - 1].rstrip() + "…"
    words = _("A label holds {most} characters: “{label}” is cut to “{cut}”.")
    losses.tell(words, most=most, label=button.label, cut=label)
    return replace(button, label=label)


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


def _held(buttons: Sequence[Button], each: ButtonSet) -> frozenset[int]:
    """The numbers of the buttons that a set shows."""
    numbers = [number for number, button in enumerate(buttons) if type(button) in each.kinds]
    numbers.sort(key=lambda number: isinstance(buttons[number], Link))  # a link can go elsewhere
    return frozenset(numbers[: each.most.value])


def _weight(buttons: Sequence[Button], held: frozenset[int]) -> tuple[int, int]:
    return sum(not isinstance(buttons[number], Link) for number in held), len(held)


def _divided(rows: Sequence[Sequence[Button]], able: Capabilities, losses: Losses) -> Rows:
    width = max(able.max_buttons_in_row.value, 1)
    if any(len(row) > width for row in rows):
        one = _("{title} shows one button in a row: longer rows are divided.")
        several = _("{title} shows {width} buttons in a row: longer rows are divided.")
        losses.tell(one if width == 1 else several, width=width)
    return tuple(tuple(row[start : start + width]) for row in rows for start in range(0, len(row), width))


def _line(link: Link) -> str:
    """A link in a text: the address is seen, and is a link all the same, so that it is counted as others are."""
    address = html.escape(link.link)
    return f'{html.escape(link.label, quote=False)}: <a href="{address}">{escape_values(address)}</a>'
