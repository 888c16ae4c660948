"""Texts of one line, compiled once: labels, buttons, fields of a kind's own. What needs no value is made once."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from engine.errors import _
from engine.expressions import Expression, Fields, compile_expression, has_expressions
from engine.values import TemplateFailed, is_absolute
from gateways.markup import MARKS
from gateways.message import Button, Buy, Link, Reply, Rows


class LinkMaker(Protocol):
    """Makes the address that leads through us. `place` is "button" or "text", `index` the number of the button (as its
    data has it) or of the link among those of all texts. An address that is not to be counted comes back as it is."""

    def __call__(self, delivery_id: int, place: str, index: int, url: str, /) -> str: ...


class ShortText:
    """A text of one line: as it stands, or compiled. With `required` a client without it gets nothing."""

    __slots__ = ("_expression", "_required", "text")

    def __init__(self, source: str, fields: Fields, *, address: bool = False, required: bool = False) -> None:
        self.text = source.translate(MARKS)
        self._required = required
        self._expression: Expression | None = None
        if has_expressions(self.text):
            self._expression = compile_expression(self.text, fields, address=address)

    @property
    def is_fixed(self) -> bool:
        return self._expression is None

    def render(self) -> str:
        if self._expression is None:
            return self.text
        text = self._expression.render()
        if self._required and not text.strip():
            raise TemplateFailed(_("With this client's values a value of the template is empty."), reason="empty")
        return text

    def render_within(self, most: int, *, empty: str) -> str:
        """On one line, cut to so many characters. Raises TemplateFailed, with the words of `empty`, if it is empty."""
        if self._expression is None:
            return self.text
        text = " ".join(self._expression.render().split())
        if not text:
            raise TemplateFailed(empty, reason="empty")
        return cut(text, most)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


class Buttons:
    """The rows of one part; `first` is the number of the first of them within the message."""

    __slots__ = ("_links", "_makers", "_max_label", "_rows")

    def __init__(self, rows: Rows, first: int, max_label: int, fields: Fields, links: LinkMaker | None) -> None:
        self._max_label = max_label
        self._links = links
        self._rows = rows
        numbers = iter(range(first, first + sum(map(len, rows))))
        makers = [[self._maker(button, next(numbers), fields) for button in row] for row in rows]
        self._makers = makers if any(callable(maker) for row in makers for maker in row) else []

    def rendered(self, delivery_id: int) -> Rows:
        if not self._makers:
            return self._rows
        return tuple([tuple([m(delivery_id) if callable(m) else m for m in row]) for row in self._makers])

    def _maker(self, button: Button, number: int, fields: Fields) -> Button | Callable[[int], Button]:
        label = ShortText(button.label, fields)
        most, empty = self._max_label, _("With this client's values a button has no label.")
        match button:
            case Link(link=link):
                return self._link_maker(button, ShortText(link, fields, address=True), label, number)
            case Reply(message=message):
                words = ShortText(message, fields)
                if words.is_fixed and label.is_fixed:
                    return button
                return lambda _delivery: Reply(words.render(), label.render_within(most, empty=empty))
            case Buy(buy=buy, price=price):
                if label.is_fixed:
                    return button
                return lambda _delivery: Buy(buy, label.render_within(most, empty=empty), price)

    def _link_maker(
        self, button: Link, address: ShortText, label: ShortText, number: int
    ) -> Button | Callable[[int], Button]:
        most, empty, links = self._max_label, _("With this client's values a button has no label."), self._links
        if links is None or (address.is_fixed and not is_counted(address.text)):
            if address.is_fixed and label.is_fixed:
                return button
            return lambda _delivery: Link(_checked(address.render()), label.render_within(most, empty=empty))
        if address.is_fixed and label.is_fixed:
            url, words = address.text, label.text
            return lambda delivery: Link(links(delivery, "button", number, url), words)

        def make(delivery: int) -> Link:
            url = _checked(address.render())
            made = links(delivery, "button", number, url) if is_counted(url) else url
            return Link(made, label.render_within(most, empty=empty))

        return make


def texts_of(button: Button) -> tuple[str, ...]:
    """What of a button may hold expressions."""
    match button:
        case Link(link=other) | Reply(message=other):
            return (button.label, other)
        case Buy():
            return (button.label,)


def is_counted(url: str) -> bool:
    """Whether a link can lead through us: what is no web address can't."""
    return url[:7].lower() == "http://" or url[:8].lower() == "https://"


def bad_link() -> TemplateFailed:
    return TemplateFailed(_("With this client's values a link isn't a whole address."), reason="bad_link")


def _checked(link: str) -> str:
    if not is_absolute(link):
        raise bad_link()
    return link


def compile_fields(value: Any, fields: Fields, *, required: bool) -> Any:
    """The same structure with its texts compiled; None if nothing in it changes from client to client."""
    return _over_texts(value, fields, required) if has_expressions(str(value)) else None


def rendered_fields(compiled: Any) -> Any:
    match compiled:
        case ShortText():
            return compiled.render()
        case Mapping():
            return {name: rendered_fields(member) for name, member in compiled.items()}
        case list():
            return [rendered_fields(member) for member in compiled]
    return compiled


def _over_texts(value: Any, fields: Fields, required: bool) -> Any:
    match value:
        case str():
            return ShortText(value, fields, required=required)
        case Mapping():
            return {name: _over_texts(member, fields, required) for name, member in value.items()}
        case list() | tuple():
            return [_over_texts(member, fields, required) for member in value]
    return value
