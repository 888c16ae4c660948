"""A mailing that went out, for tests of what clients do with it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select

from gateways.message import Message, Text, plain
from storage.schema import counters, deliveries, delivery_id, events, mailings, steps
from storage.store import Store
from tests.storage.people import NOW, add, card_of

MESSAGE = Message((Text("Hi"),))


async def sent(store: Store, client: str = "c1", *, state: str = "sent", message: Message = MESSAGE) -> int:
    """A mailing of its own that ended so for this client, who is added where there is none; returns the delivery."""
    if await store.clients.find_by_any(client) is None:
        await add(store, {"id": client, "tg-shop": f"7{client[1:]}"})
    card = await card_of(store, client)
    async with store.database.writing() as connection:
        mailing = {"name": "m", "routing": "main", "channels": [], "on_unknown": "skip", "created_by": "a|cli|"}
        mailing_id = await connection.scalar(
            insert(mailings).values(created_at=NOW, **mailing).returning(mailings.c.id)
        )
        step = {"number": 1, "status": "sent", "start": "now", "audience": {}, "message": plain(message)}
        step_id = await connection.scalar(
            insert(steps).values(mailing_id=mailing_id, launched_at=NOW, **step).returning(steps.c.id)
        )
        await connection.execute(
            insert(deliveries).values(
                step_id=step_id,
                client_id=card.id,
                channel="tg-shop",
                address_id=card.addresses[0].id,
                state=state,
                due_at=NOW,
                started_at=NOW,
                finished_at=NOW,
            )
        )
        named: int = delivery_id(step_id, card.id)
        return named


async def counted(store: Store) -> dict[str, int]:
    """Every counter that is not 0, summed over all mailings."""
    sums: Counter[str] = Counter()
    async with store.database.read() as connection:
        for row in await connection.execute(select(counters.c.name, counters.c.amount)):
            sums[row.name] += row.amount
    return {name: amount for name, amount in sums.items() if amount}


async def happened(store: Store) -> list[tuple[str, Mapping[str, Any]]]:
    """The events, oldest first: type and details."""
    async with store.database.read() as connection:
        found = await connection.execute(select(events.c.type, events.c.details).order_by(events.c.id))
        return [(row.type, row.details or {}) for row in found]
