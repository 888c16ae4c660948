"""Our message in WhatsApp's words: the body of each send. Pure; platforms/whatsapp.md section 2."""

import re
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from gateways.base import MessageRejected, Outgoing, PartKind, Rejected, Template
from gateways.dialects import WHATSAPP as MARKS
from gateways.dialects import render_marked
from gateways.message import Button, Link
from gateways.templates import Wanted, components
from gateways.whatsapp.capabilities import (
    MAX_ID,
    MAX_LIST_BUTTON,
    MAX_REFERENCE,
    MAX_REPLIES,
    MAX_ROWS,
    NEUTRAL_TEXT,
    PHONE,
    WHATSAPP,
)

Values = dict[str, Any]

TYPES = {PartKind.PICTURE: "image", PartKind.VIDEO: "video", PartKind.FILE: "document"}
_MAX_LABEL = WHATSAPP.max_label.value
_PHONE = re.compile(PHONE)


def values_of(out: Outgoing, media: Values | None = None) -> Values:
    """The body that sends a part; `media` is {"id": …} of its file. Raises MessageRejected for what can't be said."""
    content = _interactive(out, media) if out.buttons else _plain(out, media)
    return {**_envelope(out), **content}


def template_values(
    out: Outgoing, wanted: Wanted, template: Template | None, header_file: Mapping[str, Any] | None
) -> Values:
    """The body that sends a template with this client's values. Raises Rejected where one of them is empty."""
    try:
        made = components(wanted, template, out.button_data, header_file)
    except ValueError as error:
        raise Rejected(str(error), reason="empty") from None
    content: Values = {"name": wanted.name, "language": {"code": wanted.language}}
    if made:
        content["components"] = made
    return {**_envelope(out), "type": "template", "template": content}


def _envelope(out: Outgoing) -> Values:
    """A phone goes with its plus: without it Meta may put our own country's code before it."""
    to = {"to": f"+{out.address}"} if _PHONE.fullmatch(out.address) else {"recipient": out.address}
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **to,
        "biz_opaque_callback_data": out.reference[:MAX_REFERENCE],
    }


def _plain(out: Outgoing, media: Values | None) -> Values:
    match out.part.kind:
        case PartKind.TEXT:
            body = render_marked(out.text, MARKS)
            shows_preview = out.part.extra.get("link_preview") is not False and "://" in body
            text: Values = {"body": body, "preview_url": True} if shows_preview else {"body": body}
            return {"type": "text", "text": text}
        case PartKind.LOCATION:
            place = {"latitude": str(out.part.latitude), "longitude": str(out.part.longitude)}
            return {"type": "location", "location": place}
        case kind if kind in TYPES:
            name = {"filename": out.part.name} if kind is PartKind.FILE and out.part.name else {}
            caption = {"caption": render_marked(out.text, MARKS)} if out.text else {}
            return {"type": TYPES[kind], TYPES[kind]: {**(media or {}), **name, **caption}}
        case kind:
            raise MessageRejected(f"WhatsApp carries no {kind.value}", reason="rejected")


def _interactive(out: Outgoing, media: Values | None) -> Values:
    """Reply buttons, a list, or one button with a link: never a mixture; a file stands above as the header."""
    buttons = [button for row in out.buttons for button in row]
    links = [button for button in buttons if isinstance(button, Link)]
    kind = out.part.kind
    if links and len(buttons) > 1:
        raise MessageRejected("WhatsApp shows one button with a link, and no other beside it", reason="buttons")
    if kind is not PartKind.TEXT and (kind not in TYPES or len(buttons) > MAX_REPLIES):
        raise MessageRejected(f"WhatsApp shows {len(buttons)} buttons under a text only", reason="buttons")
    content: Values = {"type": "", "body": {"text": render_marked(out.text, MARKS) or NEUTRAL_TEXT}}
    if media is not None:
        name = {"filename": out.part.name} if kind is PartKind.FILE and out.part.name else {}
        content["header"] = {"type": TYPES[kind], TYPES[kind]: {**media, **name}}
    if links:
        parameters = {"display_text": links[0].label[:_MAX_LABEL], "url": links[0].link}
        content |= {"type": "cta_url", "action": {"name": "cta_url", "parameters": parameters}}
    elif len(buttons) <= MAX_REPLIES:
        replies = [{"type": "reply", "reply": each} for each in _titled(buttons, out.button_data)]
        content |= {"type": "button", "action": {"buttons": replies}}
    elif len(buttons) <= MAX_ROWS:
        opens = str(out.part.extra.get("list_button") or "≡")[:MAX_LIST_BUTTON]
        content |= {
            "type": "list",
            "action": {"button": opens, "sections": [{"rows": _titled(buttons, out.button_data)}]},
        }
    else:
        raise MessageRejected(f"WhatsApp shows {MAX_ROWS} buttons at most", reason="buttons")
    return {"type": "interactive", "interactive": content}


def _titled(buttons: Sequence[Button], button_data: Sequence[str]) -> list[Values]:
    """Ids and titles; equal titles, which WhatsApp refuses, get a number."""
    used: set[str] = set()
    titled: list[Values] = []
    for number, button in enumerate(buttons):
        label = button.label[:_MAX_LABEL]
        numbered = (f"{label[: _MAX_LABEL - 3].rstrip()} {again}" for again in count(2))
        title = label if label not in used else next(each for each in numbered if each not in used)
        used.add(title)
        data = button_data[number] if number < len(button_data) else ""
        titled.append({"id": (data or f"-{number}")[:MAX_ID], "title": title})
    return titled
