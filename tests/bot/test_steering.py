"""Mailings in the list, in the archive and under way: what each card says and does, as chats."""

import csv
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import insert, update

from bot.screens import Said
from engine.settings import ChannelSettings, Quota, QuotaPer
from gateways.message import Message, Text
from gateways.telegram.capabilities import TELEGRAM
from storage.records import Actor, DeliveryState, Draft, Role, Status
from storage.schema import deliveries, steps
from tests.bot.chat import Chat
from tests.bot.conftest import Desk
from tests.bot.test_progress import Wall, cards_on, count, launched, move

OLHA = Actor("Olha", Role.OPERATOR, "telegram", "1001")
NOT_TOLD = "–: its messengers don't report it."


async def finished(desk: Desk) -> Chat:
    """A mailing that reached nine, and one of them not."""
    chat = await launched(desk)
    await count(desk, sent=9, failed=1, waiting=-10, **{"failed:blocked": 1})
    await change(desk, status=Status.SENT.value, finished_at=desk.clock.now())
    return chat


async def change(desk: Desk, **values: Any) -> None:
    """The step as the engine would have left it."""
    async with desk.store.database.writing() as connection:
        await connection.execute(update(steps).where(steps.c.mailing_id == 1).values(**values))


async def drafts(desk: Desk, *names: str) -> list[int]:
    return [await desk.operations.create(Draft(name, Message((Text("Hello"),))), OLHA) for name in names]


# --- the list and the archive ---


async def test_the_list_has_the_numbers_of_each_and_never_a_0_for_what_nobody_reports(shop: Desk) -> None:
    chat = await finished(shop)
    await drafts(shop, "Autumn")
    await chat.say("/mailings")
    chat.sees(
        "📝 #2 Autumn – draft, 21 Nov 2026",
        "✅ #1 Spring sale – finished 100%, 21 Nov 2026\nplanned 10 · sent 9 · failed 1 · delivered – · read –",
        NOT_TOLD,
    )


async def test_a_finished_mailing_is_put_away_and_brought_back(shop: Desk) -> None:
    chat = await finished(shop)
    await chat.say("/mailings 1")
    chat.sees("Spring sale – finished", "✉ Text: “Hello”", "To: Everybody", "launched by Olha", "Copy it")
    await chat.press("Archive")
    chat.sees("It is in the archive; its numbers stay.")
    assert "Bring it back" in chat.labels()
    await chat.press("◀ Archive")
    chat.sees("Archive, newest first", "#1 Spring sale – finished 100%, 21 Nov 2026, in the archive")
    await chat.press("All mailings")
    chat.sees("The list is empty: all mailings are in the archive.")
    await chat.say("spring")
    chat.sees("Spring sale – finished")
    await chat.say("/stats 1")
    chat.sees("Spring sale")
    await chat.say("/archive 1")
    chat.sees("It is in the list again.")
    await chat.say("/mailings")
    chat.sees("#1 Spring sale")
    await chat.say("/archive")
    chat.sees("The archive is empty")


async def test_only_what_has_ended_goes_to_the_archive_and_a_second_press_says_so(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.say("/archive 1")
    chat.sees("“Spring sale” is sending; only what is finished or cancelled goes to the archive.", "being sent")
    await move(shop, Status.CANCELLED)
    await chat.say("/archive 1")
    await chat.press_token("m:away:1")
    chat.sees("“Spring sale” is in the archive already.")
    await chat.press_token("m:back:1")
    await chat.press_token("m:back:1")
    chat.sees("“Spring sale” is not in the archive.")
    history = [entry.verb for entry in await shop.store.mailings.history(1)]
    assert history[-2:] == ["archive", "bring_back"]


async def test_what_was_searched_for_has_pages(shop: Desk) -> None:
    await drafts(shop, "Other", *(f"Sale {number}" for number in range(9)))
    chat = shop.chat()
    await chat.say("/mailings sale")
    chat.sees("Mailings with “sale”:", "Sale 8", "Sale 1")
    chat.sees_not("Other")
    await chat.press("More ▶")
    chat.sees("Sale 0")
    chat.sees_not("Sale 1")
    await chat.press("Back a page")
    chat.sees("Sale 8")
    ostap = shop.chat("Ostap")
    await ostap.press_token("m:found:3")
    ostap.sees("Mailings, newest first")


async def test_a_draft_opened_from_the_list_is_copied_or_deleted_there(shop: Desk) -> None:
    chat = shop.chat()
    await drafts(shop, "Autumn")
    await chat.say("/mailings")
    await chat.press("#1 Autumn")
    chat.sees("Autumn · draft #1", "To: Everybody", "Start: at once, when you launch it; speed 25 a second")
    await chat.press("Copy")
    chat.sees("Copied: this is a new draft, saved.", "draft #2")
    await chat.say("/language uk")
    await chat.say("/copy 1")
    assert [(await shop.operations.get(number)).draft.name for number in (2, 3)] == ["Autumn (copy)", "Autumn (копія)"]
    await chat.say("/language en")
    await chat.say("/mailings 1")
    await chat.press("Delete the draft")
    chat.sees("It can't be brought back.")
    old = chat.sees_button("Yes, delete it").token
    await chat.press("Yes, delete it")
    chat.sees("Deleted: “Autumn”.")
    await chat.press_token(old)
    chat.sees("There is no mailing 1.")


# --- looking at one ---


async def test_a_running_one_shows_its_details_and_its_message_and_the_live_card_stays(shop: Desk) -> None:
    chat = await launched(shop)
    live = chat.card().id
    await chat.press("Details")
    assert chat.card().id != live
    chat.sees("Spring sale · #1", "✉ Text: “Hello”", "Each client gets it on the main channel.", "speed 25")
    chat.sees("While it is under way it can't be edited")
    await chat.press("Message")
    assert chat.answer[0].preview[0].text.text == "Hello"
    chat.sees("Above is “Spring sale” as Ann Lee gets it by tg-shop.")
    assert [card.message_id for card in await shop.store.conversations.open_cards()] == [live]
    await chat.press("◀ Back")
    chat.sees("being sent")


async def test_the_report_is_handed_over_as_files(shop: Desk) -> None:
    chat = await finished(shop)
    await chat.say("/report 1")
    table, sheet = chat.answer[0].files
    assert (table.name, sheet.name) == ("report-1.csv", "report-1.xlsx")
    whole, channel = csv.DictReader(StringIO(table.content.decode("utf-8-sig")))
    assert (whole["name"], whole["channel"], whole["sent"], whole["failed"]) == ("Spring sale", "all", "9", "1")
    assert (whole["delivered"], whole["failures.blocked"]) == ("", "1")
    assert (channel["channel"], channel["sent"]) == ("tg-shop", "9")
    assert [cell.value for cell in load_workbook(BytesIO(sheet.content))["Mailings"]["A"]] == ["id", 1, 1]
    maria = shop.chat("Maria")
    await maria.say("/report 1")
    assert len(maria.answer[0].files) == 2
    await maria.press_token("m:failed+:1")
    maria.sees("You may ask for statistics: /stats.")
    await drafts(shop, "Autumn")
    await chat.say("/report 2")
    chat.sees("“Autumn” has not begun: there is nothing to report yet.")
    await chat.say("/report")
    chat.sees("Which one? Type the number too, such as: /report 7.")


async def test_who_failed_is_listed_by_reason_and_handed_over_as_a_file(shop: Desk) -> None:
    chat = await finished(shop)
    await chat.say("/failed 1")
    chat.sees("Who did not get “Spring sale”", "1 blocked us")
    await chat.press_token("m:failed+:1")
    chat.sees("Nobody failed.")
    await plan(shop, state=DeliveryState.FAILED.value, reason="blocked", finished_at=shop.clock.now())
    await chat.say("/failed 1")
    await chat.press("All of them as a file")
    [row] = csv.DictReader(StringIO(chat.answer[0].files[0].content.decode("utf-8-sig")))
    assert (row["name"], row["channel"], row["reason"]) == ("Ann Lee", "tg-shop", "blocked")


async def plan(desk: Desk, **values: Any) -> None:
    step_id = (await desk.operations.get(1)).step_id
    row = {"step_id": step_id, "client_id": 1, "channel": "tg-shop", "address_id": 1, "due_at": desk.clock.now()}
    async with desk.store.database.writing() as connection:
        await connection.execute(insert(deliveries).values(**{**row, "state": "planned", **values}))


# --- speed ---


async def test_what_another_speed_would_take_stands_on_the_card_and_it_is_chosen(shop: Desk) -> None:
    chat = await launched(shop)
    await count(shop, planned=35_990, waiting=35_990)
    await chat.say("/now")
    chat.sees("24 min left", "What if: at 20 a second 30 min")
    await chat.press("Speed…")
    chat.sees(
        "How fast shall “Spring sale” go?", "For the rest, 36,000 clients", "10 a second: 1 h", "1 a second: 10 h"
    )
    await chat.press("10")
    chat.sees("Speed: 10 a second.", "What if: at 5 a second 2 h, at 15 a second 40 min")
    await chat.say("/speed 1 5")
    chat.sees("Speed: 5 a second.")
    await chat.say("/speed 1 99")
    chat.sees("The speed is from 1 to 25 messages a second.")
    await chat.say("/speed 1 fast")
    chat.sees("such as: /speed 7 10.")
    await chat.say("/speed 1")
    chat.sees("Now it goes 5 a second on each channel.")
    await chat.say("/speed")
    chat.sees("Which one?")
    await move(shop, Status.SENT)
    await chat.press_token("m:speed:1:100")
    chat.sees("“Spring sale” is finished; that can't be done now.")
    await chat.press_token("m:speeds:1")
    chat.sees("It is finished: its speed matters only while it is sent.")


# --- the stop switch ---


async def test_the_stop_switch_on_a_live_card_says_who_pressed_it_and_the_others_are_told(shop: Desk) -> None:
    chat = await launched(shop)
    await chat.press("Stop everything")
    chat.sees("⛔ Everything is stopped", "Held: Olha stopped all sending. An owner lifts it with /go.")
    await chat.press("Let sending go on")
    chat.sees("Only an owner lets sending go on.")
    wall = Wall()
    cards = cards_on(shop, wall, team_chats={"telegram": "-100200"})
    await cards.tick()
    told = [(place, text.partition("\n")[0]) for place, text in wall.shown if "stopped" in text]
    assert told == [("1002", "⛔ Olha stopped all sending."), ("-100200", "⛔ Olha stopped all sending.")]
    ostap = shop.chat("Ostap")
    await ostap.say("/now")
    await ostap.press("Let sending go on")
    ostap.sees("▶ Sending goes on.", "being sent")
    await cards.tick()
    assert wall.shown[-1] == ("-100200", "▶ Ostap let sending go on.")
    await ostap.say("/stop")
    await ostap.say("/stop")
    await cards.tick()
    assert len([text for _place, text in wall.shown if "Ostap stopped" in text]) == 1


# --- nothing goes out ---


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"broken_at": True, "reason": "Unauthorized"}, "tg-shop is broken: Unauthorized. Mend it"),
        ({"down_since": True}, "tg-shop does not answer. It goes on by itself"),
        ({"throttled_until": True}, "tg-shop asks us to wait until Sat, 21 Nov 2026, 11:11 (Europe/Kyiv)."),
    ],
)
async def test_stuck_for_a_minute_it_says_why_and_what_to_do(shop: Desk, state: dict[str, Any], words: str) -> None:
    chat = await launched(shop)
    await chat.say("/now")
    chat.sees_not("Nothing has gone out")
    await shop.clock.advance(61)
    now = shop.clock.now()
    await change(shop, rate_at=now)
    soon = now + timedelta(minutes=10)
    await shop.store.channel_states.set("tg-shop", {name: soon if one is True else one for name, one in state.items()})
    await chat.say("/now")
    chat.sees("Nothing has gone out since 11:00.", words)


async def test_stuck_without_an_engine_or_a_reason_or_until_an_hour_says_so(shop: Desk) -> None:
    chat = await launched(shop)
    await shop.clock.advance(61)
    await chat.say("/now")
    chat.sees("Carillon's engine does not run. Start it with “carillon run”")
    await change(shop, rate_at=shop.clock.now())
    await chat.say("/now")
    chat.sees("I see no reason. Pause it and resume it")
    await plan(shop, due_at=shop.clock.now() + timedelta(hours=2))
    await chat.say("/now")
    chat.sees("⏳ The next ones are due Sat, 21 Nov 2026, 13:01 (Europe/Kyiv).")
    chat.sees_not("Nothing has gone out")
    await change(shop, moved_at=shop.clock.now())
    await chat.say("/now")
    chat.sees_not("The next ones are due")


async def test_a_quota_that_is_used_up_is_told_of(shop: Desk) -> None:
    chat = await launched(shop)
    shop.settings.channels["tg-shop"] = ChannelSettings("tg-shop", TELEGRAM, quota=Quota(0, QuotaPer.DAY))  # type: ignore[index]
    await shop.clock.advance(61)
    await change(shop, rate_at=shop.clock.now())
    await chat.say("/now")
    chat.sees("The quota of tg-shop is used up. Top it up with /topup, or wait for the next day.")


# --- several at once, and bad input ---


async def test_more_than_five_at_once_are_said_to_be_in_the_list(shop: Desk) -> None:
    for mailing_id in await drafts(shop, *(f"Sale {number}" for number in range(6))):
        await shop.operations.launch(mailing_id, OLHA)
    chat = shop.chat()
    await chat.say("/now")
    assert len(chat.answer) == 5
    chat.sees("1 older one is in /mailings.", "Sale 5", "Sale 1")
    chat.sees_not("Sale 0")


async def test_anything_said_to_the_list_gets_a_sentence(shop: Desk) -> None:
    chat = await finished(shop)
    for said in (Said(unusable="sticker"), Said(text="x" * 5000), Said(text="#99"), Said(text="<b>")):
        await chat.say("/mailings")
        await chat.send(said)
        chat.sees_not("something broke")
        assert chat.answer
        assert chat.labels()
    for token in ("m:away:99", "m:see:99", "m:report:99", "m:speed:99:10", "m:stop:99", "m:old:7", "m:found:0"):
        await chat.press_token(token)
        chat.sees_not("something broke")
        assert chat.labels(), token
