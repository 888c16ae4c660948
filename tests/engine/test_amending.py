"""What is done about a mailing that clients have: taken back and corrected through the lane, durably, with numbers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from engine.amender import Amender
from engine.clock import FakeClock
from engine.errors import Invalid, Refused
from engine.operations import Operations
from engine.settings import ApprovalRule, ChannelSettings, EngineSettings
from gateways.base import (
    Account,
    AddressGone,
    Capabilities,
    ChannelBroken,
    Correction,
    GatewayError,
    MessageRejected,
    Part,
    PartKind,
    SentPart,
    Throttled,
    Unavailable,
)
from gateways.message import Message, Pictures, Text, plain
from gateways.telegram.capabilities import TELEGRAM
from storage.counters import add_counters
from storage.filters import MailingResult
from storage.records import Actor, AmendmentKind, AmendmentStatus, Mailing, Role, Status
from storage.schema import attempts, deliveries, parts, steps
from storage.store import Store
from tests.engine.lanes import CHANNEL, FakeGateway, World

OLHA = Actor("Olha", Role.OPERATOR, "telegram", "1001")
MAX = Actor("Max", Role.MANAGER)
WRONG = Message((Text("Hi {{ client.first_name }}: 90 % off"),))
RIGHT = Message((Text("Hi {{ client.first_name }}: 9 %"),))


class Changing(FakeGateway):
    """Says yes, but for what `refusals` hold for an address, each once."""

    capabilities: Capabilities = TELEGRAM

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.gone: list[str] = []
        self.texts: dict[str, str] = {}
        self.changes: list[float] = []
        self.refusals: dict[str, list[GatewayError]] = {}

    async def take_back(self, parts: Sequence[SentPart]) -> Sequence[GatewayError | None]:
        outcomes = [self._done(part) for part in parts]
        self.gone += [part.address for part, outcome in zip(parts, outcomes, strict=True) if outcome is None]
        return outcomes

    async def correct(self, corrections: Sequence[Correction]) -> Sequence[GatewayError | None]:
        outcomes: list[GatewayError | None] = []
        for one in corrections:
            outcomes.append(self._done(one.sent))
            if outcomes[-1] is None:
                self.texts[one.sent.address] = one.outgoing.text.text
        return outcomes

    def _done(self, part: SentPart) -> GatewayError | None:
        self.changes.append(self.clock.monotonic())
        answers = self.refusals.get(part.address)
        return answers.pop(0) if answers else None


class Shop:
    """A mailing that a lane has sent to some clients, and what people may do about it then."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.world = World(store.database, store.writer, Changing)
        self.clock = self.world.clock
        channel = ChannelSettings(CHANNEL, TELEGRAM)
        self.settings = EngineSettings({CHANNEL: channel}, folder, timezone="Europe/Kyiv", tries=2)
        self.lanes = {CHANNEL: self.world.lane}

    @property
    def gateway(self) -> Changing:
        assert isinstance(self.world.gateway, Changing)
        return self.world.gateway

    @property
    def operations(self) -> Operations:
        async def check_channel(channel: str) -> Account:
            return Account(channel, channel)

        return Operations(self.store, self.settings, self.clock, check_channel=check_channel)

    def amender(self) -> Amender:
        return Amender(self.store, self.settings, self.clock, lanes=lambda: self.lanes, links=None)

    async def sent(self, count: int, message: Message = WRONG, status: Status = Status.SENT) -> Mailing:
        """As a lane leaves it: one part for each text of the message."""
        texts = [each.text for each in message.elements if isinstance(each, Text)]
        self.world.lane.state.halted = True
        step_id = await self.world.step(count, [Part(PartKind.TEXT, text) for text in texts])
        await self.world.lane.drop_step(step_id)
        self.world.lane.state.halted = False
        now = self.clock.now()
        async with self.store.database.writing() as connection:
            its = deliveries.c.step_id == step_id
            await connection.execute(update(deliveries).where(its).values(state="sent", finished_at=now))
            rows = (await connection.execute(select(deliveries).where(its))).all()
            tried = {"number": 1, "channel": CHANNEL, "tries": 1, "started_at": now, "outcome": "sent"}
            await connection.execute(
                insert(attempts), [{**tried, "delivery_id": row.id, "address_id": row.address_id} for row in rows]
            )
            taken = {"attempt": 1, "channel": CHANNEL, "accepted_at": now}
            await connection.execute(
                insert(parts),
                [
                    {**taken, "delivery_id": row.id, "position": place, "external_id": f"a{row.client_id}:{place}"}
                    for row in rows
                    for place in range(len(texts))
                ],
            )
            await add_counters(connection, {(step_id, CHANNEL, "", "", "sent"): count})
            values = {"status": status.value, "message": plain(message), "started_at": now, "finished_at": now}
            found = await connection.execute(
                update(steps).where(steps.c.id == step_id).values(**values).returning(steps.c.mailing_id)
            )
            mailing_id: int = found.scalar_one()
        return await self.operations.get(mailing_id)

    @asynccontextmanager
    async def amending(self) -> AsyncIterator[None]:
        """The engine's own task; leaving it is as a kill, for nothing of it lasts but rows."""
        task = asyncio.create_task(self.amender().run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def shop(store: Store, tmp_path: Path) -> AsyncIterator[Shop]:
    made = Shop(store, tmp_path)
    running = asyncio.create_task(made.world.lane.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_mailing_is_taken_back_at_the_channels_pace_and_told_in_numbers(shop: Shop) -> None:
    mailing = await shop.sent(35)
    shop.gateway.refusals = {
        "a3": [AddressGone("blocked")],
        "a4": [Throttled(2.0)],
        "a5": [Unavailable("away")],
    }
    taken = await shop.operations.take_back(mailing.id, OLHA)
    with pytest.raises(Refused, match="being taken back or corrected already"):
        await shop.operations.take_back(mailing.id, OLHA)
    async with shop.amending():
        await shop.world.advance(8)
    progress = await shop.operations.amendment(taken.id)
    assert progress.amendment.status is AmendmentStatus.DONE
    assert (progress.reached, progress.waiting, progress.missed) == (34, 0, {"blocked": 1})
    assert sorted(shop.gateway.gone) == sorted(f"a{number}" for number in range(1, 36) if number != 3)
    changes = shop.gateway.changes
    assert max(sum(1 for other in changes if one <= other < one + 1.0) for one in changes) <= 25
    (notice,) = [one for one in await shop.operations.notices() if one.kind == "amended"]
    assert (notice.mailing_id, notice.details) == (mailing.id, {"amendment": taken.id})
    assert [hope.got for hope in await shop.operations.hopes(mailing.id, AmendmentKind.TAKE_BACK)] == [1]


async def test_a_kill_loses_none_and_reaches_none_in_vain(shop: Shop) -> None:
    mailing = await shop.sent(40)
    taken = await shop.operations.take_back(mailing.id, OLHA)
    async with shop.amending():
        await shop.world.advance(1.0)
    begun = len(shop.gateway.gone)
    assert 5 < begun < 40
    async with shop.amending():
        await shop.world.advance(4)
    assert len(set(shop.gateway.gone)) == 40
    progress = await shop.operations.amendment(taken.id)
    assert (progress.reached, progress.waiting) == (40, 0)
    with pytest.raises(Refused, match="Nobody has it"):
        await shop.operations.correct(mailing.id, RIGHT, OLHA)


async def test_words_are_corrected_with_each_clients_values(shop: Shop) -> None:
    mailing = await shop.sent(3)
    with pytest.raises(Invalid, match="nothing would change"):
        await shop.operations.correct(mailing.id, WRONG, OLHA)
    shop.gateway.refusals = {"a2": [Unavailable("away")] * 2}
    made = await shop.operations.correct(mailing.id, RIGHT, OLHA)
    async with shop.amending():
        await shop.world.advance(6)
    assert shop.gateway.texts == {"a1": "Hi N1: 9 %", "a3": "Hi N3: 9 %"}
    assert (await shop.operations.amendment(made.id)).missed == {"unavailable": 1}
    assert await shop.operations.reads_now(mailing.id) == RIGHT
    kept = {"where": [{"mailing": mailing.id, "outcome": "kept"}]}
    assert (await shop.operations.checker.count_audience(kept)).audience == 1
    follow = await shop.operations.follow_up(mailing.id, MailingResult.KEPT, OLHA, name="Sorry", message=RIGHT)
    draft = (await shop.operations.get(follow)).draft
    assert (draft.audience, draft.message, draft.start) == (kept, RIGHT, "now")


async def test_of_several_messages_only_those_that_differ_are_touched(shop: Shop) -> None:
    both = Message((Text("Hello"), Text("90 %")))
    mailing = await shop.sent(2, both)
    await shop.operations.correct(mailing.id, Message((Text("Hello"), Text("9 %"))), OLHA)
    async with shop.amending():
        await shop.world.advance(3)
    assert shop.gateway.texts == {"a1": "9 %", "a2": "9 %"}
    assert len(shop.gateway.changes) == 2


async def test_new_words_that_the_platform_refuses_stop_it(shop: Shop) -> None:
    mailing = await shop.sent(55)
    for number in range(1, 56):
        shop.gateway.refusals[f"a{number}"] = [MessageRejected("can't parse entities")]
    made = await shop.operations.correct(mailing.id, RIGHT, OLHA)
    async with shop.amending():
        await shop.world.advance(4)
    progress = await shop.operations.amendment(made.id)
    assert progress.amendment.status is AmendmentStatus.STOPPED
    assert progress.amendment.reason_words == "tg-shop: can't parse entities"
    assert progress.waiting == 5
    assert len(shop.gateway.changes) == 50


async def test_what_is_too_old_or_has_no_number_is_missed_without_a_call(shop: Shop) -> None:
    mailing = await shop.sent(4)
    async with shop.store.database.writing() as connection:
        rows = list(await connection.scalars(select(deliveries.c.id).order_by(deliveries.c.id)))
        old = shop.clock.now() - timedelta(hours=49)
        await connection.execute(update(parts).where(parts.c.delivery_id == rows[0]).values(accepted_at=old))
        await connection.execute(update(parts).where(parts.c.delivery_id == rows[1]).values(external_id=None))
        unknown = {"state": "unknown", "reason": "no_answer"}
        await connection.execute(update(deliveries).where(deliveries.c.id == rows[2]).values(**unknown))
        await connection.execute(parts.delete().where(parts.c.delivery_id == rows[2]))
        await connection.execute(update(attempts).where(attempts.c.delivery_id == rows[2]).values(outcome="unknown"))
    made = await shop.operations.take_back(mailing.id, OLHA)
    async with shop.amending():
        await shop.world.advance(3)
    progress = await shop.operations.amendment(made.id)
    assert (progress.reached, progress.missed) == (1, {"too_old": 1, "no_number": 2})
    assert shop.gateway.gone == ["a4"]


async def test_a_broken_channel_and_the_kill_switch_hold_it_and_a_person_stops_it(shop: Shop) -> None:
    mailing = await shop.sent(30)
    shop.gateway.refusals = {"a1": [ChannelBroken("revoked")]}
    made = await shop.operations.take_back(mailing.id, OLHA)
    async with shop.amending():
        await shop.world.advance(2)
        assert len(shop.gateway.gone) == 0
        shop.world.lane.mend()
        await shop.world.advance(0.5)
        shop.world.lane.state.halted = True
        await shop.world.advance(0.5)
        held = len(shop.gateway.gone)
        await shop.world.advance(2)
        assert 0 < held == len(shop.gateway.gone) < 30
        assert await shop.operations.stop_amendment(made.id, OLHA)
        assert not await shop.operations.stop_amendment(made.id, OLHA)
        await shop.world.advance(1.5)
        shop.world.lane.state.halted = False
        shop.world.lane.state.wake()
        await shop.world.advance(3)
    assert len(shop.gateway.gone) == held
    progress = await shop.operations.amendment(made.id)
    assert progress.amendment.reason_words == "stopped by Olha"
    assert (progress.reached, progress.waiting) == (held, 30 - held)


async def test_what_can_not_be_done_is_said(shop: Shop) -> None:
    mailing = await shop.sent(2)
    operations = shop.operations
    with pytest.raises(Refused, match="Your role"):
        await operations.take_back(mailing.id, MAX)
    shape = Message((Pictures(("https://acme.test/a.jpg",), "9 %"),))
    with pytest.raises(Refused, match="Telegram: only words and buttons can be changed"):
        await operations.correct(mailing.id, shape, OLHA)
    shop.settings = replace(shop.settings, approval=ApprovalRule(above=1))
    with pytest.raises(Refused, match="needs a second person, because it goes to more than 1 clients"):
        await shop.operations.correct(mailing.id, RIGHT, OLHA)
    mute = replace(TELEGRAM, title="Viber", takes_back_for_s=None, corrects_for_s=None)
    shop.settings = replace(shop.settings, approval=None, channels={CHANNEL: ChannelSettings(CHANNEL, mute)})
    with pytest.raises(Refused, match="Viber lets nobody change or take back what was sent"):
        await shop.operations.take_back(mailing.id, OLHA)
    running = await shop.sent(1, status=Status.PAUSED)
    with pytest.raises(Refused, match="is paused: cancel it first"):
        await operations.take_back(running.id, OLHA)
    async with shop.store.database.writing() as connection:
        long_ago = shop.clock.now() - timedelta(hours=49)
        await connection.execute(update(steps).values(started_at=long_ago, finished_at=long_ago))
    with pytest.raises(Refused, match="it was sent too long ago"):
        await operations.take_back(mailing.id, OLHA)
