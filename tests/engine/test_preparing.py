"""Rendering goes in shares, and the tasks that make calls are kept."""

import asyncio
from time import perf_counter

from engine.lane.preparing import SHARE_S, Preparing
from engine.lane.senders import Senders


def _slow(seconds: float) -> None:
    ends = perf_counter() + seconds
    while perf_counter() < ends:
        pass


async def test_lanes_that_prepare_share_each_turn_of_the_loop() -> None:
    preparing, turns, prepared = Preparing(), 0, []

    async def lane(name: str) -> None:
        left = 6
        while left:
            async with preparing.share() as has_time_left:
                while left and has_time_left():
                    _slow(SHARE_S / 2)  # so that two of them use a share up
                    prepared.append((turns, name))
                    left -= 1

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await asyncio.gather(lane("a"), lane("b"), lane("c"))
    counting.cancel()
    in_turn = [sum(1 for turn, _ in prepared if turn == number) for number in range(turns + 1)]
    assert (len(prepared), max(in_turn)) == (18, 2)
    # Whoever came first has a second share, because the others did not wait yet; then they take turns.
    assert {name for _, name in prepared[:8]} == {"a", "b", "c"}


async def test_a_call_is_noted_right_after_it_was_written_and_its_task_makes_the_next() -> None:
    seen: list[str] = []
    tasks: set[asyncio.Task[object] | None] = set()

    async def call(name: str) -> None:
        tasks.add(asyncio.current_task())
        seen.append(f"{name} written")
        await asyncio.sleep(0)
        seen.append(f"{name} answered")

    async with asyncio.TaskGroup() as group:
        senders = Senders(group, "send")
        for name in ("one", "two"):
            senders.send(call(name), lambda name=name: seen.append(f"{name} noted"))  # type: ignore[misc]
            for _ in range(5):
                await asyncio.sleep(0)
        senders.close()
    assert seen == ["one written", "one noted", "one answered", "two written", "two noted", "two answered"]
    assert len(tasks) == 1


async def test_a_sender_that_is_cancelled_leaves_nothing_behind() -> None:
    group_done = asyncio.Event()

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            senders = Senders(group, "send")
            senders.send(asyncio.sleep(0), lambda: None)
            await group_done.wait()

    running = asyncio.create_task(run())
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    (ended,) = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError)
    assert [task for task in asyncio.all_tasks() if task.get_name() == "send"] == []
