"""The proof of Meta's webhooks, with the best-known library on the other side, and whose events a body holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pywa.utils import webhook_updates_validator

from gateways.base import BadSignature, Hook
from gateways.meta.hooks import entries_of, moment_of, require_meta, signature_of, split_by_account

SECRET = "carillon-app-secret"


@given(st.binary(max_size=200))
def test_pywa_and_we_sign_alike(body: bytes) -> None:
    signature = signature_of(body, SECRET)
    assert webhook_updates_validator(SECRET, body, signature)
    require_meta(Hook("POST", {"x-hub-signature-256": signature}, {}, body), SECRET, "verify")


def test_without_a_secret_nobody_is_trusted() -> None:
    with pytest.raises(BadSignature):
        require_meta(Hook("POST", {"x-hub-signature-256": signature_of(b"{}", "")}, {}, b"{}"), "", "verify")
    with pytest.raises(BadSignature):
        require_meta(Hook("GET", {}, {"hub.mode": "subscribe", "hub.verify_token": ""}, b""), SECRET, "")


def test_entries_of_an_account_stay_together_and_in_order() -> None:
    entries = [{"id": "1", "time": 1}, {"id": 2, "time": 2}, {"id": "1", "time": 3}, {"time": 4}, "?"]
    cuts = split_by_account(Hook("POST", {"a": "b"}, {}, json.dumps({"object": "page", "entry": entries}).encode()))
    assert {account: [entry["time"] for entry in entries_of(cut)[1]] for account, cut in cuts.items()} == {
        "page:1": [1, 3], "page:2": [2]
    }  # fmt: skip
    assert all(cut.headers == {"a": "b"} for cut in cuts.values())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1793000000123, 1793000000.123), (1793000000, 1793000000), ("1793000000123", 1793000000.123),
        ("1793000000", 1793000000), (1793000000.5, 1793000000.5), (None, None), (True, None), ("soon", None),
        (-1, None), (0, None), (10**40, None), ("nan", None), ([], None), ("1e400", None),
    ],
)  # fmt: skip
def test_a_moment_is_read_however_it_is_written(value: object, seconds: float | None) -> None:
    moment = moment_of(value)
    assert (moment.timestamp() if moment else None) == (pytest.approx(seconds) if seconds else None)
