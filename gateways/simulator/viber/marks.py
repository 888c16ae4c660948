"""How a Viber app shows marks in a text; help.viber.com, "Format text messages" (14.6 on)."""

import re

from gateways.markup import RichText, Span

_TAGS = {"*": "b", "_": "i", "~": "s", "```": "code"}
# A mark opens before a word and closes where a space or the end follows.
_MARKED = re.compile(r"(?<!\w)(?P<mark>```|[*_~])(?=\S)(?P<words>.+?)(?<=\S)(?P=mark)(?=[\s*_~`]|$)")
_HTML_TAG = re.compile(r"<[^<>]*>")


def read_marks(text: str) -> RichText:
    """The words as they are shown."""
    spans: list[Span] = []
    shown = _shown(text, 0, spans)
    return RichText(shown, tuple(sorted(spans, key=lambda span: (span.start, -span.end))))


def _shown(text: str, offset: int, spans: list[Span]) -> str:
    pieces: list[str] = []
    at = length = 0
    for found in _MARKED.finditer(text):
        pieces.append(text[at : found.start()])
        length += len(pieces[-1])
        tag = _TAGS[found["mark"]]
        words = found["words"] if tag == "code" else _shown(found["words"], offset + length, spans)
        spans.append(Span(tag, offset + length, offset + length + len(words)))
        pieces.append(words)
        length += len(words)
        at = found.end()
    return "".join([*pieces, text[at:]])


def without_html(words: str) -> str:
    """The words of a button, whose HTML is shown by its size and colour alone here."""
    return (
        _HTML_TAG.sub("", words.replace("<br>", "\n"))
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", '"')
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
    )
