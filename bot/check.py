"""`carillon check`: is everything there that a run needs?"""

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Sequence

from bot.channel_check import ASK_WITHIN_S, account_words, check_channel
from bot.config import Config
from bot.config_models import Bot, ConsoleBot, SlackBot
from bot.desk import Desk, open_bot, open_desk
from bot.findings import Finding, refused
from gateways.base import Account, GatewayError
from storage.database import UnusableStorage


async def check_all(config: Config, *, fix: bool = False) -> Sequence[Finding]:
    """Everything that was found, good and bad; with `fix`, webhooks are pointed at us."""
    findings = [
        Finding(
            "configuration",
            ok=True,
            words=f"{config.file}: {_counted(len(config.channels), 'channel', 'channels')}, "
            f"{_counted(len(config.people), 'person', 'people')}",
        ),
        *_warnings(config),
        _check_port(config),
    ]
    try:
        async with open_desk(config) as desk:
            findings.append(Finding("storage", ok=True, words=f"{desk.store.database.dialect} answers"))
            findings += await asyncio.gather(*(check_channel(desk, channel.id, fix=fix) for channel in config.channels))
            findings += await asyncio.gather(*(_check_bot(desk, bot) for bot in config.bots))
    except* UnusableStorage as group:
        findings.append(Finding("storage", ok=False, words=str(group.exceptions[0])))
    except* OSError as group:
        findings.append(Finding("storage", ok=False, words=_os_words(group.exceptions[0])))
    return findings


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _warnings(config: Config) -> list[Finding]:
    found = []
    if config.bots and not config.people:
        words = "an admin bot is configured and nobody is in [[people]]: nobody may use it"
        found.append(Finding("people", ok=False, words=words))
    if not config.channels:
        found.append(Finding("channels", ok=False, words="no [[channels]] are configured: nothing can be sent"))
    return found


def _check_port(config: Config) -> Finding:
    """Whether the port can be listened on; that a running Carillon has it is as good."""
    what = f"{config.web.host}:{config.web.port}"
    with socket.socket(socket.AF_INET6 if ":" in config.web.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.web.host, config.web.port))
        except OSError as error:
            taken = (
                "taken; by a running Carillon, or by something else"
                if error.errno == errno.EADDRINUSE
                else _os_words(error)
            )
            return Finding("port", ok=error.errno == errno.EADDRINUSE, words=f"{what} is {taken}")
    return Finding("port", ok=True, words=f"{what} is free")


async def _check_bot(desk: Desk, bot: Bot) -> Finding:
    what = f"bot {bot.kind}"
    if isinstance(bot, ConsoleBot):
        return Finding(what, ok=True, words="the page is at / of the web part")
    if isinstance(bot, SlackBot):
        from bot.surfaces.slack.checking import check

        return await _ask(what, lambda: check(bot, desk.config.app.public_url))
    async with open_bot(desk, bot) as gateway:
        return await _ask(what, gateway.check)


async def _ask(what: str, check: Callable[[], Awaitable[Account]]) -> Finding:
    try:
        async with asyncio.timeout(ASK_WITHIN_S):
            account = await check()
    except GatewayError as error:
        return Finding(what, ok=False, words=refused(error))
    except TimeoutError:
        return Finding(what, ok=False, words=f"no answer within {ASK_WITHIN_S:g} s")
    return Finding(what, ok=True, words=account_words(account), warnings=account.warnings)


def _os_words(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()
