"""A flood of webhooks while a mailing goes out at 25/s, of receipts that WhatsApp signed and of forged ones.

First ten times the sending rate of each, evenly; then as many as 400 connections can bring, far more than there is
room for. Prints what became of them, how near the mailing kept to its pace, and how much memory it took; checks that
every receipt that was answered 200 is kept, and no other one.
python -m benchmarks.flood [--seconds 8] [--full] [--check]
"""

import argparse
import asyncio
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from sqlalchemy import func, select

from benchmarks._post import Posts
from benchmarks._world import FIRST_NUMBER, Bench, bench, control, draft, run, simulators
from benchmarks.receipts import (
    PACE_TARGET,
    SPEED,
    STATES,
    UNLIMITED,
    body_of,
    pace_of,
    post,
    request_of,
    served,
    statuses_of,
    wamids_of,
)
from storage.schema import receipts

TIMES = 10  # the sending rate
PATH = "/hooks/whatsapp-1"
AT_ONCE = 200  # connections of each kind in the second part: at most as many hooks as that are taken, of both together
MEMORY_TARGET_MIB = 64  # of bodies, where it answers 503 before it takes more


@dataclass(frozen=True, slots=True)
class Flood:
    """What one part did. `taken`: receipts answered 200; the others were answered `refused` and `forged`."""

    taken: int
    genuine: Mapping[str, int]
    forged: Mapping[str, int]
    pace: float
    grew_mib: float


async def flood(made: Bench, port: int, bodies: Sequence[bytes], forged: int, per_s: float | None) -> Flood:
    """Post these, and so many that somebody else signed, beside a mailing that is under way."""
    starts, before = made.gateways["whatsapp-1"].starts, resident_mib()
    begun = len(starts)
    genuine = Posts("127.0.0.1", port, AT_ONCE, [request_of(PATH, body) for body in bodies], per_s)
    wrong = Posts("127.0.0.1", port, AT_ONCE, [request_of(PATH, bodies[0], "of nobody")] * forged, per_s)
    (answered, _), (refused, _) = await asyncio.gather(post(genuine), post(wrong))
    return Flood(answered.get("200", 0), answered, refused, pace_of(starts[begun:]), resident_mib() - before)


async def measure(seconds: float) -> tuple[float, Sequence[Flood]]:
    """The mailing's pace before there is a flood, and each part of that."""
    even = int(SPEED * TIMES * seconds)
    sudden = even * 2
    messages = (even + sudden) // len(STATES) + 1
    with tempfile.TemporaryDirectory() as folder:
        async with (
            simulators({"whatsapp": 1}) as urls,
            bench(Path(folder), urls, 1, UNLIMITED, messages) as made,
            served(made) as (port, _bare),
        ):
            await control(urls["whatsapp"], "limits", account=str(FIRST_NUMBER), throughput=1_000_000)
            await made.until_sent(await made.launch(draft("receipts", "The sale is on.")))
            told = statuses_of(await wamids_of(made), random.Random(7))
            bodies = [body_of([one]) for one in told]
            await made.launch(replace(draft("beside", "The sale is on."), speed=SPEED))
            while len(made.gateways["whatsapp-1"].starts) < messages + SPEED:  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0.05)
            starts = made.gateways["whatsapp-1"].starts
            begun = len(starts)
            await asyncio.sleep(seconds / 2)
            alone = pace_of(starts[begun:])
            rest = iter(bodies)
            parts = [
                await flood(made, port, list(islice(rest, even)), even, SPEED * TIMES),
                await flood(made, port, list(islice(rest, sudden)), sudden, None),
            ]
            async with made.store.database.read() as connection:
                kept = await connection.scalar(select(func.count()).select_from(receipts))
            assert kept == sum(part.taken for part in parts), (kept, parts)
    return alone, parts


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--full", action="store_true", help="a minute of it")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    arguments = parser.parse_args()
    alone, parts = await measure(60 if arguments.full else arguments.seconds)
    for name, part in zip(("evenly, ten times the rate", "as many as come"), parts, strict=True):
        print(f"{name}: genuine ones were answered {dict(part.genuine)}, forged ones {dict(part.forged)}")
    even, sudden = parts
    grew_mib = max(part.grew_mib for part in parts)
    print(f"{'':<44}{'measured':>9}{'target':>9}")
    print(f"{'of its pace, the mailing alone':<44}{alone:>9.4f}")
    print(f"{'of its pace, the mailing beside ten times':<44}{even.pace:>9.4f}{PACE_TARGET:>9.4f}")
    print(f"{'of its pace, beside as many as come':<44}{sudden.pace:>9.4f}")
    print(f"{'memory that it took more, MiB':<44}{grew_mib:>9.1f}{MEMORY_TARGET_MIB:>9}")
    return 1 if arguments.check and (even.pace < PACE_TARGET or grew_mib > MEMORY_TARGET_MIB) else 0


if __name__ == "__main__":
    run(main())
