"""A mailing that somebody has composed, or launched, in a chat."""

from storage.records import Mailing
from tests.bot.chat import Chat
from tests.bot.conftest import Desk

HELLO = "Hello, {{ client.first_name | default('friend') }}! The spring sale is on."


async def only_mailing(desk: Desk) -> Mailing:
    found = await desk.operations.list_mailings()
    assert len(found) == 1
    return await desk.operations.get(found[0].id)


async def composed(desk: Desk, name: str = "Olha") -> Chat:
    chat = desk.chat(name)
    await chat.say("/new")
    await chat.say(HELLO)
    return chat


async def launched(desk: Desk) -> Chat:
    chat = await composed(desk)
    for label in ("Next: audience", "Next: when", "Next: check", "Send to"):
        await chat.press(label)
    return chat
