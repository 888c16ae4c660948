"""A lane whose platform takes several messages in a call, charges several slots for one, or has a window."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from math import ceil

import pytest
from sqlalchemy import select, update

from engine.pacing import Pacer
from gateways.base import OutcomeUnknown, Outgoing, OutsideWindow, Part, PartKind, Rejected, Throttled
from gateways.telegram.capabilities import TELEGRAM
from storage.schema import addresses, deliveries
from tests.engine.lanes import FakeGateway, World, world


class Batching(FakeGateway):
    """Takes ten in a call, where their texts are equal."""

    capabilities = replace(TELEGRAM, batch=10)

    def together(self, outgoing: Outgoing) -> Hashable | None:
        return None if outgoing.text.text.startswith("alone") else outgoing.text.text


class Dear(FakeGateway):
    """Charges three slots for a long one."""

    def slots(self, outgoing: Outgoing) -> int:
        return 3 if outgoing.text.text.startswith("long") else 1


class Repeatable(FakeGateway):
    capabilities = replace(TELEGRAM, repeats_safely_for_s=3300.0)


class Windowed(FakeGateway):
    capabilities = replace(TELEGRAM, window_s=3600.0)


@pytest.fixture
async def lane_world(made_storage_url: str) -> AsyncIterator[World]:
    async with world(made_storage_url) as made:
        yield made


@pytest.fixture
async def batching(made_storage_url: str) -> AsyncIterator[World]:
    async with world(made_storage_url, Batching) as made:
        yield made


@pytest.fixture
async def dear(made_storage_url: str) -> AsyncIterator[World]:
    async with world(made_storage_url, Dear) as made:
        yield made


@pytest.fixture
async def repeatable(made_storage_url: str) -> AsyncIterator[World]:
    async with world(made_storage_url, Repeatable) as made:
        yield made


@pytest.fixture
async def windowed(made_storage_url: str) -> AsyncIterator[World]:
    async with world(made_storage_url, Windowed) as made:
        yield made


def most_messages_in_a_second(gateway: FakeGateway) -> int:
    return max(sum(n for at, n in gateway.calls if begin <= at < begin + 1.0) for begin, _ in gateway.calls)


async def test_a_call_carries_a_fifth_of_a_second_and_each_message_its_slot(batching: World) -> None:
    step = await batching.step(100)
    await batching.advance(4.3)
    assert await batching.states(step) == {"sent": 100}
    assert {count for _, count in batching.gateway.calls} == {5}
    assert most_messages_in_a_second(batching.gateway) == 25
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(batching.gateway.calls)]
    assert min(gaps) >= 0.2 - 1e-6
    assert batching.gateway.calls[-1][0] == pytest.approx(19 * 0.2, abs=0.15)


async def test_the_pace_holds_for_calls_at_any_rate(batching: World) -> None:
    step = await batching.step(24, speed=7.0)
    await batching.advance(4.5)
    assert await batching.states(step) == {"sent": 24}
    assert most_messages_in_a_second(batching.gateway) <= 7


async def test_messages_that_differ_do_not_share_a_call(batching: World) -> None:
    step = await batching.step(6, [Part(PartKind.TEXT, "Hi {{ client.first_name }}")])
    await batching.advance(1.0)
    assert await batching.states(step) == {"sent": 6}
    assert [count for _, count in batching.gateway.calls] == [1] * 6


async def test_a_message_that_travels_alone_costs_one_slot(batching: World) -> None:
    step = await batching.step(6, [Part(PartKind.TEXT, "alone")])
    await batching.advance(1.0)
    assert await batching.states(step) == {"sent": 6}
    assert [count for _, count in batching.gateway.calls] == [1] * 6


@pytest.mark.parametrize("text", ["alone", "Hi {{ client.first_name }}"])
async def test_messages_that_travel_alone_keep_the_pace(batching: World, text: str) -> None:
    step = await batching.step(100, [Part(PartKind.TEXT, text)])
    await batching.advance(4.3)
    assert await batching.states(step) == {"sent": 100}
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(batching.gateway.calls)]
    assert min(gaps) >= 0.04 - 1e-6
    assert max(gaps) <= 0.045


async def test_each_message_of_a_call_has_its_own_outcome(batching: World) -> None:
    batching.gateway.script = {"a2": [Rejected("no", code="7")], "a4": [OutcomeUnknown("late")]}
    step = await batching.step(5)
    await batching.advance(1.0)
    assert await batching.states(step) == {"sent": 3, "failed": 1, "unknown": 1}
    assert [count for _, count in batching.gateway.calls] == [5]


async def test_further_parts_travel_together_too_and_after_the_first(batching: World) -> None:
    step = await batching.step(5, [Part(PartKind.TEXT, "one"), Part(PartKind.TEXT, "two")])
    await batching.advance(2.0)
    assert await batching.states(step) == {"sent": 5}
    assert [count for _, count in batching.gateway.calls] == [5, 5]
    assert [out.text.text for out in batching.gateway.sent] == ["one"] * 5 + ["two"] * 5


async def test_a_long_message_takes_its_slots(dear: World) -> None:
    step = await dear.step(10, [Part(PartKind.TEXT, "long")], speed=25.0)
    await dear.advance(1.5)
    assert await dear.states(step) == {"sent": 10}
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(dear.gateway.calls)]
    assert min(gaps) >= 0.12 - 1e-6


@asynccontextmanager
async def held(world: World) -> AsyncIterator[None]:
    """The lane takes nothing meanwhile."""
    world.lane.state.halted = True
    yield
    world.lane.state.halted = False
    world.lane.state.wake()


async def test_who_never_wrote_is_skipped_without_a_call(windowed: World) -> None:
    async with held(windowed):
        step = await windowed.step(3)
        async with windowed.database.writing() as connection:
            await connection.execute(
                update(addresses)
                .where(addresses.c.id == 2)
                .values(last_wrote_at=windowed.clock.now() - timedelta(hours=2))
            )
            await connection.execute(
                update(addresses).where(addresses.c.id == 3).values(last_wrote_at=windowed.clock.now())
            )
    await windowed.advance(1.0)
    assert await windowed.states(step) == {"skipped": 2, "sent": 1}
    assert [out.address for out in windowed.gateway.sent] == ["a3"]
    assert (await windowed.counted(step))["skipped:outside_window"] == 2


async def test_outside_the_window_goes_what_is_made_for_it(windowed: World) -> None:
    async with held(windowed):
        step = await windowed.step(2, outside=[Part(PartKind.TEXT, "approved")])
        async with windowed.database.writing() as connection:
            await connection.execute(
                update(addresses).where(addresses.c.id == 2).values(last_wrote_at=windowed.clock.now())
            )
    await windowed.advance(1.0)
    assert await windowed.states(step) == {"sent": 2}
    assert {out.address: out.text.text for out in windowed.gateway.sent} == {"a1": "approved", "a2": "Hi"}


async def test_a_window_that_closed_meanwhile_is_answered_with_what_is_made_for_it(windowed: World) -> None:
    async with held(windowed):
        step = await windowed.step(1, outside=[Part(PartKind.TEXT, "approved")])
        async with windowed.database.writing() as connection:
            await connection.execute(update(addresses).values(last_wrote_at=windowed.clock.now()))
    windowed.gateway.script = {"a1": [OutsideWindow("closed")]}
    await windowed.advance(1.0)
    assert await windowed.states(step) == {"sent": 1}
    assert [out.text.text for out in windowed.gateway.sent] == ["Hi", "approved"]


async def test_a_refused_window_without_another_form_fails_with_its_reason(windowed: World) -> None:
    async with held(windowed):
        step = await windowed.step(1)
        async with windowed.database.writing() as connection:
            await connection.execute(update(addresses).values(last_wrote_at=windowed.clock.now()))
    windowed.gateway.script = {"a1": [OutsideWindow("closed")]}
    await windowed.advance(1.0)
    assert (await windowed.counted(step))["failed:outside_window"] == 1


async def test_the_lane_slows_down_before_the_platform_blocks(lane_world: World) -> None:
    lane_world.gateway.usage = 0.85
    await lane_world.step(30)
    await lane_world.advance(1.0)
    assert lane_world.lane.rate == 12.5
    lane_world.gateway.usage = 0.97
    await lane_world.advance(0.2)
    sent = len(lane_world.gateway.sent)
    await lane_world.advance(50.0)
    assert len(lane_world.gateway.sent) <= sent + 1
    lane_world.gateway.usage = 0.0
    await lane_world.advance(20.0)
    assert len(lane_world.gateway.sent) == 30


async def test_what_a_platform_charges_is_summed(lane_world: World) -> None:
    lane_world.gateway.cost = ("sms.segment", 3)
    step = await lane_world.step(4)
    await lane_world.advance(1.0)
    assert (await lane_world.counted(step))["cost:sms.segment"] == 12


@pytest.mark.parametrize(("rate", "most", "together"), [(25, 100, 5), (25, 3, 1), (20, 100, 5), (7, 25, 1), (3, 25, 1)])
def test_whole_calls_fill_a_second(rate: float, most: int, together: int) -> None:
    assert Pacer(rate).together(most) == together


@pytest.mark.parametrize("rate", [1.0, 3.0, 7.5, 10.0, 25.0])
@pytest.mark.parametrize("late", [0.0, 0.013, 0.31])
def test_calls_never_start_more_than_the_rate_in_a_second(rate: float, late: float) -> None:
    pacer = Pacer(rate)
    together = pacer.together(50)
    now, starts = 0.0, []
    for number in range(300):
        now = pacer.next_start(now, together) + (late if number % 7 == 0 else 0.0)
        pacer.take(now, together)
        pacer.record(now, together)
        starts.append(now)
    for begin in starts:
        assert together * sum(1 for start in starts if begin <= start < begin + 1.0) <= max(ceil(rate), together)
    if not late:
        assert together * (len(starts) - 1) / (starts[-1] - starts[0]) == pytest.approx(rate, rel=0.01)


async def test_what_may_have_been_taken_is_repeated_while_the_platform_drops_repeats(repeatable: World) -> None:
    repeatable.gateway.script["a1"] = [OutcomeUnknown("no answer")]
    step = await repeatable.step(2)
    await repeatable.advance(10)
    assert await repeatable.states(step) == {"sent": 2}
    assert repeatable.gateway.received_by("a1") == 2


@pytest.mark.parametrize(("waited_s", "end"), [(3000.0, {"sent": 2}), (3400.0, {"sent": 1, "unknown": 1})])
async def test_what_may_have_been_taken_is_not_repeated_once_the_platform_has_forgotten_it(
    repeatable: World, waited_s: float, end: dict[str, int]
) -> None:
    began = repeatable.clock.now()
    repeatable.gateway.script["a1"] = [OutcomeUnknown("no answer"), Throttled(3600.0, only_this=True)]
    step = await repeatable.step(2)
    await repeatable.advance(10)
    assert await repeatable.states(step) == {"sent": 1, "planned": 1}
    waits = update(deliveries).where(deliveries.c.state == "planned")
    async with repeatable.database.writing() as connection:
        doubted_at = await connection.scalar(select(deliveries.c.started_at).where(deliveries.c.state == "planned"))
        assert doubted_at is not None
        assert doubted_at < began + timedelta(seconds=1)  # its first try, not the second
        now = repeatable.clock.now()
        await connection.execute(waits.values(started_at=now - timedelta(seconds=waited_s), due_at=now))
    await repeatable.advance(2)
    assert await repeatable.states(step) == end
    assert repeatable.gateway.received_by("a1") == 1 + end["sent"]


async def test_who_may_have_been_taken_and_opts_out_before_the_repeat_is_unknown_and_not_skipped(
    repeatable: World,
) -> None:
    repeatable.gateway.script["a1"] = [OutcomeUnknown("no answer")]
    step = await repeatable.step(2)
    await repeatable.advance(0.3)
    assert await repeatable.states(step) == {"sent": 1, "planned": 1}
    await repeatable.set_address(1, "unsubscribed")
    await repeatable.advance(120)
    assert await repeatable.states(step) == {"sent": 1, "unknown": 1}
    assert repeatable.gateway.received_by("a1") == 1
