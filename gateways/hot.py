"""Records that every message makes several of."""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(made: type[T]) -> type[T]:
    """A dataclass with slots that mypy holds to be frozen and Python does not: to make a frozen one takes Python three
    times as long, and a message makes a dozen (docs/decisions/path.md)."""
    return dataclass(slots=True, unsafe_hash=True)(made)
