"""A phone that a client shared: it goes on the card, or shows that two cards are one person."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.addresses import keep_in_step
from storage.database import insert
from storage.schema import addresses, client_tags, clients, opt_outs, subscriptions

PHONE = "phone"


async def take_phone(connection: AsyncConnection, client_id: int, phone: str, channel: str, at: datetime) -> int:
    """Keep a phone that the platform vouches for; returns the client who has it and the channel now.

    Where another card has it and has nobody on this channel, the two become that one: an imported client who found
    the way to us. Otherwise the phone stays where it is."""
    owner = await connection.scalar(
        select(addresses.c.client_id).where(addresses.c.scope == PHONE, addresses.c.external_id == phone)
    )
    if owner is None:
        await _add_phone(connection, client_id, phone, at)
    elif owner != client_id and not await _is_on(connection, owner, channel):
        await _merge(connection, client_id, owner, at)
        return int(owner)
    return client_id


async def _add_phone(connection: AsyncConnection, client_id: int, phone: str, at: datetime) -> None:
    await connection.execute(
        insert(connection, addresses).values(
            client_id=client_id,
            scope=PHONE,
            external_id=phone,
            channel=None,
            status=AddressStatus.ENABLED.value,
            status_at=at,
            created_at=at,
            details={},
        )
    )
    await connection.execute(update(clients).where(clients.c.id == client_id).values(phone=phone, updated_at=at))


async def _is_on(connection: AsyncConnection, client_id: int, channel: str) -> bool:
    found = await connection.scalar(
        select(addresses.c.id).where(addresses.c.client_id == client_id, addresses.c.channel == channel).limit(1)
    )
    return found is not None


async def _merge(connection: AsyncConnection, from_id: int, into_id: int, at: datetime) -> None:
    """Move what belongs to a card onto another one; deliveries and events stay with whom they happened to."""
    young, old = await _row(connection, from_id), await _row(connection, into_id)
    for table, column in ((client_tags, client_tags.c.tag_id), (subscriptions, subscriptions.c.source)):
        doubled = select(column).where(table.c.client_id == into_id)
        await connection.execute(delete(table).where(table.c.client_id == from_id, column.in_(doubled)))
        await connection.execute(update(table).where(table.c.client_id == from_id).values(client_id=into_id))
    for owned in (addresses, opt_outs):
        await connection.execute(update(owned).where(owned.c.client_id == from_id).values(client_id=into_id))
    names = ("name", "first_name", "last_name", "language", "timezone", "timezone_source", "email", "main_channel")
    filled = {name: young[name] for name in (*names, "external_id") if old[name] is None and young[name] is not None}
    await connection.execute(
        update(clients)
        .where(clients.c.id == from_id)
        .values(merged_into=into_id, external_id=None, main_channel=None, updated_at=at)
    )
    await connection.execute(
        update(clients)
        .where(clients.c.id == into_id)
        .values(**filled, last_seen_at=young["last_seen_at"] or old["last_seen_at"], updated_at=at)
    )
    await keep_in_step(connection, [from_id, into_id])


async def _row(connection: AsyncConnection, client_id: int) -> Any:
    row: Row[Any] = (await connection.execute(select(clients).where(clients.c.id == client_id))).one()
    return row._mapping
