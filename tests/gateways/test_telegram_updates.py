"""What is heard of Telegram: captured updates in, events out; anything else is Unreadable and nothing worse."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.base import (
    AddressStatus,
    BadSignature,
    Heard,
    Hook,
    Pressed,
    Profile,
    SharedPhone,
    Subscribed,
    Unreadable,
    Unsubscribed,
    Wrote,
)
from gateways.telegram.gateway import USED_UPDATES, TelegramGateway
from gateways.telegram.updates import USED
from tests.gateways.cases import FIXTURES, InCase, Logs, MemoryMedia, check_in, fixture, names
from tests.gateways.conftest import SECRET_PART, TOKEN

NOW = datetime(2027, 1, 1, tzinfo=UTC)
AT = datetime.fromtimestamp(1798761590, UTC)
IRINA = "100200300"
CARD = Profile(first_name="Ирина")


def at(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def key(number: int) -> str:
    return f"tg:555000111:{710000000 + number}"


def wrote(number: int, text: str, what: str = "text") -> Wrote:
    return Wrote(IRINA, AT, key(number), text, what, CARD)


CASES = [
    InCase(
        "text",
        "telegram/text",
        [Wrote(IRINA, AT, key(0), "Где мой заказ?", "text", Profile("Ирина", None, "irina_k", "ru"))],
    ),
    InCase("deep link", "telegram/start_with_payload", [Subscribed(IRINA, at(1798761600), key(1), "promo_42", CARD)]),
    InCase("own phone", "telegram/shared_own_phone", [SharedPhone(IRINA, at(1798761650), key(2), "+79001234567")]),
    InCase(
        "press",
        "telegram/button_press",
        [Pressed(IRINA, NOW, key(3), "m17:yes", "880012345678901234", "100200300:502", CARD)],
    ),
    InCase("block", "telegram/blocked", [Unsubscribed(IRINA, at(1798761800), key(4), AddressStatus.BLOCKED)]),
    InCase("unblock", "telegram/unblocked", [Subscribed(IRINA, at(1798769000), key(5), "", CARD, False)]),
    InCase("reaction", "telegram/reaction"),
    InCase("plain start", "telegram/start_without_payload", [Subscribed(IRINA, AT, key(7), "", CARD)]),
    InCase("start with the bot's name", "telegram/start_with_bot_name", [Subscribed(IRINA, AT, key(8), "vip-2", CARD)]),
    InCase("start and words", "telegram/start_with_typed_words", [Subscribed(IRINA, AT, key(9), "", CARD)]),
    InCase(
        "press on a message that is too old",
        "telegram/press_on_inaccessible_message",
        [Pressed(IRINA, NOW, key(10), "c41.0", "880012345678901235", "100200300:77", CARD)],
    ),
    InCase(
        "press without a message",
        "telegram/press_of_inline_message",
        [Pressed(IRINA, NOW, key(11), "c41.1", "880012345678901236", None, CARD)],
    ),
    InCase("press of a game", "telegram/press_of_game"),
    InCase("press in a group", "telegram/press_in_group"),
    InCase("another's contact", "telegram/foreign_contact", [wrote(14, "", "contact")]),
    InCase("contact that is no user", "telegram/contact_of_nobody", [wrote(15, "", "contact")]),
    InCase("photo", "telegram/photo_with_caption", [wrote(16, "Подойдёт?", "photo")]),
    InCase("one picture of an album", "telegram/album_item", [wrote(17, "", "photo")]),
    InCase("document", "telegram/document", [wrote(18, "", "document")]),
    InCase("animation, which is a document too", "telegram/animation", [wrote(19, "", "animation")]),
    InCase("voice", "telegram/voice", [wrote(20, "", "voice")]),
    InCase("sticker", "telegram/sticker", [wrote(21, "", "sticker")]),
    InCase("location", "telegram/location", [wrote(22, "", "location")]),
    InCase("Telegram's own note", "telegram/pinned"),
    InCase("Mini App data", "telegram/mini_app_data", [wrote(24, '{"sku":7}', "web_app_data")]),
    InCase("consent in a Mini App", "telegram/write_access_allowed", [Subscribed(IRINA, AT, key(25), "", CARD)]),
    InCase("stop in a group", "telegram/group_text"),
    InCase("channel post", "telegram/channel_post"),
    InCase("edited message", "telegram/edited_message"),
    InCase("added to a group", "telegram/added_to_group"),
    InCase("another bot", "telegram/message_of_a_bot"),
    InCase("poll answer", "telegram/poll_answer"),
    InCase("a kind of update that is not known yet", "telegram/kind_of_tomorrow"),
    InCase("parts that aiogram refuses", "telegram/text_with_fields_of_tomorrow", [wrote(33, "стоп")]),
    InCase(
        "numbers as strings, no sender", "telegram/text_of_a_spare_server", [Wrote(IRINA, AT, key(99), "hello", "text")]
    ),
    InCase(
        "a press with the least there can be",
        "telegram/press_of_a_spare_server",
        [Pressed(IRINA, NOW, key(34), "c41.0", "88", "100200300:502", Profile("Ann"))],
    ),
    InCase("a date of zero is none", b'{"update_id":710000000,"message":{"message_id":1,"date":0,"chat":{"id":5},'
           b'"text":"x"}}', [Wrote("5", NOW, key(0), "x")]),
]  # fmt: skip


@pytest.fixture
def listener() -> TelegramGateway:
    return TelegramGateway(
        channel="tg-shop", token=TOKEN, media=MemoryMedia(), webhook_secret="hook-secret", now=lambda: NOW
    )


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_an_update_is_heard(case: InCase, listener: TelegramGateway, logs: Logs) -> None:
    check_in(case, listener, logs, [TOKEN, SECRET_PART])


def test_every_captured_payload_is_used_by_a_case() -> None:
    captured = {f"telegram/{file.stem}" for file in (FIXTURES / "telegram").iterdir()}
    assert captured == {case.payload for case in CASES if isinstance(case.payload, str)}
    assert len(captured) >= 25


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"7", b'"text"', b"{", b"\xff\xfe", b"{}", b'{"update_id":null}', b'{"update_id":true}',
        b'{"message":{"text":"x"}}', b'{"update_id":"x","message":{"chat":{"id":1},"text":"x"}}',
        b'{"update_id":1,"message":{"text":"x"}}', b'{"update_id":1,"message":{"chat":{"id":"me"},"text":"x"}}',
        b'{"update_id":1,"message":{"chat":{"id":1},"date":"soon","text":"x"}}',
        b'{"update_id":1,"message":{"chat":{"id":1},"date":1e300,"text":"x"}}',
        b'{"update_id":1,"callback_query":{"id":"1","data":"x"}}',
        b'{"update_id":1,"my_chat_member":{"chat":{"id":1},"from":{"id":1}}}',
        b"[" * 200_000, b'{"update_id":' + b"9" * 6000 + b"}",
    ],
)  # fmt: skip
def test_a_body_that_is_no_update_is_unreadable(body: bytes, listener: TelegramGateway) -> None:
    with pytest.raises(Unreadable):
        listener.parse(Hook("POST", {}, {}, body))


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_unreadable(body: bytes) -> None:
    _parse(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_field = st.sampled_from(
    ["chat", "from", "date", "text", "message", "id", "type", "data", "new_chat_member", "status", "contact",
     "phone_number", "user_id", "message_id", "photo", "caption", "web_app_data", "user"]
)  # fmt: skip


@given(
    st.fixed_dictionaries(
        {"update_id": _json | st.integers()},
        optional={name: st.dictionaries(_field, _json | st.dictionaries(_field, _json), max_size=6) for name in USED},
    )
)
def test_no_shape_of_json_raises_anything_but_unreadable(update: dict[str, Any]) -> None:
    _parse(json.dumps(update).encode())


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([case.payload for case in CASES if isinstance(case.payload, str)]), st.data())
def test_no_damage_to_a_real_update_raises_anything_but_unreadable(payload: str, data: st.DataObject) -> None:
    update = json.loads(fixture(payload))
    places = list(_places(update))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, name = data.draw(st.sampled_from(places))
        if data.draw(st.booleans()) and isinstance(holder, dict):
            holder.pop(name, None)
        elif isinstance(holder, dict) or name < len(holder):
            holder[name] = data.draw(_json)
    _parse(json.dumps(update).encode())


def _places(value: Any) -> Any:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield value, name
        yield from _places(child)


_LISTENER = TelegramGateway(channel="tg-shop", token=TOKEN, media=MemoryMedia(), now=lambda: NOW)


def _parse(body: bytes) -> None:
    try:
        heard = _LISTENER.parse(Hook("POST", {}, {}, body))
    except Unreadable:
        return
    assert isinstance(heard, Heard)
    assert heard.receipts == ()


def test_telegram_never_claims_that_anything_was_delivered_or_read(listener: TelegramGateway) -> None:
    assert listener.capabilities.receipts == frozenset()
    assert listener.capabilities.why_no_receipts
    for case in CASES:
        body = case.payload if isinstance(case.payload, bytes) else fixture(case.payload)
        assert listener.parse(Hook("POST", {}, {}, body)).receipts == ()


def test_two_bots_never_share_a_key() -> None:
    other = TelegramGateway(channel="tg-two", token="42:other", media=MemoryMedia(), now=lambda: NOW)
    (one,) = _LISTENER.parse(Hook("POST", {}, {}, fixture("telegram/text"))).inbound
    (two,) = other.parse(Hook("POST", {}, {}, fixture("telegram/text"))).inbound
    assert one.key != two.key


def test_what_is_asked_for_is_what_is_read() -> None:
    assert tuple(USED_UPDATES) == USED


@pytest.mark.parametrize(
    "given_secret", [None, "", "hook-secre", "hook-secret ", "HOOK-SECRET", "hook-secrét", "\udc80"]
)
def test_a_wrong_secret_is_a_bad_signature(given_secret: str | None, listener: TelegramGateway) -> None:
    headers = {} if given_secret is None else {"x-telegram-bot-api-secret-token": given_secret}
    with pytest.raises(BadSignature):
        listener.verify(Hook("POST", headers, {}, b"{}"))


def test_the_right_secret_passes(listener: TelegramGateway) -> None:
    listener.verify(Hook("POST", {"x-telegram-bot-api-secret-token": "hook-secret"}, {}, b"{}"))


def test_a_channel_without_a_secret_trusts_nobody() -> None:
    with pytest.raises(BadSignature):
        _LISTENER.verify(Hook("POST", {"x-telegram-bot-api-secret-token": ""}, {}, b"{}"))
