"""What clients do: their addresses, opt-outs, presses and words. Everything of one hook is one transaction."""

from asyncio import Future
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select, update
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
    Watermark,
    Wrote,
)
from gateways.hot import record
from storage.addresses import keep_in_step, move_address
from storage.counters import CounterKey, add_counters
from storage.database import Database, insert
from storage.fields import as_source
from storage.happenings import START, STOP, Happening, begin_event, finish_event
from storage.identities import Arrival, Known, bind, clean, find_known, full_name, make_client, note_phone, profile_of
from storage.merging import take_phone
from storage.opting import EVERYWHERE, OptOut, Revoked, end_opt_outs, opt_out, stands
from storage.orders import open_order
from storage.reactions import Pressing, count_press, left_because_of
from storage.receipts import TakenReceipt, take_receipts
from storage.schema import Instant, addresses, clients, deliveries, notices, steps, subscriptions
from storage.watermarks import TakenWatermark, take_watermarks
from storage.writer import Writer


@record
class Taken:
    """All that one request of a platform told."""

    channel: str
    received_at: datetime
    happenings: tuple[Happening, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    watermarks: tuple[Watermark, ...] = ()


@dataclass(frozen=True, slots=True)
class Noted:
    """What came of one happening. `is_repeat`: it had been taken before, and changed nothing. `left`, `came_back`:
    this very message changed whether mailings come. `language` is the client's."""

    is_repeat: bool = False
    left: bool = False
    came_back: bool = False
    language: str | None = None
    revoked: tuple[Revoked, ...] = ()


@record
class TakenNote:
    """One note for each happening, in order, and every address that nothing goes to any more."""

    notes: Sequence[Noted]
    revoked: Sequence[Revoked]


@dataclass(slots=True)
class _Work:
    """One request being taken; the counters are those of the whole group."""

    taken: Taken
    secret: bytes
    deltas: dict[CounterKey, int] = field(default_factory=lambda: defaultdict(int))


class InboundStore:
    def __init__(self, database: Database, writer: Writer, secret: bytes) -> None:
        self._database = database
        self._writer = writer
        self._secret = secret

    def take(self, taken: Taken) -> Future[TakenNote]:
        """What came of it, once everything that was heard is committed."""
        return self._writer.hand_in(_take, (taken, self._secret))

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


async def _take(connection: AsyncConnection, values: Sequence[tuple[Taken, bytes]]) -> Sequence[TakenNote]:
    """What clients did one after the other; the receipts of the whole group together."""
    deltas: dict[CounterKey, int] = defaultdict(int)
    noted = []
    for taken, secret in values:
        work = _Work(taken, secret, deltas)
        noted.append([await _note(connection, work, happening) for happening in taken.happenings])
    await add_counters(connection, deltas)
    all_taken = [taken for taken, _secret in values]
    revoked = await take_receipts(
        connection,
        [TakenReceipt(one.channel, receipt, one.received_at) for one in all_taken for receipt in one.receipts],
    )
    await take_watermarks(
        connection,
        [TakenWatermark(one.channel, mark, one.received_at) for one in all_taken for mark in one.watermarks],
    )
    return [
        TakenNote(notes, [*(one for note in notes for one in note.revoked), *(revoked if number == 0 else ())])
        for number, notes in enumerate(noted)
    ]


async def _note(connection: AsyncConnection, work: _Work, happening: Happening) -> Noted:
    event_id = await begin_event(connection, work.taken.channel, happening, work.taken.received_at)
    if event_id is None:
        return Noted(is_repeat=True)
    address = await _whose(connection, work, happening)
    if happening.hands_over and isinstance(happening.inbound, Wrote):
        await _hand_over(connection, work.taken, happening.inbound, address)
    if address is None:
        return Noted()
    await finish_event(connection, event_id, address)
    noted = await _react(connection, work, happening, address, event_id)
    await _see(connection, work.taken.channel, happening.inbound, address)
    await keep_in_step(connection, [address.client_id])
    return noted


async def _hand_over(connection: AsyncConnection, taken: Taken, wrote: Wrote, known: Known | None) -> None:
    """A notice for people, in the transaction that keeps the event."""
    client_id = known.client_id if known is not None else None
    card = (await connection.execute(select(clients).where(clients.c.id == client_id))).one_or_none()
    name = None if card is None else card.name or full_name(Profile(card.first_name, card.last_name))
    details = {"client": client_id, "name": name, "channel": taken.channel, "text": wrote.text, "what": wrote.what}
    await connection.execute(
        insert(connection, notices).values(kind="client_wrote", details=details, created_at=taken.received_at)
    )


async def _whose(connection: AsyncConnection, work: _Work, happening: Happening) -> Known | None:
    arrival = Arrival(work.taken.channel, happening.inbound, work.taken.received_at, work.secret)
    address, may_begin = await find_known(connection, arrival), _makes_a_client(happening)
    if happening.binds is not None and (address is not None or may_begin):
        address = await bind(connection, arrival, address, happening.binds)
    if address is None and may_begin:
        address = await make_client(connection, arrival)
    if address is not None:
        await note_phone(connection, arrival, address)
    return address


def _makes_a_client(happening: Happening) -> bool:
    """A /start makes a client; a STOP too, so that no import brings mailings to who never wanted them."""
    inbound = happening.inbound
    if isinstance(inbound, Subscribed):
        return inbound.explicit
    begins = isinstance(inbound, Wrote) and (inbound.begins or happening.binds is not None)
    return begins or happening.wish is not None


async def _react(
    connection: AsyncConnection, work: _Work, happening: Happening, address: Known, event_id: int
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
            if inbound.begins or address.status is AddressStatus.GONE:
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


# --- what each of them tells -----------------------------------------------------------------------------------------


async def _see(connection: AsyncConnection, channel: str, inbound: Inbound, address: Known) -> None:
    """When the client was seen and wrote, and what the profile tells where the card is empty."""
    if isinstance(inbound, Moved | Unsubscribed):
        return
    at = literal(inbound.occurred_at, Instant())
    profile = profile_of(inbound)
    seen: dict[str, Any] = {
        "last_seen_at": _later(clients.c.last_seen_at, at),
        "first_name": func.coalesce(clients.c.first_name, clean(profile.first_name)),
        "last_name": func.coalesce(clients.c.last_name, clean(profile.last_name)),
        "name": func.coalesce(clients.c.name, clean(full_name(profile))),
        "language": func.coalesce(clients.c.language, clean(profile.language)),
    }
    opens_window = not isinstance(inbound, Subscribed) or (inbound.explicit and inbound.opens_window)
    if opens_window and not isinstance(inbound, Pressed):
        seen["last_wrote_at"] = _later(clients.c.last_wrote_at, at)
    await connection.execute(update(clients).where(clients.c.id == address.client_id).values(seen))
    if opens_window:
        # It is the client's with this channel, whichever of the addresses the next message goes to.
        its = (addresses.c.client_id == address.client_id, addresses.c.channel == channel)
        await connection.execute(
            update(addresses).where(*its).values(last_wrote_at=_later(addresses.c.last_wrote_at, at))
        )


def _later(column: ColumnElement[Any], at: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((column > at, column), else_=at)


async def _set_status(
    connection: AsyncConnection, address: Known, status: AddressStatus, reason: str | None, at: datetime
) -> None:
    await connection.execute(
        update(addresses)
        .where(addresses.c.id == address.id)
        .values(status=status.value, status_reason=reason, status_at=at)
    )


# --- coming and leaving ----------------------------------------------------------------------------------------------


async def _subscribe(connection: AsyncConnection, work: _Work, inbound: Subscribed, address: Known) -> Noted:
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


async def _end_block(connection: AsyncConnection, work: _Work, at: datetime, address: Known) -> None:
    """The block hid what stood before it: an opt-out stays until the client takes it back. Whom we took for gone, or
    the platform for not subscribed, is there after all."""
    if address.status is not AddressStatus.ENABLED:
        out = await stands(connection, address.client_id, work.taken.channel, EVERYWHERE)
        status = AddressStatus.UNSUBSCRIBED if out else AddressStatus.ENABLED
        if status is not address.status:
            await _set_status(connection, address, status, None, at)


async def _come_back(connection: AsyncConnection, work: _Work, at: datetime, address: Known) -> Noted:
    was_out = address.status is AddressStatus.UNSUBSCRIBED
    if address.left_at is not None and at < address.left_at:
        return Noted(language=address.language)  # it was said before the client left, and comes late
    await end_opt_outs(connection, address.client_id, work.taken.channel, at)
    if address.status is not AddressStatus.ENABLED:
        await _set_status(connection, address, AddressStatus.ENABLED, None, at)
    return Noted(came_back=was_out, language=address.language)


async def _leave(connection: AsyncConnection, work: _Work, at: datetime, address: Known) -> Noted:
    """A STOP word: all of the client's addresses on this channel."""
    was_out = address.status is AddressStatus.UNSUBSCRIBED
    delivery = None if was_out else await left_because_of(connection, address.id, at, work.deltas)
    value = OptOut(address.client_id, work.taken.channel, "keyword", at, delivery)
    (revoked,) = await opt_out(connection, [value])
    return Noted(left=not was_out, language=address.language, revoked=tuple(revoked))


async def _leave_platform(connection: AsyncConnection, work: _Work, inbound: Unsubscribed, address: Known) -> Noted:
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
    connection: AsyncConnection, work: _Work, happening: Happening, address: Known, event_id: int
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
