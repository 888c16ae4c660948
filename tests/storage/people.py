"""Clients for tests of storage: written as an import writes them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from engine.clock import Alarm
from engine.imports import ImportOutcome, upsert_clients
from engine.settings import ChannelSettings
from storage.records import ClientCard
from storage.store import Store
from tests.engine.kinds import CHATTY

CHANNELS = ("tg-shop", "tg-news")
SETTINGS = {name: ChannelSettings(name, CHATTY) for name in CHANNELS}
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class StillClock:
    """The instant at which a test writes."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, delay_s: float) -> None:
        raise AssertionError

    async def sleep_until(self, monotonic_s: float) -> None:
        raise AssertionError

    def call_at(self, monotonic_s: float, call: Callable[[], None]) -> Alarm:
        raise AssertionError

    async def wait(self, event: asyncio.Event, longest_s: float) -> None:
        raise AssertionError


async def add(store: Store, *rows: Mapping[str, Any], at: datetime = NOW) -> ImportOutcome:
    """Add or update clients; a row is as a program sends it."""
    outcome = await upsert_clients(store, rows, channels=SETTINGS, clock=StillClock(at))
    assert outcome.rejected == []
    return outcome


async def card_of(store: Store, client: str) -> ClientCard:
    found = await store.clients.find_by_any(client)
    assert found is not None
    return found


async def ids_of(store: Store, *clients: str) -> Sequence[int]:
    return [(await card_of(store, client)).id for client in clients]
