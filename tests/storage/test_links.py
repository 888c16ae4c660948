"""Where links lead, who followed them, and who left by one."""

from datetime import timedelta

import pytest

from gateways.base import AddressStatus
from storage.links import BUTTON, MAX_NUMBER, TEXT, LinkName, OwnLink, Visit, Visitor
from storage.records import Actor
from storage.schema import CLIENTS_IN_STEP
from storage.store import Store
from tests.storage.people import NOW, card_of
from tests.storage.sent import counted, happened, sent

SALE, NEWS, HELP = (f"https://acme.test/{name}" for name in ("sale", "news", "help"))
ONCE = {"clicked:any": 1, "clicks:any": 1}


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


async def visit(
    store: Store, delivery: int, number: int = 0, *, at: float = 0, place: str = BUTTON, by: Visitor = Visitor.HUMAN
) -> None:
    await store.links.note(Visit(LinkName(delivery, number=number), place, by, NOW + seconds(at)))


async def keep(store: Store, delivery: int, *urls: str) -> None:
    await store.links.keep(delivery // CLIENTS_IN_STEP, [(BUTTON, url) for url in urls])


# --- keeping ---


async def test_links_of_a_step_keep_their_numbers(store: Store) -> None:
    step = await sent(store) // CLIENTS_IN_STEP

    first = await store.links.keep(step, [(BUTTON, SALE), (TEXT, SALE), (BUTTON, SALE)])
    again = await store.links.keep(step, [(TEXT, NEWS), (BUTTON, SALE)])

    assert first == {(BUTTON, SALE): 0, (TEXT, SALE): 1}
    assert again == {**first, (TEXT, NEWS): 2}


async def test_more_links_than_a_token_counts_have_no_number(store: Store) -> None:
    step = await sent(store) // CLIENTS_IN_STEP
    many = [(TEXT, f"{SALE}/{number}") for number in range(MAX_NUMBER + 10)]

    numbers = await store.links.keep(step, many)

    assert len(numbers) == MAX_NUMBER + 1
    assert max(numbers.values()) == MAX_NUMBER
    assert await store.links.keep(step, [(TEXT, NEWS)]) == numbers


async def test_a_link_is_found_by_what_its_token_names(store: Store) -> None:
    delivery = await sent(store)
    await keep(store, delivery, SALE)
    store.links.keep_own(OwnLink(delivery, 77, TEXT, NEWS))
    store.links.keep_own(OwnLink(delivery, 77, TEXT, NEWS))
    await visit(store, delivery)  # what is put is committed no later than what is written after it

    assert await store.links.find(LinkName(delivery, number=0)) == (BUTTON, SALE)
    assert await store.links.find(LinkName(delivery, own=77)) == (TEXT, NEWS)
    assert await store.links.find(LinkName(delivery, number=1)) is None
    assert await store.links.find(LinkName(delivery, own=78)) is None
    assert await store.links.find(LinkName(delivery + 1, own=77)) is None


async def test_an_erased_client_s_own_links_are_gone(store: Store) -> None:
    delivery = await sent(store)
    store.links.keep_own(OwnLink(delivery, 77, TEXT, f"{NEWS}?phone=380"))
    await store.clients.erase((await card_of(store, "c1")).id, Actor("Olha"))

    assert await store.links.find(LinkName(delivery, own=77)) is None


# --- clicks ---


@pytest.mark.parametrize(("place", "kind"), [(BUTTON, "link"), (TEXT, "text_link")])
async def test_a_click_counts_once_a_client_and_each_time(store: Store, place: str, kind: str) -> None:
    delivery = await sent(store)
    await keep(store, delivery, SALE)

    await visit(store, delivery, place=place)
    await visit(store, delivery, place=place, at=0.4)  # the same second: a finger that tapped twice
    await visit(store, delivery, place=place, at=9)

    assert await counted(store) == {"clicked:any": 1, f"clicked:{kind}": 1, "clicks:any": 2, f"clicks:{kind}": 2}
    assert await happened(store) == [("clicked", {"kind": kind, "link": "0", "class": "human"})] * 2
    assert (await card_of(store, "c1")).last_seen_at == NOW + seconds(9)


async def test_two_clients_are_two(store: Store) -> None:
    for client in ("c1", "c2"):
        await visit(store, await sent(store, client))

    assert await counted(store) == {"clicked:any": 2, "clicked:link": 2, "clicks:any": 2, "clicks:link": 2}


@pytest.mark.parametrize("by", [Visitor.PREVIEW, Visitor.PREFETCH, Visitor.SCANNER])
async def test_a_program_s_visit_is_kept_and_not_counted(store: Store, by: Visitor) -> None:
    delivery = await sent(store)

    await visit(store, delivery, by=by)
    await visit(store, delivery)

    assert (await counted(store))["clicks:any"] == 1
    assert [(type_, details["class"]) for type_, details in await happened(store)] == [
        ("fetched", by.value),
        ("clicked", "human"),
    ]


async def test_a_click_settles_an_unknown_delivery_as_sent(store: Store) -> None:
    delivery = await sent(store, state="unknown")

    await visit(store, delivery)

    assert (await counted(store))["sent"] == 1
    assert (await store.deliveries.rows(delivery // CLIENTS_IN_STEP, limit=1))[0].state == "sent"


async def test_a_click_on_a_mailing_that_is_gone_is_harmless(store: Store) -> None:
    await visit(store, 999 * CLIENTS_IN_STEP + 1)

    assert (await counted(store), await happened(store)) == ({}, [])


async def test_filters_know_who_clicked(store: Store) -> None:
    from engine.audience import read_audience
    from storage.audiences import Audience

    delivery = await sent(store)
    await sent(store, "c2")
    await visit(store, delivery)
    wanted = read_audience({"where": [{"mailing": 1, "outcome": "clicked"}]})

    assert (await store.clients.count(Audience(wanted))).audience == 1


# --- hindsight ---


async def test_where_there_are_many_links_a_click_waits_and_then_counts(store: Store) -> None:
    delivery = await sent(store)
    await keep(store, delivery, SALE, NEWS, HELP)

    await visit(store, delivery)
    await visit(store, delivery, 1, at=30)

    assert await store.links.settle(NOW + seconds(59)) == 0
    assert await counted(store) == {}
    assert await store.links.settle(NOW + seconds(60)) == 1
    assert await counted(store) == {**ONCE, "clicked:link": 1, "clicks:link": 1}
    assert await store.links.settle(NOW + seconds(90)) == 1
    assert await store.links.settle(NOW + seconds(900)) == 0
    assert (await counted(store))["clicks:any"] == 2


async def test_who_opens_three_links_within_two_seconds_is_a_scanner(store: Store) -> None:
    delivery = await sent(store, state="unknown")
    await keep(store, delivery, SALE, NEWS, HELP)

    for number, at in ((0, 0.0), (1, 0.9), (2, 2.0), (0, 40.0)):
        await visit(store, delivery, number, at=at)
    await store.links.settle(NOW + seconds(200))

    assert [(type_, details["class"]) for type_, details in await happened(store)] == [
        *[("fetched", "scanner")] * 3,
        ("clicked", "human"),
    ]
    assert (await counted(store))["clicks:any"] == 1


async def test_three_links_in_a_little_more_time_are_a_person_s(store: Store) -> None:
    delivery = await sent(store)
    await keep(store, delivery, SALE, NEWS, HELP)

    for number, at in ((0, 0.0), (1, 1.0), (2, 2.1)):
        await visit(store, delivery, number, at=at)
    await store.links.settle(NOW + seconds(200))

    assert (await counted(store))["clicks:any"] == 3


async def test_a_preview_of_every_link_makes_no_scanner_of_the_client(store: Store) -> None:
    delivery = await sent(store)
    await keep(store, delivery, SALE, NEWS, HELP)

    for number in (1, 2):
        await visit(store, delivery, number, by=Visitor.PREVIEW)
    await visit(store, delivery)
    await store.links.settle(NOW + seconds(200))

    assert (await counted(store))["clicks:any"] == 1


async def test_own_links_count_among_a_message_s_links(store: Store) -> None:
    delivery = await sent(store)
    await keep(store, delivery, SALE, NEWS)
    store.links.keep_own(OwnLink(delivery, 77, TEXT, HELP))

    await visit(store, delivery)

    assert await counted(store) == {}
    assert (await happened(store))[0][0] == "pending_click"


# --- leaving ---


async def test_who_leaves_by_the_page_is_out_of_that_channel(store: Store) -> None:
    delivery = await sent(store)

    before = await store.links.find_reader(delivery)
    (revoked,) = await store.links.leave(delivery, NOW)
    again = await store.links.leave(delivery, NOW + seconds(5))
    after = await store.links.find_reader(delivery)

    address = (await card_of(store, "c1")).addresses[0]
    assert before is not None
    assert after is not None
    assert (before.channel, before.is_out, after.is_out) == ("tg-shop", False, True)
    assert (revoked.channel, revoked.address_id, again) == ("tg-shop", address.id, [])
    assert (address.status, address.status_reason) == (AddressStatus.UNSUBSCRIBED, "page")
    assert await counted(store) == {"unsubscribed": 1}
    assert await happened(store) == [("unsubscribed", {"via": "page"})]


async def test_nobody_leaves_by_a_delivery_that_is_not_there(store: Store) -> None:
    assert await store.links.find_reader(5) is None
    assert await store.links.leave(5, NOW) == []
