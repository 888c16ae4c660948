"""An admin bot that stops working, told by the others."""

from dataclasses import dataclass, field

from bot.dialogs.talk import House
from bot.minding import LASTS_S, BotWatch
from bot.screens import Person, Screen
from engine.clock import FakeClock
from gateways.markup import read_html
from storage.records import Role

OSTAP = Person("Ostap", Role.OWNER)
PEOPLE = {
    ("slack", "U02OSTAP"): OSTAP,
    ("telegram", "1002"): OSTAP,
    ("console", "Ostap"): OSTAP,
    ("telegram", "1001"): Person("Olha", Role.OPERATOR),
}


@dataclass(slots=True)
class Wall:
    name: str
    problem: str | None = None
    fails: bool = False
    shown: list[tuple[str, str]] = field(default_factory=list)

    async def show(self, chat: str, screen: Screen) -> str:
        if self.fails:
            raise ConnectionError
        self.shown.append((chat, read_html(screen.text).text.partition("\n")[0]))
        return "1"

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        raise AssertionError("nothing is edited")


def watching() -> tuple[BotWatch, Wall, Wall, FakeClock]:
    slack, telegram, clock = Wall("slack"), Wall("telegram"), FakeClock()
    bots = {"slack": slack, "telegram": telegram}
    return BotWatch(bots, bots, PEOPLE, House(), clock), slack, telegram, clock


async def test_owners_are_told_on_the_other_surfaces_once_and_when_it_is_mended() -> None:
    watch, slack, telegram, clock = watching()
    slack.problem = "Slack refuses the admin bot's token: token_revoked"
    await watch.tick()
    assert telegram.shown == []
    await clock.advance(LASTS_S)
    await watch.tick()
    await watch.tick()
    assert telegram.shown == [("1002", "⚠ The admin bot on Slack does not work.")]
    assert slack.shown == []
    slack.problem = None
    await watch.tick()
    await watch.tick()
    assert telegram.shown[1:] == [("1002", "The admin bot on Slack works again.")]


async def test_what_mends_itself_soon_is_not_told() -> None:
    watch, slack, telegram, clock = watching()
    for problem in ("away", None, "away"):
        slack.problem = problem
        await watch.tick()
        await clock.advance(LASTS_S - 1)
    await watch.tick()
    assert telegram.shown == []


async def test_an_alarm_that_can_not_be_shown_is_tried_again() -> None:
    watch, slack, telegram, clock = watching()
    slack.problem, telegram.fails = "away", True
    await watch.tick()
    await clock.advance(LASTS_S)
    await watch.tick()
    telegram.fails = False
    await watch.tick()
    assert len(telegram.shown) == 1
