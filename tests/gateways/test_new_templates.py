"""Templates that are written here: their placeholders, and the rules of whoever approves them."""

from dataclasses import replace
from typing import Any

import pytest

from gateways.base import ButtonKind, NewButton, NewTemplate
from gateways.message import Link, Reply
from gateways.new_templates import (
    body_of,
    filled,
    name_like,
    plain,
    problems_of,
    read_new,
    rows_of,
    with_body,
    with_button,
)
from tests.gateways.new_templates import CALL, OPEN, STOP, new_template


def said(new: NewTemplate) -> list[str]:
    return [words.format(**values) if values else words for words, values in problems_of(new)]


def test_placeholders_are_numbered_as_they_stand_and_keep_their_examples() -> None:
    new = new_template()
    assert new.body == "Hi {{1}}, <b>{{2}}</b> off!"
    assert new.fields == ("client.first_name", "discount")
    assert body_of(new) == "Hi {{1}}, *{{2}}* off!"
    assert filled(new) == "Hi Ann, <b>30%</b> off!"
    changed = with_body(new, "It is {{discount}} off, {{2}}: come, {{client.first_name}}! {{ client.city }}.")
    assert changed.body == "It is {{1}} off, {{2}}: come, {{3}}! {{4}}."
    assert changed.fields == ("discount", "discount", "client.first_name", "client.city")
    assert changed.examples == ("30%", "30%", "Ann", "")


def test_buttons_of_a_kind_stand_together_and_look_as_clients_see_them() -> None:
    new = new_template(CALL, OPEN, STOP)
    assert [one.kind for one in new.buttons] == [ButtonKind.REPLY, ButtonKind.LINK, ButtonKind.CALL]
    assert rows_of(new) == (
        (Reply("Stop promotions", "Stop promotions"),),
        (Link("https://acme.test/s/spring", "Open"),),
        (Reply("Call us", "Call us"),),
    )


def test_what_is_kept_is_read_again() -> None:
    new = new_template(OPEN, STOP, header="Sale", footer="Acme")
    assert read_new(plain(new)) == new
    assert problems_of(new) == []


@pytest.mark.parametrize(("words", "name"), [("Spring Sale!", "spring_sale"), ("__A--b", "a_b"), ("Весна", "")])
def test_a_name_is_made_of_what_was_typed(words: str, name: str) -> None:
    assert name_like(words) == name


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "Spring"}, "Its name has small Latin letters, digits and _ only."),
        ({"language": "english"}, "Its language is written like en or pt_BR."),
        ({"category": "news"}, "Choose whether it is marketing or utility."),
        ({"body": "", "examples": ()}, "It has no text yet."),
        ({"body": "x" * 1025, "examples": ()}, "Its text has 1025 characters; 1024 is the most."),
        ({"body": "{{1}} is {{2}} off"}, "Its text begins with {{1}}: put a word before it."),
        ({"body": "Hi {{1}}, now <b>{{2}}</b>"}, "Its text ends with {{2}}: put a word or a full stop after it."),
        ({"body": "Hi {{1}} {{2}}!"}, "{{1}} and {{2}} stand side by side: put a word between them."),
        ({"body": "Hi {{1}}, {{2}} }} off!"}, "A pair of braces in its text is not closed."),
        ({"examples": ("Ann", "")}, "{{2}} has no example: whoever approves it wants to see one."),
        ({"examples": ("Ann", "a\nb")}, "The example of {{2}} is one line, with no braces."),
        ({"header": "Sale", "picture": "media:a.jpg"},
         "It has words and a picture at its head: only one of them can stand there."),
        ({"footer": "x" * 61}, f"“{'x' * 61}” has 61 characters; 60 is the most."),
        ({"header": "Hi {{1}}"}, "The head and the footer are one line each, without fields."),
        ({"buttons": (OPEN, replace(OPEN, label="A"), replace(OPEN, label="B"))},
         "It may have 2 buttons with a link."),
        ({"buttons": (STOP, STOP)}, "Two of its buttons say the same."),
        ({"buttons": (replace(STOP, label="x" * 26),)}, f"The button “{'x' * 26}” has 26 characters; 25 is the most."),
        ({"buttons": (replace(STOP, label=" "),)}, "A button says a word or two, without fields."),
        ({"buttons": (replace(CALL, target="12"),)},
         "A phone is written with + and its country, such as +447700900123."),
        ({"buttons": (replace(OPEN, target="https://a.test/{{1}}/x"),)},
         "“https://a.test/{{1}}/x” is no address of a page: it begins with https://."),
        ({"buttons": (replace(OPEN, example=""),)}, "The link of “Open” needs an example of its end."),
    ],
)  # fmt: skip
def test_what_no_platform_takes_is_told_before(changes: dict[str, Any], told: str) -> None:
    assert said(replace(new_template(), **changes)) == [told]


def test_ten_buttons_are_the_most() -> None:
    new = new_template(OPEN)
    for number in range(10):
        new = with_button(new, NewButton(ButtonKind.REPLY, f"Answer {number}"))
    assert said(new) == ["It has 11 buttons; 10 is the most."]
