import pytest

from bot.screens import Button, Screen, Style
from bot.surfaces.console import wire
from gateways.base import Outgoing, Part, PartKind
from gateways.markup import RichText, Span, read_html
from gateways.message import Buy, Card, Link, Reply

TREES = [
    ("Hello", ["Hello"]),
    ("<b>Hi</b> Ann", [{"tag": "b", "nodes": ["Hi"]}, " Ann"]),
    ("a <b>b <i>c</i></b>", ["a ", {"tag": "b", "nodes": ["b ", {"tag": "i", "nodes": ["c"]}]}]),
    ('<a href="https://acme.test">x</a>', [{"tag": "a", "nodes": ["x"], "url": "https://acme.test"}]),
    ("1 &lt; 2 &amp; 3", ["1 < 2 & 3"]),
    ("", []),
]


@pytest.mark.parametrize(("source", "nodes"), TREES)
def test_rich_text_becomes_a_tree_of_nodes(source: str, nodes: list[object]) -> None:
    assert wire.tree(read_html(source)) == nodes


def test_spans_that_cross_are_cut_in_two() -> None:
    crossing = RichText("abcdef", (Span("b", 0, 4), Span("i", 2, 6)))
    assert wire.tree(crossing) == [
        {"tag": "b", "nodes": ["ab", {"tag": "i", "nodes": ["cd"]}]},
        {"tag": "i", "nodes": ["ef"]},
    ]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "//x", "http://["])
def test_an_address_that_a_browser_must_not_open_is_left_out(url: str) -> None:
    assert wire.tree(RichText("x", (Span("a", 0, 1, url),))) == [{"tag": "a", "nodes": ["x"]}]
    assert wire.message_button(Link(url, "Open")) == {"label": "Open", "kind": "link"}


def test_a_card_that_can_not_be_read_is_shown_as_it_stands() -> None:
    assert wire.html_tree("<b>open") == ["<b>open"]


def test_a_card_has_its_text_and_rows_of_buttons() -> None:
    screen = Screen(
        "<b>Sale</b>", ((Button("Send", "l:7", Style.PRIMARY), Button("Site", url="https://acme.test")),), live=7
    )
    assert wire.card(screen, "/console/pictures/x") == {
        "text": [{"tag": "b", "nodes": ["Sale"]}],
        "rows": [
            [
                {"label": "Send", "style": "primary", "token": "l:7"},
                {"label": "Site", "style": "plain", "url": "https://acme.test"},
            ]
        ],
        "picture": "/console/pictures/x",
        "live": True,
    }


def test_a_preview_shows_kept_pictures_and_names_no_other_host() -> None:
    part = Part(PartKind.ALBUM, media=("media:ab.png", "https://elsewhere.test/x.png"))
    rows = ((Link("https://acme.test", "See"), Reply("More", "More")), (Buy("SKU", "Buy", "9 EUR"),))
    outgoing = Outgoing("7", part, RichText("Hi"), rows, ("", "", ""), "1.1.0")
    assert wire.message(outgoing) == {
        "kind": "album",
        "text": ["Hi"],
        "media": ["/console/media/ab.png", None],
        "rows": [
            [{"label": "See", "kind": "link", "url": "https://acme.test"}, {"label": "More", "kind": "message"}],
            [{"label": "Buy", "kind": "buy", "price": "9 EUR"}],
        ],
    }


def test_a_preview_of_a_place_and_of_a_file_say_which() -> None:
    place = Outgoing("7", Part(PartKind.LOCATION, latitude=50.45, longitude=30.52), RichText(), (), (), "r")
    assert wire.message(place)["location"] == [50.45, 30.52]
    file = Outgoing("7", Part(PartKind.FILE, media=("media:ab.pdf",), name="prices.pdf"), RichText(), (), (), "r")
    assert wire.message(file)["name"] == "prices.pdf"


def test_a_preview_of_cards_shows_each_with_its_buttons() -> None:
    cards = (Card("Fern", "12 €", "media:ab.png", (Reply("More", "More"),)), Card("Pot"))
    shown = wire.message(Outgoing("7", Part(PartKind.CAROUSEL), RichText(), (), ("",), "r", cards=cards))
    assert shown["cards"] == [
        {
            "title": "Fern",
            "text": "12 €",
            "buttons": [{"label": "More", "kind": "message"}],
            "picture": "/console/media/ab.png",
        },
        {"title": "Pot", "text": "", "buttons": []},
    ]
