from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from tests.bot.console.script import Site, site
from tests.browser import need_chromium, open_browser


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as served:
        yield served


@pytest.fixture
def refusals() -> list[str]:
    """What the page's own policy forbade it, and what broke in it: a test that means such things clears the list."""
    return []


@pytest.fixture
async def browser(tmp_path: Path, refusals: list[str]) -> AsyncIterator[BrowserContext]:
    """A browser of this test's own; in the end nothing may have been refused."""
    async with open_browser(need_chromium(), tmp_path / "browser", refusals) as context:
        yield context
    assert refusals == []
