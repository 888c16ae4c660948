"""What Twilio posts, and what we hear of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.base import (
    AccountBroken,
    AddressStatus,
    Answer,
    Heard,
    Hook,
    Pressed,
    Profile,
    Receipt,
    ReceiptState,
    Subscribed,
    Unreadable,
    Unsubscribed,
    Wrote,
)
from gateways.twilio.events import Ours, read_request
from gateways.twilio.gateway import TwilioGateway
from tests.gateways.cases import InCase, Logs, check_in, names
from tests.gateways.twilio.conftest import ACCOUNT, FORM, NOW, PHONE, SECRETS, SENDER, SERVICE, Make, posted

SID = "SM0f1e2d3c4b5a69788796a5b4c3d2e1f0"
THEIRS = "SM9f1e2d3c4b5a69788796a5b4c3d2e1f9"
COURIER = "SMe287d7109a5a925f182f0e07fe5b223b"
KEY = f"twilio:{THEIRS}"
RESPONSE = Answer("<Response/>", "text/xml")
SMS_PROFILE = Profile(phone="+447700900123")
ANN = Profile(first_name="Ann", phone="+447700900123")
HIDDEN = "GB.13491208655302741918"


def receipt(state: ReceiptState, reference: str | None = "7.1.0", **rest: Any) -> Receipt:
    known: dict[str, Any] = {"external_id": SID, "address": PHONE, "key": f"{rest.get('external_id', SID)}:{state}"}
    return Receipt(state=state, reference=reference, occurred_at=NOW, **(known | rest))


def failed(code: str, reason: str, words: str, **rest: Any) -> Receipt:
    return receipt(ReceiptState.FAILED, code=code, reason=reason, words=words, **rest)


def about(name: str, *receipts: Receipt, reference: str = "7.1.0", **rest: Any) -> InCase:
    return InCase(name, posted(name), headers=FORM, receipts=receipts, query={"d": reference}, **rest)


def said(name: str, *inbound: Any) -> InCase:
    return InCase(name, posted(name), inbound, FORM, answer=RESPONSE)


def wrote(text: str, what: str = "text", profile: Profile = SMS_PROFILE, **rest: Any) -> Wrote:
    known: dict[str, Any] = {"address": PHONE, "key": KEY}
    return Wrote(occurred_at=NOW, text=text, what=what, profile=profile, **(known | rest))


def began(text: str, what: str = "text", profile: Profile = SMS_PROFILE, **rest: Any) -> Wrote:
    """On WhatsApp, where whoever writes becomes a client and ends a block."""
    return wrote(text, what, profile, begins=True, **rest)


SMS_CASES: Sequence[InCase] = [
    about("queued", receipt(ReceiptState.SENT)),
    about("accepted", receipt(ReceiptState.SENT)),
    about("sending", receipt(ReceiptState.SENT)),
    about("sent", receipt(ReceiptState.SENT)),
    about("delivered", receipt(ReceiptState.DELIVERED)),
    InCase("a report without our reference", posted("delivered"), headers=FORM,
           receipts=[receipt(ReceiptState.DELIVERED, None)]),
    about("delivered_by_courier", receipt(ReceiptState.DELIVERED, None, external_id=COURIER, address=None),
          reference="<script>"),
    about("sent_by_service", receipt(ReceiptState.SENT, external_id="SM0b6e2697aae04182a9f5b5c7a8994c7f",
                                     address="2021")),
    about("stopped_by_courier", failed("21610", "unsubscribed", "the client has sent STOP", external_id=COURIER,
                                       address="12028831111", address_status=AddressStatus.UNSUBSCRIBED)),
    about("rate_limited_by_courier",
          failed("63018", "limit", "the sender's rate or its 24-hour tier is used up", external_id=COURIER,
                 address=None),
          news=[AccountBroken("the sender's rate or its 24-hour tier is used up; resume when it is free again",
                              "63018")]),
    about("undelivered", failed("30003", "unreachable", "the handset is switched off or out of reach")),
    about("dead_number", failed("30005", "not_found", "the number is unknown or no longer in use",
                                address_status=AddressStatus.GONE)),
    about("landline", failed("30006", "not_found", "the number is a landline or its carrier can't be reached",
                             address_status=AddressStatus.GONE)),
    about("blocked_by_carrier", failed("30004", "blocked", "the client or the carrier blocks the messages",
                                       address_status=AddressStatus.BLOCKED)),
    about("opted_out", failed("21610", "unsubscribed", "the client has sent STOP",
                              address_status=AddressStatus.UNSUBSCRIBED)),
    about("expired", failed("30036", "expired", "the message waited in Twilio's queue for longer than validity_s")),
    about("suspended", failed("30002", "rejected", "the Twilio account is suspended"),
          news=[AccountBroken("the Twilio account is suspended", "30002")]),
    about("failed_without_code", failed("", "rejected", "Twilio does not say why")),
    about("canceled", failed("", "rejected", "Twilio does not say why")),
    said("sms", wrote("Is it open on Sunday? 😀")),
    said("sms_to_service", wrote("Hello")),
    said("sms_stop", Unsubscribed(PHONE, NOW, KEY, AddressStatus.UNSUBSCRIBED)),
    said("sms_start", Subscribed(PHONE, NOW, KEY, "", SMS_PROFILE)),
    said("sms_advanced_stop", Unsubscribed(PHONE, NOW, KEY, AddressStatus.UNSUBSCRIBED)),
    said("sms_advanced_help", wrote("HELP")),
    said("sms_by_courier", wrote("Msg", address="14133881111", key=f"twilio:{COURIER}",
                                 profile=Profile(phone="+14133881111"))),
    said("sms_picture", wrote("Look", "image")),
    said("sms_from_a_name"),
    said("whatsapp"),  # another channel's
    InCase("another product's event", b'{"specversion":"1.0"}', headers={"content-type": "application/json"}),
    InCase("a call of the account", urlencode({"AccountSid": ACCOUNT, "CallSid": "CA1"}).encode(), headers=FORM),
    InCase("a status of tomorrow", urlencode({"MessageSid": SID, "MessageStatus": "huh"}).encode(), headers=FORM),
    InCase("another account's report",
           urlencode({"AccountSid": "AC99", "MessageSid": SID, "MessageStatus": "failed"}).encode(), headers=FORM),
]  # fmt: skip

WHATSAPP_CASES: Sequence[InCase] = [
    about("read_whatsapp", receipt(ReceiptState.READ)),
    about("delivered_whatsapp_without_phone", receipt(ReceiptState.DELIVERED, address=HIDDEN)),
    about("tier_used_up", failed("63018", "limit", "the sender's rate or its 24-hour tier is used up"),
          news=[AccountBroken("the sender's rate or its 24-hour tier is used up; resume when it is free again",
                              "63018")]),
    about("outside_window",
          failed("63016", "outside_window", "the client's last message is more than 24 hours old")),
    about("capped", failed("63049", "capped", "Meta sends this client no more marketing now")),
    about("no_whatsapp", failed("63024", "not_found", "the number has no WhatsApp",
                                address_status=AddressStatus.GONE)),
    about("code_of_tomorrow", failed("63999", "rejected", "error 63999")),
    said("whatsapp", began("Hello", profile=ANN)),
    said("whatsapp_stop", began("STOP", profile=ANN)),  # Twilio does not act on it, so we do
    said("whatsapp_advanced_stop", Unsubscribed(PHONE, NOW, KEY, AddressStatus.UNSUBSCRIBED)),
    said("whatsapp_without_phone", began("Hi", address=HIDDEN, profile=Profile(first_name="Ann"))),
    said("whatsapp_with_both_ids", began("Hi", profile=replace(ANN, other_ids=(HIDDEN,)))),
    said("whatsapp_without_prefix", began("Msg", address="14133881111", profile=Profile(phone="+14133881111"),
                                          key="twilio:SM681a1f26d9ec591431ce406e8f399525")),
    said("whatsapp_button",
         Pressed(PHONE, NOW, KEY, "m7:yes", external_id="MM0f1e2d3c4b5a69788796a5b4c3d2e1f0", profile=ANN),
         began("Yes", "button", ANN, key=f"{KEY}:words")),
    said("whatsapp_button_without_payload",
         Pressed(PHONE, NOW, KEY, "Stop promotions", profile=ANN),
         began("Stop promotions", "button", ANN, key=f"{KEY}:words")),
    said("whatsapp_list",
         Pressed(PHONE, NOW, KEY, "m7:blue", external_id="MM0f1e2d3c4b5a69788796a5b4c3d2e1f0", profile=ANN),
         began("Blue", "button", ANN, key=f"{KEY}:words")),
    said("whatsapp_picture", began("", "image", ANN)),
    said("whatsapp_voice", began("", "audio", ANN)),
    said("whatsapp_document", began("order.pdf", "document", ANN)),
    said("whatsapp_location", began("Shop", "location", ANN)),
    said("whatsapp_contact", began("", "contacts", ANN)),
]  # fmt: skip


@pytest.mark.parametrize("case", SMS_CASES, ids=names(SMS_CASES))
def test_an_sms_channel_hears_exactly_this(case: InCase, sms: TwilioGateway, logs: Logs) -> None:
    check_in(case, sms, logs, [*SECRETS, PHONE, "Sunday"])


@pytest.mark.parametrize("case", WHATSAPP_CASES, ids=names(WHATSAPP_CASES))
def test_a_whatsapp_channel_hears_exactly_this(case: InCase, whatsapp: TwilioGateway, logs: Logs) -> None:
    check_in(case, whatsapp, logs, [*SECRETS, PHONE])


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (FORM, b""), (FORM, b"&&&"), (FORM, b"\xff\xfe"), (FORM, b"AccountSid=%FF"), (FORM, b"Body=Hello"),
        (FORM, b"a&" * 5000), (FORM, b'{"a":1}'), ({}, b""), ({}, b"MessageSid=SM1"),
        ({"content-type": "application/json"}, b"{"), ({"content-type": "application/json"}, b"[" * 100_000),
        ({"content-type": "multipart/form-data"}, b"--x"),
    ],
    ids=str,
)  # fmt: skip
def test_what_no_twilio_posts_is_unreadable(headers: dict[str, str], body: bytes, sms: TwilioGateway) -> None:
    with pytest.raises(Unreadable):
        sms.parse(Hook("POST", headers, {}, body))
    with pytest.raises(Unreadable):
        sms.split(Hook("POST", headers, {}, body))


NAMES = st.sampled_from(
    ["MessageSid", "SmsSid", "MessageStatus", "SmsStatus", "AccountSid", "From", "To", "Body", "WaId", "ErrorCode",
     "ButtonPayload", "OptOutType", "NumMedia", "MediaContentType0", "Latitude", "ExternalUserId", "MessageType"]
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["failed", "received", "delivered", ACCOUNT, SENDER, f"whatsapp:{SENDER}", "+447700900123", "STOP", "1", "²"]
    ),
)


@given(
    st.one_of(st.binary(max_size=200), st.dictionaries(NAMES, VALUES).map(lambda form: urlencode(form).encode())),
    st.dictionaries(st.sampled_from(["d", "x"]), st.text(max_size=70)),
    st.sampled_from([FORM, {}, {"content-type": "application/json"}]),
    st.booleans(),
)
def test_reading_raises_nothing_but_unreadable(
    body: bytes, query: dict[str, str], headers: dict[str, str], on_whatsapp: bool
) -> None:
    ours = Ours(ACCOUNT, on_whatsapp, SENDER, None)
    try:
        heard = read_request(Hook("POST", headers, query, body), ours, lambda: NOW)
    except Unreadable:
        return
    assert isinstance(heard, Heard)


def test_a_repeat_has_the_same_key_and_other_steps_on_twilios_side_too(sms: TwilioGateway) -> None:
    def key(name: str) -> str:
        return sms.parse(Hook("POST", FORM, {}, posted(name))).receipts[0].key

    assert key("queued") == key("sending") == key("sent") != key("delivered")


def test_a_service_hands_each_channel_what_came_to_it(make: Make) -> None:
    texts, chats = make("sms", sender=None, service=SERVICE), make("whatsapp", sender=None, service=SERVICE)
    text, chat, report = (
        Hook("POST", FORM, {"d": "7.1.0"}, posted(name))
        for name in ("sms_to_service", "whatsapp_advanced_stop", "delivered")
    )
    assert texts.hook_accounts == {f"twilio:sms:{SERVICE}"}
    assert set(texts.split(text)) == set(texts.split(report)) == texts.hook_accounts
    assert chats.hook_accounts <= set(texts.split(chat))
    assert texts.hook_accounts <= set(chats.split(text))
    assert texts.parse(chat) == chats.parse(text) == Heard(answer=RESPONSE)
    assert len(chats.parse(chat).inbound) == len(texts.parse(text).inbound) == 1
    assert texts.split(Hook("POST", {"content-type": "application/json"}, {}, b"{}")) == {
        f"twilio:sms:{SERVICE}": Hook("POST", {"content-type": "application/json"}, {}, b"{}")
    }
