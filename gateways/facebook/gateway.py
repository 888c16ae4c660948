"""One Facebook Page as a channel of Messenger."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gateways.base import (
    Accepted,
    Account,
    BadSignature,
    Capabilities,
    GatewayError,
    Heard,
    Hook,
    MediaStore,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    Part,
    PartKind,
    Rejected,
    Template,
    Throttled,
    Unavailable,
)
from gateways.config import Context
from gateways.facebook import render
from gateways.facebook.account import PageAccount
from gateways.facebook.capabilities import ATTACHMENT_DAYS, FACEBOOK, VIDEO_CALLS_PER_S
from gateways.facebook.config import FacebookSettings
from gateways.facebook.errors import MediaRefused, NoSuchObject, error_of
from gateways.facebook.events import read_hook
from gateways.http import HttpClient
from gateways.meta.graph import CALL_S, UPLOAD_S, GraphAnswer, GraphApi
from gateways.meta.hooks import id_of, require_meta, split_by_account
from gateways.meta.media import Uploads, is_url
from gateways.meta.templates import FIELDS as TEMPLATE_FIELDS
from gateways.meta.templates import read_template
from gateways.public_media import media_url

log = logging.getLogger(__name__)

_MEDIA = frozenset(render.TYPES)


class FacebookGateway:
    """Satisfies Gateway, HoldsMedia, SetsWebhook, CostsSlots, SyncsTemplates and SharesHook of `gateways.base`.

    Left out of what Messenger has, and why:

    - Several pictures in one message (`attachments`) and the image grid: their shape is known from one secondary
      source, so pictures go one by one.
    - Message tags: dead since 27 April 2026; HUMAN_AGENT is for what a person types, never for a mailing.
    - The Marketing Messages API: paid through an advertising account, for listed providers and some countries only;
      recurring and one-time notifications are switched off.
    - Graph batches: a time-out would leave fifty outcomes open at once.
    - A second try 24 h after "person unavailable": the client is marked at once, and a word from the client brings the
      address back. One 30 min after another app held the conversation: nothing tells that it let go, so it is a
      failure of this message, and the address stays as it is. That most sends meet such an app stops nothing.
    - Typing marks, personas, the persistent menu, private replies to comments, `user_ref` (it brings no receipts), the
      feedback template, buttons that call, log in or ask for a phone or an e-mail: no message of ours has them.
    - Making templates, by hand or from Meta's library: the Page's owner does, we list what was approved.
    - Names of clients: they cost a call each, and a limit of their own.
    - Keeping calls to one client apart, and an alarm for clocks that differ: an echo brings Meta's own moment of each
      message, which is what watermarks are compared with.
    - That links are https, and that a bot says that it is one where law asks: the operator's words. Meta refuses the
      first http link, and the mailing stops with Meta's words.
    - Pauses of 5, 30 and 120 s between tries, and half the pace after a throttle: the lane has its own for all kinds.
    - Counting 200 calls a client and day: Meta counts, and its headers are heeded.
    - A policy warning that is no block: it is logged.
    - Echoes of what a person or another tool answered, and inbound words while another app holds the conversation
      (`standby`): they are not ours.
    - Clients' files: their URLs die soon, and nothing of ours keeps them.
    """

    capabilities: Capabilities = FACEBOOK

    def __init__(
        self,
        *,
        channel: str,
        page_id: str,
        token: str,
        app_secret: str,
        verify_token: str,
        media: MediaStore,
        app_id: str = "",
        api_base: str = "https://graph.facebook.com/v26.0",
        public_url: str | None = None,
        secret: bytes = b"",
        rate: float | None = None,
        call_s: float = CALL_S,
        upload_s: float = UPLOAD_S,
        now: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channel = channel
        self._page_id = page_id
        self._app_secret = app_secret
        self._verify_token = verify_token
        self._app_id = app_id
        self._public_url = public_url
        self._secret = secret
        self._video_slots = max(1, math.ceil((rate or FACEBOOK.max_rate) / VIDEO_CALLS_PER_S))
        self._now = now or _utc_now
        self._http = HttpClient()

        def graph(key: str, proven_by: str) -> GraphApi:
            return GraphApi(
                self._http,
                api_base,
                key,
                classify=error_of,
                app_secret=proven_by,
                call_s=call_s,
                upload_s=upload_s,
                monotonic=monotonic,
            )

        self._api = graph(token, app_secret)
        app = graph(f"{app_id}|{app_secret}", "") if app_id else None
        self._account = PageAccount(self._api, app, page_id, app_id, verify_token, public_url, channel)
        self._uploads = Uploads(
            channel, media, good_for=timedelta(days=ATTACHMENT_DAYS), now=self._now, api_base=api_base
        )
        self._uploading = asyncio.Lock()
        self._alarmed = False

    @classmethod
    def from_settings(cls, settings: FacebookSettings, context: Context) -> "FacebookGateway":
        return cls(
            channel=settings.id,
            page_id=settings.page_id,
            token=settings.token.get_secret_value(),
            app_secret=settings.app_secret.get_secret_value(),
            verify_token=settings.verify_token.get_secret_value(),
            app_id=settings.app_id or "",
            media=context.media,
            api_base=settings.api_base,
            public_url=context.public_url,
            secret=context.secret,
            rate=settings.rate,
            now=context.now,
        )

    async def open(self) -> None:
        await self._http.open()

    async def close(self) -> None:
        await self._http.close()

    # --- sending

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        return [await self._outcome(out) for out in parts]

    def slots(self, outgoing: Outgoing) -> int:
        """Audio and video have a limit of their own, 10 calls a second."""
        return self._video_slots if outgoing.part.kind is PartKind.VIDEO else 1

    async def needs_upload(self, part: Part) -> bool:
        """The first of many uploads the file, and all others name its id."""
        try:
            return part.kind in _MEDIA and await self._uploads.find(part.media[0], part.kind) is None
        except Unavailable:
            return True

    async def _outcome(self, out: Outgoing) -> Accepted | GatewayError:
        try:
            return await self._send(out)
        except GatewayError as error:
            return error
        except Exception as error:  # noqa: BLE001  # a fault of ours must not end the lane; whether it was sent is open
            log.error("a fault while sending", extra={"channel": self._channel, "fault": type(error).__name__})  # noqa: TRY400
            return OutcomeUnknown(f"a fault of Carillon: {type(error).__name__}")

    async def _send(self, out: Outgoing) -> Accepted:
        match out.part.kind:
            case PartKind.TEXT:
                return await self._post(out, render.text_message(out))
            case PartKind.CAROUSEL:
                return await self._post(out, render.carousel_message(out, self._public_source))
            case PartKind.TEMPLATE:
                return await self._post(out, render.template_message(out, self._public_source), "UTILITY")
            case kind if kind in _MEDIA:
                return await self._send_media(out)
        raise MessageRejected(f"Messenger takes no {out.part.kind.value}", reason="media")

    async def _post(self, out: Outgoing, message: render.Json, messaging_type: str = "UPDATE") -> Accepted:
        values = render.envelope(out, message, messaging_type)
        try:
            answer = await self._api.post(f"{self._page_id}/messages", values, hidden=_hidden(out))
        except NoSuchObject as error:
            await self._account.require_page(error)
            raise Rejected(error.words, code=error.code) from None
        return _accepted(answer)

    async def _send_media(self, out: Outgoing) -> Accepted:
        """By an attachment id, uploaded anew once where Meta knows it no longer."""
        kind, source = out.part.kind, out.part.media[0]
        attachment_id = await self._attachment(out.part)
        try:
            return await self._post(out, render.media_message(out, attachment_id))
        except MediaRefused as refused:
            if self._uploading.locked():
                # Somebody brings the file again already; waiting here would send all that wait in one burst.
                raise Throttled(1.0, "a file is being uploaded again", code=refused.code, only_this=True) from None
        async with self._uploading:
            if await self._uploads.find(source, kind) == attachment_id:
                await self._uploads.forget(source, kind)
        return await self._post(out, render.media_message(out, await self._attachment(out.part)))

    async def _attachment(self, part: Part) -> str:
        """The id of the part's file at this Page. Raises GatewayError."""
        source, kind = part.media[0], part.kind
        known = await self._uploads.find(source, kind)
        if known is not None:
            return known
        async with self._uploading:
            known = await self._uploads.find(source, kind)
            if known is None:
                known = await self._upload(source, kind, part.name)
                await self._uploads.remember(source, kind, known)
            return known

    async def _upload(self, source: str, kind: PartKind, name: str | None) -> str:
        """A URL is given to Meta to fetch; where it can't, and for kept files, we bring the bytes."""
        path, what = f"{self._page_id}/message_attachments", render.TYPES[kind]
        if is_url(source):
            payload = {"url": source, "is_reusable": True}
            try:
                return _attachment_id(
                    await self._api.repeatable(path, {"message": {"attachment": {"type": what, "payload": payload}}})
                )
            except MediaRefused:
                log.info("Meta did not fetch a file by its URL", extra={"channel": self._channel})
        limit = FACEBOOK.max_picture_bytes if kind is PartKind.PICTURE else FACEBOOK.max_file_bytes
        file = await self._uploads.load(source, limit.value, picture=kind is PartKind.PICTURE, name=name)
        message = {"attachment": {"type": what, "payload": {"is_reusable": True}}}
        return _attachment_id(await self._api.upload(path, {"message": message}, "filedata", file))

    def _public_source(self, source: str) -> str:
        """Where Meta fetches a card's picture: cards take no attachment id."""
        if is_url(source):
            return source
        if not self._public_url:
            raise MessageRejected(
                "Messenger fetches pictures of cards by URL: give https URLs, or set app.public_url", reason="media"
            )
        try:
            return media_url(self._public_url, self._secret, source)
        except ValueError as error:
            raise MessageRejected(str(error), reason="media") from None

    # --- who we are

    async def check(self) -> Account:
        return await self._account.check()

    async def set_webhook(self, url: str) -> None:
        await self._account.set_webhook(url)

    async def templates(self) -> Sequence[Template]:
        listed = self._api.listed(f"{self._page_id}/message_templates", {"fields": TEMPLATE_FIELDS, "limit": "100"})
        return [read_template(entry) async for entry in listed]

    # --- listening

    def verify(self, request: Hook) -> None:
        try:
            require_meta(request, self._app_secret, self._verify_token)
        except BadSignature:
            if request.method == "POST" and not self._alarmed:
                # Once, until one is right: what anybody may post must not fill the log.
                words = "a hook's signature is wrong: if Meta sent it, app_secret is another app's, and within the hour"
                log.warning("%s Meta unsubscribes the Page", words, extra={"channel": self._channel})
                self._alarmed = True
            raise
        self._alarmed = False

    def parse(self, request: Hook) -> Heard:
        return read_hook(request, self._page_id, self._app_id, self._now)

    @property
    def hook_accounts(self) -> frozenset[str]:
        return frozenset({f"page:{self._page_id}"})

    def split(self, request: Hook) -> Mapping[str, Hook]:
        return split_by_account(request)


def _accepted(answer: GraphAnswer) -> Accepted:
    # A success whose message has no id was sent all the same; the echo brings the id.
    return Accepted(id_of(answer.values.get("message_id")), usage=answer.usage.share)


def _attachment_id(answer: GraphAnswer) -> str:
    found = id_of(answer.values.get("attachment_id"))
    if not found:
        raise Unavailable("Meta took the file and named no id for it")
    return found


def _hidden(out: Outgoing) -> tuple[str, ...]:
    texts: tuple[Any, ...] = (out.address, out.text.text)
    return tuple(each for each in texts if len(each) > 3)


def _utc_now() -> datetime:
    return datetime.now(UTC)
