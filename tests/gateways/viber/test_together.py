"""Equal messages to several clients in one call."""

from typing import Any

import pytest

from gateways.base import (
    Accepted,
    AddressGone,
    AddressStatus,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    PartKind,
    Throttled,
    Unavailable,
)
from gateways.message import Buy, Link, Reply
from gateways.viber.gateway import ViberGateway
from tests.gateways.cases import Logs, MemoryMedia, fields, logs
from tests.gateways.outgoing import out
from tests.gateways.stub import AnyStub
from tests.gateways.stub import Reply as Answer
from tests.gateways.viber.conftest import (
    ANNA,
    BORYS,
    MESSAGE_TOKEN,
    TOKEN,
    broadcast,
    hello,
    hellos,
    refused,
    sent,
    taken,
)

__all__ = ["logs"]

BOTH = [ANNA, BORYS]
EVERYBODY = [f"Client{number:018d}==" for number in range(300)]
LINK = Link("https://acme.test", "Open")


def accepted(address: str) -> Accepted:
    return Accepted(f"{MESSAGE_TOKEN}:{address}")


def failed(address: str, status: object, words: str) -> dict[str, Any]:
    return {"receiver": address, "status": status, "status_message": words}


async def test_equal_messages_travel_in_one_call(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken(billing_status=5)]
    outcomes = await gateway.send(hellos(BOTH))
    assert stub.sent == [broadcast(*BOTH, type="text", text="Hello")]
    assert outcomes == [Accepted(f"{MESSAGE_TOKEN}:{each}", cost="viber.charged") for each in BOTH]


async def test_each_receiver_has_an_outcome_of_its_own(gateway: ViberGateway, stub: AnyStub, logs: Logs) -> None:
    everybody = [*BOTH, "gone==", "old==", "busy=="]
    listed = [
        failed(BORYS, 6, f"Not subscribed: {BORYS}"),
        failed("gone==", "5", "Not found"),
        failed("old==", 11, "x"),
        failed("busy==", 12, "Too many requests"),
        failed("somebody else", 6, "x"),
        "nonsense",
        {"status": 6},
    ]
    stub.replies = [taken(failed_list=listed)]
    outcomes = await gateway.send(hellos(everybody))
    expected: list[Accepted | GatewayError] = [
        accepted(ANNA),
        AddressGone("blocked", code="6", status=AddressStatus.BLOCKED),
        AddressGone("not_found", code="5", no_such_address=True),
        AddressGone("old_app", code="11"),
        Throttled(1201.0, code="12", only_this=True),
    ]
    assert [fields(outcome) for outcome in outcomes] == [fields(each) for each in expected]
    assert isinstance(outcomes[1], GatewayError)
    assert BORYS not in outcomes[1].words
    logs.require_none_of([TOKEN, "Hello", *BOTH])


@pytest.mark.parametrize("listed", [[], None, "none", {}])
async def test_an_empty_list_of_failures_means_none(gateway: ViberGateway, stub: AnyStub, listed: object) -> None:
    stub.replies = [taken(failed_list=listed)]
    assert await gateway.send(hellos(BOTH)) == [accepted(each) for each in BOTH]


@pytest.mark.parametrize("status", [19, 20])
async def test_a_bot_that_may_not_broadcast_sends_singly_from_then_on(
    gateway: ViberGateway, stub: AnyStub, status: int
) -> None:
    stub.replies = [refused(status, "broadcastNotAllowed")]
    assert gateway.together(hello()) is not None
    outcomes = await gateway.send(hellos(BOTH))
    again = Throttled(0.0, code=str(status), only_this=True)  # each in a slot of its own, at the price of no try
    assert [fields(outcome) for outcome in outcomes] == [fields(again)] * 2
    assert gateway.together(hello()) is None
    stub.replies = [taken(), taken()]
    assert await gateway.send(hellos(BOTH)) == [accepted(each) for each in BOTH]
    assert stub.sent[1:] == [sent(each, type="text", text="Hello") for each in BOTH]


@pytest.mark.parametrize("status", [5, 6, 11, 13, 21])
async def test_a_refusal_that_names_nobody_is_asked_for_each(gateway: ViberGateway, stub: AnyStub, status: int) -> None:
    stub.replies = [refused(status, f"about {ANNA}")]
    outcomes = await gateway.send(hellos(BOTH))
    assert [fields(each) for each in outcomes] == [fields(Throttled(0.0, code=str(status), only_this=True))] * 2
    assert all(isinstance(each, GatewayError) and ANNA not in each.words for each in outcomes)
    assert [gateway.together(each) for each in hellos(BOTH)] == [None, None]
    assert gateway.together(hello("another")) is not None


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (refused(2, "invalidAuthToken"), ChannelBroken(code="2")),
        (refused(3, "badData"), MessageRejected(code="3")),
        (refused(12, "Too many requests"), Throttled(10.0, code="12")),
        (refused(10, "webhookNotSet"), Throttled(10.0, code="10")),
        (refused(99, "general error"), Unavailable(code="99")),
        (Answer(429, b""), Throttled(10.0, code="12")),
        (Answer(500, b"oops"), OutcomeUnknown(code="http 500")),
        (Answer(hang_up=True), OutcomeUnknown()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else "",
)
async def test_a_refusal_of_the_call_is_each_ones(
    gateway: ViberGateway, stub: AnyStub, reply: Answer, expected: GatewayError
) -> None:
    stub.replies = [reply]
    first, second = await gateway.send(hellos(BOTH))
    assert fields(first) == fields(second) == fields(expected)
    assert first is not second


async def test_three_hundred_go_in_one_call(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken()]
    assert await gateway.send(hellos(EVERYBODY)) == [accepted(each) for each in EVERYBODY]
    (call,) = stub.sent
    assert call.values["broadcast_list"] == EVERYBODY
    assert len(call.raw) < 30_000


async def test_a_call_that_would_be_too_large_is_divided(gateway: ViberGateway, stub: AnyStub) -> None:
    long = [out(PartKind.TEXT, "Привіт " * 1900, address=each) for each in EVERYBODY]
    stub.replies = [taken(), taken()]
    assert await gateway.send(long) == [accepted(each) for each in EVERYBODY]
    assert [each for call in stub.sent for each in call.values["broadcast_list"]] == EVERYBODY
    assert all(len(call.raw) <= 30_000 for call in stub.sent)
    assert len(stub.sent) == 2


async def test_a_message_that_no_call_holds_is_refused_for_all(gateway: ViberGateway, stub: AnyStub) -> None:
    outcomes = await gateway.send([out(PartKind.TEXT, "😀" * 7600, address=each) for each in BOTH])
    assert all(isinstance(each, MessageRejected) and each.reason == "too_long" for each in outcomes)
    assert stub.sent == []


async def test_a_file_that_can_t_be_had_is_refused_for_all(gateway: ViberGateway, stub: AnyStub) -> None:
    outcomes = await gateway.send([out(PartKind.FILE, "", "media:gone.pdf", address=each) for each in BOTH])
    assert all(isinstance(each, MessageRejected) and each.reason == "media" for each in outcomes)


async def test_a_fault_of_ours_ends_nothing_and_shows_nothing(
    gateway: ViberGateway, stub: AnyStub, media: MemoryMedia, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: str) -> bytes:
        raise ZeroDivisionError(f"{TOKEN} {ANNA}")

    monkeypatch.setattr(media, "read_file", broken)
    files = [out(PartKind.FILE, "", "media:price.pdf", address=each) for each in BOTH]
    for parts in (files, files[:1]):
        for outcome in await gateway.send(parts):
            assert isinstance(outcome, OutcomeUnknown)
            assert outcome.words == "a fault of Carillon: ZeroDivisionError"
    logs.require_none_of([TOKEN, ANNA])


# --- what may travel together


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (hello(ANNA), hello(BORYS), True),
        (hello(ANNA, buttons=[[LINK]]), hello(BORYS, buttons=[[LINK]]), True),
        (hello(ANNA), out(PartKind.TEXT, "Hello, Borys", address=BORYS), False),
        (hello(ANNA), out(PartKind.TEXT, "<b>Hello</b>", address=BORYS), False),
        (hello(ANNA, buttons=[[LINK]]), hello(BORYS, buttons=[[Link("https://acme.test/b", "Open")]]), False),
        (hello(ANNA, buttons=[[Reply("Yes", "Yes")]]), hello(BORYS, buttons=[[Reply("Yes", "Yes")]]), False),
        (hello(ANNA, buttons=[[LINK, Buy("1", "Buy")]]), hello(BORYS, buttons=[[LINK, Buy("1", "Buy")]]), False),
        (
            out(PartKind.PICTURE, "", "https://cdn.test/a.png", address=ANNA),
            out(PartKind.PICTURE, "", "https://cdn.test/b.png", address=BORYS),
            False,
        ),
        (
            out(PartKind.LOCATION, address=ANNA, latitude=1.0, longitude=2.0),
            out(PartKind.LOCATION, address=BORYS, latitude=1.0, longitude=3.0),
            False,
        ),
    ],
)
def test_only_equal_messages_without_a_button_that_comes_back_go_together(
    one: Outgoing, other: Outgoing, expected: bool, gateway: ViberGateway
) -> None:
    key = gateway.together(one)
    assert (key is not None and key == gateway.together(other)) is expected


async def test_unequal_messages_that_come_together_all_the_same_go_singly(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken(), taken()]
    await gateway.send([hello(ANNA), out(PartKind.TEXT, "Hello, Borys", address=BORYS)])
    assert stub.sent == [sent(ANNA, type="text", text="Hello"), sent(BORYS, type="text", text="Hello, Borys")]


async def test_two_for_one_client_go_singly(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken(1), taken(2)]
    assert await gateway.send(hellos([ANNA, ANNA])) == [Accepted(f"1:{ANNA}"), Accepted(f"2:{ANNA}")]


async def test_pictures_and_files_travel_together_too(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken()]
    await gateway.send([out(PartKind.FILE, "", "media:price.pdf", name="p.pdf", address=each) for each in BOTH])
    (call,) = stub.sent
    assert (call.path, call.values["file_name"], call.values["size"]) == ("/pa/broadcast_message", "p.pdf", 15)


async def test_what_is_remembered_of_clients_is_bounded(
    gateway: ViberGateway, stub: AnyStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateways.viber.gateway.MAX_REMEMBERED", 3)
    stub.replies = [refused(6)]
    await gateway.send(hellos(EVERYBODY[:5]))
    assert [gateway.together(each) is None for each in hellos(EVERYBODY[:5])] == [False, False, True, True, True]
