"""Cards of clients as templates and people see them; what changes them stands in the modules beside."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.addresses import (
    AddressChange,
    MainChannel,
    change_addresses,
    keep_in_step,
    move_address,
    set_main_channels,
)
from storage.audiences import (
    Audience,
    AudienceCount,
    count_audience,
    count_unknown,
    first_reachable,
    search,
    why_left_out,
)
from storage.bulk import Asked, among, is_among
from storage.database import Database, now
from storage.erasing import Erasure, erase, export_client
from storage.errors import NotFound, _
from storage.fields import Fields, Span, load_fields
from storage.merging import Joining, join_cards
from storage.opting import OptIn, OptOut, Revoked, opt_in, opt_out
from storage.records import Actor, AddressRecord, ClientCard
from storage.schema import addresses, attributes, client_tags, clients, tags
from storage.tagging import TagChange, as_tag, change_tags
from storage.writer import Writer

__all__ = [
    "AddressChange",
    "AudienceCount",
    "Clients",
    "Revoked",
    "change_addresses",
    "keep_in_step",
    "move_address",
    "values_for",
]

_CARD_COLUMNS = ("name", "first_name", "last_name", "language", "phone", "email", "timezone")
CARD_FIELDS = frozenset({*_CARD_COLUMNS, "id", "tags"})  # what every template may name, beside the attributes


_FOR_EXAMPLES = 50  # clients


class Written(float):
    """A number that shows as it was written: 19.90 stays 19.90."""

    def __new__(cls, text: str) -> "Written":
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str

    def __str__(self) -> str:
        return self.text


async def values_for(
    connection: AsyncConnection, client_ids: Collection[int], fields: Collection[str] | None = None
) -> dict[int, Mapping[str, Any]]:
    """The cards as templates see them; what is not known is absent. `fields` are those that are needed; None: all.

    `id` is the client's id in the user's own system, `tags` a list of names; attributes stand by name: numbers as
    numbers, dates as ISO text."""
    if fields is not None and not fields:
        return {client_id: {} for client_id in client_ids}
    slots: Mapping[str, int] = {}
    if fields is None or not CARD_FIELDS.issuperset(fields):
        slots = await _slots(connection)
    rows = await _cards_with(tuple(slots.values())).rows(
        connection, {"ids": among(connection.dialect.name, client_ids)}
    )
    tag_ids = {int(tag) for row in rows for tag in row[2].split(",") if tag}
    names = await _tag_names(connection, tag_ids)
    return {row[0]: _values(row, slots, names) for row in rows}


async def _slots(connection: AsyncConnection) -> Mapping[str, int]:
    """Where each attribute stands, by its name."""
    return {row[0]: row[1] for row in await _SLOTS.rows(connection, {})}


_SLOTS = Asked(lambda _dialect: select(attributes.c.name, attributes.c.slot))


@lru_cache(maxsize=64)
def _cards_with(slots: tuple[int, ...]) -> Asked:
    """Built once, because every claim of every lane asks it."""
    columns: list[ColumnElement[Any]] = [clients.c.id, clients.c.external_id, clients.c.tags]
    columns += [clients.c[name] for name in _CARD_COLUMNS]
    columns += [clients.c[f"{kind}_{slot}"] for slot in slots for kind in ("text", "number")]
    return Asked(lambda dialect: select(*columns).where(is_among(dialect, clients.c.id, "ids")))


def _values(row: Sequence[Any], slots: Mapping[str, int], tag_names: Mapping[int, str]) -> Mapping[str, Any]:
    values: dict[str, Any] = {"tags": sorted(tag_names[int(tag)] for tag in row[2].split(",") if tag)}
    if row[1] is not None:
        values["id"] = row[1]
    place = 3
    for name in _CARD_COLUMNS:
        if row[place] is not None:
            values[name] = row[place]
        place += 1
    for name in slots:
        if row[place] is not None:
            values[name] = _typed(row[place], row[place + 1])
        place += 2
    if "name" not in values and (parts := [values[part] for part in ("first_name", "last_name") if part in values]):
        values["name"] = " ".join(parts)
    return values


def _typed(text: str, number: float | None) -> Any:
    if number is None:
        return text
    return int(number) if number.is_integer() and text.lstrip("-").isdigit() else Written(text)


async def _tag_names(connection: AsyncConnection, tag_ids: Collection[int]) -> Mapping[int, str]:
    if not tag_ids:
        return {}
    found = await connection.execute(select(tags.c.id, tags.c.name).where(tags.c.id.in_(tag_ids)))
    return {row.id: row.name for row in found}


async def cards_for(connection: AsyncConnection, client_ids: Sequence[int]) -> list[ClientCard]:
    """The cards as people see them, in the order of the ids; one that is not there is left out."""
    slots = await _slots(connection)
    rows = {
        row.id: row._mapping for row in await connection.execute(select(clients).where(clients.c.id.in_(client_ids)))
    }
    names = await _tag_names(connection, {int(tag) for row in rows.values() for tag in row["tags"].split(",") if tag})
    places: dict[int, list[AddressRecord]] = {}
    owned = select(addresses).where(addresses.c.client_id.in_(client_ids)).order_by(addresses.c.id)
    for row in await connection.execute(owned):
        places.setdefault(row.client_id, []).append(_address(row))
    return [
        _card(rows[client_id], slots, names, places.get(client_id, [])) for client_id in client_ids if client_id in rows
    ]


def _card(
    row: RowMapping, slots: Mapping[str, int], tag_names: Mapping[int, str], places: Sequence[AddressRecord]
) -> ClientCard:
    return ClientCard(
        id=row["id"],
        external_id=row["external_id"],
        name=row["name"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        language=row["language"],
        timezone=row["timezone"],
        main_channel=row["main_channel"],
        tags=tuple(sorted(tag_names[int(tag)] for tag in row["tags"].split(",") if tag)),
        attributes={
            name: _typed(row[f"text_{slot}"], row[f"number_{slot}"])
            for name, slot in slots.items()
            if row[f"text_{slot}"] is not None
        },
        addresses=tuple(places),
        created_at=row["created_at"],
        last_seen_at=row["last_seen_at"],
        erased_at=row["erased_at"],
        subscribed_to=tuple(sorted(source for source in row["sources"].split("|") if source)),
    )


def _address(row: Any) -> AddressRecord:
    return AddressRecord(
        id=row.id,
        client_id=row.client_id,
        scope=row.scope,
        external_id=row.external_id,
        channel=row.channel,
        status=AddressStatus(row.status),
        status_reason=row.status_reason,
        status_at=row.status_at,
        last_wrote_at=row.last_wrote_at,
    )


class Clients:
    """Looking at cards, and what a person changes on one of them."""

    def __init__(self, database: Database, writer: Writer, secret: bytes) -> None:
        self._database = database
        self._writer = writer
        self._secret = secret

    # --- one client ---

    async def get(self, client_id: int) -> ClientCard:
        """Raises NotFound."""
        found = await self._cards([client_id])
        if not found:
            raise NotFound(_("There is no client {client}."), client=client_id)
        return found[0]

    async def get_standing(self, client_id: int) -> ClientCard:
        """The card, or the one that it was merged into. Raises NotFound for one that was erased."""
        async with self._database.read() as connection:
            found = await cards_for(connection, [await _standing(connection, client_id)])
        if not found or found[0].erased_at is not None:
            raise NotFound(_("There is no client {client}."), client=client_id)
        return found[0]

    async def find(self, words: str, limit: int = 20, after: int = 0) -> list[ClientCard]:
        """Clients by their id, one of their addresses, or a piece of the name, by ascending id from behind `after`; an
        exact hit comes alone."""
        exact = await self.find_by_any(words) if not after else None
        if exact is not None:
            return [exact]
        if not _clean(words):
            return []
        ids = await search(self._database, partial(_find_named, words, limit), limit, after=after)
        return await self._cards(ids)

    async def find_by_any(self, text: str) -> ClientCard | None:
        """The client with exactly this id in the user's system, address, phone, e-mail, or id of ours."""
        text = _clean(text)
        async with self._database.read() as connection:
            for statement in _exact(text):
                found = await connection.scalar(statement)
                if found is not None:
                    return next(iter(await cards_for(connection, [await _standing(connection, found)])), None)
        return None

    async def values_of(self, client_id: int) -> Mapping[str, Any]:
        """The card as templates see it; see `values_for`."""
        async with self._database.read() as connection:
            return (await values_for(connection, [client_id])).get(client_id, {})

    # --- many ---

    async def page(self, *, after: int = 0, limit: int = 50, search: str = "") -> list[ClientCard]:
        """The next clients by ascending id."""
        async with self._database.read() as connection:
            wanted = select(clients.c.id).where(_STANDING, clients.c.id > after)
            if search:
                fields = await load_fields(connection, (), at=now(), zone=UTC)
                wanted = wanted.where(fields.compare("name", "contains", _clean(search)))
            return await cards_for(
                connection, list(await connection.scalars(wanted.order_by(clients.c.id).limit(limit)))
            )

    async def total(self) -> int:
        """How many clients there are."""
        async with self._database.read() as connection:
            return int(await connection.scalar(select(func.count()).select_from(clients).where(_STANDING)) or 0)

    async def count(self, audience: Audience) -> AudienceCount:
        """How many match now, how many of them can be reached, by channel, and why the others can't."""
        return await count_audience(self._database, audience)

    async def count_unknown(self, audience: Audience, asked: Mapping[str, Sequence[str]]) -> Mapping[str, int]:
        """How many who can be reached have no value in any of the fields that each name asks for."""
        return await count_unknown(self._database, audience, asked)

    async def sample(self, audience: Audience) -> ClientCard | None:
        """A client of this audience, one who can be reached if there is any."""
        client_id = await first_reachable(self._database, audience)
        return None if client_id is None else await self.get(client_id)

    async def why_left_out(self, client_id: int, audience: Audience) -> str | None:
        """The reason why this client would not be planned now ("not_in_audience", "blocked" …), or None."""
        return await why_left_out(self._database, client_id, audience)

    # --- fields, tags ---

    async def known_fields(self) -> set[str]:
        """Every name that a template may use."""
        return {*CARD_FIELDS, *await self.attribute_names()}

    async def examples(self) -> Mapping[str, Any]:
        """A value of each field that one of the first clients has."""
        async with self._database.read() as connection:
            ids = await connection.scalars(
                select(clients.c.id).where(_STANDING).order_by(clients.c.id).limit(_FOR_EXAMPLES)
            )
            found: dict[str, Any] = {}
            for values in (await values_for(connection, list(ids))).values():
                found = {**{name: value for name, value in values.items() if value not in ("", [])}, **found}
            return found

    async def attribute_names(self) -> list[str]:
        """The custom attributes that cards have."""
        async with self._database.read() as connection:
            return list(await connection.scalars(select(attributes.c.name).order_by(attributes.c.name)))

    async def tags(self) -> list[tuple[str, int]]:
        """Every tag with how many clients have it, the most frequent first."""
        async with self._database.read() as connection:
            per_tag = select(client_tags.c.tag_id, func.count()).group_by(client_tags.c.tag_id)
            counted = {row[0]: row[1] for row in await connection.execute(per_tag)}
            named = (await connection.execute(select(tags.c.id, tags.c.name))).all()
        return sorted(((row.name, counted.get(row.id, 0)) for row in named), key=lambda one: (-one[1], one[0]))

    async def tag(self, client_id: int, *names: str) -> None:
        """Put tags on a client; a new one comes into being. Raises Invalid for what can't be a tag."""
        await self._writer.write(change_tags, TagChange(client_id, add=tuple(map(as_tag, names))))

    async def untag(self, client_id: int, *names: str) -> None:
        await self._writer.write(change_tags, TagChange(client_id, remove=tuple(map(as_tag, names))))

    # --- rights of a client ---

    async def opt_out(self, client_id: int, scope: str, by: Actor, at: datetime | None = None) -> Sequence[Revoked]:
        """Stop all mailings to a client on a channel, or on every one with scope "all"; returns the addresses that
        nothing goes to any more."""
        return await self._writer.write(opt_out, OptOut(client_id, scope, "person", at or now(), by=by))

    async def opt_in(self, client_id: int, scope: str, reason: str, by: Actor, at: datetime) -> Sequence[str]:
        """Let mailings come again, because somebody says that the client wants them; returns the channels that they
        come by. Raises Refused where there is nothing to bring back."""
        return await self._writer.write(opt_in, OptIn(client_id, scope, reason, at, by))

    async def set_main_channel(self, client_id: int, channel: str, by: Actor, at: datetime) -> None:
        """Raises Stale where the client is not on that channel (any more)."""
        await self._writer.write(set_main_channels, MainChannel(client_id, channel, at, by))

    async def merge(self, from_id: int, into_id: int, by: Actor, at: datetime) -> Sequence[Revoked]:
        """Make two cards one, for good; see `storage.merging.join_cards`. Raises Refused, Stale."""
        return await self._writer.write(join_cards, Joining(from_id, into_id, at, by))

    async def erase(self, client_id: int, by: Actor, at: datetime | None = None) -> Sequence[Revoked]:
        """Forget a client: the card and the addresses go, keyed hashes keep an import from bringing them back."""
        return await self._writer.write(erase, Erasure(client_id, self._secret, at or now(), by))

    async def export(self, client_id: int) -> dict[str, Any]:
        """Everything that we know of a client, as plain data. Raises NotFound."""
        card = await self.get(client_id)
        async with self._database.read() as connection:
            return await export_client(connection, card)

    async def _cards(self, client_ids: Sequence[int]) -> list[ClientCard]:
        async with self._database.read() as connection:
            return await cards_for(connection, client_ids)


_STANDING = and_(clients.c.erased_at.is_(None), clients.c.merged_into.is_(None))
_NAMES = ("name", "first_name", "last_name")
_MOST_PIECES = 4  # of a name, each of which has to stand somewhere on the card
_LEAST_DIGITS = 4  # of a phone, before they are looked for without what parts them


async def _find_named(words: str, limit: int, connection: AsyncConnection, span: Span) -> Sequence[int]:
    fields = await load_fields(connection, (), at=now(), zone=UTC)
    named = called(fields, words)
    if digits := _digits(words):
        named = or_(named, fields.compare("phone", "contains", digits))
    wanted = select(clients.c.id).where(_STANDING, named, clients.c.id.between(*span))
    return list(await connection.scalars(wanted.order_by(clients.c.id).limit(limit)))


async def _standing(connection: AsyncConnection, client_id: int) -> int:
    """The card itself, or the one that it was merged into."""
    into: int | None = await connection.scalar(select(clients.c.merged_into).where(clients.c.id == client_id))
    return client_id if into is None else into


def called(fields: Fields, words: str) -> ColumnElement[bool]:
    """Whether each of the words stands somewhere in the name, the phone or the e-mail."""
    return and_(*(_named(fields, piece) for piece in _clean(words).split()[:_MOST_PIECES]))


def _named(fields: Fields, piece: str) -> ColumnElement[bool]:
    """A million cards are asked: a column that can't hold the piece is left alone."""
    return fields.any_contains((*_NAMES, "phone", "email") if piece.isascii() else _NAMES, piece)


def _digits(words: str) -> str:
    """The piece of a phone that somebody typed with blanks, dashes and brackets; "" where it is none, or the same."""
    digits = re.sub(r"[\s()+-]", "", words)
    is_phone = digits.isascii() and digits.isdecimal() and len(digits) >= _LEAST_DIGITS
    return digits if is_phone and digits != words.strip() else ""


def _exact(text: str) -> list[Select[int]]:
    """Where a text may stand as a whole, the surest place first."""
    wanted = [select(clients.c.id).where(clients.c.external_id == text)]
    digits = re.sub(r"[\s()-]", "", text)
    wanted += [
        select(addresses.c.client_id).where(addresses.c.external_id == address).order_by(addresses.c.id).limit(1)
        for address in dict.fromkeys([text, text.lower(), digits, f"+{digits}"])
    ]
    own = text.removeprefix("#")
    if own.isascii() and own.isdigit() and len(own) <= 15:
        wanted.append(select(clients.c.id).where(clients.c.id == int(own)))
    return wanted


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()
