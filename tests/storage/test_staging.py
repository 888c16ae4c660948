"""Rows that are added set-wise: who stands apart, and what is written of the others."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from storage.database import insert
from storage.erasing import hash_address
from storage.matching import Batch, PlaceColumn
from storage.schema import addresses, client_tags, clients, erased_addresses, subscriptions
from storage.store import Store
from tests.storage.people import NOW


def batch(ids: Sequence[str | None], chats: Sequence[str | None], **more: Any) -> Batch:
    size = len(ids)
    nothing: Sequence[None] = [None] * size
    places = (PlaceColumn("tg-shop", "tg-shop", chats), PlaceColumn("phone", None, more.get("phones", nothing)))
    return Batch(
        size, ids, {}, nothing, nothing, places, more.get("tags", [()] * size), more.get("sources", [()] * size), {}
    )


async def staged_and_taken(store: Store, rows: Batch) -> Sequence[int]:
    staged = (await store.staging.prepare(rows, {}))()
    return (await store.staging.take(staged, 0, rows.size - 1, NOW)).apart


async def known(store: Store) -> list[tuple[Any, ...]]:
    async with store.database.read() as connection:
        wanted = select(clients.c.external_id, addresses.c.scope, addresses.c.external_id)
        found = await connection.execute(
            wanted.join(addresses, addresses.c.client_id == clients.c.id).order_by(addresses.c.id)
        )
        return [tuple(row) for row in found]


async def test_rows_that_share_a_name_stand_apart_and_the_others_are_added(store: Store) -> None:
    rows = batch(["a", "b", "a", "c", None], ["1", "2", "3", "2", "5"])
    assert await staged_and_taken(store, rows) == [0, 1, 2, 3]
    assert await known(store) == [(None, "tg-shop", "5")]


async def test_who_is_there_by_id_or_by_any_address_stands_apart(store: Store) -> None:
    assert await staged_and_taken(store, batch(["a", "b"], ["1", "2"], phones=[None, "+380501234567"])) == []
    again = batch(["a", "x", None, "d"], ["11", "2", "4", "6"], phones=["+380501234560", None, "+380501234567", None])
    assert await staged_and_taken(store, again) == [0, 1, 2]
    assert [row for row in await known(store) if row[0] == "d"] == [("d", "tg-shop", "6")]


async def test_the_same_text_in_another_scope_is_another_address(store: Store) -> None:
    assert await staged_and_taken(store, batch(["a", "b"], ["7", "8"], phones=["8", "7"])) == []
    assert len(await known(store)) == 4


async def test_an_erased_client_stands_apart_also_where_nobody_was_erased_before(store: Store) -> None:
    async def erase(scope: str, name: str) -> None:
        async with store.database.writing() as connection:
            forgotten = {"hash": hash_address(store.staging.secret, scope, name), "erased_at": NOW}
            await connection.execute(insert(connection, erased_addresses).values(**forgotten))

    rows = batch(["a", "b"], ["1", "2"])
    staged = (await store.staging.prepare(rows, {}))()
    await erase("tg-shop", "2")
    assert list((await store.staging.take(staged, 0, 1, NOW)).apart) == [0, 1]  # it was staged too early to know
    assert await staged_and_taken(store, rows) == [1]
    await erase("id", "c")
    assert await staged_and_taken(store, batch(["c", "d"], ["3", "4"])) == [0]


async def test_pieces_of_a_batch_are_taken_one_after_the_other_with_what_is_theirs(store: Store) -> None:
    rows = batch(["b", "a", "c"], ["2", "1", "3"], tags=[(), ("x", "y"), ("y",)], sources=[("q", "r"), ("p",), ()])
    staged = (await store.staging.prepare(rows, {}))()
    for row in range(3):
        assert list((await store.staging.take(staged, row, row, NOW)).apart) == []
    async with store.database.read() as connection:
        cards = {row.external_id: row for row in await connection.execute(select(clients))}
        names = {row.id: name for name, row in cards.items()}
        marked = await connection.execute(select(client_tags.c.client_id, client_tags.c.tag_id))
        counted = [(names[client], tag) for client, tag in marked]
        came = await connection.execute(select(subscriptions.c.client_id, subscriptions.c.source))
        assert sorted((names[client], source) for client, source in came) == [("a", "p"), ("b", "q"), ("b", "r")]
    assert sorted(client for client, _tag in counted) == ["a", "a", "c"]
    assert cards["b"].tags == ","
    assert cards["c"].tags == f",{next(tag for client, tag in counted if client == 'c')},"
    assert cards["b"].sources == "|q|r|"


async def test_two_imports_of_different_files_at_once_do_not_read_each_other_s_rows(store: Store) -> None:
    first, second = batch(["a", "b"], ["1", "2"]), batch([None, None], ["3", "4"], phones=["5", "6"], tags=[("x",)] * 2)
    staged = [(await store.staging.prepare(one, {}))() for one in (first, second)]
    taken = [store.staging.take(one, row, row, NOW) for row in range(2) for one in staged]
    assert [list(one.apart) for one in await asyncio.gather(*taken)] == [[], [], [], []]
    assert sorted(await known(store), key=str) == [
        ("a", "tg-shop", "1"), ("b", "tg-shop", "2"),
        (None, "phone", "5"), (None, "phone", "6"), (None, "tg-shop", "3"), (None, "tg-shop", "4"),
    ]  # fmt: skip
