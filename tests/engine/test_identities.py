"""One person behind several ids, phones and messengers: one card, one message."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from engine.binding import StartPayloads, binding_links
from engine.settings import ChannelSettings
from gateways.base import AddressStatus, Moved, Profile, SharedPhone, Subscribed, Wrote
from storage.records import Actor
from storage.schema import clients, deliveries, delivery_id, events, opt_outs, subscriptions
from tests.engine.hearing import KIND, SHOP, World
from tests.storage.people import add, card_of

PHONE, SCOPED = "380501234567", "GB.13491208655302741918"


def wrote(world: World, address: str, *others: str, **options: Any) -> Wrote:
    profile = Profile("Ann", other_ids=others, **options)
    return Wrote(address, world.clock.now(), world.key(), "Hello", profile=profile)


def came(world: World, address: str, *others: str, payload: str = "", **options: Any) -> Subscribed:
    profile = Profile("Ann", other_ids=others, **options)
    return Subscribed(address, world.clock.now(), world.key(), payload, profile)


async def where(world: World, client: str) -> dict[str, tuple[str | None, str]]:
    """The client's ids with channel and status."""
    return {one.external_id: (one.channel, one.status.value) for one in (await card_of(world.store, client)).addresses}


# --- other ids -------------------------------------------------------------------------------------------------------


async def test_an_unknown_address_whose_other_id_is_known_becomes_one_of_that_client(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: PHONE})
    await world.hear(wrote(world, SCOPED, PHONE))
    assert await where(world, "c1") == {PHONE: (SHOP, "enabled"), SCOPED: (SHOP, "enabled")}
    assert await world.store.clients.total() == 1
    assert await world.reached() == {SHOP: 1}


async def test_an_id_told_beside_the_address_is_kept_and_finds_the_client_later(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: PHONE})
    main = (await card_of(world.store, "c1")).addresses[0].id
    await world.hear(wrote(world, PHONE, SCOPED))
    assert await where(world, "c1") == {PHONE: (SHOP, "enabled"), SCOPED: (None, "enabled")}
    assert await world.all(clients.c.main_address_id) == [(main,)]  # nothing is sent to a mere name
    await world.hear(wrote(world, SCOPED))
    assert await where(world, "c1") == {PHONE: (SHOP, "enabled"), SCOPED: (SHOP, "enabled")}


async def test_who_comes_with_two_ids_is_one_client(world: World) -> None:
    await world.hear(came(world, PHONE, SCOPED), came(world, SCOPED, PHONE))
    assert await world.store.clients.total() == 1


async def test_two_cards_that_turn_out_to_be_one_are_merged(world: World) -> None:
    await world.hear(came(world, SCOPED))
    await add(world.store, {"id": "c1", "first_name": "Hanna", SHOP: PHONE})
    await world.hear(wrote(world, PHONE, SCOPED))
    card = await card_of(world.store, SCOPED)
    assert (card.external_id, card.first_name) == ("c1", "Hanna")
    assert await world.store.clients.total() == 1
    assert await world.reached() == {SHOP: 1}


async def test_two_clients_of_the_user_s_own_system_stay_two(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: PHONE}, {"id": "c2", SHOP: SCOPED})
    await world.hear(wrote(world, PHONE, SCOPED))
    assert await world.store.clients.total() == 2


async def test_an_opt_out_reaches_an_id_that_comes_later(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: PHONE})
    await world.hear(world.wrote("STOP", PHONE))
    await world.hear(wrote(world, SCOPED, PHONE))
    assert await where(world, "c1") == {PHONE: (SHOP, "unsubscribed"), SCOPED: (SHOP, "unsubscribed")}


async def test_an_opt_out_of_one_card_holds_for_the_merged_one(world: World) -> None:
    await world.hear(came(world, SCOPED))
    await world.hear(world.wrote("STOP", SCOPED))
    await add(world.store, {"id": "c1", SHOP: PHONE})
    await world.hear(wrote(world, PHONE, SCOPED))
    assert await where(world, "c1") == {PHONE: (SHOP, "unsubscribed"), SCOPED: (SHOP, "unsubscribed")}
    assert await world.all(opt_outs.c.ended_at) == [(None,)]


async def test_an_id_that_changed_is_written_to_under_the_new_one(world: World) -> None:
    await world.hear(came(world, PHONE, SCOPED))
    await world.hear(Moved(SCOPED, "GB.2", world.clock.now(), world.key()))
    await world.hear(wrote(world, "GB.2"))
    assert await where(world, PHONE) == {PHONE: (SHOP, "enabled"), "GB.2": (SHOP, "enabled")}


async def test_an_id_that_becomes_one_we_knew_by_name_is_written_to_under_that(world: World) -> None:
    await world.hear(came(world, PHONE, SCOPED))
    await world.hear(Moved(PHONE, SCOPED, world.clock.now(), world.key()))
    assert await where(world, SCOPED) == {PHONE: (SHOP, "gone"), SCOPED: (SHOP, "enabled")}
    assert await world.reached() == {SHOP: 1}


# --- phones ----------------------------------------------------------------------------------------------------------


async def test_a_phone_that_the_platform_knows_finds_the_imported_card(world: World) -> None:
    await add(world.store, {"id": "c1", "phone": f"+{PHONE}", "tags": "vip"})
    await world.hear(came(world, PHONE, phone=f"+{PHONE}"))
    card = await card_of(world.store, "c1")
    assert [one.channel for one in card.addresses] == [None, SHOP]
    assert (card.main_channel, card.tags) == (SHOP, ("vip",))
    assert await world.store.clients.total() == 1


async def test_a_phone_that_the_platform_knows_goes_on_the_card(world: World) -> None:
    for _time in range(2):
        await world.hear(came(world, PHONE, phone=f"+{PHONE}"))
    assert (await card_of(world.store, f"+{PHONE}")).id == (await card_of(world.store, PHONE)).id


# --- windows ---------------------------------------------------------------------------------------------------------


async def test_the_window_opens_for_all_addresses_of_the_client_on_the_channel(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: PHONE, "tg-news": "5"})
    await world.hear(wrote(world, PHONE, SCOPED), wrote(world, SCOPED))
    await world.clock.advance(60)
    await world.hear(world.press("nonsense", SCOPED))
    last = {one.external_id: one.last_wrote_at for one in (await card_of(world.store, "c1")).addresses}
    assert last == {PHONE: world.clock.now(), SCOPED: world.clock.now(), "5": None}


@pytest.mark.parametrize(
    ("options", "opens"),
    [({}, True), ({"opens_window": False}, False), ({"explicit": False}, False)],
    ids=["a start", "a switch", "the end of a block"],
)
async def test_a_subscription_opens_the_window_where_the_platform_counts_it(
    world: World, options: dict[str, Any], opens: bool
) -> None:
    await add(world.store, {"id": "c1", SHOP: PHONE})
    await world.hear(replace(came(world, PHONE), **options))
    (address,) = (await card_of(world.store, "c1")).addresses
    assert address.last_wrote_at == (world.clock.now() if opens else None)


async def test_a_start_that_comes_after_a_later_stop_undoes_nothing(world: World) -> None:
    await world.hear(came(world, PHONE))
    late = came(world, PHONE)
    await world.clock.advance(5)
    await world.hear(world.wrote("STOP", PHONE))
    await world.hear(late)
    assert await where(world, PHONE) == {PHONE: (SHOP, "unsubscribed")}


# --- links of a client's own -----------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.binary(min_size=1))
def test_a_payload_is_read_back_with_the_same_secret_and_fits_every_messenger(client: int, secret: bytes) -> None:
    payload = StartPayloads(secret).make(client)
    assert len(payload) == 20
    assert set(payload) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    assert StartPayloads(secret).read(payload) == client
    assert StartPayloads(secret + b"x").read(payload) is None


@given(st.text(), st.integers(0, 19))
def test_any_other_payload_is_an_ordinary_one(text: str, place: int) -> None:
    payloads = StartPayloads(b"secret")
    real = payloads.make(7)
    forged = real[:place] + ("A" if real[place] != "A" else "B") + real[place + 1 :]
    assert payloads.read(text) is None
    assert payloads.read(forged) is None
    assert payloads.read_words(f"{text} {forged}") is None


async def payload_of(world: World, client: str) -> str:
    return world.payloads.make((await card_of(world.store, client)).id)


async def test_a_client_who_comes_by_the_own_link_is_on_the_same_card(world: World) -> None:
    await add(world.store, {"id": "c1", "first_name": "Hanna", "tg-news": "5"})
    await world.hear(came(world, "7", payload=await payload_of(world, "c1")))
    card = await card_of(world.store, "7")
    assert (card.external_id, card.first_name, card.main_channel) == ("c1", "Hanna", "tg-news")
    assert await world.store.clients.total() == 1
    assert await world.all(subscriptions.c.source) == []
    assert [details for (details,) in await world.all(events.c.details)] == [None]


async def test_a_card_that_was_made_before_becomes_one_with_the_linked_one(world: World) -> None:
    await add(world.store, {"id": "c1", "tg-news": "5"})
    await world.hear(came(world, "7", payload="promo"))
    await world.hear(came(world, "7", payload=await payload_of(world, "c1")))
    card = await card_of(world.store, "7")
    assert (card.external_id, card.subscribed_to) == ("c1", ("promo",))
    assert await world.store.clients.total() == 1


async def test_a_link_that_writes_the_client_s_first_words_binds_as_well(world: World) -> None:
    await add(world.store, {"id": "c1", "tg-news": "5"})
    payload = await payload_of(world, "c1")
    await world.hear(world.wrote(f"Hello! {payload}", "7"))
    assert (await card_of(world.store, "7")).external_id == "c1"
    assert (await world.all(events.c.details))[-1] == ({"text": "Hello!", "what": "text"},)


async def test_a_link_that_was_handed_on_binds_nobody(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: "6"})
    await world.hear(came(world, "7", payload=await payload_of(world, "c1")))
    assert (await card_of(world.store, "7")).external_id is None
    assert await world.reached() == {SHOP: 2}


async def test_the_link_of_another_client_of_the_user_s_own_binds_nobody(world: World) -> None:
    await add(world.store, {"id": "c1", "tg-news": "5"}, {"id": "c2", SHOP: "7"})
    await world.hear(came(world, "7", payload=await payload_of(world, "c1")))
    assert (await card_of(world.store, "7")).external_id == "c2"


async def test_a_forged_payload_is_an_ordinary_source(world: World) -> None:
    await add(world.store, {"id": "c1", "tg-news": "5"})
    forged = StartPayloads(b"another").make((await card_of(world.store, "c1")).id)
    await world.hear(came(world, "7", payload=forged))
    card = await card_of(world.store, "7")
    assert (card.external_id, card.subscribed_to) == (None, (forged,))


async def test_the_link_of_an_erased_client_makes_a_new_one(world: World) -> None:
    await add(world.store, {"id": "c1", "tg-news": "5"})
    payload, card = await payload_of(world, "c1"), await card_of(world.store, "c1")
    await world.store.clients.erase(card.id, Actor("Olha"))
    await world.hear(came(world, "7", payload=payload))
    assert (await card_of(world.store, "7")).id != card.id


async def test_the_link_of_a_merged_card_leads_to_the_one_that_is_left(world: World) -> None:
    await world.hear(world.start("8"))
    payload = await payload_of(world, "8")
    await add(world.store, {"id": "c1", "phone": "+380501234567"})
    await world.hear(SharedPhone("8", world.clock.now(), world.key(), "+380501234567"))
    await world.hear(came(world, "77", payload=payload), channel="tg-news")
    assert (await card_of(world.store, "77")).external_id == "c1"


async def test_a_start_by_the_own_link_ends_an_opt_out_and_mere_words_do_not(world: World) -> None:
    await add(world.store, {"id": "c1", "tg-news": "5"})
    client = (await card_of(world.store, "c1")).id
    await world.store.clients.opt_out(client, "all", Actor("Olha"), world.clock.now())
    payload = await payload_of(world, "c1")
    await world.hear(world.wrote(payload, "7"))
    assert await world.status("7") is AddressStatus.UNSUBSCRIBED
    await world.clock.advance(1)
    await world.hear(came(world, "7", payload=payload))
    assert await where(world, "c1") == {"5": ("tg-news", "unsubscribed"), "7": (SHOP, "enabled")}


async def test_a_client_has_a_link_to_each_channel_where_no_address_is_known(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: "7"})
    able = replace(KIND, start_link="?start={payload}")
    channels = {name: ChannelSettings(name, able) for name in (SHOP, "tg-news", "tg-other")}
    channels["no-links"] = ChannelSettings("no-links", KIND)
    for name in (SHOP, "tg-news", "no-links"):
        await world.store.channel_states.set(name, {"link": f"https://t.me/{name}"})
    card = await card_of(world.store, "c1")
    links = await binding_links(world.store, channels, world.payloads, card.id)
    assert links == {"tg-news": f"https://t.me/tg-news?start={world.payloads.make(card.id)}"}


# --- one message -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        ("planned", "planned", ("skipped", "planned")),
        ("planned", "sent", ("skipped", "sent")),
        ("sending", "planned", ("sending", "skipped")),
        ("unknown", "planned", ("unknown", "skipped")),
        ("planned", "failed", ("planned", "failed")),
        ("skipped", "planned", ("skipped", "planned")),
    ],
)
async def test_a_mailing_that_was_planned_for_both_cards_goes_out_once(
    world: World, theirs: str, ours: str, expected: tuple[str, str]
) -> None:
    await world.hear(world.start("7"), world.start("8"))
    first = await world.mailed("7", state=theirs, external_id=None)
    into = await card_of(world.store, "8")
    async with world.store.database.writing() as connection:
        row = dict((await connection.execute(select(deliveries))).one()._mapping)
        second = delivery_id(row["step_id"], into.id)
        row |= {"id": second, "client_id": into.id, "address_id": into.addresses[0].id, "state": ours}
        await connection.execute(deliveries.insert().values(row))
        await connection.execute(update(clients).where(clients.c.id == into.id).values(external_id="c1"))
    await world.hear(wrote(world, "7", "8"))
    states = dict(await world.all(deliveries.c.id, deliveries.c.state))
    assert (states[first], states[second]) == expected
    skipped = {"waiting": -1, "skipped": 1, "skipped:same_client": 1}
    assert await world.counted() == (skipped if "skipped" in {*expected} - {theirs} else {})
