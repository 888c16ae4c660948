"""One bot's methods over HTTP: JSON for calls, a form where files go along, and every failure as a GatewayError."""

from collections.abc import Mapping, Sequence
from typing import Any

from yarl import URL

from gateways.base import OutcomeUnknown, Unavailable
from gateways.forms import Upload, form_with_files
from gateways.http import HttpClient, Target, target
from gateways.jsons import read_json, write_json
from gateways.telegram.errors import error_of

_JSON = {"Content-Type": "application/json"}

CALL_S = 30.0  # a flood wait of up to 8 s hangs inside the server and then succeeds (tdlib/telegram-bot-api)
UPLOAD_S = 150.0  # 50 MB over a slow line


class BotApi:
    def __init__(self, http: HttpClient, api_base: str, token: str, *, call_s: float, upload_s: float) -> None:
        self._http = http
        self._prefix = f"{api_base.rstrip('/')}/bot{token}/"
        secret = token.partition(":")[2]
        self._hidden = (token, secret) if len(secret) > 8 else (token,)
        self._targets: dict[str, Target] = {}
        self._call_s = call_s
        self._upload_s = upload_s

    async def call(self, method: str, values: Mapping[str, Any], *, total_s: float = 0.0) -> Any:
        """The result of a method. Raises GatewayError."""
        answer = await self._http.call(self._target(method), write_json(values), total_s=total_s or self._call_s)
        return self._result(values, *answer)

    async def ask(self, method: str, values: Mapping[str, Any], *, total_s: float = 0.0) -> Any:
        """A call that may be repeated, so that its outcome is never unknown."""
        try:
            return await self.call(method, values, total_s=total_s)
        except OutcomeUnknown as error:
            raise Unavailable(error.words, code=error.code) from None

    async def upload(self, method: str, values: Mapping[str, Any], files: Sequence[Upload]) -> Any:
        """The same with files, which `values` name as attach://file0, attach://file1 …"""
        kind, body = form_with_files(values, {f"file{number}": file for number, file in enumerate(files)})
        where = target("POST", URL(self._prefix + method), {"Content-Type": kind})
        answer = await self._http.call(where, body, total_s=self._upload_s)
        return self._result(values, *answer)

    def _result(self, values: Mapping[str, Any], status: int, body: bytes, headers: Mapping[str, str]) -> Any:
        answer = read_json(body)
        if status < 300 and isinstance(answer, dict) and answer.get("ok") is True:
            return answer.get("result")
        address = str(values.get("chat_id", ""))
        raise error_of(status, answer, headers, (*self._hidden, address) if len(address) > 3 else self._hidden)

    def _target(self, method: str) -> Target:
        found = self._targets.get(method)
        if found is None:
            found = self._targets[method] = target("POST", URL(self._prefix + method), _JSON)
        return found
