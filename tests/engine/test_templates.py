"""Templates as the platform lists them: read at the start, hourly and when one changed; a stopped one is told of."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from engine.clock import FakeClock
from engine.errors import NotFound, Stale
from engine.templates import LOOK_S, SYNC_EVERY_S, TemplateSync, names_template
from gateways.base import GatewayError, NewTemplate, Part, PartKind, Template, Throttled
from storage.audit import Audited
from storage.records import Actor, Role
from storage.store import Store
from storage.templates import Listed
from storage.written import WrittenState

OLHA = Actor("Olha", Role.OPERATOR, "telegram", "1001")

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

    async def goes_on_until(self, done: Any) -> None:
        """Time passes, as slowly as a database needs."""
        async with asyncio.timeout(5):
            while not done():
                await self.advance(LOOK_S)
                await asyncio.sleep(0.01)

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


async def test_one_that_was_written_here_is_followed_every_five_minutes_until_its_word_is_said(store: Store) -> None:
    pending = replace(SPRING, status="pending")
    async with running(store, FakeGateway(listed=(pending,))) as syncing:
        at = syncing.clock.now()
        draft = await store.written.create("wa", NewTemplate("spring_sale", "en", "utility"), OLHA, at)
        handed = await store.written.begin(
            replace(draft, state=WrittenState.SENDING), Audited(at, OLHA, "submit_template")
        )
        await store.written.settle(replace(handed, state=WrittenState.SUBMITTED, status="pending"))
        assert syncing.gateway.calls == 1
        await syncing.goes_on_until(lambda: syncing.gateway.calls == 2)
        assert syncing.clock.monotonic() < SYNC_EVERY_S / 2
        assert await store.mailings.untold() == []
        syncing.gateway.listed = (replace(pending, status="approved"),)
        await syncing.goes_on_until(lambda: syncing.gateway.calls == 3)
        while await store.written.waiting():
            await asyncio.sleep(0.002)
    (told,) = await store.mailings.untold()
    assert (told.kind, told.actor and told.actor.name) == ("template", "Olha")
    assert (told.details["status"], told.details["category"], told.details["asked_category"]) == (
        "approved", "marketing", "utility",
    )  # fmt: skip


async def test_one_whose_answer_was_lost_is_a_draft_again_when_no_list_shows_it(store: Store) -> None:
    at = FakeClock().now()
    draft = await store.written.create("wa", NewTemplate("spring_sale", "en", "utility"), OLHA, at)
    sending = replace(draft, state=WrittenState.SENDING)
    await store.written.begin(sending, Audited(at, OLHA, "submit_template"))
    with pytest.raises(Stale):
        await store.written.begin(sending, Audited(at, OLHA, "submit_template"))
    other = Listed("wa", (replace(SPRING, language="uk"),), at + timedelta(minutes=3))
    await store.written.follow(other)
    assert (await store.written.get(draft.id)).state is WrittenState.SENDING
    await store.written.follow(replace(other, at=at + timedelta(minutes=10)))
    assert (await store.written.get(draft.id)).state is WrittenState.DRAFT
    assert [notice.details["status"] for notice in await store.mailings.untold()] == ["lost"]
    await store.written.delete(draft.id)
    with pytest.raises(NotFound):
        await store.written.get(draft.id)
