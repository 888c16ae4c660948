"""Addresses as people and programs write them, made what a channel takes."""

import re

from engine.errors import Invalid, _
from engine.phones import is_possible, read_phone
from gateways.base import Capabilities

MAX_ADDRESS = 200  # characters

_LOOKS_LIKE_PHONE = re.compile(r"\+?[\d\s().\-/]+")


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
    if text.isdecimal() and text.isascii() and not text.startswith("0") and is_possible(f"+{text}"):
        return text
    return read_phone(text, region).removeprefix("+")
