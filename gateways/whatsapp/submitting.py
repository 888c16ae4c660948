"""A template of ours in Meta's words, to be approved. Pure; platforms/whatsapp.md sections 2 and 3."""

from collections.abc import Iterator
from typing import Any

from gateways.base import ButtonKind, NewButton, NewTemplate
from gateways.new_templates import PLACE, body_of

Json = dict[str, Any]


def template_values(new: NewTemplate, picture: str) -> Json:
    """The body that submits it; `picture` is the handle of its picture, "" where it has none."""
    return {
        "name": new.name,
        "language": new.language,
        "category": new.category.upper(),
        "parameter_format": "positional",
        "components": list(_components(new, picture)),
    }


def _components(new: NewTemplate, picture: str) -> Iterator[Json]:
    if picture:
        yield {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": [picture]}}
    elif new.header:
        yield {"type": "HEADER", "format": "TEXT", "text": new.header}
    body: Json = {"type": "BODY", "text": body_of(new)}
    yield body | ({"example": {"body_text": [list(new.examples)]}} if new.examples else {})
    if new.footer:
        yield {"type": "FOOTER", "text": new.footer}
    if new.buttons:
        yield {"type": "BUTTONS", "buttons": [_button(one) for one in new.buttons]}


def _button(button: NewButton) -> Json:
    match button.kind:
        case ButtonKind.REPLY:
            return {"type": "QUICK_REPLY", "text": button.label}
        case ButtonKind.CALL:
            return {"type": "PHONE_NUMBER", "text": button.label, "phone_number": button.target}
        case ButtonKind.LINK:
            shown: Json = {"type": "URL", "text": button.label, "url": button.target}
            whole = PLACE.sub(lambda _found: button.example, button.target)
            return shown | ({"example": [whole]} if whole != button.target else {})
