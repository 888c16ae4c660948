"""Methods that change or take back what stands in a chat."""

import time

from gateways.simulator.telegram.answers import Json, bad
from gateways.simulator.telegram.bots import Answer, SimulatedBot
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.forms import Call
from gateways.simulator.telegram.messages import MEDIA_KINDS, Event, EventKind, StoredMessage
from gateways.simulator.telegram.methods.sending import file_json, resolve_file
from gateways.simulator.telegram.methods.texts import (
    call_caption,
    call_ids,
    call_markup,
    caption_json,
    message_text,
    text_json,
)

MAX_ANSWER = 200  # characters; core.telegram.org/bots/api#answercallbackquery
_UNCHANGED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
_CAPTION = ("caption", "caption_entities", "show_caption_above_media")
_DELETABLE_FOR_S = 48 * 3600


def _own_message(bot: SimulatedBot, call: Call) -> tuple[SimulatedClient, StoredMessage]:
    chat = bot.get_chat(call.values.get("chat_id"))
    if not call.values.get("message_id"):
        raise bad("message identifier is not specified")
    stored = chat.find_stored(call.number("message_id"))
    if stored is None:
        raise bad("message to edit not found")
    if not stored.from_bot:
        raise bad("message can't be edited")
    return chat, stored


def _replace(chat: SimulatedClient, stored: StoredMessage, without: tuple[str, ...], body: Json) -> Json:
    """Put the new content in place. Raises Refusal where nothing differs."""
    old = stored.raw
    new = {name: value for name, value in old.items() if name not in (*without, "edit_date")} | body
    if new == {name: value for name, value in old.items() if name != "edit_date"}:
        raise bad(_UNCHANGED)
    new["edit_date"] = int(time.time())
    stored.raw = new
    stored.edited += 1
    chat.changed(EventKind.EDITED, stored)
    return new


def _markup_json(call: Call) -> Json:
    markup = call_markup(call, inline_only=True)
    return {} if markup is None else {"reply_markup": markup}


def edit_message_text(bot: SimulatedBot, call: Call) -> Json:
    text, entities = message_text(call)
    markup = _markup_json(call)
    chat, stored = _own_message(bot, call)
    if "text" not in stored.raw:
        raise bad("there is no text in the message to edit")
    return _replace(chat, stored, ("text", "entities", "reply_markup"), text_json(text, entities) | markup)


def edit_message_caption(bot: SimulatedBot, call: Call) -> Json:
    caption = call_caption(call)
    markup = _markup_json(call)
    chat, stored = _own_message(bot, call)
    if not any(kind in stored.raw for kind in MEDIA_KINDS):
        raise bad("there is no caption in the message to edit")
    return _replace(chat, stored, (*_CAPTION, "reply_markup"), caption | markup)


def edit_message_media(bot: SimulatedBot, call: Call) -> Json:
    item = call.nested("media")
    if not isinstance(item, dict) or item.get("type") not in MEDIA_KINDS:
        raise bad("can't parse InputMedia: type is not specified")
    markup = _markup_json(call)
    chat, stored = _own_message(bot, call)
    file = resolve_file(bot, call, item["type"], "media", str(item.get("media", "")))
    caption = caption_json(
        str(item.get("caption") or ""), str(item.get("parse_mode") or ""), item.get("caption_entities")
    )
    without = (*MEDIA_KINDS, *_CAPTION, "text", "entities", "reply_markup")
    return _replace(chat, stored, without, file_json(bot, file) | caption | markup)


def edit_message_reply_markup(bot: SimulatedBot, call: Call) -> Json:
    markup = _markup_json(call)
    chat, stored = _own_message(bot, call)
    return _replace(chat, stored, ("reply_markup",), markup)


def delete_message(bot: SimulatedBot, call: Call) -> bool:
    chat = bot.get_chat(call.values.get("chat_id"))
    stored = chat.find_stored(call.number("message_id"))
    if stored is None:
        raise bad("message to delete not found")
    _require_young(stored)
    return chat.forget(stored.raw["message_id"])


def _require_young(stored: StoredMessage) -> None:
    if time.time() - stored.raw["date"] > _DELETABLE_FOR_S:
        raise bad("message can't be deleted for everyone")


def delete_messages(bot: SimulatedBot, call: Call) -> bool:
    message_ids = call_ids(call)
    chat = bot.get_chat(call.values.get("chat_id"))
    found = [stored for message_id in message_ids if (stored := chat.find_stored(message_id)) is not None]
    for stored in found:  # what is not found is skipped
        _require_young(stored)
    for stored in found:
        chat.forget(stored.raw["message_id"])
    return True


def answer_callback_query(bot: SimulatedBot, call: Call) -> bool:
    text = call.text("text")
    if len(text) > MAX_ANSWER:
        raise bad("MESSAGE_TOO_LONG")
    answer = Answer(call.text("callback_query_id"), text, call.flag("show_alert"), call.text("url") or None)
    query = bot.answer_query(answer)
    bot.world.tell(
        Event(
            EventKind.ANSWERED,
            bot.token,
            query.client.user_id,
            text=text,
            alert=answer.alert,
            url=answer.url,
            query_id=query.query_id,
        )
    )
    return True


def send_chat_action(bot: SimulatedBot, call: Call) -> bool:
    action = call.text("action")
    if not action:
        raise bad("wrong parameter action in request")
    chat = bot.get_chat(call.values.get("chat_id"))
    bot.world.tell(Event(EventKind.ACTION, bot.token, chat.user_id, text=action))
    return True
