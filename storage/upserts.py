"""Clients from outside: whole cards added and updated set-wise, a bad one refused without harm to its neighbours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from time import perf_counter
from typing import Any

from sqlalchemy import ColumnElement, Float, Table, Text, and_, bindparam, case, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.addresses import keep_in_step
from storage.database import Database, insert
from storage.matching import Added, ClientRow, Matching, Place, RowOutcome, Updated
from storage.opting import EVERYWHERE
from storage.schema import Instant, addresses, client_tags, clients, opt_outs, subscriptions
from storage.tagging import tag_ids
from storage.writer import Writer, long

CARD_COLUMNS = ("name", "first_name", "last_name", "phone", "email", "language", "main_channel")
_LOOKS = 3  # at who is there already, when somebody else writes the same clients just then


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that are written in one transaction, and whose they were when somebody looked."""

    rows: Sequence[ClientRow]
    planned: Sequence[RowOutcome]  # clients below 0 are new
    existing: frozenset[tuple[str, str]]  # scope and external id of addresses
    slots: Mapping[str, int]
    at: datetime


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
        for look in range(1, _LOOKS + 1):
            # Looking is done before the write lock is taken; what changes in between shows as a broken constraint.
            matching = await self._look(rows)
            piece = Piece(rows, matching.outcomes(), frozenset(matching.found), slots, at)
            try:
                return await self._writer.write(_write_pieces, piece)
            except IntegrityError:
                if look == _LOOKS:
                    raise
        raise AssertionError

    async def try_out(self, rows: Sequence[ClientRow]) -> Sequence[RowOutcome]:
        """What `write` would answer, without writing; new clients have no number."""
        return (await self._look(rows)).outcomes()

    async def _look(self, rows: Sequence[ClientRow]) -> Matching:
        async with self._database.read() as connection:
            return await Matching.look(connection, rows, self._secret)


@long
async def _write_pieces(connection: AsyncConnection, pieces: Sequence[Piece]) -> Sequence[WrittenPiece]:
    written = []
    for piece in pieces:
        began = perf_counter()
        outcomes = await _write_piece(connection, piece)
        written.append(WrittenPiece(outcomes, perf_counter() - began))
    return written


Written = Sequence[tuple[ClientRow, int]]


async def _write_piece(connection: AsyncConnection, piece: Piece) -> Sequence[RowOutcome]:
    numbers = [outcome.client_id for outcome in piece.planned if isinstance(outcome, Added)]
    ids = dict(zip(numbers, await _next_ids(connection, clients, len(numbers)), strict=True))
    outcomes = [_numbered(outcome, ids) for outcome in piece.planned]
    paired = list(zip(piece.rows, outcomes, strict=True))
    new = [(row, outcome.client_id) for row, outcome in paired if isinstance(outcome, Added)]
    changed = [(row, outcome.client_id) for row, outcome in paired if isinstance(outcome, Updated)]
    places = await _new_places(connection, piece, [*new, *changed])
    tags = await tag_ids(connection, {tag for row in piece.rows for tag in row.tags})
    if new:
        await connection.execute(
            insert(connection, clients),
            [_new_card(row, client, places.get(client, ()), tags, piece) for row, client in new],
        )
    if changed:
        await connection.execute(
            _card_statement(tuple(sorted(piece.slots.values()))),
            [_changed_card(row, client, piece) for row, client in changed],
        )
    await _write_owned(connection, piece, [*new, *changed], places, tags)
    if changed:
        await keep_in_step(connection, {client for _row, client in changed})
    return outcomes


def _numbered(outcome: RowOutcome, ids: Mapping[int, int]) -> RowOutcome:
    match outcome:
        case Added(client_id=client):
            return Added(ids[client])
        case Updated(client_id=client) if client < 0:
            return Updated(ids[client])  # twice in one piece
        case _:
            return outcome


async def _next_ids(connection: AsyncConnection, table: Table, count: int) -> Sequence[int]:
    """Numbers for new rows; the write lock keeps SQLite's to us."""
    if not count:
        return []
    if connection.dialect.name == "sqlite":
        last = await connection.scalar(select(func.max(table.c.id))) or 0
        return range(last + 1, last + 1 + count)
    drawn = await connection.scalars(
        text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)"),
        {"name": table.name, "count": count},
    )
    return list(drawn)


# --- cards -----------------------------------------------------------------------------------------------------------

NewPlaces = Mapping[int, Sequence[Mapping[str, Any]]]


def _new_card(
    row: ClientRow, client: int, places: Sequence[Mapping[str, Any]], tags: Mapping[str, int], piece: Piece
) -> dict[str, Any]:
    """The whole card at once, with what `storage.addresses.keep_in_step` would write on it."""
    reached = [place for place in places if place["channel"] is not None]
    channel = row.card.get("main_channel") or (reached[0]["channel"] if reached else None)
    mains = [place for place in reached if place["channel"] == channel]
    main = next((place for place in reversed(mains) if place["status"] == AddressStatus.ENABLED.value), None)
    main = main or (mains[-1] if mains else None)
    card: dict[str, Any] = {name: row.card.get(name) for name in CARD_COLUMNS}
    card |= {
        "id": client,
        "external_id": row.external_id,
        "timezone": row.timezone or row.timezone_of_phone,
        "timezone_source": "card" if row.timezone else "phone" if row.timezone_of_phone else None,
        "main_channel": channel,
        "main_address_id": main["id"] if main else None,
        "main_status": main["status"] if main else "none",
        "reach": _marked("|", (f"{place['channel']}={place['status']}" for place in reached)),
        "tags": _marked(",", (str(tags[tag]) for tag in row.tags)),
        "sources": _marked("|", row.sources),
        "created_at": piece.at,
        "updated_at": piece.at,
    }
    for name, slot in piece.slots.items():
        value = row.attributes.get(name)
        card[f"text_{slot}"] = value.text if value else None
        card[f"number_{slot}"] = value.number if value else None
    return card


def _marked(mark: str, words: Iterable[str]) -> str:
    return mark + "".join(f"{word}{mark}" for word in words)


@lru_cache(maxsize=8)
def _card_statement(slots: tuple[int, ...]) -> Any:
    """Fill in what is known; NULL leaves the card as it is."""

    def kept(name: str) -> ColumnElement[Any]:
        return func.coalesce(bindparam(f"new_{name}", type_=Text()), clients.c[name])

    values: dict[str, Any] = {name: kept(name) for name in CARD_COLUMNS}
    # A row may name the card by the id of another one that was merged into it: that id stays where it is.
    values["external_id"] = func.coalesce(clients.c.external_id, bindparam("new_external_id", type_=Text()))
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
    is_standing = clients.c.erased_at.is_(None)
    return update(clients).where(clients.c.id == bindparam("client"), is_standing).values(values)


def _changed_card(row: ClientRow, client_id: int, piece: Piece) -> dict[str, Any]:
    values: dict[str, Any] = {f"new_{name}": row.card.get(name) for name in CARD_COLUMNS}
    values |= {"client": client_id, "at": piece.at, "new_external_id": row.external_id}
    values |= {"new_timezone": row.timezone, "new_timezone_of_phone": row.timezone_of_phone}
    for name, slot in piece.slots.items():
        value = row.attributes.get(name)
        values[f"new_text_{slot}"] = value.text if value else None
        values[f"new_number_{slot}"] = value.number if value else None
    return values


# --- what belongs to them --------------------------------------------------------------------------------------------


async def _new_places(connection: AsyncConnection, piece: Piece, written: Written) -> NewPlaces:
    """Rows of new addresses by client, enabled; one that is there already keeps its status, and an opt-out reaches
    the new ones too."""
    new: dict[tuple[str, str], tuple[Place, int]] = {}
    for row, client in written:
        for place in row.places:
            if (place.scope, place.external_id) not in piece.existing:
                new.setdefault((place.scope, place.external_id), (place, client))
    known = {outcome.client_id for outcome in piece.planned if isinstance(outcome, Updated) and outcome.client_id > 0}
    out = await _standing_opt_outs(connection, known)
    ids = await _next_ids(connection, addresses, len(new))
    rows: dict[int, list[Mapping[str, Any]]] = {}
    for number, (place, client) in zip(ids, new.values(), strict=True):
        address = {
            "id": number,
            "client_id": client,
            "scope": place.scope,
            "external_id": place.external_id,
            "channel": place.channel,
            "status": _status(place, out.get(client, ())).value,
            "status_at": piece.at,
            "created_at": piece.at,
            "details": {},
        }
        rows.setdefault(client, []).append(address)
    return rows


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


async def _write_owned(
    connection: AsyncConnection, piece: Piece, written: Written, places: NewPlaces, tags: Mapping[str, int]
) -> None:
    rows: list[tuple[Table, list[dict[str, Any]]]] = [
        (addresses, [dict(place) for owned in places.values() for place in owned]),
        (client_tags, [{"tag_id": tags[tag], "client_id": client} for row, client in written for tag in row.tags]),
        (
            subscriptions,
            [
                {"client_id": client, "source": source, "since": piece.at}
                for row, client in written
                for source in row.sources
            ],
        ),
    ]
    for table, its in rows:
        if its:
            statement = insert(connection, table)
            # An address that somebody else took since we looked must not pass unnoticed.
            await connection.execute(statement if table is addresses else statement.on_conflict_do_nothing(), its)
