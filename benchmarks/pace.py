"""The pace of 1, 20 and 100 channels at 25/s in one process, against a simulated Telegram in another.

Prints, for each number of channels: the share of the pace that was reached, the most starts in any window of one second
by the sender's clock (never above 25) and as the server saw them (26 at most), and the share of one core that it took.
Exits 1 where a limit is missed: python -m benchmarks.pace [--seconds 20] [--channels 1 20 100]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks._world import TEXT, bench, control, cpu_s, draft, most_in_a_second, run, simulator

RATE = 25.0
REACHED = 0.998


async def measure(channels: int, seconds: float, latency_s: float) -> bool:
    each = int(RATE * seconds)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            simulator(channels, latency_s) as url,
            bench(Path(folder), url, channels, RATE, each) as made,
        ):
            cpu_before, began = cpu_s(), time.monotonic()
            await made.until_sent(await made.launch(draft("pace", TEXT)))
            took_s, cpu = time.monotonic() - began, cpu_s() - cpu_before
            stats = await control(url, "stats")
    starts = [sorted(gateway.starts) for gateway in made.gateways.values()]
    shares = [(len(own) - 1) / (own[-1] - own[0]) / RATE for own in starts]
    most_sent = max(most_in_a_second(own) for own in starts)
    most_seen = stats["most_in_1_s"]
    good = statistics.median(shares) >= REACHED and most_sent <= RATE and most_seen <= RATE + 1
    print(
        f"{channels:>4} channels: {statistics.median(shares):.4f} of 25/s (worst {min(shares):.4f}), "
        f"most in a second {most_sent} by the sender and {most_seen} at the server, "
        f"{cpu / took_s:.2f} of a core{'' if good else '   MISSED'}",
        flush=True,
    )
    return good


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that each answer takes")
    parser.add_argument("--channels", type=int, nargs="*", default=[1, 20, 100])
    arguments = parser.parse_args()
    good = [await measure(count, arguments.seconds, arguments.latency) for count in arguments.channels]
    return 0 if all(good) else 1


if __name__ == "__main__":
    run(main())
