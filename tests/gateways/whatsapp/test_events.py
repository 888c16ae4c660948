"""What is heard of WhatsApp: captured events in, ours out; a forged or broken request is refused and nothing worse."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.base import (
    AccountBroken,
    AddressStatus,
    Answer,
    BadSignature,
    Hook,
    Moved,
    Pressed,
    Profile,
    Receipt,
    ReceiptState,
    Subscribed,
    TemplateChanged,
    Unreadable,
    Unsubscribed,
    Wrote,
)
from gateways.whatsapp.events import read_hook
from gateways.whatsapp.gateway import WhatsAppGateway
from tests.gateways.cases import FIXTURES, InCase, Logs, check_in, fixture, names
from tests.gateways.whatsapp.conftest import ANN, ANN_ID, APP_SECRET, NOW, PHONE, SECRETS, VERIFY, WABA

AT = datetime.fromtimestamp(1795245000, UTC)
LATER = datetime.fromtimestamp(1795245001, UTC)
CARD = Profile("Ann", "Lee", "ann.b", phone=f"+{ANN}", other_ids=(ANN_ID,))
QUALITY = "see Account quality in WhatsApp Manager"


def wrote(text: str = "", what: str = "text", profile: Profile = CARD, address: str = ANN) -> Wrote:
    return Wrote(address, AT, "wa:wamid.IN1", text, what, profile, begins=True)


def pressed(data: str, held_by: str | None = "wamid.OUT") -> Pressed:
    return Pressed(ANN, AT, "wa:wamid.IN1", data, external_id=held_by, profile=CARD)


def receipt(state: str, **more: Any) -> Receipt:
    values: dict[str, Any] = {"external_id": "wamid.OUT", "reference": "7.1.0", "occurred_at": LATER, "address": ANN}
    values |= more
    return Receipt(state=ReceiptState(state), key=f"wa:{values['external_id']}:{state}", **values)


def failed(code: str, reason: str, words: str, **more: Any) -> Receipt:
    return receipt("failed", code=code, reason=reason, words=words, **more)


def heard(name: str, *inbound: Any, receipts: Any = (), news: Any = ()) -> InCase:
    return InCase(name.replace("_", " "), f"whatsapp/{name}", inbound, receipts=receipts, news=news)


CASES = [
    heard("text", wrote("STOP")),
    heard("text_of_old", wrote("Body Text", profile=Profile("Ann", phone=f"+{ANN}"))),
    heard("text_hidden_phone", wrote("Hello", address=ANN_ID,
          profile=Profile("Ann", "Lee", "ann.b", other_ids=("GB.ENT.11815799212886844830",)))),
    heard("text_id_in_from", wrote("Hello World", address="US.1234", profile=Profile("Kerry", username="kfisher"))),
    heard("text_of_group"),
    heard("text_without_sender"),
    heard("text_in_milliseconds", Wrote(ANN, datetime.fromtimestamp(1795245000.123, UTC), "wa:wamid.IN1", "Hi", "text",
                                        CARD, begins=True)),
    heard("text_from_ad", wrote("Hi")),
    heard("image", wrote("This one?", "image")),
    heard("document", wrote("", "document")),
    heard("voice", wrote("", "audio")),
    heard("sticker", wrote("", "sticker")),
    heard("location", wrote("", "location")),
    heard("reaction", wrote("", "reaction")),
    heard("unsupported", wrote("", "unsupported")),
    heard("edit", wrote("Text was edited", "edit")),
    heard("revoke"),
    heard("chat_opened"),
    heard("quick_reply", pressed("c7.0")),
    heard("quick_reply_of_no_data", wrote("Stop promotions", "button")),
    heard("button_reply", pressed("c7.1")),
    heard("list_reply", pressed("c7.2", None)),
    heard("form_reply", wrote("", "interactive")),
    heard("changed_number", Moved(ANN, "447700900456", AT, "wa:wamid.IN1")),
    heard("changed_user_id", Moved(ANN_ID, "MX.0987654321", AT, "wa:wamid.IN1")),
    heard("identity_change"),
    heard("status_sent", receipts=[receipt("sent")]),
    heard("status_delivered", receipts=[receipt("delivered", cost="whatsapp.marketing")]),
    heard("status_read", receipts=[receipt("read")]),
    heard("status_of_a_free_message", receipts=[receipt("delivered")]),
    heard("status_of_old", receipts=[receipt("delivered", reference=None, cost="whatsapp.service",
                                             occurred_at=datetime.fromtimestamp(1698266945, UTC))]),
    heard("status_of_another_tool", receipts=[receipt("sent", reference=None)]),
    heard("status_played", receipts=[receipt("read")]),
    heard("status_deleted"),
    heard("status_hidden_phone", receipts=[receipt("read", address=ANN_ID,
                                                   occurred_at=datetime.fromtimestamp(1795245060, UTC))]),
    heard("failed_capped", receipts=[failed("131049", "capped", "In order to maintain a healthy ecosystem engagement, "
                                            "the message failed to be delivered.")]),
    heard("failed_window", receipts=[failed("131047", "outside_window", "Message failed to send because more than 24 "
                                            "hours have passed since the customer last replied to this number.")]),
    heard("failed_unreachable", receipts=[failed("131026", "unreachable", "Message Undeliverable.")]),
    heard("failed_stopped", receipts=[failed("131050", "unsubscribed", "Unable to deliver the message. This recipient "
                                             "has chosen to stop receiving marketing messages on WhatsApp from your "
                                             "business.", address_status=AddressStatus.UNSUBSCRIBED)]),
    heard("failed_payment",
          receipts=[failed("131042", "channel", words := "Meta takes no payment for this account: see Payment settings "
                           "in WhatsApp Manager (Message failed to send because there were one or more errors related "
                           "to your payment method.)")],
          news=[AccountBroken(words, "131042")]),
    heard("failed_held", receipts=[failed("132015", "template_paused",
                                          "Template is paused due to low quality and cannot be sent.")]),
    heard("failed_without_errors", receipts=[failed("", "rejected", "")]),
    heard("preference_stop",
          Unsubscribed(ANN, AT, f"wa:preference:{ANN}:1795245000:stop", AddressStatus.UNSUBSCRIBED)),
    heard("preference_resume", Subscribed(ANN, AT, f"wa:preference:{ANN}:1795245000:resume",
                                          profile=Profile("Ann", phone=f"+{ANN}", other_ids=(ANN_ID,)),
                                          opens_window=False)),
    heard("template_paused", news=[TemplateChanged("spring_sale", "en", "paused")]),
    heard("template_approved", news=[TemplateChanged("my_message_template", "pt-BR", "approved")]),
    heard("template_quality", news=[TemplateChanged("spring_sale", "en", "")]),
    heard("template_category", news=[TemplateChanged("spring_sale", "en", "")]),
    heard("account_restricted", news=[AccountBroken(f"Meta lets this account begin no conversations now: {QUALITY}",
                                                    "ACCOUNT_RESTRICTION")]),
    heard("account_restricted_a_little"),
    heard("account_disabled", news=[AccountBroken(f"Meta has disabled this account: {QUALITY}", "DISABLED_UPDATE")]),
    heard("account_reinstated"),
    heard("account_deleted",
          news=[AccountBroken("this WhatsApp account was taken off the Cloud API", "ACCOUNT_DELETED")]),
    heard("account_alert"),
    heard("number_quality"),
    heard("capability"),
    heard("errors_alone"),
    heard("of_another_number"),
    heard("of_another_account"),
    heard("several", wrote("Hi"), receipts=[
        receipt("sent"),
        receipt("delivered", external_id="wamid.OUT2", reference="8.1.0",
                occurred_at=datetime.fromtimestamp(1795245002, UTC)),
    ], news=[TemplateChanged("spring_sale", "en", "paused")]),
    heard("page"),
    InCase("the challenge", b"", method="GET", answer=Answer("1158201444"),
           query={"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY}),
    InCase("an empty batch", b'{"object":"whatsapp_business_account","entry":[]}'),
    InCase("a template's id beyond 2^53 is no number to us", json.dumps({
        "object": "whatsapp_business_account", "entry": [{"id": int(WABA), "changes": [{"field": "x", "value": {
            "message_template_id": 2**63 + 1, "message_template_name": "a", "message_template_language": "en",
            "event": "DISABLED"}}]}]}).encode(), news=[TemplateChanged("a", "en", "disabled")]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_an_event_is_heard(case: InCase, listener: WhatsAppGateway, logs: Logs) -> None:
    check_in(case, listener, logs, [*SECRETS, ANN])


def test_every_captured_payload_is_a_case() -> None:
    captured = {f"whatsapp/{file.stem}" for file in (FIXTURES / "whatsapp").glob("*.json")}
    assert captured == {case.payload for case in CASES if isinstance(case.payload, str)}
    assert len(captured) >= 25


def test_a_repeat_has_the_same_key_and_another_fact_has_not(listener: WhatsAppGateway) -> None:
    def keys(*fixtures: str) -> set[str]:
        read = [listener.parse(Hook("POST", {}, {}, fixture(f"whatsapp/{name}"))) for name in fixtures]
        return {each.key for one in read for each in (*one.receipts, *one.inbound)}

    assert len(keys("status_sent", "status_sent", "status_of_another_tool")) == 1
    assert len(keys("status_sent", "status_delivered", "status_read")) == 3
    assert len(keys("preference_stop", "preference_resume")) == 2


def hook(body: bytes, signature: str | None) -> Hook:
    return Hook("POST", {} if signature is None else {"x-hub-signature-256": signature}, {}, body)


def signed(body: bytes, secret: str = APP_SECRET) -> Hook:
    return hook(body, "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())


# platforms/whatsapp.md section 8.3, computed with Python's hmac and pywa 4.5.0
WORKED = (
    rb'{"object":"whatsapp_business_account","entry":[{"id":"204000000000001","changes":[{"value":{"messaging_product":'
    rb'"whatsapp","metadata":{"display_phone_number":"442079460999","phone_number_id":"304000000000001"},"messages":[{'
    rb'"from":"447700900123","id":"wamid.HBgMNDQ3NzAwOTAwMTIzFQIAEhgUM0FBREY4NDQxMzQ3RTg1NzFDMTAA","timestamp":'
    rb'"1795245000","text":{"body":"\u0421\u0422\u041e\u041f 50\/50"},"type":"text"}]},"field":"messages"}]}]}'
)
WORKED_SIGNATURE = "sha256=479716316ea83494bc6879ae78877ca0ded9f0a02dae758f54433582791c59e9"


def test_the_worked_example_is_verified_over_its_raw_bytes(listener: WhatsAppGateway) -> None:
    request = hook(WORKED, WORKED_SIGNATURE)
    listener.verify(request)
    (said,) = listener.parse(request).inbound
    assert isinstance(said, Wrote)
    assert said.text == "СТОП 50/50"
    written_anew = json.dumps(json.loads(WORKED), ensure_ascii=False, separators=(",", ":")).encode()
    with pytest.raises(BadSignature):
        listener.verify(hook(written_anew, WORKED_SIGNATURE))


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", WORKED_SIGNATURE[7:], WORKED_SIGNATURE.upper(), WORKED_SIGNATURE[:-1] + "0", "sha1=ab", "é"],
)
def test_a_forged_request_is_refused(signature: str | None, listener: WhatsAppGateway) -> None:
    with pytest.raises(BadSignature):
        listener.verify(hook(WORKED, signature))


def test_another_apps_signature_is_refused(listener: WhatsAppGateway) -> None:
    listener.verify(signed(WORKED))
    with pytest.raises(BadSignature):
        listener.verify(signed(WORKED, "another app's secret"))


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"hub.mode": "subscribe", "hub.challenge": "1"},
        {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "guess"},
        {"hub.mode": "unsubscribe", "hub.challenge": "1", "hub.verify_token": VERIFY},
    ],
)
def test_only_who_knows_our_verify_token_gets_an_answer(query: dict[str, str], listener: WhatsAppGateway) -> None:
    with pytest.raises(BadSignature):
        listener.verify(Hook("GET", {}, query, b""))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b'{"entry":[]}', b'{"object":7,"entry":[]}',
     b'{"object":"whatsapp_business_account","entry":{}}', b"[" * 100_000, WORKED[:300]],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_event_is_unreadable(body: bytes, listener: WhatsAppGateway) -> None:
    with pytest.raises(Unreadable):
        listener.parse(Hook("POST", {}, {}, body))
    with pytest.raises(Unreadable):
        listener.split(Hook("POST", {}, {}, body))


def test_a_body_of_several_accounts_is_cut_and_each_reads_its_own(listener: WhatsAppGateway) -> None:
    cuts = listener.split(Hook("POST", {}, {}, fixture("whatsapp/several")))
    assert set(cuts) == {f"phone:{PHONE}", f"waba:{WABA}", "phone:304000000000002"}
    assert listener.hook_accounts == {f"phone:{PHONE}", f"waba:{WABA}"}
    own, account, other = (
        listener.parse(cuts[name]) for name in (f"phone:{PHONE}", f"waba:{WABA}", "phone:304000000000002")
    )
    assert (len(own.receipts), len(own.inbound), len(own.news)) == (2, 1, 0)
    assert (len(account.receipts), len(account.inbound), len(account.news)) == (0, 0, 1)
    assert (other.receipts, other.inbound, other.news) == ((), (), ())
    neighbour = read_hook(cuts["phone:304000000000002"], "304000000000002", WABA, lambda: NOW)
    assert [type(each) for each in neighbour.inbound] == [Wrote]


SHAPES = [json.loads((FIXTURES / f"{case.payload}.json").read_text())["body"] for case in CASES
          if isinstance(case.payload, str)]  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.builds(list),
    st.builds(dict), st.builds(lambda: [None]), st.builds(lambda: {"id": {}}),
    st.sampled_from(["\0", "\ud800", "٣", "1" * 400, 2**70, "1e999", "failed"]),
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in _places(each, (*path, key)))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_broken_in_a_payload_nothing_worse_than_unreadable_happens(
    listener: WhatsAppGateway, data: st.DataObject
) -> None:
    body = json.loads(json.dumps(data.draw(st.sampled_from(SHAPES))))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([place for place in _places(body) if place] or [()]))
        if not path:
            break
        inner = body
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = data.draw(ODD)
    request = Hook("POST", {}, {}, json.dumps(body).encode())
    try:
        read = listener.parse(request)
        listener.split(request)
    except Unreadable:
        return
    for each in (*read.receipts, *read.inbound):
        assert each.key
        assert each.occurred_at.tzinfo is not None
        assert not any(re.search("[\0\ud800-\udfff]", text) for text in _texts(each))


def _texts(event: Any) -> list[str]:
    return [value for name in type(event).__slots__ if isinstance(value := getattr(event, name), str)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused_or_say_nothing(listener: WhatsAppGateway, body: bytes) -> None:
    try:
        listener.parse(Hook("POST", {}, {}, body))
    except Unreadable:
        return
