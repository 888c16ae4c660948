"""Clients in chat: found, opted out and in, reached by another channel, exported, forgotten, merged, explained."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from engine.imports import upsert_clients
from engine.plan import Planner
from storage.records import Actor, DeliveryState
from storage.schema import addresses, attempts, audit, clients, deliveries, events, opt_outs, parts
from tests.bot.conftest import Desk
from tests.storage.people import add, card_of

OLHA = Actor("Olha", surface="telegram", account="1001")


async def all_of(desk: Desk, *columns: Any) -> list[tuple[Any, ...]]:
    async with desk.store.database.read() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns))]


async def launched(desk: Desk, *audience: str) -> None:
    """Mailing 1, planned."""
    chat = desk.chat()
    await chat.say("/new")
    await chat.say("The spring sale is on")
    for words in audience:
        await chat.say("/audience 1")
        await chat.say(words)
    await chat.say("/launch 1")
    await chat.press("Send to")
    await Planner(desk.store, desk.settings, desk.clock).plan_next(await desk.operations.get(1))


# --- finding ---


async def test_a_client_is_found_by_a_piece_and_the_list_has_pages(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/clients Test")
    chat.sees("8 clients found:", "Client5 Test – tg-shop")
    await add(shop.store, *({"id": f"t{number}", "name": f"Tester {number}"} for number in range(6)))
    await chat.say("Test")
    chat.sees("Several; type more of the name")
    chat.sees_not("Tester 0")
    await chat.press("More ▶")
    chat.sees("Tester 0", "Tester 5")
    chat.sees_not("Client5")
    await chat.press("Tester 3")
    chat.sees("Tester 3 · id t3", "No address: nothing can be sent.", "No mailing yet.")
    await chat.press_token("k:of:999")
    chat.sees("There is no such client any more.")


@pytest.mark.parametrize("words", ["+380 (50) 123", "050123", "ann lee", "Lee", "ANN@mail", "c1", "#1"])
async def test_a_phone_is_found_however_it_is_typed(desk: Desk, words: str) -> None:
    await add(desk.store, {"id": "c1", "name": "Ann Lee", "phone": "+380501234567", "email": "ann@mail.example"})
    chat = desk.chat()
    await chat.say(f"/clients {words}")
    chat.sees("Ann Lee · id c1", "phone: +380501234567, enabled")


# --- one client ---


async def test_the_card_tells_the_last_mailings_and_why(shop: Desk) -> None:
    await launched(shop, "vip")
    chat = shop.chat()
    await chat.say("/clients Ann")
    chat.sees("Last mailings", "#1 The spring sale is on – waits")
    await chat.press("Why")
    await chat.say("nonsense")
    chat.sees("There is no mailing “nonsense”")
    await chat.press("#1")
    chat.sees("It waits for its turn on tg-shop.", "✓ tag is vip", "✓ has not opted out", "✓ can be reached on tg-shop")
    await chat.say("/why 1 Client12")
    chat.sees(
        "Not sent: the client is not in the audience", "✗ tag is vip", "✗ tg-shop: unsubscribed since 21 Nov 2026"
    )


async def test_why_tells_what_happened_in_order(shop: Desk) -> None:
    await launched(shop)
    ann = await card_of(shop.store, "c1")
    at = shop.clock.now()
    async with shop.store.database.writing() as connection:
        number = await connection.scalar(select(deliveries.c.id).where(deliveries.c.client_id == ann.id))
        done = {"finished_at": at, "started_at": at}
        await connection.execute(
            deliveries.update().where(deliveries.c.id == number).values(state=DeliveryState.READ.value, **done)
        )
        await connection.execute(
            attempts.insert().values(
                delivery_id=number, number=1, channel="tg-shop", address_id=1, tries=1, outcome="sent", **done
            )
        )
        await connection.execute(
            parts.insert().values(delivery_id=number, attempt=1, position=0, channel="tg-shop", read_at=at)
        )
        for kind in ("clicked", "fetched"):
            await connection.execute(
                events.insert().values(type=kind, key=kind, delivery_id=number, occurred_at=at, received_at=at)
            )
    chat = shop.chat()
    await chat.say("/why 1 Ann")
    chat.sees("Read on tg-shop.", "What happened", "tg-shop took it", "read on tg-shop", "pressed a button or followed")
    assert chat.card().text.count("•") == 3


async def test_the_main_channel_is_chosen(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/mainchannel Ann")
    chat.sees("Ann Lee is on tg-shop only")
    async with shop.store.database.writing() as connection:
        row = {"client_id": 1, "scope": "tg-club", "external_id": "7", "channel": "tg-club", "status": "enabled"}
        at = shop.clock.now()
        await connection.execute(addresses.insert().values(**row, status_at=at, created_at=at, details={}))
    await chat.say("/clients Ann")
    await chat.press("Main channel")
    chat.sees("By which channel do mailings reach Ann Lee first?")
    await chat.press("tg-club")
    chat.sees("The main channel is tg-club now.", "tg-club: 7, enabled (main)")
    assert (await card_of(shop.store, "c1")).main_channel == "tg-club"
    await chat.press_token("k:main!:1:abcdef")
    chat.sees("That is no longer in the list; choose again.")


async def test_who_opted_out_comes_back_by_an_owner_with_a_reason(shop: Desk) -> None:
    olha, ostap = shop.chat(), shop.chat("Ostap")
    await olha.say("/optout")
    olha.sees("Who wants no mailings?")
    await olha.say("Ann")
    olha.sees("Opt Ann Lee out?")
    await olha.press("Everywhere")
    olha.sees("Opted out everywhere.", "tg-shop: 2001, unsubscribed (main)")
    assert not [label for label in olha.labels() if "in again" in label]
    for words in ("/optin Ann", "/erase Ann"):
        await olha.say(words)
        olha.sees("Your role does not include that; ask an owner.")
    await olha.press_token("k:in!:1:all")
    olha.sees("Your role does not include that; ask an owner.")
    await ostap.say("/optin Ann")
    ostap.sees("Opt Ann Lee in again?", "Opted out everywhere, 21 Nov 2026.", "Do it only where Ann Lee asked for it")
    await ostap.press("On tg-shop only")
    await ostap.say("  ")
    ostap.sees("Type in a sentence how the client asked for it.")
    await ostap.say("asked by phone")
    ostap.sees("Mailings come again on tg-shop.", "tg-shop: 2001, enabled (main)")
    assert [row[0] for row in await all_of(shop, opt_outs.c.ended_at)] == [shop.clock.now()]
    kept = (await all_of(shop, audit.c.actor, audit.c.verb, audit.c.details))[-1]
    assert kept == ("Ostap|telegram|1002", "opt_in", {"scope": "tg-shop", "reason": "asked by phone"})
    await ostap.say("/optin Ann")
    ostap.sees("Ann Lee has opted out of nothing.")


async def test_a_client_is_exported_and_forgotten_for_good(shop: Desk) -> None:
    olha, ostap = shop.chat(), shop.chat("Ostap")
    await olha.say("/export Ann")
    olha.sees("All that we know of Ann Lee stands in this file.")
    [file] = olha.answer[0].files
    assert file.name == "client-1.json"
    assert json.loads(file.content)["addresses"][0]["external_id"] == "2001"
    await ostap.say("/erase Ann")
    ostap.sees("Forget Ann Lee for good?", "It can't be undone.")
    await ostap.press("Yes, forget for good")
    ostap.sees("Forgotten: nothing of this client is left but sums.")
    await ostap.press_token("k:erase:1")
    ostap.sees("There is no such client any more.")
    await olha.say("/clients Ann")
    olha.sees("I find no client “Ann”.")


# --- merging ---


async def test_two_cards_are_merged_after_a_preview_and_the_stricter_opt_out_wins(shop: Desk) -> None:
    row = {"tg-club": "77", "name": "Anna Lee", "language": "uk", "shoe": "39"}
    await upsert_clients(shop.store, [row], channels=shop.settings.channels, clock=shop.clock)
    anna = await card_of(shop.store, "77")
    await shop.store.clients.opt_out(anna.id, "tg-club", OLHA, shop.clock.now())
    chat = shop.chat()
    await chat.say("/merge Lee Ann")
    chat.sees("2 clients found:")
    await chat.press("Ann Lee")
    chat.sees("Which other card is Ann Lee, too?")
    await chat.say("Nobody Known")
    chat.sees("I find no other client “Nobody Known”.")
    await chat.say("Anna")
    chat.sees("Are these two one client?", "Stays: Ann Lee · id c1", f"Goes into it: Anna Lee · id #{anna.id}")
    chat.sees("Addresses: tg-shop: 2001, tg-club: 77", "Tags: vip", "language: en stays, uk goes")
    chat.sees("⚠ Opted out on tg-club: that holds for every address there.", "It can't be undone.")
    await chat.press("The other one stays")
    chat.sees("Stays: Anna Lee", "language: uk stays, en goes")
    await chat.press("The other one stays")
    await chat.press("Yes, they are one")
    chat.sees("The two cards are one now.", "tg-club: 77, unsubscribed", "shoe: 39")
    card = await card_of(shop.store, "77")
    assert (card.id, card.external_id, dict(card.attributes)["shoe"]) == (1, "c1", 39)
    await chat.press_token(f"k:merge!:{anna.id}:1")
    chat.sees("One of these cards was merged or erased in between.", "Ann Lee · id c1")
    await chat.press_token(f"k:of:{anna.id}")
    chat.sees("Ann Lee · id c1")


async def test_cards_that_the_own_system_knows_both_lead_to_one(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/merge Iryna")
    await chat.say("Bohdan")
    chat.sees("Your own system knows both: c3 and c2 lead to this card then.")
    await chat.press("Yes, they are one")
    await add(shop.store, {"id": "c2", "first_name": "Bo"}, {"id": "c3", "tags": "one"})
    card = await card_of(shop.store, "c2")
    assert (card.id, card.external_id, card.first_name, card.tags) == (3, "c3", "Bo", ("one", "vip"))
    await chat.say("/merge c3")
    await chat.say("c2")
    chat.sees("I find no other client “c2”.")
    await shop.store.clients.erase(3, OLHA)
    left = await all_of(shop, clients.c.id, clients.c.external_id, clients.c.name, clients.c.first_name)
    assert [row[1:] for row in left if row[0] in (2, 3)] == [(None, None, None)] * 2
