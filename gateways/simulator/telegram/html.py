"""Parse mode HTML, with the refusals of the platform (platforms/telegram.md section 9)."""

import re
from dataclasses import dataclass, field
from typing import Any

from gateways.simulator.telegram.answers import Refusal, bad
from gateways.simulator.telegram.entities import Entity, utf16_length
from gateways.simulator.telegram.links import checked_link

_SIMPLE = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_TAGS = frozenset({*_SIMPLE, "a", "span", "tg-emoji", "tg-time"})
_REFERENCE = re.compile(r"&(?:#(\d{1,7}|[xX][0-9a-fA-F]{1,6})|(lt|gt|amp|quot));?")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_MENTION = re.compile(r"tg://user\?id=(\d+)$")
_NAME = re.compile(r"[^\s>/=]*")
_ATTRIBUTE = re.compile(r"""\s*([^\s=>/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?""")


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Plain text and entities. Raises Refusal with `can't parse entities: ...`."""
    return _Parser(source).parse()


def unescaped(text: str) -> str:
    return _REFERENCE.sub(_reference, text) if "&" in text else text


def _reference(match: re.Match[str]) -> str:
    if match[2]:
        return _NAMED[match[2]]
    code = int(match[1][1:], 16) if match[1][0] in "xX" else int(match[1])
    if code == 0 or code >= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return match[0]
    return chr(code)


@dataclass
class _Open:
    tag: str
    begin: int  # UTF-16 units
    attributes: dict[str, str] = field(default_factory=dict)


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._pieces: list[str] = []
        self._length = 0  # UTF-16 units written
        self._open: list[_Open] = []
        self._entities: list[Entity] = []

    def parse(self) -> tuple[str, list[Entity]]:
        while self._at < len(self._source):
            next_tag = self._source.find("<", self._at)
            end = len(self._source) if next_tag < 0 else next_tag
            self._write(unescaped(self._source[self._at : end]))
            self._at = end
            if next_tag >= 0:
                self._read_tag()
        if self._open:
            raise self._error(f'Can\'t find end tag corresponding to start tag "{self._open[-1].tag}"')
        return "".join(self._pieces), self._entities

    def _write(self, text: str) -> None:
        self._pieces.append(text)
        self._length += utf16_length(text)

    def _error(self, words: str, at: int | None = None) -> Refusal:
        place = "" if at is None else f" at byte offset {len(self._source[:at].encode())}"
        return bad(f"can't parse entities: {words}{place}")

    def _read_tag(self) -> None:
        begin = self._at
        if self._source.startswith("</", begin):
            self._read_end_tag(begin)
        else:
            self._read_start_tag(begin)

    def _read_end_tag(self, begin: int) -> None:
        close = self._source.find(">", begin)
        if close < 0:
            raise self._error("Unclosed end tag", begin)
        name = self._source[begin + 2 : close].strip().lower()
        if not self._open:
            raise self._error("Unexpected end tag", begin)
        opened = self._open.pop()
        if name and name != opened.tag:
            raise self._error(
                f"Unmatched end tag at byte offset {len(self._source[:begin].encode())}, "
                f'expected "</{opened.tag}>", found "</{name}>"'
            )
        self._at = close + 1
        self._close(opened)

    def _read_start_tag(self, begin: int) -> None:
        name = _NAME.match(self._source, begin + 1)
        tag = "" if name is None else name.group().lower()
        if tag not in _TAGS:
            if self._source.find(">", begin) < 0 and tag:
                raise self._error("Unclosed start tag", begin)
            raise self._error(f'Unsupported start tag "{tag}"', begin)
        self._at = begin + 1 + len(tag)
        attributes = self._read_attributes(tag, begin)
        if tag == "span" and attributes.get("class") != "tg-spoiler":
            raise self._error('Tag "span" must have class "tg-spoiler"', begin)
        if tag == "tg-emoji" and not attributes.get("emoji-id", "").isdigit():
            raise self._error("Invalid custom emoji identifier specified")
        self._open.append(_Open(tag, self._length, attributes))

    def _read_attributes(self, tag: str, begin: int) -> dict[str, str]:
        attributes: dict[str, str] = {}
        while True:
            while self._source[self._at : self._at + 1].isspace():
                self._at += 1
            if self._at >= len(self._source):
                raise self._error("Unclosed start tag", begin)
            if self._source[self._at] == ">":
                self._at += 1
                return attributes
            match = _ATTRIBUTE.match(self._source, self._at)
            if match is None:
                raise self._error(f'Empty attribute name in the tag "{tag}"', begin)
            value = next((each for each in match.groups()[1:] if each is not None), "")
            attributes[match[1].lower()] = unescaped(value)
            self._at = match.end()

    def _close(self, opened: _Open) -> None:
        length = self._length - opened.begin
        if length <= 0:
            return
        entity = self._entity(opened, length)
        if entity is None:
            return
        # <pre><code class="language-x"> is one entity with a language.
        if entity.type == "pre" and self._entities:
            inner = self._entities[-1]
            if inner.type == "code" and (inner.offset, inner.length) == (entity.offset, entity.length):
                self._entities.pop()
                entity = Entity("pre", entity.offset, entity.length, inner.details)
        elif entity.type == "code" and not (self._open and self._open[-1].tag == "pre"):
            entity = Entity("code", entity.offset, entity.length)
        self._entities.append(entity)

    def _entity(self, opened: _Open, length: int) -> Entity | None:
        details: tuple[tuple[str, Any], ...] = ()
        kind = _SIMPLE.get(opened.tag, "")
        match opened.tag:
            case "a":
                return self._link(opened, length)
            case "span":
                kind = "spoiler"
            case "tg-emoji":
                kind, details = "custom_emoji", (("custom_emoji_id", opened.attributes["emoji-id"]),)
            case "tg-time":
                kind, details = "date_time", _moment(opened.attributes)
            case "blockquote" if "expandable" in opened.attributes:
                kind = "expandable_blockquote"
            case "code" if opened.attributes.get("class", "").startswith("language-"):
                details = (("language", opened.attributes["class"].removeprefix("language-")),)
        return Entity(kind, opened.begin, length, details)

    def _link(self, opened: _Open, length: int) -> Entity | None:
        url = opened.attributes.get("href", "")
        if not url:
            units = "".join(self._pieces).encode("utf-16-le", "surrogatepass")
            url = units[opened.begin * 2 :].decode("utf-16-le", "surrogatepass")
        if mention := _MENTION.match(url):
            user = {"id": int(mention[1]), "is_bot": False, "first_name": ""}
            return Entity("text_mention", opened.begin, length, (("user", user),))
        link = checked_link(url)
        return None if link is None else Entity("text_link", opened.begin, length, (("url", link),))


def _moment(attributes: dict[str, str]) -> tuple[tuple[str, Any], ...]:
    """Raises Refusal where `unix` is no number."""
    if not attributes.get("unix", "").isdigit():
        raise bad("can't parse entities: Invalid date specified")
    return ("unix_time", int(attributes["unix"])), ("date_time_format", attributes.get("format", ""))
