"""The people who may use an admin bot, each with the language that they speak with it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bot.languages import LANGUAGES, locale_for
from bot.screens import People, Person
from storage.preferences import Preferences


class Everybody(Mapping[tuple[str, str], Person]):
    """`people` as they are configured, with the languages that are kept in storage; it changes as people choose."""

    def __init__(self, people: People, preferences: Preferences) -> None:
        self._people = people
        self._preferences = preferences
        self._languages: dict[str, str] | None = None

    async def load(self) -> None:
        """Read what was chosen before; once in the life of a process."""
        if self._languages is None:
            self._languages = await self._preferences.languages()

    async def speak(self, person: str, language: str) -> None:
        """From now on the bot speaks this language with the person, wherever they meet."""
        await self._preferences.set_language(person, language)
        await self.load()
        self._languages = {**(self._languages or {}), person: language}

    async def meet(self, person: str, language: str) -> None:
        """A messenger told which language the person uses there: it counts until the person chooses one."""
        await self.load()
        spoken = locale_for(language, "")
        if spoken and person not in (self._languages or {}):
            await self.speak(person, spoken)

    def __getitem__(self, key: tuple[str, str]) -> Person:
        person = self._people[key]
        spoken = (self._languages or {}).get(person.name)
        return replace(person, locale=spoken) if spoken in LANGUAGES else person

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._people)

    def __len__(self) -> int:
        return len(self._people)


class OnSurface(Mapping[str, Person]):
    """Those of the people who have an account on a surface, by that account."""

    def __init__(self, people: People, surface: str) -> None:
        self._people = people
        self._surface = surface

    def __getitem__(self, account: str) -> Person:
        return self._people[self._surface, account]

    def __iter__(self) -> Iterator[str]:
        return (account for surface, account in self._people if surface == self._surface)

    def __len__(self) -> int:
        return sum(1 for _account in self)
