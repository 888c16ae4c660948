"""What somebody sent, as a name of a mailing."""

from datetime import UTC, datetime

import pytest

from bot.dialogs.said import name_for
from gateways.message import Message, Text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hello {{ client.first_name }}, the sale is on!", "Hello, the sale is on"),
        ("Hi, {{ client.name }}! The <b>big</b> sale is on.", "The big sale is on"),
        ("{{ client.first_name }}, look here", "look here"),
        ("{{ client.first_name }}", "2026-12-01 10:00"),
    ],
)
def test_a_mailing_is_named_by_its_first_words_without_the_gap_of_a_name(text: str, name: str) -> None:
    assert name_for(Message((Text(text),)), datetime(2026, 12, 1, 10, tzinfo=UTC)) == name
