"""A cascade from its plan to its end: next channels, receipts that come late or never, opt-outs on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from engine.clock import SystemClock
from engine.operations import Operations
from engine.runner import Engine
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import (
    Accepted,
    Account,
    AddressGone,
    AddressStatus,
    Capabilities,
    GatewayError,
    Heard,
    Hook,
    Outgoing,
    OutsideWindow,
    Receipt,
    ReceiptState,
)
from gateways.message import Message, Text
from gateways.telegram.capabilities import TELEGRAM
from storage.addresses import AddressChange, change_addresses, keep_in_step
from storage.opting import OptOut, opt_out
from storage.records import Actor, Draft, Role, Routing, Status
from storage.schema import addresses, clients
from storage.store import Store

OLHA = Actor("Olha", Role.OWNER)
FIRST = replace(TELEGRAM, kind="first", title="First", receipts=frozenset(ReceiptState), carries_reference=True)
SECOND = replace(TELEGRAM, kind="second", title="Second")
THIRD = replace(TELEGRAM, kind="third", title="Third", receipts=frozenset(ReceiptState))
MESSAGE = Message((Text("Hi"),))


class Speaker:
    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.sent: list[Outgoing] = []
        self.refuses: dict[str, GatewayError] = {}

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        self.sent += parts
        return [self.refuses.get(out.address) or Accepted(f"{self.capabilities.kind}-{out.reference}") for out in parts]

    async def check(self) -> Account:
        return Account("1", self.capabilities.title)

    def verify(self, request: Hook) -> None: ...

    def parse(self, request: Hook) -> Heard:
        return Heard()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def to(self) -> list[str]:
        return [out.address for out in self.sent]


@dataclass
class House:
    store: Store
    engine: Engine
    operations: Operations
    speakers: Mapping[str, Speaker]

    async def client(self, number: int, **statuses: AddressStatus) -> None:
        """A client with an address on each named channel: first, second, third."""
        now = datetime.now().astimezone()
        async with self.store.database.writing() as connection:
            await connection.execute(
                insert(clients).values(id=number, created_at=now, updated_at=now, main_channel="first")
            )
            for channel, status in statuses.items():
                place = {"client_id": number, "scope": channel, "channel": channel, "details": {}}
                stamps = {"status": status.value, "status_at": now, "created_at": now}
                await connection.execute(insert(addresses).values(**place, **stamps, external_id=f"{channel}{number}"))
            await keep_in_step(connection, [number])

    async def launch(self, message: Message = MESSAGE, routing: Routing = Routing.CASCADE) -> int:
        channels = tuple(self.speakers) if routing is not Routing.MAIN else ()
        draft = Draft("Cascade", message, routing=routing, channels=channels)
        mailing_id = await self.operations.create(draft, OLHA)
        await self.operations.launch(mailing_id, OLHA)
        return mailing_id

    async def figures(self, mailing_id: int) -> dict[str, Any]:
        return await self.operations.figures(mailing_id)

    async def until(self, holds: Callable[[dict[str, Any]], bool], mailing_id: int) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while not holds(figures := await self.figures(mailing_id)):
                await asyncio.sleep(0.02)
        planned = sum(figures[name] for name in ("waiting", "sent", "failed", "skipped", "cancelled", "unknown"))
        assert figures["planned"] == planned
        return figures

    async def until_sent(self, mailing_id: int) -> dict[str, Any]:
        return await self.until(lambda figures: figures["status"] == "sent", mailing_id)

    async def hears(self, channel: str, number: int, state: ReceiptState, **more: Any) -> None:
        out = next(out for out in self.speakers[channel].sent if out.address == f"{channel}{number}")
        kind = self.speakers[channel].capabilities.kind
        at = datetime.now().astimezone()
        receipt = Receipt(state, f"{kind}-{out.reference}", None, at, key=f"{state}{out.reference}", **more)
        await self.engine.inbox.take(channel, Heard((receipt,)))


@asynccontextmanager
async def opened(store: Store, folder: Path, after_s: float) -> AsyncIterator[House]:
    kinds = {"first": FIRST, "second": SECOND, "third": THIRD}
    speakers = {name: Speaker(able) for name, able in kinds.items()}
    settings = EngineSettings(
        {name: ChannelSettings(name, able, 25.0) for name, able in kinds.items()}, folder, cascade_after_s=after_s
    )

    async def check_channel(channel: str) -> Account:
        return await speakers[channel].check()

    engine = Engine(store, speakers, settings, SystemClock())
    operations = Operations(store, settings, SystemClock(), check_channel=check_channel, engine=engine)
    running = asyncio.create_task(engine.run())
    try:
        yield House(store, engine, operations, speakers)
    finally:
        await engine.stop()
        await running


@pytest.fixture
async def patient(store: Store, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(store, tmp_path, after_s=60.0) as house:
        yield house


@pytest.fixture
async def hasty(store: Store, tmp_path: Path) -> AsyncIterator[House]:
    async with opened(store, tmp_path, after_s=0.2) as house:
        yield house


ON = AddressStatus.ENABLED


async def test_blocked_and_gone_go_on_at_once(patient: House) -> None:
    await patient.client(1, first=ON, second=ON)
    patient.speakers["first"].refuses["first1"] = AddressGone("blocked", status=AddressStatus.BLOCKED)
    mailing = await patient.launch()
    figures = await patient.until_sent(mailing)
    assert (figures["sent"], figures["failed"]) == (1, 0)
    assert figures["by_channel"]["second"]["sent"] == 1
    assert "first" not in figures["by_channel"]
    assert patient.speakers["second"].to == ["second1"]
    async with patient.store.database.read() as connection:
        status = await connection.scalar(select(addresses.c.status).where(addresses.c.external_id == "first1"))
    assert status == AddressStatus.BLOCKED


async def test_a_closed_window_goes_on_at_once(patient: House) -> None:
    await patient.client(1, first=ON, third=ON)
    patient.speakers["first"].refuses["first1"] = OutsideWindow("closed")
    mailing = await patient.launch()
    await patient.until(lambda _: patient.speakers["third"].to == ["third1"], mailing)


async def test_no_receipt_in_time_goes_on(hasty: House) -> None:
    await hasty.client(1, first=ON, second=ON)
    mailing = await hasty.launch()
    figures = await hasty.until_sent(mailing)
    assert hasty.speakers["second"].to == ["second1"]
    assert (figures["sent"], figures["by_channel"]["second"]["planned"]) == (1, 1)


async def test_a_receipt_in_time_ends_it_there(patient: House) -> None:
    await patient.client(1, first=ON, second=ON)
    mailing = await patient.launch()
    figures = await patient.until(lambda figures: "second" in figures["by_channel"], mailing)
    assert (figures["waiting"], figures["sent"]) == (1, 0)
    await patient.hears("first", 1, ReceiptState.DELIVERED)
    figures = await patient.until_sent(mailing)
    assert (figures["sent"], figures["delivered"]) == (1, 1)
    assert figures["by_channel"]["first"]["planned"] == 1
    assert patient.speakers["second"].to == []


async def test_a_failed_receipt_goes_on_at_once(patient: House) -> None:
    await patient.client(1, first=ON, second=ON)
    mailing = await patient.launch()
    await patient.until(lambda _: patient.speakers["first"].to == ["first1"], mailing)
    await patient.hears("first", 1, ReceiptState.FAILED, reason="not_found")
    figures = await patient.until_sent(mailing)
    assert patient.speakers["second"].to == ["second1"]
    assert (figures["sent"], figures["failed"]) == (1, 0)


async def test_what_arrives_after_all_is_told_as_both(hasty: House) -> None:
    await hasty.client(1, first=ON, second=ON)
    mailing = await hasty.launch()
    await hasty.until_sent(mailing)
    await hasty.hears("first", 1, ReceiptState.DELIVERED)
    figures = await hasty.figures(mailing)
    assert (figures["sent"], figures["both"]) == (1, 1)


async def test_an_opt_out_ends_a_cascade(patient: House) -> None:
    await patient.client(1, first=ON, second=AddressStatus.UNSUBSCRIBED, third=ON)
    await patient.client(2, first=ON, second=ON)
    patient.speakers["first"].refuses["first1"] = AddressGone("blocked", status=AddressStatus.BLOCKED)
    patient.speakers["first"].refuses["first2"] = AddressGone("stop", status=AddressStatus.UNSUBSCRIBED)
    mailing = await patient.launch()
    figures = await patient.until_sent(mailing)
    assert figures["failed"] == 2
    assert patient.speakers["second"].to == patient.speakers["third"].to == []


async def test_an_opt_out_while_it_waits_ends_a_cascade(hasty: House) -> None:
    await hasty.client(1, first=ON, second=ON)
    await hasty.client(2, first=ON, second=ON)
    mailing = await hasty.launch()
    await hasty.until(lambda _: len(hasty.speakers["first"].sent) == 2, mailing)
    out = OptOut(client_id=1, scope="first", source="keyword", at=datetime.now().astimezone())
    await hasty.store.writer.write(opt_out, out)
    figures = await hasty.until_sent(mailing)
    assert hasty.speakers["second"].to == ["second2"]
    assert (figures["sent"], figures["skipped"], figures["failed"]) == (2, 0, 0)
    assert figures["by_channel"]["first"]["sent"] == 1


async def test_what_one_channel_took_stays_sent_where_no_later_one_does(hasty: House) -> None:
    await hasty.client(1, first=ON, second=ON)
    hasty.speakers["second"].refuses["second1"] = AddressGone("blocked", status=AddressStatus.BLOCKED)
    mailing = await hasty.launch()
    figures = await hasty.until_sent(mailing)
    assert (figures["sent"], figures["failed"]) == (1, 0)
    assert figures["by_channel"]["first"]["sent"] == 1
    assert "second" not in figures["by_channel"]


async def test_a_cancel_leaves_what_was_taken_as_sent(patient: House) -> None:
    await patient.client(1, first=ON, second=ON)
    mailing = await patient.launch()
    await patient.until(lambda _: patient.speakers["first"].to == ["first1"], mailing)
    await patient.until(lambda figures: "second" in figures["by_channel"], mailing)
    await patient.operations.cancel(mailing, OLHA)
    figures = await patient.until(lambda figures: figures["waiting"] == 0, mailing)
    assert (figures["status"], figures["sent"], figures["cancelled"]) == ("cancelled", 1, 0)


async def test_who_has_only_one_of_the_channels_is_simply_sent(patient: House) -> None:
    await patient.client(1, first=ON)
    await patient.client(2, second=ON)
    mailing = await patient.launch()
    figures = await patient.until_sent(mailing)
    assert figures["sent"] == 2


async def test_a_message_for_one_messenger_goes_to_everybody_there(patient: House) -> None:
    await patient.client(1, first=ON, second=ON)
    await patient.client(2, first=ON)
    await patient.client(3, second=AddressStatus.BLOCKED, first=ON)
    message = replace(MESSAGE, kinds=frozenset({"second"}))
    mailing = await patient.launch(message, Routing.MAIN)
    figures = await patient.until_sent(mailing)
    assert patient.speakers["second"].to == ["second1"]
    assert patient.speakers["first"].to == []
    assert figures["left_out"] == {"blocked": 1, "no_address": 1}
    assert (await patient.operations.get(mailing)).status is Status.SENT


async def test_a_block_in_the_last_moment_goes_on(patient: House) -> None:
    for number in range(1, 21):
        await patient.client(number, first=ON, second=ON)
    mailing = await patient.launch()
    await patient.until(lambda _: bool(patient.speakers["first"].sent), mailing)
    async with patient.store.database.writing() as connection:
        its = await connection.scalar(select(addresses.c.id).where(addresses.c.external_id == "first20"))
        block = AddressChange(its, AddressStatus.BLOCKED, "", datetime.now().astimezone())
        await change_addresses(connection, [block])
    await patient.until(lambda _: patient.speakers["second"].to == ["second20"], mailing)
    assert "first20" not in patient.speakers["first"].to
