"""`carillon check`: is everything there that a run needs?"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.app import Desk, open_desk
from bot.config import Config
from gateways.base import Gateway, GatewayError
from storage.database import UnusableStorage

Finding = dict[str, Any]


async def check_all(config: Config) -> list[Finding]:
    """What was found, good and bad. Secrets and passwords stand in none of it."""
    findings = [_found("configuration", f"{config.file}: {len(config.channels)} channels, {len(config.people)} people")]
    findings.append(_port(config))
    try:
        async with open_desk(config) as desk:
            findings.append(_found("storage", desk.store.database.dialect))
            findings += [await _ask(f"channel {name}", gateway) for name, gateway in desk.gateways.items()]
            findings += await _check_bots(desk)
    except UnusableStorage as error:
        findings.append(_found("storage", str(error), ok=False))
    except OSError as error:
        findings.append(_found("storage", error.strerror or type(error).__name__, ok=False))
    return findings
