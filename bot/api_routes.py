"""What a call of the API is, and how its query is read."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from engine.errors import Invalid

MAX_PAGE = 1000

Ask = Callable[[web.Request, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """One call; `body` and `answer` are what the description shows, `many` that the answer is a list of them."""

    method: str
    path: str
    summary: str
    ask: Ask
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    many: bool = False
    status: int = 200
    query: Mapping[str, str] | None = None


def number_in(request: web.Request, name: str, default: int, most: int = 2**53) -> int:
    """Raises Invalid."""
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise Invalid("{name} is a whole number up to {most}.", name=name, most=most)
    return int(text)


def instant_in(request: web.Request, name: str) -> datetime | None:
    """A date, or a date and a time, of UTC where it names no zone. Raises Invalid."""
    text = request.query.get(name)
    try:
        return in_utc(datetime.fromisoformat(text)) if text else None
    except (ValueError, OverflowError) as error:
        raise Invalid("{name} is no date; write one as 2026-11-01.", name=name) from error


def in_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
