"""Clients from files and programs into storage, in pieces that let everybody else write in between."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.client_files import ClientFile, FileRow
from engine.client_rows import KNOWN_COLUMNS, RowReader, as_cells, read_columns
from engine.clock import Clock, SystemClock
from engine.errors import Invalid
from engine.pieces import HOLD_S, Pieces
from engine.settings import ChannelSettings
from storage.matching import Added, ClientRow, Rejection, RowOutcome
from storage.store import Store

HOLD_ALONE_S = 0.2  # of a piece while no mailing is being sent: what a person does not notice (docs/decisions/bulk.md)
MOST_IN_PIECE = 2000
LEAST_IN_PIECE = 5
MOST_REASONS = 10_000  # that are kept; a file of a million broken rows must not fill the memory


@dataclass(frozen=True, slots=True)
class Rejected:
    row: int
    reason: str


@dataclass(slots=True)
class ImportOutcome:
    """What an import did; `rejected` holds the first reasons, `rejections` how many there were."""

    added: int = 0
    updated: int = 0
    rejections: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def reject(self, row: int, reason: str) -> None:
        self.rejections += 1
        if len(self.rejected) < MOST_REASONS:
            self.rejected.append(Rejected(row, reason))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: `position` of `size`, in bytes or rows of the file, and what it has done so far."""

    position: int
    size: int
    outcome: ImportOutcome


async def import_clients(
    store: Store,
    path: Path,
    *,
    channels: Mapping[str, ChannelSettings],
    region: str | None = None,
    dry_run: bool = False,
    clock: Clock | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ImportOutcome:
    """Add and update clients from a CSV or XLSX file; a bad row is rejected and stops nothing.

    `channels` are the configured ones: their columns are addresses, each as its kind of messenger has them. Raises
    Invalid, with nothing written, for a file that can't be read as a whole: its encoding, its header, too many
    attributes."""
    file = ClientFile(path)
    try:
        columns = read_columns(file.header, channels)
        reader = RowReader(channels, region)
        slots = await store.attributes.slots_for(columns.attributes, dry_run=dry_run)
        task = _Import(store, reader, slots, clock or SystemClock(), dry_run)
        numbered = ((row, dict(zip(columns.names, row.cells, strict=False))) for row in file.rows())
        async for _piece in task.run(numbered):
            if progress is not None:
                progress(Progress(file.position, file.size, task.outcome))
        return task.outcome
    finally:
        file.close()


async def upsert_clients(
    store: Store,
    rows: Iterable[Mapping[str, Any]],
    *,
    channels: Mapping[str, ChannelSettings],
    region: str | None = None,
    clock: Clock | None = None,
) -> ImportOutcome:
    """The same for clients that a program sent: `addresses` by channel, `attributes` by name; rows count from 1."""
    numbered = [_numbered(number, row, channels) for number, row in enumerate(rows, start=1)]
    own = dict.fromkeys(
        name for _row, cells in numbered for name in cells if name not in KNOWN_COLUMNS and name not in channels
    )
    slots = await store.attributes.slots_for(tuple(own))
    task = _Import(store, RowReader(channels, region), slots, clock or SystemClock(), dry_run=False)
    async for _piece in task.run(numbered):
        pass
    return task.outcome


def _numbered(number: int, row: Mapping[str, Any], channels: Mapping[str, ChannelSettings]) -> "Numbered":
    try:
        return FileRow(number, ()), as_cells(row, channels)
    except Invalid as error:
        return FileRow(number, (), str(error)), {}


Numbered = tuple[FileRow, Mapping[str, str]]


class _Import:
    def __init__(self, store: Store, reader: RowReader, slots: Mapping[str, int], clock: Clock, dry_run: bool) -> None:
        self.outcome = ImportOutcome()
        self._store = store
        self._reader = reader
        self._slots = slots
        self._clock = clock
        self._dry_run = dry_run
        self._pieces = Pieces(4 * LEAST_IN_PIECE, LEAST_IN_PIECE, MOST_IN_PIECE)
        self._seen: set[int] = set()  # of a dry run: what the rows before would have added

    async def run(self, rows: Iterable[Numbered]) -> AsyncIterator[int]:
        """Take all rows; gives out the number of each piece when it is committed."""
        source = iter(rows)
        while piece := list(itertools.islice(source, self._pieces.size)):
            readable = list(self._readable(piece))
            if readable:
                await self._take(readable)
            await asyncio.sleep(0)  # reading keeps the loop busy; others have their turn
            yield len(piece)
        if not self._dry_run and self._reader.types:
            await self._store.attributes.remember_types(self._reader.types)

    def _readable(self, piece: Sequence[Numbered]) -> Iterator[tuple[int, ClientRow]]:
        for row, cells in piece:
            if row.problem is not None:
                self.outcome.reject(row.number, row.problem)
                continue
            try:
                yield row.number, self._reader.read(cells)
            except Invalid as error:
                self.outcome.reject(row.number, str(error))

    async def _take(self, readable: Sequence[tuple[int, ClientRow]]) -> None:
        rows = [row for _number, row in readable]
        if self._dry_run:
            outcomes = await self._store.upserts.try_out(rows)
            self._pieces.size = MOST_IN_PIECE
        else:
            written = await self._store.upserts.write(rows, self._slots, self._clock.now())
            outcomes = written.outcomes
            self._pieces.took(len(rows), written.held_s, HOLD_S if written.is_sending else HOLD_ALONE_S)
        for (number, row), outcome in zip(readable, outcomes, strict=True):
            self._count(number, row, outcome)

    def _count(self, number: int, row: ClientRow, outcome: RowOutcome) -> None:
        if isinstance(outcome, Rejection):
            self.outcome.reject(number, str(outcome))
        elif isinstance(outcome, Added) and not (self._dry_run and self._was_seen(row)):
            self.outcome.added += 1
        else:
            self.outcome.updated += 1

    def _was_seen(self, row: ClientRow) -> bool:
        """Whether a row before would have added the same client."""
        names = {hash(("", row.external_id))} if row.external_id else set()
        names |= {hash((place.scope, place.external_id)) for place in row.places}
        seen = not names.isdisjoint(self._seen)
        self._seen |= names
        return seen
