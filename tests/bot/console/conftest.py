"""A served console, and a browser before it: one for all tests, which therefore run on the session's loop."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.bot.console.script import Site, site
from tests.browser import need_chromium, new_context, open_chromium


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as served:
        yield served


@pytest.fixture
def refusals() -> list[str]:
    """What the page's own policy forbade it, and what broke in it: a test that means such things clears the list."""
    return []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with open_chromium(need_chromium()) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: Browser, refusals: list[str]) -> AsyncIterator[BrowserContext]:
    """A browser with nothing in it; in the end nothing may have been refused."""
    async with new_context(chromium, refusals) as context:
        yield context
    assert refusals == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(console: Site, browser: BrowserContext) -> Page:
    """The chat of this module's console, opened by its link."""
    opened = browser.pages[0]
    await opened.goto(console.link())
    await expect(opened.get_by_role("status").first).to_have_text("Connected")
    return opened
