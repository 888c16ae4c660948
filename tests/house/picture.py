"""Draws docs/page.png, the picture of the page in the README: python -m tests.house.picture

The demo runs, sends its mailing, and the page is photographed while the bar moves.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser import find_chromium, open_browser
from tests.demo import running_demo

WIDTH, HEIGHT, SHARP = 1920, 960, 1.5
FROM_PERCENT = 50


async def draw(target: Path, *, dark: bool) -> None:
    chromium = find_chromium()
    if chromium is None:
        sys.exit("Install Chromium, or name one by CARILLON_TEST_BROWSER.")
    look = {"device_scale_factor": SHARP, "color_scheme": "dark" if dark else "light", "reduced_motion": "reduce"}
    async with (
        running_demo("--port", "0") as demo,
        open_browser(chromium, [], width=WIDTH, height=HEIGHT, **look) as browser,
    ):
        page = browser.pages[0]
        await page.goto(demo.url)
        await _play(page)
        await page.screenshot(path=target)


async def _play(page: Page) -> None:
    """Until the mailing is on its way and clients have answered."""
    every = page.get_by_role("region", name="Clients’ phones").get_by_role("article")
    phones = every.filter(has_not_text="sms-shop")  # to which this mailing does not go
    more = phones.get_by_role("button", name="Tell me more")
    await expect(more).to_have_count(await phones.count(), timeout=60_000)
    await more.first.click()
    await more.nth(1).click()
    await phones.nth(2).get_by_role("textbox").fill("Is it open on Sunday, too?")
    await page.keyboard.press("Enter")
    await phones.nth(3).get_by_role("button", name="Say STOP").click()
    bar = page.get_by_role("progressbar").last
    while int(await bar.get_attribute("aria-valuenow") or 0) < FROM_PERCENT:
        await page.wait_for_timeout(200)
    await page.locator("#log").evaluate("log => { document.activeElement.blur(); log.scrollTop = log.scrollHeight }")
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(500)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the picture of the page.")
    parser.add_argument("target", nargs="?", type=Path, default=Path("docs/page.png"))
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    options.target.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(draw(options.target, dark=options.dark))


if __name__ == "__main__":
    main()
