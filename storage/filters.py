"""An audience as conditions over the card, and the SQL that they mean."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, case, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import Invalid, _
from storage.fields import Fields, Span, load_fields
from storage.records import AmendedState, DeliveryState, Routing
from storage.routing import Route, route
from storage.schema import (
    CLIENTS_IN_STEP,
    amended,
    amendments,
    clients,
    deliveries,
    delivery_id,
    reactions,
    segments,
    steps,
)

MAX_VALUES = 1000  # of one `in`; a longer list belongs into a tag
MAX_DEPTH = 8  # of any, all and segments in one another


class Comparison(StrEnum):
    IS = "is"
    IS_NOT = "is_not"
    IN = "in"
    CONTAINS = "contains"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    BETWEEN = "between"
    KNOWN = "known"
    UNKNOWN = "unknown"
    WITHIN_DAYS = "within_days"
    NOT_WITHIN_DAYS = "not_within_days"  # longer ago, or never


class MailingResult(StrEnum):
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    CLICKED = "clicked"
    FAILED = "failed"
    UNSUBSCRIBED = "unsubscribed"
    KEPT = "kept"  # has it as it was sent: it was neither taken back nor corrected there


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field of the card must be. Values are text, numbers, or ISO dates and times as text."""

    field: str
    comparison: Comparison
    value: Any


@dataclass(frozen=True, slots=True)
class MailingOutcome:
    """Whether the client got, read, clicked … an earlier mailing."""

    mailing: int
    outcome: MailingResult
    is_not: bool = False


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple["Term", ...]


Term = Condition | MailingOutcome | AnyOf | AllOf


@dataclass(frozen=True, slots=True)
class AudienceFilter:
    """Everybody in the segment for whom all of `where` holds; with neither, everybody."""

    segment: str | None = None
    where: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class AudienceQuery:
    """Expressions for any SELECT from `source`, which has a row for each client: who matches, and by which way."""

    source: FromClause
    matching: ColumnElement[bool]
    route: Route

    @property
    def channel(self) -> ColumnElement[str | None]:
        return self.route.channel

    @property
    def address_id(self) -> ColumnElement[int | None]:
        return self.route.address_id

    @property
    def left_out(self) -> ColumnElement[str | None]:
        return self.route.left_out


_REACHED: Mapping[MailingResult, tuple[DeliveryState, ...]] = {
    MailingResult.SENT: (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ),
    MailingResult.DELIVERED: (DeliveryState.DELIVERED, DeliveryState.READ),
    MailingResult.READ: (DeliveryState.READ,),
    MailingResult.FAILED: (DeliveryState.FAILED,),
    MailingResult.KEPT: (DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ),
}


async def compile_audience(
    connection: AsyncConnection,
    audience: AudienceFilter,
    routing: Routing | str,
    channels: Sequence[str],
    known_channels: Sequence[str],
    at: datetime,
    *,
    zone: tzinfo = UTC,
    span: Span | None = None,
) -> AudienceQuery:
    """Say in SQL who matches and by which channel each goes out.

    `span` are the first and the last client id to look at; without it, all.

    `channels` are those that the mailing lists (for chosen and cascade), `known_channels` those that are configured.
    `at` is now for `within_days`; a date without time is that day in `zone`. Raises Invalid: no such field, segment or
    mailing, or a comparison that the field can't bear."""
    terms = await _with_segments(connection, audience)
    fields = await load_fields(connection, _field_names(terms), at=at, zone=zone, span=span)
    step_ids = await _steps_of(connection, _mailings(terms))
    states = _states_by_step(terms, step_ids)
    own = {step_id: deliveries.alias(f"of_step_{step_id}") for step_id in states}
    matching = and_(
        fields.within(clients.c.id),
        clients.c.merged_into.is_(None),
        clients.c.erased_at.is_(None),
        *(_term(term, fields, step_ids, own) for term in terms),
    )
    source = _source(own, {} if fields.is_sqlite else states)
    return AudienceQuery(source, matching, route(fields, Routing(routing), channels, known_channels))


def _source(own: Mapping[int, FromClause], states: Mapping[int, Collection[str]]) -> FromClause:
    """The cards, each beside its deliveries of the steps that the filter asks for."""
    source: FromClause = clients
    for step_id, its in own.items():
        same = its.c.id == delivery_id(step_id, clients.c.id)
        # PostgreSQL hashes the deliveries: only those that count. SQLite finds each by its id.
        if step_id in states:
            same = and_(its.c.step_id == step_id, its.c.state.in_(states[step_id]), same)
        source = source.outerjoin(its, same)
    return source


def _states_by_step(terms: Sequence[Term], step_ids: Mapping[int, Sequence[int]]) -> Mapping[int, Collection[str]]:
    """In which states a delivery of each step matters at all."""
    states: dict[int, dict[str, None]] = {}
    for term in walk(terms):
        if isinstance(term, MailingOutcome) and term.outcome in _REACHED:
            for step_id in step_ids[term.mailing]:
                states.setdefault(step_id, {}).update(dict.fromkeys(map(str, _REACHED[term.outcome])))
    return states


async def _with_segments(
    connection: AsyncConnection, audience: AudienceFilter, inside: tuple[str, ...] = ()
) -> tuple[Term, ...]:
    """The conditions, with those of the segment before them; a segment may stand on another one."""
    if audience.segment is None:
        return audience.where
    if audience.segment in inside or len(inside) >= MAX_DEPTH:
        raise Invalid(_("The segment “{name}” is built on itself."), name=audience.segment)
    data = await connection.scalar(select(segments.c.audience).where(segments.c.name == audience.segment))
    if data is None:
        raise Invalid(_("There is no segment “{name}”."), name=audience.segment)
    below = await _with_segments(connection, from_plain(data), (*inside, audience.segment))
    return (*below, *audience.where)


async def _steps_of(connection: AsyncConnection, mailings: Collection[int]) -> Mapping[int, Sequence[int]]:
    if not mailings:
        return {}
    found: dict[int, list[int]] = {}
    for row in await connection.execute(
        select(steps.c.mailing_id, steps.c.id).where(steps.c.mailing_id.in_(mailings)).order_by(steps.c.id)
    ):
        found.setdefault(row.mailing_id, []).append(row.id)
    for mailing in mailings:
        if mailing not in found:
            raise Invalid(_("There is no mailing {mailing}."), mailing=mailing)
    return found


def _term(
    term: Term, fields: Fields, step_ids: Mapping[int, Sequence[int]], own: Mapping[int, FromClause]
) -> ColumnElement[bool]:
    match term:
        case AnyOf(conditions=inner):
            return or_(false(), *(_term(one, fields, step_ids, own) for one in inner))
        case AllOf(conditions=inner):
            return and_(true(), *(_term(one, fields, step_ids, own) for one in inner))
        case MailingOutcome():
            happened = _happened(term, fields, step_ids[term.mailing], own)
            return ~happened if term.is_not else happened
        case Condition():
            return fields.compare(term.field, term.comparison, term.value)


def _happened(
    term: MailingOutcome, fields: Fields, step_ids: Sequence[int], own: Mapping[int, FromClause]
) -> ColumnElement[bool]:
    """Never NULL, also where the client has no delivery."""
    states = _REACHED.get(term.outcome)
    if states is not None:
        arms = [(own[step_id].c.state == str(state), true()) for step_id in step_ids for state in states]
        reached = case(*arms, else_=false())
        return and_(reached, ~_is_amended(step_ids, fields)) if term.outcome is MailingResult.KEPT else reached
    return clients.c.id.in_(
        select(reactions.c.client_id).where(
            reactions.c.step_id.in_(step_ids),
            reactions.c.kind == str(term.outcome),
            fields.within(reactions.c.client_id),
        )
    )


def _is_amended(step_ids: Sequence[int], fields: Fields) -> ColumnElement[bool]:
    """Whether the message that the client had of these steps was changed or taken away where it stood."""
    span = fields.span or (0, CLIENTS_IN_STEP - 1)
    spans = [amended.c.delivery_id.between(*(delivery_id(step_id, one) for one in span)) for step_id in step_ids]
    return clients.c.id.in_(
        select(amended.c.delivery_id - amendments.c.step_id * CLIENTS_IN_STEP)
        .join(amendments, amendments.c.id == amended.c.amendment_id)
        .where(amendments.c.step_id.in_(step_ids), amended.c.state == AmendedState.REACHED.value, or_(*spans))
    )


# --- plain data ------------------------------------------------------------------------------------------------------


def from_plain(data: Mapping[str, Any]) -> AudienceFilter:
    """The audience that `plain` wrote down; what people write goes through `engine.audience`."""
    return AudienceFilter(data.get("segment"), tuple(_from_plain(term) for term in data.get("where", ())))


def plain(audience: AudienceFilter) -> dict[str, Any]:
    """The audience as it stands in a mailing file, and in storage."""
    data: dict[str, Any] = {}
    if audience.segment is not None:
        data["segment"] = audience.segment
    if audience.where:
        data["where"] = [_plain(term) for term in audience.where]
    return data


def _from_plain(data: Mapping[str, Any]) -> Term:
    if "any" in data:
        return AnyOf(tuple(_from_plain(term) for term in data["any"]))
    if "all" in data:
        return AllOf(tuple(_from_plain(term) for term in data["all"]))
    if "mailing" in data:
        return MailingOutcome(data["mailing"], MailingResult(data["outcome"]), bool(data.get("is_not", False)))
    comparison = next(Comparison(name) for name in data if name != "field")
    value = data[comparison]
    return Condition(data["field"], comparison, tuple(value) if isinstance(value, list) else value)


def _plain(term: Term) -> dict[str, Any]:
    match term:
        case AnyOf(conditions=inner):
            return {"any": [_plain(one) for one in inner]}
        case AllOf(conditions=inner):
            return {"all": [_plain(one) for one in inner]}
        case MailingOutcome():
            data: dict[str, Any] = {"mailing": term.mailing, "outcome": str(term.outcome)}
            return data | ({"is_not": True} if term.is_not else {})
        case Condition():
            value = list(term.value) if isinstance(term.value, tuple) else term.value
            return {"field": term.field, str(term.comparison): value}


def walk(terms: Sequence[Term]) -> Iterator[Condition | MailingOutcome]:
    """Every single condition, however deep it stands."""
    for term in terms:
        if isinstance(term, AnyOf | AllOf):
            yield from walk(term.conditions)
        else:
            yield term


def _field_names(terms: Sequence[Term]) -> set[str]:
    return {term.field for term in walk(terms) if isinstance(term, Condition)}


def _mailings(terms: Sequence[Term]) -> set[int]:
    return {term.mailing for term in walk(terms) if isinstance(term, MailingOutcome)}
