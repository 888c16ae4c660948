"""What those who watch Carillon are told, over real HTTP: /metrics, /health and /ready, also when a part of it dies."""

import asyncio
import json
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from bot import app
from bot.app import Service, running
from bot.cli.errors import words_of
from bot.config import read
from engine.imports import import_clients
from gateways.message import Message, Text
from storage.records import Actor, Draft
from storage.writer import WriterStopped
from tests.gateways.cases import fixture
from tests.gateways.vk.vk import GROUP, SECRET, TOKEN

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"
PAGE = Path(__file__).parents[2] / "docs" / "watching.md"
CONFIG = f"""
[app]
secret = "of the tests"
public_url = "https://m.acme.test"
[storage]
url = "sqlite:///carillon.db"
[web]
port = 0
[[channels]]
id = "paper"
kind = "log"
path = "sent.log"
[[channels]]
id = "vk-shop"
kind = "vk"
group_id = {GROUP}
token = "{TOKEN}"
secret = "{SECRET}"
mode = "webhook"
api_base = "http://127.0.0.1:9/method"
[[people]]
name = "Olha"
role = "owner"
telegram = 1001
[[bots]]
kind = "console"
"""


@dataclass
class Watched:
    service: Service
    session: ClientSession

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(f"http://127.0.0.1:{self.service.port}{path}") as response:
            return response.status, await response.json()

    async def post(self, path: str, body: bytes) -> int:
        async with self.session.post(f"http://127.0.0.1:{self.service.port}{path}", data=BytesIO(body)) as response:
            return response.status

    async def has_sent(self, count: int) -> bool:
        return (await self.figures())["carillon_messages_total{channel=paper,outcome=sent}"] == count

    async def metrics(self) -> str:
        async with self.session.get(f"http://127.0.0.1:{self.service.port}/metrics") as response:
            return await response.text()

    async def figures(self) -> dict[str, float]:
        """Every sample by its name and labels, as `carillon_lane_alive{channel=paper}`."""
        text = await self.metrics()
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found


@pytest.fixture(autouse=True)
def storage(tmp_path: Path, sqlite_template: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "carillon.db")


@asynccontextmanager
async def watched(folder: Path, *parts: str) -> AsyncIterator[Watched]:
    config = read(CONFIG, folder / "config.toml", {})
    async with running(config, frozenset(parts)) as service, ClientSession() as session:
        yield Watched(service, session)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.02)


def kill(name: str) -> None:
    """End a task of ours as nothing but a fault would."""
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == name]
    task.cancel()


async def until_its_writer_dies(folder: Path) -> None:
    async with watched(folder, "engine", "web"):
        kill("writer")
        await asyncio.sleep(60)


def event(**more: Any) -> bytes:
    body: dict[str, Any] = json.loads(fixture("vk/typing"))
    return json.dumps(body | {"group_id": int(GROUP), "secret": SECRET} | more).encode()


async def test_figures_and_readiness_tell_what_was_done_and_hold_no_secret(tmp_path: Path) -> None:
    (tmp_path / "clients.csv").write_text("id,first_name,paper\n" + "".join(f"c{n},C{n},p{n}\n" for n in range(8)))
    async with watched(tmp_path, "engine", "web") as here:
        desk = here.service.desk
        await import_clients(desk.store, tmp_path / "clients.csv", channels=desk.settings.channels)
        for speed in (25.0, 0.1):
            draft = Draft("Sale", Message((Text("Hello"),)), speed=speed)
            mailing = await desk.operations.create(draft, Actor("Olha"))
            await desk.operations.launch(mailing, Actor("Olha"))
            await until(partial(here.has_sent, 8 if speed > 1 else 9))
        for body in (event(), event(), event(secret="wrong"), b"{", b" " * (4 * 1024 * 1024 + 1)):
            await here.post("/hooks/vk-shop", body)
        await here.post("/hooks/nobody", event())
        told = await here.figures()
        words = await here.metrics() + json.dumps([await here.get("/ready"), await here.get("/health")])

    assert told["carillon_messages_total{channel=paper,outcome=sent}"] == 9
    assert told["carillon_waiting{channel=paper}"] == 7
    assert 0 < told["carillon_lane_prepared{channel=paper}"] <= 7
    assert told["carillon_lane_slots_total{channel=paper}"] == 9
    assert told["carillon_lane_lateness_seconds_count{channel=paper}"] <= 9
    assert told["carillon_lane_in_flight{channel=paper}"] == 0
    assert told["carillon_lane_alive{channel=paper}"] == told["carillon_lane_alive{channel=vk-shop}"] == 1
    assert told["carillon_writer_commit_seconds_count"] > 0
    assert told["carillon_writer_writes_total"] >= told["carillon_writer_commit_seconds_count"]
    hooks = {name.partition("outcome=")[2][:-1]: n for name, n in told.items() if name.startswith("carillon_hooks_t")}
    assert hooks == {"taken": 2, "forged": 1, "unreadable": 1, "too_large": 1}
    assert "nobody" not in str(told)  # names that strangers think of would fill the memory of whoever keeps the figures
    assert "vk-shop" in words
    assert [secret for secret in (TOKEN, SECRET, "of the tests", "100500") if secret in words] == []


async def test_a_dead_lane_is_told_and_the_process_is_kept_for_the_others(tmp_path: Path) -> None:
    async with watched(tmp_path, "engine", "web") as here:

        async def is_ready() -> bool:
            return (await here.get("/ready"))[0] == 200

        await until(is_ready)
        kill("lane paper")

        async def is_told() -> bool:
            return (await here.get("/ready"))[0] == 503

        await until(is_told)
        _, ready = await here.get("/ready")
        told = await here.figures()
        assert ready["problems"] == ["the lane of paper is not running"]
        assert (told["carillon_lane_alive{channel=paper}"], told["carillon_lane_alive{channel=vk-shop}"]) == (0, 1)
        assert (await here.get("/health"))[0] == 200


async def test_a_silent_storage_and_a_dead_writer_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TELLS_FOR_S", 60.0)  # as long as this test looks
    async with watched(tmp_path, "web") as here:
        assert (await here.figures())["carillon_storage_up"] == 1
        with closing(sqlite3.connect(tmp_path / "carillon.db")) as connection:
            connection.executescript("ALTER TABLE runs RENAME TO gone; ALTER TABLE counters RENAME TO away;")
        told, (status, ready) = await here.figures(), await here.get("/ready")
        assert (told["carillon_storage_up"], told["carillon_writer_alive"], status) == (0, 1, 503)
        assert ready["problems"][0].startswith("the storage does not answer")
        assert (await here.get("/health")) == (
            200,
            {"status": "ok"},
        )  # it may come back

        kill("writer")

        async def is_told() -> bool:
            return (await here.get("/health"))[0] == 503

        await until(is_told)
        assert await here.get("/health") == (503, {"status": "the writer is not running"})
        status, ready = await here.get("/ready")
        assert (status, "the writer is not running" in ready["problems"]) == (503, True)
        assert (await here.figures())["carillon_writer_alive"] == 0
        assert await here.post("/hooks/vk-shop", event(type="message_allow", object={"user_id": 5})) == 500


async def test_a_writer_that_dies_ends_the_program_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TELLS_FOR_S", 0.0)
    with pytest.raises(BaseExceptionGroup) as ended:
        await until_its_writer_dies(tmp_path)
    assert ended.group_contains(WriterStopped)
    told = words_of(WriterStopped())
    assert told == ("Writing to the storage broke down, so nothing could be kept. Start Carillon anew.", 1)


async def test_every_query_of_the_dashboard_and_the_page_names_a_figure_that_there_is(tmp_path: Path) -> None:
    async with watched(tmp_path, "engine", "web") as here:
        kinds = re.findall(r"^# TYPE (\S+) (\S+)$", await here.metrics(), flags=re.MULTILINE)
    told = {f"{name}_bucket" if kind == "histogram" else name for name, kind in kinds if not name.endswith("_created")}
    queries = [target["expr"] for panel in _panels() for target in panel["targets"]]
    used = {name for query in queries for name in _names_in(query)}

    assert len(queries) >= 15
    assert used - told == set()
    assert {name for name in told - used if name.startswith("carillon_")} == set()  # what nobody looks at is not told
    table, alarms = PAGE.read_text("utf-8").split("```promql")
    assert _names_in(alarms) - told == set()
    ours = {name for name, _ in kinds if name.startswith("carillon_") and not name.endswith("_created")}
    assert {name for name in _names_in(table) if name.startswith("carillon_")} == ours


def _names_in(words: str) -> set[str]:
    return set(re.findall(r"\b(?:carillon|process)_[a-z_]+", words))


def _panels() -> list[dict[str, Any]]:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]
