"""The shop with four messengers, approvals, templates, and clients there: for what is to visit everything."""

from dataclasses import replace

from engine.imports import upsert_clients
from engine.settings import ApprovalRule, ChannelSettings, EngineSettings
from gateways.base import Template
from gateways.twilio.capabilities import SMS
from tests.bot.conftest import Desk
from tests.bot.test_messengers import PHOTO, SALE, WA

MORE = [Template(f"word{number}", "en", "approved", "utility", body="Hi") for number in range(7)]  # a second page


def with_messengers(settings: EngineSettings) -> EngineSettings:
    """Two more channels, and an approval above eight clients."""
    channels = {
        **settings.channels,
        "wa-shop": ChannelSettings("wa-shop", WA),
        "sms-shop": ChannelSettings("sms-shop", SMS, 10.0),
    }
    return replace(settings, channels=channels, approval=ApprovalRule(above=8))


async def furnish(shop: Desk) -> Desk:
    """Clients and templates on the new channels."""
    rows = [
        {"id": "n1", "addresses": {"tg-shop": "2999"}},
        {"id": "w1", "first_name": "Bob", "addresses": {"wa-shop": "380501234567", "sms-shop": "380501234567"}},
    ]
    await upsert_clients(shop.store, rows, channels=shop.settings.channels)
    await shop.store.templates.sync("wa-shop", [SALE, PHOTO, *MORE], shop.clock.now())
    return shop
