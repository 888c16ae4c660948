"""Which row is whose: by the id in the user's own system, else by any address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.bulk import among, is_among
from storage.erasing import ID_SCOPE, erased_among, hash_address, is_anybody_erased
from storage.errors import _
from storage.schema import addresses, clients

ERASED = _("this client was erased at their own request")
TAKEN = _("its address {address} belongs to another client")
SEVERAL = _("its addresses belong to several clients")


# Tuples, because an import makes them by the million: one is made in a fifth of a frozen dataclass's time.


class Place(NamedTuple):
    """An address: the channel that reaches it and the scope in which it is unique."""

    scope: str
    external_id: str
    channel: str | None


class Value(NamedTuple):
    """An attribute's value: as it was written, and as a number where it is one."""

    text: str
    number: float | None = None


class ClientRow(NamedTuple):
    """What is known of a client; what is absent stays as it is on the card."""

    external_id: str | None = None
    card: Mapping[str, str] = MappingProxyType({})  # name, first_name, last_name, phone, email, language, main_channel
    timezone: str | None = None
    timezone_of_phone: str | None = None
    places: tuple[Place, ...] = ()
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    attributes: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PlaceColumn:
    """The addresses that rows have in one scope, None where one has none."""

    scope: str
    channel: str | None
    names: Sequence[str | None]


Texts = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one file by their columns, all of one length; a column that the file has not is not there."""

    size: int
    external_ids: Texts
    card: Mapping[str, Texts]
    timezones: Texts
    timezones_of_phone: Texts
    places: tuple[PlaceColumn, ...]
    tags: Sequence[tuple[str, ...]]
    sources: Sequence[tuple[str, ...]]
    attributes: Mapping[str, tuple[Texts, Sequence[float | None]]]

    def row(self, number: int) -> ClientRow:
        return ClientRow(
            self.external_ids[number],
            {name: text for name, texts in self.card.items() if (text := texts[number])},
            self.timezones[number],
            self.timezones_of_phone[number],
            tuple(Place(one.scope, name, one.channel) for one in self.places if (name := one.names[number])),
            self.tags[number],
            self.sources[number],
            {
                name: Value(text, numbers[number])
                for name, (texts, numbers) in self.attributes.items()
                if (text := texts[number])
            },
        )


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


class Matching:
    """Finds each row's client, rows of the same piece before it included."""

    def __init__(self, rows: Sequence[ClientRow]) -> None:
        self.rows = rows
        self.erased: set[int] = set()  # the rows, by their place
        self.by_id: dict[str, int] = {}
        self.names: dict[int, str | None] = {}
        self.by_place: dict[tuple[str, str], int] = {}
        self.found: set[tuple[str, str]] = set()  # the addresses that storage has
        self.next_id = -1  # new clients of the piece, until they get their own

    @classmethod
    async def look(cls, connection: AsyncConnection, rows: Sequence[ClientRow], secret: bytes) -> "Matching":
        matching = cls(rows)
        if await is_anybody_erased(connection):
            hashes = [[hash_address(secret, scope, name) for scope, name in _names(row)] for row in rows]
            erased = await erased_among(connection, {one for its in hashes for one in its})
            matching.erased = {number for number, its in enumerate(hashes) if not erased.isdisjoint(its)}
        dialect = connection.dialect.name
        look = _looks(dialect)
        ids = {row.external_id for row in rows if row.external_id}
        if ids:
            found = await connection.execute(look.by_id, {"ids": among(dialect, ids)})
            matching.by_id = {row.external_id: row.id for row in found}
        places = {place.external_id for row in rows for place in row.places}
        if places:
            for row in await connection.execute(look.by_place, {"places": among(dialect, places)}):
                matching.by_place[row.scope, row.external_id] = row.client_id
                matching.found.add((row.scope, row.external_id))
                matching.names[row.client_id] = row.its_id
        return matching

    def outcomes(self) -> list[RowOutcome]:
        """Added with a number below 0 stands for a client that is still to be made."""
        return [self._outcome(number, row) for number, row in enumerate(self.rows)]

    def _outcome(self, number: int, row: ClientRow) -> RowOutcome:
        if number in self.erased:
            return Rejection(ERASED)
        owners: dict[int, str] = {}
        for scope, name, _channel in row.places:
            if (owner := self.by_place.get((scope, name))) is not None:
                owners[owner] = name
        client = self.by_id.get(row.external_id) if row.external_id else None
        if client is None and len(owners) > 1:
            return Rejection(SEVERAL)
        if client is None and owners:
            client = next(iter(owners))
            if row.external_id and self.names.get(client) not in (None, row.external_id):
                return Rejection(TAKEN, {"address": owners[client]})
        for owner, address in owners.items():
            if owner != client:
                return Rejection(TAKEN, {"address": address})
        outcome: RowOutcome = Updated(client) if client is not None else Added(self.next_id)
        if client is None:
            client, self.next_id = self.next_id, self.next_id - 1
        self._remember(row, client)
        return outcome

    def _remember(self, row: ClientRow, client: int) -> None:
        if row.external_id:
            self.by_id[row.external_id] = client
            self.names[client] = row.external_id
        for scope, name, _channel in row.places:
            self.by_place[scope, name] = client


class _Looks(NamedTuple):
    by_id: Any
    by_place: Any


@lru_cache(maxsize=2)
def _looks(dialect: str) -> _Looks:
    # The id of a card that was merged into another one leads to that one.
    stands = func.coalesce(clients.c.merged_into, clients.c.id)
    by_id = select(clients.c.external_id, stands.label("id")).where(is_among(dialect, clients.c.external_id, "ids"))
    its = (addresses.c.scope, addresses.c.external_id, addresses.c.client_id)
    by_place = select(*its, clients.c.external_id.label("its_id")).join(clients, clients.c.id == addresses.c.client_id)
    return _Looks(by_id, by_place.where(is_among(dialect, addresses.c.external_id, "places")))


def _names(row: ClientRow) -> list[tuple[str, str]]:
    own = [(ID_SCOPE, row.external_id)] if row.external_id else []
    return own + [(place.scope, place.external_id) for place in row.places]
