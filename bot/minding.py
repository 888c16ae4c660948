"""When an admin bot stops working by itself, the other bots tell the owners: it can't do so itself."""

import logging
from collections.abc import Mapping
from typing import Protocol

from bot.dialogs.talk import House, paragraphs
from bot.screens import People, Screen, Surface
from bot.texts import Texts
from engine.clock import Clock
from storage.records import Role

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
LASTS_S = 60.0  # what mends itself sooner is nobody's business


class Bot(Protocol):
    """An admin bot that knows why it does not work."""

    @property
    def name(self) -> str: ...

    @property
    def problem(self) -> str | None: ...


class BotWatch:
    """Run `run` as a task. What could not be told is told later, once, if it still holds then."""

    def __init__(
        self,
        bots: Mapping[str, Bot],
        surfaces: Mapping[str, Surface],
        people: People,
        house: House,
        clock: Clock,
    ) -> None:
        self._bots = bots
        self._surfaces = surfaces
        self._people = people
        self._house = house
        self._clock = clock
        self._since_s: dict[str, float] = {}  # since when each bot does not work
        self._told: set[tuple[str, str, str]] = set()  # of which bot, on which surface, to whom

    async def run(self) -> None:
        while True:
            await self.tick()
            await self._clock.sleep(LOOK_EVERY_S)

    async def tick(self) -> None:
        now_s = self._clock.monotonic()
        for name, bot in self._bots.items():
            if bot.problem is None:
                self._since_s.pop(name, None)
                for told in [one for one in self._told if one[0] == name]:
                    await self._mended(*told)
            elif now_s - self._since_s.setdefault(name, now_s) >= LASTS_S:
                await self._broken(bot)

    async def _broken(self, bot: Bot) -> None:
        for (surface, account), person in self._people.items():
            place = (bot.name, surface, account)
            if person.role != Role.OWNER or place in self._told or not self._works(surface):
                continue
            t = Texts(person.locale or self._house.locale)
            text = paragraphs(
                t("⚠ <b>The admin bot on {surface} does not work.</b>", surface=bot.name.capitalize()),
                t("Why: {why}", why=bot.problem or ""),
                t("Mailings go on; people there hear nothing of them until it is mended."),
            )
            if await self._show(surface, account, Screen(text)):
                self._told.add(place)

    async def _mended(self, bot: str, surface: str, account: str) -> None:
        person = self._people.get((surface, account))
        if person is None or not self._works(surface):
            return
        t = Texts(person.locale or self._house.locale)
        text = t("The admin bot on {surface} works again.", surface=bot.capitalize())
        if await self._show(surface, account, Screen(text)):
            self._told.discard((bot, surface, account))

    def _works(self, surface: str) -> bool:
        bot = self._bots.get(surface)
        return surface in self._surfaces and (bot is None or bot.problem is None)

    async def _show(self, surface: str, account: str, screen: Screen) -> bool:
        try:
            await self._surfaces[surface].show(account, screen)
        except Exception as error:  # noqa: BLE001  # whatever it is, the next look tries again
            log.warning("an alarm can't be shown", extra={"surface": surface, "error": type(error).__name__})
            return False
        return True
