"""A client's own data: handed out whole, or forgotten for good."""

import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, cast, delete, literal, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.addresses import keep_in_step
from storage.database import insert
from storage.errors import NotFound, _
from storage.merging import cards_of_client
from storage.opting import Revoked
from storage.records import Actor, ClientCard
from storage.schema import (
    ATTRIBUTE_SLOTS,
    addresses,
    audit,
    client_tags,
    clients,
    deliveries,
    erased_addresses,
    events,
    notices,
    opt_outs,
    orders,
    own_links,
    parts,
    receipts,
    steps,
    subscriptions,
)

ID_SCOPE = "id"  # under which the client's id in the user's own system is hashed
_FORGOTTEN = (
    "external_id",
    "name",
    "first_name",
    "last_name",
    "phone",
    "email",
    "language",
    "timezone",
    "timezone_source",
    "main_channel",
    "last_seen_at",
    "last_wrote_at",
    *(f"text_{slot}" for slot in range(ATTRIBUTE_SLOTS)),
    *(f"number_{slot}" for slot in range(ATTRIBUTE_SLOTS)),
)


@dataclass(frozen=True, slots=True)
class Erasure:
    client_id: int
    secret: bytes
    at: datetime
    by: Actor


def hash_address(secret: bytes, scope: str, external_id: str) -> bytes:
    """What is left of an erased address: nobody without the secret can tell whose it was."""
    return hmac.new(secret, f"erased\0{scope}\0{external_id}".encode(), hashlib.sha256).digest()


async def erased_among(connection: AsyncConnection, hashes: Collection[bytes]) -> set[bytes]:
    """Those of the hashes that were erased."""
    if not hashes:
        return set()
    return set(await connection.scalars(select(erased_addresses.c.hash).where(erased_addresses.c.hash.in_(hashes))))


async def is_anybody_erased(connection: AsyncConnection) -> bool:
    return await connection.scalar(select(erased_addresses.c.erased_at).limit(1)) is not None


async def erase(connection: AsyncConnection, values: Sequence[Erasure]) -> Sequence[Sequence[Revoked]]:
    return [await _erase(connection, value) for value in values]


async def _erase(connection: AsyncConnection, value: Erasure) -> Sequence[Revoked]:
    """Rows that statistics count stay, without a word of whom they were about."""
    ids = await cards_of_client(connection, value.client_id)
    cards = (await connection.execute(select(clients.c.id, clients.c.external_id).where(clients.c.id.in_(ids)))).all()
    if not cards:
        raise NotFound(_("There is no client {client}."), client=value.client_id)
    owned = (await connection.execute(select(addresses).where(addresses.c.client_id.in_(ids)))).all()
    names = [(row.scope, row.external_id) for row in owned if row.status_reason != "erased"]
    names += [(ID_SCOPE, card.external_id) for card in cards if card.external_id is not None]
    if names:
        await connection.execute(
            insert(connection, erased_addresses).on_conflict_do_nothing(),
            [{"hash": hash_address(value.secret, *name), "erased_at": value.at} for name in names],
        )
    await connection.execute(
        update(addresses)
        .where(addresses.c.client_id.in_(ids))
        .values(
            external_id=literal("erased:") + cast(addresses.c.id, Text),
            status=AddressStatus.GONE.value,
            status_reason="erased",
            status_at=value.at,
            last_wrote_at=None,
            details={},
        )
    )
    await connection.execute(delete(client_tags).where(client_tags.c.client_id.in_(ids)))
    await connection.execute(delete(subscriptions).where(subscriptions.c.client_id.in_(ids)))
    own = select(deliveries.c.id).where(deliveries.c.client_id.in_(ids))
    await connection.execute(delete(own_links).where(own_links.c.delivery_id.in_(own)))
    # Of messages that many share a name of, only what was said of this client goes.
    named = select(parts.c.channel, parts.c.external_id).where(
        parts.c.delivery_id.in_(own), parts.c.external_id.is_not(None)
    )
    said = or_(receipts.c.address.is_(None), receipts.c.address.in_([row.external_id for row in owned]))
    await connection.execute(
        delete(receipts).where(tuple_(receipts.c.channel, receipts.c.external_id).in_(named), said)
    )
    # Some platforms name a message by its chat or its phone number, and so do keys that are made of that.
    await connection.execute(update(parts).where(parts.c.delivery_id.in_(own)).values(external_id=None, details=None))
    nameless = literal("erased:") + cast(events.c.id, Text)
    await connection.execute(update(events).where(events.c.client_id.in_(ids)).values(details=None, key=nameless))
    wrote = and_(notices.c.kind == "client_wrote", notices.c.details["client"].as_integer().in_(ids))
    await connection.execute(delete(notices).where(wrote))
    await connection.execute(
        update(clients)
        .where(clients.c.id.in_(ids))
        .values(erased_at=value.at, updated_at=value.at, **dict.fromkeys(_FORGOTTEN))
    )
    await keep_in_step(connection, ids)
    # What somebody typed about the client, such as why mailings come again.
    typed = audit.c.subject.in_([f"client {one}" for one in ids])
    await connection.execute(update(audit).where(typed).values(details={}))
    await connection.execute(
        insert(connection, audit).values(
            at=value.at, actor=str(value.by), verb="erase", subject=f"client {value.client_id}", details={}
        )
    )
    return [Revoked(row.channel, row.id) for row in owned if row.channel is not None]


async def export_client(connection: AsyncConnection, card: ClientCard) -> dict[str, Any]:
    """Everything that stands about a client, as plain data."""
    ids = await cards_of_client(connection, card.id)
    return {
        "id": card.id,
        "external_id": card.external_id,
        "name": card.name,
        "first_name": card.first_name,
        "last_name": card.last_name,
        "language": card.language,
        "timezone": card.timezone,
        "main_channel": card.main_channel,
        "created_at": card.created_at.isoformat(),
        "last_seen_at": card.last_seen_at.isoformat() if card.last_seen_at else None,
        "tags": list(card.tags),
        "attributes": dict(card.attributes),
        "addresses": await _listed(connection, addresses, ids, "id", "client_id"),
        "subscribed_to": await _listed(connection, subscriptions, ids, "source", "client_id"),
        "opt_outs": await _listed(connection, opt_outs, ids, "id", "client_id"),
        "events": await _listed(connection, events, ids, "id", "client_id", "key"),
        "orders": await _listed(connection, orders, ids, "id", "client_id"),
        "deliveries": await _deliveries(connection, ids),
    }


async def _listed(
    connection: AsyncConnection, table: Any, ids: Sequence[int], order: str, *hidden: str
) -> list[dict[str, Any]]:
    columns = [column for column in table.columns if column.name not in hidden]
    found = await connection.execute(select(*columns).where(table.c.client_id.in_(ids)).order_by(table.c[order]))
    return [{name: _plain(value) for name, value in row._mapping.items()} for row in found]


async def _deliveries(connection: AsyncConnection, ids: Sequence[int]) -> list[dict[str, Any]]:
    wanted = (
        select(
            steps.c.mailing_id,
            deliveries.c.channel,
            deliveries.c.state,
            deliveries.c.reason,
            deliveries.c.started_at,
            deliveries.c.finished_at,
        )
        .join(steps, steps.c.id == deliveries.c.step_id)
        .where(deliveries.c.client_id.in_(ids))
        .order_by(deliveries.c.id)
    )
    return [{name: _plain(value) for name, value in row._mapping.items()} for row in await connection.execute(wanted)]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | bool | dict | list) else str(value)
