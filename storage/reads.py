"""Who was sent something a while ago and has not read it, for platforms that tell of reading only when asked."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.records import DeliveryState
from storage.schema import addresses, counters, deliveries, steps

_UNREAD = (DeliveryState.SENT, DeliveryState.DELIVERED)
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Span:
    """Ended after `begin` and not after `end`."""

    begin: datetime
    end: datetime


class Unread:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def fresh_steps(self, channel: str, since: datetime) -> Sequence[int]:
        """Steps that sent something on a channel and had not ended by then."""
        sent = select(counters.c.step_id).where(
            counters.c.step_id == steps.c.id,
            counters.c.channel == channel,
            counters.c.name == DeliveryState.SENT.value,
            counters.c.amount > 0,
        )
        wanted = select(steps.c.id).where(
            steps.c.started_at.is_not(None),
            or_(steps.c.finished_at.is_(None), steps.c.finished_at >= since),
            sent.exists(),
        )
        async with self._database.read() as connection:
            return list(await connection.scalars(wanted.order_by(steps.c.id)))

    async def first_end(self, step_ids: Sequence[int], span: Span) -> datetime | None:
        """When the first of those ended in the span whom these steps reached, on whatever channel, and who have not
        read it; None: there is nobody."""
        ends: list[datetime] = []
        async with self._database.read() as connection:
            for step_id in step_ids:
                for state in _UNREAD:
                    first = select(func.min(deliveries.c.finished_at)).where(
                        *_in_state(step_id, state),
                        deliveries.c.finished_at > span.begin,
                        deliveries.c.finished_at <= span.end,
                    )
                    found = await connection.scalar(first)
                    if found is not None:
                        ends.append(found)
        return min(ends, default=None)

    async def addresses(self, channel: str, step_ids: Sequence[int], span: Span) -> Sequence[str]:
        """Those whom these steps reached in the span and who have not read it, each once."""
        found: dict[str, None] = {}
        async with self._database.read() as connection:
            for step_id in step_ids:
                for state in _UNREAD:
                    async for address in _of_step(connection, channel, step_id, state, span):
                        found[address] = None
        return list(found)


async def _of_step(
    connection: AsyncConnection, channel: str, step_id: int, state: DeliveryState, span: Span
) -> AsyncIterator[str]:
    """Page by page along the index by outcome, in which they stand in the order of their ends."""
    after, last_id = span.begin, 2**63 - 1
    while True:
        rows = (
            await connection.execute(
                select(deliveries.c.finished_at, deliveries.c.id, addresses.c.external_id)
                .join(addresses, addresses.c.id == deliveries.c.address_id)
                .where(
                    *_in_state(step_id, state),
                    deliveries.c.finished_at >= after,
                    or_(
                        deliveries.c.finished_at > after,
                        and_(deliveries.c.finished_at == after, deliveries.c.id > last_id),
                    ),
                    deliveries.c.finished_at <= span.end,
                    deliveries.c.channel == channel,
                )
                .order_by(deliveries.c.finished_at, deliveries.c.id)
                .limit(_PAGE)
            )
        ).all()
        for row in rows:
            yield row.external_id
        if len(rows) < _PAGE:
            return
        after, last_id = rows[-1].finished_at, rows[-1].id


def _in_state(step_id: int, state: DeliveryState) -> tuple[ColumnElement[bool], ...]:
    """As the index by outcome begins."""
    return deliveries.c.step_id == step_id, deliveries.c.state == state.value, deliveries.c.reason.is_(None)
