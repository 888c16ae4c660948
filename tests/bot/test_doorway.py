"""Whoever stands in the doorway and says nothing is hung up on; whoever asks is answered, also beside a crowd."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web

from bot.doorway import Doorway


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    doorway = Doorway(speak_within_s=0.3, most=20)
    app = web.Application(middlewares=[doorway.note])
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    listening, port = await doorway.open(runner, "127.0.0.1", 0)
    yield port
    listening.close()
    await runner.cleanup()


async def is_hung_up(reader: asyncio.StreamReader, within_s: float = 5.0) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), within_s) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: half a head"])
async def test_who_asks_for_nothing_is_hung_up_on(port: int, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    assert await is_hung_up(reader)
    writer.close()


async def test_who_has_asked_may_stay_and_ask_again(port: int) -> None:
    async with ClientSession() as session:
        for _ in range(2):
            async with session.get(f"http://127.0.0.1:{port}/") as answer:
                assert await answer.text() == "hello"
            await asyncio.sleep(0.4)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.4)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1 200" in await asyncio.wait_for(reader.readuntil(b"hello"), 5) + await reader.readuntil(
            b"hello"
        )
        writer.close()


async def test_a_crowd_is_sent_away_and_the_next_is_answered(port: int) -> None:
    crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
    assert all(await asyncio.gather(*(is_hung_up(reader) for reader, _writer in crowd)))
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as answer:
        assert answer.status == 200
    for _reader, writer in crowd:
        writer.close()
