"""Parse mode MarkdownV2, as far as a mailing uses it (platforms/telegram.md section 9)."""

from dataclasses import dataclass

from gateways.simulator.telegram.answers import Refusal, bad
from gateways.simulator.telegram.entities import Entity, utf16_length
from gateways.simulator.telegram.links import checked_link

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
_PAIRS = {
    "__": "underline",
    "||": "spoiler",
    "*": "bold",
    "_": "italic",
    "~": "strikethrough",
}


@dataclass
class _Open:
    mark: str
    begin: int  # UTF-16 units
    at: int  # index in the source


def parse_markdown_v2(source: str) -> tuple[str, list[Entity]]:
    """Plain text and entities. Raises Refusal with `can't parse entities: ...`."""
    return _Parser(source).parse()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._pieces: list[str] = []
        self._length = 0
        self._open: list[_Open] = []
        self._quote: int | None = None
        self._entities: list[Entity] = []

    def parse(self) -> tuple[str, list[Entity]]:
        while self._at < len(self._source):
            self._step()
        self._end_quote()
        if self._open:
            opened = self._open[-1]
            kind = "text_link" if opened.mark == "[" else _PAIRS[opened.mark].capitalize()
            raise self._error(f"Can't find end of {kind} entity at byte offset {self._byte(opened.at)}")
        return "".join(self._pieces), self._entities

    def _step(self) -> None:
        source, at = self._source, self._at
        sign = source[at]
        if sign == "\\" and at + 1 < len(source) and ord(source[at + 1]) < 127:
            self._write(source[at + 1])
            self._at += 2
        elif sign == "`":
            self._code()
        elif sign == ">" and (at == 0 or source[at - 1] == "\n"):
            self._quote = self._length if self._quote is None else self._quote
            self._at += 1
        elif sign == "\n":
            if not source.startswith(">", at + 1):
                self._end_quote()
            self._write(sign)
            self._at += 1
        elif sign == "[" or source.startswith("![", at):
            self._open.append(_Open("[", self._length, at))
            self._at += 1 if sign == "[" else 2
        elif sign == "]" and self._open and self._open[-1].mark == "[":
            self._link()
        elif (mark := self._mark()) is not None:
            self._pair(mark)
        elif sign in _RESERVED:
            raise self._error(f"Character '{sign}' is reserved and must be escaped with the preceding '\\'")
        else:
            self._write(sign)
            self._at += 1

    def _mark(self) -> str | None:
        return next((mark for mark in _PAIRS if self._source.startswith(mark, self._at)), None)

    def _pair(self, mark: str) -> None:
        at = self._at
        # "__" inside an open italic that has no open underline ends the italic: the greedy rule of the platform.
        if any(opened.mark == mark for opened in self._open):
            opened = self._open.pop()
            if opened.mark != mark:
                raise self._error(
                    f"Can't find end of {_PAIRS.get(opened.mark, 'text_link').capitalize()} entity "
                    f"at byte offset {self._byte(opened.at)}"
                )
            self._add(_PAIRS[mark], opened.begin)
        else:
            self._open.append(_Open(mark, self._length, at))
        self._at += len(mark)

    def _code(self) -> None:
        fence = "```" if self._source.startswith("```", self._at) else "`"
        start = self._at + len(fence)
        end = start
        while end < len(self._source) and not self._source.startswith(fence, end):
            end += 2 if self._source[end] == "\\" else 1
        if end >= len(self._source):
            kind = "PreCode" if fence == "```" else "Code"
            raise self._error(f"Can't find end of {kind} entity at byte offset {self._byte(self._at)}")
        inside, details = self._source[start:end], ()
        language = ""
        if fence == "```" and "\n" in inside:
            language, inside = inside.split("\n", 1)
        begin = self._length
        self._write(inside.replace("\\`", "`").replace("\\\\", "\\"))
        self._add("pre" if fence == "```" else "code", begin, (("language", language),) if language else details)
        self._at = end + len(fence)

    def _link(self) -> None:
        opened = self._open.pop()
        self._at += 1
        if not self._source.startswith("(", self._at):
            raise self._error("Character ']' is reserved and must be escaped with the preceding '\\'")
        end = self._at + 1
        while end < len(self._source) and self._source[end] != ")":
            end += 2 if self._source[end] == "\\" else 1
        if end >= len(self._source):
            raise self._error(f"Can't find end of a URL at byte offset {self._byte(self._at)}")
        url = self._source[self._at + 1 : end].replace("\\)", ")").replace("\\\\", "\\")
        link = checked_link(url)
        if link is not None:
            self._add("text_link", opened.begin, (("url", link),))
        self._at = end + 1

    def _end_quote(self) -> None:
        if self._quote is not None:
            self._add("blockquote", self._quote)
            self._quote = None

    def _add(self, kind: str, begin: int, details: tuple[tuple[str, str], ...] = ()) -> None:
        if self._length > begin:
            self._entities.append(Entity(kind, begin, self._length - begin, details))

    def _write(self, text: str) -> None:
        self._pieces.append(text)
        self._length += utf16_length(text)

    def _byte(self, at: int) -> int:
        return len(self._source[:at].encode())

    def _error(self, words: str) -> Refusal:
        return bad(f"can't parse entities: {words}")
