"""What an SMS is cut into: both alphabets, at every edge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.base import Counted
from gateways.twilio.segments import Segments, count, counted


@pytest.mark.parametrize(
    ("text", "encoding", "characters", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("Ä ö ñ à é Ç Ω @ £ ¥ ¿ ¡ § \r\n", "GSM-7", 28, 1),
        ("€" * 80, "GSM-7", 160, 1),
        ("^{}\\[~]|€\f", "GSM-7", 20, 1),
        ("€" * 81, "GSM-7", 162, 2),
        # An escape and its septet stay together, so 76 fit into 153 septets and not 76.5.
        ("€" * 153, "GSM-7", 306, 3),
        ("a" + "€" * 152, "GSM-7", 305, 2),
        ("ж" * 70, "UCS-2", 70, 1),
        ("ж" * 71, "UCS-2", 71, 2),
        ("ж" * 134, "UCS-2", 134, 2),
        ("ж" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        # So do the halves of an emoji: 33 of them in 67 units.
        ("😀" * 67, "UCS-2", 134, 3),
        ("The sale is on 🎉", "UCS-2", 17, 1),
        ("it’s", "UCS-2", 4, 1),
        ("à l'été", "GSM-7", 7, 1),
        ("ç", "UCS-2", 1, 1),  # only the capital is in the alphabet
        ("\x1b", "UCS-2", 1, 1),  # the escape itself is no character
    ],
)
def test_a_text_is_counted_as_carriers_count_it(text: str, encoding: str, characters: int, segments: int) -> None:
    assert count(text) == Segments(encoding, characters, segments)  # type: ignore[arg-type]


@given(st.text(max_size=400), st.text(max_size=40))
def test_more_text_never_takes_fewer_segments(text: str, more: str) -> None:
    assert count(text).segments <= count(text + more).segments


@given(st.text(min_size=1, max_size=400))
def test_no_segment_holds_more_than_it_can(text: str) -> None:
    counted = count(text)
    alone, joined = (160, 153) if counted.encoding == "GSM-7" else (70, 67)
    assert counted.characters <= (alone if counted.segments == 1 else counted.segments * joined)
    assert counted.segments == 1 or counted.characters > (counted.segments - 1) * (joined - 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Sale", Counted("GSM-7", 4, 1, 156)),
        ("a" * 161, Counted("GSM-7", 161, 2, 145)),
        ("It’s on – ж", Counted("UCS-2", 11, 1, 59, "’–ж")),
        ("абвгдеж", Counted("UCS-2", 7, 1, 63, "абвгд")),
    ],
)
def test_who_writes_is_told_the_room_and_what_takes_the_wider_alphabet(text: str, told: Counted) -> None:
    assert counted(text) == told
