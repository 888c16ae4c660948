"""Clients from outside: whole cards added and updated set-wise, a bad one refused without harm to its neighbours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from time import perf_counter
from typing import Any

from sqlalchemy import ColumnElement, Float, Text, and_, bindparam, case, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.addresses import keep_in_step
from storage.database import Database, insert
from storage.erasing import ID_SCOPE, erased_among, hash_address
from storage.errors import _
from storage.opting import EVERYWHERE
from storage.schema import Instant, addresses, clients, opt_outs, subscriptions
from storage.tagging import add_client_tags, tag_ids
from storage.writer import Writer

CARD_COLUMNS = ("name", "first_name", "last_name", "phone", "email", "language", "main_channel")
ERASED = _("this client was erased at their own request")
TAKEN = _("its address {address} belongs to another client")
SEVERAL = _("its addresses belong to several clients")


@dataclass(frozen=True, slots=True)
class Place:
    """An address: the channel that reaches it and the scope in which it is unique."""

    scope: str
    external_id: str
    channel: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value: as it was written, and as a number where it is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True, slots=True)
class ClientRow:
    """What is known of a client; what is absent stays as it is on the card."""

    external_id: str | None = None
    card: Mapping[str, str] = field(default_factory=dict)  # of CARD_COLUMNS
    timezone: str | None = None
    timezone_of_phone: str | None = None
    places: tuple[Place, ...] = ()
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row changed nothing: a sentence's message id and what fills it."""

    words: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.words.format(**self.values) if self.values else self.words


@dataclass(frozen=True, slots=True)
class Added:
    client_id: int


@dataclass(frozen=True, slots=True)
class Updated:
    client_id: int


RowOutcome = Added | Updated | Rejection


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that are written in one transaction."""

    rows: Sequence[ClientRow]
    slots: Mapping[str, int]
    at: datetime
    secret: bytes


@dataclass(frozen=True, slots=True)
class WrittenPiece:
    """One outcome for each row, and how long the write lock was held before the commit."""

    outcomes: Sequence[RowOutcome]
    held_s: float


class Upserts:
    def __init__(self, database: Database, writer: Writer, secret: bytes) -> None:
        self._database = database
        self._writer = writer
        self._secret = secret

    async def write(self, rows: Sequence[ClientRow], slots: Mapping[str, int], at: datetime) -> WrittenPiece:
        """Add and update, in one transaction. The rows' attributes must have slots."""
        return await self._writer.write(_write_pieces, Piece(rows, slots, at, self._secret))

    async def try_out(self, rows: Sequence[ClientRow]) -> Sequence[RowOutcome]:
        """What `write` would answer, without writing; new clients get no number."""
        async with self._database.read() as connection:
            return (await _Matching.look(connection, rows, self._secret)).outcomes()


# --- which row is whose ----------------------------------------------------------------------------------------------


class _Matching:
    """Finds each row's client, rows of the same piece before it included."""

    def __init__(self, rows: Sequence[ClientRow]) -> None:
        self.rows = rows
        self.hashes: list[list[bytes]] = []
        self.erased: set[bytes] = set()
        self.by_id: dict[str, int] = {}
        self.names: dict[int, str | None] = {}
        self.by_place: dict[tuple[str, str], int] = {}
        self.next_id = -1  # new clients of the piece, until they get their own

    @classmethod
    async def look(cls, connection: AsyncConnection, rows: Sequence[ClientRow], secret: bytes) -> "_Matching":
        matching = cls(rows)
        matching.hashes = [[hash_address(secret, scope, name) for scope, name in _names(row)] for row in rows]
        matching.erased = await erased_among(connection, {one for hashes in matching.hashes for one in hashes})
        ids = {row.external_id for row in rows if row.external_id}
        if ids:
            wanted = select(clients.c.external_id, clients.c.id).where(clients.c.external_id.in_(ids))
            matching.by_id = {row.external_id: row.id for row in await connection.execute(wanted)}
        places = {place.external_id for row in rows for place in row.places}
        if places:
            found = await connection.execute(
                select(
                    addresses.c.scope,
                    addresses.c.external_id,
                    addresses.c.client_id,
                    clients.c.external_id.label("its_id"),
                )
                .join(clients, clients.c.id == addresses.c.client_id)
                .where(addresses.c.external_id.in_(places))
            )
            for row in found:
                matching.by_place[row.scope, row.external_id] = row.client_id
                matching.names[row.client_id] = row.its_id
        return matching

    def outcomes(self) -> list[RowOutcome]:
        """Added with a number below 0 stands for a client that is still to be made."""
        return [self._outcome(number, row) for number, row in enumerate(self.rows)]

    def _outcome(self, number: int, row: ClientRow) -> RowOutcome:
        if self.erased.intersection(self.hashes[number]):
            return Rejection(ERASED)
        owners = {
            self.by_place[place.scope, place.external_id]: place.external_id
            for place in row.places
            if (place.scope, place.external_id) in self.by_place
        }
        client = self.by_id.get(row.external_id) if row.external_id else None
        if client is None and len(owners) > 1:
            return Rejection(SEVERAL)
        if client is None and owners:
            client = next(iter(owners))
            if row.external_id and self.names.get(client) not in (None, row.external_id):
                return Rejection(TAKEN, {"address": owners[client]})
        strange = [address for owner, address in owners.items() if owner != client]
        if strange:
            return Rejection(TAKEN, {"address": strange[0]})
        outcome: RowOutcome = Updated(client) if client is not None else Added(self.next_id)
        if client is None:
            client, self.next_id = self.next_id, self.next_id - 1
        self._remember(row, client)
        return outcome

    def _remember(self, row: ClientRow, client: int) -> None:
        if row.external_id:
            self.by_id[row.external_id] = client
            self.names[client] = row.external_id
        for place in row.places:
            self.by_place[place.scope, place.external_id] = client


def _names(row: ClientRow) -> list[tuple[str, str]]:
    own = [(ID_SCOPE, row.external_id)] if row.external_id else []
    return own + [(place.scope, place.external_id) for place in row.places]


# --- writing ---------------------------------------------------------------------------------------------------------


async def _write_pieces(connection: AsyncConnection, pieces: Sequence[Piece]) -> Sequence[WrittenPiece]:
    written = []
    for piece in pieces:
        began = perf_counter()
        outcomes = await _write_piece(connection, piece)
        written.append(WrittenPiece(outcomes, perf_counter() - began))
    return written


async def _write_piece(connection: AsyncConnection, piece: Piece) -> Sequence[RowOutcome]:
    matching = await _Matching.look(connection, piece.rows, piece.secret)
    existing = set(matching.by_place)
    planned = matching.outcomes()
    new = [outcome.client_id for outcome in planned if isinstance(outcome, Added)]
    ids = dict(zip(new, await _next_ids(connection, len(new)), strict=True))
    outcomes = [_numbered(outcome, ids) for outcome in planned]
    written = [
        (row, outcome) for row, outcome in zip(piece.rows, outcomes, strict=True) if not isinstance(outcome, Rejection)
    ]
    if not written:
        return outcomes
    await _write_cards(connection, piece, written)
    await _write_places(connection, piece, written, existing)
    await _write_tags_and_sources(connection, piece, written)
    await keep_in_step(connection, {outcome.client_id for _row, outcome in written})
    return outcomes


def _numbered(outcome: RowOutcome, ids: Mapping[int, int]) -> RowOutcome:
    match outcome:
        case Added(client_id=client):
            return Added(ids[client])
        case Updated(client_id=client) if client < 0:
            return Updated(ids[client])  # twice in one piece
        case _:
            return outcome


async def _next_ids(connection: AsyncConnection, count: int) -> Sequence[int]:
    """Numbers for new clients; the write lock keeps SQLite's to us."""
    if not count:
        return []
    if connection.dialect.name == "sqlite":
        last = await connection.scalar(select(func.max(clients.c.id))) or 0
        return range(last + 1, last + 1 + count)
    drawn = await connection.scalars(
        text("SELECT nextval(pg_get_serial_sequence('clients', 'id')) FROM generate_series(1, :count)"),
        {"count": count},
    )
    return list(drawn)


Written = Sequence[tuple[ClientRow, Added | Updated]]


async def _write_cards(connection: AsyncConnection, piece: Piece, written: Written) -> None:
    new = [
        {"id": outcome.client_id, "created_at": piece.at, "updated_at": piece.at}
        for _row, outcome in written
        if isinstance(outcome, Added)
    ]
    if new:
        await connection.execute(insert(connection, clients), new)
    await connection.execute(
        _card_statement(tuple(sorted(piece.slots.values()))),
        [_card_values(row, outcome.client_id, piece) for row, outcome in written],
    )


@lru_cache(maxsize=8)
def _card_statement(slots: tuple[int, ...]) -> Any:
    """Fill in what is known; NULL leaves the card as it is."""

    def kept(name: str) -> ColumnElement[Any]:
        return func.coalesce(bindparam(f"new_{name}", type_=Text()), clients.c[name])

    values: dict[str, Any] = {name: kept(name) for name in ("external_id", *CARD_COLUMNS)}
    own = bindparam("new_timezone", type_=Text())
    of_phone = bindparam("new_timezone_of_phone", type_=Text())
    # A time zone that somebody gave stands above one that was read from a phone.
    may_derive = and_(func.coalesce(clients.c.timezone_source, "app") != "card", of_phone.is_not(None))
    values["timezone"] = case((own.is_not(None), own), (may_derive, of_phone), else_=clients.c.timezone)
    values["timezone_source"] = case((own.is_not(None), "card"), (may_derive, "phone"), else_=clients.c.timezone_source)
    values["updated_at"] = bindparam("at", type_=Instant())
    for slot in slots:
        written = bindparam(f"new_text_{slot}", type_=Text())
        number = bindparam(f"new_number_{slot}", type_=Float())
        values[f"text_{slot}"] = func.coalesce(written, clients.c[f"text_{slot}"])
        values[f"number_{slot}"] = case((written.is_not(None), number), else_=clients.c[f"number_{slot}"])
    return update(clients).where(clients.c.id == bindparam("client")).values(values)


def _card_values(row: ClientRow, client_id: int, piece: Piece) -> dict[str, Any]:
    values: dict[str, Any] = {f"new_{name}": row.card.get(name) for name in CARD_COLUMNS}
    values |= {"client": client_id, "at": piece.at, "new_external_id": row.external_id}
    values |= {"new_timezone": row.timezone, "new_timezone_of_phone": row.timezone_of_phone}
    for name, slot in piece.slots.items():
        value = row.attributes.get(name)
        values[f"new_text_{slot}"] = value.text if value else None
        values[f"new_number_{slot}"] = value.number if value else None
    return values


async def _write_places(
    connection: AsyncConnection, piece: Piece, written: Written, existing: set[tuple[str, str]]
) -> None:
    """Enable new addresses; one that is there already keeps its status, and an opt-out reaches the new ones too."""
    new: dict[tuple[str, str], tuple[Place, int]] = {}
    for row, outcome in written:
        for place in row.places:
            if (place.scope, place.external_id) not in existing:
                new.setdefault((place.scope, place.external_id), (place, outcome.client_id))
    if not new:
        return
    known = {outcome.client_id for _row, outcome in written if isinstance(outcome, Updated)}
    out = await _standing_opt_outs(connection, known)
    rows: list[dict[str, Any]] = [
        {
            "client_id": client,
            "scope": place.scope,
            "external_id": place.external_id,
            "channel": place.channel,
            "status": _status(place, out.get(client, ())).value,
            "status_at": piece.at,
            "created_at": piece.at,
            "details": {},
        }
        for place, client in new.values()
    ]
    await connection.execute(insert(connection, addresses), rows)


def _status(place: Place, scopes: Sequence[str]) -> AddressStatus:
    is_out = EVERYWHERE in scopes or place.channel in scopes
    return AddressStatus.UNSUBSCRIBED if is_out else AddressStatus.ENABLED


async def _standing_opt_outs(connection: AsyncConnection, client_ids: set[int]) -> Mapping[int, list[str]]:
    if not client_ids:
        return {}
    out: dict[int, list[str]] = {}
    standing = select(opt_outs.c.client_id, opt_outs.c.scope).where(
        opt_outs.c.client_id.in_(client_ids), opt_outs.c.ended_at.is_(None)
    )
    for row in await connection.execute(standing):
        out.setdefault(row.client_id, []).append(row.scope)
    return out


async def _write_tags_and_sources(connection: AsyncConnection, piece: Piece, written: Written) -> None:
    ids = await tag_ids(connection, {tag for row, _outcome in written for tag in row.tags})
    await add_client_tags(connection, {(ids[tag], outcome.client_id) for row, outcome in written for tag in row.tags})
    rows = [
        {"client_id": outcome.client_id, "source": source, "since": piece.at}
        for row, outcome in written
        for source in row.sources
    ]
    if rows:
        await connection.execute(insert(connection, subscriptions).on_conflict_do_nothing(), rows)
