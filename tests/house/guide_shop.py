"""A shop for the operators' guide: its clients, its people, and an engine whose messengers do as they are told.

Everything runs on a clock that stands still until a scene moves it, so that the guide reads the same every time."""

import asyncio
import re
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bot.conversation import Conversation
from bot.dialogs.talk import House
from bot.people import Everybody
from bot.progress import LiveCards
from bot.screens import Person, Said, Screen
from engine.clock import FakeClock
from engine.imports import upsert_clients
from engine.links import LinkDesk, link_length
from engine.media import Media
from engine.operations import Operations
from engine.runner import Engine
from engine.settings import ApprovalRule, ChannelSettings, EngineSettings
from gateways.base import (
    Accepted,
    Account,
    Capabilities,
    Correction,
    GatewayError,
    Heard,
    Hook,
    Inbound,
    Outgoing,
    Receipt,
    ReceiptState,
    SentPart,
    Template,
    Wrote,
)
from gateways.telegram.capabilities import TELEGRAM
from gateways.twilio.capabilities import SMS
from gateways.viber.capabilities import VIBER
from gateways.whatsapp.capabilities import WHATSAPP
from storage.migrate import upgrade
from storage.records import Role, Status
from storage.store import Store, open_store
from tests.bot.chat import Chat
from tests.house.guide_clients import drawn_fern, rows

BEGIN = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # a Monday, nine in Kyiv
LINKS = "https://m.acme.example"
PEOPLE = {
    ("telegram", "1001"): Person("Olha", Role.OPERATOR, accounts={"telegram": "1001"}),
    ("telegram", "1002"): Person("Ostap", Role.OWNER, accounts={"telegram": "1002"}),
    ("telegram", "1003"): Person("Maria", Role.MANAGER, accounts={"telegram": "1003"}),
    ("telegram", "1004"): Person("Petro", Role.APPROVER, accounts={"telegram": "1004"}),
}
ACCOUNTS = {person.name: account for (_surface, account), person in PEOPLE.items()}
CHANNELS = {"tg-shop": TELEGRAM, "viber-shop": VIBER, "wa-shop": WHATSAPP, "sms-shop": SMS}
PRICES = {"viber.charged": "0.012", "sms.segment": "0.045", "whatsapp.marketing": "0.086"}
SALE = Template(
    "spring_sale", "en", "approved", "marketing", body="Hello {{1}}! Our ferns are {{2}} off.", parameters=("1", "2")
)
_WIDEST = 100  # letters of a line that is seen without scrolling
_CODE = re.compile(r"join-[\w-]{32}")


class Messenger:
    """Takes what is sent, but for the addresses that refuse it; what it was told comes back as receipts."""

    def __init__(self, channel: str, able: Capabilities) -> None:
        self.channel = channel
        self.capabilities = able
        self.sent: list[tuple[Outgoing, str]] = []
        self.refuses: dict[str, GatewayError] = {}

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        return [self._send(outgoing) for outgoing in parts]

    def _send(self, outgoing: Outgoing) -> Accepted | GatewayError:
        if error := self.refuses.get(outgoing.address):
            return error
        self.sent.append((outgoing, f"{outgoing.address}:{len(self.sent)}"))
        return Accepted(self.sent[-1][1])

    async def take_back(self, parts: Sequence[SentPart]) -> Sequence[GatewayError | None]:
        return [None for _ in parts]

    async def correct(self, corrections: Sequence[Correction]) -> Sequence[GatewayError | None]:
        return [None for _ in corrections]

    async def check(self) -> Account:
        return Account(self.channel, f"Acme on {self.capabilities.title}")

    def verify(self, request: Hook) -> None: ...

    def parse(self, request: Hook) -> Heard:
        return Heard()

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Patient(Engine):
    """It works only while the clock moves, so what stands on a card does not depend on who was faster."""

    def nudge(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Task:
    """A page of the guide: what it is for in two or three sentences, and how it is played."""

    title: str
    words: str
    play: Callable[["Shop"], Awaitable[None]] | None = None
    captions: Mapping[str, str] = field(default_factory=dict)  # of its pictures, by name


@dataclass(slots=True)
class Paper:
    """What a scene leaves behind: the lines of its conversation, and its pictures by name."""

    lines: list[str] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    speaker: str = ""

    def turn_to(self, name: str, where: str = "") -> None:
        if name != self.speaker:
            self.lines.append(f"── {name}{where} ──")
            self.speaker = name

    def text(self) -> str:
        said = _CODE.sub("join-…", "\n".join(self.lines))
        return "\n".join(line for long in said.splitlines() for line in _wrapped(long))


def _wrapped(line: str) -> list[str]:
    margin = "    " if line.startswith("    ") else "  "
    return textwrap.wrap(line, _WIDEST, subsequent_indent=margin, break_on_hyphens=False, drop_whitespace=True) or [""]


@dataclass(slots=True)
class Telling(Chat):
    """A chat that is written down for the guide, with its pictures and files."""

    name: str = ""
    paper: Paper = field(default_factory=Paper)
    quiet: bool = False  # what is said now does not stand in the guide

    async def say(self, words: str = "", **said: object) -> None:
        self.quiet = bool(said.pop("quiet", False))
        await Chat.say(self, words, **said)
        self.quiet = False

    async def hand(self, words: str, said: Said) -> None:
        """Send a file or a picture; `words` tell of it in the guide."""
        self.transcript.append(f"> {words}")
        await self._do(said)

    def _show(self, screen: Screen, pressed: str) -> str:
        self.paper.turn_to(self.name)
        message_id = Chat._show(self, screen, pressed)
        self._write(*_extras(screen))
        return message_id

    def _write(self, *words: str) -> None:
        self.transcript.extend(words)
        if not self.quiet:
            self.paper.turn_to(self.name)
            self.paper.lines.extend(self.transcript)
        self.transcript.clear()

    def keep(self, name: str) -> None:
        """The picture of the last answer goes into the guide."""
        self.paper.pictures[name] = next(screen.picture for screen in self.answer if screen.picture)

    def keep_looks(self, **names: str) -> None:
        """Those of the album, by what each is called."""
        album = {one.title: one.png for screen in self.answer for one in screen.album}
        self.paper.pictures |= {name: album[title] for name, title in names.items()}


def _extras(screen: Screen) -> list[str]:
    picture = ["    (a chart)"] if screen.picture else []
    return [*picture, *(f"    (a file: {one.name})" for one in screen.files)]


@dataclass(slots=True)
class Board:
    """What the bot says by itself, in the chat of each person."""

    name: str
    chats: Mapping[str, Telling]

    async def show(self, chat: str, screen: Screen) -> str:
        if teller := self.chats.get(chat):
            return teller._show(screen, "")
        return "0"

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        if teller := self.chats.get(chat):
            for shown in teller.messages:
                if shown.id == message_id:
                    shown.screen = screen
        return message_id


@dataclass(slots=True)
class Shop:
    store: Store
    operations: Operations
    settings: EngineSettings
    clock: FakeClock
    engine: Engine
    messengers: Mapping[str, Messenger]
    conversation: Conversation
    paper: Paper = field(default_factory=Paper)
    keys: int = 0

    def chat(self, name: str = "Olha", account: str = "") -> Telling:
        return Telling(self.conversation, account or ACCOUNTS[name], name=name, paper=self.paper)

    # --- time ---

    async def settle(self) -> None:
        """Until the storage rests and everybody has had a turn."""
        quiet = 0
        while quiet < 10:
            busy = self.store.writer.busy or self.store.database._engine.pool.checkedout()  # type: ignore[attr-defined]
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0.0005 if busy else 0)

    async def pass_by(self, seconds: float) -> None:
        await self.clock.advance(seconds, self.settle)

    async def jump(self, **span: float) -> None:
        """Much time at once: whoever sleeps wakes only at its end."""
        self.clock._elapsed_s += timedelta(**span).total_seconds()
        await self.pass_by(1)

    async def until(self, status: Status, mailing_id: int) -> None:
        for _ in range(200):
            if (await self.operations.get(mailing_id)).status is status:
                return
            await self.pass_by(0.25)
        raise AssertionError(f"{mailing_id} never came to {status}")

    async def until_amended(self) -> None:
        while await self.store.amendments.running():
            await self.pass_by(0.25)

    # --- what messengers tell ---

    async def hear(self, channel: str, *inbound: Inbound) -> None:
        await self.engine.inbox.take(channel, Heard(inbound=inbound))
        await self.engine.inbox.settled()

    async def report(self, channel: str, *, delivered: int, read: int = 0) -> None:
        """Receipts for so many of what the channel has sent so far."""
        found = self.messengers[channel].sent
        told = [(ReceiptState.DELIVERED, found[:delivered]), (ReceiptState.READ, found[:read])]
        at = self.clock.now()
        receipts = tuple(
            Receipt(
                state, external_id, outgoing.reference or None, at, f"{state}{external_id}", address=outgoing.address
            )
            for state, sent in told
            for outgoing, external_id in sent
        )
        await self.engine.inbox.take(channel, Heard(receipts))

    def wrote(self, address: str, text: str) -> Wrote:
        self.keys += 1
        return Wrote(address, self.clock.now(), f"w{self.keys}", text)

    async def meanwhile(self, doing: Awaitable[None]) -> None:
        """Let the engine work while somebody waits for an answer."""
        task = asyncio.ensure_future(doing)
        while not task.done():
            await self.pass_by(0.05)
        await task

    async def tell(self, *chats: Telling) -> None:
        """Bring live cards up to date and tell what happened to these people."""
        board = Board("telegram", {chat.account: chat for chat in chats})
        cards = LiveCards(
            operations=self.operations,
            store=self.store,
            surfaces={"telegram": board},
            people=PEOPLE,
            settings=self.settings,
            house=HOUSE,
            clock=self.clock,
        )
        await cards.tick()

    def picture(self) -> str:
        return Media(self.settings.data_dir).keep(drawn_fern(), "fern.png")


HOUSE = House(name="Acme Ferns", support="ops@acme.example")


@asynccontextmanager
async def open_shop(folder: Path, *, people: int = 60) -> AsyncIterator[Shop]:
    """A shop on a storage of its own, with its engine running."""
    clock = FakeClock(BEGIN)
    channels = {name: ChannelSettings(name, able) for name, able in CHANNELS.items()}
    settings = EngineSettings(
        channels,
        folder,
        kinds=tuple(able.kind for able in CHANNELS.values()),
        timezone="Europe/Kyiv",
        approval=ApprovalRule(above=40),
        prices={name: (Decimal(price), "EUR") for name, price in PRICES.items()},
        link_length=link_length(LINKS),
    )
    url = f"sqlite:///{folder}/guide.db"
    async with open_store(url, data_dir=folder, secret=b"of the guide") as store:
        await upgrade(store.database)
        await upsert_clients(store, rows(people), channels=channels, clock=clock)
        await store.templates.sync("wa-shop", [SALE], clock.now())
        messengers = {name: Messenger(name, able) for name, able in CHANNELS.items()}
        links = LinkDesk(store, b"of the guide", LINKS)
        engine = Patient(store, messengers, settings, clock, links=links)

        async def check_channel(channel: str) -> Account:
            return await messengers[channel].check()

        operations = Operations(store, settings, clock, check_channel=check_channel, engine=engine)
        everybody = Everybody(PEOPLE, store)
        everybody.doors = {
            "telegram": Door("https://t.me/acme_team_bot?start={code}"),
            "slack": Door("/carillon join {code}"),
        }
        conversation = Conversation(
            operations=operations, store=store, people=everybody, settings=settings, house=HOUSE, clock=clock
        )
        shop = Shop(store, operations, settings, clock, engine, messengers, conversation)
        running = asyncio.create_task(engine.run(), name="the guide's engine")
        try:
            await shop.pass_by(1)
            await shop.hear("wa-shop", *(shop.wrote(f"3805010{number:05}", "Hello!") for number in range(8, 60, 20)))
            yield shop
        finally:
            stopping = asyncio.create_task(engine.stop(), name="the end of it")
            while not running.done():
                await shop.pass_by(1)
            await stopping
            await running


@dataclass(frozen=True, slots=True)
class Door:
    way: str

    def way_in(self, code: str) -> str:
        return self.way.format(code=code)
