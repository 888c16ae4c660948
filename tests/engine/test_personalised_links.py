"""Links and presses with a client's values, and links that lead through us."""

from typing import Any

import pytest

from engine.personalise import Personaliser, TemplateFailed, fixed_links, read_button_data
from gateways.base import Part, PartKind, TextUnit
from gateways.dialects import plain_measure
from gateways.markup import Span
from gateways.message import Card, Link, Reply
from tests.engine.kinds import CHATTY, chatty, fact
from tests.engine.personalising import ANN, FIELDS, personaliser, send, text_for, tracked


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
