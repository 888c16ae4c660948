"""Templates that Meta approved, as Messenger and WhatsApp list them alike: components HEADER, BODY and BUTTONS."""

import re
from collections.abc import Mapping
from typing import Any

from gateways.base import Template
from gateways.meta.hooks import id_of, text_of

FIELDS = "id,name,language,status,category,components,parameter_format,rejected_reason"

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_BUTTONS: Mapping[str, str] = {
    "QUICK_REPLY": "quick_reply",
    "POSTBACK": "quick_reply",  # Messenger's word for what comes back to us
    "PHONE_NUMBER": "phone",
    "COPY_CODE": "copy_code",
}


def read_template(entry: Mapping[str, Any]) -> Template:
    """One entry of `message_templates`; what it leaves out is empty."""
    components: Mapping[str, Mapping[str, Any]] = {
        text_of(each.get("type")).upper(): each for each in _list(entry, "components") if isinstance(each, dict)
    }
    header = components.get("HEADER", {})
    body = text_of(components.get("BODY", {}).get("text")) or text_of(entry.get("body"))  # cloned from Meta's library
    reason = text_of(entry.get("rejected_reason"))
    return Template(
        name=text_of(entry.get("name")),
        language=text_of(entry.get("language")),
        status=text_of(entry.get("status")).lower(),
        category=text_of(entry.get("category")).lower(),
        external_id=id_of(entry.get("id")),
        body=body,
        parameters=places_of(body),
        header=text_of(header.get("format")).lower() or ("text" if header.get("text") else ""),
        header_parameters=places_of(text_of(header.get("text"))),
        buttons=tuple(
            _button(each) for each in _list(components.get("BUTTONS", {}), "buttons") if isinstance(each, dict)
        ),
        reason="" if reason.upper() == "NONE" else reason,
    )


def places_of(text: str) -> tuple[str, ...]:
    """The names of the placeholders, each once: numbers in their order, words as they first stand."""
    names = tuple(dict.fromkeys(_PLACE.findall(text)))
    return tuple(sorted(names, key=int)) if all(name.isdecimal() for name in names) else names


def _button(button: Mapping[str, Any]) -> str:
    kind = text_of(button.get("type")).upper()
    if kind == "URL":
        return "url_parameter" if _PLACE.search(text_of(button.get("url"))) else "url"
    return _BUTTONS.get(kind, kind.lower())


def _list(holder: Mapping[str, Any], name: str) -> list[Any]:
    found = holder.get(name)
    return found if isinstance(found, list) else []
