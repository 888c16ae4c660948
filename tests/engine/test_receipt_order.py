"""In whatever order, however often, before or after the answer: receipts end in one state and count once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateways.base import Heard, Receipt, ReceiptState
from storage.outcomes import finish
from storage.records import AcceptedPart, Claimed, DeliveryState, Outcome
from storage.schema import counters, deliveries, parts
from tests.engine.hearing import SHOP, World

D, R, F = ReceiptState.DELIVERED, ReceiptState.READ, ReceiptState.FAILED
AFTER = {ReceiptState.SENT: 1, F: 2, D: 3, R: 4}  # seconds after the send; a state beats those before it
COUNTED: Mapping[ReceiptState, Mapping[str, int]] = {
    ReceiptState.SENT: {"sent": 1},
    F: {"failed": 1, "failed:blocked": 1},
    D: {"sent": 1, "delivered": 1},
    R: {"sent": 1, "delivered": 1, "read": 1},
}


@dataclass(frozen=True)
class Course:
    """Receipts in the order in which they come. A request ends before each of `cuts`; the answer to the send comes
    before the receipt number `answer_at`, or never, and the delivery is unknown from the beginning. Those of `referred`
    carry our reference; all have the platform's id."""

    told: tuple[ReceiptState, ...]
    cuts: frozenset[int]
    answer_at: int | None
    referred: frozenset[ReceiptState]


@st.composite
def courses(draw: st.DrawFn) -> Course:
    states = draw(st.sets(st.sampled_from(ReceiptState), min_size=1))
    repeated = draw(st.lists(st.sampled_from(sorted(states)), max_size=3))
    told = tuple(draw(st.permutations([*sorted(states), *repeated])))
    answer_at = draw(st.none() | st.integers(0, len(told)))
    referred = draw(st.frozensets(st.sampled_from(sorted(states)), min_size=int(answer_at is None)))
    return Course(told, draw(st.frozensets(st.integers(0, len(told) - 1))), answer_at, referred)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(course=courses())
async def test_the_order_of_receipts_changes_nothing(world: World, course: Course) -> None:
    world.keys += 1
    if world.keys == 1:
        await world.hear(world.start())
    delivery = await world.mailed(state="unknown" if course.answer_at is None else "sending", external_id=None)
    name = f"m{world.keys}"
    await _take_course(world, course, delivery, name)

    highest = max(course.told, key=lambda state: AFTER[state])
    was = "unknown" if course.answer_at is None else "waiting"
    costs = {f"cost:{state}": 2 for state in course.told}
    async with world.store.database.read() as connection:
        row = (await connection.execute(select(deliveries).where(deliveries.c.id == delivery))).one()
        part = (await connection.execute(select(parts).where(parts.c.delivery_id == delivery))).one()
        found = await connection.execute(select(counters).where(counters.c.step_id == row.step_id))
        counted = {counter.name: counter.amount for counter in found if counter.amount}
    assert (row.state, row.reason) == (highest.value, "blocked" if highest is F else None)
    assert counted == {was: -1, **COUNTED[highest], **costs}
    marks = (part.delivered_at, part.read_at, part.failed_at)
    assert (part.external_id, marks) == (name, _expected_marks(world, course))


def _expected_marks(world: World, course: Course) -> tuple[Any, ...]:
    def first(*states: ReceiptState) -> Any:
        told = [AFTER[state] for state in states if state in course.told]
        return world.clock.now() + timedelta(seconds=min(told)) if told else None

    return first(D, R), first(R), first(F)


async def _take_course(world: World, course: Course, delivery: int, name: str) -> None:
    request: list[Receipt] = []
    for place in range(len(course.told) + 1):
        if place in course.cuts or place in (course.answer_at, len(course.told)):
            await world.inbox.take(SHOP, Heard(tuple(request)))
            request = []
        if place == course.answer_at:
            await _answer(world, delivery, name)
        if place < len(course.told):
            state = course.told[place]
            reference = f"{delivery}.1.0" if state in course.referred else None
            request.append(_receipt(world, state, name, reference))


def _receipt(world: World, state: ReceiptState, name: str, reference: str | None) -> Receipt:
    """The same for every repeat."""
    at = world.clock.now() + timedelta(seconds=AFTER[state])
    reason = "blocked" if state is F else ""
    return Receipt(state, name, reference, at, f"{name}:{state}", reason=reason, cost=state.value, units=2)


async def _answer(world: World, delivery: int, name: str) -> None:
    """The platform's answer to the send, as the lane commits it."""
    async with world.store.database.read() as connection:
        row = (await connection.execute(select(deliveries).where(deliveries.c.id == delivery))).one()
    claimed = Claimed(row.id, row.step_id, row.client_id, row.address_id, "7", 1, 0, {}, {})
    now = world.clock.now()
    outcome = Outcome(claimed, SHOP, DeliveryState.SENT, now, now, 1, parts=(AcceptedPart(0, name),))
    await world.store.writer.write(finish, outcome)
