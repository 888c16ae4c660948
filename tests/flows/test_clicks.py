"""From the message to the figures: links that lead through us, Buy buttons, orders, leaving by the page."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession

from engine.links import Tokens
from gateways.simulator.telegram.messages import Message
from tests.flows.carillon import API_TOKEN, FIRST_CLIENT, Carillon, carillon, shop_of, until

pytestmark = pytest.mark.timeout(240)
SALE = "https://acme.test/sale?a=a%2Fb"
MAILING = {
    "name": "Sale",
    "message": {
        "text": f'The <a href="{SALE}">sale</a> is on.',
        "buttons": [
            [{"link": "https://acme.test/?c={{ client.id }}", "label": "Open"}],
            [{"buy": "SKU-1", "price": "19.90 EUR", "label": "Buy"}, {"message": "More", "label": "More"}],
        ],
    },
}
PERSON = {"User-Agent": "Mozilla/5.0 (iPhone) Safari/604.1"}
PREVIEW = {"User-Agent": "TelegramBot (like TwitterBot)"}


@pytest.fixture
async def hooked(made_storage_url: str, tmp_path: Path) -> AsyncIterator[Carillon]:
    async with carillon(tmp_path, made_storage_url, app_more='public_url = "{url}"') as made:
        await made.start()
        yield made


class Programs:
    def __init__(self, made: Carillon, session: ClientSession) -> None:
        self._made = made
        self._session = session

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, f"{self._made.url}/api/v1{path}", data=data, headers=headers) as got:
            assert got.status in (200, 201), await got.text()
            return await got.json()

    async def visit(self, url: str, headers: dict[str, str]) -> tuple[int, str | None]:
        async with self._session.get(url, headers=headers, allow_redirects=False) as got:
            return got.status, got.headers.get("Location")


async def test_clicks_and_orders_stand_in_the_figures(hooked: Carillon) -> None:
    await hooked.import_clients(2)
    async with ClientSession() as session:
        programs = Programs(hooked, session)
        made = await programs.ask("POST", "/mailings", MAILING)
        await programs.ask("POST", f"/mailings/{made['id']}/launch")
        await hooked.until_status(made["id"], "sent")
        phones = [shop_of(hooked).client(FIRST_CLIENT + number) for number in range(2)]
        messages = [phone.last for phone in phones]

        links = [_links(message) for message in messages]
        assert all(urlsplit(link).netloc == urlsplit(hooked.url).netloc for both in links for link in both)
        assert len({link for both in links for link in both}) == 4
        for _time in range(2):
            assert await programs.visit(links[0][0], PREVIEW) == (302, SALE)
        assert await programs.visit(links[0][0], PERSON) == (302, SALE)
        assert await programs.visit(links[0][1], PERSON) == (302, f"https://acme.test/?c=c{FIRST_CLIENT}")
        assert await programs.visit(links[1][1], PERSON) == (302, f"https://acme.test/?c=c{FIRST_CLIENT + 1}")
        phones[1].presses(messages[1].message_id, "Buy")

        async def ordered() -> bool:
            return bool((await hooked.figures(made["id"]))["orders"])

        await until(ordered, 20, "the Buy button to open an order")
        (order,) = (await programs.ask("GET", "/orders?since=0"))["orders"]
        assert (order["client"], order["mailing"], order["state"]) == (f"c{FIRST_CLIENT + 1}", made["id"], "opened")
        await programs.ask("POST", "/orders", {"number": order["number"], "id": "o-1", "state": "paid"})

        figures = await hooked.figures(made["id"])
        assert figures["clicked"] == {"any": 2, "link": 2, "text_link": 1, "buy": 1, "message": 0}
        assert figures["clicks"] == {"any": 4, "link": 2, "text_link": 1, "buy": 1, "message": 0}
        assert (figures["orders"], figures["sales"], figures["revenue"]) == (1, 1, {"EUR": "19.90"})

        delivery = (await hooked.desk.store.deliveries.rows(made["id"], limit=1))[0].id
        page = f"{hooked.url}/u/{Tokens.of_app(hooked.desk.secret).unsubscribe(delivery)}"
        async with session.post(page, data={"List-Unsubscribe": "One-Click"}) as got:
            assert got.status == 200
        assert (await hooked.figures(made["id"]))["unsubscribed"] == 1


def _links(message: Message) -> tuple[str, str]:
    """The link in the text, and the one of the button."""
    (in_text,) = [entity.url for entity in message.entities if entity.url]
    on_button = message.button("Open").url
    assert on_button is not None
    return in_text, on_button
