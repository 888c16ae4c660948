"""Counters: moved in the transaction that moves the rows, never recounted."""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert_in
from storage.records import DeliveryState
from storage.schema import counters

CounterKey = tuple[int, str, str, str, str]  # step, channel, variant, sender, name


async def add_counters(connection: AsyncConnection, deltas: Mapping[CounterKey, int]) -> None:
    """Move counters, in key order so that two processes never wait for each other in a circle."""
    rows = [
        {"step_id": key[0], "channel": key[1], "variant": key[2], "sender": key[3], "name": key[4], "amount": amount}
        for key, amount in sorted(deltas.items())
        if amount
    ]
    if rows:
        await connection.execute(_add(connection.dialect.name), rows)


@cache
def _add(dialect: str) -> Executable:
    statement = insert_in(dialect, counters)
    return statement.on_conflict_do_update(
        index_elements=list(counters.primary_key.columns),
        set_={"amount": counters.c.amount + statement.excluded.amount},
    )


def count_end(
    deltas: dict[CounterKey, int], step_id: int, channel: str, state: DeliveryState, reason: str | None, amount: int = 1
) -> None:
    """A waiting delivery that ended; a negative amount puts it back."""
    deltas[step_id, channel, "", "", "waiting"] -= amount
    deltas[step_id, channel, "", "", state.value] += amount
    if reason and state in (DeliveryState.FAILED, DeliveryState.SKIPPED):
        deltas[step_id, channel, "", "", f"{state.value}:{reason}"] += amount
