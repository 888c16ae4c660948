"""One bot's calls over HTTP: JSON posted with the token in a header, and the status of the answer."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from yarl import URL

from gateways.base import OutcomeUnknown, Unavailable
from gateways.http import HttpClient
from gateways.viber.errors import MAX_WORDS, TOO_MANY_REQUESTS, error_of, error_without_status

Json = dict[str, Any]

CALL_S = 30.0
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Reply(NamedTuple):
    """`status` as Viber says it; `of_channel`: a refusal that surely is about all our calls, not about one client."""

    status: int
    words: str
    body: Mapping[str, Any]
    of_channel: bool = False


def encode(values: Mapping[str, Any]) -> bytes:
    # Escaped, Cyrillic would take three times the bytes; a lone half of an emoji must not fail the rest.
    return _encode(values).encode("utf-8", "replace")


class ViberApi:
    def __init__(self, http: HttpClient, api_base: str, token: str, *, call_s: float) -> None:
        self._http = http
        self._base = api_base.rstrip("/")
        self._token = token
        self._headers = {"Content-Type": "application/json", "X-Viber-Auth-Token": token}
        self._urls: dict[str, URL] = {}
        self._call_s = call_s

    async def post(self, method: str, body: bytes, hidden: str = "") -> Reply:
        """The answer, whatever its status; its words without the token and without `hidden`. Raises GatewayError
        where there is no answer of Viber."""
        http_status, content, _ = await self._http.post(self._url(method), body, self._headers, total_s=self._call_s)
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        status = whole(answer.get("status")) if isinstance(answer, Mapping) else None
        if status is None and http_status == 429:
            return Reply(TOO_MANY_REQUESTS, "HTTP 429", {}, of_channel=True)
        if status is None:
            raise error_without_status(http_status)
        return Reply(status, self._clean(answer.get("status_message"), hidden), answer)

    async def ask(self, method: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a call that may be repeated, so that its outcome is never unknown. Raises GatewayError."""
        try:
            reply = await self.post(method, encode(values))
        except OutcomeUnknown as error:
            raise Unavailable(error.words, code=error.code) from None
        if reply.status == TOO_MANY_REQUESTS:
            raise Unavailable(reply.words, code=str(reply.status))
        if reply.status:
            raise error_of(reply.status, reply.words)
        return reply.body

    def _clean(self, said: Any, hidden: str) -> str:
        words = str(said or "").replace(self._token, "…")
        return (words.replace(hidden, "…") if len(hidden) > 3 else words)[:MAX_WORDS]

    def _url(self, method: str) -> URL:
        url = self._urls.get(method)
        if url is None:
            url = self._urls[method] = URL(f"{self._base}/{method}")
        return url


def whole(value: Any) -> int | None:
    """A whole number, also one that came as digits; anything else is None. A float has lost digits of a token."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20 else None
