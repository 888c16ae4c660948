"""Asking for numbers in the chat: of a mailing, of a time, of a channel, of two beside each other."""

from collections.abc import Mapping
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import insert

from engine.settings import ChannelSettings, EngineSettings
from gateways.telegram.capabilities import TELEGRAM
from gateways.viber.capabilities import VIBER
from storage.counters import add_counters
from storage.records import Status
from storage.schema import mailings, steps
from tests.bot.chat import Chat
from tests.bot.conftest import ZONE, Desk

SPRING = {
    ("tg-shop", "planned"): 1000,
    ("tg-shop", "sent"): 940,
    ("tg-shop", "failed"): 60,
    ("tg-shop", "failed:blocked"): 60,
    ("tg-shop", "clicked:any"): 40,
    ("tg-shop", "clicked:buy"): 12,
    ("viber-shop", "planned"): 600,
    ("viber-shop", "sent"): 590,
    ("viber-shop", "failed"): 10,
    ("viber-shop", "failed:not_found"): 10,
    ("viber-shop", "delivered"): 580,
    ("viber-shop", "read"): 290,
    ("viber-shop", "unsubscribed"): 3,
    ("", "audience"): 1650,
    ("", "left_out:unsubscribed"): 50,
}
WINTER = {("tg-shop", "planned"): 500, ("tg-shop", "sent"): 500, ("tg-shop", "clicked:any"): 50, ("", "audience"): 500}


@pytest.fixture
def settings(tmp_path: Path) -> EngineSettings:
    channels = (ChannelSettings("tg-shop", TELEGRAM), ChannelSettings("viber-shop", VIBER))
    return EngineSettings({channel.id: channel for channel in channels}, tmp_path, timezone=ZONE)


async def ended(
    desk: Desk, name: str, counted: Mapping[tuple[str, str], int], *, hours_ago: float = 1, status: Status = Status.SENT
) -> int:
    """A mailing that went out so long ago; returns its number."""
    at = desk.clock.now() - timedelta(hours=hours_ago)
    text = {"elements": [{"text": "Hello"}]}
    by = "Olha|telegram|1001"
    async with desk.store.database.writing() as connection:
        about = {"routing": "main", "channels": [], "on_unknown": "skip", "created_by": by, "launched_by": by}
        made = insert(mailings).values(name=name, created_at=at, **about).returning(mailings.c.id)
        mailing_id = int((await connection.execute(made)).scalar_one())
        times = {"launched_at": at, "started_at": at, "finished_at": at + timedelta(minutes=5)}
        step = insert(steps).values(mailing_id=mailing_id, number=1, status=status.value, start="now", **times)
        step_id = (await connection.execute(step.values(audience={}, message=text).returning(steps.c.id))).scalar_one()
        await add_counters(connection, {(step_id, channel, "", "", what): n for (channel, what), n in counted.items()})
    return mailing_id


@pytest.fixture
async def two(desk: Desk) -> Desk:
    """Winter went out yesterday, spring an hour ago."""
    await ended(desk, "Winter sale", WINTER, hours_ago=24)
    await ended(desk, "Spring sale", SPRING)
    return desk


def sees_a_picture(chat: Chat) -> None:
    picture = chat.answer[-1].picture
    assert picture is not None
    assert Image.open(BytesIO(picture)).width == 1080


async def test_a_mailing_is_told_in_numbers_and_as_a_picture(two: Desk) -> None:
    maria = two.chat("Maria")
    await maria.say("/stats")
    maria.sees("Of which mailing, or of what time?")
    await maria.press("#2 Spring")
    maria.sees("Spring sale · #2", "Planned", "1,600", "1,530", "96%", "– a buy button", "12", "Unsubscribed", "Orders")
    maria.sees("at least 580 (98%)", "Delivered and read: counted for 590 of the 1,530 sent, not reported by Telegram.")
    sees_a_picture(maria)
    assert "Open" not in maria.labels()  # a manager sees numbers, not the message
    await maria.press("Why some did not get it")
    maria.sees("Failed: 60 blocked us, 10 address not found", "Left out before the start: 50 unsubscribed")
    sees_a_picture(maria)
    await maria.press("◀ Back")
    await maria.press("By channel")
    maria.sees("tg-shop: 940 of 1,000, failed 60", "viber-shop: 590 of 600, failed 10")
    sees_a_picture(maria)
    await maria.press("◀ Back")
    await maria.press("As a table")
    assert [file.name for file in maria.answer[-1].files] == ["report-2.csv", "report-2.xlsx"]
    await maria.press("◀ Back")
    await maria.press("◀ Statistics")
    await maria.say("sale")
    maria.sees("Several mailings have “sale” in their name. Which one?")
    await maria.say("autumn")
    maria.sees("No mailing has “autumn” in its name, and no channel is called so")
    await maria.say("99")
    maria.sees("There is no mailing 99.")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("how did yesterday's go?", "Winter sale · #1"),
        ("как прошла вчерашняя?", "Winter sale · #1"),
        ("/stats week", "2 mailings were launched."),
        ("/stats Viber-shop week", "viber-shop · Viber"),
        ("/stats 2 1", "#2: Spring sale, 21 Nov 2026"),
        ("compare with the last one", "#1: Winter sale, 20 Nov 2026"),
        ("сравни с предыдущей", "#1: Winter sale"),
        ("порівняй цей тиждень з минулим", "before: 8 Nov 2026 – 14 Nov 2026"),
        ("How did winter go?", "Winter sale · #1"),
    ],
)
async def test_a_question_in_words_is_answered(two: Desk, asked: str, told: str) -> None:
    olha = two.chat()
    await olha.say(asked)
    olha.sees(told)
    sees_a_picture(olha)


async def test_a_message_that_speaks_of_comparing_is_a_message(two: Desk) -> None:
    olha = two.chat()
    await olha.say("Compare our prices with 2 others this week")
    olha.sees("Shall I make a new mailing of this message?")


async def test_a_mailing_is_compared_with_the_one_before(two: Desk) -> None:
    await ended(two, "Autumn sale", {}, hours_ago=1000)
    chat = two.chat()
    await chat.say("/stats 2")
    await chat.press("Compare")
    lines = chat.card().text.splitlines()
    assert "Planned       1,600   500" in lines
    assert "Sent            96%  100%" in lines
    assert "Delivered       98%     –" in lines
    assert "Clicked        2.6%   10%" in lines
    chat.sees("#1: Delivered and read – not reported by Telegram.", "#2: Delivered and read: counted for 590")
    sees_a_picture(chat)
    await chat.press("With #3 Autumn sale")
    chat.sees("#3: Autumn sale")
    await chat.say("2 99")
    chat.sees("There is no mailing 99.")
    await chat.say("2 1")
    chat.sees("#1: Winter sale")


async def test_the_first_mailing_is_compared_with_the_one_after_it(two: Desk) -> None:
    chat = two.chat()
    await chat.say("/stats 1")
    await chat.press("Compare")
    chat.sees("#1: Winter sale", "#2: Spring sale")


async def test_where_there_is_one_mailing_nothing_is_compared(desk: Desk) -> None:
    chat = desk.chat()
    await chat.say("/stats compare")
    chat.sees("There are no two mailings yet that could be compared.")
    await ended(desk, "Spring sale", SPRING)
    await chat.say("/stats 1")
    await chat.press("Compare")
    chat.sees("There are no two mailings yet that could be compared.")
    await chat.press("◀ Statistics")
    chat.sees("Of which mailing")


async def test_a_time_is_told_with_its_mailings_its_channels_and_the_time_before(two: Desk) -> None:
    chat = two.chat("Maria")
    await chat.say("/stats week")
    chat.sees("Last 7 days · 15 Nov 2026 – 21 Nov 2026", "2 mailings were launched.", "2,030")
    sees_a_picture(chat)
    await chat.press("Compare with the time before")
    chat.sees("now: 15 Nov 2026 – 21 Nov 2026", "before: 8 Nov 2026 – 14 Nov 2026")
    await chat.press("Last 7 days")
    await chat.press("By channel")
    chat.sees("tg-shop: 1,440 of 1,500, failed 60", "viber-shop: 590 of 600, failed 10")
    sees_a_picture(chat)
    await chat.press("viber-shop")
    chat.sees("viber-shop · Viber", "Delivered", "580")
    await chat.press("Today")
    await chat.press("◀ Back")
    await chat.press("◀ Statistics")
    await chat.say("/stats month")
    await chat.press("As a table")
    chat.sees("The numbers of 2 mailings as tables")
    csv, _xlsx = chat.answer[-1].files
    assert csv.content.decode("utf-8-sig").splitlines()[1].startswith("2,Spring sale,sent")
    await chat.say("/stats today")
    await chat.press("#2 Spring")
    chat.sees("Spring sale · #2")


async def test_a_time_in_which_nothing_went_out_says_so(desk: Desk) -> None:
    chat = desk.chat("Maria")
    await chat.say("/stats yesterday")
    chat.sees("No mailing was started yesterday.")
    await chat.press("Last 7 days")
    chat.sees("No mailing was launched in this time.")
    await chat.say("/stats tg-shop")
    chat.sees("Nothing went by it in this time.")
    await chat.press_token("s:chan:week")
    chat.sees("No mailing was launched in this time.")
    await chat.press_token("s:files:all")
    chat.sees("No mailing was launched in this time.")
    await chat.press_token("s:on:abcdef123456:week")
    chat.sees("That is no longer in the list; choose again.")
    await chat.press_token("s:since:nonsense")
    chat.sees("Last 7 days")


async def test_several_of_yesterday_are_told_together(two: Desk) -> None:
    await ended(two, "Late sale", WINTER, hours_ago=22)
    chat = two.chat()
    await chat.say("how did yesterday go?")
    chat.sees("Yesterday · 20 Nov 2026", "2 mailings were launched.", "1,000")
    await chat.press("#3 Late sale")
    chat.sees("Late sale · #3", "not reported by Telegram")


async def test_what_waits_to_start_has_no_numbers_yet(two: Desk) -> None:
    number = await ended(two, "Tomorrow's", {}, status=Status.SCHEDULED)
    chat = two.chat()
    await chat.say(f"/stats {number}")
    chat.sees("It is scheduled: there are no numbers before it starts.")
    await chat.press("◀ Statistics")
    assert not [label for label in chat.labels() if "Tomorrow" in label]


async def test_charts_speak_the_language_of_who_asks(two: Desk) -> None:
    english, russian = two.chat("Maria"), two.chat("Olha")
    await russian.say("/language")
    await russian.press("Русский")
    await english.say("/stats 2")
    await russian.say("/stats 2")
    russian.sees("Запланировано", "1\xa0600")
    assert english.answer[-1].picture != russian.answer[-1].picture
