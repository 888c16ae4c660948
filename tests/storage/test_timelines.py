"""When deliveries ended, counted by the database in spans of equal width."""

from datetime import timedelta

from sqlalchemy import insert

from storage.counters import add_counters
from storage.database import now
from storage.schema import clients, deliveries, mailings, steps
from storage.store import Store
from storage.timelines import Span, Timelines


async def make_step(store: Store, ends: list[tuple[float, str]]) -> int:
    """A step whose deliveries ended so many seconds after a full minute, in these states."""
    at = now().replace(second=0, microsecond=0)
    async with store.database.writing() as connection:
        mailing = await connection.scalar(
            insert(mailings)
            .values(name="m", routing="main", channels=[], on_unknown="skip", created_by="a|b|c", created_at=at)
            .returning(mailings.c.id)
        )
        step = await connection.scalar(
            insert(steps)
            .values(mailing_id=mailing, number=1, status="sent", start="now", audience={}, message={})
            .returning(steps.c.id)
        )
        for after_s, state in ends:
            client = await connection.scalar(
                insert(clients).values(created_at=at, updated_at=at).returning(clients.c.id)
            )
            await connection.execute(
                insert(deliveries).values(
                    step_id=step,
                    client_id=client,
                    channel="tg",
                    address_id=1,
                    state=state,
                    due_at=at,
                    finished_at=None if state == "planned" else at + timedelta(seconds=after_s),
                )
            )
    return int(step or 0)


async def test_ends_are_counted_by_second(store: Store) -> None:
    ends = [(0.1, "sent"), (0.9, "read"), (0.95, "failed"), (2.5, "skipped"), (2.999999, "delivered"), (9, "planned")]
    step = await make_step(store, ends)

    found = await Timelines(store.database).of_step(step)

    assert [(span.width_s, span.sent, span.failed, span.other) for span in found] == [(1, 2, 1, 0), (1, 1, 0, 1)]
    assert found[1].begin - found[0].begin == timedelta(seconds=2)


async def test_a_long_step_is_counted_in_wider_spans(store: Store) -> None:
    step = await make_step(store, [(0, "sent"), (59, "sent"), (60, "sent"), (3600, "sent")])

    found = await Timelines(store.database).of_step(step)

    assert {span.width_s for span in found} == {30}
    assert [span.sent for span in found] == [1, 1, 1, 1]


async def test_a_step_in_which_nothing_ended_has_no_spans(store: Store) -> None:
    step = await make_step(store, [(0, "planned")])

    assert list[Span](await Timelines(store.database).of_step(step)) == []


async def test_what_was_counted_is_counted_anew_once_the_counters_have_moved(store: Store) -> None:
    step = await make_step(store, [(0, "sent")])
    timelines = Timelines(store.database)

    async def count(amount: int) -> None:
        async with store.database.writing() as connection:
            await add_counters(connection, {(step, "tg", "", "", "sent"): amount})

    await count(1)
    first = await timelines.of_step(step)
    assert await timelines.of_step(step) is first
    await count(1)
    assert await timelines.of_step(step) is not first
