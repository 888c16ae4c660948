"""Slack's Web API: calls in, ours of its errors out.

An error class is a reaction, as everywhere:

    Busy             (bot.screens) asked to wait
    Unreachable      (bot.screens) that chat can't be written to
    SlackError
    ├── TokenDead    revoked, expired, the app removed: nothing works until somebody mends it
    ├── Passing      trouble of Slack's or of the network; what was asked may have been done
    └── Refused      this call can't be; `code` is Slack's word for why
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.screens import Busy, Unreachable
from bot.surfaces.slack.quiet import QUIET

Json = dict[str, Any]

CALL_S = 15.0
FETCH_S = 120.0
_DEAD = frozenset({"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"})
_PASSING = frozenset(
    {"fatal_error", "internal_error", "service_unavailable", "request_timeout", "internal_server_error"}
)
_UNREACHABLE = frozenset(
    {
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "user_not_found",
        "user_disabled",
        "cannot_dm_bot",
        "messages_tab_disabled",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "restricted_action_non_threadable_channel",
    }
)
LOST = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"})
FORM_GONE = frozenset({"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "trigger_expired"})


class SlackError(Exception):
    """`code` is Slack's own word, free of texts and secrets."""

    def __init__(self, code: str, needed: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.needed = needed  # the scope that is missing


class TokenDead(SlackError):
    pass


class Passing(SlackError):
    pass


class Refused(SlackError):
    pass


class SlackApi:
    """Open it before use. Every method raises Busy, Unreachable and SlackError, and nothing else.

    Nothing is tried again here: a post has no key that would make its repeat harmless."""

    def __init__(self, token: str, api_base: str = "https://slack.com/api", *, call_s: float = CALL_S) -> None:
        self._token = token
        self._host = urlsplit(api_base).hostname or ""
        self._call_s = call_s
        self._session: aiohttp.ClientSession | None = None
        self.client = AsyncWebClient(token=token, base_url=api_base, retry_handlers=[], logger=QUIET)
        # It would take a proxy from the environment for hosts that no_proxy excepts; the session knows better.
        self.client.proxy = None

    async def open(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._call_s)
        self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True, cookie_jar=aiohttp.DummyCookieJar())
        self.client.session = self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None, "open it first"  # noqa: S101  # a fault of ours, for the type checker too
        return self._session

    async def call(self, method: str, **given: Any) -> Json:
        """Ask with a JSON body; the answer."""
        return await self._ask(lambda: self.client.api_call(method, json=given))

    async def call_by_form(self, method: str, **given: Any) -> Json:
        """The same for methods that only read, which take no JSON."""
        return await self._ask(lambda: self.client.api_call(method, params=given))

    async def who_am_i(self) -> tuple[Json, frozenset[str]]:
        """auth.test, and the scopes that were granted."""
        headers: Mapping[str, Any] = {}

        async def ask() -> Any:
            nonlocal headers
            answer = await self.client.auth_test()
            headers = answer.headers
            return answer

        told = await self._ask(ask)
        scopes = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), "")
        return told, frozenset(scope.strip() for scope in str(scopes).split(",") if scope.strip())

    async def open_socket_url(self, app_token: str) -> str:
        """A WebSocket of Socket Mode, for one connection."""
        return str((await self._ask(lambda: self.client.apps_connections_open(app_token=app_token)))["url"])

    async def upload(self, content: bytes, name: str) -> str:
        """Bring a file to Slack; it is nobody's until `share`. Returns its id."""
        told = await self._ask(lambda: self.client.files_getUploadURLExternal(filename=name, length=len(content)))
        try:
            async with self.session.post(told["upload_url"], data=content, timeout=_within(FETCH_S)) as answer:
                if answer.status != 200:
                    raise Passing(f"http_{answer.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Passing(type(error).__name__) from error
        return str(told["file_id"])

    async def share(self, files: Mapping[str, str], channel: str) -> None:
        """Show uploaded files, titles by id, as one message; Slack does not tell where it will stand."""
        listed: list[dict[str, str | None]] = [{"id": file_id, "title": title} for file_id, title in files.items()]
        await self._ask(lambda: self.client.files_completeUploadExternal(files=listed, channel_id=channel))

    async def fetch(self, url: str, max_bytes: int, *, is_page: bool = False) -> bytes:
        """A file that somebody sent us; `is_page` where it is HTML itself. Raises Refused("missing_scope") where Slack
        shows its log-in page instead, and Refused("too_large")."""
        if not self._is_slacks(url):
            raise Refused("foreign_url")  # the token goes along
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with self.session.get(
                url, headers=headers, timeout=_within(FETCH_S), allow_redirects=False
            ) as answer:
                if answer.status // 100 == 3 or (answer.content_type == "text/html" and not is_page):
                    raise Refused("missing_scope", "files:read")
                if answer.status != 200:
                    raise Passing(f"http_{answer.status}")
                content = bytearray()
                async for piece in answer.content.iter_chunked(1 << 16):
                    content += piece
                    if len(content) > max_bytes:
                        raise Refused("too_large")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Passing(type(error).__name__) from error
        return bytes(content)

    async def respond(self, url: str, text: str) -> None:
        """A line that only the person sees who did something, there where it was done."""
        try:
            async with self.session.post(url, json={"text": text, "response_type": "ephemeral"}) as answer:
                if answer.status != 200:
                    raise Refused(f"http_{answer.status}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Passing(type(error).__name__) from error

    def _is_slacks(self, url: str) -> bool:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return False
        return host == self._host or host.endswith(".slack.com")

    async def _ask(self, call: Callable[[], Awaitable[Any]]) -> Json:
        try:
            answer = await call()
        except SlackApiError as error:
            raise _translated(error) from error
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError, ValueError, AttributeError) as error:
            # The library trips over an answer that is no JSON in more than one way.
            raise Passing(type(error).__name__) from error
        return answer.data if isinstance(answer.data, dict) else {}


def _within(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds)


def _translated(error: SlackApiError) -> Exception:
    answer = error.response
    status = getattr(answer, "status_code", 0)
    data = getattr(answer, "data", None)
    told = data if isinstance(data, dict) else {}  # a gateway in front of Slack answers in HTML
    code = str(told.get("error") or f"http_{status}")
    if status == 429 or code in ("ratelimited", "rate_limited"):
        return Busy(_retry_after_s(getattr(answer, "headers", None) or {}))
    if code in _DEAD:
        return TokenDead(code)
    if code in _UNREACHABLE:
        return Unreachable(code)
    if status >= 500 or code in _PASSING:
        return Passing(code)
    return Refused(code, str(told.get("needed") or ""))


def _retry_after_s(headers: Mapping[str, Any]) -> float:
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), 1)
    try:
        return max(float(value), 0.1)
    except (TypeError, ValueError):
        return 1.0
