"""Who a number is, its limits and its webhook; its templates; how a channel of it is configured."""

import re
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from gateways.base import (
    Account,
    ChannelBroken,
    Fact,
    Gateway,
    HoldsMedia,
    Rejected,
    SetsWebhook,
    SharesHook,
    SyncsTemplates,
    Template,
    Throttled,
    Unavailable,
)
from gateways.config import Context
from gateways.registry import config_model
from gateways.whatsapp.account import PHONE_FIELDS, TEMPLATE_FIELDS, account_of, template_of
from gateways.whatsapp.capabilities import WHATSAPP
from gateways.whatsapp.gateway import WhatsAppGateway
from tests.gateways.cases import Logs, MemoryMedia
from tests.gateways.stub import AnyStub, said
from tests.gateways.whatsapp.conftest import ANN, PHONE, SECRETS, TOKEN, VERIFY, WABA, got, refused

HOOK = "https://m.acme.test/hooks/wa-shop"
# …/business-phone-numbers/phone-numbers, …/throughput, …/messaging-limits, …/webhooks/override; ids changed
NUMBER = {
    "id": PHONE, "display_phone_number": "+44 20 7946 0999", "verified_name": "Acme", "quality_rating": "GREEN",
    "throughput": {"level": "STANDARD"}, "platform_type": "CLOUD_API", "webhook_configuration": {"phone_number": HOOK,
    "application": "https://m.acme.test/app"}, "whatsapp_business_manager_messaging_limit": "TIER_2K",
}  # fmt: skip
APPS = {"data": [{"whatsapp_business_api_data": {"id": "700000000000001", "name": "Acme mailings"}}]}
ASKS_NUMBER = got(PHONE, None, method="GET", query={"fields": PHONE_FIELDS})
ASKS_APPS = got(f"{WABA}/subscribed_apps", None, method="GET")
OVERRIDE = {"override_callback_uri": HOOK, "verify_token": VERIFY}
SETS_NUMBER = got(PHONE, {"webhook_configuration": OVERRIDE})
SUCCESS = {"success": True}


async def test_the_account_says_who_it_is_what_it_may_and_where_its_webhook_goes(
    gateway: WhatsAppGateway, stub: AnyStub
) -> None:
    stub.replies = [said(NUMBER), said(APPS)]
    assert await gateway.check() == Account(
        PHONE, "Acme (+44 20 7946 0999)", HOOK, link="https://wa.me/442079460999", quota_left=2_000
    )
    assert stub.sent == [ASKS_NUMBER, ASKS_APPS]


@pytest.mark.parametrize(
    ("changes", "apps", "warning"),
    [
        ({"quality_rating": "RED"}, APPS["data"],
         "clients' blocks and reports have lowered the number's quality to RED"),
        ({"platform_type": "ON_PREMISE"}, APPS["data"], "the number is not on the Cloud API but on ON_PREMISE"),
        ({"webhook_configuration": {}}, APPS["data"], "no webhook is set for the number"),
        ({"webhook_configuration": None}, APPS["data"], "no webhook is set for the number"),
        ({}, [], "no app is subscribed to the WhatsApp account, so nothing is heard; `carillon check --fix` mends it"),
        ({}, None, "Meta does not say which app is subscribed to the WhatsApp account"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_should_be_is_a_warning(changes: Any, apps: Any, warning: str) -> None:
    assert account_of(NUMBER | changes, PHONE, apps).warnings == (warning,)


@pytest.mark.parametrize(
    ("tier", "left"),
    [("TIER_250", 250), ("TIER_10K", 10_000), ("TIER_100K", 100_000), ("TIER_UNLIMITED", None), ("TIER_9X", None),
     (None, None), ({}, None)],
)  # fmt: skip
def test_the_portfolios_limit_is_what_may_be_begun_with(tier: Any, left: int | None) -> None:
    number = NUMBER | {"whatsapp_business_manager_messaging_limit": tier}
    assert account_of(number, PHONE, APPS["data"]).quota_left == left


def test_the_override_of_the_number_goes_before_that_of_the_account() -> None:
    hooks = {"whatsapp_business_account": "https://a.test/waba", "application": "https://a.test/app"}
    assert account_of(NUMBER | {"webhook_configuration": hooks}, PHONE, None).webhook == "https://a.test/waba"


@pytest.mark.parametrize("reply", [said({"id": PHONE}), said({}), refused(190, status=401), refused(33)])
async def test_who_is_no_number_breaks_the_channel(
    reply: Any, gateway: WhatsAppGateway, stub: AnyStub, logs: Logs
) -> None:
    stub.replies = [reply, said(APPS)]
    with pytest.raises(ChannelBroken) as raised:
        await gateway.check()
    assert TOKEN not in str(raised.value)
    logs.require_none_of(SECRETS)


@pytest.mark.parametrize(
    ("reply", "error"), [(refused(2, status=503), Unavailable), (refused(80007), Throttled), (said("x"), Unavailable)]
)
async def test_a_platform_that_is_away_breaks_nothing(
    reply: Any, error: type[Exception], gateway: WhatsAppGateway, stub: AnyStub
) -> None:
    stub.replies = [reply]
    with pytest.raises(error):
        await gateway.check()


async def test_what_can_not_be_asked_stops_no_sending(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    stub.replies = [said(NUMBER), refused(200, status=403)]
    assert (await gateway.check()).warnings == ("Meta does not say which app is subscribed to the WhatsApp account",)


async def test_the_webhook_is_set_for_this_number_alone(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    stub.replies = [said(APPS), said(SUCCESS)]
    await gateway.set_webhook(HOOK)
    assert stub.sent == [ASKS_APPS, SETS_NUMBER]


async def test_an_app_that_does_not_hear_is_subscribed_first(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    stub.replies = [said({"data": []}), said(SUCCESS), said(SUCCESS)]
    await gateway.set_webhook(HOOK)
    assert stub.sent == [ASKS_APPS, got(f"{WABA}/subscribed_apps", {}), SETS_NUMBER]


async def test_where_a_number_has_no_webhook_of_its_own_the_accounts_is_set(
    gateway: WhatsAppGateway, stub: AnyStub
) -> None:
    stub.replies = [said(APPS), refused(100, "Unsupported parameter"), said(SUCCESS)]
    await gateway.set_webhook(HOOK)
    assert stub.sent == [ASKS_APPS, SETS_NUMBER, got(f"{WABA}/subscribed_apps", OVERRIDE)]


async def test_an_address_that_is_too_long_for_meta_is_told(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    with pytest.raises(Rejected, match="200 characters"):
        await gateway.set_webhook("https://a.test/" + "x" * 200)
    assert stub.sent == []


# …/templates, with every kind of part that takes values; ids changed
SALE = {
    "id": "1689556908129832", "name": "spring_sale", "language": "en", "status": "APPROVED", "category": "MARKETING",
    "parameter_format": "POSITIONAL", "rejected_reason": "NONE", "components": [
        {"type": "HEADER", "format": "TEXT", "text": "{{1}} sale", "example": {"header_text": ["Spring"]}},
        {"type": "BODY", "text": "Hi {{1}}, {{ 2 }} off, {{1}}!", "example": {"body_text": [["Ann", "30%"]]}},
        {"type": "FOOTER", "text": "Acme"},
        {"type": "BUTTONS", "buttons": [
            {"type": "QUICK_REPLY", "text": "Stop promotions"},
            {"type": "URL", "text": "Open", "url": "https://acme.test/{{1}}", "example": ["https://acme.test/a"]},
            {"type": "URL", "text": "Shop", "url": "https://acme.test/"},
            {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+442079460999"},
            {"type": "COPY_CODE", "example": "SALE30"},
            {"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy"},
            {"type": "FLOW", "text": "Fill", "flow_id": 1},
        ]},
    ],
}  # fmt: skip


def test_a_template_is_read_with_all_that_takes_a_value() -> None:
    assert template_of(SALE) == Template(
        "spring_sale", "en", "approved", "marketing", "1689556908129832", "Hi {{1}}, {{ 2 }} off, {{1}}!", ("1", "2"),
        "text", ("1",), ("quick_reply", "url_parameter", "url", "phone", "copy_code", "url_parameter", "flow"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"components": [{"type": "BODY", "text": "Hi {{first_name}}, {{share}}"}]},
         {"body": "Hi {{first_name}}, {{share}}", "parameters": ("first_name", "share")}),
        ({"components": [{"type": "BODY", "text": "{{10}} {{2}} {{1}}"}]},
         {"body": "{{10}} {{2}} {{1}}", "parameters": ("1", "2", "10")}),
        ({"components": [{"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["x"]}}]},
         {"header": "image"}),
        ({"status": "REJECTED", "rejected_reason": "TAG_CONTENT_MISMATCH", "components": None},
         {"status": "rejected", "reason": "TAG_CONTENT_MISMATCH"}),
    ],
)  # fmt: skip
def test_a_template_in_other_shapes(changes: Any, expected: Any) -> None:
    read = template_of(SALE | changes)
    plain = Template("spring_sale", "en", "approved", "marketing", "1689556908129832")
    assert read == Template(**{name: getattr(plain, name) for name in plain.__slots__} | expected)


def test_a_template_of_tomorrow_is_read_as_far_as_it_goes() -> None:
    for odd in ({}, {"name": 7, "components": {"a": 1}}, {"components": [None, {"type": 7}, {"type": "BUTTONS"}]}):
        assert template_of(odd).status == ""


async def test_all_pages_of_the_list_are_read(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    def page(name: str, after: str, **paging: str) -> Any:
        return said({"data": [SALE | {"name": name}], "paging": {"cursors": {"after": after}, **paging}})

    stub.replies = [page("one", "A", next="https://graph.facebook.com/x"), page("two", "B")]
    assert [template.name for template in await gateway.templates()] == ["one", "two"]
    path = f"{WABA}/message_templates"
    query = {"fields": TEMPLATE_FIELDS, "limit": "100"}
    assert stub.sent == [
        got(path, None, method="GET", query=query),
        got(path, None, method="GET", query=query | {"after": "A"}),
    ]


# --- configuration

GOOD = {"id": "wa-shop", "kind": "whatsapp", "provider": "meta", "phone_number_id": PHONE, "business_account_id": WABA,
        "token": TOKEN, "app_secret": "s", "verify_token": "v"}  # fmt: skip


def read(**changes: Any) -> Any:
    return config_model("whatsapp", "meta")(**(GOOD | changes))


def test_a_channel_opens_a_gateway_with_every_protocol_it_has() -> None:
    assert read().api_base == "https://graph.facebook.com/v26.0"
    gateway = read(phone_number_id=int(PHONE)).open_gateway(Context(MemoryMedia(), b"s"))
    for protocol in (Gateway, HoldsMedia, SyncsTemplates, SharesHook, SetsWebhook):
        assert isinstance(gateway, protocol), protocol


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "two words"}, {"token": ""}, {"token": "new\nline"}, {"phone_number_id": "+44 20"},
        {"phone_number_id": WABA}, {"business_account_id": ""}, {"app_secret": ""}, {"verify_token": ""},
        {"api_base": "graph"}, {"provider": "pigeon"}, {"rate": 26}, {"tokn": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_setting_is_refused_without_showing_a_secret(changes: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        read(**changes)
    for secret in SECRETS:
        assert secret not in str(raised.value)


def test_reading_a_configuration_imports_nothing_heavy() -> None:
    script = "import sys; from gateways import registry; registry.config_model('whatsapp', 'meta'); \
        print([n for n in ('aiohttp', 'yarl', 'aiogram') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_limit_has_its_source_and_addresses_are_phones_or_scoped_ids() -> None:
    facts = [
        *(getattr(WHATSAPP, name) for name in WHATSAPP.__slots__ if isinstance(getattr(WHATSAPP, name), Fact)),
        *(each.most for each in WHATSAPP.button_sets),
    ]
    assert len(facts) >= 9
    assert all("developers.facebook.com" in fact.source for fact in facts)
    good = [ANN, "GB.13491208655302741918", "US.ENT.118"]
    assert [bool(re.fullmatch(WHATSAPP.address_pattern, each)) for each in [*good, "+44", "gb.1", "x", "1234"]] == [
        True, True, True, False, False, False, False]  # fmt: skip
