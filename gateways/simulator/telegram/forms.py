"""Parameters of a call, however they travelled: query, urlencoded, JSON or multipart with attach://."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import BodyPartReader, web

from gateways.simulator.telegram.answers import Refusal, bad

MAX_BODY_BYTES = 52 * 1024 * 1024  # 50 MB for a file and some for the rest; core.telegram.org/bots/api#sending-files
_TRUE = frozenset({"true", "yes", "1"})
# Strings stay strings when a call is shown to a test, also where they look like numbers or JSON.
_WORDS = frozenset(
    [
        "text",
        "caption",
        "callback_query_id",
        "parse_mode",
        "url",
        "title",
        "address",
        "phone_number",
        "first_name",
        "last_name",
        "vcard",
        "secret_token",
        "file_name",
        "file_id",
        "photo",
        "document",
        "video",
        "animation",
        "audio",
        "voice",
        "sticker",
        "performer",
        "description",
        "name",
        "username",
    ]
)


@dataclass(frozen=True, slots=True)
class Upload:
    file_name: str
    mime_type: str
    content: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.content)


class Call:
    """The parameters of one call; the getters answer in Python's types and refuse as Telegram does."""

    __slots__ = ("files", "values")

    def __init__(self, values: dict[str, Any], files: Mapping[str, Upload]) -> None:
        self.values = values
        self.files = files

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value)

    def number(self, name: str, default: int = 0) -> int:
        try:
            return int(self.values.get(name, default))
        except (TypeError, ValueError):
            return default

    def fraction(self, name: str) -> float | None:
        try:
            return float(self.values[name])
        except (KeyError, TypeError, ValueError):
            return None

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        return value is True or str(value).lower() in _TRUE

    def nested(self, name: str) -> Any:
        """An object or array, sent as JSON inside a form or as itself inside JSON; None when absent."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise bad(f"can't parse {name.replace('_', ' ')} JSON object") from None

    def upload(self, name: str, reference: str) -> Upload | None:
        """The bytes that `reference` points to: attach://key, or a part that has the parameter's own name."""
        if reference.startswith("attach://"):
            return self.files.get(reference.removeprefix("attach://"))
        return None if reference else self.files.get(name)


def decoded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as a test compares them: numbers, flags and nested objects as Python's, words as they are."""
    return {name: value if name in _WORDS else _decoded(value) for name, value in values.items()}


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


async def read_call(request: web.BaseRequest, query: str) -> Call:
    """Raises Refusal for a body that Telegram would not read either."""
    values: dict[str, Any] = _parse_form(query.encode()) if query else {}
    if not request.body_exists:
        return Call(values, {})
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise Refusal(413)
    kind = request.headers.get("Content-Type", "")
    if kind.startswith("multipart/form-data"):
        return await _read_multipart(request, values)
    body = await request.content.read(-1)
    if kind.startswith("application/json"):
        return Call(values | _read_json(body), {})
    if kind.startswith("application/x-www-form-urlencoded"):
        values.update(_parse_form(body))
    return Call(values, {})


def _parse_form(body: bytes) -> dict[str, Any]:
    # The standard parse_qsl costs more than all the rest of a sendMessage.
    return {
        _unquoted(name): _unquoted(value)
        for name, _, value in (pair.partition(b"=") for pair in body.split(b"&"))
        if name
    }


def _unquoted(part: bytes) -> str:
    part = part.replace(b"+", b" ")
    return (unquote_to_bytes(part) if b"%" in part else part).decode("utf-8", "replace")


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body) if body else {}
    except ValueError:
        raise bad("object expected as JSON") from None
    if not isinstance(values, dict):
        raise bad("object expected as JSON")
    return values


async def _read_multipart(request: web.BaseRequest, values: dict[str, Any]) -> Call:
    files: dict[str, Upload] = {}
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            content = bytes(await part.read(decode=False))
            if part.filename is None:
                values[part.name] = content.decode("utf-8", "replace")
            else:
                mime_type = part.headers.get("Content-Type", "application/octet-stream")
                files[part.name] = Upload(part.filename, mime_type, content)
    except ValueError:
        raise bad("can't parse multipart form") from None
    return Call(values, files)
