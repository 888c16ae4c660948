"""What Telegram tells, and cards in its words, without a wire."""

import json

import pytest

from bot.screens import Screen
from bot.surfaces.splitting import split
from bot.surfaces.telegram.cards import texts_of
from bot.surfaces.telegram.events import Sent, read_update, rich_of
from gateways.markup import read_html, to_html
from tests.bot.test_telegram import update_saying


@pytest.mark.parametrize(
    ("text", "entities", "markup"),
    [
        ("bold", [("bold", 0, 4)], "<b>bold</b>"),
        ("😀😀 after", [("italic", 5, 5)], "😀😀 <i>after</i>"),
        ("a < b & c", [("underline", 0, 1)], "<u>a</u> &lt; b &amp; c"),
        ("both", [("bold", 0, 4), ("italic", 0, 2)], "<b><i>bo</i>th</b>"),
        ("quote", [("expandable_blockquote", 0, 5)], "<blockquote>quote</blockquote>"),
        ("plain.test", [("url", 0, 10)], "plain.test"),
        ("code b", [("code", 0, 6), ("bold", 5, 1)], "<code>code b</code>"),
    ],
)
def test_entities_become_our_markup(text: str, entities: list[tuple[str, int, int]], markup: str) -> None:
    from aiogram.types import MessageEntity

    rich = rich_of(text, [MessageEntity(type=kind, offset=offset, length=length) for kind, offset, length in entities])
    assert to_html(rich) == markup
    read_html(markup)


def test_a_command_meant_for_another_bot_is_not_ours() -> None:
    data = json.loads(update_saying(1, "/stats@other_bot week"))
    data["message"]["chat"] = {"id": -100, "type": "supergroup"}
    assert read_update(data, "acme_admin_bot") is None
    data["message"]["text"] = "/stats@Acme_Admin_Bot week"
    heard = read_update(data, "acme_admin_bot")
    assert heard is not None
    assert not isinstance(heard.what, Sent)


def test_a_long_card_is_split_between_lines() -> None:
    text = "\n".join(f"<b>line {number}</b> of a long card" for number in range(400))
    pieces = texts_of(Screen(text=text))
    assert len(pieces) > 1
    assert all(len(piece) <= 4096 for piece, _entities in pieces)
    assert "\n".join(piece for piece, _entities in pieces) == read_html(text).text
    assert split(read_html("x" * 5000), 4096)[1].text == "x" * 904
