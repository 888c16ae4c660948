"""By hand in the demo's page: compose a mailing, launch it, watch it finish, and be a client who answers."""

import re

import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.bot.console.test_files import picture
from tests.browser import need_chromium, open_browser
from tests.demo import running_demo

SOON_MS = 60_000


@pytest.mark.browser
@pytest.mark.timeout(240)
async def test_a_mailing_is_composed_and_launched_by_hand_in_the_demo() -> None:
    chromium = need_chromium()
    refusals: list[str] = []
    async with (
        running_demo("--clients", "40", "--port", "0") as demo,
        open_browser(chromium, refusals) as browser,
    ):
        await demo.until_printed("Go on at", within_s=120)
        page = browser.pages[0]
        await page.goto(demo.url)
        chat = page.get_by_role("region", name="Chat with the bot")
        newest = chat.get_by_role("article").last
        write = chat.get_by_role("textbox", name="Write a message")
        phone = page.get_by_role("region", name="Clients’ phones").get_by_role("article").first
        await expect(phone.get_by_role("button", name="Tell me more")).to_be_visible(timeout=SOON_MS)

        await write.fill("/new")
        await page.keyboard.press("Enter")
        await expect(write).to_have_attribute("data-placeholder", "The message, as clients should see it")
        await page.set_input_files("#file", [FilePayload(name="autumn.png", mimeType="image/png", buffer=picture())])
        await expect(page.locator("#files li:not(.loading)")).to_be_visible()
        await write.click()
        await page.keyboard.press("Control+b")
        await page.keyboard.type("Autumn is here, {{ client.first_name | default('friend') }}!")
        await page.keyboard.press("Enter")
        seen = chat.get_by_role("figure").last
        await expect(seen.locator("strong")).to_have_text(re.compile(r"Autumn is here, \w+!"))

        await chat.get_by_role("button", name="Add buttons").last.click()
        await write.fill("What is new? - What is new?")
        await page.keyboard.press("Enter")
        await expect(newest).to_contain_text("What is new?")
        await newest.get_by_role("button", name="Preview").click()
        await expect(chat.get_by_role("figure").last).to_contain_text("What is new?")
        await chat.get_by_role("button", name="Next: audience").last.click()
        await chat.get_by_role("button", name="Next: when and how fast").click()
        await chat.get_by_role("button", name="Next: check").click()
        await newest.get_by_role("button", name=re.compile(r"^Send to \d+ clients")).click()

        bar = chat.get_by_role("progressbar").last
        await expect(newest).to_contain_text("is finished", timeout=SOON_MS)
        await expect(bar).to_have_attribute("aria-valuenow", "100")

        await expect(phone.get_by_role("img").last).to_be_visible()
        await phone.get_by_role("button", name="What is new?").click()
        await newest.get_by_role("button", name="Statistics").click()
        await expect(newest).to_contain_text("clicked", ignore_case=True)

        await newcomers_way(page)
        await second_person_s_way(page)
    assert refusals == []


async def newcomers_way(page: Page) -> None:
    """From opening the page to a launched mailing: at most eight presses and one text."""
    presses = ("New mailing", "Next: audience", "Next: when and how fast", "Next: check", "Send to")
    await page.reload()
    newest = page.locator("#log article").last
    await newest.get_by_role("button", name="Menu").click()
    assert 1 + len(presses) <= 8
    for press in presses:
        await newest.get_by_role("button", name=press).click()
        if press == "New mailing":
            await expect(newest).to_contain_text("Send or forward me the message")
            await page.keyboard.type("We are open on Sunday, too.")
            await page.keyboard.press("Enter")
    await expect(newest).to_contain_text("is finished", timeout=SOON_MS)


async def second_person_s_way(page: Page) -> None:
    """Be the approver, say yes to what the operator has asked, and see the SMS arrive."""
    people = page.get_by_role("combobox", name="Be somebody else of the demo’s people")
    await people.select_option("Iryna · approver")
    approve = page.get_by_role("button", name="Approve")
    await expect(page.locator("#log")).to_contain_text("it goes through sms-shop")
    await expect(page.locator("#log")).to_contain_text("0.045")
    await approve.last.click()
    await expect(page.locator("#log article").last).to_contain_text("Approved")
    await people.select_option("Olha · operator")
    await expect(page.get_by_role("progressbar").last).to_have_attribute("aria-valuenow", "100", timeout=SOON_MS)
    texts = page.get_by_role("article").filter(has_text="sms-shop").first
    await expect(texts).to_contain_text("our shop is closed on Monday")
