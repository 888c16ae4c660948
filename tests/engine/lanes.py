"""A lane with a fake gateway and a fake clock over a real database: what the lane's tests have in common."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import func, insert, select, update

from engine.clock import FakeClock
from engine.lane.lane import Lane
from engine.lane.preparing import Preparing
from engine.lane.state import LaneStep
from engine.pacing import Pacer
from engine.personalise import Personaliser
from engine.settings import ChannelSettings
from gateways.base import Accepted, Account, Capabilities, Gateway, GatewayError, Heard, Hook, Outgoing, Part, PartKind
from gateways.telegram.capabilities import TELEGRAM
from storage.counters import add_counters
from storage.database import Database
from storage.quotas import DayQuota, PackageQuota
from storage.schema import addresses, clients, counters, deliveries, mailings, steps
from storage.writer import Writer

Answer = Accepted | GatewayError
CHANNEL = "tg-shop"
MOST_LOOKS = 300  # of a millisecond and more


class FakeGateway:
    """Answers as `script` says for an address (each answer once, then accepted), after `latency_s` of the clock."""

    capabilities: Capabilities = TELEGRAM

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.latency_s = 0.0
        self.starts: list[float] = []
        self.calls: list[tuple[float, int]] = []  # when, and how many messages
        self.sent: list[Outgoing] = []
        self.script: dict[str, list[GatewayError]] = {}
        self.always: Callable[[Outgoing], GatewayError | None] = lambda _: None
        self.checks: list[GatewayError | None] = []
        self.uploaded: set[str] = set()
        self.usage = 0.0
        self.cost = ("", 1)

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Answer]:
        self.calls.append((self.clock.monotonic(), len(parts)))
        return await asyncio.gather(*map(self._send, parts))

    async def _send(self, outgoing: Outgoing) -> Answer:
        self.starts.append(self.clock.monotonic())
        self.sent.append(outgoing)
        number = len(self.sent)
        if self.latency_s:
            await self.clock.sleep(self.latency_s)
        if answers := self.script.get(outgoing.address):
            return answers.pop(0)
        self.uploaded.update(outgoing.part.media)
        cost, units = self.cost
        return self.always(outgoing) or Accepted(
            f"{outgoing.address}:{number}", usage=self.usage, cost=cost, units=units
        )

    async def needs_upload(self, part: Part) -> bool:
        return not self.uploaded.issuperset(part.media)

    async def check(self) -> Account:
        answer = self.checks.pop(0) if self.checks else None
        if answer is not None:
            raise answer
        return Account("555", "shop")

    def verify(self, request: Hook) -> None: ...

    def parse(self, request: Hook) -> Heard:
        return Heard()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def received_by(self, address: str) -> int:
        return sum(1 for outgoing in self.sent if outgoing.address == address)


@dataclass
class Reports:
    """What the lane told."""

    refused: list[tuple[int, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    down: list[bool] = field(default_factory=list)
    throttled: int = 0

    async def message_refused(self, step_id: int, channel: str, words: str) -> None:
        self.refused.append((step_id, words))

    async def channel_broken(self, channel: str, words: str) -> None:
        self.broken.append(words)

    async def channel_down(self, channel: str, since: datetime | None) -> None:
        self.down.append(since is not None)

    async def channel_throttled(self, channel: str, until: datetime) -> None:
        self.throttled += 1

    def progressed(self, step_id: int) -> None: ...


class World:
    """Rows in a database, a lane over them, and a clock that the test moves."""

    def __init__(self, database: Database, writer: Writer, gateway: type[FakeGateway] = FakeGateway) -> None:
        self.database = database
        self.writer = writer
        self.clock = FakeClock()
        self.gateway = gateway(self.clock)
        self.reports = Reports()
        self.quota: DayQuota | PackageQuota | None = None
        self.lane = self.build_lane()

    def build_lane(self, rate: float = 25.0) -> Lane:
        gateway: Gateway = self.gateway
        return Lane(
            ChannelSettings(CHANNEL, gateway.capabilities, rate),
            gateway,
            writer=self.writer,
            clock=self.clock,
            report=self.reports,
            run_id=1,
            tries=3,
            quota=lambda: self.quota,
            preparing=Preparing(),
        )

    async def step(
        self,
        count: int,
        parts: Sequence[Part] = (Part(PartKind.TEXT, "Hi"),),
        speed: float = 25.0,
        outside: Sequence[Part] = (),
    ) -> int:
        """A step in sending with `count` clients planned, given to the lane; returns its id."""
        now = self.clock.now()
        async with self.database.writing() as connection:
            first = (await connection.scalar(select(func.count()).select_from(clients)) or 0) + 1
            ids = range(first, first + count)
            await connection.execute(
                insert(clients), [{"id": n, "created_at": now, "updated_at": now, "first_name": f"N{n}"} for n in ids]
            )
            await connection.execute(insert(addresses), [self._address(n, now) for n in ids])
            mailing = {"name": "m", "routing": "main", "channels": [], "on_unknown": "skip", "created_by": "a|cli|"}
            mailing_id = (
                await connection.execute(insert(mailings).values(created_at=now, **mailing).returning(mailings.c.id))
            ).scalar_one()
            step = {"number": 1, "status": "sending", "start": "now", "audience": {}, "message": {}}
            step_id: int = (
                await connection.execute(insert(steps).values(mailing_id=mailing_id, **step).returning(steps.c.id))
            ).scalar_one()
            await connection.execute(insert(deliveries), [self._delivery(step_id, n, now) for n in ids])
            key = (step_id, CHANNEL, "", "")
            await add_counters(connection, {(*key, "planned"): count, (*key, "waiting"): count})
        personalise = partial(Personaliser, capabilities=TELEGRAM, known_fields={"first_name", "ltv"})
        outside_window = personalise(outside) if outside else None
        self.lane.add_step(LaneStep(step_id, parts, personalise(parts), Pacer(speed), outside_window))
        return step_id

    def _address(self, number: int, now: datetime) -> dict[str, object]:
        return {
            "id": number,
            "client_id": number,
            "scope": CHANNEL,
            "channel": CHANNEL,
            "external_id": f"a{number}",
            "status": "enabled",
            "status_at": now,
            "created_at": now,
            "details": {},
        }

    def _delivery(self, step_id: int, number: int, now: datetime) -> dict[str, object]:
        return {
            "step_id": step_id,
            "client_id": number,
            "channel": CHANNEL,
            "address_id": number,
            "state": "planned",
            "due_at": now,
        }

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds, self._settle)

    async def _settle(self) -> None:
        """Until the database has done what it was given and everybody has had a turn."""
        quiet, looks = 0, 0
        while quiet < 2:
            looks += 1  # a reader that was cancelled may count as one for a while
            quiet = 0 if self.writer.busy or (self._is_read() and looks < MOST_LOOKS) else quiet + 1
            await asyncio.sleep(0.001)
            for _ in range(10):
                await asyncio.sleep(0)

    def _is_read(self) -> bool:
        """Whether somebody waits for what the database answers."""
        pool: Any = self.database._engine.pool
        return bool(pool.checkedout())

    async def states(self, step_id: int) -> dict[str, int]:
        async with self.database.read() as connection:
            found = await connection.execute(
                select(deliveries.c.state, func.count()).where(deliveries.c.step_id == step_id).group_by("state")
            )
            return {str(state): int(count) for state, count in found}

    async def rows(self, step_id: int) -> list[object]:
        async with self.database.read() as connection:
            return list(
                await connection.execute(
                    select(deliveries).where(deliveries.c.step_id == step_id).order_by(deliveries.c.id)
                )
            )

    async def counted(self, step_id: int) -> dict[str, int]:
        async with self.database.read() as connection:
            found = await connection.execute(
                select(counters.c.name, counters.c.amount).where(counters.c.step_id == step_id)
            )
            return {str(name): int(amount) for name, amount in found if amount}

    async def set_status(self, step_id: int, status: str) -> None:
        async with self.database.writing() as connection:
            await connection.execute(update(steps).where(steps.c.id == step_id).values(status=status))

    async def set_address(self, number: int, status: str) -> None:
        async with self.database.writing() as connection:
            await connection.execute(update(addresses).where(addresses.c.id == number).values(status=status))

    def most_in_a_second(self) -> int:
        starts = self.gateway.starts
        return max(sum(1 for other in starts if start <= other < start + 1.0) for start in starts)


@asynccontextmanager
async def world(url: str, gateway: type[FakeGateway] = FakeGateway) -> AsyncIterator[World]:
    database = Database(url)
    writer = Writer(database)
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(writer.run())
        made = World(database, writer, gateway)
        running = tasks.create_task(made.lane.run())
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.sleep(0)
            writer.stop()
            await writing
    await database.close()


__all__ = ["CHANNEL", "World", "world"]
