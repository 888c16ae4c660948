"""What comes after sending, whole: the engine, its lanes, the gateways and the phones of two messengers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import insert

from engine.clock import SystemClock
from engine.links import LinkDesk, Tokens
from engine.operations import Operations
from engine.runner import Engine
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import Account, Gateway
from gateways.message import Link, Message, Text
from gateways.simulator.telegram.server import TelegramSimulator
from gateways.simulator.vk.server import VkSimulator
from gateways.telegram.gateway import TelegramGateway
from gateways.vk.gateway import VkGateway
from storage.addresses import keep_in_step
from storage.records import Actor, Draft, Status
from storage.schema import addresses, clients
from storage.store import Store

OLHA = Actor("Olha")
SECRET = b"secret of the app"
TOKEN, KEY, GROUP = "555000111:AAsimulated", "vk1.a.simulated", 190000017
CLIENTS = 12  # half of them on each messenger


def message(words: str, page: str) -> Message:
    link = Link(f"https://acme.test/{page}", "Open")
    return Message((Text(f"Hi {{{{ client.first_name }}}}: {words}", ((link,),)),))


@dataclass(slots=True)
class House:
    store: Store
    operations: Operations
    telegram: TelegramSimulator
    vk: VkSimulator
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]

    def texts(self) -> dict[int, list[str]]:
        """What stands on each phone."""
        bot, group = self.telegram.bot(TOKEN), self.vk.accounts[KEY]
        on_telegram = {n: [one.text for one in bot.client(100 + n).messages] for n in range(1, CLIENTS + 1, 2)}
        on_vk = {n: [one.text.text for one in group.clients[str(500 + n)].messages] for n in range(2, CLIENTS + 1, 2)}
        return on_telegram | on_vk

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(20):
            while not await holds():
                await asyncio.sleep(0.05)


@pytest.fixture
async def house(store: Store, tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        telegram, vk = TelegramSimulator(), VkSimulator()
        for platform in (telegram, vk):
            await platform.start()
            stack.push_async_callback(platform.stop)
        bot = telegram.add_bot(TOKEN)
        vk.add_account(KEY, details={"group_id": GROUP, "secret": "s3cr3t"})
        for number in range(1, CLIENTS + 1, 2):
            bot.add_client(100 + number, f"N{number}")
            vk.add_client(KEY, str(501 + number), f"N{number + 1}")
        await _fill(store)
        media, api_base = store.uploads, f"{vk.url}/method"
        gateways: dict[str, Gateway] = {
            "tg": TelegramGateway(channel="tg", token=TOKEN, media=media, api_base=telegram.url, polls=True),
            "vk": VkGateway(channel="vk", group_id=str(GROUP), token=KEY, media=media, api_base=api_base, polls=True),
        }
        for gateway in gateways.values():
            await gateway.open()
            stack.push_async_callback(gateway.close)
        kinds = {name: ChannelSettings(name, gateway.capabilities) for name, gateway in gateways.items()}
        settings = EngineSettings(kinds, tmp_path)
        links = LinkDesk(store, SECRET, "https://m.acme.test")
        engines: list[tuple[Engine, asyncio.Task[None]]] = []

        async def check_channel(channel: str) -> Account:
            return Account(channel, channel)

        async def start() -> None:
            engine = Engine(store, gateways, settings, SystemClock(), links=links)
            engines.append((engine, asyncio.create_task(engine.run())))

        async def stop() -> None:
            engine, running = engines.pop()
            await engine.stop()
            await running

        operations = Operations(store, settings, SystemClock(), check_channel=check_channel)
        await start()
        yield House(store, operations, telegram, vk, start, stop)
        await stop()


async def _fill(store: Store) -> None:
    now = SystemClock().now()
    async with store.database.writing() as connection:
        for number in range(1, CLIENTS + 1):
            channel, address = ("tg", 100 + number) if number % 2 else ("vk", 500 + number)
            at = {"created_at": now}
            card = {"id": number, "first_name": f"N{number}", "main_channel": channel, "updated_at": now}
            await connection.execute(insert(clients).values(**card, **at))
            place = {"id": number, "client_id": number, "scope": channel, "channel": channel, "details": {}}
            status = {"status": "enabled", "status_at": now, "external_id": str(address)}
            await connection.execute(insert(addresses).values(**place, **status, **at))
        await keep_in_step(connection, list(range(1, CLIENTS + 1)))


async def test_what_was_wrong_is_corrected_and_taken_back_on_every_phone(house: House) -> None:
    operations = house.operations
    mailing = await operations.create(Draft("Sale", message("90 %", "old")), OLHA)
    await operations.launch(mailing, OLHA)

    async def is_sent() -> bool:
        return (await operations.get(mailing)).status is Status.SENT

    await house.until(is_sent)
    assert house.texts() == {number: [f"Hi N{number}: 90 %"] for number in range(1, CLIENTS + 1)}

    made = await operations.correct(mailing, message("9 %", "new"), OLHA)

    async def is_over() -> bool:
        return (await operations.amendment(made.id)).amendment.finished_at is not None

    await house.until(is_over)
    assert (await operations.amendment(made.id)).by_channel == {"tg": (6, 0, 0), "vk": (6, 0, 0)}
    assert house.texts() == {number: [f"Hi N{number}: 9 %"] for number in range(1, CLIENTS + 1)}
    on_telegram = house.telegram.bot(TOKEN).client(101).last.button("Open").url
    on_vk = house.vk.accounts[KEY].clients["502"].last.buttons[0].value
    for link in (on_telegram or "", on_vk):
        name = Tokens.of_app(SECRET).read_link(link.removeprefix("https://m.acme.test/l/"))
        assert name is not None
        assert await house.store.links.find(name) == ("button", "https://acme.test/new")

    made = await operations.take_back(mailing, OLHA)
    await asyncio.sleep(0.3)
    await house.stop()  # in the middle of it
    await house.start()
    await house.until(is_over)
    assert house.texts() == {number: [] for number in range(1, CLIENTS + 1)}
    assert (await operations.amendment(made.id)).reached == CLIENTS
