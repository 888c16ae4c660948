"""Forms with files, as browsers send them: multipart/form-data of RFC 7578."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways.jsons import write_json

_BREAKS = re.compile(r"[\x00\r\n]+")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that goes along with a call."""

    name: str
    content_type: str
    content: bytes


def form_with_files(fields: Mapping[str, Any], files: Mapping[str, Upload]) -> tuple[str, Sequence[bytes]]:
    """The Content-Type, and the body in pieces, so that a large file is not copied; a field that is no text is JSON."""
    boundary = secrets.token_hex(16)
    pieces: list[bytes] = []
    for name, value in fields.items():
        content = value.encode("utf-8", "replace") if isinstance(value, str) else write_json(value)
        pieces.append(_head(boundary, f'name="{_quoted(name)}"') + content + b"\r\n")
    for name, file in files.items():
        what = f'name="{_quoted(name)}"; filename="{_quoted(file.name)}"\r\nContent-Type: {_plain(file.content_type)}'
        pieces += [_head(boundary, what), file.content, b"\r\n"]
    return f"multipart/form-data; boundary={boundary}", [*pieces, f"--{boundary}--\r\n".encode()]


def _head(boundary: str, what: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; {what}\r\n\r\n".encode("utf-8", "replace")


def _quoted(name: str) -> str:
    return _plain(name).replace("\\", "\\\\").replace('"', '\\"')


def _plain(words: str) -> str:
    """On one line: a file's name must not become a header."""
    return _BREAKS.sub(" ", words)
