"""How a channel starts: whoever is refused by the platform stays still and is told of, once at every start."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.runner import Engine
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import (
    Accepted,
    Account,
    Capabilities,
    ChannelBroken,
    GatewayError,
    Heard,
    Hook,
    Outgoing,
    Part,
    PartKind,
    Unavailable,
)
from gateways.markup import RichText
from storage.store import Store
from tests.engine.kinds import CHATTY

WARNED = Account("7", "Shop", "https://m.acme.test/hooks/tg-shop", ("its quality is low",), quota_left=250)
HI = Outgoing("1", Part(PartKind.TEXT, "Hi"), RichText("Hi"), (), (), "")


class Speaker:
    capabilities: Capabilities = CHATTY

    def __init__(self, answer: Account | GatewayError) -> None:
        self.answer = answer

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        return [Accepted("1") for _ in parts]

    async def check(self) -> Account:
        if isinstance(self.answer, GatewayError):
            raise self.answer
        return self.answer

    def verify(self, request: Hook) -> None: ...

    def parse(self, request: Hook) -> Heard:
        return Heard()

    async def open(self) -> None: ...

    async def close(self) -> None: ...


@asynccontextmanager
async def running(store: Store, settings: EngineSettings, speakers: Mapping[str, Speaker]) -> AsyncIterator[Engine]:
    """An engine with these channels, once every platform has answered it."""
    engine = Engine(store, speakers, settings, SystemClock())
    task = asyncio.create_task(engine.run())
    try:
        async with asyncio.timeout(20):
            while not all(engine.alive.get(name) for name in speakers):  # it says so in no other way
                await asyncio.sleep(0.01)
        yield engine
    finally:
        await engine.stop()
        await task


@asynccontextmanager
async def started(store: Store, folder: Path, **answers: Account | GatewayError) -> AsyncIterator[Engine]:
    """With a channel for each answer."""
    settings = EngineSettings({name: ChannelSettings(name, CHATTY) for name in answers}, folder)
    async with running(store, settings, {name: Speaker(answer) for name, answer in answers.items()}) as engine:
        yield engine


async def broken_told(store: Store) -> list[object]:
    return [notice.details for notice in await store.mailings.untold() if notice.kind == "channel_broken"]


async def test_a_refused_channel_stays_still_and_is_told_of_once_at_each_start(store: Store, tmp_path: Path) -> None:
    refused = ChannelBroken("Unauthorized", code="401")
    for start in (1, 2):
        async with started(store, tmp_path, wrong=refused, right=WARNED) as engine:
            with pytest.raises(ChannelBroken, match="Unauthorized"):
                await engine.send_now("wrong", HI)
            assert await engine.send_now("right", HI) == Accepted("1")
        assert await broken_told(store) == [{"channel": "wrong", "words": "Unauthorized"}] * start
        state = (await store.channel_states.all())["wrong"]
        assert (state.reason, state.broken_at is not None) == ("Unauthorized", True)


async def test_what_the_platform_tells_at_the_start_is_kept(store: Store, tmp_path: Path) -> None:
    async with started(store, tmp_path, shop=WARNED):
        pass
    state = (await store.channel_states.all())["shop"]
    assert (state.account_id, state.webhook, state.warnings) == ("7", WARNED.webhook, WARNED.warnings)
    assert (state.may_begin, state.broken_at) == (250, None)


async def test_a_channel_that_was_broken_starts_once_the_platform_says_otherwise(store: Store, tmp_path: Path) -> None:
    async with started(store, tmp_path, shop=ChannelBroken("Unauthorized")):
        pass
    async with started(store, tmp_path, shop=WARNED) as engine:
        assert await engine.send_now("shop", HI) == Accepted("1")
    assert (await store.channel_states.all())["shop"].broken_at is None


async def test_a_platform_that_does_not_answer_stops_nothing(store: Store, tmp_path: Path) -> None:
    async with started(store, tmp_path, shop=Unavailable("503")) as engine:
        assert await engine.send_now("shop", HI) == Accepted("1")
    assert await broken_told(store) == []
