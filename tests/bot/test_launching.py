"""The card before a launch, and a few clients first: as chats."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import update

from engine.imports import upsert_clients
from engine.settings import ChannelSettings, EngineSettings
from gateways.message import Message, Text, content_hash
from gateways.viber.capabilities import VIBER
from storage.audit import Audited, NewNotice
from storage.counters import add_counters
from storage.records import Actor, Canary, CanaryState, Draft, Role, Routing, Status
from storage.schema import steps
from tests.bot.chat import Chat
from tests.bot.composed import composed, only_mailing
from tests.bot.conftest import Desk
from tests.bot.test_progress import Wall, cards_on

OLHA = Actor("Olha", Role.OPERATOR, "telegram", "1001")


@pytest.fixture
def settings(settings: EngineSettings) -> EngineSettings:
    """What goes out on tg-shop costs here as Viber's do."""
    paid = replace(settings.channels["tg-shop"].able, charges=VIBER.charges)
    channels = {**settings.channels, "tg-shop": ChannelSettings("tg-shop", paid)}
    return replace(settings, channels=channels, prices={"viber.charged": (Decimal("0.012"), "EUR")})


async def sent_before(shop: Desk, **amounts: int) -> None:
    """A mailing of ours that ended so on tg-shop."""
    mailing = await shop.operations.get(await shop.operations.create(Draft("Old", Message((Text("Hi"),))), OLHA))
    at = shop.clock.now()
    async with shop.store.database.writing() as connection:
        ended = {"status": "sent", "launched_at": at, "started_at": at, "finished_at": at}
        await connection.execute(update(steps).where(steps.c.id == mailing.step_id).values(**ended))
        deltas = {(mailing.step_id, "tg-shop", "", "", name): amount for name, amount in amounts.items()}
        await add_counters(connection, deltas)
    await shop.clock.advance(60)


async def test_the_card_tells_cost_expected_failures_and_whether_it_was_tested(shop: Desk) -> None:
    await sent_before(shop, planned=100, sent=80, failed=20)
    chat = await composed(shop)
    await chat.say("/check 2")
    chat.sees(
        "Likely to fail, as of the last 90 days: about 2 (tg-shop 20%)",
        "Cost: about 0.12 EUR",
        "tg-shop: 10 messages, 0.012 EUR each",
        "The message as it is now was not tested yet.",
        "does not say how to unsubscribe",
    )
    message = (await shop.operations.get(2)).draft.message
    details = {"hash": content_hash(message)}
    await shop.store.mailings.note(Audited(shop.clock.now(), OLHA, "test", 2, details=details))
    await chat.press("Check again")
    chat.sees("✓ Tested as it is now: Sat, 21 Nov 2026, 11:01")
    await chat.say("/mailings 2")
    await chat.press("Change message")
    await chat.say("Hello again")
    await chat.say("/check 2")
    chat.sees("was not tested yet")


async def test_what_has_no_price_is_said(shop: Desk) -> None:
    shop.operations.checker._settings = replace(shop.settings, prices={"sms.segment": (Decimal(1), "USD")})
    chat = await composed(shop)
    await chat.say("/check 1")
    chat.sees("Cost: not known", "tg-shop: 10 messages, for which [prices] has no price")


async def test_what_a_cascade_costs_lies_between_its_first_channels_and_all(shop: Desk) -> None:
    draft = Draft("Sale", Message((Text("Hello"),)), routing=Routing.CASCADE, channels=("tg-club", "tg-shop"))
    await shop.operations.create(draft, OLHA)
    chat = shop.chat()
    await chat.say("/check 1")
    chat.sees("Cost: about 0.12 EUR", "tg-shop: 10 messages, 0.012 EUR each")
    rows = [{"id": f"c{number}", "addresses": {"tg-club": str(3000 + number)}} for number in range(1, 6)]
    await upsert_clients(shop.store, rows, channels=shop.settings.channels)
    await chat.press("Check again")
    chat.sees(
        "Cost: about 0.06 EUR on the first channels, at most 0.12 EUR on all",
        "At most tg-shop: 10 messages, 0.012 EUR each",
    )


async def test_a_few_first_is_chosen_by_buttons_or_typed(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/send 1")
    await chat.press("A few clients first")
    chat.sees("They get it alone.", "Now everybody gets it at once.")
    await chat.press("100")
    chat.sees("A few first: the first 100 clients, then a pause of 30 min.", "more than 5% fail or 1% unsubscribe")
    await chat.press("pause 1 h")
    await chat.press("10 % fail")
    await chat.press("2 % unsubscribe")
    assert (await only_mailing(shop)).draft.canary == Canary(100, None, 3600.0, 0.1, 0.02)
    old = chat.sees_button("5 %").token
    for wrong, told in [
        ("lots", "Type how many clients get it first"),
        ("0", "The first clients are from 1 to 100000."),
        ("90 %", "The first share is above 0 and at most 0.5"),
    ]:
        await chat.say(wrong)
        chat.sees(told)
    await chat.say("2 %")
    chat.sees("the first 2% of all, then a pause of 1 h")
    await chat.press_token(old)
    chat.sees("That card was old")
    await chat.say("/send 1")
    await chat.press("✓ A few clients first")
    await chat.press("Done")
    chat.sees("the first 2% of all")
    await chat.press("Next: check")
    chat.sees("A few first: the first 2% of all", "Send “The spring sale is on” to 10 clients now?")
    await chat.press("Back")
    await chat.press("✓ A few clients first")
    await chat.press("No, everybody at once")
    assert (await only_mailing(shop)).draft.canary is None


async def waiting(shop: Desk) -> Chat:
    """A mailing whose first four have it, three hours before the others get it."""
    chat = await composed(shop)
    draft = replace((await only_mailing(shop)).draft, canary=Canary(first=4, wait_s=3 * 3600.0))
    await shop.operations.change(1, draft, OLHA)
    await chat.say("/launch 1")
    await chat.press("Send to 10 clients")
    mailing = await shop.operations.get(1)
    until = shop.clock.now().replace(hour=12)
    async with shop.store.database.writing() as connection:
        amounts = {"planned": 10, "waiting": 6, "sent": 4}
        await add_counters(connection, {(mailing.step_id, "tg-shop", "", "", k): n for k, n in amounts.items()})
        values = {"status": "paused", "reason": "canary", "reason_words": "the first 4 have it", "planned_all": True}
        await connection.execute(update(steps).values(**values, canary_state="waiting", canary_until=until))
    return chat


async def test_the_live_card_says_when_the_others_get_it_and_lets_a_person_decide(shop: Desk) -> None:
    chat = await waiting(shop)
    await chat.say("/now")
    chat.sees("The first 4 have it. At 14:00 (Europe/Kyiv) all the others get it by itself", "sent 4")
    await chat.press("Wait for me")
    chat.sees("Why: paused by Olha")
    assert (await shop.operations.get(1)).canary_state is CanaryState.HELD
    await chat.press("Resume")
    chat.sees("being sent")
    mailing = await shop.operations.get(1)
    assert (mailing.status, mailing.canary_state) == (Status.SENDING, CanaryState.PASSED)


async def test_people_are_told_that_a_few_have_it_and_that_it_goes_on(shop: Desk) -> None:
    await waiting(shop)
    wall = Wall()
    for kind in ("canary", "canary_passed"):
        await shop.store.mailings.notify(NewNotice(kind, shop.clock.now(), OLHA), 1)
    await cards_on(shop, wall).tick()
    told = [text for _chat, text in wall.shown]
    assert any(text.startswith("🐤 “The spring sale is on”: a few clients have it.\n\nsent 4") for text in told)
    assert "🐤 “The spring sale is on” goes on to all the others: its first clients took it well." in told
