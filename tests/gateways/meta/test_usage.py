"""How much is used, as Meta's headers say it, and how long to wait."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.meta.graph import proof_of
from gateways.meta.usage import Pauses, Usage, usage_of

# developers.facebook.com/docs/graph-api/overview/rate-limiting, and a captured 613 that carried type "pages"
APP = '{"call_count":41,"total_time":17,"total_cputime":9}'
PAGE = '{"call_count":63,"total_cputime":22,"total_time":38}'
SENDS = (
    '{"1029384756":[{"type":"messenger","call_count":12,"total_cputime":3,"total_time":4,'
    '"estimated_time_to_regain_access":0}]}'
)
BLOCKED = '{"1029384756":[{"type":"pages","call_count":107,"estimated_time_to_regain_access":7}]}'


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Usage()),
        ({"x-app-usage": APP}, Usage(0.41)),
        ({"x-app-usage": APP, "x-page-usage": PAGE, "x-business-use-case-usage": SENDS}, Usage(0.63)),
        ({"x-business-use-case-usage": BLOCKED}, Usage(1.07, 420.0)),
        ({"x-business-use-case-usage": '{"1":[{"estimated_time_to_regain_access":2}]}'}, Usage(1.0, 120.0)),
        ({"x-app-usage": "soon"}, Usage()),
        ({"x-app-usage": "[1]", "x-business-use-case-usage": '{"1":7,"2":["x"]}'}, Usage()),
        ({"x-app-usage": '{"call_count":"NaN","total_time":-3,"total_cputime":null}'}, Usage()),
        ({"x-app-usage": '{"estimated_time_to_regain_access":1e300}'}, Usage(1.0, 86_400.0)),
    ],
)
def test_the_largest_share_counts(headers: dict[str, str], expected: Usage) -> None:
    assert usage_of(headers) == expected


@settings(deadline=None)
@given(st.text(max_size=60), st.recursive(st.none() | st.floats() | st.text(max_size=4), st.lists, max_leaves=5))
def test_no_header_raises(text: str, value: object) -> None:
    for told in (text, json.dumps(value), json.dumps({"1": [{"call_count": value}]})):
        usage = usage_of({"x-app-usage": told, "x-business-use-case-usage": told})
        assert usage.share >= 0


def test_a_call_that_set_out_before_the_throttle_ends_no_pause() -> None:
    now = [0.0]
    pauses = Pauses(lambda: now[0])
    assert pauses.next_s() == 60.0
    pauses.end()
    now[0] = 61.0
    assert pauses.next_s() == 120.0
    now[0] = 200.0
    pauses.end()
    assert pauses.next_s() == 60.0


def test_what_meta_names_goes_before_our_own_guess() -> None:
    assert Pauses(lambda: 0.0).next_s(Usage(1.0, 300.0)) == 300.0


def test_the_proof_of_a_call_is_the_documented_one() -> None:
    expected = "f99f8e850b0afa4c11b49829dd80afa75f4e8b007acee8ffe542f41d7b462413"
    assert proof_of("EAAGexamplePageToken", "0f1e2d3c4b5a69788796a5b4c3d2e1f0") == expected
