"""The commands of each person's role, in the menu of their own chat with the bot and in their language."""

import asyncio
import logging

from bot.dialogs.home import COMMANDS
from bot.people import OnSurface
from bot.screens import People
from bot.surfaces.telegram.library import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    ClientDecodeError,
    TelegramAPIError,
    TelegramNotFound,
)
from bot.texts import Texts
from engine.access import may
from storage.records import Role

log = logging.getLogger(__name__)

SURFACE = "telegram"


class Menus:
    """Run `run` as a task: it follows what `look_again` tells of."""

    def __init__(self, bot: Bot, people: People, locale: str) -> None:
        self._bot = bot
        self._people = OnSurface(people, SURFACE)
        self._locale = locale
        self._known = set(self._people)  # who may have a menu of ours
        self._shown: dict[str, tuple[Role, str]] = {}
        self._order = asyncio.Lock()  # what was asked for last is what must stand there
        self._changed = asyncio.Event()

    def look_again(self) -> None:
        """Somebody came, went, or has another role or language."""
        self._changed.set()

    async def run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for account in sorted(self._known | set(self._people)):
                await self.renew(account)

    async def renew(self, account: str) -> None:
        """Make the menu what it should be; one that can't be set is tried again when the person does something."""
        async with self._order:
            person = self._people.get(account)
            wanted = (person.role, person.locale or self._locale) if person else None
            if (wanted is None and account not in self._known) or (wanted and self._shown.get(account) == wanted):
                return
            try:
                await self._set(account, wanted)
            except TelegramNotFound:  # a server without menus
                log.info("the server knows no menus", extra={"surface": SURFACE})
            except (TelegramAPIError, ClientDecodeError, ValueError) as error:  # such as one who never came
                log.info("a menu could not be set", extra={"error": type(error).__name__})
                return
            if wanted is None:
                self._known.discard(account)
                self._shown.pop(account, None)
            else:
                self._known.add(account)
                self._shown[account] = wanted

    async def _set(self, account: str, wanted: tuple[Role, str] | None) -> None:
        scope = BotCommandScopeChat(chat_id=int(account))
        if wanted is None:
            await self._bot.delete_my_commands(scope=scope)
            return
        role, locale = wanted
        t = Texts(locale)
        commands = [
            BotCommand(command=name, description=t.plain(does)) for name, does, verb in COMMANDS if may(role, verb)
        ]
        await self._bot.set_my_commands(commands, scope=scope)
