"""Charts are pictures that can be opened, whatever the numbers and the names; the same numbers stand in words."""

import asyncio
import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.charts import draw_channels, draw_comparison, draw_mailing, draw_period, draw_reasons, drawn
from bot.drawing import DARK, drawable
from bot.numbers import Row, columns, notes, rows_of
from bot.sheets import csv_of, xlsx_of
from bot.texts import Texts
from engine.settings import ChannelSettings, EngineSettings
from gateways.telegram.capabilities import TELEGRAM
from gateways.viber.capabilities import VIBER
from gateways.vk.capabilities import VK
from storage.timelines import Span

AT = datetime(2026, 11, 21, 9, tzinfo=UTC)
T = Texts("en", "Europe/Kyiv")
CHANNELS = (ChannelSettings("tg", TELEGRAM), ChannelSettings("viber", VIBER), ChannelSettings("vk", VK))
SETTINGS = EngineSettings({channel.id: channel for channel in CHANNELS}, Path())


def figures(**other: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "name": "Spring sale",
        "status": "sent",
        "audience": 2050,
        "left_out": {"blocked": 50},
        "planned": 2000,
        "waiting": 0,
        "sent": 1880,
        "failed": 95,
        "skipped": 20,
        "cancelled": 0,
        "unknown": 5,
        "delivered": 420,
        "delivered_of": 590,
        "read": 130,
        "read_of": 590,
        "clicked": {"any": 61, "link": None, "text_link": None, "buy": 12, "message": 9},
        "unsubscribed": 3,
        "orders": 4,
        "sales": 2,
        "revenue": {"EUR": "39.80"},
        "by_channel": {"tg": {"delivered": None, "read": None}, "viber": {"delivered": 420, "read": 130}},
        "failures": {"blocked": 95},
        "skips": {},
        **other,
    }


def rows(**other: Any) -> list[Row]:
    return rows_of(T, figures(**other), SETTINGS)


NOTHING = figures(
    **dict.fromkeys(("audience", "planned", "sent", "failed"), 0), by_channel={}, delivered=None, read=None
)


def spans(count: int) -> list[Span]:
    return [Span(AT + timedelta(seconds=number), 1, 25, number % 3, 0) for number in range(count)]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_mailing(T, "$5 and $6 日本 🎉", "#7", rows(), spans(60)),
        lambda: draw_mailing(T, "日本", "x" * 300, rows_of(T, NOTHING, SETTINGS), [], look=DARK),
        lambda: draw_mailing(Texts("uk"), "a\nb", "", rows(), spans(1)),
        lambda: draw_reasons(T, "x" * 300, "#7", figures(failures={f"reason_{n}": n + 1 for n in range(12)})),
        lambda: draw_channels(T, "Spring", "#7", [("tg · Telegram", rows()), ("viber · Viber", rows(planned=0))]),
        lambda: draw_period(T, "Week", "", rows(), [("Spring", figures())] * 9, more=3),
        lambda: draw_comparison(T, "Two", [("A", "x" * 99, rows()), ("B", "", rows_of(T, NOTHING, SETTINGS))]),
    ],
)
def test_a_picture_is_as_wide_as_a_phone_and_not_endless(draw: Callable[[], bytes]) -> None:
    picture = Image.open(BytesIO(draw()))

    assert picture.format == "PNG"
    assert picture.width == 1080
    assert 300 < picture.height < 2200


def test_letters_that_the_font_lacks_are_left_out_of_a_picture() -> None:
    assert drawable("Spring 🎉 sale\n日本 – Весна") == "Spring sale – Весна"


async def test_two_who_ask_at_once_get_a_picture_each() -> None:
    both = await asyncio.gather(*(drawn(draw_reasons, T, name, "#7", figures()) for name in ("One", "Two")))

    assert both[0] != both[1]


def test_numbers_stand_in_columns_and_say_what_nobody_reports() -> None:
    told = columns(T, rows())

    assert "Sent                    1,880   94%" in told
    assert "Unsubscribed                3  0.2%" in told
    assert "Delivered           at least 420 (71%)" in told
    assert "– a link            not counted" in told
    assert notes(T, figures(), SETTINGS) == (
        "Delivered and read: counted for 590 of the 1,880 sent, not reported by Telegram."
    )


def test_a_number_that_no_messenger_reports_is_never_0() -> None:
    silent = {"tg": {"delivered": None, "read": None}, "vk": {"delivered": None, "read": 3}}
    told = {row.name: row for row in rows(delivered=None, delivered_of=0, read=3, read_of=1880, by_channel=silent)}

    assert (told["delivered"].told, told["delivered"].amount) == ("not reported by Telegram, VK", None)
    assert told["read"].told == "3"
    assert [row.told for row in rows_of(T, NOTHING, SETTINGS) if row.name == "read"] == ["–"]


def test_a_sheet_has_a_row_for_each_mailing_and_a_column_for_each_reason() -> None:
    from openpyxl import load_workbook

    made = [figures(left_out={"blocked": 12}, delivered=None), figures(left_out={"unsubscribed": 3})]
    sheet = load_workbook(BytesIO(xlsx_of(made))).worksheets[0]
    header, first, second = sheet.iter_rows(values_only=True)

    assert first[header.index("left_out.blocked")] == 12
    assert second[header.index("left_out.unsubscribed")] == 3
    assert first[header.index("delivered")] is None


@pytest.mark.parametrize(
    "name", ["=1", "+1", "-1", "@SUM(1)", " =1", "\t=1", "\r=1", "\n=1", "＝1", "\x0b=1", "\ud800=1"]
)
def test_a_name_that_looks_like_a_formula_stays_a_name(name: str) -> None:
    from openpyxl import load_workbook

    rows = list(csv.reader(StringIO(csv_of([figures(name=name)]).decode("utf-8-sig"))))
    cell = load_workbook(BytesIO(xlsx_of([figures(name=name)]))).worksheets[0]["B2"]

    assert rows[1][1].startswith("'")
    assert (str(cell.value)[0], cell.data_type) == ("'", "s")
