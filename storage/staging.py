"""New clients from files, set-wise: rows are staged beside the tables, and one statement takes each table's from there.

A row that shares its id or an address with another row of its batch, with a client who is there, or with one who was
erased, stands apart: `storage.upserts` takes those one by one (docs/decisions/bulk.md)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Integer,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateTable

from storage.database import Database
from storage.erasing import is_anybody_erased
from storage.matching import Batch
from storage.schema import Instant, Json, addresses, client_tags, clients, erased_addresses, subscriptions
from storage.staged import ENABLED, Layout, Staged, Stands, stage, tables_of
from storage.tagging import tag_ids
from storage.upserts import LOOKS, TEXTS, changes_of, is_sending
from storage.writer import Writer, long


@dataclass(frozen=True, slots=True)
class Taken:
    """How many of the piece's rows were clients already, and which ones stood apart; how long the write lock was held
    before the commit, and whether a lane may have waited for it."""

    updated: int
    apart: Sequence[int]
    held_s: float
    is_sending: bool


class Staging:
    """`prepare` a batch and have it staged, then `take` piece after piece of it."""

    def __init__(self, database: Database, writer: Writer, secret: bytes) -> None:
        self._database = database
        self._writer = writer
        self.secret = secret
        self._tags: dict[str, int] = {}
        self._shown: Staged | None = None  # what SQLite's writer sees
        self._one_at_a_time = asyncio.Lock()

    async def prepare(self, batch: Batch, slots: Mapping[str, int]) -> Callable[[], Staged]:
        """What stages the batch; it may run in any thread. Names its tags."""
        names = {tag for its in set(batch.tags) for tag in its}
        if missing := names.difference(self._tags):
            self._tags |= await self._writer.write(_name_tags, tuple(missing))
        async with self._database.read() as connection:
            secret = self.secret if await is_anybody_erased(connection) else None
        is_sqlite, tags = self._database.dialect == "sqlite", dict(self._tags)
        return lambda: stage(batch, slots, tags, secret, is_sqlite=is_sqlite)

    async def take(self, staged: Staged, first: int, last: int, at: datetime) -> Taken:
        """Add the clients of these rows, in one transaction, but for those that stand apart."""
        piece = _Piece(staged, first, last, at)
        async with self._one_at_a_time:
            if staged.image is not None and self._shown is not staged:
                await self._database.show(staged.image)
                self._shown = staged
            for look in range(1, LOOKS + 1):
                try:
                    return await self._writer.write(_take_pieces, piece)
                except IntegrityError:  # PostgreSQL: somebody else wrote the same client since we looked
                    if look == LOOKS:
                        raise
        raise AssertionError


async def _name_tags(connection: AsyncConnection, values: Sequence[tuple[str, ...]]) -> Sequence[Mapping[str, int]]:
    ids = await tag_ids(connection, {name for names in values for name in names})
    return [ids] * len(values)


# --- taking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Piece:
    staged: Staged
    first: int
    last: int
    at: datetime


@long
async def _take_pieces(connection: AsyncConnection, pieces: Sequence[_Piece]) -> Sequence[Taken]:
    taken = []
    for piece in pieces:
        began = perf_counter()
        updated, apart = await _take(connection, piece)
        taken.append(Taken(updated, apart, perf_counter() - began, await is_sending(connection)))
    return taken


async def _take(connection: AsyncConnection, piece: _Piece) -> tuple[int, Sequence[int]]:
    dialect, layout = connection.dialect.name, piece.staged.layout
    made = _statements(layout, dialect)
    span: dict[str, Any] = {"first": piece.first, "last": piece.last}
    if dialect == "sqlite":
        for name, table in (("clients", clients), ("addresses", addresses)):
            span[f"last_of_{name}"] = (await connection.scalar(select(func.max(table.c.id))) or 0) + 1
    else:
        await _bring(connection, piece)
    if not layout.is_hashed and await is_anybody_erased(connection):
        return 0, range(piece.first, piece.last + 1)  # since it was staged: a look at each row says whose it was
    await connection.execute(made.part, span)
    for statement in made.take:
        await connection.execute(statement, {**span, "at": piece.at})
    left = (await connection.execute(made.left, span)).all()
    apart = [row for row, stands in left if stands != Stands.SAME]
    return len(left) - len(apart), apart


async def _bring(connection: AsyncConnection, piece: _Piece) -> None:
    """PostgreSQL: the piece's rows into tables of this connection, which are empty again when it is committed."""
    staged = piece.staged
    tables = tables_of(staged.layout, "postgresql")
    # It plans by what the tables were when it last looked, which in the first minutes of an import is nothing.
    await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    rows = staged.rows[piece.first : piece.last + 1]
    tags = [one for one in staged.tags if piece.first <= one[0] <= piece.last]
    sources = [one for one in staged.sources if piece.first <= one[0] <= piece.last]
    driver = cast(Any, (await connection.get_raw_connection()).driver_connection)
    everything: Sequence[Sequence[Sequence[Any]]] = (rows, tags, sources)
    for table, given in zip(tables, everything, strict=True):
        await connection.execute(CreateTable(table, if_not_exists=True))
        if given:
            names = [column.name for column in table.c if column.server_default is None]
            await driver.copy_records_to_table(table.name, records=given, columns=names)


class _Statements(NamedTuple):
    """`part` tells the new ones from those who are there, `take` takes them, `left` says how the others stand."""

    part: Executable
    take: tuple[Executable, ...]
    left: Select[Any]


@lru_cache(maxsize=32)
def _statements(layout: Layout, dialect: str) -> _Statements:
    staged, tags, sources = tables_of(layout, dialect)
    inside = staged.c.n.between(bindparam("first", type_=Integer), bindparam("last", type_=Integer))
    taken = and_(inside, staged.c.stands == Stands.NEW)
    ids = _Ids(staged, dialect)
    moment = bindparam("at", type_=Instant())
    take: list[Executable] = [_take_cards(layout, staged, ids, moment, taken)]
    for number, place in enumerate(layout.places):
        name = staged.c[f"place_{number}"]
        given: dict[str, ColumnElement[Any]] = {
            "id": ids.address(number),
            "client_id": ids.client,
            "scope": literal(place.scope, Text),
            "external_id": name,
            "channel": literal(place.channel, Text),
            "status": literal(ENABLED, Text),
            "status_at": moment,
            "created_at": moment,
            "details": literal({}, Json),
        }
        chosen = select(*given.values()).where(taken, name.is_not(None)).order_by(staged.c.n)
        take.append(insert(addresses).from_select(list(given), chosen))
    if layout.has_tags:
        chosen = select(tags.c.tag_id, ids.client).join(staged, staged.c.n == tags.c.n).where(taken)
        take.append(insert(client_tags).from_select(["tag_id", "client_id"], chosen))
    if layout.has_sources:
        chosen = select(ids.client, sources.c.source, moment).join(staged, staged.c.n == sources.c.n).where(taken)
        take.append(insert(subscriptions).from_select(["client_id", "source", "since"], chosen))
    part = update(staged).where(taken, or_(*_known(layout, staged))).values(stands=int(Stands.KNOWN))
    if not layout.has_mains:
        known = and_(inside, staged.c.stands == Stands.KNOWN)
        same = update(staged).where(known, *_same(layout, staged, tags, sources)).values(stands=int(Stands.SAME))
        take += [same, _fill_in(layout, staged, moment, and_(inside, staged.c.stands == Stands.SAME))]
    left = select(staged.c.n, staged.c.stands).where(inside, staged.c.stands != Stands.NEW).order_by(staged.c.n)
    return _Statements(part, tuple(take), left)


class _Ids:
    """The numbers of new rows: those after the last one on SQLite, whose write lock is ours; of PostgreSQL's sequences
    otherwise."""

    def __init__(self, staged: Table, dialect: str) -> None:
        self._staged = staged
        self._is_sqlite = dialect == "sqlite"
        self._first = bindparam("first", type_=BigInteger)
        self._count = bindparam("last", type_=BigInteger) - self._first + 1

    @property
    def client(self) -> ColumnElement[int]:
        if not self._is_sqlite:
            return self._staged.c.client_id
        return bindparam("last_of_clients", type_=BigInteger) + self._staged.c.n - self._first

    def address(self, place: int) -> ColumnElement[int]:
        if not self._is_sqlite:
            return self._staged.c[f"address_{place}"]
        return bindparam("last_of_addresses", type_=BigInteger) + place * self._count + self._staged.c.n - self._first


def _take_cards(
    layout: Layout, staged: Table, ids: _Ids, moment: ColumnElement[datetime], taken: ColumnElement[bool]
) -> Executable:
    """The whole cards at once, with what `storage.addresses.keep_in_step` would write on them."""
    mains = [
        (staged.c.main_place == number, ids.address(number))
        for number, place in enumerate(layout.places)
        if place.channel is not None
    ]
    has_main = staged.c.main_place.is_not(None)
    names = ["external_id", *layout.texts, "timezone", "timezone_source", "main_channel", "reach"]
    names += [name for slot in layout.slots for name in (f"text_{slot}", f"number_{slot}")]
    names += ["tags"] if layout.has_tags else []
    names += ["sources"] if layout.has_sources else []
    values: dict[str, ColumnElement[Any]] = {
        "id": ids.client,
        **{name: staged.c[name] for name in names},
        "main_address_id": case(*mains) if mains else null(),
        "main_status": case((has_main, literal(ENABLED, Text)), else_=literal("none", Text)),
        "created_at": moment,
        "updated_at": moment,
    }
    return insert(clients).from_select(list(values), select(*values.values()).where(taken).order_by(staged.c.n))


def _known(layout: Layout, staged: Table) -> list[ColumnElement[bool]]:
    """Where a row's id or one of its addresses is somebody's already, or was."""
    known: list[ColumnElement[bool]] = [exists().where(clients.c.external_id == staged.c.external_id)]
    known += [
        exists().where(addresses.c.scope == place.scope, addresses.c.external_id == staged.c[f"place_{number}"])
        for number, place in enumerate(layout.places)
    ]
    return [*known, _was_erased(staged)] if layout.is_hashed else known


def _was_erased(staged: Table) -> ColumnElement[bool]:
    hashes = [column for column in staged.c if column.name.startswith("hash_")]
    return exists().where(erased_addresses.c.hash.in_(hashes))


def _same(layout: Layout, staged: Table, tags: Table, sources: Table) -> list[ColumnElement[bool]]:
    """Where the client of the row's id has each of its addresses, tags and sources already."""
    owner = (
        select(clients.c.id)
        .where(clients.c.external_id == staged.c.external_id)
        .where(clients.c.merged_into.is_(None), clients.c.erased_at.is_(None))
        .correlate(staged)
        .scalar_subquery()
    )
    same: list[ColumnElement[bool]] = [owner.is_not(None)]
    for number, place in enumerate(layout.places):
        name = staged.c[f"place_{number}"]
        its = (addresses.c.scope == place.scope, addresses.c.external_id == name, addresses.c.client_id == owner)
        same.append(or_(name.is_(None), exists().where(*its)))
    for table, owned, column in ((tags, client_tags, "tag_id"), (sources, subscriptions, "source")):
        has_it = exists().where(owned.c[column] == table.c[column], owned.c.client_id == owner)
        same.append(~exists().where(table.c.n == staged.c.n, ~has_it))
    return [*same, ~_was_erased(staged)] if layout.is_hashed else same


def _fill_in(layout: Layout, staged: Table, moment: ColumnElement[datetime], taken: ColumnElement[bool]) -> Executable:
    """What a look at the row by itself would write on the card of who is there."""

    def given(name: str) -> ColumnElement[Any]:
        match name:
            case "timezone":
                return case((staged.c.timezone_source == "card", staged.c.timezone))
            case "timezone_of_phone":
                return case((staged.c.timezone_source == "phone", staged.c.timezone))
            case _ if name in staged.c:
                return staged.c[name]
            case _:
                return null()

    values = changes_of(given, layout.slots)
    changed = {name: value for name, value in values.items() if name not in TEXTS or name in layout.texts}
    same = clients.c.external_id == staged.c.external_id
    return update(clients).where(same, taken).values({**changed, "updated_at": moment})
