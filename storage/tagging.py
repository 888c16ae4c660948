"""Tags: put on, taken off, on the card and beside it at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.addresses import keep_in_step
from storage.database import insert
from storage.errors import Invalid, _
from storage.schema import client_tags, clients, tags

MAX_TAG = 100  # characters


@dataclass(frozen=True, slots=True)
class TagChange:
    client_id: int
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


def as_tag(name: str) -> str:
    """The name as it is kept; raises Invalid where it can't be a tag."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_TAG or "\0" in name or ";" in name:
        raise Invalid(_("A tag has 1 to {most} characters and no semicolon."), most=MAX_TAG)
    return name


async def change_tags(connection: AsyncConnection, changes: Sequence[TagChange]) -> Sequence[None]:
    ids = await tag_ids(connection, {name for change in changes for name in change.add})
    known = {row.name: row.id for row in await connection.execute(select(tags.c.name, tags.c.id))}
    added = {(ids[name], change.client_id) for change in changes for name in change.add}
    for change in changes:
        gone = [known[name] for name in change.remove if name in known]
        if gone:
            await connection.execute(
                delete(client_tags).where(client_tags.c.client_id == change.client_id, client_tags.c.tag_id.in_(gone))
            )
    await add_client_tags(connection, added)
    await keep_in_step(connection, {change.client_id for change in changes})
    return [None for _ in changes]


async def add_client_tags(connection: AsyncConnection, pairs: Collection[tuple[int, int]]) -> None:
    """Put tags on clients; pairs of tag and client, of which the client must still stand."""
    if not pairs:
        return
    standing = set(
        await connection.scalars(
            select(clients.c.id).where(clients.c.id.in_({client for _, client in pairs}), clients.c.erased_at.is_(None))
        )
    )
    rows = [{"tag_id": tag, "client_id": client} for tag, client in sorted(pairs) if client in standing]
    if rows:
        await connection.execute(insert(connection, client_tags).on_conflict_do_nothing(), rows)


async def tag_ids(connection: AsyncConnection, names: Collection[str]) -> Mapping[str, int]:
    """The ids of tags; those that do not exist yet come into being."""
    if not names:
        return {}
    wanted = sorted(names)
    found = {row.name: row.id for row in await connection.execute(select(tags).where(tags.c.name.in_(wanted)))}
    missing = [{"name": name} for name in wanted if name not in found]
    if missing:
        await connection.execute(insert(connection, tags).on_conflict_do_nothing(), missing)
        found = {row.name: row.id for row in await connection.execute(select(tags).where(tags.c.name.in_(wanted)))}
    return found
