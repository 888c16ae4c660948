"""How a message looks on each messenger, and the real message to oneself, as an operator asks for them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from bot.screens import Attachment, Said
from engine.clock import FakeClock, SystemClock
from engine.imports import upsert_clients
from engine.media import Media
from engine.operations import Operations
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import Accepted, Account, AddressGone, Capabilities, GatewayError, Outgoing, PartKind
from gateways.facebook.capabilities import FACEBOOK
from gateways.telegram.capabilities import TELEGRAM
from gateways.twilio.capabilities import SMS
from gateways.viber.capabilities import VIBER
from gateways.vk.capabilities import VK
from gateways.whatsapp.capabilities import WHATSAPP
from storage.store import Store
from tests.bot.chat import Chat, operations_on
from tests.bot.conftest import ZONE, Desk
from tests.engine.test_channel_start import Speaker, running
from tests.gateways.pictures import JPEG

ABLE = {"tg": TELEGRAM, "viber": VIBER, "fb": FACEBOOK, "vk": VK, "wa": WHATSAPP, "sms": SMS}
HELLO = "Hello, {{ client.first_name | default('friend') }}! The spring sale is on."


def settings_for(folder: Path, *names: str) -> EngineSettings:
    channels = [ChannelSettings(f"{name}-shop", ABLE[name]) for name in names]
    return EngineSettings({channel.id: channel for channel in channels}, folder, timezone=ZONE)


async def with_ann(store: Store, settings: EngineSettings) -> None:
    addresses = {"tg-shop": "2001", "viber-shop": "AnnsViber==", "wa-shop": "380501234567"}
    known = {name: address for name, address in addresses.items() if name in settings.channels}
    await upsert_clients(
        store, [{"id": "a", "name": "Ann Lee", "first_name": "Ann", "addresses": known}], channels=settings.channels
    )


@pytest.fixture
async def shop(store: Store, tmp_path: Path, clock: FakeClock) -> Desk:
    settings = settings_for(tmp_path, *ABLE)
    await with_ann(store, settings)
    return Desk(store, operations_on(store, settings, clock), settings, clock)


async def composed(desk: Desk, words: str = HELLO) -> Chat:
    chat = desk.chat()
    await chat.say("/new")
    await chat.say(words)
    return chat


def titles(chat: Chat) -> list[str]:
    return [one.title for one in chat.answer[0].album]


# --- pictures


async def test_the_preview_is_a_picture_of_each_messenger_and_the_real_message(shop: Desk) -> None:
    chat = await composed(shop)
    assert not titles(chat)
    await chat.press("Preview")
    assert titles(chat) == ["Telegram", "Viber", "Facebook Messenger", "VK", "WhatsApp", "SMS"]
    assert all("Hello, Ann! The spring sale is on." in one.words for one in chat.answer[0].album)
    assert all(Image.open(BytesIO(one.png)).width == 720 for one in chat.answer[0].album)
    chat.sees("Pictures: Telegram, Viber, Facebook Messenger, VK, WhatsApp, SMS.", "Above is what Ann Lee gets by")
    chat.sees_not("Emoji look plainer")
    chat.sees_button("Next: audience")
    await chat.say("/preview 1")
    assert len(titles(chat)) == 6


async def test_a_messenger_that_can_not_carry_it_has_no_picture_and_says_why(shop: Desk) -> None:
    chat = await composed(shop, "Sale 🎉 " * 300)
    await chat.press("Preview")
    assert titles(chat) == ["Telegram", "Viber", "VK", "WhatsApp"]
    chat.sees("⛔ SMS can't carry it: The text of element 1 takes", "Emoji look plainer there than on a phone.")
    chat.sees("⛔ Facebook Messenger can't carry it")


async def test_a_kept_picture_is_in_the_pictures(shop: Desk) -> None:
    chat = shop.chat()
    source = Media(shop.settings.data_dir).keep_picture(JPEG, "sale.jpg")
    await chat.send(Said(text="Look", attachments=(Attachment(PartKind.PICTURE, source),)))
    await chat.press("New mailing")
    await chat.press("Preview")
    drawn = {one.title: Image.open(BytesIO(one.png)).convert("RGB") for one in chat.answer[0].album}
    assert drawn["Telegram"].getpixel((300, 300)) == Image.open(BytesIO(JPEG)).getpixel((20, 15))
    assert drawn["SMS"].getpixel((300, 300)) == (255, 255, 255)


async def test_another_clients_pictures_and_a_stale_press(shop: Desk) -> None:
    chat = await composed(shop)
    stale = chat.sees_button("Preview")
    await chat.press("Another client")
    await chat.say("Ann")
    assert "Hello, Ann!" in chat.answer[0].album[0].words
    await chat.press("Rename")
    await chat.say("Autumn")
    await chat.press_token(stale.token)
    chat.sees("That card was old", "Autumn · draft #1")


async def test_the_check_card_shows_the_pictures_and_stands_below_them(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/check")
    await chat.press("Preview")
    assert len(titles(chat)) == 6
    chat.sees("Pictures: Telegram", "Check · ", "Send “The spring sale is on” to 1 client now?")
    chat.sees_button("🚀 Send to 1 client")


async def test_a_template_stands_under_the_message_that_goes_while_the_window_is_open(shop: Desk) -> None:
    chat = await composed(shop)
    mailing = await shop.operations.get(1)
    field = {"name": "sale", "language": "en", "parameters": ["30%"]}
    await shop.operations.set_template(1, "whatsapp", field, mailing.created_by)
    await chat.say("/preview")
    words = next(one.words for one in chat.answer[0].album if one.title == "WhatsApp")
    assert words.startswith("While the reply window is open Hello, Ann!")
    assert "While it is closed: the template [sale] 30%" in words


# --- tests to oneself


class Told(Speaker):
    """Takes everything, or says why not."""

    def __init__(self, able: Capabilities, refusal: GatewayError | None = None) -> None:
        super().__init__(Account("1", "Shop"))
        self.capabilities = able
        self.refusal = refusal
        self.sent: list[tuple[str, str]] = []

    async def send(self, parts: Sequence[Outgoing]) -> Sequence[Accepted | GatewayError]:
        self.sent += [(out.address, out.text.text) for out in parts]
        return [self.refusal or Accepted("1") for _ in parts]


@asynccontextmanager
async def at_work(
    store: Store, folder: Path, *names: str, **refusals: GatewayError
) -> AsyncIterator[tuple[Desk, dict[str, Told]]]:
    """A desk whose engine runs in the same process."""
    settings = settings_for(folder, *names)
    await with_ann(store, settings)
    speakers = {f"{name}-shop": Told(ABLE[name], refusals.get(name)) for name in names}

    async def ask(channel: str) -> Account:
        return await speakers[channel].check()

    async with running(store, settings, speakers) as engine:
        operations = Operations(store, settings, SystemClock(), check_channel=ask, engine=engine)
        yield Desk(store, operations, settings, FakeClock()), speakers


async def test_one_press_sends_the_real_message_to_every_own_account(store: Store, tmp_path: Path) -> None:
    refusal = AddressGone("blocked", "the user blocked us")
    async with at_work(store, tmp_path, "tg", "viber", "wa", "sms", viber=refusal) as (desk, speakers):
        chat = await composed(desk)
        await chat.press("Test to myself")
        chat.sees("✓ The test is sent to you by tg-shop. It counts in no statistics.")
        chat.sees("Not by viber-shop, wa-shop, sms-shop: I don't know your account there yet.")
        await chat.press("My accounts")
        chat.sees("• tg-shop (Telegram): 1001", "• viber-shop (Viber): not known yet")
        for wrong in ("viber-shop", "hm?", "viber-shop a", "tg-shop Ann"):
            await chat.say(wrong)
            chat.sees("⚠")
            assert chat.labels()
        await chat.say("viber-shop OlhasViber==")
        chat.sees("✓ Remembered: viber-shop.", "• viber-shop (Viber): OlhasViber==")
        await chat.say("wa-shop +380 50 765 43 21")
        # Who has told a phone for one channel has told it for all that go by phone.
        chat.sees("• wa-shop (WhatsApp): 380507654321", "• sms-shop (SMS): 380507654321")
        chat = desk.chat()  # as after a restart
        await chat.say("/test 1")
        chat.sees(
            "✓ The test is sent to you by tg-shop, wa-shop, sms-shop.", "⚠ viber-shop can't write to that account"
        )
        chat.sees_not("I don't know your account")
        assert {name: speaker.sent[-1] for name, speaker in speakers.items()} == {
            "tg-shop": ("1001", "Hello, Ann! The spring sale is on."),
            "viber-shop": ("OlhasViber==", "Hello, Ann! The spring sale is on."),
            "wa-shop": ("380507654321", "Hello, Ann! The spring sale is on."),
            "sms-shop": ("380507654321", "Hello, Ann! The spring sale is on."),
        }
        await chat.say("/accounts")
        drop = chat.sees_button("✕ viber-shop")
        await chat.press("✕ viber-shop")
        chat.sees("✓ Forgotten: viber-shop.", "• viber-shop (Viber): not known yet")
        await chat.press_token(drop.token)
        chat.sees("• viber-shop (Viber): not known yet")


async def test_whoever_is_a_client_says_so_and_the_card_has_the_addresses(store: Store, tmp_path: Path) -> None:
    async with at_work(store, tmp_path, "viber", "wa") as (desk, speakers):
        chat = await composed(desk)
        await chat.press("Test to myself")
        chat.sees("I don't know your own account on a messenger yet; told once", "viber-shop 100200300")
        await chat.say("Nobody Known")
        chat.sees(
            "Type a channel and an address, or your name or phone as a client. The channels are: viber-shop, wa-shop."
        )
        await chat.press("Back")
        chat.sees("Your own accounts", "• viber-shop (Viber): not known yet")
        await chat.press("Send me the test")
        await chat.say("Ann Lee")
        chat.sees("✓ The test is sent to you by viber-shop, wa-shop.")
        assert [speaker.sent[0][0] for speaker in speakers.values()] == ["AnnsViber==", "380501234567"]


async def test_a_test_from_the_check_card_leads_back_to_it(store: Store, tmp_path: Path) -> None:
    async with at_work(store, tmp_path, "tg") as (desk, _speakers):
        chat = await composed(desk)
        await chat.say("/check")
        await chat.press("Test to myself")
        chat.sees("✓ The test is sent to you by tg-shop.", "Check · ")
        chat.sees_button("🚀 Send to 1 client")


async def test_without_the_engine_a_test_says_so(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Test to myself")
    chat.sees("⚠ A test needs the engine, and it does not run in this process.", "draft #1")


async def test_of_many_accounts_one_chooses(store: Store, tmp_path: Path, clock: FakeClock) -> None:
    channels = [ChannelSettings(f"tg-{number}", TELEGRAM) for number in range(11)]
    settings = EngineSettings({channel.id: channel for channel in channels}, tmp_path, timezone=ZONE)
    desk = Desk(store, operations_on(store, settings, clock), settings, clock)
    chat = await composed(desk)
    await chat.press("Test to myself")
    chat.sees("I know your accounts on 11 channels. Which shall get it?")
    chat.sees_button("All at once")
    await chat.press("tg-7")
    chat.sees("A test needs the engine")
    await chat.say("/accounts")
    await chat.press("More")
    chat.sees("• tg-10 (Telegram): 1001")
    await chat.press("Back a page")
    chat.sees("• tg-0 (Telegram): 1001")
