"""Addresses and phones as people and programs write them, made what a channel takes."""

import re

from engine.errors import Invalid, _
from gateways.base import Capabilities

MAX_ADDRESS = 200  # characters

_LOOKS_LIKE_PHONE = re.compile(r"\+?[\d\s().\-/]+")
_NO_COUNTRY = _("phone “{phone}” names no country: write it as +380…, or say --region")
_NO_PHONE = _("phone “{phone}” is no phone number")


def read_phone(text: str, region: str | None) -> str:
    """In E.164; `region` is the country of one that names none. Raises Invalid."""
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


def read_address(channel: str, text: str, able: Capabilities, region: str | None = None) -> str:
    """As the channel takes it: a phone in digits with its country where clients are known by it. Raises Invalid."""
    if able.address_by_phone and _LOOKS_LIKE_PHONE.fullmatch(text):
        text = _phone_digits(text, region)
    if len(text) > MAX_ADDRESS:
        raise Invalid(_("“{column}” is longer than {most} characters"), column=channel, most=MAX_ADDRESS)
    if able.address_pattern and not re.fullmatch(able.address_pattern, text):
        words = _("“{address}” is no address on {channel} ({title})")
        raise Invalid(words, address=text, channel=channel, title=able.title)
    return text


def _phone_digits(text: str, region: str | None) -> str:
    """Digits that begin with a country already stay as they are: platforms know numbers in forms of their own."""
    if text.isdecimal() and text.isascii() and not text.startswith("0") and _is_possible(f"+{text}"):
        return text
    return read_phone(text, region).removeprefix("+")


def _is_possible(number: str) -> bool:
    import phonenumbers

    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False
