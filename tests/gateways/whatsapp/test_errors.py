"""Every refusal of WhatsApp in its class, whether it answers a send or comes later as a failed status."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
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
from gateways.meta.graph import problem_of
from gateways.whatsapp.errors import BY_CODE, Failure, MediaRefused, error_of, failure_of
from gateways.whatsapp.gateway import WhatsAppGateway
from tests.gateways.cases import Logs, fields
from tests.gateways.outgoing import text
from tests.gateways.stub import AnyStub, Reply
from tests.gateways.whatsapp.conftest import ANN, SECRETS, TOKEN, accepted, refused


def gone(reason: str, status: AddressStatus) -> AddressGone:
    return AddressGone(reason, status=status)


def about_message(reason: str = "rejected") -> MessageRejected:
    return MessageRejected(reason=reason)


BROKEN, AWAY, OPEN = ChannelBroken(), Unavailable(), OutcomeUnknown()

# platforms/whatsapp.md section 7, row by row: code, HTTP status, what it asks of us (None: a throttle of the number).
TABLE: list[tuple[int, int, GatewayError | None]] = [
    *[(code, 401, BROKEN) for code in (0, 190, 10, 200, 210, 299, 131005)],
    (3, 500, BROKEN),
    (368, 403, BROKEN), (131031, 403, BROKEN), (130497, 403, Rejected(reason="country")),
    (4, 400, None), (80007, 400, None), (130429, 400, None), (130429, 429, None),
    (131056, 400, Throttled(1.0, only_this=True)), (131056, 429, Throttled(1.0, only_this=True)),
    (131048, 400, BROKEN), (131064, 400, about_message("template_limit")), (133016, 400, BROKEN),
    (1, 400, AWAY), (1, 500, OPEN), (131000, 500, OPEN), (135000, 400, AWAY),
    (2, 503, AWAY), (131016, 500, AWAY), (133004, 503, AWAY), (131057, 500, Throttled(60.0)),
    (131026, 400, gone("unreachable", AddressStatus.ENABLED)),
    (130403, 403, gone("blocked", AddressStatus.BLOCKED)),
    (131047, 400, OutsideWindow()), (131049, 400, Rejected(reason="capped")), (130472, 400, Rejected(reason="capped")),
    (131050, 400, gone("unsubscribed", AddressStatus.UNSUBSCRIBED)), (131051, 400, about_message()),
    (131021, 400, gone("own_number", AddressStatus.GONE)), (131030, 400, Rejected(reason="not_allowed")),
    (131052, 400, MediaRefused(reason="media")), (131053, 400, MediaRefused(reason="media")),
    (131008, 400, about_message()), (131009, 400, Rejected()), (100, 400, Rejected()), (33, 400, BROKEN),
    *[(code, 400, BROKEN) for code in (131037, 131045, 133010, 133006, 131042)],
    (131062, 400, Rejected(reason="phone_needed")), (131063, 400, about_message()),
    (132000, 400, about_message("template")), (132001, 404, about_message("template")),
    (132005, 400, Rejected(reason="too_long")), (132007, 400, Rejected(reason="template")),
    (132012, 400, about_message("template")), (132008, 400, about_message("template")),
    (132018, 400, Rejected(reason="template")),
    (132015, 400, about_message("template_paused")), (132016, 400, about_message("template_paused")),
    (132068, 400, about_message("template")), (132069, 400, about_message("template")),
    *[(code, 400, BROKEN) for code in (133000, 133005, 133008, 133009, 133015)],
    *[(code, 400, about_message()) for code in (134011, 134100, 134101, 134102, 131055)],
]  # fmt: skip


def problem(code: Any, status: int = 400, **error: Any) -> Any:
    return problem_of(status, {"error": {"message": f"(#{code}) No", "code": code, **error}})


@pytest.mark.parametrize(("code", "status", "expected"), TABLE, ids=[f"{row[0]} HTTP {row[1]}" for row in TABLE])
def test_a_documented_code_has_its_class(code: int, status: int, expected: GatewayError | None) -> None:
    error = error_of(problem(code, status))
    if expected is None or error is None:
        assert (error, expected) == (None, None)
        return
    expected.code = str(code)
    assert fields(error) == fields(expected)
    assert "No" in error.words


def test_every_code_of_ours_is_a_row() -> None:
    assert set(BY_CODE) <= {row[0] for row in TABLE}


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"code": 100, "error_subcode": 33}, ChannelBroken(code="100/33")),
        (400, {"code": 100, "error_data": {"details": "Invalid media attachment id"}},
         MediaRefused(code="100", reason="media")),
        (400, {"code": "131047"}, OutsideWindow(code="131047")),
        (401, {"code": 999001}, ChannelBroken(code="999001")),
        (400, {"code": 999001}, Rejected(code="999001")),
        (400, {"code": 999001, "is_transient": True}, Unavailable(code="999001")),
        (500, {"code": 999001}, OutcomeUnknown(code="999001")),
        (200, {"code": 131047}, OutsideWindow(code="131047")),
    ],
)  # fmt: skip
def test_what_the_table_does_not_list(status: int, error: Any, expected: GatewayError) -> None:
    found = error_of(problem_of(status, {"error": error}))
    assert found is not None
    assert fields(found) == fields(expected)


HTML = b"<html><body>502 Bad Gateway</body></html>"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(502, HTML, {"Content-Type": "text/html"}), OutcomeUnknown(code="502")),
        (Reply(503, b""), OutcomeUnknown(code="503")),
        (Reply(200, b"garbage"), OutcomeUnknown(code="200")),
        (Reply(200, b'{"messages":['), OutcomeUnknown(code="200")),
        (Reply(200, b"[]"), OutcomeUnknown(code="200")),
        (Reply(200, b'{"error":"x"}'), OutcomeUnknown(code="200")),
        (Reply(404, HTML), Unavailable(code="404")),
        (Reply(302, b"", {"Location": "https://evil.test/"}), Unavailable(code="302")),
        (Reply(429, HTML), Throttled(60.0, code="429")),
    ],
    ids=["502", "503", "garbage", "cut", "a list", "an odd error", "404", "a redirect", "429"],
)
async def test_an_answer_that_is_not_metas(
    reply: Reply, expected: GatewayError, gateway: WhatsAppGateway, stub: AnyStub, logs: Logs
) -> None:
    stub.replies = [reply]
    (outcome,) = await gateway.send([text("Hello there", address=ANN)])
    assert fields(outcome) == fields(expected)
    logs.require_none_of([*SECRETS, ANN, "Hello there"])


async def test_words_show_neither_token_nor_client(gateway: WhatsAppGateway, stub: AnyStub, logs: Logs) -> None:
    details = f"no {TOKEN} for {ANN}, +44 7700 900123, GB.13491208655302741918 or wamid.HBgMNDQ3NzAw"
    stub.replies = [refused(131047, details), refused(424242, details)]
    outcomes = await gateway.send([text("Hello there", address=ANN)] * 2)
    for outcome in outcomes:
        assert isinstance(outcome, GatewayError)
        assert outcome.words == "no … for …, …, … or …"
    logs.require_none_of([*SECRETS, ANN, "Hello there", "wamid"])


async def test_a_send_after_a_refusal_is_as_any_other(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    stub.replies = [refused(131026), replace(accepted())]
    outcomes = await gateway.send([text("a", address=ANN), text("b", address=ANN)])
    assert [type(outcome).__name__ for outcome in outcomes] == ["AddressGone", "Accepted"]


def status(code: int, details: str = "Why") -> Any:
    return [{"code": code, "title": "T", "message": "T", "error_data": {"details": details}}]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (status(131049), Failure("131049", "Why", "capped")),
        (status(131047), Failure("131047", "Why", "outside_window")),
        (status(131026), Failure("131026", "Why", "unreachable")),
        (status(130403), Failure("130403", "Why", "blocked", AddressStatus.BLOCKED)),
        (status(131050), Failure("131050", "Why", "unsubscribed", AddressStatus.UNSUBSCRIBED)),
        (status(132015), Failure("132015", "Why", "template_paused")),
        (status(131053), Failure("131053", "Why", "media")),
        (status(131056), Failure("131056", "Why", "throttled")),
        (status(130429), Failure("130429", "Why", "throttled")),
        (status(131000), Failure("131000", "Why", "unavailable")),
        (status(999001), Failure("999001", "Why", "rejected")),
        (status(131026, "to +44 7700 900123"), Failure("131026", "to …", "unreachable")),
        ([], Failure("", "", "rejected")),
        (None, Failure("", "", "rejected")),
        ("x", Failure("", "", "rejected")),
        ([{"code": {}}], Failure("", "", "rejected")),
        ([None], Failure("", "", "rejected")),
    ],
)
def test_a_failed_status_is_counted_as_the_refused_send_would_be(errors: Any, expected: Failure) -> None:
    assert failure_of(errors) == expected


def test_a_failed_status_that_breaks_the_channel_says_so() -> None:
    failure = failure_of(status(131042))
    assert failure.breaks == failure.words != ""
    assert failure.reason == "channel"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["error", "code", "message", "error_data", "details", "error_subcode"]), inner, max_size=4),
    max_leaves=9,
)  # fmt: skip


@settings(deadline=None)
@given(st.integers(100, 599), JSON)
def test_whatever_is_answered_has_a_class(status_code: int, answer: Any) -> None:
    error = error_of(problem_of(status_code, answer))
    assert error is None or isinstance(error, GatewayError)
    assert isinstance(failure_of(answer), Failure)
