"""The shop with four messengers, approvals, templates, and clients there: for what is to visit everything."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from sqlalchemy import update

from engine.imports import upsert_clients
from engine.operations import Operations
from engine.settings import ApprovalRule, ChannelSettings, EngineSettings
from gateways.base import Account, NewTemplate, Submitted, Template
from gateways.message import Message, Text
from gateways.twilio.capabilities import SMS
from storage.records import Actor, Draft, Role
from storage.schema import steps
from tests.bot.conftest import Desk
from tests.bot.test_after import finish
from tests.bot.test_messengers import PHOTO, SALE, WA

MORE = [Template(f"word{number}", "en", "approved", "utility", body="Hi") for number in range(7)]  # a second page
OLHA = Actor("Olha", Role.OPERATOR, "telegram", "1001")
VIP: Mapping[str, Any] = {"where": [{"field": "tag", "is": "vip"}]}


def with_messengers(settings: EngineSettings) -> EngineSettings:
    """Two more channels, and an approval above eight clients."""
    channels = {
        **settings.channels,
        "wa-shop": ChannelSettings("wa-shop", replace(WA, submits_templates="Wattsap Manager")),
        "sms-shop": ChannelSettings("sms-shop", SMS, 10.0),
    }
    return replace(settings, channels=channels, approval=ApprovalRule(above=8))


async def furnish(shop: Desk) -> Desk:
    """Clients and templates on the new channels; what is written is taken there."""
    rows = [
        {"id": "n1", "addresses": {"tg-shop": "2999"}},
        {"id": "w1", "first_name": "Bob", "addresses": {"wa-shop": "380501234567", "sms-shop": "380501234567"}},
    ]
    await upsert_clients(shop.store, rows, channels=shop.settings.channels)
    await shop.store.templates.sync("wa-shop", [SALE, PHOTO, *MORE], shop.clock.now())
    numbers = count(1)

    async def check_channel(channel: str) -> Account:
        return Account(external_id=channel, name=channel)

    async def submit(channel: str, new: NewTemplate) -> Submitted:
        return Submitted(str(next(numbers)))

    shop.operations = Operations(shop.store, shop.settings, shop.clock, check_channel=check_channel, submit=submit)
    return shop


async def launch_some(desk: Desk) -> None:
    """One mailing that is over, one that is being sent, one that waits for its hour and one for a second person."""
    over = await _made(desk, "Sale", VIP)
    await desk.operations.launch(over, OLHA)
    await finish(desk)
    await desk.operations.launch(await _made(desk, "News", VIP), OLHA)
    await begin_the_rest(desk)
    await desk.operations.launch(await _made(desk, "Later", VIP, "2026-12-01T10:00"), OLHA)
    await desk.operations.ask_approval(await _made(desk, "For all", {}), OLHA)


async def _made(desk: Desk, name: str, audience: Mapping[str, Any], start: str = "now") -> int:
    message = Message((Text("Hello {{ client.first_name }}: 90 % off"),))
    return await desk.operations.create(Draft(name, message, audience, start=start), OLHA)


async def begin_the_rest(desk: Desk) -> None:
    """Every mailing that was launched has begun, so that several can be compared."""
    launched = steps.c.launched_at.is_not(None) & steps.c.started_at.is_(None)
    async with desk.store.database.writing() as connection:
        await connection.execute(update(steps).where(launched).values(started_at=desk.clock.now()))
