"""Pages of deliveries, wherever in a mailing they stand."""

from sqlalchemy import insert

from storage.records import DeliveryState
from storage.schema import clients, deliveries, delivery_id
from storage.store import Store
from tests.storage.people import NOW
from tests.storage.sent import sent

FAILED, READ = DeliveryState.FAILED, DeliveryState.READ


async def put(store: Store, step_id: int, states: dict[int, DeliveryState]) -> None:
    """Deliveries of a step to clients of these ids."""
    async with store.database.writing() as connection:
        for client, state in states.items():
            await connection.execute(insert(clients).values(id=client, created_at=NOW, updated_at=NOW))
            row = {"channel": "tg-shop", "address_id": client, "state": state.value, "due_at": NOW}
            await connection.execute(insert(deliveries).values(step_id=step_id, client_id=client, **row))


async def test_pages_of_the_failed_go_on_behind_each_other_near_and_far(store: Store) -> None:
    step = await sent(store) >> 32
    failed = [100, 101, 19_000, 300_000, 300_001, 2_000_000]
    await put(store, step, {**dict.fromkeys(failed, FAILED), 150: READ, 250_000: READ})
    other = await sent(store) >> 32
    await put(store, other, {2_000_001: FAILED})

    pages, after = [], 0
    while page := await store.deliveries.rows(step, [FAILED], after_id=after, limit=2):
        pages.append([row.client_id for row in page])
        after = page[-1].id

    assert pages == [[100, 101], [19_000, 300_000], [300_001, 2_000_000]]
    assert [row.client_id for row in await store.deliveries.rows(step, [READ])] == [150, 250_000]


async def test_without_a_state_every_delivery_of_the_step_is_told_in_order(store: Store) -> None:
    step = await sent(store) >> 32
    await put(store, step, {900_000: READ, 800_000: FAILED})
    rows = await store.deliveries.rows(step, after_id=delivery_id(step, 700_000))
    assert [(row.client_id, row.state) for row in rows] == [(800_000, FAILED), (900_000, READ)]


async def test_the_delivery_of_one_client_is_found_by_its_name(store: Store) -> None:
    step = await sent(store) >> 32
    await put(store, step, {900_000: READ})
    assert [row.state for row in await store.deliveries.rows(step, client_id=900_000)] == [READ]
    assert await store.deliveries.rows(step, client_id=900_001) == []
