"""The simulated messengers alone, over real HTTP on loopback."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.ports import taken_port
from gateways.simulator.telegram.clients import ClientState
from gateways.simulator.telegram.server import TelegramSimulator

if TYPE_CHECKING:
    from rich.console import Console

SHOP_TOKEN = "1:sandbox-shop"  # noqa: S105  # of a bot that exists nowhere else
ADMIN_TOKEN = "2:sandbox-admin"  # noqa: S105
OWNER = 1

Emit = Callable[[Any, "Callable[[Console], None]"], None]


async def serve_sandbox(port: int, clients: int, ended: asyncio.Event, emit: Emit) -> None:
    """Serve until the event is set, once a configuration that fits was shown. Raises TakenPort."""
    simulator = TelegramSimulator()
    shop = simulator.add_bot(SHOP_TOKEN, username="sandbox_shop_bot", first_name="Sandbox shop")
    shop.add_range(range(1, clients + 1), ClientState.ACTIVE)
    admin = simulator.add_bot(ADMIN_TOKEN, username="sandbox_admin_bot", first_name="Sandbox admin", is_admin=True)
    admin.add_range(range(1, clients + 1), ClientState.ACTIVE)
    try:
        await simulator.start(port=port)
    except OSError as error:
        raise taken_port("127.0.0.1", port, error, "Name another with --port.") from error
    try:
        document = {"url": simulator.url, "clients": clients, "channel_token": SHOP_TOKEN, "bot_token": ADMIN_TOKEN}
        emit(document, lambda out: out.print(sandbox_config(simulator.url), markup=False, highlight=False))
        await ended.wait()
    finally:
        await simulator.stop()


def sandbox_config(url: str) -> str:
    """A configuration whose accounts are the sandbox's."""
    return f"""\
# The sandbox listens on {url} until Ctrl-C. This is a config.toml for it:

[[people]]
name = "Owner"
role = "owner"
telegram = {OWNER}

[[bots]]
kind = "console"

[[channels]]
id = "tg-shop"
kind = "telegram"
token = "{SHOP_TOKEN}"
api_base = "{url}"
"""
