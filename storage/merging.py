"""Two cards that turn out to be one person: by a phone that the platform vouches for, a link of ours, another id, or
because somebody says so."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.addresses import keep_in_step
from storage.counters import CounterKey, add_counters
from storage.database import insert
from storage.errors import Refused, Stale, _
from storage.opting import EVERYWHERE, Revoked
from storage.records import Actor, DeliveryState
from storage.schema import (
    ATTRIBUTE_SLOTS,
    CLIENTS_IN_STEP,
    addresses,
    audit,
    client_tags,
    clients,
    deliveries,
    opt_outs,
    subscriptions,
)

PHONE = "phone"
SAME_CLIENT = "same_client"  # the reason of a delivery that another card of the client has already

_NAMES = ("name", "first_name", "last_name", "language", "timezone", "timezone_source", "email", "main_channel")
_MAY_HAVE_IT = (
    DeliveryState.SENDING,
    DeliveryState.SENT,
    DeliveryState.DELIVERED,
    DeliveryState.READ,
    DeliveryState.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class Joining:
    """Somebody says that two cards are one client; `into_id` stays, and its own values stand above the other's."""

    from_id: int
    into_id: int
    at: datetime
    by: Actor


async def join_cards(connection: AsyncConnection, values: Sequence[Joining]) -> Sequence[Sequence[Revoked]]:
    """Merge because somebody says so; returns the addresses that nothing goes to any more. Where the user's own system
    knows both, each of its ids leads to the card that stays."""
    return [await _join(connection, value) for value in values]


async def _join(connection: AsyncConnection, value: Joining) -> Sequence[Revoked]:
    if value.from_id == value.into_id:
        raise Refused(_("That is the same card."))
    standing = (clients.c.erased_at.is_(None), clients.c.merged_into.is_(None))
    found = await connection.scalars(
        select(clients.c.id).where(clients.c.id.in_([value.from_id, value.into_id]), *standing)
    )
    if len(list(found)) != 2:
        raise Stale(_("One of these cards was merged or erased in between."))
    revoked = await _merge(connection, value.from_id, value.into_id, value.at)
    await connection.execute(
        insert(connection, audit).values(
            at=value.at,
            actor=str(value.by),
            verb="merge",
            subject=f"client {value.into_id}",
            details={"from": value.from_id},
        )
    )
    return revoked


async def cards_of_client(connection: AsyncConnection, client_id: int) -> list[int]:
    """The card and every one that was merged into it: what happened to the client stands under all of them."""
    found = [client_id]
    fresh = [client_id]
    while fresh:
        looked = await connection.scalars(
            select(clients.c.id).where(clients.c.merged_into.is_not(None), clients.c.merged_into.in_(fresh))
        )
        fresh = [one for one in looked if one not in found]
        found += fresh
    return found


async def take_phone(connection: AsyncConnection, client_id: int, phone: str, channel: str, at: datetime) -> int:
    """Keep a phone that the platform vouches for; returns the client who has it and the channel now.

    Where another card has it and has nobody on this channel, the two become that one: an imported client who found
    the way to us. Otherwise the phone stays where it is."""
    owner = await connection.scalar(
        select(addresses.c.client_id).where(addresses.c.scope == PHONE, addresses.c.external_id == phone)
    )
    if owner is None:
        await _add_phone(connection, client_id, phone, at)
    elif owner != client_id and not await is_on(connection, owner, channel):
        return int(owner) if await merge_cards(connection, client_id, owner, at) else client_id
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


async def is_on(connection: AsyncConnection, client_id: int, channel: str) -> bool:
    """Whether the client has an address on the channel."""
    found = await connection.scalar(
        select(addresses.c.id).where(addresses.c.client_id == client_id, addresses.c.channel == channel).limit(1)
    )
    return found is not None


async def merge_cards(connection: AsyncConnection, from_id: int, into_id: int, at: datetime) -> bool:
    """Move what belongs to a card onto another one; deliveries and events stay with whom they happened to.

    False, and nothing moves, where the user's own system knows them as two."""
    known = select(func.count(clients.c.external_id)).where(clients.c.id.in_([from_id, into_id]))
    if await connection.scalar(known) == 2:
        return False
    await _merge(connection, from_id, into_id, at)
    return True


async def _merge(connection: AsyncConnection, from_id: int, into_id: int, at: datetime) -> Sequence[Revoked]:
    young, old = await _row(connection, from_id), await _row(connection, into_id)
    for table, column in ((client_tags, client_tags.c.tag_id), (subscriptions, subscriptions.c.source)):
        doubled = select(column).where(table.c.client_id == into_id)
        await connection.execute(delete(table).where(table.c.client_id == from_id, column.in_(doubled)))
        await connection.execute(update(table).where(table.c.client_id == from_id).values(client_id=into_id))
    for owned in (addresses, opt_outs):
        await connection.execute(update(owned).where(owned.c.client_id == from_id).values(client_id=into_id))
    revoked = await _share(connection, into_id, at)
    await _skip_doubles(connection, from_id, into_id, at)
    filled = {name: young[name] for name in (*_NAMES, "external_id", "phone") if old[name] is None and young[name]}
    for slot in range(ATTRIBUTE_SLOTS):
        if old[f"text_{slot}"] is None and young[f"text_{slot}"] is not None:
            filled |= {f"{kind}_{slot}": young[f"{kind}_{slot}"] for kind in ("text", "number")}
    left = {"merged_into": into_id, "main_channel": None, "updated_at": at}
    if "external_id" in filled:
        left["external_id"] = None  # an id of a card that stays behind goes on leading to the other one
    await connection.execute(update(clients).where(clients.c.id == from_id).values(left))
    for name in ("last_seen_at", "last_wrote_at"):
        filled[name] = max(filter(None, (young[name], old[name])), default=None)
    await connection.execute(update(clients).where(clients.c.id == into_id).values(**filled, updated_at=at))
    await connection.execute(  # so that every card leads straight to the one that stays
        update(clients)
        .where(clients.c.merged_into.is_not(None), clients.c.merged_into == from_id)
        .values(merged_into=into_id)
    )
    await keep_in_step(connection, [from_id, into_id])
    return revoked


async def _row(connection: AsyncConnection, client_id: int) -> Any:
    row: Row[Any] = (await connection.execute(select(clients).where(clients.c.id == client_id))).one()
    return row._mapping


async def _share(connection: AsyncConnection, client_id: int, at: datetime) -> Sequence[Revoked]:
    """What holds for one address of a channel holds for the others: an opt-out, and the window. Returns the addresses
    that an opt-out reached now."""
    out = (
        select(opt_outs.c.id)
        .where(
            opt_outs.c.client_id == client_id,
            opt_outs.c.ended_at.is_(None),
            or_(opt_outs.c.scope == EVERYWHERE, opt_outs.c.scope == addresses.c.channel),
        )
        .correlate(addresses)
    )
    mine = (addresses.c.client_id == client_id, addresses.c.channel.is_not(None))
    reached = await connection.execute(
        update(addresses)
        .where(*mine, out.exists(), addresses.c.status != AddressStatus.UNSUBSCRIBED.value)
        .values(status=AddressStatus.UNSUBSCRIBED.value, status_reason="merged", status_at=at)
        .returning(addresses.c.channel, addresses.c.id)
    )
    revoked = [Revoked(row.channel, row.id) for row in reached]
    other = addresses.alias()
    last = (
        select(func.max(other.c.last_wrote_at))
        .where(other.c.client_id == client_id, other.c.channel == addresses.c.channel)
        .correlate(addresses)
        .scalar_subquery()
    )
    await connection.execute(update(addresses).where(*mine).values(last_wrote_at=last))
    return revoked


async def _skip_doubles(connection: AsyncConnection, from_id: int, into_id: int, at: datetime) -> None:
    """Of a mailing that was planned for both cards only one goes out."""
    theirs = deliveries.alias()
    pairs = await connection.execute(
        select(deliveries, theirs.c.id.label("other_id"), theirs.c.state.label("other_state"))
        .join(theirs, theirs.c.id == deliveries.c.step_id * CLIENTS_IN_STEP + into_id)
        .where(
            deliveries.c.client_id == from_id,
            or_(deliveries.c.state == DeliveryState.PLANNED.value, theirs.c.state == DeliveryState.PLANNED.value),
        )
    )
    deltas: dict[CounterKey, int] = defaultdict(int)
    for row in pairs.all():
        waits, other_waits = row.state == DeliveryState.PLANNED, row.other_state == DeliveryState.PLANNED
        if waits and (other_waits or row.other_state in _MAY_HAVE_IT):
            await _skip(connection, row.id, at, deltas)
        elif other_waits and row.state in _MAY_HAVE_IT:
            await _skip(connection, row.other_id, at, deltas)
    await add_counters(connection, deltas)


async def _skip(connection: AsyncConnection, delivery_id: int, at: datetime, deltas: dict[CounterKey, int]) -> None:
    skipped = (
        await connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id, deliveries.c.state == DeliveryState.PLANNED.value)
            .values(state=DeliveryState.SKIPPED.value, reason=SAME_CLIENT, finished_at=at)
            .returning(deliveries.c.step_id, deliveries.c.channel)
        )
    ).one_or_none()
    if skipped is not None:
        for name, amount in (("waiting", -1), ("skipped", 1), (f"skipped:{SAME_CLIENT}", 1)):
            deltas[skipped.step_id, skipped.channel, "", "", name] += amount
