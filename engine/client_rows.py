"""What stands in a client file or comes from a program, as rows for storage: each cell checked, each value typed."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache, partial
from itertools import compress
from types import NoneType
from typing import Any, NamedTuple, TypeVar

from engine.addresses import MAX_ADDRESS, read_address
from engine.errors import Invalid, _
from engine.phones import read_phone, time_zones, timezone_of
from engine.settings import ChannelSettings
from storage.fields import as_source
from storage.matching import Batch, PlaceColumn, Texts, Value
from storage.tagging import as_tag

T = TypeVar("T")
CARD = ("name", "first_name", "last_name", "language")
KNOWN_COLUMNS = ("id", *CARD, "phone", "email", "timezone", "tags", "main_channel", "subscribed_to")
MAX_CELL = 4000  # characters
_KNOWN = frozenset(KNOWN_COLUMNS)

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,10})?")  # 00123 is a text, and so is a card's number
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class Columns:
    """What each column of a file is; `attributes` are those that are the user's own."""

    names: tuple[str, ...]
    attributes: tuple[str, ...]


def read_columns(header: Sequence[str], channels: Collection[str]) -> Columns:
    """Raises Invalid for a header that can't be: a name twice, none, or nothing by which to know a client."""
    names = [_column(name, channels) for name in header]
    for number, name in enumerate(names, start=1):
        if not name:
            raise Invalid(_("Column {number} has no name."), number=number)
        if name in names[: number - 1]:
            raise Invalid(_("The column “{name}” stands twice in the header."), name=name)
    keys = ("id", "phone", "email", *channels)
    if not set(keys).intersection(names):
        known = ", ".join(keys)
        raise Invalid(_("The file needs a column by which clients are known: one of {known}."), known=known)
    own = tuple(name for name in names if name not in KNOWN_COLUMNS and name not in channels)
    return Columns(tuple(names), own)


def _column(name: str, channels: Collection[str]) -> str:
    name = name.strip()
    if name in channels:
        return name
    return name.casefold() if name.casefold() in KNOWN_COLUMNS else name


class ReadRows(NamedTuple):
    """`places` are those of the good rows, in order; `problems` says of each other one why it can't be taken."""

    batch: Batch
    places: Sequence[int]
    problems: Mapping[int, str]


@dataclass(slots=True)
class RowReader:
    """Reads rows with addresses on these channels; `region` is the country of phones that are written without one.

    Many rows are read column by column: what has to be asked of a column is asked once then, and a cell costs its own
    check alone (docs/decisions/bulk.md). `types` gathers what each attribute's values have been: number, date or
    text."""

    channels: Mapping[str, ChannelSettings]
    region: str | None = None
    types: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.region is not None:
            self.region = _region(self.region)

    def read(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> ReadRows:
        """Rows with these columns; empty cells say nothing. A row with several faults is told the first one."""
        checked = _Checked(len(rows))
        given = {name: _stripped(column) for name, column in zip(names, zip(*rows, strict=True), strict=False)}
        for name, column in given.items():
            checked.sizes(name, column)
        phones = checked.each(given.get("phone"), lambda text: read_phone(text, self.region))
        checked.each(given.get("id"), _external_id)
        emails = checked.each(given.get("email"), _email)
        mains = checked.each(given.get("main_channel"), self._main)
        places = [  # in the order of columns: the first becomes the main one
            PlaceColumn(name, name, checked.each(column, partial(self._address, self.channels[name])))
            for name, column in given.items()
            if name in self.channels
        ]
        places += [
            PlaceColumn(scope, None, column)
            for scope, column in (("phone", phones), ("email", emails))
            if scope in given
        ]
        checked.keys([given.get("id"), *(one.names for one in places)])
        zones = checked.each(given.get("timezone"), _timezone)
        tags = checked.each(given.get("tags"), _tags)
        sources = checked.each(given.get("subscribed_to"), _sources)
        own = {name: column for name, column in given.items() if name not in _KNOWN and name not in self.channels}
        kept = checked.kept
        card: dict[str, Texts] = {name: kept(_or_none(given[name])) for name in CARD if name in given}
        card |= {
            name: kept(column)
            for name, column in (("phone", phones), ("email", emails), ("main_channel", mains))
            if name in given
        }
        of_phones = card.get("phone")
        good = kept(range(len(rows)))
        batch = Batch(
            len(good),
            kept(_or_none(given["id"]) if "id" in given else checked.nothing),
            card,
            kept(zones),
            [timezone_of(phone) if phone else None for phone in of_phones] if of_phones else kept(checked.nothing),
            tuple(PlaceColumn(one.scope, one.channel, kept(one.names)) for one in places),
            [one or () for one in kept(tags)],
            [one or () for one in kept(sources)],
            {name: self._values(name, kept(column)) for name, column in own.items()},
        )
        return ReadRows(batch, good, checked.problems)

    def _address(self, channel: ChannelSettings, text: str) -> str:
        return read_address(channel.id, text, channel.able, self.region)

    def _main(self, channel: str) -> str:
        if channel not in self.channels:
            known = ", ".join(self.channels) or "none"
            raise Invalid(_("main_channel “{channel}” is no channel; there is {known}"), channel=channel, known=known)
        return channel

    def _values(self, name: str, column: Sequence[str]) -> tuple[Texts, Sequence[float | None]]:
        """The texts of an attribute, and their numbers where they are some."""
        read = list(map(typed, column))
        for kind in {kind for (text, _number), kind in read if text}:
            known = self.types.get(name, kind)
            self.types[name] = kind if known == kind else "text"
        return [value[0] or None for value, _kind in read], [value[1] for value, _kind in read]


@dataclass(slots=True)
class _Checked:
    """What was found wrong so far with rows, by their place; of each the first fault that was asked for."""

    size: int
    problems: dict[int, str] = field(default_factory=dict)
    _mask: Sequence[bool] = ()

    @property
    def nothing(self) -> Sequence[None]:
        return [None] * self.size

    def sizes(self, name: str, column: Sequence[str]) -> None:
        if "\0" not in "".join(column) and len(max(column, key=len, default="")) <= MAX_CELL:
            return
        for place, text in enumerate(column):
            if len(text) > MAX_CELL or "\0" in text:
                self.problems.setdefault(place, str(_no_cell(name, text)))

    def each(self, column: Sequence[str] | None, read: Callable[[str], T]) -> Sequence[T | None]:
        """The cells as `read` takes them, None for what is empty or Invalid."""
        if column is None:
            return self.nothing
        out: list[T | None] = []
        for text in column:
            try:
                out.append(read(text) if text else None)
            except Invalid as error:
                self.problems.setdefault(len(out), str(error))
                out.append(None)
        return out

    def keys(self, columns: Sequence[Sequence[str | None] | None]) -> None:
        """A row needs something in one of these columns."""
        there = [column for column in columns if column is not None]
        for place, has_key in enumerate(map(any, zip(*there, strict=True)) if there else [False] * self.size):
            if not has_key:
                self.problems.setdefault(place, str(_NO_KEY))

    def kept(self, column: Sequence[T]) -> Sequence[T]:
        """The column without the rows that are wrong."""
        if not self.problems:
            return column
        return list(compress(column, self.mask()))

    def mask(self) -> Sequence[bool]:
        """Which rows are good; made once all is known."""
        if not self._mask:
            self._mask = [place not in self.problems for place in range(self.size)]
        return self._mask


_NO_KEY = _("it has neither an id nor an address")


def _stripped(column: Sequence[str]) -> list[str]:
    return [text.strip() for text in column]


def _or_none(column: Sequence[str]) -> list[str | None]:
    return [text or None for text in column]


def _external_id(text: str) -> str:
    if len(text) > MAX_ADDRESS:
        raise Invalid(_("“{column}” is longer than {most} characters"), column="id", most=MAX_ADDRESS)
    return text


@lru_cache(maxsize=8192)  # many clients share a value
def typed(text: str) -> tuple[Value, str]:
    """A value with its type: number, date (ISO) or text, exactly as it was written."""
    if _NUMBER.fullmatch(text):
        return Value(text, float(text)), "number"
    if _DATE.fullmatch(text) and _is_date(text):
        return Value(text.replace(" ", "T", 1)), "date"
    return Value(text), "text"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _no_cell(name: str, text: str) -> Invalid:
    if "\0" in text:
        return Invalid(_("“{column}” holds a NUL character"), column=name)
    return Invalid(_("“{column}” is longer than {most} characters"), column=name, most=MAX_CELL)


@lru_cache(maxsize=4096)  # a file names the same ones again and again
def _tags(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(as_tag(tag) for tag in text.split(";") if tag.strip()))


@lru_cache(maxsize=4096)
def _sources(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(as_source(source) for source in text.split(";") if source.strip()))


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text) or len(text) > MAX_ADDRESS:
        raise Invalid(_("email “{email}” is no e-mail address"), email=text)
    return text.lower()


def _timezone(text: str) -> str:
    if text in time_zones():
        return text
    if nearest := get_close_matches(text, time_zones(), n=1):
        words = _("timezone “{zone}” is not known; did you mean “{nearest}”?")
        raise Invalid(words, zone=text, nearest=nearest[0])
    raise Invalid(_("timezone “{zone}” is not known; write it as Europe/Kyiv"), zone=text)


def _region(text: str) -> str:
    import phonenumbers

    region = text.strip().upper()
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise Invalid(_("“{region}” is no country code; write two letters, such as UA."), region=text)
    return region


def as_cells(client: Mapping[str, Any], channels: Collection[str]) -> dict[str, str]:
    """A client that a program sent, as a row of a file: names to texts, lists with semicolons.

    Raises Invalid where an address is on no channel of ours, or an attribute is called as something else is."""
    cells = {name: _as_cell(value) for name, value in client.items() if not isinstance(value, Mapping | NoneType)}
    for channel, address in (client.get("addresses") or {}).items():
        if channel not in channels:
            raise Invalid(_("“{channel}” is no channel; there is {known}"), channel=channel, known=", ".join(channels))
        cells[channel] = _as_cell(address)
    for name, value in (client.get("attributes") or {}).items():
        if name in KNOWN_COLUMNS or name in channels:
            raise Invalid(_("“{name}” can't be an attribute's name"), name=name)
        if value is not None:
            cells[name] = _as_cell(value)
    return cells


def _as_cell(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ";".join(str(one) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
