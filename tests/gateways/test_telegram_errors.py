"""Every refusal in its class: platforms' words as documented, and as other servers might phrase them."""

import asyncio
import gzip
import json
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
    Rejected,
    Throttled,
    Unavailable,
)
from gateways.telegram.errors import Busy, MediaRefused, Migrated, error_of
from gateways.telegram.gateway import TelegramGateway
from tests.gateways.cases import Logs, MemoryMedia, OutCase, check_out, fields, names
from tests.gateways.conftest import SECRET_PART, TOKEN
from tests.gateways.outgoing import text
from tests.gateways.stub import Reply, Sent, Stub, message, refused, taken

BLOCKED = AddressGone("blocked", code="403", status=AddressStatus.BLOCKED)
HTML = {"Content-Type": "text/html"}
BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def gone(reason: str, code: str = "403", *, no_such_address: bool = False) -> AddressGone:
    return AddressGone(reason, code=code, no_such_address=no_such_address)


def about_message(reason: str = "rejected", code: str = "400") -> MessageRejected:
    return MessageRejected(code=code, reason=reason)


def media(code: str = "400") -> MediaRefused:
    return MediaRefused(code=code, reason="media")


# platforms/telegram.md section 6, row by row; code and words as the server writes them.
DOCUMENTED: list[tuple[int, str, GatewayError]] = [
    (403, "Forbidden: bot was blocked by the user", BLOCKED),
    (403, "Forbidden: user is deactivated", gone("deactivated")),
    (403, "Forbidden: bot can't initiate conversation with a user", gone("never_subscribed")),
    (403, "Forbidden: bots can't send messages to the bot", gone("is_bot")),
    (403, "Forbidden: bot can't send messages to bots", gone("is_bot")),
    (400, "Bad Request: chat not found", gone("not_found", "400", no_such_address=True)),
    (403, "Forbidden: bot was kicked from the supergroup chat", gone("kicked")),
    (403, "Forbidden: bot is not a member of the channel chat", gone("kicked")),
    (403, "Forbidden: the group chat was deleted", gone("kicked")),
    (400, "Bad Request: message text is empty", about_message("empty")),
    (400, "Bad Request: message is too long", about_message("too_long")),
    (400, "Bad Request: text is too long", about_message("too_long")),
    (400, "Bad Request: message caption is too long", about_message("too_long")),
    (400, 'Bad Request: can\'t parse entities: Unsupported start tag "p" at byte offset 0', about_message()),
    (400, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed", about_message()),
    (400, "Bad Request: inline keyboard button URL 'x' is invalid: Wrong HTTP URL", about_message()),
    (400, "Bad Request: BUTTON_DATA_INVALID", about_message()),
    (400, "Bad Request: reply markup is too long", about_message()),
    (400, "Bad Request: wrong HTTP URL specified", media()),
    (400, "Bad Request: photo has unsupported extension. Use one of jpg, jpeg, gif, png, tif or bmp", media()),
    (400, "Bad Request: failed to get HTTP URL content", media()),
    (400, "Bad Request: wrong type of the web page content", media()),
    (400, "Bad Request: wrong file identifier/HTTP URL specified", media()),
    (400, "Bad Request: wrong remote file identifier specified: can't unserialize it", media()),
    (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", media()),
    (401, "Unauthorized", ChannelBroken(code="401")),
    (404, "Not Found", ChannelBroken(code="404")),
    (404, "Not Found: method not found", ChannelBroken(code="404")),
    (409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
     Busy(code="409")),
    (409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook", Busy(code="409")),
    (413, "Request Entity Too Large", about_message("too_big", "413")),
    (429, "Too Many Requests: retry after 17", Throttled(17.0, code="429")),
    (500, "Internal Server Error: restart", OutcomeUnknown(code="500")),
    (502, "Bad Gateway", OutcomeUnknown(code="502")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "description", "expected"), DOCUMENTED, ids=[row[1] for row in DOCUMENTED])
def test_a_documented_refusal_has_its_class(code: int, description: str, expected: GatewayError) -> None:
    for said in (description, description.upper(), description.partition(": ")[2] or description):
        error = error_of(code, {"ok": False, "error_code": code, "description": said}, {})
        assert fields(error) == fields(expected)
        assert said in error.words


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (403, {"ok": False, "description": "Forbidden: bot was blocked by the user"}, BLOCKED),
        (403, {"error_code": "403", "description": "Forbidden: Bot was blocked by the user."}, BLOCKED),
        (200, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}, BLOCKED),
        (400, {"ok": False, "error_code": 400, "description": "USER_IS_BLOCKED"},
         AddressGone("blocked", code="400", status=AddressStatus.BLOCKED)),
        (403, {"ok": False, "error_code": 403}, Rejected(code="403", reason="forbidden")),
        (400, {"ok": False, "error_code": 400, "description": "Bad Request: wrong stars"}, Rejected(code="400")),
        (400, {"ok": False, "error_code": 400, "description": None, "parameters": None}, Rejected(code="400")),
        (400, {"ok": False, "error_code": [], "description": {"a": 1}}, Rejected(code="400")),
        (429, {"ok": False, "error_code": 429, "parameters": {"retry_after": "12"}}, Throttled(12.0, code="429")),
        (429, {"ok": False, "error_code": 429, "parameters": {}}, Throttled(1.0, code="429")),
        (429, {"ok": False, "error_code": 429, "parameters": {"retry_after": "soon"}}, Throttled(1.0, code="429")),
        (429, {"ok": False, "error_code": 429, "parameters": {"retry_after": -5}}, Throttled(1.0, code="429")),
        (429, {"ok": False, "error_code": 429, "parameters": {"retry_after": float("nan")}},
         Throttled(1.0, code="429")),
        (429, {"ok": False, "error_code": 429, "parameters": [4]}, Throttled(1.0, code="429")),
        (429, {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 9"},
         Throttled(9.0, code="429")),
        (400, {"ok": False, "error_code": 400, "description": "upgraded to a supergroup",
               "parameters": {"migrate_to_chat_id": "-1001"}}, Migrated(-1001, "", code="400")),
        (401, {"ok": False}, ChannelBroken(code="401")),
        (404, {"detail": "Not Found"}, ChannelBroken(code="404")),
        (500, {"ok": True, "result": {"message_id": 1}}, OutcomeUnknown(code="500")),
        (503, {"ok": False, "error_code": 503, "description": "Service Unavailable"}, OutcomeUnknown(code="503")),
        (200, None, OutcomeUnknown(code="200")),
        (200, [], OutcomeUnknown(code="200")),
        (200, {"result": {}}, OutcomeUnknown(code="200")),
        (301, None, Unavailable(code="301")),
        (400, None, Unavailable(code="400")),
        (403, None, Unavailable(code="403")),
        (404, None, ChannelBroken(code="404")),
        (408, None, Unavailable(code="408")),
        (413, None, about_message("too_big", "413")),
        (429, None, Throttled(1.0, code="429")),
        (502, None, OutcomeUnknown(code="502")),
    ],
)  # fmt: skip
def test_another_servers_phrasing_is_understood(status: int, answer: Any, expected: GatewayError) -> None:
    assert fields(error_of(status, answer, {})) == fields(expected)


def test_the_header_says_how_long_to_wait_where_the_body_does_not() -> None:
    for answer in (None, {"ok": False, "error_code": 429}):
        error = error_of(429, answer, {"retry-after": "17"})
        assert isinstance(error, Throttled)
        assert error.retry_after_s == 17.0


def test_words_show_neither_token_nor_address() -> None:
    description = f"Bad Request: no {TOKEN} or {SECRET_PART} for 100200300"
    error = error_of(400, {"ok": False, "description": description}, {}, (TOKEN, SECRET_PART, "100200300"))
    assert error.words == "Bad Request: no … or … for …"


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers())


@given(
    st.integers(100, 599),
    st.none() | st.lists(_values) | st.dictionaries(
        st.sampled_from(["ok", "error_code", "description", "parameters", "result"]),
        _values | st.dictionaries(st.sampled_from(["retry_after", "migrate_to_chat_id"]), _values),
    ),
    st.dictionaries(st.just("Retry-After"), st.text(max_size=10)),
)  # fmt: skip
def test_no_answer_at_all_breaks_the_table(status: int, answer: Any, headers: dict[str, str]) -> None:
    error = error_of(status, answer, headers)
    assert isinstance(error, GatewayError)
    if isinstance(error, Throttled):
        assert 0 < error.retry_after_s <= 86_400


# --- the same over the wire


def case(name: str, reply: Reply, outcome: GatewayError) -> OutCase:
    return OutCase(name, text(), [reply], [Sent("sendMessage", {"chat_id": 100200300, "text": "Hello there"})], outcome)


CASES = [
    case("blocked", refused(403, "Forbidden: bot was blocked by the user"), BLOCKED),
    case("a page of a proxy", Reply(502, BAD_GATEWAY, HTML), OutcomeUnknown(code="502")),
    case("a success that is a page", Reply(200, b"<html>Welcome</html>", HTML), OutcomeUnknown(code="200")),
    case("a success that is nothing", Reply(200, b"", HTML), OutcomeUnknown(code="200")),
    case("a success that is cut", Reply(200, b'{"ok":true,"result":{"mess'), OutcomeUnknown(code="200")),
    case("nesting without end", Reply(200, b"[" * 100_000), OutcomeUnknown(code="200")),
    case("no UTF-8", Reply(200, b"\xff\xfe\xfa"), OutcomeUnknown(code="200")),
    case("a flood", refused(429, "Too Many Requests: retry after 3", parameters={"retry_after": 3},
                            headers={"Retry-After": "3"}), Throttled(3.0, code="429")),
    case("a redirect", Reply(302, b"", {"Location": "https://elsewhere.example/"}), Unavailable(code="302")),
    case("a closed connection", Reply(hang_up=True), OutcomeUnknown()),
    case("no answer in time", Reply(200, b"{}", delay_s=3.0), OutcomeUnknown()),
    case("a token that was revoked", refused(401, "Unauthorized"), ChannelBroken(code="401")),
    case("a refusal that names the client", refused(400, f"Bad Request: 100200300 and {TOKEN}"), Rejected(code="400")),
    case("an answer without end", Reply(200, b" " * 9_000_000), OutcomeUnknown()),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
async def test_a_failed_call_is_an_outcome(case: OutCase, gateway: TelegramGateway, stub: Stub, logs: Logs) -> None:
    await check_out(case, gateway, stub, logs, [TOKEN, SECRET_PART])


async def test_a_small_answer_that_unpacks_to_a_huge_one_is_not_kept(gateway: TelegramGateway, stub: Stub) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    stub.replies = [Reply(200, bomb, {"Content-Type": "application/json", "Content-Encoding": "gzip"})]
    (outcome,) = await gateway.send([text()])
    assert isinstance(outcome, OutcomeUnknown)


async def test_a_refused_connection_was_surely_not_taken() -> None:
    with socket.socket() as taken_port:
        taken_port.bind(("127.0.0.1", 0))
        closed = TelegramGateway(
            channel="c", token=TOKEN, media=MemoryMedia(), api_base=f"http://127.0.0.1:{taken_port.getsockname()[1]}"
        )
        await closed.open()
        (outcome,) = await closed.send([text()])
        await closed.close()
    assert isinstance(outcome, Unavailable)
    assert "ConnectionRefusedError" in outcome.words


async def test_a_name_that_nobody_has_was_surely_not_reached() -> None:
    nowhere = TelegramGateway(channel="c", token=TOKEN, media=MemoryMedia(), api_base="http://bot-api.invalid")
    await nowhere.open()
    (outcome,) = await nowhere.send([text()])
    await nowhere.close()
    assert isinstance(outcome, Unavailable)
    assert TOKEN not in repr(outcome.__dict__)


async def test_a_server_that_speaks_no_tls_was_surely_not_reached(stub: Stub) -> None:
    wrong = TelegramGateway(
        channel="c", token=TOKEN, media=MemoryMedia(), api_base=stub.url.replace("http://", "https://")
    )
    await wrong.open()
    (outcome,) = await wrong.send([text()])
    await wrong.close()
    assert isinstance(outcome, Unavailable)
    assert stub.sent == []


async def test_a_connection_that_is_never_made_was_surely_not_taken() -> None:
    """A full backlog: the handshake hangs, and nothing of the request has left."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        await asyncio.sleep(0.05)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        slow = TelegramGateway(channel="c", token=TOKEN, media=MemoryMedia(), api_base=url, call_s=1.5)
        await slow.open()
        (outcome,) = await slow.send([text()])
        await slow.close()
    assert isinstance(outcome, Unavailable)


async def test_a_channel_that_is_not_open_sends_nothing() -> None:
    shut = TelegramGateway(channel="c", token=TOKEN, media=MemoryMedia())
    (outcome,) = await shut.send([text()])
    assert isinstance(outcome, Unavailable)


async def test_a_text_too_long_by_a_clients_own_values_is_that_clients_alone(
    gateway: TelegramGateway, stub: Stub
) -> None:
    stub.replies = [refused(400, "Bad Request: message is too long")] * 2
    (personal,) = await gateway.send([text("A very long name", template="{{ client.name }}")])
    (everybodys,) = await gateway.send([text("A very long text")])
    assert type(personal) is Rejected
    assert personal.reason == "too_long"
    assert isinstance(everybodys, MessageRejected)


async def test_a_group_that_moves_twice_is_no_loop(gateway: TelegramGateway, stub: Stub) -> None:
    moved = refused(400, "Bad Request: group chat was upgraded", parameters={"migrate_to_chat_id": -1001})
    stub.replies = [moved, moved]
    (outcome,) = await gateway.send([text(address="-4001")])
    assert isinstance(outcome, Rejected)
    assert len(stub.sent) == 2


async def test_a_fault_of_ours_is_an_outcome_and_names_no_client(
    gateway: TelegramGateway, stub: Stub, logs: Logs
) -> None:
    broken = replace(text("A private text"), buttons=((None,),))  # type: ignore[arg-type]
    (outcome,) = await gateway.send([broken])
    assert isinstance(outcome, OutcomeUnknown)
    assert stub.sent == []
    assert any("a fault while sending" in line for line in logs.lines)
    logs.require_none_of(["A private text", "100200300"])


async def test_the_connection_is_kept_between_calls(gateway: TelegramGateway, stub: Stub) -> None:
    for number in range(5):
        stub.replies = [taken(message(number + 1))]
        await gateway.send([text()])
    assert stub.connections == 1


async def test_an_outcome_can_be_written_as_json(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken([message(1), message(2)])]
    (outcome,) = await gateway.send([text()])
    assert json.dumps(dict(outcome.details)) == '{"message_ids": [1, 2]}'  # type: ignore[union-attr]
