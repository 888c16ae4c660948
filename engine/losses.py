"""What a client on one kind of messenger gets otherwise than it was written."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Loss:
    """One change; `str` is the sentence in English.

    `words` is a gettext message id with {names}, `values` fill them. `element` counts from 1; 0 is the message."""

    words: str
    values: Mapping[str, object] = field(default_factory=dict)
    element: int = 0

    def __str__(self) -> str:
        return self.words.format(**self.values) if self.values else self.words


class Losses:
    """Collects them, each once; `element` is the one in hand."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._told: list[Loss] = []
        self.element = 0

    def tell(self, words: str, **values: object) -> None:
        loss = Loss(words, {"title": self._title, **values}, self.element)
        if loss not in self._told:
            self._told.append(loss)

    def all(self) -> tuple[Loss, ...]:
        return tuple(self._told)
