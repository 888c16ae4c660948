"""Reads that a platform tells only when it is asked: of whom, when, and how often."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from engine.reads import AFTER_S, AT_ONCE, ReadPolling
from gateways.base import GatewayError, ReceiptState, Throttled, Watermark
from storage.counters import add_counters
from storage.reads import Span, Unread
from storage.schema import addresses, clients, deliveries, steps
from tests.engine.hearing import SHOP, World
from tests.storage.people import card_of


@dataclass
class FakeGateway:
    """Tells of those who have read, up to an id."""

    read: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    errors: list[GatewayError] = field(default_factory=list)

    async def poll_reads(self, asked: Sequence[str]) -> Sequence[Watermark]:
        self.asked.append(tuple(asked))
        if self.errors:
            raise self.errors.pop(0)
        at = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
        return [
            Watermark(
                address, ReceiptState.READ, at, f"read:{address}:{self.read[address]}", until_id=self.read[address]
            )
            for address in asked
            if address in self.read
        ]


@dataclass
class Polling:
    world: World
    gateway: FakeGateway = field(default_factory=FakeGateway)

    def __post_init__(self) -> None:
        gateways: Any = {SHOP: self.gateway, "tg-news": object()}
        self.polling = ReadPolling(self.world.store, gateways, self.world.clock, self.world.inbox.take)
        now = self.world.clock.now()
        self.asked_to = {after_s: now - timedelta(seconds=after_s) for after_s in AFTER_S}

    async def look(self) -> bool:
        return await self.polling.look(SHOP, self.gateway, self.asked_to)

    async def look_until_done(self) -> list[tuple[str, ...]]:
        """Whom it asked about meanwhile."""
        before = len(self.gateway.asked)
        while await self.look():
            pass
        return self.gateway.asked[before:]


@pytest.fixture
async def polling(world: World) -> Polling:
    """One client who was sent one message just now."""
    await world.hear(world.start())
    await sent(world, "7", "500")
    return Polling(world)


async def sent(world: World, address: str, external_id: str) -> int:
    delivery = await world.mailed(address, external_id=external_id)
    async with world.store.database.writing() as connection:
        await connection.execute(update(steps).where(steps.c.id == delivery >> 32).values(started_at=world.clock.now()))
        await add_counters(connection, {(delivery >> 32, SHOP, "", "", "sent"): 1})
    return delivery


async def test_a_message_is_asked_about_less_and_less_often(polling: Polling) -> None:
    world, asked = polling.world, []
    began = world.clock.now()
    for after_s in (30, *AFTER_S, 2 * AFTER_S[-1]):
        for moment_s in (after_s - 1, after_s):
            await world.clock.advance(moment_s - (world.clock.now() - began).total_seconds())
            if await polling.look_until_done():
                asked.append(moment_s)
    assert asked == list(AFTER_S)


async def test_who_has_read_is_asked_about_no_more(polling: Polling) -> None:
    polling.gateway.read["7"] = 500
    await polling.world.clock.advance(60)
    assert await polling.look_until_done() == [("7",)]
    assert await polling.world.all(deliveries.c.state) == [("read",)]
    await polling.world.clock.advance(86400)
    assert await polling.look_until_done() == []


async def test_a_failure_of_the_platform_leaves_nothing_out(polling: Polling) -> None:
    polling.gateway.errors.append(Throttled(5.0))
    await polling.world.clock.advance(60)
    with pytest.raises(Throttled):
        await polling.look()
    assert await polling.look_until_done() == [("7",)]


async def test_many_are_asked_about_a_hundred_at_a_time_and_each_once(polling: Polling) -> None:
    world = polling.world
    await sent(world, "7", "501")
    first = (await card_of(world.store, "7")).id
    ids = range(first + 1, first + 1 + 2 * AT_ONCE + 50)
    async with world.store.database.writing() as connection:
        row = dict((await connection.execute(select(deliveries).limit(1))).one()._mapping)
        now = world.clock.now()
        await connection.execute(insert(clients), [{"id": one, "created_at": now, "updated_at": now} for one in ids])
        its = {"scope": SHOP, "channel": SHOP, "status": "enabled", "status_at": now, "created_at": now, "details": {}}
        await connection.execute(
            insert(addresses), [{**its, "id": one, "client_id": one, "external_id": f"a{one}"} for one in ids]
        )
        step = row["step_id"]
        rows = [{**row, "id": (step << 32) + one, "client_id": one, "address_id": one} for one in ids]
        await connection.execute(insert(deliveries), rows)
    await world.clock.advance(60)
    looking = asyncio.create_task(polling.look())
    async with asyncio.timeout(5):
        while not looking.done():
            await world.clock.advance(1)
            await asyncio.sleep(0.002)
    assert [len(asked) for asked in polling.gateway.asked] == [100, 100, 51]
    assert len({address for asked in polling.gateway.asked for address in asked}) == 251


async def test_after_a_standstill_what_was_sent_lately_is_asked_about_once(world: World) -> None:
    await world.hear(world.start(), world.start("8"))
    await sent(world, "7", "500")
    await world.clock.advance(7 * 3600)
    await sent(world, "8", "501")
    await world.clock.advance(3600)
    gateway = FakeGateway()
    gateways: Any = {SHOP: gateway}
    polling = ReadPolling(world.store, gateways, world.clock, world.inbox.take)
    task = asyncio.create_task(polling.run())
    async with asyncio.timeout(10):
        while len(gateway.asked) < 2:
            await world.clock.advance(0.25)
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sorted(gateway.asked) == [("7",), ("8",)]


async def test_the_look_for_them_goes_along_an_index(polling: Polling) -> None:
    world = polling.world
    now = world.clock.now()
    unread, span = Unread(world.store.database), Span(now - timedelta(minutes=1), now)
    (step,) = await unread.fresh_steps(SHOP, now)
    assert await unread.addresses(SHOP, [step], span) == ["7"]
    assert await unread.fresh_steps("tg-news", now) == []
    is_sqlite = world.store.database.dialect == "sqlite"
    at = int(now.timestamp() * 1e6) if is_sqlite else f"'{now.isoformat()}'"
    wanted = (
        f"SELECT id FROM deliveries WHERE step_id = {step} AND state = 'sent' AND reason IS NULL "
        f"AND finished_at >= {at} AND finished_at <= {at} ORDER BY finished_at, id LIMIT 500"
    )
    async with world.store.database.writing() as connection:
        if not is_sqlite:
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        rows = await connection.execute(text(f"{'EXPLAIN QUERY PLAN' if is_sqlite else 'EXPLAIN'} {wanted}"))
        assert "deliveries_by_outcome" in str(rows.all())


async def test_nothing_is_asked_where_no_platform_has_to_be(world: World) -> None:
    await ReadPolling(world.store, {}, world.clock, world.inbox.take).run()
