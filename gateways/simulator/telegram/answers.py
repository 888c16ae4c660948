"""What the simulated Bot API says: the envelope, and refusals in the platform's own words."""

import json
from typing import Any

Json = dict[str, Any]

# Telegram writes letters as they are, without spaces; the encoder is made once because it is on the hot path.
to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

_PREFIXES = {
    400: "Bad Request: ",
    401: "Unauthorized",
    403: "Forbidden: ",
    404: "Not Found",
    409: "Conflict: ",
    413: "Request Entity Too Large",
    429: "Too Many Requests: ",
    500: "Internal Server Error: ",
}


class Refusal(Exception):
    """An `ok: false` answer; `words` stand after the class prefix of the code."""

    def __init__(self, code: int, words: str = "", parameters: Json | None = None) -> None:
        super().__init__(code, words)
        self.code = code
        self.description = _PREFIXES.get(code, "") + words
        self.parameters = parameters

    @property
    def retry_after_s(self) -> int | None:
        return None if self.parameters is None else self.parameters.get("retry_after")

    def body(self) -> bytes:
        answer: Json = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            answer["parameters"] = self.parameters
        return to_json(answer).encode("utf-8", "replace")


def bad(words: str) -> Refusal:
    return Refusal(400, words)


def throttled(retry_after_s: int) -> Refusal:
    return Refusal(429, f"retry after {retry_after_s}", {"retry_after": retry_after_s})


class Said:
    """A result with the description that Telegram adds on webhook methods."""

    __slots__ = ("description", "result")

    def __init__(self, result: object, description: str) -> None:
        self.result = result
        self.description = description


def accepted_body(result: object) -> bytes:
    if isinstance(result, Said):
        return to_json({"ok": True, "result": result.result, "description": result.description}).encode()
    return ('{"ok":true,"result":' + to_json(result) + "}").encode("utf-8", "replace")
