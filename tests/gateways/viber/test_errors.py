"""What each refusal of Viber means for a message to one client."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
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
    Part,
    PartKind,
    Rejected,
    Throttled,
    Unavailable,
)
from gateways.markup import RichText
from gateways.message import Card, Link, Reply
from gateways.viber.errors import error_of
from gateways.viber.gateway import ViberGateway
from tests.gateways.cases import Logs, MemoryMedia, OutCase, check_out, fields, logs, names
from tests.gateways.outgoing import text
from tests.gateways.stub import AnyStub
from tests.gateways.stub import Reply as Answer
from tests.gateways.viber.conftest import (
    ANNA,
    MESSAGE_TOKEN,
    PUBLIC,
    TOKEN,
    Clock,
    asked,
    hello,
    make_gateway,
    refused,
    sent,
    taken,
)

__all__ = ["logs"]

HELLO = [sent(type="text", text="Hello")]
HTML = {"Content-Type": "text/html"}


def case(name: str, reply: Answer, outcome: GatewayError) -> OutCase:
    return OutCase(name, hello(), [reply], HELLO, outcome)


NOT_FOUND = AddressGone("not_found", code="5", no_such_address=True)
BLOCKED = AddressGone("blocked", code="6", status=AddressStatus.BLOCKED)

# platforms' words as bots-api, Error codes, and nyaruka/courier handlers/viber/handler_test.go have them
CASES = [
    case("2 token", refused(2, "invalidAuthToken"), ChannelBroken(code="2")),
    case("2 no token", refused(2, "missing_auth_token"), ChannelBroken(code="2")),
    case("3 badData", refused(3, 'keyboard is not valid. [missing (["Type"])]'), MessageRejected(code="3")),
    case("4 missingData", refused(4, "missing_data"), MessageRejected(code="4")),
    case("5 not registered", refused(5, "receiverNotRegistered"), NOT_FOUND),
    case("6 not subscribed", refused(6, "receiverNotSubscribed"), BLOCKED),
    case("6 in digits", refused("6", "Not subscribed"), BLOCKED),
    case("7 blocked bot", refused(7, "publicAccountBlocked"), ChannelBroken(code="7")),
    case("8 no bot", refused(8, "publicAccountNotFound"), ChannelBroken(code="8")),
    case("9 suspended", refused(9, "publicAccountSuspended"), ChannelBroken(code="9")),
    case("11 no device", refused(11, "receiverNoSuitableDevice"), AddressGone("old_app", code="11")),
    case("13 old app", refused(13, "apiVersionNotSupported"), Rejected(code="13", reason="old_app")),
    case("14 features", refused(14, "incompatibleWithVersion"), MessageRejected(code="14")),
    case("15 not authorised", refused(15, "publicAccountNotAuthorized"), ChannelBroken(code="15")),
    case("16 in-chat reply", refused(16, "inchatReplyMessageNotAllowed"), MessageRejected(code="16")),
    case("17 not inline", refused(17, "publicAccountIsNotInline"), MessageRejected(code="17")),
    case("18 no public chat", refused(18, "noPublicChat"), MessageRejected(code="18")),
    case("21 country", refused(21, "unsupported country"), Rejected(code="21", reason="not_allowed_in_country")),
    case("22 payments", refused(22, "payments unsupported"), MessageRejected(code="22")),
    case("23 free messages", refused(23, "free messages exceeded"), ChannelBroken(code="23")),
    case("24 no balance", refused(24, "no balance"), ChannelBroken(code="24")),
    case("99 general error", refused(99, "general error"), Unavailable(code="99")),
    case("-1", refused(-1), Unavailable(code="-1")),
    case("a refusal may hold a token", refused(6, "x", message_token=MESSAGE_TOKEN), BLOCKED),
    case("12 waits for the full hour", refused(12, "too many"), Throttled(1201.0, code="12", only_this=True)),
    case("HTTP 429", Answer(429, b"slow down", HTML), Throttled(10.0, code="12")),
    case("HTTP 500 with a status", Answer(500, b'{"status": 6, "status_message": "x"}'), BLOCKED),
    case("HTTP 403 with a status", Answer(403, b'{"status": 2}'), ChannelBroken(code="2")),
    case("HTTP 500", Answer(500, b"oops", HTML), OutcomeUnknown(code="http 500")),
    case("HTTP 502 of a proxy", Answer(502, b"<html>502 Bad Gateway</html>", HTML), OutcomeUnknown(code="http 502")),
    case("HTTP 401 of a proxy", Answer(401, b"", HTML), Unavailable(code="http 401")),
    case("HTTP 404", Answer(404, b"not here", HTML), Unavailable(code="http 404")),
    case("HTTP 413", Answer(413, b"", HTML), MessageRejected(code="http 413", reason="too_long")),
    case("HTTP 302", Answer(302, b"", HTML | {"Location": "https://elsewhere.test/"}), Unavailable(code="http 302")),
    case("an answer that is no JSON", Answer(200, b"{", HTML), OutcomeUnknown(code="http 200")),
    case("an answer without a status", Answer(200, b'{"ok": true}'), OutcomeUnknown(code="http 200")),
    case("an answer of nonsense", Answer(200, b'{"status": {"a": []}}'), OutcomeUnknown(code="http 200")),
    case("an answer of true", Answer(200, b'{"status": true}'), OutcomeUnknown(code="http 200")),
    case("an answer that is a list", Answer(200, b"[0]"), OutcomeUnknown(code="http 200")),
    case("an answer of deep lists", Answer(200, b"[" * 100_000), OutcomeUnknown(code="http 200")),
    case("the connection breaks off", Answer(hang_up=True), OutcomeUnknown()),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
async def test_what_a_refusal_means(case: OutCase, gateway: ViberGateway, stub: AnyStub, logs: Logs) -> None:
    await check_out(case, gateway, stub, logs, [TOKEN])


@pytest.mark.parametrize("status", [*range(1, 26), 99])
def test_every_status_is_an_error_with_words_and_code(status: int) -> None:
    error = error_of(status, "Viber's words")
    assert "Viber's words" in error.words
    assert error.code == str(status)


async def test_words_show_neither_token_nor_address(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [refused(3, f"token {TOKEN} for {ANNA}")]
    (outcome,) = await gateway.send([hello()])
    assert isinstance(outcome, GatewayError)
    assert outcome.words == "token … for …"


async def test_no_connection_is_surely_not_sent(media: MemoryMedia, clock: Clock, stub: AnyStub) -> None:
    gateway = make_gateway(stub, media, clock, api_base="http://127.0.0.1:9/pa")
    await gateway.open()
    (outcome,) = await gateway.send([hello()])
    await gateway.close()
    assert isinstance(outcome, Unavailable)


async def test_silence_leaves_the_outcome_open(media: MemoryMedia, clock: Clock, stub: AnyStub) -> None:
    gateway = make_gateway(stub, media, clock, call_s=0.15)
    await gateway.open()
    stub.replies = [Answer(delay_s=0.3)]
    (outcome,) = await gateway.send([hello()])
    await gateway.close()
    assert isinstance(outcome, OutcomeUnknown)


async def test_a_text_that_a_clients_values_made_too_long_is_that_clients(gateway: ViberGateway) -> None:
    personal = text("😀" * 7600, template="{{ client.story }}", address=ANNA)
    (outcome,) = await gateway.send([personal])
    assert type(outcome) is Rejected
    assert outcome.reason == "too_long"


# --- status 12


async def outcomes(gateway: ViberGateway, stub: AnyStub, reply: Answer, addresses: range) -> list[Any]:
    stub.replies = [reply for _ in addresses]
    return [(await gateway.send([hello(f"client-{number}")]))[0] for number in addresses]


def waits(errors: list[Any]) -> list[tuple[float, bool]]:
    return [(error.retry_after_s, error.only_this) for error in errors]


async def test_five_clients_in_a_row_are_a_throttle_of_the_channel_that_doubles(
    gateway: ViberGateway, stub: AnyStub, clock: Clock
) -> None:
    first = await outcomes(gateway, stub, refused(12, "Too many requests"), range(5))
    assert waits(first) == [(1201.0, True)] * 4 + [(10.0, False)]
    clock.seconds += 4
    # What was in flight belongs to the same throttle.
    assert waits(await outcomes(gateway, stub, refused(12), range(5, 7))) == [(6.0, False)] * 2
    pauses = []
    for number in range(8, 15):
        clock.seconds += 301
        pauses += waits(await outcomes(gateway, stub, refused(12), range(number, number + 1)))
    assert [pause for pause, _ in pauses] == [20, 40, 80, 160, 300, 300, 300]


async def test_a_success_begins_the_row_anew(gateway: ViberGateway, stub: AnyStub, clock: Clock) -> None:
    assert waits(await outcomes(gateway, stub, refused(12), range(4))) == [(1201.0, True)] * 4
    await outcomes(gateway, stub, taken(), range(4, 5))
    assert waits(await outcomes(gateway, stub, refused(12), range(5, 9))) == [(1201.0, True)] * 4


async def test_the_same_client_again_and_again_is_one_client(gateway: ViberGateway, stub: AnyStub) -> None:
    for _ in range(7):
        assert waits(await outcomes(gateway, stub, refused(12), range(1))) == [(1201.0, True)]


async def test_the_full_hour_is_that_of_the_clock(gateway: ViberGateway, stub: AnyStub, clock: Clock) -> None:
    clock.moment = datetime(2026, 11, 21, 12, 59, 59, tzinfo=UTC)
    assert waits(await outcomes(gateway, stub, refused(12), range(1))) == [(2.0, True)]


# --- status 13: an app that knows no carousels

CARD = Card("Boots", "Warm", None, (Link("https://acme.test/1", "Open"), Reply("Boots", "Choose")))


def carousel(address: str = ANNA) -> Outgoing:
    rows = ((Reply("All", "All"),),)
    data = ("c7.0", "c7.1", "c7.2")
    return Outgoing(address, Part(PartKind.CAROUSEL), RichText("Look"), rows, data, "7.1.0", cards=(CARD, Card("Hats")))


async def test_an_app_that_is_too_old_for_a_carousel_gets_a_text_in_the_next_slot(
    gateway: ViberGateway, stub: AnyStub
) -> None:
    stub.replies = [refused(13, "apiVersionNotSupported"), taken()]
    (first,) = await gateway.send([carousel()])
    assert fields(first) == fields(Throttled(0.0, code="13", only_this=True))
    assert await gateway.send([carousel()]) == [Accepted(f"{MESSAGE_TOKEN}:{ANNA}")]
    shown = stub.sent[1].values
    assert (shown["type"], "min_api_version" in shown) == ("text", False)
    assert shown["text"] == "Look\n\nBoots\nWarm\nOpen: https://acme.test/1\n\nHats"
    pressed = [gateway._presses.find(ANNA, button["ActionBody"]) for button in shown["keyboard"]["Buttons"]]
    assert pressed == ["c7.0", "c7.2"]


async def test_what_would_be_a_mark_in_the_text_of_an_old_app_is_none(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [refused(13), taken()]
    offer = replace(carousel(), text=RichText(""), cards=(Card("*Boots*", "Warm"),), buttons=(), button_data=())
    await gateway.send([offer])
    await gateway.send([offer])
    assert stub.sent[1].values["text"] == "*\u200bBoots\u200b*\nWarm"


async def test_an_app_that_takes_not_even_the_text_is_too_old(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [refused(13), refused(13)]
    await gateway.send([carousel()])
    (second,) = await gateway.send([carousel()])
    assert fields(second) == fields(Rejected(code="13", reason="old_app"))


# --- status 10: the webhook is gone

HOOK = f"{PUBLIC}/hooks/viber-shop"
SET = asked(
    "set_webhook",
    {
        "url": HOOK,
        "event_types": ["delivered", "seen", "failed", "subscribed", "unsubscribed", "conversation_started"],
        "send_name": True,
        "send_photo": False,
    },
)


async def test_a_webhook_that_was_taken_away_is_set_again_once(
    gateway: ViberGateway, stub: AnyStub, clock: Clock
) -> None:
    stub.replies = [taken()]
    await gateway.set_webhook(HOOK)
    stub.replies = [refused(10, "webhookNotSet"), taken(), refused(10), taken()]
    (first,) = await gateway.send([hello()])
    (second,) = await gateway.send([hello()])
    assert fields(first) == fields(Throttled(1.0, code="10"))
    assert fields(second) == fields(Throttled(10.0, code="10"))
    assert await gateway.send([hello()]) == [Accepted(f"{MESSAGE_TOKEN}:{ANNA}")]
    assert stub.sent == [SET, *HELLO, SET, *HELLO, *HELLO]


async def test_several_that_find_it_gone_set_it_once(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken()]
    await gateway.set_webhook(HOOK)
    stub.replies = [*[refused(10) for _ in range(5)], taken()]
    outcomes = await asyncio.gather(*(gateway.send([hello(f"client-{number}")]) for number in range(5)))
    assert all(isinstance(outcome, Throttled) for (outcome,) in outcomes)
    assert sum(request == SET for request in stub.sent) == 2


async def test_a_webhook_that_can_t_be_set_again_is_tried_later(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [taken()]
    await gateway.set_webhook(HOOK)
    stub.replies = [refused(10), refused(1, "invalidUrl")]
    (outcome,) = await gateway.send([hello()])
    assert fields(outcome) == fields(Throttled(10.0, code="10"))


async def test_before_the_webhook_is_set_the_first_time_messages_wait(gateway: ViberGateway, stub: AnyStub) -> None:
    stub.replies = [refused(10)]
    (outcome,) = await gateway.send([hello()])
    assert fields(outcome) == fields(Throttled(10.0, code="10"))
    assert stub.sent == HELLO, "nobody has said that our server is up"


async def test_where_no_webhook_can_ever_be_a_person_is_told(stub: AnyStub, media: MemoryMedia, clock: Clock) -> None:
    gateway = make_gateway(stub, media, clock, public_url=None)
    await gateway.open()
    stub.replies = [refused(10, "webhookNotSet")]
    (outcome,) = await gateway.send([hello()])
    await gateway.close()
    assert isinstance(outcome, ChannelBroken)
    assert "app.public_url" in outcome.words
