"""What a person did that can't be done; the classes stand a floor below, because storage refuses things too."""

from storage.errors import Invalid, NotFound, Refused, Stale, _

__all__ = ["Invalid", "NotFound", "Refused", "Stale", "_"]
