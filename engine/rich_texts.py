"""Texts in our HTML subset, compiled once: for each client its values, and its own addresses behind the links."""

import html
import re

from engine.errors import Invalid, _
from engine.expressions import Expression, Fields, compile_expression, has_expressions
from engine.short_texts import LinkMaker, bad_link, is_counted
from engine.values import is_absolute
from gateways.markup import (
    InvalidMarkup,
    RichText,
    Span,
    addresses_of,
    link_addresses,
    mark,
    number_addresses,
    read_marked,
    read_number,
)

_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def mark_text(text: str) -> str:
    """The text with its tags as marks, ready to be compiled. Raises Invalid where it isn't our HTML subset."""
    try:
        marked = mark(text)
    except InvalidMarkup as error:
        raise Invalid(_("The text can't be read: {problem}."), problem=str(error)) from error
    # A text that was composed in a chat has its expressions escaped with the rest of it.
    return _EXPRESSION.sub(lambda found: html.unescape(found[0]), marked) if "&" in marked else marked


def counted_addresses(text: str) -> list[str]:
    """The addresses behind the links of a text, as they are numbered, those that stand there by themselves too."""
    return addresses_of(link_addresses(mark_text(text)))


class RichTemplate:
    """One text. With `links` each of its links leads through us; they are numbered from `first` in their order in the
    text as it was written, whichever of its conditions hold."""

    __slots__ = ("_addresses", "_counted", "_expression", "_first", "_fixed", "_links", "count")

    def __init__(self, text: str, fields: Fields, links: LinkMaker | None = None, first: int = 0) -> None:
        marked = mark_text(text)
        if links is not None:
            marked = number_addresses(link_addresses(marked))
        self.count = len(addresses_of(marked)) if links is not None else 0
        self._links = links
        self._first = first
        self._expression: Expression | None = None
        self._addresses = "_address }}" in marked
        self._fixed = RichText()
        self._counted: list[tuple[int, Span, int]] = []  # place among the spans, the span, the number of the link
        if has_expressions(marked):
            self._expression = compile_expression(marked, fields)
        else:
            self._fix(read_marked(marked))

    @property
    def is_fixed(self) -> bool:
        """Whether every client gets the same."""
        return self._expression is None and not self._counted

    @property
    def has_values(self) -> bool:
        return self._expression is not None

    def render(self, delivery_id: int) -> RichText:
        """Raises TemplateFailed."""
        if self._expression is not None:
            return self._rendered(read_marked(self._expression.render()), delivery_id)
        if not self._counted or self._links is None:
            return self._fixed
        spans = list(self._fixed.spans)
        for place, span, number in self._counted:
            spans[place] = Span("a", span.start, span.end, self._links(delivery_id, "text", number, span.url))
        return RichText(self._fixed.text, tuple(spans))

    def _fix(self, rich: RichText) -> None:
        spans: list[Span] = []
        for span in rich.spans:
            number, url = read_number(span.url)
            spans.append(Span(span.tag, span.start, span.end, url))
            if number is not None and is_counted(url):
                self._counted.append((len(spans) - 1, spans[-1], self._first + number))
        self._fixed = RichText(rich.text, tuple(spans)) if self._counted else rich

    def _rendered(self, rich: RichText, delivery_id: int) -> RichText:
        links = self._links
        if links is None:
            if self._addresses:
                for span in rich.spans:
                    if span.tag == "a" and not is_absolute(span.url):
                        raise bad_link()
            return rich
        spans = list(rich.spans)
        for place, span in enumerate(spans):
            if span.tag == "a":
                number, url = read_number(span.url)
                if not is_absolute(url):
                    raise bad_link()
                if number is not None and is_counted(url):
                    url = links(delivery_id, "text", self._first + number, url)
                spans[place] = Span("a", span.start, span.end, url)
        return RichText(rich.text, tuple(spans))
