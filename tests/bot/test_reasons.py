"""Every reason under which a delivery is counted has words, whichever messenger gives it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateways.facebook.errors as facebook
import gateways.telegram.errors as telegram
import gateways.twilio.errors as twilio
import gateways.viber.errors as viber
import gateways.vk.errors as vk
import gateways.whatsapp.errors as whatsapp
from bot.texts import REASONS, Texts
from engine.watch import NORMAL_FAILURES
from gateways.base import AddressGone, AddressStatus, GatewayError, Rejected
from gateways.meta.graph import Problem, problem_of

ROOT = Path(__file__).parents[2]
MAKERS = {"AddressGone", "Rejected", "MessageRejected", "MediaRefused", "Failure", "TemplateFailed"}


def meta_problem(code: int, subcode: int = 0) -> Problem:
    return problem_of(400, {"error": {"code": code, "error_subcode": subcode, "message": "words"}})


def told_by_tables() -> Iterator[GatewayError | None]:
    """What each row of each gateway's table of errors makes."""
    for table in (facebook.BY_CODE, whatsapp.BY_CODE):
        yield from (make(meta_problem(code)) for code, make in table.items())
    yield from (make(meta_problem(1, subcode)) for subcode, make in facebook.BY_SUBCODE.items())
    yield from (make(words, "400") for words, make in telegram.BY_WORDS)
    yield from (make("words", str(status)) for status, make in telegram.BY_STATUS.items())
    yield from (make(words, str(code)) for code, (make, words) in twilio.BY_CODE.items())
    yield from (make("words", str(status)) for status, make in viber.BY_STATUS.items())
    yield from (make("words", str(code)) for code, make in vk.BY_CODE.items())


def named_in(file: Path) -> Iterator[str]:
    """Reasons that the code names: `reason="…"`, and the first word of an AddressGone or of a Failure."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        given = [keyword.value for keyword in node.keywords if keyword.arg == "reason" and name in MAKERS]
        given += node.args[:1] if name == "AddressGone" else []
        for value in given:
            yield from (
                one.value for one in ast.walk(value) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )


def test_every_row_of_every_table_has_words() -> None:
    told = [error for error in told_by_tables() if isinstance(error, AddressGone | Rejected)]
    assert len(told) > 150
    assert {error.reason for error in told} - set(REASONS) == set()


@pytest.mark.parametrize("folder", ["gateways", "engine"])
def test_every_reason_that_the_code_names_has_words(folder: str) -> None:
    files = [file for file in (ROOT / folder).rglob("*.py") if "simulator" not in file.parts]
    named = {reason for file in files for reason in named_in(file)}
    assert named
    assert named - set(REASONS) == set()


def test_what_a_failed_receipt_can_say_has_words() -> None:
    by_whatsapp = {whatsapp.failure_of([{"code": code}]).reason for code in whatsapp.BY_CODE}
    by_twilio = {twilio.failure_of(str(code)).reason for code in twilio.BY_CODE}
    assert (by_whatsapp | by_twilio) - set(REASONS) == set()


def test_every_status_of_an_address_has_words() -> None:
    assert {status.value for status in AddressStatus} - {"enabled"} - set(REASONS) == set()


def test_whatever_ends_an_address_is_no_alarm() -> None:
    """Whoever has blocked us, left or is not there fails by itself, and stops no mailing."""
    ended = {error.reason for error in told_by_tables() if isinstance(error, AddressGone)}
    assert ended - NORMAL_FAILURES == set()
    assert NORMAL_FAILURES - set(REASONS) == set()


@pytest.mark.parametrize("reason", ["rejected", "media", "template", "spam", "country", "limit", "unavailable"])
def test_what_can_be_our_fault_is_an_alarm(reason: str) -> None:
    assert reason not in NORMAL_FAILURES


def test_a_reason_without_words_is_still_shown() -> None:
    assert Texts().reason("something_<new>") == "something &lt;new&gt;"
