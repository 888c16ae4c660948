"""The fields of a card that a filter can ask for, and how each comparison reads in SQL.

Everything lies in the card's own row, so that any mix of conditions is one pass: docs/decisions/filters.md."""

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, and_, collate, exists, false, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import Invalid, _
from storage.schema import attributes, client_tags, clients, tags

TEXTS: Mapping[str, ColumnElement[Any]] = {
    "id": clients.c.external_id,
    "name": clients.c.name,
    "first_name": clients.c.first_name,
    "last_name": clients.c.last_name,
    "phone": clients.c.phone,
    "email": clients.c.email,
    "language": clients.c.language,
    "timezone": clients.c.timezone,
    "main_channel": clients.c.main_channel,
}
INSTANTS: Mapping[str, ColumnElement[Any]] = {
    "created_at": clients.c.created_at,
    "last_seen": clients.c.last_seen_at,
    "last_wrote": clients.c.last_wrote_at,
}
SETS = ("tag", "subscribed_to", "channel")  # several at once: `is` means one of them
BUILT_IN: tuple[str, ...] = (*TEXTS, *INSTANTS, *SETS, "connection")

_BY_SIZE = ("gt", "gte", "lt", "lte", "between")
_MANY_TAGS = 6  # so many are looked for on the card; more are looked up among the client's tags
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")


Span = tuple[int, int]
"""The first and the last client id that are looked at."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that one audience names, on one database, at one instant."""

    is_sqlite: bool
    slots: Mapping[str, int]  # of the custom attributes
    tags: Mapping[str, int]
    at: datetime
    zone: tzinfo
    span: Span | None = None

    def compare(self, field: str, comparison: str, value: Any) -> ColumnElement[bool]:
        """Whether the field is so; never NULL where it would matter: `is_not` holds for an unknown value too.

        Raises Invalid where the comparison makes no sense for the field, or the value none for the comparison."""
        if comparison in ("known", "unknown"):
            return self._known(field, (comparison == "known") == bool(value))
        if field == "tag":
            return self._tag(comparison, value)
        if field == "subscribed_to":
            return self._one_of(field, clients.c.sources, comparison, value, lambda name: f"|{as_source(name)}|")
        if field == "channel":
            return self._one_of(field, clients.c.reach, comparison, value, lambda name: f"|{name}=")
        if field in INSTANTS:
            return self._instant(field, INSTANTS[field], comparison, value)
        if field == "connection":
            return self._text(field, clients.c.main_status, None, comparison, value)
        if field in TEXTS:
            return self._text(field, TEXTS[field], None, comparison, value)
        slot = self.slots[field]
        return self._text(field, clients.c[f"text_{slot}"], clients.c[f"number_{slot}"], comparison, value)

    def reaches(self, channel: str, status: str) -> ColumnElement[bool]:
        """Whether the client has an address with this status on the channel."""
        return self._holds(clients.c.reach, f"|{channel}={status}|")

    def is_on(self, channel: str) -> ColumnElement[bool]:
        """Whether the client has an address on the channel at all."""
        return self._holds(clients.c.reach, f"|{channel}=")

    def within(self, client_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """Keeps a list of clients that is made beside the pass to those that are looked at."""
        return true() if self.span is None else client_id.between(*self.span)

    def _known(self, field: str, is_known: bool) -> ColumnElement[bool]:
        column, empty = self._column(field)
        if empty is not None:
            return column != empty if is_known else column == empty
        return column.is_not(None) if is_known else column.is_(None)

    def column(self, field: str) -> ColumnElement[Any]:
        """Where the field stands on the card; an attribute as text."""
        return self._column(field)[0]

    def _column(self, field: str) -> tuple[ColumnElement[Any], str | None]:
        """Where the field stands, and what stands there instead of NULL."""
        named: Mapping[str, tuple[ColumnElement[Any], str | None]] = {
            "tag": (clients.c.tags, ","),
            "subscribed_to": (clients.c.sources, "|"),
            "channel": (clients.c.reach, "|"),
            "connection": (clients.c.main_status, "none"),
        }
        if field in named:
            return named[field]
        column = TEXTS.get(field, INSTANTS.get(field))
        return (clients.c[f"text_{self.slots[field]}"] if column is None else column), None

    # --- sets: tags, sources, channels ---

    def _tag(self, comparison: str, value: Any) -> ColumnElement[bool]:
        match comparison:
            case "is" | "is_not" | "in":
                names = [str(one) for one in (value if comparison == "in" else [value])]
                ids = [self.tags[name] for name in names if name in self.tags]
            case "contains":
                part = str(value).casefold()
                ids = [tag for name, tag in self.tags.items() if part in name.casefold()]
            case _:
                raise _no_such_comparison("tag", comparison)
        found = self._tagged(ids)
        return ~found if comparison == "is_not" else found

    def _tagged(self, ids: Sequence[int]) -> ColumnElement[bool]:
        if len(ids) <= _MANY_TAGS:
            return or_(false(), *(self._holds(clients.c.tags, f",{tag},") for tag in ids))
        if not self.is_sqlite:
            return clients.c.id.in_(
                select(client_tags.c.client_id).where(
                    client_tags.c.tag_id.in_(ids), self.within(client_tags.c.client_id)
                )
            )
        # The sum keeps SQLite from seeking once for every tag: it walks over the few that the client has.
        own = client_tags.c.client_id == clients.c.id
        return exists().where(own, (client_tags.c.tag_id + 0).in_(ids)).correlate(clients)

    def _one_of(
        self, field: str, column: ColumnElement[Any], comparison: str, value: Any, written: Callable[[str], str]
    ) -> ColumnElement[bool]:
        match comparison:
            case "is":
                return self._holds(column, written(str(value)))
            case "is_not":
                return ~self._holds(column, written(str(value)))
            case "in":
                return or_(false(), *(self._holds(column, written(str(one))) for one in value))
            case "contains" if field == "subscribed_to":
                return self._contains(column, as_source(str(value)))
            case _:
                raise _no_such_comparison(field, comparison)

    # --- times ---

    def _instant(self, field: str, column: ColumnElement[Any], comparison: str, value: Any) -> ColumnElement[bool]:
        match comparison:
            case "within_days":
                return and_(column >= self.at - timedelta(days=_days(field, value)), column <= self.at)
            case "not_within_days":
                return or_(column.is_(None), ~self._instant(field, column, "within_days", value))
            case "is" | "is_not":
                begin, end = self._span(field, value)
                inside = and_(column >= begin, column < end)
                return inside if comparison == "is" else or_(column.is_(None), ~inside)
            case "in":
                return or_(false(), *(self._instant(field, column, "is", one) for one in value))
            case "between":
                low, high = value
                return and_(column >= self._span(field, low)[0], column < self._span(field, high)[1])
            case "gt":
                return column >= self._span(field, value)[1]
            case "gte":
                return column >= self._span(field, value)[0]
            case "lt":
                return column < self._span(field, value)[0]
            case "lte":
                return column < self._span(field, value)[1]
            case _:
                raise _no_such_comparison(field, comparison)

    def _span(self, field: str, value: Any) -> tuple[datetime, datetime]:
        """From the value's first instant to the first one after it: a date is a whole day in `zone`."""
        moment = _read_time(value)
        if moment is None:
            raise Invalid(
                _("“{field}” is compared with a date such as 2026-11-21, and “{value}” is none."),
                field=field,
                value=value,
            )
        if isinstance(moment, datetime):
            aware = moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
            return aware, aware + timedelta(microseconds=1)
        begin = datetime.combine(moment, time(), self.zone)
        return begin, datetime.combine(moment + timedelta(days=1), time(), self.zone)

    # --- texts and attributes ---

    def _text(
        self, field: str, text: ColumnElement[Any], number: ColumnElement[Any] | None, comparison: str, value: Any
    ) -> ColumnElement[bool]:
        match comparison:
            case "is":
                return self._equal(text, number, value)
            case "is_not":
                if number is not None and _is_number(value):
                    return number.is_distinct_from(float(value))
                return text.is_distinct_from(_as_text(value))
            case "in":
                return self._among(text, number, value)
            case "contains":
                return self._contains(text, str(value))
            case "within_days" if number is not None:
                return self._dates_within(text, _days(field, value))
            case "not_within_days" if number is not None:
                return or_(text.is_(None), ~self._dates_within(text, _days(field, value)))
            case _ if comparison in _BY_SIZE and number is not None:
                return self._by_size(field, text, number, comparison, value)
            case _:
                raise _no_such_comparison(field, comparison)

    def _equal(self, text: ColumnElement[Any], number: ColumnElement[Any] | None, value: Any) -> ColumnElement[bool]:
        if number is not None and _is_number(value):
            return number == float(value)
        return text == _as_text(value)

    def _among(
        self, text: ColumnElement[Any], number: ColumnElement[Any] | None, values: Sequence[Any]
    ) -> ColumnElement[bool]:
        numbers = [float(one) for one in values if number is not None and _is_number(one)]
        texts = [_as_text(one) for one in values if number is None or not _is_number(one)]
        found: list[ColumnElement[bool]] = [text.in_(texts)] if texts else []
        if number is not None and numbers:
            found.append(number.in_(numbers))
        return or_(false(), *found)

    def _by_size(
        self, field: str, text: ColumnElement[Any], number: ColumnElement[Any], comparison: str, value: Any
    ) -> ColumnElement[bool]:
        if comparison == "between":
            low, high = value
            return and_(self._by_size(field, text, number, "gte", low), self._by_size(field, text, number, "lte", high))
        size = read_number(value)
        if size is not None:
            return _ORDER[comparison](number, size)
        moment = _read_time(value)
        if moment is None:
            raise Invalid(
                _("“{field}” can be compared by size with a number or a date, and “{value}” is neither."),
                field=field,
                value=value,
            )
        return self._by_date(text, comparison, moment)

    def _by_date(self, text: ColumnElement[Any], comparison: str, moment: date) -> ColumnElement[bool]:
        """Dates lie in ISO form, which sorts as dates do; a day compared as a whole takes its hours along."""
        dates = self._dates(text)
        if isinstance(moment, datetime):
            return and_(self._is_date(text), _ORDER[comparison](dates, moment.isoformat()))
        following = moment + timedelta(days=1)
        match comparison:
            case "gt":
                return and_(self._is_date(text), dates >= following.isoformat())
            case "lte":
                return and_(self._is_date(text), dates < following.isoformat())
            case _:
                return and_(self._is_date(text), _ORDER[comparison](dates, moment.isoformat()))

    def _dates_within(self, text: ColumnElement[Any], days: float) -> ColumnElement[bool]:
        today = self.at.astimezone(self.zone).date()
        first, following = today - timedelta(days=days), today + timedelta(days=1)
        dates = self._dates(text)
        return and_(self._is_date(text), dates >= first.isoformat(), dates < following.isoformat())

    def _is_date(self, text: ColumnElement[Any]) -> ColumnElement[bool]:
        return text.like("____-__-__%")

    def _dates(self, text: ColumnElement[Any]) -> ColumnElement[Any]:
        # Another collation would skip the dashes, and is several times slower.
        return text if self.is_sqlite else collate(text, "C")

    # --- inside a text ---

    def _holds(self, column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
        """Whether exactly this stands in the column, letter by letter."""
        place = func.instr(column, text) if self.is_sqlite else func.strpos(column, text)
        return place > 0

    def _contains(self, column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
        """Whether this stands in the column, in capitals or not, in any alphabet (LIKE knows only Latin in SQLite,
        and in PostgreSQL what the database was created with)."""
        if not text:
            return column.is_not(None)
        if text.isascii():
            if self.is_sqlite:
                return column.like(f"%{_escaped(text)}%", escape="\\")
            return func.strpos(func.lower(collate(column, "C")), text.lower()) > 0  # a third less work than ILIKE
        if self.is_sqlite:
            # A look for one letter costs a tenth of a pattern, and most texts of other alphabets end there.
            begins = or_(*(func.instr(column, spelling) > 0 for spelling in _spellings(text[0])))
            return and_(begins, column.op("GLOB", is_comparison=True)(literal(f"*{''.join(map(_glob, text))}*")))
        return collate(column, "C").op("~", is_comparison=True)(literal("".join(map(_regex, text))))

    def any_contains(self, names: Sequence[str], piece: str) -> ColumnElement[bool]:
        """Whether a piece without blanks stands in one of these columns. One look at all of them together costs
        PostgreSQL half as much as one at each, and SQLite twice as much."""
        columns = [clients.c[name] for name in names]
        if self.is_sqlite:
            return or_(*(self._contains(column, piece) for column in columns))
        return self._contains(func.concat_ws(" ", *columns), piece)


async def load_fields(
    connection: AsyncConnection, names: Collection[str], *, at: datetime, zone: tzinfo, span: Span | None = None
) -> Fields:
    """The fields of these names; raises Invalid for one that no card has."""
    slots = {row.name: row.slot for row in await connection.execute(select(attributes.c.name, attributes.c.slot))}
    for name in names:
        if name not in BUILT_IN and name not in slots:
            raise Invalid(_("No client has a field “{field}”."), field=name)
    found = {}
    if "tag" in names:
        found = {row.name: row.id for row in await connection.execute(select(tags.c.name, tags.c.id))}
    return Fields(connection.dialect.name == "sqlite", slots, found, at, zone, span)


def as_source(name: str) -> str:
    """A source as it stands on the card, where | parts one from the next."""
    return name.replace("|", "/").strip()


def read_number(value: Any) -> float | None:
    """The number that it is, or that it is written as."""
    if _is_number(value):
        return float(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_time(value: Any) -> date | None:
    """A datetime, or a date for a whole day."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DATE.match(value):
        return None
    try:
        return date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    except ValueError:
        return None


def _days(field: str, value: Any) -> float:
    days = read_number(value)
    if days is None or not 0 < days <= 36500:
        raise Invalid(
            _("“{field}” within_days needs a number of days, and “{value}” is none."), field=field, value=value
        )
    return days


_ORDER: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def _spellings(letter: str) -> str:
    """The letter as small and as capital."""
    return "".join(sorted({one for one in (letter, letter.lower(), letter.upper()) if len(one) == 1}))


def _glob(letter: str) -> str:
    spellings = _spellings(letter)
    return f"[{spellings}]" if len(spellings) > 1 or letter in "*?[" else letter


def _regex(letter: str) -> str:
    spellings = _spellings(letter)
    if len(spellings) > 1:
        return f"[{spellings}]"
    return letter if letter.isalnum() or letter.isspace() else f"\\{letter}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _no_such_comparison(field: str, comparison: str) -> Invalid:
    return Invalid(_("“{field}” can't be compared by “{comparison}”."), field=field, comparison=comparison)
