"""Requests out: exactly what reaches Twilio, for WhatsApp and as SMS."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gateways.base import (
    Accepted,
    CostsSlots,
    Gateway,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    PartKind,
    Rejected,
    SetsWebhook,
    SharesHook,
    SyncsTemplates,
    Template,
    Unavailable,
)
from gateways.public_media import media_url
from gateways.twilio.contents import KEPT_S
from gateways.twilio.gateway import TwilioGateway
from tests.gateways.cases import Logs, OutCase, check_out, names
from tests.gateways.outgoing import out, text
from tests.gateways.stub import AnyStub, Got, Reply, said
from tests.gateways.twilio.conftest import ACCOUNT, PHONE, PROOF, SECRETS, SENDER, SERVICE, Make

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
SID = "SM0f1e2d3c4b5a69788796a5b4c3d2e1f0"
AUTH = {"Authorization": PROOF}
AGAIN = "#rc=5&rp=5xx,ct,rt"
PICTURE = "https://shop.example/new.jpg"
SALE = "HX0123456789abcdef0123456789abcdef"


def taken(**rest: Any) -> Reply:
    """A message as twilio.com/docs/messaging/api/message-resource shows a new one."""
    message = {
        "sid": SID, "status": "queued", "to": f"+{PHONE}", "from": SENDER, "body": "The sale is on",
        "account_sid": ACCOUNT, "messaging_service_sid": None, "api_version": "2010-04-01",
        "direction": "outbound-api", "num_segments": "1", "num_media": "0", "error_code": None, "error_message": None,
        "price": None, "price_unit": None, "date_created": "Sat, 21 Nov 2026 07:10:00 +0000", "date_sent": None,
    }  # fmt: skip
    return said(message | rest, 201)


def sms(**values: Any) -> Got:
    known = {
        "To": f"+{PHONE}", "ValidityPeriod": 900, "From": SENDER,
        "StatusCallback": f"https://m.acme.test/hooks/sms-shop?d=d7.1.0{AGAIN}",
    }  # fmt: skip
    return Got(MESSAGES, known | values, headers=AUTH)


def chat(**values: Any) -> Got:
    known = {
        "To": f"whatsapp:+{PHONE}", "ValidityPeriod": 900, "From": f"whatsapp:{SENDER}",
        "StatusCallback": f"https://m.acme.test/hooks/wa-shop?d=d7.1.0{AGAIN}",
    }  # fmt: skip
    return Got(MESSAGES, known | values, headers=AUTH)


def to(outgoing: Outgoing, address: str = PHONE) -> Outgoing:
    return Outgoing(address, outgoing.part, outgoing.text, outgoing.buttons, outgoing.button_data, outgoing.reference)


def template(**field: Any) -> Outgoing:
    known = {"name": "spring_sale", "language": "en", "parameters": ["Ann", "30%"]}
    return to(out(PartKind.TEMPLATE, extra={"template": known | field}))


CONTENT = {
    "sid": SALE, "account_sid": ACCOUNT, "friendly_name": "Spring sale", "language": "en",
    "variables": {"1": "Ann", "2": "30%"},
    "types": {
        "twilio/quick-reply": {
            "body": "Hi {{1}}, {{2}} off?",
            "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": "m7:yes"},
                        {"type": "URL", "title": "See", "url": "https://shop.example/{{2}}"}],
        },
        "twilio/text": {"body": "Hi {{1}}, {{2}} off?"},
    },
    "approval_requests": {"name": "spring_sale", "category": "MARKETING", "content_type": "twilio/quick-reply",
                          "status": "approved", "rejection_reason": "", "allow_category_change": True},
}  # fmt: skip


def listed(*contents: Mapping[str, Any], following: str | None = None) -> Reply:
    """A page as twilio.com/docs/content/content-api-resources shows ContentAndApprovals."""
    return said({"contents": list(contents), "meta": {"key": "contents", "next_page_url": following}})


LISTING = Got("/v1/ContentAndApprovals", None, "GET", {"PageSize": "100"}, AUTH)
VARIABLES = {"1": "Ann", "2": "30%"}

SMS_CASES: Sequence[OutCase] = [
    OutCase("plain text", to(text("The sale is on")), [taken()], [sms(Body="The sale is on")],
            Accepted(SID, cost="sms.segment", units=1)),
    OutCase("markup is dropped and links stand bare",
            to(text('<b>Sale</b> <i>now</i>: <a href="https://shop.example/s">look here</a>')), [taken()],
            [sms(Body="Sale now: look here (https://shop.example/s)")],
            Accepted(SID, cost="sms.segment", units=1)),
    OutCase("what looks like a mark stays", to(text("2*3_4 &amp; {{ x }}")), [taken()], [sms(Body="2*3_4 & {{ x }}")],
            Accepted(SID, cost="sms.segment", units=1)),
    OutCase("as many segments as Twilio counts", to(text("ж" * 100)), [taken(num_segments="2")],
            [sms(Body="ж" * 100)], Accepted(SID, cost="sms.segment", units=2)),
    OutCase("a service that has not chosen its number counts none", to(text("ж" * 71)), [taken(num_segments="0")],
            [sms(Body="ж" * 71)], Accepted(SID, cost="sms.segment", units=2)),
    OutCase("an address written with its plus", to(text("Hello"), f"+{PHONE}"), [taken()], [sms(Body="Hello")],
            Accepted(SID, cost="sms.segment", units=1)),
    OutCase("a template is nothing for SMS", to(out(PartKind.TEMPLATE)), [], [],
            MessageRejected(reason="template")),
    OutCase("half an emoji fails nothing", to(text("Hi \ud83d!")), [taken()], [sms(Body="Hi ?!")],
            Accepted(SID, cost="sms.segment", units=1)),
]  # fmt: skip

WHATSAPP_CASES: Sequence[OutCase] = [
    OutCase("marks", to(text("<b>Hello</b> <i>Ann</i> <s>old</s> <code>X1</code>")), [taken()],
            [chat(Body="*Hello* _Ann_ ~old~ ```X1```")], Accepted(SID)),
    OutCase("a person without a visible phone", to(text("Hello"), "GB.13491208655302741918"), [taken()],
            [chat(To="whatsapp:GB.13491208655302741918", Body="Hello")], Accepted(SID)),
    OutCase("a picture with its text", to(out(PartKind.PICTURE, "<b>New</b>", PICTURE)), [taken()],
            [chat(Body="*New*", MediaUrl=PICTURE)], Accepted(SID)),
    OutCase("a picture of ours by an address that nobody can guess", to(out(PartKind.PICTURE, "", "media:sale.jpg")),
            [taken()], [chat(MediaUrl=media_url("https://m.acme.test", b"app secret", "media:sale.jpg"))],
            Accepted(SID)),
    OutCase("a video", to(out(PartKind.VIDEO, "Look", "https://shop.example/clip.mp4")), [taken()],
            [chat(Body="Look", MediaUrl="https://shop.example/clip.mp4")], Accepted(SID)),
    OutCase("a document", to(out(PartKind.FILE, "", "https://shop.example/price.pdf", name="Prices.pdf")), [taken()],
            [chat(MediaUrl="https://shop.example/price.pdf")], Accepted(SID)),
    OutCase("a sound has no text", to(out(PartKind.FILE, "Listen", "https://shop.example/song.mp3?v=2")), [], [],
            MessageRejected()),
    OutCase("a file that has no extension", to(out(PartKind.FILE, "", "media:sale")), [], [],
            MessageRejected(reason="media")),
    OutCase("a location", to(out(PartKind.LOCATION, latitude=51.5, longitude=-0.12)), [taken()],
            [chat(Body="📍", PersistentAction="geo:51.500000,-0.120000")], Accepted(SID)),
    OutCase("a carousel is none of Twilio's", to(out(PartKind.CAROUSEL, "Hello")), [], [], MessageRejected()),
    OutCase("a template by name and language", template(), [listed(CONTENT), taken()],
            [LISTING, chat(ContentSid=SALE, ContentVariables=VARIABLES)],
            Accepted(SID, cost="whatsapp.marketing")),
    OutCase("a template by its sid", to(out(PartKind.TEMPLATE, extra={"template": {
        "sid": SALE, "parameters": {"2": "30%", "1": "Ann"}}})), [listed(CONTENT), taken()],
        [LISTING, chat(ContentSid=SALE, ContentVariables=VARIABLES)], Accepted(SID, cost="whatsapp.marketing")),
    OutCase("a value of several lines becomes one", template(parameters=["Ann\n\tMay", "a" + " " * 6 + "b "]),
            [listed(CONTENT), taken()], [LISTING, chat(ContentSid=SALE, ContentVariables={"1": "Ann May", "2": "a b"})],
            Accepted(SID, cost="whatsapp.marketing")),
    OutCase("a template without placeholders", template(parameters=[]),
            [listed({**CONTENT, "types": {"twilio/text": {"body": "Hi"}}}), taken()], [LISTING, chat(ContentSid=SALE)],
            Accepted(SID, cost="whatsapp.marketing")),
    OutCase("a value left out would be the sample's", template(parameters=["Ann"]), [listed(CONTENT)], [LISTING],
            MessageRejected(reason="template")),
    OutCase("this client's value is empty", template(parameters=[" \n", "30%"]), [listed(CONTENT)], [LISTING],
            Rejected(reason="template")),
    OutCase("values for a header", template(header="Ann"), [listed(CONTENT)], [LISTING],
            MessageRejected(reason="template")),
    OutCase("no such template", template(language="uk"), [listed(CONTENT)], [LISTING],
            MessageRejected(reason="template")),
    OutCase("a field that is no template", template(colour="red", sid=SALE), [listed(CONTENT)], [LISTING],
            MessageRejected(reason="template")),
    OutCase("a template without a name", to(out(PartKind.TEMPLATE, extra={"template": "spring_sale"})), [], [],
            MessageRejected(reason="template")),
    OutCase("the list does not come", template(), [said({"code": 20500, "message": "Oops", "status": 500}, 500)],
            [LISTING], Unavailable(code="20500")),
]  # fmt: skip


@pytest.mark.parametrize("case", SMS_CASES, ids=names(SMS_CASES))
async def test_an_sms_goes_out_like_this(case: OutCase, sms: TwilioGateway, stub: AnyStub, logs: Logs) -> None:
    await check_out(case, sms, stub, logs, SECRETS)


@pytest.mark.parametrize("case", WHATSAPP_CASES, ids=names(WHATSAPP_CASES))
async def test_a_whatsapp_message_goes_out_like_this(
    case: OutCase, whatsapp: TwilioGateway, stub: AnyStub, logs: Logs
) -> None:
    await check_out(case, whatsapp, stub, logs, SECRETS)


def test_a_gateway_is_all_that_it_says(sms: TwilioGateway) -> None:
    for protocol in (Gateway, CostsSlots, SyncsTemplates, SetsWebhook, SharesHook):
        assert isinstance(sms, protocol)


async def test_a_service_sends_as_itself_or_as_one_of_its_senders(make: Make, stub: AnyStub) -> None:
    for sender, who in ((None, {}), (SENDER, {"From": SENDER})):
        gateway = make("sms", sender=sender, service=SERVICE, validity_s=60)
        await gateway.open()
        stub.sent, stub.replies = [], [taken()]
        assert await gateway.send([to(text("Hello"))]) == [Accepted(SID, cost="sms.segment", units=1)]
        values = {**stub.sent[0].values}
        assert {name: values.get(name) for name in ("From", "MessagingServiceSid", "ValidityPeriod")} == {
            "From": None, "MessagingServiceSid": SERVICE, "ValidityPeriod": 60, **who,
        }  # fmt: skip


async def test_without_a_public_url_nothing_is_asked_to_come_back(make: Make, stub: AnyStub) -> None:
    gateway = make("whatsapp", hook_url=None, address_of=None)
    await gateway.open()
    stub.replies = [taken()]
    assert await gateway.send([to(text("Hello"))]) == [Accepted(SID)]
    assert "StatusCallback" not in stub.sent[0].values
    assert gateway.capabilities.receipts == frozenset()
    assert gateway.capabilities.carries_reference is False
    assert "public_url" in gateway.capabilities.why_no_receipts
    (outcome,) = await gateway.send([to(out(PartKind.PICTURE, "", "media:sale.jpg"))])
    assert isinstance(outcome, MessageRejected)
    assert "public_url" in outcome.words


@pytest.mark.parametrize(("words", "slots"), [("Hello", 1), ("a" * 161, 2), ("ж" * 71, 2), ("ж" * 70, 1), ("", 1)])
def test_an_sms_costs_its_segments_and_a_chat_message_one_slot(
    words: str, slots: int, sms: TwilioGateway, whatsapp: TwilioGateway
) -> None:
    assert sms.slots(text(words)) == slots
    assert whatsapp.slots(text(words)) == 1


async def test_calls_overlap_and_each_has_its_own_outcome(sms: TwilioGateway, stub: AnyStub) -> None:
    stub.replies = [taken(sid=f"SM{number}") for number in range(10)]
    outcomes = await asyncio.gather(*(sms.send([to(text("Hello"))]) for _ in range(10)))
    assert sorted(str(outcome[0].external_id) for outcome in outcomes if isinstance(outcome[0], Accepted)) == [
        f"SM{number}" for number in range(10)
    ]


async def test_a_call_that_hangs_is_unknown_and_a_refused_connection_is_not(make: Make, stub: AnyStub) -> None:
    slow = make("sms", call_s=0.15)
    await slow.open()
    stub.replies = [Reply(delay_s=0.3), Reply(hang_up=True), Reply(201, b"<html>"), Reply(201, b'{"sid"')]
    for _ in range(4):
        (outcome,) = await slow.send([to(text("Hello"))])
        assert isinstance(outcome, OutcomeUnknown)
    nowhere = make("sms", api_base="http://127.0.0.1:9")
    await nowhere.open()
    (outcome,) = await nowhere.send([to(text("Hello"))])
    assert isinstance(outcome, Unavailable)
    closed = make("sms")
    (outcome,) = await closed.send([to(text("Hello"))])
    assert isinstance(outcome, Unavailable)


async def test_a_fault_of_ours_is_an_outcome_and_no_exception(make: Make, logs: Logs) -> None:
    def broken(source: str) -> str:
        raise RuntimeError(f"{source} to {PHONE}")

    gateway = make("whatsapp", address_of=broken)
    await gateway.open()
    (outcome,) = await gateway.send([to(out(PartKind.PICTURE, "", "media:sale.jpg"))])
    assert isinstance(outcome, OutcomeUnknown)
    assert "RuntimeError" in outcome.words
    logs.require_none_of([PHONE, *SECRETS])


# --- templates


async def test_templates_are_read_page_by_page_from_our_host_alone(whatsapp: TwilioGateway, stub: AnyStub) -> None:
    rejected = {
        "sid": "HX2", "friendly_name": "autumn", "language": "uk",
        "types": {"twilio/media": {"body": "{{who}}, {{when}}", "media": ["https://shop.example/{{picture}}"]}},
        "approval_requests": {"whatsapp": {"status": "rejected", "name": "autumn", "category": "UTILITY",
                                           "rejection_reason": "INVALID_FORMAT"}},
    }  # fmt: skip
    odd = [{"sid": "HX3"}, "garbage", {"sid": "HX4", "types": "?", "approval_requests": {"status": "received"}}]
    stub.replies = [listed(CONTENT, following="https://evil.example/v1/ContentAndApprovals?Page=1&PageToken=x"),
                    listed(rejected, *odd)]  # type: ignore[arg-type]  # fmt: skip
    found = await whatsapp.templates()
    assert stub.sent == [
        LISTING, Got("/v1/ContentAndApprovals", None, "GET", {"Page": "1", "PageToken": "x"}, AUTH),
    ]  # fmt: skip
    assert found == [
        Template("spring_sale", "en", "approved", "marketing", SALE, "Hi {{1}}, {{2}} off?", ("1", "2"),
                 buttons=("reply", "url")),
        Template("autumn", "uk", "rejected", "utility", "HX2", "{{who}}, {{when}}", ("who", "when", "picture"),
                 reason="INVALID_FORMAT"),
        Template("", "", "unsubmitted", "", "HX3"),
        Template("", "", "pending", "", "HX4"),
    ]  # fmt: skip


async def test_sms_has_no_templates(sms: TwilioGateway, stub: AnyStub) -> None:
    assert await sms.templates() == ()
    assert stub.sent == []


async def test_the_list_is_read_once_and_again_where_a_template_may_be_new(make: Make, stub: AnyStub) -> None:
    moment = 0.0
    gateway = make("whatsapp", monotonic=lambda: moment)
    await gateway.open()

    async def asked(number: int, outgoing: Outgoing, *replies: Reply) -> Accepted | GatewayError:
        stub.sent, stub.replies = [], list(replies)
        (outcome,) = await gateway.send([outgoing])
        assert len(stub.sent) == number
        return outcome

    assert isinstance(await asked(2, template(), listed(CONTENT), taken()), Accepted)
    assert isinstance(await asked(1, template(), taken()), Accepted)
    assert isinstance(await asked(0, template(name="new")), MessageRejected)  # asked for just before
    moment = 60.0
    new = {**CONTENT, "sid": "HX9", "approval_requests": {"name": "new", "status": "approved"}}
    assert await asked(2, template(name="new"), listed(CONTENT, new), taken()) == Accepted(SID)
    moment += KEPT_S
    assert isinstance(await asked(2, template(), listed(CONTENT), taken()), Accepted)
