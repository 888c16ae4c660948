"""Addresses, and what the card repeats of them: both change in one transaction, here and nowhere else."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ScalarSelect, Text, bindparam, case, cast, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from gateways.base import AddressStatus
from storage.audit import Audited, write_audit
from storage.errors import Stale, _
from storage.records import Actor
from storage.schema import addresses, client_tags, clients, subscriptions

_AT_ONCE = 5000  # ids in one statement


@dataclass(frozen=True, slots=True)
class AddressChange:
    """An address that turned out blocked or gone, or enabled after all."""

    address_id: int
    status: AddressStatus
    reason: str
    at: datetime


async def change_addresses(connection: AsyncConnection, changes: Sequence[AddressChange]) -> None:
    """Note what a send or the platform told of addresses; the last change of an address wins.

    An opt-out stays whatever is told: only the client's own START ends it (see storage.inbound)."""
    await connection.execute(
        update(addresses)
        .where(addresses.c.id == bindparam("address"), addresses.c.status != AddressStatus.UNSUBSCRIBED.value)
        .values(status=bindparam("new_status"), status_reason=bindparam("new_reason"), status_at=bindparam("new_at")),
        [
            {
                "address": change.address_id,
                "new_status": change.status.value,
                "new_reason": change.reason or None,
                "new_at": change.at,
            }
            for change in changes
        ],
    )
    await keep_in_step(connection, await owners(connection, {change.address_id for change in changes}))


async def owners(connection: AsyncConnection, address_ids: Collection[int]) -> set[int]:
    """The clients whose addresses these are."""
    return set(
        await connection.scalars(select(addresses.c.client_id).where(addresses.c.id.in_(address_ids)).distinct())
    )


async def move_address(connection: AsyncConnection, address_id: int, new_address: str) -> None:
    """The platform gave the chat another id. Where that one is known already, it serves and the old one is gone."""
    old = (await connection.execute(select(addresses).where(addresses.c.id == address_id))).one_or_none()
    if old is None:
        return
    known = await connection.scalar(
        select(addresses.c.id).where(addresses.c.scope == old.scope, addresses.c.external_id == new_address)
    )
    if known is None:
        await connection.execute(update(addresses).where(addresses.c.id == address_id).values(external_id=new_address))
        return
    if known != address_id:
        # It may have been a mere name of the client's, which no channel reached.
        took_over = {"channel": old.channel, "status": old.status, "last_wrote_at": old.last_wrote_at}
        await connection.execute(
            update(addresses).where(addresses.c.id == known, addresses.c.channel.is_(None)).values(took_over)
        )
        await connection.execute(
            update(addresses)
            .where(addresses.c.id == address_id)
            .values(status=AddressStatus.GONE.value, status_reason="moved")
        )
        await keep_in_step(connection, await owners(connection, [address_id, known]))


@dataclass(frozen=True, slots=True)
class MainChannel:
    client_id: int
    channel: str
    at: datetime
    by: Actor


async def set_main_channels(connection: AsyncConnection, values: Sequence[MainChannel]) -> Sequence[None]:
    """Which of its channels a client is reached by; raises Stale for one that has no address of theirs."""
    for value in values:
        is_there = select(addresses.c.id).where(
            addresses.c.client_id == value.client_id, addresses.c.channel == value.channel
        )
        standing = (clients.c.id == value.client_id, clients.c.erased_at.is_(None), clients.c.merged_into.is_(None))
        changed = (
            update(clients)
            .where(*standing, is_there.exists())
            .values(main_channel=value.channel, updated_at=value.at)
            .returning(clients.c.id)
        )
        if await connection.scalar(changed) is None:
            raise Stale(_("The client is not on {channel} any more."), channel=value.channel)
        details = {"main_channel": value.channel}
        audited = Audited(value.at, value.by, "main_channel", subject=f"client {value.client_id}", details=details)
        await write_audit(connection, audited, None)
    await keep_in_step(connection, {value.client_id for value in values})
    return [None] * len(values)


async def keep_in_step(connection: AsyncConnection, client_ids: Collection[int]) -> None:
    """Write on the cards what their addresses, tags and subscriptions are now.

    A client without a main channel gets that of the first address."""
    ids = sorted(client_ids)
    for start in range(0, len(ids), _AT_ONCE):
        await connection.execute(_KEEP.where(clients.c.id.in_(ids[start : start + _AT_ONCE])))


def _first_channel() -> ScalarSelect[Any]:
    return (
        select(addresses.c.channel)
        .where(addresses.c.client_id == clients.c.id, addresses.c.channel.is_not(None))
        .order_by(addresses.c.id)
        .limit(1)
        .correlate(clients)
        .scalar_subquery()
    )


def _main(column: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Of the main channel's address; where there are several, of the newest enabled one."""
    return (
        select(column)
        .where(
            addresses.c.client_id == clients.c.id,
            addresses.c.channel == func.coalesce(clients.c.main_channel, _first_channel()),
        )
        .order_by(case((addresses.c.status == AddressStatus.ENABLED.value, 0), else_=1), addresses.c.id.desc())
        .limit(1)
        .correlate(clients)
        .scalar_subquery()
    )


def _listed(column: ColumnElement[Any], owner: ColumnElement[Any], mark: str) -> ColumnElement[Any]:
    """The values, each with the mark on both sides; the mark alone where there are none."""
    joined = select(func.aggregate_strings(column, mark)).where(owner == clients.c.id).correlate(clients)
    return func.coalesce(literal(mark) + joined.scalar_subquery() + mark, mark)


_KEEP = update(clients).values(
    main_channel=func.coalesce(clients.c.main_channel, _first_channel()),
    main_address_id=_main(addresses.c.id),
    main_status=func.coalesce(_main(addresses.c.status), "none"),
    reach=_listed(addresses.c.channel + "=" + addresses.c.status, addresses.c.client_id, "|"),
    tags=_listed(cast(client_tags.c.tag_id, Text), client_tags.c.client_id, ","),
    sources=_listed(func.replace(subscriptions.c.source, "|", "/"), subscriptions.c.client_id, "|"),
)
