"""Clients from outside: whole cards added and updated set-wise, a bad one refused without harm to its neighbours."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Float,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.addresses import keep_in_step
from storage.bulk import Changes, Rows, among, is_among
from storage.database import Database, insert_in
from storage.matching import Added, ClientRow, Matching, Place, RowOutcome, Updated
from storage.opting import EVERYWHERE
from storage.records import Status
from storage.schema import Instant, addresses, client_tags, clients, opt_outs, steps, subscriptions
from storage.tagging import tag_ids
from storage.writer import Writer, long

TEXTS = ("name", "first_name", "last_name", "phone", "email", "language")  # of a card, as rows bring them
_ENABLED = AddressStatus.ENABLED.value
_NO_DETAILS: Mapping[str, Any] = {}
_NO_VALUE = (None, None)
LOOKS = 3  # at who is there already, when somebody else writes the same clients just then


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that are written in one transaction, and whose they were when somebody looked."""

    rows: Sequence[ClientRow]
    planned: Sequence[RowOutcome]  # clients below 0 are new
    existing: Set[tuple[str, str]]  # scope and external id of addresses
    slots: Mapping[str, int]
    at: datetime
    is_sending: bool


@dataclass(frozen=True, slots=True)
class WrittenPiece:
    """One outcome for each row, how long the write lock was held before the commit, and whether a lane may have waited
    for it."""

    outcomes: Sequence[RowOutcome]
    held_s: float
    is_sending: bool


class Upserts:
    def __init__(self, database: Database, writer: Writer, secret: bytes) -> None:
        self._database = database
        self._writer = writer
        self._secret = secret

    async def write(self, rows: Sequence[ClientRow], slots: Mapping[str, int], at: datetime) -> WrittenPiece:
        """Add and update, in one transaction. The rows' attributes must have slots."""
        for look in range(1, LOOKS + 1):
            # Looking is done before the write lock is taken; what changes in between shows as a broken constraint.
            async with self._database.read() as connection:
                matching = await Matching.look(connection, rows, self._secret)
                sending = await is_sending(connection)
            piece = Piece(rows, matching.outcomes(), matching.found, slots, at, sending)
            try:
                return await self._writer.write(_write_pieces, piece)
            except IntegrityError:
                if look == LOOKS:
                    raise
        raise AssertionError

    async def try_out(self, rows: Sequence[ClientRow]) -> Sequence[RowOutcome]:
        """What `write` would answer, without writing; new clients have no number."""
        async with self._database.read() as connection:
            return (await Matching.look(connection, rows, self._secret)).outcomes()


async def is_sending(connection: AsyncConnection) -> bool:
    """Whether a mailing is being sent, whose lanes a piece may keep waiting."""
    return await connection.scalar(_SENDING) is not None


_SENDING = select(steps.c.id).where(steps.c.status == Status.SENDING.value).limit(1)


@long
async def _write_pieces(connection: AsyncConnection, pieces: Sequence[Piece]) -> Sequence[WrittenPiece]:
    written = []
    for piece in pieces:
        began = perf_counter()
        outcomes = await _write_piece(connection, piece)
        written.append(WrittenPiece(outcomes, perf_counter() - began, piece.is_sending))
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
    cards = _cards(tuple(piece.slots.values()))
    await cards.added.insert(
        connection, [_new_card(row, client, places.get(client, ()), tags, piece) for row, client in new]
    )
    await cards.changed.execute(connection, [_changed_card(row, client, piece) for row, client in changed])
    await _write_owned(connection, piece, [*new, *changed], places, tags)
    repeated = {
        client for row, client in changed if client in places or row.tags or row.sources or "main_channel" in row.card
    }
    if repeated:
        await keep_in_step(connection, repeated)
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


# Of addresses, in the order of _ADDRESS: id, client, scope, external id, channel, status, two moments, details.
_Address = tuple[int, int, str, str, str | None, str, datetime, datetime, Mapping[str, Any]]
_ADDRESS = (*("id", "client_id", "scope", "external_id", "channel", "status", "status_at", "created_at", "details"),)
NewPlaces = Mapping[int, Sequence[_Address]]


class _Cards(NamedTuple):
    """How cards with certain slots are written."""

    added: Rows
    changed: Changes


_OWN_COLUMNS = (
    *("id", "external_id", "timezone", "timezone_source", "main_channel", "main_address_id", "main_status"),
    *("reach", "tags", "sources", "created_at", "updated_at"),
)


@lru_cache(maxsize=8)
def _cards(slots: tuple[int, ...]) -> _Cards:
    own = [column for slot in slots for column in (f"text_{slot}", f"number_{slot}")]
    added = Rows(
        [clients.c[name] for name in (*_OWN_COLUMNS, *TEXTS, *own)], lambda dialect: insert_in(dialect, clients)
    )
    changed = ("client", "at", "new_timezone", "new_timezone_of_phone")
    texts = (*changed, "new_main_channel", "new_external_id", *(f"new_{name}" for name in (*TEXTS, *own)))
    return _Cards(added, Changes(texts, lambda: _change(slots)))


def _new_card(
    row: ClientRow, client: int, places: Sequence[_Address], tags: Mapping[str, int], piece: Piece
) -> Sequence[Any]:
    """The whole card at once, with what `storage.addresses.keep_in_step` would write on it."""
    reached = [(number, on, status) for number, _, _, _, on, status, *_ in places if on is not None]
    channel = row.card.get("main_channel") or (reached[0][1] if reached else None)
    main_id, main_status = None, "none"
    for number, on, status in reached:
        if on == channel and (main_status != _ENABLED or status == _ENABLED):
            main_id, main_status = number, status
    card = [
        client,
        row.external_id,
        row.timezone or row.timezone_of_phone,
        "card" if row.timezone else "phone" if row.timezone_of_phone else None,
        channel,
        main_id,
        main_status,
        _marked("|", [f"{on}={status}" for _, on, status in reached]),
        _marked(",", [str(tags[tag]) for tag in row.tags]),
        _marked("|", row.sources),
        piece.at,
        piece.at,
    ]
    return _with_texts(card, row, piece)


def _with_texts(card: list[Any], row: ClientRow, piece: Piece) -> Sequence[Any]:
    """What the row brought in words, and for each slot the text and the number."""
    card += map(row.card.get, TEXTS)
    for name in piece.slots:
        card += row.attributes.get(name, _NO_VALUE)
    return card


def _marked(mark: str, words: Sequence[str]) -> str:
    return f"{mark}{mark.join(words)}{mark}" if words else mark


_APP, _CARD, _PHONE = (literal_column(f"'{source}'", Text) for source in ("app", "card", "phone"))


def changes_of(given: Callable[[str], ColumnElement[Any]], slots: Sequence[int]) -> dict[str, ColumnElement[Any]]:
    """Fill in what is given by these names; NULL leaves the card as it is."""

    def kept(name: str) -> ColumnElement[Any]:
        return func.coalesce(given(name), clients.c[name])

    values: dict[str, Any] = {name: kept(name) for name in TEXTS}
    own, of_phone = given("timezone"), given("timezone_of_phone")
    # A time zone that somebody gave stands above one that was read from a phone.
    may_derive = and_(func.coalesce(clients.c.timezone_source, _APP) != _CARD, of_phone.is_not(None))
    values["timezone"] = case((own.is_not(None), own), (may_derive, of_phone), else_=clients.c.timezone)
    values["timezone_source"] = case((own.is_not(None), _CARD), (may_derive, _PHONE), else_=clients.c.timezone_source)
    for slot in slots:
        written, number = given(f"text_{slot}"), given(f"number_{slot}")
        values[f"text_{slot}"] = func.coalesce(written, clients.c[f"text_{slot}"])
        values[f"number_{slot}"] = case((written.is_not(None), number), else_=clients.c[f"number_{slot}"])
    return values


def _change(slots: tuple[int, ...]) -> Update:
    def given(name: str) -> ColumnElement[Any]:
        return bindparam(f"new_{name}", type_=Float() if name.startswith("number_") else Text())

    values = changes_of(given, slots)
    values["main_channel"] = func.coalesce(given("main_channel"), clients.c.main_channel)
    # A row may name the card by the id of another one that was merged into it: that id stays where it is.
    values["external_id"] = func.coalesce(clients.c.external_id, given("external_id"))
    values["updated_at"] = bindparam("at", type_=Instant())
    is_standing = clients.c.erased_at.is_(None)
    return update(clients).where(clients.c.id == bindparam("client"), is_standing).values(values)


def _changed_card(row: ClientRow, client: int, piece: Piece) -> Sequence[Any]:
    card = [
        client,
        piece.at,
        row.timezone,
        row.timezone_of_phone,
        row.card.get("main_channel"),
        row.external_id,
    ]
    return _with_texts(card, row, piece)


# --- what belongs to them --------------------------------------------------------------------------------------------


async def _new_places(connection: AsyncConnection, piece: Piece, written: Written) -> NewPlaces:
    """Rows of new addresses by client, enabled; one that is there already keeps its status, and an opt-out reaches
    the new ones too."""
    new: dict[tuple[str, str], tuple[Place, int]] = {}
    for row, client in written:
        for place in row.places:
            name = (place.scope, place.external_id)
            if name not in piece.existing:
                new.setdefault(name, (place, client))
    known = {outcome.client_id for outcome in piece.planned if isinstance(outcome, Updated) and outcome.client_id > 0}
    out = await _standing_opt_outs(connection, known)
    ids = await _next_ids(connection, addresses, len(new))
    rows: dict[int, list[_Address]] = {}
    for number, (place, client) in zip(ids, new.values(), strict=True):
        status = _status(place, out[client]) if client in out else _ENABLED
        scope, external_id, channel = place
        address = (number, client, scope, external_id, channel, status, piece.at, piece.at, _NO_DETAILS)
        rows.setdefault(client, []).append(address)
    return rows


def _status(place: Place, scopes: Sequence[str]) -> str:
    is_out = EVERYWHERE in scopes or place.channel in scopes
    return AddressStatus.UNSUBSCRIBED.value if is_out else _ENABLED


async def _standing_opt_outs(connection: AsyncConnection, client_ids: set[int]) -> Mapping[int, list[str]]:
    if not client_ids:
        return {}
    out: dict[int, list[str]] = {}
    dialect = connection.dialect.name
    standing = select(opt_outs.c.client_id, opt_outs.c.scope).where(
        is_among(dialect, opt_outs.c.client_id, "clients"), opt_outs.c.ended_at.is_(None)
    )
    for row in await connection.execute(standing, {"clients": among(dialect, client_ids)}):
        out.setdefault(row.client_id, []).append(row.scope)
    return out


async def _write_owned(
    connection: AsyncConnection, piece: Piece, written: Written, places: NewPlaces, tags: Mapping[str, int]
) -> None:
    await _ADDRESSES.insert(connection, [place for owned in places.values() for place in owned])
    await _TAGS.insert(connection, [(tags[tag], client) for row, client in written for tag in row.tags])
    await _SOURCES.insert(connection, [(client, source, piece.at) for row, client in written for source in row.sources])


# An address that somebody else took since we looked must not pass unnoticed.
_ADDRESSES = Rows([addresses.c[name] for name in _ADDRESS], lambda dialect: insert_in(dialect, addresses))
_TAGS = Rows(
    [client_tags.c.tag_id, client_tags.c.client_id],
    lambda dialect: insert_in(dialect, client_tags).on_conflict_do_nothing(),
)
_SOURCES = Rows(
    [subscriptions.c.client_id, subscriptions.c.source, subscriptions.c.since],
    lambda dialect: insert_in(dialect, subscriptions).on_conflict_do_nothing(),
)
