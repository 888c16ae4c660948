"""The tasks that make a lane's calls."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Work = Coroutine[Any, Any, None]

MOST_IDLE = 50


class Senders:
    """Each makes one call after the other: to begin a task costs more than to wake one, and most calls find one idle.

    What fails in one ends the group, and so the lane, as with a task for each call."""

    def __init__(self, tasks: asyncio.TaskGroup, name: str) -> None:
        self._tasks = tasks
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._idle: list[asyncio.Future[Work | None]] = []
        self._closing = False

    def send(self, work: Work, written: Callable[[], None]) -> None:
        """Do the work; `written` is called at its first pause.

        A call is written to the socket before it first waits. So what is noted then is never earlier than the write,
        and a pace that counts from there holds for the writes too, however long the machine stands still just before
        one."""
        if self._idle:
            self._idle.pop().set_result(work)
        else:
            self._tasks.create_task(self._work(work), name=self._name)
        # Behind the task's own step: callbacks of one turn of the loop run in order.
        self._loop.call_soon(written)

    def close(self) -> None:
        """Let go who has nothing to do; the others end with what they do."""
        self._closing = True
        for waiting in self._idle:
            waiting.set_result(None)
        self._idle.clear()

    async def _work(self, work: Work | None) -> None:
        while work is not None:
            await work
            if self._closing or len(self._idle) >= MOST_IDLE:
                return
            waiting: asyncio.Future[Work | None] = self._loop.create_future()
            self._idle.append(waiting)
            try:
                work = await waiting
            except asyncio.CancelledError:
                if waiting in self._idle:
                    self._idle.remove(waiting)
                elif not waiting.cancelled() and (given := waiting.result()) is not None:
                    given.close()  # it will not be begun
                raise
