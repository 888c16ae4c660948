"""One VK community as a channel."""

import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateways.base import (
    Accepted,
    Account,
    AddressGone,
    Answer,
    BadSignature,
    Capabilities,
    ChannelBroken,
    Correction,
    GatewayError,
    Heard,
    Hook,
    MediaStore,
    Outgoing,
    Part,
    Pressed,
    Rejected,
    SentPart,
    Unavailable,
    Unreadable,
    Watermark,
    _,
)
from gateways.config import Context
from gateways.http import HttpClient
from gateways.signatures import derive_secret, require_same
from gateways.vk.api import CALL_S, UPLOAD_S, Requests, VkApi
from gateways.vk.capabilities import MAX_NOTE, VK
from gateways.vk.changing import Changes
from gateways.vk.config import MAX_SECRET, VkSettings
from gateways.vk.events import is_ours, read_event, read_json, read_until
from gateways.vk.listening import CallbackServers, LongPoll
from gateways.vk.media import Media, is_document
from gateways.vk.render import encode
from gateways.vk.sending import Sender

log = logging.getLogger(__name__)

DOCUMENT_SLOTS = 6  # a document costs three requests for each client: at 25 slots/s that is 12.5 of the 20 a second
MAX_POLLED = 100  # receivers of one getConversationsById
NEEDED_RIGHTS = ("messages", "photos", "docs", "manage")
_TOGETHER = "vk"
_ADDRESS = re.compile(VK.address_pattern)


class VkGateway:
    """Satisfies Gateway, SendsTogether, CostsSlots, HoldsMedia, TakesBack, Corrects, AnswersPresses, PollsUpdates,
    PollsReads and SetsWebhook of `gateways.base`.

    Left out of what VK offers, and why:
    - keyboards in place of the input (`inline: false`): they would stay in the chat long after the mailing;
      `location`, `open_app` and `vkpay` buttons: a message of ours has no such buttons;
    - `text` buttons are read and not sent: a press of a callback button is told at once and speaks no words;
    - a payload on link buttons: pressing one brings no event;
    - the address beside a link's words, for clients that can't show formatting: everybody would see it twice;
    - `message_reply`, `message_edit`, `message_typing_state`, `message_reaction_event` and joining or leaving: they say
      nothing that a mailing uses, and one `message_reply` a message would double the traffic;
    - typing signs, stickers, replies, forwards and voice messages: a mailing has none;
    - stopping all where flood control (9), closed windows (950, 943, 944) or one right's refusals (15) grow frequent:
      each client waits or fails by itself, equal refusals interrupt the mailing, `interrupt_at` the rest;
    - an answer that asks VK to come later at an HTTP date: whatever is not answered `ok` is repeated anyway;
    - names by `users.get` and reachability by `can_write`: reading an event asks nothing, and a refusal says the same;
    - an upload shared by all for documents, and `video.save`: the first is not proven, the second needs a person's key,
      so a document or a video goes to each client by itself, and an existing one (doc-1_2, video-1_2) as it stands;
    - looking an old repeat up by `messages.getHistory`: the lane repeats nothing after `repeats_safely_for_s`;
    - what came while nobody polled: Long Poll keeps no queue for us; with a public_url VK repeats instead.
    """

    capabilities: Capabilities = VK

    def __init__(
        self,
        *,
        channel: str,
        group_id: str,
        token: str,
        media: MediaStore,
        api_base: str = "https://api.vk.ru/method",
        confirmation: str = "",
        secret: str = "",
        app_secret: bytes = b"",
        intent: str = "default",
        polls: bool = False,
        hook_url: str | None = None,
        call_s: float = CALL_S,
        upload_s: float = UPLOAD_S,
        requests: Requests | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._channel = channel
        self._group_id = group_id
        self._http = HttpClient()
        self._api = VkApi(
            self._http, api_base, token, call_s=call_s, upload_s=upload_s, requests=requests or Requests()
        )
        self._media = Media(channel, media, self._api, group_id=group_id, api_base=api_base, monotonic=time.monotonic)
        salt = derive_secret(app_secret, "vk random_id", channel)
        self._sender = Sender(self._api, self._media, channel=channel, salt=salt, intent=intent)
        self._changes = Changes(self._api, self._media)
        self._secret = secret
        title = f"carillon-{derive_secret(app_secret, 'vk callback server', channel)[:5]}"  # 14 characters at most
        self._servers = CallbackServers(self._api, group_id, title=title, secret=secret)
        self._long_poll = LongPoll(self._api, group_id)
        self._confirmation = confirmation
        self._polls = polls
        self._hook_url = hook_url
        self._now = now or _utc_now

    @classmethod
    def from_settings(cls, settings: VkSettings, context: Context) -> "VkGateway":
        given = settings.secret.get_secret_value() if settings.secret else ""
        derived = derive_secret(context.secret, "vk callback", settings.id)[:MAX_SECRET] if context.secret else ""
        return cls(
            channel=settings.id,
            group_id=settings.group_id,
            token=settings.token.get_secret_value(),
            media=context.media,
            api_base=settings.api_base,
            confirmation=settings.confirmation or "",
            secret=given or derived,
            app_secret=context.secret,
            intent=settings.intent,
            polls=(settings.mode or ("webhook" if context.public_url else "polling")) == "polling",
            hook_url=context.hook_url(settings.id),
            now=context.now,
        )

    async def open(self) -> None:
        await self._http.open()

    async def close(self) -> None:
        await self._http.close()

    # --- sending

    def together(self, outgoing: Outgoing) -> Hashable | None:
        """Everything that needs no upload goes with everything else: one script holds 25 different messages."""
        return _TOGETHER if self._sender.goes_along(outgoing) else None

    def slots(self, outgoing: Outgoing) -> int:
        return DOCUMENT_SLOTS if is_document(outgoing.part) else 1

    async def needs_upload(self, part: Part) -> bool:
        """A picture brought twice at once would be two pictures, so the first message goes alone."""
        try:
            return await self._media.needs_upload(part)
        except Unavailable:
            return True

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        return await self._sender.send(parts)

    # --- what was sent

    async def take_back(self, parts: Sequence[SentPart]) -> Sequence[GatewayError | None]:
        return await self._changes.take_back(parts)

    async def correct(self, corrections: Sequence[Correction]) -> Sequence[GatewayError | None]:
        return await self._changes.correct(corrections)

    # --- who we are

    async def check(self) -> Account:
        group = await self._own_group()
        if str(group.get("id")) != self._group_id:
            raise ChannelBroken(f"the key belongs to another community, “{group.get('name')}” ({group.get('id')})")
        warnings = [*await self._missing_rights()]
        webhook = None
        if not self._polls:
            webhook, more = await self._look_at_server()
            warnings += more
        name = str(group.get("screen_name") or f"club{self._group_id}")
        return Account(
            external_id=self._group_id,
            name=str(group.get("name") or name),
            webhook=webhook,
            warnings=tuple(warnings),
            link=f"https://vk.me/{name}",
        )

    async def _own_group(self) -> Mapping[str, Any]:
        try:
            answer = await self._api.ask("groups.getById")
        except Rejected as error:
            raise ChannelBroken(f"VK does not say whose the key is: {error.words}", code=error.code) from None
        groups = _listed(answer, "groups")
        if not groups or "id" not in groups[0]:
            raise ChannelBroken("the key is no community's key, or what stands behind api_base is not VK's API")
        return groups[0]

    async def _missing_rights(self) -> Sequence[str]:
        """Raises ChannelBroken where the key may send nothing."""
        try:
            answer = await self._api.ask("groups.getTokenPermissions")
        except GatewayError as error:  # whose it is, is known by now
            return (_(f"VK does not say what the key may do: {error.words}"),)
        names = {right.get("name") for right in _listed(answer, "permissions")}
        missing = [name for name in NEEDED_RIGHTS if name not in names]
        if "messages" in missing:
            raise ChannelBroken("the key may not send messages: make one with the right to messages of the community")
        return (_(f"the key has no right to {', '.join(missing)}"),) if missing else ()

    async def _look_at_server(self) -> tuple[str | None, Sequence[str]]:
        """Where events go. One that VK does not reach counts as none: being set again mends it."""
        try:
            server = await self._servers.find(self._hook_url)
            self._confirmation = await self._servers.confirmation()
        except GatewayError as error:
            return None, (_(f"VK does not say which callback server is set: {error.words}"),)
        if server is None:
            return None, ()
        return (None if server.status == "failed" else server.url), server.warnings

    # --- listening

    def verify(self, request: Hook) -> None:
        """The proof is the secret in the body, so a body that can't be read raises Unreadable."""
        event = read_json(request.body)
        if not is_ours(event, self._group_id):
            raise BadSignature
        if event.get("type") == "confirmation" and "secret" not in event:
            return  # it asks for a code that only its own community can use
        given = event.get("secret")
        # JSON may hold what is no letter, half an emoji; as bytes it is only different.
        require_same(given.encode("utf-8", "surrogatepass") if isinstance(given, str) else None, self._secret)

    def parse(self, request: Hook) -> Heard:
        event = read_json(request.body)
        if event.get("type") == "confirmation" and is_ours(event, self._group_id):
            if not self._confirmation:
                raise Unreadable("no confirmation code is known")
            return Heard(answer=Answer(self._confirmation))
        return read_event(event, self._group_id, self._now)

    async def set_webhook(self, url: str) -> None:
        # VK asks for the code as soon as it knows the address.
        self._confirmation = await self._servers.confirmation()
        await self._servers.set(url)

    @property
    def polls(self) -> bool:
        return self._polls

    async def updates(self) -> AsyncIterator[Heard]:
        async for batch in self._long_poll.batches():
            for event in batch:
                try:
                    heard = read_event(event if isinstance(event, Mapping) else {}, self._group_id, self._now)
                except Unreadable as error:
                    # It would come again and again, and everything behind it never.
                    log.warning("an event can't be read", extra={"channel": self._channel, "why": str(error)})
                    continue
                if heard.inbound or heard.watermarks:
                    yield heard

    async def poll_reads(self, addresses: Sequence[str]) -> Sequence[Watermark]:
        peers = [address for address in addresses[:MAX_POLLED] if _ADDRESS.fullmatch(address)]
        if not peers:
            return ()
        answer = await self._api.ask("messages.getConversationsById", {"peer_ids": ",".join(peers)}, peers)
        return [mark for item in _listed(answer, "items") if (mark := self._read_mark(item)) is not None]

    def _read_mark(self, item: Mapping[str, Any]) -> Watermark | None:
        try:
            return read_until(item["peer"]["id"], item["out_read"], self._now)
        except (Unreadable, LookupError, TypeError):
            return None

    async def answer_press(self, pressed: Pressed, words: str = "") -> None:
        """VK waits a minute; what comes later is refused in general words."""
        if not pressed.press_id:
            return  # a text button: nothing waits
        values = {"event_id": pressed.press_id, "user_id": pressed.address, "peer_id": pressed.address}
        if words:
            values["event_data"] = encode({"type": "show_snackbar", "text": words[:MAX_NOTE]})
        try:
            await self._api.ask("messages.sendMessageEventAnswer", values, (pressed.address,))
        except (Rejected, AddressGone, Unavailable) as error:
            if isinstance(error, Unavailable) and error.code != "1":
                raise
            log.info("a press was answered too late", extra={"channel": self._channel, "code": error.code})


def _listed(answer: Any, name: str) -> Sequence[Mapping[str, Any]]:
    """The objects of a list in an answer; what is none is left out."""
    items = answer.get(name) if isinstance(answer, Mapping) else answer
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _utc_now() -> datetime:
    return datetime.now(UTC)
