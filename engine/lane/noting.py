"""Notes the moment at which a send has written its request."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class NotingPause(Generic[T]):
    """Awaits `work` and calls `note` at its first pause, or at its end if it never pauses.

    A send writes to the socket before it first waits. So what is noted is never earlier than the write, and a pace that
    counts from there holds for the writes too, however long the machine stands still just before one."""

    def __init__(self, work: Coroutine[Any, Any, T], note: Callable[[], None]) -> None:
        self._work = work
        self._note = note

    def __await__(self) -> Generator[Any, Any, T]:
        work = self._work
        try:
            try:
                waited = work.send(None)
            finally:
                self._note()
            while True:
                try:
                    given = yield waited
                except BaseException as error:  # noqa: BLE001  # a cancellation passes through to the work
                    waited = work.throw(error)
                else:
                    waited = work.send(given)
        except StopIteration as end:
            result: T = end.value
            return result
