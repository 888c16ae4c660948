"""Opting out and coming back: the rows that prove it, the addresses that obey it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.addresses import AddressChange, change_addresses, keep_in_step
from storage.database import insert
from storage.errors import Refused, _
from storage.records import Actor
from storage.schema import addresses, audit, opt_outs

EVERYWHERE = "all"


@dataclass(frozen=True, slots=True)
class OptOut:
    """A client wants no mailings on a channel, or with scope "all" on none."""

    client_id: int
    scope: str
    source: str  # keyword, platform, person, page, import
    at: datetime
    delivery_id: int | None = None
    by: Actor | None = None


@dataclass(frozen=True, slots=True)
class Revoked:
    """An address to which nothing may go any more."""

    channel: str
    address_id: int


async def opt_out(connection: AsyncConnection, values: Sequence[OptOut]) -> Sequence[Sequence[Revoked]]:
    """Disable the addresses and keep a row of it; an opt-out that stands already is not written twice."""
    return [await _opt_out(connection, value) for value in values]


async def _opt_out(connection: AsyncConnection, value: OptOut) -> Sequence[Revoked]:
    concerned = update(addresses).where(
        addresses.c.client_id == value.client_id, addresses.c.status != AddressStatus.UNSUBSCRIBED.value
    )
    if value.scope != EVERYWHERE:
        concerned = concerned.where(addresses.c.channel == value.scope)
    revoked = (
        await connection.execute(
            concerned.values(
                status=AddressStatus.UNSUBSCRIBED.value, status_reason=value.source, status_at=value.at
            ).returning(addresses.c.id, addresses.c.channel)
        )
    ).all()
    if not await stands(connection, value.client_id, value.scope):
        await connection.execute(
            insert(connection, opt_outs).values(
                client_id=value.client_id,
                scope=value.scope,
                source=value.source,
                delivery_id=value.delivery_id,
                occurred_at=value.at,
            )
        )
    if value.by is not None:
        await _write_audit(connection, "opt_out", value.client_id, value.at, value.by, {"scope": value.scope})
    await keep_in_step(connection, [value.client_id])
    return [Revoked(row.channel, row.id) for row in revoked if row.channel is not None]


@dataclass(frozen=True, slots=True)
class OptIn:
    """Somebody says that a client wants mailings again on a channel, or with scope "all" on every one."""

    client_id: int
    scope: str
    reason: str
    at: datetime
    by: Actor


async def opt_in(connection: AsyncConnection, values: Sequence[OptIn]) -> Sequence[Sequence[str]]:
    """Enable the addresses and end the opt-outs; returns the channels that mailings come by again.

    Where the client left by the messenger itself, the messenger lets nobody in but the client: that stays."""
    return [await _opt_in(connection, value) for value in values]


async def _opt_in(connection: AsyncConnection, value: OptIn) -> Sequence[str]:
    concerned = [
        addresses.c.client_id == value.client_id,
        addresses.c.channel.is_not(None),
        addresses.c.status == AddressStatus.UNSUBSCRIBED.value,
        addresses.c.status_reason.is_distinct_from("platform"),
    ]
    if value.scope != EVERYWHERE:
        concerned.append(addresses.c.channel == value.scope)
    enabled = await connection.scalars(
        update(addresses)
        .where(*concerned)
        .values(status=AddressStatus.ENABLED.value, status_reason="person", status_at=value.at)
        .returning(addresses.c.channel)
    )
    back = sorted({channel for channel in enabled if channel})
    lasting = [
        opt_outs.c.client_id == value.client_id,
        opt_outs.c.ended_at.is_(None),
        opt_outs.c.source != "platform",
    ]
    if value.scope != EVERYWHERE:
        lasting.append(opt_outs.c.scope == value.scope)
    if not back and await connection.scalar(select(opt_outs.c.id).where(*lasting).limit(1)) is None:
        raise Refused(
            _("Nothing to bring back there: who left by the messenger itself can only come back there by themselves.")
        )
    if value.scope == EVERYWHERE:
        await connection.execute(update(opt_outs).where(*lasting).values(ended_at=value.at))
    else:
        await end_opt_outs(connection, value.client_id, value.scope, value.at)
    details = {"scope": value.scope, "reason": value.reason}
    await _write_audit(connection, "opt_in", value.client_id, value.at, value.by, details)
    await keep_in_step(connection, [value.client_id])
    return back


async def note_statuses(connection: AsyncConnection, changes: Sequence[AddressChange]) -> Sequence[Revoked]:
    """Note what a platform told of addresses, as `change_addresses`; that a client left is kept as an opt-out."""
    if not changes:
        return ()
    out = {change.address_id: change.at for change in changes if change.status is AddressStatus.UNSUBSCRIBED}
    others = [change for change in changes if change.address_id not in out]
    if others:
        await change_addresses(connection, others)
    looked = await connection.execute(
        select(addresses.c.id, addresses.c.client_id, addresses.c.channel, addresses.c.status)
        .where(addresses.c.id.in_({change.address_id for change in changes}), addresses.c.channel.is_not(None))
        .order_by(addresses.c.id)
    )
    rows = looked.all()
    left = [
        OptOut(row.client_id, row.channel, "platform", out[row.id])
        for row in rows
        if row.id in out and row.status != AddressStatus.UNSUBSCRIBED
    ]
    revoked = [address for some in await opt_out(connection, left) for address in some]
    lost = [row for row in rows if row.id not in out and row.status != AddressStatus.ENABLED]
    return [*revoked, *(Revoked(row.channel, row.id) for row in lost)]


async def not_overtaken(connection: AsyncConnection, changes: Sequence[AddressChange]) -> Sequence[AddressChange]:
    """Those after which the client has done nothing that says otherwise: what is told late may be true no more."""
    if not changes:
        return ()
    looked = await connection.execute(
        select(addresses.c.id, addresses.c.status_at, addresses.c.last_wrote_at).where(
            addresses.c.id.in_({change.address_id for change in changes})
        )
    )
    since = {row.id: max(row.status_at, row.last_wrote_at or row.status_at) for row in looked}
    return [change for change in changes if change.address_id in since and change.at >= since[change.address_id]]


async def _write_audit(
    connection: AsyncConnection, verb: str, client_id: int, at: datetime, by: Actor, details: Mapping[str, str]
) -> None:
    await connection.execute(
        insert(connection, audit).values(
            at=at, actor=str(by), verb=verb, subject=f"client {client_id}", details=dict(details)
        )
    )


async def stands(connection: AsyncConnection, client_id: int, *scopes: str) -> bool:
    """Whether the client has opted out of one of these scopes and not come back."""
    found = await connection.scalar(
        select(opt_outs.c.id)
        .where(opt_outs.c.client_id == client_id, opt_outs.c.scope.in_(scopes), opt_outs.c.ended_at.is_(None))
        .limit(1)
    )
    return found is not None


async def end_opt_outs(connection: AsyncConnection, client_id: int, channel: str, at: datetime) -> None:
    """The client came back on a channel: an opt-out of everything ends too, and goes on for the other channels.

    The caller enables the address and keeps the card in step."""
    everywhere = await stands(connection, client_id, EVERYWHERE)
    await connection.execute(
        update(opt_outs)
        .where(
            opt_outs.c.client_id == client_id,
            opt_outs.c.scope.in_([channel, EVERYWHERE]),
            opt_outs.c.ended_at.is_(None),
        )
        .values(ended_at=at)
    )
    if not everywhere:
        return
    others = await connection.scalars(
        select(addresses.c.channel)
        .where(
            addresses.c.client_id == client_id,
            addresses.c.channel.is_not(None),
            addresses.c.channel != channel,
            addresses.c.status == AddressStatus.UNSUBSCRIBED.value,
        )
        .distinct()
    )
    rows = [
        {"client_id": client_id, "scope": other, "source": "person", "occurred_at": at} for other in others if other
    ]
    if rows:
        await connection.execute(insert(connection, opt_outs), rows)
