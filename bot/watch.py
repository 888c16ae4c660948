"""A mailing's progress as a bar in the terminal."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.operations import Operations

LOOK_S = 0.5
ENDED = frozenset({"sent", "cancelled", "interrupted", "draft"})


async def watch_mailing(operations: "Operations", mailing_id: int, *, quiet: bool = False) -> Mapping[str, Any]:
    """Show the bar until the mailing ends; returns its last figures. A paused one is waited for."""
    figures = await operations.figures(mailing_id)
    if quiet:
        while figures["status"] not in ENDED:
            await asyncio.sleep(LOOK_S)
            figures = await operations.figures(mailing_id)
        return figures
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.completed:,.0f} of {task.total:,.0f}  {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        bar = progress.add_task("", total=1, rate="")
        while True:
            _show(progress, bar, figures)
            if figures["status"] in ENDED:
                return figures
            await asyncio.sleep(LOOK_S)
            figures = await operations.figures(mailing_id)


def _show(progress: Any, bar: Any, figures: Mapping[str, Any]) -> None:
    from rich.markup import escape

    reason = f" ({figures['reason']})" if figures.get("reason") else ""
    progress.update(
        bar,
        description=escape(f"{figures['name']}: {figures['status']}{reason}"),
        total=max(figures["planned"], 1),
        completed=figures["planned"] - figures["waiting"],
        rate=f"{figures['rate'] or 0:.1f}/s  {figures['failed']:,} failed",
    )
