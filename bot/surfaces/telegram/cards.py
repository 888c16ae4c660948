"""A screen in Telegram's words: texts that fit, entities, an inline keyboard. Pure."""

from collections.abc import Sequence

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity

from bot.screens import Button, Screen, Style
from gateways.markup import RichText, Span, read_html
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


def split(rich: RichText, most: int) -> list[RichText]:
    """The text in pieces of at most `most` characters, cut after a paragraph, a line or a word."""
    pieces: list[RichText] = []
    start = 0
    while len(rich.text) - start > most:
        cut = _cut(rich.text, start, start + most)
        pieces.append(_piece(rich, start, cut))
        start = cut
        while start < len(rich.text) and rich.text[start] in "\n ":
            start += 1
    return [*pieces, _piece(rich, start, len(rich.text))]


def _cut(text: str, start: int, end: int) -> int:
    for sign in ("\n\n", "\n", " "):
        place = text.rfind(sign, start + 1, end)
        if place > start + (end - start) // 2:
            return place
    return end


def _piece(rich: RichText, start: int, end: int) -> RichText:
    spans = [
        Span(span.tag, max(span.start, start) - start, min(span.end, end) - start, span.url)
        for span in rich.spans
        if span.start < end and span.end > start
    ]
    return RichText(rich.text[start:end], tuple(spans))


def keyboard(rows: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    made = [[_button(one) for one in row] for row in rows if row]
    return InlineKeyboardMarkup(inline_keyboard=made) if made else None


def _button(one: Button) -> InlineKeyboardButton:
    if one.url:
        return InlineKeyboardButton(text=one.label, url=one.url)
    return InlineKeyboardButton(text=one.label, callback_data=one.token, style=_STYLES.get(one.style))
