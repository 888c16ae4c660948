"""What Viber posts to us, and what we hear of it."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.base import (
    AddressStatus,
    BadSignature,
    Heard,
    Hook,
    Pressed,
    Profile,
    Receipt,
    ReceiptState,
    Subscribed,
    Unreadable,
    Unsubscribed,
    Watermark,
    Wrote,
)
from gateways.viber.events import read_event
from gateways.viber.gateway import ViberGateway
from gateways.viber.presses import Presses
from gateways.viber.signing import sign
from tests.gateways.cases import InCase, Logs, check_in, fixture, logs, names
from tests.gateways.viber.conftest import ANNA, BORYS, SECRET, TOKEN

__all__ = ["logs"]

PROFILE = Profile(first_name="Anna", language="uk")
SPOKE = f"viber:message:5890123456789012004:{ANNA}"


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(1793000000 + seconds, UTC)


def said(text: str, what: str = "text", profile: Profile = PROFILE) -> Wrote:
    return Wrote(ANNA, at(4), SPOKE, text, what, profile, begins=True)


def receipt(state: ReceiptState, event: str, second: int, user: str = ANNA, end: str = "2347") -> Receipt:
    number = f"589012345678901{end}"
    return Receipt(state, f"{number}:{user}", None, at(second), f"viber:{event}:{number}:{user}", address=user)


def failure(words: str) -> Receipt:
    return Receipt(
        ReceiptState.FAILED,
        f"5890123456789012347:{ANNA}",
        None,
        at(7),
        f"viber:failed:5890123456789012347:{ANNA}",
        code="failed",
        words=words,
        reason="rejected",
        address=ANNA,
    )


CASES = [
    InCase("the event of setting a webhook says nothing", "viber/webhook"),
    InCase("an event of payments says nothing", "viber/client_status"),
    InCase("an event that nobody knows says nothing", "viber/unknown_event"),
    InCase(
        "subscribed",
        "viber/subscribed",
        [Subscribed(ANNA, at(2), f"viber:subscribed:5890123456789012002:{ANNA}", "", PROFILE)],
    ),
    InCase(
        "subscribed without a token is told apart by its moment",
        "viber/subscribed_without_token",
        [Subscribed(ANNA, at(2), f"viber:subscribed:at1793000002000:{ANNA}", "", Profile("Anna"))],
    ),
    InCase(
        "unsubscribed is an opt-out",
        "viber/unsubscribed",
        [
            Unsubscribed(
                ANNA, at(3), f"viber:unsubscribed:5890123456789012003:{ANNA}", status=AddressStatus.UNSUBSCRIBED
            )
        ],
    ),
    InCase("delivered", "viber/delivered", receipts=[receipt(ReceiptState.DELIVERED, "delivered", 5)]),
    InCase(
        "delivered, its numbers as text",
        "viber/delivered_in_digits",
        receipts=[receipt(ReceiptState.DELIVERED, "delivered", 5)],
    ),
    InCase(
        "delivered, of a broadcast, names the client by its user",
        "viber/delivered_of_a_broadcast",
        receipts=[receipt(ReceiptState.DELIVERED, "delivered", 5, BORYS, "2999")],
    ),
    InCase(
        "seen reads that message and all before it",
        "viber/seen",
        receipts=[receipt(ReceiptState.READ, "seen", 6)],
        watermarks=[
            Watermark(ANNA, ReceiptState.READ, at(6), f"viber:seen all before:5890123456789012347:{ANNA}", until=at(6))
        ],
    ),
    InCase("failed", "viber/failed", receipts=[failure("message validation failed")]),
    InCase("failed without a word", "viber/failed_without_desc", receipts=[failure("")]),
    InCase("a text", "viber/message_text", [said("How much is it? *wow*")]),
    InCase("a text of who tells nothing else", "viber/message_of_nobody", [said("Hi", profile=Profile())]),
    InCase("STOP is the client's own word", "viber/message_stop", [said("STOP")]),
    InCase("a picture", "viber/message_picture", [said("Like this", "picture")]),
    InCase("a video", "viber/message_video", [said("", "video")]),
    InCase("a contact, which may be anybody's", "viber/message_contact", [said("", "contact")]),
    InCase("a link that was sent as such", "viber/message_url", [said("", "url")]),
    InCase("a location", "viber/message_location", [said("", "location")]),
    InCase("a sticker", "viber/message_sticker", [said("", "sticker")]),
    InCase("a file", "viber/message_file", [said("", "file")]),
    InCase("a message of a new type", "viber/message_of_a_new_type", [said("", "other")]),
    InCase(
        "a pressed link is no word of the client's",
        "viber/message_link_pressed",
        [Pressed(ANNA, at(4), SPOKE, "https://example.com/l/812", profile=PROFILE)],
    ),
    InCase("a typed link is one", "viber/message_link_typed", [said("https://example.com/l/812")]),
    InCase(
        "the first words after the welcome subscribe, with what the link said",
        "viber/message_after_welcome",
        [
            Subscribed(ANNA, at(4), f"viber:came by link:5890123456789012004:{ANNA}", "promo-42", PROFILE),
            said("Hello"),
        ],
    ),
    InCase(
        "a subscriber who opens the chat by a link brings its payload",
        "viber/conversation_started_subscribed",
        [
            Subscribed(
                ANNA,
                at(1),
                f"viber:conversation_started:5890123456789012001:{ANNA}",
                "promo-42",
                PROFILE,
                explicit=False,
            )
        ],
    ),
    InCase("a subscriber who opens the chat says nothing", "viber/conversation_started_again"),
]


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_what_viber_posts_is_heard(case: InCase, gateway: ViberGateway, logs: Logs) -> None:
    check_in(case, gateway, logs, [TOKEN, ANNA])


def hook(body: bytes, **rest: Any) -> Hook:
    return Hook("POST", rest.get("headers", {}), rest.get("query", {}), body)


def changed(name: str, **changes: Any) -> bytes:
    return json.dumps(json.loads(fixture(name)) | changes).encode()


def spoken(text: str, user: str = ANNA) -> bytes:
    event = json.loads(fixture("viber/message_text"))
    event["message"]["text"], event["sender"]["id"] = text, user
    return json.dumps(event).encode()


def body_of(gateway: ViberGateway, data: str, address: str = ANNA) -> str:
    return gateway._presses.body(address, data)


# --- presses


def test_a_pressed_button_brings_back_its_data(gateway: ViberGateway) -> None:
    heard = gateway.parse(hook(spoken(body_of(gateway, "c7.1"))))
    assert heard == Heard(inbound=(Pressed(ANNA, at(4), SPOKE, "c7.1", profile=PROFILE),))


@pytest.mark.parametrize("typed", ["c7.1", "c7.1~", "c7.1~AAAAAAAAAAAAAAAAAAAAAA"])
def test_typed_data_is_the_clients_own_words(gateway: ViberGateway, typed: str) -> None:
    assert gateway.parse(hook(spoken(typed))).inbound == (said(typed),)


def test_a_button_of_somebody_else_is_no_press(gateway: ViberGateway) -> None:
    (heard,) = gateway.parse(hook(spoken(body_of(gateway, "c7.1"), user=BORYS))).inbound
    assert isinstance(heard, Wrote)


# --- who opens the chat


def test_who_opens_the_chat_is_no_subscriber_and_gets_the_welcome(gateway: ViberGateway) -> None:
    heard = gateway.parse(hook(fixture("viber/conversation_started")))
    assert (heard.inbound, heard.answer.content_type) == ((), "application/json")
    welcome = json.loads(heard.answer.body)
    assert "receiver" not in welcome
    assert (welcome["sender"], welcome["type"]) == ({"name": "Shop North"}, "text")
    assert welcome["text"].startswith("Натисніть")
    assert welcome["tracking_data"] == "start.promo-42"
    (button,) = welcome["keyboard"]["Buttons"]
    assert len(button["ActionBody"]) <= 100
    assert gateway.parse(hook(spoken(button["ActionBody"]))).inbound == (
        Subscribed(ANNA, at(4), SPOKE, "promo-42", PROFILE),
    )


def test_the_welcome_is_in_english_where_the_language_is_not_known(gateway: ViberGateway) -> None:
    welcome = json.loads(gateway.parse(hook(fixture("viber/conversation_started_bare"))).answer.body)
    assert welcome["text"].startswith("Press the button")
    assert welcome["tracking_data"] == "start."


@pytest.mark.parametrize("context", ["x" * 80, "два слова", {"a": 1}, None])
def test_a_link_that_no_button_can_carry_still_welcomes(gateway: ViberGateway, context: object) -> None:
    welcome = json.loads(gateway.parse(hook(changed("viber/conversation_started", context=context))).answer.body)
    assert welcome["tracking_data"] == "start."


# --- repeats


@pytest.mark.parametrize("name", ["delivered", "seen", "failed", "message_text", "subscribed", "unsubscribed"])
def test_a_repeat_has_the_same_key_and_another_token_another(gateway: ViberGateway, name: str) -> None:
    def keys(body: bytes) -> list[str]:
        heard = gateway.parse(hook(body))
        return [each.key for each in (*heard.receipts, *heard.inbound, *heard.watermarks)]

    first = keys(fixture(f"viber/{name}"))
    assert first == keys(fixture(f"viber/{name}"))
    later = keys(changed(f"viber/{name}", message_token=5890123456789019999))
    assert later
    assert set(first).isdisjoint(later)


def test_a_second_device_repeats_delivered_with_the_same_key(gateway: ViberGateway) -> None:
    first = gateway.parse(hook(fixture("viber/delivered"))).receipts[0]
    second = gateway.parse(hook(changed("viber/delivered", timestamp=1793000999000))).receipts[0]
    assert first.key == second.key


def test_tokens_that_differ_in_their_last_digit_differ(gateway: ViberGateway) -> None:
    heard = {
        gateway.parse(hook(changed("viber/delivered", message_token=token))).receipts[0].external_id
        for token in (5890123456789012347, 5890123456789012348)
    }
    assert heard == {f"5890123456789012347:{ANNA}", f"5890123456789012348:{ANNA}"}


# --- what can't be read


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"7", b"\xff\xfe", b"null", b"{}", b'{"event": 7}', b"[" * 100_000,
        changed("viber/delivered", message_token=5.890123456789012e18), changed("viber/delivered", message_token=None),
        changed("viber/delivered", message_token=True), changed("viber/delivered", user_id=7),
        changed("viber/delivered", user_id="a b"), changed("viber/delivered", user_id="a\0b"),
        changed("viber/seen", user_id=None), changed("viber/subscribed", user="Anna"),
        changed("viber/message_text", sender=None), changed("viber/message_text", message=[]),
        changed("viber/delivered", timestamp=10**18), changed("viber/unsubscribed", user_id={}),
        changed("viber/conversation_started", user={"id": None}),
    ],
    ids=lambda body: repr(body[:90]),
)  # fmt: skip
def test_what_viber_does_not_send_is_unreadable(gateway: ViberGateway, body: bytes) -> None:
    with pytest.raises(Unreadable):
        gateway.parse(hook(body))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
_FIELDS = st.sampled_from(
    ["event", "timestamp", "message_token", "user_id", "user", "sender", "message", "context", "subscribed", "desc"]
)
_EVENTS = st.sampled_from(
    ["delivered", "seen", "failed", "message", "subscribed", "unsubscribed", "conversation_started", "webhook"]
)


def _hear(body: bytes) -> None:
    try:
        heard = read_event(body, Presses(b"key").find, lambda *_: "", lambda: datetime.now(UTC))
    except Unreadable:
        return
    assert isinstance(heard, Heard)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(body: bytes) -> None:
    _hear(body)


@given(_EVENTS, st.dictionaries(_FIELDS, _JSON), st.sampled_from(["delivered", "message_text", "conversation_started"]))
def test_no_json_breaks_the_reading(event: str, changes: dict[str, Any], name: str) -> None:
    known = json.loads(fixture(f"viber/{name}"))
    _hear(json.dumps(known | changes | {"event": event}).encode())
    user = {"id": ANNA} | {str(place): value for place, value in changes.items()}
    _hear(json.dumps(known | {"event": event, "user": user, "sender": user, "message": changes}).encode())


# --- signatures

SIGNED = fixture("viber/seen")


def test_a_signed_request_passes_by_header_or_by_query(gateway: ViberGateway) -> None:
    signature = sign(TOKEN, SIGNED)
    gateway.verify(hook(SIGNED, headers={"x-viber-content-signature": signature}))
    gateway.verify(hook(SIGNED, query={"sig": signature}))


def test_the_worked_example_of_the_signature() -> None:
    body = (
        b'{"event":"seen","timestamp":1793000000123,"chat_hostname":"SN-CHAT-03_",'
        b'"message_token":5890123456789012347,"user_id":"Q2xpZW50LTAwMDEtRGVtbw=="}'
    )
    assert sign(TOKEN, body) == "3e5dea4634218e24c825e204035e2419fb639f1d430eec5571db1bf9d587c6ac"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-viber-content-signature": ""},
        {"x-viber-content-signature": "0" * 64},
        {"x-viber-content-signature": "\udcff"},
        {"x-viber-content-signature": sign("another token", SIGNED)},
        {"x-viber-content-signature": sign(TOKEN, SIGNED + b" ")},
    ],
)
def test_any_other_request_is_refused(gateway: ViberGateway, headers: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        gateway.verify(hook(SIGNED, headers=headers))


def test_a_channels_buttons_are_signed_by_the_apps_secret(gateway: ViberGateway) -> None:
    assert re.fullmatch(r"c7\.1~[A-Za-z0-9_-]{22}", body_of(gateway, "c7.1"))
    assert Presses(SECRET).body(ANNA, "c7.1") != body_of(gateway, "c7.1")
