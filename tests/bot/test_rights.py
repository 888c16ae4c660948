"""Whose button is pressed, and by whom: every one that there is, by everybody who may not."""

import re

import pytest
from sqlalchemy import func, select

from bot.dialogs.routes import COMMANDS, PRESSES
from bot.dialogs.talk import Route
from engine.access import may
from storage.records import Role
from storage.schema import audit, clients, mailings
from tests.bot.composed import launched
from tests.bot.conftest import Desk

REFUSALS = ("You may ask for statistics: /stats.", "Your role does not include this", "Only an owner", "ask an owner")


def token_of(name: str, route: Route) -> str:
    """A press as a card's button makes it, with everything that it may carry."""
    carried = {"n": "1", "w": "x"}
    return ":".join([name, *(carried[kind] for kind in re.findall("[nw]", route.takes))])


async def kept(desk: Desk) -> list[object]:
    """What a press could have changed."""
    async with desk.store.database.read() as connection:
        tables = (audit, clients, mailings)
        counts = [await connection.scalar(select(func.count()).select_from(table)) for table in tables]
    return [*counts, await desk.operations.get(1)]


@pytest.mark.parametrize(("name", "role"), [("Maria", Role.MANAGER), ("Olha", Role.OPERATOR)])
@pytest.mark.parametrize("each", ["every one", "one in six"])
async def test_no_button_or_command_of_others_works(shop: Desk, name: str, role: Role, each: str) -> None:
    await launched(shop)
    chat, before = shop.chat(name), await kept(shop)
    presses = [token_of(press, route) for press, route in PRESSES.items() if not may(role, route.verb)]
    commands = [f"/{command} 1" for command, route in COMMANDS.items() if not may(role, route.verb)]
    assert len(presses) + len(commands) > (200 if role is Role.MANAGER else 10)
    if each != "every one":
        presses, commands = presses[::6], commands[::6]
    for token in presses:
        await chat.press_token(token)
        assert any(words in chat.card().text for words in REFUSALS), (token, chat.card().text)
    for command in commands:
        await chat.say(command)
        assert any(words in chat.card().text for words in REFUSALS), (command, chat.card().text)

    assert await kept(shop) == before


def test_every_button_and_command_needs_a_right_that_somebody_has() -> None:
    verbs = {route.verb for route in (*PRESSES.values(), *COMMANDS.values())}

    assert {verb for verb in verbs if not may(Role.OWNER, verb)} == set()
    assert {verb for verb in verbs if may(Role.MANAGER, verb)} <= {"statistics"}
