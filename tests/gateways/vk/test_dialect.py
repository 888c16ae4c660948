"""Formatting, keyboards and names of attachments, as VK takes them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.base import PartKind
from gateways.markup import RichText, Span, read_html
from gateways.message import Button, Buy, Link, Reply
from gateways.vk.capabilities import VK
from gateways.vk.dialect import measured, text_and_format
from gateways.vk.media import as_it_stands
from gateways.vk.render import keyboard, payload_of


def test_the_platforms_own_example_of_formatting() -> None:
    text, items = text_and_format(read_html('<b>Скидка</b> <a href="https://shop.example/sale">сайт</a>'))
    assert text == "Скидка сайт"
    assert items == [
        {"type": "bold", "offset": 0, "length": 6},
        {"type": "url", "offset": 7, "length": 4, "url": "https://shop.example/sale"},
    ]


def test_what_vk_can_not_show_stays_as_words() -> None:
    rich = read_html("<code>a</code> <pre>b</pre> <s>c</s> <tg-spoiler>d</tg-spoiler> <blockquote>e</blockquote>")
    assert text_and_format(rich) == ("a b c d e", [])


def test_white_space_at_the_ends_moves_no_format() -> None:
    assert text_and_format(read_html("  \n<b>Hi</b> all \n")) == (
        "Hi all",
        [{"type": "bold", "offset": 0, "length": 2}],
    )


def test_a_mention_stays_words_even_where_a_letter_that_is_dropped_hid_it() -> None:
    assert text_and_format(RichText("[id1\x01|Ann]"))[0] == "[\u2060id1|Ann]"
    assert text_and_format(RichText("[https://vk.com/x|click]"))[0].startswith("[\u2060")
    assert measured(RichText("[id1|Ann]")) == 10


LETTERS = st.sampled_from("ab 😀\u0301\u200fש\r\n\t[|]\x00\U0001f1fa\ud83d")
SPANS = st.tuples(st.sampled_from(["b", "i", "u", "a", "s"]), st.integers(0, 24), st.integers(0, 24))


@given(st.text(LETTERS, max_size=24), st.lists(SPANS, max_size=6))
def test_formats_lie_inside_the_text_on_borders_of_letters(content: str, marks: list[tuple[str, int, int]]) -> None:
    spans = tuple(Span(tag, a, b, "https://a.b/" if tag == "a" else "") for tag, a, b in marks if a < b <= len(content))
    text, items = text_and_format(RichText(content, spans))
    units = text.encode("utf-16-le")  # raises for what VK's JSON could not hold
    assert text == text.strip()
    for item in items:
        start, end = item["offset"] * 2, (item["offset"] + item["length"]) * 2
        assert 0 <= start < end <= len(units)
        units[start:end].decode("utf-16-le")  # raises where an emoji is cut in two


@given(st.text(max_size=20), st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_a_format_covers_the_very_letters_of_its_span(before: str, bold: str, after: str) -> None:
    rich = RichText(before + bold + after, (Span("b", len(before), len(before) + len(bold)),))
    text, items = text_and_format(rich)
    units = text.encode("utf-16-le")
    shown = "".join(units[2 * i["offset"] : 2 * (i["offset"] + i["length"])].decode("utf-16-le") for i in items)
    bare, _ = text_and_format(RichText(bold))
    assert shown.strip().replace("\u2060", "") == bare.replace("\u2060", "")


def shape(*rows: list[Button]) -> list[list[str]]:
    laid = keyboard(tuple(map(tuple, rows)), [f"c7.{place}" for place in range(20)])["buttons"]
    return [[button["action"]["label"] for button in row] for row in laid]


def links(*labels: str) -> list[Button]:
    return [Link("https://a.b", label) for label in labels]


def replies(*labels: str) -> list[Button]:
    return [Reply("say", label) for label in labels]


def test_rows_of_five_stay_and_links_stand_apart() -> None:
    assert shape(replies(*"abcde"), replies(*"fg")) == [list("abcde"), list("fg")]
    assert shape(replies(*"abcdef")) == [list("abcde"), ["f"]]
    assert shape([*replies("a"), *links("b"), *replies("c", "d")]) == [["a"], ["b"], ["c", "d"]]


def test_ten_links_fit_into_six_rows_because_they_are_packed() -> None:
    rows = shape(*([link] for link in links(*"abcdefghij")))
    assert rows == [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"], ["i", "j"]]


BUTTONS = st.one_of(
    st.just(Link("https://a.b", "link")), st.just(Reply("say", "reply")), st.just(Buy("SKU", "buy", "1 EUR"))
)


@given(st.lists(st.lists(BUTTONS, min_size=1, max_size=8), min_size=1, max_size=10).filter(
    lambda rows: sum(map(len, rows)) <= VK.button_sets[0].most.value))  # fmt: skip
def test_every_keyboard_that_fits_keeps_to_vks_limits_and_order(rows: list[list[Button]]) -> None:
    data = [f"c9223372036854775807.{place}" for place in range(sum(map(len, rows)))]
    laid = keyboard(tuple(map(tuple, rows)), data)
    assert laid["inline"] is True
    assert len(laid["buttons"]) <= 6
    assert all(1 <= len(row) <= 5 for row in laid["buttons"])
    flat = [button for row in laid["buttons"] for button in row]
    assert [button["action"]["label"] for button in flat] == [button.label for row in rows for button in row]
    payloads = [button["action"].get("payload", "") for button in flat]
    assert all(len(payload) <= 255 for payload in payloads)
    assert sum(map(len, payloads)) <= 1000
    given_data = [json.loads(payload)["b"] for payload in payloads if payload]
    kinds = [button for row in rows for button in row]
    assert given_data == [each for each, kind in zip(data, kinds, strict=True) if not isinstance(kind, Link)]


def test_a_payload_is_json() -> None:
    assert payload_of('c7."0') == '{"b":"c7.\\"0"}'


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ("photo-123_456", PartKind.PICTURE, "photo-123_456"),
        ("photo123_456_a1B2", PartKind.PICTURE, "photo123_456_a1B2"),
        ("https://vk.com/photo-123_456", PartKind.PICTURE, "photo-123_456"),
        ("http://m.vk.com/photo-123_456?rev=1", PartKind.PICTURE, "photo-123_456"),
        ("https://vk.ru/album-123_00?z=photo-123_456%2Falbum-123_00", PartKind.PICTURE, "photo-123_456"),
        ("https://vk.com/shop?w=wall-1_2&z=photo-123_456/wall", PartKind.PICTURE, "photo-123_456"),
        ("https://vkvideo.ru/video-1_2", PartKind.VIDEO, "video-1_2"),
        ("video-1_2", PartKind.VIDEO, "video-1_2"),
        ("doc-1_2_ab", PartKind.FILE, "doc-1_2_ab"),
        ("video-1_2", PartKind.PICTURE, None),
        ("photo-1_2", PartKind.FILE, None),
        ("photo-1_2,photo-3_4", PartKind.PICTURE, None),
        ("https://vk.com.evil.example/photo-123_456", PartKind.PICTURE, None),
        ("https://evil.example/?u=https://vk.com/photo-1_2", PartKind.PICTURE, None),
        ("https://vk.com/photos-123", PartKind.PICTURE, None),
        ("media:photo-1_2", PartKind.PICTURE, None),
        ("", PartKind.PICTURE, None),
    ],
)
def test_what_vk_has_is_taken_as_it_stands(source: str, kind: PartKind, name: str | None) -> None:
    assert as_it_stands(source, kind) == name


def test_every_limit_says_where_it_comes_from() -> None:
    assert VK.carousel is not None
    facts = [VK.max_text, VK.max_caption, VK.max_picture_bytes, VK.max_file_bytes, VK.max_label, VK.max_buttons_in_row]
    facts += [VK.button_sets[0].most, VK.carousel.max_title, VK.carousel.max_text, VK.carousel.max_buttons]
    assert all(fact.value > 0 and fact.source for fact in facts)
    assert VK.why_no_receipts
    assert 0 < VK.repeats_safely_for_s < 3600
