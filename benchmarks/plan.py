"""The plan of a mailing over a big base, on SQLite, while another mailing goes out at its full pace.

    python -m benchmarks.plan [--full] [--clients 100000] [--rounds 3] [--check]

Quick: 100,000 clients, --full: a million; the time of a whole plan is told for a million either way. Told are: the time
from the launch to the first message where one client in a hundred matches and where only the last hundred do; the time
of the whole plan where everybody matches; what came of the other mailing's pace in that time; and how much more memory
of its own (without the pages of the file that SQLite maps) the process took than over 1,000 clients."""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks._world import TEXT, Bench, bench, draft, most_in_a_second, run, simulator
from engine.clock import SystemClock
from storage.audit import Audited
from storage.database import Database
from storage.mailings import Move
from storage.migrate import upgrade
from storage.records import ENGINE, Status

RATE = 25.0
OTHERS = 4000  # clients of the other mailing: longer than all that is measured lasts
MILLION = 1_000_000
TARGETS = {"one in a hundred": 0.2, "the last hundred": 1.0}  # seconds to the first message
WHOLE_S, MORE_MIB, REACHED = 4.0, 40.0, 0.998

_CARDS = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :total)
INSERT INTO clients (
    id, external_id, name, first_name, last_name, phone, email, language, timezone, timezone_source, main_channel,
    main_address_id, main_status, reach, tags, sources, created_at, updated_at,
    text_0, text_1, text_2, number_2, text_3, text_4, number_4
)
SELECT n, 'c' || n, 'Ann Lee' || n, 'Ann', 'Lee' || n, '+38050' || (1000000 + n), 'user' || n || '@acme.test', 'uk',
    'Europe/Kyiv', 'phone', CASE WHEN n <= :others THEN 'telegram-1' ELSE 'telegram-2' END,
    n, 'enabled', CASE WHEN n <= :others THEN '|telegram-1=enabled|' ELSE '|telegram-2=enabled|' END, ',1,', '|', 1, 1,
    CASE WHEN n <= :others THEN 'other' WHEN n > :total - 100 THEN 'last' WHEN n % 100 = 0 THEN 'few' ELSE 'one' END,
    'Kyiv', CAST(n % 5000 AS TEXT), n % 5000, '2026-02-03', '12', 12
FROM numbers
"""
_ADDRESSES = """
INSERT INTO addresses (id, client_id, scope, channel, external_id, status, status_at, created_at, details)
SELECT id, id, main_channel, main_channel, CAST(700000000 + id AS TEXT), 'enabled', 1, 1, '{}' FROM clients
"""
_NAMES = (
    "INSERT INTO attributes (name, slot, type) VALUES ('kind', 0, 'text')",
    "INSERT INTO tags (id, name) VALUES (1, 'vip')",
)


async def build(file: Path, size: int) -> None:
    """A base of so many clients, and those of the other mailing before them."""
    database = Database(f"sqlite:///{file}")
    await upgrade(database)
    async with database.writing() as connection:
        await connection.execute(text(_CARDS), {"total": size + OTHERS, "others": OTHERS})
        for statement in (_ADDRESSES, *_NAMES):
            await connection.exec_driver_sql(statement)
    await database.close()


# --- in a process of its own -----------------------------------------------------------------------------------------


async def inside(folder: Path, url: str, rounds: int) -> Mapping[str, Any]:
    """Figures of the base in this folder."""
    async with bench(folder, {"telegram": url}, 2, RATE, 0) as made:
        other, own = made.gateways["telegram-1"].starts, made.gateways["telegram-2"].starts
        await made.launch(_to("other"))
        await _until(lambda: len(other) > RATE)
        figures: dict[str, Any] = {"before_mib": _own_mib()}
        for name, kind in (("one in a hundred", "few"), ("the last hundred", "last")):
            figures[name] = [await _first_message(made, kind) for _ in range(rounds)]
        figures["plans"], figures["most_mib"], began = [], 0.0, time.monotonic()
        for _ in range(rounds):
            figures["plans"].append(await _whole_plan(made, figures))
        seen = [start for start in other if start >= began]
        figures["reached"] = (len(seen) - 1) / (seen[-1] - seen[0]) / RATE
        figures["widest_gap_s"] = max(after - before for before, after in pairwise(seen))
        figures["most_in_a_second"] = max(most_in_a_second(sorted(starts)) for starts in (other, own))
    return figures


def _to(kind: str | None) -> Any:
    where = [{"field": "kind", "is": kind} if kind else {"field": "kind", "is_not": "other"}]
    return replace(draft("plan", TEXT), audience={"where": where})


async def _first_message(made: Bench, kind: str) -> float:
    starts = made.gateways["telegram-2"].starts
    before, began = len(starts), time.monotonic()
    mailing_id = await made.launch(_to(kind))
    await _until(lambda: len(starts) > before)
    took_s = starts[before] - began
    await _pause(made, mailing_id)
    return took_s


async def _whole_plan(made: Bench, figures: dict[str, Any]) -> float:
    """Seconds; the most memory meanwhile goes into the figures."""
    began = time.monotonic()
    mailing_id = await made.launch(_to(None))
    while True:
        figures["most_mib"] = max(figures["most_mib"], _own_mib())
        steps = await made.store.mailings.active_steps()
        if any(step.mailing_id == mailing_id and step.planned_all for step in steps):
            break
        await asyncio.sleep(0.05)
    took_s = time.monotonic() - began
    await _pause(made, mailing_id)
    return took_s


async def _pause(made: Bench, mailing_id: int) -> None:
    audited = Audited(SystemClock().now(), ENGINE, "pause")
    await made.store.mailings.move(Move(mailing_id, (Status.SENDING,), {"status": Status.PAUSED.value}, audited))
    made.engine.nudge()
    await asyncio.sleep(1)


async def _until(holds: Any) -> None:
    while not holds():  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0.005)


def _own_mib() -> float:
    """Of this process now, without what it maps of files."""
    told = Path("/proc/self/status").read_text().partition("RssAnon:")[2]
    return int(told.split()[0]) / 1024


# --- the whole -------------------------------------------------------------------------------------------------------


async def measure(size: int, rounds: int) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        await build(Path(name) / "bench.db", size)
        async with simulator(2) as url:
            arguments = ("-m", "benchmarks.plan", "--inside", name, url, "--rounds", str(rounds))
            process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
            told, _ = await process.communicate()
            assert process.returncode == 0
            figures: Mapping[str, Any] = json.loads(told)
            return figures


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="a million clients")
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--inside", nargs=2, metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        folder, url = arguments.inside
        print(json.dumps(await inside(Path(folder), url, arguments.rounds)))
        return 0
    size = MILLION if arguments.full else arguments.clients
    small, figures = await measure(1000, 1), await measure(size, arguments.rounds)
    good = []

    def tell(what: str, reached: float, target: float, unit: str, *, at_least: bool = False) -> None:
        good.append(reached >= target if at_least else reached <= target)
        bound = "at least" if at_least else "at most"
        print(f"{what:<58}{reached:>8.3f} {unit:<4} ({bound} {target:g}){'' if good[-1] else '   MISSED'}")

    print(f"{size:,} clients")
    for name, target in TARGETS.items():
        tell(f"launch to the first message, {name}", statistics.median(figures[name]), target, "s")
    whole = statistics.median(figures["plans"])
    tell(f"the whole plan, everybody: {size / whole:,.0f} clients/s; a million", whole * MILLION / size, WHOLE_S, "s")
    tell("pace of the other mailing meanwhile", figures["reached"], REACHED, "", at_least=True)
    tell("most starts in a second, by the sender", figures["most_in_a_second"], RATE, "")
    print(f"{'widest gap between two of its starts':<58}{figures['widest_gap_s']:>8.3f} s    (a slot is {1 / RATE:g})")
    tell("memory beyond that over 1,000 clients", figures["most_mib"] - small["most_mib"], MORE_MIB, "MiB")
    return 0 if all(good) or not arguments.check else 1


if __name__ == "__main__":
    run(main())
