"""An audience as people write it: read strictly, told back in words."""

from datetime import date
from typing import Any

import pytest

from engine.audience import describe, read_audience
from engine.errors import Invalid
from storage.filters import (
    AllOf,
    AnyOf,
    AudienceFilter,
    Comparison,
    Condition,
    MailingOutcome,
    MailingResult,
    from_plain,
    plain,
)

CONTRACT = {
    "segment": "vip",
    "where": [
        {"field": "tag", "is": "vip"},
        {"field": "ltv", "gte": 1000},
        {"field": "last_seen", "within_days": 30},
        {"mailing": 7, "outcome": "read", "is_not": True},
        {"any": [{"field": "language", "is": "uk"}, {"field": "language", "is": "ru"}]},
    ],
}


def test_the_audience_of_the_contract_is_read() -> None:
    assert read_audience(CONTRACT) == AudienceFilter(
        "vip",
        (
            Condition("tag", Comparison.IS, "vip"),
            Condition("ltv", Comparison.GTE, 1000),
            Condition("last_seen", Comparison.WITHIN_DAYS, 30),
            MailingOutcome(7, MailingResult.READ, is_not=True),
            AnyOf((Condition("language", Comparison.IS, "uk"), Condition("language", Comparison.IS, "ru"))),
        ),
    )


def test_plain_data_comes_back_unchanged() -> None:
    assert plain(read_audience(CONTRACT)) == CONTRACT
    assert from_plain(CONTRACT) == read_audience(CONTRACT)


def test_nothing_means_everybody() -> None:
    assert read_audience({}) == AudienceFilter()
    assert describe(read_audience({})) == "everybody"


def test_a_toml_date_is_kept_as_iso_text() -> None:
    (condition,) = read_audience({"where": [{"field": "created_at", "gte": date(2026, 1, 1)}]}).where
    assert condition == Condition("created_at", Comparison.GTE, "2026-01-01")


def test_two_comparisons_of_one_field_must_both_hold() -> None:
    (condition,) = read_audience({"where": [{"field": "ltv", "gte": 1, "lt": 5}]}).where
    assert condition == AllOf((Condition("ltv", Comparison.GTE, 1), Condition("ltv", Comparison.LT, 5)))


def test_groups_may_stand_in_one_another() -> None:
    data = {"where": [{"any": [{"all": [{"field": "a", "is": 1}, {"field": "b", "known": True}]}]}]}
    assert plain(read_audience(data)) == data


def test_an_audience_is_told_in_words() -> None:
    assert describe(read_audience(CONTRACT)) == (
        "segment vip and tag is vip and ltv is at least 1000 and last seen within the last 30 days and "
        "mailing 7 not read and (language is uk or language is ru)"
    )
    assert describe(read_audience({"where": [{"field": "a", "known": False}]})) == "a is unknown"
    assert describe(read_audience({"where": [{"field": "a", "between": [1, 5]}]})) == "a is from 1 to 5"
    either = [{"field": "connection", "is": "gone"}, {"field": "last_seen", "lt": "2026-01-01"}]
    assert describe(read_audience({"where": [{"any": either}]})) == (
        "connection is gone from the messenger or last seen before 2026-01-01"
    )


BAD: list[tuple[dict[str, Any], str]] = [
    ({"segmant": "vip"}, "an audience has no key “segmant”; did you mean “segment”?"),
    ({"where": {"field": "tag"}}, "where must be a list of conditions."),
    ({"where": ["tag"]}, "where 1 must be a condition such as field = “tag”, is = “vip”."),
    ({"where": [{"field": "tag", "iss": "vip"}]}, "where 1 has no key “iss”; did you mean “is”?"),
    ({"where": [{"is": "vip"}]}, "where 1 needs a field, such as “tag” or “language”."),
    ({"where": [{"field": "lvt", "is": 1}]}, "where 1: no client has a field “lvt”; did you mean “ltv”?"),
    ({"where": [{"field": "zzzzz", "is": 1}]}, "where 1: no client has a field “zzzzz”."),
    ({"where": [{"field": "tag", "in": []}]}, "where 1: in needs a list of 1 to 1000 values."),
    ({"where": [{"field": "ltv", "between": [1]}]}, "where 1: between needs two values, the lower one first."),
    ({"where": [{"field": "tag", "is": None}]}, "where 1: the value must be a text, a number or a date."),
    ({"where": [{"field": "tag", "is": "a\0b"}]}, "where 1: the value can't be searched for."),
    ({"where": [{"field": "ltv", "gt": float("nan")}]}, "where 1: the number is too large."),
    ({"where": [{"field": "tag", "known": "yes"}]}, "where 1: known is true or false."),
    (
        {"where": [{"field": "connection", "is": "lost"}]},
        "where 1: connection is one of enabled, unsubscribed, blocked, gone, none.",
    ),
    ({"where": [{"mailing": "7", "outcome": "read"}]}, "where 1: mailing is the number of a mailing, such as 7."),
    (
        {"where": [{"mailing": 7, "outcome": "seen"}]},
        "where 1: outcome is one of sent, delivered, read, clicked, failed, unsubscribed, kept.",
    ),
    ({"where": [{"any": []}]}, "where 1, any has no condition in it."),
    ({"where": [{"any": [{"field": "tag"}]}]}, "where 1, any 1 needs one of is, is_not, in"),
    ({"segment": ""}, "The audience's segment must be the name of a saved segment."),
]


@pytest.mark.parametrize(("data", "words"), BAD, ids=[words[:50] for _data, words in BAD])
def test_a_mistake_is_named_where_it_stands(data: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid) as told:
        read_audience(data, known_fields=["ltv"])
    assert str(told.value).startswith(words)


def test_groups_that_never_end_are_refused() -> None:
    data: dict[str, Any] = {"field": "tag", "is": "vip"}
    for _level in range(40):
        data = {"any": [data]}
    with pytest.raises(Invalid, match="too deep"):
        read_audience({"where": [data]})
    with pytest.raises(Invalid, match="at most 200 conditions"):
        read_audience({"where": [{"field": "tag", "is": "vip"}] * 201})
