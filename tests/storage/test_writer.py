"""The writer beside a storage that takes nothing for a while: what a platform took is kept, people are told."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import writer
from storage.schema import tags
from storage.store import Store
from storage.writer import lasting


async def keep(connection: AsyncConnection, names: Sequence[str]) -> Sequence[None]:
    await connection.execute(insert(tags), [{"name": name} for name in names])
    return [None for _ in names]


@lasting
async def keep_long(connection: AsyncConnection, names: Sequence[str]) -> Sequence[None]:
    return await keep(connection, names)


async def kept(store: Store) -> set[str]:
    async with store.database.read() as connection:
        return set(await connection.scalars(select(tags.c.name)))


@pytest.mark.parametrize("made_storage_url", ["sqlite"], indirect=True)
async def test_while_it_is_read_only_outcomes_wait_and_people_are_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_S", 0.3)
    await store.writer.write(keep, "before")
    direct: Any = store.database._sqlite._connection.connection.dbapi_connection
    direct.execute("PRAGMA query_only = on")  # as on a disk that is mounted so
    outcome = asyncio.create_task(store.writer.write(keep_long, "outcome"))
    presses = [store.writer.write(keep, name) for name in ("press", "another")]
    told = await asyncio.gather(*presses, return_exceptions=True)
    assert [isinstance(one, SQLAlchemyError) for one in told] == [True, True]
    assert not outcome.done()
    direct.execute("PRAGMA query_only = off")
    await outcome
    assert await kept(store) == {"before", "outcome"}
    assert store.writer.figures.refused > 0


async def test_one_bad_value_of_a_group_fails_whoever_brought_it(store: Store) -> None:
    names = ["a", "b", "c"]
    await store.writer.write(keep, "b")
    done = await asyncio.gather(*(store.writer.write(keep, name) for name in names), return_exceptions=True)
    assert [isinstance(one, SQLAlchemyError) for one in done] == [False, True, False]
    assert await kept(store) == {"a", "b", "c"}
