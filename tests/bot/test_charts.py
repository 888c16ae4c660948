"""Charts are pictures that can be opened, whatever the numbers and the names."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from bot.charts import draw_mailing, draw_totals
from bot.sheets import csv_of, xlsx_of
from storage.timelines import Span

AT = datetime(2026, 11, 21, 9, tzinfo=UTC)


def figures(**other: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "name": "Spring sale",
        "status": "sent",
        "audience": 2050,
        "planned": 2000,
        "waiting": 0,
        "sent": 1880,
        "failed": 95,
        "skipped": 20,
        "unknown": 5,
        "delivered": None,
        "read": None,
        "clicked": {"any": 61, "link": None},
        **other,
    }


def spans(count: int) -> list[Span]:
    return [Span(AT + timedelta(seconds=number), 1, 25, number % 3, 0) for number in range(count)]


@pytest.mark.parametrize("name", ["Spring sale", "$5 and $6", "日本 🎉", "x" * 300, "a\nb"])
@pytest.mark.parametrize("count", [0, 1, 60])
def test_a_mailing_is_drawn(name: str, count: int) -> None:
    picture = Image.open(BytesIO(draw_mailing(figures(name=name), spans(count), UTC)))

    assert picture.format == "PNG"
    assert picture.width > 1000


def test_a_mailing_that_has_sent_nothing_is_drawn() -> None:
    empty = dict.fromkeys(("audience", "planned", "sent", "failed", "skipped", "unknown"), 0)

    assert draw_mailing(figures(**empty, clicked={"any": None}), [], UTC).startswith(b"\x89PNG")


@pytest.mark.parametrize("count", [0, 1, 40])
def test_several_mailings_are_drawn(count: int) -> None:
    assert draw_totals([figures(id=number) for number in range(count)], "since 2026-11-01").startswith(b"\x89PNG")


def test_a_sheet_has_a_row_for_each_mailing_and_a_column_for_each_reason() -> None:
    from openpyxl import load_workbook

    rows = [figures(left_out={"blocked": 12}), figures(left_out={"unsubscribed": 3})]
    sheet = load_workbook(BytesIO(xlsx_of(rows))).worksheets[0]
    header, first, second = sheet.iter_rows(values_only=True)

    assert first[header.index("left_out.blocked")] == 12
    assert second[header.index("left_out.unsubscribed")] == 3
    assert first[header.index("delivered")] is None


def test_a_name_that_looks_like_a_formula_stays_a_name() -> None:
    lines = csv_of([figures(name="=HYPERLINK(1)")]).decode("utf-8-sig").splitlines()

    assert lines[1].startswith("7,'=HYPERLINK(1),sent")
