"""What Meta's two simulated messengers share: the Graph API's envelopes and tokens, its throttles and usage headers,
the app with its subscription, and signed webhooks that end after too many failures.

Written from Meta's documentation, not from our gateways: what both misread would stay hidden otherwise.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import web

from gateways.simulator.faults import Fault, FaultKind
from gateways.simulator.hooks import Hook
from gateways.simulator.platform import Call, Platform, SimAccount, Window, json_response

Json = dict[str, Any]

APP_ID = "556677889900"
APP_SECRET = "simulated-app-secret"  # noqa: S105  # of nothing real
_VERSION = re.compile(r"^/v\d+\.\d+/")
_FLUSH_AFTER_S = 0.02  # events that come together go in one body


class GraphError(Exception):
    """Answered in the Graph API's envelope. `code` decides, whatever the HTTP status."""

    def __init__(
        self,
        code: int,
        message: str,
        subcode: int = 0,
        *,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.envelope: Json = {"message": message, "type": "OAuthException", "code": code, **more}
        if subcode:
            self.envelope["error_subcode"] = subcode
        self.envelope["fbtrace_id"] = f"A{secrets.token_urlsafe(8)}"

    def response(self) -> web.Response:
        return json_response({"error": self.envelope}, self.status, self.headers)


@dataclass
class Pressure:
    """The limits of one account. `usage_percent` grows by `usage_step` a call and stands in the headers; from 100 on,
    and while blocked, calls are refused, each of which makes the block longer."""

    windows: dict[str, Window] = field(default_factory=dict)  # calls a second, by what they carry
    usage_percent: float = 0.0
    usage_step: float = 0.0
    block_s: float = 1.0
    throttle_code: int = 613
    blocked_until: float = 0.0  # monotonic

    def headers(self, account: str, usage_type: str) -> dict[str, str]:
        """Absent while hardly anything is used."""
        if self.usage_percent < 1:
            return {}
        left_s = max(0.0, self.blocked_until - time.monotonic())
        entry = {
            "type": usage_type,
            "call_count": round(self.usage_percent),
            "total_cputime": 3,
            "total_time": 4,
            "estimated_time_to_regain_access": round(left_s / 60, 4),
        }
        return {"X-Business-Use-Case-Usage": json.dumps({account: [entry]})}

    def admit(self, what: str, account: str, usage_type: str) -> None:
        """Book a call. Raises GraphError for a throttle."""
        now = time.monotonic()
        self.usage_percent += self.usage_step
        window = self.windows.get(what)
        if now < self.blocked_until or self.usage_percent >= 100 or (window is not None and window.admit(now) > 0):
            self.block(self.block_s, account, usage_type)

    def block(self, seconds: float, account: str, usage_type: str) -> None:
        self.blocked_until = time.monotonic() + seconds
        regain = {"estimated_time_to_regain_access": round(seconds / 60, 4)}
        entry = {"type": usage_type, "call_count": max(100, round(self.usage_percent)), **regain}
        headers = {"X-Business-Use-Case-Usage": json.dumps({account: [entry]})}
        words = f"(#{self.throttle_code}) Calls to this api have exceeded the rate limit."
        raise GraphError(self.throttle_code, words, headers=headers)


class MetaPlatform(Platform):
    """One app. Its accounts (pages, numbers) may name a token of their own in `details["token"]`; without one any
    token will do. `details["refuses"]` is [code, subcode] of a switch that refuses every send."""

    object_name = ""  # of webhook bodies
    usage_type = "messenger"

    def __init__(self, *, seed: int = 0, app_id: str = APP_ID, app_secret: str = APP_SECRET) -> None:
        super().__init__(seed=seed)
        self.app_id = app_id
        self.app_secret = app_secret
        self.require_proof = False  # the app's setting "Require app secret"
        self.callback_url = ""
        self.callback_fields: list[str] = []
        self.pressures: dict[str, Pressure] = {}
        self.unsubscribes_after = 8  # failures of one body, in the place of an hour
        self._waiting: dict[str, list[Json]] = {}  # entries by account, about to be posted

    def add_account(self, key: str, **terms: Any) -> SimAccount:
        """The app's URL hears of it at once, where one is set."""
        account = super().add_account(key, **terms)
        if self.callback_url and account.hook is None:
            account.hook = Hook(self.callback_url)
        return account

    # --- calls

    def parts(self, call: Call) -> list[str]:
        """The path after the version."""
        return _VERSION.sub("/", call.path).strip("/").split("/")

    def token_of(self, call: Call) -> str:
        scheme, _space, token = call.headers.get("Authorization", "").partition(" ")
        return token if scheme in ("Bearer", "OAuth") else call.query.get("access_token", "")

    def pressure(self, account: SimAccount) -> Pressure:
        return self.pressures.setdefault(account.key, Pressure())

    def require_token(self, call: Call, account: SimAccount | None) -> SimAccount:
        """The account, if the call may speak for it. Raises GraphError."""
        token = self.token_of(call)
        if not token:
            raise GraphError(2500, "An active access token must be used to query information about the current user.")
        if account is None:
            raise GraphError(100, "Unsupported request. Object does not exist or lacks permissions.", 33)
        if account.revoked:
            raise GraphError(190, "Error validating access token: the session was invalidated.", 460, status=401)
        if token != account.details.get("token", token):
            raise GraphError(190, "Invalid OAuth access token.", 467, status=401)
        self._require_proof(call, token)
        return account

    def require_app_token(self, call: Call) -> None:
        if self.token_of(call) != f"{self.app_id}|{self.app_secret}":
            raise GraphError(190, "Invalid OAuth access token - Cannot parse access token", status=401)

    def _require_proof(self, call: Call, token: str) -> None:
        proof = call.query.get("appsecret_proof", "")
        expected = hmac.new(self.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if (proof or self.require_proof) and proof != expected:
            raise GraphError(100, "Invalid appsecret_proof provided in the API argument")

    def require_sending(self, account: SimAccount, what: str = "text") -> None:
        """Raises GraphError where the account is throttled, or switched to refuse."""
        self.pressure(account).admit(what, account.key, self.usage_type)
        refuses = account.details.get("refuses")
        if refuses:
            code, subcode = refuses
            raise GraphError(code, f"(#{code}) The simulated Meta refuses this account", subcode)

    def usage_headers(self, account: SimAccount) -> dict[str, str]:
        return self.pressure(account).headers(account.key, self.usage_type)

    def fault_answer(self, call: Call, fault: Fault) -> web.Response:
        try:
            if fault.kind is FaultKind.THROTTLE:
                pressure = self.pressures.setdefault(call.account, Pressure())
                until = pressure.blocked_until
                try:
                    pressure.block(fault.retry_after_s, call.account, self.usage_type)
                finally:
                    if not fault.holds:
                        pressure.blocked_until = until
            if fault.kind is FaultKind.ERROR:
                if fault.accepted:  # seen with messages that went out
                    raise GraphError(1, "Invalid JSON reply", 1357046, status=500)
                raise GraphError(2, "Service temporarily unavailable", status=500, is_transient=True)
            subcode = int((fault.parameters or {}).get("error_subcode", 0))
            raise GraphError(fault.code, fault.words, subcode)
        except GraphError as error:
            return error.response()

    # --- the app's webhook

    async def subscribe_app(self, call: Call) -> web.Response:
        """GET and POST /{app}/subscriptions; a URL is asked for its challenge before it is taken."""
        self.require_app_token(call)
        if call.method == "GET":
            fields = [{"name": name, "version": "v26.0"} for name in self.callback_fields]
            listed = {"object": self.object_name, "callback_url": self.callback_url, "active": True, "fields": fields}
            return json_response({"data": [listed] if self.callback_url else []})
        values = call.json if isinstance(call.json, dict) else {**call.query, **call.form}
        url, verify_token = str(values.get("callback_url", "")), str(values.get("verify_token", ""))
        if not await self.asks_challenge(url, verify_token):
            raise GraphError(2200, "(#2200) Callback verification failed")
        self.callback_url = url
        self.callback_fields = [name for name in str(values.get("fields", "")).split(",") if name]
        for account in self.accounts.values():
            if account.hook is None or account.hook.url != url:
                account.hook = Hook(url)
        return json_response({"success": True})

    async def asks_challenge(self, url: str, verify_token: str) -> bool:
        challenge = str(secrets.randbelow(10**9))
        query = {"hub.mode": "subscribe", "hub.verify_token": verify_token, "hub.challenge": challenge}
        status, body = await self.hooks.ask(url, query)
        return status == 200 and body.decode(errors="replace").strip() == challenge

    # --- events

    def post_entry(self, account: SimAccount, entry: Json) -> None:
        """Tell our hook; with `batch` above 1 what comes together travels in one body."""
        hook = account.hook
        if hook is None:
            return
        if hook.batch <= 1:
            self.post_body(account, hook, [entry])
            return
        waiting = self._waiting.setdefault(account.key, [])
        waiting.append(entry)
        if len(waiting) == 1:
            self.hooks.later(_FLUSH_AFTER_S, partial(self._flush, account, hook))

    def _flush(self, account: SimAccount, hook: Hook) -> None:
        waiting = self._waiting.pop(account.key, [])
        for start in range(0, len(waiting), hook.batch):
            self.post_body(account, hook, waiting[start : start + hook.batch])

    def post_body(self, account: SimAccount, hook: Hook, entries: list[Json]) -> None:
        body = escaped({"object": self.object_name, "entry": entries})
        failures = 0

        def is_taken(status: int, _body: bytes) -> bool:
            nonlocal failures
            failures += status != 200
            if failures >= self.unsubscribes_after:
                self.on_unsubscribed(account)
            return status == 200

        self.hooks.post(hook, body, signed_headers(body, self.app_secret), is_taken=is_taken)

    def on_unsubscribed(self, account: SimAccount) -> None:
        """Our hook failed for too long."""


def escaped(document: object) -> bytes:
    """JSON as Meta writes it: ASCII only, and every / as \\/."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode()


def signed_headers(body: bytes, app_secret: str) -> dict[str, str]:
    digest = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}


def multipart_of(call: Call) -> dict[str, tuple[str, str, bytes]]:
    """The parts of a form by name: file name ("" for a field), type, bytes. Empty where it is no form."""
    kind = call.headers.get("Content-Type", "")
    found = re.search(r'boundary="?([^";]+)', kind)
    if not kind.startswith("multipart/form-data") or found is None:
        return {}
    parts: dict[str, tuple[str, str, bytes]] = {}
    for piece in call.body.split(b"--" + found[1].encode())[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        lines = head.decode(errors="replace")
        name = re.search(r'[ ;]name="([^"]*)"', lines)
        file_name = re.search(r'filename="([^"]*)"', lines)
        content_type = re.search(r"(?im)^content-type:\s*(\S+)", lines)
        if name is not None:
            told = (file_name[1] if file_name else "", content_type[1] if content_type else "")
            parts[name[1]] = (*told, content.removesuffix(b"\r\n"))
    return parts
