"""Payloads in: what each event says to us, and that no body breaks the reading."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.base import (
    AddressStatus,
    Answer,
    BadSignature,
    Heard,
    Hook,
    Pressed,
    Profile,
    ReceiptState,
    Subscribed,
    Unreadable,
    Unsubscribed,
    Watermark,
    Wrote,
)
from gateways.vk.events import OK, USED_EVENTS, read_event
from gateways.vk.gateway import VkGateway
from tests.gateways.cases import FIXTURES, InCase, Logs, MemoryMedia, check_in, fixture, names
from tests.gateways.vk.vk import ADDRESS, GROUP, NOW, SECRET, TOKEN

AT = datetime(2027, 1, 1, tzinfo=UTC)
KEY = "vk:5f0c9e2ab7d41683e0d2c71b"
RUSSIAN = Profile(language="ru")


def wrote(text: str = "", what: str = "text", **more: Any) -> Wrote:
    return Wrote(ADDRESS, AT, KEY, text, what, RUSSIAN, begins=True, **more)


def began(payload: str = "") -> Subscribed:
    return Subscribed(ADDRESS, AT, f"{KEY}:start", payload, RUSSIAN)


PRESSED = Pressed(ADDRESS, NOW, "vk:8f0c", "c7.1", "1b6f0e2c77a1")

CASES = [
    InCase("a text", "vk/text", [wrote("Когда доставка?")]),
    InCase("a text after a link", "vk/text_after_a_link", [began("promo_42"), wrote("Здравствуйте")]),
    InCase("the Start button", "vk/start_button", [began()]),
    InCase("the Start button after a link", "vk/start_button_after_a_link", [began("promo_42")]),
    InCase("a text button of ours", "vk/text_button", [Pressed(ADDRESS, AT, KEY, "c7.2", profile=RUSSIAN)]),
    InCase("a text button of somebody else", "vk/text_button_of_somebody_else", [wrote("Yes")]),
    InCase("a photo", "vk/photo", [wrote("", "photo")]),
    InCase("a photo with a text", "vk/photo_with_text", [wrote("Вот такой")]),
    InCase("a sticker", "vk/sticker", [wrote("", "sticker")]),
    InCase("a voice", "vk/voice", [wrote("", "audio_message")]),
    InCase("a document", "vk/document", [wrote("", "doc")]),
    InCase("a location", "vk/location", [wrote("", "location")]),
    InCase("a text without a peer", "vk/text_without_a_peer",
           [Wrote("123456", datetime(2020, 1, 27, 11, 50, tzinfo=UTC), KEY, "Hello World", begins=True)]),
    InCase("a text of an old version", "vk/text_of_an_old_version",
           [Wrote(ADDRESS, AT, KEY, "{}", begins=True)]),
    InCase("a group chat", "vk/group_chat"),
    InCase("what we sent ourselves", "vk/our_own"),
    InCase("a press", "vk/press", [PRESSED]),
    InCase("a press whose payload is a string", "vk/press_with_a_string", [PRESSED]),
    InCase("a press in a group chat", "vk/press_in_a_group_chat"),
    InCase("a press of somebody else's button", "vk/press_of_somebody_else"),
    InCase("allowed with a key", "vk/allowed_with_a_key", [Subscribed(ADDRESS, NOW, "vk:8f0d", "promo_42")]),
    InCase("allowed", "vk/allowed", [Subscribed(ADDRESS, NOW, "vk:8f0d")]),
    InCase("denied", "vk/denied", [Unsubscribed(ADDRESS, NOW, "vk:8f0e", AddressStatus.UNSUBSCRIBED)]),
    InCase("read", "vk/read", watermarks=[
        Watermark(ADDRESS, ReceiptState.READ, NOW, f"read:{ADDRESS}:7712", until_id=7712)]),
    InCase("read by us", "vk/read_by_us"),
    InCase("read in a group chat", "vk/read_in_a_group_chat"),
    InCase("our message coming back", "vk/our_message"),
    InCase("a message of an admin", "vk/message_of_an_admin"),
    InCase("blacklisted", "vk/blacklisted", [Unsubscribed(ADDRESS, NOW, "vk:8f11", AddressStatus.BLOCKED)]),
    InCase("off the blacklist", "vk/off_the_blacklist", [Subscribed(ADDRESS, NOW, "vk:8f12", explicit=False)]),
    InCase("a reaction", "vk/reaction"),
    InCase("typing", "vk/typing"),
    InCase("joined the community", "vk/joined"),
    InCase("a kind of tomorrow", "vk/kind_of_tomorrow"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_an_event_is_heard(case: InCase, gateway: VkGateway, logs: Logs) -> None:
    object.__setattr__(case, "answer", OK)
    check_in(case, gateway, logs, [TOKEN, SECRET])


def test_every_payload_is_tried() -> None:
    known = {f"vk/{file.stem}" for file in (FIXTURES / "vk").glob("*.json")}
    assert known == {case.payload for case in CASES} | {"vk/confirmation"}


def test_a_confirmation_is_answered_with_the_code_and_nothing_else(gateway: VkGateway) -> None:
    heard = gateway.parse(hook(fixture("vk/confirmation")))
    assert heard == Heard(answer=Answer("a1b2c3d4"))
    assert heard.answer.content_type == "text/plain"


def test_a_confirmation_without_a_known_code_is_no_success() -> None:
    gateway = VkGateway(channel="vk", group_id=GROUP, token=TOKEN, media=MemoryMedia(), secret=SECRET)
    with pytest.raises(Unreadable):
        gateway.parse(hook(fixture("vk/confirmation")))


# --- proofs


def hook(body: bytes) -> Hook:
    return Hook("POST", {}, {}, body)


def signed(**changes: Any) -> bytes:
    event = json.loads(fixture("vk/text")) | {"secret": SECRET} | changes
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def test_the_right_secret_of_the_right_community_passes(gateway: VkGateway) -> None:
    gateway.verify(hook(signed()))
    gateway.verify(hook(signed(group_id=GROUP)))


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "wrong"}, {"secret": None}, {"secret": ""}, {"secret": 5}, {"secret": [SECRET]},
        {"secret": "\ud800"}, {"group_id": 190000018}, {"group_id": None}, {"group_id": True},
        {"group_id": 190000017.0},
        {"type": "confirmation", "secret": "wrong"}, {"type": "confirmation", "secret": None, "group_id": 1},
    ],
    ids=repr,
)  # fmt: skip
def test_a_forged_request_is_refused(changes: dict[str, Any], gateway: VkGateway) -> None:
    with pytest.raises(BadSignature):
        gateway.verify(hook(signed(**changes)))


def test_a_confirmation_may_come_without_a_secret(gateway: VkGateway) -> None:
    gateway.verify(hook(signed(type="confirmation", secret=None)))


def test_without_a_secret_of_ours_nothing_passes() -> None:
    gateway = VkGateway(channel="vk", group_id=GROUP, token=TOKEN, media=MemoryMedia())
    with pytest.raises(BadSignature):
        gateway.verify(hook(signed(secret="")))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"secret=s3cr3t", b"[" * 100_000, b"9" * 9999]
)
def test_a_body_that_is_no_event_is_unreadable(body: bytes, gateway: VkGateway) -> None:
    with pytest.raises(Unreadable):
        gateway.verify(hook(body))
    with pytest.raises(Unreadable):
        gateway.parse(hook(body))


@pytest.mark.parametrize("group", [190000018, None, True, "shop"])
def test_an_event_of_another_community_says_nothing(group: Any, gateway: VkGateway) -> None:
    assert gateway.parse(hook(signed(group_id=group))) == Heard(answer=OK)


# --- the same fact, the same key


def test_a_repeat_has_the_same_key_and_another_event_another() -> None:
    def key_of(**changes: Any) -> str:
        (heard,) = read_event(json.loads(signed(**changes)), GROUP, lambda: NOW).inbound
        return heard.key

    message = json.loads(fixture("vk/text"))["object"]["message"]
    assert key_of() == key_of()
    assert key_of(event_id="other") != key_of()
    assert key_of(event_id=None) == key_of(event_id="")
    assert key_of(event_id=None) != key_of(event_id=None, object={"message": message | {"id": 7716}})


def test_a_reading_told_twice_has_one_key_however_it_was_told(gateway: VkGateway) -> None:
    pushed = gateway.parse(hook(fixture("vk/read"))).watermarks[0]
    assert pushed.key == f"read:{ADDRESS}:7712"


def test_ids_beyond_53_bits_stay_exact() -> None:
    message = {"from_id": 9007199254740993, "peer_id": 9007199254740993, "text": "hi", "date": 1}
    event = {"type": "message_new", "group_id": int(GROUP), "object": {"message": message}}
    (heard,) = read_event(event, GROUP, lambda: NOW).inbound
    assert heard.address == "9007199254740993"


def test_what_no_database_keeps_is_left_out() -> None:
    message = {"from_id": 5, "peer_id": 5, "text": "a\0b\ud800", "ref": "r\0", "date": None}
    event = {"type": "message_new", "group_id": int(GROUP), "event_id": "\ud800", "object": {"message": message}}
    begun, said = read_event(event, GROUP, lambda: NOW).inbound
    assert isinstance(said, Wrote)
    assert isinstance(begun, Subscribed)
    assert (said.text, begun.payload, said.occurred_at) == ("ab?", "r", NOW)
    assert said.key.isprintable()


# --- whatever comes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(
        [100500, "100500", -5, 2**63, 2**64, 1e400, '{"b":"c7.0"}', '{"command":"start"}', "[" * 3000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["message", "from_id", "peer_id", "user_id", "payload", "b", "command", "date", "text", "attachments", "type",
         "geo", "ref", "client_info", "lang_id", "key", "read_message_id", "event_id", "out"]), inner, max_size=8),
    max_leaves=16,
)  # fmt: skip
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from([*USED_EVENTS, "confirmation"]) | VALUES, "object": VALUES},
    optional={"group_id": st.just(int(GROUP)) | VALUES, "event_id": VALUES, "secret": VALUES},
)


@given(EVENTS)
def test_reading_raises_nothing_but_its_own_error(event: dict[str, Any]) -> None:
    gateway = VkGateway(channel="vk", group_id=GROUP, token=TOKEN, media=MemoryMedia(), secret=SECRET)
    request = hook(json.dumps(event).encode())
    try:
        heard = gateway.parse(request)
    except Unreadable:
        return
    for inbound in heard.inbound:
        assert inbound.address.isdecimal()
        inbound.key.encode()
    with pytest.raises((BadSignature, Unreadable)):
        gateway.verify(request)


@given(st.binary(max_size=64))
def test_bytes_raise_nothing_but_the_errors_for_them(body: bytes) -> None:
    gateway = VkGateway(channel="vk", group_id=GROUP, token=TOKEN, media=MemoryMedia(), secret=SECRET)
    for read in (gateway.verify, gateway.parse):
        with pytest.raises((BadSignature, Unreadable)):
            read(hook(body))


@given(st.sampled_from(sorted(case.payload for case in CASES if isinstance(case.payload, str))), st.data())
def test_a_payload_with_a_piece_put_wrong_is_read_or_unreadable(name: str, data: st.DataObject) -> None:
    event = json.loads(fixture(name))
    holder = event["object"]
    if isinstance(holder.get("message"), dict) and data.draw(st.booleans()):
        holder = holder["message"]
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(VALUES)
    try:
        read_event(event, GROUP, lambda: NOW)
    except Unreadable:
        return
