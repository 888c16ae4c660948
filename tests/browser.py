"""A Chromium for tests and pictures: where it is, and how it is opened."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, async_playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 15_000


def find_chromium() -> str | None:
    """The one that CARILLON_TEST_BROWSER names, or Debian's, or Google's."""
    return os.environ.get("CARILLON_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


def need_chromium() -> str:
    """Its path; without one the test is skipped with a word about it, and in CI it fails."""
    found = find_chromium()
    if found is None:
        words = "the page was not tested in a browser: install Chromium, or name one by CARILLON_TEST_BROWSER"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return found


@asynccontextmanager
async def open_chromium(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, headless=True, args=ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def new_context(
    browser: Browser, refusals: list[str], *, width: int = 1280, height: int = 860, **more: Any
) -> AsyncIterator[BrowserContext]:
    """A browser with one empty page. `refusals` gathers what broke in a page, and what its policy forbade it."""
    expect.set_options(timeout=WAIT_MS)
    context = await browser.new_context(viewport={"width": width, "height": height}, **more)
    context.set_default_timeout(WAIT_MS)
    context.on("weberror", lambda error: refusals.append(str(error.error)))
    context.on("console", lambda message: refusals.append(message.text) if _is_refusal(message) else None)
    await context.new_page()
    yield context
    await context.close()


@asynccontextmanager
async def open_browser(chromium: str, refusals: list[str], **more: Any) -> AsyncIterator[BrowserContext]:
    """A browser of its own, with what `new_context` takes."""
    async with open_chromium(chromium) as browser, new_context(browser, refusals, **more) as context:
        yield context


def _is_refusal(message: ConsoleMessage) -> bool:
    return "Content Security Policy" in message.text or "TrustedHTML" in message.text
