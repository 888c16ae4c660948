"""Watermarks: all that was sent up to a moment, or up to an id, counted once and moving forward only."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from gateways.base import ReceiptState, Watermark
from storage.outcomes import finish
from storage.records import AcceptedPart, Claimed, DeliveryState, Outcome
from storage.schema import addresses, deliveries, events, parts, watermarks
from storage.store import Store
from storage.watermarks import SINCE_THE_LAST
from tests.engine.hearing import SHOP, World
from tests.storage.people import card_of

D, R = ReceiptState.DELIVERED, ReceiptState.READ
BEHIND = {"first": timedelta(seconds=60), "second": timedelta(seconds=61)}
HUGE = 2**63 - 2  # beyond what a float tells apart


async def states(world: World) -> list[str]:
    return [state for _id, state in sorted(await world.all(deliveries.c.id, deliveries.c.state))]


def up_to(world: World, until_s: float, state: ReceiptState = R, address: str = "7") -> Watermark:
    """Until so many seconds from now."""
    at = world.clock.now()
    return Watermark(address, state, at, world.key(), until=at + timedelta(seconds=until_s))


def up_to_id(world: World, until_id: int, address: str = "7") -> Watermark:
    return Watermark(address, R, world.clock.now(), world.key(), until_id=until_id)


async def test_what_was_sent_before_is_read_and_what_came_after_is_not(world: World) -> None:
    await world.hear(world.start())
    for name in ("m1", "m2", "m3"):
        await world.clock.advance(10)
        await world.mailed(external_id=name)
    await world.hear(up_to(world, -10))
    assert await states(world) == ["read", "read", "sent"]
    assert await world.counted_all() == {"delivered": 2, "read": 2}
    assert {at for (at,) in await world.all(parts.c.read_at)} == {world.clock.now(), None}


async def test_a_watermark_told_again_or_lower_changes_nothing(world: World) -> None:
    await world.hear(world.start())
    await world.mailed()
    await world.clock.advance(10)
    read = up_to(world, 0)
    await world.hear(read, read)
    before = await world.all(events.c.id)
    await world.hear(read, up_to(world, -5), up_to(world, 0))
    assert await world.counted_all() == {"delivered": 1, "read": 1}
    assert await world.all(events.c.id) == before


async def test_delivered_and_read_are_told_apart(world: World) -> None:
    await world.hear(world.start())
    await world.mailed()
    await world.clock.advance(10)
    await world.hear(up_to(world, 0, D))
    assert await states(world) == ["delivered"]
    await world.hear(up_to(world, 0))
    assert await states(world) == ["read"]
    assert await world.counted_all() == {"delivered": 1, "read": 1}
    assert [kind for (kind,) in await world.all(events.c.type)] == ["subscribed", "delivered", "read"]


async def test_the_platform_s_own_moment_of_a_message_counts_before_our_clock(world: World) -> None:
    await world.hear(world.start())
    await world.mailed(external_id="first")
    await world.clock.advance(1)
    await world.mailed(external_id="second")
    now = world.clock.now()
    # Its clock is a minute behind ours, and it took the second one before the first.
    taken = {name: replace(world.receipt(ReceiptState.SENT, name), occurred_at=now - at) for name, at in BEHIND.items()}
    await world.hear(*taken.values())
    await world.hear(up_to(world, -61))
    assert await states(world) == ["sent", "read"]
    await world.hear(up_to(world, -60))
    assert await states(world) == ["read", "read"]


async def test_ids_are_compared_as_whole_numbers_of_any_size(world: World) -> None:
    await world.hear(world.start())
    for name in ("9", "10", str(HUGE), str(HUGE + 1), "x12"):
        await world.clock.advance(1)
        await world.mailed(external_id=name)
    await world.hear(up_to_id(world, 9))
    assert await states(world) == ["read", "sent", "sent", "sent", "sent"]
    await world.hear(up_to_id(world, HUGE))
    assert await states(world) == ["read", "read", "read", "sent", "sent"]
    await world.hear(up_to_id(world, 2**70))
    assert await states(world) == ["read", "read", "read", "read", "sent"]


@pytest.mark.parametrize("by", ["time", "id"])
async def test_a_watermark_before_the_answer_to_the_send_holds_for_it(world: World, by: str) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(state="sending", external_id=None)
    began = world.clock.now()
    await world.clock.advance(2)
    await world.hear(up_to(world, -1) if by == "time" else up_to_id(world, 500))
    assert await states(world) == ["sending"]
    (address,) = (await card_of(world.store, "7")).addresses
    claimed = Claimed(delivery, delivery >> 32, address.client_id, address.id, "7", 1, 0, {}, {})
    part = AcceptedPart(0, "500")
    outcome = Outcome(claimed, SHOP, DeliveryState.SENT, world.clock.now(), began, 1, parts=(part,))
    await world.store.writer.write(finish, outcome)
    assert await states(world) == ["read"]


async def test_an_unknown_delivery_is_not_proved_by_a_watermark_and_gets_it_when_it_is(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(state="unknown", external_id=None)
    await world.clock.advance(10)
    await world.hear(up_to(world, 0))
    assert await states(world) == ["unknown"]
    await world.hear(world.receipt(ReceiptState.SENT, "m1", reference=f"{delivery}.1.0"))
    assert await states(world) == ["read"]


async def test_the_client_s_other_addresses_on_the_channel_are_meant_too(world: World) -> None:
    await world.hear(world.start("7"), world.start("8"))
    await world.mailed("7")
    into, other = await card_of(world.store, "7"), await card_of(world.store, "8")
    async with world.store.database.writing() as connection:
        await connection.execute(update(addresses).where(addresses.c.client_id == other.id).values(client_id=into.id))
    await world.clock.advance(1)
    await world.hear(up_to(world, 0, address="8"))
    assert await states(world) == ["read"]


async def test_a_watermark_of_somebody_whom_we_do_not_know_is_harmless(world: World) -> None:
    await world.hear(up_to(world, 0, address="nobody"), up_to_id(world, 5, address="8"))
    assert await world.all(watermarks.c.address_id) == []


async def test_many_watermarks_of_many_clients_in_one_request(world: World) -> None:
    names = [str(number) for number in range(1, 21)]
    await world.hear(*map(world.start, names))
    for name in names:
        await world.mailed(name, external_id=name)
    await world.clock.advance(1)
    await world.hear(*(up_to_id(world, int(name), name) for name in names[:15]))
    assert (await states(world)).count("read") == 15


async def test_years_that_were_looked_at_before_are_not_looked_at_again(world: World) -> None:
    """The rows of a client's past are found by an index that begins at the last watermark."""
    await world.hear(world.start())
    await world.mailed()
    (address,) = (await card_of(world.store, "7")).addresses
    await world.clock.advance(10)
    await world.hear(up_to(world, 0))
    assert await world.all(watermarks.c.through_at) == [(world.clock.now() - timedelta(seconds=10),)]
    assert "attempts_by_address" in await plan(world.store, address.id)


OTHERS = text(
    """
    WITH made AS (
        INSERT INTO attempts (delivery_id, number, channel, address_id, tries, started_at, outcome)
        SELECT 1000000 + n, 1, 'tg-shop', 1000 + n / 20, 1, now() - n * interval '1 hour', 'sent'
        FROM generate_series(1, 5000) AS n RETURNING delivery_id
    )
    INSERT INTO parts (delivery_id, attempt, position, channel, external_id) SELECT delivery_id, 1, 0, 'tg-shop', 'm'
    FROM made
    """
)


async def plan(store: Store, address_id: int) -> str:
    is_sqlite = store.database.dialect == "sqlite"
    async with store.database.writing() as connection:
        looked = SINCE_THE_LAST.params(ids=[address_id])
        wanted = looked.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        if not is_sqlite:
            # On a table of one row every way costs the same: many clients' years beside it make it choose.
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            await connection.execute(OTHERS)
            for name in ("attempts", "parts", "watermarks"):
                await connection.execute(text(f"ANALYZE {name}"))
        rows = await connection.execute(text(f"{'EXPLAIN QUERY PLAN' if is_sqlite else 'EXPLAIN'} {wanted}"))
        return str(rows.all())
