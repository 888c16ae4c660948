"""Group commit: everybody who needs a write awaits it; what waits goes into one transaction."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, may_pass
from storage.spans import Spans

log = logging.getLogger(__name__)

LINGER_S = 0.005
# A writer that is busy lingers as long as its last commit took, up to this: twice the group for the same work, while
# whoever waits is still told within the tenth of a second that a start mark has (docs/decisions/writer.md).
MOST_LINGER_S = 0.012
GAP_S = 0.003  # after a long one: other processes look for SQLite's lock every 2 ms, and are to find it free
MAX_GROUP = 2000  # members of one transaction: bounds how long others wait for the lock
PAUSES_S = (0.05, 0.2, 0.5, 1.0, 2.0)  # while the storage is away; the last one repeats
PATIENCE_S = 60.0  # of whoever waits for a storage that is away; what is `lasting` waits as long as it takes

Value = TypeVar("Value")
Result = TypeVar("Result")
Apply = Callable[[AsyncConnection, Sequence[Value]], Awaitable[Sequence[Result]]]
"""Applies values of one kind set-wise in the open transaction; returns one result for each, in order."""


_LONG: set[Apply[Any, Any]] = set()


def long(apply: Apply[Value, Result]) -> Apply[Value, Result]:
    """Mark a function that may take longer than some milliseconds, so that sending goes on beside it."""
    _LONG.add(apply)
    return apply


_LASTING: set[Apply[Any, Any]] = set()


def lasting(apply: Apply[Value, Result]) -> Apply[Value, Result]:
    """Mark a function whose values outlast any patience: what a platform has taken is not to be forgotten because the
    disk was full for an hour."""
    _LASTING.add(apply)
    return apply


class WriterStopped(Exception):
    """The writer takes nothing any more; what was not committed did not happen."""


@dataclass(slots=True)
class _Member:
    apply: Apply[Any, Any]
    value: Any
    done: asyncio.Future[Any]
    since: float = field(default_factory=perf_counter)


@dataclass(slots=True)
class WriterFigures:
    """What the writer did, for metrics."""

    members: int = 0
    failed_groups: int = 0
    refused: int = 0  # tries that a storage did not take which may take the next one
    commits: Spans = field(default_factory=Spans)  # from the first statement to the end of the commit, waits included


class Writer:
    """Run `run` as a task; `write` returns after the commit that holds the value.

    Members that share an `apply` function are handed to it together, so that a hundred lanes cost one statement. A
    group that fails is rolled back and run again member by member: one bad value fails only whoever brought it.
    """

    def __init__(self, database: Database) -> None:
        self.figures = WriterFigures()
        self._database = database
        self._waiting: list[_Member] = []
        self._wake = asyncio.Event()
        self._stopped = False
        self._committing = False
        self.alive = False  # whether `run` takes what is handed in; without it nothing is ever written again
        self.ended = asyncio.Event()  # that it does not any more

    @property
    def waiting(self) -> int:
        """How many writes wait for the next group."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether anything waits or is being committed."""
        return self._committing or bool(self._waiting)

    async def write(self, apply: Apply[Value, Result], value: Value) -> Result:
        """Commit `value` with whatever else waits. Raises what `apply` raises for this value alone.

        A caller that is cancelled while it waits does not take the write back."""
        return await self.hand_in(apply, value)

    def hand_in(self, apply: Apply[Value, Result], value: Value) -> "asyncio.Future[Result]":
        """The same for who does something else meanwhile; the result is there after the commit."""
        if self._stopped:
            raise WriterStopped
        member = _Member(apply, value, asyncio.get_running_loop().create_future())
        self._waiting.append(member)
        self._wake.set()
        return member.done

    def put(self, apply: Apply[Value, Result], value: Value) -> None:
        """Have `value` committed no later than anything that is written after it, without waiting for that.

        For what no answer depends on; a failure is logged."""
        self.hand_in(apply, value).add_done_callback(_log_failure)

    async def run(self) -> None:
        """Commit groups until `stop`; what waits then is still committed."""
        linger_s = LINGER_S
        is_long = False
        group: list[_Member] = []
        self.alive = True
        try:
            while not (self._stopped and not self._waiting):
                await self._wake.wait()
                if not self._stopped:
                    await asyncio.sleep(linger_s)
                self._wake.clear()
                group = self._take_group(after_long=is_long)
                if self._waiting:
                    self._wake.set()
                if not group:
                    continue
                began, is_long = perf_counter(), group[0].apply in _LONG
                self._committing = True
                await self._commit(group)
                self._committing = False
                linger_s = self._linger_s(perf_counter() - began, after_long=is_long)
        finally:
            self.alive = False
            self._stopped = True
            self.ended.set()
            for member in (*group, *self._waiting):  # a group that was cut off in the middle is not committed
                if not member.done.done():
                    member.done.set_exception(WriterStopped())

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def _linger_s(self, took_s: float, *, after_long: bool) -> float:
        if after_long:  # whoever came meanwhile has waited enough
            return GAP_S
        if any(member.apply in _LONG for member in self._waiting):  # and is committed; a long one needs no company
            return 0
        return min(max(took_s, LINGER_S), MOST_LINGER_S)

    def _take_group(self, *, after_long: bool) -> list[_Member]:
        """Who is committed next: a long one by itself and in turn with all others, who would have to wait for it."""
        long = [member for member in self._waiting if member.apply in _LONG]
        others = [member for member in self._waiting if member.apply not in _LONG] if long else self._waiting
        if long and not (after_long and others):
            self._waiting = [*others, *long[1:]]
            return long[:1]
        self._waiting = [*others[MAX_GROUP:], *long]
        return others[:MAX_GROUP]

    async def _commit(self, group: list[_Member]) -> None:
        began, members = perf_counter(), len(group)
        try:
            results = await self._try(group)
        except Exception as error:  # noqa: BLE001  # whatever a member raises belongs to whoever brought it
            self.figures.failed_groups += 1
            if len(group) == 1:
                _fail(group[0], error)
            else:
                for member in group:
                    await self._commit([member])
            return
        for member, result in zip(group, results, strict=True):
            if not member.done.done():
                member.done.set_result(result)
        self.figures.members += members
        self.figures.commits.add(perf_counter() - began)

    async def _try(self, group: list[_Member]) -> Sequence[Any]:
        """Apply and commit; waits for a storage that is away or locked. Values must bear being applied again.

        Whoever has no more patience meanwhile is told so and leaves the group, or the queue behind it."""
        pauses = iter(PAUSES_S)
        while group:
            try:
                return await self._apply(group)
            except Exception as error:
                if not may_pass(error):
                    raise
                self.figures.refused += 1
                pause_s = next(pauses, PAUSES_S[-1])
                log.warning(
                    "the storage does not take a write", extra={"pause_s": pause_s, "error": type(error).__name__}
                )
                for members in (group, self._waiting):
                    members[:] = [member for member in members if member.apply in _LASTING or _waits(member, error)]
            await asyncio.sleep(pause_s)
        return []

    async def _apply(self, group: Sequence[_Member]) -> Sequence[Any]:
        by_apply: dict[Apply[Any, Any], list[int]] = {}
        for place, member in enumerate(group):
            by_apply.setdefault(member.apply, []).append(place)
        results: list[Any] = [None] * len(group)

        async def work(connection: AsyncConnection) -> None:
            for apply, places in by_apply.items():
                outcome = await apply(connection, [group[place].value for place in places])
                for place, result in zip(places, outcome, strict=True):
                    results[place] = result

        async with self._database.writing() as connection:
            if any(apply in _LONG for apply in by_apply):
                await self._database.aside(connection, work)
            else:
                await work(connection)
        return results


def _log_failure(done: asyncio.Future[Any]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("what nobody waited for could not be written", extra={"error": type(error).__name__})


def _fail(member: _Member, error: Exception) -> None:
    if not member.done.done():
        member.done.set_exception(error)


def _waits(member: _Member, error: Exception) -> bool:
    if perf_counter() - member.since < PATIENCE_S:
        return True
    _fail(member, error)
    return False
