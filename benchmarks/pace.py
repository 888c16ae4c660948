"""The pace of 1, 20 and 100 channels at 25/s in one process, against simulated messengers in others.

Prints, for each number of channels, the share of one core that it took; and for each kind the share of the pace that
was reached, the most starts in any window of one second by the sender's clock (never above 25) and as the server saw
them (one call more at most). With --slow: one channel whose platform takes 0.4 s for each answer.
python -m benchmarks.pace [--seconds 10] [--channels 1 20 100] [--kinds telegram,viber] [--slow] [--full] [--check]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._world import (
    KINDS,
    TEXT,
    Bench,
    bench,
    control,
    cpu_s,
    draft,
    most_in_a_second,
    run,
    shared_out,
    simulators,
)

RATE = 25.0
REACHED = 0.998
SLOW_REACHED = 0.995
SLOW_S = 0.4
AT_MOST_CPU = 0.85  # of a core, with a hundred channels
REACHED_TOGETHER = 0.988  # where calls carry several, the guard of a second is 9 ms wider: engine.pacing
MOST_TOGETHER = {"vk": 5}  # messages in a call at 25/s: what the wire may bring more in a second; one elsewhere


async def measure(
    kinds: Sequence[str], channels: int, seconds: float, latency_s: float, least: float = REACHED
) -> bool:
    each = int(RATE * seconds)
    shares = {kind: number for kind, number in shared_out(channels, kinds).items() if number}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            simulators(shares, latency_s) as urls,
            bench(Path(folder), urls, channels, RATE, each) as made,
        ):
            cpu_before, began = cpu_s(), time.monotonic()
            await made.until_sent(await made.launch(draft("pace", TEXT)))
            took_s, cpu = time.monotonic() - began, cpu_s() - cpu_before
            seen = {kind: (await control(url, "stats"))["most_in_1_s"] for kind, url in urls.items()}
    light = cpu / took_s <= AT_MOST_CPU
    print(
        f"{channels:>4} channels, {cpu / took_s:.2f} of a core, {cpu / (channels * each) * 1e6:.0f} us a message"
        f"{'' if light else f'   MISSED: at most {AT_MOST_CPU}'}",
        flush=True,
    )
    good = [_tell(made, kind, number, seen[kind], least) for kind, number in shares.items()]
    return all(good) and light


def _tell(made: Bench, kind: str, number: int, most_seen: int, least: float) -> bool:
    """Print what came of a kind's channels; whether they kept to their pace."""
    starts = [sorted(gateway.starts) for name, gateway in made.gateways.items() if name.startswith(f"{kind}-")]
    shares = [_share(own) for own in starts]
    most_sent = max(most_in_a_second(own) for own in starts)
    together = MOST_TOGETHER.get(kind, 1)
    least = least if together == 1 else REACHED_TOGETHER
    good = statistics.median(shares) >= least and most_sent <= RATE and most_seen <= RATE + together
    print(
        f"     {number:>3} {kind:<9} {statistics.median(shares):.4f} of 25/s (worst {min(shares):.4f}), "
        f"most in a second {most_sent} by the sender and {most_seen} at the server{'' if good else '   MISSED'}",
        flush=True,
    )
    return good


def _share(starts: Sequence[float]) -> float:
    """What was reached of the pace; the first call's messages are where its clock starts."""
    return (len(starts) - starts.count(starts[0])) / (starts[-1] - starts[0]) / RATE


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that each answer takes")
    parser.add_argument("--channels", type=int, nargs="*", default=[100])
    parser.add_argument("--kinds", default=",".join(KINDS), help="channels are dealt to them in turn")
    parser.add_argument("--slow", action="store_true", help="one channel of a slow platform instead")
    parser.add_argument(
        "--full", action="store_true", help="a minute each of 1, 20 and 100 channels, and of a slow one"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 where a limit is missed")
    arguments = parser.parse_args()
    kinds = arguments.kinds.split(",")
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"there is no kind {', '.join(sorted(unknown))}; there is {', '.join(KINDS)}")
    seconds = 60.0 if arguments.full else arguments.seconds
    counts = [1, 20, 100] if arguments.full else [] if arguments.slow else arguments.channels
    good = [await measure(kinds, count, seconds, arguments.latency) for count in counts]
    if arguments.full or arguments.slow:
        good.append(await measure(["telegram"], 1, seconds, SLOW_S, SLOW_REACHED))
    return 1 if arguments.check and not all(good) else 0


if __name__ == "__main__":
    run(main())
