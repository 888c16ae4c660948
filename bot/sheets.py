"""Figures as CSV and XLSX, one row a mailing."""

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO, StringIO
from typing import Any

from engine.values import shown

_BEGIN_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # the wide ones where a spreadsheet speaks Japanese
_LEFT_OUT = (
    *("steps", "by_channel", "stopped", "stopped_by", "stuck", "unknown_left"),
    *("progress", "rate", "eta_seconds", "eta_at"),
)


def csv_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """UTF-8 with a mark at its begin, or Excel takes it for another encoding."""
    columns, cells = _sheet(rows)
    written = StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in cells)
    return written.getvalue().encode("utf-8-sig")


def xlsx_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Font

    columns, cells = _sheet(rows)
    book = Workbook()
    sheet = book.active
    assert sheet is not None  # noqa: S101  # a new workbook has one
    sheet.title = "Mailings"
    sheet.append(columns)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for row in cells:
        sheet.append([_harmless(cell) for cell in row])
    sheet.freeze_panes = "A2"
    written = BytesIO()
    book.save(written)
    return written.getvalue()


def _sheet(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Columns and cells; a table such as left_out becomes a column for each of its names."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    return columns, [[row.get(column) for column in columns] for row in flat]


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in row.items():
        if name in _LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            made |= {f"{name}.{inner}": amount for inner, amount in value.items()}
        else:
            made[name] = value
    return made


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would run as a formula is kept a text, and holds nothing that a sheet can't; its times
    have no zones."""
    if isinstance(cell, datetime):
        return cell.isoformat()
    if isinstance(cell, str):
        text = shown(cell)
        return f"'{text}" if text.lstrip()[:1] in _BEGIN_FORMULAS else text
    return cell
