"""Whatever a bot sends, the answer is an envelope: a simulator that falls over would hide what a bot does wrong."""

from typing import Any

import pytest

from gateways.simulator.telegram.clients import SimulatedClient
from tests.gateways.simulator.conftest import Post

ENTITIES = [{"type": "bold", "offset": 0, "length": 2}, {"type": "text_link", "offset": 2, "length": 1, "url": "x.io"}]
KEYBOARD = {
    "inline_keyboard": [
        [{"text": "a", "url": "https://a.io"}, {"text": "b", "callback_data": "b"}],
        [{"text": "c", "web_app": {"url": "https://a.io"}}, {"text": "d", "copy_text": {"text": "d"}}],
    ]
}
PHOTO = {"type": "photo", "media": "https://a.io/1.jpg", "caption": "hello", "caption_entities": ENTITIES}
CALLS: dict[str, dict[str, Any]] = {
    "sendMessage": {
        "text": "hello",
        "entities": ENTITIES,
        "reply_markup": KEYBOARD,
        "reply_parameters": {"message_id": 1},
    },
    "sendPhoto": {"photo": "https://a.io/1.jpg", "caption": "hello", "caption_entities": ENTITIES},
    "sendMediaGroup": {"media": [PHOTO, PHOTO]},
    "sendVenue": {"latitude": 1, "longitude": 2, "title": "x", "address": "y"},
    "copyMessages": {"from_chat_id": 7, "message_ids": [1]},
    "editMessageText": {"message_id": 2, "text": "hello", "reply_markup": KEYBOARD},
    "editMessageMedia": {"message_id": 2, "media": PHOTO},
    "setMyCommands": {"commands": [{"command": "a", "description": "b"}], "scope": {"type": "chat", "chat_id": 7}},
    "answerCallbackQuery": {"callback_query_id": "5", "text": "x"},
}
JUNK: list[Any] = [
    None,
    "",
    -1,
    True,
    "x",
    "[]",
    "{",
    [],
    {},
    [None],
    [[{}]],
    {"url": 5},
    "attach://x",
    "http:///",
    1e30,
    "\ud800",
]


def broken(value: Any) -> list[Any]:
    """The value with each of its parts replaced by each piece of junk, one at a time."""
    inside: list[Any] = []
    if isinstance(value, dict):
        inside = [{**value, name: each} for name, part in value.items() for each in broken(part)]
    elif isinstance(value, list):
        inside = [[*value[:at], each, *value[at + 1 :]] for at, part in enumerate(value) for each in broken(part)]
    return JUNK + inside


@pytest.mark.parametrize("method", CALLS)
async def test_every_broken_call_is_answered_with_an_envelope(post: Post, ann: SimulatedClient, method: str) -> None:
    ann.says("Hi")
    await post("sendMessage", chat_id=7, text="Hi")
    call = {"chat_id": 7} | CALLS[method]
    for parameters in broken(call)[len(JUNK) :]:
        answer = await post(method, **parameters)
        assert answer["ok"] or 400 <= answer["error_code"] < 500
    assert ann.chat
