"""Coming in by an invitation: the link shows whom it is for, and its button lets them in once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from playwright.async_api import BrowserContext, expect

from bot.people import Everybody
from bot.screens import Person
from bot.surfaces.console.surface import ConsoleSurface
from storage.invitations import Invitation
from storage.records import Actor, Role
from storage.store import Store
from tests.bot.console.script import PEOPLE, Site, site

OWNER = Actor("Ann", Role.OWNER, "console", "Ann")
NOW = datetime.now(UTC)


async def posted(console: Site, code: str, origin: str = "") -> tuple[int, str]:
    url, headers = f"{console.url}/console/join", {"Origin": origin or console.url, "Accept-Language": "en"}
    async with console.session.post(url, data={"code": code}, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_the_button_lets_in_once_and_looking_at_the_link_does_not_use_it_up(tmp_path: Path, store: Store) -> None:
    people = Everybody(PEOPLE, store)
    _invitation, code = await people.invite("Petro <b>", Role.OPERATOR, OWNER, NOW)
    async with site(tmp_path, people=people, invitations=people, public_url="https://m.acme.test") as console:
        assert console.surface.way_in(code) == f"https://m.acme.test/console/join?code={code}"
        for _look in range(2):
            async with console.session.get(f"{console.url}/console/join", params={"code": code}) as answer:
                page = await answer.text()
                assert answer.status == 200
        assert "Petro &lt;b&gt;, you are invited to Carillon" in page
        assert "You come in as operator." in page
        assert (await posted(console, code, "https://evil.test"))[0] == 403
        assert await posted(console, code) == (303, "")
        async with console.page() as opened:
            assert (await opened.told("hello"))["me"] == {"name": "Petro <b>", "role": "operator"}
        again = await posted(console, code)
        assert again[0] == 403
        assert "This invitation was used already" in again[1]
        assert (await posted(console, "join-" + "a" * 32))[0] == 404
        async with console.session.get(f"{console.url}/console/join?code=x") as answer:
            assert answer.status == 403
        await people.remove("Petro <b>", OWNER, NOW)
        async with console.session.get(f"{console.url}/console/session") as answer:
            assert answer.status == 403


async def test_without_invitations_there_is_no_such_page(console: Site) -> None:
    async with ClientSession() as stranger, stranger.get(f"{console.url}/console/join?code=x") as answer:
        assert answer.status == 404


class OneInvitation:
    """An invitation for Max."""

    async def invited(self, code: str, at: datetime) -> Invitation:
        return Invitation(1, "Max", Role.MANAGER, OWNER, at, at + timedelta(days=7))

    async def join(self, code: str, surface: str, account: str | None, at: datetime) -> Person | None:
        return PEOPLE["console", "Max"] if code == "join-max" else None


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_a_person_comes_in_by_the_button_in_a_browser(tmp_path: Path, browser: BrowserContext) -> None:
    async with site(tmp_path, invitations=OneInvitation(), name="Acme mailings") as console:
        surface: ConsoleSurface = console.surface
        surface.base_url = console.url
        page = await browser.new_page()
        await page.goto(surface.way_in("join-max"))
        await expect(page.get_by_role("heading")).to_have_text("Max, you are invited to Acme mailings")
        await page.get_by_role("button", name="Come in").click()
        await expect(page.locator("#log")).to_be_visible()
        assert "join" not in page.url
