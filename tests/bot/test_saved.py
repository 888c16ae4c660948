"""Saved messages: kept, found, used, copied, changed, deleted."""

from dataclasses import replace

from gateways.message import Link, Message, Text
from storage.records import Mailing
from storage.saved import SavedMessage
from tests.bot.chat import Chat
from tests.bot.conftest import Desk


async def kept(desk: Desk) -> Chat:
    """“Spring”, saved from a draft of the same name."""
    chat = desk.chat()
    await chat.say("/new Spring")
    await chat.say("The spring sale is on.")
    await chat.press("Save it")
    chat.sees("Under which name shall I keep this message, for all messengers?")
    await chat.press("“Spring”")
    chat.sees("Saved as “Spring”, for all messengers. It stands in /saved.")
    return chat


async def saved(desk: Desk, name: str = "Spring") -> SavedMessage:
    [found] = await desk.store.saved.names(search=name)
    return await desk.store.saved.get(found.id)


async def newest(desk: Desk) -> Mailing:
    found = await desk.operations.list_mailings(limit=1)
    return await desk.operations.get(found[0].id)


async def test_a_message_is_saved_from_a_draft_and_used_in_another_mailing(shop: Desk) -> None:
    chat = await kept(shop)
    await chat.say("/saved")
    chat.sees("• Spring – for all messengers, 21 Nov 2026")
    await chat.press("Spring")
    chat.sees("Spring – saved message for all messengers", "1. Text: “The spring sale is on.”", "Saved by Olha")
    await chat.press("Preview")
    assert chat.answer[0].preview[0].text.text == "The spring sale is on."
    await chat.press("New mailing of it")
    chat.sees("Spring · draft #2", "Saved as a draft")
    assert (await newest(shop)).draft.message == Message((Text("The spring sale is on."),))


async def test_a_name_is_taken_once_and_the_next_one_is_asked_for(shop: Desk) -> None:
    chat = await kept(shop)
    await chat.press("Go on with the draft")
    await chat.press("Save it")
    await chat.say("Spring")
    chat.sees("⚠ There is a saved message “Spring” already: type another name.")
    await chat.say("Spring 2")
    chat.sees("Saved as “Spring 2”")


async def test_one_is_made_by_sending_it_changed_and_renamed(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/saved")
    chat.sees("None yet.")
    await chat.press("New saved message")
    await chat.say("Come to us on Sunday")
    chat.sees("Saved. Use it in as many mailings as you like.", "Come to us on Sunday – saved message")
    await chat.press("Change it")
    await chat.press("1. Text")
    await chat.say("Come to us on Monday")
    await chat.press("Buttons under it")
    await chat.say("Open - acme.test")
    await chat.press("◀ Back")
    await chat.press("◀ Back")
    await chat.press("◀ Back")
    chat.sees("1. Text: “Come to us on Monday”", "Buttons: Open")
    old = chat.sees_button("Rename").token
    await chat.press("Rename")
    await chat.say("Monday")
    chat.sees("Renamed, and saved.", "Monday – saved message")
    changed = await saved(shop, "Monday")
    assert changed.message == Message((Text("Come to us on Monday", ((Link("https://acme.test", "Open"),),)),))
    await chat.press_token(old)
    await chat.say("Tuesday")
    chat.sees("That card was old", "Monday – saved message")


async def test_a_copy_is_for_the_messenger_that_is_chosen(shop: Desk) -> None:
    chat = await kept(shop)
    spring = await saved(shop)
    await shop.store.saved.change(
        replace(spring, message=replace(spring.message, only={"telegram": {"text": "Sale!", "silent": True}}))
    )
    await chat.say("/saved spring")
    await chat.press("Copy")
    await chat.press("Telegram")
    chat.sees("Copied: this is the copy.", "Spring – saved message for Telegram", "1. Text: “Sale!”")
    await chat.press("Copy")
    await chat.press("For all messengers")
    chat.sees("Spring (2) – saved message for all messengers")
    await chat.say("/saved")
    await chat.press("Telegram 1")
    chat.sees("• Spring – for Telegram")
    chat.sees_not("(2)")
    await chat.say("(2)")
    chat.sees("Spring (2) – saved message")
    await chat.say("/saved autumn")
    chat.sees("No saved message has “autumn” in its name.")


async def test_one_takes_the_place_of_a_drafts_message_or_of_one_messengers_version(shop: Desk) -> None:
    chat = await kept(shop)
    await chat.say("/new Other")
    await chat.say("Something else")
    await chat.press("Piece by piece")
    await chat.press("Take a saved one")
    chat.sees("It takes the place of what stands in “Other” now.")
    await chat.press("Spring")
    chat.sees("“Spring” stands in it now.", "1. Text: “The spring sale is on.”")
    assert (await newest(shop)).draft.message == Message((Text("The spring sale is on."),))


async def test_one_is_deleted_after_a_question(shop: Desk) -> None:
    chat = await kept(shop)
    await chat.press("Open it")
    old = chat.sees_button("Change it").token
    await chat.press("Delete")
    chat.sees("Delete the saved message “Spring”?", "It can't be brought back.")
    await chat.press("Yes, delete it")
    chat.sees("Deleted: “Spring”.", "None yet.")
    await chat.press_token(old)
    chat.sees("⚠ That saved message is gone; the list is in /saved.")
    assert (await newest(shop)).draft.name == "Spring"
