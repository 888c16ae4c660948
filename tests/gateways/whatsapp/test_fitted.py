"""Whatever message is fitted to WhatsApp, each of its parts is one that WhatsApp takes."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.fit import fit
from gateways.base import Outgoing, Part
from gateways.markup import read_html, utf16_length
from gateways.message import Button, Buy, Link, Reply, read_message
from gateways.simulator.meta import GraphError
from gateways.simulator.phones import ChatMedia
from gateways.simulator.whatsapp.sending import seen_of
from gateways.whatsapp.capabilities import WHATSAPP
from gateways.whatsapp.render import TYPES, values_of

LABELS = st.text("ab Ж😀", min_size=1, max_size=30).filter(str.strip)
BUTTONS = st.one_of(
    st.builds(lambda label: {"link": "https://acme.test/a_b", "label": label}, LABELS),
    st.builds(lambda label: {"message": "more", "label": label}, LABELS),
    st.builds(lambda label: {"buy": "SKU", "label": label}, LABELS),
)
ROWS = st.lists(st.lists(BUTTONS, min_size=1, max_size=4), max_size=4)
TEXTS = st.sampled_from(
    ["", "Hello", "<b>Sale</b> *5_6* <a href='https://a.test/x'>here</a>", "ж" * 1000, "😀 " * 900, "<i>x</i> " * 40]
)
ELEMENTS = st.one_of(
    st.builds(lambda text, rows: {"text": text or "Hi", "buttons": rows}, TEXTS, ROWS),
    st.builds(lambda n, text, rows: {"pictures": ["media:s.jpg"] * n, "text": text, "buttons": rows},
              st.integers(1, 3), TEXTS, ROWS),
    st.builds(lambda text, rows: {"file": "media:p.pdf", "text": text, "buttons": rows}, TEXTS, ROWS),
    st.builds(lambda rows: {"location": {"latitude": 5, "longitude": 6}, "buttons": rows}, ROWS),
    st.builds(lambda title, text, rows: {"carousel": [{"title": title, "text": "words", "picture": "media:s.jpg",
              "buttons": [each for row in rows for each in row][:3]}] * 2, "text": text}, LABELS, TEXTS, ROWS),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(ELEMENTS, min_size=1, max_size=2))
def test_every_fitted_part_is_taken(elements: list[Any]) -> None:
    fitted = fit(read_message({"elements": elements}), WHATSAPP)
    for part in fitted.parts:
        _require_taken(part)


def _require_taken(part: Part) -> None:
    buttons = [button for row in part.buttons for button in row]
    data = tuple(f"c7.{number}" for number in range(len(buttons)))
    outgoing = Outgoing("447700900123", part, read_html(part.text), part.buttons, data, "7.1.0")
    values = values_of(outgoing, {"id": "1"} if part.kind in TYPES else None)
    kind = {"image": "picture", "video": "video", "document": "file"}.get(TYPES.get(part.kind, ""), "")
    try:
        seen = seen_of(values, (), lambda _: ChatMedia(kind))
    except GraphError as error:
        raise AssertionError(error.envelope) from error
    assert utf16_length(seen.text) <= 4096
    shown = [button.value for row in seen.rows for button in row]
    assert shown == [_value(button, name) for button, name in zip(buttons, data, strict=True)]


def _value(button: Button, name: str) -> str:
    return button.link if isinstance(button, Link) else name


def test_mixed_buttons_keep_the_replies_and_put_the_link_into_the_text() -> None:
    rows = [[{"link": "https://acme.test/sale", "label": "Open"}], [{"message": "y", "label": "Yes"},
            {"buy": "SKU-1", "label": "Buy"}]]  # fmt: skip
    fitted = fit(read_message({"text": "Sale", "buttons": rows}), WHATSAPP)
    (part,) = fitted.parts
    assert [type(button) for row in part.buttons for button in row] == [Reply, Buy]
    assert "https://acme.test/sale" in part.text
    assert any(re.search("Open", str(loss)) for loss in fitted.losses)
