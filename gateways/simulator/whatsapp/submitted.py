"""How Meta looks at a template that is submitted, before anybody reads it; and the samples that come along with one.

developers.facebook.com/documentation/business-messaging/whatsapp/templates and …/templates/template-media,
developers.facebook.com/docs/graph-api/guides/upload; read November 2026.
"""

import re
import secrets
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from aiohttp import web

from gateways.simulator.meta import GraphError
from gateways.simulator.platform import Call, json_response

Json = dict[str, Any]

INVALID = 2388299  # subcodes: a text that no template may have
SAYS_SAME = 2388024  # content in this language already exists
NO_EXAMPLE = 2388043
FORMAT = 2388273
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MOST = {"QUICK_REPLY": 10, "URL": 2, "PHONE_NUMBER": 1, "COPY_CODE": 1}
_KINDS = ("HEADER", "BODY", "FOOTER", "BUTTONS")


def require_good(given: Json, known: Sequence[Json], samples: Collection[str]) -> None:
    """Raises GraphError for what is refused at once; KeyError and the like for what is no template at all."""
    if not re.fullmatch(r"[a-z0-9_]{1,512}", given["name"]):
        raise _refused("Param name must be lowercase letters, digits and underscores")
    if given["category"] not in ("MARKETING", "UTILITY", "AUTHENTICATION"):
        raise _refused("Param category must be one of {AUTHENTICATION, MARKETING, UTILITY}")
    if any((one["name"], one["language"]) == (given["name"], given["language"]) for one in known):
        raise _refused("There is already content in this language for this template.", SAYS_SAME)
    parts = {part["type"]: part for part in given["components"]}
    if "BODY" not in parts or set(parts) - set(_KINDS):
        raise _refused("Param components must hold a body")
    _require_text(parts["BODY"], 1024, "body_text")
    if "HEADER" in parts:
        _require_header(parts["HEADER"], samples)
    if "FOOTER" in parts and (len(parts["FOOTER"]["text"]) > 60 or _PLACE.search(parts["FOOTER"]["text"])):
        raise _refused("The footer has too many characters, or a variable.", INVALID)
    _require_buttons(parts.get("BUTTONS", {}).get("buttons", []))


def _require_header(header: Json, samples: Collection[str]) -> None:
    if header["format"] == "TEXT":
        _require_text(header, 60, "header_text", edges=False)
    elif not set(header.get("example", {}).get("header_handle", [""])) <= set(samples):
        raise _refused("Message templates with a media header need a sample of it.", FORMAT)


def _require_text(part: Json, most: int, name: str, *, edges: bool = True) -> None:
    text = part["text"]
    if not text or len(text) > most:
        raise _refused(f"The text of the template has to be 1 to {most} characters long.", INVALID)
    if edges and re.search(r"^\s*\{\{|\}\}\s*$", text):
        raise _refused("Variables can't be at the start or end of the template.", INVALID)
    if re.search(r"\}\}\s*\{\{", text):
        raise _refused("This template has too many variable parameters in a row.", INVALID)
    places = list(dict.fromkeys(_PLACE.findall(text)))
    if not places:
        return
    example = part.get("example", {})
    values = example.get(name) or [one["example"] for one in example.get(f"{name}_named_params", [])]
    given = values[0] if values and isinstance(values[0], list) else values
    if len(given) != len(places) or not all(given):
        raise _refused("A template with variables needs a sample for each of them.", NO_EXAMPLE)


def _require_buttons(buttons: Sequence[Json]) -> None:
    kinds = [button["type"] for button in buttons]
    for kind in kinds:
        if kind not in _MOST or kinds.count(kind) > _MOST[kind] or len(kinds) > 10:
            raise _refused("Too many buttons of a kind, or of a kind that does not exist.", INVALID)
    if sum(one != two for one, two in pairwise(kinds)) >= len(set(kinds)) > 0:
        raise _refused("Quick replies and other buttons have to be grouped.", INVALID)
    for button in buttons:
        if button["type"] != "COPY_CODE" and not 0 < len(button["text"]) <= 25:
            raise _refused("A button's text has to be 1 to 25 characters long.", INVALID)
        places = list(_PLACE.finditer(button.get("url", "")))
        if len(places) > 1 or any(place.end() != len(button["url"]) for place in places):
            raise _refused("A link may have one variable, at its end.", INVALID)
        if places and not any(button.get("example", [])):
            raise _refused("A link with a variable needs a sample.", NO_EXAMPLE)
        if button["type"] == "PHONE_NUMBER" and not re.fullmatch(r"\+[0-9]{5,19}", button["phone_number"]):
            raise _refused("Param phone_number is no phone number.", INVALID)


def _refused(words: str, subcode: int = 0) -> GraphError:
    title = "Message template can't be added"
    return GraphError(
        100, "Invalid parameter", subcode, is_transient=False, error_user_title=title, error_user_msg=words
    )


class SampleShelf:
    """Resumable uploads: a session, then the bytes, then a handle."""

    def __init__(self) -> None:
        self.handles: set[str] = set()
        self._sessions: dict[str, int] = {}  # the length that was named

    def is_session(self, name: str) -> bool:
        return name.startswith("upload:")

    def answer(self, call: Call, name: str) -> web.Response:
        """`name` is the first part of the path: `app`, or a session. Raises GraphError."""
        if not self.is_session(name):
            given = call.json
            if given["file_type"] not in ("image/jpeg", "image/png", "video/mp4", "application/pdf"):
                raise GraphError(100, "(#100) Param file_type is not supported")
            session = f"upload:{secrets.token_urlsafe(12)}"
            self._sessions[session] = int(given["file_length"])
            return json_response({"id": f"{session}?sig={secrets.token_urlsafe(6)}"})
        if name not in self._sessions or not call.query.get("sig"):
            raise GraphError(100, "(#100) The upload session does not exist", 33)
        if call.headers.get("file_offset") != "0" or len(call.body) != self._sessions[name]:
            raise GraphError(100, "(#100) The file is not as long as it was said to be")
        handle = f"4::{secrets.token_urlsafe(16)}"
        self.handles.add(handle)
        return json_response({"h": handle})
