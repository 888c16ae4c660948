"""Rich text: our small HTML subset, read into plain text with spans that each gateway writes in its own dialect.

A template is compiled once: its tags become private-use characters, so that whatever a value holds can neither open nor
close a tag, and rendering costs one split of the finished text.
"""

import html
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

from gateways.hot import record

TAGS = frozenset({"b", "i", "u", "s", "code", "pre", "a", "blockquote", "tg-spoiler"})
_SOLID = frozenset({"code", "pre"})  # hold no other formatting
_SAME_AS = {"strong": "b", "em": "i", "ins": "u", "strike": "s", "del": "s"}

# Marks stand in the private-use area U+E000 to U+E0FF; a value that brings such a character loses it.
OPEN, _ADDRESS_ENDS, CLOSE = "\ue000", "\ue001", "\ue002"
_TAG_CODES = {tag: chr(0xE010 + number) for number, tag in enumerate(sorted(TAGS))}
_CODE_TAGS = {code: tag for tag, code in _TAG_CODES.items()}
_LINK = _TAG_CODES["a"]
_MARK = re.compile(f"({OPEN}(?:{_LINK}[^{_ADDRESS_ENDS}]*{_ADDRESS_ENDS}|[{''.join(_CODE_TAGS)}])|{CLOSE})")
MARKS = dict.fromkeys(range(57344, 57600))

_ADDRESS = re.compile(f"{OPEN}{_LINK}([^{_ADDRESS_ENDS}]*){_ADDRESS_ENDS}")
_FIRST_NUMBER, _LAST_NUMBER, _NO_NUMBER = 0xE080, 0xE0E0, 0xE0E0  # marks too, so that no value brings one
_WITHOUT_LINKS = frozenset({"a", "code", "pre"})
_VALUE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
# An expression, which is left alone; or an address, which may hold values.
_BARE = re.compile(r"\{[{%#].*?[}%#]\}|https?://(?:\{\{.*?\}\}|[^\s{}<>])+", re.DOTALL | re.IGNORECASE)
_AFTER_ADDRESS = ".,;:!?)]»”\"'"  # what ends a sentence rather than an address


@record
class Span:
    """`tag` of the subset over text[start:end], counted in code points; `url` for "a"."""

    tag: str
    start: int
    end: int
    url: str = ""


@record
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
    places = list(accumulate(map(len, texts)))  # of the marks, and of the end
    spans = [
        Span(tag, places[first], places[last], url)
        for tag, url, first, last in _structure(tuple(pieces[1::2]))
        if places[first] < places[last]
    ]
    return RichText("".join(texts), tuple(spans))


@lru_cache(maxsize=256)  # clients' values stand between the marks: a text has hardly more than one row of them
def _structure(marks: tuple[str, ...]) -> Sequence[tuple[str, str, int, int]]:
    """Tag and address of each span, outer before inner, and by which marks it begins and ends."""
    found: list[tuple[str, str, int, int]] = []
    stack: list[int] = []
    for number, mark in enumerate(marks):
        if mark != CLOSE:
            stack.append(len(found))
            found.append((_CODE_TAGS[mark[1]], mark[2:-1], number, len(marks)))
        elif stack:
            place = stack.pop()
            tag, url, first, _ = found[place]
            found[place] = (tag, url, first, number)
    return found


def link_addresses(marked: str) -> str:
    """The marked text with every address that stands in it by itself as a link, those in links and code excepted."""
    if "://" not in marked:
        return marked
    pieces = _MARK.split(marked)
    stack: list[str] = []
    for place, piece in enumerate(pieces):
        if piece == CLOSE:
            del stack[-1:]
        elif piece[:1] == OPEN:
            stack.append(_CODE_TAGS[piece[1]])
        elif not _WITHOUT_LINKS.intersection(stack):
            pieces[place] = _BARE.sub(_linked, piece)
    return "".join(pieces)


def addresses_of(marked: str) -> list[str]:
    """The address of each link of a marked text, in order."""
    return [found[1] for found in _ADDRESS.finditer(marked)]


def number_addresses(marked: str) -> str:
    """The marked text with a number in front of each address; `read_number` takes it off again. Of more links than
    there are numbers, the last have none."""
    numbers = iter(range(_FIRST_NUMBER, _LAST_NUMBER))
    return _ADDRESS.sub(lambda found: OPEN + _LINK + chr(next(numbers, _NO_NUMBER)) + found[1] + _ADDRESS_ENDS, marked)


def read_number(address: str) -> tuple[int | None, str]:
    """The number and the address without it."""
    number = ord(address[0]) if address else _NO_NUMBER
    if _FIRST_NUMBER <= number < _LAST_NUMBER:
        return number - _FIRST_NUMBER, address[1:]
    return None, address.lstrip(chr(_NO_NUMBER))


def escape_values(address: str) -> str:
    """An address with expressions, each value escaped for its place: at the start it is the address itself."""
    return _VALUE.sub(_escaped_value, address)


def _escaped_value(found: re.Match[str]) -> str:
    return "{{ (" + found[1].strip("-+ ") + f") | {'in_address' if found.start() else 'as_address'} }}}}"


def _linked(found: re.Match[str]) -> str:
    if found[0].startswith("{"):
        return found[0]
    address = found[0] if found[0].endswith("}}") else found[0].rstrip(_AFTER_ADDRESS)
    seen = escape_values(address)
    return f"{OPEN}{_LINK}{seen}{_ADDRESS_ENDS}{seen}{CLOSE}{found[0][len(address) :]}"


def to_html(rich: RichText) -> str:
    """The text in our subset again; `read_html` of it gives the same RichText.

    Spans that cross are cut where they do; one that the subset can't hold there (bold inside code) is left out."""
    starts: dict[int, list[Span]] = {}
    for span in sorted(rich.spans, key=lambda span: -span.end):
        if 0 <= span.start < span.end <= len(rich.text):
            starts.setdefault(span.start, []).append(span)
    pieces: list[str] = []
    inside: list[Span] = []
    at = 0
    for place in sorted({*starts, *(span.end for spans in starts.values() for span in spans)}):
        pieces.append(html.escape(rich.text[at:place], quote=False))
        at = place
        ended = next((number for number, span in enumerate(inside) if span.end <= place), len(inside))
        pieces += [f"</{span.tag}>" for span in reversed(inside[ended:])]
        again = [span for span in inside[ended:] if span.end > place]
        del inside[ended:]
        for span in (*again, *starts.get(place, ())):
            if _can_stand(span, inside):
                pieces.append(f'<a href="{html.escape(span.url)}">' if span.tag == "a" else f"<{span.tag}>")
                inside.append(span)
    pieces.append(html.escape(rich.text[at:], quote=False))
    return "".join(pieces)


def _can_stand(span: Span, inside: Sequence[Span]) -> bool:
    known = span.tag in TAGS and (span.tag != "a" or bool(span.url))
    return known and not any(outer.tag == span.tag or outer.tag in _SOLID for outer in inside)


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, which Telegram counts entity offsets in."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


class _Marker:
    """Reads the subset strictly: what a person mistyped is told, not guessed."""

    _EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
    # Stand-ins for expressions while the HTML is read; they hold no character that HTML knows.
    _STAND_IN = re.compile("(\ue0f0\\d+\ue0f1)")
    _VALUE = r"\"[^\"]*\"|'[^']*'|[^\s\"'<>=`]+"
    _ATTRIBUTE = re.compile(rf"\s+([A-Za-z][\w-]*)(?:\s*=\s*({_VALUE}))?")
    _TAG = re.compile(
        r"<(?P<closes>/?)(?P<tag>[A-Za-z][A-Za-z0-9-]*)"
        rf"(?P<attributes>(?:\s+[A-Za-z][\w-]*(?:\s*=\s*(?:{_VALUE}))?)*)\s*(?P<empty>/?)>"
        r"|<(?=[A-Za-z/!?])"  # no whole tag
    )
    # Only with its semicolon: a link may well hold &copy=1.
    _ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

    def __init__(self, source: str) -> None:
        self._expressions: list[str] = []
        self._pieces: list[str] = []
        self._stack: list[str] = []
        hidden = self._EXPRESSION.sub(self._hide, source.translate(MARKS))
        at = 0
        for found in self._TAG.finditer(hidden):
            self._pieces.append(self._plain(hidden[at : found.start()]))
            self._read_tag(found, hidden)
            at = found.end()
        self._pieces.append(self._plain(hidden[at:]))
        if self._stack:
            raise InvalidMarkup(f"<{self._stack[-1].partition(' ')[0]}> is never closed")

    def pieces(self) -> Sequence[str]:
        return [self._STAND_IN.sub(lambda found: self._expressions[int(found[1][1:-1])], each) for each in self._pieces]

    def _hide(self, found: re.Match[str]) -> str:
        self._expressions.append(found[0])
        return f"\ue0f0{len(self._expressions) - 1}\ue0f1"

    def _plain(self, source: str) -> str:
        """Entities as characters; a mark that was written as one is dropped like any other."""
        if "&" not in source:
            return source
        pieces = self._STAND_IN.split(source)
        pieces[::2] = [self._ENTITY.sub(_unescape, each).translate(MARKS) for each in pieces[::2]]
        return "".join(pieces)

    def _read_tag(self, found: re.Match[str], source: str) -> None:
        if found["tag"] is None:
            written = source[found.start() : found.start() + 16].partition("\n")[0].translate(MARKS)
            raise InvalidMarkup(f"“{written}” is no whole tag; a plain < is written &lt;")
        written = found["tag"].lower()
        tag = _SAME_AS.get(written, written)
        if found["closes"]:
            self._close("tg-spoiler" if tag == "span" else tag)
            return
        given = {name.lower(): _unquoted(value) for name, value in self._ATTRIBUTE.findall(found["attributes"])}
        if tag == "span" and given.get("class") == "tg-spoiler":
            tag = "tg-spoiler"
        self._open(tag, given)
        if found["empty"]:
            raise InvalidMarkup(f"<{written}/> holds nothing; write <{written}>…</{written}>")

    def _open(self, tag: str, given: Mapping[str, str]) -> None:
        if tag == "code" and self._stack and self._stack[-1] == "pre":
            self._stack.append("code in pre")
            return
        if tag not in TAGS:
            raise InvalidMarkup(f"<{tag}> is not known here; a text may hold {', '.join(sorted(TAGS))}")
        if _SOLID & set(self._stack):
            raise InvalidMarkup(f"<{tag}> can't stand inside <{self._stack[-1]}>")
        if tag in self._stack:
            raise InvalidMarkup(f"<{tag}> can't stand inside another <{tag}>")
        self._stack.append(tag)
        self._pieces.append(OPEN + _TAG_CODES[tag])
        if tag == "a":
            self._pieces += [self._address(self._plain(given.get("href", ""))), _ADDRESS_ENDS]

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

    def _close(self, tag: str) -> None:
        if not self._stack:
            raise InvalidMarkup(f"</{tag}> closes nothing")
        open_tag = self._stack.pop()
        if (open_tag, tag) == ("code in pre", "code"):
            return
        if open_tag != tag:
            raise InvalidMarkup(
                f"</{tag}> closes <{open_tag.partition(' ')[0]}>; tags must close in the order in which they opened"
            )
        self._pieces.append(CLOSE)


def _unescape(found: re.Match[str]) -> str:
    return html.unescape(found[0])


def _unquoted(value: str) -> str:
    return value[1:-1] if value[:1] in ("'", '"') else value
