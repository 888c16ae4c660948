"""A client's values as a text shows and compares them, and the filters that a text may use.

Nothing here can grow without bounds or reach beyond the value: a card may hold anything, and the next client must get
the message all the same.
"""

import operator
import re
import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import wraps
from math import isfinite
from typing import Any
from urllib.parse import quote

from engine.errors import Invalid, _

MAX_VALUE = 100_000  # characters of one value, and of one finished text
MAX_WORK = 400_000  # characters that one rendering of a text may go through: about a fifth of a second at the slowest

# Marks of our rich text, lone surrogates and control characters; a line's end and a tab are text.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000-\ue0ff]")
_LINE_ENDS = re.compile("\r\n?")
_ABSOLUTE = re.compile(r"(?:https?://[^\s/?#\\]+|tg://)\S*", re.IGNORECASE)


class TemplateFailed(Invalid):
    """This client's values make no message that can be sent; the others' may.

    `reason` is the short word for statistics: "too_long", "empty", "bad_link" or "template"."""

    def __init__(self, words: str, /, *, reason: str = "template", **values: object) -> None:
        super().__init__(words, **values)
        self.reason = reason


def shown(value: object) -> str:
    """The value as it stands in a text: nothing for a missing one, 3 for 3.0, ISO for a date, a list with commas."""
    if type(value) is str:
        return value if value.isprintable() else _clean(value)
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _clean(str(value))
        case int() | float() | Decimal():
            return _shown_number(value)
        case datetime():
            return value.isoformat(" ", "minutes")
        case date():
            return value.isoformat()
        case list() | tuple() | set() | frozenset():
            return join(value)
    raise TemplateFailed(_("A value of the kind “{kind}” can't be shown."), kind=type(value).__name__)


def is_absolute(url: str) -> bool:
    """Whether a person's messenger can open it: http, https or tg, with a host and without spaces."""
    return _ABSOLUTE.fullmatch(url) is not None


def in_address(value: object) -> str:
    """The value as a piece of an address, every special character of an address escaped."""
    return quote(shown(value), safe="")


def as_address(value: object) -> str:
    """The value as a whole address, or the start of one."""
    address = shown(value).strip()
    if not is_absolute(address) or address[:2].lower() == "tg":
        raise TemplateFailed(
            _("The client's link isn't an address that starts with http:// or https://."), reason="bad_link"
        )
    return address


def _clean(text: str) -> str:
    return _UNWANTED.sub("", _LINE_ENDS.sub("\n", text) if "\r" in text else text)


def _shown_number(value: int | float | Decimal) -> str:
    if isinstance(value, int) and abs(value) < 10**30:
        return str(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 20 and value != int(value):
        return f"{value:f}"
    number = _float(value)
    if not isfinite(number):
        return ""
    return str(int(number)) if abs(number) < 1e15 and number.is_integer() else f"{number:.15g}"


def _float(value: int | float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def number_of(value: object) -> float | int | None:
    """The number that the value is, or that its text spells with a point or a comma; else None."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, Decimal):
        return _float(value)
    if not isinstance(value, str) or len(value) > 40:
        return None
    spelled = value.strip().replace(",", ".")
    try:
        return int(spelled)
    except ValueError:
        pass
    try:
        return float(spelled)
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_missing(value: object) -> bool:
    return value is None or value == ""


# --- comparisons and sums --------------------------------------------------------------------------------------------


def _pair(left: object, right: object) -> tuple[object, object] | None:
    """Both as numbers if one of them is a number, else both as texts; None if they can't be compared."""
    if _is_number(left) or _is_number(right):
        numbers = number_of(left), number_of(right)
        return None if None in numbers else numbers
    return shown(left), shown(right)


def _equal(left: object, right: object) -> bool:
    if _is_missing(left) or _is_missing(right):
        return _is_missing(left) and _is_missing(right)
    pair = _pair(left, right)
    return pair is not None and pair[0] == pair[1]


def _not_equal(left: object, right: object) -> bool:
    return not _equal(left, right)


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    def compare(left: object, right: object) -> bool:
        # A missing value is neither more nor less than anything.
        pair = None if _is_missing(left) or _is_missing(right) else _pair(left, right)
        return pair is not None and holds(*pair)

    return compare


def _contains(item: object, container: object) -> bool:
    if isinstance(container, list | tuple | set | frozenset):
        return any(_equal(item, member) for member in container)
    return not _is_missing(item) and shown(item) in shown(container)


def _not_contains(item: object, container: object) -> bool:
    return not _contains(item, container)


def _add(left: object, right: object) -> float | int:
    return _operand(left) + _operand(right)


def _subtract(left: object, right: object) -> float | int:
    return _operand(left) - _operand(right)


def _operand(value: object) -> float | int:
    number = 0 if _is_missing(value) else number_of(value)
    if number is None:
        raise TemplateFailed(_("“+” and “-” need numbers, and a value of this client isn't one."))
    return number if abs(number) < 1e30 else _float(number)


# --- filters ---------------------------------------------------------------------------------------------------------


def default(value: object, default_value: object = "", boolean: object = True) -> object:  # noqa: ARG001 - Jinja has it
    """Another value where this one is missing or empty, whatever `boolean` says: people mean both."""
    return default_value if _is_missing(value) or (isinstance(value, str) and value.isspace()) else value


def upper(value: object) -> str:
    return shown(value).upper()


def lower(value: object) -> str:
    return shown(value).lower()


def capitalize(value: object) -> str:
    return shown(value).capitalize()


def title(value: object) -> str:
    return re.sub(r"[^\s(\[{<-]+", lambda word: word[0][:1].upper() + word[0][1:].lower(), shown(value))


def trim(value: object) -> str:
    return shown(value).strip()


def replace(value: object, old: object, new: object) -> str:
    text, was, becomes = shown(value), shown(old), shown(new)
    if not was:
        return text
    _bound(len(text) + text.count(was) * (len(becomes) - len(was)))
    return text.replace(was, becomes)


def truncate(value: object, length: object = 50, *, end: object = "…") -> str:
    """At most `length` characters, `end` among them, cut between words where there are some."""
    text, tail, limit = shown(value), shown(end), int(number_of(length) or 0)
    if len(text) <= limit:
        return text
    kept = text[: max(limit - len(tail), 0)]
    if not text[len(kept)].isspace() and " " in kept.strip():
        kept = kept.rpartition(" ")[0]
    return kept.rstrip() + tail[: max(limit, 0)]


def round_(value: object, digits: object = 0) -> float | int | None:
    number, places = number_of(value), int(number_of(digits) or 0)
    if number is None or not isfinite(number):
        return None
    return round(_float(number), min(max(places, -15), 15))


def int_(value: object, default: object = 0) -> object:
    number = number_of(value)
    return default if number is None or not isfinite(number) else int(number)


def float_(value: object, default: object = 0.0) -> object:
    number = number_of(value)
    return default if number is None or not isfinite(number) else _float(number)


def abs_(value: object) -> float | int | None:
    number = number_of(value)
    return None if number is None else abs(number)


def join(value: object, between: object = ", ") -> str:
    if not isinstance(value, list | tuple | set | frozenset):
        return shown(value)
    ordered = value if isinstance(value, list | tuple) else sorted(value, key=str)
    members = [_shown_member(member) for member in ordered]
    separator = shown(between)
    _bound(sum(map(len, members)) + len(separator) * len(members))
    return separator.join(members)


def _shown_member(member: object) -> str:
    if isinstance(member, list | tuple | set | frozenset):
        raise TemplateFailed(_("A value of the kind “{kind}” can't be shown."), kind="list in a list")
    return shown(member)


def length(value: object) -> int:
    return len(value) if isinstance(value, list | tuple | set | frozenset) else len(shown(value))


def first(value: object) -> object:
    return (value[0] if value else None) if isinstance(value, list | tuple) else shown(value)[:1]


def last(value: object) -> object:
    return (value[-1] if value else None) if isinstance(value, list | tuple) else shown(value)[-1:]


def date_(value: object, form: object = "%d.%m.%Y") -> str:
    """A date (or its ISO text) by %d %m %Y %y %H %M; what is no date stays as it is."""
    try:
        when = value if isinstance(value, date) else datetime.fromisoformat(shown(value))
    except ValueError:
        return shown(value)
    moment = when if isinstance(when, datetime) else datetime(when.year, when.month, when.day)  # noqa: DTZ001 - wall time
    parts: Mapping[str, str] = {
        "%d": f"{moment.day:02}",
        "%m": f"{moment.month:02}",
        "%Y": f"{moment.year:04}",
        "%y": f"{moment.year % 100:02}",
        "%H": f"{moment.hour:02}",
        "%M": f"{moment.minute:02}",
    }
    return re.sub("%[a-zA-Z]", lambda code: parts.get(code[0], code[0]), shown(form))


def _bound(size: int) -> None:
    if size > MAX_VALUE:
        words = _("With this client's values the text gets longer than {limit} characters.")
        raise TemplateFailed(words, reason="too_long", limit=MAX_VALUE)


class _Work(threading.local):
    """What the rendering that goes on in this thread may still go through."""

    left = MAX_WORK


_work = _Work()


def begin_work() -> None:
    """A text is rendered from here on. Without a bound, thousands of filters on one long value stop every channel."""
    _work.left = MAX_WORK


def measured(function: Callable[..., object]) -> Callable[..., object]:
    """The same, taken off what the rendering may go through. Raises TemplateFailed once that is used up."""

    @wraps(function)
    def measure(*values: object, **named: object) -> object:
        for value in values:
            if type(value) is str:
                _work.left -= len(value)
            elif isinstance(value, list | tuple | set | frozenset):
                _work.left -= sum(len(member) if isinstance(member, str) else 1 for member in value)
        if _work.left < 0:
            raise TemplateFailed(
                _("With this client's values the expressions of the text take too long."), reason="too_long"
            )
        return function(*values, **named)

    return measure


FILTERS: Mapping[str, Callable[..., object]] = {
    "abs": abs_,
    "capitalize": capitalize,
    "date": date_,
    "default": default,
    "first": first,
    "float": float_,
    "int": int_,
    "join": join,
    "last": last,
    "length": length,
    "lower": lower,
    "replace": replace,
    "round": round_,
    "title": title,
    "trim": trim,
    "truncate": truncate,
    "upper": upper,
}

# What operators become in a compiled text, and what escapes a value in an address.
INNER: Mapping[str, Callable[..., object]] = {
    "eq": _equal,
    "ne": _not_equal,
    "gt": _ordered(operator.gt),
    "gteq": _ordered(operator.ge),
    "lt": _ordered(operator.lt),
    "lteq": _ordered(operator.le),
    "in": _contains,
    "notin": _not_contains,
    "add": _add,
    "sub": _subtract,
    "missing": _is_missing,
    "in_address": in_address,
    "as_address": as_address,
}
