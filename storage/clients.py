"""Cards of clients: read as templates, people and audiences see them. What changes them stands in the modules beside."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import AddressStatus
from storage.addresses import AddressChange, change_addresses, keep_in_step, move_address
from storage.database import Database
from storage.fields import BUILT_IN, read_number
from storage.records import AddressRecord, ClientCard
from storage.schema import addresses, attributes, client_tags, clients, tags
from storage.writer import Writer

__all__ = ["AddressChange", "Clients", "change_addresses", "keep_in_step", "move_address", "values_for"]

_CARD = ("name", "first_name", "last_name", "language", "phone", "email", "timezone")
CARD_FIELDS = frozenset({*_CARD, "id", "tags"})  # what every template may name, beside the attributes


class Written(float):
    """A number that shows as it was written: 19.90 stays 19.90."""

    def __new__(cls, text: str) -> "Written":
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str

    def __str__(self) -> str:
        return self.text


async def values_for(connection: AsyncConnection, client_ids: Collection[int]) -> dict[int, Mapping[str, Any]]:
    """The cards as templates see them; what is not known is absent.

    `id` is the client's id in the user's own system, `tags` a list of names; attributes stand by name: numbers as
    numbers, dates as ISO text."""
    slots = {row.name: row.slot for row in await connection.execute(select(attributes.c.name, attributes.c.slot))}
    columns: list[ColumnElement[Any]] = [clients.c.id, clients.c.external_id, clients.c.tags]
    columns += [clients.c[name] for name in _CARD]
    columns += [clients.c[f"{kind}_{slot}"] for slot in slots.values() for kind in ("text", "number")]
    rows = (await connection.execute(select(*columns).where(clients.c.id.in_(client_ids)))).all()
    tag_ids = {int(tag) for row in rows for tag in row[2].split(",") if tag}
    names = await _tag_names(connection, tag_ids)
    return {row[0]: _values(row, slots, names) for row in rows}


def _values(row: Sequence[Any], slots: Mapping[str, int], tag_names: Mapping[int, str]) -> Mapping[str, Any]:
    values: dict[str, Any] = {"tags": sorted(tag_names[int(tag)] for tag in row[2].split(",") if tag)}
    if row[1] is not None:
        values["id"] = row[1]
    place = 3
    for name in _CARD:
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
