"""What clients do: their addresses, opt-outs, presses and words. Everything of one hook is one transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import (
    AddressStatus,
    Inbound,
    Moved,
    Pressed,
    Profile,
    Receipt,
    SharedPhone,
    Subscribed,
    Unsubscribed,
    Wrote,
)
from storage.addresses import keep_in_step, move_address
from storage.counters import CounterKey, add_counters
from storage.database import Database, insert
from storage.erasing import hash_address
from storage.fields import as_source
from storage.merging import take_phone
from storage.opting import EVERYWHERE, OptOut, Revoked, end_opt_outs, opt_out, stands
from storage.orders import Purchase, open_order
from storage.reactions import Pressing, count_press, left_because_of
from storage.receipts import TakenReceipt, take_receipts
from storage.schema import (
    Instant,
    addresses,
    clients,
    deliveries,
    erased_addresses,
    events,
    steps,
    subscriptions,
)
from storage.writer import Writer

MAX_WORDS = 4096  # characters of a client's text that are kept

STOP = "stop"
START = "start"


@dataclass(frozen=True, slots=True)
class Press:
    """A button of ours, as the data of a press names it. `kind` is what it is: message, link, buy."""

    delivery_id: int
    index: int
    kind: str | None = None
    purchase: Purchase | None = None  # what a Buy button offers


@dataclass(frozen=True, slots=True)
class Happening:
    """Something a client did, with what the engine read from it: a wish ("stop", "start"), or which button."""

    inbound: Inbound
    wish: str | None = None
    press: Press | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """All that one request of a platform told."""

    channel: str
    received_at: datetime
    happenings: tuple[Happening, ...] = ()
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True, slots=True)
class Noted:
    """What came of one happening. `is_repeat`: it had been taken before, and changed nothing. `left`, `came_back`:
    this very message changed whether mailings come. `language` is the client's."""

    is_repeat: bool = False
    left: bool = False
    came_back: bool = False
    language: str | None = None
    revoked: tuple[Revoked, ...] = ()


@dataclass(slots=True)
class _Address:
    """The address that something came from, and the client that it belongs to."""

    id: int
    client_id: int
    status: AddressStatus
    language: str | None


@dataclass(slots=True)
class _Work:
    """One request being taken."""

    taken: Taken
    secret: bytes
    deltas: dict[CounterKey, int] = field(default_factory=lambda: defaultdict(int))


class InboundStore:
    def __init__(self, database: Database, writer: Writer, secret: bytes) -> None:
        self._database = database
        self._writer = writer
        self._secret = secret

    async def take(self, taken: Taken) -> Sequence[Noted]:
        """Commit everything that was heard; one answer for each happening, in order."""
        return await self._writer.write(_take, (taken, self._secret))

    async def find_press(self, delivery_id: int) -> Mapping[str, Any] | None:
        """Step, channel and plain message of a delivery, for reading which button was pressed."""
        wanted = (
            select(deliveries.c.step_id, deliveries.c.channel, steps.c.message)
            .join(steps, steps.c.id == deliveries.c.step_id)
            .where(deliveries.c.id == delivery_id)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(wanted)).one_or_none()
            return None if row is None else dict(row._mapping)


async def _take(connection: AsyncConnection, values: Sequence[tuple[Taken, bytes]]) -> Sequence[Sequence[Noted]]:
    noted = []
    for taken, secret in values:
        work = _Work(taken, secret)
        noted.append([await _note(connection, work, happening) for happening in taken.happenings])
        await take_receipts(
            connection, [TakenReceipt(taken.channel, receipt, taken.received_at) for receipt in taken.receipts]
        )
        await add_counters(connection, work.deltas)
    return noted


async def _note(connection: AsyncConnection, work: _Work, happening: Happening) -> Noted:
    event_id = await _begin_event(connection, work, happening)
    if event_id is None:
        return Noted(is_repeat=True)
    address = await _find_address(connection, work.taken.channel, happening.inbound.address)
    if address is None and _makes_a_client(happening):
        address = await _make_client(connection, work, happening.inbound)
    if address is None:
        return Noted()
    await _finish_event(connection, event_id, address)
    noted = await _react(connection, work, happening, address, event_id)
    await _see(connection, happening.inbound, address)
    await keep_in_step(connection, [address.client_id])
    return noted


def _makes_a_client(happening: Happening) -> bool:
    """A /start makes a client; a STOP too, so that no import brings mailings to who never wanted them."""
    inbound = happening.inbound
    begins = inbound.explicit if isinstance(inbound, Subscribed) else isinstance(inbound, Wrote) and inbound.begins
    return begins or happening.wish is not None


async def _react(
    connection: AsyncConnection, work: _Work, happening: Happening, address: _Address, event_id: int
) -> Noted:
    inbound = happening.inbound
    match inbound:
        case Subscribed():
            return await _subscribe(connection, work, inbound, address)
        case Unsubscribed():
            return await _leave_platform(connection, work, inbound, address)
        case Wrote() if happening.wish == STOP:
            return await _leave(connection, work, inbound.occurred_at, address)
        case Wrote() if happening.wish == START:
            return await _come_back(connection, work, inbound.occurred_at, address)
        case Wrote():
            if inbound.begins:
                await _end_block(connection, work, inbound.occurred_at, address)
            return Noted(language=address.language)
        case Pressed():
            return await _press(connection, work, happening, address, event_id)
        case SharedPhone():
            phone, at = inbound.phone, inbound.occurred_at
            address.client_id = await take_phone(connection, address.client_id, phone, work.taken.channel, at)
            return Noted()
        case Moved():
            await move_address(connection, address.id, inbound.new_address)
            return Noted()


# --- events ----------------------------------------------------------------------------------------------------------


async def _begin_event(connection: AsyncConnection, work: _Work, happening: Happening) -> int | None:
    """Write the event down; None where its key is there already."""
    inbound = happening.inbound
    details = _details(happening)
    row = {
        "type": _event_type(happening),
        "key": f"{work.taken.channel}|{inbound.key}",
        "channel": work.taken.channel,
        "occurred_at": inbound.occurred_at,
        "received_at": work.taken.received_at,
        "details": details or None,
    }
    statement = insert(connection, events).values(row).on_conflict_do_nothing()
    event_id: int | None = await connection.scalar(statement.returning(events.c.id))
    return event_id


async def _finish_event(connection: AsyncConnection, event_id: int, address: _Address) -> None:
    await connection.execute(
        update(events).where(events.c.id == event_id).values(client_id=address.client_id, address_id=address.id)
    )


def _event_type(happening: Happening) -> str:
    match happening.inbound:
        case Subscribed(explicit=explicit):
            return "subscribed" if explicit else "unblocked"
        case Unsubscribed(status=status):
            return "unsubscribed" if status is AddressStatus.UNSUBSCRIBED else status.value
        case Wrote():
            return {STOP: "unsubscribed", START: "subscribed"}.get(happening.wish or "", "wrote")
        case Pressed():
            return "pressed"
        case SharedPhone():
            return "shared_phone"
        case Moved():
            return "moved"


def _details(happening: Happening) -> dict[str, Any]:
    match happening.inbound:
        case Subscribed(payload=payload) if payload:
            return {"source": as_source(payload)}
        case Wrote(text=text, what=what):
            said = text.replace("\0", "")[:MAX_WORDS]
            return {"text": said, "what": what} | ({"via": "keyword"} if happening.wish else {})
        case Pressed() if happening.press is not None:
            return {"button": happening.press.index, "kind": happening.press.kind}
        case _:
            return {}


# --- addresses -------------------------------------------------------------------------------------------------------


async def _find_address(connection: AsyncConnection, channel: str, external_id: str) -> _Address | None:
    row = (
        await connection.execute(
            select(addresses.c.id, addresses.c.client_id, addresses.c.status, clients.c.language)
            .join(clients, clients.c.id == addresses.c.client_id)
            .where(addresses.c.scope == channel, addresses.c.external_id == external_id)
        )
    ).one_or_none()
    return None if row is None else _Address(row.id, row.client_id, AddressStatus(row.status), row.language)


async def _make_client(connection: AsyncConnection, work: _Work, inbound: Inbound) -> _Address:
    """A card for somebody whom we did not know; who was erased and writes again begins anew."""
    profile = _profile_of(inbound)
    at = inbound.occurred_at
    channel = work.taken.channel
    await connection.execute(
        delete(erased_addresses).where(erased_addresses.c.hash == hash_address(work.secret, channel, inbound.address))
    )
    client_id: int = (
        await connection.execute(
            insert(connection, clients)
            .values(
                first_name=_clean(profile.first_name),
                last_name=_clean(profile.last_name),
                name=_clean(_full_name(profile)),
                language=_clean(profile.language),
                main_channel=channel,
                created_at=work.taken.received_at,
                updated_at=work.taken.received_at,
            )
            .returning(clients.c.id)
        )
    ).scalar_one()
    address_id: int = (
        await connection.execute(
            insert(connection, addresses)
            .values(
                client_id=client_id,
                scope=channel,
                external_id=inbound.address,
                channel=channel,
                status=AddressStatus.ENABLED.value,
                status_at=at,
                created_at=work.taken.received_at,
                details={"username": profile.username} if profile.username else {},
            )
            .returning(addresses.c.id)
        )
    ).scalar_one()
    return _Address(address_id, client_id, AddressStatus.ENABLED, profile.language)


def _profile_of(inbound: Inbound) -> Profile:
    return inbound.profile if isinstance(inbound, Subscribed | Wrote | Pressed) else Profile()


def _full_name(profile: Profile) -> str | None:
    return " ".join(part for part in (profile.first_name, profile.last_name) if part) or None


def _clean(text: str | None) -> str | None:
    return (text.replace("\0", "").strip() or None) if text else None


async def _see(connection: AsyncConnection, inbound: Inbound, address: _Address) -> None:
    """When the client was seen and wrote, and what the profile tells where the card is empty."""
    if isinstance(inbound, Moved | Unsubscribed):
        return
    at = literal(inbound.occurred_at, Instant())
    profile = _profile_of(inbound)
    seen: dict[str, Any] = {
        "last_seen_at": _later(clients.c.last_seen_at, at),
        "first_name": func.coalesce(clients.c.first_name, _clean(profile.first_name)),
        "last_name": func.coalesce(clients.c.last_name, _clean(profile.last_name)),
        "name": func.coalesce(clients.c.name, _clean(_full_name(profile))),
        "language": func.coalesce(clients.c.language, _clean(profile.language)),
    }
    if isinstance(inbound, Pressed):
        await connection.execute(update(clients).where(clients.c.id == address.client_id).values(seen))
        return
    seen["last_wrote_at"] = _later(clients.c.last_wrote_at, at)
    await connection.execute(update(clients).where(clients.c.id == address.client_id).values(seen))
    await connection.execute(
        update(addresses)
        .where(addresses.c.id == address.id)
        .values(last_wrote_at=_later(addresses.c.last_wrote_at, at))
    )


def _later(column: ColumnElement[Any], at: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((column > at, column), else_=at)


async def _set_status(
    connection: AsyncConnection, address: _Address, status: AddressStatus, reason: str | None, at: datetime
) -> None:
    await connection.execute(
        update(addresses)
        .where(addresses.c.id == address.id)
        .values(status=status.value, status_reason=reason, status_at=at)
    )


# --- coming and leaving ----------------------------------------------------------------------------------------------


async def _subscribe(connection: AsyncConnection, work: _Work, inbound: Subscribed, address: _Address) -> Noted:
    source = as_source(inbound.payload.replace("\0", ""))
    if source:
        row = {"client_id": address.client_id, "source": source, "channel": work.taken.channel}
        await connection.execute(
            insert(connection, subscriptions).values(**row, since=inbound.occurred_at).on_conflict_do_nothing()
        )
    if inbound.explicit:
        await _come_back(connection, work, inbound.occurred_at, address)
    else:
        await _end_block(connection, work, inbound.occurred_at, address)
    return Noted(language=address.language)


async def _end_block(connection: AsyncConnection, work: _Work, at: datetime, address: _Address) -> None:
    """The block hid what stood before it: an opt-out stays until the client takes it back."""
    if address.status is AddressStatus.BLOCKED:
        out = await stands(connection, address.client_id, work.taken.channel, EVERYWHERE)
        status = AddressStatus.UNSUBSCRIBED if out else AddressStatus.ENABLED
        await _set_status(connection, address, status, None, at)


async def _come_back(connection: AsyncConnection, work: _Work, at: datetime, address: _Address) -> Noted:
    was_out = address.status is AddressStatus.UNSUBSCRIBED
    await end_opt_outs(connection, address.client_id, work.taken.channel, at)
    if address.status is not AddressStatus.ENABLED:
        await _set_status(connection, address, AddressStatus.ENABLED, None, at)
    return Noted(came_back=was_out, language=address.language)


async def _leave(connection: AsyncConnection, work: _Work, at: datetime, address: _Address) -> Noted:
    """A STOP word: all of the client's addresses on this channel."""
    was_out = address.status is AddressStatus.UNSUBSCRIBED
    delivery = None if was_out else await left_because_of(connection, address.id, at, work.deltas)
    value = OptOut(address.client_id, work.taken.channel, "keyword", at, delivery)
    (revoked,) = await opt_out(connection, [value])
    return Noted(left=not was_out, language=address.language, revoked=tuple(revoked))


async def _leave_platform(connection: AsyncConnection, work: _Work, inbound: Unsubscribed, address: _Address) -> Noted:
    """Blocked, or left by the platform's own button; an opt-out by word stands above a block."""
    if address.status is AddressStatus.UNSUBSCRIBED:
        return Noted()
    delivery = await left_because_of(connection, address.id, inbound.occurred_at, work.deltas)
    if inbound.status is AddressStatus.UNSUBSCRIBED:
        value = OptOut(address.client_id, work.taken.channel, "platform", inbound.occurred_at, delivery)
        (revoked,) = await opt_out(connection, [value])
        return Noted(revoked=tuple(revoked))
    await _set_status(connection, address, inbound.status, "platform", inbound.occurred_at)
    return Noted(revoked=(Revoked(work.taken.channel, address.id),))


async def _press(
    connection: AsyncConnection, work: _Work, happening: Happening, address: _Address, event_id: int
) -> Noted:
    """A button of ours; one that says STOP in the client's name is a STOP."""
    press, at = happening.press, happening.inbound.occurred_at
    if press is None or press.kind is None:
        return Noted(language=address.language)
    pressed = Pressing(press.delivery_id, press.kind, address.id, event_id, work.taken.received_at)
    delivery = await count_press(connection, pressed, work.deltas)
    if delivery is None:
        return Noted(language=address.language)
    if press.purchase is not None:
        opened_at = work.taken.received_at
        await open_order(connection, delivery, address.client_id, press.purchase, opened_at, work.deltas)
    if happening.wish == STOP:
        return await _leave(connection, work, at, address)
    if happening.wish == START:
        return await _come_back(connection, work, at, address)
    return Noted(language=address.language)
