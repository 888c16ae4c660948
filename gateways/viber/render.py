"""A part for one client as the message that Viber takes, without sender and receiver; made by viberbot's classes.

What the library leaves wrong is mended here: its explicit nulls, and texts that it would send as tracking data unless
they are named. Keyboards and carousels take HTML instead of marks, so their words are escaped."""

import html
from collections.abc import Sequence
from typing import Any

from viberbot.api.messages import (  # type: ignore[import-untyped]
    FileMessage,
    LocationMessage,
    PictureMessage,
    RichMediaMessage,
    TextMessage,
    VideoMessage,
)
from viberbot.api.messages.data_types.location import Location  # type: ignore[import-untyped]

from gateways.base import Outgoing
from gateways.dialects import VIBER as MARKS
from gateways.dialects import render_marked
from gateways.markup import RichText
from gateways.message import Button, Card, Link, Rows
from gateways.viber.capabilities import GRID_COLUMNS, GRID_ROWS
from gateways.viber.presses import Presses

Json = dict[str, Any]

CAROUSEL_VERSION = 2  # min_api_version; bots-api, Rich media: its examples say 1 and 2, older apps show alt_text
_TEXT_ROWS = 2  # of a card: title and text
_MAX_ALT_TEXT = 250  # characters, ours: it stands in the list of chats


def text_message(out: Outgoing, presses: Presses) -> Json:
    return _plain(TextMessage(text=render_marked(out.text, MARKS), keyboard=_keyboard_of(out, presses)))


def picture_message(out: Outgoing, presses: Presses, url: str) -> Json:
    text = render_marked(out.text, MARKS)
    return _plain(PictureMessage(text=text, media=url, keyboard=_keyboard_of(out, presses)))


def video_message(out: Outgoing, presses: Presses, url: str, size_bytes: int) -> Json:
    text = render_marked(out.text, MARKS) or None
    return _plain(VideoMessage(text=text, media=url, size=size_bytes, keyboard=_keyboard_of(out, presses)))


def file_message(out: Outgoing, presses: Presses, url: str, size_bytes: int, name: str) -> Json:
    return _plain(FileMessage(media=url, size=size_bytes, file_name=name, keyboard=_keyboard_of(out, presses)))


def location_message(out: Outgoing, presses: Presses) -> Json:
    place = Location(lat=out.part.latitude, lon=out.part.longitude)
    return _plain(LocationMessage(location=place, keyboard=_keyboard_of(out, presses)))


def carousel_message(out: Outgoing, presses: Presses, pictures: Sequence[str | None]) -> Json:
    """`pictures` are the URLs of the cards' pictures, in order."""
    data = out.button_data[sum(map(len, out.buttons)) :]
    alt_text = (out.text.text or ", ".join(card.title for card in out.cards))[:_MAX_ALT_TEXT]
    message = RichMediaMessage(
        rich_media=_rich_media(out, data, presses, pictures),
        alt_text=alt_text or None,
        min_api_version=CAROUSEL_VERSION,
        keyboard=_keyboard_of(out, presses),
    )
    return _plain(message)


def carousel_as_text(out: Outgoing, presses: Presses) -> Json:
    """The same for an app that knows no carousels: words and links as a text, the other buttons as a keyboard."""
    words = [render_marked(out.text, MARKS)] if out.text else []
    rows = list(out.buttons)
    for card in out.cards:
        links = [f"{button.label}: {button.link}" for button in card.buttons if isinstance(button, Link)]
        # In a card nothing is a mark; in a text it would be one.
        words.append(render_marked(RichText("\n".join(filter(None, (card.title, card.text, *links)))), MARKS))
    data = list(out.button_data[: sum(map(len, rows))])
    at = len(data)
    for card in out.cards:
        own = [(button, _at(out.button_data, at + number)) for number, button in enumerate(card.buttons)]
        at += len(card.buttons)
        if kept := [(button, each) for button, each in own if not isinstance(button, Link)]:
            rows.append(tuple(button for button, _ in kept))
            data += [each for _, each in kept]
    board = keyboard(tuple(rows), data, out.address, presses) if rows else None
    return _plain(TextMessage(text="\n\n".join(words), keyboard=board))


def keyboard(rows: Rows, data: Sequence[str], address: str, presses: Presses) -> Json:
    """Rows of buttons, each as wide as its row allows in six columns."""
    buttons: list[Json] = []
    for row in rows:
        for place, button in enumerate(row):
            wide = GRID_COLUMNS // len(row) + (place < GRID_COLUMNS % len(row))
            buttons.append(_button(button, _at(data, len(buttons)), address, presses, wide))
    return {"Type": "keyboard", "DefaultHeight": False, "Buttons": buttons}


def _keyboard_of(out: Outgoing, presses: Presses) -> Json | None:
    return keyboard(out.buttons, out.button_data, out.address, presses) if out.buttons else None


def _button(button: Button, data: str, address: str, presses: Presses, columns: int) -> Json:
    """Silent: a press prints nothing in the chat; a link too is posted to us as if the client had written it."""
    shape: Json = {"Columns": columns, "Rows": 1}
    if isinstance(button, Link):
        shape |= {"ActionType": "open-url", "ActionBody": button.link, "OpenURLType": "external"}
    else:
        shape |= {"ActionType": "reply", "ActionBody": presses.body(address, data)}
    return shape | {"Text": html.escape(button.label), "TextSize": "regular", "Silent": True}


def _rich_media(out: Outgoing, data: Sequence[str], presses: Presses, pictures: Sequence[str | None]) -> Json:
    """Viber cuts the cards from one list of buttons whenever so many rows are full: each fills its grid exactly."""
    most = max(len(card.buttons) for card in out.cards)
    rows = GRID_ROWS if any(pictures) else _TEXT_ROWS + most
    buttons: list[Json] = []
    at = 0
    for card, picture in zip(out.cards, pictures, strict=True):
        own = [
            _button(button, _at(data, at + number), out.address, presses, GRID_COLUMNS)
            for number, button in enumerate(card.buttons)
        ]
        at += len(own)
        if picture:
            high = rows - _TEXT_ROWS - most
            buttons.append({"Columns": GRID_COLUMNS, "Rows": high, "ActionType": "none", "ActionBody": "none"})
            buttons[-1]["Image"] = picture
            buttons.append(_words(card, rows - high - len(own)))
        else:
            buttons.append(_words(card, rows - len(own)))
        buttons += own
    return {
        "Type": "rich_media",
        "ButtonsGroupColumns": GRID_COLUMNS,
        "ButtonsGroupRows": rows,
        "BgColor": "#FFFFFF",
        "Buttons": buttons,
    }


def _words(card: Card, rows: int) -> Json:
    words = f"<b>{html.escape(card.title)}</b>" + (f"<br>{html.escape(card.text)}" if card.text else "")
    shape = {"Columns": GRID_COLUMNS, "Rows": rows, "ActionType": "none", "ActionBody": "none"}
    return shape | {"Text": words, "TextSize": "regular", "TextHAlign": "left", "TextVAlign": "middle"}


def _at(data: Sequence[str], place: int) -> str:
    """A button without data of its own still has something to send back, which names nothing."""
    return (data[place] if place < len(data) else "") or f"-{place}"


def _plain(message: Any) -> Json:
    return {name: value for name, value in message.to_dict().items() if value is not None}
