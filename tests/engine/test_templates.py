"""Templates as the platform lists them: read at the start, hourly and when one changed; a stopped one is told of."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from engine.clock import FakeClock
from engine.templates import SYNC_EVERY_S, TemplateSync, names_template
from gateways.base import GatewayError, Part, PartKind, Template, Throttled
from storage.store import Store

SPRING = Template(
    "spring_sale", "en", "approved", "marketing", "168", "Hello {{1}}", ("1",), "image", (), ("url_parameter",)
)


@dataclass
class FakeGateway:
    """Lists what it is given, after the errors that it is given."""

    listed: Sequence[Template] = (SPRING,)
    errors: list[GatewayError] = field(default_factory=list)
    calls: int = 0

    async def templates(self) -> Sequence[Template]:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.listed


@dataclass
class Syncing:
    store: Store
    gateway: FakeGateway
    clock: FakeClock = field(default_factory=FakeClock)
    stopped: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        gateways: Any = {"wa": self.gateway, "tg": object()}
        self.sync = TemplateSync(self.store, gateways, self.clock, stopped=self._stop)

    async def _stop(self, channel: str, template: Template) -> None:
        self.stopped.append((channel, template.name, template.status))

    async def known(self) -> list[Template]:
        return await self.store.templates.of_channel("wa")

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds, self._settle)

    async def _settle(self) -> None:
        for _turn in range(10):
            await asyncio.sleep(0.002)
            if not self.store.writer.busy:
                return


@asynccontextmanager
async def running(store: Store, gateway: FakeGateway) -> AsyncIterator[Syncing]:
    syncing = Syncing(store, gateway)
    task = asyncio.create_task(syncing.sync.run())
    try:
        await _until(lambda: gateway.calls > 0)
        await syncing.advance(0)
        yield syncing
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until(done: Any) -> None:
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0.002)


async def test_templates_are_kept_whole_and_read_at_the_start_and_hourly(store: Store) -> None:
    async with running(store, FakeGateway()) as syncing:
        await _until(lambda: not store.writer.busy)
        assert await syncing.known() == [SPRING]
        syncing.gateway.listed = (replace(SPRING, language="uk"), replace(SPRING, body="Hi {{1}}"))
        await syncing.advance(SYNC_EVERY_S - 1)
        assert syncing.gateway.calls == 1
        await syncing.advance(1)
        await _until(lambda: syncing.gateway.calls == 2)
        await syncing.advance(0)
        assert await syncing.known() == [replace(SPRING, body="Hi {{1}}"), replace(SPRING, language="uk")]
        assert await store.templates.synced_at("wa") == syncing.clock.now()


async def test_a_change_is_read_at_once_and_a_stopped_template_is_told_of(store: Store) -> None:
    async with running(store, FakeGateway()) as syncing:
        syncing.gateway.listed = (replace(SPRING, status="paused"),)
        syncing.sync.changed("wa")
        syncing.sync.changed("tg")
        await _until(lambda: syncing.stopped)
        assert syncing.stopped == [("wa", "spring_sale", "paused")]
        syncing.gateway.listed = ()
        syncing.sync.changed("wa")
        await _until(lambda: len(syncing.stopped) == 2)
        assert syncing.stopped[1] == ("wa", "spring_sale", "deleted")
        assert await syncing.known() == []


async def test_a_platform_that_does_not_answer_is_asked_again(store: Store) -> None:
    async with running(store, FakeGateway(errors=[Throttled(90.0), GatewayError("no")])) as syncing:
        assert await syncing.known() == []
        await syncing.advance(89)
        assert syncing.gateway.calls == 1
        await syncing.advance(1)
        await _until(lambda: syncing.gateway.calls == 2)
        await syncing.advance(60)
        await _until(lambda: syncing.gateway.calls == 3)
        await syncing.advance(0)
        assert await syncing.known() == [SPRING]


async def test_what_a_hook_tells_of_a_template_holds_until_the_list_is_read(store: Store) -> None:
    await store.templates.sync("wa", [SPRING], FakeClock().now())
    await store.templates.set_status("wa", "spring_sale", "en", "paused")
    await store.templates.set_status("wa", "unheard_of", "en", "paused")
    assert await store.templates.of_channel("wa") == [replace(SPRING, status="paused")]
    assert await store.templates.of_channel("other") == []


async def test_a_channel_without_templates_needs_no_task(store: Store) -> None:
    sync = TemplateSync(store, {}, FakeClock(), stopped=Syncing(store, FakeGateway())._stop)
    await sync.run()


def test_a_message_names_the_template_that_it_is_sent_by() -> None:
    named = Part(PartKind.TEMPLATE, extra={"template": {"name": "spring_sale", "language": "en"}})
    assert names_template([Part(PartKind.TEXT), named], SPRING)
    assert not names_template([Part(PartKind.TEXT)], SPRING)
    assert not names_template([named], replace(SPRING, language="uk"))
