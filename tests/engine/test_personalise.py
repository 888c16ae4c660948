"""Messages as each client gets them: values, cards, templates, and whatever a card may hold."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.personalise import Personaliser, TemplateFailed, button_at, read_button_data
from gateways.base import CarouselLimits, Part, PartKind
from gateways.markup import Span
from gateways.message import Card, Link, Reply
from tests.engine.kinds import CHATTY, fact
from tests.engine.personalising import ANN, FIELDS, buttons_for, personaliser, send, tracked


def test_values_stand_inside_the_spans_of_the_text() -> None:
    source = "<b>Hello, {{ client.first_name }}!</b> A <a href='https://acme.test/?n={{ client.id }}'>gift</a>."
    outgoing = send(personaliser(Part(PartKind.TEXT, text=source)), ANN)[0]
    assert outgoing.text.text == "Hello, Ann! A gift."
    assert outgoing.text.spans == (Span("b", 0, 11), Span("a", 14, 18, "https://acme.test/?n=a%2F1"))


def test_an_outgoing_part_names_its_delivery_attempt_position_and_buttons() -> None:
    rows = ((Link("https://acme.test", "Open"), Reply("More", "More")),)
    made = personaliser(
        Part(PartKind.PICTURE, media=("media:a.jpg",), buttons=rows), Part(PartKind.TEXT, text="Hi", buttons=rows)
    )
    first, second = made.render(ANN, address="77", delivery_id=7, attempt=2, details={"topic": 3})
    assert (first.address, first.reference, second.reference) == ("77", "7.2.0", "7.2.1")
    assert (first.button_data, second.button_data) == (("c7.0", "c7.1"), ("c7.2", "c7.3"))
    assert first.details == {"topic": 3}


def test_a_press_leads_back_to_its_button() -> None:
    parts = [Part(PartKind.TEXT, text="a", buttons=((Link("https://a.test", "A"),),)), Part(PartKind.TEXT, text="b")]
    assert read_button_data("c7.0") == (7, 0)
    assert button_at(parts, 0) == Link("https://a.test", "A")
    assert button_at(parts, 1) is None


CARDS = (
    Card(
        "For {{ client.first_name }}", "<b>from</b> {{ client.ltv }}", "a.jpg", (Reply("y", "Yes {{ client.city }}"),)
    ),
    Card("Hats & Co", "", None, (Link("https://a.test/{{ client.id }}", "Go"), Reply("n", "No"))),
)


def test_cards_take_values_and_their_buttons_are_numbered_after_those_of_the_part() -> None:
    rows = ((Reply("x", "All"),),)
    parts = [Part(PartKind.CAROUSEL, buttons=rows, cards=CARDS), Part(PartKind.TEXT, text="b", buttons=rows)]
    carousel, last = send(Personaliser(parts, CHATTY, FIELDS), ANN)
    assert carousel.cards == (
        Card("For Ann", "from 1200", "a.jpg", (Reply("y", "Yes Kyiv"),)),
        Card("Hats & Co", "", None, (Link("https://a.test/a%2F1", "Go"), Reply("n", "No"))),
    )
    assert carousel.button_data == ("c7.0", "c7.1", "c7.2", "c7.3")
    assert last.button_data == ("c7.4",)
    assert button_at(parts, 3) == Reply("n", "No")
    assert button_at(parts, 4) == Reply("x", "All")


def test_a_card_that_values_make_too_long_is_cut_and_one_without_a_title_fails() -> None:
    limits = CarouselLimits(range(1, 11), fact(8), fact(6), fact(3))
    made = personaliser(Part(PartKind.CAROUSEL, cards=CARDS), carousel=limits)
    (card, _) = send(made, ANN | {"ltv": 12345678, "first_name": "Annabelle"})[0].cards
    assert (card.title, card.text) == ("For Ann…", "from…")
    nameless = personaliser(Part(PartKind.CAROUSEL, cards=(Card("{{ client.first_name }}"),)))
    with pytest.raises(TemplateFailed, match="no title"):
        send(nameless, {})


def test_a_template_takes_values_and_none_may_be_empty() -> None:
    template = {"name": "sale", "language": "en", "parameters": ["{{ client.first_name }}", "30%"], "buttons": [""]}
    made = personaliser(Part(PartKind.TEMPLATE, extra={"template": template}))
    assert send(made, ANN)[0].part.extra == {"template": {**template, "parameters": ["Ann", "30%"]}}
    with pytest.raises(TemplateFailed) as failed:
        send(made, {"first_name": " "})
    assert failed.value.reason == "empty"


def test_buttons_and_links_of_a_closed_window_are_numbered_after_the_others() -> None:
    inside = [Part(PartKind.TEXT, text="<a href='https://a.test'>a</a>", buttons=((Reply("x", "X"),),))]
    outside = Part(PartKind.TEXT, text="<a href='https://b.test'>b</a>", buttons=((Reply("y", "Y"),),))
    made = Personaliser([outside], CHATTY, FIELDS, links=tracked, after=inside)
    (out,) = send(made, ANN)
    assert out.button_data == ("c7.1",)
    assert out.text.spans[0].url == "https://l.test/7/text/1/https://b.test"


def test_a_step_names_its_parts_for_all_clients_at_once() -> None:
    made = Personaliser([Part(PartKind.TEXT, text="a"), Part(PartKind.TEXT, text="b")], CHATTY, FIELDS, step_id=5)
    assert [out.shared_reference for out in send(made, ANN)] == ["5.0", "5.1"]
    assert send(personaliser(Part(PartKind.TEXT, text="a")), ANN)[0].shared_reference == ""


def test_the_fields_that_texts_labels_and_links_name_are_known() -> None:
    made = personaliser(
        Part(PartKind.TEXT, text="{{ client.first_name }}", buttons=((Link("https://a.test/{{ client.id }}", "Go"),),)),
        Part(PartKind.TEXT, text="x", buttons=((Reply("{{ client.city }}", "{{ client.ltv }}"),),)),
    )
    assert made.fields() == {"first_name", "id", "city", "ltv"}


def test_labels_links_and_replies_take_values() -> None:
    rows = (
        (
            Link("{{ client.url }}?id={{ client.id }}", "For {{ client.first_name }}"),
            Reply("I am {{ client.id }}", "Yes"),
        ),
    )
    assert buttons_for(rows, ANN) == ((Link("https://ann.test/?id=a%2F1", "For Ann"), Reply("I am a/1", "Yes")),)


def test_a_label_that_values_make_too_long_is_cut() -> None:
    ((button,),) = buttons_for(((Reply("x", "Hi, {{ client.name }}\n!"),),), {"name": "n" * 80})
    assert len(button.label) == 64
    assert button.label.endswith("…")


def test_texts_of_a_kinds_own_fields_take_values() -> None:
    extra = {"template": {"name": "sale", "parameters": ["{{ client.first_name }}", 5]}}
    outgoing = send(personaliser(Part(PartKind.TEXT, text="Hi", extra=extra)), ANN)[0]
    assert outgoing.part.extra == {"template": {"name": "sale", "parameters": ["Ann", 5]}}


def test_a_part_without_expressions_is_made_once() -> None:
    part = Part(PartKind.TEXT, text="<b>Hi</b>", buttons=((Reply("x", "x"),),))
    made = Personaliser([part], CHATTY, ())
    first, second = send(made, {}), send(made, ANN)
    assert first[0].text is second[0].text
    assert first[0].buttons is part.buttons


class Odd:
    def __str__(self) -> str:
        raise RuntimeError("never asked")


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**5000),
    st.floats(),
    st.decimals(),
    st.dates(),
    st.datetimes(),
    st.text(),
    st.text(alphabet=st.characters(min_codepoint=0xD7FF, max_codepoint=0xE200)),
    st.lists(st.one_of(st.text(), st.integers(), st.lists(st.text(), max_size=2)), max_size=5),
    st.binary(),
    st.dictionaries(st.text(), st.text(), max_size=2),
    st.builds(Odd),
)
EVERYTHING = (
    "<b>{{ client.name | default('x') }}</b> {{ client.ltv }} {{ client.ltv + 1 }} {{ client.ltv | round(2) }}"
    "{{ client.ltv | int | abs }}{{ client.ltv | float }}{{ client.tags | join('-') }}{{ client.tags | first }}"
    "{{ client.tags | last | length }}{{ client.name | truncate(3) | title }}{{ client.born | date }}"
    "{% if client.ltv > 3 or client.name <= client.city or 'a' in client.tags %}<i>{{ client.city }}</i>{% endif %}"
    "{{ client.name | replace(client.city, client.ltv) }}"
    "<a href='https://a.test/{{ client.name }}?{{ client.ltv }}'><u>{{ client.city | upper }}</u> x</a>"
)
PARTS = [
    Part(PartKind.TEXT, text=EVERYTHING, buttons=((Link("https://a.test/{{ client.name }}", "{{ client.city }}"),),)),
    Part(PartKind.PICTURE, text="{{ client.ltv }}{% if client.ltv == client.name %}<s>x</s>{% endif %}", media=("m",)),
]


@settings(max_examples=80, deadline=None)
@given(client=st.fixed_dictionaries({}, optional=dict.fromkeys(("name", "ltv", "tags", "born", "city"), VALUES)))
def test_whatever_a_card_holds_rendering_gives_whole_texts_or_says_template_failed(client: dict[str, Any]) -> None:
    try:
        outgoing = send(ODDITIES, client)
    except TemplateFailed:
        return
    for one in outgoing:
        one.text.text.encode()  # no lone surrogates
        assert not any("\ue000" <= letter <= "\ue0ff" or letter == "\x00" for letter in one.text.text)
        assert all(0 <= span.start < span.end <= len(one.text.text) for span in one.text.spans)
    spans = {span.tag: span for span in outgoing[0].text.spans}
    assert spans["a"].end == len(outgoing[0].text.text)
    assert spans["a"].url.startswith("https://a.test/")


ODDITIES = Personaliser(PARTS, CHATTY, FIELDS)


@settings(max_examples=60, deadline=None)
@given(source=st.text(alphabet="{}%#ab.client |'\"()<>/=+-*0if end", max_size=60))
def test_whatever_is_written_as_a_text_is_compiled_or_refused_with_a_sentence(source: str) -> None:
    with suppress(Invalid):  # TemplateFailed is one
        send(personaliser(Part(PartKind.TEXT, text=source)), ANN)
