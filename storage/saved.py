"""Messages that people keep under a name, to use them again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.message import Message, plain, read_message
from storage.database import Database, insert
from storage.errors import Invalid, NotFound, Refused, Stale, _
from storage.schema import saved_messages
from storage.writer import Writer

MAX_NAME = 100  # characters
MOST = 5000  # of all kinds together: a list of their names is read at once


@dataclass(frozen=True, slots=True)
class SavedMessage:
    """`kind` is the kind of messenger that it was made for, "" for all of them."""

    id: int
    kind: str
    name: str
    message: Message
    revision: int
    saved_by: str  # the person's name
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class SavedName:
    id: int
    kind: str
    name: str
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class _New:
    kind: str
    name: str
    message: Message
    by: str
    at: datetime


class SavedMessages:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def names(self, *, kind: str | None = None, search: str = "") -> list[SavedName]:
        """The last changed first; of one kind, or with a piece of a name, in capitals or not."""
        table = saved_messages
        statement = select(table.c.id, table.c.kind, table.c.name, table.c.saved_at)
        if kind is not None:
            statement = statement.where(table.c.kind == kind)
        async with self._database.read() as connection:
            found = await connection.execute(statement.order_by(table.c.saved_at.desc(), table.c.id.desc()))
            # Databases fold capitals of other alphabets in different ways; these are few.
            return [SavedName(*row) for row in found if search.casefold() in row.name.casefold()]

    async def get(self, saved_id: int) -> SavedMessage:
        """Raises NotFound."""
        async with self._database.read() as connection:
            return await _get(connection, saved_id)

    async def save(self, name: str, message: Message, by: str, at: datetime, *, kind: str = "") -> SavedMessage:
        """Keep a message. Raises Refused where one of that kind has the name, Invalid for what is no name."""
        _require_name(name)
        return await self._writer.write(_save, _New(kind, name, message, by, at))

    async def change(self, saved: SavedMessage) -> SavedMessage:
        """Keep it as it is given, unless it was changed since its revision: then raises Stale. Else as `save`."""
        _require_name(saved.name)
        return await self._writer.write(_change, saved)

    async def delete(self, saved_id: int) -> None:
        """Raises NotFound."""
        await self._writer.write(_delete, saved_id)


def _require_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or "\0" in name:
        raise Invalid(_("The name of a saved message has 1 to {most} characters."), most=MAX_NAME)


async def _get(connection: AsyncConnection, saved_id: int) -> SavedMessage:
    row = (await connection.execute(select(saved_messages).where(saved_messages.c.id == saved_id))).one_or_none()
    if row is None:
        raise NotFound(_("That saved message is gone; the list is in /saved."))
    return _saved(row)


def _saved(row: Any) -> SavedMessage:
    message = read_message(row.message)
    return SavedMessage(row.id, row.kind, row.name, message, row.revision, row.saved_by, row.saved_at)


async def _save(connection: AsyncConnection, values: Sequence[_New]) -> Sequence[SavedMessage]:
    kept = []
    for value in values:
        if (await connection.scalar(select(func.count()).select_from(saved_messages)) or 0) >= MOST:
            raise Refused(_("{most} messages are saved, and that is the most: delete some first."), most=MOST)
        statement = insert(connection, saved_messages).values(
            kind=value.kind,
            name=value.name,
            message=plain(value.message),
            revision=0,
            saved_by=value.by,
            saved_at=value.at,
        )
        table = saved_messages
        new_id = await connection.scalar(
            statement.on_conflict_do_nothing(index_elements=["kind", "name"]).returning(table.c.id)
        )
        if new_id is None:
            raise _taken(value.name)
        kept.append(SavedMessage(new_id, value.kind, value.name, value.message, 0, value.by, value.at))
    return kept


async def _change(connection: AsyncConnection, values: Sequence[SavedMessage]) -> Sequence[SavedMessage]:
    kept = []
    table = saved_messages
    for value in values:
        other = select(table.c.id).where(table.c.kind == value.kind, table.c.name == value.name, table.c.id != value.id)
        if await connection.scalar(other) is not None:
            raise _taken(value.name)
        changed = await connection.execute(
            update(table)
            .where(table.c.id == value.id, table.c.revision == value.revision)
            .values(
                kind=value.kind,
                name=value.name,
                message=plain(value.message),
                revision=value.revision + 1,
                saved_by=value.saved_by,
                saved_at=value.saved_at,
            )
        )
        if not changed.rowcount:
            await _get(connection, value.id)
            raise Stale(_("That card was old: “{name}” has changed since. Here it is as it is now."), name=value.name)
        kept.append(replace(value, revision=value.revision + 1))
    return kept


async def _delete(connection: AsyncConnection, ids: Sequence[int]) -> Sequence[None]:
    for saved_id in ids:
        await _get(connection, saved_id)
        await connection.execute(delete(saved_messages).where(saved_messages.c.id == saved_id))
    return [None for _id in ids]


def _taken(name: str) -> Refused:
    return Refused(_("There is a saved message “{name}” already: type another name."), name=name)
