"""What methods share: formatted text, checked markup, and the message that is put into a chat."""

import time
from typing import Any

from gateways.simulator.telegram.answers import Json, bad
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.entities import Entity, finished, given_entities
from gateways.simulator.telegram.forms import Call
from gateways.simulator.telegram.html import parse_html
from gateways.simulator.telegram.keyboards import checked_markup
from gateways.simulator.telegram.markdown import parse_markdown_v2

MAX_TEXT = 4096  # Unicode code points after parsing; platforms/telegram.md section 3 [impl]
MAX_CAPTION = 1024
MAX_RAW_BYTES = 32_768
MAX_IDS = 100


def formatted(text: str, parse_mode: str, entities: Any) -> tuple[str, list[Entity]]:
    """Text after parsing and its entities. Raises Refusal."""
    if len(text) > MAX_RAW_BYTES // 4 and len(text.encode("utf-8", "surrogatepass")) > MAX_RAW_BYTES:
        raise bad("text is too long")
    if not parse_mode:
        return finished(text, given_entities(entities))
    match parse_mode.lower():
        case "html":
            return finished(*parse_html(text))
        case "markdownv2":
            return finished(*parse_markdown_v2(text))
        case "markdown":
            return finished(text, [])  # the legacy dialect is not simulated: nothing here may send it
    raise bad("unsupported parse_mode")


def message_text(call: Call) -> tuple[str, list[Entity]]:
    text, entities = formatted(call.text("text"), call.text("parse_mode"), call.nested("entities"))
    if not text:
        raise bad("message text is empty")
    if len(text) > MAX_TEXT:
        raise bad("message is too long")
    return text, entities


def caption_json(text: str, parse_mode: str, entities: Any) -> Json:
    """`caption` and `caption_entities` as they will stand on the message."""
    if not text:
        return {}
    text, found = formatted(text, parse_mode, entities)
    if len(text) > MAX_CAPTION:
        raise bad("message caption is too long")
    return _with_entities("caption", text, found) if text else {}


def call_caption(call: Call) -> Json:
    caption = caption_json(call.text("caption"), call.text("parse_mode"), call.nested("caption_entities"))
    if caption and call.flag("show_caption_above_media"):
        caption["show_caption_above_media"] = True
    return caption


def text_json(text: str, entities: list[Entity]) -> Json:
    return _with_entities("text", text, entities)


def _with_entities(name: str, text: str, entities: list[Entity]) -> Json:
    if not entities:
        return {name: text}
    key = "entities" if name == "text" else "caption_entities"
    return {name: text, key: [entity.as_json() for entity in entities]}


def call_markup(call: Call, *, inline_only: bool = False) -> Json | None:
    if "reply_markup" not in call.values:
        return None
    return checked_markup(call.nested("reply_markup"), inline_only=inline_only)


def call_ids(call: Call) -> list[int]:
    """`message_ids` of a bulk method. Raises Refusal."""
    ids = call.nested("message_ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_IDS or not all(isinstance(each, int) for each in ids):
        raise bad(f"message_ids must be an Array of 1 to {MAX_IDS} identifiers")
    return ids


def put_message(bot: SimulatedBot, chat: SimulatedClient, call: Call, body: Json, markup: Json | None = None) -> Json:
    """The new message in the chat, as the bot and the client see it."""
    raw: Json = {
        "message_id": chat.take_id(),
        "from": bot.short_json,
        "chat": chat.chat_json(),
        "date": int(time.time()),
        **body,
    }
    if markup is not None and "inline_keyboard" in markup:
        raw["reply_markup"] = markup
    if "reply_parameters" in call.values:
        _quote(chat, call, raw)
    if call.flag("protect_content"):
        raw["has_protected_content"] = True
    silent = "disable_notification" in call.values and call.flag("disable_notification")
    kept = raw if markup is None or "reply_markup" in raw else {**raw, "reply_markup": markup}
    chat.keep(kept, from_bot=True, silent=silent)
    return raw


def _quote(chat: SimulatedClient, call: Call, raw: Json) -> None:
    reply = call.nested("reply_parameters")
    message_id = reply.get("message_id") if isinstance(reply, dict) else None
    stored = chat.find_stored(message_id) if isinstance(message_id, int) else None
    if stored is not None:
        raw["reply_to_message"] = {name: value for name, value in stored.raw.items() if name != "reply_to_message"}
    elif chat.bot.keeps and not (isinstance(reply, dict) and reply.get("allow_sending_without_reply")):
        raise bad("message to be replied not found")
