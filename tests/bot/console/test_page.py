"""The page in a browser, with a conversation that answers as the test says."""

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import BrowserContext, FilePayload, Page, expect

from bot.screens import Button, Drawn, Event, Press, Said, Screen, Style
from bot.surfaces.console.doors import MAX_SESSIONS
from bot.surfaces.console.telegram_phones import TelegramPhones
from gateways.base import Outgoing, Part, PartKind
from gateways.markup import read_html
from gateways.message import Link, Reply
from gateways.simulator.telegram.server import TelegramSimulator
from tests.bot.console.script import Script, Site, site
from tests.bot.console.test_files import picture

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EVIL = "<img src=x onerror=alert(1)>"
MENU = Screen(
    f"<b>Menu</b> of {EVIL.replace('<', '&lt;')}",
    ((Button("New mailing", "c:new", Style.PRIMARY), Button("Mailings", "m")),),
    edit=True,
)
FORM = Screen("Send me the message", ((Button("Back", "h"),),), ask="The message, please", edit=True)


def live(percent: int) -> Screen:
    return Screen(
        f"📨 <b>Sale</b> is being sent\n\n{'█' * (percent // 10):░<10} {percent} %\nsent {percent}",
        ((Button("⏸ Pause", "m:pause"), Button("✖ Cancel", "m:cancel", Style.DANGER)),),
        edit=True,
        live=7,
    )


def answer(event: Event) -> Sequence[Screen]:
    match event.what:
        case Press(token="c:new"):
            return [FORM]
        case Press(token="m"):
            return [live(10)]
        case Said(text=text, attachments=attachments):
            part = Part(PartKind.PICTURE if attachments else PartKind.TEXT, media=tuple(a.source for a in attachments))
            buttons = ((Link("https://acme.test/", "See the sale"), Reply("More", "More")),)
            seen = Outgoing("7", part, read_html(text), buttons, ("", ""), "r")
            return [Screen("Saved as a draft", ((Button("Next ▶", "a"),),), preview=(seen,))]
        case _:
            return [MENU]


@pytest_asyncio.fixture(loop_scope="session")
async def console(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, script=Script(answer), name="Acme mailings") as served:
        yield served


async def test_the_page_opens_by_its_link_and_forgets_it(page: Page, console: Site, browser: BrowserContext) -> None:
    assert page.url == f"{console.url}/"
    await expect(page.get_by_role("heading", name="Acme mailings")).to_be_visible()
    await expect(page.get_by_text("Ann · owner")).to_be_visible()
    (cookie,) = await browser.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    await page.reload()
    await expect(page.get_by_role("button", name="New mailing")).to_be_visible()


async def test_without_a_link_a_friendly_page_says_why(console: Site, browser: BrowserContext) -> None:
    page = browser.pages[0]
    answered = await page.goto(f"{console.url}/")
    assert answered is not None
    assert answered.status == 403
    await expect(page.get_by_role("heading")).to_have_text(
        "This page opens with the link that Carillon printed when it started."
    )


async def test_foreign_text_is_only_ever_text(page: Page) -> None:
    card = page.get_by_role("article").first
    await expect(card).to_contain_text(f"Menu of {EVIL}")
    assert await card.locator(".text img").count() == 0
    await expect(card.locator("strong")).to_have_text("Menu")


async def test_a_press_changes_the_card_and_the_question(page: Page, console: Site) -> None:
    await page.get_by_role("button", name="New mailing").click()
    await expect(page.get_by_role("article")).to_have_count(1)
    await expect(page.get_by_role("article")).to_contain_text("Send me the message")
    await expect(page.get_by_role("textbox", name="Write a message")).to_have_attribute(
        "data-placeholder", "The message, please"
    )


async def test_a_card_is_worked_by_keyboard_alone(page: Page) -> None:
    await page.get_by_role("button", name="New mailing").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Back")).to_be_focused()  # the focus stays in the card that changed
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="New mailing")).to_be_focused()


async def test_formatting_travels_in_our_subset(page: Page, console: Site) -> None:
    editor = page.get_by_role("textbox", name="Write a message")
    await editor.click()
    await page.keyboard.press("Control+b")
    await page.keyboard.type("Hello <you>")
    await page.keyboard.press("Control+b")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("see ")
    await page.get_by_role("button", name="Link").click()
    await page.get_by_label("Address of the link").fill("acme.test/sale")
    await page.keyboard.press("Enter")
    await page.keyboard.type(" now")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("article").last).to_contain_text("Saved as a draft")
    said = console.script.heard[-1].what
    assert said == Said('<b>Hello &lt;you&gt;</b>\nsee <a href="https://acme.test/sale">acme.test/sale</a> now')
    preview = page.get_by_role("figure")
    await expect(preview.get_by_role("link", name="acme.test/sale")).to_have_attribute("rel", "noopener noreferrer")
    await expect(preview.get_by_role("link", name=re.compile("See the sale"))).to_be_visible()


async def test_a_pasted_page_keeps_our_formatting_and_nothing_else(
    page: Page, console: Site, refusals: list[str]
) -> None:
    await page.get_by_role("textbox", name="Write a message").click()
    await page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData("text/html", `<h1>Sale</h1><p style="color:red">All <strong>half</strong> price
                <script>window.ran = true</script><img src=x onerror="window.ran = true">
                <a href="javascript:window.ran=true">here</a> <a href="https://acme.test">there</a></p>`);
            const paste = { clipboardData: data, bubbles: true, cancelable: true };
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", paste));
        }"""
    )
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("article").last).to_contain_text("Saved as a draft")
    assert console.script.heard[-1].what == Said(
        'Sale\nAll <b>half</b> price here <a href="https://acme.test">there</a>'
    )
    assert await page.evaluate("window.ran") is None
    assert all("style" in refusal for refusal in refusals)  # the pasted page's own colours
    refusals.clear()


async def test_a_picture_is_sent_and_seen_in_the_preview(page: Page, console: Site) -> None:
    file = FilePayload(name="balcony.png", mimeType="image/png", buffer=picture())
    await page.set_input_files("#file", files=[file])
    await expect(page.locator("#files li:not(.loading)")).to_have_text("balcony.png")
    await page.get_by_role("button", name="Send").click()
    seen = page.get_by_role("figure").get_by_role("img")
    await expect(seen).to_be_visible()
    assert await seen.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8


async def test_pictures_stand_beside_each_other_and_say_what_is_in_them(page: Page, console: Site) -> None:
    album = (Drawn("Telegram", picture(), "Hello, Ann"), Drawn("Viber", picture()))
    await console.surface.show("Ann", Screen("Pictures: Telegram, Viber.", album=album))
    shown = page.get_by_role("group", name="As a client sees it")
    await expect(shown.get_by_role("img", name="Telegram: Hello, Ann")).to_be_visible()
    await expect(shown.get_by_role("link", name="Viber")).to_have_attribute("href", re.compile("^/console/pictures/"))


async def test_a_broken_picture_is_told_beside_the_input(page: Page) -> None:
    await page.set_input_files("#file", files=[FilePayload(name="sale.png", mimeType="image/png", buffer=b"no")])
    await expect(page.locator("#toasts")).to_contain_text("The picture sale.png can't be read")
    await expect(page.locator("#files li")).to_have_count(0)


async def test_commands_are_chosen_from_their_menu(page: Page, console: Site) -> None:
    await page.get_by_role("textbox", name="Write a message").click()
    await page.keyboard.type("/m")
    await expect(page.get_by_role("option")).to_have_count(1)
    await expect(page.get_by_role("option")).to_contain_text("/mailings")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("article").nth(1)).to_contain_text("/mailings")
    await page.get_by_role("button", name="Commands").click()
    await expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("listbox")).to_be_hidden()


async def test_the_live_card_is_drawn_as_a_bar_and_followed_out_of_sight(page: Page, console: Site) -> None:
    await page.get_by_role("button", name="Mailings").click()
    bar = page.get_by_role("progressbar")
    await expect(bar).to_have_attribute("aria-valuenow", "10")
    message_id = console.script.placed[-1][1]
    await console.surface.edit("Ann", message_id, live(60))
    await expect(bar).to_have_attribute("aria-valuenow", "60")
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    for number in range(12):
        await console.surface.show("Ann", Screen(f"Another card\n\n{number}"))
    pinned = page.get_by_role("button", name="Show the live card")
    await expect(pinned).to_contain_text("60 %")
    await pinned.click()
    await expect(bar).to_be_in_viewport()
    await console.surface.edit("Ann", message_id, Screen("✅ <b>Sale</b> is finished", live=7))
    await expect(pinned).to_be_hidden()


async def test_a_broken_connection_comes_back_and_nothing_said_is_lost(
    page: Page, console: Site, browser: BrowserContext
) -> None:
    await browser.set_offline(True)
    await console.surface.close()
    await expect(page.get_by_role("status").first).to_have_text("Connecting again")
    await page.get_by_role("textbox", name="Write a message").fill("Said while away")
    await page.keyboard.press("Enter")
    await browser.set_offline(False)
    await expect(page.get_by_role("status").first).to_have_text("Connected")
    await expect(page.get_by_role("article").last).to_contain_text("Saved as a draft")
    assert [event.what for event in console.script.heard if isinstance(event.what, Said)] == [Said("Said while away")]


async def test_a_session_that_is_over_says_what_to_do(page: Page, console: Site) -> None:
    for _other in range(MAX_SESSIONS):  # the one unused for longest ends
        console.surface.doorman.open_session("Ann")
    await console.surface.close()
    await expect(page.get_by_role("alert")).to_contain_text("open it with a new link")


async def test_on_a_phone_s_width_nothing_runs_out_of_the_page(page: Page, console: Site) -> None:
    await page.set_viewport_size({"width": 360, "height": 640})
    await page.get_by_role("button", name="Mailings").click()
    await console.surface.show(
        "Ann", Screen(f"A long word: {'x' * 200}", ((Button("y" * 40, "a"), Button("z" * 40, "b")),))
    )
    await expect(page.get_by_role("article").last).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    assert await page.evaluate("document.querySelector('#log').scrollWidth <= 360")
    await expect(page.get_by_role("button", name="Send")).to_be_in_viewport()


async def test_the_demo_s_phones_ring_and_answer(tmp_path: Path, browser: BrowserContext) -> None:
    simulator = TelegramSimulator()
    bot = simulator.add_bot("1:demo")
    olena = bot.add_client(7, "Olena")
    bot.add_client(8, "Piotr")
    await simulator.start()
    phones = TelegramPhones(simulator, bot, [7, 8], channel="tg-shop")
    async with site(tmp_path, script=Script(answer), demo=True, phones=phones) as served:
        page = browser.pages[0]
        await page.goto(served.url)
        phone = page.get_by_role("article", name="Olena")
        await expect(phone.get_by_text("Nothing has arrived yet")).to_be_visible()
        async with ClientSession() as session:
            await session.post(
                f"{simulator.url}/bot1:demo/sendMessage",
                json={
                    "chat_id": 7,
                    "text": "<b>Hello, Olena!</b>",
                    "parse_mode": "HTML",
                    "reply_markup": {"inline_keyboard": [[{"text": "Tell me more", "callback_data": "c1.0"}]]},
                },
            )
        await expect(phone.locator("strong")).to_have_text("Hello, Olena!")
        await phone.get_by_role("button", name="Tell me more").click()
        await phone.get_by_role("button", name="Say STOP").click()
        await expect(phone.get_by_role("log")).to_contain_text("STOP")
        await phone.get_by_role("textbox", name="Answer as Olena").fill("Is it open on Sunday?")
        await page.keyboard.press("Enter")
        await expect(phone.get_by_role("log")).to_contain_text("Is it open on Sunday?")
        await phone.get_by_role("button", name="Block").click()
        await expect(phone).to_contain_text("Olena has blocked the bot")
        assert [message.text for message in olena.chat] == ["Hello, Olena!", "STOP", "Is it open on Sunday?"]
        assert [query.data for query in bot.queries.values()] == ["c1.0"]
        await phone.get_by_role("button", name="Unblock").click()
        await expect(phone.get_by_role("button", name="Block")).to_be_visible()
    await simulator.stop()
