# ruff: noqa: N999  # it is run by its name
"""A file of clients, by `carillon clients import` as people run it, against a bare csv.reader with executemany.

    python -m benchmarks.import [--full] [--rows 30000] [--rounds 5] [--sending] [--only sqlite] [--check]

Each row has an id, two names, a phone, an e-mail, a language, tags, an address and three attributes; one in a thousand
is wrong. The bare loop checks nothing and writes what the rows come to, with the same indexes and the same fsync. Each
import is a process of its own into an empty storage; its start is not counted as time, and is as memory: what it has of
its own, told for a tenth of the rows, too, because it is not to grow with them; that is judged with --full, as SQLite's
own 64 MiB of pages fill with the first 100,000 rows. --sending: as beside a mailing that is being sent, in pieces of
10 ms. Quick: 30,000 rows; --full: a million."""

import argparse
import asyncio
import csv
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

from sqlalchemy import insert

from benchmarks._asking import own_postgres
from storage.database import Database, now
from storage.migrate import upgrade
from storage.schema import mailings, metadata, steps

ROWS_PER_S = 50_000
MORE_MEMORY_MIB = 16  # that ten times the rows may take
HEADER = ("id", "first_name", "last_name", "phone", "email", "language", "tags", "tg-shop", "city", "ltv", "last_order")
PIECE = 5_000
SECRET = "benchmark-benchmark-benchmark-benchmark"


@dataclass(frozen=True, slots=True)
class Took:
    rows_per_s: float
    cpu_us: float  # of a row, in the importing process
    most_mib: float


def write_file(path: Path, rows: int) -> None:
    rng = random.Random(1)  # nothing is secret here
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        for number in range(rows):
            phone = "+12" if number % 1000 == 999 else f"+380{50 + number % 3}{number * 7919 % 10**7:07d}"
            out.writerow(
                (
                    *(f"c-{number}", rng.choice(("Ann", "Olha", "Jean", "Юрій")), f"Last{number % 5000}"),
                    *(phone, f"user{number}@acme.test", rng.choice(("en", "uk", "ru"))),
                    *(rng.choice(("", "vip", "vip;new", "north", "old;north")), 10**9 + number * 2654435761 % 10**10),
                    *(rng.choice(("Kyiv", "Lviv", "Odesa")), rng.randrange(10**6) / 100),
                    f"2026-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
                )
            )


# --- the bare loop ---------------------------------------------------------------------------------------------------

CARD = (
    *("id", "external_id", "first_name", "last_name", "phone", "email", "language", "main_channel", "main_address_id"),
    *("main_status", "reach", "tags", "created_at", "updated_at", "text_0", "text_1", "number_1", "text_2"),
)
ADDRESS = ("id", "client_id", "scope", "external_id", "channel", "status", "status_at", "created_at", "details")
TAGS = {"vip": 1, "new": 2, "north": 3, "old": 4}


def bare(file: Path, storage: Path) -> Took:
    """The same rows into the same tables of SQLite, without a look at what they hold."""
    database = sqlite3.connect(storage, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536"):
        database.execute(f"PRAGMA {pragma}")
    database.executemany("INSERT INTO tags (id, name) VALUES (?, ?)", [(number, name) for name, number in TAGS.items()])
    count, began, cpu = 0, perf_counter(), process_time()
    with file.open(newline="") as lines:
        rows = csv.reader(lines)
        next(rows)
        while piece := list(islice(rows, PIECE)):
            _write(database, piece, count + 1)
            count += len(piece)
    took_s, cpu_s = perf_counter() - began, process_time() - cpu
    database.close()
    return Took(count / took_s, cpu_s / count * 1e6, 0)


def _write(database: sqlite3.Connection, piece: Sequence[Sequence[str]], first: int) -> None:
    cards: list[tuple[object, ...]] = []
    places: list[tuple[object, ...]] = []
    tagged: list[tuple[object, ...]] = []
    for client, (key, one, two, phone, email, language, tags, chat, city, ltv, day) in enumerate(piece, first):
        card = (client, key, one, two, phone, email, language, "tg-shop", 3 * client, "enabled", "|tg-shop=enabled|")
        cards.append((*card, ",", 1, 1, city, ltv, float(ltv), day))
        places.append((3 * client, client, "tg-shop", chat, "tg-shop", "enabled", 1, 1, "{}"))
        number = phone if phone != "+12" else key
        places.append((3 * client + 1, client, "phone", number, None, "enabled", 1, 1, "{}"))
        places.append((3 * client + 2, client, "email", email, None, "enabled", 1, 1, "{}"))
        tagged += [(TAGS[tag], client) for tag in tags.split(";") if tag]
    database.execute("BEGIN IMMEDIATE")
    database.executemany(_insert("clients", CARD), cards)
    database.executemany(_insert("addresses", ADDRESS), places)
    database.executemany(_insert("client_tags", ("tag_id", "client_id")), tagged)
    database.execute("COMMIT")


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)})"  # noqa: S608  # names of ours


# --- the command -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """`carillon clients import` on a storage, each time in a process of its own."""

    config: Path
    idle_s: float  # what a file of one row takes
    idle_cpu_s: float

    @classmethod
    def on(cls, url: str, folder: Path) -> "Command":
        config = folder / "config.toml"
        config.write_text(
            f'[app]\nname = "Benchmark"\ndata_dir = "{folder}"\nsecret = "{SECRET}"\n[storage]\nurl = "{url}"\n'
            '[[channels]]\nid = "tg-shop"\nkind = "telegram"\ntoken = "1:simulated"\n'
        )
        one = folder / "one.csv"
        one.write_text("id,phone\none,+447400123456\n")
        return cls(config, *_carillon(config, one)[:2])

    def take(self, file: Path, rows: int) -> Took:
        took_s, cpu_s, most_mib, told = _carillon(self.config, file)
        wrong = rows // 1000
        assert (told["added"], told["updated"], len(told["rejected"])) == (rows - wrong, 0, wrong), told
        return Took(rows / (took_s - self.idle_s), (cpu_s - self.idle_cpu_s) / rows * 1e6, most_mib)


def _carillon(config: Path, file: Path) -> tuple[float, float, float, dict[str, Any]]:
    """Seconds, seconds of processor time, most memory of its own in MiB, what it printed."""
    carillon = ("-c", "from bot.cli.main import main; main()")
    arguments = (*carillon, "clients", "import", str(file), "--json", "--config", str(config))
    most_mib, began = 0.0, perf_counter()
    with tempfile.TemporaryFile() as out, subprocess.Popen([sys.executable, *arguments], stdout=out) as process:
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            most_mib = max(most_mib, _own_mib(process.pid))
            sleep(0.02)
        took_s = perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        out.seek(0)
        told = out.read()
    assert process.returncode == 0, told
    return took_s, ended[2].ru_utime + ended[2].ru_stime, most_mib, json.loads(told)


def _own_mib(pid: int) -> float:
    """Without the pages of the file that SQLite maps; 0 of one that has ended."""
    told = Path(f"/proc/{pid}/status").read_text().partition("RssAnon:")[2].split()
    return int(told[0]) / 1024 if told else 0.0


async def prepare(url: str, *, sending: bool) -> None:
    """An empty storage, or one with a mailing under way."""
    database = Database(url)
    async with database.writing() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
    await upgrade(database)
    if sending:
        about = {"routing": "main", "channels": [], "on_unknown": "skip", "created_by": "Bench", "created_at": now()}
        step = {"number": 1, "status": "sending", "start": "now", "audience": {}, "message": {}}
        async with database.writing() as connection:
            await connection.execute(insert(mailings).values(id=1, name="Bench", **about))
            await connection.execute(insert(steps).values(mailing_id=1, **step))
    await database.close()


@contextmanager
def _sqlite(folder: Path, name: str) -> Iterator[Path]:
    """A file for a base, which is gone afterwards."""
    path = folder / f"{name}.db"
    try:
        yield path
    finally:
        for end in ("", "-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)


async def on_sqlite(files: Sequence[Path], folder: Path, arguments: argparse.Namespace) -> list[bool]:
    ratios, runs, bares = [], [], []
    for _ in range(arguments.rounds):
        with _sqlite(folder, "bare") as path:
            await prepare(f"sqlite:///{path}", sending=False)
            bares.append(bare(files[1], path))
        with _sqlite(folder, "import") as path:
            await prepare(f"sqlite:///{path}", sending=arguments.sending)
            runs.append(Command.on(f"sqlite:///{path}", folder).take(files[1], arguments.rows))
        ratios.append(runs[-1].rows_per_s / bares[-1].rows_per_s)
    with _sqlite(folder, "small") as path:
        await prepare(f"sqlite:///{path}", sending=arguments.sending)
        small = Command.on(f"sqlite:///{path}", folder).take(files[0], arguments.rows // 10)
    tell("bare loop, SQLite", bares)
    good = tell("carillon, SQLite", runs, small, judges_memory=arguments.full)
    print(f"  {statistics.median(ratios):.2f} of the bare loop (median of {len(ratios)} pairs)", flush=True)
    return good


async def on_postgresql(files: Sequence[Path], folder: Path, arguments: argparse.Namespace) -> list[bool]:
    with own_postgres(folder / "server") as url:
        runs = []
        for _ in range(arguments.rounds):
            await prepare(url, sending=arguments.sending)
            runs.append(Command.on(url, folder).take(files[1], arguments.rows))
        await prepare(url, sending=arguments.sending)
        small = Command.on(url, folder).take(files[0], arguments.rows // 10)
        return tell("carillon, PostgreSQL", runs, small, judges_memory=arguments.full)


def tell(what: str, runs: Sequence[Took], small: Took | None = None, *, judges_memory: bool = False) -> list[bool]:
    speed = statistics.median(run.rows_per_s for run in runs)
    line = f"{what:<22}{speed:>9,.0f} rows/s  {statistics.median(run.cpu_us for run in runs):>6.1f} us of CPU a row"
    if small is None:
        print(line, flush=True)
        return []
    most = max(run.most_mib for run in runs)
    grown = most - small.most_mib
    print(f"{line}  (target {ROWS_PER_S:,})  at most {most:.0f} MiB, {grown:+.0f} for ten times the rows", flush=True)
    return [speed >= ROWS_PER_S, grown <= MORE_MEMORY_MIB or not judges_memory]


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="a million rows")
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sending", action="store_true", help="as beside a mailing that is being sent")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    arguments = parser.parse_args()
    arguments.rows = arguments.rows or (1_000_000 if arguments.full else 30_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / "small.csv", folder / "clients.csv"]
        for file, rows in zip(files, (arguments.rows // 10, arguments.rows), strict=True):
            write_file(file, rows)
        good = []
        if arguments.only != "postgresql":
            good += await on_sqlite(files, folder, arguments)
        if arguments.only != "sqlite":
            good += await on_postgresql(files, folder, arguments)
    return 0 if all(good) or not arguments.check else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
