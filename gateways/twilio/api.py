"""Twilio's three APIs over HTTP: forms (or JSON) with Basic auth, and every failure as a GatewayError."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode, urlsplit

from yarl import URL

from gateways.base import OutcomeUnknown, Unavailable
from gateways.connection import HttpAnswer
from gateways.http import HttpClient, target
from gateways.jsons import read_json, write_json
from gateways.twilio.errors import error_of

CALL_S = 15.0
MAX_PAGES = 100
_REAL_HOST = "api."  # of api.twilio.com, and of api.EDGE.REGION.twilio.com

Json = Mapping[str, Any]
Form = Sequence[tuple[str, str]]


class Host(StrEnum):
    API = "api"
    CONTENT = "content"
    MESSAGING = "messaging"


class TwilioApi:
    """Open and close `http` yourself. Only where `api_base` is Twilio's own are there hosts beside it."""

    def __init__(
        self, http: HttpClient, api_base: str, account_sid: str, auth_token: str, *, call_s: float = CALL_S
    ) -> None:
        self._http = http
        self._call_s = call_s
        self._bases = {host: _base_of(api_base, host) for host in Host}
        self._account = f"/2010-04-01/Accounts/{account_sid}"
        proof = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._headers = {"Authorization": f"Basic {proof}"}

    async def send_message(self, values: Form) -> Json:
        """The message as Twilio took it. Raises GatewayError."""
        return await self._post(Host.API, f"{self._account}/Messages.json", values)

    async def get(self, host: Host, path: str, query: Form = ()) -> Json:
        """Raises GatewayError."""
        url = URL(self._bases[host] + path, encoded=True)
        url = url.with_query(query) if query else url
        try:
            return _result(await self._http.call(target("GET", url, self._headers), total_s=self._call_s))
        except OutcomeUnknown as error:
            raise Unavailable(error.words, code=error.code) from None

    async def pages(self, host: Host, path: str, query: Form = ()) -> AsyncIterator[Json]:
        """The same, page after page as `meta.next_page_url` says. It names a host, which nobody follows: the proof of
        who we are goes to ours alone."""
        for _ in range(MAX_PAGES):
            page = await self.get(host, path, query)
            yield page
            meta = page.get("meta")
            following = urlsplit(str(meta.get("next_page_url") or "")) if isinstance(meta, Mapping) else None
            if following is None or not following.path.startswith("/"):
                return
            path, query = f"{following.path}?{following.query}", ()

    async def set(self, host: Host, path: str, values: Form | Json) -> Json:
        """Change a setting: a form, or a JSON object. It may be repeated, so its outcome is never unknown."""
        try:
            return await self._post(host, path, values)
        except OutcomeUnknown as error:
            raise Unavailable(error.words, code=error.code) from None

    def account_path(self, rest: str) -> str:
        return self._account + rest

    async def _post(self, host: Host, path: str, values: Form | Json) -> Json:
        if isinstance(values, Mapping):
            kind, body = "application/json", write_json(values)
        else:
            kind, body = "application/x-www-form-urlencoded", urlencode(values, errors="replace").encode()
        headers = {**self._headers, "Content-Type": kind}
        url = URL(self._bases[host] + path, encoded=True)
        return _result(await self._http.call(target("POST", url, headers), body, total_s=self._call_s))


def _base_of(api_base: str, host: Host) -> str:
    base = api_base.rstrip("/")
    parts = urlsplit(base)
    name = parts.hostname or ""
    if name.startswith(_REAL_HOST) and name.endswith(".twilio.com"):
        return f"{parts.scheme}://{host}.{name.removeprefix(_REAL_HOST)}"
    return base


def _result(answer: HttpAnswer) -> Json:
    document = read_json(answer.body)
    if answer.status < 300 and isinstance(document, dict):
        return document
    raise error_of(answer.status, document, answer.headers)
