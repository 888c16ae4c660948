"""A client file into the storage, with a bar while it lasts."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.imports import ImportOutcome, Progress, import_clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bot.desk import Desk


async def import_with_bar(
    desk: "Desk", file: Path, *, region: str | None, dry_run: bool, quiet: bool
) -> dict[str, Any]:
    """Import it; returns what `clients import --json` prints. The bar is on stderr, where a person sits."""
    with _bar(file.name, shown=not quiet and sys.stderr.isatty()) as progress:
        outcome = await import_clients(
            desk.store,
            file,
            channels=desk.settings.channels,
            region=region,
            dry_run=dry_run,
            clock=desk.clock,
            progress=progress,
        )
    return outcome_document(outcome)


def outcome_document(outcome: ImportOutcome) -> dict[str, Any]:
    """`rejections` stands there only where there were more than are listed."""
    document: dict[str, Any] = {
        "added": outcome.added,
        "updated": outcome.updated,
        "rejected": [{"row": each.row, "reason": each.reason} for each in outcome.rejected],
    }
    if outcome.rejections > len(outcome.rejected):
        document["rejections"] = outcome.rejections
    return document


@contextmanager
def _bar(name: str, *, shown: bool) -> "Iterator[Callable[[Progress], None] | None]":
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(name), total=None, done="")

        def show(progress: Progress) -> None:
            outcome = progress.outcome
            done = f"{outcome.added + outcome.updated:,} clients, {outcome.rejections:,} rejected"
            bar.update(task, completed=progress.position, total=progress.size or None, done=done)

        yield show
