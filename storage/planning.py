"""The audience becomes deliveries: one INSERT ... SELECT for each package of clients, with the step's mark."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Insert, Select, bindparam, case, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audiences import search
from storage.bulk import Asked
from storage.counters import CounterKey, add_counters
from storage.database import Database
from storage.fields import Span
from storage.filters import AudienceFilter, AudienceQuery, compile_audience
from storage.records import DeliveryState, Routing, Status
from storage.schema import clients, deliveries, delivery_id, steps
from storage.writer import long


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom a step goes to, and by which ways; `at` and `zone` are what times in the filter are measured by."""

    step_id: int
    audience: AudienceFilter
    routing: Routing
    channels: tuple[str, ...]
    known_channels: tuple[str, ...]
    at: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class MadePlan:
    """The same as statements, over a span of ids from `first` to `last`: one and the same for every package."""

    step_id: int
    query: AudienceQuery
    letters: Select[Any]
    insert: Insert


@dataclass(frozen=True, slots=True)
class Package:
    """The next clients of a step by ascending id, a span of `size` ids; up to `after` nobody matches.

    `due_by_zone` gives each client zone its hour (None: clients without one); without it everybody is due at `at`."""

    made: MadePlan
    size: int
    at: datetime
    after: int = 0
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


# Parameters stand for the ids, so that a statement is made for all packages.
_SPAN = cast(Span, (bindparam("first", type_=BigInteger), bindparam("last", type_=BigInteger)))


async def make_plan(database: Database, plan: Plan) -> MadePlan:
    """Raises Invalid where the audience can't be read."""
    async with database.read() as connection:
        query = await compile_audience(
            connection,
            plan.audience,
            plan.routing,
            plan.channels,
            plan.known_channels,
            plan.at,
            zone=ZoneInfo(plan.zone),
            span=_SPAN,
        )
    letters = select(func.aggregate_strings(query.route.code, "")).select_from(query.source).where(query.matching)
    due_at = bindparam("at", type_=deliveries.c.due_at.type)
    return MadePlan(plan.step_id, query, letters, _insert(plan.step_id, query, due_at))


async def _plan_one(connection: AsyncConnection, package: Package) -> tuple[int, bool]:
    step_id = package.made.step_id
    ((through, planned_all, status),) = await _STEP.rows(connection, {"step": step_id})
    if planned_all or status != Status.SENDING:
        return 0, bool(planned_all)
    span, is_last = await _next_span(connection, max(through or 0, package.after), package.size)
    within = {"first": span[0], "last": span[1]}
    planned = await _count(connection, package.made, within)
    if planned and package.due_by_zone is not None:
        by_zone = _insert(step_id, package.made.query, _due_by_zone(package.due_by_zone))
        await connection.execute(by_zone, within)
    elif planned:
        await connection.execute(package.made.insert, {**within, "at": package.at})
    await _MARK.rows(connection, {"step": step_id, "planned_through": span[1], "planned_all": is_last})
    return planned, is_last


_STEP = Asked(
    lambda _dialect: select(steps.c.planned_through, steps.c.planned_all, steps.c.status).where(
        steps.c.id == bindparam("step")
    )
)
_MARK = Asked(
    lambda _dialect: (
        update(steps)
        .where(steps.c.id == bindparam("step"))
        .values(planned_through=bindparam("planned_through"), planned_all=bindparam("planned_all"))
    )
)


async def _next_span(connection: AsyncConnection, after: int, size: int) -> tuple[tuple[int, int], bool]:
    """The next ids, from the first that there is; whether no client comes after them."""
    ((begin, end),) = await _NEXT.rows(connection, {"after": after})
    if begin is None:
        return (after + 1, after), True
    through = min(begin + size - 1, end)
    return (begin, through), through == end


_NEXT = Asked(
    lambda _dialect: select(
        select(func.min(clients.c.id)).where(clients.c.id > bindparam("after", type_=BigInteger)).scalar_subquery(),
        select(func.max(clients.c.id)).scalar_subquery(),
    )
)


def _insert(step_id: int, query: AudienceQuery, due_at: ColumnElement[Any]) -> Insert:
    chosen = select(
        delivery_id(step_id, clients.c.id),
        literal(step_id),
        clients.c.id,
        query.channel,
        query.address_id,
        literal(DeliveryState.PLANNED.value),
        due_at,
    )
    chosen = chosen.select_from(query.source).where(query.matching, query.left_out.is_(None))
    # The mark lets each client be looked at once; (step, client) is unique besides, as it is the id.
    names = ["id", "step_id", "client_id", "channel", "address_id", "state", "due_at"]
    return insert(deliveries).from_select(names, chosen)


def _due_by_zone(due_by_zone: Mapping[str | None, datetime]) -> ColumnElement[datetime]:
    instant = deliveries.c.due_at.type
    arms = [(clients.c.timezone == zone, literal(due, type_=instant)) for zone, due in due_by_zone.items() if zone]
    otherwise = literal(due_by_zone[None], type_=instant)
    return case(*arms, else_=otherwise) if arms else otherwise


async def _count(connection: AsyncConnection, made: MadePlan, within: Mapping[str, int]) -> int:
    """Move the counters of who matched, who was left out and why, who is planned; returns how many are planned.

    A letter tells each client's way; grouping by channel and reason takes SQLite five times as long."""
    ways = Counter(await connection.scalar(made.letters, within) or "")
    deltas: dict[CounterKey, int] = defaultdict(int)
    planned = 0
    for letter, amount in ways.items():
        channel, reason = made.query.route.ways[letter]
        deltas[made.step_id, "", "", "", "audience"] += amount
        if reason is not None:
            deltas[made.step_id, "", "", "", f"left_out:{reason}"] += amount
        else:
            deltas[made.step_id, str(channel), "", "", "planned"] += amount
            deltas[made.step_id, str(channel), "", "", "waiting"] += amount
            planned += amount
    await add_counters(connection, deltas)
    return planned


async def pass_by(database: Database, made: MadePlan) -> int:
    """The id up to which nobody matches any more, from the step's mark on: looked for without the write lock."""
    async with database.read() as connection:
        after = await connection.scalar(_THROUGH, {"step": made.step_id}) or 0
        last = await connection.scalar(select(func.max(clients.c.id))) or 0
    matching = select(clients.c.id).select_from(made.query.source).where(made.query.matching)
    first = matching.order_by(clients.c.id).limit(1)

    async def look(connection: AsyncConnection, span: Span) -> Sequence[int]:
        return (await connection.scalars(first, {"first": span[0], "last": span[1]})).all()

    found = await search(database, look, 1, after=after)
    return found[0] - 1 if found else max(after, last)


_THROUGH = select(steps.c.planned_through).where(steps.c.id == bindparam("step"))


async def zones_of_package(database: Database, step_id: int, after: int, size: int) -> Sequence[str]:
    """The time zones on the cards of the next package, if nobody up to `after` matches."""
    async with database.read() as connection:
        through = await connection.scalar(_THROUGH, {"step": step_id}) or 0
        (first, last), _is_last = await _next_span(connection, max(through, after), size)
        found = await connection.scalars(
            select(clients.c.timezone)
            .where(clients.c.id.between(first, last), clients.c.timezone.is_not(None))
            .distinct()
        )
        return [zone for zone in found if zone is not None]
