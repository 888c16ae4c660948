"""Our values as JSON knows them."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any


def plain(value: object) -> Any:
    """A value of ours as JSON knows it."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Decimal() | Path():
            return str(value)
        case set() | frozenset():
            return sorted(value)
        case Mapping():
            return dict(value)
        case bytes():
            return f"{len(value)} bytes"
    raise TypeError(f"{type(value).__name__} has no form in JSON")
