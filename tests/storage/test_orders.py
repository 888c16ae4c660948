"""Orders: opened, told, moved on; put down to what brought them; each change seen once, in order."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from gateways.base import Pressed
from gateways.message import Buy, Message, Text
from storage.errors import NotFound, Refused
from storage.happenings import Happening, Press
from storage.inbound import Taken
from storage.links import BUTTON, LinkName, Visit, Visitor
from storage.orders import Change, OrderChange, OrderRecord, OrderState, Purchase
from storage.schema import deliveries, orders
from storage.store import Store
from tests.storage.people import NOW, add, card_of
from tests.storage.sent import counted, happened, sent

PAID, OPENED, CANCELLED, REFUNDED = OrderState.PAID, OrderState.OPENED, OrderState.CANCELLED, OrderState.REFUNDED
SKU = Purchase("SKU-1", Decimal("19.90"), "EUR")
MESSAGE = Message((Text("Buy!", buttons=((Buy("SKU-1", "Buy", "19.90 EUR"),),)),))
PRESSES = iter(range(10**6))


async def press(store: Store, delivery: int, address: str, purchase: Purchase = SKU) -> None:
    """The Buy button, as a channel hears it."""
    pressed = Pressed(address, NOW, f"p{next(PRESSES)}", f"c{delivery}.0")
    happening = Happening(pressed, press=Press(delivery, 0, "buy", purchase))
    await store.inbound.take(Taken("tg-shop", NOW, (happening,)))


async def put(store: Store, state: OrderState, external_id: str | None = "o-1", **more: Any) -> Change:
    told = {"occurred_at": NOW, "received_at": NOW, **more}
    return await store.orders.put(OrderChange(state, external_id=external_id, **told))


async def all_orders(store: Store) -> Sequence[OrderRecord]:
    return await store.orders.page()


async def client_id(store: Store, client: str = "c1") -> int:
    return (await card_of(store, client)).id


async def click(store: Store, delivery: int, *, at: timedelta = timedelta(0)) -> None:
    await store.links.note(Visit(LinkName(delivery, number=0), BUTTON, Visitor.HUMAN, NOW + at))


# --- opened by a button ---


async def test_a_buy_button_opens_an_order(store: Store) -> None:
    delivery = await sent(store, message=MESSAGE)

    await press(store, delivery, "71")

    (order,) = await all_orders(store)
    assert (order.number, order.external_id, order.client_external_id) == (1, None, "c1")
    assert (order.mailing_id, order.channel, order.sku) == (1, "tg-shop", "SKU-1")
    assert (order.amount, order.currency, order.state) == (Decimal("19.90"), "EUR", OPENED)
    assert await counted(store) == {"clicked:any": 1, "clicked:buy": 1, "clicks:any": 1, "clicks:buy": 1, "orders": 1}
    assert [type_ for type_, _details in await happened(store)] == ["clicked", "order"]


async def test_pressed_twice_it_is_one_order_until_that_has_moved_on(store: Store) -> None:
    delivery = await sent(store, message=MESSAGE)

    await press(store, delivery, "71")
    await press(store, delivery, "71")
    assert [order.state for order in await all_orders(store)] == [OPENED]
    assert ((await counted(store))["clicks:buy"], (await counted(store))["orders"]) == (2, 1)

    await put(store, PAID, number=1)
    await press(store, delivery, "71")
    assert sorted(order.state for order in await all_orders(store)) == [OPENED, PAID]


async def test_a_forged_press_opens_nothing(store: Store) -> None:
    delivery = await sent(store, message=MESSAGE)
    await sent(store, "c2")

    await press(store, delivery, "72")

    assert await all_orders(store) == []


async def test_a_price_that_can_t_be_read_is_no_amount(store: Store) -> None:
    delivery = await sent(store, message=MESSAGE)

    await press(store, delivery, "71", Purchase("SKU-1"))
    await put(store, PAID, number=1)

    (order,) = await all_orders(store)
    assert (order.amount, order.currency, order.external_id) == (None, None, "o-1")
    assert {"orders": 1, "sales": 1}.items() <= (await counted(store)).items()


# --- told by the user's system ---


async def test_an_opened_order_is_paid_and_refunded(store: Store) -> None:
    delivery = await sent(store, message=MESSAGE)
    await press(store, delivery, "71")

    assert await put(store, PAID, number=1) is Change.UPDATED
    assert {"orders": 1, "sales": 1, "revenue:EUR": 199000}.items() <= (await counted(store)).items()
    assert await put(store, PAID) is Change.UNCHANGED
    assert await put(store, REFUNDED) is Change.UPDATED
    assert await put(store, PAID) is Change.UNCHANGED  # a repeat that came late
    assert await put(store, CANCELLED) is Change.UNCHANGED

    (order,) = await all_orders(store)
    assert (order.number, order.external_id, order.state, order.amount) == (1, "o-1", REFUNDED, Decimal("19.90"))
    assert {name: amount for name, amount in (await counted(store)).items() if "click" not in name} == {"orders": 1}
    told = [details["state"] for type_, details in await happened(store) if type_ == "order"]
    assert told == ["opened", "paid", "refunded"]


async def test_another_amount_moves_the_revenue(store: Store) -> None:
    delivery = await sent(store)
    money = {"currency": "EUR", "delivery_id": delivery}

    await put(store, PAID, amount=Decimal(10), **money)
    await put(store, PAID, amount=Decimal("12.5"), **money)
    await put(store, PAID, "o-2", amount=Decimal("990.0001"), currency="UAH", delivery_id=delivery)

    assert await counted(store) == {"orders": 2, "sales": 2, "revenue:EUR": 125000, "revenue:UAH": 9900001}


async def test_news_of_the_same_thing_takes_up_the_order_that_a_button_opened(store: Store) -> None:
    delivery = await sent(store, message=MESSAGE)
    await press(store, delivery, "71")

    assert await put(store, PAID, client_id=await client_id(store), sku="SKU-1") is Change.UPDATED
    assert await put(store, PAID, "o-2", client_id=await client_id(store), sku="SKU-1") is Change.ADDED

    assert [(order.number, order.external_id) for order in await all_orders(store)] == [(1, "o-1"), (2, "o-2")]


async def test_an_order_is_of_the_last_click_before_it(store: Store) -> None:
    first, second = await sent(store), await sent(store)
    await click(store, second, at=timedelta(hours=-2))
    await click(store, first, at=timedelta(hours=-1))
    await click(store, second, at=timedelta(hours=1))

    await put(store, PAID, client_id=await client_id(store))

    assert [order.mailing_id for order in await all_orders(store)] == [1]


async def test_a_click_counts_for_five_days(store: Store) -> None:
    delivery = await sent(store)
    await click(store, delivery)
    client = await client_id(store)

    await put(store, PAID, "o-1", client_id=client, occurred_at=NOW + timedelta(days=5, seconds=-1))
    await put(store, PAID, "o-2", client_id=client, occurred_at=NOW + timedelta(days=5))

    assert {order.external_id: order.mailing_id for order in await all_orders(store)} == {"o-1": 1, "o-2": None}


async def test_a_credit_that_was_given_stays(store: Store) -> None:
    first, second = await sent(store), await sent(store)

    await put(store, OPENED, delivery_id=first)
    await put(store, PAID, delivery_id=second)

    (order,) = await all_orders(store)
    assert (order.mailing_id, order.client_external_id) == (1, "c1")


async def test_an_order_that_nothing_brought_is_kept_and_counted_nowhere(store: Store) -> None:
    await add(store, {"id": "c1", "tg-shop": "71"})

    assert await put(store, PAID, client_id=await client_id(store)) is Change.ADDED
    assert await counted(store) == {}
    assert [order.mailing_id for order in await all_orders(store)] == [None]


async def test_wrong_numbers_are_refused_and_change_nothing(store: Store) -> None:
    delivery = await sent(store, message=MESSAGE)
    await press(store, delivery, "71")
    await put(store, PAID, number=1)

    with pytest.raises(NotFound, match="There is no order 9"):
        await put(store, PAID, "o-9", number=9)
    with pytest.raises(Refused, match="The order 1 has the id “o-1” already"):
        await put(store, PAID, "o-2", number=1)
    with pytest.raises(Refused, match="The order “o-1” is number 1"):
        await put(store, PAID, "o-1", number=2)

    assert len(await all_orders(store)) == 1


async def test_orders_are_read_on_in_the_order_of_their_changes(store: Store) -> None:
    for number in range(3):
        await put(store, OPENED, f"o-{number}")
    first = await store.orders.page(limit=2)
    await put(store, PAID, "o-0", received_at=NOW + timedelta(hours=1))
    await put(store, PAID, "o-0")
    rest = await store.orders.page(after=first[-1].sequence)

    assert [order.external_id for order in first] == ["o-0", "o-1"]
    assert [(order.external_id, order.state) for order in rest] == [("o-2", OPENED), ("o-0", PAID)]
    assert await store.orders.page(after=rest[-1].sequence) == []
    assert [one.external_id for one in await store.orders.page(since=NOW + timedelta(minutes=1))] == ["o-0"]


async def test_an_erased_client_s_orders_stay_without_a_name(store: Store) -> None:
    from storage.records import Actor

    delivery = await sent(store)
    await put(store, PAID, delivery_id=delivery)
    await store.clients.erase(await client_id(store), Actor("Olha"))

    (order,) = await all_orders(store)
    assert (order.state, order.client_external_id) == (PAID, None)


# --- whom to tell ---


async def test_every_change_is_told_once(store: Store) -> None:
    await put(store, OPENED)
    await put(store, OPENED, "o-2")

    assert await store.order_hooks.gather(NOW) == 2
    assert await store.order_hooks.gather(NOW) == 0
    due = await store.order_hooks.due(NOW, limit=10)
    for one in due:
        await store.order_hooks.told(one.order)

    assert [one.order.external_id for one in due] == ["o-1", "o-2"]
    assert await store.order_hooks.due(NOW, limit=10) == []
    await put(store, PAID)
    await store.order_hooks.gather(NOW)
    assert [one.order.state for one in await store.order_hooks.due(NOW, limit=10)] == [PAID]


async def test_what_could_not_be_told_comes_again(store: Store) -> None:
    await put(store, OPENED)
    await store.order_hooks.gather(NOW)
    (due,) = await store.order_hooks.due(NOW, limit=10)
    later = NOW + timedelta(seconds=5)

    await store.order_hooks.put_off(due.order, later)

    assert await store.order_hooks.due(NOW, limit=10) == []
    assert [(one.order.number, one.tries) for one in await store.order_hooks.due(later, limit=10)] == [(1, 1)]


async def test_an_order_that_changed_while_it_was_told_is_told_again(store: Store) -> None:
    await put(store, OPENED)
    await store.order_hooks.gather(NOW)
    (due,) = await store.order_hooks.due(NOW, limit=10)

    await put(store, PAID)
    await store.order_hooks.told(due.order)
    await store.order_hooks.put_off(due.order, NOW + timedelta(hours=1))

    assert [one.order.state for one in await store.order_hooks.due(NOW, limit=10)] == [PAID]


async def test_money_is_exact_in_the_database(store: Store) -> None:
    await put(store, PAID, amount=Decimal("99999999999999.9999"), currency="EUR")

    async with store.database.read() as connection:
        assert await connection.scalar(select(orders.c.amount)) == Decimal("99999999999999.9999")
        assert await connection.scalar(select(deliveries.c.id).limit(1)) is None
