"""A whole Carillon as a person runs it: a folder, a configuration, the program in its own process, the command line."""

import asyncio
import io
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import select

from bot.cli.main import run as run_command
from bot.config import load
from bot.desk import Desk, open_desk
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import ClientState
from gateways.simulator.telegram.server import TelegramSimulator
from storage.schema import runs
from tests.processes import Process, start_carillon

TOKEN = "555000111:AAsimulated-token-of-the-shop"
ADMIN_TOKEN = "555000222:AAsimulated-token-of-the-admin"
FIRST_CLIENT = 100_000
API_TOKEN = "flow-api-token"


class Carillon:
    """`start` runs the program, `cli` a command beside it; `desk` is the storage as a command has it open."""

    def __init__(self, folder: Path, simulator: TelegramSimulator, storage_url: str, **options: Any) -> None:
        self.folder = folder
        self.simulator = simulator
        self.port = free_port()
        self.process: Process | None = None
        self.log = folder / "run.log"
        self.config = folder / "config.toml"
        self.config.write_text(_config(simulator.url, storage_url, self.port, **options))
        self.desk: Desk

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # --- the program ---

    async def start(self, *, only: str = "") -> None:
        """Run it until it is ready; `only="engine"` spares the seconds that reading updates takes to import."""
        command = ["run", *(["--only", only] if only else [])]
        with self.log.open("ab") as log:
            self.process = await start_carillon(*command, cwd=self.folder, stdout=log, stderr=log, env=_environment())
        await until(self._holds_storage if only == "engine" else self._answers, 90, "the program to be ready")

    async def _holds_storage(self) -> bool:
        process = self._living()
        async with self.desk.store.database.read() as connection:
            found = await connection.scalar(select(runs.c.id).where(runs.c.pid == process.pid))
        return found is not None

    async def _answers(self) -> bool:
        self._living()
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def _living(self) -> Process:
        assert self.process is not None
        if self.process.returncode is not None:
            raise AssertionError(f"carillon run ended with {self.process.returncode}: {self.said()}")
        return self.process

    async def kill(self) -> None:
        """As the power cut would."""
        await self._signal(signal.SIGKILL)

    async def terminate(self) -> tuple[int, float]:
        """As an orderly shutdown would; the exit code and how many seconds it took."""
        began = time.monotonic()
        code = await self._signal(signal.SIGTERM)
        return code, time.monotonic() - began

    async def _signal(self, number: int) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await self.process.wait()
        self.process = None
        return code

    def said(self) -> str:
        return self.log.read_text()[-4000:] if self.log.exists() else ""

    # --- beside it ---

    async def cli(self, *arguments: str, code: int = 0) -> Any:
        """A command with --json, as another process would run it: its document, or what it said where it failed."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            ended = await asyncio.to_thread(run_command, [*arguments, "--json", "--config", str(self.config)])
        assert ended == code, f"{arguments} ended with {ended}: {err.getvalue()}{out.getvalue()}"
        assert "Traceback" not in err.getvalue()
        if code:
            return err.getvalue()
        return json.loads(out.getvalue()) if out.getvalue().strip() else None

    async def run_to_its_end(self, *arguments: str, code: int) -> str:
        """A command as a process of its own; what it said on stderr."""
        process = await start_carillon(*arguments, cwd=self.folder, stderr=asyncio.subprocess.PIPE, env=_environment())
        _, said = await process.communicate()
        assert process.returncode == code, f"{arguments} ended with {process.returncode}: {said.decode()}"
        assert b"Traceback" not in said
        return said.decode()

    async def figures(self, mailing_id: int) -> Mapping[str, Any]:
        """CONTRACT.md section 6."""
        return await self.desk.operations.figures(mailing_id)

    async def until_status(self, mailing_id: int, *statuses: str, timeout_s: float = 100) -> Mapping[str, Any]:
        seen: Mapping[str, Any] = {}

        async def reached() -> bool:
            nonlocal seen
            seen = await self.figures(mailing_id)
            assert_adds_up(seen)
            return seen["status"] in statuses

        await until(reached, timeout_s, f"mailing {mailing_id} to be {' or '.join(statuses)}", lambda: f"{seen}")
        return seen

    async def until_sent(self, mailing_id: int, count: int, timeout_s: float = 100) -> Mapping[str, Any]:
        seen: Mapping[str, Any] = {}

        async def reached() -> bool:
            nonlocal seen
            seen = await self.figures(mailing_id)
            return int(seen["sent"]) >= count

        await until(reached, timeout_s, f"{count} to be sent", lambda: f"{seen}")
        return seen

    async def import_clients(
        self, count: int, channel: str = "tg-shop", first: int = FIRST_CLIENT, tags: str = "vip"
    ) -> None:
        rows = "".join(f"c{n},Name{n},{tags},{n}\n" for n in range(first, first + count))
        file = self.folder / f"clients-{channel}-{first}.csv"
        file.write_text(f"id,first_name,tags,{channel}\n{rows}")
        assert (await self.cli("clients", "import", str(file)))["added"] == count

    async def create(
        self,
        name: str = "Spring sale",
        *,
        launch: bool = True,
        text: str = "Hi {{ client.first_name }}!",
        more: str = "",
        **fields: Any,
    ) -> int:
        """`more` is TOML that follows the message's text."""
        file = self.mailing_file(name, text, more, **fields)
        made = await self.cli("mailing", "create", file, *_launch(launch))
        return int(made["id"])

    def mailing_file(self, name: str, text: str, more: str = "", **fields: Any) -> str:
        lines = [f"name = {json.dumps(name)}", *(f"{key} = {json.dumps(value)}" for key, value in fields.items())]
        file = self.folder / f"{name}.toml"
        file.write_text("\n".join([*lines, "[message]", f"text = {json.dumps(text)}", more]))
        return str(file)


def _launch(launch: bool) -> list[str]:
    return ["--launch"] if launch else []


def assert_adds_up(figures: Mapping[str, Any]) -> None:
    ends = ("waiting", "sent", "failed", "skipped", "cancelled", "unknown")
    assert figures["planned"] == sum(figures[name] for name in ends), figures
    if figures["status"] in ("sent", "cancelled"):
        assert figures["audience"] - sum(figures["left_out"].values()) == figures["planned"]


async def until(condition: Any, timeout_s: float, what: str, seen: Any = lambda: "") -> None:
    """Wait for something that happens in another process."""
    ends = time.monotonic() + timeout_s
    while not await condition():
        assert time.monotonic() < ends, f"waited {timeout_s:g} s for {what}; last seen: {seen()}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def carillon(folder: Path, storage_url: str, **options: Any) -> AsyncIterator[Carillon]:
    """A Carillon beside a simulated Telegram with a shop bot whose clients have all pressed Start."""
    simulator = TelegramSimulator()
    await simulator.start()
    shop = simulator.add_bot(TOKEN, username="shop_demo_bot", first_name="Shop")
    shop.everyone = ClientState.ACTIVE
    simulator.add_bot(ADMIN_TOKEN, username="admin_demo_bot", first_name="Admin", is_admin=True)
    made = Carillon(folder, simulator, storage_url, **options)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(simulator.stop)
        made.desk = await stack.enter_async_context(open_desk(load(made.config)))
        try:
            yield made
        finally:
            if made.process is not None:
                await made.kill()


def shop_of(made: Carillon) -> SimulatedBot:
    return made.simulator.bot(TOKEN)


def _config(
    api_base: str,
    storage_url: str,
    port: int,
    *,
    rate: float = 25.0,
    app_more: str = "",
    channel_more: str = "",
    sending_more: str = "",
    bots: str = "",
    channels: str = "",
) -> str:
    """`channels` stand in the place of the shop's; {api_base} in them is the simulated Telegram's."""
    return f"""
[app]
timezone = "Europe/Kyiv"
data_dir = "data"
{app_more.format(url=f"http://127.0.0.1:{port}")}

[storage]
url = "{storage_url}"

[web]
port = {port}
api_tokens = ["{API_TOKEN}"]

[sending]
{sending_more}

[[people]]
name = "Olha"
role = "owner"
telegram = 1001

[[people]]
name = "Max"
role = "manager"
telegram = 1002

{bots.format(api_base=api_base)}

{(channels or shop_channel(rate, channel_more)).replace("{api_base}", api_base)}
"""


def shop_channel(rate: float = 25.0, more: str = "") -> str:
    return f"""
[[channels]]
id = "tg-shop"
kind = "telegram"
token = "{TOKEN}"
api_base = "{{api_base}}"
rate = {rate}
{"allow_faster = true" if rate > 25 else ""}
{more}
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONWARNINGS": "default"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
