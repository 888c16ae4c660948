"""Conditions of an audience as a person types or presses them, as plain data."""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from bot.texts import _
from engine.errors import Invalid

Condition = Mapping[str, Any]
Audience = Mapping[str, Any]

_SIGNS = {  # what a person types, in each of our languages; one that another begins with stands after it
    "is not": "is_not",
    "!=": "is_not",
    "<>": "is_not",
    "≠": "is_not",
    "not": "is_not",
    ">=": "gte",
    "≥": "gte",
    "at least": "gte",
    "не меньше": "gte",
    "не менше": "gte",
    "<=": "lte",
    "≤": "lte",
    "at most": "lte",
    "не больше": "lte",
    "не більше": "lte",
    "не": "is_not",
    ">": "gt",
    "over": "gt",
    "больше": "gt",
    "більше": "gt",
    "<": "lt",
    "under": "lt",
    "меньше": "lt",
    "менше": "lt",
    "contains": "contains",
    "содержит": "contains",
    "містить": "contains",
    "is": "is",
    "==": "is",
    "=": "is",
    ":": "is",
}
_SIGN = "|".join(r"\b" + sign + r"\b" if sign[0].isalpha() else re.escape(sign) for sign in _SIGNS)
_TYPED = re.compile(rf"^(?P<field>[^<>=≠≥≤!:]+?)\s*(?P<sign>{_SIGN})\s*(?P<value>.+)$", re.IGNORECASE | re.DOTALL)
_WITHIN = re.compile(
    r"^(?P<field>.+?)\s+(?:within(?:\s+the\s+last)?|за(?:\s+последние|\s+останні)?)\s+"
    r"(?P<days>\d{1,5})(?:\s+(?:days?|дн\w*|день))?$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_EVERYBODY = ("everybody", "everyone", "all", "все", "всем", "усі", "всі", "усім")
_KNOWN = {
    **dict.fromkeys(("known", "известно", "відомо"), "known"),
    **dict.fromkeys(("unknown", "неизвестно", "невідомо"), "unknown"),
}
_OF_CARDS = ("tag", "language", "channel", "last_seen", "subscribed_to", "created_at", "last_wrote", "connection")
_CALLED = {  # fields of every card, as our languages call them on the card of the audience
    word: field
    for field, words in {
        "name": "полное_имя повне_ім'я",
        "first_name": "имя ім'я",
        "last_name": "фамилия прізвище",
        "phone": "телефон",
        "email": "почта пошта e-mail",
        "language": "язык мова",
        "timezone": "часовой_пояс часовий_пояс time_zone",
        "main_channel": "основной_канал основний_канал",
        "created_at": "создан створено created",
        "last_seen": "последняя_активность остання_активність",
        "last_wrote": "последнее_сообщение останнє_повідомлення",
        "tag": "тег",
        "subscribed_to": "подписка підписка",
        "channel": "канал",
        "connection": "связь зв'язок",
    }.items()
    for word in words.split()
}


def where_of(audience: Audience) -> list[Condition]:
    return [dict(condition) for condition in audience.get("where") or ()]


def with_where(audience: Audience, where: Sequence[Condition]) -> dict[str, Any]:
    changed = {key: value for key, value in audience.items() if key != "where"}
    return changed | ({"where": list(where)} if where else {})


def with_condition(audience: Audience, condition: Condition) -> dict[str, Any]:
    """The audience narrowed by one more condition; the same one twice stands once."""
    where = where_of(audience)
    return with_where(audience, where if condition in where else [*where, condition])


def without_condition(audience: Audience, place: int) -> dict[str, Any]:
    return with_where(audience, [one for number, one in enumerate(where_of(audience)) if number != place])


def tags_of(audience: Audience) -> list[str]:
    """The tags that were pressed: the client has any one of them."""
    place = _tags_at(where_of(audience))
    if place is None:
        return []
    condition = where_of(audience)[place]
    return list(condition["in"]) if "in" in condition else [str(condition["is"])]


def with_tag_turned(audience: Audience, tag: str) -> dict[str, Any]:
    """The audience with this tag pressed, or let go where it was pressed already."""
    where, pressed = where_of(audience), tags_of(audience)
    pressed = [one for one in pressed if one != tag] if tag in pressed else [*pressed, tag]
    condition = {"field": "tag", "in": pressed} if len(pressed) > 1 else {"field": "tag", "is": "".join(pressed)}
    place = _tags_at(where)
    if place is None:
        where.append(condition)
    else:
        where[place : place + 1] = [condition] if pressed else []
    return with_where(audience, where)


def _tags_at(where: Sequence[Condition]) -> int | None:
    """Where the condition stands that the tags' buttons change."""
    places = (at for at, one in enumerate(where) if one.get("field") == "tag" and ("in" in one or "is" in one))
    return next(places, None)


def read_typed(words: str, attributes: Collection[str], tags: Collection[str]) -> Condition | None:
    """The condition that was typed: a tag, "city is Kyiv", "ltv >= 1000", "last seen within 30 days"; None: everybody.

    Raises Invalid that says what can be typed."""
    words = " ".join(words.split())
    if words.casefold() in _EVERYBODY:
        return None
    by_tag = next((tag for tag in tags if tag.casefold() == words.casefold()), None)
    if by_tag is not None:
        return {"field": "tag", "is": by_tag}
    if within := _WITHIN.match(words):
        return {"field": _field(within["field"], attributes), "within_days": int(within["days"])}
    typed = _TYPED.match(words)
    if typed is None:
        raise Invalid(
            _(
                "I know no tag “{words}”. Type a tag, or a condition such as: city is Kyiv, ltv >= 1000, "
                "language is en."
            ),
            words=words[:60],
        )
    field = _field(typed["field"], attributes)
    return read_value(field, f"{typed['sign']} {typed['value']}", tags)


def read_value(field: str, words: str, tags: Collection[str] = ()) -> Condition:
    """What a field must be, as it was typed after the field was chosen: "Kyiv", "not Kyiv", "over 100", "known"."""
    words = " ".join(words.split())
    found = re.match(rf"^(?P<sign>{_SIGN})\s*(?P<value>.+)$", words, re.IGNORECASE)
    sign, value = (_SIGNS[found["sign"].lower()], found["value"].strip()) if found else ("is", words)
    if not value:
        raise Invalid(_("Type what “{field}” must be, such as: Kyiv, not Kyiv, over 100, known."), field=field)
    if sign == "is" and value.lower() in _KNOWN:
        return {"field": field, _KNOWN[value.lower()]: True}
    if field == "tag" and value not in tags:
        raise Invalid(_("There is no tag “{tag}”."), tag=value[:60])
    return {"field": field, sign: _value(value)}


def _field(words: str, attributes: Collection[str]) -> str:
    wanted = words.strip().casefold().replace("’", "'").replace(" ", "_")
    known = {name.casefold().replace(" ", "_"): name for name in (*attributes, *_OF_CARDS)}
    if wanted in known or wanted in _CALLED:
        return known.get(wanted) or _CALLED[wanted]
    near = get_close_matches(wanted, known, n=1)
    if near:
        raise Invalid(
            _("No client has a field “{field}”; did you mean “{nearest}”?"),
            field=words.strip()[:60],
            nearest=known[near[0]],
        )
    raise Invalid(_("No client has a field “{field}”."), field=words.strip()[:60])


def _value(words: str) -> str | float | int:
    if not _NUMBER.fullmatch(words):
        return words
    number = float(words.replace(",", "."))
    return int(number) if number.is_integer() else number
