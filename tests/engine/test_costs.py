"""What a mailing would cost, how much of it would fail, and what a careful colleague would say."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.advice import Looked
from engine.approval import reasons_for
from engine.check import CheckCard
from engine.costs import Cost, Expected, costs_of, expected_of, in_all
from engine.fit import fit
from engine.fits import Fit
from engine.imports import upsert_clients
from engine.operations import Operations
from engine.reckoning import Load
from engine.settings import ApprovalRule, Price
from gateways.base import Capabilities, Template
from gateways.message import Link, Message, Pictures, Text
from gateways.twilio.capabilities import SMS
from gateways.viber.capabilities import VIBER
from gateways.whatsapp.capabilities import WHATSAPP
from storage.counters import add_counters
from storage.records import Draft, Routing
from storage.store import Store
from tests.engine.test_check import DAY_S, HELLO, OLHA, SALE, TG, Shop, said, with_template

PRICES: Mapping[str, Price] = {
    "whatsapp.marketing": (Decimal("0.06"), "EUR"),
    "sms.segment": (Decimal("0.045"), "USD"),
    "viber.charged": (Decimal("0.012"), "EUR"),
}
OF_WHATSAPP = replace(HELLO, only={"whatsapp": {"template": {"name": "sale", "language": "en"}}})


def cost_of(able: Capabilities, load: Load, inside: int = 0, **more: Any) -> list[tuple[str, int, Decimal | None]]:
    fits = {load.channel: Fit(able, fit(more.get("message", HELLO), able))}
    categories = more.get("categories", {})
    costs = costs_of([load], fits, {load.channel: inside}, categories, more.get("prices", PRICES))
    return [(cost.name, cost.count, cost.amount) for cost in costs]


def load(channel: str, planned: int, **more: Any) -> Load:
    usual = {"outside": None, "by_template": False, "messages": 1, "unit": "", "units_each": 1, "seconds": 1.0}
    return Load(channel, planned, **{**usual, "units": planned, **more})


def test_an_sms_costs_its_segments() -> None:
    assert cost_of(SMS, load("sms", 10, units=20)) == [("sms.segment", 20, Decimal("0.900"))]


def test_viber_charges_for_whom_did_not_write_lately() -> None:
    assert cost_of(VIBER, load("vb", 10, messages=2), 3) == [("viber.charged", 14, Decimal("0.168"))]
    priced = {**PRICES, "viber.session_billable": (Decimal("0.001"), "EUR")}
    assert cost_of(VIBER, load("vb", 10), 3, prices=priced)[0] == ("viber.session_billable", 3, Decimal("0.003"))


def test_whatsapp_charges_by_the_category_of_the_template() -> None:
    outside = load("wa", 10, outside=8, by_template=True)
    told = cost_of(WHATSAPP, outside, 2, message=OF_WHATSAPP, categories={"wa": "marketing"})
    assert told == [("whatsapp.marketing", 8, Decimal("0.48"))]
    only_template = Message(only=OF_WHATSAPP.only)
    told = cost_of(WHATSAPP, outside, 2, message=only_template, categories={"wa": "marketing"})
    assert told == [("whatsapp.marketing", 10, Decimal("0.60"))]
    assert cost_of(WHATSAPP, outside, 2, message=OF_WHATSAPP) == [("", 8, None)]


def test_what_has_no_price_is_told_and_what_is_free_is_not() -> None:
    assert cost_of(SMS, load("sms", 10), prices={"viber.charged": (Decimal(1), "EUR")}) == [("sms.segment", 10, None)]
    assert cost_of(TG, load("tg", 10)) == []
    assert cost_of(SMS, load("sms", 10), prices={}) == []


def test_each_currency_has_its_own_sum() -> None:
    costs = [Cost("a", "x", 10, (Decimal("0.1"), "EUR")), Cost("b", "y", 5, (Decimal("0.2"), "USD"))]
    assert in_all([*costs, *costs, Cost("c", "z", 5, None)]) == {"EUR": Decimal("2.0"), "USD": Decimal("2.0")}


def test_failures_are_expected_as_they_were() -> None:
    sums = {("tg", "sent"): 90, ("tg", "failed"): 10, ("vb", "sent"): 3, ("vb", "failed"): 3}
    assert expected_of({"tg": 500, "vb": 5}, sums) == (Expected("tg", 500, 0.1, 100), Expected("vb", 5, None, 6))
    assert expected_of({"tg": 500}, sums)[0].failures == 50


async def test_a_cascade_costs_at_most_what_all_of_its_channels_come_to(shop: Shop) -> None:
    rows = [
        {"id": name, "addresses": {"sms-shop": f"38050123451{number}"}} for number, name in enumerate(("Cid", "Dan"))
    ]
    await upsert_clients(shop.store, rows, channels=shop.operations.settings.channels)
    priced = replace(shop.operations.settings, prices=PRICES)
    shop.operations = Operations(shop.store, priced, shop.clock, check_channel=shop.ask)
    channels = ("wa-shop", "tg-shop", "sms-shop")
    card = await shop.check(Message((Text("x" * 200),)), routing=Routing.CASCADE, channels=channels)
    assert card.costs == ()  # all are tried first where nothing is charged
    assert [(cost.channel, cost.name, cost.count, cost.amount) for cost in card.at_most] == [
        ("sms-shop", "sms.segment", 4, Decimal("0.180"))
    ]
    assert (await shop.check(routing=Routing.CHOSEN, channels=("sms-shop",))).at_most == ()


# --- the two-person rule ---


@pytest.mark.parametrize(
    ("begin", "hours_long", "needs"),
    [("19:30", 0.4, False), ("19:30", 0.6, True), ("20:00", 0, True), ("07:59", 0, True), ("08:00", 11.9, False)],
)
def test_what_is_sent_at_night_needs_a_second_person(begin: str, hours_long: float, *, needs: bool) -> None:
    rule = ApprovalRule(outside_hours=(time(20), time(8)))
    at = datetime.fromisoformat(f"2026-12-01T{begin}").replace(tzinfo=ZoneInfo("Europe/Kyiv"))
    span = (at, datetime.fromtimestamp(at.timestamp() + hours_long * 3600, at.tzinfo))
    found = reasons_for(rule, Draft("Sale", HELLO), 10, ["tg"], span, "Europe/Kyiv")
    assert said(*found) == (["it would be sent between 20:00 and 08:00"] if needs else [])


def test_by_each_client_s_own_clock_the_hour_counts_there() -> None:
    rule = ApprovalRule(outside_hours=(time(20), time(8)), above=10, channels=frozenset({"tg"}))
    draft = Draft("Sale", HELLO, start="2026-12-01T10:00", timezone="client")
    night = datetime(2026, 11, 30, 22, 0, tzinfo=ZoneInfo("Europe/Kyiv"))
    assert reasons_for(rule, draft, 10, ["sms"], (night, night), "Europe/Kyiv") == ()


# --- advice ---


@pytest.fixture
async def shop(store: Store, tmp_path: Path) -> Shop:
    made = Shop(store, tmp_path)
    await made.fill()
    return made


def advised(card: CheckCard) -> list[str]:
    return [words for words in said(*card.advice) if "unsubscribe" not in words]


async def test_a_text_that_most_of_them_had_is_told_and_one_for_others_is_not(shop: Shop) -> None:
    first = await shop.operations.create(Draft("First", HELLO), OLHA)
    await shop.operations.launch(first, OLHA)
    again = replace(HELLO, elements=(Text("<b>HELLO,</b>  {{ client.first_name }}"),))
    assert advised(await shop.check(again)) == []
    await end_as_sent(shop, first)
    assert advised(await shop.check(again)) == [
        "100 % of these clients had the same text within the last 7 days, from “First” (#1)."
    ]
    assert advised(await shop.check(Message((Text("Something else"),)))) == []
    await shop.clock.advance(8 * DAY_S)
    assert advised(await shop.check(again)) == []


async def end_as_sent(shop: Shop, mailing_id: int) -> None:
    from sqlalchemy import update

    from engine.plan import Planner
    from storage.schema import deliveries

    mailing = await shop.operations.get(mailing_id)
    await Planner(shop.store, shop.operations.settings, shop.clock).plan_next(mailing)
    async with shop.store.database.writing() as connection:
        await connection.execute(update(deliveries).values(state="sent"))
        await add_counters(connection, {(mailing.step_id, "tg-shop", "", "", "sent"): 60})


async def test_links_and_large_pictures_are_tried_once(shop: Shop) -> None:
    tried: list[str] = []

    async def look_at(url: str) -> Looked:
        tried.append(url)
        return Looked("its server answers HTTP 404") if "gone" in url else Looked(size_bytes=30_000_000)

    shop.operations = Operations(
        shop.store, shop.operations.settings, shop.clock, check_channel=shop.ask, look_at=look_at
    )
    text = 'STOP to leave. <a href="https://acme.test/gone">Sale</a>, <a href="https://acme.test/ok">more</a>'
    buttons = ((Link("https://acme.test/{{ client.id }}", "Mine"),),)
    message = Message((Pictures(("https://acme.test/big.jpg",), text, buttons),))
    card = await shop.check(message)
    assert said(*card.advice) == [
        "The link https://acme.test/gone does not work: its server answers HTTP 404",
        "The picture https://acme.test/big.jpg has 30 MB; Teegram takes 10 MB.",
        "The picture https://acme.test/big.jpg has 30 MB; Wattsap takes 10 MB.",
    ]
    await shop.check(message)
    assert sorted(tried) == ["https://acme.test/big.jpg", "https://acme.test/gone", "https://acme.test/ok"]


async def test_a_way_out_is_looked_for_in_the_words_and_the_template(shop: Shop) -> None:
    advice = "The message does not say how to unsubscribe: a line such as “Write STOP to leave” would."
    assert said(*(await shop.check()).advice) == [advice]
    assert said(*(await shop.check(Message((Text("Hello. Напишите СТОП, чтобы отписаться"),)))).advice) == []
    await shop.sync(SALE)
    stops = replace(with_template(), elements=(Text("Hello. STOP to leave"),))
    assert said(*(await shop.check(stops)).advice) == []
    other: Template = replace(SALE, body="No way out {{1}} {{2}}")
    await shop.sync(other)
    assert advised(await shop.check(with_template())) == []


async def test_the_test_of_a_message_is_void_once_it_changes(shop: Shop) -> None:
    from gateways.message import content_hash
    from storage.audit import Audited

    mailing = await shop.operations.create(Draft("Sale", HELLO), OLHA)
    at = shop.clock.now()
    tested = Audited(at, OLHA, "test", mailing, details={"hash": content_hash(HELLO)})
    await shop.store.mailings.note(tested)
    assert (await shop.operations.check(mailing)).tested_at == at
    draft = Draft("Sale", Message((Text("Hello, {{ client.first_name }}!"),)))
    await shop.operations.change(mailing, draft, OLHA)
    assert (await shop.operations.check(mailing)).tested_at is None
