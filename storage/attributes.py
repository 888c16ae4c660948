"""Custom attributes: which slot of the card is whose."""

from collections.abc import Mapping, Sequence

from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, insert
from storage.errors import Invalid, _
from storage.fields import BUILT_IN
from storage.schema import ATTRIBUTE_SLOTS, attributes
from storage.writer import Writer

MAX_NAME = 100  # characters
_OF_CARDS = (*BUILT_IN, "tags", "timezone_source")


class Attributes:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def slots_for(self, names: Sequence[str], *, dry_run: bool = False) -> Mapping[str, int]:
        """The attributes' slots, given out where they are new. Raises Invalid where a name can't be an attribute's or
        no slot is left; nothing is given out then."""
        for name in names:
            _check_attribute(name)
        if dry_run:
            async with self._database.read() as connection:
                return await _plan_slots(connection, names)
        return await self._writer.write(_give_slots, tuple(names))

    async def remember_types(self, types: Mapping[str, str]) -> None:
        """Keep what an attribute's values have been: number, date or text; another than before makes it text."""
        await self._writer.write(_remember_types, types)


def _check_attribute(name: str) -> None:
    if name in _OF_CARDS:
        raise Invalid(_("“{name}” is a field of Carillon's own; call the attribute otherwise."), name=name)
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise Invalid(_("“{name}” can't be an attribute: it needs 1 to {most} letters."), name=name[:40], most=MAX_NAME)


async def _plan_slots(connection: AsyncConnection, names: Sequence[str]) -> Mapping[str, int]:
    known = {row.name: row.slot for row in await connection.execute(select(attributes.c.name, attributes.c.slot))}
    new = [name for name in dict.fromkeys(names) if name not in known]
    free = sorted(set(range(ATTRIBUTE_SLOTS)) - set(known.values()))
    if len(new) > len(free):
        raise Invalid(
            _("A card has room for {most} attributes of your own; {left} are left, and these are new: {names}."),
            most=ATTRIBUTE_SLOTS,
            left=len(free),
            names=", ".join(new),
        )
    return {name: known[name] if name in known else free[new.index(name)] for name in names}


async def _give_slots(connection: AsyncConnection, values: Sequence[tuple[str, ...]]) -> Sequence[Mapping[str, int]]:
    given = []
    for names in values:
        slots = await _plan_slots(connection, names)
        rows = [{"name": name, "slot": slot, "type": "unknown"} for name, slot in slots.items()]
        if rows:
            await connection.execute(insert(connection, attributes).on_conflict_do_nothing(), rows)
        given.append(slots)
    return given


async def _remember_types(connection: AsyncConnection, values: Sequence[Mapping[str, str]]) -> Sequence[None]:
    for types in values:
        for name, kind in types.items():
            known = attributes.c.type.in_(["unknown", kind])
            await connection.execute(
                update(attributes).where(attributes.c.name == name).values(type=case((known, kind), else_="text"))
            )
    return [None for _types in values]
