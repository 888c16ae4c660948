"""Cards: found, tagged, kept in step with what belongs to them, handed out, forgotten; segments."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from engine.audience import read_audience
from gateways.base import AddressStatus
from storage.addresses import AddressChange, change_addresses, move_address
from storage.audiences import Audience
from storage.clients import values_for
from storage.errors import Invalid, NotFound, Refused
from storage.records import Actor
from storage.schema import (
    addresses,
    audit,
    clients,
    deliveries,
    delivery_id,
    erased_addresses,
    events,
    mailings,
    notices,
    opt_outs,
    parts,
    receipts,
    steps,
)
from storage.store import Store
from tests.storage.people import CHANNELS, NOW, add, card_of

BY = Actor("Olha", surface="telegram", account="1001")


async def all_of(store: Store, *columns: Any) -> list[tuple[Any, ...]]:
    async with store.database.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns))]


# --- finding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["c1", "C1", " c1 ", "+380501234567", "380501234567", "+38 (050) 123-45-67", "ANN@mail.example", "7001", "#1"],
)
async def test_a_client_is_found_by_anything_that_is_theirs(store: Store, words: str) -> None:
    await add(
        store,
        {"id": "c1", "phone": "+380501234567", "email": "ann@mail.example", "tg-shop": "7001"},
        {"id": "c2", "tg-shop": "7002"},
    )
    card = await store.clients.find_by_any(words)
    assert (card.external_id if card else None) == (None if words == "C1" else "c1")


async def test_a_piece_of_a_name_finds_several(store: Store) -> None:
    await add(
        store, {"id": "a", "name": "Марія Шевченко"}, {"id": "b", "first_name": "мАрія"}, {"id": "c", "name": "Bob"}
    )
    assert [card.external_id for card in await store.clients.find("МАР")] == ["a", "b"]
    assert await store.clients.find("nobody\0") == []
    assert await store.clients.find_by_any("9" * 40) is None


async def test_an_id_of_another_system_stands_above_our_number(store: Store) -> None:
    await add(store, {"id": "x"}, {"id": "1"})
    found = await store.clients.find_by_any("1")
    assert found is not None
    assert found.external_id == "1"


async def test_pages_go_on_where_the_last_one_ended(store: Store) -> None:
    await add(store, *({"id": f"c{number}", "name": f"Ann {number}"} for number in range(5)))
    first = await store.clients.page(limit=2)
    second = await store.clients.page(limit=2, after=first[-1].id)
    assert [card.external_id for card in (*first, *second)] == ["c0", "c1", "c2", "c3"]
    assert [card.external_id for card in await store.clients.page(search="ann 4")] == ["c4"]
    with pytest.raises(NotFound, match="There is no client 99"):
        await store.clients.get(99)


async def test_a_template_sees_what_is_known_in_its_type(store: Store) -> None:
    await add(
        store,
        {
            "id": "c1",
            "first_name": "Ann",
            "last_name": "Lee",
            "tags": ["b", "a"],
            "n": 5,
            "price": "19.90",
            "zip": "00123",
        },
        {"tg-shop": "8"},
    )
    ids = [card.id for card in await store.clients.page()]
    async with store.database.read() as connection:
        values = await values_for(connection, ids)
    assert values[ids[0]] == {
        "id": "c1", "first_name": "Ann", "last_name": "Lee", "name": "Ann Lee", "tags": ["a", "b"],
        "n": 5, "price": 19.9, "zip": "00123",
    }  # fmt: skip
    assert (f"{values[ids[0]]['price']}", str(values[ids[0]]["price"])) == ("19.90", "19.90")
    assert values[ids[1]] == {"tags": []}
    assert await store.clients.known_fields() >= {"n", "price", "zip", "tags", "id", "phone", "email"}


# --- tags ------------------------------------------------------------------------------------------------------------


async def test_tags_are_put_on_and_taken_off(store: Store) -> None:
    await add(store, {"id": "a", "tags": "vip"}, {"id": "b"})
    client = (await card_of(store, "b")).id
    await store.clients.tag(client, " very   new ", "vip")
    await store.clients.tag(client, "vip")
    assert (await card_of(store, "b")).tags == ("very new", "vip")
    assert await store.clients.tags() == [("vip", 2), ("very new", 1)]
    await store.clients.untag(client, "vip", "nobody has it")
    assert (await card_of(store, "b")).tags == ("very new",)
    vips = Audience(read_audience({"where": [{"field": "tag", "is": "vip"}]}))
    assert (await store.clients.count(vips)).audience == 1


@pytest.mark.parametrize("name", ["", "  ", "a;b", "a\0", "x" * 101])
async def test_what_can_t_be_a_tag_is_refused(store: Store, name: str) -> None:
    await add(store, {"id": "a"})
    with pytest.raises(Invalid, match="A tag has 1 to 100 characters and no semicolon"):
        await store.clients.tag((await card_of(store, "a")).id, name)


# --- addresses -------------------------------------------------------------------------------------------------------


async def change(store: Store, address: str, status: AddressStatus) -> None:
    found = await all_of(store, addresses.c.id, addresses.c.external_id)
    number = next(one for one, external_id in found if external_id == address)
    async with store.database.writing() as connection:
        await change_addresses(connection, [AddressChange(number, status, "test", NOW)])


async def test_the_card_follows_its_addresses(store: Store) -> None:
    await add(store, {"id": "a", "tg-shop": "1", "tg-news": "2"})

    async def told() -> tuple[str, set[str]]:
        ((status, reach),) = await all_of(store, clients.c.main_status, clients.c.reach)
        return status, {one for one in reach.split("|") if one}

    assert await told() == ("enabled", {"tg-shop=enabled", "tg-news=enabled"})
    await change(store, "1", AddressStatus.BLOCKED)
    assert await told() == ("blocked", {"tg-shop=blocked", "tg-news=enabled"})
    await change(store, "1", AddressStatus.ENABLED)
    assert await told() == ("enabled", {"tg-shop=enabled", "tg-news=enabled"})


async def test_an_enabled_address_of_the_main_channel_stands_above_a_lost_one(store: Store) -> None:
    await add(store, {"id": "a", "tg-shop": "1"})
    await change(store, "1", AddressStatus.GONE)
    await add(store, {"id": "a", "tg-shop": "2"})
    card = await card_of(store, "a")
    assert await all_of(store, clients.c.main_status, clients.c.main_address_id) == [("enabled", card.addresses[1].id)]


async def test_no_failed_send_takes_an_opt_out_away(store: Store) -> None:
    await add(store, {"id": "a", "tg-shop": "1"})
    await store.clients.opt_out((await card_of(store, "a")).id, "tg-shop", BY)
    for status in (AddressStatus.BLOCKED, AddressStatus.GONE, AddressStatus.ENABLED):
        await change(store, "1", status)
        assert (await card_of(store, "a")).addresses[0].status is AddressStatus.UNSUBSCRIBED


async def test_an_address_that_moved_onto_a_known_one_is_gone(store: Store) -> None:
    await add(store, {"id": "a", "tg-shop": "1"}, {"id": "b", "tg-shop": "2"})
    first = (await card_of(store, "a")).addresses[0].id
    async with store.database.writing() as connection:
        await move_address(connection, first, "2")
        await move_address(connection, 999, "3")
    assert (await card_of(store, "a")).addresses[0].status is AddressStatus.GONE
    assert (await card_of(store, "2")).external_id == "b"


# --- opting out, erasing, handing out --------------------------------------------------------------------------------


async def test_an_opt_out_of_everything_takes_every_channel_and_is_audited(store: Store) -> None:
    await add(store, {"id": "a", "tg-shop": "1", "tg-news": "2", "phone": "+380501234567"})
    card = await card_of(store, "a")
    revoked = await store.clients.opt_out(card.id, "all", BY, NOW)
    assert {(one.channel, one.address_id) for one in revoked} == {
        (one.channel, one.id) for one in card.addresses if one.channel
    }
    assert await store.clients.opt_out(card.id, "all", BY, NOW) == []
    assert await all_of(store, opt_outs.c.scope, opt_outs.c.source) == [("all", "person")]
    assert {row[0] for row in await all_of(store, audit.c.verb)} == {"opt_out"}
    counted = await store.clients.count(Audience(read_audience({}), known_channels=CHANNELS))
    assert counted.left_out == {"unsubscribed": 1}


async def planned(store: Store, client: int, address_id: int) -> None:
    """A delivery and an event of the client's."""
    async with store.database.writing() as connection:
        mailing = {"name": "m", "routing": "main", "channels": [], "on_unknown": "skip", "created_by": "a|cli|"}
        await connection.execute(insert(mailings).values(id=1, created_at=NOW, **mailing))
        step = {"id": 1, "mailing_id": 1, "number": 1, "status": "sent", "start": "now", "audience": {}, "message": {}}
        await connection.execute(insert(steps).values(step))
        row = {"step_id": 1, "client_id": client, "channel": "tg-shop", "address_id": address_id, "state": "sent"}
        await connection.execute(insert(deliveries).values(**row, due_at=NOW))
        part = {
            "delivery_id": delivery_id(1, client),
            "attempt": 1,
            "position": 0,
            "channel": "tg-shop",
            "external_id": "7001:55",
        }
        await connection.execute(insert(parts).values(**part, details={"message_ids": [55, 56]}))
        said = {"channel": "tg-shop", "external_id": "7001:55", "occurred_at": NOW, "received_at": NOW}
        receipt = {**said, "state": "read", "applied_at": NOW}
        for number, whose in enumerate(("7001", None, "8")):
            await connection.execute(insert(receipts).values(**receipt, address=whose, key=f"7001:55:{number}"))
        told = {"client": client, "name": "Ann", "channel": "tg-shop", "text": "I am Ann", "what": ""}
        await connection.execute(insert(notices).values(kind="client_wrote", details=told, created_at=NOW))
        event = {"type": "wrote", "key": "7001:55", "client_id": client, "occurred_at": NOW, "received_at": NOW}
        await connection.execute(insert(events).values(**event, details={"text": "I am Ann"}))


async def test_an_erased_client_leaves_sums_and_hashes_and_no_word(store: Store) -> None:
    row = {"id": "c1", "name": "Ann Lee", "email": "ann@mail.example", "tg-shop": "7001", "tags": "vip", "city": "Kyiv"}
    await add(store, {**row, "subscribed_to": "promo"}, {"id": "c2", "tg-shop": "8"})
    card = await card_of(store, "c1")
    await planned(store, card.id, card.addresses[0].id)
    revoked = await store.clients.erase(card.id, BY, NOW)
    assert [one.channel for one in revoked] == ["tg-shop"]
    everything = str(
        [
            await all_of(store, *table.columns)
            for table in (clients, addresses, events, audit, deliveries, parts, notices, erased_addresses)
        ]
    )
    for word in ("Ann", "7001", "mail.example", "Kyiv", "c1"):
        assert word not in everything
    assert await all_of(store, receipts.c.address) == [("8",)]  # of somebody who was sent the same message
    assert len(await all_of(store, erased_addresses.c.hash)) == 3
    assert await store.clients.tags() == [("vip", 0)]
    assert await store.clients.total() == 1
    assert len(await all_of(store, deliveries.c.id)) == 1
    assert await store.clients.find_by_any("7001") is None
    await store.clients.erase(card.id, BY, NOW)
    with pytest.raises(NotFound):
        await store.clients.erase(99, BY, NOW)


async def test_everything_that_is_known_is_handed_out(store: Store) -> None:
    await add(store, {"id": "c1", "name": "Ann", "tg-shop": "7", "tags": "vip", "ltv": 5, "subscribed_to": "promo"})
    card = await card_of(store, "c1")
    await planned(store, card.id, card.addresses[0].id)
    await store.clients.opt_out(card.id, "tg-shop", BY, NOW)
    data = await store.clients.export(card.id)
    assert (data["external_id"], data["name"], data["tags"], data["attributes"]) == ("c1", "Ann", ["vip"], {"ltv": 5})
    assert [(one["external_id"], one["status"]) for one in data["addresses"]] == [("7", "unsubscribed")]
    assert [one["source"] for one in data["subscribed_to"]] == ["promo"]
    assert [one["scope"] for one in data["opt_outs"]] == ["tg-shop"]
    assert [one["details"] for one in data["events"]] == [{"text": "I am Ann"}]
    assert [(one["mailing_id"], one["state"]) for one in data["deliveries"]] == [(1, "sent")]


# --- segments --------------------------------------------------------------------------------------------------------


async def test_a_segment_is_saved_replaced_counted_and_deleted(store: Store) -> None:
    vip = read_audience({"where": [{"field": "tag", "is": "vip"}]})
    await store.segments.save(" vip ", vip, NOW)
    await store.segments.remember_count("vip", 7, NOW)
    (segment,) = await store.segments.list()
    assert (segment.name, segment.audience, segment.last_count) == (
        "vip", {"where": [{"field": "tag", "is": "vip"}]}, 7,
    )  # fmt: skip
    await store.segments.save("vip", read_audience({}), NOW + timedelta(days=1))
    assert (await store.segments.get("vip")).last_count is None
    await store.segments.delete("vip")
    assert await store.segments.list() == []
    for missing in (store.segments.get("vip"), store.segments.delete("vip")):
        with pytest.raises(NotFound, match="There is no segment “vip”"):
            await missing


async def test_a_segment_can_t_stand_on_itself(store: Store) -> None:
    await store.segments.save("a", read_audience({}), NOW)
    await store.segments.save("b", read_audience({"segment": "a"}), NOW)
    with pytest.raises(Invalid, match="“a” would be built on itself"):
        await store.segments.save("a", read_audience({"segment": "b"}), NOW)
    with pytest.raises(NotFound, match="There is no segment “c”"):
        await store.segments.save("d", read_audience({"segment": "c"}), NOW)
    with pytest.raises(Invalid, match="1 to 100 characters"):
        await store.segments.save(" ", read_audience({}), NOW)


async def test_a_segment_that_something_stands_on_is_not_deleted(store: Store) -> None:
    await store.segments.save("a", read_audience({}), NOW)
    await store.segments.save("b", read_audience({"segment": "a"}), NOW)
    with pytest.raises(Refused, match="The segment “b” is built on “a”"):
        await store.segments.delete("a")
    async with store.database.writing() as connection:
        mailing = {"name": "Sale", "routing": "main", "channels": [], "on_unknown": "skip", "created_by": "a|cli|"}
        await connection.execute(insert(mailings).values(id=1, created_at=NOW, **mailing))
        step = {"mailing_id": 1, "number": 1, "status": "scheduled", "start": "now", "message": {}}
        await connection.execute(insert(steps).values(**step, audience={"segment": "b"}))
    with pytest.raises(Refused, match="Mailing 1 “Sale” still goes out to the segment “b”"):
        await store.segments.delete("b")
