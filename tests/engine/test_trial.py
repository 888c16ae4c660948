"""A test to oneself: free while the platform lets us, else by the template."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.clock import SystemClock
from engine.errors import Invalid
from engine.operations import Operations
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import Accepted, Account, GatewayError, Outgoing, OutsideWindow, PartKind
from gateways.message import Message, Text
from storage.records import Actor, Draft
from storage.store import Store
from tests.engine.kinds import chatty
from tests.engine.test_channel_start import Speaker, running

WA = chatty(kind="wa", window_s=86_400.0, takes_templates=True)
OLHA = Actor("Olha")
HELLO = Message((Text("Hello"),))
BY_TEMPLATE = replace(HELLO, only={"wa": {"template": {"name": "sale", "language": "en"}}})


class Closed(Speaker):
    """Takes templates alone."""

    capabilities = WA

    def __init__(self) -> None:
        super().__init__(Account("1", "Shop"))
        self.sent: list[tuple[PartKind, str]] = []

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        self.sent += [(out.part.kind, out.address) for out in parts]
        return [Accepted("1") if out.part.kind is PartKind.TEMPLATE else OutsideWindow("24 h") for out in parts]


async def try_out(store: Store, folder: Path, message: Message) -> tuple[Closed, Invalid | None]:
    """The platform, and why the test did not go out."""
    speaker = Closed()

    async def ask(channel: str) -> Account:
        return await speaker.check()

    settings = EngineSettings({"wa-shop": ChannelSettings("wa-shop", WA)}, folder)
    async with running(store, settings, {"wa-shop": speaker}) as engine:
        operations = Operations(store, settings, SystemClock(), check_channel=ask, engine=engine)
        mailing = await operations.create(Draft("Sale", message), OLHA)
        outcomes = await operations.send_tests(mailing, {"wa-shop": "4477"}, OLHA)
    return speaker, outcomes["wa-shop"]


async def test_a_closed_window_takes_the_template(store: Store, tmp_path: Path) -> None:
    speaker, problem = await try_out(store, tmp_path, BY_TEMPLATE)
    assert problem is None
    assert speaker.sent == [(PartKind.TEXT, "4477"), (PartKind.TEMPLATE, "4477")]


async def test_a_closed_window_without_a_template_is_told(store: Store, tmp_path: Path) -> None:
    _speaker, problem = await try_out(store, tmp_path, HELLO)
    assert str(problem) == "wa-shop did not take the test: 24 h"
