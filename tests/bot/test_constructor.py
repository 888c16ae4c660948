"""The message piece by piece, its buttons and fields; one messenger's own version; what is told while it is written."""

from pathlib import Path

import pytest

from bot.screens import Attachment, Said
from engine.clock import FakeClock
from engine.imports import upsert_clients
from engine.media import Media
from engine.settings import ChannelSettings, EngineSettings
from gateways.base import PartKind
from gateways.message import Buy, File, Link, Location, Message, Pictures, Point, Reply, Text, Video
from gateways.telegram.capabilities import TELEGRAM
from gateways.twilio.capabilities import SMS
from storage.store import Store
from tests.bot.chat import Chat, operations_on
from tests.bot.conftest import ZONE, Desk
from tests.gateways.pictures import PNG


@pytest.fixture
async def shop(store: Store, tmp_path: Path, clock: FakeClock) -> Desk:
    """Ann is on Telegram, Bob and somebody without a name have phones."""
    channels = (ChannelSettings("tg-shop", TELEGRAM), ChannelSettings("sms-shop", SMS, 10.0))
    settings = EngineSettings({channel.id: channel for channel in channels}, tmp_path, timezone=ZONE)
    rows = [
        {"id": "a", "first_name": "Ann", "attributes": {"city": "Kyiv"}, "addresses": {"tg-shop": "1001"}},
        {"id": "b", "first_name": "Bob", "addresses": {"sms-shop": "380501234567"}},
        {"id": "c", "addresses": {"sms-shop": "380501234568"}},
    ]
    await upsert_clients(store, rows, channels=settings.channels)
    return Desk(store, operations_on(store, settings, clock), settings, clock)


async def composed(desk: Desk, text: str = "Hello, friend! The sale is on.") -> Chat:
    chat = desk.chat()
    await chat.say("/new Sale")
    await chat.say(text)
    return chat


async def message(desk: Desk) -> Message:
    [found] = await desk.operations.list_mailings()
    return (await desk.operations.get(found.id)).draft.message


def picture(desk: Desk, name: str = "sale.png", more: bytes = b"") -> Attachment:
    return Attachment(PartKind.PICTURE, Media(desk.settings.data_dir).keep(PNG + more, name), name)


async def test_a_mailing_is_built_piece_by_piece(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/new Spring")
    chat.sees(
        "{{ client.first_name | default('friend') }} – first name, such as Ann", "{{ client.city }} – city, such as"
    )
    await chat.press("+ Pictures")
    await chat.say("a picture")
    chat.sees("⚠ Send a picture, or type its address: https://…")
    first = picture(shop)
    await chat.send(Said(text="<b>Sale</b>", attachments=(first,)))
    chat.sees("Saved as a draft", "Pieces of “Sale”", "1. Picture: “Sale”")
    await chat.press("+ Text")
    await chat.say("Come <today>")
    chat.sees("Added, and saved.", "2. Text: “Come <today>”")
    await chat.press("+ Location")
    await chat.say("Kyiv")
    chat.sees("⚠ Send a location, or type it as: 50.45, 30.52")
    await chat.say("50.45, 30.52")
    await chat.press("+ File")
    await chat.say("https://acme.test/prices.pdf?v=2")
    await chat.press("+ Video")
    await chat.say("https://acme.test/sale.mp4")
    await chat.send(Said(location=Point(1.5, 2.5)))
    chat.sees("3. Location 50.45, 30.52", "4. File prices.pdf", "5. Video", "6. Location 1.5, 2.5")
    assert (await message(shop)).elements == (
        Pictures((first.source,), "<b>Sale</b>"),
        Text("Come &lt;today&gt;"),
        Location(Point(50.45, 30.52)),
        File("https://acme.test/prices.pdf?v=2", "prices.pdf"),
        Video("https://acme.test/sale.mp4"),
        Location(Point(1.5, 2.5)),
    )


async def test_a_piece_is_changed_moved_and_removed(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Piece by piece")
    await chat.say("The second")
    await chat.press("2. Text: “The second”")
    chat.sees("Piece 2 of 2 of “Sale”", "The second")
    await chat.press("▲ Earlier")
    chat.sees("Moved, and saved.", "Piece 1 of 2")
    await chat.press("Change the text")
    await chat.say("The first now")
    chat.sees("Changed, and saved.", "The first now")
    await chat.press("◀ Back")
    await chat.press("2. Text: “Hello")
    old = chat.sees_button("✕ Remove").token
    await chat.press_token(old)
    chat.sees("Removed, and saved.", "1. Text: “The first now”")
    await chat.press_token(old)
    chat.sees("That card was old: “Sale” has changed since.", "draft #1")
    await chat.say("/pieces")
    await chat.press("1. Text")
    await chat.press("✕ Remove")
    chat.sees("A message has one piece at least")
    assert (await message(shop)).elements == (Text("The first now"),)


async def test_the_pictures_of_an_album_are_added_moved_and_removed(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/new")
    one, two, three = picture(shop), picture(shop, more=b"2"), picture(shop, more=b"3")
    await chat.send(Said(text="Look", attachments=(one, two)))
    await chat.press("Piece by piece")
    await chat.press("1. Album of 2 pictures: “Look”")
    await chat.press("Pictures: add, move, remove")
    await chat.send(Said(attachments=(three,)))
    await chat.press("▲ 3")
    await chat.press("✕ 1")
    assert (await message(shop)).elements == (Pictures((three.source, two.source), "Look"),)
    await chat.press("✕ 1")
    await chat.press("✕ 1")
    chat.sees("The last picture can't go alone")
    await chat.press("◀ Back")
    await chat.press("◀ Back")
    await chat.press("Without text")
    assert (await message(shop)).elements == (Pictures((two.source,)),)


async def test_a_file_gets_another_name_and_a_text_beside_it(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/new")
    kept = Media(shop.settings.data_dir).keep(b"prices", "p.txt")
    await chat.send(Said(attachments=(Attachment(PartKind.FILE, kept, "p.txt"),)))
    await chat.press("Piece by piece")
    await chat.press("1. File p.txt")
    await chat.press("Name of the file")
    await chat.say("Prices 2026.txt")
    await chat.press("Text beside it")
    await chat.say("Our prices")
    await chat.press("Another file")
    await chat.say("https://acme.test/new.txt")
    assert (await message(shop)).elements == (File("https://acme.test/new.txt", "new.txt", "Our prices"),)


async def test_buttons_stand_under_any_piece_and_are_changed_one_by_one(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Piece by piece")
    await chat.say("The second")
    await chat.press("1. Text")
    await chat.press("Buttons under it")
    chat.sees("Buttons under piece 1 of “Sale”", "None yet.")
    await chat.say("Open - acme.test | More - Tell me more\nBuy - SKU-1 - 19.90 EUR")
    chat.sees("• Open → https://acme.test   • More → “Tell me more”", "• Buy → SKU-1, 19.90 EUR")
    await chat.press("+ Buy")
    await chat.say("Two")
    await chat.say("SKU-2")
    await chat.say("cheap")
    chat.sees("⚠ Type an amount and a currency, such as: 19.90 EUR")
    await chat.say("35 EUR")
    await chat.press("+ Buy")
    await chat.say("Free")
    await chat.say("SKU-0")
    await chat.press("Without a price")
    await chat.press("✎ Free")
    chat.sees("It orders SKU-0; no price is shown.", "Row 4 of 4.")
    await chat.press("Into the row above")
    chat.sees("Row 3 of 3.", "Beside it: Two.")
    await chat.press("◁ Left")
    await chat.press("Price")
    await chat.say("1 EUR")
    await chat.press("▲ Row up")
    await chat.press("Another label")
    await chat.say("Nearly free")
    chat.sees("Button “Nearly free” of", "It orders SKU-0 for 1 EUR.", "Row 2 of 3.")
    await chat.press("◀ Back")
    await chat.press("✎ Open")
    await chat.press("Another page")
    await chat.say("no page")
    chat.sees("⚠ “no page” is no address of a page")
    await chat.say("acme.test/sale")
    await chat.press("A row of its own")
    await chat.press("▲ Row up")
    await chat.press("◀ Back")
    await chat.press("✕ Buy")
    assert (await message(shop)).elements[0].buttons == (
        (Link("https://acme.test/sale", "Open"),),
        (Reply("Tell me more", "More"),),
        (Buy("SKU-0", "Nearly free", "1 EUR"), Buy("SKU-2", "Two", "35 EUR")),
    )


async def test_a_button_that_is_typed_whole_where_its_label_is_asked_is_a_button(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Piece by piece")
    await chat.press("1. Text")
    await chat.press("Buttons")
    await chat.press("+ Link")
    await chat.say("Shop https://acme.test/sale")
    chat.sees("Added, and saved.")
    assert (await message(shop)).elements[0].buttons == ((Link("https://acme.test/sale", "Shop"),),)


async def test_a_field_takes_the_place_of_a_word(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Piece by piece")
    await chat.press("1. Text")
    await chat.press("Insert a field")
    chat.sees("{{ client.city }} – city, such as Kyiv")
    await chat.press("first name")
    await chat.say("stranger")
    chat.sees("⚠ “stranger” does not stand in the text")
    await chat.say("Friend")
    chat.sees("Changed, and saved.", "Hello, {{ client.first_name | default('Friend') }}! The sale is on.")
    await chat.press("Insert a field")
    await chat.press("city")
    await chat.press("At the end")
    text = "Hello, {{ client.first_name | default('Friend') }}! The sale is on. {{ client.city }}"
    assert (await message(shop)).elements == (Text(text),)


async def test_missing_values_are_told_before_they_bite_and_mended_by_a_press(shop: Desk) -> None:
    chat = await composed(shop, "Hello, {{ client.first_name }} of {{ client.city }}!")
    chat.sees("⚠ 1 client has no first name: the text has a gap there.", "⚠ 2 clients have no city")
    old = chat.sees_button("No first name: “friend”").token
    await chat.press("No first name: “friend”")
    chat.sees_not("first name")
    await chat.press("No city: what to write?")
    chat.sees("What shall a client read whose city is not known?")
    await chat.say("{}")
    chat.sees("⚠ Type a word or two.")
    await chat.say("your town")
    chat.sees_not("⚠")
    text = "Hello, {{ client.first_name | default('friend') }} of {{ client.city | default('your town') }}!"
    assert (await message(shop)).elements == (Text(text),)
    await chat.press_token(old)
    chat.sees("That card was old")


async def test_an_sms_shows_alphabet_characters_and_segments_while_it_is_written(shop: Desk) -> None:
    chat = await composed(shop)
    chat.sees("✉ SMS: 30 characters in the plain alphabet (GSM-7): 1 segment, 130 more fit.")
    await chat.press("Piece by piece")
    await chat.press("1. Text")
    await chat.say("Знижка! " * 10)
    chat.sees("✉ SMS: 80 characters in Unicode, because of “Знижк”: 2 segments, 54 more fit.")


async def test_one_messenger_has_a_version_of_its_own_and_gives_it_up(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Messengers")
    await chat.press("✎ Another for SMS")
    chat.sees("Pieces of “Sale” on SMS", "SMS gets the same as all. What you change here holds for SMS alone.")
    await chat.press("1. Text")
    await chat.say("Sale! acme.test")
    await chat.press("◀ Back")
    chat.sees("SMS has this version of its own.", "1. Text: “Sale! acme.test”")
    await chat.press("Preview")
    assert chat.answer[0].preview[0].text.text == "Sale! acme.test"
    kept = await message(shop)
    assert kept.for_kind("sms") == (Text("Sale! acme.test"),)
    assert kept.elements == kept.for_kind("telegram") == (Text("Hello, friend! The sale is on."),)
    await chat.say("/preview")
    chat.sees("Another version for SMS")
    await chat.press("Change message")
    await chat.say("Autumn")
    assert (await message(shop)).for_kind("sms") == (Text("Sale! acme.test"),)
    await chat.press("Messengers")
    await chat.press("✎ SMS: its own")
    await chat.press("The same as for all again")
    assert (await message(shop)).only == {}


async def test_messengers_are_chosen_one_after_the_other(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Messengers")
    await chat.press("Only SMS")
    await chat.press("+ Telegram")
    assert (await message(shop)).kinds == {"sms", "telegram"}
    await chat.press("✓ SMS")
    await chat.press("✓ Telegram")
    chat.sees("It is for everybody, on whichever messenger.")


async def test_a_broken_text_is_told_where_it_is_written(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Piece by piece")
    await chat.press("1. Text")
    await chat.say("Hello {{ client.frist_name }}")
    chat.sees("⛔ It can't go out like this: Clients have no field “frist_name”; did you mean “first_name”?")


async def test_a_half_built_message_goes_on_after_a_restart_and_with_another_person(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Piece by piece")
    await chat.press("+ Text")
    again = shop.chat()
    await again.say("More")
    again.sees("Added, and saved.", "2. Text: “More”")
    ostap = shop.chat("Ostap")
    await ostap.say("/pieces 1")
    await ostap.press("2. Text")
    await ostap.press("✕ Remove")
    await again.press("+ Text")
    again.sees("That card was old")


async def test_anything_sent_at_any_question_gets_a_sentence_and_a_way_on(shop: Desk) -> None:
    chat = await composed(shop)
    odd = (Said(unusable="sticker"), Said(text="{{ <b>"))
    for label in ("+ Text", "+ Pictures", "+ File", "+ Video", "+ Location", "1. ", "Buttons under"):
        for said in odd:
            await chat.say("/pieces")
            if label == "Buttons under":
                await chat.press("1. ")
            await chat.press(label)
            await chat.send(said)
            assert chat.answer[-1].text
            assert any("Back" in one for one in chat.labels()), (label, said)
            chat.sees_not("something broke")
