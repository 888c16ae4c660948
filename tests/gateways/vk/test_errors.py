"""Every code of VK's in its class, in each of its three places; and what is no answer of VK's at all."""

import socket
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.base import (
    AddressGone,
    AddressStatus,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    OutsideWindow,
    Rejected,
    Throttled,
    Unavailable,
)
from gateways.vk.errors import BY_CODE, MediaRefused, error_of, error_of_call, receiver_error
from gateways.vk.gateway import VkGateway
from tests.gateways.cases import Logs, MemoryMedia, OutCase, check_out, fields, names
from tests.gateways.stub import AnyStub, Reply, said
from tests.gateways.vk.vk import ADDRESS, GROUP, SECRET, TOKEN, answered, failed, out, refused_receiver, sent, took

BLOCKED, UNSUBSCRIBED, GONE = AddressStatus.BLOCKED, AddressStatus.UNSUBSCRIBED, AddressStatus.GONE
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"


def gone(reason: str, status: AddressStatus, code: int, *, no_such_address: bool = False) -> AddressGone:
    return AddressGone(reason, code=str(code), status=status, no_such_address=no_such_address)


TABLE: dict[int, GatewayError] = {
    901: gone("unsubscribed", UNSUBSCRIBED, 901),
    900: gone("blocked", BLOCKED, 900),
    902: gone("blocked", BLOCKED, 902),
    7: gone("blocked", BLOCKED, 7, no_such_address=True),
    18: gone("deactivated", GONE, 18),
    30: gone("blocked", BLOCKED, 30),
    37: gone("deactivated", GONE, 37),
    **{code: gone("not_found", GONE, code, no_such_address=True) for code in (936, 104, 113)},
    **{code: gone("blocked", BLOCKED, code) for code in (1021, 932, 983, 985, 962)},
    **{code: OutsideWindow(code=str(code)) for code in (950, 943, 944, 987, 988, 939)},
    **{code: gone("kicked", GONE, code) for code in (917, 922, 925, 927, 945, 946, 1012, 1017, 993)},
    **{code: ChannelBroken(code=str(code)) for code in (984, 912, 5, 27, 28, 2, 3, 8, 23, 34, 35, 42)},
    **{code: ChannelBroken(code=str(code)) for code in (14, 17, 24, 25, 3300)},
    911: MessageRejected(code="911"),
    **{code: MessageRejected(code=str(code), reason="too_long") for code in (914, 910, 913, 940, 921)},
    **{code: MediaRefused(code=str(code), reason="media") for code in (114, 118, 121, 122, 129, 105, 22)},
    100: MessageRejected(code="100"),
    **{code: MessageRejected(code=str(code), reason="no_rights") for code in (15, 203)},
    6: Throttled(1.0, code="6"),
    9: Throttled(60.0, code="9", only_this=True),
    29: Throttled(900.0, code="29"),
    **{code: OutcomeUnknown(code=str(code)) for code in (1, 10, 13, 36, 995)},
    12: Unavailable(code="12"),
    43: Unavailable(code="43"),
    **{code: Rejected(code=str(code), reason="too_old") for code in (909, 924)},
    **{code: Rejected(code=str(code), reason="not_editable") for code in (920, 949)},
}  # fmt: skip


def test_the_whole_table_of_the_platform_is_tried() -> None:
    assert set(TABLE) == set(BY_CODE)


@pytest.mark.parametrize("code", sorted(TABLE))
def test_a_code_means_the_same_in_all_three_places(code: int) -> None:
    of_call = error_of_call({"error": {"error_code": code, "error_msg": "said so"}})
    of_script = error_of(code, "said so")
    of_receiver = receiver_error({"code": code, "description": "said so"})
    for error in (of_call, of_script, of_receiver):
        assert fields(error) == fields(TABLE[code])


def outcome_of(code: int) -> GatewayError:
    error = TABLE[code]
    return Throttled(900.0, code="29") if code == 29 else error


REFUSALS = [
    OutCase(f"code {code}", out(html="Hello there"), [failed(code)], [sent(message="Hello there")], outcome_of(code))
    for code in sorted(set(TABLE) - {29})
] + [
    OutCase(f"of a receiver: {code}", out(html="Hello there"), [answered([refused_receiver(code)])],
            [sent(message="Hello there")], TABLE[code])
    for code in (901, 900, 902, 18, 936, 950, 9, 914)
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS, ids=names(REFUSALS))
async def test_a_refusal_has_its_class(case: OutCase, gateway: VkGateway, stub: AnyStub, logs: Logs) -> None:
    await check_out(case, gateway, stub, logs, [TOKEN, SECRET])


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("One of the parameters specified was missing or invalid: peer_id is invalid",
         gone("not_found", GONE, 100, no_such_address=True)),
        ("One of the parameters specified was missing or invalid: user_ids not integer",
         gone("not_found", GONE, 100, no_such_address=True)),
        ("One of the parameters specified was missing or invalid: message is empty or invalid",
         MessageRejected(code="100", reason="empty")),
        ("One of the parameters specified was missing or invalid: attachment is invalid",
         MediaRefused(code="100", reason="media")),
        ("One of the parameters specified was missing or invalid: keyboard", MessageRejected(code="100")),
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_parameter_is_told_by_its_name(words: str, error: GatewayError) -> None:
    assert fields(error_of(100, words)) == fields(error)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Can't send messages for users without permission", "901"),
        ("Can't send messages for users from blacklist", "900"),
        ("Can't send messages to this user due to their privacy settings", "902"),
        ("Message is too long", "914"),
        ("Something new", "0"),
    ],
)
def test_a_receivers_error_may_be_words_alone(words: str, code: str) -> None:
    assert receiver_error(words).code == code


def test_words_show_neither_key_nor_address_and_are_equal_for_all_clients() -> None:
    one = error_of(911, f"key {TOKEN} peer 100500 row 4", (TOKEN, "100500"))
    two = error_of(911, f"key {TOKEN} peer 10050099 row 4", (TOKEN,))
    assert one.words == two.words == "key … peer … row 4"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
            ["error", "error_code", "error_msg", "code", "description"]) | st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)  # fmt: skip
def test_whatever_an_error_holds_it_becomes_one_of_ours(answer: Any) -> None:
    assert isinstance(error_of_call(answer), GatewayError)
    assert isinstance(receiver_error(answer), GatewayError)


# --- what VK did not write


def plain(status: int, body: bytes, **more: Any) -> Reply:
    return Reply(status, body, {"Content-Type": "text/html"}, **more)


HELLO = [sent(message="Hello there")]
FAULTS = [
    OutCase("a bad gateway", out(html="Hello there"), [plain(502, HTML)], HELLO, OutcomeUnknown(code="502")),
    OutCase("an overload", out(html="Hello there"), [plain(503, b"")], HELLO, OutcomeUnknown(code="503")),
    OutCase("a page with 200", out(html="Hello there"), [plain(200, HTML)], HELLO, OutcomeUnknown(code="200")),
    OutCase("half an answer", out(html="Hello there"), [plain(200, b'{"response":[{"pe')], HELLO,
            OutcomeUnknown(code="200")),
    OutCase("no UTF-8", out(html="Hello there"), [plain(200, b"\xff\xfe")], HELLO, OutcomeUnknown(code="200")),
    OutCase("something else", out(html="Hello there"), [said([1, 2])], HELLO, OutcomeUnknown()),
    OutCase("another's envelope", out(html="Hello there"), [said({"error": "no"})], HELLO, OutcomeUnknown()),
    OutCase("an empty answer", out(html="Hello there"), [answered([])], HELLO, OutcomeUnknown()),
    OutCase("a hang-up", out(html="Hello there"), [Reply(hang_up=True)], HELLO, OutcomeUnknown()),
]  # fmt: skip


@pytest.mark.parametrize("case", FAULTS, ids=names(FAULTS))
async def test_what_vk_did_not_write_leaves_it_open(
    case: OutCase, gateway: VkGateway, stub: AnyStub, logs: Logs
) -> None:
    await check_out(case, gateway, stub, logs, [TOKEN, SECRET])


def on(api_base: str, **more: Any) -> VkGateway:
    return VkGateway(channel="vk", group_id=GROUP, token=TOKEN, media=MemoryMedia(), api_base=api_base, **more)


async def test_no_answer_in_time_may_have_been_taken(stub: AnyStub) -> None:
    gateway = on(f"{stub.url}/method", call_s=0.15)
    await gateway.open()
    stub.replies = [replace(took(), delay_s=0.3)]
    (outcome,) = await gateway.send([out(html="Hello")])
    assert type(outcome) is OutcomeUnknown
    await gateway.close()


async def test_a_refused_connection_surely_sent_nothing() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gateway = on(f"http://127.0.0.1:{nobody.getsockname()[1]}/method")
        await gateway.open()
        (outcome,) = await gateway.send([out(html="Hello")])
        assert type(outcome) is Unavailable
        await gateway.close()


async def test_a_quota_that_stays_used_up_is_asked_for_less_and_less(
    gateway: VkGateway, stub: AnyStub, monkeypatch: pytest.MonkeyPatch, logs: Logs
) -> None:
    at = 1000.0
    monkeypatch.setattr(gateway._sender, "_monotonic", lambda: at)

    async def pause_s() -> float:
        stub.replies = [failed(29, "Rate limit reached")]
        (outcome,) = await gateway.send([out(html="Hello")])
        assert isinstance(outcome, Throttled)
        return outcome.retry_after_s

    assert await pause_s() == 900.0
    at += 1.0
    assert await pause_s() == 899.0, "what was in flight belongs to the same pause"
    at += 900.0
    assert await pause_s() == 1800.0
    for _ in range(4):
        at += 20_000.0
        longest = await pause_s()
    assert longest == 4 * 3600.0
    stub.replies = [took()]
    await gateway.send([out(html="Hello")])
    at += 20_000.0
    assert await pause_s() == 900.0
    assert any("quota" in line for line in logs.lines)


async def test_a_fault_of_ours_ends_no_lane_and_shows_no_text(
    gateway: VkGateway, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError(ADDRESS)

    monkeypatch.setattr(gateway._sender, "random_id", broken)
    outcomes = await gateway.send([out(html="Hello there"), out(html="Hello there")])
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, OutcomeUnknown]
    logs.require_none_of([ADDRESS, "Hello there", TOKEN])
