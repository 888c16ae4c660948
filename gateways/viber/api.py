"""One bot's calls over HTTP: JSON posted with the token in a header, and the status of the answer."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from yarl import URL

from gateways.base import OutcomeUnknown, Unavailable
from gateways.http import HttpClient, Target, target
from gateways.jsons import read_json, write_json
from gateways.viber.errors import MAX_WORDS, TOO_MANY_REQUESTS, error_of, error_without_status

Json = dict[str, Any]

CALL_S = 30.0


class Reply(NamedTuple):
    """`status` as Viber says it; `of_channel`: a refusal that surely is about all our calls, not about one client."""

    status: int
    words: str
    body: Mapping[str, Any]
    of_channel: bool = False


class ViberApi:
    def __init__(self, http: HttpClient, api_base: str, token: str, *, call_s: float) -> None:
        self._http = http
        self._base = api_base.rstrip("/")
        self._token = token
        self._headers = {"Content-Type": "application/json", "X-Viber-Auth-Token": token}
        self._targets: dict[str, Target] = {}
        self._call_s = call_s

    async def post(self, method: str, body: bytes, hidden: str = "") -> Reply:
        """The answer, whatever its status; its words without the token and without `hidden`. Raises GatewayError
        where there is no answer of Viber."""
        http_status, content, _ = await self._http.call(self._target(method), body, total_s=self._call_s)
        answer = read_json(content)
        status = whole(answer.get("status")) if isinstance(answer, Mapping) else None
        if status is None and http_status == 429:
            return Reply(TOO_MANY_REQUESTS, "HTTP 429", {}, of_channel=True)
        if status is None:
            raise error_without_status(http_status)
        return Reply(status, self._clean(answer.get("status_message"), hidden), answer)

    async def ask(self, method: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a call that may be repeated, so that its outcome is never unknown. Raises GatewayError."""
        try:
            reply = await self.post(method, write_json(values))
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

    def _target(self, method: str) -> Target:
        found = self._targets.get(method)
        if found is None:
            found = self._targets[method] = target("POST", URL(f"{self._base}/{method}"), self._headers)
        return found


def whole(value: Any) -> int | None:
    """A whole number, also one that came as digits; anything else is None. A float has lost digits of a token."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20 else None
