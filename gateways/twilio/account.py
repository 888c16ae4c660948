"""Whose account it is, and where Twilio posts clients' messages: at the number, the service or the WhatsApp sender."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateways.base import Account, ChannelBroken, GatewayError, Rejected, _
from gateways.twilio.api import Host, TwilioApi
from gateways.twilio.events import Ours
from gateways.twilio.render import PREFIX

# twilio.com/docs/usage/webhooks/webhooks-connection-overrides: by itself Twilio tries once more, and only where it
# found no connection, so that whatever we answered with a 5xx would be lost. The fragment is neither sent nor signed.
AGAIN = "#rc=5&rp=5xx,ct,rt"
_SENDERS = "/v2/Channels/Senders"
_READY = ("", "ONLINE", "ONLINE:UPDATING")

Json = Mapping[str, Any]


async def look(api: TwilioApi, ours: Ours, hook_url: str | None) -> Account:
    """Raises ChannelBroken where the account can't send at all, GatewayError. What can't be learnt of the sender stops
    nothing."""
    document = await api.get(Host.API, api.account_path(".json"))
    status = str(document.get("status") or "active")
    if document.get("sid", ours.account_sid if "friendly_name" in document else "") != ours.account_sid:
        raise ChannelBroken("what stands behind api_base does not answer as Twilio does")
    if status != "active":
        raise ChannelBroken(f"the Twilio account is {status}")
    try:
        webhook, warnings = await _look_at_sender(api, ours)
    except GatewayError as error:
        webhook, warnings = None, [_(f"Twilio does not say which webhook is set: {error.words}")]
    if hook_url is None:
        warnings.append(_("without public_url neither receipts nor clients' messages come"))
    elif "_" in (urlsplit(hook_url).hostname or ""):
        warnings.append(_("Twilio takes no host with an underscore, as that of public_url, for receipts (21609)"))
    phone = (ours.sender or "").removeprefix("+")
    return Account(
        external_id=ours.account_sid,
        name=f"{document.get('friendly_name') or ours.account_sid}, {ours.sender or ours.service}",
        webhook=webhook.removesuffix(AGAIN) if webhook else None,  # one without it is set anew
        warnings=tuple(warnings),
        link=f"https://wa.me/{phone}" if ours.on_whatsapp and phone else None,
    )


async def point(api: TwilioApi, ours: Ours, url: str) -> None:
    """Let clients' messages come to `url`. Raises GatewayError; Rejected where no API sets it."""
    url += AGAIN
    if ours.service:
        values = (("InboundRequestUrl", url), ("InboundMethod", "POST"), ("UseInboundWebhookOnNumber", "false"))
        await api.set(Host.MESSAGING, f"/v1/Services/{ours.service}", values)
    elif ours.on_whatsapp:
        sender = await _find_sender(api, ours)
        webhook = {"callback_url": url, "callback_method": "POST"}
        await api.set(Host.MESSAGING, f"{_SENDERS}/{_sid_of(sender)}", {"webhook": webhook})
    elif (ours.sender or "").startswith("+"):
        number = await _find_number(api, ours)
        path = api.account_path(f"/IncomingPhoneNumbers/{_sid_of(number)}.json")
        await api.set(Host.API, path, (("SmsUrl", url), ("SmsMethod", "POST")))
    elif (ours.sender or "").isdecimal():
        raise Rejected("a short code's webhook is set in Twilio's Console")


async def _look_at_sender(api: TwilioApi, ours: Ours) -> tuple[str | None, list[str]]:
    if ours.service:
        service = await api.get(Host.MESSAGING, f"/v1/Services/{ours.service}")
        if service.get("use_inbound_webhook_on_number") is True:
            return None, [_("the messaging service hands messages to its numbers' own webhooks")]
        return _url(service.get("inbound_request_url")), []
    if ours.on_whatsapp:
        sender = await _find_sender(api, ours)
        status = str(sender.get("status") or "")
        webhook = sender.get("webhook")
        url = _url(webhook.get("callback_url")) if isinstance(webhook, Mapping) else None
        return url, [] if status in _READY else [_(f"the WhatsApp sender is {status}")]
    if not (ours.sender or "").startswith("+"):
        return None, [_("clients can't be heard through a name or, unless its webhook is set by hand, a short code")]
    return _url((await _find_number(api, ours)).get("sms_url")), []


async def _find_number(api: TwilioApi, ours: Ours) -> Json:
    query = (("PhoneNumber", ours.sender or ""),)
    page = await api.get(Host.API, api.account_path("/IncomingPhoneNumbers.json"), query)
    return _only(page.get("incoming_phone_numbers"), "phone_number", ours.sender)


async def _find_sender(api: TwilioApi, ours: Ours) -> Json:
    query = (("Channel", "whatsapp"), ("PageSize", "100"))
    found: list[Any] = []
    async for page in api.pages(Host.MESSAGING, _SENDERS, query):
        senders = page.get("senders")
        found += senders if isinstance(senders, list) else []
    return _only(found, "sender_id", f"{PREFIX}{ours.sender}")


def _only(entries: object, key: str, wanted: str | None) -> Json:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and entry.get(key) == wanted:
            return entry
    raise Rejected("the account has no such sender; a hosted or sandbox one is set up in Twilio's Console")


def _sid_of(entry: Json) -> str:
    sid = str(entry.get("sid") or "")
    if not sid.isalnum():
        raise Rejected("Twilio names the sender without its sid")
    return sid


def _url(value: object) -> str | None:
    return str(value) if value else None
