"""How far a client has what we sent: everything up to a moment of the platform's clock, or up to an external id.

A watermark is kept, so that one which came before the answer to a send holds for what the answer makes known."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import Receipt, ReceiptState, Watermark
from storage.applying import Applying, Told
from storage.database import insert
from storage.reached import Reached
from storage.schema import addresses, attempts, parts, receipts, watermarks

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ID = 2**63 - 1
_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class TakenWatermark:
    channel: str
    watermark: Watermark
    received_at: datetime


async def take_watermarks(connection: AsyncConnection, taken: Iterable[TakenWatermark]) -> None:
    """Move watermarks forward, and what they reach with them. One that is not ahead of what was told before changes
    nothing, nor does one of a client whom we never wrote to."""
    highest: dict[tuple[str, str, ReceiptState], TakenWatermark] = {}
    for one in taken:
        key = (one.channel, one.watermark.address, one.watermark.state)
        if key not in highest or _level(one.watermark) > _level(highest[key].watermark):
            highest[key] = one
    if not highest:
        return
    ahead = await _move(connection, list(highest.values()))
    if ahead:
        await apply_told(connection, await _reached_by(connection, ahead))


async def told_before(connection: AsyncConnection, delivery_ids: Collection[int]) -> list[Told]:
    """What watermarks had said already of the parts of these deliveries."""
    ids, told = sorted(delivery_ids), []
    for begin in range(0, len(ids), _AT_ONCE):
        for row in await connection.execute(_OF_DELIVERIES, {"ids": ids[begin : begin + _AT_ONCE]}):
            if _reaches(row):
                key = f"{row.channel}|{row.state}:{row.delivery_id}.{row.attempt}.{row.position}"
                told.append(_told(row, row.watermark_at, row.watermark_at, key))
    return told


async def apply_told(connection: AsyncConnection, told: Sequence[Told]) -> None:
    """Apply what can be told now; parts whose delivery a lane has in hand are left."""
    if not told:
        return
    reached = Reached(connection)
    await reached.look_for_deliveries({one.part[0] for one in told})
    applying = Applying(connection, reached)
    applying.tell(one for one in told if one.part in reached.parts and applying.bears(one.part))
    await applying.write()


# --- moving them -----------------------------------------------------------------------------------------------------


def _level(watermark: Watermark) -> tuple[datetime, int]:
    return watermark.until or _NEVER, watermark.until_id or 0


Ahead = Mapping[tuple[int, str], TakenWatermark]  # by address and state


async def _move(connection: AsyncConnection, taken: Sequence[TakenWatermark]) -> Ahead:
    """Those that are ahead of what was kept, by each of the client's addresses on the channel and state."""
    owned = await _addresses(connection, {(one.channel, one.watermark.address) for one in taken})
    wanted: dict[tuple[int, str], TakenWatermark] = {}
    for one in sorted(taken, key=lambda one: _level(one.watermark)):
        for address_id in owned.get((one.channel, one.watermark.address), ()):
            wanted[address_id, one.watermark.state.value] = one
    kept = await _kept(connection, {address_id for address_id, _state in wanted})
    ahead = {key: one for key, one in wanted.items() if _level(one.watermark) > kept.get(key, (_NEVER, 0))}
    if ahead:
        rows = [_row(*key, ahead[key].watermark) for key in sorted(ahead)]
        await connection.execute(_keep(connection), rows)
    return ahead


async def _addresses(
    connection: AsyncConnection, names: Collection[tuple[str, str]]
) -> Mapping[tuple[str, str], Sequence[int]]:
    """The client's addresses on the channel, that one and its others."""
    its, found = addresses.alias(), dict[tuple[str, str], list[int]]()
    for channel in sorted({channel for channel, _name in names}):
        owned = (
            select(its.c.external_id, addresses.c.id)
            .join(addresses, and_(addresses.c.client_id == its.c.client_id, addresses.c.channel == its.c.scope))
            .where(its.c.scope == channel, its.c.external_id.in_([name for one, name in names if one == channel]))
        )
        for row in await connection.execute(owned):
            found.setdefault((channel, row.external_id), []).append(row.id)
    return found


async def _kept(
    connection: AsyncConnection, address_ids: Collection[int]
) -> Mapping[tuple[int, str], tuple[datetime, int]]:
    wanted = select(watermarks).where(watermarks.c.address_id.in_(sorted(address_ids)))
    rows = await connection.execute(wanted.order_by(watermarks.c.address_id).with_for_update())
    return {(row.address_id, row.state): (row.until or _NEVER, row.until_id or 0) for row in rows}


def _row(address_id: int, state: str, watermark: Watermark) -> dict[str, Any]:
    until_id = None if watermark.until_id is None else min(watermark.until_id, _MAX_ID)
    return {
        "address_id": address_id,
        "state": state,
        "until": watermark.until,
        "until_id": until_id,
        "occurred_at": watermark.occurred_at,
        "through_at": _NEVER,
    }


def _keep(connection: AsyncConnection) -> Any:
    statement = insert(connection, watermarks)
    moved = ("until", "until_id", "occurred_at")
    return statement.on_conflict_do_update(
        index_elements=["address_id", "state"], set_={name: statement.excluded[name] for name in moved}
    )


# --- what they reach -------------------------------------------------------------------------------------------------


async def _reached_by(connection: AsyncConnection, ahead: Ahead) -> Sequence[Told]:
    """What was sent since the watermark before and stands below this one; notes how far that was looked at."""
    told: list[Told] = []
    through: dict[tuple[int, str], datetime] = {}
    left: dict[tuple[int, str], datetime] = {}  # the first that it does not reach: it must be looked at again
    ids = sorted({address_id for address_id, _state in ahead})
    for row in await connection.execute(SINCE_THE_LAST, {"ids": ids}):
        one = ahead.get((row.address_id, row.state))
        if one is None:
            continue
        key = (row.address_id, row.state)
        if not _reaches(row):
            left[key] = min(left.get(key, row.started_at), row.started_at)
            continue
        through[key] = max(through.get(key, _NEVER), row.started_at)
        name = f"{one.channel}|{one.watermark.key}:{row.delivery_id}.{row.attempt}.{row.position}"
        told.append(_told(row, one.watermark.occurred_at, one.received_at, name))
    looked_at = [
        {"its_id": key[0], "its_state": key[1], "its_through": at}
        for key, at in through.items()
        if key not in left or at < left[key]
    ]
    if looked_at:
        await connection.execute(_LOOKED_AT, looked_at)
    return told


def _reaches(row: Any) -> bool:
    """Whether the watermark of this row covers its part; compared here, where whole numbers are exact."""
    if row.until is not None:
        # The platform's own moment, where it tells it: our clock may be ahead of its clock.
        began = row.taken_at or row.started_at or row.accepted_at
        return began is not None and began <= row.until
    name = row.external_id or ""
    return row.until_id is not None and name.isascii() and name.isdigit() and int(name) <= row.until_id


def _told(row: Any, at: datetime, received_at: datetime, key: str) -> Told:
    receipt = Receipt(ReceiptState(row.state), row.external_id, None, at, key)
    return Told((row.delivery_id, row.attempt, row.position), row.channel, receipt, received_at, key)


_TAKEN_AT = (
    select(receipts.c.occurred_at)
    .where(
        receipts.c.channel == parts.c.channel,
        receipts.c.external_id == parts.c.external_id,
        receipts.c.state == ReceiptState.SENT.value,
    )
    .limit(1)
    .scalar_subquery()
)
_PART = (
    parts.c.delivery_id,
    parts.c.attempt,
    parts.c.position,
    parts.c.channel,
    parts.c.external_id,
    parts.c.accepted_at,
    _TAKEN_AT.label("taken_at"),
    attempts.c.started_at,
    watermarks.c.address_id,
    watermarks.c.state,
    watermarks.c.until,
    watermarks.c.until_id,
    watermarks.c.occurred_at.label("watermark_at"),
)
_IDS: Any = bindparam("ids", expanding=True)
_HAS_NOT = or_(
    and_(watermarks.c.state == ReceiptState.DELIVERED.value, parts.c.delivered_at.is_(None)),
    and_(watermarks.c.state == ReceiptState.READ.value, parts.c.read_at.is_(None)),
)
_WITH_ATTEMPT = and_(attempts.c.delivery_id == parts.c.delivery_id, attempts.c.number == parts.c.attempt)
# From the mark that was looked at last, by the index over address and start: years before it cost nothing.
SINCE_THE_LAST = (
    select(*_PART)
    .select_from(watermarks)
    .join(
        attempts,
        and_(attempts.c.address_id == watermarks.c.address_id, attempts.c.started_at > watermarks.c.through_at),
    )
    .join(parts, and_(_WITH_ATTEMPT, parts.c.channel == attempts.c.channel))
    .where(watermarks.c.address_id.in_(_IDS), _HAS_NOT)
)
_OF_DELIVERIES = (
    select(*_PART)
    .select_from(parts)
    .join(attempts, _WITH_ATTEMPT)
    .join(watermarks, watermarks.c.address_id == attempts.c.address_id)
    .where(parts.c.delivery_id.in_(_IDS), _HAS_NOT)
)
_LOOKED_AT = (
    watermarks.update()
    .where(
        watermarks.c.address_id == bindparam("its_id"),
        watermarks.c.state == bindparam("its_state"),
    )
    .values(through_at=bindparam("its_through", type_=watermarks.c.through_at.type))
)
