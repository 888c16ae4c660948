"""Clients from files and programs into storage, in pieces that let everybody else write in between."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from engine.client_files import ClientFile, FileRow
from engine.client_rows import KNOWN_COLUMNS, RowReader, as_cells, read_columns
from engine.clock import Clock, SystemClock
from engine.errors import Invalid
from engine.pieces import HOLD_S, Pieces, one_ahead
from engine.settings import ChannelSettings
from storage.matching import Added, Batch, ClientRow, Rejection, RowOutcome
from storage.staged import Staged
from storage.store import Store

T = TypeVar("T")
HOLD_ALONE_S = 0.4  # of a piece while no mailing is being sent: what a person hardly notices (docs/decisions/bulk.md)
ROWS_READ = 5000  # at once, and the most in a piece of those that are added set-wise
AT_ONCE = 100  # rows of a program's, which are read in the loop
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
    file = await asyncio.to_thread(ClientFile, path)
    try:
        columns = read_columns(file.header, channels)
        reader = RowReader(channels, region)
        slots = await store.attributes.slots_for(columns.attributes, dry_run=dry_run)
        task = _Import(store, slots, clock or SystemClock(), dry_run)
        with ThreadPoolExecutor(1, "import") as thread:  # nobody closes the file before the thread has let go of it
            reading = _Reading(store, file, columns.names, reader, slots, dry_run, thread)
            async with aclosing(one_ahead(reading.next)) as sheets:
                async for sheet in sheets:
                    async for part in task.take(sheet):
                        if progress is not None:
                            progress(Progress(sheet.position(part), file.size, task.outcome))
        await task.end(reader)
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
    reader = RowReader(channels, region)
    cells: list[Mapping[str, str]] = []
    problems: dict[int, str] = {}
    for number, row in enumerate(rows, start=1):
        try:
            cells.append(as_cells(row, channels))
        except Invalid as error:
            cells.append({})
            problems[number] = str(error)
    own = dict.fromkeys(name for one in cells for name in one if name not in KNOWN_COLUMNS and name not in channels)
    task = _Import(store, await store.attributes.slots_for(tuple(own)), clock or SystemClock(), dry_run=False)
    numbered = [(number, one) for number, one in enumerate(cells, start=1) if number not in problems]
    alike: dict[tuple[str, ...], list[tuple[int, Mapping[str, str]]]] = {}
    for number, one in numbered:
        alike.setdefault(tuple(one), []).append((number, one))
    readable: dict[int, ClientRow] = {}
    for names, everybody in alike.items():
        for begin in range(0, len(everybody), AT_ONCE):
            those = everybody[begin : begin + AT_ONCE]
            read = reader.read(names, [tuple(one.values()) for _number, one in those])
            problems |= {those[place][0]: problem for place, problem in read.problems.items()}
            readable |= {those[place][0]: read.batch.row(row) for row, place in enumerate(read.places)}
            await asyncio.sleep(0)  # reading keeps the loop busy; others have their turn
    for number, problem in sorted(problems.items()):
        task.outcome.reject(number, problem)
    await task.write(sorted(readable.items()))
    await task.end(reader)
    task.outcome.rejected.sort(key=lambda one: one.row)
    return task.outcome


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Rows of a file, read and ready to be taken: those that are good stand in `batch`, under these `numbers`."""

    batch: Batch
    numbers: Sequence[int]
    rejected: Sequence[Rejected]
    staged: Staged | None  # not in a dry run
    began: int
    ended: int

    def position(self, part: float) -> int:
        """Where so much of it ends in the file."""
        return self.began + int((self.ended - self.began) * part)


@dataclass(slots=True)
class _Reading:
    """Reads a file from top to bottom, in a thread."""

    store: Store
    file: ClientFile
    names: Sequence[str]
    reader: RowReader
    slots: Mapping[str, int]
    dry_run: bool
    thread: ThreadPoolExecutor
    _position: int = 0

    async def next(self) -> _Sheet | None:
        """The next rows, or None at the end."""
        rows = await self._in_thread(self._rows)
        if not rows:
            return None
        readable = [row for row in rows if row.problem is None]
        read = await self._in_thread(self.reader.read, self.names, [row.cells for row in readable])
        rejected = [Rejected(row.number, row.problem) for row in rows if row.problem is not None]
        rejected += [Rejected(readable[place].number, problem) for place, problem in read.problems.items()]
        staged = None
        if not self.dry_run and read.batch.size:
            staged = await self._in_thread(await self.store.staging.prepare(read.batch, self.slots))
        began, self._position = self._position, self.file.position
        numbers = [readable[place].number for place in read.places]
        return _Sheet(read.batch, numbers, rejected, staged, began, self._position)

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, call, *arguments)

    def _rows(self) -> Sequence[FileRow]:
        return list(itertools.islice(self.file.rows(), ROWS_READ))


class _Import:
    def __init__(self, store: Store, slots: Mapping[str, int], clock: Clock, dry_run: bool) -> None:
        self.outcome = ImportOutcome()
        self._store = store
        self._slots = slots
        self._clock = clock
        self._dry_run = dry_run
        self._sets = Pieces(4 * LEAST_IN_PIECE, LEAST_IN_PIECE, ROWS_READ)
        self._pieces = Pieces(4 * LEAST_IN_PIECE, LEAST_IN_PIECE, MOST_IN_PIECE)
        self._seen: set[int] = set()  # of a dry run: what the rows before would have added

    async def take(self, sheet: _Sheet) -> AsyncIterator[float]:
        """Take all its rows; gives out how much of them is committed, piece after piece."""
        kept = len(self.outcome.rejected)
        for rejected in sheet.rejected:
            self.outcome.reject(rejected.row, rejected.reason)
        size, first = sheet.batch.size, 0
        while first < size:
            last = min(first + self._sets.size, size) - 1 if sheet.staged is not None else size - 1
            apart: Sequence[int] = range(first, last + 1)
            if sheet.staged is not None:
                taken = await self._store.staging.take(sheet.staged, first, last, self._clock.now())
                self._sets.took(len(apart), taken.held_s, HOLD_S if taken.is_sending else HOLD_ALONE_S)
                self.outcome.added += len(apart) - len(taken.apart) - taken.updated
                self.outcome.updated += taken.updated
                apart = taken.apart
            await self.write([(sheet.numbers[row], sheet.batch.row(row)) for row in apart])
            first = last + 1
            self.outcome.rejected[kept:] = sorted(self.outcome.rejected[kept:], key=lambda one: one.row)
            yield first / size
        if not size:
            yield 1.0

    async def write(self, rows: Sequence[tuple[int, ClientRow]]) -> None:
        """Take rows that need a look of their own, each with its number."""
        done = 0
        while piece := rows[done : done + self._pieces.size]:
            await self._write(piece)
            done += len(piece)

    async def end(self, reader: RowReader) -> None:
        if not self._dry_run and reader.types:
            await self._store.attributes.remember_types(reader.types)

    async def _write(self, numbered: Sequence[tuple[int, ClientRow]]) -> None:
        rows = [row for _number, row in numbered]
        if self._dry_run:
            outcomes = await self._store.upserts.try_out(rows)
            self._pieces.size = MOST_IN_PIECE
        else:
            written = await self._store.upserts.write(rows, self._slots, self._clock.now())
            outcomes = written.outcomes
            self._pieces.took(len(rows), written.held_s, HOLD_S if written.is_sending else HOLD_ALONE_S)
        for (number, row), outcome in zip(numbered, outcomes, strict=True):
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
