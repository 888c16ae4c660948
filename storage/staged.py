"""Rows of a file as tables that stand beside those of storage until they are taken from there: `storage.staging`."""

import itertools
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from gateways.base import AddressStatus
from storage.erasing import ID_SCOPE, hash_address
from storage.matching import Batch

ENABLED = AddressStatus.ENABLED.value


class Stands(IntEnum):
    """How a row stands to who is there."""

    NEW = 0
    APART = 1  # it needs a look of its own
    KNOWN = 2  # so does who is there already, but for those who are
    SAME = 3  # all there, with all their addresses, tags and sources: only the card is filled in


class _Place(NamedTuple):
    scope: str
    channel: str | None


class Layout(NamedTuple):
    """What the staged rows have, by which their statements are made once."""

    texts: tuple[str, ...]
    places: tuple[_Place, ...]
    slots: tuple[int, ...]
    has_tags: bool
    has_sources: bool
    is_hashed: bool
    has_mains: bool  # somebody's main channel is given


@dataclass(frozen=True, slots=True)
class Staged:
    """A batch as it is handed to the database; rows count from 0. `image` is what SQLite reads it from."""

    size: int
    layout: Layout
    rows: Sequence[Sequence[Any]]
    tags: Sequence[tuple[int, int]]
    sources: Sequence[tuple[int, str]]
    image: bytes | None


def stage(
    batch: Batch, slots: Mapping[str, int], tags: Mapping[str, int], secret: bytes | None, *, is_sqlite: bool
) -> Staged:
    named = [name for name in batch.card if name != "main_channel"]
    layout = Layout(
        tuple(named),
        tuple(_Place(one.scope, one.channel) for one in batch.places),
        tuple(slots[name] for name in batch.attributes),
        any(batch.tags),
        any(batch.sources),
        secret is not None,
        any(batch.card.get("main_channel") or ()),
    )
    columns: list[Sequence[Any]] = [range(batch.size), _stands(batch), batch.external_ids]
    columns += [batch.card[name] for name in named]
    zones = list(zip(batch.timezones, batch.timezones_of_phone, strict=True))
    columns.append([own or derived for own, derived in zones])
    columns.append(["card" if own else "phone" if derived else None for own, derived in zones])
    columns += _reached(batch)
    columns += [one.names for one in batch.places]
    columns += [column for both in batch.attributes.values() for column in both]
    marked: list[tuple[int, int]] = []
    if layout.has_tags:
        marks = {its: _marked(",", [str(tags[tag]) for tag in its]) for its in set(batch.tags)}
        columns.append([marks[its] for its in batch.tags])
        marked = [(row, tags[tag]) for row, its in enumerate(batch.tags) for tag in its]
    sources: list[tuple[int, str]] = []
    if layout.has_sources:
        columns.append([_marked("|", its) for its in batch.sources])
        sources = [(row, source) for row, its in enumerate(batch.sources) for source in its]
    if secret is not None:
        for scope, names in ((ID_SCOPE, batch.external_ids), *((one.scope, one.names) for one in batch.places)):
            columns.append([hash_address(secret, scope, name) if name else None for name in names])
    rows = list(zip(*columns, strict=True))
    if not is_sqlite:
        return Staged(batch.size, layout, rows, marked, sources, None)
    return Staged(batch.size, layout, (), (), (), _image(layout, rows, marked, sources))


def _image(
    layout: Layout,
    rows: Sequence[Sequence[Any]],
    tags: Sequence[tuple[int, int]],
    sources: Sequence[tuple[int, str]],
) -> bytes:
    """A database of its own, in memory, whose bytes the writer's connection takes as they are."""
    tables = tables_of(layout, "sqlite")
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode=OFF")
        database.execute("BEGIN")
        for table, given in zip(tables, (rows, tags, sources), strict=True):
            database.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
            marks = ", ".join("?" * len(table.columns))
            database.executemany(f"INSERT INTO {table.name} VALUES ({marks})", given)  # noqa: S608  # a name of ours
        database.execute("COMMIT")
        # By this number a statement that was prepared for another image notices that the tables are not the same ones.
        database.execute(f"PRAGMA schema_version = {next(_IMAGES)}")
        return database.serialize()
    finally:
        database.close()


_IMAGES = itertools.count(1000)


def _stands(batch: Batch) -> Sequence[int]:
    """APART where a row shares a name with another one."""
    stands: list[int] = [Stands.NEW] * batch.size
    for names in (batch.external_ids, *(one.names for one in batch.places)):
        given = [name for name in names if name]
        if len(set(given)) == len(given):
            continue
        first: dict[str, int] = {}
        for row, name in enumerate(names):
            if name and (before := first.setdefault(name, row)) != row:
                stands[before] = stands[row] = Stands.APART
    return stands


def _reached(batch: Batch) -> list[Sequence[Any]]:
    """The main channel, which place is its address, and what the card repeats of its addresses."""
    on = [
        [place if name else None for name in one.names]
        for place, one in enumerate(batch.places)
        if one.channel is not None
    ] or [[None] * batch.size]
    keys = list(zip(batch.card.get("main_channel") or [None] * batch.size, *on, strict=True))
    known = {key: _reach(batch, key[0], key[1:]) for key in set(keys)}
    return [[known[key][column] for key in keys] for column in range(3)]


def _reach(batch: Batch, main: str | None, its: Sequence[int | None]) -> tuple[str | None, int | None, str]:
    there = {batch.places[place].channel: place for place in its if place is not None}
    channel = main or next(iter(there), None)
    return channel, there.get(channel), _marked("|", [f"{name}={ENABLED}" for name in there])


def _marked(mark: str, words: Sequence[str]) -> str:
    return f"{mark}{mark.join(words)}{mark}" if words else mark


# --- their tables ---


class Tables(NamedTuple):
    clients: Table
    tags: Table
    sources: Table


@lru_cache(maxsize=32)
def tables_of(layout: Layout, dialect: str) -> Tables:
    own = MetaData()
    columns: list[Column[Any]] = [
        Column("n", Integer, primary_key=True),
        Column("stands", SmallInteger),
        *(Column(name, Text) for name in ("external_id", *layout.texts, "timezone", "timezone_source", "main_channel")),
        Column("main_place", SmallInteger),
        Column("reach", Text),
        *(Column(f"place_{place}", Text) for place in range(len(layout.places))),
    ]
    for slot in layout.slots:
        columns += [Column(f"text_{slot}", Text), Column(f"number_{slot}", Float)]
    columns += [Column("tags", Text)] if layout.has_tags else []
    columns += [Column("sources", Text)] if layout.has_sources else []
    if layout.is_hashed:
        columns += [Column(f"hash_{place}", LargeBinary) for place in range(1 + len(layout.places))]
    if dialect != "sqlite":
        columns.append(Column("client_id", BigInteger, server_default=_next("clients")))
        columns += [
            Column(f"address_{place}", BigInteger, server_default=_next("addresses"))
            for place in range(len(layout.places))
        ]
    if dialect == "sqlite":
        how: dict[str, Any] = {}
        of = ""
    else:  # they stay with the connection, each layout under a name of its own
        how = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DELETE ROWS"}
        of = f"_{_NUMBERS.setdefault(layout, len(_NUMBERS))}"
    return Tables(
        Table(f"staged_clients{of}", own, *columns, **how),
        Table(f"staged_tags{of}", own, _row(), Column("tag_id", BigInteger, primary_key=True), **how),
        Table(f"staged_sources{of}", own, _row(), Column("source", Text, primary_key=True), **how),
    )


def _row() -> Column[int]:
    return Column("n", Integer, primary_key=True, autoincrement=False)


_NUMBERS: dict[Layout, int] = {}


def _next(table: str) -> Any:
    return text(f"nextval(pg_get_serial_sequence('{table}', 'id'))")
