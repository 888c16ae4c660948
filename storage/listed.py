"""Clients that a file lists: found by the keys of each row, and marked by a tag of the file's own."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import insert
from storage.erasing import ID_SCOPE
from storage.schema import addresses, client_tags, clients
from storage.tagging import as_tag, tag_ids
from storage.writer import long

_AT_ONCE = 500  # values in one statement


@dataclass(frozen=True, slots=True)
class Key:
    """Something that names a client: `value` in one of these `scopes` of addresses, or as the id of the user's own
    system (`ID_SCOPE`)."""

    scopes: tuple[str, ...]
    value: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The client of a row. None where nobody has its keys; `several` where they name more than one."""

    client_id: int | None = None
    several: bool = False


async def find_listed(connection: AsyncConnection, rows: Sequence[Sequence[Key]]) -> list[Listed]:
    """The first key that names a client decides, unless another one names somebody else."""
    values = {key.value for row in rows for key in row}
    by_id = await _by_id(connection, {key.value for row in rows for key in row if ID_SCOPE in key.scopes})
    by_address = await _by_address(connection, values)
    return [_listed(row, by_id, by_address) for row in rows]


async def scopes_of(connection: AsyncConnection, values: Collection[str]) -> Mapping[str, int]:
    """In which scopes these values stand, with how many of them: by that a column without a name is known."""
    found: dict[str, int] = defaultdict(int)
    if known := len(await _by_id(connection, values)):
        found[ID_SCOPE] = known
    for at_scope in (await _by_address(connection, values)).values():
        for scope in at_scope:
            found[scope] += 1
    return found


def _listed(row: Sequence[Key], by_id: Mapping[str, int], by_address: Mapping[str, Mapping[str, int]]) -> Listed:
    named: list[int] = []
    for key in row:
        if ID_SCOPE in key.scopes and key.value in by_id:
            named.append(by_id[key.value])
        owners = by_address.get(key.value, {})
        named += [owners[scope] for scope in key.scopes if scope in owners]
    if not named:
        return Listed()
    return Listed(None, several=True) if len(set(named)) > 1 else Listed(named[0])


async def _by_id(connection: AsyncConnection, values: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in _pieces(values):
        # The id of a card that was merged into another one leads to that one.
        stands = func.coalesce(clients.c.merged_into, clients.c.id)
        wanted = select(clients.c.external_id, stands.label("id")).where(
            clients.c.external_id.in_(some), clients.c.erased_at.is_(None)
        )
        found |= {row.external_id: row.id for row in await connection.execute(wanted)}
    return found


async def _by_address(connection: AsyncConnection, values: Collection[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for some in _pieces(values):
        wanted = select(addresses.c.external_id, addresses.c.scope, addresses.c.client_id)
        for row in await connection.execute(wanted.where(addresses.c.external_id.in_(some))):
            found[row.external_id][row.scope] = row.client_id
    return found


def _pieces(values: Collection[str]) -> list[list[str]]:
    ordered = sorted(values)
    return [ordered[at : at + _AT_ONCE] for at in range(0, len(ordered), _AT_ONCE)]


@long
async def tag_listed(connection: AsyncConnection, values: Sequence[tuple[str, tuple[int, ...]]]) -> Sequence[None]:
    """The tag beside the card and on it. Of many clients at once, so only what changes on a card is written anew."""
    for name, client_ids in values:
        name = as_tag(name)  # as it is kept
        tag = (await tag_ids(connection, [name]))[name]
        mark = f",{tag},"
        for at in range(0, len(client_ids), _AT_ONCE):
            some = client_ids[at : at + _AT_ONCE]
            standing = select(clients.c.id).where(clients.c.id.in_(some), clients.c.erased_at.is_(None))
            rows = [{"tag_id": tag, "client_id": one} for one in sorted(await connection.scalars(standing))]
            if rows:
                await connection.execute(insert(connection, client_tags).on_conflict_do_nothing(), rows)
            held = func.replace(clients.c.tags, mark, "") != clients.c.tags
            await connection.execute(
                update(clients)
                .where(clients.c.id.in_([row["client_id"] for row in rows]), ~held)
                .values(tags=clients.c.tags + f"{tag},")
            )
    return [None] * len(values)
