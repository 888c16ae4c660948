"""A screen in Telegram's words: texts that fit, entities, an inline keyboard. Pure."""

from collections.abc import Sequence

from bot.screens import Button, Screen, Style
from bot.surfaces.splitting import split
from bot.surfaces.telegram.library import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity
from gateways.markup import RichText, read_html
from gateways.telegram.render import text_and_entities

MAX_TEXT = 4096  # characters after entity parsing; core.telegram.org/bots/api#sendmessage
MAX_CAPTION = 1024  # characters; core.telegram.org/bots/api#sendphoto
_STYLES = {Style.PRIMARY: "primary", Style.DANGER: "danger"}


def texts_of(screen: Screen) -> list[tuple[str, list[MessageEntity]]]:
    """The card's text in messages that Telegram takes, none cut inside a line where that can be helped."""
    return [with_entities(piece) for piece in split(read_html(screen.text), MAX_TEXT)]


def with_entities(rich: RichText) -> tuple[str, list[MessageEntity]]:
    text, entities = text_and_entities(rich)
    return text, [MessageEntity(**entity) for entity in entities]


def keyboard(rows: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    made = [[_button(one) for one in row] for row in rows if row]
    return InlineKeyboardMarkup(inline_keyboard=made) if made else None


def _button(one: Button) -> InlineKeyboardButton:
    if one.url:
        return InlineKeyboardButton(text=one.label, url=one.url)
    return InlineKeyboardButton(text=one.label, callback_data=one.token, style=_STYLES.get(one.style))
