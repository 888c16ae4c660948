"""A desk to talk at: operations on a real storage, a shop's clients, and the chats of its people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from engine.clock import FakeClock
from engine.operations import Operations
from engine.settings import ChannelSettings, EngineSettings, Quota, QuotaPer
from gateways.base import AddressStatus
from gateways.telegram.capabilities import TELEGRAM
from storage.addresses import keep_in_step
from storage.schema import addresses, attributes, client_tags, clients, segments, tags
from storage.store import Store
from tests.bot.chat import ACCOUNTS, Chat, conversation_on, operations_on

ZONE = "Europe/Kyiv"


@dataclass(slots=True)
class Desk:
    store: Store
    operations: Operations
    settings: EngineSettings
    clock: FakeClock

    def chat(self, name: str = "Olha", **more: Any) -> Chat:
        """A fresh conversation, as after a restart: all that lasts is in storage."""
        conversation = conversation_on(self.store, self.operations, self.settings, self.clock)
        return Chat(conversation, ACCOUNTS.get(name, name), **more)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    channels = (
        ChannelSettings("tg-shop", TELEGRAM),
        ChannelSettings("tg-club", TELEGRAM, quota=Quota(500, QuotaPer.PACKAGE)),
    )
    return EngineSettings({channel.id: channel for channel in channels}, tmp_path, timezone=ZONE)


@pytest.fixture
def desk(store: Store, settings: EngineSettings, clock: FakeClock) -> Desk:
    return Desk(store, operations_on(store, settings, clock), settings, clock)


@pytest.fixture
async def shop(desk: Desk) -> Desk:
    """Twelve clients on tg-shop: Ann is VIP and lives in Kyiv; three others are VIP; the last two can't be reached."""
    people = [("Ann", "Lee", "en"), ("Bohdan", "Kit", "uk"), ("Iryna", "Sova", "uk"), ("Max", "Orlov", "en")]
    people += [(f"Client{number}", "Test", "en") for number in range(5, 13)]
    await add_clients(desk.store, people)
    return desk


async def add_clients(store: Store, people: Sequence[tuple[str, str, str]]) -> None:
    at = FakeClock().now()
    async with store.database.writing() as connection:
        await connection.execute(insert(attributes).values(name="city", slot=0, type="text"))
        await connection.execute(insert(tags), [{"name": "vip"}, {"name": "new"}])
        await connection.execute(
            insert(clients),
            [
                {
                    "external_id": f"c{number}",
                    "name": f"{first} {last}",
                    "first_name": first,
                    "last_name": last,
                    "language": language,
                    "text_0": "Kyiv" if number == 1 else "Lviv",
                    "created_at": at,
                    "updated_at": at,
                }
                for number, (first, last, language) in enumerate(people, start=1)
            ],
        )
        ids = list(await connection.scalars(select(clients.c.id).order_by(clients.c.id)))
        statuses = [AddressStatus.ENABLED] * (len(ids) - 2) + [AddressStatus.BLOCKED, AddressStatus.UNSUBSCRIBED]
        await connection.execute(
            insert(addresses),
            [
                {
                    "client_id": client_id,
                    "scope": "tg-shop",
                    "external_id": str(2000 + client_id),
                    "channel": "tg-shop",
                    "status": status.value,
                    "status_at": at,
                    "created_at": at,
                    "details": {},
                }
                for client_id, status in zip(ids, statuses, strict=True)
            ],
        )
        vip = await connection.scalar(select(tags.c.id).where(tags.c.name == "vip"))
        await connection.execute(insert(client_tags), [{"tag_id": vip, "client_id": one} for one in ids[:4]])
        audience = {"where": [{"field": "language", "is": "uk"}]}
        await connection.execute(
            insert(segments).values(name="Ukrainians", audience=audience, created_at=at, updated_at=at)
        )
        await keep_in_step(connection, ids)
