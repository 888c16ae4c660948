"""Refusals: by subcode, then by code, never by their words; and what a call that got no answer is taken for."""

import asyncio
from typing import Any

import pytest

from gateways.base import (
    AddressGone,
    AddressStatus,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    OutsideWindow,
    PartKind,
    Rejected,
    Throttled,
    Unavailable,
)
from gateways.facebook.errors import MediaRefused, NoSuchObject
from gateways.facebook.gateway import FacebookGateway
from tests.gateways.cases import Logs, MemoryMedia, fields
from tests.gateways.facebook.conftest import SECRETS, TOKEN, Hands, make
from tests.gateways.outgoing import out, text
from tests.gateways.stub import AnyStub, Reply, said

BLOCKED, GONE = AddressStatus.BLOCKED, AddressStatus.GONE


def refused(code: Any, subcode: Any = None, *, status: int = 400, headers: Any = None, **more: Any) -> Reply:
    error = {"message": f"(#{code}) words", "type": "OAuthException", "code": code, "fbtrace_id": "A1", **more}
    if subcode is not None:
        error["error_subcode"] = subcode
    return said({"error": error}, status, headers)


def gone(code: str, reason: str = "blocked", status: AddressStatus = BLOCKED, *, no_such: bool = False) -> AddressGone:
    return AddressGone(reason, code=code, status=status, no_such_address=no_such)


def rejected(code: str, reason: str = "rejected") -> Rejected:
    return Rejected(code=code, reason=reason)


TABLE: list[tuple[Reply, GatewayError]] = [
    (refused(551, 1545041), gone("551/1545041")),
    (refused(551), gone("551")),
    (refused(200, 1545041, message="(#551) 此用户目前无法联系。"), gone("200/1545041")),
    (refused(10, 2018108), gone("10/2018108")),
    (refused(10, 2018278), OutsideWindow(code="10/2018278")),
    (refused(10, 2534022), OutsideWindow(code="10/2534022")),
    (refused(10, 2018065), OutsideWindow(code="10/2018065")),
    (refused(100, 2018001), gone("100/2018001", "not_found", AddressStatus.GONE, no_such=True)),
    (refused(100, message="(#100) No matching user found"), gone("100", "not_found", GONE, no_such=True)),
    (refused(200, 2018278), OutsideWindow(code="200/2018278")),
    (refused(230, 1545041), gone("230/1545041")),
    (refused(10, 2018300), rejected("10/2018300", "other_app")),
    (refused(10, 2018321), rejected("10/2018321", "other_app")),
    (refused(10, 1893015), gone("10/1893015", "unsubscribed", AddressStatus.UNSUBSCRIBED)),
    (refused(100), MessageRejected(code="100")),
    (refused("100", "0"), MessageRejected(code="100")),
    (refused(100, 424242), MessageRejected(code="100/424242")),
    (refused(100, 2018047), MediaRefused(code="100/2018047", reason="media")),
    (refused(1), Unavailable(code="1")),
    (refused(2, status=500), Unavailable(code="2")),
    (refused(2, 2018344, is_transient=True, status=503), Unavailable(code="2/2018344")),
    (refused(777, is_transient=True), Unavailable(code="777")),
    (refused(1, 1357046), OutcomeUnknown(code="1/1357046")),
    (refused(4, 2018354), rejected("4/2018354", "capped")),
    (refused(613, 2018338), rejected("613/2018338", "capped")),
    (refused(613, 1893016), rejected("613/1893016", "capped")),
    (refused(613), Throttled(60, code="613")),
    (refused(613, 2534040), Throttled(60, code="613/2534040")),
    (refused(4, status=403), Throttled(60, code="4")),
    (refused(17), Throttled(60, code="17")),
    (refused(32), Throttled(60, code="32")),
    (refused(341), Throttled(60, code="341")),
    (refused(80001), Throttled(60, code="80001")),
    (refused(80006, status=429), Throttled(60, code="80006")),
    (refused(190, 460, status=401), ChannelBroken(code="190/460")),
    (refused(190), ChannelBroken(code="190")),
    (refused(102), ChannelBroken(code="102")),
    (refused(10), ChannelBroken(code="10")),
    (refused(3), ChannelBroken(code="3")),
    (refused(200), ChannelBroken(code="200")),
    (refused(299), ChannelBroken(code="299")),
    (refused(200, 2018028), ChannelBroken(code="200/2018028")),
    (refused(10, 1893063), ChannelBroken(code="10/1893063")),
    (refused(368), ChannelBroken(code="368")),
    (refused(2022), ChannelBroken(code="2022")),
    (refused(2500), ChannelBroken(code="2500")),
    (refused(9000001), rejected("9000001", "deleted")),
    (refused(424242), rejected("424242")),
    (said({"error": "no envelope"}, 400), Unavailable(code="400")),
    (said({"error": {"message": "no code"}}, 500), OutcomeUnknown(code="500")),
    (said({"error": {"code": 100}}, 200), MessageRejected(code="100")),
    (Reply(502, b"<html>Bad Gateway</html>"), OutcomeUnknown(code="502")),
    (Reply(404, b"nothing here"), Unavailable(code="404")),
    (Reply(302, b"", {"Location": "https://elsewhere.test"}), Unavailable(code="302")),
    (Reply(429, b"slow down"), Throttled(60, code="429")),
    (Reply(200, b"<html>"), OutcomeUnknown(code="200")),
    (Reply(200, b"[]"), OutcomeUnknown(code="200")),
    (Reply(200, b"[" * 100_000), OutcomeUnknown(code="200")),
    (Reply(200, b""), OutcomeUnknown(code="200")),
    (Reply(hang_up=True), OutcomeUnknown()),
]


@pytest.mark.parametrize(("reply", "expected"), TABLE, ids=[f"{n} {error.code}" for n, (_, error) in enumerate(TABLE)])
async def test_a_refusal_is_a_reaction(
    reply: Reply, expected: GatewayError, gateway: FacebookGateway, stub: AnyStub, logs: Logs
) -> None:
    stub.replies = [reply]
    (outcome,) = await gateway.send([text("Only for you")])
    assert fields(outcome) == fields(expected)
    logs.require_none_of([*SECRETS, "Only for you", "100200300"])


async def test_words_show_neither_token_nor_address_nor_text(
    gateway: FacebookGateway, stub: AnyStub, logs: Logs
) -> None:
    stub.replies = [refused(190, message=f"Malformed access token {TOKEN} for 100200300: Only for you")]
    (outcome,) = await gateway.send([text("Only for you")])
    assert isinstance(outcome, ChannelBroken)
    assert "Malformed access token … for …: …" in outcome.words
    assert len(outcome.words) < 600


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (refused(100, 33), NoSuchObject(code="100/33")),
        (said({"id": "1029384756"}), rejected("100/33")),
        (refused(613), Throttled(60, code="613")),
        (Reply(502, b"<html>Bad Gateway</html>"), Unavailable(code="502")),
    ],
)
async def test_what_is_missing_is_the_page_or_something_of_one_message(
    page: Reply, expected: GatewayError, gateway: FacebookGateway, stub: AnyStub
) -> None:
    stub.replies = [refused(100, 33), page]
    (outcome,) = await gateway.send([text()])
    assert fields(outcome) == fields(expected)
    assert stub.sent[1].method == "GET"


async def test_a_fault_that_was_told_late_may_have_been_a_success(
    gateway: FacebookGateway, stub: AnyStub, hands: Hands
) -> None:
    stub.replies = [refused(2, delay_s=0.0)]
    stub.replies[0] = Reply(500, stub.replies[0].body, delay_s=0.1)
    sending = asyncio.create_task(gateway.send([text()]))
    await stub.arrived.wait()
    hands.seconds += 6
    (outcome,) = await sending
    assert fields(outcome) == fields(OutcomeUnknown(code="2"))


async def test_no_answer_in_time_leaves_the_outcome_open(stub: AnyStub, media: MemoryMedia, hands: Hands) -> None:
    gateway = make(stub.url, media, hands, call_s=0.5)
    await gateway.open()
    stub.replies = [said({"message_id": "m_1"}), Reply(200, b"{}", delay_s=0.8)]
    outcomes = [*await gateway.send([text()]), *await gateway.send([text()])]  # the connection stands already
    await gateway.close()
    assert fields(outcomes[1]) == fields(OutcomeUnknown())


async def test_nobody_there_means_not_sent(media: MemoryMedia, hands: Hands) -> None:
    gateway = make("http://127.0.0.1:1", media, hands)
    await gateway.open()
    (outcome,) = await gateway.send([text()])
    await gateway.close()
    assert isinstance(outcome, Unavailable)


async def test_a_gateway_that_is_closed_sends_nothing(media: MemoryMedia, hands: Hands) -> None:
    (outcome,) = await make("http://127.0.0.1:1", media, hands).send([text()])
    assert isinstance(outcome, Unavailable)


async def test_a_fault_of_ours_leaves_the_outcome_open(gateway: FacebookGateway, logs: Logs) -> None:
    (outcome,) = await gateway.send([out(PartKind.PICTURE)])  # a picture without a file: no plan makes one
    assert isinstance(outcome, OutcomeUnknown)
    assert "IndexError" in outcome.words


# --- how long to wait


def usage(minutes: float) -> dict[str, str]:
    entry = f'{{"type":"messenger","call_count":107,"estimated_time_to_regain_access":{minutes}}}'
    return {"x-business-use-case-usage": f'{{"1029384756":[{entry}]}}'}


async def test_meta_says_how_many_minutes_to_wait(gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [refused(80006, headers=usage(7))]
    (outcome,) = await gateway.send([text()])
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after_s == 420.0


async def test_without_a_word_the_wait_doubles_up_to_a_quarter_of_an_hour(
    gateway: FacebookGateway, stub: AnyStub, hands: Hands
) -> None:
    async def wait_s() -> float:
        stub.replies = [refused(613)]
        (outcome,) = await gateway.send([text()])
        assert isinstance(outcome, Throttled)
        return outcome.retry_after_s

    waits = []
    for _ in range(6):
        waits.append(await wait_s())
        assert await wait_s() == waits[-1], "calls in flight are throttled together"
        hands.seconds += waits[-1]
    assert waits == [60, 120, 240, 480, 900, 900]
    stub.replies = [said({"message_id": "m_1"})]
    await gateway.send([text()])
    assert await wait_s() == 60
