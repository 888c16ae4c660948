"""Proofs that a webhook request comes from the platform, compared in constant time."""

import hashlib
import hmac

from gateways.base import BadSignature


def require_same(given: str | bytes | None, expected: str | bytes) -> None:
    """Raises BadSignature unless both are equal; an empty `expected` is equal to nothing."""
    if given is None or not expected or not hmac.compare_digest(_raw(given), _raw(expected)):
        raise BadSignature


def derive_secret(app_secret: bytes, *names: str) -> str:
    """A secret of its own for what `names` name: 64 letters of hexadecimal, the same at every start."""
    return hmac.new(app_secret, "\0".join(names).encode(), hashlib.sha256).hexdigest()


def _raw(value: str | bytes) -> bytes:
    # Headers may hold any byte; comparing them as text would raise for those that are no ASCII.
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
