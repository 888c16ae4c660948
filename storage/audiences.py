"""Counting an audience: every filter within a second at a million clients (docs/decisions/filters.md)."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Text, and_, case, exists, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.database import Database, now
from storage.fields import Span, load_fields
from storage.filters import AudienceFilter, AudienceQuery, compile_audience
from storage.records import Routing
from storage.routing import Way
from storage.schema import CLIENTS_IN_STEP, addresses, clients

T = TypeVar("T")
READERS = min(os.cpu_count() or 1, 4)
_IN_SPAN = 250_000  # client ids that one statement looks at; its answer is some megabytes of text


@dataclass(frozen=True, slots=True)
class AudienceCount:
    """`audience` is who matches now, `left_out` those who can't be reached, by reason, `planned` the rest.

    `inside` are those of `by_channel` whose window is open, for the channels whose `windows` were asked for."""

    audience: int = 0
    planned: int = 0
    by_channel: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    inside: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom to count or to pick from, and by which way they would be reached; see `compile_audience`.

    `windows` are seconds since a client last wrote to a channel, within which its window is open."""

    filter: AudienceFilter
    routing: Routing = Routing.MAIN
    channels: tuple[str, ...] = ()
    known_channels: tuple[str, ...] = ()
    at: datetime | None = None
    zone: tzinfo = UTC
    windows: Mapping[str, float] = field(default_factory=dict)

    async def compile(self, connection: AsyncConnection, span: Span | None = None) -> AudienceQuery:
        return await compile_audience(
            connection,
            self.filter,
            self.routing,
            self.channels,
            self.known_channels,
            self.at or now(),
            zone=self.zone,
            span=span,
        )


async def count_audience(database: Database, audience: Audience) -> AudienceCount:
    """How many match, by channel and by reason for being left out, in one pass over the cards."""
    if database.dialect != "sqlite":
        return _added([await _count_in_groups(database, audience)])
    return _added(await _share_out(database, audience, partial(_count_spans, database, audience)))


async def _share_out(
    database: Database, audience: Audience, count: Callable[[Sequence[Span]], Coroutine[Any, Any, T]]
) -> Sequence[T]:
    """A reader of SQLite uses one core, so a large base is shared out among several."""
    async with database.read() as connection:
        await audience.compile(connection)  # a filter that can't be is refused once, before the readers begin
        spans = await _spans(connection)
    async with asyncio.TaskGroup() as tasks:
        shares = [spans[place::READERS] for place in range(READERS)]
        counted = [tasks.create_task(count(share)) for share in shares if share]
    return [task.result() for task in counted]


async def count_unknown(
    database: Database, audience: Audience, asked: Mapping[str, Sequence[str]]
) -> Mapping[str, int]:
    """Of those who can be reached: for each name that is asked for, how many have no value in any of its fields. One
    pass over the cards for all of them. Raises Invalid as every count does, and for a field that no card has."""
    if not asked:
        return {}
    count = partial(_count_unknown, database, audience, asked)
    counted = await _share_out(database, audience, count) if database.dialect == "sqlite" else [await count([None])]
    return {name: sum(one[name] for one in counted) for name in asked}


async def _count_unknown(
    database: Database, audience: Audience, asked: Mapping[str, Sequence[str]], spans: Sequence[Span | None]
) -> Mapping[str, int]:
    counted: Counter[str] = Counter()
    async with database.read() as connection:
        await _hasten(connection)
        names = {field for fields in asked.values() for field in fields}
        fields = await load_fields(connection, names, at=audience.at or now(), zone=audience.zone)
        lacking = [and_(*(fields.compare(one, "unknown", True) for one in those)) for those in asked.values()]
        for span in spans:
            query = await audience.compile(connection, span)
            columns = [func.sum(case((lacks, 1), else_=0)) for lacks in lacking]
            wanted = select(*columns).select_from(query.source).where(query.matching, query.left_out.is_(None))
            found = (await connection.execute(wanted)).one()
            counted.update({name: amount or 0 for name, amount in zip(asked, found, strict=True)})
    return counted


async def _hasten(connection: AsyncConnection) -> None:
    """A million ids are to be hashed in memory; compiling a statement that takes a second does not pay."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SET LOCAL work_mem = '128MB'"))
        await connection.execute(text("SET LOCAL jit = off"))


async def first_reachable(database: Database, audience: Audience) -> int | None:
    """The id of a client who would get it; of one who matches at all, where nobody can be reached."""
    async with database.read() as connection:
        query = await audience.compile(connection)
        matching = select(clients.c.id).select_from(query.source).where(query.matching).order_by(clients.c.id).limit(1)
        found: int | None = await connection.scalar(matching.where(query.left_out.is_(None)))
        return found if found is not None else await connection.scalar(matching)


NOT_IN_AUDIENCE = "not_in_audience"


async def why_left_out(database: Database, client_id: int, audience: Audience) -> str | None:
    """The reason why this client would not be planned now, or None."""
    async with database.read() as connection:
        query = await audience.compile(connection)
        row = (
            await connection.execute(
                select(query.left_out).select_from(query.source).where(clients.c.id == client_id, query.matching)
            )
        ).one_or_none()
        return NOT_IN_AUDIENCE if row is None else row[0]


@dataclass(frozen=True, slots=True)
class _Letters:
    """A letter for each way of a client, with those of an open window beside them: counted in the same pass."""

    letter: ColumnElement[str]
    ways: Mapping[str, tuple[Way, bool]]


_LETTERS_OF_OPEN_WINDOWS = 0x4E00  # and up: beyond those of the ways


def _letters(query: AudienceQuery, audience: Audience) -> _Letters:
    ways = {code: (way, False) for code, way in query.route.ways.items()}
    arms = []
    for number, (code, (channel, _reason)) in enumerate(query.route.ways.items()):
        if channel is None or channel not in audience.windows:
            continue
        inside = chr(_LETTERS_OF_OPEN_WINDOWS + number)
        ways[inside] = ((channel, None), True)
        since = (audience.at or now()) - timedelta(seconds=audience.windows[channel])
        # The card's own moment keeps the look at addresses to the few who wrote to any channel at all.
        wrote = and_(clients.c.last_wrote_at >= since, query.route.code == code, _wrote_to(channel, since))
        arms.append((wrote, literal(inside, Text)))
    return _Letters(case(*arms, else_=query.route.code) if arms else query.route.code, ways)


def _wrote_to(channel: str, since: datetime) -> ColumnElement[bool]:
    its = (addresses.c.client_id == clients.c.id, addresses.c.channel == channel)
    enabled = addresses.c.status == AddressStatus.ENABLED.value
    return exists().where(*its, enabled, addresses.c.last_wrote_at >= since).correlate(clients)


_Counted = Counter[tuple[Way, bool]]


async def _count_in_groups(database: Database, audience: Audience) -> _Counted:
    async with database.read() as connection:
        await _hasten(connection)
        query = await audience.compile(connection)
        letters = _letters(query, audience)
        code = letters.letter.label("code")
        found = await connection.execute(
            select(code, func.count()).select_from(query.source).where(query.matching).group_by(code)
        )
        counted: _Counted = Counter()
        for letter, amount in found:
            counted[letters.ways[letter]] += amount
        return counted


async def _count_spans(database: Database, audience: Audience, spans: Sequence[Span]) -> _Counted:
    """SQLite would sort all rows to group them: their letters come as one text, and are counted here."""
    counted: _Counted = Counter()
    async with database.read() as connection:
        for span in spans:
            query = await audience.compile(connection, span)
            letters = _letters(query, audience)
            codes = func.aggregate_strings(letters.letter, "")
            found = await connection.scalar(select(codes).select_from(query.source).where(query.matching)) or ""
            for letter, way in letters.ways.items():
                counted[way] += found.count(letter)
    return counted


async def search(
    database: Database,
    look: Callable[[AsyncConnection, Span], Coroutine[Any, Any, Sequence[T]]],
    limit: int,
    *,
    after: int = 0,
    before: int | None = None,
) -> Sequence[T]:
    """The first of what `look` finds of the clients behind `after`, in the order of their ids; with `before`, the last
    ones before that, from behind. For looks at a million cards: shared out among readers, on PostgreSQL as well, which
    would walk over its index alone to find the first ones."""
    end = CLIENTS_IN_STEP if before is None else before
    async with database.read() as connection:
        spans = [(max(low, after + 1), min(high, end - 1)) for low, high in await _spans(connection)]
    spans = [(low, high) for low, high in spans if low <= high]
    if before is not None:
        spans.reverse()

    async def look_at(span: Span) -> Sequence[T]:
        async with database.read() as connection:
            return await look(connection, span)

    found: list[T] = []
    while spans and len(found) < limit:
        async with asyncio.TaskGroup() as tasks:
            looks = [tasks.create_task(look_at(span)) for span in spans[:READERS]]
        found += [one for done in looks for one in done.result()]
        spans = spans[READERS:]
    return found[:limit]


async def _spans(connection: AsyncConnection) -> list[Span]:
    first, last = (await connection.execute(select(func.min(clients.c.id), func.max(clients.c.id)))).one()
    return [] if first is None else [(start, start + _IN_SPAN - 1) for start in range(first, last + 1, _IN_SPAN)]


def _added(counted: Sequence[_Counted]) -> AudienceCount:
    by_channel: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for ((channel, reason), is_inside), amount in sum(counted, _Counted()).items():
        if reason is not None:
            left_out[reason] += amount
        elif channel is not None:
            by_channel[channel] += amount
            if is_inside:
                inside[channel] += amount
    planned = by_channel.total()
    return AudienceCount(planned + left_out.total(), planned, dict(by_channel), dict(left_out), dict(inside))
