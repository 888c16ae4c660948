"""When a mailing starts: local times in their zones, both clock changes, and the words that people use for a time."""

import difflib
import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from engine.errors import Invalid, _

CLIENT = "client"  # the zone of a mailing that goes to each client at its own hour
_FIRST_ZONE, _LAST_ZONE = "Etc/GMT-14", "Etc/GMT+12"  # the signs of Etc are turned round
_JUST_NOW = timedelta(minutes=1)  # a start that a person chose a moment ago is no date in the past


@dataclass(frozen=True, slots=True)
class StartTime:
    """`at` is aware UTC; `note` says what a clock change made of the local time, where one did."""

    at: datetime
    note: str | None = None


def resolve_start(start: str, timezone: str, at: datetime) -> StartTime:
    """When a start means: "now", a local ISO time in that zone, or one that names its own offset.

    With the zone "client" it is the moment at which the first zone of the day has that hour. Raises Invalid for what is
    no time, an unknown zone and a date in the past."""
    if start.strip().lower() == "now":
        return StartTime(at)
    local = read_start(start)
    if timezone == CLIENT:
        return _resolve_for_clients(local, start, at)
    zone_named(timezone)
    found = StartTime(local.astimezone(UTC)) if local.tzinfo else StartTime(*_instant(local, timezone))
    if found.at < at - _JUST_NOW:
        words = _("The start, {start}, is past already; it is {now} now.")
        raise Invalid(words, start=spelled(found.at, timezone), now=spelled(at, timezone))
    return found


def _resolve_for_clients(local: datetime, start: str, at: datetime) -> StartTime:
    if local.tzinfo is not None:
        raise Invalid(_("Each client's own hour has no fixed offset: write {example}."), example=start[:16])
    first, last = (_instant(local, zone)[0] for zone in (_FIRST_ZONE, _LAST_ZONE))
    if last < at - _JUST_NOW:
        raise Invalid(_("The start, {start}, is past already in every time zone."), start=_local_words(local))
    if first < at:
        return StartTime(at, str(_("In some time zones that hour is past already.")))
    return StartTime(first)


def read_start(start: str) -> datetime:
    """A start as it is written, 2026-12-01T10:00; aware only if it names an offset. Raises Invalid."""
    written = start.strip()
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or not re.match(r"\d{4}-?(\d\d|W)", written):
        words = _("“{start}” is no start; write now, or a date and an hour such as 2026-12-01T10:00.")
        raise Invalid(words, start=start)
    if ":" not in written and not re.search(r"[T ]\d", written):
        raise Invalid(_("“{start}” has no hour; write it such as 2026-12-01T10:00."), start=start)
    if not 2000 <= moment.year <= 2200:
        raise Invalid(_("“{start}” is too far away."), start=start)
    return moment


def client_instant(local: datetime, zone: str) -> datetime:
    """The moment at which a client's zone has that local time: a missing hour moves forward, of a doubled one the first
    counts. Ask when it is about to begin, because zones change. Raises Invalid for an unknown zone."""
    return _instant(local, zone)[0]


def _instant(local: datetime, timezone: str) -> tuple[datetime, str | None]:
    zone = zone_named(timezone)
    first = local.replace(tzinfo=zone, fold=0)
    instant = first.astimezone(UTC)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    if shown != local.replace(tzinfo=None):
        words = _("{missing} doesn't exist in {zone}, the clocks go forward then: it starts at {instead}.")
        return instant, words.format(missing=_local_words(local), zone=timezone, instead=f"{shown:%H:%M}")
    if first.utcoffset() != first.replace(fold=1).utcoffset():
        words = _("{doubled} comes twice in {zone}, the clocks go back then: it starts at the first.")
        return instant, words.format(doubled=_local_words(local), zone=timezone)
    return instant, None


@lru_cache(maxsize=256)
def zone_named(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises Invalid with the nearest name."""
    if name in _zones():
        return ZoneInfo(name)
    near = _nearest_zone(name)
    if near:
        raise Invalid(_("There is no time zone “{name}”; did you mean {near}?"), name=name, near=near)
    raise Invalid(_("There is no time zone “{name}”; write it such as Europe/Kyiv."), name=name)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _nearest_zone(name: str) -> str | None:
    by_word: dict[str, str] = {}
    for zone in sorted(_zones(), reverse=True):
        by_word[zone.rpartition("/")[2].lower()] = zone
        by_word[zone.lower()] = zone
    wanted = name.strip().replace(" ", "_").lower()
    near = difflib.get_close_matches(wanted, by_word, 1, 0.75)
    return by_word[near[0]] if near else None


class Moment(str):
    """A moment in words; it keeps what they were made of, so that bot can say it in another language."""

    instant: datetime
    timezone: str


def spelled(instant: datetime, timezone: str) -> Moment:
    made = Moment(describe_start(instant, timezone))
    made.instant, made.timezone = instant, timezone
    return made


def describe_start(instant: datetime, timezone: str, locale: str = "en") -> str:
    """The moment in words with its zone: "Tue, 1 Dec 2026, 10:00 (Europe/Kyiv, UTC+2)"."""
    from babel.dates import format_datetime

    local = instant.astimezone(UTC if timezone == CLIENT else zone_named(timezone))
    shown = format_datetime(local, "EEE, d MMM y, HH:mm", locale=locale)
    offset = local.utcoffset() or timedelta()
    sign = "-" if offset < timedelta() else "+"
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    spelled = f"UTC{sign}{hours}" + (f":{minutes:02}" if minutes else "") if offset else "UTC"
    return f"{shown} ({spelled})" if timezone in (CLIENT, "UTC") else f"{shown} ({timezone}, {spelled})"


def _local_words(local: datetime) -> str:
    return f"{local:%Y-%m-%d %H:%M}"


# --- what people write -----------------------------------------------------------------------------------------------

_MAX_WORDS = 60  # characters
NOW = frozenset({"now", "at once", "сейчас", "сразу", "зараз", "одразу"})
_IN = re.compile(
    r"(?:in|через|за)\s+(?:(?P<number>\d{1,4})\s*|an?\s+)?"
    r"(?:(?P<minutes>min|minutes?|мин|минут[уы]?|хв|хвилин[уи]?)|(?P<hours>h|hours?|час|часа|часов|годин[уи]?))\.?"
)
_DAY_AND_MONTH = re.compile(r"(\d{1,2})[./](\d{1,2})\.?\s+(\d{1,2}[:.]\d\d)")
_BARE_HOUR = re.compile(r"(?<![\w.:/-])(?:at|в|во|о|об)\s+(\d{1,2})$")
_UKRAINIAN_DAYS = {"середу": "середа", "п'ятницю": "п'ятниця", "суботу": "субота", "неділю": "неділя"}
_LEADING = re.compile(r"^(?:on|во?|у|на)\s+(?=\D)")


def understand(text: str, timezone: str, at: datetime) -> datetime:
    """The moment that a person's words mean in that zone, the next one of all that they could mean, as aware UTC.

    Knows English, Russian and Ukrainian: "tomorrow 10:00", "Friday 9am", "in 2 hours", "01.12.2026 10:00".
    Raises Invalid with an example for anything else, without an hour, and for what is past."""
    words = " ".join(text.lower().replace("’", "'").replace("ʼ", "'").split()).rstrip(".!")
    if words in NOW:
        return at
    if found := _IN.fullmatch(words):
        count = int(found["number"] or 1)
        return at + (timedelta(hours=count) if found["hours"] else timedelta(minutes=count))
    zone = zone_named(timezone)
    moment = _read_iso(words) or _read_words(words, timezone, at.astimezone(zone).replace(tzinfo=None))
    if moment is None or not 2000 <= moment.year <= 2200:
        words = _("I don't understand “{text}” as a time. Write it such as: {example}.")
        raise Invalid(words, text=text[:60], example=_example(at.astimezone(zone)))
    instant = moment.astimezone(UTC) if moment.tzinfo else client_instant(moment, timezone)
    if instant < at - _JUST_NOW:
        words = _("{start} is past already; it is {now} now.")
        raise Invalid(words, start=spelled(instant, timezone), now=spelled(at, timezone))
    return instant


def _example(now: datetime) -> str:
    words = _("tomorrow 10:00, Friday 9am, in 2 hours, {date} 10:00")
    return words.format(date=f"{now + timedelta(days=3):%d.%m.%Y}")


def _read_iso(words: str) -> datetime | None:
    try:
        return read_start(words.upper())
    except Invalid:
        return None


def _read_words(words: str, timezone: str, local: datetime) -> datetime | None:
    """The naive local time that the words mean, or None. Raises Invalid for a day without its hour."""
    if len(words) > _MAX_WORDS:
        return None
    if found := _DAY_AND_MONTH.fullmatch(words):
        return _next_day(int(found[1]), int(found[2]), found[3].replace(".", ":"), local)
    words = _BARE_HOUR.sub(r"\1:00", _LEADING.sub("", words))
    for accusative, name in _UKRAINIAN_DAYS.items():
        words = words.replace(accusative, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on newer Pythons dateparser leans on what is to go away
        from dateparser.date import DateDataParser

        parser = DateDataParser(
            languages=["en", "ru", "uk"],
            settings={
                "TIMEZONE": timezone,
                "TO_TIMEZONE": timezone,
                "RETURN_AS_TIMEZONE_AWARE": False,
                "RETURN_TIME_AS_PERIOD": True,
                "PREFER_DATES_FROM": "future",
                "DATE_ORDER": "DMY",
                # An hour like that of the base would count as none: nobody types a microsecond.
                "RELATIVE_BASE": local.replace(second=0, microsecond=1),
            },
        )
        try:
            found_date = parser.get_date_data(words)
        except (ValueError, OverflowError, TypeError):  # it trips over what is far from any date
            return None
    if found_date.date_obj is None or found_date.period in ("time", "part_of_day"):
        return found_date.date_obj and found_date.date_obj.replace(microsecond=0)
    raise Invalid(_("“{text}” names no hour. Write it such as: {example}."), text=words, example=_("tomorrow 10:00"))


def _next_day(day: int, month: int, hour: str, local: datetime) -> datetime | None:
    """That day of this year, or of the next one in which it is to come."""
    for year in range(local.year, local.year + 9):  # a 29th of February may be eight years away
        try:
            moment = datetime.fromisoformat(f"{year}-{month:02}-{day:02}T{hour:0>5}")
        except ValueError:
            continue
        if moment >= local:
            return moment
    return None
