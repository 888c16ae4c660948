"""What a person chose for themselves; kept beside what people switched for everybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, insert, now
from storage.schema import settings
from storage.writer import Writer

_LANGUAGE = "language:"  # and the person's name, which is unique


@dataclass(frozen=True, slots=True)
class _Chosen:
    name: str
    value: str
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


async def _choose(connection: AsyncConnection, values: Sequence[_Chosen]) -> Sequence[None]:
    for one in values:
        row = {"value": one.value, "set_by": one.person, "set_at": one.at}
        statement = insert(connection, settings).values(name=one.name, **row)
        await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
    return [None] * len(values)
