"""Rich text as Slack's rich_text blocks, both ways. Pure.

Cards are written in these and not in mrkdwn: mrkdwn has no escape for its own marks, so a client's *name* would turn
bold, and a mark holds neither across lines nor inside a word (docs.slack.dev/messaging/formatting-message-text,
November 2026)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from gateways.markup import RichText, Span

Json = dict[str, Any]

_STYLES = {"b": "bold", "i": "italic", "u": "underline", "s": "strike", "code": "code"}  # a spoiler has none
_TAGS = {style: tag for tag, style in _STYLES.items()}
_WHOLE_LINES = {"blockquote": "rich_text_quote", "pre": "rich_text_preformatted"}
_OPENED = frozenset({"http", "https", "mailto"})  # any other address makes the whole message invalid_blocks
_BULLETS = "•◦▪"


def escape(text: str) -> str:
    """Plain text for the `text` of a message, where only these three signs mean something: <!channel> would ring."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- ours to Slack's ---


def block_of(rich: RichText) -> Json:
    """One rich_text block that shows all of the text, which must not be empty."""
    return {"type": "rich_text", "elements": list(_elements(rich))}


def _elements(rich: RichText) -> Iterator[Json]:
    at = 0
    for span in sorted((one for one in rich.spans if one.tag in _WHOLE_LINES), key=lambda one: (one.start, -one.end)):
        if span.start < at:
            continue  # inside another one
        yield from _section("rich_text_section", rich, at, span.start)
        yield from _section(_WHOLE_LINES[span.tag], rich, span.start, span.end)
        at = span.end
    yield from _section("rich_text_section", rich, at, len(rich.text))


def _section(kind: str, rich: RichText, start: int, end: int) -> Iterator[Json]:
    """An element stands on lines of its own, so the breaks around it are one too many."""
    if start > 0 and rich.text[start:end].startswith("\n"):
        start += 1
    if end < len(rich.text) and rich.text[start:end].endswith("\n"):
        end -= 1
    if start < end:
        yield {"type": kind, "elements": list(_runs(kind, rich, start, end))}


def _runs(kind: str, rich: RichText, start: int, end: int) -> Iterator[Json]:
    spans = [span for span in rich.spans if span.start < end and span.end > start]
    edges = {start, end, *(edge for span in spans for edge in (span.start, span.end) if start < edge < end)}
    places = sorted(edges)
    for here, there in pairwise(places):
        over = [span for span in spans if span.start <= here and span.end >= there]
        run: Json = {"type": "text", "text": rich.text[here:there]}
        url = next((span.url for span in over if span.tag == "a"), "")
        if url and _opens(url):
            run = {"type": "link", "url": url, "text": rich.text[here:there]}
        styles = {_STYLES[span.tag]: True for span in over if span.tag in _STYLES}
        if styles and kind != "rich_text_preformatted":
            run["style"] = styles
        yield run


def _opens(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in _OPENED and bool(parts.netloc or parts.path) and not set(url) & set(" \n|<>")


# --- Slack's to ours ---


def read_blocks(blocks: object) -> RichText | None:
    """What a person wrote; None where there is no rich_text block among them."""
    found = [one for one in _each(blocks) if one.get("type") == "rich_text"]
    if not found:
        return None
    writer = _Writer()
    for block in found:
        for element in _each(block.get("elements")):
            writer.lines_of(element)
    return writer.finished()


class _Writer:
    """Gathers text and spans; elements of whole lines begin on a new one."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._spans: list[Span] = []

    def finished(self) -> RichText:
        text = "".join(self._pieces)
        end = len(text.rstrip())
        start = len(text) - len(text.lstrip())
        spans = (
            Span(one.tag, max(one.start, start) - start, min(one.end, end) - start, one.url)
            for one in sorted(self._spans, key=lambda one: (one.start, -one.end))
        )
        return RichText(text[start:end] if start < end else "", tuple(one for one in spans if one.start < one.end))

    def lines_of(self, element: Mapping[str, Any], before: str = "") -> None:
        if self._pieces and not self._pieces[-1].endswith("\n"):
            self._add("\n")
        start = self._length
        match element.get("type"):
            case "rich_text_list":
                self._list(element)
            case "rich_text_quote":
                self._inline(element)
                self._spans.append(Span("blockquote", start, self._length))
            case "rich_text_preformatted":
                self._inline(element)
                self._spans.append(Span("pre", start, self._length))
            case _:
                self._add(before)
                self._inline(element)

    def _list(self, element: Mapping[str, Any]) -> None:
        indent = element.get("indent")
        depth = indent if isinstance(indent, int) and 0 <= indent <= 8 else 0
        first = element.get("offset")
        number = (first if isinstance(first, int) else 0) + 1
        for place, item in enumerate(_each(element.get("elements")), start=number):
            sign = f"{place}." if element.get("style") == "ordered" else _BULLETS[depth % len(_BULLETS)]
            self.lines_of(item, f"{'  ' * depth}{sign} ")

    def _inline(self, element: Mapping[str, Any]) -> None:
        for one in _each(element.get("elements")):
            start = self._length
            self._add(_words_of(one))
            url = one.get("url")
            if one.get("type") == "link" and isinstance(url, str) and url:
                self._spans.append(Span("a", start, self._length, url))
            style = one.get("style")
            for name, is_on in style.items() if isinstance(style, Mapping) else ():
                if is_on and name in _TAGS:
                    self._spans.append(Span(_TAGS[name], start, self._length))

    def _add(self, words: str) -> None:
        if words:
            self._pieces.append(words)
            self._length += len(words)


def _words_of(one: Mapping[str, Any]) -> str:
    match one.get("type"):
        case "link":
            return _string(one, "text") or _string(one, "url")
        case "emoji":
            return _emoji(_string(one, "unicode")) or f":{_string(one, 'name')}:"
        case "user":
            return f"@{_string(one, 'user_id')}"
        case "channel":
            return f"#{_string(one, 'channel_id')}"
        case "broadcast":
            return f"@{_string(one, 'range')}"
        case "date":
            return _string(one, "fallback")
        case "color":
            return _string(one, "value")
        case _:
            return _string(one, "text")


def _emoji(code_points: str) -> str:
    """ "1f44d-1f3fd" as the signs that it names; "" for what names none."""
    try:
        return "".join(chr(int(each, 16)) for each in code_points.split("-")) if code_points else ""
    except (ValueError, OverflowError):
        return ""


def _string(one: Mapping[str, Any], name: str) -> str:
    value = one.get(name)
    return value if isinstance(value, str) else ""


def _each(values: object) -> Sequence[Mapping[str, Any]]:
    return [one for one in values if isinstance(one, Mapping)] if isinstance(values, list) else []
