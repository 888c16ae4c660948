"""People and roles: invited by a one-time link, listed, changed, removed."""

import re
from datetime import timedelta

import pytest

from bot.people import INVITED_FOR, Everybody
from engine.errors import Refused
from storage.records import Actor, Role
from tests.bot.chat import PEOPLE, Chat
from tests.bot.conftest import Desk

OWNER = Actor("Ostap", Role.OWNER, "telegram", "1002")


class Door:
    """A surface that tells how to come in."""

    def __init__(self, way: str) -> None:
        self.way = way

    def way_in(self, code: str) -> str:
        return self.way.format(code=code)


def owner(desk: Desk) -> Chat:
    chat = desk.chat("Ostap")
    doors = {"telegram": "https://t.me/acme_bot?start={code}", "slack": "/carillon join {code}"}
    chat.conversation._people.doors = {name: Door(way) for name, way in doors.items()}
    return chat


def code_of(chat: Chat) -> str:
    found = re.search(r"start=(join-[\w-]{32})", chat.card().text)
    assert found is not None
    return found[1]


async def invited(desk: Desk, name: str = "Petro", role: str = "operator") -> str:
    chat = owner(desk)
    await chat.say(f"/invite {name} {role}")
    return code_of(chat)


async def test_an_owner_invites_somebody_who_comes_by_the_link(desk: Desk) -> None:
    ostap = owner(desk)
    await ostap.say("/people")
    ostap.sees("Maria – manager", "Olha – operator", "Ostap – owner")
    await ostap.press("Invite somebody")
    await ostap.say("  ")
    ostap.sees("Type the name by which the team knows them.")
    await ostap.say("Petro")
    ostap.sees("What may Petro do?", "operator: makes mailings")
    await ostap.press("Operator")
    ostap.sees("An invitation for Petro, as operator.", "On Telegram, they open https://t.me/acme_bot?start=join-")
    ostap.sees("On Slack, they type /carillon join join-", "It works once, until Sat, 28 Nov 2026")
    code = code_of(ostap)
    petro = desk.chat("7001")
    await petro.say("/new")
    petro.sees("Sorry, I work for the team of Acme only")
    await petro.say(f"/start {code}")
    petro.sees("Welcome! You belong to the team now, as operator.", "Hello, Petro!")
    await petro.say("/mailings")
    petro.sees("No mailing yet.")
    await ostap.say("/people")
    ostap.sees("Petro – operator · Telegram")
    ostap.sees_not("Invited, and not here yet")
    [notice] = await desk.operations.notices()
    assert (notice.kind, notice.actor and notice.actor.name, notice.details["person"]) == ("joined", "Ostap", "Petro")


async def test_an_invitation_works_once_and_for_a_week(desk: Desk) -> None:
    code = await invited(desk)
    await desk.chat("7001").say(f"/join {code}")
    second = desk.chat("7002")
    await second.say(f"/start {code}")
    second.sees("This invitation was used already: each works once.")
    await second.say("/mailings")
    second.sees_nothing()
    late = await invited(desk, "Iryna")
    await desk.clock.advance(INVITED_FOR.total_seconds())
    third = desk.chat("7003")
    await third.say(f"/start {late}")
    third.sees("This invitation has expired; ask an owner for a new one.")


async def test_a_guessed_code_is_a_strangers_word(desk: Desk) -> None:
    stranger = desk.chat("7001")
    for words in ("/join join-" + "a" * 32, "/start join-" + "b" * 32, "/join let me in"):
        await stranger.say(words)
        if stranger.answer:
            stranger.sees("Sorry, I work for the team of Acme only")
    stranger.sees_nothing()


async def test_an_invitation_is_taken_back(desk: Desk) -> None:
    ostap = owner(desk)
    await ostap.say("/invite Petro approver")
    code = code_of(ostap)
    await ostap.say("/people")
    ostap.sees("Invited, and not here yet:", "Petro – approver, until")
    await ostap.press("Take back: Petro")
    ostap.sees("nobody can use that invitation any more")
    await ostap.press("Take it back")  # on the older card
    ostap.sees("That invitation can't be used any more anyway.", "People")
    petro = desk.chat("7001")
    await petro.say(f"/start {code}")
    petro.sees("This invitation was taken back")


async def test_a_role_is_changed_and_somebody_removed_at_once_everywhere(desk: Desk) -> None:
    code = await invited(desk)
    petro, elsewhere, ostap = desk.chat("7001"), desk.chat("7001"), owner(desk)
    await petro.say(f"/start {code}")
    await ostap.say("/people")
    await ostap.press("Petro")
    ostap.sees("Petro – operator", "Telegram: 7001", "Invited by Ostap; here since 21 Nov 2026.")
    await ostap.press("Make manager")
    ostap.sees("Petro – manager", "asks for numbers")
    await petro.say("/mailings")
    petro.sees("You may ask for statistics")
    await elsewhere.say("/mailings")  # another process, which has read who is who before
    elsewhere.sees("You may ask for statistics")
    await ostap.press("Remove")
    ostap.sees("Remove Petro?")
    await ostap.press("Yes, remove")
    ostap.sees("Petro is removed.")
    ostap.sees_not("Petro – ")
    for chat in (petro, elsewhere):
        await chat.say("/stats")
        assert not chat.answer or "Sorry" in chat.answer[0].text
    await ostap.press_token(ostap.sees_button("Olha").token.replace("p:of", "p:out"))
    ostap.sees("Olha did not come by invitation.")


async def test_somebody_who_is_here_binds_another_account_and_keeps_the_role(desk: Desk) -> None:
    ostap = owner(desk)
    await ostap.say("/people")
    await ostap.press("Olha")
    ostap.sees("The role stands in config.toml, and is changed there.")
    assert not [label for label in ostap.labels() if label.startswith(("Make", "Remove"))]
    await ostap.press("Invite to another messenger")
    code = code_of(ostap)
    olha = desk.chat()
    await olha.say(f"/start {code}")
    olha.sees("You are here already, as operator.", "That invitation is not used up")
    people = Everybody(PEOPLE, desk.store)
    person = await people.join(code, "slack", "U01OLHA", desk.clock.now())
    assert person is not None
    assert (person.name, person.role, dict(person.accounts)) == (
        "Olha",
        Role.OPERATOR,
        {"telegram": "1001", "slack": "U01OLHA"},
    )
    assert people["telegram", "1001"] == person


async def test_only_an_owner_looks_after_people_and_nobody_after_themselves(desk: Desk) -> None:
    olha, ostap = desk.chat(), owner(desk)
    for words in ("/people", "/invite Petro owner"):
        await olha.say(words)
        olha.sees("Your role does not include that; ask an owner.")
    await olha.press_token("p:role!:owner")
    olha.sees("Your role does not include that; ask an owner.")
    await ostap.say("/invite Olha manager")
    ostap.sees("Olha is here already, as operator.")
    await ostap.say("/people")
    own = ostap.sees_button("Ostap").token.replace("p:of", "p:role")
    await ostap.press_token(f"{own}:manager")
    ostap.sees("Nobody changes their own role: another owner can.")
    people = Everybody(PEOPLE, desk.store)
    await people.load()
    with pytest.raises(Refused, match="Your role"):
        await people.invite("X", Role.OWNER, Actor("Olha", Role.OPERATOR), desk.clock.now())


async def test_an_invitation_is_not_made_where_others_read_along(desk: Desk) -> None:
    ostap = desk.chat("Ostap", chat="-100200", private=False)
    await ostap.say("/invite Petro operator")
    ostap.sees("Whoever reads an invitation can use it")
    assert await desk.store.invitations.open(desk.clock.now()) == []


async def test_a_name_and_a_role_typed_wrong_are_told(desk: Desk) -> None:
    ostap = owner(desk)
    await ostap.say("/invite " + "x" * 70)
    await ostap.press("Manager")
    ostap.sees("A name has 1 to 64 signs")
    await ostap.say("/invite Petro boss")  # a name of two words
    ostap.sees("What may Petro boss do?")
    await ostap.press_token("p:role!:boss")
    ostap.sees("There is no such role.")
    await ostap.press_token("p:of:abcdef")
    ostap.sees("That is no longer in the list; choose again.")


async def test_what_is_kept_of_a_code_lets_nobody_in(desk: Desk) -> None:
    code = await invited(desk)
    people = Everybody(PEOPLE, desk.store)
    [waiting] = await people.invitations(desk.clock.now())
    assert code not in repr(waiting)
    assert waiting.expires_at - waiting.created_at == timedelta(days=7)
