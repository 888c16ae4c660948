"""The audience becomes deliveries: one INSERT ... SELECT for each package of clients, with the step's mark."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.counters import CounterKey, add_counters
from storage.database import Database
from storage.fields import Span
from storage.filters import AudienceFilter, AudienceQuery, compile_audience
from storage.records import DeliveryState, Routing, Status
from storage.schema import clients, deliveries, delivery_id, steps
from storage.writer import long


@dataclass(frozen=True, slots=True)
class Package:
    """The next clients of a step by ascending id, a span of `size` ids.

    `due_by_zone` gives each client zone its hour (None: clients without one); without it everybody is due at `at`."""

    step_id: int
    size: int
    audience: AudienceFilter
    routing: Routing
    channels: tuple[str, ...]
    known_channels: tuple[str, ...]
    at: datetime
    zone: str
    due_by_zone: Mapping[str | None, datetime] | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What a package brought, and how long the write lock was held before the commit; `all` when no client is left to
    look at."""

    planned: int
    all: bool
    held_s: float = 0.0


@long
async def plan_package(connection: AsyncConnection, packages: Sequence[Package]) -> Sequence[Planned]:
    planned = []
    for package in packages:
        began = perf_counter()
        amount, everything = await _plan_one(connection, package)
        planned.append(Planned(amount, everything, perf_counter() - began))
    return planned


async def _plan_one(connection: AsyncConnection, package: Package) -> tuple[int, bool]:
    step = (await connection.execute(select(steps).where(steps.c.id == package.step_id))).one()
    if step.planned_all or step.status != Status.SENDING:
        return 0, step.planned_all
    span, is_last = await _next_span(connection, step.planned_through or 0, package.size)
    query = await compile_audience(
        connection,
        package.audience,
        package.routing,
        package.channels,
        package.known_channels,
        package.at,
        zone=ZoneInfo(package.zone),
        span=span,
    )
    planned = await _count(connection, package, query)
    if planned:
        await connection.execute(_insert(package, query, query.matching))
    await _mark(connection, package.step_id, span[1], planned_all=is_last)
    return planned, is_last


async def _next_span(connection: AsyncConnection, after: int, size: int) -> tuple[Span, bool]:
    """The next ids, from the first that there is; whether no client comes after them."""
    first = select(func.min(clients.c.id)).where(clients.c.id > after).scalar_subquery()
    last = select(func.max(clients.c.id)).scalar_subquery()
    begin, end = (await connection.execute(select(first, last))).one()
    if begin is None:
        return (after + 1, after), True
    through = min(begin + size - 1, end)
    return (begin, through), through == end


def _insert(package: Package, query: AudienceQuery, inside: ColumnElement[bool]) -> Any:
    chosen = select(
        delivery_id(package.step_id, clients.c.id),
        literal(package.step_id),
        clients.c.id,
        query.channel,
        query.address_id,
        literal(DeliveryState.PLANNED.value),
        _due_at(package),
    )
    chosen = chosen.select_from(query.source).where(inside, query.left_out.is_(None))
    # The mark lets each client be looked at once; (step, client) is unique besides, as it is the id.
    names = ["id", "step_id", "client_id", "channel", "address_id", "state", "due_at"]
    return insert(deliveries).from_select(names, chosen)


def _due_at(package: Package) -> ColumnElement[datetime]:
    instant = deliveries.c.due_at.type
    if package.due_by_zone is None:
        return literal(package.at, type_=instant)
    arms = [
        (clients.c.timezone == zone, literal(due, type_=instant)) for zone, due in package.due_by_zone.items() if zone
    ]
    otherwise = literal(package.due_by_zone[None], type_=instant)
    return case(*arms, else_=otherwise) if arms else otherwise


async def _count(connection: AsyncConnection, package: Package, query: AudienceQuery) -> int:
    """Move the counters of who matched, who was left out and why, who is planned; returns how many are planned.

    A letter tells each client's way; grouping by channel and reason takes SQLite five times as long."""
    letters = select(func.aggregate_strings(query.route.code, "")).select_from(query.source).where(query.matching)
    ways = Counter(await connection.scalar(letters) or "")
    deltas: dict[CounterKey, int] = defaultdict(int)
    planned = 0
    for letter, amount in ways.items():
        channel, reason = query.route.ways[letter]
        deltas[package.step_id, "", "", "", "audience"] += amount
        if reason is not None:
            deltas[package.step_id, "", "", "", f"left_out:{reason}"] += amount
        else:
            deltas[package.step_id, str(channel), "", "", "planned"] += amount
            deltas[package.step_id, str(channel), "", "", "waiting"] += amount
            planned += amount
    await add_counters(connection, deltas)
    return planned


async def _mark(connection: AsyncConnection, step_id: int, through: int, *, planned_all: bool) -> None:
    await connection.execute(
        update(steps).where(steps.c.id == step_id).values(planned_through=through, planned_all=planned_all)
    )


async def zones_of_package(database: Database, step_id: int, size: int) -> Sequence[str]:
    """The time zones on the cards of the next package."""
    async with database.read() as connection:
        after = await connection.scalar(select(steps.c.planned_through).where(steps.c.id == step_id)) or 0
        (first, last), _is_last = await _next_span(connection, after, size)
        found = await connection.scalars(
            select(clients.c.timezone)
            .where(clients.c.id.between(first, last), clients.c.timezone.is_not(None))
            .distinct()
        )
        return [zone for zone in found if zone is not None]
