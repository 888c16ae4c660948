"""Events that the user's own systems tell of clients: kept beside ours, under names that can't be taken for ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, insert
from storage.orders import Change
from storage.schema import events
from storage.writer import Writer

OWN = "own:"  # begins the type and the key


@dataclass(frozen=True, slots=True)
class OwnEvent:
    """`id` is the system's own, by which a repeat is known."""

    id: str
    type: str
    client_id: int
    occurred_at: datetime
    received_at: datetime
    delivery_id: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class OwnEvents:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def put(self, event: OwnEvent) -> Change:
        """Commit it; one that was told before changes nothing."""
        return await self._writer.write(_put, event)


async def _put(connection: AsyncConnection, values: Sequence[OwnEvent]) -> Sequence[Change]:
    outcomes = []
    for event in values:
        row = {
            "type": OWN + event.type,
            "key": OWN + event.id,
            "client_id": event.client_id,
            "delivery_id": event.delivery_id,
            "occurred_at": event.occurred_at,
            "received_at": event.received_at,
            "details": dict(event.details) or None,
        }
        statement = insert(connection, events).values(row).on_conflict_do_nothing().returning(events.c.id)
        outcomes.append(Change.UNCHANGED if await connection.scalar(statement) is None else Change.ADDED)
    return outcomes
