"""Who is in an audience, page by page; what their cards hold, to choose from; and how many there were last time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audiences import Audience, search
from storage.clients import called, cards_for
from storage.database import Database, now
from storage.fields import Span, load_fields
from storage.listed import Key, Listed, find_listed, scopes_of, tag_listed
from storage.records import ClientCard
from storage.schema import attributes, clients, steps, subscriptions
from storage.writer import Writer

_SAMPLE = 20_000  # of the newest cards: what most of them hold is what somebody looks for
STANDING = and_(clients.c.erased_at.is_(None), clients.c.merged_into.is_(None))


@dataclass(frozen=True, slots=True)
class Member:
    """A client of an audience, with the channel that it goes to, or the reason why it goes to none."""

    card: ClientCard
    channel: str | None
    left_out: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """Which members to show: the first ones after, or the last ones before a client's id. `left_out` are only those who
    can't be reached, `words` what their name, phone, e-mail or id holds."""

    size: int
    after: int = 0
    before: int | None = None
    words: str = ""
    left_out: bool = False


class Audiences:
    """Each look reads what is there now; each write is committed when it returns."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def page(self, audience: Audience, page: Page) -> list[Member]:
        """Members in the order of their ids. Raises Invalid for a filter that can't be."""
        look = partial(_on_page, audience, page)
        async with self._database.read() as connection:
            await audience.compile(connection)
            rows = [] if page.words else await look(connection, None)
        if page.words:
            rows = await search(self._database, look, page.size, after=page.after, before=page.before)
        ways = {row.id: row for row in rows}
        async with self._database.read() as connection:
            cards = await cards_for(connection, sorted(ways))
        return [Member(card, ways[card.id].channel, ways[card.id].left_out) for card in cards]

    async def attribute_types(self) -> Mapping[str, str]:
        """The custom attributes by name: number, date, text, or unknown while no value came."""
        async with self._database.read() as connection:
            found = await connection.execute(select(attributes.c.name, attributes.c.type).order_by(attributes.c.name))
            return {row.name: row.type for row in found}

    async def values_of(self, field: str, words: str = "", limit: int = 50) -> list[str]:
        """Values that cards hold in this field, the most frequent among the newest cards first; with `words`, any that
        hold them. Raises Invalid where no card has such a field."""
        async with self._database.read() as connection:
            fields = await load_fields(connection, [field], at=now(), zone=UTC)
            if field == "subscribed_to":
                return await _sources(connection, words, limit)
            column = fields.column(field)
            if words:
                holds = fields.compare(field, "contains", words)
                found = select(column).where(STANDING, holds).distinct().limit(limit)
                return sorted(str(one) for one in await connection.scalars(found))
            newest = select(column.label("value")).where(STANDING, column.is_not(None))
            sample = newest.order_by(clients.c.id.desc()).limit(_SAMPLE).subquery()
            by_value = select(sample.c.value).group_by(sample.c.value)
            most_first = by_value.order_by(func.count().desc(), sample.c.value).limit(limit)
            return [str(one) for one in await connection.scalars(most_first)]

    async def remember_count(self, mailing_id: int, planned: int, at: datetime) -> None:
        """Keep how many a person was told that it goes to, for `Mailing.last_count`."""
        await self._writer.write(_remember_counts, (mailing_id, planned, at))

    async def find_listed(self, rows: Sequence[Sequence[Key]]) -> list[Listed]:
        """For each row of keys the clients that they name; see `storage.listed`."""
        async with self._database.read() as connection:
            return await find_listed(connection, rows)

    async def scopes_of(self, values: Sequence[str]) -> Mapping[str, int]:
        """Where these values stand as addresses or ids, with how many of them."""
        async with self._database.read() as connection:
            return await scopes_of(connection, values)

    async def tag_listed(self, tag: str, client_ids: Sequence[int]) -> None:
        """Put a tag on these clients, in one transaction. Raises Invalid for what can't be a tag."""
        await self._writer.write(tag_listed, (tag, tuple(client_ids)))


async def _on_page(
    audience: Audience, page: Page, connection: AsyncConnection, span: Span | None
) -> Sequence[Row[Any]]:
    """Id, channel and reason for being left out of those to be shown, the nearest first."""
    query = await audience.compile(connection, span)
    wanted = [query.matching, clients.c.id > page.after if page.before is None else clients.c.id < page.before]
    if span is not None:
        wanted.append(clients.c.id.between(*span))
    if page.left_out:
        wanted.append(query.left_out.is_not(None))
    if page.words:
        fields = await load_fields(connection, (), at=now(), zone=UTC)
        wanted.append(or_(called(fields, page.words), clients.c.external_id == page.words))
    chosen = (clients.c.id, query.channel.label("channel"), query.left_out.label("left_out"))
    order = clients.c.id if page.before is None else clients.c.id.desc()
    found = await connection.execute(
        select(*chosen).select_from(query.source).where(*wanted).order_by(order).limit(page.size)
    )
    return found.all()


async def _sources(connection: AsyncConnection, words: str, limit: int) -> list[str]:
    counted = select(subscriptions.c.source).group_by(subscriptions.c.source)
    if words:
        counted = counted.where(func.lower(subscriptions.c.source).contains(words.lower(), autoescape=True))
    most_first = counted.order_by(func.count().desc(), subscriptions.c.source).limit(limit)
    return list(await connection.scalars(most_first))


async def _remember_counts(connection: AsyncConnection, counts: Sequence[tuple[int, int, datetime]]) -> Sequence[Any]:
    for mailing_id, planned, at in counts:
        values = {"last_count": planned, "counted_at": at}
        await connection.execute(update(steps).where(steps.c.mailing_id == mailing_id).values(values))
    return [None] * len(counts)
