"""One bot's methods over HTTP: JSON for calls, a form where files go along, and every failure as a GatewayError."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiohttp import FormData
from yarl import URL

from gateways.base import OutcomeUnknown, Unavailable
from gateways.http import HttpClient
from gateways.telegram.errors import error_of

_JSON = {"Content-Type": "application/json"}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

CALL_S = 30.0  # a flood wait of up to 8 s hangs inside the server and then succeeds (tdlib/telegram-bot-api)
UPLOAD_S = 150.0  # 50 MB over a slow line


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that goes along with a call."""

    name: str
    content_type: str
    content: bytes


class BotApi:
    def __init__(self, http: HttpClient, api_base: str, token: str, *, call_s: float, upload_s: float) -> None:
        self._http = http
        self._prefix = f"{api_base.rstrip('/')}/bot{token}/"
        secret = token.partition(":")[2]
        self._hidden = (token, secret) if len(secret) > 8 else (token,)
        self._urls: dict[str, URL] = {}
        self._call_s = call_s
        self._upload_s = upload_s

    async def call(self, method: str, values: Mapping[str, Any], *, total_s: float = 0.0) -> Any:
        """The result of a method. Raises GatewayError."""
        body = _encode(values).encode("utf-8", "replace")  # a lone half of an emoji must not fail the rest
        answer = await self._http.post(self._url(method), body, _JSON, total_s=total_s or self._call_s)
        return self._result(values, *answer)

    async def ask(self, method: str, values: Mapping[str, Any], *, total_s: float = 0.0) -> Any:
        """A call that may be repeated, so that its outcome is never unknown."""
        try:
            return await self.call(method, values, total_s=total_s)
        except OutcomeUnknown as error:
            raise Unavailable(error.words, code=error.code) from None

    async def upload(self, method: str, values: Mapping[str, Any], files: Sequence[Upload]) -> Any:
        """The same with files, which `values` name as attach://file0, attach://file1 …"""
        form = FormData(quote_fields=False)
        for name, value in values.items():
            form.add_field(name, value if isinstance(value, str) else _encode(value))
        for number, file in enumerate(files):
            form.add_field(f"file{number}", BytesIO(file.content), filename=file.name, content_type=file.content_type)
        answer = await self._http.post(self._url(method), form, total_s=self._upload_s)
        return self._result(values, *answer)

    def _result(self, values: Mapping[str, Any], status: int, body: bytes, headers: Mapping[str, str]) -> Any:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if status < 300 and isinstance(answer, dict) and answer.get("ok") is True:
            return answer.get("result")
        address = str(values.get("chat_id", ""))
        raise error_of(status, answer, headers, (*self._hidden, address) if len(address) > 3 else self._hidden)

    def _url(self, method: str) -> URL:
        url = self._urls.get(method)
        if url is None:
            url = self._urls[method] = URL(self._prefix + method)
        return url
