"""The page without a mouse: Tab comes to everything and shows where it is, Enter, Space and Escape do what they say."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, FilePayload, Page, expect

from bot.screens import Button, Screen
from bot.surfaces.console.telegram_phones import TelegramPhones
from gateways.simulator.telegram.server import TelegramSimulator
from tests.bot.console.script import Script, Site, site
from tests.bot.console.test_files import picture
from tests.bot.console.test_page import answer, live

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# What a mouse could use just now; of a toolbar and of tabs one stands for all, and arrows lead to the others.
CONTROLS = """() => {
  const all = document.querySelectorAll("a[href], button, input, select, summary, [contenteditable], [tabindex]");
  const usable = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled
    && !(one.tabIndex < 0 && one.closest("[role=toolbar], [role=tablist]"));
  return [...all].filter(usable).map((one, place) => {
    one.dataset.control = place;
    return `${one.tagName.toLowerCase()} ${one.ariaLabel || one.textContent.trim().slice(0, 30) || one.id}`;
  });
}"""
# The editor's frame is that of the composer around it.
FOCUS = """() => {
  const at = document.activeElement;
  const frame = getComputedStyle(at.id === "editor" ? at.closest(".composer") : at);
  const box = at.getBoundingClientRect();
  return {
    control: at.dataset.control === undefined ? -1 : Number(at.dataset.control),
    framed: at.id === "editor"
      ? frame.borderColor !== getComputedStyle(document.querySelector(".log")).borderColor
      : frame.outlineStyle === "solid" && parseFloat(frame.outlineWidth) >= 2,
    inSight: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
  };
}"""


async def walk(page: Page) -> None:
    """Tab through everything, once round."""
    names = await page.evaluate(CONTROLS)
    await page.evaluate("document.activeElement.blur()")
    reached = set()
    for _press in range(len(names) + 3):  # past its end and its beginning a page lets one out to the browser
        await page.keyboard.press("Tab")
        at = await page.evaluate(FOCUS)
        if at["control"] < 0:
            continue
        name = names[at["control"]]
        assert at["framed"], f"nothing shows that the focus is on: {name}"
        assert at["inSight"], f"the focus is out of sight: {name}"
        reached.add(at["control"])
    assert not [name for number, name in enumerate(names) if number not in reached], "Tab does not come there"


@pytest_asyncio.fixture(loop_scope="session")
async def console(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, script=Script(answer), name="Acme mailings") as served:
        yield served


async def test_tab_comes_to_everything_and_shows_where_it_is(page: Page, console: Site) -> None:
    await page.keyboard.type("Hello")
    await page.keyboard.press("Enter")  # a preview with a link, and a card
    await expect(page.get_by_role("button", name="Next")).to_be_visible()
    await console.surface.show("Ann", live(40))
    for number in range(12):
        await console.surface.show("Ann", Screen(f"Another card\n\n{number}", ((Button("Open", "o"),),)))
    await expect(page.get_by_role("button", name="Show the live card")).to_be_visible()
    await page.set_input_files("#file", files=[FilePayload(name="sale.png", mimeType="image/png", buffer=picture())])
    await expect(page.get_by_role("button", name="Remove sale.png")).to_be_visible()
    await page.get_by_role("textbox", name="Write a message").focus()
    await page.keyboard.press("Control+k")
    await walk(page)


async def test_what_goes_away_under_the_focus_hands_it_on(page: Page, console: Site) -> None:
    await console.surface.show("Ann", live(40))
    for number in range(12):
        await console.surface.show("Ann", Screen(f"Another card\n\n{number}"))
    pinned = page.get_by_role("button", name="Show the live card")
    await pinned.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Pause")).to_be_focused()
    await console.surface.show("Ann", Screen("One more"))
    await page.get_by_role("button", name="Newest messages").focus()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("log")).to_be_focused()
    await page.set_input_files("#file", files=[FilePayload(name="sale.png", mimeType="image/png", buffer=picture())])
    await page.get_by_role("button", name="Remove sale.png").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#files li")).to_have_count(0)
    await expect(page.get_by_role("textbox", name="Write a message")).to_be_focused()


async def test_a_menu_of_commands_sends_nothing_that_was_not_chosen(page: Page, console: Site) -> None:
    await page.get_by_role("button", name="Commands").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("textbox", name="Write a message")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Tab")  # it leads on, and chooses nothing
    await expect(page.get_by_role("listbox")).to_be_hidden()
    await expect(page.get_by_role("button", name="Commands")).to_be_focused()
    assert await page.get_by_role("article").count() == 1
    await page.keyboard.press("Space")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("listbox")).to_be_hidden()
    await expect(page.get_by_role("textbox", name="Write a message")).to_be_focused()


async def test_a_word_is_formatted_and_linked(page: Page, console: Site) -> None:
    editor = page.get_by_role("textbox", name="Write a message")
    await editor.focus()
    await page.keyboard.type("sale")
    await page.keyboard.press("Shift+Home")
    for name in ("Commands", "Attach"):
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name=name)).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowRight")
    italic = page.get_by_role("button", name="Italic")
    await expect(italic).to_be_focused()
    await page.keyboard.press("Space")
    await expect(italic).to_have_attribute("aria-pressed", "true")
    await editor.focus()
    await page.keyboard.press("Control+k")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Escape")  # from its buttons too
    await expect(page.locator("#link-row")).to_be_hidden()
    await expect(editor).to_be_focused()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("acme.test")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("article").nth(1).locator("em a, a em, i a, a i")).to_have_text("sale")


async def test_the_demo_s_phones_are_worked_too(tmp_path: Path, browser: BrowserContext) -> None:
    simulator = TelegramSimulator()
    bot = simulator.add_bot("1:demo")
    olena = bot.add_client(7, "Olena")
    await simulator.start()
    phones = TelegramPhones(simulator, bot, [7], channel="tg-shop")
    async with site(tmp_path, script=Script(answer), demo=True, phones=phones) as served:
        page = browser.pages[0]
        await page.goto(served.url)
        phone = page.get_by_role("article", name="Olena")
        await expect(phone.get_by_text("Nothing has arrived yet")).to_be_visible()
        await walk(page)
        await phone.get_by_role("textbox", name="Answer as Olena").focus()
        await page.keyboard.type("Hello")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(phone.get_by_role("log")).to_contain_text("Hello")
        await page.keyboard.press("Tab")
        await expect(phone.get_by_role("button", name="Say STOP")).to_be_focused()
        await page.keyboard.press("Space")
        await expect(phone.get_by_role("log")).to_contain_text("STOP")
        assert [message.text for message in olena.chat] == ["Hello", "STOP"]
    await simulator.stop()
