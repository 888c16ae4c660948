"""Which orders the user's system is still to be told of, and when it is next tried: nothing is lost by a restart.

What is told is the order as it then is, so two changes in quick succession may be told as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, insert
from storage.orders import OrderRecord, as_order, select_orders
from storage.schema import order_hooks, orders, updates
from storage.writer import Writer

POSITION = "orders_hook"  # its row in `updates`: the last change that was put on the list
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Due:
    """An order to be told of, after so many tries that failed."""

    order: OrderRecord
    tries: int


class OrderHooks:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def gather(self, at: datetime) -> int:
        """Put on the list what changed since the last time; how many orders those are."""
        async with self._database.read() as connection:
            newest = await connection.scalar(select(orders.c.sequence).order_by(orders.c.sequence.desc()).limit(1))
            if newest is None or newest <= await _position(connection):
                return 0
        return await self._writer.write(_gather, at)

    async def due(self, at: datetime, *, limit: int) -> list[Due]:
        wanted = (
            select_orders()
            .add_columns(order_hooks.c.tries)
            .join(order_hooks, order_hooks.c.order_id == orders.c.id)
            .where(order_hooks.c.due_at <= at)
            .order_by(order_hooks.c.due_at, orders.c.sequence)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [Due(as_order(row), row.tries) for row in await connection.execute(wanted)]

    async def told(self, order: OrderRecord) -> None:
        """Take it off the list, unless it changed meanwhile."""
        await self._writer.write(_told, (order.number, order.sequence))

    async def put_off(self, order: OrderRecord, until: datetime) -> None:
        """It could not be told; one that changed meanwhile keeps its new turn."""
        await self._writer.write(_put_off, (order.number, order.sequence, until))


async def _position(connection: AsyncConnection) -> int:
    return await connection.scalar(select(updates.c.position).where(updates.c.source == POSITION)) or 0


async def _gather(connection: AsyncConnection, instants: Sequence[datetime]) -> Sequence[int]:
    return [await _gather_at(connection, at) for at in instants]


async def _gather_at(connection: AsyncConnection, at: datetime) -> int:
    changed = (
        await connection.execute(
            select(orders.c.id, orders.c.sequence)
            .where(orders.c.sequence > await _position(connection))
            .order_by(orders.c.sequence)
            .limit(_AT_ONCE)
        )
    ).all()
    if not changed:
        return 0
    again = {"tries": 0, "due_at": at}
    await connection.execute(
        insert(connection, order_hooks).on_conflict_do_update(index_elements=["order_id"], set_=again),
        [{"order_id": row.id, **again} for row in changed],
    )
    position = {"position": changed[-1].sequence}
    await connection.execute(
        insert(connection, updates)
        .values(source=POSITION, **position)
        .on_conflict_do_update(index_elements=["source"], set_=position)
    )
    return len(changed)


def _unchanged(number: int, sequence: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    now = select(orders.c.sequence).where(orders.c.id == number).scalar_subquery()
    return order_hooks.c.order_id == number, now == sequence


async def _told(connection: AsyncConnection, values: Sequence[tuple[int, int]]) -> Sequence[None]:
    for number, sequence in values:
        await connection.execute(delete(order_hooks).where(*_unchanged(number, sequence)))
    return [None for _ in values]


async def _put_off(connection: AsyncConnection, values: Sequence[tuple[int, int, datetime]]) -> Sequence[None]:
    for number, sequence, until in values:
        later = {"tries": order_hooks.c.tries + 1, "due_at": until}
        await connection.execute(update(order_hooks).where(*_unchanged(number, sequence)).values(later))
    return [None for _ in values]
