"""Formatting as Telegram keeps it: plain text beside entities whose offsets are UTF-16 units."""

import re
from dataclasses import dataclass, replace
from typing import Any

from gateways.simulator.telegram.answers import Json, bad
from gateways.simulator.telegram.links import checked_link

MAX_ENTITIES = 100  # the rest are ignored; platforms/telegram.md section 3
_GIVEN = frozenset(
    [
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "custom_emoji",
        "date_time",
    ]
)
_DETAILS = ("language", "custom_emoji_id", "user", "unix_time", "date_time_format")
_SOLID = frozenset({"code", "pre"})  # they contain nothing
_QUOTES = frozenset({"blockquote", "expandable_blockquote"})  # they do not nest
_BLANK = " \t\n\r\x0b\x0c\u2028\u2029"
_HINT = re.compile(r"[/@#:]")
_FOUND = re.compile(
    r"(?P<url>\bhttps?://[^\s<>\"]*[^\s<>\".,;:!?)\]}'])"
    r"|(?<![\w/@])(?P<mention>@[A-Za-z]\w{3,31})\b"
    r"|(?<![\w/])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?)(?![\w/])"
    r"|(?<![\w#])(?P<hashtag>#(?=\w*[^\W\d])\w{1,256})"
)


@dataclass(frozen=True, slots=True)
class Entity:
    type: str
    offset: int  # UTF-16 units
    length: int  # UTF-16 units
    details: tuple[tuple[str, Any], ...] = ()

    @property
    def end(self) -> int:
        return self.offset + self.length

    @property
    def url(self) -> str | None:
        return next((value for name, value in self.details if name == "url"), None)

    def as_json(self) -> Json:
        return {"offset": self.offset, "length": self.length, "type": self.type, **dict(self.details)}


def entity_from_json(entity: Json) -> Entity:
    rest = tuple((name, value) for name, value in entity.items() if name not in ("type", "offset", "length"))
    return Entity(entity["type"], entity["offset"], entity["length"], rest)


def utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def given_entities(raw: Any) -> list[Entity]:
    """Entities as a bot sent them: unknown types are passed over, malformed ones are refused."""
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise bad("can't parse entities JSON object")
    return [entity for item in raw[:MAX_ENTITIES] if (entity := _given_entity(item)) is not None]


def _given_entity(item: Any) -> Entity | None:
    if not isinstance(item, dict):
        raise bad("can't parse MessageEntity: expected an Object")
    try:
        kind, offset, length = item["type"], int(item["offset"]), int(item["length"])
    except (KeyError, TypeError, ValueError) as error:
        raise bad(f"can't parse MessageEntity: Can't find field {error}") from None
    if not isinstance(kind, str) or kind not in _GIVEN:
        return None
    details = [
        (name, item[name])
        for name in ("language", "custom_emoji_id", "user", "unix_time", "date_time_format")
        if item.get(name)
    ]
    if kind == "text_link":
        link = checked_link(str(item.get("url", "")))
        if link is None:
            return None
        details = [("url", link)]
    return Entity(kind, offset, length, tuple(details))


def finished(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Trim the text as Telegram does, put the entities in order, and add those that it finds by itself."""
    if "\r" in text:
        text = text.replace("\r", "")  # offsets of entities are counted without it, as TDLib does
    core = text.strip(_BLANK)
    if entities:
        _check_borders(text, entities)
        cut = utf16_length(text[: text.find(core)]) if core else 0
        entities = _ordered(_moved(entities, cut, utf16_length(core)))
    if _HINT.search(core):
        entities = _with_found(core, entities)
    return core, entities


def _check_borders(text: str, entities: list[Entity]) -> None:
    if text.isascii():
        return
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in entities:
        for border in (entity.offset, entity.end):
            if 0 < border * 2 < len(units) and 0xDC <= units[border * 2 + 1] <= 0xDF:
                raise bad(f"entity beginning at UTF-16 offset {entity.offset} ends in a middle of a UTF-16 symbol")


def _moved(entities: list[Entity], cut: int, size: int) -> list[Entity]:
    moved = []
    for entity in entities:
        begin, end = max(0, entity.offset - cut), min(size, entity.end - cut)
        if end > begin:
            moved.append(replace(entity, offset=begin, length=end - begin))
    return moved


def _ordered(entities: list[Entity]) -> list[Entity]:
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda each: (each.offset, -each.length)):
        around = [each for each in kept if each.end > entity.offset]
        if any(each.type in _SOLID and entity.type not in ("text_link", *_QUOTES) for each in around):
            continue
        if entity.type in _QUOTES and any(each.type in _QUOTES for each in around):
            continue
        if any(each.end < entity.end for each in around):  # crossing: the part inside stays
            entity = replace(entity, length=min(each.end for each in around) - entity.offset)
        kept.append(entity)
    return kept


def _with_found(text: str, entities: list[Entity]) -> list[Entity]:
    found = []
    for match in _FOUND.finditer(text):
        begin = utf16_length(text[: match.start()])
        entity = Entity(str(match.lastgroup), begin, utf16_length(match.group()))
        if not any(
            each.offset < entity.end
            and entity.offset < each.end
            and each.type in (*_SOLID, "text_link", "text_mention")
            for each in entities
        ):
            found.append(entity)
    return sorted([*entities, *found], key=lambda each: (each.offset, -each.length)) if found else entities
