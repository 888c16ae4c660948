"""A channel that hears, over a real storage: what tests of receipts and of clients' doings share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select

from engine.audience import read_audience
from engine.binding import StartPayloads
from engine.clock import FakeClock
from engine.receipts import Inbox
from gateways.base import (
    AccountBroken,
    AddressStatus,
    ButtonSet,
    Capabilities,
    Fact,
    Heard,
    PartKind,
    Pressed,
    Profile,
    Receipt,
    ReceiptState,
    Subscribed,
    TemplateChanged,
    TextUnit,
    Unsubscribed,
    Watermark,
    Wrote,
)
from gateways.message import Message, Reply, Text, plain
from storage.audiences import Audience
from storage.schema import attempts, counters, deliveries, delivery_id, mailings, parts, steps
from storage.store import Store
from tests.storage.people import CHANNELS, card_of

SHOP = "tg-shop"
FACT = Fact(4096, "a test")
KIND = Capabilities(
    kind="test",
    title="Test",
    max_text=FACT,
    max_caption=FACT,
    text_unit=TextUnit.CHARACTERS,
    markup=frozenset(),
    media=frozenset({PartKind.TEXT}),
    max_picture_bytes=FACT,
    max_file_bytes=FACT,
    album_sizes=range(2, 11),
    album_takes_buttons=False,
    max_buttons_in_row=FACT,
    max_label=FACT,
    button_sets=(ButtonSet(frozenset({Reply}), FACT),),
    receipts=frozenset({ReceiptState.DELIVERED, ReceiptState.READ, ReceiptState.FAILED}),
)
MESSAGE = Message((Text("Hi", buttons=((Reply("Tell me more", "More"), Reply("STOP", "Leave me alone")),)),))


@dataclass
class FakeGateway:
    """Knows its kind, and which presses were answered."""

    answered: list[str] = field(default_factory=list)
    capabilities: Capabilities = KIND

    async def answer_press(self, pressed: Pressed, words: str = "") -> None:
        self.answered.append(pressed.press_id)


@dataclass
class World:
    store: Store
    clock: FakeClock = field(default_factory=FakeClock)
    gateway: FakeGateway = field(default_factory=FakeGateway)
    replies: list[tuple[str, str, str]] = field(default_factory=list)
    revoked: list[tuple[str, int]] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    payloads: StartPayloads = field(default_factory=lambda: StartPayloads(b"of the tests"))
    keys: int = 0
    hands_over: bool = False

    def __post_init__(self) -> None:
        gateways: Any = {SHOP: self.gateway}
        self.inbox = Inbox(
            self.store,
            self.clock,
            gateways,
            replies=self,
            revoked=lambda *what: self.revoked.append(what),
            broken=self.break_channel,
            templates_changed=self.changed.append,
            payloads=self.payloads,
            hands_over=self.hands_over,
        )

    async def break_channel(self, channel: str, words: str) -> None:
        self.broken.append((channel, words))

    async def reply(self, channel: str, address: str, text: str) -> None:
        self.replies.append((channel, address, text))

    async def hear(self, *heard: Any, channel: str = SHOP) -> None:
        """Take it as one request of the platform, and let the answers go out."""
        receipts = tuple(one for one in heard if isinstance(one, Receipt))
        watermarks = tuple(one for one in heard if isinstance(one, Watermark))
        news = tuple(one for one in heard if isinstance(one, AccountBroken | TemplateChanged))
        inbound = tuple(one for one in heard if one not in (*receipts, *watermarks, *news))
        await self.inbox.take(channel, Heard(receipts, inbound, watermarks=watermarks, news=news))
        await self.inbox.settled()

    def key(self) -> str:
        self.keys += 1
        return f"k{self.keys}"

    def start(self, address: str = "7", payload: str = "", **options: Any) -> Subscribed:
        profile = Profile("Ann", "Lee", "ann_lee", "uk")
        return Subscribed(address, self.clock.now(), self.key(), payload, profile, **options)

    def wrote(self, text: str, address: str = "7", **options: Any) -> Wrote:
        return Wrote(address, self.clock.now(), self.key(), text, **options)

    def press(self, data: str, address: str = "7") -> Pressed:
        key = self.key()
        return Pressed(address, self.clock.now(), key, data, press_id=key)

    def blocked(self, address: str = "7") -> Unsubscribed:
        return Unsubscribed(address, self.clock.now(), self.key())

    async def status(self, address: str = "7") -> AddressStatus:
        card = await card_of(self.store, address)
        return next(one.status for one in card.addresses if one.external_id == address)

    async def reached(self) -> dict[str, int]:
        """Whom a mailing would reach now, and who is left out."""
        counted = await self.store.clients.count(Audience(read_audience({}), known_channels=CHANNELS))
        return {**counted.by_channel, **counted.left_out}

    async def mailed(self, address: str = "7", state: str = "sent", *, external_id: str | None = "m1") -> int:
        """A mailing with MESSAGE that ended so for this client; returns the delivery."""
        card = await card_of(self.store, address)
        address_id = next(one.id for one in card.addresses if one.external_id == address)
        now = self.clock.now()
        async with self.store.database.writing() as connection:
            mailing = {"name": "m", "routing": "main", "channels": [], "on_unknown": "skip", "created_by": "a|cli|"}
            mailing_id = (
                await connection.execute(insert(mailings).values(created_at=now, **mailing).returning(mailings.c.id))
            ).scalar_one()
            step = {"number": 1, "status": "sent", "start": "now", "audience": {}, "message": plain(MESSAGE)}
            step_id: int = (
                await connection.execute(insert(steps).values(mailing_id=mailing_id, **step).returning(steps.c.id))
            ).scalar_one()
            row = {"step_id": step_id, "client_id": card.id, "channel": SHOP, "address_id": address_id}
            await connection.execute(
                insert(deliveries).values(**row, state=state, due_at=now, started_at=now, finished_at=now)
            )
            delivery: int = delivery_id(step_id, card.id)
            if state not in ("planned", "sending"):
                attempt = {"delivery_id": delivery, "number": 1, "channel": SHOP, "address_id": address_id, "tries": 1}
                ended = {"started_at": now, "finished_at": now, "outcome": state}
                await connection.execute(insert(attempts).values(**attempt, **ended))
            if external_id is not None:
                part = {"delivery_id": delivery, "attempt": 1, "position": 0, "channel": SHOP}
                await connection.execute(insert(parts).values(**part, external_id=external_id, accepted_at=now))
        return delivery

    async def counted(self) -> dict[str, int]:
        async with self.store.database.read() as connection:
            found = await connection.execute(select(counters.c.name, counters.c.amount))
            return {row.name: row.amount for row in found if row.amount}

    async def counted_all(self) -> dict[str, int]:
        """Of several mailings together."""
        sums: dict[str, int] = {}
        for name, amount in await self.all(counters.c.name, counters.c.amount):
            sums[name] = sums.get(name, 0) + amount
        return sums

    async def all(self, *columns: Any) -> Sequence[Any]:
        async with self.store.database.read() as connection:
            return [tuple(row) for row in await connection.execute(select(*columns))]

    def receipt(self, state: ReceiptState, external_id: str | None = "m1", **more: Any) -> Receipt:
        known = {"reference": None, "occurred_at": self.clock.now(), "key": self.key()}
        return Receipt(state, external_id, **{**known, **more})
