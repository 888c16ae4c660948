"""Running something until a signal ends it."""

import asyncio
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

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
