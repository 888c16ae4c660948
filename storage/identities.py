"""Whose address something came from: found by any id of the client's, made where it is new, tied to the card that a
phone or a link of ours names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus, Inbound, Pressed, Profile, Subscribed, Wrote
from storage.database import insert
from storage.erasing import hash_address
from storage.merging import is_on, merge_cards, take_phone
from storage.opting import EVERYWHERE, stands
from storage.schema import addresses, clients, erased_addresses

_LEFT_THERE = ("keyword", "platform")  # sources of an opt-out that came from the channel itself
_MERGES = 10  # that are followed from one card to the next


@dataclass(slots=True)
class Known:
    """The address that something came from, and the client that it belongs to."""

    id: int
    client_id: int
    status: AddressStatus
    language: str | None = None
    phone: str | None = None
    left_at: datetime | None = None  # by the platform's clock, where the client left there


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something that came in on a channel. `secret` keys the hashes of erased addresses."""

    channel: str
    inbound: Inbound
    received_at: datetime
    secret: bytes

    @property
    def address(self) -> str:
        return self.inbound.address

    @property
    def profile(self) -> Profile:
        return profile_of(self.inbound)


def profile_of(inbound: Inbound) -> Profile:
    return inbound.profile if isinstance(inbound, Subscribed | Wrote | Pressed) else Profile()


async def find_known(connection: AsyncConnection, arrival: Arrival) -> Known | None:
    """The client who has this address, or another id that the platform says is the same client's: then it becomes a
    further address of the card. Cards that turn out to be one are merged."""
    names = _names(arrival)
    rows = (await connection.execute(_look(arrival.channel, names))).all()
    if not rows:
        return None
    client_id = await _one_client(connection, rows, arrival)
    by_name = {row.external_id: row for row in rows}
    own = by_name.get(arrival.address)
    if own is not None and own.channel is not None:
        status = AddressStatus(own.status)
        left = status is AddressStatus.UNSUBSCRIBED and own.status_reason in _LEFT_THERE
        known = Known(own.id, client_id, status, own.language, own.phone, own.status_at if left else None)
    else:
        known = await _add_address(connection, arrival, client_id, rows[0])
    await _keep_names(connection, arrival, client_id, [name for name in names if name not in by_name])
    return known


async def make_client(connection: AsyncConnection, arrival: Arrival) -> Known:
    """A card for somebody whom we did not know; who was erased and comes again begins anew."""
    profile = arrival.profile
    await _begin_anew(connection, arrival)
    client_id: int = (
        await connection.execute(
            insert(connection, clients)
            .values(
                first_name=clean(profile.first_name),
                last_name=clean(profile.last_name),
                name=clean(full_name(profile)),
                language=clean(profile.language),
                main_channel=arrival.channel,
                created_at=arrival.received_at,
                updated_at=arrival.received_at,
            )
            .returning(clients.c.id)
        )
    ).scalar_one()
    known = Known(
        await _insert_address(connection, arrival, client_id, AddressStatus.ENABLED),
        client_id,
        AddressStatus.ENABLED,
        profile.language,
    )
    await _keep_names(connection, arrival, client_id, _names(arrival)[1:])
    return known


async def note_phone(connection: AsyncConnection, arrival: Arrival, known: Known) -> None:
    """The phone under which the platform knows the client: it goes on the card, or finds the card that has it."""
    phone = arrival.profile.phone
    if phone and phone != known.phone:
        at = arrival.inbound.occurred_at
        known.client_id = await take_phone(connection, known.client_id, phone, arrival.channel, at)


async def bind(connection: AsyncConnection, arrival: Arrival, known: Known | None, client_id: int) -> Known | None:
    """The client whose own link was opened is who came: the address belongs to that card.

    Somebody who is on the channel under another address has handed the link on: then it binds nothing."""
    owner = await _standing(connection, client_id)
    if owner is None or (known is not None and known.client_id == owner.id):
        return known
    if await is_on(connection, owner.id, arrival.channel):
        return known
    if known is None:
        await _begin_anew(connection, arrival)
        known = await _add_address(connection, arrival, owner.id, owner)
        await _keep_names(connection, arrival, owner.id, _names(arrival)[1:])
    elif await merge_cards(connection, known.client_id, owner.id, arrival.inbound.occurred_at):
        known.client_id, known.status = owner.id, await _status(connection, known.id)
    return known


# --- inside ----------------------------------------------------------------------------------------------------------


def _names(arrival: Arrival) -> Sequence[str]:
    return list(dict.fromkeys([arrival.address, *filter(None, arrival.profile.other_ids)]))


def _look(channel: str, names: Sequence[str]) -> Any:
    return (
        select(
            addresses.c.id,
            addresses.c.external_id,
            addresses.c.client_id,
            addresses.c.status,
            addresses.c.status_reason,
            addresses.c.status_at,
            addresses.c.channel,
            clients.c.language,
            clients.c.phone,
            clients.c.external_id.label("its_id"),
        )
        .join(clients, clients.c.id == addresses.c.client_id)
        .where(addresses.c.scope == channel, addresses.c.external_id.in_(names))
        .order_by(clients.c.external_id.is_(None), addresses.c.id)
    )


async def _one_client(connection: AsyncConnection, rows: Sequence[Row[Any]], arrival: Arrival) -> int:
    """The client of all these ids: the card that the user's own system knows, else the oldest. Where it knows several,
    they stay apart and the address's own counts."""
    own = next((row.client_id for row in rows if row.external_id == arrival.address), rows[0].client_id)
    keep: int = rows[0].client_id
    for other in dict.fromkeys(row.client_id for row in rows if row.client_id != keep):
        merged = await merge_cards(connection, other, keep, arrival.inbound.occurred_at)
        own = keep if merged and other == own else own
    return int(own)


async def _add_address(connection: AsyncConnection, arrival: Arrival, client_id: int, card: Any) -> Known:
    """A further address of the card; an opt-out reaches it too."""
    out = await stands(connection, client_id, arrival.channel, EVERYWHERE)
    status = AddressStatus.UNSUBSCRIBED if out else AddressStatus.ENABLED
    address_id = await _insert_address(connection, arrival, client_id, status)
    return Known(address_id, client_id, status, card.language, card.phone)


async def _insert_address(connection: AsyncConnection, arrival: Arrival, client_id: int, status: AddressStatus) -> int:
    """Its id; one that stood there as a mere name becomes an address."""
    username = clean(arrival.profile.username)
    statement = insert(connection, addresses).values(
        client_id=client_id,
        scope=arrival.channel,
        external_id=arrival.address,
        channel=arrival.channel,
        status=status.value,
        status_at=arrival.inbound.occurred_at,
        created_at=arrival.received_at,
        details={"username": username} if username else {},
    )
    taken = ("client_id", "channel", "status", "status_at", "details")
    kept = statement.on_conflict_do_update(
        index_elements=["external_id", "scope"], set_={name: statement.excluded[name] for name in taken}
    )
    address_id: int = (await connection.execute(kept.returning(addresses.c.id))).scalar_one()
    return address_id


async def _keep_names(connection: AsyncConnection, arrival: Arrival, client_id: int, names: Sequence[str]) -> None:
    """Other ids of the client's: something may come from them alone one day. No channel reaches them before."""
    rows: list[dict[str, Any]] = [
        {
            "client_id": client_id,
            "scope": arrival.channel,
            "external_id": name,
            "channel": None,
            "status": AddressStatus.ENABLED.value,
            "status_at": arrival.inbound.occurred_at,
            "created_at": arrival.received_at,
            "details": {},
        }
        for name in names
    ]
    if rows:
        await connection.execute(insert(connection, addresses).on_conflict_do_nothing(), rows)


async def _begin_anew(connection: AsyncConnection, arrival: Arrival) -> None:
    hashes = [hash_address(arrival.secret, arrival.channel, name) for name in _names(arrival)]
    await connection.execute(delete(erased_addresses).where(erased_addresses.c.hash.in_(hashes)))


async def _standing(connection: AsyncConnection, client_id: int) -> Any:
    """The card, or the one that it was merged into; None where the client was erased."""
    for _merge in range(_MERGES):
        row = (
            await connection.execute(
                select(
                    clients.c.id, clients.c.merged_into, clients.c.erased_at, clients.c.language, clients.c.phone
                ).where(clients.c.id == client_id)
            )
        ).one_or_none()
        if row is None or row.merged_into is None:
            return row if row is not None and row.erased_at is None else None
        client_id = row.merged_into
    return None


async def _status(connection: AsyncConnection, address_id: int) -> AddressStatus:
    looked = await connection.execute(select(addresses.c.status).where(addresses.c.id == address_id))
    return AddressStatus(looked.scalar_one())


def full_name(profile: Profile) -> str | None:
    return " ".join(part for part in (profile.first_name, profile.last_name) if part) or None


def clean(text: str | None) -> str | None:
    return (text.replace("\0", "").strip() or None) if text else None
