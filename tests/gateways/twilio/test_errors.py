"""What Twilio refuses with, as the answer to a send and as the code of a later report."""

from collections.abc import Sequence
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
    Rejected,
    Throttled,
    Unavailable,
)
from gateways.twilio.errors import BY_CODE, error_of, failure_of
from gateways.twilio.gateway import TwilioGateway
from tests.gateways.cases import Logs, fields
from tests.gateways.outgoing import text
from tests.gateways.stub import AnyStub, Reply, said
from tests.gateways.twilio.conftest import ACCOUNT, PHONE, SECRETS
from tests.gateways.twilio.test_out import to

GONE, BLOCKED = AddressStatus.GONE, AddressStatus.BLOCKED
UNSUBSCRIBED = AddressStatus.UNSUBSCRIBED


def refused(code: int, message: str = "", status: int = 400, headers: dict[str, str] | None = None) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return said({"code": code, "message": message, "more_info": more, "status": status}, status, headers)


def gone(reason: str, status: AddressStatus) -> AddressGone:
    return AddressGone(reason, status=status)


# The code, the error of a send, and of a report: its reason, what the address becomes, whether the channel stops.
CODES: Sequence[tuple[int, GatewayError, str, AddressStatus | None, bool]] = [
    *((code, ChannelBroken(), "rejected", None, True) for code in (
        20003, 20005, 20404, 21606, 21212, 21705, 21703, 30002, 30018, 30024, 30032, 30034, 63001, 63002, 63007,
        63008, 63020, 63026, 63051)),
    *((code, Throttled(120.0), "limit", None, True) for code in (21611, 30001, 63017)),
    *((code, Throttled(3600.0), "limit", None, True) for code in (30023, 30027, 63018, 63038)),
    *((code, Throttled(1.0), "unavailable", None, False) for code in (20429, 30017, 30022)),
    *((code, OutcomeUnknown(), "unavailable", None, False) for code in (20500, 30410)),
    *((code, Unavailable(), "unavailable", None, False) for code in (63009, 63010, 63012)),
    *((code, gone("not_found", GONE), "not_found", GONE, False) for code in (
        21211, 21604, 21614, 30005, 30006, 63003, 63024)),
    (21610, gone("unsubscribed", UNSUBSCRIBED), "unsubscribed", UNSUBSCRIBED, False),
    *((code, gone("blocked", BLOCKED), "blocked", BLOCKED, False) for code in (30004, 63014, 63033)),
    (21408, Rejected(reason="region"), "region", None, False),
    *((code, Rejected(reason="not_verified"), "not_verified", None, False) for code in (21608, 63015)),
    *((code, Rejected(reason="unreachable"), "unreachable", None, False) for code in (21612, 30003, 30008)),
    *((code, Rejected(reason="spam"), "spam", None, False) for code in (30007, 63013)),
    (30036, Rejected(reason="expired"), "expired", None, False),
    (63016, OutsideWindow(), "outside_window", None, False),
    *((code, Rejected(reason="capped"), "capped", None, False) for code in (63032, 63049)),
    *((code, MessageRejected(reason="empty"), "empty", None, False) for code in (21602, 21619)),
    *((code, MessageRejected(), "rejected", None, False) for code in (21609, 63005, 63021, 63030)),
    *((code, MessageRejected(reason="too_long"), "too_long", None, False) for code in (21617, 21658)),
    *((code, MessageRejected(reason="media"), "media", None, False) for code in (21620, 21623, 63019, 63034)),
    *((code, MessageRejected(reason="template"), "template", None, False) for code in (
        21654, 21655, 21656, 63027, 63028, 63040, 63041, 63042)),
    (63999, Rejected(), "rejected", None, False),
    (31999, Rejected(), "rejected", None, False),
]  # fmt: skip


def test_every_code_that_is_known_stands_in_this_table() -> None:
    assert {code for code, *_ in CODES} - {63999, 31999} == set(BY_CODE)


@pytest.mark.parametrize(("code", "error", "reason", "status", "stops"), CODES, ids=[str(case[0]) for case in CODES])
async def test_a_code_has_one_meaning_whenever_it_comes(
    code: int,
    error: GatewayError,
    reason: str,
    status: AddressStatus | None,
    stops: bool,
    sms: TwilioGateway,
    stub: AnyStub,
    logs: Logs,
) -> None:
    stub.replies = [refused(code, f"The 'To' number +{PHONE} is not right")]
    (outcome,) = await sms.send([to(text("The sale is on"))])
    error.code = str(code)
    assert isinstance(outcome, GatewayError)
    assert fields(outcome) == (type(outcome), fields(error)[1])
    assert isinstance(outcome, type(error))
    assert PHONE not in str(outcome)
    logs.require_none_of([*SECRETS, PHONE, "sale"])
    failure = failure_of(str(code))
    assert (failure.reason, failure.address_status, failure.stops is not None) == (reason, status, stops)
    assert failure.words


ANSWERS: Sequence[tuple[str, Reply, GatewayError]] = [
    ("too much at once", refused(20429, "Too Many Requests", 429), Throttled(1.0, code="20429")),
    ("... for so long", refused(20429, "", 429, {"Retry-After": "7"}), Throttled(7.0, code="20429")),
    ("... forever", refused(20429, "", 429, {"Retry-After": "inf"}), Throttled(1.0, code="20429")),
    ("... until a date", refused(20429, "", 429, {"Retry-After": "Sat, 21 Nov"}), Throttled(1.0, code="20429")),
    ("... for weeks", refused(20429, "", 429, {"Retry-After": "1e9"}), Throttled(86_400.0, code="20429")),
    ("429 by somebody else", Reply(429, b"slow down"), Throttled(1.0, code="429")),
    ("the token is wrong", refused(20003, "Authenticate", 401), ChannelBroken(code="20003")),
    ("... in other words", refused(70051, "Authorization Error", 401), ChannelBroken(code="70051")),
    ("... in none", Reply(401), ChannelBroken(code="401")),
    ("may not", Reply(403, b"<html>"), ChannelBroken(code="403")),
    ("no such account", refused(20404, "not found", 404), ChannelBroken(code="20404")),
    ("another server", Reply(404, b"<html>not here</html>"), ChannelBroken(code="404")),
    ("a fault of Twilio", refused(20500, "Internal Server Error", 500), OutcomeUnknown(code="20500")),
    ("... with any code", refused(63016, "", 500), OutcomeUnknown(code="63016")),
    ("a proxy's fault", Reply(502, b"<html>Bad Gateway</html>"), OutcomeUnknown(code="502")),
    ("nobody there", Reply(503), OutcomeUnknown(code="503")),
    ("a redirect", Reply(302, headers={"Location": "https://evil.example"}), Unavailable(code="302")),
    ("a garbled refusal", Reply(400, b"{"), Unavailable(code="400")),
    ("a refusal without a code", said({"message": "no"}, 400), Unavailable(code="400")),
    ("a code that is no number", said({"code": "²", "message": "no"}, 400), Unavailable(code="400")),
    ("a newer product's problem", said({"code": 21211, "detail": "bad", "title": "x"}, 400),
     AddressGone("not_found", code="21211")),
    ("a success that is no object", said(["sid"], 201), OutcomeUnknown(code="201")),
    ("a success that is cut", Reply(201, b'{"sid": "SM'), OutcomeUnknown(code="201")),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "error"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
async def test_an_answer_is_an_outcome(
    answer: Reply, error: GatewayError, sms: TwilioGateway, stub: AnyStub, logs: Logs
) -> None:
    stub.replies = [answer]
    (outcome,) = await sms.send([to(text("Hello"))])
    assert isinstance(outcome, GatewayError)
    assert fields(outcome) == fields(error)
    logs.require_none_of([*SECRETS, PHONE])


async def test_a_text_too_long_by_a_clients_own_values_is_that_clients(sms: TwilioGateway, stub: AnyStub) -> None:
    stub.replies = [refused(21617, "too long"), refused(21617, "too long")]
    (own,) = await sms.send([to(text("Hello Ann", template="Hello {{ client.first_name }}"))])
    (everybodys,) = await sms.send([to(text("Hello"))])
    assert fields(own) == (Rejected, {"code": "21617", "reason": "too_long"})
    assert isinstance(everybodys, MessageRejected)


@pytest.mark.parametrize(
    "private", ["+447700900123", "447700900123", "GB.13491208655302741918", "https://x.test/a", ACCOUNT]
)
def test_what_names_a_client_stands_in_no_words(private: str) -> None:
    error = error_of(400, {"code": 21211, "message": f"'{private}' is no number"}, {})
    assert private not in error.words
    assert "is no number" in error.words


@pytest.mark.parametrize("code", ["", "abc", "²", "9" * 5000, "-1", "30005.0"])
def test_a_code_that_is_none_fails_the_message_and_keeps_the_address(code: str) -> None:
    failure = failure_of(code)
    assert (failure.reason, failure.address_status, failure.stops) == ("rejected", None, None)


def test_words_are_short(sms: TwilioGateway) -> None:
    words: Any = error_of(400, {"code": 21211, "message": "long " * 1000}, {}).words
    assert len(words) <= 300
