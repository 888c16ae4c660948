"""What stands in a client file or comes from a program, as rows for storage: each cell checked, each value typed."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from functools import lru_cache
from types import NoneType
from typing import Any

from engine.addresses import MAX_ADDRESS, read_address
from engine.errors import Invalid, _
from engine.phones import read_phone, time_zones, timezone_of
from engine.settings import ChannelSettings
from storage.fields import as_source
from storage.matching import ClientRow, Place, Value
from storage.tagging import as_tag

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


@dataclass(slots=True)
class RowReader:
    """Reads rows with addresses on these channels; `region` is the country of phones that are written without one.

    `types` gathers what each attribute's values have been: number, date or text."""

    channels: Mapping[str, ChannelSettings]
    region: str | None = None
    types: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.region is not None:
            self.region = _region(self.region)

    def read(self, cells: Mapping[str, str]) -> ClientRow:
        """A row by column names; empty cells say nothing. Raises Invalid with the reason why it can't be taken."""
        given: dict[str, str] = {}
        for name, text in cells.items():
            if stripped := text.strip():
                if len(stripped) > MAX_CELL or "\0" in stripped:
                    raise _no_cell(name, stripped)
                given[name] = stripped
        card = {name: given[name] for name in CARD if name in given}
        phone, email = given.get("phone"), given.get("email")
        if phone:
            phone = card["phone"] = read_phone(phone, self.region)
        external_id = given.get("id")
        if external_id and len(external_id) > MAX_ADDRESS:
            raise Invalid(_("“{column}” is longer than {most} characters"), column="id", most=MAX_ADDRESS)
        if email:
            email = card["email"] = _email(email)
        if main := given.get("main_channel"):
            card["main_channel"] = self._main(main)
        places, attributes = [], {}
        for name, text in given.items():
            if channel := self.channels.get(name):  # in the order of columns: the first becomes the main one
                places.append(Place(name, read_address(name, text, channel.able, self.region), name))
            elif name not in _KNOWN:
                attributes[name] = self._value(name, text)
        if phone:
            places.append(Place("phone", phone, None))
        if email:
            places.append(Place("email", email, None))
        if external_id is None and not places:
            raise Invalid(_("it has neither an id nor an address"))
        return ClientRow(
            external_id,
            card,
            _timezone(given["timezone"]) if "timezone" in given else None,
            timezone_of(phone) if phone else None,
            tuple(places),
            _tags(given["tags"]) if "tags" in given else (),
            _sources(given["subscribed_to"]) if "subscribed_to" in given else (),
            attributes,
        )

    def _main(self, channel: str) -> str:
        if channel not in self.channels:
            known = ", ".join(self.channels) or "none"
            raise Invalid(_("main_channel “{channel}” is no channel; there is {known}"), channel=channel, known=known)
        return channel

    def _value(self, name: str, text: str) -> Value:
        value, kind = typed(text)
        known = self.types.get(name, kind)
        self.types[name] = kind if known == kind else "text"
        return value


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
