import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, async_playwright

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
def refusals() -> list[str]:
    """What the page's own policy forbade it, and what broke in it: a test that means such things clears the list."""
    return []


@pytest.fixture
async def browser(chromium: str, tmp_path: Path, refusals: list[str]) -> AsyncIterator[BrowserContext]:
    """A browser of this test's own, with nothing in it; in the end nothing may have been refused."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "browser",
            executable_path=chromium,
            headless=True,
            args=ARGUMENTS,
            viewport={"width": 1280, "height": 860},
        )
        context.set_default_timeout(10_000)
        context.on("weberror", lambda error: refusals.append(str(error.error)))
        context.on("console", lambda message: refusals.append(message.text) if _is_refusal(message) else None)
        yield context
        await context.close()
        assert refusals == []


def _is_refusal(message: ConsoleMessage) -> bool:
    return "Content Security Policy" in message.text or "TrustedHTML" in message.text
