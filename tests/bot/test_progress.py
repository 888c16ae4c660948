"""Live cards and announcements: a real storage, a clock that the test moves, and a surface that remembers."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import update

from bot.dialogs.talk import House
from bot.progress import LiveCards
from bot.screens import Busy, Screen, Unreachable
from gateways.markup import read_html
from gateways.message import Message, Text
from storage.audit import NewNotice
from storage.counters import add_counters
from storage.records import Actor, Draft, Role, Status
from storage.schema import steps
from tests.bot.chat import PEOPLE, Chat
from tests.bot.conftest import Desk


@dataclass(slots=True)
class Wall:
    """A surface: what was shown and edited, and what it shall refuse with."""

    name: str = "telegram"
    shown: list[tuple[str, str]] = field(default_factory=list)
    edited: list[tuple[str, str]] = field(default_factory=list)
    refuse: list[Exception] = field(default_factory=list)
    files: list[tuple[str, ...]] = field(default_factory=list)

    async def show(self, chat: str, screen: Screen) -> str:
        if self.refuse:
            raise self.refuse.pop(0)
        self.files.append(tuple(file.name for file in screen.files))
        self.shown.append((chat, read_html(screen.text).text))
        return str(9000 + len(self.shown))

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        if self.refuse:
            raise self.refuse.pop(0)
        self.edited.append((message_id, read_html(screen.text).text))
        return message_id


def cards_on(desk: Desk, wall: Wall, **more: Any) -> LiveCards:
    return LiveCards(
        operations=desk.operations,
        store=desk.store,
        surfaces={wall.name: wall},
        people=PEOPLE,
        settings=desk.settings,
        house=House(name="Acme", support="ops@acme.test"),
        clock=desk.clock,
        **more,
    )


async def launched(desk: Desk) -> Chat:
    """A mailing that Olha has launched, with its live card in her chat."""
    olha = Actor("Olha", Role.OPERATOR, "telegram", "1001")
    mailing_id = await desk.operations.create(Draft("Spring sale", Message((Text("Hello"),))), olha)
    await desk.operations.launch(mailing_id, olha)
    chat = desk.chat()
    await chat.say("/now")
    await count(desk, planned=10, waiting=10)
    return chat


async def count(desk: Desk, **amounts: int) -> None:
    step_id = (await desk.operations.get(1)).step_id
    async with desk.store.database.writing() as connection:
        await add_counters(connection, {(step_id, "tg-shop", "", "", name): amount for name, amount in amounts.items()})


async def move(desk: Desk, status: Status) -> None:
    async with desk.store.database.writing() as connection:
        await connection.execute(update(steps).values(status=status.value))


async def test_a_card_is_edited_every_three_seconds_and_only_when_it_changed(shop: Desk) -> None:
    chat, wall = await launched(shop), Wall()
    cards = cards_on(shop, wall)
    await cards.tick()
    assert wall.edited == [(chat.card().id, wall.edited[0][1])]
    assert "sent 0 · failed 0 · waiting 10 of 10 clients" in wall.edited[0][1]
    await count(shop, sent=3, waiting=-3)
    await cards.tick()
    await shop.clock.advance(2.9)
    await cards.tick()
    assert len(wall.edited) == 1
    await shop.clock.advance(0.1)
    await cards.tick()
    assert "███" in wall.edited[1][1]
    assert "sent 3 · failed 0 · waiting 7 of 10 clients" in wall.edited[1][1]
    await shop.clock.advance(60)
    shown = len(wall.edited)
    await cards.tick()
    await shop.clock.advance(3)
    await cards.tick()
    assert len(wall.edited) <= shown + 1


async def test_a_card_in_a_group_is_edited_every_six_seconds(shop: Desk) -> None:
    await launched(shop)
    wall = Wall()
    cards = cards_on(shop, wall)
    await shop.store.conversations.follow(1, "telegram", "-1001", "77", "1001", "")
    await cards.tick()
    assert {card for card, _text in wall.edited} >= {"77"}
    for _ in range(4):
        await count(shop, sent=1, waiting=-1)
        await shop.clock.advance(3)
        await cards.tick()
    assert len([card for card, _text in wall.edited if card == "77"]) == 1 + 2


async def test_a_card_that_a_press_has_changed_rests_three_seconds_as_well(shop: Desk) -> None:
    wall = Wall()
    cards = cards_on(shop, wall)
    await cards.tick()
    chat = await launched(shop)
    await cards.tick()
    await shop.clock.advance(2.9)
    await cards.tick()
    assert wall.edited == []
    await shop.clock.advance(0.2)
    await cards.tick()
    assert [card for card, _text in wall.edited] == [chat.card().id]
    await chat.press("Slower")
    await count(shop, sent=3, waiting=-3)
    await shop.clock.advance(2.9)
    await cards.tick()
    await shop.clock.advance(2.9)
    await cards.tick()
    assert len(wall.edited) == 1
    await shop.clock.advance(0.2)
    await cards.tick()
    assert "sent 3" in wall.edited[1][1]


async def test_a_card_goes_on_after_a_restart_and_ends_with_the_mailing(shop: Desk) -> None:
    await launched(shop)
    first, second = Wall(), Wall()
    await cards_on(shop, first).tick()
    await count(shop, sent=9, failed=1, waiting=-10, **{"failed:blocked": 1})
    await move(shop, Status.SENT)
    again = cards_on(shop, second)
    await again.tick()
    [(_id, text)] = second.edited
    assert "✅ Spring sale – finished" in text
    assert "Failed: 1 blocked us" in text
    assert await shop.store.conversations.open_cards() == []
    await shop.clock.advance(10)
    await again.tick()
    assert len(second.edited) == 1


async def test_a_surface_that_asks_to_wait_is_left_alone_so_long(shop: Desk) -> None:
    await launched(shop)
    wall = Wall(refuse=[Busy(7)])
    cards = cards_on(shop, wall)
    await cards.tick()
    await shop.clock.advance(6.9)
    await cards.tick()
    assert wall.edited == []
    await shop.clock.advance(0.2)
    await cards.tick()
    assert len(wall.edited) == 1


async def test_a_surface_that_fails_is_tried_again_later_and_the_card_of_a_lost_chat_ends(shop: Desk) -> None:
    await launched(shop)
    wall = Wall(refuse=[OSError("away"), Unreachable()])
    cards = cards_on(shop, wall)
    await cards.tick()
    await shop.clock.advance(2)
    await cards.tick()
    assert await shop.store.conversations.open_cards() == []


async def test_only_the_newest_card_of_a_chat_goes_on(shop: Desk) -> None:
    chat = await launched(shop)
    old = chat.card().id
    await chat.say("/now")
    wall = Wall()
    await cards_on(shop, wall).tick()
    assert dict(wall.edited)[old] == "The live card of “Spring sale” goes on further down."
    [card] = await shop.store.conversations.open_cards()
    assert card.message_id == chat.card().id != old


async def test_who_launched_it_is_told_how_it_ended_and_the_team_as_well(shop: Desk) -> None:
    await launched(shop)
    await count(shop, sent=9, failed=1, waiting=-10)
    await move(shop, Status.SENT)
    who = (await shop.operations.get(1)).launched_by
    await shop.store.mailings.notify(NewNotice("finished", shop.clock.now(), who), 1)
    wall = Wall(refuse=[])
    cards = cards_on(shop, wall, team_chats={"telegram": "-100200"})
    await cards.tick()
    assert wall.shown[0] == ("-100200", "📨 “Spring sale” has started.\nLaunched by Olha.")
    assert [chat for chat, _text in wall.shown[1:]] == ["1001", "-100200"]
    assert wall.shown[1][1].startswith("✅ “Spring sale” is finished: 9 of 10 clients got it, 1 failed.")
    assert wall.files == [(), *[("report-1.csv", "report-1.xlsx")] * 2]
    assert await shop.operations.notices() == []


async def test_a_notice_is_told_only_once_it_is_shown(shop: Desk) -> None:
    await launched(shop)
    who = (await shop.operations.get(1)).launched_by
    words = {"reason": "failures", "words": "31 % of 200 failed"}
    await shop.store.mailings.notify(NewNotice("interrupted", shop.clock.now(), who, words), 1)
    await shop.store.conversations.close_card(1)
    wall = Wall(refuse=[Busy(3)])
    cards = cards_on(shop, wall, team_chats={"telegram": "-100200"})
    await cards.tick()
    assert wall.shown == []
    assert len(await shop.operations.notices()) == 2
    await shop.clock.advance(3)
    await cards.tick()
    assert [chat for chat, _text in wall.shown] == ["-100200", "1001", "-100200"]
    assert "“Spring sale” has stopped by itself.\n\nWhy: 31 % of 200 failed" in wall.shown[1][1]
    assert "ops@acme.test" in wall.shown[1][1]
    assert await shop.operations.notices() == []


async def test_what_nobody_launched_from_a_chat_is_told_to_the_owners(shop: Desk) -> None:
    await launched(shop)
    at = shop.clock.now()
    await shop.store.mailings.notify(NewNotice("paused", at, Actor("cron", Role.OWNER, "cli")), 1)
    await shop.store.mailings.notify(
        NewNotice("channel_broken", at, None, {"channel": "tg-shop", "words": "Unauthorized"})
    )
    wall = Wall()
    await cards_on(shop, wall).tick()
    assert [chat for chat, _text in wall.shown] == ["1002", "1002"]
    assert "Channel tg-shop is broken.\n\nWhy: Unauthorized" in wall.shown[1][1]


async def test_what_a_client_writes_is_handed_over_to_the_team(shop: Desk) -> None:
    details = {"client": 1, "name": "Ann <b>", "channel": "tg-shop", "text": "Is it <open>?", "what": "text"}
    await shop.store.mailings.notify(NewNotice("client_wrote", shop.clock.now(), None, details))
    wall = Wall()
    await cards_on(shop, wall, team_chats={"telegram": "-100200"}).tick()
    assert [chat for chat, _text in wall.shown] == ["-100200"]
    assert "✉ Ann <b>, tg-shop:\n\nIs it <open>?" in wall.shown[0][1]


@dataclass(slots=True)
class Miser(Wall):
    """A surface that takes one edit and asks to wait."""

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        if self.edited and self.edited[-1] != ("", ""):
            self.edited.append(("", ""))
            raise Busy(1.0)
        self.edited.append((message_id, ""))
        return message_id


async def test_a_surface_that_takes_few_edits_serves_every_card_in_turn(shop: Desk) -> None:
    first, wall = (await launched(shop)).card().id, Miser()
    for name in ("a", "b"):
        await shop.store.conversations.follow(1, "telegram", f"chat {name}", name, f"chat {name}")
    cards = cards_on(shop, wall)
    for number in range(1, 9):
        await count(shop, sent=1, waiting=-1) if number < 8 else None
        await shop.clock.advance(4)
        await cards.tick()
    served = [message_id for message_id, _text in wall.edited if message_id]
    assert {served.count(message_id) for message_id in (first, "a", "b")} <= {2, 3}
