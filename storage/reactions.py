"""Presses and departures, put down to the delivery that brought them: counted once a client, and each time."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.counters import CounterKey
from storage.database import insert
from storage.receipts import SETTLED, settle_unknown
from storage.records import DeliveryState
from storage.schema import addresses, deliveries, events, reactions

# Who leaves within so long after a message left because of it: as long as a click counts for in platforms/tracking.md.
LEFT_BECAUSE_OF = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Pressing:
    """A press on a button of a delivery, from an address. `kind` is the button's: message, link, buy."""

    delivery_id: int
    kind: str
    address_id: int
    event_id: int
    at: datetime


async def count_press(
    connection: AsyncConnection, pressing: Pressing, deltas: MutableMapping[CounterKey, int]
) -> Row[Any] | None:
    """Count a press on a button that we sent to this very address, and return the delivery; None for any other, which
    a forger made."""
    delivery = (
        await connection.execute(
            select(deliveries).where(
                deliveries.c.id == pressing.delivery_id,
                deliveries.c.address_id == pressing.address_id,
                deliveries.c.state.in_([state.value for state in (*SETTLED, DeliveryState.UNKNOWN)]),
            )
        )
    ).one_or_none()
    if delivery is None:
        return None
    await count_click(connection, delivery, pressing.kind, pressing.at, deltas)
    await connection.execute(
        update(events)
        .where(events.c.id == pressing.event_id)
        .values(type="clicked", step_id=delivery.step_id, delivery_id=delivery.id)
    )
    return delivery


async def count_click(
    connection: AsyncConnection, delivery: Row[Any], kind: str, at: datetime, deltas: MutableMapping[CounterKey, int]
) -> None:
    """Count a click of a person: each time, and once a client. It proves that an unknown delivery arrived.

    `kind`: link, text_link, message or buy."""
    await settle_unknown(connection, delivery, deltas)
    for name in ("any", kind):
        deltas[counter_key(delivery, f"clicks:{name}")] += 1
        if await is_first(connection, delivery, _KINDS.get(name, f"clicked:{name}"), at):
            deltas[counter_key(delivery, f"clicked:{name}")] += 1


_KINDS: Mapping[str, str] = {"any": "clicked"}  # what filters ask for


async def left_because_of(
    connection: AsyncConnection, address_id: int, at: datetime, deltas: MutableMapping[CounterKey, int]
) -> int | None:
    """The last delivery that came to an address, if that was lately; whoever leaves is counted there once."""
    owner = await connection.scalar(select(addresses.c.client_id).where(addresses.c.id == address_id))
    delivery = (
        await connection.execute(
            select(deliveries)
            .where(
                deliveries.c.client_id == owner,
                deliveries.c.address_id == address_id,
                deliveries.c.state.in_([state.value for state in SETTLED]),
                deliveries.c.finished_at > at - LEFT_BECAUSE_OF,
            )
            .order_by(deliveries.c.finished_at.desc())
            .limit(1)
        )
    ).one_or_none()
    if delivery is None:
        return None
    if await is_first(connection, delivery, "unsubscribed", at):
        deltas[counter_key(delivery, "unsubscribed")] += 1
    delivery_id: int = delivery.id
    return delivery_id


def counter_key(delivery: Row[Any], name: str) -> CounterKey:
    """The counter of what a client did with a delivery."""
    return delivery.step_id, delivery.channel, delivery.variant, delivery.sender, name


async def is_first(connection: AsyncConnection, delivery: Row[Any], kind: str, at: datetime) -> bool:
    """Whether the client did this with the step for the first time, which is kept."""
    row = {
        "step_id": delivery.step_id,
        "kind": kind,
        "client_id": delivery.client_id,
        "delivery_id": delivery.id,
        "occurred_at": at,
    }
    statement = insert(connection, reactions).values(row).on_conflict_do_nothing()
    return await connection.scalar(statement.returning(reactions.c.client_id)) is not None
