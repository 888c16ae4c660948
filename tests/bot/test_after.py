"""After sending: taken back, corrected, written to again, the unknown ones settled; as chats."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from bot.announcements import Announcements
from bot.dialogs.talk import House
from bot.screens import Attachment, Said
from bot.texts import Texts
from engine.amender import Amender
from engine.settings import ChannelSettings
from gateways.base import PartKind
from gateways.message import Link, Text
from gateways.viber.capabilities import VIBER
from storage.amending import AmendedOutcome
from storage.amendments import EndAmendment
from storage.audit import Audited, NewNotice
from storage.counters import add_counters
from storage.records import ENGINE, AmendedState, AmendmentStatus, Status
from storage.schema import CLIENTS_IN_STEP, attempts, clients, deliveries, parts, steps
from tests.bot.chat import Chat
from tests.bot.conftest import Desk

SENT = (1, 2, 3, 4, 5, 6, 7)
FAILED, UNKNOWN = (8, 9), (10,)


async def sent(desk: Desk, message: str = "Hello {{ client.first_name }}: 90 % off") -> Chat:
    """Mailing 1, finished as an engine leaves it: seven clients got it, it failed for two, one is unknown."""
    chat = desk.chat()
    await chat.say("/new Sale")
    await chat.say(message)
    await chat.say("/launch 1")
    await chat.press("Send to")
    await finish(desk)
    return chat


async def finish(desk: Desk) -> None:
    step_id, now = (await desk.operations.get(1)).step_id, desk.clock.now()
    ends = {**dict.fromkeys(SENT, "sent"), **dict.fromkeys(FAILED, "failed"), **dict.fromkeys(UNKNOWN, "unknown")}
    key = {number: {"delivery_id": step_id * CLIENTS_IN_STEP + number, "channel": "tg-shop"} for number in ends}
    async with desk.store.database.writing() as connection:
        row = {"step_id": step_id, "channel": "tg-shop", "due_at": now, "finished_at": now}
        reasons = {"sent": None, "failed": "blocked", "unknown": "no_answer"}
        await connection.execute(
            insert(deliveries),
            [{**row, "client_id": n, "address_id": n, "state": end, "reason": reasons[end]} for n, end in ends.items()],
        )
        tried = {"number": 1, "tries": 1, "started_at": now}
        await connection.execute(
            insert(attempts), [{**tried, **key[n], "address_id": n, "outcome": end} for n, end in ends.items()]
        )
        part = {"attempt": 1, "position": 0, "accepted_at": now}
        await connection.execute(insert(parts), [{**part, **key[n], "external_id": f"{2000 + n}:5"} for n in SENT])
        figures = {"planned": 10, "sent": 7, "failed": 2, "failed:blocked": 2, "unknown": 1}
        await add_counters(connection, {(step_id, "tg-shop", "", "", name): n for name, n in figures.items()})
        status = {"status": Status.SENT.value, "started_at": now, "finished_at": now, "planned_all": True}
        await connection.execute(update(steps).where(steps.c.id == step_id).values(**status))


async def worked(desk: Desk, missed: Mapping[int, str], *, only: int = 100) -> None:
    """What the engine makes of the running amendment: so many messages, all reached but for some clients."""
    [one] = await desk.store.amendments.running()
    amender = Amender(desk.store, desk.settings, desk.clock, lanes=dict, links=None)
    while not await amender._plan(one):  # its own task would only wait for lanes
        pass
    rows = await desk.store.amendments.due(one.id, "tg-shop", desk.clock.now(), only, frozenset())
    for row in rows:
        reason = missed.get(row.client_id) or (None if row.parts else "no_number")
        state = AmendedState.MISSED if reason else AmendedState.REACHED
        await desk.store.amendments.settle(AmendedOutcome(row, "tg-shop", state, desk.clock.now(), reason))
    if only >= len(SENT):
        now = desk.clock.now()
        notice = NewNotice("amended", now, one.started_by, {"amendment": one.id})
        audited = Audited(now, ENGINE, "done", one.mailing_id)
        await desk.store.amendments.end(EndAmendment(one.id, AmendmentStatus.DONE, audited, None, notice))


async def test_a_mailing_is_taken_back_after_one_question(shop: Desk) -> None:
    chat = await sent(shop)
    await chat.say("/mailings 1")
    await chat.press("Take back, correct, write again")
    chat.sees(
        "What can still be done about “Sale”", "tg-shop: 7 clients have it; it can be corrected, and until Mon, 23"
    )
    await chat.press("Take it back")
    chat.sees("Take “Sale” back from 7 clients?", "It can't be put back.", "It takes about 1 s.")
    await chat.press("No, leave it")
    chat.sees("What can still be done")
    await chat.press("Take it back")
    yes = chat.sees_button("Yes, take it back").token
    await chat.press("Yes, take it back")
    chat.sees("“Sale” is being taken back", "Finding out who has it…")
    await chat.press_token(yes)
    chat.sees(
        "“Sale” is being taken back or corrected already; wait for its end, or stop it.", "What can still be done"
    )
    await worked(shop, {}, only=4)
    await chat.press("How far it is")
    chat.sees("██████░░░░░░ 50%", "reached 4 · not reached 0 · waiting 4")
    await worked(shop, {6: "too_old"})
    await chat.press("How far is it now?")
    chat.sees(
        "“Sale” was taken back", "reached 6 · not reached 2", "1 sent too long ago", "1 the messenger did not tell"
    )
    await chat.press("◀ Back")
    chat.sees("1 client has it", "✓ Taken back on 21 Nov 2026 by Olha: 6 clients reached, 2 not")


async def test_the_end_is_announced_with_its_numbers(shop: Desk) -> None:
    chat = await sent(shop)
    await chat.say("/takeback 1")
    await chat.press("Yes, take it back")
    await worked(shop, {1: "blocked"})
    [notice] = [one for one in await shop.operations.notices() if one.kind == "amended"]
    mailing = await shop.operations.get(1)
    screen = await Announcements(shop.operations, House(), shop.clock).screen(Texts("en"), notice, mailing, own=True)
    assert screen is not None
    assert "“Sale” was taken back" in screen.text
    assert "reached 6 · not reached 2" in screen.text


async def test_it_is_stopped_by_a_person(shop: Desk) -> None:
    chat = await sent(shop)
    await chat.say("/takeback 1")
    await chat.press("Yes, take it back")
    await worked(shop, {}, only=2)
    await chat.press("Stop")
    chat.sees(
        "Stopped. What is done stays done.", "Taking “Sale” back was stopped", "left as it was 6", "stopped by Olha"
    )
    await chat.press_token("af:stop:1")
    chat.sees("It had ended already.")
    await chat.press("Write to those who have it still")
    chat.sees("Send me the message for those who have it still as it was sent.")


async def test_words_are_corrected_after_they_were_seen(shop: Desk) -> None:
    chat = await sent(shop)
    await chat.say("/correct 1")
    chat.sees("Send me the words as they should be.", "Now they are: Hello {{ client.first_name }}: 90 % off")
    await chat.send(Said(attachments=(Attachment(PartKind.PICTURE, "media:x.jpg"),)))
    chat.sees("⚠ Only words can be changed where they stand")
    assert "◀ Back" in chat.labels()
    await chat.say("Hello {{ client.frist_name }}: 9 %")
    chat.sees("⚠ ", "frist_name")
    await chat.say("Hello {{ client.first_name }}: 9 % off")
    assert chat.answer[0].preview[0].text.text == "Hello Ann: 9 % off"
    chat.sees("Above is “Sale” as it will read.", "It is changed for 7 clients.")
    old = chat.sees_button("Correct it for 7 clients").token
    await chat.press("Type it again")
    chat.sees("Now they are: Hello {{ client.first_name }}: 9 % off")
    await chat.say("Hello {{ client.first_name }}: 19 % off")
    await chat.press_token(old)
    chat.sees("That card was old.", "What can still be done")
    await chat.say("/correct 1")
    await chat.say("Hello {{ client.first_name }}: 19 % off")
    again = shop.chat()  # after a restart
    await again.press_token(chat.sees_button("Correct it for 7 clients").token)
    again.sees("“Sale” is being corrected")
    await worked(shop, {2: "message_gone"})
    await again.say("/after 1")
    again.sees("✓ Corrected on 21 Nov 2026 by Olha: 6 clients reached, 2 not")
    await again.press("Last result")
    again.sees("Not reached: 1 the client has deleted it, 1 the messenger did not tell us its number")
    await again.press("Write to those who have it still")
    await again.say("Sorry: it is 19 %")
    again.sees("Sale – correction", "Saved as a draft, to those who have it still as it was sent.")
    draft = (await shop.operations.get(2)).draft
    assert draft.audience == {"where": [{"mailing": 1, "outcome": "kept"}]}
    assert draft.message.elements == (Text("Sorry: it is 19 %"),)
    await again.press("Next: audience")
    again.sees("Mailing 1 still as it was sent", "1 client")


async def test_a_wrong_link_is_corrected_under_its_button(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/new Sale")
    await chat.say("The sale is on")
    await chat.press("Add buttons")
    await chat.press("+ Link")
    await chat.say("Open")
    await chat.say("acme.test/old")
    await chat.say("/launch 1")
    await chat.press("Send to")
    await finish(shop)
    await chat.say("/correct 1")
    chat.sees("What is wrong in “Sale”?")
    assert "Words: The sale is on" in chat.labels()
    await chat.press("Link of “Open”")
    chat.sees("Where should “Open” lead?", "Now it leads to https://acme.test/old")
    await chat.say("nowhere at all")
    chat.sees("⚠ “nowhere at all” is no address of a page")
    await chat.say("acme.test/new")
    await chat.press("Change something else too")
    await chat.press("Words")
    await chat.say("The sale is on now")
    await chat.press("Correct it for 7 clients")
    [one] = await shop.store.amendments.running()
    assert one.message is not None
    [element] = one.message.elements
    assert isinstance(element, Text)
    assert (element.text, element.buttons) == ("The sale is on now", ((Link("https://acme.test/new", "Open"),),))


async def test_a_messenger_that_changes_nothing_says_so_plainly(shop: Desk) -> None:
    chat = await sent(shop)
    viber = ChannelSettings("tg-shop", VIBER)
    shop.settings = replace(shop.settings, channels={"tg-shop": viber})
    shop.operations.settings = shop.settings
    chat = shop.chat()
    await chat.say("/after 1")
    chat.sees("tg-shop: 7 clients have it; what was sent there stays as it is: Viber lets nobody change it")
    assert "↩ Take it back" not in chat.labels()
    await chat.say("/takeback 1")
    chat.sees("It can't be taken back from anybody.")
    await chat.say("/correct 1")
    await chat.say("Hello: 9 %")
    chat.sees("It can't be changed for anybody.", "7 clients will keep it – what was sent there stays as it is")


async def test_after_two_days_it_can_only_be_corrected(shop: Desk) -> None:
    chat = await sent(shop)
    async with shop.store.database.writing() as connection:
        then = shop.clock.now() - timedelta(days=3)
        await connection.execute(update(steps).values(started_at=then, finished_at=then))
    await chat.say("/after 1")
    chat.sees("too late to take it back, but it can be corrected")


async def test_it_is_sent_again_to_exactly_those_it_failed_for(shop: Desk) -> None:
    chat = await sent(shop)
    await chat.say("/mailings 1")
    await chat.press("Send to them")
    chat.sees("Sale – again · draft #2", "A new draft to the 2 clients it failed for, saved. Failed: 2 blocked us.")
    draft = (await shop.operations.get(2)).draft
    assert draft.audience == {"where": [{"mailing": 1, "outcome": "failed"}]}
    assert draft.message == (await shop.operations.get(1)).draft.message
    await chat.press("Next: audience")
    chat.sees("2 clients")


async def test_who_got_it_can_be_written_to(shop: Desk) -> None:
    chat = await sent(shop)
    await chat.say("/after 1")
    await chat.press("Write to those who got it")
    chat.sees("Write to those who got “Sale”")
    await chat.press("All who got it: 7")
    await chat.press("◀ Back")
    await chat.press("Write to those who got it")
    await chat.press("All who got it: 7")
    await chat.send(Said(unusable="sticker"))
    chat.sees("⚠")
    await chat.say("Sorry for the mistake")
    chat.sees("Saved as a draft, to those who got it.")
    await chat.press("Next: audience")
    chat.sees("Now about 7 clients.")


async def test_unknown_ones_are_listed_repeated_or_left(shop: Desk) -> None:
    chat = await sent(shop)
    async with shop.store.database.writing() as connection:
        name = await connection.scalar(select(clients.c.name).where(clients.c.id == UNKNOWN[0]))
    await chat.say("/unknown 1")
    chat.sees("1 client may or may not have got “Sale”.", f"{name}, tg-shop")
    await chat.press("Leave them")
    chat.sees("Left as it is: nobody gets it a second time. /unknown has them.", "Sale – finished")
    assert not [label for label in chat.labels() if "Unknown" in label]
    await chat.say("/mailings 1")
    assert not [label for label in chat.labels() if "Unknown" in label], "left is left, also when it is opened anew"
    await chat.say("/unknown 1")
    again = chat.sees_button("Send it to them again").token
    await chat.press("Send it to them again")
    chat.sees("1 client gets it again.", "being sent")
    await chat.press_token(again)
    chat.sees("Nobody is unknown: each is settled.")


async def test_before_it_is_sent_nothing_can_be_taken_back(shop: Desk) -> None:
    chat = shop.chat()
    await chat.say("/new Sale")
    await chat.say("Hello")
    for command in ("/takeback 1", "/after 1", "/correct 1", "/resend 1"):
        await chat.say(command)
        chat.sees("Not sent yet (draft): nobody has it.", "draft #1")
    await chat.say("/launch 1")
    await chat.press("Send to")
    await chat.say("/takeback 1")
    chat.sees("It is sending: cancel it first, so that nobody gets it any more.")
    await chat.say("/takeback")
    chat.sees("Which one? Type the number too, such as: /takeback 7.")


@pytest.mark.parametrize("token", ["af:back:1", "af:fix:1", "af:failed:1", "af:go:1:abc"])
async def test_a_manager_can_do_nothing_of_it(shop: Desk, token: str) -> None:
    await sent(shop)
    maria = shop.chat("Maria")
    await maria.press_token(token)
    maria.sees("You may ask for statistics")
    assert await shop.store.amendments.running() == []
