import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, async_playwright

from tests.bot.console.script import Site, site

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as served:
        yield served


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path: the one that CARILLON_TEST_BROWSER names, or Debian's, or Google's."""
    named = os.environ.get("CARILLON_TEST_BROWSER")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        words = (
            "no Chromium was found, so the page was not tested in a browser: install one, or set CARILLON_TEST_BROWSER"
        )
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return found


@pytest.fixture
async def browser(chromium: str, tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """A browser of this test's own, with nothing in it."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "browser",
            executable_path=chromium,
            headless=True,
            args=ARGUMENTS,
            viewport={"width": 1280, "height": 860},
        )
        context.set_default_timeout(10_000)
        yield context
        await context.close()
