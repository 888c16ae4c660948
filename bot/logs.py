"""Logs as events with fields, on stderr; no text of a message, no address, no secret."""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal

_OWN: Final = ("bot", "engine", "storage", "gateways")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_MAX_FRAMES: Final = 30


def set_up_logs(level: int = logging.INFO, *, form: Literal["text", "json"] = "text") -> None:
    """What Carillon says from this level on; what libraries say from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter() if form == "text" else JsonFormatter())
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
        fields = "".join(f" {name}={_field(value)}" for name, value in _fields_of(record).items())
        line = f"{_at(record)} {record.levelname} {record.name}: {_words_of(record)}{fields}"
        if record.exc_info and record.exc_info[1] is not None:
            line += "\n" + "\n".join(places_of(record.exc_info[1]))
        return line


class JsonFormatter(logging.Formatter):
    """The same as one JSON document a line, for programs that gather logs."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = dict(_fields_of(record))
        event |= {"at": _at(record), "level": record.levelname, "logger": record.name, "event": _words_of(record)}
        if record.exc_info and record.exc_info[1] is not None:
            event["traceback"] = [line.strip() for line in places_of(record.exc_info[1])]
        return json.dumps(event, ensure_ascii=False, default=str)


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _words_of(record: logging.LogRecord) -> str:
    words = record.getMessage()
    return words.partition("\n")[0] if record.name == "asyncio" else words


def _fields_of(record: logging.LogRecord) -> Mapping[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


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
