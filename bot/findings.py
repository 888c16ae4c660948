"""What `carillon check` found, one thing at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateways.base import GatewayError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Secrets and passwords stand in none.

    `warnings` are what a person should see to although it works; `details` is what a program may want of it."""

    what: str
    ok: bool
    words: str
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        if not self.ok:
            return "wrong"
        return "warning" if self.warnings else "ok"

    def said(self) -> str:
        return "; ".join([self.words, *self.warnings])


def refused(error: GatewayError) -> str:
    words = error.words or type(error).__name__
    return f"{words} ({error.code})" if error.code and error.code not in words else words
