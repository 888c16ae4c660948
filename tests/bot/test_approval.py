"""Two people on one mailing, as chats: asked, approved, rejected, taken back, changed in between."""

from dataclasses import replace
from datetime import time

import pytest

from bot.dialogs.approval import asked_card
from bot.dialogs.talk import House, Reader
from bot.progress import LiveCards
from bot.texts import Texts
from engine.audience import read_audience
from engine.moves import Moves
from engine.settings import ApprovalRule, EngineSettings
from engine.starting import Starts
from storage.records import Actor, Role, Status
from tests.bot.chat import PEOPLE, Chat
from tests.bot.composed import composed
from tests.bot.conftest import Desk
from tests.bot.test_progress import Wall


@pytest.fixture
def settings(settings: EngineSettings) -> EngineSettings:
    return replace(settings, approval=ApprovalRule(above=5))


async def asked(shop: Desk) -> Chat:
    olha = await composed(shop)
    for label in ("Next: audience", "Next: when", "Next: check", "Ask for approval"):
        await olha.press(label)
    return olha


async def status(shop: Desk) -> Status:
    return (await shop.operations.get(1)).status


async def test_a_mailing_above_the_limit_goes_out_when_a_second_person_presses_approve(shop: Desk) -> None:
    olha = await composed(shop)
    await olha.say("/check 1")
    olha.sees("A second person has to approve it: it goes to more than 5 clients.", "Ask for the approval")
    assert not any("Send to" in label for label in olha.labels())
    await olha.press("Ask for approval")
    olha.sees("Asked: Ostap. You are told what the answer is.", "Olha asked for it", "It starts by itself")
    assert await status(shop) is Status.DRAFT
    ostap = shop.chat("Ostap")
    await ostap.say("/start")
    ostap.sees("1 mailing waits for an approval: /approval.")
    await ostap.say("/approval")
    await ostap.press("#1 The spring sale")
    assert ostap.answer[0].preview[0].text.text == "Hello, Ann! The spring sale is on."
    ostap.sees("Approval · “The spring sale is on” #1", "10 clients: tg-shop 10", "to 10 clients now?")
    await ostap.press("Approve")
    ostap.sees("Approved: “The spring sale is on” is being sent.")
    mailing = await shop.operations.get(1)
    assert mailing.status is Status.SENDING
    assert mailing.launched_by is not None
    assert mailing.launched_by.name == "Olha"
    await ostap.say("/approval")
    ostap.sees("Nothing waits for an approval.")


async def test_who_needs_no_approval_launches_as_ever(shop: Desk) -> None:
    olha = await composed(shop)
    await olha.say("/audience 1")
    await olha.say("vip")
    await olha.say("/check 1")
    olha.sees_not("second person")
    await olha.press("Send to 4 clients")
    assert await status(shop) is Status.SENDING


async def test_nobody_approves_their_own_and_no_operator_anybody_s(shop: Desk) -> None:
    ostap = await composed(shop, "Ostap")
    await ostap.say("/launch 1")
    await ostap.press("Ask for approval")
    ostap.sees("nobody else here may approve: an owner can add an approver.")
    await ostap.say("/approval 1")
    ostap.sees("You asked for it yourself: somebody else has to approve it.")
    assert not any("Approve" in label for label in ostap.labels())
    await ostap.press_token("ap:yes:1:1")
    ostap.sees("You asked for it yourself: somebody else has to approve “The spring sale is on”.")
    olha = shop.chat()
    await olha.say("/approval 1")
    olha.sees("An approver or an owner says yes or no to it.")
    await olha.press_token("ap:yes:1:1")
    olha.sees("Your role does not include that")
    maria = shop.chat("Maria")
    await maria.say("/approval")
    maria.sees("You may ask for statistics")
    assert await status(shop) is Status.DRAFT


async def test_a_change_after_the_question_voids_it(shop: Desk) -> None:
    olha = await asked(shop)
    ostap = shop.chat("Ostap")
    await ostap.say("/approval 1")
    await olha.say("/mailings 1")
    olha.sees("Olha asked for it")
    await olha.press("Rename")
    await olha.say("Summer sale")
    await ostap.press("Approve")
    ostap.sees("“Summer sale” was changed after the question: Olha has to ask again.")
    assert not any("Approve" in label for label in ostap.labels())
    assert await status(shop) is Status.DRAFT
    await olha.say("/launch 1")
    await olha.press("Ask for approval")
    await ostap.press_token("ap:yes:1:1")
    ostap.sees("“Summer sale” was asked about anew: look at it again.")
    await ostap.press("Approve")
    assert await status(shop) is Status.SENDING


async def test_a_segment_that_was_changed_after_the_approval_is_another_audience(shop: Desk) -> None:
    await asked(shop)
    mailing = await shop.operations.get(1)
    audience = {"segment": "Ukrainians"}
    settings = replace(shop.settings, approval=ApprovalRule(above=1))
    shop.operations.checker._settings = settings
    await shop.operations.change(1, replace(mailing.draft, audience=audience, start="2026-12-01T10:00"), _olha())
    await shop.operations.ask_approval(1, _olha())
    assert (await shop.operations.check(1)).approval is not None
    wider = read_audience({"where": [{"field": "language", "in": ["uk", "en"]}]})
    await shop.store.segments.save("Ukrainians", wider, shop.clock.now())
    assert (await shop.operations.check(1)).approval is None


def _olha() -> Actor:
    return Actor("Olha", Role.OPERATOR, "telegram", "1001")


async def test_a_rejection_asks_for_its_reason_and_is_told(shop: Desk) -> None:
    olha = await asked(shop)
    ostap = shop.chat("Ostap")
    await ostap.say("/approval 1")
    await ostap.press("Reject")
    ostap.sees("Why not “The spring sale is on”?")
    await ostap.say("   ")
    ostap.sees("Type in a few words why not.")
    await ostap.say("The price is wrong")
    ostap.sees("Rejected: “The spring sale is on” stays as it is")
    await olha.say("/check 1")
    olha.sees("Ostap has rejected it: The price is wrong", "Ask for the approval")
    await ostap.press_token("ap:yes:1:1")
    ostap.sees("“The spring sale is on” was rejected already, by Ostap.")
    assert await status(shop) is Status.DRAFT


async def test_a_question_is_taken_back(shop: Desk) -> None:
    olha = await asked(shop)
    ostap = shop.chat("Ostap")
    await ostap.say("/approval 1")
    await olha.press("Take the question back")
    olha.sees("Taken back: nobody can approve it now.", "Ask for the approval")
    await ostap.press("Approve")
    ostap.sees("Olha has taken the question about “The spring sale is on” back.")
    await ostap.press_token("ap:no=:1:1:text")
    ostap.sees("Olha has taken the question about “The spring sale is on” back.")
    await olha.press_token("ap:back:1")
    olha.sees("Olha has taken the question about “The spring sale is on” back.")


async def test_two_approvers_press_at_once_and_it_is_one_launch(shop: Desk) -> None:
    import asyncio

    await asked(shop)
    first, second = shop.chat("Ostap"), shop.chat("Ostap", chat="-100", private=False)
    await asyncio.gather(first.press_token("ap:yes:1:1"), second.press_token("ap:yes:1:1"))
    assert await status(shop) is Status.SENDING
    history = await shop.store.mailings.history(1)
    assert [entry.verb for entry in history].count("launch") == 1
    assert [entry.verb for entry in history].count("approve") == 1


async def test_what_is_sent_outside_hours_or_on_a_channel_needs_a_second_person(shop: Desk) -> None:
    shop.operations.checker._settings = replace(
        shop.settings,
        approval=ApprovalRule(outside_hours=(time(20), time(8)), channels=frozenset({"tg-shop"})),
    )
    olha = await composed(shop)
    await olha.say("/send 1")
    await olha.say("1 December 21:00")
    await olha.press("Next: check")
    olha.sees("it would be sent between 20:00 and 08:00, it goes through tg-shop.")


async def test_approvers_are_told_with_the_card_and_who_asked_with_the_answer(shop: Desk) -> None:
    olha, wall = await asked(shop), Wall()
    cards = LiveCards(
        operations=shop.operations,
        store=shop.store,
        surfaces={"telegram": wall},
        people=PEOPLE,
        settings=shop.settings,
        house=House(name="Acme"),
        clock=shop.clock,
        team_chats={"telegram": "-100"},
    )
    await cards.tick()
    assert [chat for chat, _text in wall.shown] == ["1002", "-100"]
    card = await asked_card(Reader(Texts(), shop.settings), shop.operations, await shop.operations.get(1))
    labels = [one.label for row in card.rows for one in row]
    assert labels == ["✅ Approve", "✖ Reject…", "Check again", "Who they are", "Preview"]
    assert "to 10 clients now?" in wall.shown[0][1]
    ostap = shop.chat("Ostap", chat="-100", private=False)
    await ostap.press_token("ap:no=:1:1:who")
    await cards.tick()
    told = "✖ Ostap has rejected “The spring sale is on”: The audience is wrong\n\nNothing was sent."
    assert wall.shown[2] == ("1001", f"{told} Change it and ask again, or delete it.")
    await olha.say("/launch 1")
    await olha.press("Ask for approval")
    await olha.press("Take the question back")
    before = len(wall.shown)
    await cards.tick()
    assert len(wall.shown) == before  # nobody is asked any more


async def test_who_asked_gets_the_live_card_when_the_approval_starts_it(shop: Desk) -> None:
    await asked(shop)
    wall = Wall()
    cards = LiveCards(
        operations=shop.operations,
        store=shop.store,
        surfaces={"telegram": wall},
        people=PEOPLE,
        settings=shop.settings,
        house=House(name="Acme"),
        clock=shop.clock,
    )
    await cards.tick()
    await shop.chat("Ostap").press_token("ap:yes:1:1")
    await cards.tick()
    told = wall.shown[-2:]
    assert [chat for chat, _text in told] == ["1001", "1001"]
    assert told[0][1].startswith("✅ Ostap has approved “The spring sale is on”")
    assert told[1][1].startswith("📨 The spring sale is on – being sent")
    [followed] = await shop.store.conversations.open_cards()
    assert (followed.mailing_id, followed.account) == (1, "1001")
    await shop.operations.pause(1, Actor("Ostap"))
    await cards.tick()
    await shop.clock.advance(10)
    await cards.tick()
    assert wall.edited[-1][1].startswith("⏸ The spring sale is on – paused")


async def test_the_approval_of_nothing_is_told_in_a_sentence(shop: Desk) -> None:
    ostap = shop.chat("Ostap")
    await ostap.say("/approval")
    ostap.sees("Nothing waits for an approval.")
    await ostap.say("/approval 7")
    ostap.sees("There is no mailing 7.")
    await ostap.press_token("ap:yes:7:1")
    ostap.sees("There is no mailing 7.")
    await composed(shop)
    await ostap.press_token("ap:yes:1:1")
    ostap.sees("Nobody has asked for an approval")


async def test_an_audience_that_grew_until_the_start_asks_a_second_person_then(shop: Desk) -> None:
    olha = await composed(shop)
    await shop.store.segments.save("Some", read_audience({"where": [{"field": "tag", "is": "vip"}]}), shop.clock.now())
    draft = replace((await shop.operations.get(1)).draft, audience={"segment": "Some"}, start="2026-11-21T12:00")
    await shop.operations.change(1, draft, _olha())
    await olha.say("/launch 1")
    await olha.press("Schedule it")
    await shop.store.segments.save("Some", read_audience({}), shop.clock.now())
    await shop.clock.advance(3601)
    starts = Starts(shop.store, shop.settings, Moves(shop.store, shop.clock), shop.clock)
    [step] = await shop.store.mailings.active_steps()
    assert not await starts.start_if_due(step)
    await olha.say("/mailings 1")
    olha.sees("Why: a second person has to approve it now: it goes to more than 5 clients")
    await olha.press("Resume")
    olha.sees("goes out when a second person has approved it", "/approval 1 asks for that")
    await olha.say("/approval 1")
    await olha.press("Ask for approval")
    ostap = shop.chat("Ostap")
    await ostap.say("/approval 1")
    await ostap.press("Approve")
    mailing = await shop.operations.get(1)
    assert (mailing.status, mailing.launched_by and mailing.launched_by.name) == (Status.SENDING, "Olha")
