"""Someone who presses and types at random, with restarts in between, never meets a dead end."""

import random

import pytest

from bot.screens import Attachment, Said
from gateways.base import PartKind
from gateways.message import Point
from tests.bot.conftest import Desk

STEPS = 150
TEXTS = (
    "Hello {{ client.first_name }}",
    "{{ client.nothing }}",
    "Open - https://acme.test",
    "vip",
    "city is Kyiv",
    "ltv >= 10",
    "tomorrow 10:00",
    "in 2 hours",
    "10",
    "Ann",
    "1",
    "#2",
    "tg-shop 1001",
    "<b>&",
    "week",
    "",
    "ще щось",
    "/new",
    "/now",
    "/mailings",
    "/stats week",
    "/check",
    "/audience",
    "/send",
    "/copy 1",
    "/why 1 Ann",
    "/clients Iryna",
    "/stop",
    "/go",
    "/delete 1",
    "/edit 1",
    "/start",
)
ODD = (
    Said(unusable="sticker"),
    Said(problem="It can't be fetched."),
    Said(location=Point(1.0, 2.0)),
    Said(text="caption", attachments=(Attachment(PartKind.PICTURE, "media:" + "a" * 64 + ".jpg"),)),
)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_random_walk_meets_no_exception_and_no_dead_end(shop: Desk, seed: int) -> None:
    dice = random.Random(seed)
    chat = shop.chat("Ostap")
    await chat.say("/start")
    for _step in range(STEPS):
        buttons = [(message, button) for message in chat.messages[-4:] for button in message.buttons]
        did = dice.random()
        if did < 0.6 and buttons:
            message, button = dice.choice(buttons)
            before = await _launches(shop)
            await chat.press_token(button.token, message.id)
            if await _launches(shop) > before:
                assert button.token.startswith(("l:go:", "m:again:")), button
        elif did < 0.9:
            await chat.say(dice.choice(TEXTS))
        elif did < 0.97:
            await chat.send(dice.choice(ODD))
        else:
            messages = chat.messages
            chat = shop.chat("Ostap")
            chat.messages = messages
            continue
        assert chat.answer, chat.transcript[-1]
        chat.sees_not("something broke")
        assert chat.labels(), f"no way on from: {chat.transcript[-2:]}"


async def _launches(desk: Desk) -> int:
    verbs = ("launch", "launch_again")
    found = await desk.operations.list_mailings(limit=100)
    return sum([entry.verb in verbs for one in found for entry in await desk.store.mailings.history(one.id)])
