"""Carousels and templates, as each kind of messenger carries them."""

from dataclasses import replace
from typing import Any

import pytest

from engine.errors import Invalid
from engine.personalise import buttons_of
from gateways.base import Capabilities, CarouselLimits, PartKind
from gateways.message import Buy
from tests.engine.kinds import chatty, fact
from tests.engine.test_fit import ALL, BUY, LIMITS, LINK, NO, YES, fitted, losses, shape

CARDS = [
    {"title": "Boots", "text": "from <b>49</b>", "picture": "a.jpg", "buttons": [YES, LINK]},
    {"title": "Hats & Co", "buttons": [NO]},
]


def test_a_carousel_goes_after_its_text_with_its_cards() -> None:
    result = fitted({"text": "New", "carousel": CARDS, "buttons": [[BUY]]}, chatty(carousel=LIMITS, button_sets=(ALL,)))
    text, carousel = result.parts
    assert (text.kind, text.text, text.buttons) == (PartKind.TEXT, "New", ((Buy("S", "Buy"),),))
    assert [card.title for card in carousel.cards] == ["Boots", "Hats & Co"]
    assert losses(result) == [
        "Cards of Chatty show no formatting: the words stay, plain.",
        "Chatty shows no buttons under cards: they stand under the text before them.",
    ]


def test_a_kind_that_shows_text_with_cards_gets_all_in_one_part() -> None:
    able = chatty(carousel=LIMITS, captioned=frozenset({PartKind.CAROUSEL}), button_sets=(ALL,))
    (part,) = fitted({"text": "New", "carousel": CARDS, "buttons": [[BUY]]}, able).parts
    assert (part.kind, part.text, len(part.cards), part.buttons) == (
        PartKind.CAROUSEL,
        "New",
        2,
        ((Buy("S", "Buy"),),),
    )


def test_more_cards_than_a_carousel_holds_go_as_several() -> None:
    cards = [{"title": str(number)} for number in range(11)]
    result = fitted({"carousel": cards}, chatty(carousel=LIMITS))
    assert [len(part.cards) for part in result.parts] == [6, 5]
    assert losses(result) == ["A carousel holds 10 cards: the 11 go as 2 carousels."]


def test_what_a_card_has_no_room_for_is_cut_and_told() -> None:
    limits = CarouselLimits(range(1, 11), fact(4), fact(6), fact(1))
    (part,) = fitted({"carousel": [CARDS[0]]}, chatty(carousel=limits)).parts
    (card,) = part.cards
    assert (card.title, card.text, len(card.buttons)) == ("Boo…", "from…", 1)


@pytest.mark.parametrize(
    "able",
    [
        chatty(),
        chatty(carousel=LIMITS, media=frozenset(PartKind) - {PartKind.CAROUSEL}),
        chatty(carousel=replace(LIMITS, needs_picture=True)),
        chatty(carousel=replace(LIMITS, alike=True)),
        chatty(carousel=replace(LIMITS, cards=range(3, 11))),
    ],
)
def test_cards_that_make_no_carousel_go_one_by_one(able: Capabilities) -> None:
    result = fitted({"text": "New", "carousel": CARDS}, able)
    assert shape(result) == [
        ("text", 0, "New", 0),
        ("picture", 1, "<b>Boots</b>\nfrom <b>49</b>", 2),
        ("text", 0, "<b>Hats &amp; Co</b>", 1),
    ]
    assert len(result.losses) == 1
    assert "message of its own" in losses(result)[0]


def test_cards_that_are_alike_make_a_carousel_where_they_must_be() -> None:
    cards = [{"title": str(number), "buttons": [YES]} for number in range(2)]
    assert fitted({"carousel": cards}, chatty(carousel=replace(LIMITS, alike=True))).parts[0].kind is PartKind.CAROUSEL


# --- templates ---

TEMPLATE = {
    "name": "sale",
    "language": "en",
    "parameters": ["{{ client.first_name }}"],
    "buttons": [{"message": "Stop"}],
}
ABLE_TEMPLATES = chatty(takes_templates=True)


def test_a_template_waits_for_closed_windows_beside_the_free_message() -> None:
    result = fitted({"text": "Hi", "buttons": [[YES]], "only": {"chatty": {"template": TEMPLATE}}}, ABLE_TEMPLATES)
    assert shape(result) == [("text", 0, "Hi", 1)]
    assert result.parts[0].extra == {}
    (part,) = result.outside
    assert (part.kind, part.extra) == (PartKind.TEMPLATE, {"template": TEMPLATE})
    assert [button.label for button in buttons_of(result.every_part)] == ["Yes", "Stop"]


def test_a_message_that_is_only_a_template_goes_as_one_everywhere() -> None:
    result = fitted({"only": {"chatty": {"template": TEMPLATE}}}, ABLE_TEMPLATES)
    assert result.parts == result.outside


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("sale", "A template is a table"),
        ({"name": "sale"}, "needs its name and its language"),
        ({**TEMPLATE, "parametres": []}, "no field “parametres”"),
        ({**TEMPLATE, "parameters": ["Ann", " "]}, "A value of the template “sale” is empty: 2."),
        ({**TEMPLATE, "parameters": 5}, "are a list, or a table"),
    ],
)
def test_what_is_no_template_is_refused_with_a_sentence(template: Any, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        fitted({"text": "Hi", "only": {"chatty": {"template": template}}}, ABLE_TEMPLATES)
