"""Every kind of filter over a base of clients, counted with channels and reasons, within a second.

    python -m benchmarks.filters [--full] [--clients 100000] [--url postgresql://…] [--folder DIR] [--runs 5]

Quick: 100,000 clients; --full: a million. Measures SQLite in a folder and a PostgreSQL (one of its own as it comes,
unless --url names one). With --folder the bases stay there and the next run finds them. Prints the median and the best
of the runs, and the least processor time, a PostgreSQL of our own included, with the target beside; --check: exit 1
where a median is over it. It needs a quiet machine."""

import argparse
import os
import statistics
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._asking import options, own_postgres, times
from benchmarks._base import AT, CHANNELS, build
from benchmarks._world import run
from engine.audience import read_audience
from storage.audiences import Audience, count_audience
from storage.database import Database
from storage.records import Routing

TARGET_S = 1.0
SENT = 1  # mailings that everybody was planned for

FILTERS: Mapping[str, Mapping[str, Any]] = {
    "everybody": {},
    "a tag": {"where": [{"field": "tag", "is": "tag 3"}]},
    "not a tag": {"where": [{"field": "tag", "is_not": "tag 3"}]},
    "one of 40 tags of 48": {"where": [{"field": "tag", "in": [f"tag {number}" for number in range(40)]}]},
    "a number": {"where": [{"field": "a0", "gte": 1000}]},
    "the last attribute": {"where": [{"field": "a31", "is": 500}]},
    "numbers and a date": {
        "where": [
            {"field": "a0", "gte": 1000},
            {"field": "a4", "between": [10, 3000]},
            {"field": "a2", "gte": "2024-01-01"},
        ]
    },
    "a piece of the name": {"where": [{"field": "name", "contains": "SURNAME12"}]},
    "a piece in Cyrillic": {"where": [{"field": "a1", "contains": "киї"}]},
    "a piece of a note": {"where": [{"field": "a19", "contains": "999 of"}]},
    "last seen": {"where": [{"field": "last_seen", "within_days": 30}]},
    "a date attribute": {"where": [{"field": "a18", "within_days": 300}]},
    "a source": {"where": [{"field": "subscribed_to", "is": "promo_42"}]},
    "a channel": {"where": [{"field": "channel", "is": "vk-1"}]},
    "a connection": {"where": [{"field": "connection", "is_not": "enabled"}]},
    "got a mailing": {"where": [{"mailing": 1, "outcome": "sent"}]},
    "did not read it": {"where": [{"mailing": 1, "outcome": "read", "is_not": True}]},
    "did not click": {"where": [{"mailing": 1, "outcome": "clicked", "is_not": True}]},
    "failed, or has a tag": {
        "where": [{"any": [{"mailing": 1, "outcome": "failed"}, {"field": "tag", "is": "tag 5"}]}]
    },
    "two outcomes": {
        "where": [{"any": [{"mailing": 1, "outcome": "read"}, {"mailing": 1, "outcome": "clicked", "is_not": True}]}]
    },
    "five conditions": {
        "where": [
            {"field": "tag", "is": "tag 3"},
            {"field": "a0", "gte": 1000},
            {"field": "last_seen", "within_days": 60},
            {"any": [{"field": "language", "is": "uk"}, {"field": "language", "is": "ru"}]},
            {"field": "name", "contains": "surn"},
        ]
    },
    "six wide conditions": {
        "where": [
            {"field": "tag", "is_not": "tag 3"},
            {"field": "a16", "gte": 100},
            {"field": "created_at", "gte": "2024-06-01"},
            {"any": [{"field": "language", "is_not": "en"}, {"field": "a5", "contains": "iv"}]},
            {"field": "subscribed_to", "is_not": "promo_1"},
            {"mailing": 1, "outcome": "read", "is_not": True},
        ]
    },
}


async def main() -> int:
    arguments = options(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments.folder or scratch)
        over = await measure(f"sqlite:///{folder / 'base.db'}", arguments, None)
        if arguments.url:
            over += 0 if arguments.url == "sqlite" else await measure(arguments.url, arguments, None)
        else:
            with own_postgres(folder / "postgres") as url:
                over += await measure(url, arguments, folder / "postgres")
    return 1 if arguments.check and over else 0


async def measure(url: str, arguments: argparse.Namespace, server: Path | None) -> int:
    """How many medians of one database are over the target. `server`: the folder of a PostgreSQL of our own."""
    await build(url, arguments.clients, SENT)
    database = Database(url)
    print(f"\n{database.dialect}, {arguments.clients:,} clients, {os.cpu_count()} cores, {arguments.runs} runs, ms")
    print(f"{'filter':<24}{'match':>11}{'reached':>11}{'median':>9}{'best':>9}{'cpu':>9}{'target':>9}")
    over = 0
    for name, data in FILTERS.items():
        if arguments.only not in name:
            continue
        for routing in (Routing.MAIN, Routing.CHOSEN) if name == "everybody" else (Routing.MAIN,):
            audience = Audience(read_audience(data), routing, CHANNELS[:3], CHANNELS, AT)
            counted = await count_audience(database, audience)
            walls, cpu_s = await times(partial(count_audience, database, audience), arguments.runs, server)
            told = "".join(f"{each * 1000:>9,.0f}" for each in (statistics.median(walls), min(walls), cpu_s))
            is_over = statistics.median(walls) > TARGET_S
            over += is_over
            title = name if routing is Routing.MAIN else f"{name}, {routing.value}"
            counts = f"{counted.audience:>11,}{counted.planned:>11,}"
            print(f"{title:<24}{counts}{told}{TARGET_S * 1000:>9,.0f}{'   MISSED' if is_over else ''}", flush=True)
    await database.close()
    return over


if __name__ == "__main__":
    run(main())
