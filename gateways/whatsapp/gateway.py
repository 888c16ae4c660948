"""One number of the WhatsApp Business Cloud API as a channel."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateways.base import (
    Accepted,
    Account,
    Capabilities,
    GatewayError,
    Heard,
    Hook,
    MediaStore,
    NewTemplate,
    OutcomeUnknown,
    Outgoing,
    Part,
    PartKind,
    Rejected,
    Submitted,
    Template,
    Throttled,
    Unavailable,
    _,
)
from gateways.config import Context
from gateways.http import HttpClient
from gateways.meta.graph import CALL_S, UPLOAD_S, GraphApi, Problem
from gateways.meta.hooks import id_of, require_meta, split_by_account, text_of
from gateways.meta.usage import Pauses
from gateways.templates import UnreadableTemplate, Wanted, header_kind, read_template
from gateways.whatsapp import render
from gateways.whatsapp.account import PHONE_FIELDS, TEMPLATE_FIELDS, account_of, template_of
from gateways.whatsapp.capabilities import MAX_HOOK_URL, WHATSAPP
from gateways.whatsapp.config import WhatsAppSettings
from gateways.whatsapp.errors import THROUGHPUT, MediaRefused, error_of
from gateways.whatsapp.events import read_hook
from gateways.whatsapp.media import Files, Item
from gateways.whatsapp.submitting import template_values

log = logging.getLogger(__name__)

TEMPLATE_CACHE_S = 3600.0  # Graph calls beside sends: 200 an hour for an account that is new; …/rate-limits
LOOK_AGAIN_S = 60.0  # where Meta did not answer
PAIR_WAIT_S = 1.0  # 4^n seconds; …/throughput#pair-rate-limits
PAIR_WAIT_MOST_S = 256.0
PAIR_MEMORY = 10_000  # clients
_KINDS = {"image": PartKind.PICTURE, "video": PartKind.VIDEO, "document": PartKind.FILE}


class WhatsAppGateway:
    """Satisfies Gateway, HoldsMedia, SyncsTemplates, SubmitsTemplates, SharesHook and SetsWebhook of `gateways.base`.

    Of platforms/whatsapp.md this is left out, and why: audio, stickers, contacts, reactions, groups, catalogues and
    flows (a message has no such elements); location requests; the 5-minute download of clients' files, typing and
    read marks (nobody answers from here); changing and deleting templates (done in WhatsApp Manager); the
    Marketing Messages API (its own onboarding); `message_history` (its availability is unverified); `context`,
    `recipient_identity_key_hash` and `referral` (nothing here would read them); `link` in media, because an uploaded id
    is faster and fails at once; counting undeliverable messages of a client (131026), which the engine may do; country
    terms such as no marketing to US numbers (131049 tells them) and countries where the business is barred (130497):
    each client fails by itself. Spreading a mailing beyond the messaging limit over days: `check` reads the limit and a
    launch above it is refused. Events of quality, limit and alerts (`phone_number_quality_update`,
    `business_capability_update`, `account_alerts`): `check` reads quality and limit anew. Repeats of what failed later
    (131049 after 24 h, 131053, 134101): a delivery that failed by a receipt has failed. `x-fb-trace-id` and what else
    only helps Meta's support, proof of consent, registration and PINs are the operator's.
    """

    capabilities: Capabilities = WHATSAPP

    def __init__(
        self,
        *,
        channel: str,
        phone_number_id: str,
        business_account_id: str,
        token: str,
        app_secret: str,
        verify_token: str,
        media: MediaStore,
        api_base: str = "https://graph.facebook.com/v26.0",
        call_s: float = CALL_S,
        upload_s: float = UPLOAD_S,
        now: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channel = channel
        self._phone = phone_number_id
        self._account = business_account_id
        self._app_secret = app_secret
        self._verify_token = verify_token
        self._now = now or _utc_now
        self._monotonic = monotonic
        self._http = HttpClient()
        self._graph = GraphApi(
            self._http, api_base, token, classify=self._classify, call_s=call_s, upload_s=upload_s, monotonic=monotonic
        )
        self._files = Files(
            channel, media, self._graph, phone_number_id=phone_number_id, api_base=api_base, now=self._now
        )
        self._throughput = Pauses(monotonic, first_s=1.0, most_s=60.0)
        self._pair_waits: OrderedDict[str, float] = OrderedDict()  # by address: the next wait, where one was needed
        self._shapes: dict[tuple[str, str], tuple[Template | None, float]] = {}  # and until when it is believed

    @classmethod
    def from_settings(cls, settings: WhatsAppSettings, context: Context) -> "WhatsAppGateway":
        return cls(
            channel=settings.id,
            phone_number_id=settings.phone_number_id,
            business_account_id=settings.business_account_id,
            token=settings.token.get_secret_value(),
            app_secret=settings.app_secret.get_secret_value(),
            verify_token=settings.verify_token.get_secret_value(),
            media=context.media,
            api_base=settings.api_base,
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
        """The first of a template is alone too: its send asks what the template is like."""
        try:
            if part.kind is PartKind.TEMPLATE:
                wanted = read_template(part.extra.get("template"))
                shape = self._known_shape(wanted)
                return shape is None or await self._lacks(_header_item(wanted, shape[0]))
            return await self._lacks(_item_of(part))
        except (UnreadableTemplate, Rejected):
            return False
        except Unavailable:
            return True

    async def _lacks(self, item: Item | None) -> bool:
        return item is not None and await self._files.find(item) is None

    async def _outcome(self, out: Outgoing) -> Accepted | GatewayError:
        try:
            return await self._send(out)
        except GatewayError as error:
            return error
        except Exception as error:  # noqa: BLE001  # a fault of ours must not end the lane; whether it was sent is open
            log.error("a fault while sending", extra={"channel": self._channel, "fault": type(error).__name__})  # noqa: TRY400
            return OutcomeUnknown(f"a fault of Carillon: {type(error).__name__}")

    async def _send(self, out: Outgoing) -> Accepted:
        if out.part.kind is not PartKind.TEMPLATE:
            return await self._send_with(_item_of(out.part), out, lambda media: render.values_of(out, media))
        try:
            wanted = read_template(out.part.extra.get("template"))
        except UnreadableTemplate as error:
            raise Rejected(str(error), reason="template") from None
        shape = await self._shape(wanted)
        item = _header_item(wanted, shape)
        return await self._send_with(item, out, lambda media: render.template_values(out, wanted, shape, media))

    async def _send_with(
        self, item: Item | None, out: Outgoing, compose: Callable[[dict[str, Any] | None], Mapping[str, Any]]
    ) -> Accepted:
        if item is None:
            return await self._post(out, compose(None))
        known = await self._files.find(item)
        media_id = known or await self._files.get(item)
        try:
            return await self._post(out, compose({"id": media_id}))
        except MediaRefused:
            if known is None:
                raise
        # An id that has died before its time: the file is brought once more.
        await self._files.forget(item, media_id)
        return await self._post(out, compose({"id": await self._files.get(item)}))

    async def _post(self, out: Outgoing, values: Mapping[str, Any]) -> Accepted:
        try:
            # The usage headers are about calls beside sends, so they say nothing about the lane's pace.
            answer, _usage = await self._graph.post(f"{self._phone}/messages", values, hidden=(out.address,))
        except Throttled as error:
            if error.only_this:
                error.retry_after_s = self._next_pair_wait_s(out.address)
            raise
        self._throughput.end()
        self._pair_waits.pop(out.address, None)
        return _accepted(out, answer)

    def _next_pair_wait_s(self, address: str) -> float:
        wait_s = self._pair_waits.pop(address, PAIR_WAIT_S)
        self._pair_waits[address] = min(wait_s * 4, PAIR_WAIT_MOST_S)
        if len(self._pair_waits) > PAIR_MEMORY:
            self._pair_waits.popitem(last=False)
        return wait_s

    def _classify(self, problem: Problem) -> GatewayError | None:
        if problem.code == THROUGHPUT:
            return Throttled(self._throughput.next_s(), problem.words, code=problem.label)
        return error_of(problem)

    # --- templates

    async def templates(self) -> Sequence[Template]:
        query = {"fields": TEMPLATE_FIELDS, "limit": "100"}
        found = [template_of(entry) async for entry in self._graph.listed(f"{self._account}/message_templates", query)]
        self._shapes.clear()
        for template in found:
            self._keep_shape(template.name, template.language, template)
        return found

    async def _shape(self, wanted: Wanted) -> Template | None:
        """What the template is like, which says how its header and buttons are filled; None where Meta does not know
        it, or does not answer now: then the values themselves tell."""
        if (known := self._known_shape(wanted)) is not None:
            return known[0]
        try:
            shape = await self._look_up(wanted.name, wanted.language)
        except GatewayError as error:
            log.warning("a template can't be looked up", extra={"channel": self._channel, "code": error.code})
            self._keep_shape(wanted.name, wanted.language, None, LOOK_AGAIN_S)
            return None
        self._keep_shape(wanted.name, wanted.language, shape)
        return shape

    async def _look_up(self, name: str, language: str) -> Template | None:
        """Raises GatewayError."""
        query = {"fields": TEMPLATE_FIELDS, "name": name, "limit": "100"}
        shape: Template | None = None
        async for entry in self._graph.listed(f"{self._account}/message_templates", query):
            found = template_of(entry)
            if (found.name, found.language) == (name, language):
                shape = found
        return shape

    async def submit_template(self, new: NewTemplate) -> Submitted:
        if await self._look_up(new.name, new.language) is not None:
            raise Rejected(_("there is a template of that name in that language already"), reason="template")
        picture = await self._files.sample(new.picture) if new.picture else ""
        values = template_values(new, picture)
        answer, _usage = await self._graph.post(f"{self._account}/message_templates", values)
        self._shapes.pop((new.name, new.language), None)
        return Submitted(
            id_of(answer.get("id")),
            text_of(answer.get("status")).lower() or "pending",
            text_of(answer.get("category")).lower() or new.category,
        )

    def _known_shape(self, wanted: Wanted) -> tuple[Template | None] | None:
        known = self._shapes.get((wanted.name, wanted.language))
        return (known[0],) if known is not None and self._monotonic() < known[1] else None

    def _keep_shape(
        self, name: str, language: str, shape: Template | None, good_for_s: float = TEMPLATE_CACHE_S
    ) -> None:
        self._shapes[name, language] = (shape, self._monotonic() + good_for_s)

    # --- who we are

    async def check(self) -> Account:
        values = (await self._graph.get(self._phone, {"fields": PHONE_FIELDS})).values
        return account_of(values, self._phone, await self._apps())

    async def _apps(self) -> list[Mapping[str, Any]] | None:
        """The apps that hear of the account; None where Meta does not say, which never stops sending."""
        try:
            data = (await self._graph.get(f"{self._account}/subscribed_apps")).values.get("data")
        except GatewayError as error:
            log.warning("Meta does not say who is subscribed", extra={"channel": self._channel, "code": error.code})
            return None
        return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else None

    async def set_webhook(self, url: str) -> None:
        """Subscribe the app to the account, without which nothing arrives, and point this number's messages here; where
        the number takes no address of its own, those of the whole account. What is told of the account and its
        templates goes to the app's one URL, which is set in the App Dashboard."""
        if len(url) > MAX_HOOK_URL:
            raise Rejected(f"Meta takes webhook addresses up to {MAX_HOOK_URL} characters")
        if not await self._apps():
            await self._graph.repeatable(f"{self._account}/subscribed_apps", {})
        override = {"override_callback_uri": url, "verify_token": self._verify_token}
        try:
            await self._graph.repeatable(self._phone, {"webhook_configuration": override})
        except Rejected:
            await self._graph.repeatable(f"{self._account}/subscribed_apps", override)

    # --- listening

    def verify(self, request: Hook) -> None:
        require_meta(request, self._app_secret, self._verify_token)

    def parse(self, request: Hook) -> Heard:
        return read_hook(request, self._phone, self._account, self._now)

    @property
    def hook_accounts(self) -> frozenset[str]:
        return frozenset({f"phone:{self._phone}", f"waba:{self._account}"})

    def split(self, request: Hook) -> Mapping[str, Hook]:
        return split_by_account(request)


def _item_of(part: Part) -> Item | None:
    if part.kind not in render.TYPES:
        return None
    if len(part.media) != 1:
        raise Rejected("a part of WhatsApp carries one file", reason="media")
    return Item(part.media[0], part.kind, part.name if part.kind is PartKind.FILE else None)


def _header_item(wanted: Wanted, shape: Template | None) -> Item | None:
    kind = _KINDS.get(header_kind(wanted, shape))
    if kind is None or not wanted.header_source:
        return None
    return Item(wanted.header_source, kind, wanted.header_name if kind is PartKind.FILE else None)


def _accepted(out: Outgoing, answer: Mapping[str, Any]) -> Accepted:
    """Accepted is not sent: a template may be held back for its quality, and fail an hour later."""
    message, contact = (_first(answer.get(name)) for name in ("messages", "contacts"))
    status = text_of(message.get("message_status"))
    # Some countries' numbers are written in another way than ours; receipts come under theirs.
    wa_id = text_of(contact.get("wa_id")).removeprefix("+")
    moved = wa_id.isascii() and wa_id.isdigit() and out.address.isdigit() and wa_id != out.address
    return Accepted(
        # A success whose message has no id was sent all the same; our reference finds it.
        text_of(message.get("id")),
        new_address=wa_id if moved else None,
        details={"status": status} if status and status != "accepted" else {},
    )


def _first(values: Any) -> Mapping[str, Any]:
    return values[0] if isinstance(values, list) and values and isinstance(values[0], dict) else {}


def _utc_now() -> datetime:
    return datetime.now(UTC)
