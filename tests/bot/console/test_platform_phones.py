"""Phones of the simulated messengers beside Telegram: what stands there, what clients do, and how the page shows it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from bot.surfaces.console.phones import ManyPhones
from bot.surfaces.console.platform_phones import PlatformPhones
from gateways.markup import RichText, Span
from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.phones import ChatButton, ChatCard, ChatMedia, ChatMessage, SimClient
from gateways.simulator.platform import Platform
from gateways.simulator.viber.server import ViberSimulator
from gateways.simulator.vk.server import VkSimulator
from gateways.simulator.whatsapp.server import WhatsAppSimulator
from tests.bot.console.script import site
from tests.bot.console.test_files import picture

pytestmark = pytest.mark.asyncio(loop_scope="session")  # where the one browser of all tests runs
ACCOUNT = "7001"
CLIENTS = {"viber": "AbCd=", "facebook": "5550", "vk": "510", "whatsapp": "447700900001"}
OWN = "http://127.0.0.1:8080"
MORE = ChatButton("Tell me more", "reply", '{"press": "c1.0"}')
SHOP = ChatButton("Shop", "link", "https://acme.test/")


@pytest_asyncio.fixture(loop_scope="session")
async def platforms() -> AsyncIterator[dict[str, Platform]]:
    made: dict[str, Platform] = {
        "viber": ViberSimulator(),
        "facebook": FacebookSimulator(),
        "vk": VkSimulator(),
        "whatsapp": WhatsAppSimulator(),
    }
    for kind, platform in made.items():
        platform.add_account(ACCOUNT)
        platform.add_client(ACCOUNT, CLIENTS[kind], f"Olena of {kind}")
        await platform.start()
    yield made
    for platform in made.values():
        await platform.stop()


def phones_on(platforms: dict[str, Platform]) -> ManyPhones:
    return ManyPhones(
        [
            PlatformPhones(platform, ACCOUNT, [CLIENTS[kind]], channel=f"{kind}-shop", kind=kind, own_url=OWN)
            for kind, platform in platforms.items()
        ]
    )


def client_of(platforms: dict[str, Platform], kind: str) -> SimClient:
    return platforms[kind].client(ACCOUNT, CLIENTS[kind])


def said(number: int, text: str = "", rows: Sequence[Sequence[ChatButton]] = (), **more: object) -> ChatMessage:
    spans = (Span("b", 0, 5),) if text.startswith("Hello") else ()
    rich = RichText(text, spans)
    return ChatMessage(f"m/{number}=", True, 1_800_000_000.0, rich, rows=tuple(map(tuple, rows)), **more)  # type: ignore[arg-type]


async def test_a_message_is_shown_with_its_buttons_its_picture_and_its_state(platforms: dict[str, Platform]) -> None:
    client, phones = client_of(platforms, "whatsapp"), phones_on(platforms)
    media = (ChatMedia("file", name="list.pdf"), ChatMedia("picture", content=picture()))
    client.keep(said(1, "Hello at https://acme.test/a.", [[MORE], [SHOP]], media=media))
    client.mark("m/1=", "delivered")

    (message,) = phones.messages("whatsapp-shop.447700900001")

    address = message["media"][1].pop("url")
    assert message == {
        "id": "0",
        "side": "bot",
        "at": "2027-01-15T08:00:00+00:00",
        "text": [
            {"tag": "b", "nodes": ["Hello"]},
            " at ",
            {"tag": "a", "nodes": ["https://acme.test/a"], "url": "https://acme.test/a"},
            ".",
        ],
        "media": [{"kind": "file", "url": None, "name": "list.pdf"}, {"kind": "picture", "name": ""}],
        "rows": [
            [{"label": "Tell me more", "kind": "reply"}],
            [{"label": "Shop", "kind": "link", "url": "https://acme.test/"}],
        ],
        "keyboard": [],
        "cards": [],
        "state": "delivered",
    }
    assert phones.picture("whatsapp-shop.447700900001", address.rpartition("/")[2]).content == picture()


async def test_only_files_of_our_own_server_are_shown(platforms: dict[str, Platform]) -> None:
    client, phones = client_of(platforms, "viber"), phones_on(platforms)
    urls = (f"{OWN}/media/x.png", f"{OWN}.evil.test/x.png", "https://acme.test/x.png")
    client.keep(said(1, media=tuple(ChatMedia("picture", url) for url in urls)))

    (message,) = phones.messages("viber-shop.AbCd=")

    assert [item["url"] for item in message["media"]] == ["/media/x.png", None, None]


async def test_viber_s_buttons_stand_below_the_chat_and_places_are_found(platforms: dict[str, Platform]) -> None:
    phones = phones_on(platforms)
    client_of(platforms, "viber").keep(said(1, "Hello", [[MORE]], media=(ChatMedia("location", name="50.4,30.5"),)))

    (message,) = phones.messages("viber-shop.AbCd=")

    assert (message["rows"], message["keyboard"][0][0]["label"]) == ([], "Tell me more")
    assert (message["location"], message["media"]) == ([50.4, 30.5], [])


async def test_what_happens_on_any_messenger_comes_in_one_stream(platforms: dict[str, Platform]) -> None:
    phones = phones_on(platforms)
    with phones.events() as events:
        for kind in ("vk", "facebook"):
            client_of(platforms, kind).keep(said(1, f"Hi {kind}"))
        platforms["vk"].add_client(ACCOUNT, "511").keep(said(1, "Not shown"))
        first, second = [await asyncio.wait_for(anext(events), 5) for _ in range(2)]
        phones.say("facebook-shop.5550", "STOP")
        phones.block("facebook-shop.5550")
        client_of(platforms, "facebook").note("Thanks")
        third, fourth, fifth = [await asyncio.wait_for(anext(events), 5) for _ in range(3)]

    assert {first.phone, second.phone} == {"vk-shop.510", "facebook-shop.5550"}
    assert (third.what["message"]["side"], third.what["message"]["text"]) == ("me", ["STOP"])
    assert "state" not in third.what["message"]
    assert fourth.what == {"kind": "state", "state": "blocked"}
    assert fifth.what == {"kind": "note", "text": "Thanks"}
    phones.unblock("facebook-shop.5550")
    assert client_of(platforms, "facebook").state == "active"


async def test_phones_stand_side_by_side_the_first_of_each_messenger_first(platforms: dict[str, Platform]) -> None:
    platforms["viber"].add_client(ACCOUNT, "EfGh=", "Piotr")
    groups = [
        PlatformPhones(platforms["viber"], ACCOUNT, ["AbCd=", "EfGh="], channel="viber-shop", kind="viber"),
        PlatformPhones(platforms["vk"], ACCOUNT, ["510"], channel="vk-shop", kind="vk"),
    ]
    assert [phone.id for phone in ManyPhones(groups).phones()] == [
        "viber-shop.AbCd=",
        "vk-shop.510",
        "viber-shop.EfGh=",
    ]


@pytest.mark.parametrize(("message", "number"), [("9", 0), ("0", 9), ("-1", 0), ("x", 0), ("", 0)])
async def test_what_is_not_there_can_t_be_touched(platforms: dict[str, Platform], message: str, number: int) -> None:
    phones = phones_on(platforms)
    client_of(platforms, "vk").keep(said(1, "Hello", [[MORE]]))
    with pytest.raises(LookupError):
        phones.press("vk-shop.510", message, number)
    with pytest.raises(LookupError):
        phones.picture("vk-shop.510", f"{message}.{number}")


@pytest.mark.browser
async def test_every_messenger_has_its_own_look_and_its_buttons_work(
    platforms: dict[str, Platform], tmp_path: Path, browser: BrowserContext
) -> None:
    cards = tuple(ChatCard(f"Fern {number}", "12 €", "", (MORE,), picture()) for number in (1, 2))
    rows = [[ChatButton(name, "row", name)] for name in ("Today", "Tomorrow", "Never")]
    client_of(platforms, "facebook").keep(
        said(1, "Hello", [[ChatButton("Yes", "chip", "c1"), ChatButton("No", "chip")]])
    )
    client_of(platforms, "viber").keep(said(1, "Hello", [[MORE]]))
    client_of(platforms, "vk").keep(said(1, "Hello", cards=cards))
    client_of(platforms, "whatsapp").keep(said(1, "Hello", rows))
    async with site(tmp_path, demo=True, phones=phones_on(platforms)) as served:
        page = browser.pages[0]
        await page.goto(served.url)
        await _press_everything(page)
        await expect(page.get_by_role("article", name="Olena of facebook").get_by_role("log")).to_contain_text("Yes")
        await expect(page.get_by_role("article", name="Olena of whatsapp").get_by_role("log")).to_contain_text("Never")

        ticks = page.get_by_role("article", name="Olena of viber").get_by_role("log")
        await expect(ticks.get_by_role("img", name="Sent")).to_be_visible()
        for state, name in (("delivered", "Delivered"), ("read", "Read")):
            client_of(platforms, "viber").mark("m/1=", state)
            await expect(ticks.get_by_role("img", name=name)).to_be_visible()

        walls = [
            await page.get_by_role("article", name=f"Olena of {kind}").evaluate("it => getComputedStyle(it).background")
            for kind in platforms
        ]
        assert len(set(walls)) == len(platforms)
        await page.get_by_role("button", name="WhatsApp").click()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth && scrollX === 0")


async def _press_everything(page: Page) -> None:
    await page.get_by_role("article", name="Olena of facebook").get_by_role("button", name="Yes").click()
    await page.get_by_role("article", name="Olena of viber").get_by_role("button", name="Tell me more").click()
    await page.get_by_role("article", name="Olena of vk").get_by_role("button", name="Tell me more").last.click()
    whatsapp = page.get_by_role("article", name="Olena of whatsapp")
    await whatsapp.get_by_text("Choose").click()
    await whatsapp.get_by_role("button", name="Never").click()
