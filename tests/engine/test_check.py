"""What is told before a launch: losses of every kind, templates, windows, limits, units, ways and the time it takes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from engine.check import CheckCard
from engine.clock import FakeClock
from engine.errors import Invalid, NotFound
from engine.imports import upsert_clients
from engine.operations import Operations
from engine.reckoning import Leg, Load
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import Account, ButtonSet, ReceiptState, Template
from gateways.message import Link, Message, Pictures, Reply, Text
from gateways.twilio.capabilities import SMS
from storage.channel_states import told_of
from storage.records import Actor, Draft, Role, Routing
from storage.schema import addresses, clients
from storage.store import Store
from tests.engine.kinds import chatty, fact
from tests.storage.people import StillClock

OLHA = Actor("Olha", Role.OPERATOR)
DAY_S = 86_400.0
TG = chatty(kind="tg", title="Teegram")
WA = chatty(
    kind="wa",
    title="Wattsap",
    window_s=DAY_S,
    takes_templates=True,
    receipts=frozenset({ReceiptState.DELIVERED}),
    button_sets=(ButtonSet(frozenset({Reply}), fact(3)),),
)
SALE = Template("sale", "en", "approved", "marketing", body="Hi {{1}}, {{2}} off!", parameters=("1", "2"))
FIELD: Mapping[str, Any] = {"name": "sale", "language": "en", "parameters": ["{{ client.first_name }}", "30%"]}
HELLO = Message((Text("Hello, {{ client.first_name }}"),))


class Shop:
    """Ann and Bob on tg-shop, Cid to Eve on wa-shop; Cid has just written."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.clock = FakeClock()
        self.account = Account("555", "shop")
        each = (ChannelSettings("tg-shop", TG), ChannelSettings("wa-shop", WA), ChannelSettings("sms-shop", SMS, 10.0))
        settings = EngineSettings({channel.id: channel for channel in each}, folder, link_length=60)
        self.operations = Operations(store, settings, self.clock, check_channel=self.ask)

    async def ask(self, channel: str) -> Account:
        return self.account

    async def fill(self) -> None:
        people = [("Ann", "tg-shop"), ("Bob", "tg-shop"), ("Cid", "wa-shop"), ("Dan", "wa-shop"), ("Eve", "wa-shop")]
        rows = [
            {"id": name, "first_name": name, "addresses": {channel: str(380501234500 + number)}}
            for number, (name, channel) in enumerate(people)
        ]
        settings = self.operations.settings
        await upsert_clients(self.store, rows, channels=settings.channels, clock=StillClock(self.clock.now()))
        await self.wrote("Cid", hours=1)

    async def wrote(self, name: str, *, hours: float) -> None:
        card = await self.store.clients.find_by_any(name)
        assert card is not None
        at = self.clock.now() - timedelta(hours=hours)
        async with self.store.database.writing() as connection:
            await connection.execute(update(clients).where(clients.c.id == card.id).values(last_wrote_at=at))
            own = addresses.c.client_id == card.id
            await connection.execute(update(addresses).where(own).values(last_wrote_at=at))

    async def check(self, message: Message = HELLO, **fields: Any) -> CheckCard:
        mailing = await self.operations.create(Draft("Sale", message, **fields), OLHA)
        return await self.operations.check(mailing)

    async def sync(self, *templates: Template) -> None:
        await self.store.templates.sync("wa-shop", templates, self.clock.now())

    async def told(self, account: Account) -> None:
        await self.store.channel_states.set("wa-shop", told_of(account, self.clock.now()))


@pytest.fixture
async def shop(store: Store, tmp_path: Path) -> Shop:
    made = Shop(store, tmp_path)
    await made.fill()
    return made


def load_of(card: CheckCard, channel: str) -> Load:
    return next(load for load in card.loads if load.channel == channel)


def said(*errors: Invalid) -> list[str]:
    return [str(error) for error in errors]


def with_template(**field: Any) -> Message:
    return replace(HELLO, only={"wa": {"template": {**FIELD, **field}}})


async def test_every_kind_that_it_goes_to_tells_its_losses(shop: Shop) -> None:
    buttons = ((Link("https://acme.test", "Open"),),)
    card = await shop.check(Message((Text("Hello", buttons=buttons),)))
    assert {kind: len(losses) for kind, losses in card.losses.items()} == {"tg": 0, "wa": 1}


async def test_a_kind_that_can_not_carry_it_is_a_problem(shop: Shop) -> None:
    only = {"wa": {"text": "x" * 5000}}
    card = await shop.check(replace(HELLO, only=only))
    assert said(*card.problems) == ["The text of element 1 takes 5000 characters; Wattsap carries 4096."]


@pytest.mark.parametrize(("hours", "inside"), [(1, 1), (23.9, 1), (24.1, 0)])
async def test_who_is_inside_the_window_is_counted_by_channel(shop: Shop, hours: float, inside: int) -> None:
    await shop.wrote("Cid", hours=hours)
    card = await shop.check()
    assert (load_of(card, "tg-shop").outside, load_of(card, "wa-shop").outside) == (None, 3 - inside)
    assert not load_of(card, "wa-shop").by_template
    assert card.count.planned == 5


async def test_whoever_wrote_elsewhere_is_not_inside_here(shop: Shop) -> None:
    await shop.wrote("Cid", hours=50)
    async with shop.store.database.writing() as connection:
        await connection.execute(update(clients).values(last_wrote_at=shop.clock.now()))
    assert load_of(await shop.check(), "wa-shop").outside == 3


async def test_a_template_goes_where_the_window_is_closed(shop: Shop) -> None:
    await shop.sync(SALE)
    card = await shop.check(with_template())
    assert card.problems == card.warnings == ()
    assert (load_of(card, "wa-shop").outside, load_of(card, "wa-shop").by_template) == (2, True)


@pytest.mark.parametrize(
    ("field", "status", "problem"),
    [
        ({"name": "other"}, "approved", "wa-shop: There is no template “other” in the language “en”."),
        ({}, "paused", "wa-shop: The template “sale” can't be sent: it is paused."),
        (
            {"parameters": ["30%"]},
            "approved",
            "wa-shop: The text of the template “sale” takes 2 values; the message gives 1.",
        ),
    ],
)
async def test_a_template_that_would_be_refused_is_a_problem(
    shop: Shop, field: dict[str, Any], status: str, problem: str
) -> None:
    await shop.sync(replace(SALE, status=status))
    assert said(*(await shop.check(with_template(**field))).problems) == [problem]


async def test_templates_that_were_never_read_are_a_warning(shop: Shop) -> None:
    card = await shop.check(with_template())
    assert card.problems == ()
    words = "The templates of wa-shop were not read yet, so that its template could not be checked."
    assert said(*card.warnings) == [words]


async def test_more_than_the_platform_lets_us_begin_with_is_a_problem(shop: Shop) -> None:
    await shop.sync(SALE)
    await shop.told(Account("1", "Shop", quota_left=1))
    problem = said(*(await shop.check(with_template())).problems)
    words = "wa-shop may begin 1 conversations in 24 hours, and this mailing begins 2: narrow the audience, or send"
    assert problem == [f"{words} more slowly."]
    assert (await shop.check(with_template(), speed=0.00002)).problems == ()  # two a day, and one of them answers
    assert (await shop.check()).problems == ()  # without the template nobody is begun with
    await shop.told(Account("1", "Shop", quota_left=2))
    assert (await shop.check(with_template())).problems == ()


async def test_a_channel_that_is_asked_tells_its_limit_anew(shop: Shop) -> None:
    shop.account = Account("9", "New name", "https://m.acme.test/hooks/wa-shop", ("its quality is low",), quota_left=7)
    await shop.operations.ask_channel("wa-shop", OLHA)
    state = (await shop.store.channel_states.all())["wa-shop"]
    assert (state.account_name, state.may_begin, state.warnings) == ("New name", 7, ("its quality is low",))
    assert (state.webhook, state.checked_at) == ("https://m.acme.test/hooks/wa-shop", shop.clock.now())


async def test_segments_are_counted_and_take_their_time(shop: Shop) -> None:
    long = "Hello, {{ client.first_name }}! " + "x" * 160
    rows = [{"id": "Zoe", "first_name": "Zoe", "addresses": {"sms-shop": "380501234567"}}]
    await upsert_clients(shop.store, rows, channels=shop.operations.settings.channels)
    card = await shop.check(Message((Text(long),)), routing=Routing.CHOSEN, channels=("sms-shop",))
    load = load_of(card, "sms-shop")
    assert (load.unit, load.units_each, load.units) == ("segment", 2, 2)
    assert card.duration_s == load.seconds == pytest.approx(0.2)


async def test_a_link_that_leads_through_us_counts_as_long_as_it_will_be(shop: Shop) -> None:
    rows = [{"id": "Zoe", "addresses": {"sms-shop": "380501234567"}}]
    await upsert_clients(shop.store, rows, channels=shop.operations.settings.channels)
    text = "x" * 110 + ' <a href="https://a.test">https://a.test</a>'
    card = await shop.check(Message((Text(text),)), routing=Routing.CHOSEN, channels=("sms-shop",))
    assert load_of(card, "sms-shop").units_each == 2


async def test_several_parts_take_their_time(shop: Shop) -> None:
    message = Message((Pictures(("https://a.test/1.jpg",)), Text("Hello")))
    card = await shop.check(message, speed=1.0)
    assert (load_of(card, "tg-shop").messages, load_of(card, "tg-shop").seconds) == (2, 4.0)
    # Of three on wa-shop two get nothing: their window is closed.
    assert (load_of(card, "wa-shop").seconds, card.duration_s) == (2.0, 4.0)


async def test_a_cascade_tells_who_goes_where_and_what_is_tried_next(shop: Shop) -> None:
    card = await shop.check(routing=Routing.CASCADE, channels=("wa-shop", "tg-shop", "sms-shop"))
    assert card.legs == (
        Leg("wa-shop", 3, "tg-shop", 1800.0),
        Leg("tg-shop", 2, "sms-shop", None),
        Leg("sms-shop", 0, None, None),
    )
    assert sorted(card.losses) == ["sms", "tg", "wa"]


async def test_a_message_for_one_kind_goes_to_all_who_are_there(shop: Shop) -> None:
    mailing = await shop.operations.create(Draft("Sale", HELLO), OLHA)
    await shop.operations.only_for(mailing, "wa", OLHA)
    card = await shop.operations.check(mailing)
    assert (card.only_for, card.count.by_channel) == (("Wattsap",), {"wa-shop": 3})
    await shop.operations.export_to_all(mailing, OLHA)
    assert (await shop.operations.check(mailing)).only_for == ()
    with pytest.raises(NotFound, match="no channel of the kind “skype”; there is sms, tg, wa"):
        await shop.operations.only_for(mailing, "skype", OLHA)


async def test_a_message_for_a_kind_that_the_mailing_does_not_use_is_a_problem(shop: Shop) -> None:
    message = replace(HELLO, kinds=frozenset({"wa"}))
    card = await shop.check(message, routing=Routing.CHOSEN, channels=("tg-shop",))
    words = "The message is for Wattsap only, and the mailing goes through no channel of that kind."
    assert said(*card.problems) == [words]


async def test_a_template_is_set_and_taken_away(shop: Shop) -> None:
    mailing = await shop.operations.create(Draft("Sale", replace(HELLO, only={"wa": {"text": "Hi"}})), OLHA)
    made = await shop.operations.set_template(mailing, "wa", FIELD, OLHA)
    assert made.draft.message.only == {"wa": {"text": "Hi", "template": FIELD}}
    with pytest.raises(Invalid, match="needs its name and its language"):
        await shop.operations.set_template(mailing, "wa", {"name": "x"}, OLHA)
    taken = await shop.operations.set_template(mailing, "wa", None, OLHA)
    assert taken.draft.message.only == {"wa": {"text": "Hi"}}


async def test_a_preview_shows_what_the_client_would_get_now(shop: Shop) -> None:
    await shop.sync(SALE)
    mailing = await shop.operations.create(Draft("Sale", with_template()), OLHA)
    inside = await shop.operations.preview(mailing, client="Cid")
    assert [part.text.text for part in inside.shown] == ["Hello, Cid"]
    outside = await shop.operations.preview(mailing, client="Dan")
    assert [part.text.text for part in outside.shown] == ["Hi Dan, 30% off!"]
    assert [part.text.text for part in outside.outgoing] == ["Hello, Dan"]
