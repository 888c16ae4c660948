"""Parts and deliveries as a group of receipts reaches them: looked up together, and locked until the commit."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import Receipt
from storage.bulk import Asked, Row, among, is_among
from storage.records import DeliveryState
from storage.schema import addresses, attempts, deliveries, parts

PartKey = tuple[int, int, int]  # delivery, attempt, position


@dataclass(slots=True)
class ReachedDelivery:
    """A delivery as it is now; `was` is how it stood when it was looked up."""

    id: int
    step_id: int
    client_id: int
    channel: str
    address_id: int
    variant: str
    sender: str
    state: DeliveryState
    reason: str | None
    attempt: int
    # What only a delivery needs that waits, or that has ended on another channel.
    tries: int = 0
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    was: "Standing" = field(init=False)

    def __post_init__(self) -> None:
        self.was = self.standing

    @property
    def standing(self) -> "Standing":
        return self.channel, self.state, self.reason, self.attempt, self.due_at


Standing = tuple[str, DeliveryState, str | None, int, datetime | None]


@dataclass(slots=True)
class ReachedPart:
    """A part as it is now; `is_new`: nothing of it was stored yet; `is_named`: its external id has become known."""

    attempt: int
    position: int
    channel: str
    external_id: str | None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    failed_at: datetime | None = None
    reason: str | None = None
    code: str | None = None
    accepted_at: datetime | None = None
    is_new: bool = False
    is_changed: bool = False
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class ReachedAttempt:
    channel: str
    address_id: int
    outcome: str
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Whose:
    address_id: int
    client_id: int


class Reached:
    """What receipts name: by external id, else by our reference."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self.deliveries: dict[int, ReachedDelivery] = {}
        self.parts: dict[PartKey, ReachedPart] = {}
        self.attempts: dict[tuple[int, int], ReachedAttempt] = {}
        self._named: dict[tuple[str, str], list[PartKey]] = {}
        self._whose: dict[tuple[str, str], _Whose] = {}
        self._whole: set[int] = set()  # deliveries that were looked up with all their parts and attempts

    async def look_for(self, receipts: Sequence[tuple[str, Receipt]]) -> None:
        """Look up what these name, each with its channel."""
        await self._look_for_names({(channel, one.external_id) for channel, one in receipts if one.external_id})
        await self._look_for_addresses({(channel, one.address) for channel, one in receipts if one.address})
        unnamed = [
            numbers[0]
            for channel, one in receipts
            if (channel, one.external_id) not in self._named and (numbers := read_reference(one.reference)) is not None
        ]
        await self.look_for_deliveries(unnamed)

    async def look_for_deliveries(self, ids: Collection[int]) -> None:
        """Look up deliveries with all their parts and attempts."""
        looked_for = sorted(set(ids) - self._whole)
        if not looked_for:
            return
        named = {"ids": among(self._dialect, looked_for)}
        for row in await _DELIVERIES.rows(self._connection, named):
            self._keep_delivery(row)
        for row in await _PARTS.rows(self._connection, named):
            self._keep_part(row)
        for row in await _ATTEMPTS.rows(self._connection, named):
            self.attempts[row[0], row[1]] = ReachedAttempt(*row[2:])
        self._whole.update(looked_for)

    def find(self, channel: str, receipt: Receipt) -> PartKey | None:
        """The part that a receipt speaks of; None where it is not known, or not this channel's."""
        if receipt.external_id and (keys := self._named.get((channel, receipt.external_id))):
            its = self._of_address(keys, channel, receipt.address)
            if its:
                return max(its)
        key = read_reference(receipt.reference)
        return key if key is not None and self._channel_of(key) == channel else None

    def address_of(self, key: PartKey) -> int:
        """Where the part was sent to."""
        delivery, attempt = self.deliveries[key[0]], self.attempts.get(key[:2])
        return delivery.address_id if attempt is None or key[1] == delivery.attempt else attempt.address_id

    # --- inside ---

    async def _look_for_names(self, names: Collection[tuple[str, str]]) -> None:
        whole: set[int] = set()
        for row in await self._by_channel(_NAMED, names):
            part, delivery = row[:_PART_COLUMNS], row[_PART_COLUMNS:]
            if delivery[_STATE] in _PLAIN and delivery[_ATTEMPT] == part[1]:
                self._keep_delivery(delivery)
                self._keep_part(part)
            else:
                whole.add(part[0])
        await self.look_for_deliveries(whole)

    async def _look_for_addresses(self, names: Collection[tuple[str, str]]) -> None:
        for number, client_id, name, channel in await self._by_channel(_ADDRESSES, names):
            self._whose[channel, name] = _Whose(number, client_id)

    async def _by_channel(self, look: Asked, names: Collection[tuple[str, str]]) -> Sequence[Row]:
        """What is found of these names, each with its channel; one look for each channel."""
        found: list[Row] = []
        for channel in sorted({channel for channel, _name in names}):
            of_channel = among(self._dialect, sorted(name for its, name in names if its == channel))
            found += await look.rows(self._connection, {"channel": channel, "names": of_channel})
        return found

    def _keep_delivery(self, row: Sequence[Any]) -> None:
        if row[0] not in self.deliveries:
            delivery = ReachedDelivery(*row)
            delivery.state = DeliveryState(delivery.state)
            delivery.was = delivery.standing
            self.deliveries[delivery.id] = delivery

    def _keep_part(self, row: Sequence[Any]) -> None:
        key = (row[0], row[1], row[2])
        if key not in self.parts:
            part = self.parts[key] = ReachedPart(*row[1:])
            if part.external_id is not None:
                self._named.setdefault((part.channel, part.external_id), []).append(key)

    def _of_address(self, keys: Sequence[PartKey], channel: str, address: str | None) -> Sequence[PartKey]:
        """Those sent to this client: one external id may stand for a message to many."""
        if address is None:
            return keys
        whose = self._whose.get((channel, address))
        if whose is None:
            return keys if len(keys) == 1 else ()
        return [
            key
            for key in keys
            if self.address_of(key) == whose.address_id or self.deliveries[key[0]].client_id == whose.client_id
        ]

    def _channel_of(self, key: PartKey) -> str | None:
        """The channel on which this part was sent, or may have been; None where it never was."""
        delivery, part, attempt = self.deliveries.get(key[0]), self.parts.get(key), self.attempts.get(key[:2])
        if delivery is None:
            return None
        if part is not None:
            return part.channel
        if attempt is not None:
            return attempt.channel
        return delivery.channel if delivery.attempt == key[1] else None


def read_reference(reference: str | None) -> PartKey | None:
    """Delivery, attempt and position that a reference of ours names; None for anything else."""
    numbers = (reference or "").split(".")
    if len(numbers) != 3 or not all(number.isascii() and number.isdigit() and len(number) < 19 for number in numbers):
        return None
    delivery, attempt, position = (int(number) for number in numbers)
    return (delivery, attempt, position) if attempt < 2**15 and position < 2**15 else None


# In the order of the fields of ReachedDelivery and, after the delivery's id, of ReachedPart.
_OF_DELIVERY = tuple(
    deliveries.c[name]
    for name in (
        *("id", "step_id", "client_id", "channel", "address_id", "variant", "sender", "state", "reason", "attempt"),
        *("tries", "due_at", "started_at", "finished_at"),
    )
)
_OF_PART = tuple(
    parts.c[name]
    for name in (
        *("delivery_id", "attempt", "position", "channel", "external_id"),
        *("delivered_at", "read_at", "failed_at", "reason", "code", "accepted_at"),
    )
)
_OF_ATTEMPT = tuple(
    attempts.c[name] for name in ("delivery_id", "number", "channel", "address_id", "outcome", "started_at")
)
_PART_COLUMNS, _STATE, _ATTEMPT = 10, 7, 9
# A delivery that stands so is moved by what is told of its last attempt, and nothing else of it matters.
_PLAIN = frozenset(
    state.value
    for state in (
        DeliveryState.SENDING,
        DeliveryState.SENT,
        DeliveryState.DELIVERED,
        DeliveryState.READ,
        DeliveryState.UNKNOWN,
    )
)


def _locked(statement: Select[Any], dialect: str) -> Select[Any]:
    """In the order of the ids, so that two processes never wait for each other in a circle. SQLite has one writer, and
    would sort for nothing."""
    return statement if dialect == "sqlite" else statement.order_by(deliveries.c.id).with_for_update(of=deliveries)


_CHANNEL: Any = bindparam("channel")
_NAMED = Asked(
    lambda dialect: _locked(
        select(*_OF_PART[:_PART_COLUMNS], *_OF_DELIVERY[:10])
        .join(deliveries, deliveries.c.id == parts.c.delivery_id)
        .where(parts.c.channel == _CHANNEL, is_among(dialect, parts.c.external_id, "names")),
        dialect,
    )
)
_ADDRESSES = Asked(
    lambda dialect: select(addresses.c.id, addresses.c.client_id, addresses.c.external_id, addresses.c.scope).where(
        addresses.c.scope == _CHANNEL, is_among(dialect, addresses.c.external_id, "names")
    )
)
_DELIVERIES = Asked(
    lambda dialect: _locked(select(*_OF_DELIVERY).where(is_among(dialect, deliveries.c.id, "ids")), dialect)
)
_PARTS = Asked(lambda dialect: select(*_OF_PART).where(is_among(dialect, parts.c.delivery_id, "ids")))
_ATTEMPTS = Asked(lambda dialect: select(*_OF_ATTEMPT).where(is_among(dialect, attempts.c.delivery_id, "ids")))
