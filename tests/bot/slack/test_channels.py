"""The bot in a channel, where several read along: an approval, questions, and the right of who presses."""

from dataclasses import replace

import pytest

from bot.dialogs.talk import House
from bot.progress import LiveCards
from bot.surfaces.slack.surface import SlackSurface
from engine.settings import ApprovalRule, EngineSettings
from gateways.simulator.slack.delivery import SlackApp
from gateways.simulator.slack.people import SlackPerson
from gateways.simulator.slack.server import SlackSimulator
from gateways.simulator.slack.world import SlackMessage
from storage.records import Status
from tests.bot.conftest import Desk
from tests.bot.slack.conftest import pressing

OPS = "C0OPS"


@pytest.fixture
def settings(settings: EngineSettings) -> EngineSettings:
    return replace(settings, approval=ApprovalRule(above=5))


@pytest.fixture
def ostap(slack: SlackSimulator, app: SlackApp, olha: SlackPerson) -> SlackPerson:
    slack.add_channel(OPS, "U01OLHA", "U02OSTAP", "U03MARIA", "U09ALIEN", app.user)
    return slack.add_person(app, "U02OSTAP", "Ostap")


async def asked(shop: Desk, surface: SlackSurface, olha: SlackPerson) -> LiveCards:
    """Olha has asked for an approval, and the team's channel shows it."""
    await olha.commands("new Spring")
    await olha.receives("exactly as clients")
    await olha.says("Hello all")
    await olha.receives("draft #1")
    await olha.commands("launch 1")
    await pressing_after(olha, "Ask for the approval", "Ask for approval", "Asked: Ostap.")
    told = LiveCards(
        operations=shop.operations,
        store=shop.store,
        surfaces={"slack": surface},
        people=surface._people,
        settings=shop.settings,
        house=House(name="Acme"),
        clock=shop.clock,
        team_chats={"slack": OPS},
    )
    await told.tick()
    return told


async def pressing_after(person: SlackPerson, words: str, label: str, then: str) -> None:
    await person.receives(words)
    await pressing(person, label, then)


async def in_channel(person: SlackPerson, containing: str) -> SlackMessage:
    return (await person.receives(containing, where=OPS))[-1]


async def test_a_mailing_is_approved_in_a_channel_by_who_may(
    surface: SlackSurface, slack: SlackSimulator, app: SlackApp, olha: SlackPerson, ostap: SlackPerson, shop: Desk
) -> None:
    told = await asked(shop, surface, olha)
    card = await in_channel(ostap, "Approval · “Spring” #1")
    assert [one.shown for one in slack.channels[OPS].messages[:-1]] == ["Hello all"]
    maria, alien = slack.add_person(app, "U03MARIA", "Maria"), slack.add_person(app, "U09ALIEN", "Alien")
    for person, words in (
        (alien, "Sorry, I work for the team of Acme only"),
        (maria, "⚠ Maria: You may ask for statistics"),
        (olha, "⚠ Olha: Your role does not include that"),
    ):
        await person.presses(card, "Approve")
        await person.is_whispered(words)
    assert slack.channels[OPS].messages[-1] is card
    assert (await shop.operations.get(1)).status is Status.DRAFT
    await ostap.presses(card, "Approve")
    await in_channel(ostap, "Approved: “Spring” is being sent.")
    assert (await shop.operations.get(1)).status is Status.SENDING
    await told.tick()
    await olha.receives("Ostap has approved “Spring”")


async def test_a_mailing_is_rejected_in_a_channel_with_a_reason_from_the_window(
    surface: SlackSurface, olha: SlackPerson, ostap: SlackPerson, shop: Desk
) -> None:
    told = await asked(shop, surface, olha)
    await ostap.presses(await in_channel(ostap, "Approval"), "Reject")
    card = await in_channel(ostap, "Why not “Spring”?")
    assert "Here I hear only what is written in the window" in card.shown
    await olha.presses(card, "window")
    await olha.is_whispered("Somebody else was asked that")
    await ostap.presses(card, "window")
    await ostap.sees_window()
    await ostap.submits("The price is wrong")
    await in_channel(ostap, "Rejected: “Spring” stays as it is")
    await told.tick()
    await olha.receives("Ostap has rejected “Spring”: The price is wrong")


async def test_a_question_in_a_channel_is_answered_by_a_mention(
    surface: SlackSurface, ostap: SlackPerson, shop: Desk
) -> None:
    await ostap.mentions(OPS, "digest day 9")
    await in_channel(ostap, "Each day at 09:00")
    await ostap.presses(await in_channel(ostap, "Each day"), "Another hour")
    await in_channel(ostap, "At what hour shall the numbers come?")
    await ostap.mentions(OPS, "8:30")
    await in_channel(ostap, "Each day at 08:30")
    [digest] = await shop.store.digests.of("slack", "U02OSTAP", OPS)
    assert digest.minute == 8 * 60 + 30
