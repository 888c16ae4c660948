"""Phones at a glance: what our own reading says of a phone in E.164 is what the library says of it."""

from datetime import UTC, datetime

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine import phones
from engine.errors import Invalid

COUNTRIES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
numbers = st.builds(
    lambda country, rest: f"+{country}{rest}",
    st.sampled_from(COUNTRIES),
    st.text("0123456789", min_size=3, max_size=13),
)


def by_library(text: str) -> str | None:
    try:
        return phones._read(text, None)
    except Invalid:
        return None


def at_a_glance(text: str) -> str | None:
    try:
        return phones.read_phone(text, None)
    except Invalid:
        return None


def agree(text: str) -> None:
    read = at_a_glance(text)
    assert read == by_library(text)
    if read is not None:
        assert phones.timezone_of(read) == phones._timezone_by_kind(read, datetime.now(UTC).date())


@settings(max_examples=60)
@given(numbers)
@example("+390612345678")  # its zero belongs to it
@example("+380800500500")
@example("+6409679076")  # a zero that is dialled at home only
@example("+881612345678")  # no country's
@example("+999123456789")
def test_whatever_digits_come_both_readings_agree(text: str) -> None:
    agree(text)


def test_examples_of_countries_are_read_at_a_glance() -> None:
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)[::4]
    glanced = 0
    for region in regions:
        number = phonenumbers.example_number(region)
        assert number is not None
        text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        agree(text)
        glanced += phones._is_whole(text)
    assert glanced > 0.9 * len(regions)


@pytest.mark.parametrize("text", ["380501234567", "+38 050 123-45-67", "+380501234567 ", "+380501234567x12", "+", ""])
def test_what_is_written_otherwise_goes_to_the_library(text: str) -> None:
    assert not phones._is_whole(text)
