"""A template that the platform approved: what a message gives it, checked and written as Meta takes it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.base import Template
from gateways.message import Buy, Reply
from gateways.templates import (
    UnreadableTemplate,
    components,
    find_source,
    find_template,
    header_kind,
    problems_of,
    read_template,
    rows_of,
)

SALE = Template("spring_sale", "en", "approved", "marketing", parameters=("1", "2"))
NAMED = replace(SALE, parameters=("first_name", "share"))
RICH = replace(SALE, header="image", buttons=("url_parameter", "quick_reply", "copy_code"))


def field(**changes: Any) -> dict[str, Any]:
    return {"name": "spring_sale", "language": "en", "parameters": ["Ann", "30%"]} | changes


def said(given: Any, template: Template | None) -> list[str]:
    return [words.format(**values) for words, values in problems_of(given, template)]


RICH_FIELD = field(header="media:sale.jpg", buttons=["abc?m=7", {"message": "Stop"}, "SALE30"])


@pytest.mark.parametrize(
    ("given", "template"),
    [
        (field(), SALE),
        (field(parameters={"2": "30%", "1": "{{ client.first_name }}"}), SALE),
        (field(parameters={"first_name": "Ann", "share": 30}), NAMED),
        (field(parameters=[]), replace(SALE, parameters=())),
        (RICH_FIELD, RICH),
        (field(header="media:sale.jpg", buttons=["abc", "", "SALE30"]), RICH),
        (field(header="Sale"), replace(SALE, header="text", header_parameters=("1",))),
        (field(header={"what": "Sale"}), replace(SALE, header="text", header_parameters=("what",))),
        (field(), replace(SALE, header="text")),
        (field(header={"latitude": 51.5, "longitude": -0.1}), replace(SALE, header="location")),
        (field(header={"file": "media:p.pdf", "name": "Prices.pdf"}), replace(SALE, header="document")),
        (field(parameters=["Ann", {"type": "currency", "currency": {"fallback_value": "5 EUR"}}]), SALE),
        (field(), replace(SALE, buttons=("quick_reply", "url", "phone"))),
    ],
)
def test_a_template_that_fits_has_no_problem(given: Any, template: Template) -> None:
    assert said(given, template) == []


@pytest.mark.parametrize(
    ("given", "template", "words"),
    [
        (field(), None, "There is no template “spring_sale” in the language “en”."),
        (field(), replace(SALE, status="pending"), "The template “spring_sale” can't be sent: it is pending."),
        (field(), replace(SALE, status="rejected", reason="TAG_CONTENT_MISMATCH"),
         "The template “spring_sale” can't be sent: it is rejected (TAG_CONTENT_MISMATCH)."),
        (field(parameters=["Ann"]), SALE,
         "The text of the template “spring_sale” takes 2 values; the message gives 1."),
        (field(parameters=[]), SALE, "The text of the template “spring_sale” takes 2 values; the message gives 0."),
        (field(), NAMED,
         "The text of the template “spring_sale” takes these values: first_name, share; the message gives: 1, 2."),
        (field(parameters={"share": "A"}), NAMED,
         "The text of the template “spring_sale” takes these values: first_name, share; the message gives: share."),
        (field(parameters=["Ann", " "]), SALE, "A value of the template “spring_sale” is empty: 2."),
        (field(), replace(SALE, header="image"),
         "The template “spring_sale” shows a file at its head: header must name it."),
        (field(header="Sale"), replace(SALE, header="video"),
         "The template “spring_sale” shows a file at its head: header must name it."),
        (field(), replace(SALE, header="location"),
         "The template “spring_sale” shows a place at its head: header must hold latitude and longitude."),
        (field(header="media:sale.jpg"), SALE, "The template “spring_sale” shows no file and no place at its head."),
        (field(header="Sale"), SALE, "The head of the template “spring_sale” takes 0 values; the message gives 1."),
        (field(), replace(SALE, header="text", header_parameters=("what",)),
         "The head of the template “spring_sale” takes these values: what; the message gives: —."),
        (field(buttons=["a"]), SALE, "The template “spring_sale” has 0 buttons; the message gives values for 1."),
        (field(), replace(SALE, buttons=("url_parameter",)), "Button 1 of the template “spring_sale” needs a value."),
        (field(buttons=[{"message": "x"}]), replace(SALE, buttons=("copy_code",)),
         "Button 1 of the template “spring_sale” needs a value."),
        (field(buttons=["x"]), replace(SALE, buttons=("quick_reply",)),
         "Button 1 of the template “spring_sale” takes no such value."),
        (field(buttons=["", {"message": "x"}]), replace(SALE, buttons=("quick_reply", "url")),
         "Button 2 of the template “spring_sale” takes no such value."),
        ("spring_sale", SALE, "A template is a table of name, language and parameters."),
        ({"name": "spring_sale"}, SALE, "A template needs its name and its language."),
        (field(language=" "), SALE, "A template needs its name and its language."),
        (field(button=[]), SALE,
         "A template has no field “button”; it knows name, language, parameters, header, buttons, sid."),
        (field(parameters="Ann"), SALE, "The values of a template are a list, or a table by name."),
        (field(parameters=[["Ann"]]), SALE, "The values of a template are a list, or a table by name."),
        (field(buttons="x"), SALE, "The buttons of a template are a list, one entry for each button."),
        (field(buttons=[{"link": "x"}]), SALE,
         "A button of a template is given the end of its link, a code, a message, a purchase or nothing."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_a_sentence(given: Any, template: Template | None, words: str) -> None:
    assert (said(given, template) or [""])[0] == words


def test_every_problem_is_told_at_once() -> None:
    given = field(parameters=["Ann"], header="", buttons=[])
    assert len(said(given, replace(RICH, status="paused"))) == 5


def test_of_two_versions_the_one_that_may_be_sent_is_found() -> None:
    other, paused = replace(SALE, language="uk"), replace(SALE, status="paused")
    assert find_template([other, paused, SALE], field()) is SALE
    assert find_template([other, paused], field()) is paused
    assert find_template([other], field()) is None
    assert find_template([SALE], "spring_sale") is None


def test_quick_replies_that_come_back_to_us_are_buttons_of_the_message() -> None:
    assert rows_of(RICH_FIELD) == ((Reply("Stop", "Stop"),),)
    bought = field(buttons=[{"buy": "SKU-1", "price": "19.90 EUR", "label": "Buy"}, {"message": "m", "label": "l"}])
    assert rows_of(bought) == ((Buy("SKU-1", "Buy", "19.90 EUR"), Reply("m", "l")),)
    assert rows_of(field()) == ()
    with pytest.raises(UnreadableTemplate):
        rows_of("x")


def test_the_headers_file_is_found() -> None:
    assert find_source(RICH_FIELD) == "media:sale.jpg"
    assert find_source(field(header={"file": "https://a.test/p.pdf", "name": "p.pdf"})) == "https://a.test/p.pdf"
    assert find_source(field(header="Sale")) is None
    assert find_source(field()) is None
    assert find_source("x") is None


def test_values_are_written_as_meta_documents_them() -> None:
    # developers.facebook.com …/whatsapp/templates, Nov 2026: header, body, then the buttons by their number
    assert components(read_template(RICH_FIELD), RICH, ["c7.0"], {"id": "1479537139650973"}) == [
        {"type": "header", "parameters": [{"type": "image", "image": {"id": "1479537139650973"}}]},
        {"type": "body", "parameters": [{"type": "text", "text": "Ann"}, {"type": "text", "text": "30%"}]},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "abc?m=7"}]},
        {"type": "button", "sub_type": "quick_reply", "index": "1",
         "parameters": [{"type": "payload", "payload": "c7.0"}]},
        {"type": "button", "sub_type": "copy_code", "index": "2",
         "parameters": [{"type": "coupon_code", "coupon_code": "SALE30"}]},
    ]  # fmt: skip


def test_named_values_carry_their_names() -> None:
    given = read_template(field(parameters={"first_name": "Ann", "share": 30}, header={"what": "Sale"}))
    assert components(given, None, ()) == [
        {"type": "header", "parameters": [{"type": "text", "text": "Sale", "parameter_name": "what"}]},
        {
            "type": "body",
            "parameters": [
                {"type": "text", "text": "Ann", "parameter_name": "first_name"},
                {"type": "text", "text": "30", "parameter_name": "share"},
            ],
        },
    ]


def test_values_in_order_go_in_order_however_they_are_listed() -> None:
    given = read_template(field(parameters={str(number): f"v{number}" for number in (10, 2, 1)}))
    (body,) = components(given, None, ())
    assert [each["text"] for each in body["parameters"]] == ["v1", "v2", "v10"]


def test_a_whole_parameter_goes_as_it_is() -> None:
    money = {"type": "currency", "currency": {"fallback_value": "€5", "code": "EUR", "amount_1000": 5000}}
    (body,) = components(read_template(field(parameters=[money])), None, ())
    assert body == {"type": "body", "parameters": [money]}


def test_a_value_is_one_line() -> None:
    (body,) = components(read_template(field(parameters=["a\n\nb\tc      d   e"])), None, ())
    assert body["parameters"] == [{"type": "text", "text": "a b c d   e"}]


def test_an_empty_value_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        components(read_template(field(parameters=["\n"])), None, ())


def test_a_document_has_the_name_that_clients_see_and_a_place_its_texts() -> None:
    given = read_template(field(parameters=[], header={"file": "media:p.pdf", "name": "Prices.pdf"}))
    assert components(given, None, (), {"id": "9"}) == [
        {"type": "header", "parameters": [{"type": "document", "document": {"id": "9", "filename": "Prices.pdf"}}]}
    ]
    place = {"latitude": 51.5, "longitude": -0.1, "name": "Shop"}
    assert components(read_template(field(parameters=[], header=place)), None, ()) == [
        {
            "type": "header",
            "parameters": [{"type": "location", "location": {"latitude": "51.5", "longitude": "-0.1", "name": "Shop"}}],
        }
    ]


@pytest.mark.parametrize(
    ("header", "template", "kind"),
    [
        ("https://a.test/x.JPG?v=2", None, "image"),
        ("media:0a.mp4", None, "video"),
        ("media:0a.pdf", None, "document"),
        ("media:0a.pdf", replace(SALE, header="image"), "image"),
        ("Sale", None, "text"),
        ("", None, ""),
        ({"latitude": 1, "longitude": 2}, None, "location"),
    ],
)
def test_what_the_header_is_given(header: Any, template: Template | None, kind: str) -> None:
    assert header_kind(read_template(field(header=header)), template) == kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "language", "parameters", "header", "buttons", "message", "buy", "file", "type", "1"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON, st.sampled_from([None, SALE, NAMED, RICH]))
def test_anything_at_all_is_checked_without_a_fault(anything: Any, template: Template | None) -> None:
    for given_field in (anything, {"name": "spring_sale", "language": "en", "parameters": anything, "header": anything,
                                   "buttons": anything}):  # fmt: skip
        for words, values in problems_of(given_field, template):
            assert words.format(**values)
        find_source(given_field)
        find_template([SALE], given_field)
