"""What a person chose for themselves; kept beside what people switched for everybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, insert, now
from storage.schema import settings
from storage.writer import Writer

_LANGUAGE = "language:"  # and the person's name, which is unique
_OWN = "own:"  # then the person's name, a colon, and the channel, whose id has none


@dataclass(frozen=True, slots=True)
class _Chosen:
    name: str
    value: str | None  # None: forget it
    person: str
    at: datetime


class Preferences:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def languages(self) -> dict[str, str]:
        """The language of everybody who has one, by the person's name."""
        statement = select(settings.c.name, settings.c.value).where(settings.c.name.startswith(_LANGUAGE))
        async with self._database.read() as connection:
            return {name.removeprefix(_LANGUAGE): str(value) for name, value in await connection.execute(statement)}

    async def set_language(self, person: str, language: str) -> None:
        await self._writer.write(_choose, _Chosen(f"{_LANGUAGE}{person}", language, person, now()))

    async def own_addresses(self, person: str) -> dict[str, str]:
        """Where the person gets tests, by channel."""
        begin = f"{_OWN}{person}:"
        statement = select(settings.c.name, settings.c.value).where(settings.c.name.startswith(begin, autoescape=True))
        async with self._database.read() as connection:
            found = {name.removeprefix(begin): str(value) for name, value in await connection.execute(statement)}
        return {channel: address for channel, address in sorted(found.items()) if ":" not in channel}

    async def set_own_address(self, person: str, channel: str, address: str | None) -> None:
        """None forgets it."""
        await self._writer.write(_choose, _Chosen(f"{_OWN}{person}:{channel}", address, person, now()))


async def _choose(connection: AsyncConnection, values: Sequence[_Chosen]) -> Sequence[None]:
    for one in values:
        if one.value is None:
            await connection.execute(delete(settings).where(settings.c.name == one.name))
            continue
        row = {"value": one.value, "set_by": one.person, "set_at": one.at}
        statement = insert(connection, settings).values(name=one.name, **row)
        await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
    return [None] * len(values)
