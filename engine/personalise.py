"""Parts to what one client gets: texts, labels and addresses with that client's values, checked against the limits.

A text is compiled once for a step and a kind: its tags become marks (`gateways.markup`), its expressions a function
(`engine.expressions`); after that a client costs some microseconds and a broken card fails only that client's delivery.
"""

import html
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import Invalid, _
from engine.expressions import Expression, Fields, compile_expression, has_expressions
from engine.values import TemplateFailed, is_absolute
from gateways.base import Capabilities, Outgoing, Part, PartKind, TextUnit
from gateways.markup import MARKS, InvalidMarkup, RichText, mark, read_marked, utf16_length
from gateways.message import Button, Buy, Link, Reply, Rows

__all__ = ["Personaliser", "TemplateFailed", "button_at", "length_in", "mark_text", "read_button_data", "texts_of"]

_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_BUTTON_DATA = re.compile(r"c([0-9]{1,19})\.([0-9]{1,4})")


class Personaliser:
    """Renders the parts of one step on one kind of messenger.

    `known_fields` are the names that cards have; an unknown one in a text raises Invalid here, before anything is
    sent, as does whatever else can't stand in a text. One client is rendered at a time."""

    def __init__(self, parts: Sequence[Part], capabilities: Capabilities, known_fields: Collection[str]) -> None:
        self._fields = Fields(frozenset(known_fields))
        self._forms: list[_Form] = []
        first_button = 0
        for position, part in enumerate(parts):
            self._forms.append(_Form(part, position, first_button, capabilities, self._fields))
            first_button += sum(len(row) for row in part.buttons)

    def fields(self) -> frozenset[str]:
        """The client fields that texts, labels and links name."""
        return frozenset(self._fields.slots)

    def render(
        self,
        client: Mapping[str, Any],
        *,
        address: str,
        delivery_id: int,
        attempt: int,
        details: Mapping[str, Any],
    ) -> list[Outgoing]:
        """What this client gets, one for each part. Raises TemplateFailed, nothing else, if its values don't fit."""
        self._fields.fill(client)
        reference = f"{delivery_id}.{attempt}."
        return [form.outgoing(address, delivery_id, reference, details) for form in self._forms]


def button_at(parts: Sequence[Part], index: int) -> Button | None:
    """The button that `index` of a press names: they are counted through all parts of the message, from 0."""
    buttons = [button for part in parts for row in part.buttons for button in row]
    return buttons[index] if 0 <= index < len(buttons) else None


def read_button_data(data: str) -> tuple[int, int] | None:
    """Delivery and index of the button, from what came back with a press; None if it isn't ours."""
    found = _BUTTON_DATA.fullmatch(data)
    return (int(found[1]), int(found[2])) if found else None


def mark_text(text: str) -> str:
    """The text with its tags as marks, ready to be compiled. Raises Invalid where it isn't our HTML subset."""
    try:
        marked = mark(text)
    except InvalidMarkup as error:
        raise Invalid(_("The text can't be read: {problem}."), problem=str(error)) from error
    # A text that was composed in a chat has its expressions escaped with the rest of it.
    return _EXPRESSION.sub(lambda found: html.unescape(found[0]), marked) if "&" in marked else marked


def length_in(unit: TextUnit, text: str) -> int:
    """The length of a plain text as the platform counts it."""
    return _LENGTHS[unit](text)


_LENGTHS: Mapping[TextUnit, Callable[[str], int]] = {
    TextUnit.CHARACTERS: len,
    TextUnit.UTF16: utf16_length,
    TextUnit.BYTES: lambda text: len(text.encode()),
}


class _Form:
    """One part, compiled."""

    __slots__ = (
        "_addresses",
        "_buttons",
        "_expression",
        "_extra",
        "_length",
        "_limit",
        "_numbers",
        "_part",
        "_position",
        "_text",
    )

    def __init__(
        self, part: Part, position: int, first_button: int, capabilities: Capabilities, fields: Fields
    ) -> None:
        marked = mark_text(part.text)
        self._part = part
        self._position = position
        self._expression = compile_expression(marked, fields) if has_expressions(marked) else None
        self._text = RichText() if self._expression else read_marked(marked)
        self._addresses = "_address }}" in marked
        self._limit = (capabilities.max_text if part.kind is PartKind.TEXT else capabilities.max_caption).value
        self._length = _LENGTHS[capabilities.text_unit]
        self._buttons = _Buttons(part.buttons, capabilities.max_label.value, fields)
        self._numbers = tuple(f".{first_button + index}" for index in range(sum(len(row) for row in part.buttons)))
        self._extra = _compile_extra(part.extra, fields)

    def outgoing(self, address: str, delivery_id: int, reference: str, details: Mapping[str, Any]) -> Outgoing:
        part = self._part if self._extra is None else replace(self._part, extra=_rendered_extra(self._extra))
        return Outgoing(
            address,
            part,
            self._text if self._expression is None else self._rendered(self._expression),
            self._buttons.rendered(),
            tuple([f"c{delivery_id}{number}" for number in self._numbers]) if self._numbers else (),
            f"{reference}{self._position}",
            details,
        )

    def _rendered(self, expression: Expression) -> RichText:
        rich = read_marked(expression.render())
        text = rich.text
        if self._part.kind is PartKind.TEXT and (not text or text.isspace()):
            raise TemplateFailed(_("With this client's values the text is empty."), reason="empty")
        if self._length(text) > self._limit:
            raise TemplateFailed(
                _("With this client's values the text takes {length} of {limit} characters."),
                reason="too_long",
                length=self._length(text),
                limit=self._limit,
            )
        if self._addresses:
            for span in rich.spans:
                if span.tag == "a" and not is_absolute(span.url):
                    raise _bad_link()
        return rich


@dataclass(frozen=True, slots=True)
class _Template:
    """A short text of a button: as it stands, or compiled."""

    text: str
    expression: Expression | None

    def render(self) -> str:
        return self.text if self.expression is None else self.expression.render()


class _Buttons:
    """The rows of one part; those without expressions are made once."""

    __slots__ = ("_makers", "_max_label", "_rows")

    def __init__(self, rows: Rows, max_label: int, fields: Fields) -> None:
        self._max_label = max_label
        self._rows = rows
        texts = [text for row in rows for button in row for text in texts_of(button)]
        self._makers: list[list[Callable[[], Button]]] = []
        if any(map(has_expressions, texts)):
            self._makers = [[self._maker(button, fields) for button in row] for row in rows]

    def rendered(self) -> Rows:
        return tuple([tuple([make() for make in row]) for row in self._makers]) if self._makers else self._rows

    def _maker(self, button: Button, fields: Fields) -> Callable[[], Button]:
        label = _compile(button.label, fields)
        match button:
            case Link(link=link):
                address = _compile(link, fields, address=True)
                return lambda: Link(_checked_link(address.render()), self._cut(label.render()))
            case Reply(message=message):
                words = _compile(message, fields)
                return lambda: Reply(words.render(), self._cut(label.render()))
            case Buy(buy=buy, price=price):
                return lambda: Buy(buy, self._cut(label.render()), price)

    def _cut(self, label: str) -> str:
        label = " ".join(label.split())
        if not label:
            raise TemplateFailed(_("With this client's values a button has no label."), reason="empty")
        return label if len(label) <= self._max_label else label[: self._max_label - 1].rstrip() + "…"


def texts_of(button: Button) -> tuple[str, ...]:
    """What of a button may hold expressions."""
    match button:
        case Link(link=other) | Reply(message=other):
            return (button.label, other)
        case Buy():
            return (button.label,)


def _compile(text: str, fields: Fields, *, address: bool = False) -> _Template:
    clean = text.translate(_NO_MARKS)
    return _Template(clean, compile_expression(clean, fields, address=address) if has_expressions(clean) else None)


_NO_MARKS: Mapping[int, None] = dict.fromkeys(MARKS)


def _checked_link(link: str) -> str:
    if not is_absolute(link):
        raise _bad_link()
    return link


def _bad_link() -> TemplateFailed:
    return TemplateFailed(_("With this client's values a link isn't a whole address."), reason="bad_link")


def _compile_extra(value: Any, fields: Fields) -> Any:
    """The same structure with its texts compiled; None if nothing in it changes from client to client."""
    compiled = _over_texts(value, lambda text: _compile(text, fields))
    return compiled if has_expressions(str(value)) else None


def _rendered_extra(compiled: Any) -> Any:
    match compiled:
        case _Template():
            return compiled.render()
        case Mapping():
            return {name: _rendered_extra(member) for name, member in compiled.items()}
        case list():
            return [_rendered_extra(member) for member in compiled]
    return compiled


def _over_texts(value: Any, compile_text: Callable[[str], _Template]) -> Any:
    match value:
        case str():
            return compile_text(value)
        case Mapping():
            return {name: _over_texts(member, compile_text) for name, member in value.items()}
        case list() | tuple():
            return [_over_texts(member, compile_text) for member in value]
    return value
