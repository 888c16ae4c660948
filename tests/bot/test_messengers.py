"""Several messengers in one chat: for whom a message is, templates, what the check card and the channels' card tell."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.screens import Attachment, Said
from engine.clock import FakeClock
from engine.imports import upsert_clients
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import Account, ButtonSet, PartKind, ReceiptState, Template
from gateways.message import Reply
from gateways.telegram.capabilities import TELEGRAM
from gateways.twilio.capabilities import SMS
from storage.channel_states import told_of
from storage.records import Draft, Mailing, Routing
from storage.store import Store
from tests.bot.chat import Chat, operations_on
from tests.bot.conftest import ZONE, Desk
from tests.engine.kinds import chatty, fact

WA = chatty(
    kind="wa",
    title="Wattsap",
    window_s=86_400.0,
    takes_templates=True,
    receipts=frozenset({ReceiptState.DELIVERED}),
    button_sets=(ButtonSet(frozenset({Reply}), fact(3)),),
)
SALE = Template("sale", "en", "approved", "marketing", body="Hi {{1}}, {{2}} off!", parameters=("1", "2"))
PHOTO = Template(
    "photo", "uk", "approved", "utility", body="Look!", header="image", buttons=("url_parameter", "quick_reply")
)
PAUSED = Template("old", "en", "paused", "marketing", body="Old")
HELLO = "Hello, {{ client.first_name | default('friend') }}! The spring sale is on."


@pytest.fixture
async def shop(store: Store, tmp_path: Path, clock: FakeClock) -> Desk:
    """Ann on Telegram, Bob and Cid on WhatsApp; nobody has written there."""
    channels = (
        ChannelSettings("tg-shop", TELEGRAM),
        ChannelSettings("wa-shop", WA),
        ChannelSettings("sms-shop", SMS, 10.0),
    )
    settings = EngineSettings({channel.id: channel for channel in channels}, tmp_path, timezone=ZONE)
    rows = [
        {"id": "a", "first_name": "Ann", "attributes": {"city": "Kyiv"}, "addresses": {"tg-shop": "1001"}},
        {"id": "b", "first_name": "Bob", "addresses": {"wa-shop": "380501234567", "sms-shop": "380501234567"}},
        {"id": "c", "addresses": {"wa-shop": "380501234568", "sms-shop": "380501234568"}},
    ]
    await upsert_clients(store, rows, channels=settings.channels)
    await store.templates.sync("wa-shop", [SALE, PHOTO, PAUSED], clock.now())
    return Desk(store, operations_on(store, settings, clock), settings, clock)


async def composed(desk: Desk, name: str = "Olha") -> Chat:
    chat = desk.chat(name)
    await chat.say("/new")
    await chat.say(HELLO)
    return chat


async def only_mailing(desk: Desk) -> Mailing:
    [found] = await desk.operations.list_mailings()
    return await desk.operations.get(found.id)


async def test_a_message_is_made_one_messengers_alone_and_everybodys_again(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Messengers")
    chat.sees("It is for everybody, on whichever messenger.", "✓ Telegram: as it is written")
    await chat.press("Only Wattsap")
    chat.sees("It is only for Wattsap: everybody who can be reached there gets it", "Wattsap: as it is written")
    chat.sees_not("Telegram:")
    assert (await only_mailing(shop)).draft.message.kinds == {"wa"}
    await chat.press("◀ Back")
    chat.sees("Only for Wattsap")
    await chat.say("/check")
    chat.sees("2 clients: wa-shop 2", "Only for Wattsap: everybody who can be reached there gets it.")
    await chat.say("/preview")
    await chat.press("Messengers")
    await chat.press("For all messengers")
    assert (await only_mailing(shop)).draft.message.kinds == frozenset()


async def test_what_a_messenger_changes_is_told_at_once(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Add buttons")
    await chat.say("Open - https://acme.test")
    await chat.press("◀ Back")
    await chat.press("Messengers")
    chat.sees("✓ Telegram: as it is written", "⚠ Wattsap has no room for the button")


async def test_a_template_is_picked_filled_and_shown(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Template")
    chat.sees("• sale (en, marketing): Hi {{1}}, {{2}} off!", "• photo (uk, utility): Look!")
    chat.sees_not("old (en")
    await chat.press("sale · en")
    chat.sees("Hi {{1}}, {{2}} off!", "What stands in place of {{1}}?")
    await chat.press("first name")
    chat.sees("What stands there for a client whose first name is not known?")
    await chat.say("friend")
    chat.sees("Hi {{ client.first_name | default('friend') }}, {{2}} off!", "What stands in place of {{2}}?")
    await chat.say("30%")
    assert [part.text.text for part in chat.answer[0].preview] == ["Hi Ann, 30% off!"]
    chat.sees("The template is kept.", "Above is what a client gets by wa-shop while the reply window is closed.")
    chat.sees("Wattsap template: sale (en)")
    field = {"name": "sale", "language": "en", "parameters": ["{{ client.first_name | default('friend') }}", "30%"]}
    assert (await only_mailing(shop)).draft.message.only == {"wa": {"template": field}}
    await chat.say("/check")
    chat.sees("wa-shop: 0 inside the reply window; 2 will get the template", "Send “The spring sale is on”")


async def test_a_template_with_a_picture_and_a_link_asks_for_both(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Template")
    await chat.press("photo · uk")
    chat.sees("Send me the picture, video or file that stands at its head.")
    await chat.say("a picture")
    chat.sees("Send a picture, a video or a file.")
    picture = "media:" + "a" * 64 + ".jpg"
    await chat.send(Said(attachments=(Attachment(PartKind.PICTURE, picture),)))
    chat.sees("What does button 1 lead to")
    await chat.say("abc?m=7")
    chat.sees("What does a client say by pressing quick reply 2?")
    await chat.say("Tell me more")
    chat.sees("The template is kept.")
    template = (await only_mailing(shop)).draft.message.only["wa"]["template"]
    assert template == {
        "name": "photo",
        "language": "uk",
        "header": picture,
        "buttons": ["abc?m=7", {"message": "Tell me more"}],
    }


async def test_whoever_has_no_value_gets_nothing_where_that_is_said(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Template")
    await chat.press("sale · en")
    await chat.press("city")
    await chat.press("Then nothing goes to that client")
    await chat.say("30%")
    template = (await only_mailing(shop)).draft.message.only["wa"]["template"]
    assert template["parameters"] == ["{{ client.city }}", "30%"]


async def test_a_template_is_taken_away_again(shop: Desk) -> None:
    chat = await composed(shop)
    mailing = await only_mailing(shop)
    await shop.operations.set_template(mailing.id, "wa", {"name": "sale", "language": "en"}, mailing.created_by)
    await chat.say("/preview")
    await chat.press("Template")
    await chat.press("Without template")
    chat.sees("Removed, and saved.")
    assert (await only_mailing(shop)).draft.message.only == {}


async def test_the_filling_of_a_template_survives_a_restart(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Template")
    await chat.press("sale · en")
    await chat.say("Ann")
    again = shop.chat()
    await again.say("30%")
    again.sees("The template is kept.")


async def test_a_template_that_went_away_meanwhile_is_told(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Template")
    await chat.press("sale · en")
    await shop.store.templates.sync("wa-shop", [PHOTO], shop.clock.now())
    await chat.say("Ann")
    chat.sees("That is no longer in the list; choose again.")
    chat.sees_button("◀ Back")


async def test_where_one_messenger_without_templates_is_set_up_there_are_no_such_buttons(
    store: Store, tmp_path: Path, clock: FakeClock
) -> None:
    settings = EngineSettings({"tg-shop": ChannelSettings("tg-shop", TELEGRAM)}, tmp_path, timezone=ZONE)
    chat = await composed(Desk(store, operations_on(store, settings, clock), settings, clock))
    assert not {"Messengers", "Template"}.intersection(chat.labels())


async def test_the_check_card_tells_of_closed_windows_and_segments(shop: Desk) -> None:
    chat = await composed(shop)
    mailing = await only_mailing(shop)
    await chat.say("/check")
    chat.sees("⚠ wa-shop: 0 inside the reply window; 2 are known to be outside and will be skipped")
    long = replace(mailing.draft, routing=Routing.CHOSEN, channels=("sms-shop",))
    await shop.operations.change(mailing.id, with_text(long, "x" * 200), mailing.created_by)
    await chat.say("/check")
    chat.sees("sms-shop: about 2 segments for each client, 4 in all")


def with_text(draft: Draft, text: str) -> Draft:
    (element,) = draft.message.elements
    return replace(draft, message=replace(draft.message, elements=(replace(element, text=text),)))  # type: ignore[arg-type]


async def test_the_check_card_tells_what_a_cascade_tries(shop: Desk) -> None:
    chat = await composed(shop)
    mailing = await only_mailing(shop)
    cascade = replace(mailing.draft, routing=Routing.CASCADE, channels=("wa-shop", "tg-shop", "sms-shop"))
    await shop.operations.change(mailing.id, cascade, mailing.created_by)
    await chat.say("/check")
    chat.sees(
        "1. wa-shop: 2 clients first; tg-shop where it is refused, or not delivered in 30 min",
        "2. tg-shop: 1 client first; sms-shop where it is refused (no receipts here)",
        "3. sms-shop: 0 clients first",
        "wa-shop: 0 inside the reply window; 2 are known to be outside and go on to tg-shop",
    )


async def test_a_template_that_is_not_approved_stands_in_the_way(shop: Desk) -> None:
    chat = await composed(shop)
    mailing = await only_mailing(shop)
    field = {"name": "old", "language": "en"}
    await shop.operations.set_template(mailing.id, "wa", field, mailing.created_by)
    await chat.say("/check")
    chat.sees("⛔ wa-shop: The template “old” can't be sent: it is paused.", "Mend that first")


async def test_the_channels_card_tells_what_messengers_say(shop: Desk) -> None:
    account = Account("1", "Acme", "https://m.acme.test/hooks/wa-shop", ("its quality is low",), "https://wa.me/1", 250)
    await shop.store.channel_states.set("wa-shop", told_of(account, shop.clock.now()))
    chat = shop.chat()
    await chat.say("/channels")
    chat.sees("wa-shop · Wattsap, Acme", "Link: https://wa.me/1", "Webhook: https://m.acme.test/hooks/wa-shop")
    chat.sees("250 new conversations a day at most", "⚠ its quality is low", "3 templates, 2 approved")
    chat.sees("The messenger was not asked yet.")
    await chat.press("Ask the messengers")
    chat.sees("✓ Every messenger answered.", "tg-shop · Telegram, tg-shop", "No webhook is set.")


async def test_a_test_goes_to_no_address_that_can_not_be(store: Store, tmp_path: Path, clock: FakeClock) -> None:
    settings = EngineSettings({"sms-shop": ChannelSettings("sms-shop", SMS)}, tmp_path, timezone=ZONE)
    chat = await composed(Desk(store, operations_on(store, settings, clock), settings, clock))
    await chat.press("Test to myself")
    await chat.say("sms-shop Ann")
    chat.sees("“Ann” is no address on sms-shop (SMS)")
