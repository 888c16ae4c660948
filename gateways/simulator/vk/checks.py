"""What VK takes of a message: keyboards, carousels, formats and attachments, and what of them stands on a phone."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateways.markup import RichText, Span
from gateways.simulator.phones import ChatButton, ChatCard, ChatMedia
from gateways.simulator.vk.community import Community, Photo, VkError, bad

Json = Mapping[str, Any]

MAX_LABEL, MAX_PAYLOAD, MAX_PAYLOADS = 40, 255, 1000
MAX_TITLE = MAX_DESCRIPTION = 80
MAX_CARDS, MAX_CARD_BUTTONS, MAX_ATTACHMENTS = 10, 3, 10
_INLINE, _ORDINARY = (5, 6, 10), (5, 10, 40)  # in a row, rows, in all
_TAGS = {"bold": "b", "italic": "i", "underline": "u", "url": "a"}
_ATTACHMENT = re.compile(r"(?P<kind>photo|video|doc)(?P<name>(?P<owner>-?\d+)_\d+)(?:_(?P<key>[A-Za-z0-9]+))?")
_COLORS = (None, "primary", "secondary", "negative", "positive")

Rows = tuple[tuple[ChatButton, ...], ...]


def read_object(text: str, parameter: str) -> Json:
    """Raises VkError."""
    try:
        read = json.loads(text)
    except ValueError:
        raise bad(f"{parameter} is not valid JSON") from None
    if not isinstance(read, dict):
        raise bad(f"{parameter} is not an object")
    return read


def read_keyboard(text: str) -> Rows:
    """Raises VkError 911."""
    try:
        keyboard = read_object(text, "keyboard")
    except VkError:
        raise VkError(911, "keyboard is not valid JSON") from None
    rows = keyboard.get("buttons")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise VkError(911, "buttons is not an array of arrays")
    inline = keyboard.get("inline") is True
    if inline and keyboard.get("one_time"):
        raise VkError(911, "one_time is not allowed in an inline keyboard")
    in_row, most_rows, in_all = _INLINE if inline else _ORDINARY
    if len(rows) > most_rows:
        raise VkError(911, f"there is too much rows: {len(rows)}")
    for number, row in enumerate(rows):
        if not 1 <= len(row) <= in_row:
            raise VkError(911, f"row {number} contains too much columns")
    if sum(map(len, rows)) > in_all:
        raise VkError(911, "there is too much buttons")
    read = tuple(tuple(_button(button) for button in row) for row in rows)
    if sum(len(button.value) for row in read for button in row if button.action != "link") > MAX_PAYLOADS:
        raise VkError(911, "payloads are too long")
    return read


def _button(button: Any) -> ChatButton:
    action = button.get("action") if isinstance(button, dict) else None
    if not isinstance(action, dict):
        raise VkError(911, "a button has no action")
    kind, label = action.get("type"), action.get("label", "")
    if kind not in ("text", "callback", "open_link"):
        raise VkError(911, f"unknown action {kind}")
    if not isinstance(label, str) or not 1 <= len(label) <= MAX_LABEL:
        raise VkError(911, "label has a wrong length")
    if button.get("color") not in _COLORS or (kind == "open_link" and "color" in button):
        raise VkError(911, "color is not allowed")
    payload = action.get("payload", "")
    if not isinstance(payload, str) or len(payload) > MAX_PAYLOAD:
        raise VkError(911, "payload is too long")
    if payload:
        try:
            json.loads(payload)
        except ValueError:
            raise VkError(911, "payload is not valid JSON") from None
    if kind != "open_link":
        return ChatButton(label, "reply" if kind == "callback" else "text", payload)
    link = action.get("link")
    if not isinstance(link, str) or not link.startswith(("http://", "https://", "tg://")):
        raise VkError(911, "link is invalid")
    return ChatButton(label, "link", link)


def read_carousel(text: str, community: Community) -> tuple[ChatCard, ...]:
    """Raises VkError; all cards have the structure of the first."""
    template = read_object(text, "template")
    elements = template.get("elements")
    if template.get("type") != "carousel" or not isinstance(elements, list) or not 1 <= len(elements) <= MAX_CARDS:
        raise bad("template is invalid")
    shapes = {_shape(element) for element in elements}
    if len(shapes) != 1:
        raise bad("template elements have different structures")
    return tuple(_card(element, community) for element in elements)


def _shape(element: Any) -> tuple[Any, ...]:
    if not isinstance(element, dict) or not isinstance(element.get("buttons"), list):
        raise bad("a template element has no buttons")
    if not 1 <= len(element["buttons"]) <= MAX_CARD_BUTTONS or not (element.get("title") or element.get("photo_id")):
        raise bad("a template element is invalid")
    return (*(bool(element.get(name)) for name in ("title", "description", "photo_id")), len(element["buttons"]))


def _card(element: Json, community: Community) -> ChatCard:
    title, description = str(element.get("title", "")), str(element.get("description", ""))
    if len(title) > MAX_TITLE or len(description) > MAX_DESCRIPTION:
        raise bad("a template element is too long")
    picture, kept = str(element.get("photo_id", "")), None
    if picture:
        found = _ATTACHMENT.fullmatch(f"photo{picture}")
        if found is None or found["key"]:
            raise bad("photo_id is invalid")
        kept = _kept(found, community)
    buttons = tuple(_button(button) for button in element["buttons"])
    return ChatCard(title, description, picture, buttons, kept.content if kept is not None else None)


def read_attachments(text: str, peers: Sequence[str], community: Community) -> tuple[ChatMedia, ...]:
    """What is attached: a file of ours must be there, under its key; a person's goes to nobody else. Raises VkError."""
    names = text.split(",")
    if len(text) > 9000 or len(names) > MAX_ATTACHMENTS:
        raise bad("attachment is too long")
    return tuple(_media(name.strip(), peers, community) for name in names)


def _media(name: str, peers: Sequence[str], community: Community) -> ChatMedia:
    found = _ATTACHMENT.fullmatch(name)
    if found is None:
        raise bad("attachment is invalid")
    kind = {"photo": "picture", "video": "video", "doc": "file"}[found["kind"]]
    kept = _kept(found, community)
    if kept is None:
        return ChatMedia(kind, url=f"https://vk.com/{found['kind']}{found['name']}", name=name)
    others = kept.owner_id > 0 and any(peer != str(kept.owner_id) for peer in peers)
    if others or kept.key != (found["key"] or ""):
        raise bad("attachment is invalid")
    return ChatMedia(kind, name=getattr(kept, "title", name), content=kept.content)


def _kept(found: re.Match[str], community: Community) -> Photo | None:
    """The file, if it was brought here; others' are not looked at. Raises VkError where it would have to be here."""
    kept = (community.documents if found["kind"] == "doc" else community.photos).get(found["name"])
    if kept is None and found["kind"] == "photo" and found["owner"] == f"-{community.group_id}":
        raise bad("attachment is invalid")
    return kept


def read_text(message: str, format_data: str) -> RichText:
    """Raises VkError for formats that lie beside the text."""
    if not format_data:
        return RichText(message)
    read = read_object(format_data, "format_data")
    items = read.get("items")
    if read.get("version") != 1 or not isinstance(items, list):
        raise bad("format_data is invalid")
    units = message.encode("utf-16-le")
    return RichText(message, tuple(_span(item, units) for item in items))


def _span(item: Any, units: bytes) -> Span:
    try:
        start, end = item["offset"], item["offset"] + item["length"]
        before, inside = units[: 2 * start], units[2 * start : 2 * end]
        tag = _TAGS[item["type"]]
        if not 0 <= start < end <= len(units) // 2:
            raise ValueError
        place = len(before.decode("utf-16-le"))
        return Span(tag, place, place + len(inside.decode("utf-16-le")), str(item.get("url", "")) if tag == "a" else "")
    except (LookupError, TypeError, ValueError):
        raise bad("format_data is invalid") from None


def read_calls(code: str) -> Sequence[tuple[str, Json]]:
    """The calls of a script that returns an array of API.x.y({…}). Raises VkError 12 for any other."""
    found = re.fullmatch(r"\s*return\s*\[(?P<calls>.*)\]\s*;?\s*", code, re.DOTALL)
    if found is None:
        raise VkError(12)
    calls: list[tuple[str, Json]] = []
    rest = found["calls"].strip()
    decoder = json.JSONDecoder()
    while rest:
        head = re.match(r"API\.(?P<method>[a-zA-Z]+\.[a-zA-Z]+)\s*\(\s*", rest)
        if head is None:
            raise VkError(12)
        try:
            values, end = decoder.raw_decode(rest, head.end())
        except ValueError:
            raise VkError(12) from None
        tail = re.match(r"\s*\)\s*(?P<comma>,?)\s*", rest[end:])
        if tail is None or not isinstance(values, dict) or (not tail["comma"] and end + tail.end() < len(rest)):
            raise VkError(12)
        calls.append((head["method"], values))
        rest = rest[end + tail.end() :]
    return calls
