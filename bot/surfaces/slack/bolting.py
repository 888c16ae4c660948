"""Requests of Slack's through bolt: what came is read, kept, acknowledged, and only then begun.

Bolt sorts requests and says what an acknowledgement looks like. Its own tasks end with the acknowledgement: whatever
takes longer runs in ours."""

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.response import BoltResponse

from bot.surfaces.slack.api import Json, SlackApi
from bot.surfaces.slack.cards import WORDS
from bot.surfaces.slack.events import FilledForm, Read, read
from bot.surfaces.slack.quiet import QUIET
from gateways.base import Answer, Unreadable

log = logging.getLogger(__name__)

_ANY = re.compile(".*")
_READ = "carillon_read"


class Takes(Protocol):
    """What is done with a request. `keep` returns once it is on disk; `begin` starts a task and returns at once."""

    async def keep(self, read: Read) -> None: ...

    def begin(self, read: Read) -> None: ...

    async def why_not(self, form: FilledForm) -> str:
        """A sentence why the words of a window can't be taken any more, or ""; taken ones are kept."""
        ...


class Bolt:
    """`hook` takes a request of HTTP whose signature was verified, `envelope` one of Socket Mode."""

    def __init__(self, api: SlackApi, takes: Takes) -> None:
        self.us: Json = {}  # what auth.test told of the bot
        self._takes = takes
        self._app = AsyncApp(
            name="carillon",
            logger=QUIET,
            client=api.client,
            authorize=_Authorize(self),
            signing_secret="verified before",  # noqa: S106  # and on the raw bytes, which bolt no longer has
            request_verification_enabled=False,
        )
        self._app.use(self._keep)
        self._app.error(self._log)
        for every in (self._app.command, self._app.shortcut, self._app.action, self._app.event, self._app.view_closed):
            every(_ANY)(self._acknowledge)
        self._app.view(_ANY)(self._submit)

    async def hook(self, body: bytes, headers: dict[str, str], query: str) -> Answer:
        """Raises Unreadable; any fault of ours is an exception, so that Slack repeats what it repeats."""
        try:
            request = AsyncBoltRequest(body=body.decode(), query=query, headers=dict(headers))
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise Unreadable("this is no request of Slack's") from error
        response = await self._app.async_dispatch(request)
        if response.status >= 500:
            raise RuntimeError("a request of Slack's could not be taken")
        is_json = response.body.startswith("{")
        return Answer(response.body, "application/json" if is_json else "text/plain")

    async def envelope(self, message: Json, payload: Json) -> Json | None:
        """What to acknowledge with; None: not at all, so that Slack repeats what it repeats."""
        headers = {
            name: str(message[field])
            for name, field in (("x-slack-retry-num", "retry_attempt"), ("x-slack-retry-reason", "retry_reason"))
            if message.get(field)
        }
        response = await self._app.async_dispatch(
            AsyncBoltRequest(mode="socket_mode", body=payload, headers=dict(headers))
        )
        if response.status >= 500:
            return None
        return _payload(response)

    async def _keep(self, body: dict[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[Any]]) -> None:
        found = read(body)
        context[_READ] = found
        if found is not None:
            await self._takes.keep(found)
        await next_()

    async def _log(self, error: Exception) -> None:
        log.error("a request of Slack's could not be taken", exc_info=error)

    async def _acknowledge(self, ack: AsyncAck, context: AsyncBoltContext) -> None:
        await ack()
        if (found := context[_READ]) is not None:
            self._takes.begin(found)

    async def _submit(self, ack: AsyncAck, context: AsyncBoltContext) -> None:
        found = context[_READ]
        why_not = await self._takes.why_not(found) if isinstance(found, FilledForm) else ""
        if why_not:
            await ack(response_action="errors", errors={WORDS: why_not})
            return
        await ack()
        if found is not None:
            self._takes.begin(found)


class _Authorize(AsyncAuthorize):
    """Who we are, without asking Slack: an object, because bolt fills in every name of a method, `self` too."""

    def __init__(self, bolt: Bolt) -> None:
        self._bolt = bolt

    async def __call__(self, *, enterprise_id: str | None, team_id: str | None, **_more: Any) -> AuthorizeResult:
        us = self._bolt.us
        return AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_user_id=us.get("user_id"), bot_id=us.get("bot_id")
        )


def _payload(response: BoltResponse) -> Json:
    if not response.body:
        return {}
    if response.body.startswith("{"):
        told: Json = json.loads(response.body)
        return told
    return {"text": response.body}
