"""Deliveries as people and the engine read them; what changes them stands in the modules beside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, and_, cast, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.records import DeliveryState, Status
from storage.schema import CLIENTS_IN_STEP, attempts, clients, counters, deliveries, delivery_id, events, steps

WAITING = (DeliveryState.PLANNED, DeliveryState.SENDING)
_NEAR = 20_000  # clients


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as a person sees it."""

    id: int
    client_id: int
    client_name: str
    channel: str
    state: DeliveryState
    reason: str | None
    words: str | None
    code: str | None
    tries: int
    started_at: datetime | None
    finished_at: datetime | None


_NAME = func.coalesce(
    clients.c.name,
    func.nullif(func.trim(func.coalesce(clients.c.first_name, "") + " " + func.coalesce(clients.c.last_name, "")), ""),
    clients.c.external_id,
    "#" + cast(clients.c.id, Text),
)
_FAILED = DeliveryState.FAILED.value
_TOLD = (  # what a receipt said of it
    select(events.c.details)
    .where(events.c.delivery_id == deliveries.c.id, events.c.type == _FAILED, events.c.channel == deliveries.c.channel)
    .order_by(events.c.id.desc())
    .limit(1)
    .scalar_subquery()
)


class Deliveries:
    """Reading deliveries; what changes them stands above and goes through the writer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting_by_channel(self, step_id: int) -> Mapping[str, int]:
        """How many of a step still wait on each channel, from the counters."""
        async with self._database.read() as connection:
            found = await connection.execute(
                select(counters.c.channel, func.sum(counters.c.amount))
                .where(counters.c.step_id == step_id, counters.c.name == "waiting")
                .group_by(counters.c.channel)
            )
            return {row[0]: int(row[1]) for row in found if row[1]}

    async def waiting_now(self) -> Mapping[str, int]:
        """How many of all that is being sent still wait on each channel, from the counters."""
        async with self._database.read() as connection:
            found = await connection.execute(
                select(counters.c.channel, func.sum(counters.c.amount))
                .join(steps, steps.c.id == counters.c.step_id)
                .where(steps.c.status == Status.SENDING.value, counters.c.name == "waiting")
                .group_by(counters.c.channel)
            )
            return {row[0]: int(row[1]) for row in found}

    async def none_left(self, step_id: int) -> bool:
        """Whether no row of the step waits or is in hand, asked of the rows themselves."""
        async with self._database.read() as connection:
            left = await connection.scalar(
                select(deliveries.c.id)
                .where(deliveries.c.step_id == step_id, deliveries.c.state.in_([state.value for state in WAITING]))
                .limit(1)
            )
            return left is None

    async def in_flight(self, step_id: int) -> int:
        """How many are on their way to the platform just now."""
        async with self._database.read() as connection:
            return int(
                await connection.scalar(
                    select(func.count()).where(
                        deliveries.c.step_id == step_id,
                        deliveries.c.state == DeliveryState.SENDING.value,
                        deliveries.c.started_at.is_not(None),
                    )
                )
                or 0
            )

    async def next_due(self, step_id: int, channel: str) -> datetime | None:
        """When the first of those planned on a channel may go."""
        planned = deliveries.c.state == literal_column("'planned'")  # as the index has it, or it is not used
        statement = (
            select(deliveries.c.due_at)
            .where(deliveries.c.step_id == step_id, deliveries.c.channel == channel, planned)
            .order_by(deliveries.c.due_at)
            .limit(1)
        )
        async with self._database.read() as connection:
            found: datetime | None = await connection.scalar(statement)
            return found

    async def rows(
        self,
        step_id: int,
        states: Sequence[DeliveryState] = (),
        *,
        client_id: int | None = None,
        after_id: int = 0,
        limit: int = 100,
    ) -> list[DeliveryRow]:
        """Deliveries of a step in the order of their ids, with the last attempt's words, or with those of the receipt
        that said it failed."""
        async with self._database.read() as connection:
            ids: Sequence[int] = [delivery_id(step_id, client_id)] if client_id is not None else ()
            ids = ids or await _ids_after(connection, step_id, states, after_id, limit)
            statement = (
                select(deliveries, attempts.c.words, attempts.c.code, _NAME.label("client_name"), _TOLD.label("told"))
                .join(clients, clients.c.id == deliveries.c.client_id)
                .outerjoin(
                    attempts,
                    and_(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempt),
                )
                .where(deliveries.c.id.in_(ids))
                .order_by(deliveries.c.id)
            )
            found = [
                (row, (row.told or {}) if row.state == _FAILED else {}) for row in await connection.execute(statement)
            ]
            return [
                DeliveryRow(
                    id=row.id,
                    client_id=row.client_id,
                    client_name=row.client_name,
                    channel=row.channel,
                    state=DeliveryState(row.state),
                    reason=row.reason,
                    words=told.get("words") or row.words,
                    code=told.get("code") or row.code,
                    tries=row.tries,
                    started_at=row.started_at,
                    finished_at=row.finished_at,
                )
                for row, told in found
            ]

    async def counters(self, step_ids: Sequence[int]) -> Mapping[int, Mapping[tuple[str, str], int]]:
        """Counters by step, and in each by (channel, name), summed over variants and senders."""
        async with self._database.read() as connection:
            found = await connection.execute(
                select(counters.c.step_id, counters.c.channel, counters.c.name, func.sum(counters.c.amount))
                .where(counters.c.step_id.in_(step_ids))
                .group_by(counters.c.step_id, counters.c.channel, counters.c.name)
            )
            sums: dict[int, dict[tuple[str, str], int]] = {step_id: {} for step_id in step_ids}
            for step_id, channel, name, amount in found:
                sums[step_id][channel, name] = int(amount)
            return sums


async def _ids_after(
    connection: AsyncConnection, step_id: int, states: Sequence[DeliveryState], after_id: int, limit: int
) -> Sequence[int]:
    """The next ids of a step's deliveries in these states, or in any. Many stand near; few are found by their index:
    sorting a hundred thousand of them for a page of twenty takes as long as a person notices."""
    first, last = max(after_id, delivery_id(step_id, 0)), delivery_id(step_id, CLIENTS_IN_STEP - 1)
    its = deliveries.c.id
    if not states:
        return list(await connection.scalars(select(its).where(its > first, its <= last).order_by(its).limit(limit)))
    is_so = deliveries.c.state.in_([state.value for state in states])
    near = select(its).where(its > first, its <= min(first + _NEAR, last), is_so)
    found = list(await connection.scalars(near.order_by(its).limit(limit)))
    if len(found) == limit:
        return found
    unordered = its + 0  # or the database walks over the whole step in the order of its ids
    by_state = select(its).where(deliveries.c.step_id == step_id, is_so, unordered > first)
    return list(await connection.scalars(by_state.order_by(unordered).limit(limit)))
