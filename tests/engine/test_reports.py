"""What platforms report of parts that we know little of: by reference, of many at once, of failures, of accounts."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from engine.watch import NORMAL_FAILURES
from gateways.base import AccountBroken, AddressStatus, Heard, ReceiptState, TemplateChanged
from storage import settling
from storage.receipts import Late, LookedAt, apply_late_receipts
from storage.schema import (
    addresses,
    attempts,
    clients,
    counters,
    deliveries,
    events,
    mailings,
    opt_outs,
    parts,
    receipts,
)
from storage.store import Store
from tests.engine.hearing import SHOP, World
from tests.storage.people import card_of

S, D, R, F = ReceiptState.SENT, ReceiptState.DELIVERED, ReceiptState.READ, ReceiptState.FAILED


# --- by our reference ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S, D, R, F])
async def test_a_receipt_by_reference_settles_an_unknown_delivery(world: World, state: ReceiptState) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(state="unknown", external_id=None)
    await world.hear(world.receipt(state, "w1", reference=f"{delivery}.1.0", reason="rejected" if state is F else ""))
    assert await world.all(deliveries.c.state, deliveries.c.attempt) == [(state.value, 1)]
    assert await world.all(parts.c.external_id, parts.c.accepted_at) == [("w1", world.clock.now())]
    assert (await world.counted())["unknown"] == -1
    assert [type_ for (type_,) in await world.all(events.c.type)] == ["subscribed", state.value]


async def test_what_waited_by_the_platform_s_id_is_applied_when_a_reference_tells_whose_it_is(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(state="unknown", external_id=None)
    await world.hear(world.receipt(R, "w1"))
    assert await world.counted() == {}
    await world.hear(world.receipt(S, "w1", reference=f"{delivery}.1.0"))
    assert await world.counted() == {"unknown": -1, "sent": 1, "delivered": 1, "read": 1}


@pytest.mark.parametrize("reference", ["{delivery}.2.0", "{delivery}.0.0", "{other}.1.0", "{delivery}.1", "1.1.1"])
async def test_a_reference_to_what_was_never_sent_settles_nothing(world: World, reference: str) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(state="unknown", external_id=None)
    named = reference.format(delivery=delivery, other=delivery + 1)
    await world.hear(world.receipt(S, "w1", reference=named))
    assert await world.all(deliveries.c.state) == [("unknown",)]
    assert await world.all(parts.c.external_id) == []


async def test_a_reference_of_another_channel_settles_nothing(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(state="unknown", external_id=None)
    await world.hear(world.receipt(D, "w1", reference=f"{delivery}.1.0"), channel="tg-news")
    assert await world.all(deliveries.c.state) == [("unknown",)]


async def test_a_part_of_another_channel_is_not_meant(world: World) -> None:
    await world.hear(world.start())
    await world.mailed(external_id="m1")
    await world.hear(world.receipt(D, "m1"), channel="tg-news")
    assert await world.all(deliveries.c.state) == [("sent",)]


@pytest.mark.parametrize("on_unknown", ["skip", "repeat"])
async def test_recovery_applies_what_waited_by_reference(world: World, on_unknown: str) -> None:
    """Nothing is sent again of which the platform says that it went out."""
    await world.hear(world.start())
    delivery = await world.mailed(state="sending", external_id=None)
    await change(world, update(mailings).values(on_unknown=on_unknown))
    await world.hear(world.receipt(S, "w1", reference=f"{delivery}.1.0"), world.receipt(D, "w1"))
    assert await world.all(deliveries.c.state) == [("sending",)]
    await world.store.writer.write(settling.recover, settling.Recovery(world.clock.now()))
    assert await world.all(deliveries.c.state) == [("delivered",)]
    assert await world.all(parts.c.external_id) == [("w1",)]
    assert await world.counted() == {"waiting": -1, "sent": 1, "delivered": 1}
    assert await world.all(attempts.c.number) == [(1,)]


async def test_recovery_sends_again_where_the_platform_drops_a_repeat(world: World) -> None:
    await world.hear(world.start())
    await world.mailed(state="sending", external_id=None)
    safe = {SHOP: 3300.0}
    await world.clock.advance(3299)
    recovery = settling.Recovery(world.clock.now(), repeats_safely_for_s=safe)
    assert await world.store.writer.write(settling.recover, recovery) == settling.Recovered(planned=1)
    assert await world.all(deliveries.c.state) == [("planned",)]
    await change(world, update(deliveries).values(state="sending"))  # in hand again, as of its first start
    await world.clock.advance(1)
    recovery = settling.Recovery(world.clock.now(), repeats_safely_for_s=safe)
    assert await world.store.writer.write(settling.recover, recovery) == settling.Recovered(unknown=1)


async def test_a_receipt_that_neither_saw_nor_was_seen_is_applied_within_a_minute(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(external_id=None)
    await world.hear(world.receipt(D, "m1"))
    row = {"delivery_id": delivery, "attempt": 1, "position": 0, "channel": SHOP, "external_id": "m1"}
    await change(world, insert(parts).values(**row, accepted_at=world.clock.now()))
    since = Late(world.clock.now() - timedelta(minutes=10))
    assert await world.store.writer.write(apply_late_receipts, since) == LookedAt(1, None)
    assert await world.all(deliveries.c.state) == [("delivered",)]
    assert await world.store.writer.write(apply_late_receipts, since) == LookedAt(0, None)


# --- of several attempts ---------------------------------------------------------------------------------------------


async def next_channel(world: World, delivery: int, state: str) -> None:
    """The delivery as a cascade has it on its second channel."""
    row = {"channel": "tg-news", "address_id": 99, "attempt": 2, "state": state}
    await change(world, update(deliveries).where(deliveries.c.id == delivery).values(**row))


async def test_a_first_message_that_arrives_while_the_next_channel_waits_is_the_one(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed()
    await next_channel(world, delivery, "planned")
    await world.hear(world.receipt(S), world.receipt(D))
    (address,) = (await card_of(world.store, "7")).addresses
    rows = await world.all(deliveries.c.state, deliveries.c.channel, deliveries.c.attempt, deliveries.c.address_id)
    assert rows == [("delivered", SHOP, 1, address.id)]
    assert await counted_on(world, "tg-news") == {"planned": -1, "waiting": -1}
    assert await counted_on(world, SHOP) == {"planned": 1, "sent": 1, "delivered": 1}


@pytest.mark.parametrize("state", ["sent", "delivered", "read"])
async def test_a_first_message_that_arrives_after_the_second_is_told_as_both_once(world: World, state: str) -> None:
    await world.hear(world.start())
    delivery = await world.mailed()
    await next_channel(world, delivery, state)
    await world.hear(world.receipt(D), world.receipt(R))
    assert await world.all(deliveries.c.state, deliveries.c.channel) == [(state, "tg-news")]
    assert await counted_on(world, SHOP) == {"both": 1}
    assert await world.all(parts.c.delivered_at) == [(world.clock.now(),)]


async def test_a_first_message_that_arrives_when_the_second_failed_is_the_one(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed()
    await next_channel(world, delivery, "failed")
    await change(world, update(deliveries).values(reason="blocked"))
    await world.hear(world.receipt(R))
    assert await world.all(deliveries.c.state, deliveries.c.channel) == [("read", SHOP)]
    assert await counted_on(world, "tg-news") == {"planned": -1, "failed": -1, "failed:blocked": -1}


async def test_a_failure_of_the_first_ends_the_waiting_for_it_and_nothing_else(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed()
    await next_channel(world, delivery, "planned")
    await change(world, update(deliveries).values(due_at=world.clock.now() + timedelta(minutes=30)))
    await world.hear(world.receipt(F, reason="blocked"))
    assert await world.all(deliveries.c.state, deliveries.c.due_at) == [("planned", world.clock.now())]
    assert await world.counted() == {}


async def test_what_a_lane_ended_as_failed_stays_so(world: World) -> None:
    """One of its two parts was never sent."""
    await world.hear(world.start())
    await world.mailed(state="failed")
    await world.hear(world.receipt(D))
    assert await world.all(deliveries.c.state) == [("failed",)]
    assert await world.all(parts.c.delivered_at) == [(world.clock.now(),)]


# --- one id for many -------------------------------------------------------------------------------------------------


async def test_the_address_tells_whose_message_of_a_broadcast_is_meant(world: World) -> None:
    await world.hear(world.start("7"), world.start("8"), world.start("9"))
    seven, eight = await world.mailed("7", external_id="t1"), await world.mailed("8", external_id="t1")
    await world.hear(world.receipt(D, "t1", address="8"), world.receipt(R, "t1", address="9"))
    states = dict(await world.all(deliveries.c.id, deliveries.c.state))
    assert states == {seven: "sent", eight: "delivered"}


# --- failures --------------------------------------------------------------------------------------------------------


async def test_a_later_failure_is_counted_by_its_reason_and_blocks_the_address(world: World) -> None:
    await world.hear(world.start())
    (address,) = (await card_of(world.store, "7")).addresses
    await world.mailed()
    await world.clock.advance(1)
    why = {"code": "131026", "words": "Message undeliverable", "reason": "not_found"}
    await world.hear(world.receipt(F, address_status=AddressStatus.GONE, **why))
    assert await world.counted() == {"sent": -1, "failed": 1, "failed:not_found": 1}
    assert "not_found" in NORMAL_FAILURES
    assert await world.all(parts.c.reason, parts.c.code) == [("not_found", "131026")]
    assert await world.status() is AddressStatus.GONE
    assert await world.reached() == {"gone": 1}
    assert world.revoked == [(SHOP, address.id)]
    assert (await world.all(events.c.type, events.c.details))[-1] == ("failed", why)


async def test_a_failure_that_tells_of_an_opt_out_is_one(world: World) -> None:
    await world.hear(world.start())
    (address,) = (await card_of(world.store, "7")).addresses
    await world.mailed()
    await world.clock.advance(1)
    await world.hear(world.receipt(F, reason="unsubscribed", address_status=AddressStatus.UNSUBSCRIBED))
    assert await world.status() is AddressStatus.UNSUBSCRIBED
    assert await world.all(opt_outs.c.scope, opt_outs.c.source) == [(SHOP, "platform")]
    assert world.revoked == [(SHOP, address.id)]
    await world.hear(world.start())
    assert await world.status() is AddressStatus.ENABLED


async def test_a_failure_says_nothing_of_a_client_who_wrote_since(world: World) -> None:
    await world.hear(world.start())
    await world.mailed()
    late = world.receipt(F, reason="not_found", address_status=AddressStatus.GONE)
    await world.clock.advance(60)
    await world.hear(world.wrote("Hello"))
    await world.hear(late)
    assert await world.status() is AddressStatus.ENABLED
    assert await world.all(deliveries.c.state) == [("failed",)]


async def test_whom_we_took_for_gone_is_there_when_something_comes_from_there(world: World) -> None:
    await world.hear(world.start())
    await world.mailed()
    await world.clock.advance(1)
    await world.hear(world.receipt(F, reason="not_found", address_status=AddressStatus.GONE))
    await world.hear(world.wrote("Hello"))
    assert await world.status() is AddressStatus.ENABLED


# --- of the account --------------------------------------------------------------------------------------------------


async def test_a_broken_account_is_told_in_the_platform_s_words(world: World) -> None:
    await world.hear(AccountBroken("Business account is locked", "131031"))
    assert world.broken == [(SHOP, "Business account is locked")]


async def test_a_changed_template_is_to_be_read_anew(world: World) -> None:
    await world.hear(TemplateChanged("spring_sale", "en", "paused"))
    assert world.changed == [SHOP]


# --- what can't be stored --------------------------------------------------------------------------------------------


async def test_what_a_database_refuses_is_taken_out_of_texts(world: World) -> None:
    odd = world.start("7\0", payload="promo\0\ud800")
    await world.hear(odd, world.wrote("Hi\0 \udfff"), world.receipt(D, "m\0", words="\ud800", key="k\0"))
    assert (await card_of(world.store, "7")).subscribed_to == ("promo?",)
    assert await world.all(receipts.c.external_id, receipts.c.words) == [("m", "?")]


# --- many at once ----------------------------------------------------------------------------------------------------


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """What the writer executes meanwhile; many rows at once are one."""
    seen: list[str] = []
    database: Any = store.database
    engine = database._sqlite._engine if database._sqlite else database._engine.sync_engine

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("count", [20, 200])
async def test_a_burst_of_receipts_costs_a_handful_of_statements(world: World, count: int) -> None:
    await world.hear(world.start())
    first = await world.mailed(external_id=None)
    now = world.clock.now()
    async with world.store.database.writing() as connection:
        row = (await connection.execute(select(deliveries))).one()._mapping
        its = {name: row[name] for name in ("step_id", "channel", "address_id", "state", "due_at", "finished_at")}
        (client,) = (await connection.execute(select(addresses.c.client_id))).scalars()
        ids = [first + number for number in range(1, count + 1)]
        await connection.run_sync(_make_clients, client, count, now)
        await connection.execute(
            insert(deliveries), [{**its, "id": one, "client_id": client + one - first} for one in ids]
        )
        known = {"attempt": 1, "position": 0, "channel": SHOP, "accepted_at": now}
        await connection.execute(
            insert(parts), [{**known, "delivery_id": one, "external_id": f"x{one}"} for one in ids]
        )
    told = [world.receipt(D, f"x{one}") for one in ids]
    with statements(world.store) as seen:
        await world.inbox.take(SHOP, Heard(tuple(told)))
    assert (await world.counted())["delivered"] == count
    assert len([one for one in seen if not one.startswith(("BEGIN", "COMMIT"))]) <= 9, seen


def _make_clients(connection: Any, after: int, count: int, at: Any) -> None:
    rows = [{"id": after + number, "created_at": at, "updated_at": at} for number in range(1, count + 1)]
    connection.execute(insert(clients), rows)


async def change(world: World, statement: Any) -> None:
    async with world.store.database.writing() as connection:
        await connection.execute(statement)


async def counted_on(world: World, channel: str) -> dict[str, int]:
    found = await world.all(counters.c.channel, counters.c.name, counters.c.amount)
    return {name: amount for its, name, amount in found if its == channel and amount}
