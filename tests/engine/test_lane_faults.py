"""One client, value or fault of ours that is poison ends alone: the rest of the lane goes on."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import select, update

from gateways.base import Outgoing, Part, PartKind, Rejected
from storage.schema import attempts, clients, deliveries
from tests.engine.lanes import Answer, FakeGateway, World, world

HI_NAME = [Part(PartKind.TEXT, "Hi {{ client.first_name }}")]


class Falling(FakeGateway):
    """Falls over for some addresses, as only a fault in a gateway's code can make it."""

    falls_for: frozenset[str] = frozenset()

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Answer]:
        if self.falls_for & {outgoing.address for outgoing in parts}:
            raise KeyError("result")
        return await super().send(parts)


@pytest.fixture
async def poisoned(made_storage_url: str) -> AsyncIterator[World]:
    async with world(made_storage_url, Falling) as made:
        yield made


async def test_a_send_that_falls_over_is_unknown_and_takes_nobody_with_it(poisoned: World) -> None:
    poisoned.gateway.latency_s = 2.0
    falls_for(poisoned, "a3", "a9")
    step = await poisoned.step(12)
    await poisoned.advance(6)
    assert await poisoned.states(step) == {"sent": 10, "unknown": 2}
    assert await why(poisoned, 3) == ("unknown", "fault", "a fault of ours: KeyError")
    assert poisoned.reports.refused == []


async def test_a_send_that_falls_over_for_all_interrupts_at_once(poisoned: World) -> None:
    falls_for(poisoned, *(f"a{number}" for number in range(1, 31)))
    step = await poisoned.step(30)
    await poisoned.advance(0.15)
    assert poisoned.reports.refused[0] == (step, "a fault of ours: KeyError")


async def test_a_nul_in_a_platforms_words_fails_nobody_elses_commit(poisoned: World) -> None:
    poisoned.gateway.latency_s = 1.0
    poisoned.gateway.script = {"a4": [Rejected("no\0such\ud800", code="4\0")]}
    step = await poisoned.step(10)
    await poisoned.advance(4)
    assert await poisoned.states(step) == {"sent": 9, "failed": 1}
    state, reason, _words = await why(poisoned, 4)
    assert (state, reason) == ("failed", "rejected")
    assert (await poisoned.counted(step))["sent"] == 9


async def test_a_name_of_ten_megabytes_and_one_of_markup_keep_nobody_else(poisoned: World) -> None:
    poisoned.lane.state.halted = True  # so that nobody is claimed before the names are there
    step = await poisoned.step(8, HI_NAME)
    async with poisoned.database.writing() as connection:
        for number, name in ((2, "x" * 10_000_000), (5, "<b>&{{ 7*7 }}</b>" * 3), (6, "\u202e")):
            await connection.execute(update(clients).where(clients.c.id == number).values(first_name=name))
    poisoned.lane.state.halted = False
    poisoned.lane.state.wake()
    await poisoned.advance(4)
    assert await poisoned.states(step) == {"sent": 7, "failed": 1}
    assert (await why(poisoned, 2))[1] == "too_long"
    texts = {outgoing.address: outgoing.text.text for outgoing in poisoned.gateway.sent}
    assert texts["a5"] == "Hi " + "<b>&{{ 7*7 }}</b>" * 3


def falls_for(made: World, *addresses: str) -> None:
    assert isinstance(made.gateway, Falling)
    made.gateway.falls_for = frozenset(addresses)


async def why(made: World, client: int) -> tuple[str, str | None, str | None]:
    query = (
        select(deliveries.c.state, deliveries.c.reason, attempts.c.words)
        .join(attempts, attempts.c.delivery_id == deliveries.c.id)
        .where(deliveries.c.client_id == client)
    )
    async with made.database.read() as connection:
        state, reason, words = (await connection.execute(query)).one()
        return state, reason, words


async def test_what_was_on_its_way_when_a_lane_ended_is_not_in_the_next_ones_way(poisoned: World) -> None:
    poisoned.gateway.latency_s = 5.0
    lane = poisoned.lane = poisoned.build_lane()
    await poisoned.step(10)
    running = asyncio.create_task(lane.run())
    await poisoned.advance(0.3)
    assert lane.state.in_flight > 2
    running.cancel()
    await asyncio.wait([running])
    assert lane.state.in_flight == 0
    await poisoned.advance(6)  # answers and commits of the run that ended
    assert lane.state.in_flight == 0


async def test_a_part_that_waited_when_a_lane_ended_is_not_sent_by_its_next_run(poisoned: World) -> None:
    lane = poisoned.lane = poisoned.build_lane()
    await poisoned.step(10, [Part(PartKind.TEXT, "First"), Part(PartKind.TEXT, "Second")])
    running = asyncio.create_task(lane.run())
    while len(poisoned.gateway.sent) != 1:
        await poisoned.advance(0.01)
    running.cancel()
    await asyncio.wait([running])
    lane.state.steps.clear()
    running = asyncio.create_task(lane.run())
    await poisoned.advance(1)
    assert [outgoing.text.text for outgoing in poisoned.gateway.sent] == ["First"]
    running.cancel()
    await asyncio.wait([running])
