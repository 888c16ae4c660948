"""An audience as people write it: read strictly, told back in words."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any

from engine.errors import Invalid, _
from gateways.base import AddressStatus
from storage.fields import BUILT_IN, INSTANTS
from storage.filters import (
    MAX_DEPTH,
    MAX_VALUES,
    AllOf,
    AnyOf,
    AudienceFilter,
    Comparison,
    Condition,
    MailingOutcome,
    MailingResult,
    Term,
)

_CONNECTIONS = (*(str(status) for status in AddressStatus), "none")
_KEYS = ("field", *(str(comparison) for comparison in Comparison), "mailing", "outcome", "any", "all")
MAX_TERMS = 200  # single conditions in one audience


def read_audience(data: Mapping[str, Any], known_fields: Collection[str] | None = None) -> AudienceFilter:
    """Make an audience from plain data: `segment`, `where`, or neither for everybody.

    With `known_fields` an attribute that no client has is refused too; without, it is refused when it is counted.
    Raises Invalid that names the condition, what is wrong with it and the nearest name that is known."""
    _check_keys(data, ("segment", "where"), _("an audience"))
    segment = data.get("segment")
    if segment is not None and (not isinstance(segment, str) or not segment.strip()):
        raise Invalid(_("The audience's segment must be the name of a saved segment."))
    reader = _Reader(known_fields)
    return AudienceFilter(segment=segment, where=reader.terms(data.get("where", []), "where", 0))


class _Reader:
    def __init__(self, known_fields: Collection[str] | None) -> None:
        self._known_fields = None if known_fields is None else sorted({*known_fields, *BUILT_IN})
        self._left = MAX_TERMS

    def terms(self, data: Any, where: str, depth: int) -> tuple[Term, ...]:
        if not isinstance(data, Sequence) or isinstance(data, str):
            raise Invalid(_("{where} must be a list of conditions."), where=where)
        return tuple(self._term(one, f"{where} {number}", depth) for number, one in enumerate(data, start=1))

    def _term(self, data: Any, where: str, depth: int) -> Term:
        self._left -= 1
        if self._left < 0:
            raise Invalid(_("An audience has at most {count} conditions."), count=MAX_TERMS)
        if not isinstance(data, Mapping):
            raise Invalid(_("{where} must be a condition such as field = “tag”, is = “vip”."), where=where)
        for group, kind in (("any", AnyOf), ("all", AllOf)):
            if group in data:
                _check_keys(data, (group,), where)
                return kind(self._group(data[group], f"{where}, {group}", depth + 1))
        return self._outcome(data, where) if "mailing" in data else self._condition(data, where)

    def _group(self, data: Any, where: str, depth: int) -> tuple[Term, ...]:
        if depth > MAX_DEPTH:
            raise Invalid(_("{where} stands too deep: {depth} groups in one another are the limit."), **_at(where))
        terms = self.terms(data, where, depth)
        if not terms:
            raise Invalid(_("{where} has no condition in it."), where=where)
        return terms

    def _outcome(self, data: Mapping[str, Any], where: str) -> MailingOutcome:
        _check_keys(data, ("mailing", "outcome", "is_not"), where)
        mailing, outcome, is_not = data["mailing"], data.get("outcome"), data.get("is_not", False)
        if not isinstance(mailing, int) or isinstance(mailing, bool) or not 0 < mailing < 2**62:
            raise Invalid(_("{where}: mailing is the number of a mailing, such as 7."), where=where)
        if outcome not in list(MailingResult):
            known = ", ".join(MailingResult)
            raise Invalid(_("{where}: outcome is one of {known}."), where=where, known=known)
        if not isinstance(is_not, bool):
            raise Invalid(_("{where}: is_not is true or false here."), where=where)
        return MailingOutcome(mailing, MailingResult(outcome), is_not)

    def _condition(self, data: Mapping[str, Any], where: str) -> Term:
        _check_keys(data, _KEYS, where)
        field = data.get("field")
        if not isinstance(field, str) or not field:
            raise Invalid(_("{where} needs a field, such as “tag” or “language”."), where=where)
        self._check_field(field, where)
        asked = [Comparison(key) for key in data if key != "field" and key in list(Comparison)]
        if not asked or len(asked) != len(data) - 1:
            known = ", ".join(Comparison)
            raise Invalid(_("{where} needs one of {known} beside its field."), where=where, known=known)
        conditions = tuple(
            Condition(field, comparison, _value(field, comparison, data[comparison], where)) for comparison in asked
        )
        return conditions[0] if len(conditions) == 1 else AllOf(conditions)

    def _check_field(self, field: str, where: str) -> None:
        if self._known_fields is None or field in self._known_fields:
            return
        if nearest := get_close_matches(field, self._known_fields, n=1):
            words = _("{where}: no client has a field “{field}”; did you mean “{nearest}”?")
            raise Invalid(words, where=where, field=field, nearest=nearest[0])
        raise Invalid(_("{where}: no client has a field “{field}”."), where=where, field=field)


def _value(field: str, comparison: Comparison, value: Any, where: str) -> Any:
    match comparison:
        case Comparison.KNOWN | Comparison.UNKNOWN:
            if not isinstance(value, bool):
                raise Invalid(_("{where}: {comparison} is true or false."), where=where, comparison=str(comparison))
            return value
        case Comparison.IN:
            if not isinstance(value, Sequence) or isinstance(value, str) or not 0 < len(value) <= MAX_VALUES:
                raise Invalid(_("{where}: in needs a list of 1 to {count} values."), where=where, count=MAX_VALUES)
            return tuple(_single(field, one, where) for one in value)
        case Comparison.BETWEEN:
            if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
                raise Invalid(_("{where}: between needs two values, the lower one first."), where=where)
            return tuple(_single(field, one, where) for one in value)
        case _:
            return _single(field, value, where)


def _single(field: str, value: Any, where: str) -> str | int | float | bool:
    if isinstance(value, date):  # a TOML file has dates and times of its own
        return value.isoformat()
    if not isinstance(value, str | int | float):
        raise Invalid(_("{where}: the value must be a text, a number or a date."), where=where)
    if isinstance(value, str) and ("\0" in value or len(value) > 1000):
        raise Invalid(_("{where}: the value can't be searched for."), where=where)
    if isinstance(value, float | int) and not abs(value) < 1e300:
        raise Invalid(_("{where}: the number is too large."), where=where)
    if field == "connection" and value not in _CONNECTIONS:
        raise Invalid(_("{where}: connection is one of {known}."), where=where, known=", ".join(_CONNECTIONS))
    return value


def _check_keys(data: Any, known: Sequence[str], where: str) -> None:
    if not isinstance(data, Mapping):
        raise Invalid(_("{where} must be a table."), where=where)
    for key in data:
        if key in known:
            continue
        if nearest := get_close_matches(str(key), known, n=1):
            words = _("{where} has no key “{key}”; did you mean “{nearest}”?")
            raise Invalid(words, where=where, key=key, nearest=nearest[0])
        raise Invalid(_("{where} has no key “{key}”; it knows {known}."), where=where, key=key, known=", ".join(known))


def _at(where: str) -> Mapping[str, object]:
    return {"where": where, "depth": MAX_DEPTH}


# --- in words --------------------------------------------------------------------------------------------------------

_WORDS: Mapping[Comparison, str] = {
    Comparison.IS: _("{field} is {value}"),
    Comparison.IS_NOT: _("{field} is not {value}"),
    Comparison.IN: _("{field} is one of {value}"),
    Comparison.CONTAINS: _("{field} contains {value}"),
    Comparison.GT: _("{field} is over {value}"),
    Comparison.GTE: _("{field} is at least {value}"),
    Comparison.LT: _("{field} is under {value}"),
    Comparison.LTE: _("{field} is at most {value}"),
    Comparison.BETWEEN: _("{field} is from {low} to {high}"),
    Comparison.KNOWN: _("{field} is known"),
    Comparison.UNKNOWN: _("{field} is unknown"),
    Comparison.WITHIN_DAYS: _("{field} within the last {value} days"),
    Comparison.NOT_WITHIN_DAYS: _("{field} not within the last {value} days"),
}

_WORDS_OF_TIMES: Mapping[Comparison, str] = {
    Comparison.IS: _("{field} on {value}"),
    Comparison.IS_NOT: _("{field} not on {value}"),
    Comparison.GT: _("{field} after {value}"),
    Comparison.GTE: _("{field} on {value} or later"),
    Comparison.LT: _("{field} before {value}"),
    Comparison.LTE: _("{field} on {value} or earlier"),
}

_CONNECTION_WORDS: Mapping[str, str] = {
    "enabled": _("connected"),
    "unsubscribed": _("unsubscribed"),
    "blocked": _("blocked us"),
    "gone": _("gone from the messenger"),
    "none": _("no address"),
}

_OUTCOMES: Mapping[MailingResult, str] = {MailingResult.KEPT: _("still as it was sent")}  # others are words already

_FIELDS: Mapping[
    str, str
] = {  # those of every card, as a sentence calls them; other fields have the names that they have
    "name": _("name"),
    "first_name": _("first name"),
    "last_name": _("last name"),
    "phone": _("phone"),
    "email": _("e-mail"),
    "language": _("language"),
    "timezone": _("time zone"),
    "main_channel": _("main channel"),
    "created_at": _("created"),
    "last_seen": _("last seen"),
    "last_wrote": _("last wrote"),
    "tag": _("tag"),
    "subscribed_to": _("subscribed to"),
    "channel": _("channel"),
    "connection": _("connection"),
}


def describe(audience: AudienceFilter, translate: Callable[[str], str] = str) -> str:
    """The audience in one line, such as “segment vip and ltv is at least 1000”; `translate` is gettext."""
    said = [translate(_("segment {name}")).format(name=audience.segment)] if audience.segment else []
    # What stands alone needs no brackets.
    alone = not said and len(audience.where) == 1
    said += [_describe(term, translate, bare=alone) for term in audience.where]
    return translate(_(" and ")).join(said) if said else translate(_("everybody"))


def field_words(field: str, translate: Callable[[str], str] = str) -> str:
    """What a sentence calls the field."""
    return translate(_FIELDS.get(field, field))


def _describe(term: Term, translate: Callable[[str], str], *, bare: bool = False) -> str:
    match term:
        case AnyOf(conditions=inner):
            return _joined(inner, _(" or "), translate, bare)
        case AllOf(conditions=inner):
            return _joined(inner, _(" and "), translate, bare)
        case MailingOutcome():
            words = _("mailing {mailing} not {outcome}") if term.is_not else _("mailing {mailing} {outcome}")
            return translate(words).format(
                mailing=term.mailing, outcome=translate(_OUTCOMES.get(term.outcome, term.outcome))
            )
        case Condition():
            return _describe_condition(term, translate)


def _joined(inner: Sequence[Term], between: str, translate: Callable[[str], str], bare: bool) -> str:
    said = translate(between).join(_describe(one, translate, bare=len(inner) == 1) for one in inner)
    return said if bare or len(inner) == 1 else f"({said})"


def _describe_condition(condition: Condition, translate: Callable[[str], str]) -> str:
    value, comparison = condition.value, condition.comparison
    if comparison in (Comparison.KNOWN, Comparison.UNKNOWN):
        is_known = (comparison == Comparison.KNOWN) == bool(value)
        comparison = Comparison.KNOWN if is_known else Comparison.UNKNOWN
    words = _WORDS_OF_TIMES.get(comparison) if condition.field in INSTANTS else None
    words, field = translate(words or _WORDS[comparison]), field_words(condition.field, translate)
    if comparison == Comparison.BETWEEN:
        return words.format(field=field, low=value[0], high=value[1])
    values = [str(one) for one in (value if isinstance(value, tuple) else (value,))]
    if condition.field == "connection":
        values = [translate(_CONNECTION_WORDS[one]) for one in values]
    return words.format(field=field, value=", ".join(values))
