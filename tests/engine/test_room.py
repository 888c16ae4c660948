"""So much at a time, in the order in which they came."""

import asyncio

from engine.room import Room


async def test_who_finds_no_room_waits_and_nobody_behind_goes_first() -> None:
    room, order = Room(10), list[str]()
    gates = {name: asyncio.Event() for name in ("first", "large", "small")}

    async def hold(name: str, amount: int) -> None:
        async with room.take(amount):
            order.append(name)
            await gates[name].wait()

    async with asyncio.TaskGroup() as tasks:
        for name, amount in (("first", 6), ("large", 8), ("small", 1)):
            tasks.create_task(hold(name, amount))
        await asyncio.sleep(0)
        assert order == ["first"]
        gates["first"].set()
        await asyncio.sleep(0.01)
        assert order == ["first", "large", "small"]
        for gate in gates.values():
            gate.set()


async def test_who_is_cancelled_while_waiting_leaves_the_room_to_others() -> None:
    room = Room(10)
    async with room.take(10):
        waiting = asyncio.create_task(_enter(room, 10))
        behind = asyncio.create_task(_enter(room, 4))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert not behind.done()
    await behind
    await _enter(room, 10)
    assert waiting.cancelled()


async def test_who_is_cancelled_when_the_place_was_just_given_gives_it_back() -> None:
    room = Room(10)
    held = room.take(10)
    await held.__aenter__()
    waiting = asyncio.create_task(_enter(room, 10))
    await asyncio.sleep(0)
    await held.__aexit__(None, None, None)
    waiting.cancel()
    await asyncio.wait({waiting})
    await _enter(room, 10)
    assert waiting.cancelled()


async def _enter(room: Room, amount: int) -> None:
    async with room.take(amount):
        await asyncio.sleep(0)


async def test_who_wants_more_than_there_is_has_it_alone() -> None:
    """The room may have become smaller since it was asked for."""
    room = Room(10)
    async with room.take(3):
        room.size = 4
        large = asyncio.create_task(_enter(room, 9))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not large.done()
    await large
