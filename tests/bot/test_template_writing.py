"""Templates written in the chat: step by step, submitted to a simulated WhatsApp over real HTTP, judged, announced."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from bot.progress import LiveCards
from bot.screens import Attachment, Said
from engine.clock import FakeClock
from engine.imports import upsert_clients
from engine.media import Media
from engine.operations import Operations
from engine.settings import ChannelSettings, EngineSettings
from engine.templates import TemplateSync
from gateways.base import Account, NewTemplate, PartKind, Submitted, Template
from gateways.simulator.faults import FaultKind
from gateways.simulator.whatsapp.server import WABA, WhatsAppSimulator
from gateways.telegram.capabilities import TELEGRAM
from gateways.whatsapp.capabilities import WHATSAPP
from gateways.whatsapp.gateway import WhatsAppGateway
from storage.store import Store
from tests.bot.chat import Chat
from tests.bot.conftest import ZONE, Desk
from tests.bot.test_progress import Wall, cards_on
from tests.gateways.pictures import PNG

NUMBER = "3001"


@dataclass
class Shop:
    desk: Desk
    platform: WhatsAppSimulator
    gateway: WhatsAppGateway
    media: Media

    async def sync(self) -> None:
        """The engine reads the platform's list."""
        sync = TemplateSync(self.desk.store, {"wa-shop": self.gateway}, self.desk.clock, stopped=self._stopped)
        await sync.sync("wa-shop")

    async def _stopped(self, channel: str, template: Template) -> None:
        """Nothing is being sent here."""

    def listed(self) -> list[tuple[str, str]]:
        return [(one["name"], one["status"]) for one in self.platform.templates.of(WABA)]

    def telling(self, wall: Wall) -> LiveCards:
        return cards_on(self.desk, wall, team_chats={"telegram": "-100200"})


@pytest.fixture
async def shop(store: Store, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Shop]:
    channels = (ChannelSettings("tg-shop", TELEGRAM), ChannelSettings("wa-shop", WHATSAPP))
    settings = EngineSettings({channel.id: channel for channel in channels}, tmp_path, timezone=ZONE)
    rows = [{"id": "a", "first_name": "Zoe", "addresses": {"wa-shop": "447700900123"}}]
    await upsert_clients(store, rows, channels=settings.channels)
    platform = WhatsAppSimulator()
    await platform.start()
    platform.add_account(NUMBER, name="Acme")
    gateway = WhatsAppGateway(
        channel="wa-shop", phone_number_id=NUMBER, business_account_id=WABA, token="token", app_secret="secret",
        verify_token="verify", media=store.uploads, api_base=f"{platform.url}/v26.0", call_s=0.5,
    )  # fmt: skip
    await gateway.open()

    async def check_channel(channel: str) -> Account:
        return Account(external_id=channel, name=channel)

    async def submit(channel: str, new: NewTemplate) -> Submitted:
        return await gateway.submit_template(new)

    operations = Operations(store, settings, clock, check_channel=check_channel, submit=submit)
    yield Shop(Desk(store, operations, settings, clock), platform, gateway, Media(tmp_path))
    await gateway.close()
    await platform.stop()


async def begun(shop: Shop, name: str = "spring_sale") -> Chat:
    """A template as far as its text."""
    chat = shop.desk.chat()
    await chat.say("/templates")
    await chat.press("Write a template")
    await chat.say(name)
    await chat.press("English")
    await chat.press("Marketing")
    return chat


async def written(shop: Shop, name: str = "spring_sale") -> Chat:
    chat = await begun(shop, name)
    await chat.say("Hi {{ client.first_name }}, everything is {{discount}} off!")
    await chat.press("Ann")
    await chat.say("30%")
    chat.sees("It can be submitted now.")
    return chat


async def submitted(shop: Shop) -> Chat:
    chat = await written(shop)
    await chat.press("Submit")
    await chat.press("Yes, submit it")
    chat.sees("Submitted.")
    return chat


async def test_a_template_is_written_step_by_step(shop: Shop) -> None:
    chat = shop.desk.chat()
    await chat.say("/templates")
    chat.sees("Templates of wa-shop (WhatsApp)", "None yet.", "changed and deleted in WhatsApp Manager")
    await chat.press("Write a template")
    chat.sees("What is the template called?")
    chat.sees_button("Take “acme_2026_11_21”")
    await chat.say("Весна")
    chat.sees("⚠ Type a name of small Latin letters, digits and _, such as spring_sale.")
    await chat.say("Spring Sale!")
    chat.sees("A name has small Latin letters, digits and _ only. Is “spring_sale” right?")
    await chat.press("Take “spring_sale”")
    chat.sees("In which language is it?")
    await chat.say("english")
    chat.sees("⚠ Type the code of a language, such as en or pt_BR.")
    await chat.say("en-us")
    chat.sees("What is it for?", "Marketing: offers")
    await chat.press("Marketing")
    chat.sees("What does it say?", "{{ client.first_name", "{{discount}}")
    await chat.send(Said(unusable="sticker"))
    chat.sees("⚠ Send me the text of the template.")
    await chat.say("x" * 1025)
    chat.sees("⚠ Its text has 1025 characters; 1024 is the most.")
    await chat.send(Said("Hi Bob, <b>everything</b> is {{discount}} off!"))
    chat.sees("Hi Bob, everything is {{1}} off!", "What may stand in place of {{1}} (discount)?")
    await chat.send(Said("a\nb"))
    chat.sees("⚠ Type a word or two, on one line.")
    await chat.say("30%")
    chat.sees("spring_sale – template for wa-shop", "en_US, marketing", "{{1}} – discount, such as “30%”")
    await chat.press("Put a field in")
    await chat.press("first name")
    await chat.say("Robert")
    chat.sees("⚠ “Robert” does not stand in the text: type a word of it.")
    await chat.say("bob")
    chat.sees("Hi {{1}}, everything is {{2}} off!", "{{1}} – first name, such as “Bob”", "{{2}} – discount")
    await chat.press("Examples")
    await chat.press("{{1}} Bob")
    await chat.press("Ann")
    chat.sees("{{1}} – first name, such as “Ann”", "Saved as a draft. It can be submitted now.")


async def test_it_gets_a_head_a_footer_and_buttons_and_is_looked_at(shop: Shop) -> None:
    chat = await written(shop)
    await chat.press("Head")
    await chat.say("x" * 61)
    chat.sees("has 61 characters; 60 is the most.")
    await chat.send(Said(attachments=(Attachment(PartKind.PICTURE, shop.media.keep(PNG, "sale.png")),)))
    chat.sees("Head: a picture.")
    await chat.press("Footer")
    await chat.say("Acme, Kyiv")
    chat.sees("Footer: Acme, Kyiv")
    await chat.press("Buttons")
    await chat.press("+ Link")
    await chat.say("Open")
    await chat.say("no address")
    chat.sees("⚠ “no address” is no address of a page: it begins with https://.")
    await chat.say("acme.test/s/{{1}}")
    chat.sees("What may stand at the end of https://acme.test/s/{{1}}?")
    await chat.say("spring")
    chat.sees("[Open] – opens https://acme.test/s/{{1}}")
    await chat.press("+ Phone")
    await chat.say("Call us")
    await chat.say("12")
    chat.sees("⚠ A phone is written with + and its country")
    await chat.say("+44 7700 900 123")
    chat.sees("[Call us] – calls +447700900123")
    assert "+ Phone" not in chat.labels()
    await chat.press("+ Quick reply")
    await chat.say("Stop promotions")
    await chat.press("✖ Call us")
    chat.sees("[Stop promotions] – quick reply\n[Open] – opens")
    await chat.press("◀ Back")
    await chat.press("Preview")
    (picture,) = chat.answer[0].album
    assert picture.png.startswith(b"\x89PNG")
    assert picture.words == "Hi Ann, everything is 30% off!\n\nAcme, Kyiv"
    await chat.press("Submit")
    await chat.press("Yes, submit it")
    chat.sees("Submitted.", "⏳ WhatsApp is looking at it; that takes up to a day.", "Submitted by Olha.")
    (made,) = shop.platform.templates.of(WABA)
    assert [part["type"] for part in made["components"]] == ["BODY", "HEADER", "FOOTER", "BUTTONS"]
    assert [one["type"] for one in made["components"][-1]["buttons"]] == ["QUICK_REPLY", "URL"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{discount}} off today", "Its text begins with {{1}}: put a word before it."),
        ("Everything is off {{discount}}", "Its text ends with {{1}}: put a word or a full stop after it."),
    ],
)
async def test_what_would_be_refused_is_told_before(shop: Shop, text: str, told: str) -> None:
    chat = await begun(shop)
    await chat.say(text)
    await chat.say("30%")
    chat.sees("Before it can be submitted:", told)
    assert "Submit" not in chat.labels()


async def test_it_is_submitted_once_however_often_it_is_pressed_and_survives_a_restart(shop: Shop) -> None:
    chat = await written(shop)
    await chat.press("Submit")
    chat.sees("Submit “spring_sale” to WhatsApp?", "its name stays taken")
    yes = chat.sees_button("Yes, submit it").token
    await chat.press_token(yes)
    await chat.press_token(yes)
    chat.sees("That card was old", "WhatsApp is looking at it")
    assert shop.listed() == [("spring_sale", "PENDING")]
    again = shop.desk.chat()
    await again.say("/templates")
    again.sees("⏳ spring_sale (en, marketing): pending")
    await again.press("spring_sale")
    again.sees("Hi {{1}}, everything is {{2}} off!", "Submitted by Olha.")


async def test_its_approval_is_told_to_who_submitted_it_and_to_the_team(shop: Shop) -> None:
    chat, wall = await submitted(shop), Wall()
    cards = shop.telling(wall)
    await shop.sync()
    await cards.tick()
    assert wall.shown == []
    shop.platform.templates.of(WABA)[0]["category"] = "UTILITY"
    shop.platform.judge_template("spring_sale", "approved")
    await shop.sync()
    await cards.tick()
    told = (
        "✅ WhatsApp approved the template “spring_sale” (en).\nIt was moved to utility: its price is another.\n"
        "It can be picked in a mailing now, under Template."
    )
    assert wall.shown == [("1001", told), ("-100200", told)]
    await shop.sync()
    await cards.tick()
    assert len(wall.shown) == 2
    await chat.say("/templates")
    chat.sees("✅ spring_sale (en, utility): approved")
    await chat.say("/new")
    await chat.say("Hello")
    await chat.press("Template")
    chat.sees_button("spring_sale · en")


async def test_a_rejection_has_its_reason_in_words_and_another_one_is_written_like_it(shop: Shop) -> None:
    chat, wall = await submitted(shop), Wall()
    shop.platform.judge_template("spring_sale", "rejected", "TAG_CONTENT_MISMATCH")
    await shop.sync()
    await shop.telling(wall).tick()
    assert wall.shown[0][1] == (
        "❌ WhatsApp rejected the template “spring_sale” (en). Write one like it, and submit that.\n"
        "Why: what it says does not fit its language or category"
    )
    await chat.press("Look again")
    chat.sees("❌ WhatsApp rejected it.", "Why: what it says does not fit its language or category")
    await chat.press("Write one like it")
    chat.sees("A draft with the same content, as “spring_sale_2”.", "{{1}} – first name, such as “Ann”")
    await chat.press("Submit")
    await chat.press("Yes, submit it")
    assert shop.listed() == [("spring_sale", "REJECTED"), ("spring_sale_2", "PENDING")]


async def test_a_refusal_is_a_sentence_and_the_draft_stays(shop: Shop) -> None:
    chat = await written(shop)
    shop.platform.templates.add(WABA, "spring_sale", body="Another")
    await chat.press("Submit")
    await chat.press("Yes, submit it")
    chat.sees("⚠ wa-shop did not take the template: there is a template of that name in that language already")
    await shop.sync()
    await chat.press("Name")
    await chat.say("spring_sale")
    chat.sees("• There is a template “spring_sale” in “en” already: take another name.")
    await chat.press("Name")
    await chat.say("autumn_sale")
    await chat.press("Submit")
    await chat.press("Yes, submit it")
    chat.sees("Submitted.")


async def test_an_answer_that_never_comes_is_looked_for_in_the_platforms_list(shop: Shop) -> None:
    chat, wall = await written(shop), Wall()
    shop.platform.faults.add(FaultKind.DROP, method="message_templates", after=1)
    await chat.press("Submit")
    await chat.press("Yes, submit it")
    chat.sees("⚠ wa-shop has not answered. I look whether it has the template, and tell you.")
    await shop.sync()
    await chat.press("Look again")
    chat.sees("It was handed to WhatsApp, and no answer has come.")
    await shop.desk.clock.advance(timedelta(minutes=11).total_seconds())
    await shop.sync()
    await shop.telling(wall).tick()
    await chat.press("Look again")
    assert (wall.shown, shop.listed()) == ([], [("spring_sale", "PENDING")])
    chat.sees("WhatsApp is looking at it")


async def test_two_people_on_one_draft_and_its_end(shop: Shop) -> None:
    olha = await written(shop)
    old = olha.sees_button("Footer").token
    ostap = shop.desk.chat("Ostap")
    await ostap.say("/templates")
    await ostap.press("✏ spring_sale")
    await ostap.press("Head")
    await ostap.say("Sale")
    await olha.press_token(old)
    olha.sees("That card was old: the template has changed since.", "Head: Sale")
    await olha.press("Delete the draft")
    olha.sees("Delete the draft “spring_sale”?", "It can't be brought back.")
    await olha.press("Yes, delete it")
    olha.sees("Deleted: “spring_sale”.", "None yet.")
    await ostap.press("Footer")
    ostap.sees("⚠ That template is not here any more; the list is in /templates.")


async def test_a_manager_writes_none(shop: Shop) -> None:
    chat = shop.desk.chat("Maria")
    await chat.say("/templates")
    chat.sees("You may ask for statistics: /stats.")
