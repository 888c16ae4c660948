"""Whose token it is, what the Page and the app are subscribed to, and setting that right."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateways.base import Account, ChannelBroken, GatewayError, MessageRejected, Unavailable, _
from gateways.facebook.errors import NoSuchObject
from gateways.facebook.events import EXTRA_FIELDS, FIELDS, GET_STARTED
from gateways.meta.graph import GraphApi, whole
from gateways.meta.hooks import id_of, text_of

log = logging.getLogger(__name__)

NEEDED_SCOPES = ("pages_messaging", "pages_manage_metadata")
WARN_BEFORE_S = 7 * 86_400  # of a token's end


class PageAccount:
    """`app` speaks with the app's own token, where its id is known: only the app can say and set its callback URL.

    Without it the Page's subscription is all that we see, and the callback is set in the App Dashboard by hand."""

    def __init__(
        self,
        page: GraphApi,
        app: GraphApi | None,
        page_id: str,
        app_id: str,
        verify_token: str,
        public_url: str | None,
        channel: str,
    ) -> None:
        self._page = page
        self._app = app
        self._page_id = page_id
        self._app_id = app_id
        self._verify_token = verify_token
        self._hooks = f"{public_url.rstrip('/')}/hooks/" if public_url else ""
        self._channel = channel

    async def check(self) -> Account:
        """Raises GatewayError; only where identity or credentials fail is it ChannelBroken."""
        me = await self._who()
        if not id_of(me.get("id")):
            raise ChannelBroken("what stands behind api_base does not answer as the Graph API does")
        if id_of(me.get("id")) != self._page_id:
            raise ChannelBroken("the token is of another account than page_id names; take the Page's own token")
        warnings: list[str] = []
        webhook = await self._webhook(warnings)
        await self._look_at_token(warnings)
        name = text_of(me.get("name"))
        return Account(
            external_id=self._page_id,
            name=name or self._page_id,
            webhook=webhook,
            warnings=tuple(warnings),
            link=f"https://m.me/{text_of(me.get('username')) or self._page_id}",
        )

    async def require_page(self, error: NoSuchObject) -> None:
        """Raises `error` if it is the Page that is missing; another GatewayError if Meta does not say."""
        try:
            await self._page.get(self._page_id, {"fields": "id"})
        except NoSuchObject:
            raise error from None

    async def set_webhook(self, url: str) -> None:
        """Point the app at `url`, where we may, subscribe the Page's events, and give new chats a beginning.

        Meta asks the URL for its challenge meanwhile."""
        if self._app is not None:
            values = {
                "object": "page",
                "callback_url": url,
                "verify_token": self._verify_token,
                "include_values": True,
            }
            await _subscribe(self._app, f"{self._app_id}/subscriptions", "fields", values)
        await _subscribe(self._page, f"{self._page_id}/subscribed_apps", "subscribed_fields", {})
        await self._begin_chats()

    async def _who(self) -> Mapping[str, Any]:
        try:
            return (await self._page.get("me", {"fields": "id,name,username"})).values
        except MessageRejected as error:
            # A parameter can be wrong with the secret only, or with a token of a person, who has no username.
            words = f"Meta takes the token not for a Page, or app_secret is of another app ({error.words})"
            raise ChannelBroken(words, code=error.code) from None

    async def _webhook(self, warnings: list[str]) -> str | None:
        """The URL that is set; None where events do not come. Where we can't see the URL it is taken for ours."""
        try:
            missing = await self._missing_fields()
            callback = await self._callback(warnings) if self._app is not None else None
        except GatewayError as error:
            warnings.append(_(f"Meta does not say what is subscribed: {error.words}"))
            return None
        if missing:
            warnings.append(_(f"the Page's events do not all come to this app: {', '.join(missing)} not subscribed"))
            return None
        return (
            self._own(callback) if self._app is not None else f"{self._hooks}{self._channel}" if self._hooks else None
        )

    def _own(self, callback: str | None) -> str | None:
        """One app has one URL for all its Pages: that of a sibling channel here is as good as ours, and two channels
        would take it from each other for ever."""
        if callback and self._hooks and callback.startswith(self._hooks):
            return f"{self._hooks}{self._channel}"
        return callback

    async def _missing_fields(self) -> Sequence[str]:
        answer = await self._page.get(f"{self._page_id}/subscribed_apps", {"fields": "id,subscribed_fields"})
        apps = answer.values.get("data")
        known: set[str] = set()
        for app in apps if isinstance(apps, list) else ():
            if isinstance(app, Mapping) and self._app_id in ("", id_of(app.get("id"))):
                known.update(_names(app.get("subscribed_fields")))
        return [name for name in FIELDS if name not in known]

    async def _callback(self, warnings: list[str]) -> str | None:
        assert self._app is not None  # noqa: S101
        answer = await self._app.get(f"{self._app_id}/subscriptions")
        found = answer.values.get("data")
        for subscription in found if isinstance(found, list) else ():
            if not isinstance(subscription, Mapping) or subscription.get("object") != "page":
                continue
            missing = [name for name in FIELDS if name not in _names(subscription.get("fields"))]
            if subscription.get("active") is False or missing:
                why = ", ".join(missing) or _("its hook is not active")
                warnings.append(_(f"the app hears of Pages too little: {why}"))
                return None
            return text_of(subscription.get("callback_url")) or None
        return None

    async def _look_at_token(self, warnings: list[str]) -> None:
        """When the token ends and what it lacks; only the app may ask."""
        if self._app is None:
            return
        try:
            told = (await self._app.get("debug_token", {"input_token": self._page.token})).values.get("data")
        except GatewayError as error:
            log.info("Meta does not say how long the token lives", extra={"channel": self._channel, "code": error.code})
            return
        if not isinstance(told, Mapping):
            return
        ends = whole(told.get("expires_at")) or 0
        if 0 < ends - datetime.now(UTC).timestamp() < WARN_BEFORE_S:
            warnings.append(_(f"the token ends on {datetime.fromtimestamp(ends, UTC):%Y-%m-%d}"))
        scopes = told.get("scopes")
        lacking = [scope for scope in NEEDED_SCOPES if isinstance(scopes, list) and scope not in scopes]
        if lacking:
            warnings.append(_(f"the token lacks the permission {', '.join(lacking)}"))

    async def _begin_chats(self) -> None:
        """Without a Get Started button new chats bring neither a postback nor the `ref` of their link. One that is
        there already is left as it is."""
        try:
            profile = (await self._page.get(f"{self._page_id}/messenger_profile", {"fields": "get_started"})).values
            if profile.get("data"):
                return
            button = {"get_started": {"payload": GET_STARTED}}
            await self._page.repeatable(f"{self._page_id}/messenger_profile", button)
        except GatewayError as error:
            log.warning("the Get Started button is not set", extra={"channel": self._channel, "code": error.code})


async def _subscribe(api: GraphApi, path: str, name: str, values: Mapping[str, Any]) -> None:
    """To all that we read; where Meta does not give an app what is only good to have, to the rest."""
    try:
        answer = await api.repeatable(path, {**values, name: ",".join((*FIELDS, *EXTRA_FIELDS))})
    except MessageRejected:
        answer = await api.repeatable(path, {**values, name: ",".join(FIELDS)})
    # Documented as the string "true" beside the boolean.
    if str(answer.values.get("success", True)).lower() != "true":
        raise Unavailable("Meta did not take the subscription")


def _names(fields: Any) -> set[str]:
    """Field names, bare or as {"name": …}."""
    found = fields if isinstance(fields, list) else ()
    return {text_of(each.get("name") if isinstance(each, Mapping) else each) for each in found}
