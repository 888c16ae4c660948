"""A card as each surface shows it, judged by what the simulated messengers refuse."""

from bot.screens import Screen
from bot.surfaces.console import wire
from bot.surfaces.slack import cards as slack
from bot.surfaces.telegram import cards as telegram
from bot.texts import Texts
from gateways.simulator.slack.blocks import check_blocks, check_view
from gateways.simulator.telegram.entities import finished, given_entities, utf16_length
from gateways.simulator.telegram.keyboards import checked_markup


def require_showable(screen: Screen, t: Texts) -> None:
    """Raises what Telegram or Slack would say where a card is not one that they take, and AssertionError."""
    _telegram(screen)
    _slack(screen, t)
    _page(screen)


def _telegram(screen: Screen) -> None:
    for text, entities in telegram.texts_of(screen):
        raw = [entity.model_dump(exclude_none=True, mode="json") for entity in entities]
        shown, _found = finished(text, given_entities(raw))
        assert utf16_length(shown) <= telegram.MAX_TEXT, shown
        assert shown or not screen.text, "an empty message"
    keyboard = telegram.keyboard(screen.rows)
    if keyboard is not None:
        checked_markup(keyboard.model_dump(exclude_none=True, mode="json"), inline_only=True)


def _slack(screen: Screen, t: Texts) -> None:
    for post in slack.posts_of(screen, t):
        assert len(post.text) <= slack.MAX_TEXT
        check_blocks(post.blocks)
    if screen.ask:
        check_view(slack.form(screen.ask, {"ask": screen.ask}, t))


def _page(screen: Screen) -> None:
    shown = wire.card(screen)
    assert shown["text"] != [screen.text] or "<" not in screen.text, "a text that is not in our HTML subset"
    for row in shown["rows"]:
        for button in row:
            assert button["label"].strip(), shown
            assert button.get("token") or button.get("url"), f"a button that leads nowhere: {button}"
