"""A message as plain data: read strictly, written back unchanged, named by its content."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.message import (
    Buy,
    Card,
    Carousel,
    File,
    InvalidMessage,
    Link,
    Location,
    Message,
    Pictures,
    Point,
    Reply,
    Text,
    Video,
    content_hash,
    for_all,
    only_for,
    plain,
    read_message,
    sources_of,
)

_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
_buttons = st.lists(
    st.lists(
        st.builds(Link, _words, _words)
        | st.builds(Reply, _words, _words)
        | st.builds(Buy, _words, _words, st.none() | _words),
        min_size=1,
        max_size=3,
    ).map(tuple),
    max_size=2,
).map(tuple)
_flat = st.lists(st.builds(Link, _words, _words) | st.builds(Reply, _words, _words), max_size=2).map(tuple)
_cards = st.builds(Card, _words, _words, st.none() | _words, _flat)
_points = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))
_elements = (
    st.builds(Text, _words, _buttons)
    | st.builds(Pictures, st.lists(_words, min_size=1, max_size=3).map(tuple), _words, _buttons)
    | st.builds(File, _words, st.none() | _words, _words, _buttons)
    | st.builds(Video, _words, _words, _buttons)
    | st.builds(Location, _points, _buttons)
    | st.builds(Carousel, st.lists(_cards, min_size=1, max_size=3).map(tuple), _words, _buttons)
)
_only = st.dictionaries(
    st.sampled_from(["telegram", "whatsapp"]),
    st.dictionaries(st.sampled_from(["template", "silent"]), st.booleans() | _words, max_size=2),
    max_size=2,
)
messages = st.builds(
    Message,
    elements=st.lists(_elements, max_size=4).map(tuple),
    kinds=st.frozensets(st.sampled_from(["telegram", "viber"])),
    only=_only,
)


@given(messages)
def test_a_message_survives_being_stored(message: Message) -> None:
    stored = json.loads(json.dumps(plain(message)))
    assert read_message(stored) == message
    assert content_hash(read_message(stored)) == content_hash(message)


@given(messages, messages)
def test_only_the_same_content_has_the_same_name(one: Message, two: Message) -> None:
    assert (content_hash(one) == content_hash(two)) is (plain(one) == plain(two))


_ONE = [[{"link": "https://a.b", "label": "Go"}]]
_ROWS = ((Link("https://a.b", "Go"),),)

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["text", "pictures", "file", "video", "location", "buttons", "elements", "for", "only", "link",
                         "label", "message", "buy", "price", "latitude", "longitude", "name", "telegram", "carousel",
                         "title"]), inner),
    max_leaves=15,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["text", "pictures", "buttons", "elements", "for", "only", "location"]), _json))
def test_any_data_is_a_message_or_refused_with_words(data: dict[str, Any]) -> None:
    try:
        message = read_message(data)
    except InvalidMessage:
        return
    assert read_message(plain(message)) == message
    content_hash(message).encode()
    for kind in message.only:
        message.for_kind(kind)


@pytest.mark.parametrize(
    ("data", "element"),
    [
        ({"text": "Hi"}, Text("Hi")),
        ({"text": "Hi", "pictures": ["a.jpg"]}, Pictures(("a.jpg",), "Hi")),
        ({"text": "Hi", "file": "a.pdf", "name": "Prices.pdf"}, File("a.pdf", "Prices.pdf", "Hi")),
        ({"video": "a.mp4"}, Video("a.mp4")),
        ({"location": {"latitude": 50, "longitude": 30}}, Location(Point(50.0, 30.0))),
        (
            {"text": "Hi", "buttons": [[{"link": "https://a.b", "label": "Go"}, {"buy": "1", "label": "Buy"}]]},
            Text("Hi", ((Link("https://a.b", "Go"), Buy("1", "Buy")),)),
        ),
    ],
)
def test_the_short_form_is_one_element(data: dict[str, Any], element: Any) -> None:
    assert read_message(data) == Message(elements=(element,))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"txt": "Hi"}, "no field “txt”; it knows text, pictures"),
        ({"text": "Hi", "elements": [{"text": "Ho"}]}, "not both"),
        ({"elements": [{"text": "Hi"}, {"buttons": []}]}, "element 2 needs one of text, pictures"),
        ({"elements": [{"text": "Hi", "size": 3}]}, "element 1: it has no field “size”"),
        ({"elements": "Hi"}, "“elements” must be a list of tables"),
        ({"elements": {"text": "Hi"}}, "“elements” must be a list of tables"),
        ({"text": "Hi", "for": "telegram"}, "“for” must be a list of messenger kinds"),
        ({"text": "Hi", "only": ["telegram"]}, "“only” must be a table"),
        ({"text": "Hi", "only": {"telegram": "x"}}, "only.telegram must be a table of fields"),
        ({"text": "Hi", "only": {"telegram": {"elements": [{}]}}}, "element 1 needs one of"),
        ({"text": 7}, "element 1: text"),
        ({"pictures": "a.jpg"}, "element 1: pictures"),
        ({"elements": [{"pictures": []}]}, "pictures is empty"),
        ({"elements": [{"carousel": []}]}, "carousel is empty"),
        ({"carousel": [{"text": "from 49"}]}, "element 1: carousel.0.title"),
        ({"text": "Hi", "only": {"viber": {"location": {"latitude": 5}}}}, "only.viber: element 1"),
        ({"text": "Hi", "buttons": [{"link": "https://a.b", "label": "Go"}]}, "a button is { link, label }"),
        ({"text": "Hi", "buttons": [[{"link": "https://a.b"}]]}, "a button is { link, label }"),
        ({"text": "Hi", "buttons": [[{"link": "a", "message": "b", "label": "c"}]]}, "a button is { link, label }"),
        ({"location": {"latitude": float("nan"), "longitude": 0}}, "not finite"),
        ({"text": "half \ud83d"}, "broken character"),
        ({"text": "a\0b"}, "broken character"),
        ({"text": "Hi", "only": {"telegram": {"x": ["\0"]}}}, "broken character"),
    ],
)
def test_what_is_no_message_is_told(data: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidMessage) as raised:
        read_message(data)
    assert words in str(raised.value)


def test_a_kind_may_have_elements_of_its_own() -> None:
    message = read_message({"text": "Hi", "only": {"viber": {"text": "Hi, Viber"}, "whatsapp": {"template": {"a": 1}}}})
    assert message.for_kind("telegram") == (Text("Hi"),)
    assert message.for_kind("viber") == (Text("Hi, Viber"),)
    assert message.for_kind("whatsapp") == (Text("Hi"),)


def test_every_file_is_named_once_in_order_those_of_single_kinds_too() -> None:
    message = read_message(
        {
            "elements": [{"pictures": ["a.jpg", "b.jpg"]}, {"file": "c.pdf"}, {"video": "a.jpg"}, {"text": "Hi"}],
            "only": {"viber": {"pictures": ["d.jpg"]}},
        }
    )
    assert sources_of(message) == ["a.jpg", "b.jpg", "c.pdf", "d.jpg"]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"text": "Ho"}, Pictures(("a.jpg",), "Ho", _ROWS)),
        ({"pictures": ["b.jpg"]}, Pictures(("b.jpg",), "Hi", _ROWS)),
        ({"pictures": []}, Text("Hi", _ROWS)),
        ({"file": "a.pdf"}, File("a.pdf", None, "Hi", _ROWS)),
        ({"buttons": []}, Pictures(("a.jpg",), "Hi")),
        ({"text": "", "pictures": []}, Text("", _ROWS)),
        ({"elements": [{"text": "Ho"}]}, Text("Ho")),
        ({"silent": True}, Pictures(("a.jpg",), "Hi", _ROWS)),
    ],
)
def test_a_field_that_differs_on_a_kind_takes_the_place_of_the_common_one(other: dict[str, Any], expected: Any) -> None:
    message = read_message({"text": "Hi", "pictures": ["a.jpg"], "buttons": _ONE, "only": {"viber": other}})
    assert message.for_kind("viber") == (expected,)
    assert message.for_kind("telegram") == (Pictures(("a.jpg",), "Hi", _ROWS),)


def test_a_kind_may_have_nothing_of_the_common_message() -> None:
    assert read_message({"text": "Hi", "only": {"whatsapp": {"text": ""}}}).for_kind("whatsapp") == ()


def test_several_common_elements_give_way_as_a_whole() -> None:
    data = {"elements": [{"text": "a"}, {"text": "b"}], "only": {"viber": {"text": "c"}}}
    assert read_message(data).for_kind("viber") == (Text("c"),)


def test_a_message_is_switched_between_one_kind_and_all() -> None:
    message = read_message({"text": "Hi", "only": {"viber": {"text": "Ho"}}})
    alone = only_for(message, "viber")
    assert alone.kinds == {"viber"}
    assert alone.for_kind("viber") == (Text("Ho"),)
    assert for_all(alone) == message


def test_a_carousel_is_read_with_its_cards() -> None:
    cards = [{"title": "Boots", "text": "from 49", "picture": "a.jpg", "buttons": _ONE[0]}, {"title": "Hats"}]
    message = read_message({"text": "New", "carousel": cards})
    boots = Card("Boots", "from 49", "a.jpg", (Link("https://a.b", "Go"),))
    assert message.elements == (Carousel((boots, Card("Hats")), "New"),)
    assert sources_of(message) == ["a.jpg"]


def test_the_head_of_a_template_is_a_source() -> None:
    heads = [{"header": "media:a.jpg"}, {"header": {"file": "b.pdf"}}, {"header": ["Ann"]}, {"name": "x"}]
    only = {kind: {"template": head} for kind, head in zip(["whatsapp", "sms", "viber", "vk"], heads, strict=True)}
    assert sources_of(read_message({"text": "Hi", "only": only})) == ["media:a.jpg", "b.pdf"]
