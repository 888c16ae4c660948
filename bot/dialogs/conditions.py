"""Conditions of an audience as a person types them, as plain data."""

import re
from collections.abc import Collection, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

from bot.texts import _
from engine.errors import Invalid

Condition = Mapping[str, Any]

_SIGNS = {  # what a person types, in each of our languages; one that another begins with stands after it
    "is not": "is_not",
    "не равно": "is_not",
    "не дорівнює": "is_not",
    "!=": "is_not",
    "<>": "is_not",
    "≠": "is_not",
    "not": "is_not",
    ">=": "gte",
    "≥": "gte",
    "at least": "gte",
    "не меньше": "gte",
    "не менше": "gte",
    "since": "gte",
    "начиная с": "gte",
    "не раньше": "gte",
    "не раніше": "gte",
    "<=": "lte",
    "≤": "lte",
    "at most": "lte",
    "не больше": "lte",
    "не більше": "lte",
    "не позже": "lte",
    "не пізніше": "lte",
    "не": "is_not",
    ">": "gt",
    "over": "gt",
    "больше": "gt",
    "більше": "gt",
    "after": "gt",
    "после": "gt",
    "після": "gt",
    "<": "lt",
    "under": "lt",
    "меньше": "lt",
    "менше": "lt",
    "before": "lt",
    "раньше": "lt",
    "раніше": "lt",
    "до": "lt",
    "contains": "contains",
    "содержит": "contains",
    "містить": "contains",
    "is": "is",
    "равно": "is",
    "дорівнює": "is",
    "==": "is",
    "=": "is",
    ":": "is",
    "—": "is",
}
_SIGN = "|".join(r"\b" + sign + r"\b" if sign[0].isalpha() else re.escape(sign) for sign in _SIGNS)
_TYPED = re.compile(rf"^(?P<field>[^<>=≠≥≤!:]+?)\s*(?P<sign>{_SIGN})\s*(?P<value>.+)$", re.IGNORECASE | re.DOTALL)
_WITHIN = re.compile(
    r"^(?P<field>.+?)\s+(?P<not>(?:not|не)\s+)?(?:within(?:\s+the\s+last)?|за(?:\s+последние|\s+останні)?)\s+"
    r"(?P<days>\d{1,5})(?:\s+(?:days?|дн\w*|день))?$",
    re.IGNORECASE,
)
_FROM_TO = re.compile(
    r"^(?P<field>.+?)\s+(?:(?:is\s+)?from|between|от|від)\s+(?P<low>\S+)\s+(?:to|and|до|і)\s+(?P<high>\S+)$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_DAY = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})")
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_BETWEEN = re.compile(r"\s+|…|\.\.+")
_BETWEEN_WORDS = frozenset(("from", "to", "and", "от", "до", "и", "від", "і", "-", "–", "—", ""))
_EVERYBODY = ("everybody", "everyone", "all", "все", "всем", "усі", "всі", "усім")
_KNOWN = {
    **dict.fromkeys(("known", "известно", "відомо"), "known"),
    **dict.fromkeys(("unknown", "неизвестно", "невідомо"), "unknown"),
}
_IS_KNOWN = re.compile(rf"^(?P<field>[^<>=≠≥≤!:—]+?)\s+(?P<known>{'|'.join(_KNOWN)})$", re.IGNORECASE)
_BY_SIZE = ("gt", "gte", "lt", "lte")
_TIMES = ("last_seen", "created_at", "last_wrote")
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
_OF_CARDS = tuple(dict.fromkeys(_CALLED.values()))


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
        comparison = "not_within_days" if within["not"] else "within_days"
        return {"field": _field(within["field"], attributes), comparison: int(within["days"])}
    if span := _FROM_TO.match(words):
        return {"field": _field(span["field"], attributes), "between": read_between(f"{span['low']} {span['high']}")}
    typed = _TYPED.match(words)
    if typed is None and (known := _IS_KNOWN.match(words)):
        return {"field": _field(known["field"], attributes), _KNOWN[known["known"].lower()]: True}
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
    if sign in ("is", "is_not") and value.lower() in _KNOWN:
        known = (_KNOWN[value.lower()] == "known") is (sign == "is")
        return {"field": field, "known" if known else "unknown": True}
    if _DAY.fullmatch(value) and (sign in _BY_SIZE or field in _TIMES):
        return {"field": field, sign: read_day(value)}
    if field == "tag" and value not in tags:
        raise Invalid(_("There is no tag “{tag}”."), tag=value[:60])
    return {"field": field, sign: _value(value)}


def read_days(words: str) -> int:
    """A number of days: "14", "14 days". Raises Invalid."""
    days = words.split(" ")[0]
    if not days.isdecimal() or not 0 < int(days) <= 36500:
        raise Invalid(_("Type a number of days, such as 14."))
    return int(days)


def read_day(words: str) -> str:
    """A day in ISO form: "2026-11-21", "21.11.2026". Raises Invalid."""
    written = words.strip()
    if found := _DAY.fullmatch(written):
        written = f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}"
    try:
        return date.fromisoformat(written).isoformat()
    except ValueError:
        words = words[:40]
        raise Invalid(_("“{words}” is no date: type it as 2026-11-21 or 21.11.2026."), words=words) from None


def read_size(words: str, *, is_day: bool = False) -> str | float | int:
    """What a field is compared with by size: a number, or a day. Raises Invalid."""
    written = words.replace("\u00a0", "").replace(" ", "")
    if is_day or not _NUMBER.fullmatch(written):
        if is_day or _DAY.fullmatch(written) or _ISO.fullmatch(written):
            return read_day(words)
        raise Invalid(_("“{words}” is no number: type one, such as 1000."), words=words[:40])
    return _value(written)


def read_between(words: str, *, is_day: bool = False) -> list[str | float | int]:
    """Two of them, the lower one first: "100 500", "100 - 500", "from 100 to 500". Raises Invalid."""
    two = [one for one in _BETWEEN.split(words) if one.casefold() not in _BETWEEN_WORDS]
    if len(two) != 2:
        example = "2026-01-01 2026-03-31" if is_day else "100 500"
        raise Invalid(_("Type two of them, the lower one first, such as: {example}."), example=example)
    low, high = (read_size(one, is_day=is_day) for one in two)
    if isinstance(low, str) is not isinstance(high, str):
        raise Invalid(_("Type two of them, the lower one first, such as: {example}."), example="100 500")
    return sorted([low, high])


def field_of(words: str, fields: Collection[str]) -> str | None:
    """The field that is called so, by its own name or as our languages call it."""
    wanted = words.strip().casefold().replace("’", "'").replace(" ", "_")
    known = {name.casefold().replace(" ", "_"): name for name in fields}
    return known.get(wanted) or _CALLED.get(wanted)


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
