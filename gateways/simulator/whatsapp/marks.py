"""WhatsApp's marks as its clients show them: *bold*, _italic_, ~strike~, ```mono```. Written from what clients do
(platforms/whatsapp.md section 9), not from our dialect: what both misread would stay hidden otherwise."""

import re
from bisect import bisect_left

from gateways.markup import RichText, Span

_TAGS = {"*": "b", "_": "i", "~": "s"}
_MONO = re.compile(r"```(?=\S)(.+?)(?<=\S)```", re.DOTALL)
_MARKED = {
    mark: re.compile(rf"(?<!\w){escaped}(?=[^\s{escaped}])([^\n]*?)(?<=\S){escaped}(?!\w)")
    for mark, escaped in ((mark, re.escape(mark)) for mark in _TAGS)
}
_ADDRESS = re.compile(r"https?://\S+")


def rich_of(text: str) -> RichText:
    """The text without the marks that a client takes as such, and what they mark."""
    found = [("code", *place.span(), 3) for place in _MONO.finditer(text)]
    solid = [(start, end) for _, start, end, _ in found] + [place.span() for place in _ADDRESS.finditer(text)]
    for mark, pattern in _MARKED.items():
        for place in pattern.finditer(text):
            edges = (place.start(), place.end() - 1)
            if not any(start <= edge < end for start, end in solid for edge in edges):
                found.append((_TAGS[mark], *place.span(), 1))
    gone = sorted(
        place for _, start, end, width in found for edge in (start, end - width) for place in range(edge, edge + width)
    )
    is_gone = set(gone)
    kept = "".join(letter for place, letter in enumerate(text) if place not in is_gone)
    spans = [
        Span(tag, start - bisect_left(gone, start), end - width - bisect_left(gone, end - width))
        for tag, start, end, width in found
    ]
    return RichText(kept, tuple(sorted(spans, key=lambda span: (span.start, -span.end))))
