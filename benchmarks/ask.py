"""What people ask, at a million clients with ten million deliveries: numbers of mailings and of a span of time, the why
of one client, counts of filters, looks through the cards, lists, what a chart is drawn from.

    python -m benchmarks.ask [--full] [--clients 100000] [--url postgresql://…] [--folder DIR] [--runs 5] [--only TEXT]

Quick: 100,000 clients and 1,000,000 deliveries; --full: ten times that. Measures SQLite in a folder, and a PostgreSQL
(one of its own as it comes, unless --url names one). With --folder the bases stay there and the next run finds them.
Prints the median and the best of the runs, and the least processor time, a PostgreSQL of our own included, with the
target beside; --check: exit 1 where a median is over it. It needs a quiet machine."""

import argparse
import os
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks._asking import options, own_postgres, times
from benchmarks._base import AT, CHANNELS, build
from benchmarks._world import run
from engine.clock import SystemClock
from engine.operations import Operations
from engine.settings import ChannelSettings, EngineSettings
from engine.writing import Writing
from gateways.base import Account
from gateways.registry import config_model
from storage.members import Page
from storage.store import Store, open_store

SENT = 10  # mailings that everybody was planned for
AT_ONCE_S, COUNT_S = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    target_s: float
    ask: Callable[[], Awaitable[Any]]


def questions(store: Store, operations: Operations, writing: Writing, size: int) -> list[Question]:
    """In the words of those who ask. Every one reads what is there now; nothing is remembered from run to run but what
    Carillon itself remembers."""
    begin, somebody = AT - timedelta(days=30), size // 2
    count = operations.checker.count_audience
    audience_by = operations.checker.audience_of

    async def everybody(page: Page) -> Any:
        draft = (await operations.get(SENT + 1)).draft
        return await store.audiences.page(audience_by(draft), page)

    async def missing() -> Any:
        return await writing.missing((await operations.get(SENT + 1)).draft)

    async def chart_anew() -> Any:
        return await replace(store.timelines, _kept=type(store.timelines._kept)()).of_step(SENT)

    def quick(name: str, ask: Callable[[], Awaitable[Any]]) -> Question:
        return Question(name, AT_ONCE_S, ask)

    def wide(name: str, ask: Callable[[], Awaitable[Any]]) -> Question:
        return Question(name, COUNT_S, ask)

    read_it = {"where": [{"mailing": SENT, "outcome": "read"}]}
    tagged = {"where": [{"field": "tag", "is": "tag 3"}, {"field": "a0", "gte": 1000}]}
    return [
        quick("numbers of a mailing", lambda: operations.figures(SENT)),
        quick("of each of its channels", lambda: operations.channels_of(SENT)),
        quick("of 30 days", lambda: operations.period(begin, AT)),
        quick("of all days", lambda: operations.totals()),
        quick("mailings of 30 days", lambda: operations.begun(begin, AT)),
        quick("the mailing before", lambda: operations.find_before(SENT)),
        quick("list of mailings", lambda: operations.list_mailings()),
        quick("a mailing by its name", lambda: operations.list_mailings(search="eek 7")),
        quick("who failed, a page", lambda: operations.failed(SENT)),
        quick("who failed, a page in the middle", lambda: operations.failed(SENT, after_id=SENT * 2**32 + somebody)),
        quick("why of one who got it", lambda: operations.why(SENT, f"c{somebody}")),
        quick("why of one who was not planned", lambda: operations.why(SENT + 1, f"c{somebody}")),
        quick("last mailings of a client", lambda: store.histories.last_mailings(somebody)),
        quick("client by id", lambda: store.clients.find(f"c{somebody}")),
        quick("client by phone", lambda: store.clients.find(f"+380 50 {1_000_000 + somebody}")),
        quick("clients, a page in the middle", lambda: store.clients.page(after=somebody)),
        wide("client by a piece of the name", lambda: store.clients.find("Surname4999")),
        wide("client by a piece that nobody has", lambda: store.clients.find("Nobody Else")),
        wide("client by a piece in Cyrillic", lambda: store.clients.find("никто")),
        wide("how many clients", lambda: store.clients.total()),
        wide("tags with their counts", lambda: store.clients.tags()),
        wide("values of a field", lambda: store.audiences.values_of("a1")),
        wide("values with a piece", lambda: store.audiences.values_of("a1", "iv")),
        wide("values of a source", lambda: store.audiences.values_of("subscribed_to")),
        quick("members, a page", lambda: everybody(Page(10))),
        quick("members, a page in the middle", lambda: everybody(Page(10, after=somebody))),
        wide("members by a piece that nobody has", lambda: everybody(Page(10, words="Nobody"))),
        wide("members who can't be reached", lambda: everybody(Page(10, left_out=True))),
        wide("count of everybody", lambda: count({})),
        wide("count by a tag and a number", lambda: count(tagged)),
        wide("count by an earlier mailing", lambda: count(read_it)),
        wide("clients without a value", missing),
        wide("chart of a mailing, anew", chart_anew),
        quick("chart of a mailing, again", lambda: operations.timeline(SENT)),
    ]


async def measure(url: str, arguments: argparse.Namespace, folder: Path, server: Path | None = None) -> int:
    """Ask everything of one database; how many medians are over their targets. `server`: the folder of a PostgreSQL of
    our own."""
    over = 0
    await build(url, arguments.clients, SENT)
    async with open_store(url, data_dir=folder, secret=b"benchmark") as store:
        dialect = store.database.dialect
        settings = EngineSettings(channels=_channels(), data_dir=folder)
        operations = Operations(store, settings, SystemClock(), check_channel=_no_channel)
        writing = Writing(store, settings, operations.checker)
        print(f"\n{dialect}, {arguments.clients:,} clients, {SENT * arguments.clients:,} deliveries, ", end="")
        print(f"{os.cpu_count()} cores, {arguments.runs} runs, ms")
        print(f"{'question':<36}{'median':>9}{'best':>9}{'cpu':>9}{'target':>9}")
        for question in questions(store, operations, writing, arguments.clients):
            if arguments.only in question.name:
                walls, cpu_s = await times(question.ask, arguments.runs, server)
                median_s = statistics.median(walls)
                over += median_s > question.target_s
                told = "".join(f"{value * 1000:>9,.1f}" for value in (median_s, min(walls), cpu_s))
                mark = "   MISSED" if median_s > question.target_s else ""
                print(f"{question.name:<36}{told}{question.target_s * 1000:>9,.0f}{mark}", flush=True)
    return over


def _channels() -> dict[str, ChannelSettings]:
    kinds = {name: name.partition("-")[0] for name in CHANNELS}
    return {
        name: ChannelSettings(name, config_model(kind, "meta" if kind == "whatsapp" else None).able)
        for name, kind in kinds.items()
    }


async def _no_channel(channel: str) -> Account:
    raise AssertionError(channel)


async def main() -> int:
    arguments = options(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments.folder or scratch)
        over = await measure(f"sqlite:///{folder / 'base.db'}", arguments, folder)
        if arguments.url:
            over += 0 if arguments.url == "sqlite" else await measure(arguments.url, arguments, folder)
        else:
            with own_postgres(folder / "postgres") as url:
                over += await measure(url, arguments, folder, folder / "postgres")
    return 1 if arguments.check and over else 0


if __name__ == "__main__":
    run(main())
