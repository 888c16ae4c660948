"""What is heard of Messenger: documented bodies in, events out; anything else is Unreadable and nothing worse."""

import hashlib
import hmac
import json
from contextlib import suppress
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
    Heard,
    Hook,
    Pressed,
    Receipt,
    ReceiptState,
    SharesHook,
    Subscribed,
    TemplateChanged,
    Unreadable,
    Unsubscribed,
    Watermark,
    Wrote,
)
from gateways.facebook.gateway import FacebookGateway
from tests.gateways.cases import FIXTURES, InCase, Logs, MemoryMedia, check_in, fixture, names
from tests.gateways.facebook.conftest import APP, APP_SECRET, NOW, PAGE, SECRETS, VERIFY, Hands, make

ANN = "7001002003004005"
T = 1793000000


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(T + seconds, UTC)


def wrote(mid: str, seconds: float, text: str, what: str = "text") -> Wrote:
    return Wrote(ANN, at(seconds), f"fb:{mid}", text, what, begins=True)


def delivered(mid: str, seconds: float) -> Receipt:
    return Receipt(ReceiptState.DELIVERED, mid, None, at(seconds), f"fb:{PAGE}:delivered:{mid}", address=ANN)


def watermark(state: ReceiptState, seconds: float, until: float) -> Watermark:
    key = f"fb:{PAGE}:{ANN}:{state.value}:{T + until:.3f}"
    return Watermark(ANN, state, at(seconds), key, until=at(until))


DELIVERED, READ = ReceiptState.DELIVERED, ReceiptState.READ

CASES = [
    InCase("text", "facebook/text", [wrote("m_in1", 0.123, "Где мой заказ? 😀")]),
    InCase("a time in seconds", "facebook/text_in_seconds", [wrote("m_in2", 0, "hello")]),
    InCase("a time as text", "facebook/text_with_time_as_text", [wrote("m_in3", 0.123, "hello")]),
    InCase("quick reply", "facebook/quick_reply", [Pressed(ANN, at(2), "fb:m_in4", "c7.0")]),
    InCase("picture", "facebook/picture", [wrote("m_in5", 3, "", "image")]),
    InCase("audio", "facebook/audio", [wrote("m_in6", 3, "", "audio")]),
    InCase("location", "facebook/location", [wrote("m_in7", 3, "", "location")]),
    InCase("shared link", "facebook/link_shared", [wrote("m_in8", 3, "look https://acme.test", "fallback")]),
    InCase("sticker", "facebook/sticker", [wrote("m_in9", 3, "", "sticker")]),
    InCase("sticker as it was", "facebook/sticker_of_old", [wrote("m_in10", 3, "", "sticker")]),
    InCase("unsupported", "facebook/unsupported", [wrote("m_in11", 3, "", "unsupported")]),
    InCase(
        "first words after an advertisement",
        "facebook/message_from_ad",
        [Subscribed(ANN, at(3.5), "fb:m_in12:ref", "summer", explicit=False),
         wrote("m_in12", 3.5, "Is this available?")],
    ),
    InCase("postback", "facebook/postback", [Pressed(ANN, at(4), "fb:m_pb1", "c7.1")]),
    InCase("postback without an id", "facebook/postback_without_id",
           [Pressed(ANN, at(4), f"fb:{ANN}:postback:c7.1:{T + 4}.000", "c7.1")]),
    InCase("get started", "facebook/get_started", [Subscribed(ANN, at(5), "fb:m_pb2")]),
    InCase("get started by a link", "facebook/get_started_with_ref",
           [Subscribed(ANN, at(5), "fb:m_pb3:ref", "promo42")]),
    InCase("another tool's beginning, by a link", "facebook/foreign_button_with_ref",
           [Subscribed(ANN, at(5), "fb:m_pb4:ref", "promo42"), Pressed(ANN, at(5), "fb:m_pb4", "WELCOME")]),
    InCase("link into a chat", "facebook/referral", [Subscribed(ANN, at(6), f"fb:{ANN}:ref:{T + 6}.000", "promo42")]),
    InCase("advertisement into a chat", "facebook/referral_of_ad",
           [Subscribed(ANN, at(6), f"fb:{ANN}:ref:{T + 6}.000", "summer", explicit=False)]),
    InCase("a ref that no link of ours has", "facebook/referral_with_strange_ref",
           [Subscribed(ANN, at(6), f"fb:{ANN}:ref:{T + 6}.000", "")]),
    InCase("plugin", "facebook/optin_of_plugin",
           [Subscribed(ANN, at(7), f"fb:{ANN}:optin:{T + 7}.000", "landing-7", opens_window=False)]),
    InCase("plugin of a client who has no id yet", "facebook/optin_by_user_ref"),
    InCase("notifications of old", "facebook/optin_of_notifications"),
    InCase("notifications of old stopped", "facebook/optin_stopped",
           [Unsubscribed(ANN, at(8), f"fb:{ANN}:optin:{T + 8}.000", AddressStatus.UNSUBSCRIBED)]),
    InCase("delivery", "facebook/delivery",
           receipts=[delivered("m_Qx7exampleMid0001", 9), delivered("m_Qx7exampleMid0002", 9)],
           watermarks=[watermark(DELIVERED, 9, 8.9)]),
    InCase("delivery without ids", "facebook/delivery_without_ids", watermarks=[watermark(DELIVERED, 9, 8.9)]),
    InCase("read", "facebook/read", watermarks=[watermark(READ, 10, 8.9)]),
    InCase(
        "echo",
        "facebook/echo",
        receipts=[Receipt(ReceiptState.SENT, "m_Qx7exampleMid0001", "812.1.0", at(8.9),
                          f"fb:{PAGE}:sent:m_Qx7exampleMid0001", address=ANN)],
    ),
    InCase("echo of a person's answer", "facebook/echo_of_a_person"),
    InCase("echo of another app", "facebook/echo_of_another_app"),
    InCase("echo of another tool of this app", "facebook/echo_of_another_tool"),
    InCase(
        "blocked",
        "facebook/blocked_by_policy",
        news=[AccountBroken("Meta blocked this Page by its policies: The bot violated our Platform Policies",
                            "policy_block")],
    ),
    InCase("warned", "facebook/warned_by_policy"),
    InCase("reaction", "facebook/reaction",
           [Wrote(ANN, at(12), f"fb:{ANN}:reaction:m_Qx7exampleMid0001:{T + 12}.000", "❤️", "reaction", begins=True)]),
    InCase("reaction taken back", "facebook/reaction_taken_back"),
    InCase("words to another app", "facebook/standby_text"),
    InCase("delivery while another app talks", "facebook/standby_delivery",
           receipts=[delivered("m_Qx7exampleMid0003", 13)], watermarks=[watermark(DELIVERED, 13, 12.9)]),
    InCase("template approved", "facebook/template_approved",
           news=[TemplateChanged("order_ready_v1", "en", "approved")]),
    InCase("template paused", "facebook/template_paused", news=[TemplateChanged("order_ready_v1", "en_US", "paused")]),
    InCase("post on the page", "facebook/post_on_the_page"),
    InCase("several", "facebook/several_events", [wrote("m_in14", 0.001, "one")],
           receipts=[delivered("m_Qx7exampleMid0004", 0.003)],
           watermarks=[watermark(READ, 0.002, -0.005), watermark(DELIVERED, 0.003, -0.004)]),
    InCase("two pages", "facebook/two_pages", [wrote("m_in16", 0.003, "to us")]),
    InCase("of Instagram", "facebook/of_instagram"),
    InCase("an event that we do not use", "facebook/account_linking"),
    InCase("a kind of event that is not known yet", "facebook/kind_of_tomorrow"),
    InCase("empty", b'{"object":"page","entry":[]}'),
    InCase("challenge", b"", method="GET", query={"hub.challenge": "774412093"}, answer=Answer("774412093")),
    InCase("a text that no database keeps",
           rb'{"object":"page","entry":[{"id":"1029384756","messaging":[{"sender":{"id":"7001002003004005"},'
           rb'"timestamp":1793000000,"message":{"mid":"m_1","text":"a\u0000b\ud83d"}}]}]}',
           [wrote("m_1", 0, "a\ufffdb\ufffd")]),
]  # fmt: skip


@pytest.fixture
def listener() -> FacebookGateway:
    return _LISTENER


_LISTENER = make("https://graph.test", MemoryMedia(), Hands(), app_id=APP)


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_an_event_is_heard(case: InCase, listener: FacebookGateway, logs: Logs) -> None:
    check_in(case, listener, logs, [*SECRETS, "Где мой заказ?"])


def test_every_documented_payload_is_used_by_a_case() -> None:
    captured = {f"facebook/{file.stem}" for file in (FIXTURES / "facebook").iterdir()}
    assert captured == {case.payload for case in CASES if isinstance(case.payload, str)}
    assert len(captured) >= 25


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"7", b"{", b"\xff\xfe", b"{}", b'{"object":7}', b'{"object":"page","entry":{}}',
     b"[" * 200_000, b'{"object":"page","entry":[' + b"9" * 6000 + b"]}"],
)  # fmt: skip
def test_a_body_that_is_no_event_is_unreadable(body: bytes, listener: FacebookGateway) -> None:
    with pytest.raises(Unreadable):
        listener.parse(Hook("POST", {}, {}, body))
    with pytest.raises(Unreadable):
        listener.split(Hook("POST", {}, {}, body))


def test_one_event_without_sense_does_not_spoil_its_neighbours(listener: FacebookGateway) -> None:
    body = json.loads(fixture("facebook/several_events"))
    body["entry"][0]["messaging"][:0] = [None, 7, {}, {"message": {"text": "?"}}, {"sender": [], "message": {}}]
    body["entry"][:0] = [None, {"id": PAGE, "messaging": {"no": "list"}}]
    assert listener.parse(hook(body)) == listener.parse(Hook("POST", {}, {}, fixture("facebook/several_events")))


def test_a_repeat_of_an_event_without_time_and_id_has_the_same_key(listener: FacebookGateway) -> None:
    event = {"sender": {"id": ANN}, "recipient": {"id": PAGE}, "message": {"text": "hello"}}
    once, other = ({"object": "page", "entry": [{"id": PAGE, "messaging": [each]}]} for each in
                   (event, {**event, "message": {"text": "hello!"}}))  # fmt: skip
    (first,), (again,), (another,) = (listener.parse(hook(each)).inbound for each in (once, once, other))
    assert first.key == again.key != another.key
    assert first.occurred_at == NOW


def test_ids_stay_exact_whatever_their_length(listener: FacebookGateway) -> None:
    event = {"sender": {"id": 9007199254740993}, "timestamp": T, "read": {"watermark": T * 1000}}
    (mark,) = listener.parse(hook({"object": "page", "entry": [{"id": int(PAGE), "messaging": [event]}]})).watermarks
    assert mark.address == "9007199254740993"


# --- whose events


def test_a_body_of_two_pages_is_cut_so_that_each_hears_its_own(listener: FacebookGateway) -> None:
    assert isinstance(listener, SharesHook)
    assert listener.hook_accounts == {f"page:{PAGE}"}
    cuts = listener.split(Hook("POST", {}, {}, fixture("facebook/two_pages")))
    assert set(cuts) == {"page:42", f"page:{PAGE}"}
    assert [event.address for event in listener.parse(cuts[f"page:{PAGE}"]).inbound] == [ANN]
    assert listener.parse(cuts["page:42"]) == Heard()


def test_a_body_of_one_page_is_its_own_cut(listener: FacebookGateway) -> None:
    request = Hook("POST", {}, {}, fixture("facebook/several_events"))
    cuts = listener.split(request)
    assert {account: cut.content for account, cut in cuts.items()} == {f"page:{PAGE}": json.loads(request.body)}
    assert listener.parse(cuts[f"page:{PAGE}"]) == listener.parse(request)


def test_events_of_whatsapp_numbers_of_the_same_app_are_cut_by_number(listener: FacebookGateway) -> None:
    changes = [
        {"field": "messages", "value": {"metadata": {"phone_number_id": "30"}, "statuses": [1]}},
        {"field": "messages", "value": {"metadata": {"phone_number_id": "31"}, "statuses": [2]}},
        {"field": "account_update", "value": {"event": "X"}},
    ]
    cuts = listener.split(hook({"object": "whatsapp_business_account", "entry": [{"id": "20", "changes": changes}]}))
    assert set(cuts) == {"phone:30", "phone:31", "waba:20"}
    assert cuts["phone:31"].content["entry"] == [{"id": "20", "changes": changes[1:2]}]
    assert listener.parse(cuts["waba:20"]) == Heard()


def test_a_challenge_belongs_to_nobody(listener: FacebookGateway) -> None:
    assert listener.split(Hook("GET", {}, {"hub.challenge": "1"}, b"")) == {}


# --- proof


def test_metas_worked_example_passes(listener: FacebookGateway) -> None:
    body = (
        rb'{"object":"page","entry":[{"id":"1029384756","time":1793000000456,"messaging":[{"sender":{"id":"70010020030'
        rb'04005"},"recipient":{"id":"1029384756"},"timestamp":1793000000123,"message":{"mid":"m_example0001","text":'
        rb'"\u041f\u0440\u0438\u0432\u0435\u0442"}}]}]}'
    )
    assert len(body) == 257
    signature = "sha256=1ac2a0c794264f55572fb24d415cb28c6916d388f8f46c270ce7a1ece8ef5c03"
    listener.verify(Hook("POST", {"x-hub-signature-256": signature}, {}, body))
    (heard,) = listener.parse(Hook("POST", {}, {}, body)).inbound
    assert isinstance(heard, Wrote)
    assert heard.text == "Привет"


@pytest.mark.parametrize(
    "given_signature",
    [None, "", "{}", "SHA256={}", "sha1={}", "sha256={} ", " sha256={}", "sha256=" + "0" * 64, "sha256=", "\udc80"],
)
def test_a_wrong_signature_is_refused(given_signature: str | None, listener: FacebookGateway) -> None:
    body = fixture("facebook/text")
    right = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    listener.verify(Hook("POST", {"x-hub-signature-256": f"sha256={right}"}, {}, body))
    headers = {} if given_signature is None else {"x-hub-signature-256": given_signature.format(right)}
    with pytest.raises(BadSignature):
        listener.verify(Hook("POST", headers, {}, body))


def test_a_body_that_was_changed_is_refused(listener: FacebookGateway) -> None:
    body = fixture("facebook/text")
    right = "sha256=" + hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    with pytest.raises(BadSignature):
        listener.verify(Hook("POST", {"x-hub-signature-256": right}, {}, body + b" "))


def test_a_challenge_with_our_token_passes_and_no_other(listener: FacebookGateway) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY, "hub.challenge": "774412093"}
    listener.verify(Hook("GET", {}, query, b""))
    for wrong in ({"hub.verify_token": "guess"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"}):
        with pytest.raises(BadSignature):
            listener.verify(Hook("GET", {}, {**query, **wrong}, b""))
    with pytest.raises(BadSignature):
        listener.verify(Hook("GET", {}, {}, b""))


# --- anything at all


def hook(body: Any) -> Hook:
    return Hook("POST", {}, {}, json.dumps(body).encode())


def _parse(body: bytes) -> None:
    for listen in (_LISTENER.parse, _LISTENER.split):
        try:
            listen(Hook("POST", {}, {}, body))
        except Unreadable:
            continue


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_unreadable(body: bytes) -> None:
    _parse(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_field = st.sampled_from(
    ["sender", "recipient", "id", "timestamp", "message", "postback", "referral", "optin", "delivery", "read", "mid",
     "mids", "watermark", "text", "attachments", "quick_reply", "payload", "is_echo", "metadata", "reaction", "action",
     "policy_enforcement", "ref", "app_id"]
)  # fmt: skip
_event = st.dictionaries(_field, _json | st.dictionaries(_field, _json, max_size=5), max_size=6)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(_event, max_size=3), st.sampled_from(["messaging", "standby", "changes"]))
def test_no_shape_of_events_raises_anything_but_unreadable(events: list[Any], name: str) -> None:
    _parse(json.dumps({"object": "page", "entry": [{"id": PAGE, name: events}]}).encode())


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from([case.payload for case in CASES if isinstance(case.payload, str)]), st.data())
def test_no_damage_to_a_real_body_raises_anything_but_unreadable(payload: str, data: st.DataObject) -> None:
    body = json.loads(fixture(payload))
    places = list(_places(body))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, name = data.draw(st.sampled_from(places))
        if data.draw(st.booleans()) and isinstance(holder, dict):
            holder.pop(name, None)
        elif isinstance(holder, dict) or name < len(holder):
            holder[name] = data.draw(_json)
    _parse(json.dumps(body).encode())


def _places(value: Any) -> Any:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield value, name
        yield from _places(child)


def test_a_wrong_signature_is_told_once_until_one_is_right(listener: FacebookGateway, logs: Logs) -> None:
    body = fixture("facebook/text")
    right = "sha256=" + hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    for signature in ("sha256=0", "sha256=1", right, "sha256=2"):
        with suppress(BadSignature):
            listener.verify(Hook("POST", {"x-hub-signature-256": signature}, {}, body))
    assert sum("a hook's signature is wrong" in line for line in logs.lines) == 2
    logs.require_none_of([*SECRETS, right])
