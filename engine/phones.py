"""Phones as people and programs write them: their E.164 form, and the time zone that they most likely ring in.

Reading one by the library takes 50 microseconds here, more than all else of a row. Most phones in a file stand in E.164
already; for those the library's own tables tell as much at a glance, and what they leave open goes to the library."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from engine.errors import Invalid, _

_NO_COUNTRY = _("phone “{phone}” names no country: write it as +380…, or say --region")
_NO_PHONE = _("phone “{phone}” is no phone number")
_PLAIN = re.compile(r"\+[1-9][0-9]{6,14}")


def read_phone(text: str, region: str | None) -> str:
    """In E.164; `region` is the country of one that names none. Raises Invalid."""
    return text if _is_whole(text) else _read(text, region)


@dataclass(frozen=True, slots=True)
class _Country:
    """What the library's tables say of phones with a country's code."""

    code: str
    at_home: re.Pattern[str] | None  # what is dialled before a number at home only
    sizes: frozenset[int]  # characters of a whole number, plus sign and code included
    zones: tuple[str, ...]
    regions: Mapping[str, tuple[str, ...]]  # beginnings of numbers, code included, that have time zones of their own
    longest: int  # digits of the longest of them


def is_possible(text: str) -> bool:
    """Whether it can be a phone's number in E.164."""
    if _is_whole(text):
        return True
    import phonenumbers

    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text))
    except phonenumbers.NumberParseException:
        return False


def _is_whole(text: str) -> bool:
    """Whether it stands in E.164 for sure: a possible length, and nothing in it that is dialled at home only."""
    if _PLAIN.fullmatch(text) is None or (country := _country(text[1:4])) is None:
        return False
    return len(text) in country.sizes and not (country.at_home and country.at_home.match(text, 1 + len(country.code)))


@lru_cache(maxsize=1000)
def _country(beginning: str) -> _Country | None:
    """Of three digits, the country with whose code they begin."""
    import phonenumbers
    from phonenumbers.tzdata import TIMEZONE_DATA

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    code = next((beginning[:size] for size in (1, 2, 3) if int(beginning[:size]) in regions), None)
    if code is None:
        return None
    region = phonenumbers.region_code_for_country_code(int(code))
    about = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    if about is None or about.general_desc is None:
        return None
    prefix = about.national_prefix_for_parsing
    zones = {one: its for one, its in TIMEZONE_DATA.items() if one.startswith(code) or code.startswith(one)}
    return _Country(
        code,
        re.compile(prefix) if prefix else None,
        frozenset(1 + len(code) + length for length in about.general_desc.possible_length),
        zones.get(code, ()),
        {} if set(zones) == {code} else zones,
        max(map(len, zones), default=0),
    )


def _read(text: str, region: str | None) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE and region is None:
            raise Invalid(_NO_COUNTRY, phone=text) from error
        raise Invalid(_NO_PHONE, phone=text) from error
    if not phonenumbers.is_possible_number(number):  # new ranges come sooner than any list of valid ones
        raise Invalid(_NO_PHONE, phone=text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


# --- its time zone ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """The names of all that there are."""
    return frozenset(available_timezones())


def timezone_of(phone: str) -> str | None:
    """The zone in which a phone's owner most likely lives, or None where it could be several.

    platforms/tracking.md section 9: the zones that the number may have, if all show the same time now; else the one
    of its region, if that has one."""
    today = datetime.now(UTC).date()
    country = _country(phone[1:4])
    if country is None or not _is_whole(phone):
        return _timezone_by_kind(phone, today)
    everywhere = _one_zone(country.zones, today)
    if not country.regions:
        return everywhere
    beginnings = (phone[1 : 1 + size] for size in range(country.longest, 0, -1))
    here = _one_zone(next((country.regions[one] for one in beginnings if one in country.regions), ()), today)
    # What kind of number it is decides between the two; where they agree, nothing is left to decide.
    return here if everywhere in (None, here) else _timezone_by_kind(phone, today)


def _timezone_by_kind(phone: str, today: date) -> str | None:
    import phonenumbers
    from phonenumbers import timezone

    number = phonenumbers.parse(phone)
    return _one_zone(timezone.time_zones_for_number(number), today) or _one_zone(
        timezone.time_zones_for_geographical_number(number), today
    )


@lru_cache(maxsize=4096)
def _one_zone(zones: tuple[str, ...], today: date) -> str | None:
    """The names come in alphabetical order, so that the first one means nothing; that all show the same time does."""
    at = datetime(today.year, today.month, today.day, tzinfo=UTC)
    known = [zone for zone in zones if zone in time_zones() and zone != "Etc/Unknown"]
    offsets = {at.astimezone(ZoneInfo(zone)).utcoffset() for zone in known}
    return known[-1] if len(offsets) == 1 else None
