"""Steering, lists, numbers, clients and channels, as chats."""

from tests.bot.composed import composed, launched
from tests.bot.conftest import Desk


async def test_a_running_mailing_is_steered_by_its_card(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.press("Slower")
    chat.sees("Speed: 20 a second.")
    await chat.press("Faster")
    await chat.press("Faster")
    chat.sees("That is as fast as its channels allow.")
    await chat.press("Pause")
    chat.sees("paused", "Why: paused by Olha")
    await chat.press("Resume")
    chat.sees("being sent")
    await chat.press("Cancel")
    chat.sees("Cancel “The spring sale is on”?", "None is on its way this moment.")
    await chat.press("Yes, cancel it")
    chat.sees("Cancelled. Nothing more leaves.", "copy it for that")
    await chat.press("Launch again")
    chat.sees("Launch “The spring sale is on” again?", "Nobody has had it yet: all get it now.")
    await chat.press("Yes, launch it")
    chat.sees("being sent")


async def test_what_a_state_does_not_allow_is_said_with_the_reason(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.say("/edit 1")
    chat.sees("that can't be done now", "being sent")
    await chat.say("/delete 1")
    chat.sees("Only a draft can be deleted; this one is sending.")
    await chat.say("/resume 1")
    chat.sees("there is nothing to resume")
    await chat.say("/audience 1")
    chat.sees("is no draft any more")
    await chat.say("/preview 1")  # looking is always allowed
    chat.sees("Above is", "tg-shop")


async def test_a_draft_is_deleted_after_a_question(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.press("Cancel")
    chat.sees("is saved as a draft, #1")
    await chat.press("Delete the draft")
    chat.sees("It can't be brought back.")
    await chat.press("Yes, delete it")
    chat.sees("Deleted: “The spring sale is on”.", "No mailing yet")
    assert await shop.operations.list_mailings() == []


async def test_copy_makes_a_new_draft(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.say("/copy 1")
    chat.sees("Copied: this is a new draft, saved.", "draft #2")


async def test_the_list_has_pages_and_a_search(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/mailings")
    chat.sees("No mailing yet.")
    for number in range(10):
        await chat.say(f"/new Campaign {number}")
        await chat.say(f"Text {number}")
    await chat.say("/mailings")
    chat.sees("Campaign 9", "Campaign 2")
    chat.sees_not("Campaign 1")
    await chat.press("More ▶")
    chat.sees("Campaign 1", "Campaign 0")
    await chat.say("campaign 4")
    chat.sees("Campaign 4 · draft")
    await chat.say("/mailings nothing like it")
    chat.sees("No mailing has “nothing like it” in its name.")


async def test_statistics_say_what_is_not_reported_and_never_0(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.say("/stats 1")
    chat.sees("Delivered", "not reported by Telegram")
    delivered = next(line for line in chat.card().text.splitlines() if line.startswith("Delivered"))
    assert "0" not in delivered
    await chat.say("/stats week")
    chat.sees("1 mailing was launched.", "not reported by Telegram")
    await chat.say("/stats spring")
    chat.sees("The spring sale is on · #1")
    await chat.say("/stats")
    chat.sees("Of which mailing, or of what time?")
    await chat.say("/stats 99")
    chat.sees("There is no mailing 99.")


async def test_stop_holds_everything_and_only_an_owner_lifts_it(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/stop")
    chat.sees("Everything is stopped.", "An owner lifts it with /go.")
    await chat.say("/go")
    chat.sees("Only an owner lets sending go on.")
    await chat.say("/check 1")
    await chat.press("Send to")
    chat.sees("An owner lifts it with /go.", "Send “The spring sale is on” to 10 clients now?")
    ostap = shop.chat("Ostap")
    await ostap.say("/start")
    ostap.sees("Sending is stopped by Olha.")
    await ostap.say("/go")
    ostap.sees("Sending goes on.")
    await chat.press("Send to")
    chat.sees("being sent")


async def test_a_client_is_found_tagged_and_opted_out(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/clients")
    await chat.say("Nobody at all")
    chat.sees("I find no client “Nobody at all”.")
    await chat.say("Ann")
    chat.sees("Ann Lee · id c1", "Tags: vip", "tg-shop: 2001, enabled (main)", "city: Kyiv")
    await chat.press("Tags")
    await chat.press("new")
    await chat.say("gold")
    await chat.press("✓ vip")
    await chat.press("Back")
    chat.sees("gold", "new")
    await chat.press("Opt out")
    await chat.press("On tg-shop only")
    chat.sees("Opted out on tg-shop.", "tg-shop: 2001, unsubscribed (main)")


async def test_why_somebody_did_not_get_it(shop: Desk) -> None:
    chat = await composed(shop)
    await chat.say("/why 1 Client12")
    chat.sees("Not sent yet: the mailing has not started.")
    await chat.say("/launch 1")
    await chat.press("Send to")
    await chat.say("/why 1 Client12")
    chat.sees("Client12 Test and “The spring sale is on”", "left out before the start, unsubscribed")
    await chat.say("/why")
    chat.sees("such as: /why 7 Ann")


async def test_channels_show_what_works_and_are_topped_up(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/channels")
    chat.sees("tg-shop · Telegram", "✓ Works", "500 messages left in the package")
    await chat.press("Top up tg-club")
    await chat.say("many")
    chat.sees("Type how many messages to add, such as 5000.")
    await chat.say("1 000")
    chat.sees("1,500 messages left in the package")


async def test_every_command_without_arguments_answers_usefully(shop: Desk) -> None:
    from bot.dialogs.routes import COMMANDS

    for name in COMMANDS:
        chat = shop.chat("Ostap")
        await chat.say(f"/{name}")
        assert chat.answer, name
        assert chat.answer[-1].text, name
        chat.sees_not("something broke")


async def test_an_unknown_command_names_the_nearest(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/mailing")
    chat.sees("I don't know /mailing. Did you mean /mailings?")
