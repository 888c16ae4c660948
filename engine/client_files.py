"""Client files: CSV and XLSX, row by row, whatever their size."""

import codecs
import csv
import warnings
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, time
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import Invalid, _

SEPARATORS = ",;\t"
_BLOCK_BYTES = 1 << 20
_MAX_LINES_IN_ROW = 100  # of a cell in quotes; more is a quote that nobody closed
_OTHER_ENCODINGS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


class FileRow(NamedTuple):  # there are millions, and a tuple is made in a fifth of a frozen dataclass's time
    """A row below the header; `number` is what a spreadsheet shows, `problem` why it can't be read."""

    number: int
    cells: Sequence[str]
    problem: str | None = None


class ClientFile:
    """Reads a file once from top to bottom. `size` and `position` are bytes, for a progress bar; XLSX counts rows.

    Raises Invalid for a file that can't be read at all, before the first row is given out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._where: Callable[[], int] = int
        try:
            with path.open("rb") as file:
                beginning = file.read(8)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise Invalid(_("{file} can't be read: {reason}."), file=path.name, reason=reason) from error
        if beginning.startswith(b"\xd0\xcf\x11\xe0"):
            raise Invalid(_("{file} is an old Excel file (.xls); save it as .xlsx or CSV."), file=path.name)
        self.is_sheet = beginning.startswith(b"PK\x03\x04")
        self._rows = self._read_sheet() if self.is_sheet else self._read_text()
        header = next(self._rows, None)
        if header is None or not any(cell.strip() for cell in header.cells):
            raise Invalid(_("{file} is empty: the first row must name the columns."), file=path.name)
        self.header: list[str] = [cell.strip() for cell in header.cells]

    @property
    def position(self) -> int:
        return self._where()

    def rows(self) -> Iterator[FileRow]:
        """The rows below the header; empty ones are left out."""
        return (row for row in self._rows if row.problem is not None or any(row.cells))

    def close(self) -> None:
        self._rows.close()

    # --- CSV ---

    def _read_text(self) -> Generator[FileRow, None, None]:
        self.size = self.path.stat().st_size
        _require_utf8(self.path)
        with self.path.open("rb") as file, TextIOWrapper(file, encoding="utf-8-sig", newline="") as lines:
            self._where = file.tell
            try:
                yield from _Records(lines).read()
            finally:
                read = file.tell()
                self._where = lambda: read

    # --- XLSX ---

    def _read_sheet(self) -> Generator[FileRow, None, None]:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of styles and extensions that are nothing to us
                book = load_workbook(self.path, read_only=True, data_only=True)
        except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
            raise Invalid(_("{file} is no Excel file that can be read; save it anew."), file=self.path.name) from error
        with closing(book):
            sheet = book.worksheets[0]
            self.size = sheet.max_row or 0
            width: int | None = None
            number = 0
            self._where = lambda: number
            for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                cells = [_cell(value) for value in values]
                row = _fitted(number, [*cells, *[""] * ((width or 0) - len(cells))], width)
                if width is None:
                    width = len(row.cells)
                yield row


def _cell(value: Any) -> str:
    """A cell as CSV would have it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime():
            return value.date().isoformat() if value.time() == time() else value.isoformat()
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _require_utf8(path: Path) -> None:
    """Look through the whole file before anything of it is used. Raises Invalid."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        beginning = file.read(4)
        for mark, encoding in _OTHER_ENCODINGS.items():
            if beginning.startswith(mark):
                words = _("{file} is written in {encoding}; save it as CSV in UTF-8.")
                raise Invalid(words, file=path.name, encoding=encoding)
        file.seek(0)
        while block := file.read(_BLOCK_BYTES):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                line += block.count(b"\n", 0, error.start)
                words = _("{file} is not written in UTF-8 (row {row}); save it as CSV in UTF-8.")
                raise Invalid(words, file=path.name, row=line) from error
            line += block.count(b"\n")
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise Invalid(_("{file} breaks off within a letter; it is not whole."), file=path.name) from error


class _Records:
    """Splits lines into records. A quote that is never closed costs its own row and not all that follow."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._ahead: list[str] = []
        self._number = 0

    def read(self) -> Iterator[FileRow]:
        header = self._next_line()
        if header is None:
            return
        separator = _separator(header)
        width: int | None = None
        line: str | None = header
        while line is not None:
            if len(cells := line.rstrip("\r\n").split(separator)) == width and '"' not in line:
                yield FileRow(self._number, cells)  # as nearly all are
            else:
                row = self._record(self._number, line, separator, width)
                if width is None:
                    width = len(row.cells)
                yield row
            line = self._next_line()

    def _next_line(self) -> str | None:
        line = self._ahead.pop(0) if self._ahead else next(self._lines, None)
        if line is not None:
            self._number += 1
        return line

    def _record(self, number: int, line: str, separator: str, width: int | None) -> FileRow:
        if '"' not in line:
            return _fitted(number, line.rstrip("\r\n").split(separator), width)
        if line.count('"') % 2 == 0:
            return _parsed(number, [line], separator, width)
        held = [line]
        while len(held) < _MAX_LINES_IN_ROW and (more := self._next_line()) is not None:
            held.append(more)
            if more.count('"') % 2:
                row = _parsed(number, held, separator, width)
                if row.problem is None:
                    return row
                break
        # What followed may be good rows: they are read anew, each by itself.
        self._ahead = [*held[1:], *self._ahead]
        self._number = number
        return FileRow(number, [], _("a quotation mark is not closed"))


def _parsed(number: int, lines: Sequence[str], separator: str, width: int | None) -> FileRow:
    try:
        cells = next(csv.reader(lines, delimiter=separator), [])
    except csv.Error as error:
        return FileRow(number, [], str(error))
    return _fitted(number, cells, width)


def _fitted(number: int, cells: list[str], width: int | None) -> FileRow:
    """As wide as the header; spreadsheets write some empty cells too many."""
    if len(cells) == width or not any(cells):
        return FileRow(number, cells)
    while not cells[-1] and len(cells) > (width or 0):
        cells.pop()
    if len(cells) != (width or len(cells)):
        return FileRow(number, cells, f"it has {len(cells)} cells and the header has {width}")
    return FileRow(number, cells)


def _separator(header: str) -> str:
    """The one that stands most often in the header outside of quotation marks."""
    outside = "".join(header.split('"')[::2])
    return max(SEPARATORS, key=outside.count)
