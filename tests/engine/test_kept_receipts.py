"""Nothing that was answered 200 is missing: whatever came first, the receipt or what it speaks of, and whatever was
killed between them, it is counted in the end."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update

from engine.receipts import keep_late_receipts
from gateways.base import Heard, Receipt, ReceiptState
from storage import settling
from storage.records import OnUnknown
from storage.schema import deliveries, mailings, parts, receipts
from tests.engine.hearing import SHOP, World

S, D, R = ReceiptState.SENT, ReceiptState.DELIVERED, ReceiptState.READ
COUNTED = {"sent": 1, "delivered": 1, "read": 1}


@dataclass(frozen=True)
class Course:
    """What a platform tells of a message whose answer we never got: `sent` by our reference, and more by its own id
    alone. The program was killed in between; the engine starts anew before the receipt number `started_at`, or after
    all of them, which another process takes meanwhile."""

    told: tuple[ReceiptState, ...]
    together: bool  # in one request, where nothing happened between
    started_at: int
    on_unknown: OnUnknown


@st.composite
def courses(draw: st.DrawFn) -> Course:
    told = tuple(draw(st.permutations([S, D, R])))
    return Course(told, draw(st.booleans()), draw(st.integers(0, 3)), draw(st.sampled_from(OnUnknown)))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(course=courses())
async def test_a_kill_between_the_send_and_its_receipts_loses_none(world: World, course: Course) -> None:
    world.keys += 1
    if world.keys == 1:
        await world.hear(world.start())
    delivery = await world.mailed(state="sending", external_id=None)
    name = f"m{world.keys}"
    async with world.store.database.writing() as connection:
        await connection.execute(update(mailings).values(on_unknown=course.on_unknown.value))
    before = await world.counted_all()
    for begin, end in ((0, course.started_at), (course.started_at, 3)):
        told = [_receipt(world, state, name, delivery) for state in course.told[begin:end]]
        for some in [told] if course.together else [[one] for one in told]:
            await world.inbox.take(SHOP, Heard(tuple(some)))
        if begin == 0:
            await world.store.writer.write(settling.recover, settling.Recovery(world.clock.now()))

    async with world.store.database.read() as connection:
        state = await connection.scalar(select(deliveries.c.state).where(deliveries.c.id == delivery))
        waits = await connection.scalar(select(func.count()).where(receipts.c.applied_at.is_(None)))
        part = (await connection.execute(select(parts).where(parts.c.delivery_id == delivery))).one()
    after = await world.counted_all()
    assert (state, part.external_id, waits) == ("read", name, 0)
    assert {key: after.get(key, 0) - before.get(key, 0) for key in COUNTED} == COUNTED


def _receipt(world: World, state: ReceiptState, name: str, delivery: int) -> Receipt:
    reference = f"{delivery}.1.0" if state is S else None
    return Receipt(state, name, reference, world.clock.now(), f"{name}:{state}")


async def test_what_waits_for_the_platform_s_id_of_a_part_is_applied_when_that_is_told(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(external_id=None)
    async with world.store.database.writing() as connection:
        part = {"delivery_id": delivery, "attempt": 1, "position": 0, "channel": SHOP}
        await connection.execute(insert(parts).values(**part, accepted_at=world.clock.now()))
    await world.hear(world.receipt(D, "w1"))
    await world.hear(world.receipt(S, "w1", reference=f"{delivery}.1.0"))
    assert await world.all(deliveries.c.state) == [("delivered",)]
    assert await world.counted() == {"delivered": 1}


async def test_thousands_that_are_not_ours_keep_nobody_from_being_looked_at(world: World) -> None:
    """Operators who write by themselves bring receipts as well, and those wait for ever."""
    await world.hear(world.start())
    await world.inbox.take(SHOP, Heard(tuple(world.receipt(D, f"foreign-{number}") for number in range(450))))
    await _comes_unseen(world)
    await _look_once(world)
    assert await world.counted() == {"delivered": 1}


async def test_what_waited_while_the_program_was_down_for_days_is_applied_at_its_start(world: World) -> None:
    await world.hear(world.start())
    await _comes_unseen(world)
    await world.clock.advance(timedelta(days=3).total_seconds())
    await _look_once(world)
    assert await world.counted() == {"delivered": 1}


async def _comes_unseen(world: World) -> None:
    """A receipt of a first attempt, while a lane has the second one in hand; then that is over."""
    await world.mailed()
    async with world.store.database.writing() as connection:
        await connection.execute(update(deliveries).values(state="sending", attempt=2))
    await world.hear(world.receipt(D))
    async with world.store.database.writing() as connection:
        await connection.execute(update(deliveries).values(state="sent", attempt=1))
    assert await world.counted() == {}


async def _look_once(world: World) -> None:
    async with world.store.database.read() as connection:
        waiting = select(func.count()).where(receipts.c.applied_at.is_(None), receipts.c.external_id == "m1")
        looking = asyncio.create_task(keep_late_receipts(world.store, world.clock))
        async with asyncio.timeout(20):
            while await connection.scalar(waiting):
                await connection.rollback()
                await asyncio.sleep(0.01)
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
