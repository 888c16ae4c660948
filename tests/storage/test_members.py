"""Looking at an audience on both databases: pages, values to choose from, clients that a file lists."""

from typing import Any

from sqlalchemy import insert

from engine.audience import read_audience
from storage.audiences import Audience
from storage.erasing import ID_SCOPE
from storage.listed import Key, Listed
from storage.members import Page
from storage.records import Actor
from storage.schema import clients
from storage.store import Store
from tests.storage.people import CHANNELS, NOW, add, card_of, ids_of


async def page_of(store: Store, page: Page, *where: dict[str, Any]) -> list[tuple[str | None, str | None, str | None]]:
    audience = Audience(read_audience({"where": list(where)}), known_channels=CHANNELS, at=NOW)
    return [(one.card.external_id, one.channel, one.left_out) for one in await store.audiences.page(audience, page)]


async def test_an_audience_has_pages_a_search_and_those_left_out(store: Store) -> None:
    await add(
        store,
        *({"id": f"c{number}", "first_name": f"Ann{number}", "tg-shop": str(number)} for number in range(1, 6)),
        {"id": "lost", "first_name": "Bob", "phone": "+380501234567"},
    )
    first = await page_of(store, Page(2))
    assert first == [("c1", "tg-shop", None), ("c2", "tg-shop", None)]
    [second] = await ids_of(store, "c2")
    assert [one[0] for one in await page_of(store, Page(2, after=second))] == ["c3", "c4"]
    [fourth] = await ids_of(store, "c4")
    assert [one[0] for one in await page_of(store, Page(2, before=fourth))] == ["c2", "c3"]
    assert await page_of(store, Page(9, left_out=True)) == [("lost", None, "no_address")]
    assert [one[0] for one in await page_of(store, Page(9, words="ann3"))] == ["c3"]
    assert [one[0] for one in await page_of(store, Page(9, words="38050"))] == ["lost"]
    assert [one[0] for one in await page_of(store, Page(9), {"field": "first_name", "contains": "bob"})] == ["lost"]


async def test_a_search_goes_through_a_large_base_in_order_from_either_side(store: Store) -> None:
    ids = [3, 260_000, 600_000, 1_200_000, 1_200_001]
    card = {"name": "Ольга Anna", "created_at": NOW, "updated_at": NOW}
    async with store.database.writing() as connection:
        await connection.execute(insert(clients), [{"id": one, "external_id": f"c{one}", **card} for one in ids])

    assert [found.id for found in await store.clients.find("ОЛЬ ann")] == ids
    assert [found.id for found in await store.clients.find("оль", limit=2, after=3)] == [260_000, 600_000]
    assert await store.clients.find("nobody") == []

    behind = await page_of(store, Page(2, after=3, words="ann"))
    assert [name for name, _channel, _why in behind] == ["c260000", "c600000"]
    before = await page_of(store, Page(2, before=ids[-1], words="ann"))
    assert [name for name, _channel, _why in before] == ["c600000", "c1200000"]
    assert await page_of(store, Page(2, words="nobody")) == []


async def test_cards_hold_values_to_choose_from_the_most_frequent_first(store: Store) -> None:
    towns = ("Kyiv", "Lviv", "Lviv", "Odesa", "Lviv", "Kyiv")
    rows = [{"id": f"c{number}", "city": town, "ltv": number} for number, town in enumerate(towns)]
    await add(store, *rows, {"id": "one", "subscribed_to": "promo"}, {"id": "two", "subscribed_to": "promo;Ref"})
    values = store.audiences.values_of
    assert await values("city") == ["Lviv", "Kyiv", "Odesa"]
    assert await values("city", limit=1) == ["Lviv"]
    assert await values("city", "IV") == ["Kyiv", "Lviv"]
    assert await values("subscribed_to") == ["promo", "Ref"]
    assert await values("subscribed_to", "re") == ["Ref"]
    assert await values("ltv", "5") == ["5"]
    types = await store.audiences.attribute_types()
    assert types == {"city": "text", "ltv": "number"}


async def test_rows_of_a_file_find_their_clients_and_get_a_tag(store: Store) -> None:
    await add(
        store,
        {"id": "a", "tg-shop": "1", "tags": "old"},
        {"id": "b", "tg-shop": "2", "email": "b@mail.example"},
        {"id": "gone", "tg-shop": "3"},
    )
    a, b, gone = await ids_of(store, "a", "b", "gone")
    await store.clients.erase(gone, Actor("Olha"))
    shop = ("tg-shop", "tg-news")
    rows = [
        (Key((ID_SCOPE,), "a"),),
        (Key(shop, "2"), Key(("email",), "b@mail.example")),
        (Key((ID_SCOPE,), "a"), Key(shop, "2")),
        (Key((ID_SCOPE,), "1"),),
        (Key((ID_SCOPE,), "gone"), Key(shop, "3")),
        (),
    ]
    found = await store.audiences.find_listed(rows)
    assert found == [Listed(a), Listed(b), Listed(None, several=True), Listed(), Listed(), Listed()]
    assert await store.audiences.scopes_of(["a", "2", "x"]) == {ID_SCOPE: 1, "tg-shop": 1}
    for _twice in range(2):
        await store.audiences.tag_listed("spring  list", [a, b, gone])
    assert [(await card_of(store, name)).tags for name in ("a", "b")] == [("old", "spring list"), ("spring list",)]
    tagged = [("a", "tg-shop", None), ("b", "tg-shop", None)]
    assert await page_of(store, Page(9), {"field": "tag", "is": "spring list"}) == tagged
    assert await store.clients.tags() == [("spring list", 2), ("old", 1)]
