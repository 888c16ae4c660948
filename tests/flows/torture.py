"""Kill -9 again and again, as long as you like: python -m tests.flows.torture --kills 10 --rate 200

Prints what each kill left unknown, and at the end who was lost and who got it twice: exit code 1 if anybody, or if a
kill left more unknown than the design allows."""

import argparse
import asyncio
import random
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.flows.carillon import FIRST_CLIENT, TOKEN, Carillon, assert_adds_up, carillon, until
from tests.flows.lateness import Lateness

MARGIN_S = 0.1  # beside the latency: how long before its slot a delivery may be marked as started


@dataclass(slots=True)
class Torture:
    """What the kills did to one mailing."""

    rate: float
    latency_s: float
    lateness_s: float = 0.0  # of the simulator at its worst: to the sender it is latency too
    kills: int = 0
    unknown: list[int] = field(default_factory=list)  # by kill
    lost: int = 0
    twice: int = 0
    sent: int = 0

    @property
    def bound(self) -> float:
        """How many a kill may leave unknown."""
        return self.rate * (self.latency_s + self.lateness_s + MARGIN_S)

    @property
    def passed(self) -> bool:
        return not self.lost and not self.twice and max(self.unknown, default=0) <= self.bound


async def torture(
    running: Carillon, *, kills: int, rate: float, latency_s: float = 0.05, seed: int = 7, only: str = "engine"
) -> Torture:
    """Send one mailing, killed at that many random moments on its way, each followed by a restart."""
    rng = random.Random(seed)
    done = Torture(rate, latency_s)
    clients = int(rate * 2 * (kills + 1))
    running.simulator.faults.latency_s = latency_s
    await running.import_clients(clients)
    await running.start(only=only)
    mailing = await running.create()
    settled = 0
    async with Lateness() as lateness:
        for _ in range(kills):
            reached = len(running.simulator.accepted_at(TOKEN)) + 20
            await until(partial(_accepted, running, reached), 60, f"{reached} to be accepted")
            await asyncio.sleep(rng.uniform(0, 0.5))
            await running.kill()
            await running.start(only=only)
            figures = await running.figures(mailing)
            assert_adds_up(figures)
            if figures["status"] == "sent":
                break
            done.kills += 1
            done.unknown.append(figures["unknown"] - settled)
            settled = figures["unknown"]
    done.lateness_s = lateness.most_s
    figures = await running.until_status(mailing, "sent", timeout_s=60 + clients / rate * 3)
    accepted = running.simulator.accepted_by_chat(TOKEN)
    everybody = range(FIRST_CLIENT, FIRST_CLIENT + clients)
    named_unknown = {row.client_name for row in await running.desk.operations.unknown(mailing)}
    done.sent = figures["sent"]
    done.lost = sum(not accepted[chat] and f"Name{chat}" not in named_unknown for chat in everybody)
    done.lost += clients - figures["sent"] - figures["unknown"]
    done.twice = sum(accepted[chat] > 1 for chat in everybody)
    return done


async def _accepted(running: Carillon, count: int) -> bool:
    return len(running.simulator.accepted_at(TOKEN)) >= count


async def _by_hand(kills: int, rate: float, latency_s: float, seed: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="carillon-torture-") as folder:
        async with carillon(Path(folder), "sqlite:///data/carillon.db", rate=rate) as running:
            done = await torture(running, kills=kills, rate=rate, latency_s=latency_s, seed=seed, only="web,engine")
    for number, unknown in enumerate(done.unknown, start=1):
        print(f"kill {number}: {unknown} unknown (at most {done.bound:g})")
    print(f"{done.kills} kills: {done.sent} sent, {sum(done.unknown)} unknown, {done.lost} lost, {done.twice} twice")
    return done.passed


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill a sending Carillon at random moments, and count.")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rate", type=float, default=200.0, help="messages/second")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that the platform takes to answer")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    return 0 if asyncio.run(_by_hand(options.kills, options.rate, options.latency, options.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
