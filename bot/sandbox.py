"""The simulated messengers alone, over real HTTP on loopback."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from bot.ports import taken_port
from bot.simulated import EVERY, Simulated
from gateways.simulator.telegram.clients import ClientState
from gateways.simulator.telegram.server import TelegramSimulator

if TYPE_CHECKING:
    from rich.console import Console

ADMIN_TOKEN = "2:simulated"  # noqa: S105  # of a bot that exists nowhere else
OWNER = 1
WEB_PORT = 8080

Emit = Callable[[Any, "Callable[[Console], None]"], None]


async def serve_sandbox(port: int, clients: int, ended: asyncio.Event, emit: Emit) -> None:
    """Serve until the event is set, once a configuration that fits was shown: each messenger has a port of its own,
    from `port` on, or any where that is 0. Raises TakenPort."""
    messengers = [make(0) for make in EVERY]
    async with AsyncExitStack() as stack:
        for number, messenger in enumerate(messengers):
            _people(messenger, clients)
            messenger.report()
            stack.push_async_callback(messenger.server.stop)
            await _start(messenger, port + number if port else 0)
        config = sandbox_config(messengers)
        urls = {messenger.channel: messenger.server.url for messenger in messengers}
        document = {"urls": urls, "clients": clients, "bot_token": ADMIN_TOKEN, "config": config}
        emit(document, lambda out: out.print(config, markup=False, highlight=False, soft_wrap=True))
        await ended.wait()


def _people(messenger: Simulated, clients: int) -> None:
    """On Telegram so many; elsewhere everybody whom somebody writes to."""
    if isinstance(messenger.server, TelegramSimulator):
        shop = messenger.server.bot(messenger.account)
        admin = messenger.server.add_bot(
            ADMIN_TOKEN, username="sandbox_admin_bot", first_name="Sandbox admin", is_admin=True
        )
        for bot in (shop, admin):
            bot.add_range(range(1, clients + 1), ClientState.ACTIVE)
    else:
        messenger.server.accounts[messenger.account].everyone = "active"


async def _start(messenger: Simulated, port: int) -> None:
    try:
        await messenger.server.start(port=port)
    except OSError as error:
        raise taken_port("127.0.0.1", port, error, "Name another with --port.") from error


def sandbox_config(messengers: Sequence[Simulated]) -> str:
    """A configuration whose accounts are the sandbox's."""
    tables = "\n".join(messenger.table for messenger in messengers)
    whatsapp = next(messenger for messenger in messengers if messenger.kind == "whatsapp")
    said = '{"account": "' + whatsapp.account + '", "client": "447700900123", "text": "Hello"}'
    return f"""\
# These simulated messengers listen until Ctrl-C. This is a config.toml for them:

[app]
public_url = "http://127.0.0.1:{WEB_PORT}"

[web]
port = {WEB_PORT}

[[people]]
name = "Owner"
role = "owner"
telegram = {OWNER}

[[bots]]
kind = "console"

{tables}
# A client writes to us, which opens the 24 hours of WhatsApp and Messenger, by
#   curl -d '{said}' {whatsapp.server.url}/_sim/say
"""
