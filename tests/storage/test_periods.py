"""What began in a span of time, and digests, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from storage.counters import add_counters
from storage.digests import Every, NewDigest
from storage.records import Status
from storage.schema import mailings, steps
from storage.store import Store

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def make_mailing(store: Store, at: datetime, sent: int, *, status: Status = Status.SENT) -> int:
    """One that was launched then, and has sent so many."""
    async with store.database.writing() as connection:
        about = {"routing": "main", "channels": [], "on_unknown": "skip", "created_by": "a|b|c"}
        made = insert(mailings).values(name="m", created_at=at, **about).returning(mailings.c.id)
        number = int((await connection.execute(made)).scalar_one())
        step = insert(steps).values(
            mailing_id=number, number=1, status=status.value, start="now", audience={}, message={}
        )
        step_id = (await connection.execute(step.values(launched_at=at).returning(steps.c.id))).scalar_one()
        await add_counters(connection, {(step_id, "tg", "", "", "sent"): sent, (step_id, "", "", "", "audience"): sent})
    return number


async def test_a_span_of_time_has_what_began_in_it_and_no_more(store: Store) -> None:
    first = await make_mailing(store, NOON - DAY, 10)
    second = await make_mailing(store, NOON, 20)
    third = await make_mailing(store, NOON, 40, status=Status.PAUSED)
    await make_mailing(store, NOON + DAY, 80)
    await make_mailing(store, NOON, 160, status=Status.SCHEDULED)
    async with store.database.writing() as connection:
        await connection.execute(update(mailings).where(mailings.c.id == second).values(archived_at=NOON))

    assert await store.periods.count(NOON, NOON + DAY) == 2
    assert await store.periods.sums(NOON, NOON + DAY) == {("tg", "sent"): 60, ("", "audience"): 60}
    assert [one.id for one in await store.periods.mailings(NOON, NOON + DAY, limit=5)] == [third, second]
    assert [one.id for one in await store.periods.mailings(NOON, NOON + DAY, limit=1, offset=1)] == [second]
    assert await store.periods.sums(NOON + 2 * DAY, NOON + 3 * DAY) == {}

    async def before(number: int) -> int | None:
        mailing = await store.mailings.find(number)
        assert mailing is not None
        found = await store.periods.find_before(mailing)
        return found.id if found else None

    assert [await before(third), await before(second), await before(first)] == [second, first, None]


async def test_a_digest_is_one_a_chat_and_moved_by_one(store: Store) -> None:
    new = NewDigest("telegram", "1003", "-100", Every.DAY, None, 540, "Europe/Kyiv", NOON)
    kept = await store.digests.put(new)
    assert await store.digests.put(replace(new, minute=600, timezone="UTC")) == kept
    weekly = await store.digests.put(replace(new, every=Every.WEEK, weekday=0, due_at=NOON + DAY))

    assert [(one.id, one.minute) for one in await store.digests.due(NOON)] == [(kept, 600)]
    assert [one.id for one in await store.digests.of("telegram", "1003", "-100")] == [kept, weekly]
    assert await store.digests.of("telegram", "1003", "1003") == []
    (due,) = await store.digests.due(NOON)
    assert await store.digests.move(due, NOON + DAY)
    assert not await store.digests.move(due, NOON + DAY)
    assert await store.digests.due(NOON) == []
    await store.digests.remove(kept)
    assert await store.digests.find(kept) is None
