"""Rich text in the words of platforms that take a plain string: marks around words, or nothing but the words.

Viber: developers.viber.com/docs/tools/text-formatting (Viber 14.6 on); WhatsApp: nyaruka/courier, and what its clients
do; read in November 2026. Neither has an escape character, so a mark that stands in the text, or comes with a value,
gets U+200B on its sides: then it hugs no word, and is shown as it is. Inside an address it is percent-encoded instead,
which the address survives.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateways.base import Capabilities, TextUnit
from gateways.markup import RichText, Span, utf16_length

ZERO_WIDTH_SPACE = "\u200b"
_MONO = "```"


@dataclass(frozen=True, slots=True)
class Dialect:
    """`marks` is what stands on both sides of a tag's words; the words of other tags stay plain.

    An opening mark stands before a word and after no word. A closing one stands after a word and before no word, or,
    with `space_follows`, before a space or the end only. None reaches over the end of a line."""

    marks: Mapping[str, str]
    space_follows: bool = False


VIBER = Dialect({"b": "*", "i": "_", "s": "~", "code": _MONO, "pre": _MONO}, space_follows=True)
WHATSAPP = Dialect({"b": "*", "i": "_", "s": "~", "code": _MONO, "pre": _MONO})

Place = tuple[int, int]  # start and end in the text
_Range = tuple[int, int, str]  # start, end, mark

_LITERALS = frozenset("*_~`")
_LITERAL = re.compile("[*_~`]")
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_LINE_END = re.compile("[\n\r\u2028\u2029]")
_AFTER_ADDRESS = ".,;:!?)]}>»”\"'*~`"  # what ends a sentence rather than an address
_JOINERS = frozenset("\u200c\u200d")


def plain_text(rich: RichText) -> str:
    """The words alone, for a platform without any markup; a link as "words (address)"."""
    return with_addresses(rich).text


def render_marked(rich: RichText, dialect: Dialect) -> str:
    """The text with the dialect's marks, and no other mark in it that could act as one; a link as "words (address)".

    Marks cover whole words, so that the platform reads them as such: an edge in the middle of a word moves inwards, a
    closing one that a space must follow moves over the punctuation. Addresses stay outside of marks."""
    rich = with_addresses(rich)
    ranges = _ranges(rich, dialect)
    instead = _neutral(rich.text, ranges) if _LITERAL.search(rich.text) else {}
    return _written(rich.text, ranges, instead) if ranges or instead else rich.text


def with_addresses(rich: RichText) -> RichText:
    """The text with the address of each link behind its words, and without its link spans.

    Words that are an address themselves are exchanged for the one that the link opens."""
    spans = [span for span in rich.spans if span.tag != "a"]
    if len(spans) == len(rich.spans):
        return rich
    text, edits = rich.text, _edits(rich)
    if not edits:
        return RichText(text, tuple(spans))
    pieces: list[str] = []
    at = 0
    for start, end, new in edits:
        pieces += (text[at:start], new)
        at = end
    pieces.append(text[at:])
    first = edits[0][0]
    moved = [
        each
        if each.end < first  # nearly all stand before it or behind it
        else Span(each.tag, _moved_start(edits, each.start), _moved_end(edits, each.end))
        for each in spans
    ]
    return RichText("".join(pieces), tuple(moved))


def length_in(unit: TextUnit, text: str) -> int:
    """The length of a plain text as the platform counts it."""
    return _LENGTHS[unit](text)


def measure_of(able: Capabilities) -> Callable[[RichText], int]:
    """How long a text is on this kind of messenger."""
    count = _LENGTHS[able.text_unit]
    return able.measure or (lambda rich: count(rich.text))


def plain_measure(unit: TextUnit) -> Callable[[RichText], int]:
    """`Capabilities.measure` of a kind that gets `plain_text`."""
    count = _LENGTHS[unit]
    return lambda rich: count(plain_text(rich))


def marked_measure(dialect: Dialect, unit: TextUnit) -> Callable[[RichText], int]:
    """`Capabilities.measure` of a kind that gets `render_marked`."""
    count = _LENGTHS[unit]
    return lambda rich: count(render_marked(rich, dialect))


_LENGTHS: Mapping[TextUnit, Callable[[str], int]] = {
    TextUnit.CHARACTERS: len,
    TextUnit.UTF16: utf16_length,
    TextUnit.BYTES: lambda text: len(text.encode()),
}


# --- addresses -------------------------------------------------------------------------------------------------------


def _edits(rich: RichText) -> list[tuple[int, int, str]]:
    """What is written where: start, end and the new text, in order; none overlaps the next."""
    edits: list[tuple[int, int, str]] = []
    links = [span for span in rich.spans if span.tag == "a" and span.url]
    if len(links) > 1:
        links.sort(key=lambda span: span.end)
    for span in links:
        words = rich.text[span.start : span.end]
        core = words.strip()
        start = span.start + len(words) - len(words.lstrip())
        end = start + len(core)
        if core.rstrip("/") == span.url.rstrip("/"):
            continue
        edit = (start, end, span.url) if _ADDRESS.fullmatch(core) else (end, end, f" ({span.url})")
        if not edits or edit[0] >= edits[-1][1]:
            edits.append(edit)
    return edits


def _moved_start(edits: Sequence[tuple[int, int, str]], place: int) -> int:
    moved = place
    for start, end, new in edits:
        if end <= place:
            moved += len(new) - (end - start)
        elif start < place:
            moved -= place - start
    return moved


def _moved_end(edits: Sequence[tuple[int, int, str]], place: int) -> int:
    moved = place
    for start, end, new in edits:
        if end < place or start < end == place:
            moved += len(new) - (end - start)
        elif start < place:
            moved += len(new) - (place - start)
    return moved


# --- where marks may stand -------------------------------------------------------------------------------------------


def _ranges(rich: RichText, dialect: Dialect) -> list[_Range]:
    """The marks that can be written, outer before inner, none crossing another."""
    text = rich.text
    places: dict[str, list[Place]] = {}
    for span in rich.spans:
        if mark := dialect.marks.get(span.tag):
            places.setdefault(mark, []).append((max(span.start, 0), min(span.end, len(text))))
    if not places:
        return []
    holes = [*(found.span() for found in _LINE_END.finditer(text)), *_words_with_addresses(text)]
    mono: list[_Range] = []
    if wanted := places.pop(_MONO, None):
        mono = _fitted(text, wanted, holes, _MONO, dialect)
        holes += [(start, end) for start, end, _ in mono]
    others = [each for mark, wanted in places.items() for each in _fitted(text, wanted, holes, mark, dialect)]
    return _nested(text, [*mono, *others], dialect)


def _fitted(text: str, wanted: Sequence[Place], holes: Sequence[Place], mark: str, dialect: Dialect) -> list[_Range]:
    """The places of one mark without the holes, each moved to where the mark may stand; those that can't are gone."""
    pieces = _without(_joined(wanted), _joined(holes))
    fitted = [place for start, end, limit in pieces if (place := _edges(text, start, end, limit, mark, dialect))]
    return [(start, end, mark) for start, end in _joined(fitted)]


def _joined(places: Sequence[Place]) -> list[Place]:
    """In order; those that overlap or touch as one."""
    if len(places) < 2:
        return [place for place in places if place[0] < place[1]]
    joined: list[Place] = []
    for start, end in sorted(places):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    return joined


def _without(places: Iterable[Place], holes: Sequence[Place]) -> list[tuple[int, int, int | None]]:
    """What of the places is in no hole: start, end, and where the next hole begins."""
    pieces: list[tuple[int, int, int | None]] = []
    for start, end in places:
        at = start
        for hole_start, hole_end in holes:
            if hole_end <= at:
                continue
            if hole_start >= end:
                pieces.append((at, end, hole_start))
                break
            if hole_start > at:
                pieces.append((at, hole_start, hole_start))
            at = hole_end
            if at >= end:
                break
        else:
            pieces.append((at, end, None))
    return pieces


def _edges(text: str, start: int, end: int, limit: int | None, mark: str, dialect: Dialect) -> Place | None:
    while start < end and not _can_open(text, start, mark):
        start += 1
    if dialect.space_follows and start < end:
        end = _over_punctuation(text, end, len(text) if limit is None else limit)
    while start < end and not _can_close(text, end, mark, dialect):
        end -= 1
    return (start, end) if start < end else None


def _over_punctuation(text: str, end: int, limit: int) -> int:
    at = end
    while at < limit and not text[at].isspace() and not text[end - 1].isspace():
        if _is_word(text[at]) or text[at] in _LITERALS:
            return end
        at += 1
    return end if at < len(text) and not text[at].isspace() else at


def _can_open(text: str, place: int, mark: str) -> bool:
    return _hugs(text[place], mark) and not _is_joined(text[place]) and (place == 0 or not _is_word(text[place - 1]))


def _can_close(text: str, place: int, mark: str, dialect: Dialect) -> bool:
    if not _hugs(text[place - 1], mark):
        return False
    if place == len(text):
        return True
    return text[place].isspace() if dialect.space_follows else not _is_word(text[place])


def _hugs(letter: str, mark: str) -> bool:
    """Whether a mark can stand beside it: no space, no mark that would stand beside this one."""
    return not (letter.isspace() or letter == ZERO_WIDTH_SPACE or letter in (_MONO if mark == _MONO else _LITERALS))


def _is_word(letter: str) -> bool:
    return letter.isalnum() or _is_joined(letter)


def _is_joined(letter: str) -> bool:
    """Whether it belongs to the letter before: nothing may stand between."""
    if letter < "\u0300":
        return False
    return letter in _JOINERS or unicodedata.category(letter)[0] == "M" or "\U0001f3fb" <= letter <= "\U0001f3ff"


def _nested(text: str, ranges: Sequence[_Range], dialect: Dialect) -> list[_Range]:
    """Outer before inner; one that crosses the end of another is cut there."""
    if len(ranges) < 2:
        return list(ranges)
    waiting = sorted(ranges, key=_outer_first)
    nested: list[_Range] = []
    while waiting:
        start, end, mark = waiting.pop(0)
        cut = min((outer for _, outer, _ in nested if start < outer < end), default=end)
        nested.append((start, cut, mark))
        if cut < end and (rest := _edges(text, cut, end, end, mark, dialect)):
            waiting = sorted([(*rest, mark), *waiting], key=_outer_first)
    return nested


def _outer_first(place: _Range) -> tuple[int, int]:
    return place[0], -place[1]


# --- writing ---------------------------------------------------------------------------------------------------------


def _written(text: str, ranges: Sequence[_Range], instead: Mapping[int, str]) -> str:
    before: dict[int, str] = {}  # what is written in front of a place: closing marks, inner first, then opening ones
    for _, end, mark in reversed(ranges):
        before[end] = before.get(end, "") + mark
    for start, _, mark in ranges:
        before[start] = before.get(start, "") + mark
    pieces: list[str] = []
    at = 0
    for place in sorted({*before, *instead}):
        pieces += (text[at:place], before.get(place, ""))
        at = place
        if place in instead:
            pieces.append(instead[place])
            at += 1
    return "".join([*pieces, text[at:]])


def _neutral(text: str, ranges: Sequence[_Range]) -> dict[int, str]:
    """What is written for each mark of the text itself that could act as one."""
    addresses = [(found.start(), found.start() + len(found[0].rstrip(_AFTER_ADDRESS))) for found in _addresses(text)]
    edges = {place for start, end, _ in ranges for place in (start, end)}
    mono = [(start, end) for start, end, mark in ranges if mark == _MONO]
    instead: dict[int, str] = {}
    for found in _LITERAL.finditer(text):
        place = found.start()
        left, right = text[place - 1 : place], text[place + 1 : place + 2]
        if _is_in(place, mono):
            if found[0] != "`":
                continue
        elif left.isalnum() and right.isalnum() and not edges & {place, place + 1}:
            continue
        if _is_in(place, addresses):
            instead[place] = f"%{ord(found[0]):02X}"
            continue
        first = ZERO_WIDTH_SPACE if left and not left.isspace() and place - 1 not in instead else ""
        last = ZERO_WIDTH_SPACE if right and not right.isspace() else ""
        instead[place] = first + found[0] + last
    return instead


def _addresses(text: str) -> Iterable[re.Match[str]]:
    return _ADDRESS.finditer(text) if "://" in text else ()


def _words_with_addresses(text: str) -> Iterable[Place]:
    """Each address with whatever is written to it without a space."""
    for found in _addresses(text):
        start = found.start()
        while start and not text[start - 1].isspace():
            start -= 1
        yield start, found.end()


def _is_in(place: int, places: Iterable[Place]) -> bool:
    return any(start <= place < end for start, end in places)
