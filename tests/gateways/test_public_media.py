"""Kept files under addresses that nobody can guess."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.public_media import ROUTE, find_source, media_token, media_url

SECRET = b"of the tests"
SOURCE = "media:" + "0a1b" * 16 + ".jpg"


def test_a_file_has_one_address_that_ends_as_the_file_does() -> None:
    url = media_url("https://m.acme.test/", SECRET, SOURCE)
    assert url == media_url("https://m.acme.test", SECRET, SOURCE)
    assert url.startswith(f"https://m.acme.test{ROUTE}")
    assert url.endswith(".jpg")


def test_the_address_leads_back_to_the_file() -> None:
    assert find_source(SECRET, media_token(SECRET, SOURCE)) == SOURCE


def test_another_secret_another_address() -> None:
    assert find_source(b"another", media_token(SECRET, SOURCE)) is None


def test_a_changed_extension_or_name_is_not_ours() -> None:
    token = media_token(SECRET, SOURCE)
    assert find_source(SECRET, token.replace(".jpg", ".png")) is None
    assert find_source(SECRET, "1" + token[1:]) is None
    assert find_source(SECRET, re.sub(r"-[0-9a-f]{32}\.", "-" + "0" * 32 + ".", token)) is None


@pytest.mark.parametrize("source", ["https://a.test/b.jpg", "media:../etc/passwd", "media:a", "media:", "a.jpg"])
def test_only_kept_files_have_an_address(source: str) -> None:
    with pytest.raises(ValueError, match="only kept files"):
        media_token(SECRET, source)


def test_nothing_is_given_out_without_a_secret() -> None:
    with pytest.raises(ValueError, match="without a secret"):
        media_token(b"", SOURCE)


@given(st.text(max_size=150))
def test_no_guess_leads_to_a_file(token: str) -> None:
    assert find_source(SECRET, token) is None
