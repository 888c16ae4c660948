"""The one message that Viber lets us give to who opened the chat and is no subscriber yet, in the answer to that event.

bots-api, conversation started: no receiver, no token, free. Its tracking data comes back with the client's next words,
and its button with a press; so either brings the payload of the link that opened the chat."""

import html

from viberbot.api.messages import TextMessage  # type: ignore[import-untyped]

from gateways.jsons import write_json
from gateways.viber.api import Json
from gateways.viber.presses import START, Presses

_WORDS = {
    "en": ("Press the button or write to us to get our messages here.", "Get messages"),
    "ru": ("Нажмите кнопку или напишите нам, чтобы получать наши сообщения здесь.", "Получать сообщения"),
    "uk": ("Натисніть кнопку або напишіть нам, щоб отримувати наші повідомлення тут.", "Отримувати повідомлення"),
    "es": ("Pulsa el botón o escríbenos para recibir nuestros mensajes aquí.", "Recibir mensajes"),
}


def welcome_body(sender: Json, words: str, presses: Presses, address: str, payload: str, language: str) -> str:
    """The body of our answer; `words` are the channel's own, "" for a sentence of ours in the client's language."""
    ours, label = _WORDS.get(language[:2].lower(), _WORDS["en"])
    try:
        body = presses.body(address, START + payload)
    except ValueError:  # whoever made the link put into it what no button can carry
        payload = ""
        body = presses.body(address, START)
    button: Json = {
        "Columns": 6,
        "Rows": 1,
        "ActionType": "reply",
        "ActionBody": body,
        "Text": html.escape(label),
        "TextSize": "regular",
        "Silent": True,
    }
    keyboard = {"Type": "keyboard", "DefaultHeight": False, "Buttons": [button]}
    message = TextMessage(text=words or ours, keyboard=keyboard, tracking_data=START + payload)
    return write_json({"sender": sender, **message.to_dict()}).decode()
