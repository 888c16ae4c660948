"""Our message in Messenger's words: what POST /{page}/messages is given. Pure.

Shapes as developers.facebook.com/docs/messenger-platform/reference prints them, read November 2026.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gateways.base import MessageRejected, Outgoing, PartKind, Rejected
from gateways.dialects import plain_text
from gateways.facebook.capabilities import FACEBOOK, MAX_TEMPLATE_BUTTONS
from gateways.message import Button, Card, Link
from gateways.templates import UnreadableTemplate, components, read_template

Json = dict[str, Any]
PublicUrl = Callable[[str], str]  # where Meta fetches a source; raises MessageRejected

TYPES = {PartKind.PICTURE: "image", PartKind.VIDEO: "video", PartKind.FILE: "file"}


def envelope(out: Outgoing, message: Json, messaging_type: str = "UPDATE") -> Json:
    """The whole body; `metadata` comes back in the echo."""
    values: Json = {
        "recipient": {"id": out.address},
        "messaging_type": messaging_type,
        "message": {**message, "metadata": out.reference} if out.reference else message,
    }
    if out.part.extra.get("silent") is True:
        values["notification_type"] = "SILENT_PUSH"
    return values


def text_message(out: Outgoing) -> Json:
    """Raises Rejected where this client's values made the text empty or too long: Meta's code for it says no more."""
    text = plain_text(out.text)
    buttons = _buttons(out)
    as_quick_replies = bool(buttons) and _fits_quick_replies(buttons, text)
    in_template = bool(buttons) and not as_quick_replies
    limit = FACEBOOK.max_text_with_buttons if in_template else FACEBOOK.max_text
    if not text.strip():
        raise Rejected("the text is empty", reason="empty")
    if limit is not None and len(text) > limit.value:
        raise Rejected(f"the text has {len(text)} characters; {limit.value} are possible", reason="too_long")
    if in_template:
        return _template({"template_type": "button", "text": text, "buttons": _template_buttons(buttons)})
    return {"text": text, **_quick_replies(buttons)}


def media_message(out: Outgoing, attachment_id: str) -> Json:
    """A picture, video or file. Buttons under it that open links need the media template, which has no text."""
    kind = TYPES[out.part.kind]
    buttons = _buttons(out)
    if buttons and not _fits_quick_replies(buttons, ""):
        element = {"media_type": kind, "attachment_id": attachment_id, "buttons": _template_buttons(buttons)}
        return _template({"template_type": "media", "elements": [element]})
    attachment = {"type": kind, "payload": {"attachment_id": attachment_id}}
    return {"attachment": attachment, **_quick_replies(buttons)}


def carousel_message(out: Outgoing, public_url: PublicUrl) -> Json:
    """The generic template: an element a card. Raises MessageRejected."""
    data = iter(out.button_data)
    elements = [_element(card, data, public_url) for card in out.cards]
    return _template({"template_type": "generic", "elements": elements})


def template_message(out: Outgoing, public_url: PublicUrl) -> Json:
    """A utility template, values filled. Raises Rejected for an empty value, MessageRejected for no template at all."""
    try:
        wanted = read_template(out.part.extra.get("template"))
    except UnreadableTemplate as error:
        raise MessageRejected(str(error), reason="template") from None
    file = {"link": public_url(wanted.header_source)} if wanted.header_source else None
    try:
        made = components(replace(wanted, buttons=()), None, (), file)
    except ValueError as error:
        raise Rejected(str(error), reason="template") from None
    data = iter(out.button_data)
    parameters: list[Json] = []
    for button in wanted.buttons:
        if button.kind == "press":
            parameters.append({"type": "POSTBACK", "payload": next(data, "") or "-"})
        elif button.kind == "value":
            parameters.append({"type": "URL", "url": button.value})
    if parameters:
        # One component for all of them; one a button, as on WhatsApp, is refused with code 100.
        made.append({"type": "buttons", "parameters": parameters})
    return {"template": {"name": wanted.name, "language": {"code": wanted.language}, "components": made}}


# --- buttons


Paired = tuple[Button, str]  # a button and the data that comes back


def _buttons(out: Outgoing) -> list[Paired]:
    buttons = [button for row in out.buttons for button in row]
    return [(button, _data(out.button_data, number)) for number, button in enumerate(buttons)]


def _data(data: Sequence[str], number: int) -> str:
    return (data[number] if number < len(data) else "") or f"-{number}"


def _fits_quick_replies(buttons: Sequence[Paired], text: str) -> bool:
    """Whether they go as chips above the keyboard, which vanish after a tap: only those that can't stand in a
    template, because there are too many of them, or the text is too long, or there is none."""
    if any(isinstance(button, Link) for button, _ in buttons):
        return False
    limit = FACEBOOK.max_text_with_buttons
    return not text or len(buttons) > MAX_TEMPLATE_BUTTONS or (limit is not None and len(text) > limit.value)


def _quick_replies(buttons: Sequence[Paired]) -> Json:
    chips = [{"content_type": "text", "title": button.label, "payload": data} for button, data in buttons]
    return {"quick_replies": chips} if chips else {}


def _template_buttons(buttons: Sequence[Paired]) -> list[Json]:
    return [
        {"type": "web_url", "title": button.label, "url": button.link}
        if isinstance(button, Link)
        else {"type": "postback", "title": button.label, "payload": data}
        for button, data in buttons
    ]


def _element(card: Card, data: Iterator[str], public_url: PublicUrl) -> Json:
    element: Json = {"title": card.title}
    if card.text:
        element["subtitle"] = card.text
    if card.picture:
        element["image_url"] = public_url(card.picture)
    buttons = [(button, next(data, "") or f"-{number}") for number, button in enumerate(card.buttons)]
    if buttons:
        element["buttons"] = _template_buttons(buttons)
    links = [button.link for button in card.buttons if isinstance(button, Link)]
    if links:
        element["default_action"] = {"type": "web_url", "url": links[0]}  # a tap on the card itself
    if len(element) == 1:
        element["subtitle"] = card.title  # an element of a title alone is refused
    return element


def _template(payload: Json) -> Json:
    return {"attachment": {"type": "template", "payload": payload}}
