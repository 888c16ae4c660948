"""What people take for mailings instead of writing it: aiogram-broadcaster, and a Celery task for each client."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._peers import HTML, bot_at
from benchmarks._world import FIRST_CHAT

INSTALL = "uv sync --inexact --group peers"


def is_installed(package: str) -> bool:
    return find_spec(package) is not None


async def broadcaster(url: str, messages: int) -> None:
    """Its mailer sends one after the other and keeps in memory who had it."""
    await _broadcast(url, messages, None)


async def broadcaster_with_storage(url: str, messages: int) -> None:
    """The same with its SQLAlchemy storage on SQLite: the whole list of chats is written anew after each message."""
    from aiogram_broadcaster.storages.sqlalchemy import SQLAlchemyStorage

    with TemporaryDirectory() as folder:
        storage = SQLAlchemyStorage.from_url(f"sqlite+aiosqlite:///{Path(folder) / 'mailers.db'}")
        await storage.startup()
        await _broadcast(url, messages, storage)
        await storage.shutdown()


async def _broadcast(url: str, messages: int, storage: Any) -> None:
    from aiogram_broadcaster import Broadcaster
    from aiogram_broadcaster.contents import TextContent

    async with bot_at(url) as bot:
        mailer = await Broadcaster(bot, storage=storage).create_mailer(
            chats=range(FIRST_CHAT, FIRST_CHAT + messages), content=TextContent(text=HTML, parse_mode="HTML")
        )
        assert await mailer.start()
        assert len(mailer.chats.success) == messages


@asynccontextmanager
async def celery() -> AsyncIterator[Callable[[str, int], Awaitable[None]]]:
    """benchmarks/_celery.py, and what has it send so many."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks._celery"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    answers, questions = process.stdout, process.stdin

    async def send(url: str, messages: int) -> None:
        questions.write(f"{url} {messages}\n".encode())
        assert await answers.readline() == b"sent\n"

    try:
        yield send
    finally:
        process.terminate()
        await process.wait()
