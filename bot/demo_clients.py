"""The demo's clients: a file of them, their phones, and what they do before the mailing and when it comes."""

import asyncio
import base64
import csv
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from bot.simulated import Simulated
from gateways.simulator.telegram.clients import ClientState
from gateways.simulator.telegram.server import TelegramSimulator

if TYPE_CHECKING:
    from bot.surfaces.console.phones import PhoneEvent, Phones
    from bot.surfaces.console.wire import Json

SHOWN = 2  # phones of each messenger; their clients are reachable
_TEXTS = "sms"  # of whom many have a number, and nobody a main channel
_SHARES = {"telegram": 30, "viber": 22, "facebook": 16, "vk": 14, "whatsapp": 18}  # of main channels, in a hundred
# Of a hundred clients: the states that our card does not know yet, and the mailing finds out; "" is nobody there.
_TROUBLE: Mapping[str, Mapping[str, int]] = {
    "telegram": {"blocked": 4, "deactivated": 2},
    "viber": {"blocked": 4, "": 1},
    "facebook": {"blocked": 4},
    "vk": {"denied": 3, "deleted": 1},
    "whatsapp": {"no_whatsapp": 3, "blocked": 2},
}
_WITHOUT_ADDRESS, _ON_TWO, _WITH_NUMBER = 1, 12, 40  # of a hundred
_UNSUBSCRIBED = 0.02
_WROTE_LATELY = {"facebook": 0.75, "whatsapp": 0.6}  # where a window closes a day after; the others are outside
_GREETINGS = ("Hello! Are you open tomorrow?", "Hi, is my order on its way?", "Good morning!")
_BACK = "START"  # opens a window as any word does, and is no word that somebody has to read
_ANSWERS = ("Thank you!", "How long does it last?", "Do you deliver to {city}?")
_BROWSER = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari"

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


def write_clients(file: Path, messengers: Sequence[Simulated], *, count: int, seed: int) -> Mapping[str, Sequence[str]]:
    """Write so many clients as a client file, and give each a phone on its messengers. Returns the main
    addresses of those who are there, by channel, the first of each reachable."""
    chance = random.Random(seed)  # noqa: S311  # of sample clients
    there: dict[str, list[str]] = {messenger.channel: [] for messenger in messengers}
    channels = list(there)
    apps = [messenger for messenger in messengers if messenger.kind != _TEXTS]
    by_number = [messenger for messenger in messengers if messenger.kind == _TEXTS]
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("id", "first_name", "last_name", "language", "city", "ltv", "tags", "main_channel", *channels))
        for number in range(count):
            is_first = number < SHOWN * len(apps)
            shares = [_SHARES[messenger.kind] for messenger in apps]
            main = apps[number % len(apps)] if is_first else chance.choices(apps, shares)[0]
            language = chance.choices(list(_FIRST_NAMES), (5, 3, 2, 2))[0]
            firsts, lasts = _FIRST_NAMES[language], _LAST_NAMES[language]
            first_name, last_name = chance.choice(firsts), chance.choice(lasts)
            if is_first:  # of those who are shown, no two have the same name
                first_name, last_name = firsts[number % len(firsts)], lasts[number % len(lasts)]
            name = f"{first_name} {last_name}"
            luck = 100.0 if is_first else chance.uniform(0, 100)
            addresses: dict[str, str] = {}
            if luck >= _WITHOUT_ADDRESS:
                addresses[main.channel] = address = _address(main.kind, number, chance)
                if _join(main, address, name, "active" if is_first else _state(main.kind, chance)):
                    there[main.channel].append(address)
            if _WITHOUT_ADDRESS <= luck < _WITHOUT_ADDRESS + _ON_TWO:
                other = chance.choice([each for each in apps if each is not main])
                addresses[other.channel] = _address(other.kind, number, chance)
                _join(other, addresses[other.channel], name, "active")
            for messenger in by_number if number < SHOWN or (luck >= 100 - _WITH_NUMBER and not is_first) else ():
                phone = _address(messenger.kind, number, chance)
                addresses[messenger.channel] = f"+{phone}"
                if _join(messenger, phone, name, "active"):
                    there[messenger.channel].append(phone)
            tags = ";".join(chance.sample(_TAGS, chance.choice((0, 1, 1, 2))))
            ltv, city = round(chance.expovariate(1 / 120), 2), chance.choice(_CITIES[language])
            main_channel = main.channel if addresses else ""
            card = (f"c-{number + 1}", first_name, last_name, language, city, ltv, tags, main_channel)
            writer.writerow((*card, *(addresses.get(channel, "") for channel in channels)))
    return there


def _state(kind: str, chance: random.Random) -> str:
    trouble = _TROUBLE[kind]
    return chance.choices(("active", *trouble), (100 - sum(trouble.values()), *trouble.values()))[0]


def _address(kind: str, number: int, chance: random.Random) -> str:
    """As this messenger names people; nobody real."""
    match kind:
        case "telegram":
            return str(700_100_001 + number)
        case "viber":
            return base64.urlsafe_b64encode(chance.randbytes(15)).decode()
        case "facebook":
            return str(chance.randrange(10**15, 10**16))
        case "vk":
            return str(510_000_001 + number)
        case _:
            return f"44770{9_000_000 + number}"


def _join(messenger: Simulated, address: str, name: str, state: str) -> bool:
    """Whether the client is there at all."""
    if not state:
        return False
    if isinstance(messenger.server, TelegramSimulator):
        first_name, _, last_name = name.partition(" ")
        bot = messenger.server.bot(messenger.account)
        bot.add_client(int(address), first_name, last_name=last_name, state=ClientState(state))
    else:
        messenger.server.add_client(messenger.account, address, name, state=state)
    return True


class Crowd:
    """Everybody's hands: they write before, and press, follow links, answer or leave when a message comes."""

    def __init__(self, phones: "Phones", own_url: str, seed: int) -> None:
        self._phones = phones
        self._own_url = own_url  # links that lead elsewhere are not followed
        self._chance = random.Random(seed)  # noqa: S311  # of sample clients
        self._busy: set[asyncio.Task[None]] = set()
        self._seen: set[tuple[str, str]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._web: aiohttp.ClientSession | None = None

    def write_before(self) -> int:
        """Some write to us, which opens their window, and some write STOP; returns how many did that."""
        active = [phone for phone in self._phones.phones() if phone.state == "active"]
        places: dict[str, int] = {}
        others = []
        for phone in active:
            place = places[phone.kind] = places.get(phone.kind, -1) + 1
            share = _WROTE_LATELY.get(phone.kind, 0.0)
            # Of the phones that are shown, one on WhatsApp is outside, for its template to be seen.
            wrote = place == 0 or phone.kind != "whatsapp" if place < SHOWN else self._chance.random() < share
            if share and wrote:
                self._phones.say(phone.id, self._chance.choice(_GREETINGS) if place < SHOWN else _BACK)
            if place >= SHOWN and phone.kind != _TEXTS:
                others.append(phone.id)
        leaving = self._chance.sample(others, round(len(others) * _UNSUBSCRIBED))
        for phone_id in leaving:
            self._phones.say(phone_id, "STOP")
        return len(leaving)

    def come(self) -> None:
        self._web = aiohttp.ClientSession(headers={"User-Agent": _BROWSER})
        self._watching = asyncio.create_task(self._watch(), name="the crowd")

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
        if self._web is not None:
            await self._web.close()

    async def _watch(self) -> None:
        with self._phones.events() as happening:
            async for event in happening:
                if event.what["kind"] == "message" and event.what["message"]["side"] == "bot":
                    self._perhaps_react(event)

    def _perhaps_react(self, event: "PhoneEvent") -> None:
        message = event.what["message"]
        buttons = [button for row in (*message["rows"], *message.get("keyboard", ())) for button in row]
        if not buttons or (event.phone, message["id"]) in self._seen:
            return  # a receipt changes a message, which is no new one
        self._seen.add((event.phone, message["id"]))
        luck = self._chance.random()
        if luck < 0.36:
            delay_s = self._chance.uniform(0.3, 3.0)
            task = asyncio.create_task(self._react(event.phone, message["id"], buttons, luck, delay_s), name="a client")
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

    async def _react(self, phone: str, message_id: str, buttons: "list[Json]", luck: float, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        replies = [number for number, button in enumerate(buttons) if "url" not in button]
        links = [button["url"] for button in buttons if button.get("url", "").startswith(f"{self._own_url}/")]
        if luck < 0.005:
            self._phones.block(phone)
        elif luck < 0.01:
            self._phones.say(phone, self._chance.choice(_ANSWERS).format(city="Lviv"))
        elif luck < 0.15 and links and self._web is not None:
            async with self._web.get(links[0], allow_redirects=False):
                pass
        elif replies:
            self._phones.press(phone, message_id, replies[0])
