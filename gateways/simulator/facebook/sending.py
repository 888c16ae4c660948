"""What POST /{page}/messages takes: checked as Meta checks it, and made into what the client sees.

platforms/facebook.md sections 2, 3 and 6, after developers.facebook.com/docs/messenger-platform.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways.markup import RichText
from gateways.simulator.meta import GraphError
from gateways.simulator.phones import ChatButton, ChatCard, ChatMedia

Json = dict[str, Any]

DEAD_TAGS = frozenset({"CONFIRMED_EVENT_UPDATE", "POST_PURCHASE_UPDATE", "ACCOUNT_UPDATE"})
MESSAGING_TYPES = frozenset({"RESPONSE", "UPDATE", "MESSAGE_TAG", "UTILITY"})
MEDIA = {"image": "picture", "video": "video", "audio": "audio", "file": "file"}
_BUTTON_TYPES = frozenset({"web_url", "postback", "phone_number", "account_link", "account_unlink"})
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a message shows, before it is anybody's. `weight` is the budget that it uses: "text" or "video"."""

    text: str = ""
    media: tuple[ChatMedia, ...] = ()
    rows: tuple[tuple[ChatButton, ...], ...] = ()
    cards: tuple[ChatCard, ...] = ()
    weight: str = "text"

    @property
    def rich(self) -> RichText:
        return RichText(self.text)


def recipient_of(values: Any) -> str:
    """The page-scoped id that a body names; "" where it names none."""
    recipient = values.get("recipient") if isinstance(values, Mapping) else None
    found = recipient.get("id") if isinstance(recipient, Mapping) else None
    return found if isinstance(found, str) else ""


def read_envelope(values: Any) -> tuple[str, str, Json]:
    """messaging_type, tag and message. Raises GraphError."""
    if not isinstance(values, dict):
        raise GraphError(100, "(#100) The body must be JSON")
    if not recipient_of(values):
        raise GraphError(100, "(#100) param recipient must be non-empty.")
    messaging_type, tag = str(values.get("messaging_type") or "RESPONSE"), str(values.get("tag") or "")
    if messaging_type not in MESSAGING_TYPES:
        raise GraphError(100, "(#100) Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG, UTILITY}")
    if messaging_type == "MESSAGE_TAG" and (tag in DEAD_TAGS or tag not in ("HUMAN_AGENT", "CUSTOMER_FEEDBACK")):
        raise GraphError(100, f"(#100) The tag {tag} is no longer supported")
    message = values.get("message")
    if not isinstance(message, dict):
        raise GraphError(100, "(#100) Param message must be a JSON object")
    _require_length("metadata", message.get("metadata", ""), 999)
    shapes = [name for name in ("text", "attachment", "attachments", "template") if message.get(name)]
    if len(shapes) != 1:
        raise GraphError(100, "(#100) A message must have exactly one of text, attachment, attachments or template")
    return messaging_type, tag, message


def seen_of(message: Json, attachments: Mapping[str, ChatMedia]) -> Seen:
    """A message of the standard kinds as the client sees it; `attachments` are the Page's ids that live. Raises
    GraphError."""
    chips = _quick_replies(message.get("quick_replies") or [])
    rows = (chips,) if chips else ()
    if "text" in message:
        _require_length("message[text]", message["text"], 2000)
        return Seen(message["text"], rows=rows)
    attachment = message.get("attachment")
    if not isinstance(attachment, dict):
        raise GraphError(100, "(#100) message[attachment] must be an object")
    payload = attachment.get("payload")
    if not isinstance(payload, dict):
        raise GraphError(100, "(#100) message[attachment][payload] must be an object")
    kind = attachment.get("type")
    if kind in MEDIA:
        media = _media(kind, payload, attachments)
        return Seen(media=(media,), rows=rows, weight="video" if kind in ("video", "audio") else "text")
    if kind != "template":
        raise GraphError(100, "(#100) Param message[attachment][type] must be one of {image, video, audio, file, ...}")
    return _template(payload, attachments, rows)


def utility_of(message: Json, templates: Sequence[Json]) -> Seen:
    """A template with its values, as the client sees it. Raises GraphError."""
    template = message["template"]
    name = template.get("name") if isinstance(template, dict) else None
    language = (template.get("language") or {}).get("code") if isinstance(template, dict) else None
    known = next((each for each in templates if (each["name"], each["language"]) == (name, language)), None)
    if known is None or known["status"] != "APPROVED":
        raise GraphError(100, "(#100) The message template does not exist or is not approved", 2018331)
    given = {each["type"]: each.get("parameters", []) for each in template.get("components", [])}
    if unknown := set(given) - {"header", "body", "buttons"}:
        raise GraphError(100, f"(#100) Invalid component type {min(unknown)}")
    text = "\n".join(
        _filled(component, given.get(component["type"].lower(), []))
        for component in known["components"]
        if component["type"] in ("HEADER", "BODY") and component.get("text")
    )
    shown: list[Json] = next((each["buttons"] for each in known["components"] if each["type"] == "BUTTONS"), [])
    return Seen(text, rows=tuple((button,) for button in _utility_buttons(shown, given.get("buttons", []))))


def _filled(component: Json, parameters: Sequence[Json]) -> str:
    """The component's text, its places filled by position or by name."""
    text = component["text"]
    places = list(dict.fromkeys(_PLACE.findall(text)))
    if len(places) != len(parameters):
        raise GraphError(100, f"(#100) Expected {len(places)} parameters, got {len(parameters)}")
    values = {str(each.get("parameter_name", places[number])): each["text"] for number, each in enumerate(parameters)}
    if set(values) != set(places):
        raise GraphError(100, "(#100) Parameter name is missing or wrong")
    return _PLACE.sub(lambda found: values[found[1]], text)


def _utility_buttons(shown: Sequence[Json], parameters: Sequence[Json]) -> list[ChatButton]:
    left = list(parameters)
    buttons: list[ChatButton] = []
    for button in shown:
        kind = button["type"]
        target = "url" if kind == "URL" else "payload"
        written = str(button.get(target, ""))
        if _PLACE.search(written):
            if not left or left[0].get("type") != kind:
                raise GraphError(100, f"(#100) A button of the type {kind} needs its parameter")
            written = str(left.pop(0)[target]).join(_PLACE.split(written)[::2])
        buttons.append(ChatButton(button["text"], "link" if kind == "URL" else "reply", written))
    if left:
        raise GraphError(100, "(#100) There are more button parameters than buttons that take one")
    return buttons


def _template(payload: Json, attachments: Mapping[str, ChatMedia], rows: tuple[tuple[ChatButton, ...], ...]) -> Seen:
    match payload.get("template_type"):
        case "button":
            _require_length("text", payload.get("text", ""), 640)
            return Seen(payload["text"], rows=_rows(payload.get("buttons"), 1) + rows)
        case "generic":
            elements = payload.get("elements")
            if not isinstance(elements, list) or not 1 <= len(elements) <= 10:
                raise GraphError(100, "(#100) param elements must have 1 to 10 entries")
            return Seen(cards=tuple(_card(each) for each in elements), rows=rows)
        case "media":
            (element,) = payload["elements"]
            media = _media(element.get("media_type", ""), element, attachments)
            return Seen(media=(media,), rows=_rows(element.get("buttons"), 0) + rows)
    raise GraphError(100, "(#100) Invalid template type")


def _card(element: Json) -> ChatCard:
    _require_length("title", element.get("title", ""), 80)
    if len([name for name in element if element[name]]) < 2:
        raise GraphError(100, "(#100) An element needs a title and at least one more property")
    subtitle = element.get("subtitle", "")
    if len(subtitle) > 80:
        raise GraphError(100, "(#100) Length of param subtitle must be less than or equal to 80")
    buttons = tuple(row[0] for row in _rows(element.get("buttons"), 0))
    _require_https(element.get("image_url", "https://"))
    return ChatCard(element["title"], subtitle, element.get("image_url", ""), buttons)


def _rows(buttons: Any, least: int) -> tuple[tuple[ChatButton, ...], ...]:
    """A template's buttons stand under each other."""
    found = buttons if isinstance(buttons, list) else []
    if not least <= len(found) <= 3:
        raise GraphError(100, "(#100) param buttons must have 1 to 3 entries")
    rows: list[tuple[ChatButton, ...]] = []
    for button in found:
        kind = button.get("type")
        if kind not in _BUTTON_TYPES:
            raise GraphError(100, "(#100) Invalid button type")
        _require_length("title", button.get("title", ""), 20)
        if kind == "web_url":
            _require_https(button.get("url", ""))
            rows.append((ChatButton(button["title"], "link", button["url"]),))
        else:
            _require_length("payload", button.get("payload", ""), 1000)
            rows.append((ChatButton(button["title"], "reply", button["payload"]),))
    return tuple(rows)


def _quick_replies(replies: Any) -> tuple[ChatButton, ...]:
    if not isinstance(replies, list) or len(replies) > 13:
        raise GraphError(100, "(#100) A message takes up to 13 quick replies")
    for reply in replies:
        if reply.get("content_type") == "text":
            _require_length("title", reply.get("title", ""), 20)
            _require_length("payload", reply.get("payload", ""), 1000)
    return tuple(ChatButton(reply.get("title", ""), "chip", reply.get("payload", "")) for reply in replies)


def _media(kind: str, payload: Json, attachments: Mapping[str, ChatMedia]) -> ChatMedia:
    if "attachment_id" in payload:
        found = attachments.get(str(payload["attachment_id"]))
        if found is None or found.kind != MEDIA.get(kind):
            raise GraphError(100, "(#100) The attachment id is invalid or not allowed", 2018074)
        return found
    if not isinstance(payload.get("url"), str):
        raise GraphError(100, "(#100) The attachment has neither a URL nor an id", 2018047)
    return ChatMedia(MEDIA[kind], url=payload["url"])


def _require_length(name: str, value: Any, most: int) -> None:
    if not isinstance(value, str):
        raise GraphError(100, f"(#100) Param {name} must be a string")
    if name != "metadata" and not value.strip():
        raise GraphError(100, f"(#100) Param {name} must be non-empty")
    if len(value) > most:
        raise GraphError(100, f"(#100) Length of param {name} must be less than or equal to {most}")


def _require_https(url: Any) -> None:
    # http is taken on loopback, where tests have no certificate.
    if not isinstance(url, str) or not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise GraphError(100, "(#100) The URL must be https")
