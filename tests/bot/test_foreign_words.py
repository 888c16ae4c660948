"""What clients call themselves is shown to people on every surface as the words that it is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from bot.screens import Screen
from bot.surfaces.console import wire
from bot.surfaces.slack import cards as slack
from bot.surfaces.telegram import cards as telegram
from bot.texts import Texts
from storage.schema import clients
from tests.bot.conftest import Desk

SHOWN = "<b>Bo</b> <a"  # a card may cut the rest
NAME = SHOWN + ' href="javascript:alert(1)">x</a> <!channel> <@U01> <script>1</script> {name}'


@pytest.fixture
async def cards(shop: Desk) -> list[Screen]:
    """The cards of a client of that name, and of a preview for that client."""
    async with shop.store.database.writing() as connection:
        named = update(clients).where(clients.c.external_id == "c1").values(name=NAME, first_name=NAME)
        await connection.execute(named)
    chat, shown = shop.chat(), []
    for words in ("/client c1", "/clients Bo", "/new", "Hello, {{ client.first_name }}!", "/preview"):
        await chat.say(words)
        shown += [screen for screen in chat.answer if "Bo" in screen.text]
    assert shown
    return shown


def test_telegram_gets_a_hostile_name_as_plain_text(cards: list[Screen]) -> None:
    for card in cards:
        texts = telegram.texts_of(card)
        assert any(SHOWN in text for text, _ in texts)
        assert not [one for _, entities in texts for one in entities if one.url or one.type in ("text_link", "mention")]


def test_slack_gets_a_hostile_name_as_plain_text(cards: list[Screen]) -> None:
    for card in cards:
        posts = slack.posts_of(card, Texts())
        blocks = [block for post in posts for block in post.blocks]
        assert any(SHOWN in str(part.get("text")) for part in _parts(blocks))
        assert not {part.get("type") for part in _parts(blocks)} & {"broadcast", "user", "link", "mrkdwn"}
        assert not [post.text for post in posts if "<!channel>" in post.text or "<@U01>" in post.text]


def test_the_page_gets_a_hostile_name_as_plain_text(cards: list[Screen]) -> None:
    for card in cards:
        shown = wire.card(card)
        assert SHOWN in json.dumps(shown["text"], ensure_ascii=False).replace('\\"', '"')
        assert not [
            part for part in _parts(shown["text"]) if "javascript" in str(part.get("url", part.get("href", "")))
        ]


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ():
        yield from _parts(inner)
