"""A file as an audience: which column is what, and which clients its rows mean. Nothing is written before somebody
says so."""

import asyncio
import csv
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.addresses import read_address
from engine.client_files import ClientFile
from engine.clock import Clock
from engine.columns import EMAIL, LOOKS_LIKE_KEY, PHONE, Meaning, meaning_named, meaning_of
from engine.errors import Invalid, _
from engine.imports import ImportOutcome, import_clients
from engine.phones import read_phone
from engine.settings import EngineSettings
from storage.erasing import ID_SCOPE
from storage.listed import Key
from storage.store import Store

MAX_ROWS = 100_000
MOST_TOLD = 200  # unknown rows that are kept to be shown
_PIECE = 2_000  # rows that are looked up at once
_TAG_PIECE = 5_000  # clients that get the tag in one transaction
_SAMPLE = 200  # values by which a column without a known name is told
_SURE = 0.8  # of them look so
_KNOWN = 0.5  # of them stand in storage
Meant = Mapping[int, str]  # what somebody says that a column is, by its place; "" leaves it aside


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of the file and what it was taken for; `filled` is in how many rows something stands."""

    name: str
    meaning: Meaning | None
    filled: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A row that names no client of ours: `words` is what stands there, `problem` why it can't be read."""

    row: int
    words: str
    problem: Invalid | None = None


@dataclass(frozen=True, slots=True)
class FileAudience:
    """What a file holds. `clients` are whom its rows mean, each once."""

    rows: int
    columns: tuple[FileColumn, ...]
    clients: tuple[int, ...]
    repeated: int  # rows that mean a client of an earlier row
    unknown: int
    unreadable: int
    told: tuple[Unknown, ...]  # the first of both
    new: int  # unknown rows that an import could take
    region: str | None  # whose phones those without a country were taken for

    @property
    def has_key(self) -> bool:
        """Whether there is a column by which clients are known; without one nobody is looked up."""
        return any(one.meaning is not None and one.meaning.is_key for one in self.columns)


@dataclass(slots=True)
class _Sheet:
    names: list[str]
    rows: list[tuple[int, Sequence[str]]]
    broken: list[Unknown] = field(default_factory=list)


async def read_file_audience(
    store: Store, settings: EngineSettings, path: Path, meant: Meant | None = None
) -> FileAudience:
    """What its columns are is found by itself, but for those that are `meant` otherwise. Raises Invalid for a file that
    can't be read or has too many rows."""
    found, _rows = await _read(store, settings, path, meant or {})
    return found


async def take_file_audience(
    store: Store,
    settings: EngineSettings,
    clock: Clock,
    path: Path,
    tag: str,
    *,
    import_new: bool,
    meant: Meant | None = None,
) -> ImportOutcome:
    """Put the tag on every client that the file means; with `import_new`, on those whom it brings as well, which become
    clients. Raises Invalid."""
    found, new = await _read(store, settings, path, meant or {})
    outcome = ImportOutcome()
    if import_new and new.rows:
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "clients.csv"
            await asyncio.to_thread(_write, written, new, found.columns, tag)
            outcome = await import_clients(store, written, channels=settings.channels, region=found.region, clock=clock)
    for at in range(0, len(found.clients), _TAG_PIECE):
        await store.audiences.tag_listed(tag, found.clients[at : at + _TAG_PIECE])
    return outcome


async def _read(store: Store, settings: EngineSettings, path: Path, meant: Meant) -> tuple[FileAudience, _Sheet]:
    """What the file holds, and the rows of it that an import could take."""
    sheet = await asyncio.to_thread(_sheet, path)
    columns = await _columns(store, settings, sheet, meant)
    region = region_of(settings.timezone)
    reader = _Reader(settings, region, [one.meaning for one in columns])
    importable = [place for place, one in enumerate(columns) if one.meaning and one.meaning.is_importable_key]
    clients: dict[int, None] = {}
    told, new = list(sheet.broken), _Sheet(sheet.names, [])
    counted: Counter[str] = Counter(unreadable=len(sheet.broken))
    for at in range(0, len(sheet.rows), _PIECE):
        piece = sheet.rows[at : at + _PIECE]
        keys, wrong = await asyncio.to_thread(reader.read, piece)
        for (number, cells), its, listed in zip(piece, keys, await store.audiences.find_listed(keys), strict=True):
            if listed.client_id is not None:
                counted["repeated"] += listed.client_id in clients
                clients[listed.client_id] = None
                continue
            problem = wrong.get(number) if not its else (Invalid(_SEVERAL) if listed.several else None)
            counted["unreadable" if problem else "unknown"] += 1
            told.append(Unknown(number, reader.words(cells), problem))
            if problem is None and any(cells[place].strip() for place in importable):
                new.rows.append((number, cells))
    found = FileAudience(
        rows=len(sheet.rows) + len(sheet.broken),
        columns=tuple(columns),
        clients=tuple(clients),
        repeated=counted["repeated"],
        unknown=counted["unknown"],
        unreadable=counted["unreadable"],
        told=tuple(sorted(told, key=lambda one: one.row)[:MOST_TOLD]),
        new=len(new.rows),
        region=region if reader.used_region else None,
    )
    return found, new


_SEVERAL = _("its columns name several clients")


def region_of(timezone: str) -> str | None:
    """The country whose time zone it is: of phones that are written without one."""
    from babel.core import get_global

    found = get_global("zone_territories").get(timezone)
    return found if isinstance(found, str) and len(found) == 2 and found.isalpha() else None


def _sheet(path: Path) -> _Sheet:
    """All rows. A first row that holds clients already is no header."""
    file = ClientFile(path)
    try:
        is_header = not any(LOOKS_LIKE_KEY.fullmatch(cell) for cell in file.header)
        sheet = _Sheet(list(file.header) if is_header else [""] * len(file.header), [])
        if not is_header:
            sheet.rows.append((1, file.header))
        for row in file.rows():
            if len(sheet.rows) + len(sheet.broken) >= MAX_ROWS:
                raise Invalid(
                    _("{file} has more than {most} rows: split it, or import it by carillon clients import."),
                    file=path.name,
                    most=f"{MAX_ROWS:,}",
                )
            if row.problem is not None:
                sheet.broken.append(Unknown(row.number, "", Invalid(_("{problem}"), problem=row.problem)))
            else:
                sheet.rows.append((row.number, row.cells))
        return sheet
    finally:
        file.close()


# --- columns ---


async def _columns(store: Store, settings: EngineSettings, sheet: _Sheet, meant: Meant) -> list[FileColumn]:
    """As somebody said; then by their names; those that say nothing, by what stands in them. No two mean the same."""
    own = await store.clients.attribute_names()
    said = {place: meaning_named(name, settings.channels) if name else None for place, name in meant.items()}
    taken = {one.name for one in said.values() if one is not None}
    found: list[FileColumn] = []
    for place, name in enumerate(sheet.names):
        filled = sum(1 for _number, cells in sheet.rows if cells[place].strip())
        meaning = said[place] if place in said else _once(meaning_of(name, settings.channels, own), taken)
        found.append(FileColumn(name, meaning, filled))
    for place, column in enumerate(found):
        if column.meaning is None and place not in said:
            meaning = await _by_content(store, settings, sheet, place)
            found[place] = replace(column, meaning=_once(meaning, taken))
    return found


def _once(meaning: Meaning | None, taken: set[str]) -> Meaning | None:
    if meaning is None or meaning.name in taken:
        return None
    taken.add(meaning.name)
    return meaning


async def _by_content(store: Store, settings: EngineSettings, sheet: _Sheet, place: int) -> Meaning | None:
    cells = (row[place].strip() for _number, row in sheet.rows)
    sample = list(dict.fromkeys(cell for cell in cells if cell))[:_SAMPLE]
    if not sample:
        return None
    if _share(EMAIL, sample) >= _SURE:
        return meaning_of("email", settings.channels)
    known = await store.audiences.scopes_of(sample)
    best = max(known, key=lambda scope: known[scope], default="")
    if best and known[best] >= _KNOWN * len(sample):
        return meaning_of(best if best != ID_SCOPE else "id", settings.channels)
    return meaning_of("phone", settings.channels) if _share(PHONE, sample) >= _SURE else None


def _share(pattern: re.Pattern[str], sample: Sequence[str]) -> float:
    return sum(1 for one in sample if pattern.fullmatch(one)) / len(sample)


# --- rows ---


class _Reader:
    """Reads the keys of rows; `used_region` once a phone needed a country."""

    def __init__(self, settings: EngineSettings, region: str | None, meanings: Sequence[Meaning | None]) -> None:
        self.used_region = False
        self._channels = settings.channels
        self._region = region
        self._keys = [(place, one) for place, one in enumerate(meanings) if one is not None and one.is_key]

    def read(self, rows: Sequence[tuple[int, Sequence[str]]]) -> tuple[list[tuple[Key, ...]], Mapping[int, Invalid]]:
        """The keys of each row, and by its number why one has none."""
        wrong: dict[int, Invalid] = {}
        return [tuple(self._keys_of(number, cells, wrong)) for number, cells in rows], wrong

    def words(self, cells: Sequence[str]) -> str:
        """What the row has where its keys should be."""
        return ", ".join(cells[place].strip()[:60] for place, _meaning in self._keys if cells[place].strip())

    def _keys_of(self, number: int, cells: Sequence[str], wrong: dict[int, Invalid]) -> Iterator[Key]:
        wrong[number] = Invalid(_("it has neither an id nor an address"))
        for place, meaning in self._keys:
            text = cells[place].strip().replace("\0", "")
            if not text:
                continue
            try:
                yield from self._key(meaning, text)
            except Invalid as error:
                wrong[number] = error

    def _key(self, meaning: Meaning, text: str) -> Iterator[Key]:
        match meaning.name:
            case "id":
                yield Key((ID_SCOPE,), text)
            case "email":
                yield Key(("email",), text.lower())
            case "phone":
                phone = self._phone(text)
                yield Key(("phone",), phone)
                by_phone = tuple(name for name, one in self._channels.items() if one.able.address_by_phone)
                if by_phone:
                    yield Key(by_phone, phone.removeprefix("+"))
            case _:
                able = self._channels[meaning.channels[0]].able
                yield Key(meaning.channels, read_address(meaning.name, text, able, self._region))

    def _phone(self, text: str) -> str:
        written = text if text.startswith("+") or not text.isdecimal() else self._with_plus(text)
        if not written.startswith("+"):
            self.used_region = True
        return read_phone(written, self._region)

    def _with_plus(self, digits: str) -> str:
        """Digits that begin with a country's own: a sheet takes the plus away."""
        import phonenumbers

        try:
            number = phonenumbers.parse(f"+{digits}")
        except phonenumbers.NumberParseException:
            return digits
        return f"+{digits}" if phonenumbers.is_valid_number(number) else digits


# --- the new ones ---


def _write(path: Path, new: _Sheet, columns: Sequence[FileColumn], tag: str) -> None:
    """The rows as a file of clients, with the columns that an import knows, and the tag."""
    kept = [
        (place, column.meaning.import_as)
        for place, column in enumerate(columns)
        if column.meaning is not None and column.meaning.import_as and column.meaning.import_as != "tags"
    ]
    tags = next((at for at, one in enumerate(columns) if one.meaning and one.meaning.import_as == "tags"), None)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(name for _place, name in kept), "tags"])
        for _number, cells in new.rows:
            its = f"{cells[tags]};{tag}" if tags is not None and cells[tags].strip() else tag
            writer.writerow([*(cells[place] for place, _name in kept), its])
