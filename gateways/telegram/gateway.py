"""One Telegram bot as a channel, over our own connections: every message of a mailing passes here, and aiogram, which
the admin bot takes, costs seconds to import and several times the work of each (python -m benchmarks.engine --peer)."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gateways.base import (
    Accepted,
    Account,
    Capabilities,
    ChannelBroken,
    Correction,
    GatewayError,
    Heard,
    Hook,
    MediaStore,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    Part,
    PartKind,
    Pressed,
    Rejected,
    SentPart,
    Throttled,
    Unavailable,
    Unreadable,
    _,
)
from gateways.config import Context
from gateways.forms import Upload
from gateways.http import HttpClient
from gateways.signatures import derive_secret, require_same
from gateways.telegram import render
from gateways.telegram.api import CALL_S, UPLOAD_S, BotApi
from gateways.telegram.capabilities import MAX_NOTE, TELEGRAM
from gateways.telegram.changing import Changes
from gateways.telegram.config import TelegramSettings
from gateways.telegram.errors import MediaRefused, Migrated, QueryTooOld
from gateways.telegram.media import Files, Item, items_of
from gateways.telegram.updates import read_update

log = logging.getLogger(__name__)

POLL_S = 25  # how long Telegram holds a getUpdates that has nothing; 50 at most
POLL_PAUSE_S = 0.5  # between polls that a server answers empty at once
USED_UPDATES = ["message", "callback_query", "my_chat_member"]
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105  # a header's name
_METHODS = {
    PartKind.PICTURE: ("sendPhoto", "photo"),
    PartKind.VIDEO: ("sendVideo", "video"),
    PartKind.FILE: ("sendDocument", "document"),
}


class TelegramGateway:
    """Satisfies Gateway, HoldsMedia, TakesBack, Corrects, AnswersPresses, PollsUpdates and SetsWebhook of
    `gateways.base`.

    `start_after` is the last committed update, where somebody keeps it. Nobody needs to: Telegram repeats what was not
    acknowledged, repeats have the same key, and after a week without updates their numbers start anywhere, so that an
    old mark could hide new updates."""

    capabilities: Capabilities = TELEGRAM

    def __init__(
        self,
        *,
        channel: str,
        token: str,
        media: MediaStore,
        api_base: str = "https://api.telegram.org",
        webhook_secret: str = "",
        polls: bool = False,
        start_after: int | None = None,
        call_s: float = CALL_S,
        upload_s: float = UPLOAD_S,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._channel = channel
        self._bot_id = token.partition(":")[0]
        self._http = HttpClient()
        self._api = BotApi(self._http, api_base, token, call_s=call_s, upload_s=upload_s)
        self._files = Files(channel, media, api_base, time.monotonic)
        self._changes = Changes(self._api)
        self._uploading = asyncio.Lock()
        self._webhook_secret = webhook_secret
        self._polls = polls
        self._offset = None if start_after is None else start_after + 1
        self._now = now or _utc_now

    @classmethod
    def from_settings(
        cls,
        settings: TelegramSettings,
        context: Context,
    ) -> "TelegramGateway":
        given = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
        derived = derive_secret(context.secret, "telegram webhook", settings.id) if context.secret else ""
        return cls(
            channel=settings.id,
            token=settings.token.get_secret_value(),
            media=context.media,
            api_base=settings.api_base,
            webhook_secret=given or derived,
            polls=(settings.mode or ("webhook" if context.public_url else "polling")) == "polling",
            start_after=context.start_after,
            now=context.now,
        )

    async def open(self) -> None:
        await self._http.open()

    async def close(self) -> None:
        await self._http.close()

    # --- sending

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        return [await self._outcome(out) for out in parts]

    async def needs_upload(self, part: Part) -> bool:
        """Equal files sent at once are slowed and then refused for a minute, so the first goes alone."""
        try:
            return None in await self._known(items_of(part.kind, part.media, part.name))
        except Unavailable:
            return True

    async def _outcome(self, out: Outgoing) -> Accepted | GatewayError:
        try:
            return await self._send(out)
        except GatewayError as error:
            return _of_this_client(error, out)
        except Exception as error:  # noqa: BLE001  # a fault of ours must not end the lane; whether it was sent is open
            log.error("a fault while sending", extra={"channel": self._channel, "fault": _place_of(error)})  # noqa: TRY400
            return OutcomeUnknown(f"a fault of Carillon: {type(error).__name__}")

    async def _send(self, out: Outgoing) -> Accepted:
        chat = render.chat_id(out.address)
        try:
            return await self._send_to(out, chat)
        except Migrated as moved:
            accepted = await self._send_to(out, moved.new_chat_id)
            return replace(accepted, new_address=str(moved.new_chat_id))

    async def _send_to(self, out: Outgoing, chat: int | str) -> Accepted:
        kind = out.part.kind
        if kind is PartKind.TEXT:
            return _accepted(chat, await self._api.call("sendMessage", render.text_values(out, chat)))
        if kind is PartKind.LOCATION:
            return _accepted(chat, await self._api.call("sendLocation", render.location_values(out, chat)))
        items = items_of(kind, out.part.media, out.part.name)
        if kind is PartKind.ALBUM and len(items) > 1:
            if out.buttons:
                raise MessageRejected("Telegram shows no buttons under an album", reason="buttons")
            return await self._send_files(
                items, "sendMediaGroup", chat, lambda references: render.album_values(out, chat, references)
            )
        method, parameter = _METHODS[items[0].kind]
        return await self._send_files(
            items, method, chat, lambda references: render.media_values(out, chat, parameter, references[0])
        )

    async def _send_files(
        self, items: Sequence[Item], method: str, chat: int | str, compose: Callable[[Sequence[str]], render.Values]
    ) -> Accepted:
        known = await self._known(items)
        if None not in known:
            try:
                return _accepted(chat, await self._api.call(method, compose([name or "" for name in known])))
            except MediaRefused as refused:
                if self._uploading.locked():
                    # Somebody brings the file again already; waiting here would send all that wait in one burst.
                    raise Throttled(1.0, "a file is being uploaded again", code=refused.code) from None
        async with self._uploading:
            fresh = await self._known(items)
            if None not in fresh and fresh == known:  # what was refused: nobody has brought it since
                for item in items:
                    await self._files.forget(item)
            messages = await self._bring(items, method, compose)
        return _accepted(chat, messages)

    async def _known(self, items: Sequence[Item]) -> list[str | None]:
        return [await self._files.find(item) for item in items]

    async def _bring(
        self, items: Sequence[Item], method: str, compose: Callable[[Sequence[str]], render.Values]
    ) -> Any:
        """Send with the files that Telegram does not have yet: URLs for Telegram to fetch, all others uploaded. Where
        it takes a URL or an id not, everything is uploaded, once."""
        known = await self._known(items)
        known_items = {item for item, name in zip(items, known, strict=True) if name}
        by_name = [name or (item.source if item.is_url else None) for item, name in zip(items, known, strict=True)]
        try:
            messages = await self._call_with(items, by_name, method, compose)
        except MediaRefused:
            if not any(by_name):
                raise
            for item in items:
                await self._files.forget(item)
            known_items = set()
            messages = await self._call_with(items, [None] * len(items), method, compose)
        sent = messages if isinstance(messages, list) else [messages]
        for item, message in zip(items, sent, strict=False):
            if item not in known_items:
                await self._files.remember(item, message)
        return messages

    async def _call_with(
        self,
        items: Sequence[Item],
        by_name: Sequence[str | None],
        method: str,
        compose: Callable[[Sequence[str]], render.Values],
    ) -> Any:
        files: list[Upload] = []
        references: list[str] = []
        for item, name in zip(items, by_name, strict=True):
            if name is None:
                name = f"attach://file{len(files)}"
                files.append(await self._files.load(item))
            references.append(name)
        values = compose(references)
        if not files:
            return await self._api.call(method, values)
        if method == "sendDocument":
            values["disable_content_type_detection"] = True  # a file stays a file, and so its id sends one
        return await self._api.upload(method, values, files)

    # --- what was sent

    async def take_back(self, parts: Sequence[SentPart]) -> Sequence[GatewayError | None]:
        return [await self._changes.take_back(part) for part in parts]

    async def correct(self, corrections: Sequence[Correction]) -> Sequence[GatewayError | None]:
        return [await self._changes.correct(each) for each in corrections]

    # --- who we are

    async def check(self) -> Account:
        me = await self._api.ask("getMe", {})
        if not isinstance(me, Mapping) or "id" not in me:
            raise ChannelBroken("what stands behind api_base does not answer as Telegram's Bot API does")
        username = str(me.get("username") or "")
        first_name = str(me.get("first_name") or "")
        webhook, warnings = await self._look_at_webhook()
        return Account(
            external_id=str(me["id"]),
            name=" ".join(filter(None, (first_name, f"(@{username})" if username else ""))) or str(me["id"]),
            webhook=webhook,
            warnings=warnings,
            link=f"https://t.me/{username}" if username else None,
        )

    async def _look_at_webhook(self) -> tuple[str | None, tuple[str, ...]]:
        try:
            info = await self._api.ask("getWebhookInfo", {})
        except GatewayError as error:
            return None, (_(f"Telegram does not say which webhook is set: {error.words}"),)
        info = info if isinstance(info, Mapping) else {}
        url = str(info.get("url") or "") or None
        warnings: list[str] = []
        if self._polls and url:
            warnings.append(_(f"a webhook is set ({urlsplit(url).netloc}); it is removed when polling starts"))
        if info.get("last_error_message"):
            warnings.append(_(f"Telegram could not reach the webhook: {info['last_error_message']}"))
        return url, tuple(warnings)

    # --- listening

    def verify(self, request: Hook) -> None:
        require_same(request.headers.get(SECRET_HEADER), self._webhook_secret)

    def parse(self, request: Hook) -> Heard:
        return read_update(request.body, self._bot_id, self._now)

    async def set_webhook(self, url: str) -> None:
        values = {"url": url, "secret_token": self._webhook_secret, "allowed_updates": USED_UPDATES}
        await self._api.ask("setWebhook", values)

    @property
    def polls(self) -> bool:
        return self._polls

    async def updates(self) -> AsyncIterator[Heard]:
        await self._prepare_polling()
        while True:
            began = time.monotonic()
            batch = await self._next_updates()
            for update in batch:
                try:
                    heard = read_update(update, self._bot_id, self._now)
                except Unreadable as error:
                    # It would come again and again, and everything behind it never.
                    log.warning("an update can't be read", extra={"channel": self._channel, "why": str(error)})
                    heard = Heard()
                if heard.inbound:
                    yield heard
                # Only here is it committed: who asks for the next one acknowledges it.
                self._acknowledge(update)
            if not batch and time.monotonic() - began < POLL_PAUSE_S:
                await asyncio.sleep(POLL_PAUSE_S)

    async def _next_updates(self) -> Sequence[Any]:
        values: dict[str, Any] = {"timeout": POLL_S, "allowed_updates": USED_UPDATES}
        if self._offset is not None:
            values["offset"] = self._offset
        batch = await self._api.ask("getUpdates", values, total_s=POLL_S + 15.0)
        return batch if isinstance(batch, list) else []

    def _acknowledge(self, update: Any) -> None:
        update_id = update.get("update_id") if isinstance(update, Mapping) else None
        if isinstance(update_id, int | str) and str(update_id).isdecimal():
            self._offset = int(update_id) + 1

    async def _prepare_polling(self) -> None:
        """Telegram gives updates either to a webhook or to who polls: a set webhook is removed."""
        try:
            await self._api.ask("deleteWebhook", {"drop_pending_updates": False})
        except ChannelBroken as error:
            if error.code != "404":  # a server without webhooks polls well
                raise

    async def answer_press(self, pressed: Pressed, words: str = "") -> None:
        if not pressed.press_id:
            return
        values = {"callback_query_id": pressed.press_id}
        if words:
            values["text"] = words[:MAX_NOTE]
        try:
            await self._api.ask("answerCallbackQuery", values)
        except QueryTooOld:
            log.info("a press was answered too late", extra={"channel": self._channel})


def _accepted(chat: int | str, result: Any) -> Accepted:
    """Of an album the first message's id is its name, and all ids stand in the details."""
    messages = result if isinstance(result, list) else [result]
    ids = [message.get("message_id") for message in messages if isinstance(message, Mapping)]
    # A success whose message has no id was sent all the same; it only can't be found again.
    external_id = f"{chat}:{ids[0]}" if ids and ids[0] is not None else ""
    return Accepted(external_id, details={"message_ids": ids} if len(ids) > 1 else {})


def _of_this_client(error: GatewayError, out: Outgoing) -> GatewayError:
    """A text that became empty or too long by a client's own values says nothing about the message."""
    personal = "{{" in out.part.text or "{%" in out.part.text
    if isinstance(error, MessageRejected) and error.reason in ("empty", "too_long") and personal:
        return Rejected(error.words, code=error.code, reason=error.reason)
    return error


def _place_of(error: BaseException) -> str:
    """Where it happened, without its words, which could hold an address or a text."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f"{at.tb_frame.f_code.co_name}:{at.tb_lineno}" if at is not None else "?"
    return f"{type(error).__name__} in {where}"


def _utc_now() -> datetime:
    return datetime.now(UTC)
