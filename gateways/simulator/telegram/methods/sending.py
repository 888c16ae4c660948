"""Methods that put new messages into a chat."""

from collections.abc import Callable
from itertools import count
from typing import Any

from gateways.simulator.telegram.answers import Json, Refusal, bad
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.files import StoredFile
from gateways.simulator.telegram.forms import Call
from gateways.simulator.telegram.methods.texts import (
    call_caption,
    call_ids,
    call_markup,
    caption_json,
    message_text,
    put_message,
    text_json,
)

_group_numbers = count(13_800_000_000_000_001)
_ALBUM_KINDS = frozenset({"photo", "video", "document", "audio"})


def send_message(bot: SimulatedBot, call: Call) -> Json:
    text, entities = message_text(call)
    markup = call_markup(call)
    chat = bot.get_chat(call.values.get("chat_id"))
    body = text_json(text, entities)
    if (preview := call.values.get("link_preview_options")) is not None:
        body["link_preview_options"] = call.nested("link_preview_options") if preview else {}
    message = put_message(bot, chat, call, body, markup)
    bot.accept(chat.user_id, text)
    return message


def media_sender(kind: str) -> Callable[[SimulatedBot, Call], Json]:
    def send_media(bot: SimulatedBot, call: Call) -> Json:
        markup = call_markup(call)
        caption = {} if kind in ("sticker", "video_note") else call_caption(call)
        chat = bot.get_chat(call.values.get("chat_id"))
        file = resolve_file(bot, call, kind, kind, call.text(kind))
        body = file_json(bot, file) | caption
        if call.flag("has_spoiler"):
            body["has_media_spoiler"] = True
        message = put_message(bot, chat, call, body, markup)
        bot.accept(chat.user_id, (kind, file.unique_id, caption.get("caption")))
        return message

    return send_media


def resolve_file(bot: SimulatedBot, call: Call, kind: str, name: str, reference: str) -> StoredFile:
    """The file that a parameter means: an upload, a URL or a stored id. Raises Refusal."""
    files = bot.world.files
    upload = call.upload(name, reference)
    if upload is not None:
        return files.store(bot.bot_id, kind, upload)
    if not reference or reference.startswith("attach://"):
        raise bad(f"there is no {kind.replace('_', ' ')} in the request")
    if reference.startswith(("http://", "https://")):
        if bot.world.refuses_links:
            raise bad("failed to get HTTP URL content")
        if "." not in reference.split("/")[2]:
            raise bad("wrong HTTP URL specified")
        return files.store_link(bot.bot_id, kind, reference)
    return files.get(bot.bot_id, kind, reference)


def file_json(bot: SimulatedBot, file: StoredFile) -> Json:
    match file.kind:
        case "photo":
            return {"photo": bot.world.files.sizes(file)}
        case "animation":
            return {"animation": file.as_json(), "document": file.as_json()}
    return {file.kind: file.as_json()}


def send_media_group(bot: SimulatedBot, call: Call) -> list[Json]:
    items = call.nested("media")
    if not isinstance(items, list):
        raise bad("media must be an Array")
    if not 2 <= len(items) <= 10:
        raise bad("media group must include 2-10 items" if items else "there are no messages to send")
    if "reply_markup" in call.values:
        raise bad("reply_markup can't be used in a media group")
    _check_mixture([item.get("type") if isinstance(item, dict) else None for item in items])
    chat = bot.get_chat(call.values.get("chat_id"))
    bodies = [_album_item(bot, call, number, item) for number, item in enumerate(items, 1)]
    group = str(next(_group_numbers))
    messages = [put_message(bot, chat, call, body | {"media_group_id": group}) for body in bodies]
    content = tuple((file_ids(body), body.get("caption")) for body in bodies)
    bot.accept(chat.user_id, content, len(messages))
    return messages


def file_ids(body: Json) -> tuple[str, ...]:
    """What makes a media message the same as another one."""
    return tuple(
        (value[-1] if isinstance(value, list) else value)["file_unique_id"]
        for name, value in body.items()
        if name in _ALBUM_KINDS
    )


def _check_mixture(kinds: list[Any]) -> None:
    for kind in kinds:
        if not isinstance(kind, str) or kind not in _ALBUM_KINDS:
            raise bad(f"can't parse InputMedia: type must be one of photo, video, document, audio, not {kind}")
    for only in ("document", "audio"):
        if only in kinds and set(kinds) != {only}:
            raise bad(f"{only} can't be mixed with other media types")


def _album_item(bot: SimulatedBot, call: Call, number: int, item: Json) -> Json:
    try:
        file = resolve_file(bot, call, item["type"], "", str(item.get("media", "")))
        caption = caption_json(
            str(item.get("caption") or ""), str(item.get("parse_mode") or ""), item.get("caption_entities")
        )
    except Refusal as refusal:
        words = refusal.description.partition(": ")[2]
        raise bad(f'failed to send message #{number} with the error message "{words}"') from refusal
    return file_json(bot, file) | caption


def send_location(bot: SimulatedBot, call: Call) -> Json:
    body = {"location": _place(call)}
    return _send_simple(bot, call, body, str(body))


def send_venue(bot: SimulatedBot, call: Call) -> Json:
    if not call.text("title") or not call.text("address"):
        raise bad("venue title and address must be non-empty")
    place = _place(call)
    venue = {"location": place, "title": call.text("title"), "address": call.text("address")}
    return _send_simple(bot, call, {"venue": venue, "location": place}, str(venue))


def send_contact(bot: SimulatedBot, call: Call) -> Json:
    phone, name = call.text("phone_number").lstrip("+"), call.text("first_name")
    if not phone or not name:
        raise bad("contact phone number must be non-empty")
    contact = {"phone_number": phone, "first_name": name}
    if call.text("last_name"):
        contact["last_name"] = call.text("last_name")
    return _send_simple(bot, call, {"contact": contact}, phone)


def _place(call: Call) -> Json:
    latitude, longitude = call.fraction("latitude"), call.fraction("longitude")
    if latitude is None or longitude is None:
        raise bad("latitude is empty" if latitude is None else "longitude is empty")
    if not -90 <= latitude <= 90 or not -180 <= longitude <= 180:
        raise bad("wrong location specified")
    return {"latitude": latitude, "longitude": longitude}


def _send_simple(bot: SimulatedBot, call: Call, body: Json, content: str) -> Json:
    markup = call_markup(call)
    chat = bot.get_chat(call.values.get("chat_id"))
    message = put_message(bot, chat, call, body, markup)
    bot.accept(chat.user_id, content)
    return message


_NOT_COPIED = frozenset({
    "message_id", "from", "chat", "date", "edit_date", "reply_markup", "media_group_id", "forward_origin",
    "reply_to_message", "has_protected_content",
})  # fmt: skip


def copy_message(bot: SimulatedBot, call: Call) -> Json:
    markup = call_markup(call)
    chat = bot.get_chat(call.values.get("chat_id"))
    body = copied_body(bot, call, call.number("message_id"))
    if body is None:
        raise bad("message to copy not found")
    if "caption" in call.values and "text" not in body:
        body = {name: value for name, value in body.items() if not name.startswith("caption")} | call_caption(call)
    message = put_message(bot, chat, call, body, markup)
    bot.accept(chat.user_id, body.get("text") or (file_ids(body), body.get("caption")))
    return {"message_id": message["message_id"]}


def copied_body(bot: SimulatedBot, call: Call, message_id: int) -> Json | None:
    source = bot.find_chat(call.values.get("from_chat_id"))
    if source is None:
        raise bad("chat not found")
    stored = source.find_stored(message_id)
    if stored is None:
        return None
    return {name: value for name, value in stored.raw.items() if name not in _NOT_COPIED}


def copy_messages(bot: SimulatedBot, call: Call) -> list[Json]:
    message_ids = call_ids(call)
    if message_ids != sorted(set(message_ids)):
        raise bad("message identifiers must be in a strictly increasing order")
    chat = bot.get_chat(call.values.get("chat_id"))
    source = bot.find_chat(call.values.get("from_chat_id"))
    groups: dict[str, str] = {}
    copies = []
    for message_id in message_ids:
        body = copied_body(bot, call, message_id)
        if body is None or source is None:
            continue  # Telegram skips silently what it can't copy
        stored = source.find_stored(message_id)
        if stored is not None and (group := stored.raw.get("media_group_id")):
            body["media_group_id"] = groups.setdefault(group, str(next(_group_numbers)))
        copies.append({"message_id": put_message(bot, chat, call, body)["message_id"]})
    if not copies:
        raise bad("there are no messages to copy")
    bot.accept(chat.user_id, ("copies", tuple(message_ids)), len(copies))
    return copies
