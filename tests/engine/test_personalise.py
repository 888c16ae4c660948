from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.personalise import Personaliser, TemplateFailed, button_at, fixed_links, read_button_data
from gateways.base import CarouselLimits, Outgoing, Part, PartKind, TextUnit
from gateways.dialects import plain_measure
from gateways.markup import Span
from gateways.message import Card, Link, Reply, Rows
from tests.engine.kinds import CHATTY, chatty, fact

FIELDS = {
    "id",
    "name",
    "first_name",
    "last_name",
    "city",
    "ltv",
    "born",
    "tags",
    "url",
    "vip",
    "favourite shop",
    "Місто",
}
ANN = {"id": "a/1", "first_name": "Ann", "city": "Kyiv", "ltv": 1200, "tags": ["vip", "uk"], "url": "https://ann.test/"}


def personaliser(*parts: Part, **changes: Any) -> Personaliser:
    return Personaliser(parts, chatty(**changes), FIELDS)


def send(made: Personaliser, client: Mapping[str, Any]) -> list[Outgoing]:
    return made.render(client, address="77", delivery_id=7, attempt=2, details={})


def text_for(source: str, client: Mapping[str, Any], **changes: Any) -> str:
    return send(personaliser(Part(PartKind.TEXT, text=source), **changes), client)[0].text.text


def buttons_for(rows: Rows, client: Mapping[str, Any]) -> Rows:
    return send(personaliser(Part(PartKind.TEXT, text="Hi", buttons=rows)), client)[0].buttons


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


# --- links that lead through us ---


def tracked(delivery_id: int, place: str, index: int, url: str) -> str:
    return f"https://l.test/{delivery_id}/{place}/{index}/{url}"


def with_links(*parts: Part, **changes: Any) -> Personaliser:
    return Personaliser(parts, chatty(**changes), FIELDS, links=tracked)


def test_every_link_leads_through_us_with_its_place_and_number() -> None:
    rows = ((Link("https://a.test", "A"), Reply("x", "X"), Link("https://a.test/{{ client.id }}", "B")),)
    text = (
        "{% if client.vip %}<a href='https://vip.test'>v</a> {% endif %}"
        "<a href='{{ client.url }}'>u</a> and https://bare.test/?n={{ client.id }}, <b>b</b>"
    )
    card = Card("Boots", "<a href='https://c.test'>c</a>", None, (Link("https://d.test", "D"),))
    fixed = Part(PartKind.TEXT, text="<a href='https://e.test'>e</a>")
    made = with_links(Part(PartKind.CAROUSEL, text=text, buttons=rows, cards=(card,)), fixed)
    first, second = send(made, ANN)
    assert [span.url for span in first.text.spans] == [
        "https://l.test/7/text/1/https://ann.test/",
        "https://l.test/7/text/2/https://bare.test/?n=a%2F1",
        "",
    ]
    assert first.text.text == "u and https://bare.test/?n=a%2F1, b"
    assert [button.link for button in first.buttons[0] if isinstance(button, Link)] == [
        "https://l.test/7/button/0/https://a.test",
        "https://l.test/7/button/2/https://a.test/a%2F1",
    ]
    assert first.cards[0].text == "c (https://l.test/7/text/3/https://c.test)"
    assert first.cards[0].buttons == (Link("https://l.test/7/button/3/https://d.test", "D"),)
    assert second.text.spans[0].url == "https://l.test/7/text/4/https://e.test"


def test_links_that_are_the_same_for_all_are_told_beforehand_as_they_are_asked_for() -> None:
    rows = ((Link("https://a.test", "A"), Link("https://a.test/{{ client.id }}", "B"), Link("tg://x", "C")),)
    text = "{{ client.city }} <a href='https://b.test?a=1&amp;b=2'>b</a> https://c.test. <code>https://d.test</code>"
    parts = [Part(PartKind.TEXT, text=text, buttons=rows)]
    assert fixed_links(parts) == [
        ("button", "https://a.test"),
        ("text", "https://b.test?a=1&b=2"),
        ("text", "https://c.test"),
    ]
    asked: list[tuple[str, str]] = []

    def noted(_delivery_id: int, place: str, _index: int, url: str) -> str:
        asked.append((place, url))
        return url

    made = Personaliser(parts, CHATTY, FIELDS, links=noted)
    (out,) = send(made, ANN)
    assert {*fixed_links(parts)} < {*asked}
    assert out.buttons[0][2] == Link("tg://x", "C")


def test_without_links_addresses_stay_as_they_were_written() -> None:
    (out,) = send(personaliser(Part(PartKind.TEXT, text="See https://c.test. <a href='https://b.test'>b</a>")), ANN)
    assert out.text.spans == (Span("a", 20, 21, "https://b.test"),)


def test_the_address_that_is_sent_counts_for_the_length() -> None:
    plain = {"measure": plain_measure(TextUnit.CHARACTERS), "max_text": fact(50)}
    part = Part(PartKind.TEXT, text="<a href='https://a.test'>Hi</a> {{ client.city }}")
    assert send(with_links(part, **plain), ANN | {"city": "x"})[0].text.text == "Hi x"
    with pytest.raises(TemplateFailed) as failed:
        send(with_links(part, **plain), ANN | {"city": "x" * 8})
    assert failed.value.reason == "too_long"
    fixed = Part(PartKind.TEXT, text="<a href='https://a.test'>Hi</a> " + "x" * 8)
    with pytest.raises(TemplateFailed):
        send(with_links(fixed, **plain), ANN)


def test_a_bad_link_fails_the_client_when_it_would_lead_through_us() -> None:
    made = with_links(
        Part(PartKind.TEXT, text="<a href='{{ client.url }}'>u</a>", buttons=((Link("{{ client.url }}", "G"),),))
    )
    with pytest.raises(TemplateFailed) as failed:
        send(made, {"url": "nowhere"})
    assert failed.value.reason == "bad_link"


@pytest.mark.parametrize("forged", ["", "c7", "c7.", "c.1", "x7.1", "c7.1x", "c-7.1", "c" + "9" * 50 + ".1", "c７.1"])
def test_a_forged_press_leads_nowhere(forged: str) -> None:
    assert read_button_data(forged) is None


@pytest.mark.parametrize(
    ("source", "client", "expected"),
    [
        ("plain", {}, "plain"),
        ("{ braces } stay", {}, "{ braces } stay"),
        ("{{ client.first_name }}", {"first_name": "<b>Ann</b> & Co"}, "<b>Ann</b> & Co"),
        ("a{{ client.first_name }}b", {}, "ab"),
        ("a{{ client.first_name }}b", {"first_name": None}, "ab"),
        ("{{ client['favourite shop'] }}", {"favourite shop": "Lviv 2"}, "Lviv 2"),
        ("{{ client.Місто }}", {"Місто": "Львів"}, "Львів"),
        ("{{ client.first_name | default('friend') }}", {}, "friend"),
        ("{{ client.first_name | default('friend') }}", {"first_name": ""}, "friend"),
        ("{{ client.first_name | default('friend') }}", {"first_name": "  "}, "friend"),
        ("{{ client.first_name | default('friend', true) }}", {"first_name": None}, "friend"),
        ("{{ client.ltv | default(5) }}", {"ltv": 0}, "0"),
        ("{{ client.first_name or 'friend' }}", {}, "friend"),
        ("{{ client.ltv }}", {"ltv": 3.0}, "3"),
        ("{{ client.ltv }}", {"ltv": 0.1 + 0.2}, "0.3"),
        ("{{ client.ltv }}", {"ltv": Decimal("19.90")}, "19.90"),
        ("{{ client.ltv }}", {"ltv": Decimal("20.00")}, "20"),
        ("a{{ client.ltv }}", {"ltv": float("nan")}, "a"),
        ("{{ client.born }}", {"born": date(1990, 5, 4)}, "1990-05-04"),
        ("{{ client.born }}", {"born": datetime(2026, 5, 4, 10, 30, tzinfo=UTC)}, "2026-05-04 10:30+00:00"),
        ("{{ client.born | date('%d.%m') }}", {"born": date(1990, 5, 4)}, "04.05"),
        ("{{ client.born | date }}", {"born": "1990-05-04"}, "04.05.1990"),
        ("{{ client.born | date('%999d') }}", {"born": "1990-05-04"}, "%999d"),
        ("{{ client.tags }}", ANN, "vip, uk"),
        ("{{ client.tags | join(' + ') }}", ANN, "vip + uk"),
        ("{{ client.tags | length }}", ANN, "2"),
        ("{{ client.tags | first | upper }}", ANN, "VIP"),
        ("{{ client.first_name | first }}.", {"first_name": "Ann"}, "A."),
        ("{{ client.city | lower }} {{ client.city | capitalize }}", {"city": "NEW YORK"}, "new york New york"),
        ("{{ client.city | title | trim }}", {"city": " new-york "}, "New-York"),
        ("{{ client.city | replace('Kyiv', 'Lviv') }}", ANN, "Lviv"),
        ("{{ client.name | truncate(10) }}", {"name": "Maria Theresia Walburga"}, "Maria…"),
        ("{{ client.ltv | round(1) }}", {"ltv": "12,345"}, "12.3"),
        ("{{ client.ltv | int }} {{ client.ltv | float }}", {"ltv": "none"}, "0 0"),
        ("{{ client.ltv + 5 - 1 }}", {"ltv": 10}, "14"),
        ("{{ client.ltv + 5 }}", {}, "5"),
        ("{% if client.ltv > 1000 %}gold{% elif client.ltv > 100 %}silver{% else %}hi{% endif %}", ANN, "gold"),
        ("{% if client.ltv &gt; 1000 %}gold{% endif %}!", ANN, "gold!"),
        ("{% if client.ltv > 1000 %}gold{% else %}hi{% endif %}", {}, "hi"),
        ("{% if client.ltv > 1000 %}gold{% else %}hi{% endif %}", {"ltv": "2000"}, "gold"),
        ("{% if client.ltv > 1000 %}gold{% else %}hi{% endif %}", {"ltv": "a lot"}, "hi"),
        ("{% if 100 < client.ltv <= 1200 %}in{% endif %}", ANN, "in"),
        ("{% if 'vip' in client.tags and not client.name %}yes{% endif %}", ANN, "yes"),
        ("{% if 'vip' not in client.tags %}a{% else %}b{% endif %}", {}, "a"),
        ("{% if client.city in ['Kyiv', 'Lviv'] %}near{% endif %}", ANN, "near"),
        ("{% if client.city is defined %}a{% endif %}{% if client.name is none %}b{% endif %}", ANN, "ab"),
        ("{% if client.vip == true %}vip{% endif %}", {"vip": True}, "vip"),
        ("{% if client.born > '1990-01-01' %}young{% endif %}", {"born": date(1991, 1, 1)}, "young"),
        ("{{ 'Dear' if client.first_name else 'Hello' }}", ANN, "Dear"),
        ("a{{ 'b' if client.name }}", ANN, "a"),
        ("{% raw %}{{ client.x }}{% endraw %}", {}, "{{ client.x }}"),
        ("a{# a note #}b", {}, "ab"),
        ("{{ client.name }}", {"name": "a\r\nb\x00\ue000c\x1b\ud800d\te"}, "a\nbcd\te"),
    ],
)
def test_a_text_shows_a_clients_values(source: str, client: Mapping[str, Any], expected: str) -> None:
    assert text_for(source, client) == expected


@pytest.mark.parametrize(
    ("source", "quoted"),
    [
        ("{{ client.firstname }}", "did you mean “first_name”"),
        ("{{ client.CITY }}", "did you mean “city”"),
        ("{{ client.zzz }}", "no field “zzz”; they have"),
        ("{% if client.firstname %}x{% endif %}", "firstname"),
        ("{{ first_name }}", "write client.first_name"),
        ("{{ user }}", "There is no “user”"),
        ("{{ client }}", "needs a field"),
        ("{{ client.city | uper }}", "did you mean “upper”"),
        ("{{ client.city | attr('x') }}", "no filter “attr”"),
        ("{{ client.city | _eq(1) }}", "no filter “_eq”"),
        ("{{ client.city | truncate(5, true) }}", "client.city | truncate(…)"),
        ("{{ client.city | replace('a') }}", "too few"),
        ("{{ client.city | join(*client.tags) }}", "client.city | join"),
        ("{% for tag in client.tags %}{{ tag }}{% endfor %}", "{% for %}"),
        ("{% set a = 1 %}", "{% set %}"),
        ("{% set a %}x{% endset %}", "{% set %}"),
        ("{% include 'x' %}", "{% include %}"),
        ("{% import 'x' as y %}", "{% import %}"),
        ("{% macro a() %}{% endmacro %}", "{% macro %}"),
        ("{% block a %}{% endblock %}", "{% block %}"),
        ("{% with %}{% endwith %}", "{% with %}"),
        ("{% filter upper %}x{% endfilter %}", "{% filter %}"),
        ("{% extends 'x' %}", "{% extends %}"),
        ("{{ client.tags.append(1) }}", "client.tags.append(…)"),
        ("{{ client.get('city') }}", "client.get(…)"),
        ("{{ range(10) }}", "range(…)"),
        ("{{ lipsum() }}", "lipsum()"),
        ("{{ client.__class__ }}", "client.__class__"),
        ("{{ client['__class__'] }}", "client.__class__"),
        ("{{ client.city.upper }}", "client.city.upper"),
        ("{{ ''.__class__ }}", "''.__class__"),
        ("{{ client.tags[0] }}", "client.tags[0]"),
        ("{{ client.city[:1] }}", "client.city[…]"),
        ("{{ client[client.city] }}", "client[client.city]"),
        ("{{ client.ltv is odd }}", "is odd"),
        ("{{ client.city ~ 'x' }}", "client.city ~ 'x'"),
        ("{{ 'x' * 10**9 }}", "'x' * 10 ** 9"),
        ("{{ 2 ** 9999999 }}", "2 ** 9999999"),
        ("{{ '%1000000000d' % 1 }}", "% 1"),
        ("{{ client.ltv / 2 }}", "client.ltv / 2"),
        ("{{ client.ltv // 2 }}", "client.ltv // 2"),
        ("{{ {'a': 1} }}", "{…}"),
        ("{{ client.city", "can't be read"),
        ("{% if client.city %}x", "can't be read"),
        ("{% foo %}", "foo"),
        ("{{ client.city | default(‘friend’) }}", "straight"),
        ("{{ " + "9" * 5000 + " }}", "number that is too long"),
        ("{{ " + "(" * 5000, "too deeply nested"),
        ("{{ " + "not " * 200 + "client.city }}", "too deeply nested"),
        ("{% if client.city %}" * 60 + "{% endif %}" * 60, "too deeply nested"),
        ("x" * 40_000 + "{{ client.city }}", "40017"),
        ("{% if client.city %}<b>{% endif %}x</b>", "close inside it"),
        ("<b>{% if client.city %}x</b>{% endif %}", "close inside it"),
        ("<b>{% if client.city %}x{% else %}</b>y<b>{% endif %}</b>", "close inside it"),
        ("<h1>x</h1>", "<h1>"),
        ("<a>x</a>", "needs its address"),
        ("<b>x", "never closed"),
    ],
)
def test_what_cant_stand_in_a_text_is_refused_and_quoted(source: str, quoted: str) -> None:
    with pytest.raises(Invalid) as refused:
        personaliser(Part(PartKind.TEXT, text=source))
    assert quoted in str(refused.value)
    assert not isinstance(refused.value, TemplateFailed)


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


@pytest.mark.parametrize(
    "url", ["", None, "javascript:alert(1)", "acme.test", "https://", "https:///x", "https://a b.test", 5]
)
def test_a_value_that_is_no_address_fails_that_client_alone(url: object) -> None:
    made = personaliser(Part(PartKind.TEXT, text="Hi", buttons=((Link("{{ client.url }}", "Go"),),)))
    with pytest.raises(TemplateFailed) as failed:
        send(made, {"url": url})
    assert failed.value.reason == "bad_link"
    assert send(made, ANN)[0].buttons == ((Link("https://ann.test/", "Go"),),)


def test_a_whole_address_in_a_text_link_is_taken_as_it_is() -> None:
    made = personaliser(Part(PartKind.TEXT, text="<a href='{{ client.url }}?n={{ client.id }}'>x</a>"))
    assert send(made, ANN)[0].text.spans[0].url == "https://ann.test/?n=a%2F1"
    with pytest.raises(TemplateFailed) as failed:
        send(made, {"url": "tg://resolve?domain=x"})
    assert failed.value.reason == "bad_link"


def test_a_text_link_without_a_host_fails() -> None:
    with pytest.raises(TemplateFailed) as failed:
        text_for("<a href='https://{{ client.city }}/'>x</a>", {})
    assert failed.value.reason == "bad_link"


@pytest.mark.parametrize("name", [None, "", " \n ", "\x00"])
def test_a_text_that_values_leave_empty_fails_as_empty(name: str | None) -> None:
    with pytest.raises(TemplateFailed) as failed:
        text_for("{{ client.first_name }}", {"first_name": name})
    assert failed.value.reason == "empty"


def test_a_caption_may_be_empty() -> None:
    made = personaliser(Part(PartKind.PICTURE, text="{{ client.first_name }}", media=("media:a.jpg",)))
    assert send(made, {})[0].text.text == ""


@pytest.mark.parametrize(
    ("unit", "name", "fits"),
    [
        (TextUnit.CHARACTERS, "😀" * 10, True),
        (TextUnit.CHARACTERS, "a" * 11, False),
        (TextUnit.UTF16, "😀" * 5, True),
        (TextUnit.UTF16, "😀" * 6, False),
        (TextUnit.BYTES, "ї" * 5, True),
        (TextUnit.BYTES, "ї" * 6, False),
    ],
)
def test_a_clients_text_is_measured_in_the_units_of_the_platform(unit: TextUnit, name: str, fits: bool) -> None:
    made = personaliser(Part(PartKind.TEXT, text="{{ client.name }}"), max_text=fact(10), text_unit=unit)
    if fits:
        assert send(made, {"name": name})[0].text.text == name
    else:
        with pytest.raises(TemplateFailed) as failed:
            send(made, {"name": name})
        assert failed.value.reason == "too_long"


def test_a_caption_is_measured_by_the_limit_of_captions() -> None:
    made = personaliser(Part(PartKind.PICTURE, text="{{ client.name }}", media=("media:a.jpg",)))
    with pytest.raises(TemplateFailed, match="1025 of 1024"):
        send(made, {"name": "n" * 1025})


@pytest.mark.parametrize(
    "source",
    [
        "{{ client.name }}",
        "{{ client.name }}" * 500,
        "{{ client.name | replace('a', 'aaaaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaaaa') }}",
        "{{ client.tags | join(client.name) }}",
    ],
)
def test_a_value_of_any_size_costs_little_and_fails_alone(source: str) -> None:
    made = personaliser(Part(PartKind.TEXT, text="Hi " + source))
    for name in ("a" * 90_000, "a" * 10_000_000):
        with pytest.raises(TemplateFailed) as failed:
            send(made, {"name": name, "tags": ["a"] * 100})
        assert failed.value.reason == "too_long"
    assert send(made, {"name": "A"})


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


@settings(max_examples=300, deadline=None)
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


@settings(max_examples=200, deadline=None)
@given(source=st.text(alphabet="{}%#ab.client |'\"()<>/=+-*0if end", max_size=60))
def test_whatever_is_written_as_a_text_is_compiled_or_refused_with_a_sentence(source: str) -> None:
    with suppress(Invalid):  # TemplateFailed is one
        send(personaliser(Part(PartKind.TEXT, text=source)), ANN)
