"""What POST /{number}/messages takes: checked as the Cloud API checks it, and made into what the client sees.

platforms/whatsapp.md sections 2 and 3, after developers.facebook.com …/whatsapp/messages.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways.simulator.meta import GraphError
from gateways.simulator.phones import ChatButton, ChatMedia

Json = dict[str, Any]

MEDIA = {"image": "picture", "video": "video", "document": "file", "audio": "audio", "sticker": "sticker"}
_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_UNSENDABLE = re.compile(r"[\n\t]| {5,}")
_LANGUAGE_MAX = 20

FindMedia = Callable[[str], ChatMedia | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a message shows, before it is anybody's. `template` is what the account knows it as."""

    text: str = ""
    media: tuple[ChatMedia, ...] = ()
    rows: tuple[tuple[ChatButton, ...], ...] = ()
    template: Json | None = None


def missing(what: str) -> GraphError:
    return _error(131008, "Required parameter is missing", f"The parameter {what} is required.")


def wrong(what: str) -> GraphError:
    return _error(131009, "Parameter value is not valid", f"Parameter {what} is not valid.")


def _error(code: int, title: str, details: str, status: int = 400) -> GraphError:
    data = {"messaging_product": "whatsapp", "details": details}
    return GraphError(code, f"(#{code}) {title}", status=status, error_data=data)


def recipient_of(values: Any) -> str:
    """Digits of the phone or a business-scoped id that a body names; "" where it names none."""
    if not isinstance(values, Mapping):
        return ""
    if isinstance(values.get("to"), str):
        return re.sub(r"\D", "", values["to"])
    found = values.get("recipient")
    return found if isinstance(found, str) and _USER_ID.fullmatch(found) else ""


def seen_of(values: Any, templates: Sequence[Json], find_media: FindMedia) -> Seen:
    """A message as the client sees it. Raises GraphError."""
    if not isinstance(values, dict):
        raise GraphError(100, "(#100) The body must be JSON")
    if values.get("messaging_product") != "whatsapp":
        raise GraphError(100, "(#100) The parameter messaging_product is required.")
    if "to" not in values and "recipient" not in values:
        raise missing("to")
    if not recipient_of(values):
        raise wrong("to")
    opaque = values.get("biz_opaque_callback_data", "")
    if not isinstance(opaque, str) or len(opaque) > 512:
        raise wrong("biz_opaque_callback_data")
    kind = values.get("type", "text")
    content = values.get(kind)
    if not isinstance(content, dict):
        raise missing(str(kind))
    if kind == "text":
        return Seen(_text("text['body']", content.get("body"), 4096))
    if kind in MEDIA:
        caption = content.get("caption", "")
        if caption and kind in ("audio", "sticker"):
            raise wrong(f"{kind}['caption']")
        return Seen(_text("caption", caption, 1024, least=0), (_media(kind, content, find_media),))
    if kind == "location":
        return Seen(media=(_place(content),))
    if kind == "interactive":
        return _interactive(content, find_media)
    if kind == "template":
        return _template(content, templates, find_media)
    raise GraphError(100, f"(#100) Param type must be one of {{TEXT, IMAGE, …}} - got {kind!r}.")


# --- interactive ---


def _interactive(content: Json, find_media: FindMedia) -> Seen:
    body = _text("interactive['body']['text']", (content.get("body") or {}).get("text"), 1024)
    footer = (content.get("footer") or {}).get("text", "")
    _text("footer", footer, 60, least=0)
    kind, action = content.get("type"), content.get("action")
    if not isinstance(action, dict):
        raise missing("interactive['action']")
    header = content.get("header") or {}
    above, media = _header(header, kind, find_media)
    text = "\n".join(filter(None, (above, body, footer)))
    if kind == "button":
        return Seen(text, media, _replies(action))
    if kind == "list":
        return Seen(text, media, _list(action))
    if kind == "cta_url":
        parameters = action.get("parameters")
        if action.get("name") != "cta_url" or not isinstance(parameters, dict):
            raise wrong("action")
        label = _text("display_text", parameters.get("display_text"), 20)
        url = _text("url", parameters.get("url"), 2000)
        if not re.match(r"https?://[^\s/]", url):
            raise wrong("url")
        return Seen(text, media, ((ChatButton(label, "link", url),),))
    raise wrong("interactive['type']")


def _header(header: Json, kind: Any, find_media: FindMedia) -> tuple[str, tuple[ChatMedia, ...]]:
    if not header:
        return "", ()
    shown = header.get("type")
    if shown == "text":
        return _text("header", header.get("text"), 60), ()
    if kind == "list" or shown not in ("image", "video", "document"):
        raise wrong("interactive['header']['type']")
    return "", (_media(shown, header.get(shown) or {}, find_media),)


def _replies(action: Json) -> tuple[tuple[ChatButton, ...], ...]:
    buttons = action.get("buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
        raise wrong("action['buttons']: invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3")
    replies = [button["reply"] for button in buttons if button["type"] == "reply"]
    if len(replies) != len(buttons):
        raise wrong("action['buttons']")
    made = [ChatButton(_text("title", each["title"], 20), "reply", _text("id", each["id"], 256)) for each in replies]
    _require_unique(made)
    return tuple((each,) for each in made)


def _list(action: Json) -> tuple[tuple[ChatButton, ...], ...]:
    _text("action['button']", action.get("button"), 20)
    sections = action.get("sections")
    if not isinstance(sections, list) or not 1 <= len(sections) <= 10:
        raise wrong("action['sections']")
    rows: list[ChatButton] = []
    for section in sections:
        _text("section['title']", section.get("title", ""), 24, least=1 if len(sections) > 1 else 0)
        for row in section["rows"]:
            _text("description", row.get("description", ""), 72, least=0)
            rows.append(ChatButton(_text("title", row["title"], 24), "row", _text("id", row["id"], 200)))
    if not 1 <= len(rows) <= 10:
        raise wrong("action['sections']: total row count exceeds max allowed count: 10")
    _require_unique(rows)
    return tuple((row,) for row in rows)


def _require_unique(buttons: Sequence[ChatButton]) -> None:
    titles = {button.label for button in buttons if button.action == "reply"}
    if buttons[0].action == "reply" and len(titles) < len(buttons):
        raise wrong("action['buttons']: duplicated title")
    if len({button.value for button in buttons}) < len(buttons):
        raise wrong("action: duplicated id")


# --- templates ---


def _template(content: Json, templates: Sequence[Json], find_media: FindMedia) -> Seen:
    name, language = content.get("name"), (content.get("language") or {}).get("code")
    known = next((each for each in templates if (each["name"], each["language"]) == (name, language)), None)
    if known is None or known["status"] not in ("APPROVED", "PAUSED", "DISABLED"):
        details = f"template name ({name}) does not exist in {language}"
        raise _error(132001, "Template name does not exist in the translation", details, 404)
    if known["status"] != "APPROVED":
        code = 132015 if known["status"] == "PAUSED" else 132016
        raise _error(code, f"Template is {known['status']}", "Template cannot be sent.")
    given = content.get("components") or []
    parts = {part["type"]: part for part in known["components"]}
    values = {each["type"].lower(): each.get("parameters", []) for each in given if each["type"].lower() != "button"}
    above, media = _template_header(parts.get("HEADER", {}), values.get("header", []), find_media)
    body = _filled(parts.get("BODY", {}).get("text", ""), values.get("body", []), "body")
    if len(body) > 1024:
        raise _error(132005, "Hydrated text too long", "body: translated text too long")
    footer = parts.get("FOOTER", {}).get("text", "")
    buttons = _template_buttons(parts.get("BUTTONS", {}).get("buttons", []), given)
    rows = tuple((button,) for button in buttons)
    return Seen("\n".join(filter(None, (above, body, footer))), media, rows, known)


def _template_header(part: Json, values: Sequence[Json], find_media: FindMedia) -> tuple[str, tuple[ChatMedia, ...]]:
    shown = part.get("format", "").lower()
    if shown in ("", "text"):
        return _filled(part.get("text", ""), values, "header"), ()
    if len(values) != 1 or values[0].get("type") != shown:
        raise _error(132012, "Parameter format does not match", f"header: Format mismatch, expected {shown.upper()}")
    if shown == "location":
        return "", (_place(values[0]["location"]),)
    return "", (_media(shown, values[0][shown], find_media),)


def _filled(text: str, values: Sequence[Json], where: str) -> str:
    """The text with its places filled in order, or by name where they are words."""
    places = list(dict.fromkeys(_PLACE.findall(text)))
    if len(places) != len(values):
        details = f"{where}: number of localizable_params ({len(values)}) does not match the expected ({len(places)})"
        raise _error(132000, "Number of parameters does not match the expected number of params", details)
    by_name = {str(each.get("parameter_name", number)): each for number, each in enumerate(values, start=1)}
    if set(by_name) != set(places):
        raise _error(132012, "Parameter format does not match", f"{where}: parameter_name is missing or wrong")
    return _PLACE.sub(lambda found: _value(by_name[found[1]], where), text)


def _value(parameter: Json, where: str) -> str:
    if parameter["type"] in ("currency", "date_time"):
        return str(parameter[parameter["type"]]["fallback_value"])
    text = parameter.get("text")
    if not isinstance(text, str) or not text.strip():
        raise missing(f"{where} text")
    if _UNSENDABLE.search(text):
        details = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
        raise _error(132018, "There's an issue with the parameters in your template", details)
    return text


def _template_buttons(shown: Sequence[Json], given: Sequence[Json]) -> list[ChatButton]:
    values = {str(each["index"]): each for each in given if each["type"].lower() == "button"}
    if unknown := set(values) - {str(index) for index in range(len(shown))}:
        raise _error(132012, "Parameter format does not match", f"There is no button {min(unknown)}")
    return [_template_button(button, values.get(str(index)), index) for index, button in enumerate(shown)]


_SUB_TYPES = {"URL": "url", "OTP": "url", "QUICK_REPLY": "quick_reply", "COPY_CODE": "copy_code"}


def _template_button(button: Json, given: Json | None, index: int) -> ChatButton:
    kind, label = button["type"], button.get("text", "Copy code")
    if given is not None and str(given.get("sub_type")).lower() != _SUB_TYPES.get(kind):
        raise _error(132012, "Parameter format does not match", f"Button {index} takes no {given.get('sub_type')}")
    parameter = given["parameters"][0] if given is not None else {}
    if kind == "QUICK_REPLY":
        # Without a payload its own words come back.
        payload = _text("payload", parameter["payload"], 256) if given is not None else label
        return ChatButton(label, "quick_reply", payload)
    if kind == "URL" and not _PLACE.search(button["url"]):
        return ChatButton(label, "link", button["url"])
    if kind in ("URL", "OTP", "COPY_CODE") and given is None:
        raise missing(f"Button at index {index} of type {kind.title()} requires a parameter")
    if kind == "URL":
        return ChatButton(label, "link", _PLACE.sub(lambda _: parameter["text"], button["url"]))
    if kind == "COPY_CODE":
        return ChatButton(label, "copy", _text("coupon_code", parameter["coupon_code"], 20))
    return ChatButton(label, kind.lower(), str(parameter.get("text", button.get("phone_number", ""))))


# --- what all have in common ---


def _text(what: str, value: Any, most: int, *, least: int = 1) -> str:
    if value is None and least:
        raise missing(what)
    if not isinstance(value, str) or not least <= len(value.strip() if least else value) or len(value) > most:
        raise wrong(f"{what}: length must be between {least} and {most}")
    return value


def _media(kind: str, content: Json, find_media: FindMedia) -> ChatMedia:
    name = str(content.get("filename", ""))
    if isinstance(content.get("id"), str):
        media = find_media(content["id"])
        if media is None or media.kind != MEDIA[kind]:
            raise wrong(f"{kind}['id']: is not a valid whatsapp business account media attachment ID")
        return ChatMedia(media.kind, name=name or media.name, content=media.content)
    if isinstance(content.get("link"), str) and content["link"].startswith(("https://", "http://")):
        return ChatMedia(MEDIA[kind], url=content["link"], name=name)
    raise missing(f"{kind}: one of id or link")


def _place(content: Json) -> ChatMedia:
    try:
        latitude, longitude = float(content["latitude"]), float(content["longitude"])
    except (KeyError, TypeError, ValueError):
        raise missing("location['latitude']") from None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise wrong("location")
    return ChatMedia("location", url=f"geo:{latitude},{longitude}", name=str(content.get("name", "")))
