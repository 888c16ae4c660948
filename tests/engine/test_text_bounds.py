"""Texts that are made to eat time: what one rendering goes through has an end, and the next client's is not hurt."""

import pytest

from engine.expressions import Fields, compile_expression
from engine.values import MAX_VALUE, MAX_WORK, TemplateFailed

LONG = "a b " * (MAX_VALUE // 4)


@pytest.mark.parametrize(
    "source",
    [
        ("{% if client.a" + "|title" * 36 + " == 1 %}x{% endif %}") * 3,
        "{{ client.a|length }}" * 50,
        "{{ client.blank }}" * 50,
        ("{% if [" + "client.a," * 50 + "]|length == 1 %}x{% endif %}"),
        "{% if client.a == client.a %}{% endif %}" * 20,
        ("{% if client.one" + "|replace('a','aaaaaaaa')" * 5 + " == 1 %}x{% endif %}") * 20,
    ],
    ids=["filters", "lengths", "nothing to see", "lists", "comparisons", "growth"],
)
def test_many_filters_on_a_long_value_are_given_up(source: str) -> None:
    fields = Fields()
    text = compile_expression(source, fields)
    fields.fill({"a": LONG, "blank": "\x01" * MAX_VALUE, "one": "a"})
    with pytest.raises(TemplateFailed) as failed:
        text.render()
    assert failed.value.reason == "too_long"

    fields.fill({"a": "Ann"})
    assert "a" not in text.render()


def test_a_rendering_starts_with_nothing_used_up() -> None:
    fields = Fields()
    text = compile_expression("{{ client.a | upper | length }}", fields)
    fields.fill({"a": LONG})

    assert {text.render() for _ in range(MAX_WORK // len(LONG) * 2)} == {str(len(LONG))}
