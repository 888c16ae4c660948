"""A template of ours as a Content of Twilio's, to be approved for WhatsApp. Pure; platforms/twilio.md section 2.

twilio.com/docs/content, read November 2026: a content has one set of placeholders, so those of links are numbered on;
whatever has a head, a footer or buttons of several kinds is a whatsapp/card.
"""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from gateways.base import ButtonKind, NewButton, NewTemplate
from gateways.new_templates import PLACE, body_of

Json = dict[str, Any]


def content_of(new: NewTemplate, address_of: Callable[[str], str]) -> Json:
    """The body that makes it; `address_of` makes its picture a URL that Twilio can fetch, and may raise."""
    numbers = count(len(new.examples) + 1)
    variables = {str(number): example for number, example in enumerate(new.examples, start=1)}
    actions = [_action(one, numbers, variables) for one in new.buttons]
    name, shown = _type_of(new, actions, [address_of(new.picture)] if new.picture else [])
    content = {"friendly_name": new.name, "language": new.language, "variables": variables}
    return content | {"types": {name: {"body": body_of(new), **shown}}}


def is_same(content: Mapping[str, Any], wanted: Json) -> bool:
    """Whether a content as Twilio lists it is what `content_of` made."""
    return all(content.get(name) == wanted[name] for name in ("friendly_name", "language", "types"))


def _type_of(new: NewTemplate, actions: list[Json], media: list[str]) -> tuple[str, Json]:
    kinds = {one.kind for one in new.buttons}
    if new.header or new.footer or (media and actions) or (ButtonKind.REPLY in kinds and len(kinds) > 1):
        parts: Json = {"header_text": new.header, "footer": new.footer, "media": media, "actions": actions}
        return "whatsapp/card", {name: value for name, value in parts.items() if value}
    if media:
        return "twilio/media", {"media": media}
    if ButtonKind.REPLY in kinds:
        return "twilio/quick-reply", {"actions": actions}
    return ("twilio/call-to-action", {"actions": actions}) if actions else ("twilio/text", {})


def _action(button: NewButton, numbers: "count[int]", variables: dict[str, str]) -> Json:
    match button.kind:
        case ButtonKind.REPLY:
            # What is pressed comes back as the words that stand on it.
            return {"type": "QUICK_REPLY", "title": button.label, "id": button.label}
        case ButtonKind.CALL:
            return {"type": "PHONE_NUMBER", "title": button.label, "phone": button.target}
        case ButtonKind.LINK:
            url = button.target
            if PLACE.search(url):
                number = next(numbers)
                variables[str(number)] = button.example
                url = PLACE.sub(f"{{{{{number}}}}}", url)
            return {"type": "URL", "title": button.label, "url": url}
