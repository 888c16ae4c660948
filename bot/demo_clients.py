"""The demo's clients: a file of them, their phones, and what they do when a message comes."""

import asyncio
import csv
import random
from pathlib import Path
from typing import TYPE_CHECKING

from gateways.simulator.telegram.clients import ClientState, SimulatedClient
from gateways.simulator.telegram.messages import EventKind

if TYPE_CHECKING:
    from gateways.simulator.telegram.bots import SimulatedBot
    from gateways.simulator.telegram.messages import Event
    from gateways.simulator.telegram.server import TelegramSimulator

SHOP = "tg-shop"
FIRST_ID = 700_100_001
_FIRST_NAMES = {
    "en": ("Alice", "Ben", "Chloe", "Daniel", "Emma", "Finn", "Grace", "Harry", "Isla", "Jack", "Lily", "Noah"),
    "uk": ("Олена", "Андрій", "Марія", "Тарас", "Софія", "Дмитро", "Ірина", "Богдан", "Наталя", "Юрій", "Катерина"),
    "de": ("Anna", "Lukas", "Marie", "Felix", "Lena", "Jonas", "Mia", "Paul", "Clara", "Jan", "Sophie", "Emil"),
    "es": ("Lucía", "Mateo", "Carmen", "Diego", "Elena", "Javier", "Paula", "Pablo", "Sofía", "Álvaro"),
}
_LAST_NAMES = {
    "en": ("Baker", "Clarke", "Evans", "Foster", "Green", "Hughes", "Morgan", "Parker", "Reed", "Walsh"),
    "uk": ("Бондаренко", "Гончар", "Коваль", "Кравченко", "Лисенко", "Мельник", "Олійник", "Савчук", "Шевченко"),
    "de": ("Becker", "Fischer", "Hoffmann", "Keller", "Lehmann", "Neumann", "Richter", "Schulz", "Wagner"),
    "es": ("Castro", "Delgado", "Flores", "García", "Herrera", "Iglesias", "Molina", "Romero", "Vega"),
}
_CITIES = {
    "en": ("London", "Dublin", "Leeds"),
    "uk": ("Київ", "Львів", "Одеса"),
    "de": ("Berlin", "Köln", "Wien"),
    "es": ("Madrid", "Sevilla", "Valencia"),
}
_TAGS = ("garden", "vip", "newsletter", "wholesale", "new")
# Of a hundred clients: what our card does not know yet, and the mailing finds out.
_BLOCKED, _GONE = 4, 2
_UNSUBSCRIBED, _WITHOUT_ADDRESS = 2, 1
_ANSWERS = ("Thank you!", "How long does it last?", "Do you deliver to {city}?")


def write_clients(file: Path, shop: "SimulatedBot", *, count: int, seed: int) -> None:
    """Write so many clients as a client file, and give each a phone. The first ones are reachable."""
    chance = random.Random(seed)  # noqa: S311  # of sample clients
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("id", "first_name", "last_name", "language", "city", "ltv", "tags", SHOP))
        for number in range(count):
            language = chance.choices(list(_FIRST_NAMES), (5, 3, 2, 2))[0]
            first_name, last_name = chance.choice(_FIRST_NAMES[language]), chance.choice(_LAST_NAMES[language])
            luck = chance.uniform(0, 100) if number >= 8 else 100.0
            user_id = FIRST_ID + number
            shop.add_client(
                user_id,
                first_name,
                last_name=last_name,
                language_code=language,
                state=ClientState.DEACTIVATED if _BLOCKED <= luck < _BLOCKED + _GONE else ClientState.ACTIVE,
            )
            if luck < _BLOCKED:
                shop.client(user_id).state = ClientState.BLOCKED
            has_address = not _BLOCKED + _GONE <= luck < _BLOCKED + _GONE + _WITHOUT_ADDRESS
            tags = chance.sample(_TAGS, chance.choice((0, 1, 1, 2)))
            ltv = round(chance.expovariate(1 / 120), 2)
            city = chance.choice(_CITIES[language])
            address = user_id if has_address else ""
            writer.writerow((f"c-{number + 1}", first_name, last_name, language, city, ltv, ";".join(tags), address))


def unsubscribe_some(shop: "SimulatedBot", seed: int) -> int:
    """Some write STOP before the mailing; returns how many."""
    chance = random.Random(seed + 1)  # noqa: S311  # of sample clients
    candidates = [client for client in list(shop.clients.values())[8:] if client.state is ClientState.ACTIVE]
    leaving = chance.sample(candidates, len(candidates) * _UNSUBSCRIBED // 100)
    for client in leaving:
        client.says("STOP")
    return len(leaving)


class Crowd:
    """The clients' own life: a third press a button, a few answer, one blocks us."""

    def __init__(self, simulator: "TelegramSimulator", shop: "SimulatedBot", seed: int) -> None:
        self._simulator = simulator
        self._shop = shop
        self._chance = random.Random(seed + 2)  # noqa: S311  # of sample clients
        self._watching: asyncio.Task[None] | None = None
        self._busy: set[asyncio.Task[None]] = set()

    def come(self) -> None:
        self._watching = asyncio.create_task(self._watch(), name="the demo's clients")

    async def settle(self, most_s: float = 4.0) -> None:
        """Let those who are about to do something do it."""
        if self._busy:
            await asyncio.wait(self._busy, timeout=most_s)

    async def leave(self) -> None:
        tasks = [task for task in (self._watching, *self._busy) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _watch(self) -> None:
        with self._simulator.subscribe() as happening:
            async for event in happening:
                if event.kind is EventKind.MESSAGE and event.token == self._shop.token:
                    self._perhaps_react(event)

    def _perhaps_react(self, event: "Event") -> None:
        message, luck = event.message, self._chance.random()
        if message is None or luck > 0.36 or not message.keyboard:
            return
        labels = [button.label for row in message.keyboard for button in row if button.callback_data]
        client = self._shop.client(event.chat_id)
        delay_s = self._chance.uniform(0.3, 3.0)
        task = asyncio.create_task(self._react(client, message.message_id, labels, luck, delay_s), name="a client")
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _react(
        self, client: SimulatedClient, message_id: int, labels: list[str], luck: float, delay_s: float
    ) -> None:
        await asyncio.sleep(delay_s)
        if luck < 0.005:
            client.block()
        elif luck < 0.03:
            client.says(self._chance.choice(_ANSWERS).format(city="Lviv"))
        elif labels:
            client.presses(message_id, labels[0])
