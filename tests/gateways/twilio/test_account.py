"""Whose account it is, where clients' messages go, and how a channel of Twilio's is configured."""

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from gateways import registry
from gateways.base import ChannelBroken, GatewayError, PartKind, Rejected, Unavailable
from gateways.config import Context
from gateways.twilio.gateway import TwilioGateway
from tests.gateways.cases import Logs, MemoryMedia
from tests.gateways.outgoing import out
from tests.gateways.stub import AnyStub, Got, Reply, said
from tests.gateways.twilio.conftest import (
    ACCOUNT,
    PROOF,
    SECRETS,
    SENDER,
    SERVICE,
    SMS_HOOK,
    TOKEN,
    WA_HOOK,
    Make,
)
from tests.gateways.twilio.test_errors import refused
from tests.gateways.twilio.test_out import taken, to

HEADERS = {"Authorization": PROOF}
AGAIN = "#rc=5&rp=5xx,ct,rt"
ME = Got(f"/2010-04-01/Accounts/{ACCOUNT}.json", None, "GET", headers=HEADERS)
NUMBERS = Got(
    f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json", None, "GET", {"PhoneNumber": SENDER}, HEADERS
)
SENDERS = Got("/v2/Channels/Senders", None, "GET", {"Channel": "whatsapp", "PageSize": "100"}, HEADERS)
NUMBER = {"sid": "PN1", "phone_number": SENDER, "sms_url": SMS_HOOK + AGAIN, "sms_method": "POST"}
CHAT_SENDER = {
    "sid": "XE1", "sender_id": f"whatsapp:{SENDER}", "status": "ONLINE",
    "webhook": {"callback_url": WA_HOOK + AGAIN, "callback_method": "POST"},
}  # fmt: skip


def account(status: str = "active", **rest: Any) -> Reply:
    return said({"sid": ACCOUNT, "friendly_name": "Acme", "status": status, "type": "Full"} | rest)


def numbers(*entries: Any) -> Reply:
    return said({"incoming_phone_numbers": list(entries), "page": 0, "next_page_uri": None})


def senders(*entries: Any, following: str | None = None) -> Reply:
    return said({"senders": list(entries), "meta": {"key": "senders", "next_page_url": following}})


async def test_an_sms_number_tells_its_webhook(sms: TwilioGateway, stub: AnyStub, logs: Logs) -> None:
    stub.replies = [account(), numbers(NUMBER)]
    found = await sms.check()
    assert stub.sent == [ME, NUMBERS]
    assert (found.external_id, found.name, found.webhook) == (ACCOUNT, f"Acme, {SENDER}", SMS_HOOK)
    assert (found.warnings, found.link) == ((), None)
    logs.require_none_of(SECRETS)


async def test_a_whatsapp_sender_is_found_on_a_later_page(whatsapp: TwilioGateway, stub: AnyStub) -> None:
    other = {**CHAT_SENDER, "sid": "XE2", "sender_id": "whatsapp:+15550001111"}
    following = "https://messaging.twilio.com/v2/Channels/Senders?Page=1"
    stub.replies = [account(), senders(other, following=following), senders("garbage", CHAT_SENDER)]
    found = await whatsapp.check()
    assert stub.sent == [ME, SENDERS, Got("/v2/Channels/Senders", None, "GET", {"Page": "1"}, HEADERS)]
    assert (found.webhook, found.warnings, found.link) == (WA_HOOK, (), "https://wa.me/447700900900")


async def test_a_service_tells_its_webhook_or_that_its_numbers_have_their_own(make: Make, stub: AnyStub) -> None:
    gateway = make("sms", sender=None, service=SERVICE)
    await gateway.open()
    asked = Got(f"/v1/Services/{SERVICE}", None, "GET", headers=HEADERS)
    stub.replies = [account(), said({"sid": SERVICE, "inbound_request_url": "https://old.acme.test/hooks/sms-shop"})]
    found = await gateway.check()
    assert stub.sent == [ME, asked]
    assert (found.webhook, found.name) == ("https://old.acme.test/hooks/sms-shop", f"Acme, {SERVICE}")
    own = {"sid": SERVICE, "inbound_request_url": SMS_HOOK, "use_inbound_webhook_on_number": True}
    stub.replies = [account(), said(own)]
    found = await gateway.check()
    assert found.webhook is None
    assert "numbers' own webhooks" in found.warnings[0]


@pytest.mark.parametrize(
    ("kind", "terms", "replies", "words"),
    [
        ("whatsapp", {}, [account(), senders({**CHAT_SENDER, "status": "OFFLINE"})], "the WhatsApp sender is OFFLINE"),
        ("whatsapp", {}, [account(), senders()], "no such sender"),
        ("whatsapp", {}, [account(), refused(20404, "", 404)], "does not say which webhook is set"),
        ("sms", {}, [account(), numbers()], "no such sender"),
        ("sms", {}, [account(), refused(20500, "", 500)], "does not say which webhook is set"),
        ("sms", {"sender": "ACME"}, [account()], "can't be heard through a name"),
        ("sms", {"sender": "12345"}, [account()], "short code"),
        ("sms", {"hook_url": None}, [account(), numbers({**NUMBER, "sms_url": ""})], "without public_url"),
        ("sms", {"hook_url": "https://my_shop.test/hooks/a"}, [account(), numbers(NUMBER)], "underscore"),
    ],
    ids=range(9),
)
async def test_what_is_odd_is_a_warning(
    kind: str, terms: dict[str, Any], replies: list[Reply], words: str, make: Make, stub: AnyStub
) -> None:
    gateway = make(kind, **terms)
    await gateway.open()
    stub.replies = replies
    assert words in " ".join((await gateway.check()).warnings)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refused(20003, "Authenticate", 401), ChannelBroken),
        (refused(20404, "not found", 404), ChannelBroken),
        (account("suspended"), ChannelBroken),
        (account("closed"), ChannelBroken),
        (said({"hello": "world"}), ChannelBroken),
        (account(sid="AC99"), ChannelBroken),
        (refused(20500, "", 500), Unavailable),
        (Reply(502, b"<html>"), Unavailable),
        (Reply(hang_up=True), Unavailable),
    ],
    ids=range(9),
)
async def test_a_check_tells_a_broken_channel_from_a_bad_moment(
    reply: Reply, error: type[GatewayError], sms: TwilioGateway, stub: AnyStub
) -> None:
    stub.replies = [reply, reply]  # aiohttp itself asks once more where a kept connection broke off
    with pytest.raises(GatewayError) as raised:
        await sms.check()
    assert type(raised.value) is error
    assert TOKEN not in str(raised.value)


async def test_a_number_is_pointed_at_us(sms: TwilioGateway, stub: AnyStub) -> None:
    stub.replies = [numbers(NUMBER), said(NUMBER)]
    await sms.set_webhook(SMS_HOOK)
    path = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers/PN1.json"
    assert stub.sent == [NUMBERS, Got(path, {"SmsUrl": SMS_HOOK + AGAIN, "SmsMethod": "POST"}, headers=HEADERS)]


async def test_a_whatsapp_sender_is_pointed_at_us(whatsapp: TwilioGateway, stub: AnyStub) -> None:
    stub.replies = [senders(CHAT_SENDER), said(CHAT_SENDER, 202)]
    await whatsapp.set_webhook(WA_HOOK)
    webhook = {"callback_url": WA_HOOK + AGAIN, "callback_method": "POST"}
    assert stub.sent == [SENDERS, Got("/v2/Channels/Senders/XE1", {"webhook": webhook}, headers=HEADERS)]


async def test_a_service_is_pointed_at_us(make: Make, stub: AnyStub) -> None:
    gateway = make("whatsapp", service=SERVICE)
    await gateway.open()
    stub.replies = [said({"sid": SERVICE})]
    await gateway.set_webhook(WA_HOOK)
    values = {"InboundRequestUrl": WA_HOOK + AGAIN, "InboundMethod": "POST", "UseInboundWebhookOnNumber": False}
    assert stub.sent == [Got(f"/v1/Services/{SERVICE}", values, headers=HEADERS)]


async def test_what_no_api_sets_is_told_or_is_nothing_to_set(make: Make, stub: AnyStub) -> None:
    await make("sms", sender="ACME").set_webhook(SMS_HOOK)
    with pytest.raises(Rejected, match="short code"):
        await make("sms", sender="12345").set_webhook(SMS_HOOK)
    chat = make("whatsapp")
    await chat.open()
    stub.replies = [senders({**CHAT_SENDER, "sid": "../XE1"})]
    with pytest.raises(Rejected):
        await chat.set_webhook(WA_HOOK)
    stub.replies = [Reply(502)]
    with pytest.raises(Unavailable):
        await chat.set_webhook(WA_HOOK)


# --- configuration

SMS: dict[str, Any] = {
    "id": "sms-shop", "kind": "sms", "provider": "twilio", "account_sid": ACCOUNT, "auth_token": TOKEN,
    "sender": SENDER,
}  # fmt: skip


def read(kind: str = "sms", **changes: Any) -> Any:
    model = registry.config_model(kind, "twilio")
    return model.model_validate(SMS | {"kind": kind} | changes, strict=True)


def test_both_kinds_are_twilios_own_way_of_one_account() -> None:
    sms, chat = read(), read("whatsapp")
    assert (sms.able.kind, chat.able.kind) == ("sms", "whatsapp")
    assert registry.config_model("sms") is registry.config_model("sms", "twilio")
    assert (sms.api_base, sms.validity_s, chat.messaging_service_sid) == ("https://api.twilio.com", 900, None)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("sms", {"account_sid": "SK01"}), ("sms", {"account_sid": "AC/../x"}), ("sms", {"auth_token": ""}),
        ("sms", {"sender": None}), ("sms", {"sender": "447700900900"}), ("sms", {"sender": "a name too long"}),
        ("sms", {"sender": "+0123456789"}), ("sms", {"messaging_service_sid": "AC01"}), ("sms", {"validity_s": 0}),
        ("sms", {"validity_s": 36_001}), ("sms", {"rate": 26.0}), ("sms", {"tokn": "x"}), ("sms", {"provider": "meta"}),
        ("whatsapp", {"sender": "ACME"}), ("whatsapp", {"sender": "12345"}), ("whatsapp", {"sender": None}),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_setting_is_refused_without_showing_a_secret(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        read(kind, **changes)
    assert TOKEN not in str(raised.value)


def test_a_secret_stands_in_no_repr() -> None:
    settings = read(shared_key="hush-hush")
    assert TOKEN not in repr(settings)
    assert "hush-hush" not in repr(settings)


@pytest.mark.parametrize(
    ("sender", "rate"),
    [
        ("+15550001111", 1.0), ("+12025550123", 1.0), ("+18005550123", 3.0), ("+447700900900", 10.0), ("ACME", 10.0),
        ("12345", 25.0), (None, 1.0),
    ],
)  # fmt: skip
def test_the_usual_rate_of_sms_goes_by_the_sender(sender: str | None, rate: float) -> None:
    assert read(sender=sender, messaging_service_sid=SERVICE).usual_rate == rate
    assert read("whatsapp").usual_rate == 25.0


def test_a_sender_may_be_written_as_twilio_writes_it() -> None:
    assert read("whatsapp", sender=f"whatsapp:{SENDER}").sender == SENDER


@pytest.mark.parametrize(
    ("api_base", "hosts"),
    [
        ("https://api.twilio.com", ["https://api.twilio.com", "https://content.twilio.com"]),
        ("https://api.dublin.ie1.twilio.com/",
         ["https://api.dublin.ie1.twilio.com", "https://content.dublin.ie1.twilio.com"]),
        ("http://127.0.0.1:8080/twilio/", ["http://127.0.0.1:8080/twilio"] * 2),
        ("https://api.twilio.com.evil.example", ["https://api.twilio.com.evil.example"] * 2),
    ],
)  # fmt: skip
def test_other_hosts_are_beside_twilios_own_only(api_base: str, hosts: Sequence[str]) -> None:
    gateway: Any = read(api_base=api_base).open_gateway(Context(MemoryMedia(), b"secret"))
    assert list(gateway._api._bases.values())[:2] == hosts


async def test_settings_and_context_make_the_gateway(stub: AnyStub) -> None:
    settings = read("whatsapp", api_base=stub.url, id="wa-shop")
    gateway = settings.open_gateway(Context(MemoryMedia(), b"app secret", "https://m.acme.test/"))
    await gateway.open()
    stub.replies = [taken()]
    await gateway.send([to(out(PartKind.PICTURE, "", "media:sale.jpg"))])
    await gateway.close()
    (got,) = stub.sent
    assert got.values["StatusCallback"] == f"{WA_HOOK}?d=d7.1.0{AGAIN}"
    assert got.values["MediaUrl"].startswith("https://m.acme.test/media/sale-")
