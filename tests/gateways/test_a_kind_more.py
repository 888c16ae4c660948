"""A kind of messenger more changes nothing in engine, storage or bot: it stands in its own folder and the registry."""

import ast
import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from bot.app import running
from bot.config import read
from engine.imports import import_clients
from gateways import registry
from gateways.base import Accepted, Account, Capabilities, Gateway, GatewayError, Heard, Hook, Outgoing
from gateways.config import ApiBase, ChannelModel, Context
from gateways.message import Message, Text
from gateways.telegram.capabilities import TELEGRAM
from storage.records import Actor, Draft, Role, Status

OWNER = Actor("Olha", Role.OWNER)
ROOT = Path(__file__).parents[2]
NAMES = frozenset({"telegram", "viber", "facebook", "vk", "whatsapp", "twilio", "sms", "messenger"})
PIGEON = replace(TELEGRAM, kind="pigeon", title="Carrier pigeon")
sent: list[Outgoing] = []


class PigeonSettings(ChannelModel):
    able: ClassVar[Capabilities] = PIGEON

    kind: Literal["pigeon"] = "pigeon"
    loft: str
    api_base: ApiBase = "https://loft.test"

    def open_gateway(self, context: Context) -> Gateway:
        return Pigeon()


class Pigeon:
    capabilities = PIGEON

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        sent.extend(parts)
        return [Accepted(out.reference) for out in parts]

    async def check(self) -> Account:
        return Account("1", "Loft")

    def verify(self, request: Hook) -> None: ...

    def parse(self, request: Hook) -> Heard:
        return Heard()

    async def open(self) -> None: ...

    async def close(self) -> None: ...


CONFIG = """
[web]
port = 0

[[channels]]
id = "loft"
kind = "pigeon"
loft = "Old Town"
"""


async def test_a_mailing_goes_by_a_kind_that_nobody_else_has_heard_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {**registry.MODELS, "pigeon": {"": f"{__name__}:PigeonSettings"}}
    monkeypatch.setattr(registry, "MODELS", kinds)
    monkeypatch.setattr(registry, "KINDS", tuple(kinds))
    config = read(CONFIG, tmp_path / "config.toml", {})
    async with running(config) as service:
        (tmp_path / "clients.csv").write_text("id,first_name,loft\n1,Ann,17\n2,Bea,18\n")
        desk = service.desk
        result = await import_clients(desk.store, tmp_path / "clients.csv", channels=desk.settings.channels)
        assert (result.added, result.rejected) == (2, [])
        mailing = await desk.operations.create(Draft("By air", Message((Text("Hi {{ client.first_name }}"),))), OWNER)
        await desk.operations.launch(mailing, OWNER)
        async with asyncio.timeout(10):
            while (await desk.operations.get(mailing)).status is not Status.SENT:
                await asyncio.sleep(0.02)
    assert {out.address: out.text.text for out in sent} == {"17": "Hi Ann", "18": "Hi Bea"}


def literals(folder: str) -> Iterator[tuple[str, str]]:
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lower() in NAMES:
                yield str(file.relative_to(ROOT)), node.value


@pytest.mark.parametrize("folder", ["engine", "storage"])
def test_no_messenger_is_named_below(folder: str) -> None:
    assert list(literals(folder)) == []


def test_the_bot_names_messengers_only_where_people_speak_to_it_and_in_the_demo() -> None:
    allowed = ("bot/surfaces/", "bot/demo", "bot/sandbox", "bot/simulated")
    # An admin bot is itself on Telegram or Slack.
    found = {
        (file, name) for file, name in literals("bot") if not file.startswith(allowed) and name.lower() != "telegram"
    }
    assert found == set()
