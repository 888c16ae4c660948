"""Long texts in pieces that a messenger takes."""

from gateways.markup import RichText, Span


def split(rich: RichText, most: int) -> list[RichText]:
    """The text in pieces of at most `most` characters, cut after a paragraph, a line or a word."""
    pieces: list[RichText] = []
    start = 0
    while len(rich.text) - start > most:
        cut = _cut(rich.text, start, start + most)
        pieces.append(_piece(rich, start, cut))
        start = cut
        while start < len(rich.text) and rich.text[start] in "\n ":
            start += 1
    return [*pieces, _piece(rich, start, len(rich.text))]


def _cut(text: str, start: int, end: int) -> int:
    for sign in ("\n\n", "\n", " "):
        place = text.rfind(sign, start + 1, end)
        if place > start + (end - start) // 2:
            return place
    return end


def _piece(rich: RichText, start: int, end: int) -> RichText:
    spans = [
        Span(span.tag, max(span.start, start) - start, min(span.end, end) - start, span.url)
        for span in rich.spans
        if span.start < end and span.end > start
    ]
    return RichText(rich.text[start:end], tuple(spans))
