from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.schedule import (
    client_instant,
    describe_start,
    read_start,
    resolve_start,
    understand,
)

KYIV = "Europe/Kyiv"
NOON = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)  # a Saturday, 12:30 in Kyiv


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("start", "zone", "expected"),
    [
        ("now", KYIV, NOON),
        ("2026-12-01T10:00:00", KYIV, utc(2026, 12, 1, 8)),
        ("2026-12-01T10:00", "America/New_York", utc(2026, 12, 1, 15)),
        ("2027-07-01 10:00", KYIV, utc(2027, 7, 1, 7)),
        ("2026-12-01T10:00:00+05:00", KYIV, utc(2026, 12, 1, 5)),
        ("2026-12-01T10:00:00Z", KYIV, utc(2026, 12, 1, 10)),
        ("2026-11-21T12:30", KYIV, NOON),
        ("2026-12-01T10:00", "client", utc(2026, 11, 30, 20)),
    ],
)
def test_a_start_is_a_moment_in_its_zone(start: str, zone: str, expected: datetime) -> None:
    resolved = resolve_start(start, zone, NOON)
    assert (resolved.at, resolved.note) == (expected, None)


def test_an_hour_that_the_clocks_skip_moves_forward_and_says_so() -> None:
    resolved = resolve_start("2027-03-28T03:30", KYIV, NOON)
    assert resolved.at == utc(2027, 3, 28, 1, 30)
    assert describe_start(resolved.at, KYIV) == "Sun, 28 Mar 2027, 04:30 (Europe/Kyiv, UTC+3)"
    assert resolved.note is not None
    assert "2027-03-28 03:30 doesn't exist in Europe/Kyiv" in resolved.note
    assert "04:30" in resolved.note


def test_of_an_hour_that_comes_twice_the_first_is_meant_and_told() -> None:
    resolved = resolve_start("2027-10-31T03:30", KYIV, NOON)
    assert resolved.at == utc(2027, 10, 31, 0, 30)
    assert resolved.note is not None
    assert "comes twice" in resolved.note


@pytest.mark.parametrize("start", ["2027-03-28T02:59", "2027-03-28T04:00", "2027-10-31T02:59", "2027-10-31T04:00"])
def test_hours_beside_a_clock_change_are_plain(start: str) -> None:
    assert resolve_start(start, KYIV, NOON).note is None


@pytest.mark.parametrize(
    ("start", "zone", "words"),
    [
        ("2026-11-21T12:28", KYIV, "is past already"),
        ("2020-01-01T10:00", KYIV, "Wed, 1 Jan 2020, 10:00 (Europe/Kyiv, UTC+2), is past already"),
        ("2026-11-20T12:00", "client", "past already in every time zone"),
        ("2026-12-01T10:00Z", "client", "no fixed offset"),
        ("2026-12-01T10:00", "Europe/Kyyiv", "did you mean Europe/Kyiv?"),
        ("2026-12-01T10:00Z", "Europe/Kyyiv", "did you mean Europe/Kyiv?"),
        ("2026-12-01T10:00", "kyiv", "did you mean Europe/Kyiv?"),
        ("2026-12-01T10:00", "new york", "did you mean America/New_York?"),
        ("2026-12-01T10:00", "Middle-earth", "no time zone “Middle-earth”"),
        ("2026-12-01T10:00", "../../etc/passwd", "no time zone"),
        ("2026-12-01T10:00", "", "no time zone"),
        ("2026-12-01", KYIV, "has no hour"),
        ("10:00", KYIV, "is no start"),
        ("2026-13-01T10:00", KYIV, "is no start"),
        ("tomorrow", KYIV, "is no start"),
        ("", KYIV, "is no start"),
        ("9026-12-01T10:00", KYIV, "too far away"),
    ],
)
def test_a_start_that_cant_be_is_refused_with_a_sentence(start: str, zone: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        resolve_start(start, zone, NOON)
    assert words in str(refused.value)


def test_a_start_at_clients_hours_begins_now_where_the_first_zones_are_past_it() -> None:
    resolved = resolve_start("2026-11-21T12:00", "client", NOON)
    assert resolved.at == NOON
    assert resolved.note


def test_each_client_has_its_own_instant_after_the_first_zone_s() -> None:
    local = read_start("2026-12-01T10:00")
    assert resolve_start("2026-12-01T10:00", "client", NOON).at == utc(2026, 11, 30, 20)
    assert client_instant(local, KYIV) == utc(2026, 12, 1, 8)
    assert client_instant(read_start("2027-03-28T03:30"), KYIV) == utc(2027, 3, 28, 1, 30)


@given(
    local=st.datetimes(min_value=datetime(2000, 1, 2), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 - local times
    zone=st.sampled_from(sorted(available_timezones())),
)
def test_every_zone_has_every_hour_within_26_hours(local: datetime, zone: str) -> None:
    first = client_instant(local, "Etc/GMT-14")
    # A missing hour moves on; two islands once left a whole day out.
    late = timedelta(hours=24 if zone.startswith("Pacific/") else 2)
    assert first <= client_instant(local, zone) <= first + timedelta(hours=26) + late


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOON),
        ("зараз", NOON),
        ("tomorrow 10:00", utc(2026, 11, 22, 8)),
        ("tomorrow 12:30", utc(2026, 11, 22, 10, 30)),  # the hour that it is now
        ("Tomorrow at 10", utc(2026, 11, 22, 8)),
        ("Friday 9am", utc(2026, 11, 27, 7)),
        ("on Friday at 9", utc(2026, 11, 27, 7)),
        ("10:00", utc(2026, 11, 22, 8)),
        ("15:00", utc(2026, 11, 21, 13)),
        ("in 2 hours", utc(2026, 11, 21, 12, 30)),
        ("in an hour", utc(2026, 11, 21, 11, 30)),
        ("in 30 min", utc(2026, 11, 21, 11)),
        ("in 2 days at 10:00", utc(2026, 11, 23, 8)),
        ("1 Dec 10:00", utc(2026, 12, 1, 8)),
        ("01.12.2026 10:00", utc(2026, 12, 1, 8)),
        ("1.12 10:00", utc(2026, 12, 1, 8)),
        ("20.11 10:00", utc(2027, 11, 20, 8)),
        ("29.02 10:00", utc(2028, 2, 29, 8)),
        ("2026-12-01 10:00", utc(2026, 12, 1, 8)),
        ("2026-12-01T10:00", utc(2026, 12, 1, 8)),
        ("завтра 10:00", utc(2026, 11, 22, 8)),
        ("завтра в 10", utc(2026, 11, 22, 8)),
        ("завтра о 10:00", utc(2026, 11, 22, 8)),
        ("через 2 часа", utc(2026, 11, 21, 12, 30)),
        ("за годину", utc(2026, 11, 21, 11, 30)),
        ("в пятницу 9:00", utc(2026, 11, 27, 7)),
        ("у п’ятницю 9:00", utc(2026, 11, 27, 7)),
        ("1 грудня 10:00", utc(2026, 12, 1, 8)),
        ("28.03.2027 03:30", utc(2027, 3, 28, 1, 30)),
    ],
)
def test_what_people_write_for_a_time_is_understood_in_their_zone(text: str, expected: datetime) -> None:
    assert understand(text, KYIV, NOON) == expected


def test_hours_from_now_are_exact_over_a_clock_change() -> None:
    before = utc(2027, 3, 27, 23)
    assert understand("in 3 hours", KYIV, before) == utc(2027, 3, 28, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "I don't understand “nonsense” as a time. Write it such as: tomorrow 10:00"),
        ("", "I don't understand"),
        ("5", "names no hour"),
        ("tomorrow", "“tomorrow” names no hour"),
        ("пятница", "names no hour"),
        ("yesterday 10:00", "is past already; it is Sat, 21 Nov 2026, 12:30 (Europe/Kyiv, UTC+2) now"),
        ("20.11.2026 10:00", "is past already"),
        ("31.02.2027 10:00", "I don't understand"),
        ("99999-01-01 10:00", "I don't understand"),
        ("tomorrow 10:00 " * 100, "I don't understand"),
    ],
)
def test_what_is_no_time_to_come_is_answered_with_an_example(text: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        understand(text, KYIV, NOON)
    assert words in str(refused.value)


PIECES = ["in", "tomorrow", "завтра", "о", "at", "99", "10:00", "31", "december", ".", "/", "-", "п'ятницю", "через"]


@settings(max_examples=50, deadline=None)
@given(text=st.one_of(st.text(max_size=20), st.lists(st.sampled_from(PIECES), max_size=5).map(" ".join)))
@example("0000-00-00")
@example("1/1/1 0:0:0")
def test_whatever_is_written_is_a_time_to_come_or_answered_with_a_sentence(text: str) -> None:
    with suppress(Invalid):
        assert understand(text, KYIV, NOON) >= NOON - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("zone", "locale", "words"),
    [
        (KYIV, "en", "Sat, 21 Nov 2026, 12:30 (Europe/Kyiv, UTC+2)"),
        ("Asia/Kolkata", "en", "Sat, 21 Nov 2026, 16:00 (Asia/Kolkata, UTC+5:30)"),
        ("America/St_Johns", "en", "Sat, 21 Nov 2026, 07:00 (America/St_Johns, UTC-3:30)"),
        ("UTC", "en", "Sat, 21 Nov 2026, 10:30 (UTC)"),
        (KYIV, "uk", "сб, 21 лист. 2026, 12:30 (Europe/Kyiv, UTC+2)"),
    ],
)
def test_a_start_is_always_shown_with_its_zone(zone: str, locale: str, words: str) -> None:
    assert describe_start(NOON, zone, locale).replace("\u202f", " ") == words
