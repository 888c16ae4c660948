"""Counters: moved in the transaction that moves the rows, never recounted."""

from collections.abc import Mapping

from sqlalchemy import Insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.bulk import Rows
from storage.database import insert_in
from storage.records import DeliveryState
from storage.schema import counters

CounterKey = tuple[int, str, str, str, str]  # step, channel, variant, sender, name


async def add_counters(connection: AsyncConnection, deltas: Mapping[CounterKey, int]) -> None:
    """Move counters, in key order so that two processes never wait for each other in a circle."""
    await _COUNTERS.insert(connection, [(*key, amount) for key, amount in sorted(deltas.items()) if amount])


def _add(dialect: str) -> Insert:
    statement = insert_in(dialect, counters)
    return statement.on_conflict_do_update(
        index_elements=list(counters.primary_key.columns),
        set_={"amount": counters.c.amount + statement.excluded.amount},
    )


_COUNTERS = Rows(
    [
        counters.c.step_id,
        counters.c.channel,
        counters.c.variant,
        counters.c.sender,
        counters.c.name,
        counters.c.amount,
    ],
    _add,
)


def count_end(
    deltas: dict[CounterKey, int], step_id: int, channel: str, state: DeliveryState, reason: str | None, amount: int = 1
) -> None:
    """A waiting delivery that ended; a negative amount puts it back."""
    deltas[step_id, channel, "", "", "waiting"] -= amount
    deltas[step_id, channel, "", "", state.value] += amount
    if reason and state in (DeliveryState.FAILED, DeliveryState.SKIPPED):
        deltas[step_id, channel, "", "", f"{state.value}:{reason}"] += amount
