"""What clients do and platforms report: committed whole, once, forward only; answered after."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from engine.audience import read_audience
from engine.opt_out_words import LANGUAGES, Wish, read_wish
from gateways.base import AddressStatus, Heard, Moved, Receipt, ReceiptState, SharedPhone, Wrote
from storage.addresses import AddressChange, change_addresses
from storage.audiences import Audience
from storage.receipts import apply_early_receipts
from storage.records import Actor
from storage.schema import deliveries, events, opt_outs, parts, receipts, subscriptions
from storage.store import Store
from tests.engine.hearing import SHOP, World
from tests.storage.people import NOW, add, card_of

# --- coming ----------------------------------------------------------------------------------------------------------


async def test_somebody_unknown_who_starts_becomes_a_client(world: World) -> None:
    await world.hear(world.start(payload="promo_42"))
    card = await card_of(world.store, "7")
    assert (card.first_name, card.last_name, card.name, card.language) == ("Ann", "Lee", "Ann Lee", "uk")
    assert (card.main_channel, card.created_at, card.last_seen_at) == (SHOP, world.clock.now(), world.clock.now())
    assert await world.status() is AddressStatus.ENABLED
    assert await world.all(subscriptions.c.source) == [("promo_42",)]
    assert await world.reached() == {SHOP: 1}
    by_source = read_audience({"where": [{"field": "subscribed_to", "is": "promo_42"}]})
    assert (await world.store.clients.count(Audience(by_source))).audience == 1
    assert world.replies == []


async def test_a_repeated_update_changes_nothing(world: World) -> None:
    start, stop = world.start(), world.wrote("STOP")
    for _time in range(3):
        await world.hear(start, stop)
    assert len(await world.all(events.c.id)) == 2
    assert len(world.replies) == 1
    assert await world.status() is AddressStatus.UNSUBSCRIBED
    assert await world.store.clients.total() == 1


async def test_an_imported_client_who_starts_keeps_the_card(world: World) -> None:
    await add(world.store, {"id": "c1", "first_name": "Hanna", SHOP: "7"})
    await world.hear(world.start())
    card = await card_of(world.store, "c1")
    assert (card.first_name, card.last_name, card.language) == ("Hanna", "Lee", "uk")
    assert await world.store.clients.total() == 1


async def test_somebody_unknown_who_only_writes_is_no_client(world: World) -> None:
    await world.hear(world.wrote("Hello"), world.press("c1.0", address="9"), world.blocked("8"))
    assert await world.store.clients.total() == 0
    assert len(await world.all(events.c.id)) == 3


async def test_words_are_kept_and_the_client_was_seen(world: World) -> None:
    await world.hear(world.start())
    await world.clock.advance(60)
    await world.hear(world.wrote("Where is my order?\0"))
    card = await card_of(world.store, "7")
    assert (card.last_seen_at, card.addresses[0].last_wrote_at) == (world.clock.now(), world.clock.now())
    found = await world.all(events.c.type, events.c.details)
    assert found[-1] == ("wrote", {"text": "Where is my order?", "what": "text"})


async def test_what_a_client_writes_is_handed_over_once_where_people_want_it(store: Store) -> None:
    world = World(store, hands_over=True)
    await world.hear(world.start())
    words = world.wrote("Where is my order?")
    await world.hear(words)
    await world.hear(words, world.wrote("STOP"))
    (told,) = await store.mailings.untold()
    assert told.kind == "client_wrote"
    assert (told.details["text"], told.details["channel"]) == ("Where is my order?", SHOP)
    assert told.details["client"] == (await card_of(store, "7")).id


async def test_who_writes_again_is_there_unless_they_opted_out(world: World) -> None:
    await world.hear(world.start())
    (address,) = (await card_of(world.store, "7")).addresses
    refused = AddressChange(address.id, AddressStatus.UNSUBSCRIBED, "901", world.clock.now())
    async with world.store.database.writing() as connection:
        await change_addresses(connection, [refused])
    await world.hear(world.wrote("I am here", begins=True))
    assert await world.status() is AddressStatus.ENABLED
    await world.hear(world.wrote("STOP"))
    await world.hear(world.wrote("Where is my order?", begins=True))
    assert await world.status() is AddressStatus.UNSUBSCRIBED


async def test_an_erased_client_who_starts_begins_anew(world: World) -> None:
    await world.hear(world.start())
    first = await card_of(world.store, "7")
    await world.store.clients.erase(first.id, Actor("Olha"))
    assert await world.store.clients.find_by_any("7") is None
    await world.hear(world.start())
    second = await card_of(world.store, "7")
    assert second.id != first.id
    await add(world.store, {"id": "c1", SHOP: "7"})
    assert (await card_of(world.store, "c1")).id == second.id


# --- leaving ---------------------------------------------------------------------------------------------------------


async def test_a_stop_word_disables_the_channel_and_is_confirmed_once(world: World) -> None:
    await world.hear(world.start())
    card = await card_of(world.store, "7")
    await world.hear(world.wrote("Стоп!"))
    await world.hear(world.wrote("СТОП"))
    assert world.replies == [(SHOP, "7", LANGUAGES["uk"].stopped)]
    assert world.revoked == [(SHOP, card.addresses[0].id)]
    assert await world.all(opt_outs.c.scope, opt_outs.c.source, opt_outs.c.ended_at) == [(SHOP, "keyword", None)]
    assert await world.reached() == {"unsubscribed": 1}


@pytest.mark.parametrize("come_back", ["start", "word"])
async def test_a_start_brings_back(world: World, come_back: str) -> None:
    await world.hear(world.start())
    await world.hear(world.wrote("stop"))
    await world.hear(world.start() if come_back == "start" else world.wrote("СТАРТ"))
    assert await world.status() is AddressStatus.ENABLED
    assert await world.all(opt_outs.c.ended_at) == [(world.clock.now(),)]
    assert await world.reached() == {SHOP: 1}


async def test_coming_back_on_one_channel_leaves_the_others_out(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: "7", "tg-news": "77"})
    await world.store.clients.opt_out((await card_of(world.store, "c1")).id, "all", Actor("Olha"))
    await world.hear(world.start())
    assert (await world.status("7"), await world.status("77")) == (AddressStatus.ENABLED, AddressStatus.UNSUBSCRIBED)
    await add(world.store, {"id": "c1", "tg-news": "78"})
    assert await world.status("78") is AddressStatus.UNSUBSCRIBED


async def test_somebody_unknown_who_says_stop_can_t_be_subscribed_by_an_import(world: World) -> None:
    await world.hear(world.wrote("STOP"))
    await add(world.store, {"id": "c1", SHOP: "7"})
    assert await world.status() is AddressStatus.UNSUBSCRIBED


async def test_a_block_disables_and_its_end_enables_again(world: World) -> None:
    await world.hear(world.start())
    await world.hear(world.blocked())
    assert await world.status() is AddressStatus.BLOCKED
    assert len(world.revoked) == 1
    await world.hear(world.start(explicit=False))
    assert await world.status() is AddressStatus.ENABLED


async def test_the_end_of_a_block_does_not_undo_a_stop(world: World) -> None:
    await world.hear(world.start())
    await world.hear(world.wrote("STOP"))
    await world.hear(world.blocked())
    await world.hear(world.start(explicit=False))
    assert await world.status() is AddressStatus.UNSUBSCRIBED
    await world.hear(world.start())
    assert await world.status() is AddressStatus.ENABLED


async def test_the_end_of_a_block_makes_no_client(world: World) -> None:
    await world.hear(world.start(explicit=False))
    assert await world.store.clients.total() == 0


async def test_where_writing_subscribes_somebody_unknown_becomes_a_client_and_a_block_ends(world: World) -> None:
    await world.hear(world.wrote("Hello", begins=True))
    assert await world.status() is AddressStatus.ENABLED
    await world.hear(world.blocked())
    await world.hear(world.wrote("Hello again", begins=True))
    assert await world.status() is AddressStatus.ENABLED
    await world.hear(world.wrote("STOP", begins=True), world.wrote("How much is it?", begins=True))
    assert await world.status() is AddressStatus.UNSUBSCRIBED


async def test_who_leaves_after_a_mailing_is_counted_there_once(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed()
    await world.hear(world.wrote("STOP"))
    assert (await world.counted())["unsubscribed"] == 1
    assert await world.all(opt_outs.c.delivery_id) == [(delivery,)]
    await world.hear(world.wrote("START"), world.wrote("STOP"))
    assert (await world.counted())["unsubscribed"] == 1


async def test_who_leaves_long_after_a_mailing_left_for_another_reason(world: World) -> None:
    await world.hear(world.start())
    await world.mailed()
    await world.clock.advance(6 * 24 * 3600)
    await world.hear(world.wrote("STOP"))
    assert await world.counted() == {}


WISHES: list[tuple[str, Wish | None]] = [
    ("STOP", Wish.STOP),
    (" «Стоп»!!! ", Wish.STOP),
    ("CTOП", Wish.STOP),  # three letters of it are Latin
    ("/stop", Wish.STOP),
    ("ОТПИСАТЬСЯ 🙏", Wish.STOP),
    ("Не  пишіть", Wish.STOP),
    ("відпишіть.", Wish.STOP),
    ("No más", Wish.STOP),
    ("ARRÊT", Wish.STOP),
    ("opt-out", Wish.STOP),
    ("Stop promotions", Wish.STOP),
    ("ＳＴＯＰ", Wish.STOP),
    ("start", Wish.START),
    ("Підписатися", Wish.START),
    ("stop please", None),
    ("Не пишите мне про погоду", None),
    ("подписка", None),
    ("stopp", None),
    ("", None),
    ("🙏", None),
    ("stop " * 50, None),
]


@pytest.mark.parametrize(("text", "wish"), WISHES, ids=[repr(text[:20]) for text, _wish in WISHES])
def test_only_a_whole_word_of_the_lists_is_a_wish(text: str, wish: Wish | None) -> None:
    found = read_wish(text)
    assert (found[0] if found else None) is wish


def test_the_answer_is_in_the_client_s_language_or_that_of_the_word() -> None:
    for language, expected in (("uk", "uk"), ("es-MX", "es"), ("de", "en"), (None, "en")):
        found = read_wish("STOP", language)
        assert found is not None
        assert found[1] is LANGUAGES[expected]


# --- presses ---------------------------------------------------------------------------------------------------------


async def test_a_press_is_counted_as_client_and_as_press_and_answered(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed()
    presses = [world.press(f"c{delivery}.0") for _time in range(2)]
    for press in presses:
        await world.hear(press)
    assert await world.counted() == {"clicks:any": 2, "clicks:message": 2, "clicked:any": 1, "clicked:message": 1}
    assert world.gateway.answered == [press.press_id for press in presses]
    clicked = read_audience({"where": [{"mailing": 1, "outcome": "clicked"}]})
    assert (await world.store.clients.count(Audience(clicked))).audience == 1


async def test_a_repeated_press_is_answered_and_not_counted(world: World) -> None:
    await world.hear(world.start())
    press = world.press(f"c{await world.mailed()}.0")
    await world.hear(press)
    await world.hear(press)
    assert (await world.counted())["clicks:any"] == 1
    assert len(world.gateway.answered) == 2


@pytest.mark.parametrize("data", ["c{foreign}.0", "c{own}.7", "c999.0", "c99999999999999999999.0", "nonsense", ""])
async def test_a_forged_press_counts_nothing_and_is_answered(world: World, data: str) -> None:
    await world.hear(world.start(), world.start("8"))
    foreign, own = await world.mailed("8", external_id=None), await world.mailed(external_id=None)
    await world.hear(world.press(data.format(foreign=foreign, own=own)))
    assert await world.counted() == {}
    assert len(world.gateway.answered) == 1


async def test_a_button_that_says_stop_is_a_stop(world: World) -> None:
    await world.hear(world.start())
    await world.hear(world.press(f"c{await world.mailed()}.1"))
    assert await world.status() is AddressStatus.UNSUBSCRIBED
    assert world.replies == [(SHOP, "7", LANGUAGES["uk"].stopped)]
    assert await world.counted() == {
        "clicks:any": 1, "clicks:message": 1, "clicked:any": 1, "clicked:message": 1, "unsubscribed": 1,
    }  # fmt: skip


async def test_a_press_settles_an_unknown_delivery(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(state="unknown", external_id=None)
    await world.hear(world.press(f"c{delivery}.0"))
    assert await world.all(deliveries.c.state) == [("sent",)]
    counted = await world.counted()
    assert (counted["sent"], counted["unknown"]) == (1, -1)


# --- phones, moves ---------------------------------------------------------------------------------------------------


def phone_of(world: World, phone: str = "+380501234567") -> SharedPhone:
    return SharedPhone("7", world.clock.now(), world.key(), phone)


async def test_a_shared_phone_goes_on_the_card(world: World) -> None:
    await world.hear(world.start())
    await world.hear(phone_of(world))
    assert (await card_of(world.store, "+380501234567")).id == (await card_of(world.store, "7")).id


async def test_a_shared_phone_finds_the_imported_card(world: World) -> None:
    await add(world.store, {"id": "c1", "first_name": "Hanna", "phone": "+380501234567", "tags": "vip"})
    await world.hear(world.start(payload="promo"))
    await world.hear(phone_of(world))
    card = await card_of(world.store, "7")
    assert (card.external_id, card.first_name, card.main_channel, card.tags) == ("c1", "Hanna", SHOP, ("vip",))
    assert card.last_seen_at == world.clock.now()
    assert await world.reached() == {SHOP: 1}


async def test_a_chat_that_moved_is_written_to_under_its_new_id(world: World) -> None:
    await world.hear(world.start())
    await world.hear(Moved("7", "-1007", world.clock.now(), world.key()))
    assert (await card_of(world.store, "-1007")).addresses[0].status is AddressStatus.ENABLED


# --- receipts --------------------------------------------------------------------------------------------------------

D, R, F = ReceiptState.DELIVERED, ReceiptState.READ, ReceiptState.FAILED
ORDERS: list[tuple[list[ReceiptState], str, str, dict[str, int]]] = [
    ([D], "sent", "delivered", {"delivered": 1}),
    ([D, D, R, R], "sent", "read", {"delivered": 1, "read": 1}),
    ([R], "sent", "read", {"delivered": 1, "read": 1}),
    ([R, D], "sent", "read", {"delivered": 1, "read": 1}),
    ([F], "sent", "failed", {"sent": -1, "failed": 1, "failed:131026": 1}),
    ([D, F], "sent", "delivered", {"delivered": 1}),
    ([F, D], "sent", "delivered", {"delivered": 1}),
    ([D], "unknown", "delivered", {"unknown": -1, "sent": 1, "delivered": 1}),
    ([F], "unknown", "failed", {"unknown": -1, "failed": 1, "failed:131026": 1}),
    ([D], "skipped", "skipped", {}),
]


@pytest.mark.parametrize(("states", "before", "after", "moved"), ORDERS)
async def test_receipts_move_forward_only(
    world: World, states: list[ReceiptState], before: str, after: str, moved: dict[str, int]
) -> None:
    await world.hear(world.start())
    await world.mailed(state=before)
    for state in states:
        await world.hear(world.receipt(state, code="131026" if state is F else ""))
    assert await world.all(deliveries.c.state) == [(after,)]
    assert await world.counted() == moved


async def test_people_see_the_words_of_the_receipt_that_said_it_failed(world: World) -> None:
    await world.hear(world.start())
    delivery = await world.mailed()
    await world.hear(world.receipt(F, code="131026", words="not on WhatsApp", reason="not_found"))
    (row,) = await world.store.deliveries.rows(delivery >> 32)
    assert (row.reason, row.code, row.words) == ("not_found", "131026", "not on WhatsApp")


async def test_a_repeated_receipt_is_kept_once(world: World) -> None:
    await world.hear(world.start())
    await world.mailed()
    receipt = world.receipt(D)
    await world.hear(receipt, receipt)
    await world.hear(receipt)
    assert len(await world.all(receipts.c.id)) == 1
    assert (await world.counted())["delivered"] == 1


@pytest.mark.parametrize("named", ["by its id", "by our reference"])
async def test_a_receipt_before_its_part_waits_for_it(world: World, named: str) -> None:
    await world.hear(world.start())
    delivery = await world.mailed(state="sending", external_id=None)
    reference = f"{delivery}.1.0"
    early = world.receipt(R, "m1") if named == "by its id" else world.receipt(R, None, reference=reference)
    await world.hear(early)
    assert await world.counted() == {}
    async with world.store.database.writing() as connection:
        part = {"delivery_id": delivery, "attempt": 1, "position": 0, "channel": SHOP, "external_id": "m1"}
        await connection.execute(insert(parts).values(**part, accepted_at=NOW))
        await connection.execute(update(deliveries).values(state="sent"))
        await apply_early_receipts(connection, {(SHOP, "m1")}, {(SHOP, reference)})
    assert await world.counted() == {"delivered": 1, "read": 1}
    now = world.clock.now()
    assert await world.all(parts.c.delivered_at, parts.c.read_at) == [(now, now)]
    assert await world.all(receipts.c.applied_at) == [(now,)]


async def test_a_receipt_of_nothing_that_we_sent_is_kept_and_harmless(world: World) -> None:
    await world.hear(world.receipt(D, "nobody", reference="x.y.z"), world.receipt(D, None, reference="1.2.99999999"))
    assert await world.counted() == {}
    assert len(await world.all(receipts.c.id)) == 2


async def test_everything_of_one_request_is_committed_or_nothing(world: World) -> None:
    await world.hear(world.start())
    broken: Any = Receipt(D, "m1", None, "no time at all", "k")  # type: ignore[arg-type]
    with pytest.raises(Exception):  # noqa: B017, PT011  # whatever the database says
        await world.hear(world.wrote("STOP"), broken)
    assert await world.status() is AddressStatus.ENABLED
    assert (world.replies, world.revoked) == ([], [])


async def test_a_late_word_does_not_turn_the_clock_back(world: World) -> None:
    await world.hear(world.start())
    late = Wrote("7", world.clock.now() - timedelta(hours=1), world.key(), "Hi")
    await world.hear(late)
    seen: datetime | None = (await card_of(world.store, "7")).last_seen_at
    assert seen == world.clock.now()


async def test_a_client_of_two_addresses_leaves_the_channel_with_both(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: "7"})
    await add(world.store, {"id": "c1", SHOP: "8"})
    await world.hear(world.wrote("STOP", "8"))
    assert (await world.status("7"), await world.status("8")) == (AddressStatus.UNSUBSCRIBED,) * 2
    assert len(world.revoked) == 2


async def test_the_status_on_the_card_follows_its_address(world: World) -> None:
    await add(world.store, {"id": "c1", SHOP: "7"})
    assert await world.reached() == {SHOP: 1}
    await world.hear(world.blocked())
    assert await world.reached() == {"blocked": 1}


# --- much at once ----------------------------------------------------------------------------------------------------


async def test_a_large_body_is_committed_in_pieces_and_another_goes_between(world: World) -> None:
    at = world.clock.now()
    told = tuple(Receipt(ReceiptState.DELIVERED, f"m{number}", None, at, f"k{number}") for number in range(1500))
    commits = world.store.writer.figures.commits
    before = commits.count
    large = asyncio.create_task(world.inbox.take(SHOP, Heard(receipts=told)))
    await asyncio.sleep(0)
    await world.hear(world.start())
    assert not large.done()
    await large
    assert commits.count - before >= 8
    assert len(await world.all(receipts.c.id)) == 1500


async def test_of_many_updates_in_one_each_client_stands_as_the_last_one_says(world: World) -> None:
    updates = [one for name in range(30) for one in (world.start(f"{name}"), world.wrote("STOP", address=f"{name}"))]
    await world.hear(*updates)
    assert {await world.status(f"{name}") for name in range(30)} == {AddressStatus.UNSUBSCRIBED}
    assert len(world.replies) == 30
