"""Kinds of messenger for tests of the engine, which knows none of the real ones."""

from dataclasses import replace
from typing import Any

from gateways.base import ButtonSet, Capabilities, Fact, PartKind, TextUnit
from gateways.markup import TAGS
from gateways.message import Link, Reply


def fact(value: int) -> Fact:
    return Fact(value, "made up for a test")


CHATTY = Capabilities(
    kind="chatty",
    title="Chatty",
    max_text=fact(4096),
    max_caption=fact(1024),
    text_unit=TextUnit.CHARACTERS,
    markup=TAGS,
    media=frozenset(PartKind),
    max_picture_bytes=fact(10_000_000),
    max_file_bytes=fact(50_000_000),
    album_sizes=range(2, 11),
    album_takes_buttons=False,
    max_buttons_in_row=fact(8),
    max_label=fact(64),
    button_sets=(ButtonSet(frozenset({Link, Reply}), fact(100)),),
)


def chatty(**changes: Any) -> Capabilities:
    """A kind that carries everything, but for the changes."""
    return replace(CHATTY, **changes)
