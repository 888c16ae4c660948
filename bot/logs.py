"""Logs as events with fields, on stderr; no text of a message, no address, no secret."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Final

_OWN: Final = ("bot", "engine", "storage", "gateways")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MAX_FRAMES: Final = 30


def set_up_logs(level: int = logging.INFO) -> None:
    """What Carillon says from this level on; what libraries say from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OWN:
        logging.getLogger(name).setLevel(level)


class EventFormatter(logging.Formatter):
    """`2026-11-21T09:00:00.123Z INFO engine.lane: part accepted delivery=7 part=0`.

    A traceback shows places and classes, and not what the exceptions say: that can hold a text, an address or a URL
    with a token in it. For the same reason only the first line of what asyncio says is kept."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        words = record.getMessage()
        if record.name == "asyncio":
            words = words.partition("\n")[0]
        fields = "".join(f" {name}={_field(value)}" for name, value in vars(record).items() if name not in _STANDARD)
        line = f"{at} {record.levelname} {record.name}: {words}{fields}"
        if record.exc_info and record.exc_info[1] is not None:
            line += "\n" + "\n".join(places_of(record.exc_info[1]))
        return line


def places_of(error: BaseException, depth: int = 0) -> list[str]:
    """A traceback without the words of the exceptions, the causes first."""
    lines: list[str] = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and depth < 5:
        lines += places_of(before, depth + 1)
    lines.append(f"  {type(error).__module__}.{type(error).__qualname__} at")
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    lines += [f"    {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    if isinstance(error, BaseExceptionGroup) and depth < 5:
        for inner in error.exceptions:
            lines += places_of(inner, depth + 1)
    return lines


def _field(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(sign.isspace() or sign == '"' for sign in text) else text
