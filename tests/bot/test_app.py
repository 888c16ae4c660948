"""`carillon run` as a process, against the simulated Telegram: up, down, broken, and twice."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession

from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.server import TelegramSimulator
from tests.processes import Process, start_carillon

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CARILLON")}
SHOP_TOKEN = "1:SHOP"
API_TOKEN = "for-programs"


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSimulator]:
    simulator = TelegramSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def shop(telegram: TelegramSimulator) -> SimulatedBot:
    return telegram.add_bot(SHOP_TOKEN)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class House:
    """A folder with a configuration, and the address of what runs on it."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def carillon(self, *arguments: str) -> tuple[int, str, str]:
        process = await self._start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def json(self, *arguments: str) -> Any:
        code, out, err = await self.carillon(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    async def _start(self, *arguments: str) -> Process:
        pipe = asyncio.subprocess.PIPE
        return await start_carillon(*arguments, cwd=self.folder, env=ENVIRONMENT, stdout=pipe, stderr=pipe)

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator["Running"]:
        """`carillon run`, from its readiness to its end; whatever it logged is read on the way."""
        process = await self._start("run", *arguments)
        assert process.stdout is not None
        assert process.stderr is not None
        reading = asyncio.gather(process.stdout.read(), process.stderr.read())
        async with ClientSession() as session:
            running = Running(self, process, session, reading)
            try:
                await running.until_ready()
                yield running
            finally:
                if process.returncode is None:
                    process.terminate()
                    await asyncio.wait_for(process.wait(), 15)
                await reading


@dataclass
class Running:
    house: House
    process: Process
    session: ClientSession
    reading: "asyncio.Future[tuple[bytes, bytes]]"

    async def until_ready(self, within_s: float = 40.0) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            while True:
                if self.process.returncode is not None:
                    _, err = await self.reading
                    raise AssertionError(f"it ended with {self.process.returncode}: {err.decode()}")
                with contextlib.suppress(ClientConnectionError):
                    status, body = await self.get("/ready")
                    if status == 200:
                        return dict(json.loads(body))
                await asyncio.sleep(0.1)

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.house.url + path) as response:
            return response.status, await response.text()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float, str]:
        """Exit code, how long it took, and what stood on stderr."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), 15)
        _, err = await self.reading
        return code, time.monotonic() - began, err.decode()


def house_of(folder: Path, telegram: TelegramSimulator, *, more: str = "", app: str = "") -> House:
    port = free_port()
    (folder / "config.toml").write_text(
        f"""
[app]
{app}
[web]
port = {port}
api_tokens = ["{API_TOKEN}"]
[[people]]
name = "Olha"
role = "owner"
telegram = 1001
[[channels]]
id = "tg-shop"
kind = "telegram"
token = "{SHOP_TOKEN}"
api_base = "{telegram.url}"
{more}
""".replace("PORT", str(port))
    )
    return House(folder, port)


def give_clients(house: House, shop: SimulatedBot, count: int) -> None:
    lines = ["id,first_name,tg-shop"]
    for number in range(1, count + 1):
        shop.add_client(5000 + number, f"Client {number}")
        lines.append(f"c-{number},Client {number},{5000 + number}")
    (house.folder / "clients.csv").write_text("\n".join(lines) + "\n")
    (house.folder / "sale.toml").write_text(
        'name = "Sale"\n[message]\ntext = "Hello, {{ client.first_name }}!"\n'
        'buttons = [[{ message = "More", label = "More" }]]\n'
    )


async def until(true: Any, within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not await true():  # another process does it
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_gets_ready_and_ends_on_a_signal(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot, number: signal.Signals
) -> None:
    async with house_of(tmp_path, telegram).running() as running:
        assert (await running.get("/health"))[0] == 200
        assert "carillon_engine_running 1.0" in (await running.get("/metrics"))[1]
        code, took_s, err = await running.end(number)

    assert code == 0, err
    assert took_s < 10
    assert SHOP_TOKEN not in err


async def test_a_mailing_launched_from_the_command_line_goes_out_beside_it(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    house = house_of(tmp_path, telegram)
    give_clients(house, shop, 10)
    imported = await house.json("clients", "import", "clients.csv")
    assert imported == {"added": 10, "updated": 0, "rejected": []}
    async with house.running():
        mailing = await house.json("mailing", "create", "sale.toml", "--launch")
        await asyncio.wait_for(shop.client(5010).receives(1, "Hello, Client 10!", 15), 20)
        watched = await house.json("mailing", "watch", str(mailing["id"]))

    assert (watched["status"], watched["sent"], watched["planned"]) == ("sent", 10, 10)
    assert telegram.accepted_by_chat(SHOP_TOKEN) == {5000 + number: 1 for number in range(1, 11)}


async def test_a_polled_channel_hears_its_clients(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    house = house_of(tmp_path, telegram)
    shop.add_client(7001, "Ann")
    async with house.running():
        shop.client(7001).start("promo_42")

        async def is_there() -> bool:
            return bool(await house.json("clients", "list"))

        await until(is_there)
        code, out, _ = await house.carillon("clients", "show", "7001")

    assert code == 0
    assert "Ann" in out


async def test_a_webhook_is_set_once_the_server_is_up_and_hears(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    house = house_of(tmp_path, telegram, app='public_url = "http://127.0.0.1:PORT"')
    shop.add_client(7001, "Ann")
    async with house.running() as running:
        assert shop.webhook is not None
        shop.client(7001).start()

        async def is_there() -> bool:
            return bool(await house.json("clients", "list"))

        await until(is_there)
        assert (await running.get("/hooks/tg-shop"))[0] == 403


async def test_a_wrong_token_breaks_its_channel_and_no_other(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    more = f'[[channels]]\nid = "tg-wrong"\nkind = "telegram"\ntoken = "9:WRONG"\napi_base = "{telegram.url}"\n'
    house = house_of(tmp_path, telegram, more=more)
    give_clients(house, shop, 3)
    await house.json("clients", "import", "clients.csv")
    async with house.running() as running:
        state = await running.until_ready()
        assert list(state["broken_channels"]) == ["tg-wrong"]
        assert state["channels"]["tg-shop"] == "ok"
        mailing = await house.json("mailing", "create", "sale.toml", "--launch")
        watched = await house.json("mailing", "watch", str(mailing["id"]))

    assert watched["sent"] == 3


async def test_a_second_engine_ends_with_2_and_names_the_first(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    house = house_of(tmp_path, telegram)
    async with house.running() as running:
        code, _, err = await house.carillon("run")
        (tmp_path / "config.toml").write_text(
            (tmp_path / "config.toml").read_text().replace(str(house.port), str(free_port()))
        )
        elsewhere = await house.carillon("run")

        assert f"process {running.process.pid}" in err
        assert (code, elsewhere[0]) == (2, 2)
        assert f"process {running.process.pid}" in elsewhere[2]
        assert (await running.get("/ready"))[0] == 200


async def test_a_taken_port_is_told_with_1(tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot) -> None:
    house = house_of(tmp_path, telegram)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", house.port))
        taken.listen()
        code, _, err = await house.carillon("run")

    assert code == 1
    assert err.startswith(f"127.0.0.1:{house.port} can't be listened on: the port is taken.\n")


async def test_only_the_web_part_hears_and_sends_nothing(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    house = house_of(tmp_path, telegram)
    give_clients(house, shop, 2)
    await house.json("clients", "import", "clients.csv")
    async with house.running("--only", "web") as running:
        mailing = await house.json("mailing", "create", "sale.toml", "--launch")
        await asyncio.sleep(1)
        assert (await house.json("mailing", "show", str(mailing["id"])))["waiting"] in (0, 2)
        assert "carillon_engine_running 0.0" in (await running.get("/metrics"))[1]

    assert telegram.requests(SHOP_TOKEN, "sendMessage") == []


async def test_check_tells_whose_token_it_is(tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot) -> None:
    house = house_of(tmp_path, telegram)

    found = await house.json("check")

    assert found["ok"] is True
    channel = next(each for each in found["checks"] if each["what"] == "channel tg-shop")
    assert channel["words"].startswith("Shop (@shop_demo_bot) (1); no webhook")


async def test_check_ends_with_1_where_a_token_is_wrong(tmp_path: Path, telegram: TelegramSimulator) -> None:
    house = house_of(tmp_path, telegram)

    code, out, err = await house.carillon("check")

    assert code == 1
    assert "wrong" in out
    assert SHOP_TOKEN not in out + err
    assert err == "1 of 4 checks found something wrong.\n"


async def test_a_test_alert_goes_to_every_owner_who_can_be_reached(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    admin = telegram.add_bot("2:ADMIN", username="acme_admin_bot", is_admin=True)
    admin.add_client(1001, "Olha").start()
    bot = f'[[bots]]\nkind = "telegram"\ntoken = "2:ADMIN"\napi_base = "{telegram.url}"\n'
    others = [("Ivan", "owner", "telegram = 1002"), ("Vera", "owner", ""), ("Oleh", "operator", "telegram = 1003")]
    people = "".join(f'[[people]]\nname = "{name}"\nrole = "{role}"\n{more}\n' for name, role, more in others)
    house = house_of(tmp_path, telegram, more=bot + people)

    told = {each["name"]: each for each in await house.json("people", "test-alert")}
    await admin.client(1001).receives(1, "test alert of Carillon", 5)
    admin.client(1001).block()
    code, out, err = await house.carillon("people", "test-alert")

    assert told["Olha"] == {"name": "Olha", "bot": "telegram", "sent": True, "reason": None}
    assert "press Start" in told["Ivan"]["reason"]
    assert told["Vera"]["reason"] == "“Vera” has no telegram"
    assert "Oleh" not in told
    assert (code, err) == (1, "Nobody got the test alert.\n")
    assert "blocked" in out


async def test_the_console_prints_a_link_that_opens_once(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    house = house_of(tmp_path, telegram, more='[[bots]]\nkind = "console"\n')
    async with house.running() as running:
        assert (await running.get("/"))[0] == 403
        await running.end()
        out, _ = await running.reading

    assert f"Olha opens the console once with {house.url}/?key=" in out.decode()


async def test_the_admin_bot_answers_its_people_and_turns_others_away(
    tmp_path: Path, telegram: TelegramSimulator, shop: SimulatedBot
) -> None:
    admin = telegram.add_bot("2:ADMIN", username="acme_admin_bot", is_admin=True)
    admin.add_client(1001, "Olha")
    admin.add_client(1002, "Stranger")
    bot = f'[[bots]]\nkind = "telegram"\ntoken = "2:ADMIN"\napi_base = "{telegram.url}"\n'
    house = house_of(tmp_path, telegram, more=bot)
    async with house.running() as running:
        admin.client(1001).start()
        admin.client(1002).start()
        await admin.client(1001).receives(1, "Olha", 30)
        await admin.client(1002).receives(1, "Sorry", 30)
        assert (await running.until_ready())["bots"] == {"telegram": "ok"}
