"""What somebody sent, as a name of a mailing; what somebody wants compared."""

from datetime import UTC, datetime

import pytest

from bot.dialogs import spoken
from bot.dialogs.said import name_for
from bot.dialogs.spoken import Compared
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


@pytest.mark.parametrize(
    ("words", "compared"),
    [
        ("compare", Compared()),
        ("Compare it with the previous one, please", None),
        ("compare 7 and 5", Compared((7, 5))),
        ("сравни #7 с #5", Compared((7, 5))),
        ("порівняй тиждень", Compared(None, "week")),
        ("compare 7", None),
        ("how did it go", None),
    ],
)
def test_what_is_to_be_compared(words: str, compared: Compared | None) -> None:
    assert spoken.compared(words) == compared
