"""What happened to one client: the last mailings, each delivery step by step, opting out and coming back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.merging import cards_of_client
from storage.records import AmendedState, AmendmentKind, DeliveryState
from storage.schema import (
    amended,
    amendments,
    attempts,
    deliveries,
    delivery_id,
    events,
    mailings,
    opt_outs,
    parts,
    steps,
)

_AMENDED = {AmendmentKind.TAKE_BACK.value: "taken_back", AmendmentKind.CORRECT.value: "corrected"}
_MOST = 50  # things of a kind that are told of a delivery


@dataclass(frozen=True, slots=True)
class Got:
    """What became of a mailing for the client; `at` is None while it waits."""

    mailing_id: int
    name: str
    channel: str
    state: DeliveryState
    reason: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened; `what` is tried, accepted, delivered, read, failed, taken_back, corrected (or not_… of
    both), or what an event is called."""

    at: datetime
    what: str
    channel: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftAndCame:
    """An opt-out; `scope` is a channel or "all", `ended_at` when the client came back."""

    scope: str
    source: str
    at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Histories:
    database: Database

    async def last_mailings(self, client_id: int, limit: int = 5) -> list[Got]:
        """The newest first."""
        async with self.database.read() as connection:
            ids = await cards_of_client(connection, client_id)
            wanted = (
                select(
                    steps.c.mailing_id,
                    mailings.c.name,
                    deliveries.c.channel,
                    deliveries.c.state,
                    deliveries.c.reason,
                    deliveries.c.finished_at,
                )
                .join(steps, steps.c.id == deliveries.c.step_id)
                .join(mailings, mailings.c.id == steps.c.mailing_id)
                .where(deliveries.c.client_id.in_(ids))
                .order_by(deliveries.c.id.desc())
                .limit(limit)
            )
            found = await connection.execute(wanted)
            return [Got(row[0], row[1], row[2], DeliveryState(row[3]), row[4], row[5]) for row in found]

    async def has_delivery(self, step_id: int, client_id: int) -> int | None:
        """The card under which the step was planned for the client: this one, or one that was merged into it."""
        async with self.database.read() as connection:
            ids = await cards_of_client(connection, client_id)
            wanted = select(deliveries.c.client_id).where(
                deliveries.c.id.in_([delivery_id(step_id, one) for one in ids])
            )
            # Of two only one goes out: the other was skipped when the cards were merged.
            ordered = wanted.order_by(deliveries.c.state == DeliveryState.SKIPPED.value, deliveries.c.id)
            found: int | None = await connection.scalar(ordered.limit(1))
            return found

    async def of_delivery(self, step_id: int, client_id: int) -> list[Happened]:
        """Everything that happened to a delivery, in order."""
        number = delivery_id(step_id, client_id)
        async with self.database.read() as connection:
            happened = [
                *await _tries(connection, number),
                *await _parts(connection, number),
                *await _events(connection, number),
                *await _amendments(connection, step_id, number),
            ]
        return sorted(happened, key=lambda one: one.at)

    async def opt_outs(self, client_id: int) -> list[LeftAndCame]:
        """The newest first."""
        async with self.database.read() as connection:
            ids = await cards_of_client(connection, client_id)
            wanted = select(opt_outs).where(opt_outs.c.client_id.in_(ids)).order_by(opt_outs.c.id.desc()).limit(_MOST)
            return [
                LeftAndCame(row.scope, row.source, row.occurred_at, row.ended_at)
                for row in await connection.execute(wanted)
            ]


async def _tries(connection: AsyncConnection, number: int) -> Sequence[Happened]:
    wanted = select(attempts).where(attempts.c.delivery_id == number).order_by(attempts.c.number).limit(_MOST)
    return [
        Happened(
            row.finished_at or row.started_at,
            "tried",
            row.channel,
            {"outcome": row.outcome, "reason": row.reason, "words": row.words, "tries": row.tries},
        )
        for row in await connection.execute(wanted)
        if row.finished_at or row.started_at
    ]


async def _parts(connection: AsyncConnection, number: int) -> Sequence[Happened]:
    """When the whole of it was delivered and read: a message may go out in several calls."""
    wanted = (
        select(
            parts.c.channel,
            func.max(parts.c.delivered_at).label("delivered_at"),
            func.max(parts.c.read_at).label("read_at"),
            func.min(parts.c.failed_at).label("failed_at"),
            func.max(parts.c.reason).label("reason"),
        )
        .where(parts.c.delivery_id == number)
        .group_by(parts.c.attempt, parts.c.channel)
        .limit(_MOST)
    )
    happened = []
    for row in await connection.execute(wanted):
        times = {"delivered": row.delivered_at, "read": row.read_at, "failed": row.failed_at}
        happened += [
            Happened(at, what, row.channel, {"reason": row.reason} if what == "failed" else {})
            for what, at in times.items()
            if at is not None
        ]
    return happened


async def _events(connection: AsyncConnection, number: int) -> Sequence[Happened]:
    """What the client did with it; what receipts said stands with its parts."""
    of_parts = ("delivered", "read", "failed")
    wanted = (
        select(events.c.occurred_at, events.c.type, events.c.channel, events.c.details)
        .where(events.c.delivery_id == number, events.c.type.not_in(of_parts))
        .order_by(events.c.id)
        .limit(_MOST)
    )
    return [Happened(row[0], row[1], row[2], row[3] or {}) for row in await connection.execute(wanted)]


async def _amendments(connection: AsyncConnection, step_id: int, number: int) -> Sequence[Happened]:
    at = func.coalesce(amended.c.finished_at, amended.c.due_at, type_=amended.c.due_at.type)
    wanted = (
        select(amendments.c.kind, amended.c.state, amended.c.channel, amended.c.reason, at.label("at"))
        .join(amendments, amendments.c.id == amended.c.amendment_id)
        .where(
            amendments.c.step_id == step_id,
            amended.c.delivery_id == number,
            amended.c.state != AmendedState.WAITING.value,
        )
        .limit(_MOST)
    )
    return [
        Happened(
            row.at,
            _AMENDED[row.kind] if row.state == AmendedState.REACHED.value else f"not_{_AMENDED[row.kind]}",
            row.channel,
            {"reason": row.reason} if row.reason else {},
        )
        for row in await connection.execute(wanted)
    ]
