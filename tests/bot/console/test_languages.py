"""The page in the language of whoever looks at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.people import Everybody
from bot.screens import Event, Press, Screen
from storage.store import Store
from tests.bot.console.script import PEOPLE, Script, site


@pytest.mark.parametrize(
    ("browser", "language", "words"),
    [
        ("uk-UA,uk;q=0.9,en;q=0.8", "uk", "Чат із ботом"),
        ("ru", "ru", "Чат с ботом"),
        ("de-DE,de;q=0.9", "en", "Chat with the bot"),
        ("", "en", "Chat with the bot"),
    ],
)
async def test_a_page_speaks_the_browsers_language_at_first(
    tmp_path: Path, browser: str, language: str, words: str
) -> None:
    async with site(tmp_path) as console:
        await console.enter("Ann")
        async with console.session.get(console.url, headers={"Accept-Language": browser}) as response:
            page = await response.text()
    assert f'<html lang="{language}">' in page
    assert words in page


async def test_a_closed_page_says_so_in_the_browsers_language(tmp_path: Path) -> None:
    async with (
        site(tmp_path) as console,
        console.session.get(console.url, headers={"Accept-Language": "uk"}) as response,
    ):
        assert "Ця сторінка відкривається за посиланням" in await response.text()


@dataclass
class _Choosing(Script):
    """A conversation in which Ann chooses a language."""

    people: Everybody | None = None

    async def handle(self, event: Event) -> Sequence[Screen]:
        if self.people is not None and event.what == Press("lang:is:uk"):
            await self.people.speak("Ann", "uk")
        return [Screen("…")]


async def test_a_page_whose_person_chose_a_language_is_written_anew(tmp_path: Path, store: Store) -> None:
    people = Everybody(PEOPLE, store)
    async with site(tmp_path, script=_Choosing(people=people), people=people) as console:
        await console.enter("Ann")
        async with console.page() as page:
            await page.told("hello")
            await console.surface.act("Ann", Press("lang:is:uk"))
            assert await page.told("language") == {"type": "language"}
        assert console.surface.commands("Ann")[0] == ("new", "зробити розсилку")
        async with console.session.get(console.url, headers={"Accept-Language": "en"}) as response:
            assert '<html lang="uk">' in await response.text()
