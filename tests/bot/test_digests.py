"""Numbers that come by themselves: ordered in the chat, sent once, in time, whatever happens in between."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from bot.dialogs.talk import House
from bot.digests import Digests, due_after
from bot.screens import Busy, People, Screen, Unreachable
from gateways.markup import read_html
from storage.digests import Every, NewDigest
from tests.bot.chat import PEOPLE
from tests.bot.conftest import Desk
from tests.bot.test_stats import WINTER, ended


@dataclass
class Board:
    """A surface that remembers what it was given, and fails as the test says."""

    name: str = "telegram"
    shown: list[tuple[str, Screen]] = field(default_factory=list)
    fails: list[BaseException] = field(default_factory=list)

    async def show(self, chat: str, screen: Screen) -> str:
        if self.fails:
            raise self.fails.pop(0)
        self.shown.append((chat, screen))
        return "1"

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        raise AssertionError

    @property
    def told(self) -> list[str]:
        return [read_html(screen.text).text for _chat, screen in self.shown]


@dataclass
class Post:
    desk: Desk
    board: Board
    people: People = field(default_factory=lambda: PEOPLE)

    def digests(self) -> Digests:
        return Digests(
            operations=self.desk.operations,
            store=self.desk.store,
            surfaces={"telegram": self.board},
            people=self.people,
            house=House(),
            clock=self.desk.clock,
        )

    async def at(self, day: int, hour: int, minute: int = 0) -> None:
        """By the clock of Kyiv, two hours before UTC in this November, after a restart."""
        moment = datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=2)
        await self.desk.clock.advance((moment - self.desk.clock.now()).total_seconds())
        await self.digests().tick()


@pytest.fixture
async def post(desk: Desk) -> Post:
    """It is Saturday, 21 November, 11 o'clock in Kyiv; a mailing went out yesterday."""
    await ended(desk, "Winter sale", WINTER, hours_ago=24)
    return Post(desk, Board())


async def test_a_manager_orders_the_numbers_of_each_day(post: Post) -> None:
    maria = post.desk.chat("Maria")
    await maria.say("/digest")
    maria.sees("Nothing comes to this chat by itself yet.")
    await maria.press("Each day…")
    maria.sees("At what hour shall the numbers come?", "Europe/Kyiv")
    await maria.say("soon")
    maria.sees("“soon” is no hour: type one such as 8:30.")
    await maria.say("25:00")
    maria.sees("“25:00” is no hour")
    await maria.say("8:30")
    maria.sees("Each day at 08:30 (Europe/Kyiv)", "The next one: Sun, 22 Nov 2026, 08:30 (Europe/Kyiv).")
    await maria.press("Show it now")
    maria.sees("Yesterday · 20 Nov 2026", "1 mailing was launched.", "500")
    await post.at(22, 8, 29)
    assert post.board.shown == []
    await post.at(22, 8, 30)
    await post.at(22, 8, 31)
    await post.at(23, 8, 30)
    assert [chat for chat, _screen in post.board.shown] == ["1003", "1003"]
    assert post.board.told[0].startswith("Yesterday · 21 Nov 2026\n\nNo mailing was launched in this time.")
    assert "Before that, 20 Nov 2026: sent 500, failed 0, clicked 50." in post.board.told[0]


async def test_the_numbers_of_a_week_come_on_its_day_with_a_picture(post: Post) -> None:
    maria = post.desk.chat("Maria")
    await maria.say("/digest week")
    await maria.press("Monday")
    await maria.press("09:00")
    maria.sees("Each week, Monday at 09:00 (Europe/Kyiv)", "The next one: Mon, 23 Nov 2026, 09:00")
    await post.at(23, 9)
    await post.at(24, 9)
    (_chat, screen), *others = post.board.shown
    assert others == []
    assert post.board.told[0].startswith("The last 7 days · 16 Nov 2026 – 22 Nov 2026\n\n1 mailing was launched.")
    assert screen.picture is not None


async def test_hour_and_clock_are_changed_and_it_is_ended(post: Post) -> None:
    maria = post.desk.chat("Maria")
    await maria.say("/digest day 9:00")
    await maria.press("Another hour")
    await maria.press("18:00")
    maria.sees("Each day at 18:00 (Europe/Kyiv)", "Sat, 21 Nov 2026, 18:00")
    await maria.press("Another clock")
    await maria.say("Atlantis")
    maria.sees("I know no clock of “Atlantis”")
    await maria.say("new york")
    maria.sees("Each day at 18:00 (America/New_York)")
    await maria.press("Another hour")
    maria.sees("The clock is that of America/New_York.")
    await maria.press("◀ Back")
    await maria.press("Each day, 18:00")
    await maria.press("End it")
    maria.sees("It has ended: Each day at 18:00 (America/New_York).", "Nothing comes to this chat by itself yet.")
    await maria.press_token("d:of:1")
    maria.sees("That digest has ended already; /digest shows what there is.")
    await post.at(23, 12)
    assert post.board.shown == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/digest daily 7", "Each day at 07:00"),
        ("/digest day 7 pm", "Each day at 19:00"),
        ("/digest week fri 8.15", "Each week, Friday at 08:15"),
        ("/digest неделя понедельник 9:00", "Each week, Monday at 09:00"),
        ("/digest тиждень пн 9:00", "Each week, Monday at 09:00"),
        ("/digest week", "On which day of the week"),
        ("/digest day", "At what hour"),
        ("/digest week monday", "At what hour"),
        ("/digest yearly", "Type /digest day 9:00, or /digest week monday 9:00"),
        ("/digest day noon", "“noon” is no hour"),
        ("/digest off", "Nothing comes to this chat by itself any more."),
    ],
)
async def test_it_is_ordered_by_words(desk: Desk, typed: str, told: str) -> None:
    chat = desk.chat("Maria")
    await chat.say(typed)
    chat.sees(told)
    assert chat.labels()


async def test_a_group_gets_its_own_and_nobody_changes_another_s(post: Post) -> None:
    maria = post.desk.chat("Maria", chat="-100200", private=False)
    await maria.say("/digest day 9:00")
    await post.desk.chat("Maria").say("/digest day 10:00")
    olha = post.desk.chat("Olha", chat="-100200", private=False)
    await olha.press_token("d:off:1")
    olha.sees("That digest was ordered by somebody else, who alone can change it")
    await post.at(22, 10)
    assert [chat for chat, _screen in post.board.shown] == ["-100200", "1003"]


async def test_what_a_surface_did_not_take_is_sent_once_it_does(post: Post) -> None:
    await post.desk.chat("Maria").say("/digest day 9:00")
    post.board.fails = [Busy(30)]
    digests = post.digests()
    await post.desk.clock.advance(22 * 3600)
    await digests.tick()
    await digests.tick()  # it is left alone for as long as it asked
    assert post.board.shown == []
    await post.desk.clock.advance(31)
    await digests.tick()
    await digests.tick()
    assert len(post.board.shown) == 1


async def test_a_closed_chat_is_passed_over_until_the_next_day(post: Post) -> None:
    await post.desk.chat("Maria").say("/digest day 9:00")
    post.board.fails = [Unreachable()]
    await post.at(22, 9)
    await post.at(22, 10)
    assert post.board.shown == []
    await post.at(23, 9)
    assert len(post.board.shown) == 1


async def test_what_is_much_too_late_is_not_sent_any_more(post: Post) -> None:
    await post.desk.chat("Maria").say("/digest day 9:00")
    await post.at(22, 23)
    assert post.board.shown == []
    await post.at(23, 11)
    assert len(post.board.shown) == 1


async def test_who_is_none_of_the_people_any_more_gets_nothing(post: Post) -> None:
    await post.desk.chat("Maria").say("/digest day 9:00")
    post.people = {key: person for key, person in PEOPLE.items() if person.name != "Maria"}
    await post.at(22, 9)
    post.people = PEOPLE
    await post.at(23, 9)
    assert post.board.shown == []


async def test_two_who_look_at_once_send_it_once(post: Post) -> None:
    await post.desk.chat("Maria").say("/digest day 9:00")
    await post.desk.clock.advance(22 * 3600)
    (due,) = await post.desk.store.digests.due(post.desk.clock.now())
    await post.digests().tick()
    assert not await post.desk.store.digests.move(due, post.desk.clock.now())
    assert len(post.board.shown) == 1


@pytest.mark.parametrize(("day", "hour", "minute"), [(22, 9, 0), (21, 23, 59)])
async def test_one_that_is_killed_before_it_is_shown_is_shown_after_about_the_same_days(
    post: Post, day: int, hour: int, minute: int
) -> None:
    await post.desk.chat("Maria").say(f"/digest day {hour}:{minute:02}")
    post.board.fails = [asyncio.CancelledError()]  # whatever would be done after it is not
    with pytest.raises(asyncio.CancelledError):
        await post.at(day, hour, minute)
    await post.digests().tick()
    assert post.board.shown == []  # it may still be shown by whom it was in hand
    await post.desk.clock.advance(301)
    await post.digests().tick()
    await post.digests().tick()
    assert [told.split("\n")[0] for told in post.board.told] == [f"Yesterday · {day - 1} Nov 2026"]
    await post.at(day + 1, hour, minute)
    assert post.board.told[1].startswith(f"Yesterday · {day} Nov 2026")


@pytest.mark.parametrize(
    ("minute", "weekday", "after", "due"),
    [
        (9 * 60, None, "2026-11-21T06:59:59", "2026-11-21T07:00:00"),
        (9 * 60, None, "2026-11-21T07:00:00", "2026-11-22T07:00:00"),
        (9 * 60, 5, "2026-11-21T07:00:00", "2026-11-28T07:00:00"),
        (210, None, "2026-03-28T12:00:00", "2026-03-29T01:30:00"),  # the hour that is missing that night: later
        (210, None, "2026-10-25T00:30:00", "2026-10-26T01:30:00"),  # the hour that comes twice: once
    ],
)
def test_it_is_due_by_the_clock_of_its_zone(minute: int, weekday: int | None, after: str, due: str) -> None:
    every = Every.DAY if weekday is None else Every.WEEK
    at = datetime.fromisoformat(f"{after}+00:00")
    digest = NewDigest("telegram", "1003", "1003", every, weekday, minute, "Europe/Kyiv", at)

    assert due_after(digest, at) == datetime.fromisoformat(f"{due}+00:00")
