"""One sender of Twilio's Programmable Messaging as a channel: a WhatsApp number, or a number, name or service for SMS.

The few calls go over our own connections: Twilio's library would add a client of its own to each and hide whether a
request went out; in tests it is the other side."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gateways.base import (
    Accepted,
    Account,
    BadSignature,
    Capabilities,
    GatewayError,
    Heard,
    Hook,
    MessageRejected,
    NewTemplate,
    OutcomeUnknown,
    Outgoing,
    PartKind,
    Rejected,
    Submitted,
    Template,
)
from gateways.config import Context
from gateways.http import HttpClient
from gateways.public_media import media_url
from gateways.twilio import account, events, render
from gateways.twilio.api import CALL_S, TwilioApi
from gateways.twilio.capabilities import SMS, WHATSAPP, WHY_UNHEARD
from gateways.twilio.config import TwilioSettings
from gateways.twilio.contents import Contents, content_variables
from gateways.twilio.segments import count
from gateways.twilio.signature import require_signed
from gateways.twilio.submitting import content_of

log = logging.getLogger(__name__)

SEGMENT = "sms.segment"


class TwilioGateway:
    """Satisfies Gateway, CostsSlots, SyncsTemplates, SubmitsTemplates, SetsWebhook and SharesHook of `gateways.base`.

    Without `hook_url` nothing is heard, and the capabilities say so. Left out, and why:

    - API keys: the auth token is needed anyway, for the signature of webhooks.
    - `SendAt` and `Status=canceled`: the lane keeps the time, and so can still be paused. `SmartEncoded`,
      `ShortenUrls`, `RiskCheck`, `MessageIntent`, `ProvideFeedback`, `Attempt`, `SendAsMms`, `FallbackFrom`: they are
      set on the messaging service.
    - MMS: only US, Canadian and Australian numbers carry it, at another price; an SMS channel carries text.
    - Free messages with buttons or lists: they need a Content of their own for each text; links stand in the text, and
      Content templates bring their buttons. Changing and deleting contents: done in Twilio's Console.
    - Looking a lost send up in the list of messages: its StatusCallback names the part. Waiting before a repeat of what
      failed later (30003, 30008, 63049 …): a delivery that failed by a receipt has failed.
    - A warning for each country that the Console leaves out (21408) or a sender does not reach (21612): the statistics
      count them under a reason of their own. A bound on requests at once: Twilio names none; 20429 slows the lane down.
    - Tier and quality of a WhatsApp sender: Twilio has no reliable field for either.
    - Fetching clients' files: they stay with Twilio; `what` names their kind. Ads, flows, forwarded marks: not used.
    - SMPP: a protocol of other aggregators.
    """

    def __init__(
        self,
        *,
        kind: str,
        account_sid: str,
        auth_token: str,
        sender: str | None = None,
        service: str | None = None,
        validity_s: int = 900,
        hook_url: str | None = None,
        shared_key: str = "",
        address_of: Callable[[str], str] | None = None,
        api_base: str = "https://api.twilio.com",
        call_s: float = CALL_S,
        now: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`address_of` makes a `media:` source a URL that Twilio can fetch. Raises ValueError where it can't."""
        self._on_whatsapp = kind == "whatsapp"
        self._ours = events.Ours(account_sid, self._on_whatsapp, sender, service)
        self._http = HttpClient()
        self._api = TwilioApi(self._http, api_base, account_sid, auth_token, call_s=call_s)
        self._contents = Contents(self._api, monotonic)
        self._auth_token = auth_token
        self._shared_key = shared_key
        self._hook_url = hook_url
        self._address_of = address_of
        self._now = now or _utc_now
        able = WHATSAPP if self._on_whatsapp else SMS
        self.capabilities: Capabilities = able if hook_url else _unheard(able)
        self._same_for_all = [("ValidityPeriod", str(validity_s))]
        if sender is not None:
            self._same_for_all.append(("From", render.external_address(sender, on_whatsapp=self._on_whatsapp)))
        if service is not None:
            self._same_for_all.append(("MessagingServiceSid", service))

    @classmethod
    def from_settings(cls, settings: TwilioSettings, context: Context) -> "TwilioGateway":
        public_url, secret = context.public_url, context.secret
        return cls(
            kind=settings.kind,
            account_sid=settings.account_sid,
            auth_token=settings.auth_token.get_secret_value(),
            sender=settings.sender,
            service=settings.messaging_service_sid,
            validity_s=settings.validity_s,
            hook_url=context.hook_url(settings.id),
            shared_key=settings.shared_key.get_secret_value() if settings.shared_key else "",
            address_of=(lambda source: media_url(public_url, secret, source)) if public_url else None,
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

    def slots(self, outgoing: Outgoing) -> int:
        """The segments of an SMS; carriers pace those."""
        return 1 if self._on_whatsapp else count(render.text_of(outgoing, on_whatsapp=False)).segments

    async def _outcome(self, out: Outgoing) -> Accepted | GatewayError:
        try:
            return await self._send(out)
        except GatewayError as error:
            return _of_this_client(error, out)
        except Exception as error:  # noqa: BLE001  # a fault of ours must not end the lane; whether it was sent is open
            log.error("a fault while sending", extra={"fault": type(error).__name__})  # noqa: TRY400
            return OutcomeUnknown(f"a fault of Carillon: {type(error).__name__}")

    async def _send(self, out: Outgoing) -> Accepted:
        cost = ""
        if out.part.kind is PartKind.TEMPLATE:
            template, values = await self._template_values(out.part.extra.get("template"))
            cost = f"whatsapp.{template.category}" if template.category else ""
        else:
            text = render.text_of(out, on_whatsapp=self._on_whatsapp)
            values = render.content_values(out, text, self._file_address)
        to = ("To", render.external_address(out.address, on_whatsapp=self._on_whatsapp))
        taken = await self._api.send_message([to, *self._same_for_all, *values, *self._callback(out.reference)])
        sid = str(taken.get("sid") or "")
        if self._on_whatsapp:
            return Accepted(sid, cost=cost)
        # A service tells 0 at first, because it has not yet chosen the number.
        said = str(taken.get("num_segments") or "")
        return Accepted(sid, cost=SEGMENT, units=int(said) if said.isdecimal() and int(said) else self.slots(out))

    async def _template_values(self, field: Any) -> tuple[Template, render.Values]:
        if not self._on_whatsapp or not isinstance(field, Mapping):
            raise MessageRejected("the message names no template", reason="template")
        template = await self._contents.find(field)
        variables = content_variables(field, template)
        values = [("ContentSid", template.external_id)]
        return template, [*values, ("ContentVariables", variables)] if template.parameters else values

    def _callback(self, reference: str) -> render.Values:
        """With our name of the part, so that a report which comes before the answer, or in place of it, finds it."""
        if self._hook_url is None:
            return []
        return [("StatusCallback", f"{self._hook_url}?{events.REFERENCE}={reference}{account.AGAIN}")]

    def _file_address(self, source: str) -> str:
        if source.startswith(("https://", "http://")):
            return source
        if self._address_of is None:
            raise MessageRejected("Twilio fetches files from us, which needs public_url", reason="media")
        try:
            return self._address_of(source)
        except ValueError as error:
            raise MessageRejected(f"a file of the message can't be given to Twilio: {error}", reason="media") from None

    # --- who we are

    async def check(self) -> Account:
        return await account.look(self._api, self._ours, self._hook_url)

    async def set_webhook(self, url: str) -> None:
        await account.point(self._api, self._ours, url)

    async def templates(self) -> Sequence[Template]:
        return await self._contents.read() if self._on_whatsapp else ()

    async def submit_template(self, new: NewTemplate) -> Submitted:
        """The picture of a Content is one and the same in every message; Twilio fetches it from us each time."""
        if not self._on_whatsapp:
            raise Rejected("SMS knows no templates", reason="template")
        return await self._contents.submit(content_of(new, self._file_address), new.category)

    # --- listening

    def verify(self, request: Hook) -> None:
        if self._hook_url is None:
            raise BadSignature
        # A messaging service calls one hook for all its senders, and signs the URL that it calls.
        hook_url = f"{self._hook_url.rpartition('/')[0]}/{request.channel}" if request.channel else self._hook_url
        require_signed(request, hook_url, self._auth_token, self._shared_key)

    def parse(self, request: Hook) -> Heard:
        return events.read_request(request, self._ours, self._now)

    @property
    def hook_accounts(self) -> frozenset[str]:
        return frozenset({self._ours.name})

    def split(self, request: Hook) -> Mapping[str, Hook]:
        """A messaging service has one address for what comes to its SMS numbers and to its WhatsApp senders."""
        form = events.read_form(request)
        if form is None or events.is_report(form) or self._ours.owns(form):
            return {self._ours.name: request}
        return dict.fromkeys(events.accounts_of(form), request)


def _unheard(able: Capabilities) -> Capabilities:
    return replace(able, receipts=frozenset(), why_no_receipts=WHY_UNHEARD, carries_reference=False)


def _of_this_client(error: GatewayError, out: Outgoing) -> GatewayError:
    """A text that became empty or too long by a client's own values says nothing about the message."""
    personal = "{{" in out.part.text or "{%" in out.part.text
    if isinstance(error, MessageRejected) and error.reason in ("empty", "too_long") and personal:
        return Rejected(error.words, code=error.code, reason=error.reason)
    return error


def _utc_now() -> datetime:
    return datetime.now(UTC)
