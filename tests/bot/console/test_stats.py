"""The page of statistics: who may see it, and that it says with words and tables all that its pictures show."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from bot.surfaces.console.statistics import Statistics
from engine.settings import ChannelSettings, EngineSettings
from gateways.telegram.capabilities import TELEGRAM
from gateways.viber.capabilities import VIBER
from storage.records import Status
from storage.store import Store, open_store
from tests.bot.conftest import ZONE, Desk
from tests.bot.console.script import Site, site
from tests.bot.console.test_keyboard import walk
from tests.bot.test_stats import SPRING, WINTER, ended

pytestmark = pytest.mark.asyncio(loop_scope="session")  # where the one browser of all tests runs


@pytest_asyncio.fixture(loop_scope="session")
async def store(made_storage_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(made_storage_url, data_dir=tmp_path, secret=b"of the tests") as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    channels = (ChannelSettings("tg-shop", TELEGRAM), ChannelSettings("viber-shop", VIBER))
    return EngineSettings({channel.id: channel for channel in channels}, tmp_path, timezone=ZONE)


@pytest_asyncio.fixture(loop_scope="session")
async def console(desk: Desk, tmp_path: Path) -> AsyncIterator[Site]:
    """Winter went out yesterday, spring an hour ago, one waits."""
    await ended(desk, "Winter sale", WINTER, hours_ago=24)
    await ended(desk, "Spring <b>sale</b>", SPRING)
    await ended(desk, "Tomorrow's", {}, status=Status.SCHEDULED)
    statistics = Statistics(desk.operations, desk.clock)
    async with site(tmp_path, statistics=statistics, timezone=ZONE) as served:
        yield served


async def read(console: Site, path: str, status: int = 200) -> str:
    async with console.session.get(f"{console.url}{path}") as answer:
        assert answer.status == status
        return await answer.text()


async def test_only_people_see_it(console: Site) -> None:
    for path in ("/stats", "/stats/1", "/stats/pictures/mailing/1"):
        assert "opens with the link" in await read(console, path, 403)
    await console.enter("Max")  # a manager
    assert "Spring" in await read(console, "/stats")


async def test_a_time_has_its_numbers_its_channels_and_its_mailings(console: Site) -> None:
    await console.enter()
    page = await read(console, "/stats?period=week")

    assert "15 Nov 2026 – 21 Nov 2026" in page
    assert re.search(r'<th scope="row">Sent</th>\s*<td>2,030</td><td>97%</td>', page)
    assert "counted for 590 of the 2,030 sent, not reported by Telegram." in page
    assert re.search(r'<th scope="col">tg-shop · Telegram</th><th scope="col">viber-shop · Viber</th>', page)
    assert re.search(r"Delivered</th>\s*<td>not reported by Telegram</td><td>580\s·\s98%</td>", page)
    assert '<a href="/stats/2">#2 Spring &lt;b&gt;sale&lt;/b&gt;</a>' in page
    assert "Tomorrow" not in page
    assert "No mailing" not in page
    assert "Last 7 days" in await read(console, "/stats?period=nonsense&page=-1")
    assert "Winter" in await read(console, "/stats?period=yesterday")


async def test_a_mailing_has_its_own_page(console: Site) -> None:
    await console.enter()
    page = await read(console, "/stats/2")

    assert "Spring &lt;b&gt;sale&lt;/b&gt;" in page
    assert re.search(r'<th scope="row">blocked us</th>\s*<td>Failed</td><td>60</td>', page)
    assert "#1 Winter sale" in page  # compared with it
    assert "There are no numbers before it starts." in await read(console, "/stats/3")
    assert await read(console, "/stats/99", 404) == "There is no mailing 99."
    assert "nothing" not in await read(console, "/stats/1")


async def test_there_are_pictures_by_day_and_by_night_and_no_others(console: Site) -> None:
    await console.enter()
    drawn = {}
    both = ("mailing/2", "mailing/2?dark")
    for path in (*both, "period/week", "channels/week", "reasons/2", "compared/2"):
        async with console.session.get(f"{console.url}/stats/pictures/{path}") as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
            drawn[path] = await answer.read()
    assert len(set(drawn.values())) == 6
    for path in ("mailing/99", "mailing/x", "period/x", "period/1", "nothing/1", "channels/2"):
        await read(console, f"/stats/pictures/{path}", 404)


@pytest.mark.browser
async def test_every_picture_has_its_table_beside_it_also_on_a_phone(console: Site, browser: BrowserContext) -> None:
    page = browser.pages[0]
    await page.goto(console.link())
    await page.get_by_role("link", name="Statistics").click()
    await page.get_by_role("link", name="Last 30 days").click()
    await expect(page.get_by_role("link", name="Last 30 days")).to_have_attribute("aria-current", "page")
    await walk(page)
    regions = page.get_by_role("region", name="All together")
    await expect(regions.get_by_role("row", name="Sent 2,030 97%")).to_be_visible()
    picture = page.get_by_role("img", name="Chart of the numbers in the table").first
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1080
    await page.get_by_role("link", name="#2 Spring").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Spring <b>sale</b>")
    for name in ("Numbers", "Why some did not get it", "By channel", "Compared with the one before"):
        await expect(page.get_by_role("heading", name=name)).to_be_visible()
    await page.set_viewport_size({"width": 360, "height": 640})
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    await page.get_by_role("link", name="Chat with the bot").click()
    await expect(page.get_by_role("status").first).to_have_text("Connected")
