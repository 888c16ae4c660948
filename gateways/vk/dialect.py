"""Our rich text in VK's words: a plain text, and `format_data` over its UTF-16 units. Pure."""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from gateways.markup import RichText, Span

_TYPES: Mapping[str, str] = {"b": "bold", "i": "italic", "u": "underline", "a": "url"}
# What a value could smuggle in: [id1|Ann], [club1|Shop] and [https://vk.com/…|words] become mentions and links.
_MENTION = re.compile(r"\[(?=[^\[\]|\n]+\|[^\[\]\n]+\])")
_APART = "\u2060"  # no width, no break: the bracket is only a bracket then
# VKScript and JSON know the rest; NUL and its like can be written in neither with certainty.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def text_and_format(rich: RichText) -> tuple[str, list[dict[str, Any]]]:
    """The text as it is sent and the items of its format_data, outer before inner.

    White space at both ends is left out, so that offsets hold whether or not VK trims it."""
    if not rich.spans and "[" not in rich.text and rich.text.isprintable():
        return rich.text.strip(), []
    text, places = _prepared(rich.text)
    items = []
    for span in rich.spans:
        start, end = places.of(span.start), places.of(span.end)
        if span.tag in _TYPES and start < end:
            items.append(_item(span, start, end, text))
    return text, items


def format_data(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"version": 1, "items": list(items)}


def measured(rich: RichText) -> int:
    """Characters of the text as it is sent."""
    return len(text_and_format(rich)[0])


def plain(text: str) -> str:
    """A label or a title as it is sent."""
    return _CONTROLS.sub("", text)


class _Places:
    """Where a place of the text lands once letters left it at `gone`, and came in behind `added` of what was left."""

    def __init__(self, gone: Sequence[int], added: Sequence[int], first: int, length: int) -> None:
        self._gone = gone
        self._added = added
        self._first = first
        self._length = length

    def of(self, place: int) -> int:
        left = place - bisect_left(self._gone, place)
        moved = left + bisect_left(self._added, left) - self._first
        return min(max(moved, 0), self._length)


def _prepared(text: str) -> tuple[str, _Places]:
    gone = [found.start() for found in _CONTROLS.finditer(text)]
    clean = _CONTROLS.sub("", text)  # first: a mention must not be hidden by what is then taken out of it
    added = [found.start() for found in _MENTION.finditer(clean)]
    whole = _MENTION.sub("[" + _APART, clean)
    sent = whole.strip()
    return sent, _Places(gone, added, len(whole) - len(whole.lstrip()), len(sent))


def _item(span: Span, start: int, end: int, text: str) -> dict[str, Any]:
    before = _utf16(text[:start])
    item: dict[str, Any] = {"type": _TYPES[span.tag], "offset": before, "length": _utf16(text[start:end])}
    if span.tag == "a":
        item["url"] = span.url
    return item


def _utf16(text: str) -> int:
    return len(text) + sum(letter > "\uffff" for letter in text) if not text.isascii() else len(text)
