"""Rich text: our small HTML subset, read into plain text with spans that each gateway writes in its own dialect.

A template is compiled once: its tags become private-use characters, so that whatever a value holds can neither open nor
close a tag, and rendering costs one split of the finished text.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

TAGS = frozenset({"b", "i", "u", "s", "code", "pre", "a", "blockquote", "tg-spoiler"})
_SAME_AS = {"strong": "b", "em": "i", "ins": "u", "strike": "s", "del": "s"}

# Marks stand in the private-use area U+E000 to U+E0FF; a value that brings such a character loses it.
OPEN, _ADDRESS_ENDS, CLOSE = "\ue000", "\ue001", "\ue002"
_TAG_CODES = {tag: chr(0xE010 + number) for number, tag in enumerate(sorted(TAGS))}
_CODE_TAGS = {code: tag for tag, code in _TAG_CODES.items()}
_LINK = _TAG_CODES["a"]
_MARK = re.compile(f"({OPEN}(?:{_LINK}[^{_ADDRESS_ENDS}]*{_ADDRESS_ENDS}|[{''.join(_CODE_TAGS)}])|{CLOSE})")
MARKS = dict.fromkeys(range(57344, 57600))


@dataclass(frozen=True, slots=True)
class Span:
    """`tag` of the subset over text[start:end], counted in code points; `url` for "a"."""

    tag: str
    start: int
    end: int
    url: str = ""


@dataclass(frozen=True, slots=True)
class RichText:
    """Plain text and the spans over it, outer before inner."""

    text: str = ""
    spans: tuple[Span, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text)


class InvalidMarkup(ValueError):
    """The text is not in our HTML subset; the words say what and where."""


def read_html(source: str) -> RichText:
    """Read a text without expressions. Raises InvalidMarkup."""
    return read_marked(mark(source))


def mark(source: str) -> str:
    """Turn tags into marks and entities into characters; Jinja expressions pass through untouched.

    Raises InvalidMarkup for an unknown tag, a wrong nesting, or a link without an address."""
    return "".join(_Marker(source).pieces())


def read_marked(marked: str) -> RichText:
    """Split a finished text into plain text and spans; tags left open by a condition end with the text."""
    if OPEN not in marked:
        return RichText(marked)
    pieces = _MARK.split(marked)  # text, mark, text, … text
    texts = pieces[::2]
    spans: list[Span | None] = []
    stack: list[tuple[str, int, str, int]] = []
    length = len(texts[0])
    for piece, text in zip(pieces[1::2], texts[1:], strict=True):
        if piece != CLOSE:
            stack.append((_CODE_TAGS[piece[1]], length, piece[2:-1], len(spans)))
            spans.append(None)
        elif stack:
            tag, start, url, place = stack.pop()
            spans[place] = Span(tag, start, length, url) if length > start else None
        length += len(text)
    for tag, start, url, place in stack:
        spans[place] = Span(tag, start, length, url) if length > start else None
    return RichText("".join(texts), tuple([span for span in spans if span is not None]))


def to_html(rich: RichText) -> str:
    """The text in our subset again; `read_html` of it gives the same RichText."""
    events: list[tuple[int, int, int, str]] = []
    for order, span in enumerate(rich.spans):
        opening = f'<a href="{html.escape(span.url)}">' if span.tag == "a" else f"<{span.tag}>"
        events.append((span.start, 1, order, opening))
        events.append((span.end, 0, -order, f"</{span.tag}>"))
    pieces: list[str] = []
    at = 0
    for place, _, _, markup in sorted(events):
        pieces += [html.escape(rich.text[at:place], quote=False), markup]
        at = place
    return "".join([*pieces, html.escape(rich.text[at:], quote=False)])


def only_tags(rich: RichText, tags: frozenset[str]) -> RichText:
    """The text without the spans that a dialect can't show."""
    return RichText(rich.text, tuple(span for span in rich.spans if span.tag in tags))


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, which Telegram counts entity offsets in."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


class _Marker(HTMLParser):
    """Reads the subset strictly: what a person mistyped is told, not guessed."""

    _EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
    # Stand-ins for expressions while the HTML is read; they hold no character that HTML knows.
    _STAND_IN = re.compile("\ue0f0(\\d+)\ue0f1")

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self._expressions: list[str] = []
        self._pieces: list[str] = []
        self._stack: list[str] = []
        clean = source.translate(MARKS)
        self.feed(self._EXPRESSION.sub(self._hide, clean))
        self.close()
        if self._stack:
            raise InvalidMarkup(f"<{self._stack[-1]}> is never closed")

    def pieces(self) -> Sequence[str]:
        return [self._STAND_IN.sub(lambda found: self._expressions[int(found[1])], piece) for piece in self._pieces]

    def _hide(self, found: re.Match[str]) -> str:
        self._expressions.append(found[0])
        return f"\ue0f0{len(self._expressions) - 1}\ue0f1"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        tag = _SAME_AS.get(tag, tag)
        given = dict(attrs)
        if tag == "span" and given.get("class") == "tg-spoiler":
            tag = "tg-spoiler"
        if tag == "code" and self._stack and self._stack[-1] == "pre":
            self._stack.append("code in pre")
            return
        if tag not in TAGS:
            raise InvalidMarkup(f"<{tag}> is not known here; a text may hold {', '.join(sorted(TAGS))}")
        if {"code", "pre"} & set(self._stack):
            raise InvalidMarkup(f"<{tag}> can't stand inside <{self._stack[-1]}>")
        if tag in self._stack:
            raise InvalidMarkup(f"<{tag}> can't stand inside another <{tag}>")
        self._stack.append(tag)
        self._pieces.append(OPEN + _TAG_CODES[tag])
        if tag == "a":
            self._pieces += [self._address(given.get("href") or ""), _ADDRESS_ENDS]

    def _address(self, href: str) -> str:
        if not href:
            raise InvalidMarkup('a link needs its address: <a href="https://…">')
        # A value inside an address is escaped for an address, not for a text; at its start it is the address.
        for number, expression in enumerate(self._expressions):
            stand_in = f"\ue0f0{number}\ue0f1"
            if stand_in in href and expression.startswith("{{"):
                filter_name = "as_address" if href.startswith(stand_in) else "in_address"
                self._expressions[number] = "{{ (" + expression[2:-2].strip("-+ ") + f") | {filter_name} }}}}"
        return href

    def handle_endtag(self, tag: str) -> None:
        tag = _SAME_AS.get(tag, tag)
        if tag == "span":
            tag = "tg-spoiler"
        if not self._stack:
            raise InvalidMarkup(f"</{tag}> closes nothing")
        open_tag = self._stack.pop()
        if open_tag == "code in pre":
            return
        if open_tag != tag:
            raise InvalidMarkup(f"</{tag}> closes <{open_tag}>; tags must close in the order in which they opened")
        self._pieces.append(CLOSE)

    def handle_data(self, data: str) -> None:
        self._pieces.append(data)

    def handle_comment(self, data: str) -> None:
        raise InvalidMarkup("comments <!-- --> can't stand in a text")

    def handle_decl(self, decl: str) -> None:
        raise InvalidMarkup(f"<!{decl}> can't stand in a text")

    def unknown_decl(self, data: str) -> None:
        raise InvalidMarkup(f"<![{data}]> can't stand in a text")

    def handle_pi(self, data: str) -> None:
        raise InvalidMarkup(f"<?{data}> can't stand in a text")
