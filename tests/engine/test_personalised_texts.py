"""Texts with a client's values: what may stand in one, how long it may be."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from engine.errors import Invalid
from engine.personalise import TemplateFailed
from gateways.base import Part, PartKind, TextUnit
from tests.engine.kinds import fact
from tests.engine.personalising import ANN, personaliser, send, text_for


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
