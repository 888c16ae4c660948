"""What came from outside, made fit for a database: no NUL, and nothing that is no Unicode."""

from dataclasses import fields, replace
from functools import cache
from typing import Any, TypeVar

from gateways.base import Heard, Profile, Receipt

T = TypeVar("T")


def tidy(heard: Heard) -> Heard:
    """The same, with what PostgreSQL would refuse taken out of its texts. What is fit already is not copied."""
    if not heard.inbound and not heard.watermarks and all(map(_is_plain, heard.receipts)):
        return heard
    return replace(
        heard,
        receipts=tuple(map(_tidy, heard.receipts)),
        inbound=tuple(map(_tidy, heard.inbound)),
        watermarks=tuple(map(_tidy, heard.watermarks)),
    )


def _is_plain(receipt: Receipt) -> bool:
    """Whether there is nothing to take out, as in nearly all: one look at all its texts at once costs little."""
    found = f"{receipt.external_id}{receipt.reference}{receipt.key}{receipt.code}{receipt.words}{receipt.reason}"
    texts = f"{found}{receipt.address}{receipt.cost}"
    return texts.isascii() and "\0" not in texts


def _tidy(one: T) -> T:
    kind: Any = type(one)
    changed: dict[str, Any] = {}
    for name in _names(kind):
        value = getattr(one, name)
        fit = _fit(value)
        if fit is not value:
            changed[name] = fit
    return replace(one, **changed) if changed else one  # type: ignore[type-var]  # all of them are dataclasses


def _fit(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else _text(value)
    if isinstance(value, Profile):
        return _tidy(value)
    if isinstance(value, tuple) and value:
        return tuple(map(_fit, value))
    return value


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
