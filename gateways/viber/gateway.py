"""One Viber bot as a channel."""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from gateways.base import (
    Accepted,
    Account,
    Capabilities,
    ChannelBroken,
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
    Throttled,
    _,
)
from gateways.config import Context
from gateways.http import HttpClient
from gateways.jsons import write_json
from gateways.message import Link
from gateways.signatures import derive_secret, require_same
from gateways.viber import errors, render
from gateways.viber.api import CALL_S, Json, Reply, ViberApi, whole
from gateways.viber.capabilities import MAX_BODY_BYTES, VIBER
from gateways.viber.config import ViberSettings
from gateways.viber.events import USED, external_id_of, read_event
from gateways.viber.media import Files
from gateways.viber.presses import Presses
from gateways.viber.pressure import Pressure
from gateways.viber.signing import sign
from gateways.viber.welcome import welcome_body

log = logging.getLogger(__name__)

SIGNATURE_HEADER = "x-viber-content-signature"
WITHOUT_WEBHOOK_S = 10.0  # between looks at a bot whose webhook is gone
MAX_REMEMBERED = 10_000  # clients who are sent to in another way
_OPTIONAL_EVENTS = frozenset(USED) - {"subscribed", "unsubscribed"}  # those two come always
# bots-api, Send message: what a message cost us, as `[prices]` may name it.
COSTS = {
    0: "viber.unclassified",
    1: "viber.session",  # of a bot that pays for nothing
    2: "viber.session_billable",
    3: "viber.free",  # out of a session
    4: "viber.free_billable",
    5: "viber.charged",
}


class ViberGateway:
    """Satisfies Gateway, HoldsMedia, SendsTogether and SetsWebhook of `gateways.base`.

    Left out of what Viber has, and why:

    - `tracking_data` on mailings: it comes back with a client's next words only, never in a receipt, and would make
      equal messages differ. Our own welcome uses it.
    - `replace_me_with_…` in broadcasts: a name of Viber's own instead of the one on our card.
    - Contacts, stickers, `url` messages, `share-phone` and `location-picker`: no message of ours has them,
      nor keyboards alone. A contact that a client sends may be anybody's, so it is heard as words and not as the
      client's phone.
    - Thumbnails and a video's duration: optional, and nothing of ours knows them. What stands behind a picture's URL is
      not measured: a kept picture is, before launch.
    - Counting 100 messages an hour and client by ourselves: Viber counts, and its status 12 is heeded.
    - `get_user_details` (twice in 12 h for a client) and `get_online`: events bring name and language.
    - Giving a receipt of an unknown token to an open attempt: `delivered` comes for tokens of clients' own messages as
      well, so it would prove sends that never were. What may have gone out stays unknown, for `on_unknown` to decide.
    - A try as plain text (13) for anything but a carousel: nothing else of ours needs more than version 1.
    - Files that clients send: their URLs live an hour, and nothing of ours keeps them.
    - Pauses of 5, 30 and 120 s between tries, and half the pace after a throttle: the lane has its own for all kinds.
    - Going on inside sessions, which are free, when the month's messages or the balance are used up (23, 24): a lane
      of mailings has none to send there, and a person has to top it up anyway.
    - A log line for events that are not known: they say nothing that anybody could act on.
    """

    capabilities: Capabilities = VIBER

    def __init__(
        self,
        *,
        channel: str,
        token: str,
        sender_name: str,
        media: MediaStore,
        secret: bytes,
        sender_avatar: str | None = None,
        public_url: str | None = None,
        api_base: str = "https://chatapi.viber.com/pa",
        welcome: str = "",
        call_s: float = CALL_S,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._channel = channel
        self._token = token
        self._sender: Json = {"name": sender_name} | ({"avatar": sender_avatar} if sender_avatar else {})
        self._welcome = welcome
        self._http = HttpClient()
        self._api = ViberApi(self._http, api_base, token, call_s=call_s)
        self._files = Files(media, public_url=public_url, secret=secret, api_base=api_base, monotonic=monotonic)
        self._presses = Presses(derive_secret(secret or token.encode(), "viber press", channel).encode())
        self._monotonic = monotonic
        self._now = now or _utc_now
        self._pressure = Pressure(monotonic, self._now)
        self._may_broadcast = True
        self._apart: dict[str, None] = {}  # clients who are sent to one by one
        self._plain: dict[str, None] = {}  # clients whose app shows no carousels
        self._public_url = public_url
        self._hook_url: str | None = None
        self._mending = asyncio.Lock()
        self._mended_at = float("-inf")

    @classmethod
    def from_settings(cls, settings: ViberSettings, context: Context) -> "ViberGateway":
        return cls(
            channel=settings.id,
            token=settings.token.get_secret_value(),
            sender_name=settings.sender_name,
            sender_avatar=settings.sender_avatar,
            media=context.media,
            secret=context.secret,
            public_url=context.public_url,
            api_base=settings.api_base,
            welcome=settings.welcome,
            now=context.now,
        )

    async def open(self) -> None:
        await self._http.open()

    async def close(self) -> None:
        await self._http.close()

    # --- sending

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        if len(parts) == 1 or len({out.address for out in parts}) < len(parts) or not self._are_equal(parts):
            return [await self._outcome(out) for out in parts]
        try:
            return await self._send_together(parts)
        except Exception as error:  # noqa: BLE001  # a fault of ours must not end the lane; whether it was sent is open
            fault = self._fault(error)
            return [_same(fault) for _ in parts]

    def together(self, outgoing: Outgoing) -> Hashable | None:
        """What every receiver of a broadcast gets alike; None with a button that comes back, whose body is for one."""
        if not self._may_broadcast or outgoing.address in self._apart or outgoing.address in self._plain:
            return None
        buttons = [button for row in outgoing.buttons for button in row]
        if not all(isinstance(button, Link) for button in (*buttons, *(b for c in outgoing.cards for b in c.buttons))):
            return None
        part = outgoing.part
        place = (part.latitude, part.longitude)
        return part.kind, part.media, part.name, place, outgoing.text, outgoing.buttons, outgoing.cards

    async def needs_upload(self, part: Part) -> bool:
        """Nothing is uploaded, but a file's size is learned once, and whoever waited for it would go in one burst."""
        return self._files.must_ask(part)

    def _are_equal(self, parts: Sequence[Outgoing]) -> bool:
        key = self.together(parts[0])
        return key is not None and all(self.together(out) == key for out in parts[1:])

    async def _outcome(self, out: Outgoing) -> Accepted | GatewayError:
        try:
            values = {"receiver": out.address, "sender": self._sender, **await self._message(out)}
            body = write_json(values)
            _require_size(body)
            reply = await self._api.post("send_message", body, hidden=out.address)
            if reply.status != errors.OK:
                return await self._error(reply, out)
        except GatewayError as error:
            return _of_this_client(error, out)
        except Exception as error:  # noqa: BLE001  # the same
            return self._fault(error)
        self._pressure.taken()
        return _accepted(reply, out.address)

    def _fault(self, error: Exception) -> GatewayError:
        log.error("a fault while sending", extra={"channel": self._channel, "fault": type(error).__name__})
        return OutcomeUnknown(f"a fault of Carillon: {type(error).__name__}")

    async def _error(self, reply: Reply, out: Outgoing) -> GatewayError:
        """What became of a message for one client that Viber did not take."""
        if reply.of_channel:
            return self._pressure.of_channel(reply.words)
        match reply.status:
            case errors.TOO_MANY_REQUESTS:
                return self._pressure.of_client(out.address, reply.words)
            case errors.WEBHOOK_NOT_SET:
                return await self._without_webhook(reply)
            case errors.APP_TOO_OLD if out.part.kind is PartKind.CAROUSEL and out.address not in self._plain:
                _remember(self._plain, out.address)
                return Throttled(0.0, reply.words, code=str(reply.status), only_this=True)
        return errors.error_of(reply.status, reply.words)

    async def _message(self, out: Outgoing) -> Json:
        presses, part = self._presses, out.part
        match part.kind:
            case PartKind.TEXT:
                return render.text_message(out, presses)
            case PartKind.PICTURE:
                return render.picture_message(out, presses, self._files.picture_url(part.media[0]))
            case PartKind.VIDEO:
                return render.video_message(out, presses, *await self._files.video(part.media[0]))
            case PartKind.FILE:
                return render.file_message(out, presses, *await self._files.file(part.media[0], part.name))
            case PartKind.LOCATION:
                return render.location_message(out, presses)
            case PartKind.CAROUSEL if out.address in self._plain:
                return render.carousel_as_text(out, presses)
            case PartKind.CAROUSEL:
                pictures = [self._files.picture_url(card.picture) if card.picture else None for card in out.cards]
                return render.carousel_message(out, presses, pictures)
        raise MessageRejected(f"Viber takes no {part.kind.value}", reason="media")

    # --- several at once

    async def _send_together(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        try:
            values = {"sender": self._sender, **await self._message(parts[0])}
            most = _receivers_in(values, parts)
        except GatewayError as error:
            return [_same(error) for _ in parts]
        calls = [parts[start : start + most] for start in range(0, len(parts), most)]
        return [outcome for call in calls for outcome in await self._broadcast(values, call)]

    async def _broadcast(self, values: Json, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        try:
            body = write_json({"broadcast_list": [out.address for out in parts], **values})
            reply = await self._api.post("broadcast_message", body)
        except GatewayError as error:
            return [_same(error) for _ in parts]
        if reply.status != errors.OK:
            return await self._broadcast_refused(reply, parts)
        failed = _failed_in(reply)
        if len(failed) < len(parts):
            self._pressure.taken()
        return [
            await self._error(failed[out.address], out) if out.address in failed else _accepted(reply, out.address)
            for out in parts
        ]

    async def _broadcast_refused(self, reply: Reply, parts: Sequence[Outgoing]) -> Sequence[GatewayError]:
        if reply.status == errors.TOO_MANY_REQUESTS:
            throttled = self._pressure.of_channel(_without_addresses(reply.words, parts))
            return [Throttled(throttled.retry_after_s, throttled.words, code=throttled.code) for _ in parts]
        if reply.status == errors.WEBHOOK_NOT_SET:
            error = await self._without_webhook(reply)
            return [_same(error) for _ in parts]
        words = _without_addresses(reply.words, parts)
        if reply.status in errors.NO_BROADCAST:
            # Nothing of it was sent: each comes again at once, in a slot of its own.
            log.info("the bot may not broadcast", extra={"channel": self._channel, "code": reply.status})
            self._may_broadcast = False
        elif reply.status in errors.OF_ONE_RECEIVER:
            for out in parts:
                _remember(self._apart, out.address)
        else:
            return [errors.error_of(reply.status, words) for _ in parts]
        return [Throttled(0.0, words, code=str(reply.status), only_this=True) for _ in parts]

    # --- who we are

    async def check(self) -> Account:
        info = await self._api.ask("get_account_info", {})
        account_id = info.get("id")
        if not isinstance(account_id, str) or not account_id:
            raise ChannelBroken("what stands behind api_base does not answer as Viber does")
        webhook = str(info.get("webhook") or "") or None
        uri = str(info.get("uri") or "")
        return Account(
            external_id=account_id,
            name=str(info.get("name") or account_id),
            webhook=webhook,
            warnings=_warnings(webhook, info.get("event_types")),
            link=f"viber://pa?chatURI={quote(uri, safe='')}" if uri else None,
        )

    async def set_webhook(self, url: str) -> None:
        """Viber asks our hook during this call, and takes it only if that answers 200."""
        self._hook_url = url
        values = {"url": url, "event_types": list(USED), "send_name": True, "send_photo": False}
        await self._api.ask("set_webhook", values)

    async def _without_webhook(self, reply: Reply) -> GatewayError:
        """Somebody took the webhook away: set it again, if it was set by us; one does so for all that wait."""
        code = str(reply.status)
        if self._hook_url is None and not self._public_url:
            return errors.error_of(reply.status, reply.words)
        async with self._mending:
            if self._hook_url is not None and self._monotonic() - self._mended_at >= WITHOUT_WEBHOOK_S:
                self._mended_at = self._monotonic()
                try:
                    await self.set_webhook(self._hook_url)
                except GatewayError as error:
                    log.warning("the webhook is gone", extra={"channel": self._channel, "code": error.code})
                else:
                    log.info("the webhook was gone and is set again", extra={"channel": self._channel})
                    return Throttled(1.0, "the webhook was gone and is set again", code=code)
        return Throttled(WITHOUT_WEBHOOK_S, "Viber takes nothing before our webhook is set", code=code)

    # --- listening

    def verify(self, request: Hook) -> None:
        given = request.headers.get(SIGNATURE_HEADER) or request.query.get("sig")
        require_same(given, sign(self._token, request.body))

    def parse(self, request: Hook) -> Heard:
        return read_event(request.body, self._presses.find, self._welcome_body, self._now)

    def _welcome_body(self, address: str, payload: str, language: str) -> str:
        return welcome_body(self._sender, self._welcome, self._presses, address, payload, language)


def _accepted(reply: Reply, address: str) -> Accepted:
    token = whole(reply.body.get("message_token"))
    billing = whole(reply.body.get("billing_status"))
    cost = COSTS.get(billing, "") if billing is not None else ""
    # A success without a token was sent all the same; it only can't be found again.
    return Accepted(external_id_of(str(token), address) if token is not None else "", cost=cost)


def _failed_in(reply: Reply) -> Mapping[str, Reply]:
    """Whom a broadcast did not reach, and why; nobody where the list is left out."""
    listed = reply.body.get("failed_list")
    failed: dict[str, Reply] = {}
    for entry in listed if isinstance(listed, list) else ():
        address = entry.get("receiver") if isinstance(entry, Mapping) else None
        if isinstance(address, str):
            status = whole(entry.get("status"))
            words = str(entry.get("status_message") or "").replace(address, "…")[: errors.MAX_WORDS]
            failed[address] = Reply(-1 if status is None else status, words, {})
    return failed


def _receivers_in(values: Json, parts: Sequence[Outgoing]) -> int:
    """How many of these one request can hold. Raises MessageRejected if not even one."""
    body = write_json({"broadcast_list": [], **values})
    longest = max(len(out.address) for out in parts) + 3  # quotes and a comma
    room = (MAX_BODY_BYTES - len(body)) // longest
    if room < 1:
        _require_size(body + b" " * longest)
    return min(room, VIBER.batch)


def _require_size(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        words = f"Viber takes {MAX_BODY_BYTES} bytes with all buttons; this message has {len(body)}"
        raise MessageRejected(words, reason="too_long")


def _of_this_client(error: GatewayError, out: Outgoing) -> GatewayError:
    """A text that became too long by a client's own values says nothing about the message."""
    personal = "{{" in out.part.text or "{%" in out.part.text
    if isinstance(error, MessageRejected) and error.reason == "too_long" and personal:
        return Rejected(error.words, code=error.code, reason=error.reason)
    return error


def _same(error: GatewayError) -> GatewayError:
    """One of each receiver's own: an exception that is shared gathers tracebacks."""
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    return copy


def _without_addresses(words: str, parts: Sequence[Outgoing]) -> str:
    for out in parts:
        words = words.replace(out.address, "…")
    return words


def _remember(known: dict[str, None], address: str) -> None:
    while len(known) >= MAX_REMEMBERED:
        known.pop(next(iter(known)))
    known[address] = None


def _warnings(webhook: str | None, event_types: object) -> tuple[str, ...]:
    if webhook is None:
        return (_("no webhook is set, and Viber takes no message before one is"),)
    asked = set(map(str, event_types)) if isinstance(event_types, list) else None
    missing = sorted(_OPTIONAL_EVENTS - asked) if asked else []
    return (_(f"the webhook is not told of {', '.join(missing)}"),) if missing else ()


def _utc_now() -> datetime:
    return datetime.now(UTC)
