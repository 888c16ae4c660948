"""The archive, and what tells that a mailing is stuck: statements, on both databases."""

from datetime import timedelta

from sqlalchemy import update

from storage import archiving
from storage.audit import Audited
from storage.records import Actor, Status
from storage.schema import deliveries, steps
from storage.store import Store
from tests.storage.people import NOW
from tests.storage.sent import sent

OLHA = Actor("Olha")


async def test_only_what_has_ended_is_put_away_once_and_found_again(store: Store) -> None:
    await sent(store)
    await sent(store)
    first, second = 1, 2
    await set_status(store, second, Status.PAUSED)

    async def put(verb: object, mailing_id: int) -> bool:
        done: bool = await store.writer.write(verb, (mailing_id, Audited(NOW, OLHA, "archive")))  # type: ignore[arg-type]
        return done

    assert [await put(archiving.archive, one) for one in (first, first, second, 99)] == [True, False, False, False]
    assert [one.id for one in await store.mailings.page()] == [second]
    assert [one.id for one in await store.mailings.page(archived=True)] == [first]
    assert [one.id for one in await store.mailings.page(archived=None, search="m")] == [second, first]
    assert len(await store.mailings.history(first)) == 1
    assert [await put(archiving.bring_back, one) for one in (first, first)] == [True, False]
    assert [one.id for one in await store.mailings.page()] == [second, first]


async def test_the_next_one_due_is_the_earliest_planned_on_that_channel(store: Store) -> None:
    await sent(store, state="planned")
    step_id = 1
    assert await store.deliveries.next_due(step_id, "tg-shop") == NOW
    assert await store.deliveries.next_due(step_id, "viber") is None
    async with store.database.writing() as connection:
        await connection.execute(update(deliveries).values(due_at=NOW + timedelta(hours=1)))
    assert await store.deliveries.next_due(step_id, "tg-shop") == NOW + timedelta(hours=1)


async def test_when_it_last_moved_stays_while_only_the_rate_is_kept(store: Store) -> None:
    await sent(store)
    await store.mailings.set_rate(1, 25.0, NOW, moved=True)
    later = NOW + timedelta(seconds=5)
    await store.mailings.set_rate(1, 0.0, later)
    mailing = await store.mailings.find(1)
    assert mailing is not None
    assert (mailing.rate, mailing.rate_at, mailing.moved_at) == (0.0, later, NOW)


async def set_status(store: Store, mailing_id: int, status: Status) -> None:
    async with store.database.writing() as connection:
        await connection.execute(update(steps).where(steps.c.mailing_id == mailing_id).values(status=status.value))
