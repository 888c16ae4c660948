"""Running something until a signal ends it."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable

import uvloop

GIVE_UP_S = 9.5  # after the signal: whoever started us was promised 10 s


def run_until_signal(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `work`; SIGTERM and Ctrl-C set its event, and cancel it where it has not ended soon after."""

    async def main() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()

        def end() -> None:
            if task is not None:  # who asks a second time does not want to wait
                loop.call_later(0 if ended.is_set() else GIVE_UP_S, task.cancel)
            ended.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        try:
            await work(ended)
        except asyncio.CancelledError:
            if not ended.is_set():
                raise

    rarely_collect()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def rarely_collect() -> None:
    """Leave what has been loaded to itself, and look for garbage in circles less often than Python does.

    Nearly all that a message or a receipt leaves behind goes without a look; looks cost a twentieth of a receipt, and
    the large ones among them held a slot up for as long as they took."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
