"""Twilio's signature, with twilio's own RequestValidator as the other side."""

import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from gateways.base import BadSignature, Hook
from gateways.twilio.signature import require_signed
from tests.gateways.cases import Logs
from tests.gateways.twilio.conftest import ACCOUNT, FORM, SECRETS, SMS_HOOK, TOKEN, Make, posted

SHARED = "carillon-shared-key"
BY_KEY = {"x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256"}
# The worked example of twilio's documentation in our words: computed with twilio 9.13.0.
BODY = urlencode(
    {
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "From": "+447700900900",
        "MessageSid": "SM0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "MessageStatus": "delivered",
        "SmsSid": "SM0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "SmsStatus": "delivered",
        "To": "+447700900123",
    }
).encode()
EXAMPLE = "xLHNCBSvDXuaYYV9NiWLWdbBlf4="


def request(
    signature: str | None,
    body: bytes = BODY,
    raw_query: str = "d=7-1001",
    headers: dict[str, str] = FORM,
    **query: str,
) -> Hook:
    signed = {} if signature is None else {"x-twilio-signature": signature}
    return Hook("POST", headers | signed, query, body, raw_query)


def passes(hook: Hook, url: str = SMS_HOOK, token: str = TOKEN, shared_key: str = "") -> bool:
    try:
        require_signed(hook, url, token, shared_key)
    except BadSignature:
        return False
    return True


def test_the_worked_example_passes() -> None:
    assert passes(request(EXAMPLE))


def test_without_the_raw_query_it_is_made_of_the_read_one() -> None:
    assert passes(request(EXAMPLE, raw_query="", d="7-1001"))


@pytest.mark.parametrize(
    "hook",
    [
        request(None), request(""), request(EXAMPLE.lower()), request(EXAMPLE[:-1]), request(EXAMPLE + "\n"),
        request("Ünicode"), request("\udcff"), request(EXAMPLE, raw_query="d=7-1002"), request(EXAMPLE, raw_query=""),
        request(EXAMPLE, BODY + b"&Extra="), request(EXAMPLE, BODY.replace(b"delivered", b"failed")),
        request(EXAMPLE, b""), request(EXAMPLE, b"\xff\xfe"), request(EXAMPLE, b"a=%FF"), request(EXAMPLE, b"&" * 9),
        request(EXAMPLE, b"a=1&" * 5000), request(EXAMPLE, headers={"content-type": "application/json"}),
        request(EXAMPLE, headers={}), request(EXAMPLE, headers=FORM | BY_KEY),
        request(EXAMPLE, headers=FORM | {"x-twilio-webhooks-signature-settings": "algorithm=HMAC_MD5"}),
    ],
    ids=range(20),
)  # fmt: skip
def test_whatever_is_changed_does_not_pass(hook: Hook) -> None:
    assert not passes(hook)


def test_another_token_or_another_hook_does_not_pass() -> None:
    assert not passes(request(EXAMPLE), token="another")
    assert not passes(request(EXAMPLE), token="")
    assert not passes(request(EXAMPLE), url="https://m.acme.test/hooks/wa-shop")
    assert not passes(request(EXAMPLE), url="http://m.acme.test/hooks/sms-shop")


def test_a_shared_key_signs_where_the_account_has_one() -> None:
    signature = "BGrAF8yCagNF/K18b50lWhhN5czykaxDxrEDmElagyU="
    assert passes(request(signature, headers=FORM | BY_KEY), shared_key=SHARED)
    assert not passes(request(signature, headers=FORM | BY_KEY), shared_key="another")
    assert not passes(request(signature), shared_key=SHARED)
    assert passes(request(EXAMPLE), shared_key=SHARED)


def test_json_is_signed_by_its_hash_in_the_url() -> None:
    body = b'{"hello":"world"}'
    digest = hashlib.sha256(body).hexdigest()
    hook = "https://m.acme.test/hooks/wa-shop"
    signature = "8T8X2eJDnJXQNyxLhtfTVSdFrDQ="
    json = {"content-type": "application/json"}
    query = {"bodySHA256": digest}
    assert passes(request(signature, body, f"bodySHA256={digest}", json, **query), hook)
    assert not passes(request(signature, b'{"hello":"there"}', f"bodySHA256={digest}", json, **query), hook)
    assert not passes(request(signature, body, "", json), hook)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("https://m.acme.test/hooks/a", "https://m.acme.test:443/hooks/a"),
        ("https://m.acme.test:443/hooks/a", "https://m.acme.test/hooks/a"),
        ("http://m.acme.test/hooks/a", "http://m.acme.test:80/hooks/a"),
        ("http://127.0.0.1:8080/hooks/a", "http://127.0.0.1:8080/hooks/a"),
        ("http://127.0.0.1:8080/hooks/a", "http://127.0.0.1/hooks/a"),
        ("https://m.acme.test/behind/a/proxy/hooks/a", "https://m.acme.test/behind/a/proxy/hooks/a"),
        ("http://[::1]:8080/hooks/a", "http://[::1]:8080/hooks/a"),
    ],
)
def test_the_port_may_be_signed_or_not(ours: str, theirs: str) -> None:
    signature = RequestValidator(TOKEN).compute_signature(f"{theirs}?d=1", {"Body": "Hi"})
    assert passes(request(signature, b"Body=Hi", "d=1"), ours)


PAIRS = st.lists(st.tuples(st.text(max_size=10), st.text(max_size=10)), max_size=8)


@given(PAIRS, st.text("0123456789.", max_size=10))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_twilios_own_validator_agrees(pairs: list[tuple[str, str]], reference: str) -> None:
    raw = urlencode({"d": reference})
    signature = RequestValidator(TOKEN).compute_signature(f"{SMS_HOOK}?{raw}", MultiDict(pairs))
    assert passes(request(signature, urlencode(pairs).encode(), raw))


@given(st.binary(max_size=100), st.text(max_size=30), st.text(max_size=30), st.dictionaries(st.text(), st.text()))
def test_nothing_but_a_bad_signature_is_raised(body: bytes, given: str, raw: str, headers: dict[str, str]) -> None:
    for known in (FORM, {}, {"content-type": "application/json"}):
        assert not passes(request(given, body, raw, headers | known))


def test_a_channel_that_nobody_can_reach_takes_nothing(make: Make) -> None:
    with pytest.raises(BadSignature):
        make("sms", hook_url=None).verify(request(EXAMPLE))


def test_what_came_to_a_siblings_hook_is_signed_for_that_hook(make: Make) -> None:
    sibling: Any = make("whatsapp")
    sibling.verify(replace(request(EXAMPLE), channel="sms-shop"))
    for channel in ("", "wa-shop", "../sms-shop"):
        with pytest.raises(BadSignature):
            sibling.verify(replace(request(EXAMPLE), channel=channel))


def test_a_forged_request_shows_nothing_in_a_log(make: Make, logs: Logs) -> None:
    gateway: Any = make("sms")
    gateway.verify(request(EXAMPLE))
    with pytest.raises(BadSignature):
        gateway.verify(request("forged", posted("sms")))
    logs.require_none_of([*SECRETS, "Sunday"])
