"""Orders and events over the API, and the calls that tell the user's system of orders, over real HTTP."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from bot.api import Api
from bot.config import ConfigError, read
from bot.desk import Desk, open_desk
from bot.http import serve
from bot.orders import PAUSES_S, OrderHook, order_hook_of
from engine.clock import FakeClock
from engine.links import Tokens
from storage.orders import OrderChange, OrderState
from tests.bot.test_api import Programs
from tests.storage.people import NOW, add
from tests.storage.sent import happened, sent

CONFIG = """
[app]
secret = "of the tests"
[web]
api_tokens = ["right"]
orders_hook = "{hook}"
orders_hook_secret = "h00k"
[storage]
url = "{url}"
[[channels]]
id = "tg-shop"
kind = "telegram"
token = "1:SHOP"
"""
PAID = {"id": "o-1", "client": "c1", "state": "paid", "amount": "19.90", "currency": "EUR"}


@dataclass
class Shop:
    """The user's own system: it uses the API, and is told of orders as `answers` say (200 once they are used up)."""

    desk: Desk
    api: Programs
    calls: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @property
    def told(self) -> list[tuple[str | None, str]]:
        orders = [json.loads(body)["order"] for _, body in self.calls]
        return [(order["id"], order["state"]) for order in orders]

    async def hear(self, request: web.Request) -> web.Response:
        self.calls.append((request.headers, await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def order(self, external_id: str = "o-1", state: OrderState = OrderState.OPENED) -> None:
        await self.desk.store.orders.put(OrderChange(state, NOW, NOW, external_id=external_id, sku="SKU-1"))


@pytest.fixture
async def shop(made_storage_url: str, tmp_path: Path) -> AsyncIterator[Shop]:
    opened: list[Shop] = []
    hook, app = web.Application(), web.Application()

    async def hear(request: web.Request) -> web.Response:
        return await opened[0].hear(request)

    hook.router.add_post("/orders", hear)
    async with serve(hook, "127.0.0.1", 0) as hook_port:
        source = CONFIG.replace("{url}", made_storage_url).replace("{hook}", f"http://127.0.0.1:{hook_port}/orders")
        async with open_desk(read(source, tmp_path / "config.toml", {})) as desk, ClientSession() as session:
            Api(desk).add_to(app)
            async with serve(app, "127.0.0.1", 0) as port:
                opened.append(Shop(desk, Programs(f"http://127.0.0.1:{port}", session)))
                yield opened[0]


@asynccontextmanager
async def telling(shop: Shop, clock: FakeClock) -> AsyncIterator[OrderHook]:
    """The calls by a clock that the test moves, without their loop."""
    configured = order_hook_of(shop.desk)
    assert configured is not None
    hook = OrderHook(shop.desk.store.order_hooks, clock, configured.url, b"h00k")
    await hook.open()
    yield hook
    await hook.close()


# --- told by the API ---


async def test_an_order_is_told_paid_and_refunded(shop: Shop) -> None:
    await sent(shop.desk.store)
    taken = {"added": 0, "updated": 0, "unchanged": 0, "rejected": []}

    assert await shop.api.done("POST", "/orders", PAID | {"mailing": 1}) == taken | {"added": 1}
    assert await shop.api.done("POST", "/orders", PAID) == taken | {"unchanged": 1}
    figures = await shop.api.done("GET", "/mailings/1")
    assert (figures["orders"], figures["sales"], figures["revenue"]) == (1, 1, {"EUR": "19.90"})
    assert await shop.api.done("POST", "/orders", {"id": "o-1", "status": "refunded"}) == taken | {"updated": 1}
    figures = await shop.api.done("GET", "/mailings/1")
    assert (figures["orders"], figures["sales"], figures["revenue"]) == (1, 0, {})
    totals = await shop.api.done("GET", "/stats")
    assert (totals["orders"], totals["sales"], totals["revenue"]) == (1, 0, {})


async def test_an_order_that_a_button_opened_is_read_and_paid_by_our_number(shop: Shop) -> None:
    await shop.desk.store.orders.put(OrderChange(OrderState.OPENED, NOW, NOW, sku="SKU-1"))

    page = await shop.api.done("GET", "/orders?since=0")
    (order,) = page["orders"]
    assert (order["number"], order["id"], order["sku"], order["state"]) == (1, None, "SKU-1", "opened")
    assert await shop.api.done("GET", f"/orders?since={page['next']}") == {"orders": [], "next": page["next"]}

    await shop.api.done("POST", "/orders", {"number": 1, "id": 1001, "state": "paid", "amount": 5, "currency": "usd"})

    page = await shop.api.done("GET", f"/orders?since={page['next']}")
    (order,) = page["orders"]
    assert (order["id"], order["state"], order["amount"], order["currency"]) == ("1001", "paid", "5.00", "USD")


async def test_orders_are_read_page_by_page_and_since_a_date(shop: Shop) -> None:
    for number in range(5):
        await shop.order(f"o-{number}")

    first = await shop.api.done("GET", "/orders?limit=3")
    rest = await shop.api.done("GET", f"/orders?limit=3&since={first['next']}")

    assert [order["id"] for order in first["orders"] + rest["orders"]] == ["o-0", "o-1", "o-2", "o-3", "o-4"]
    assert len((await shop.api.done("GET", "/orders?since=2026-11-21"))["orders"]) == 5
    assert await shop.api.done("GET", "/orders?since=2036-11-21T10:00:00%2B02:00") == {"orders": [], "next": None}


async def test_an_order_names_the_link_that_brought_it(shop: Shop) -> None:
    delivery = await sent(shop.desk.store)
    token = Tokens.of_app(shop.desk.secret).link(delivery, 0)

    await shop.api.done("POST", "/orders", PAID | {"click": f"https://m.acme.test/l/{token}"})
    await shop.api.done("POST", "/orders", {"id": "o-2", "state": "paid", "click": token})

    orders = (await shop.api.done("GET", "/orders"))["orders"]
    assert [(order["mailing"], order["client"]) for order in orders] == [(1, "c1"), (1, "c1")]


async def test_of_many_orders_a_wrong_one_stops_nothing(shop: Shop) -> None:
    await add(shop.desk.store, {"id": "c1", "tg-shop": "71"})
    many = [PAID, PAID | {"client": "nobody"}, {"state": "paid"}, {"number": 77, "state": "paid"}, PAID | {"id": "o-5"}]

    outcome = await shop.api.done("POST", "/orders", [*many, PAID])

    assert (outcome["added"], outcome["updated"], outcome["unchanged"]) == (2, 0, 1)
    assert [(each["row"], each["reason"]) for each in outcome["rejected"]] == [
        (2, "There is no client “nobody”."),
        (3, "An order needs its id in your system, or our number of it."),
        (4, "There is no order 77."),
    ]


async def test_events_are_kept_once(shop: Shop) -> None:
    await add(shop.desk.store, {"id": "c1", "tg-shop": "71"})
    event = {"id": 5, "type": "visited_shop", "client": "c1", "details": {"shop": "Podil", "minutes": 12}}

    assert await shop.api.done("POST", "/events", event) == {"added": 1, "unchanged": 0, "rejected": []}
    outcome = await shop.api.done("POST", "/events", [event, event | {"id": "6", "client": "nobody"}])

    assert (outcome["added"], outcome["unchanged"], len(outcome["rejected"])) == (0, 1, 1)
    assert await happened(shop.desk.store) == [("own:visited_shop", {"shop": "Podil", "minutes": 12})]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/orders", PAID | {"client": "nobody"}, 404, "There is no client “nobody”."),
        ("/orders", PAID | {"state": "lost"}, 422, "state: input should be 'opened', 'paid', 'cancelled' or"),
        ("/orders", PAID | {"colour": "red"}, 422, "There is no field “colour”; id, number, state, "),
        ("/orders", PAID | {"amount": "-1"}, 422, "amount: "),
        ("/orders", PAID | {"amount": "NaN"}, 422, "amount: "),
        ("/orders", PAID | {"amount": "1e30"}, 422, "amount: "),
        ("/orders", PAID | {"amount": "0.00001"}, 422, "amount: "),
        ("/orders", PAID | {"currency": "EURO"}, 422, "currency: "),
        ("/orders", {"id": "o-1", "state": "paid", "amount": 5}, 422, "An amount needs its currency"),
        ("/orders", PAID | {"click": "abc"}, 422, "click is no token of a link of ours."),
        ("/orders", PAID | {"mailing": 7}, 404, "There is no mailing 7."),
        ("/orders", {"id": "o-1", "state": "paid", "mailing": 1}, 422, "An order of a mailing needs its client."),
        ("/orders", PAID | {"id": "a\0b"}, 422, "id: "),
        ("/orders", {"number": 2**70, "state": "paid"}, 422, "number: "),
        ("/events", {"id": "1", "type": "a b", "client": "c1"}, 422, "type: "),
        ("/events", {"id": "1", "type": "a", "client": "c1", "details": {"a": ["b"]}}, 422, "details.a"),
        ("/events", {"id": "1", "type": "a", "client": "c1", "details": {"a": "x" * 5000}}, 422, "details: "),
        ("/events", {"id": "1", "type": "a", "client": "c1", "details": {"a": "\0"}}, 422, "details: "),
        ("/events", {"id": "1", "type": "a", "client": "nobody"}, 404, "There is no client “nobody”."),
    ],
)
async def test_what_is_wrong_is_told_in_one_sentence(
    shop: Shop, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    await add(shop.desk.store, {"id": "c1", "tg-shop": "71"})

    code, said = await shop.api.refused("POST", path, body)

    assert (code, said[: len(words)]) == (status, words)
    assert await happened(shop.desk.store) == []
    assert (await shop.api.done("GET", "/orders"))["orders"] == []


async def test_an_unreadable_since_is_told(shop: Shop) -> None:
    assert await shop.api.refused("GET", "/orders?since=soon") == (422, "since is no date; write one as 2026-11-01.")


async def test_without_a_token_nobody_tells_us_of_orders(shop: Shop) -> None:
    assert (await shop.api.ask("POST", "/orders", PAID, headers={}))[0] == 401
    assert (await shop.api.ask("GET", "/orders", headers={"Authorization": "Bearer wrong"}))[0] == 401


async def test_the_description_names_orders_and_events(shop: Shop) -> None:
    _, document = await shop.api.ask("GET", "/openapi.json", headers={})

    assert {"get", "post"} <= set(document["paths"]["/api/v1/orders"])
    assert "post" in document["paths"]["/api/v1/events"]
    assert "state" in document["components"]["schemas"]["OrderIn"]["properties"]


# --- telling the user's system ---


async def test_each_change_of_an_order_is_told_signed(shop: Shop) -> None:
    clock = FakeClock()
    async with telling(shop, clock) as hook:
        await shop.order()
        await hook.tell_due()
        await shop.order(state=OrderState.PAID)
        await hook.tell_due()
        await hook.tell_due()

    assert shop.told == [("o-1", "opened"), ("o-1", "paid")]
    headers, body = shop.calls[0]
    timestamp = headers["X-Carillon-Timestamp"]
    expected = hmac.new(b"h00k", f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert (timestamp, headers["X-Carillon-Signature"]) == (str(int(clock.now().timestamp())), f"sha256={expected}")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["event"] == "order"


async def test_what_was_not_taken_comes_again_after_growing_pauses(shop: Shop) -> None:
    clock = FakeClock()
    shop.answers = [500, 404, 302, 200]
    async with telling(shop, clock) as hook:
        await shop.order()
        for pause_s in PAUSES_S[:3]:
            await hook.tell_due()
            before = len(shop.calls)
            await clock.advance(pause_s - 1)
            await hook.tell_due()
            assert len(shop.calls) == before
            await clock.advance(1)
        await hook.tell_due()
        await clock.advance(PAUSES_S[-1])
        await hook.tell_due()

    assert shop.told == [("o-1", "opened")] * 4


async def test_an_outage_and_a_restart_lose_nothing(shop: Shop) -> None:
    clock = FakeClock()
    nowhere = OrderHook(shop.desk.store.order_hooks, clock, "http://127.0.0.1:9/orders", b"h00k")
    await nowhere.open()
    await shop.order()
    await shop.order("o-2")
    await nowhere.tell_due()
    await nowhere.close()
    assert shop.calls == []

    await clock.advance(PAUSES_S[0])
    async with telling(shop, clock) as hook:
        await hook.tell_due()

    assert sorted(shop.told) == [("o-1", "opened"), ("o-2", "opened")]


async def test_the_calls_run_by_themselves(shop: Shop) -> None:
    hook = order_hook_of(shop.desk)
    assert hook is not None
    running = asyncio.create_task(hook.run())
    await shop.order()
    async with asyncio.timeout(10):
        while not shop.calls:
            await asyncio.sleep(0.01)
    running.cancel()

    assert shop.told == [("o-1", "opened")]


def test_a_hook_without_a_secret_is_refused(tmp_path: Path) -> None:
    source = '[web]\norders_hook = "https://shop.acme.test/orders"\n'

    with pytest.raises(ConfigError, match=r"orders_hook_secret in \[web\]: it signs what orders_hook is told"):
        read(source, tmp_path / "config.toml", {})


async def test_without_a_hook_nobody_is_told(made_storage_url: str, tmp_path: Path) -> None:
    source = f'[storage]\nurl = "{made_storage_url}"\n'
    async with open_desk(read(source, tmp_path / "config.toml", {})) as desk:
        assert order_hook_of(desk) is None
