"""What stands in a client file or comes from a program, as rows for storage: each cell checked, each value typed."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import lru_cache
from types import NoneType
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from engine.addresses import MAX_ADDRESS, read_address, read_phone
from engine.errors import Invalid, _
from engine.settings import ChannelSettings
from storage.fields import as_source
from storage.matching import ClientRow, Place, Value
from storage.tagging import as_tag

CARD = ("name", "first_name", "last_name", "language")
KNOWN_COLUMNS = ("id", *CARD, "phone", "email", "timezone", "tags", "main_channel", "subscribed_to")
MAX_CELL = 4000  # characters

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
        given = {name: _cell(name, text) for name, text in cells.items() if text and not text.isspace()}
        phone = read_phone(given["phone"], self.region) if "phone" in given else None
        row = ClientRow(
            external_id=_short("id", given["id"]) if "id" in given else None,
            card=self._card(given, phone),
            timezone=_timezone(given["timezone"]) if "timezone" in given else None,
            timezone_of_phone=timezone_of(phone) if phone else None,
            places=tuple(self._places(given, phone)),
            tags=tuple(dict.fromkeys(as_tag(tag) for tag in given.get("tags", "").split(";") if tag.strip())),
            sources=tuple(
                dict.fromkeys(
                    as_source(source) for source in given.get("subscribed_to", "").split(";") if source.strip()
                )
            ),
            attributes={
                name: self._value(name, text)
                for name, text in given.items()
                if name not in KNOWN_COLUMNS and name not in self.channels
            },
        )
        if row.external_id is None and not row.places:
            raise Invalid(_("it has neither an id nor an address"))
        return row

    def _card(self, given: Mapping[str, str], phone: str | None) -> Mapping[str, str]:
        card = {name: given[name] for name in CARD if name in given}
        if phone:
            card["phone"] = phone
        if "email" in given:
            card["email"] = _email(given["email"])
        if main := given.get("main_channel"):
            if main not in self.channels:
                raise Invalid(_("main_channel “{channel}” is no channel; there is {known}"), **self._known(main))
            card["main_channel"] = main
        return card

    def _known(self, channel: str) -> Mapping[str, str]:
        return {"channel": channel, "known": ", ".join(self.channels) or "none"}

    def _places(self, given: Mapping[str, str], phone: str | None) -> Sequence[Place]:
        """In the order of the columns: the first channel becomes the main one where none is named."""
        places = [
            Place(name, read_address(name, text, self.channels[name].able, self.region), name)
            for name, text in given.items()
            if name in self.channels
        ]
        if phone:
            places.append(Place("phone", phone, None))
        if "email" in given:
            places.append(Place("email", _email(given["email"]), None))
        return places

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


def _cell(name: str, text: str) -> str:
    if "\0" in text:
        raise Invalid(_("“{column}” holds a NUL character"), column=name)
    if len(text) > MAX_CELL:
        raise Invalid(_("“{column}” is longer than {most} characters"), column=name, most=MAX_CELL)
    return text.strip()


def _listed(text: str, kept: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(kept(one) for one in text.split(";") if one.strip()))


def _short(name: str, text: str) -> str:
    if len(text) > MAX_ADDRESS:
        raise Invalid(_("“{column}” is longer than {most} characters"), column=name, most=MAX_ADDRESS)
    return text


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text) or len(text) > MAX_ADDRESS:
        raise Invalid(_("email “{email}” is no e-mail address"), email=text)
    return text.lower()


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _timezone(text: str) -> str:
    if text in _zones():
        return text
    if nearest := get_close_matches(text, _zones(), n=1):
        words = _("timezone “{zone}” is not known; did you mean “{nearest}”?")
        raise Invalid(words, zone=text, nearest=nearest[0])
    raise Invalid(_("timezone “{zone}” is not known; write it as Europe/Kyiv"), zone=text)


def _region(text: str) -> str:
    import phonenumbers

    region = text.strip().upper()
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise Invalid(_("“{region}” is no country code; write two letters, such as UA."), region=text)
    return region


# --- the time zone of a phone ----------------------------------------------------------------------------------------


def timezone_of(phone: str) -> str | None:
    """The zone in which a phone's owner most likely lives, or None where it could be several.

    platforms/tracking.md section 9: the zones that the number may have, if all show the same time now; else the one
    of its region, if that has one."""
    import phonenumbers
    from phonenumbers import timezone

    number = phonenumbers.parse(phone)
    today = datetime.now(UTC).date()
    return _one_zone(timezone.time_zones_for_number(number), today) or _one_zone(
        timezone.time_zones_for_geographical_number(number), today
    )


@lru_cache(maxsize=4096)
def _one_zone(zones: tuple[str, ...], today: date) -> str | None:
    """The names come in alphabetical order, so that the first one means nothing; that all show the same time does."""
    at = datetime(today.year, today.month, today.day, tzinfo=UTC)
    known = [zone for zone in zones if zone in _zones() and zone != "Etc/Unknown"]
    offsets = {at.astimezone(ZoneInfo(zone)).utcoffset() for zone in known}
    return known[-1] if len(offsets) == 1 else None


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
