"""`carillon stats`: numbers as a table, JSON, a picture or a sheet."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.context import Options, Wrong, desk_of, run, table

if TYPE_CHECKING:
    from pathlib import Path

    from bot.desk import Desk

_COLUMNS = (
    *("id", "name", "status", "planned", "waiting", "sent", "failed", "skipped", "unknown", "delivered", "read"),
    *("clicked", "unsubscribed", "orders", "sales"),
)
_ALWAYS = ("id", "name", "status", "planned", "sent", "failed")  # the others where one of the mailings has some
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # older than any mailing


def register(app: typer.Typer) -> None:
    app.command()(stats)


def stats(
    context: typer.Context,
    mailing_id: Annotated[int | None, typer.Argument(metavar="[ID]", help="One mailing; without it, all.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only what started from this day on.")] = None,
    png: Annotated[str | None, typer.Option(metavar="FILE", help="Draw them too.")] = None,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write them as CSV too.")] = None,
    xlsx: Annotated[str | None, typer.Option(metavar="FILE", help="Write them as a sheet too.")] = None,
) -> None:
    """Numbers of one mailing or of all.

    Example: `carillon stats --since 2026-11-01 --png november.png`"""
    options = Options.of(context)
    start = _day(since) if since else None
    files = {name: _target(file) for name, file in (("png", png), ("csv", csv), ("xlsx", xlsx)) if file}

    async def work() -> tuple[Any, list[Mapping[str, Any]]]:
        async with desk_of(options) as desk:
            document, rows = await (_one(desk, mailing_id) if mailing_id is not None else _all(desk, start))
            for kind, file in files.items():
                file.write_bytes(await _written(desk, kind, mailing_id, document, rows, since or ""))
            return document, rows

    document, rows = run(work())

    def show(out: Any) -> None:
        if mailing_id is not None:
            from bot.cli.figures import print_figures

            print_figures(out, document)
        elif rows:
            columns = [one for one in _COLUMNS if one in _ALWAYS or any(_cell(row, one) for row in rows)]
            cells = [tuple(_cell(row, column) for column in columns) for row in rows]
            out.print(table(*columns, rows=cells, right=_COLUMNS[3:]))
        else:
            out.print("There is no mailing yet." if since is None else f"Nothing has started since {since}.")
        for file in files.values():
            out.print(f"{file} is written.", markup=False)

    options.emit(document, show)


async def _one(desk: "Desk", mailing_id: int) -> tuple[Any, list[Mapping[str, Any]]]:
    figures = await desk.operations.figures(mailing_id)
    return figures, [figures]


async def _all(desk: "Desk", start: datetime | None) -> tuple[Any, list[Mapping[str, Any]]]:
    """Every mailing that started since then, newest first, and the sums."""
    rows: list[Mapping[str, Any]] = []
    offset = 0
    while page := await desk.store.mailings.page(limit=100, offset=offset, archived=None):
        offset += len(page)
        wanted = [each for each in page if start is None or (each.start_at or each.created_at) >= start]
        rows += await desk.operations.figures_of(wanted)
    sums = {name: _sum([_cell(row, name) for row in rows]) for name in _COLUMNS[3:]}
    return {"since": start, "mailings": rows, "total": sums}, rows


def _cell(row: Mapping[str, Any], column: str) -> Any:
    """Clients who clicked anything, where a mailing tells several kinds."""
    value = row[column]
    return value["any"] if isinstance(value, Mapping) else value


def _sum(amounts: Sequence[int | None]) -> int | None:
    """Of those that are told; None where there are mailings and none of them is told."""
    told = [amount for amount in amounts if amount is not None]
    return sum(told) if told or not amounts else None


async def _written(
    desk: "Desk", kind: str, mailing_id: int | None, document: Any, rows: Sequence[Mapping[str, Any]], since: str
) -> bytes:
    match kind:
        case "png":
            return await _picture(desk, mailing_id, document, rows, since)
        case "csv":
            from bot.sheets import csv_of

            return csv_of(rows)
        case _:
            from bot.sheets import xlsx_of

            return xlsx_of(rows)


async def _picture(
    desk: "Desk", mailing_id: int | None, document: Any, rows: Sequence[Mapping[str, Any]], since: str
) -> bytes:
    from bot.charts import draw_mailing, draw_period
    from bot.numbers import rows_of
    from bot.texts import Texts

    t = Texts("en", desk.config.app.timezone)
    if mailing_id is None:
        began = [row for row in rows if row["status"] not in ("draft", "scheduled")]
        period = await desk.operations.period(_day(since) if since else _BEGINNING, desk.clock.now())
        named = [(f"#{row['id']} {row['name']}", row) for row in began]
        under = f"since {since}" if since else "since the beginning"
        return draw_period(t, "Mailings", under, rows_of(t, period.figures, desk.settings), named)
    timeline = await desk.operations.timeline(mailing_id)
    under = f"#{mailing_id} · {t.status(document['status'])}"
    return draw_mailing(t, document["name"], under, rows_of(t, document, desk.settings), timeline)


def _day(text: str) -> datetime:
    try:
        day = datetime.fromisoformat(text)
    except ValueError as error:
        raise Wrong(f"--since {text} is no date; write one as 2026-11-01.") from error
    return day if day.tzinfo else day.replace(tzinfo=UTC)


def _target(name: str) -> "Path":
    from pathlib import Path

    file = Path(name)
    if file.is_dir() or not file.parent.is_dir():
        raise Wrong(f"{name} can't be written: {'it is a folder' if file.is_dir() else 'there is no such folder'}.")
    return file
