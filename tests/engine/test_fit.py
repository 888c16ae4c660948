from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.fit import NEUTRAL_TEXT, Fitted, fit
from engine.personalise import Personaliser
from gateways.base import ButtonSet, Capabilities, CarouselLimits, Part, PartKind, TextUnit
from gateways.dialects import plain_measure, plain_text
from gateways.markup import read_html
from gateways.message import Buy, Link, Reply, read_message
from tests.engine.kinds import CHATTY, chatty, fact

ALL = ButtonSet(frozenset({Link, Reply, Buy}), fact(10))
ONE_BUTTON = [[{"link": "https://acme.test", "label": "Open"}]]


def fitted(data: dict[str, Any], able: Capabilities = CHATTY, sizes: dict[str, int] | None = None) -> Fitted:
    return fit(read_message(data), able, sizes)


def shape(result: Fitted) -> list[tuple[str, int, str, int]]:
    """Kind, how many files, the text and how many buttons, of each part."""
    return [(p.kind.value, len(p.media), p.text, sum(map(len, p.buttons))) for p in result.parts]


def losses(result: Fitted) -> list[str]:
    return [str(loss) for loss in result.losses]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"text": "Hi", "buttons": ONE_BUTTON}, [("text", 0, "Hi", 1)]),
        ({"pictures": ["a"], "text": "Hi", "buttons": ONE_BUTTON}, [("picture", 1, "Hi", 1)]),
        ({"pictures": ["a"]}, [("picture", 1, "", 0)]),
        ({"pictures": ["a", "b"], "text": "Hi"}, [("album", 2, "Hi", 0)]),
        ({"file": "a", "name": "Price.pdf", "text": "Hi", "buttons": ONE_BUTTON}, [("file", 1, "Hi", 1)]),
        ({"video": "a", "text": "Hi"}, [("video", 1, "Hi", 0)]),
        ({"location": {"latitude": 50.45, "longitude": 30.52}, "buttons": ONE_BUTTON}, [("location", 0, "", 1)]),
        ({"elements": [{"text": "a"}, {"pictures": ["b"]}]}, [("text", 0, "a", 0), ("picture", 1, "", 0)]),
    ],
)  # fmt: skip
def test_what_a_kind_carries_becomes_its_parts_without_a_loss(data: dict[str, Any], expected: list[Any]) -> None:
    result = fitted(data)
    assert shape(result) == expected
    assert not result.losses


def test_a_files_name_and_a_point_are_kept() -> None:
    data = {"elements": [{"file": "a", "name": "Price.pdf"}, {"location": {"latitude": 50.45, "longitude": 30.52}}]}
    assert fitted(data).parts == (
        Part(PartKind.FILE, media=("a",), name="Price.pdf"),
        Part(PartKind.LOCATION, latitude=50.45, longitude=30.52),
    )


def test_an_album_with_buttons_is_followed_by_the_text_with_the_buttons() -> None:
    result = fitted({"pictures": ["a", "b"], "text": "Hi", "buttons": ONE_BUTTON})
    assert shape(result) == [("album", 2, "", 0), ("text", 0, "Hi", 1)]
    assert losses(result) == ["An album can't have buttons: they follow it, with the text, as a message of their own."]


def test_buttons_of_an_album_without_a_text_get_a_neutral_one() -> None:
    result = fitted({"pictures": ["a", "b"], "buttons": ONE_BUTTON})
    assert shape(result) == [("album", 2, "", 0), ("text", 0, NEUTRAL_TEXT, 1)]
    assert "Buttons need a text here, so they stand under “⬇️”." in losses(result)


def test_an_album_keeps_its_buttons_where_the_kind_can() -> None:
    result = fitted({"pictures": ["a", "b"], "buttons": ONE_BUTTON}, chatty(album_takes_buttons=True))
    assert shape(result) == [("album", 2, "", 1)]


@pytest.mark.parametrize(("count", "albums"), [(2, [2]), (10, [10]), (11, [6, 5]), (20, [10, 10]), (21, [7, 7, 7])])
def test_many_pictures_go_as_even_albums(count: int, albums: list[int]) -> None:
    result = fitted({"pictures": [f"p{number}" for number in range(count)], "text": "Hi"})
    assert sorted((len(part.media) for part in result.parts), reverse=True) == albums
    assert [source for part in result.parts for source in part.media] == [f"p{number}" for number in range(count)]
    assert [part.text for part in result.parts] == [""] * (len(albums) - 1) + ["Hi"]
    assert bool(result.losses) is (len(albums) > 1)


def test_a_caption_that_is_too_long_follows_the_picture_with_the_buttons() -> None:
    text = "x" * 1025
    result = fitted({"pictures": ["a"], "text": text, "buttons": ONE_BUTTON})
    assert shape(result) == [("picture", 1, "", 0), ("text", 0, text, 1)]
    assert losses(result) == ["A caption holds 1024 characters: the text, of 1025, follows as a message of its own."]


def test_a_text_follows_what_shows_none_with_the_buttons() -> None:
    able = chatty(captioned=frozenset({PartKind.PICTURE}))
    result = fitted({"file": "a", "text": "Hi", "buttons": ONE_BUTTON}, able)
    assert shape(result) == [("file", 1, "", 0), ("text", 0, "Hi", 1)]
    assert losses(result) == ["Chatty shows no text with this (file): it follows as a message of its own."]


def test_tags_and_expressions_do_not_count_as_characters() -> None:
    text = (
        "<b>"
        + "x" * 1000
        + "</b><a href='https://acme.test/"
        + "y" * 90
        + "'>z</a>{{ client.first_name | default('n') }}"
    )
    result = fitted({"pictures": ["a"], "text": text})
    assert [part.kind for part in result.parts] == [PartKind.PICTURE]
    assert losses(result) == [
        "The text takes 1001 of 1024 characters: a client whose values make it too long gets nothing."
    ]


def test_a_text_that_is_too_long_is_refused_with_the_numbers() -> None:
    with pytest.raises(Invalid, match="element 1 takes 5000 characters; Chatty carries 4096"):
        fitted({"text": "x" * 5000})


def test_only_one_way_through_a_condition_counts() -> None:
    text = "{% if client.vip %}" + "x" * 4000 + "{% else %}" + "y" * 3000 + "{% endif %}"
    assert losses(fitted({"text": text})) == [
        "The text takes 4000 of 4096 characters: a client whose values make it too long gets nothing."
    ]
    with pytest.raises(Invalid, match="takes 4097"):
        fitted({"text": text.replace("y", "yy") + "z" * 97})


def test_a_long_row_of_buttons_is_divided_and_a_long_label_cut() -> None:
    row = [{"message": "x", "label": str(number)} for number in range(7)]
    result = fitted({"text": "Hi", "buttons": [row, [{"message": "x", "label": "l" * 30}]]}, chatty(
        max_buttons_in_row=fact(3), max_label=fact(20)
    ))  # fmt: skip
    assert [len(row) for row in result.parts[0].buttons] == [3, 3, 1, 1]
    assert result.parts[0].buttons[-1] == (Reply("x", "l" * 19 + "…"),)
    assert losses(result) == [
        f"A label holds 20 characters: “{'l' * 30}” is cut to “{'l' * 19}…”.",
        "Chatty shows 3 buttons in a row: longer rows are divided.",
    ]


def test_a_button_that_a_kind_cant_show_is_left_out_and_told() -> None:
    result = fitted({"text": "Hi", "buttons": [[{"buy": "SKU-1", "label": "Buy"}], [{"message": "x", "label": "Yes"}]]})
    assert result.parts[0].buttons == ((Reply("x", "Yes"),),)
    assert losses(result) == ["Chatty can't show the button “Buy”: it is left out."]


def test_a_kind_without_buttons_shows_links_in_the_text_and_says_so() -> None:
    rows = [[*ONE_BUTTON[0], {"message": "x", "label": "Yes"}]]
    result = fitted({"text": "Hi", "buttons": rows}, chatty(button_sets=()))
    assert shape(result) == [("text", 0, 'Hi\n\nOpen: <a href="https://acme.test">https://acme.test</a>', 0)]
    assert losses(result) == [
        "Chatty has no room for the button “Open”: its link stands in the text.",
        "Chatty can't show the button “Yes”: it is left out.",
    ]


def test_tags_that_a_dialect_lacks_are_told() -> None:
    result = fitted({"text": "<b>a</b> <u>b</u> <s>c</s>"}, chatty(markup=frozenset({"b"})))
    assert losses(result) == ["Chatty doesn't show <s>, <u>: the words stay, plain."]


def test_media_that_a_kind_cant_carry_is_left_out_and_its_text_stays() -> None:
    able = chatty(media=frozenset({PartKind.TEXT, PartKind.PICTURE}))
    result = fitted({"elements": [{"video": "v", "text": "Look"}, {"pictures": ["a", "b", "c"], "text": "Hi"}]}, able)
    assert shape(result) == [
        ("text", 0, "Look", 0),
        ("picture", 1, "Hi", 0),
        ("picture", 1, "", 0),
        ("picture", 1, "", 0),
    ]
    assert losses(result) == [
        "Chatty can't carry this (video): it is left out.",
        "Chatty has no albums: the pictures go one by one.",
    ]
    assert [loss.element for loss in result.losses] == [1, 2]


def test_a_message_may_differ_on_one_kind() -> None:
    data = {"text": "Hi", "only": {"chatty": {"text": "Hey"}, "other": {"text": "Ho"}}}
    assert shape(fitted(data)) == [("text", 0, "Hey", 0)]


def test_a_field_of_a_kinds_own_goes_with_the_first_part() -> None:
    data = {"text": "Hi", "only": {"chatty": {"template": {"name": "sale"}}}}
    assert fitted(data, chatty(own_fields=frozenset({"template"}))).parts[0].extra == {"template": {"name": "sale"}}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "is empty"),
        ({"text": "Hi", "for": ["viber"]}, "for viber only"),
        ({"elements": [{"text": " \n"}]}, "Element 1 is an empty text"),
        ({"elements": [{"text": "a"}, {"text": "<b> </b>"}]}, "Element 2 is an empty text"),
        ({"text": "Hi", "buttons": [[{"message": "x", "label": " "}]]}, "has no label"),
        ({"text": "Hi", "buttons": [[{"link": "acme.test", "label": "y"}]]}, "“acme.test” is no address"),
        ({"text": "Hi", "buttons": [[{"link": "https://", "label": "y"}]]}, "“https://” is no address"),
        ({"text": "Hi", "buttons": [[{"link": "https://a b", "label": "y"}]]}, "is no address"),
        ({"text": "Hi", "buttons": [[{"link": "javascript:alert(1)", "label": "y"}]]}, "is no address"),
        ({"text": "Hi", "buttons": [[{"link": "x{{ client.url }}", "label": "y"}]]}, "is no address"),
        ({"text": "Hi", "buttons": [[{"message": "{{ x", "label": "y"}]]}, "can't be read"),
        ({"text": "<a href='ftp://x'>x</a>"}, "“ftp://x” is no address"),
        ({"text": "<h1>x</h1>"}, "<h1>"),
        ({"text": "{% for a in b %}{% endfor %}"}, "{% for %}"),
        ({"location": {"latitude": 91, "longitude": 0}}, "from -90 to 90"),
        ({"text": "Hi", "only": {"chatty": {"tempalte": 1}}}, "knows no field “tempalte”"),
    ],
)
def test_what_cant_be_sent_is_refused_with_a_sentence(data: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as refused:
        fitted(data)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "link",
    [
        "https://acme.test/x",
        "HTTP://acme.test",
        "tg://resolve?domain=x",
        "{{ client.url }}",
        "https://{{ client.shop }}/",
    ],
)
def test_links_that_can_be_opened_pass(link: str) -> None:
    assert fitted({"text": f'<a href="{link}">x</a>', "buttons": [[{"link": link, "label": "Go"}]]}).parts


@pytest.mark.parametrize(("source", "kind"), [("pictures", "picture"), ("file", "file"), ("video", "video")])
def test_a_file_over_the_limit_is_refused_with_its_size(source: str, kind: str) -> None:
    value: Any = ["media:a.bin"] if source == "pictures" else "media:a.bin"
    with pytest.raises(Invalid, match=r"takes no file over \d+ MB; one of element 1 has 60 MB"):
        fitted({source: value}, sizes={"media:a.bin": 60_000_000})


def test_a_file_that_is_left_out_may_have_any_size() -> None:
    able = chatty(media=frozenset({PartKind.TEXT}), max_picture_bytes=fact(0))
    made = fitted({"pictures": ["media:a.jpg"], "text": "Sale"}, able, {"media:a.jpg": 60_000_000})
    assert [part.text for part in made.parts] == ["Sale"]
    assert [str(loss) for loss in made.losses] == ["Chatty can't carry this (picture): it is left out."]


def test_nothing_left_to_send_is_refused() -> None:
    with pytest.raises(Invalid, match="nothing in it can be sent by Chatty"):
        fitted({"video": "v"}, chatty(media=frozenset({PartKind.TEXT})))


# --- sets of buttons ---

LINK, OTHER_LINK = {"link": "https://a.test", "label": "A"}, {"link": "https://b.test", "label": "B & C"}
YES, NO, BUY = {"message": "y", "label": "Yes"}, {"message": "n", "label": "No"}, {"buy": "S", "label": "Buy"}
OF_PRESSES = ButtonSet(frozenset({Reply, Buy}), fact(3))
OF_LINKS = ButtonSet(frozenset({Link}), fact(1))
SETS = (OF_PRESSES, OF_LINKS)


@pytest.mark.parametrize(
    ("row", "sets", "labels", "text"),
    [
        ([LINK], SETS, ["A"], "Hi"),
        ([YES, BUY], SETS, ["Yes", "Buy"], "Hi"),
        ([LINK, YES], SETS, ["Yes"], 'Hi\n\nA: <a href="https://a.test">https://a.test</a>'),
        ([OTHER_LINK, LINK, YES, NO], SETS, ["Yes", "No"],
         'Hi\n\nB &amp; C: <a href="https://b.test">https://b.test</a>\nA: <a href="https://a.test">https://a.test</a>'),
        ([LINK, OTHER_LINK], SETS, ["A"], 'Hi\n\nB &amp; C: <a href="https://b.test">https://b.test</a>'),
        ([YES, NO, BUY, YES], SETS, ["Yes", "No", "Buy"], "Hi"),
        ([LINK, YES, NO], (ButtonSet(frozenset({Link, Reply}), fact(2)),), ["Yes", "No"],
         'Hi\n\nA: <a href="https://a.test">https://a.test</a>'),
        ([LINK, YES], (ButtonSet(frozenset({Link, Reply}), fact(2)), *SETS), ["A", "Yes"], "Hi"),
    ],
)  # fmt: skip
def test_buttons_go_by_the_set_that_holds_most_and_links_else_into_the_text(
    row: list[dict[str, str]], sets: tuple[ButtonSet, ...], labels: list[str], text: str
) -> None:
    result = fitted({"text": "Hi", "buttons": [row]}, chatty(button_sets=sets))
    assert [button.label for line in result.parts[0].buttons for button in line] == labels
    assert result.parts[0].text == text
    assert len(result.losses) == len(row) - len(labels)


def test_a_link_with_values_is_seen_in_the_text_as_it_is_opened() -> None:
    rows = [[{"link": "{{ client.url }}?n={{ client.first_name | default('x') }}", "label": "A<{{ client.city }}"}]]
    able = chatty(button_sets=(), markup=frozenset())
    result = fitted({"text": "Hi", "buttons": rows}, able)
    made = Personaliser(result.parts, able, {"url", "first_name", "city"})
    client = {"url": "https://a.test/", "first_name": "A b", "city": "K"}
    (out,) = made.render(client, address="", delivery_id=1, attempt=1, details={})
    assert plain_text(out.text) == "Hi\n\nA<K: https://a.test/?n=A%20b"
    label = rows[0][0]["label"]
    assert losses(result) == [f"Chatty has no room for the button “{label}”: its link stands in the text."]


def test_links_that_do_not_fit_below_a_long_text_follow_it() -> None:
    result = fitted({"text": "x" * 40, "buttons": [[LINK]]}, chatty(button_sets=(), max_text=fact(45)))
    assert [part.text for part in result.parts] == ["x" * 40, 'A: <a href="https://a.test">https://a.test</a>']


def test_a_link_below_a_place_follows_it() -> None:
    place = {"location": {"latitude": 1, "longitude": 2}, "buttons": [[LINK]]}
    result = fitted(place, chatty(button_sets=()))
    assert [part.kind for part in result.parts] == [PartKind.LOCATION, PartKind.TEXT]


# --- lengths ---


def test_a_text_too_long_for_buttons_goes_before_them() -> None:
    able = chatty(max_text_with_buttons=fact(640))
    result = fitted({"text": "x" * 641, "buttons": [[YES]]}, able)
    assert shape(result) == [("text", 0, "x" * 641, 0), ("text", 0, NEUTRAL_TEXT, 1)]
    assert losses(result) == ["Chatty shows buttons under 640 characters at most: the text, of 641, goes first."]
    assert shape(fitted({"text": "x" * 641}, able)) == [("text", 0, "x" * 641, 0)]
    assert shape(fitted({"text": "x" * 640, "buttons": [[YES]]}, able)) == [("text", 0, "x" * 640, 1)]


def test_a_kind_without_captions_sends_the_pictures_then_the_text_with_the_buttons() -> None:
    able = chatty(max_caption=fact(0), media=frozenset(PartKind) - {PartKind.ALBUM})
    one = fitted({"pictures": ["a"], "text": "{{ client.first_name }}", "buttons": [[YES]]}, able)
    assert shape(one) == [("picture", 1, "", 0), ("text", 0, "{{ client.first_name }}", 1)]
    two = fitted({"pictures": ["a", "b"], "text": "Hi", "buttons": [[YES]]}, able)
    assert shape(two) == [("picture", 1, "", 0), ("picture", 1, "", 0), ("text", 0, "Hi", 1)]
    bare = fitted({"pictures": ["a"], "buttons": [[YES]]}, able)
    assert shape(bare) == [("picture", 1, "", 1)]


def test_buttons_that_a_picture_or_a_place_cant_have_follow_it() -> None:
    able = chatty(max_buttons_with_media=fact(1), buttoned=frozenset({PartKind.TEXT, PartKind.PICTURE}))
    picture = {"pictures": ["a"], "text": "Hi"}
    assert shape(fitted({**picture, "buttons": [[YES]]}, able)) == [("picture", 1, "Hi", 1)]
    many = fitted({**picture, "buttons": [[YES, NO]]}, able)
    assert shape(many) == [("picture", 1, "", 0), ("text", 0, "Hi", 2)]
    assert losses(many) == ["Chatty shows no such buttons with this (picture): they follow it, with the text."]
    place = fitted({"location": {"latitude": 1, "longitude": 2}, "buttons": [[YES]]}, able)
    assert shape(place) == [("location", 0, "", 0), ("text", 0, NEUTRAL_TEXT, 1)]


def test_a_length_is_that_of_the_text_as_it_is_written() -> None:
    able = chatty(max_text=fact(20), measure=plain_measure(TextUnit.CHARACTERS), markup=frozenset())
    text = '<a href="https://acme.test/sale">sale</a>'
    with pytest.raises(Invalid, match="takes 29 characters"):
        fitted({"text": text}, able)
    assert losses(fit(read_message({"text": text}), able, link_length=10)) == [
        "Chatty hides no address behind words: it stands after them."
    ]


LIMITS = CarouselLimits(range(1, 11), fact(80), fact(80), fact(3))


TEXTS = st.sampled_from(["", "Hi", "x" * 1100, "{{ client.first_name }}", "<b>a</b>"])
BUTTON = st.sampled_from(
    [{"link": "https://a.test", "label": "l" * 70}, {"message": "m", "label": "y"}, {"buy": "S", "label": "b"}]
)
BUTTONS = st.lists(st.lists(BUTTON, max_size=10), max_size=3)
PICTURES = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=25)
CARD = st.fixed_dictionaries(
    {"title": st.sampled_from(["t", "t" * 90]), "text": TEXTS, "buttons": st.lists(BUTTON, max_size=4)},
    optional={"picture": st.just("p")},
)
ELEMENT = st.one_of(
    st.fixed_dictionaries({"text": TEXTS, "buttons": BUTTONS}),
    st.fixed_dictionaries({"pictures": PICTURES, "text": TEXTS, "buttons": BUTTONS}),
    st.fixed_dictionaries({"file": st.just("f"), "text": TEXTS, "buttons": BUTTONS}),
    st.fixed_dictionaries({"video": st.just("v"), "text": TEXTS, "buttons": BUTTONS}),
    st.fixed_dictionaries({"carousel": st.lists(CARD, min_size=1, max_size=12), "text": TEXTS, "buttons": BUTTONS}),
)


@given(
    elements=st.lists(ELEMENT, max_size=3),
    media=st.frozensets(st.sampled_from(PartKind)),
    wide=st.integers(1, 8),
    sets=st.sampled_from([SETS, (OF_PRESSES,), (OF_LINKS,), (), CHATTY.button_sets]),
)
def test_every_part_of_a_fitted_message_is_within_the_kinds_limits(
    elements: list[dict[str, Any]], media: frozenset[PartKind], wide: int, sets: tuple[ButtonSet, ...]
) -> None:
    able = chatty(media=media, max_buttons_in_row=fact(wide), button_sets=sets, carousel=LIMITS)
    try:
        result = fitted({"elements": elements}, able)
    except Invalid:
        return
    for part in result.parts:
        assert part.kind in media | {PartKind.TEXT}
        assert len(read_html(part.text).text) <= (4096 if part.kind is PartKind.TEXT else 1024)
        kinds = [type(button) for row in part.buttons for button in row]
        assert not kinds or any(each.kinds >= {*kinds} and len(kinds) <= each.most.value for each in sets)
        assert all(card.title and len(card.title) <= 80 and len(card.buttons) <= 3 for card in part.cards)
        assert part.text or part.kind is not PartKind.TEXT
        assert all(0 < len(row) <= wide and len(button.label) <= 64 for row in part.buttons for button in row)
        assert part.kind is not PartKind.ALBUM or (2 <= len(part.media) <= 10 and not part.buttons)
