"""A mailing's report as files: its numbers, all together and channel by channel; and whom it did not reach."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot.screens import Document
from bot.sheets import csv_of, xlsx_of

if TYPE_CHECKING:
    from engine.operations import Operations

MOST_FAILED = 10_000  # rows of a file of those who did not get it
_ALL = "all"


async def report_of(operations: "Operations", mailing_id: int) -> tuple[Document, ...]:
    """The numbers as CSV and as XLSX: a row for the mailing, and one for each of its channels. No client is named."""
    figures = await operations.figures(mailing_id)
    channels = await operations.channels_of(mailing_id)
    told = {name: figures[name] for name in ("id", "name", "status", "started_at", "finished_at")}
    rows = [_row(told, _ALL, figures), *(_row(told, channel, one) for channel, one in sorted(channels.items()))]
    return await asyncio.to_thread(_files, f"report-{mailing_id}", rows)


async def failed_of(operations: "Operations", mailing_id: int) -> tuple[Document, ...]:
    """Those who did not get it and why, the first `MOST_FAILED` of them; none where there is nobody."""
    found = await operations.failed(mailing_id, limit=MOST_FAILED)
    rows = [
        {
            "client": row.client_id,
            "name": row.client_name,
            "channel": row.channel,
            "reason": row.reason,
            "code": row.code,
            "words": row.words,
            "at": row.finished_at,
        }
        for row in found
    ]
    return await asyncio.to_thread(_files, f"failed-{mailing_id}", rows) if rows else ()


def _row(told: Mapping[str, Any], channel: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    return {**told, "channel": channel, **{name: value for name, value in figures.items() if name not in told}}


def _files(name: str, rows: Sequence[Mapping[str, Any]]) -> tuple[Document, ...]:
    """Writing a sheet takes its time: not for the loop."""
    return Document(f"{name}.csv", csv_of(rows)), Document(f"{name}.xlsx", xlsx_of(rows))
