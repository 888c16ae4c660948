"""What stands in the figures of clicks and orders: null for what nobody counts, never 0."""

from decimal import Decimal
from pathlib import Path

import pytest

from bot.config import read
from bot.desk import engine_settings
from engine.clock import FakeClock
from engine.operations import Operations
from engine.settings import EngineSettings
from gateways.base import Account
from storage.links import TEXT, LinkName, Visit, Visitor
from storage.orders import OrderChange, OrderState
from storage.store import Store
from tests.storage.people import NOW
from tests.storage.sent import sent

SHOP = '[[channels]]\nid = "tg-shop"\nkind = "telegram"\ntoken = "1:SHOP"\n'
PUBLIC = '[app]\npublic_url = "https://m.acme.test/"\n'


def settings_of(source: str, folder: Path) -> EngineSettings:
    return engine_settings(read(source, folder / "config.toml", {}))


async def check(_: str) -> Account:
    raise AssertionError


@pytest.mark.parametrize(
    ("source", "link", "text_link"),
    [(SHOP, None, None), (PUBLIC + SHOP, 0, 1)],
)
async def test_links_are_numbers_only_where_they_lead_through_us(
    store: Store, tmp_path: Path, source: str, link: int | None, text_link: int | None
) -> None:
    delivery = await sent(store)
    await store.links.note(Visit(LinkName(delivery, number=0), TEXT, Visitor.HUMAN, NOW))
    operations = Operations(store, settings_of(source, tmp_path), FakeClock(), check_channel=check)

    figures = await operations.figures(1)

    assert figures["clicked"] == {"any": 1, "link": link, "text_link": text_link, "buy": 0, "message": 0}
    assert figures["clicks"] == {"any": 1, "link": link, "text_link": text_link, "buy": 0, "message": 0}
    assert (figures["orders"], figures["sales"], figures["revenue"]) == (0, 0, {})


async def test_revenue_stands_by_currency_in_a_mailing_and_in_all(store: Store, tmp_path: Path) -> None:
    delivery = await sent(store)
    for number, (amount, currency) in enumerate((("19.9", "EUR"), ("0.1", "EUR"), ("1500", "UAH"))):
        money = {"amount": Decimal(amount), "currency": currency, "delivery_id": delivery}
        await store.orders.put(OrderChange(OrderState.PAID, NOW, NOW, external_id=f"o-{number}", **money))  # type: ignore[arg-type]
    operations = Operations(store, settings_of(SHOP, tmp_path), FakeClock(), check_channel=check)

    figures, totals = await operations.figures(1), await operations.totals()

    assert (figures["orders"], figures["sales"]) == (3, 3)
    assert figures["revenue"] == totals["revenue"] == {"EUR": "20.00", "UAH": "1500.00"}
    assert not any(name.startswith("revenue:") for name in totals)


def test_the_length_of_a_link_of_ours_is_known_before(tmp_path: Path) -> None:
    assert settings_of(PUBLIC + SHOP, tmp_path).link_length == len("https://m.acme.test/l/") + 36
    assert settings_of(SHOP, tmp_path).link_length is None
