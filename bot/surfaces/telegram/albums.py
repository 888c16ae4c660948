"""Albums: pieces that come as messages of their own are one message, also across a restart."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bot.surfaces.telegram.events import FileToFetch, Heard, Sent, together
from engine.clock import Clock
from gateways.base import PartKind
from storage.conversations import Conversations, Place

log = logging.getLogger(__name__)

ALBUM_S = 1.0  # the pieces come within a moment
_ALBUMS = "telegram albums"  # where pieces wait in storage


class Albums:
    """`handle` answers an album that is whole; `in_order` is the lock of a chat. Set `tasks` while the bot runs."""

    def __init__(
        self,
        places: Conversations,
        clock: Clock,
        handle: Callable[[Heard], Awaitable[None]],
        in_order: Callable[[str], asyncio.Lock],
    ) -> None:
        self.tasks: asyncio.TaskGroup | None = None
        self._places = places
        self._clock = clock
        self._handle = handle
        self._in_order = in_order
        self._waiting: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def keep(self, heard: Heard, sent: Sent) -> None:
        """Keep a piece until the others have come; it is on disk before its update is acknowledged."""
        place = await self._places.find_place(_ALBUMS, heard.account, heard.chat)
        if place.state.get("album") not in (None, sent.album):
            await self.finish(heard)
        async with self._in_order(heard.chat):
            place = await self._places.find_place(_ALBUMS, heard.account, heard.chat)
            kept = {**(place.state.get("kept") or {}), str(heard.message_id): _plain(sent)}
            state = {"album": sent.album, "private": heard.private, "kept": kept}
            await self._places.save_place(Place(_ALBUMS, heard.account, heard.chat, "", state))
        self._wait_for_more(heard.account, heard.chat)

    def _wait_for_more(self, account: str, chat: str) -> None:
        waiting = self._waiting.pop((account, chat), None)
        if waiting is not None:
            waiting.cancel()
        if self.tasks is not None:
            task = self.tasks.create_task(self._after_a_moment(account, chat), name="album")
            self._waiting[account, chat] = task

    async def _after_a_moment(self, account: str, chat: str) -> None:
        await self._clock.sleep(ALBUM_S)
        self._waiting.pop((account, chat), None)
        try:
            await self._answer_album(account, chat)
        except Exception:
            log.exception("an album could not be answered", extra={"surface": "telegram"})

    async def finish(self, heard: Heard) -> None:
        """What comes after an album is answered after it."""
        waiting = self._waiting.pop((heard.account, heard.chat), None)
        if waiting is not None:
            waiting.cancel()
            await self._answer_album(heard.account, heard.chat)

    async def _answer_album(self, account: str, chat: str) -> None:
        async with self._in_order(chat):
            place = await self._places.find_place(_ALBUMS, account, chat)
            kept = place.state.get("kept") or {}
            if not kept:
                return
            numbers = sorted(kept, key=int)
            sent = together([_sent(kept[number]) for number in numbers])
            key = f"m{chat}.{numbers[0]}"
            await self._handle(Heard(account, chat, bool(place.state.get("private", True)), key, sent))
            await self._places.save_place(Place(_ALBUMS, account, chat, "", {}))

    async def take_up(self) -> None:
        """Albums that waited when the process ended."""
        for place in await self._places.places_on(_ALBUMS):
            if place.state.get("kept"):
                self._wait_for_more(place.account, place.chat)


def _plain(sent: Sent) -> dict[str, Any]:
    """A piece of an album as plain data: text and files are all that one holds."""
    return {
        "text": sent.text,
        "forwarded": sent.forwarded,
        "files": [[str(file.kind), file.file_id, file.name, file.size_bytes] for file in sent.files],
    }


def _sent(data: dict[str, Any]) -> Sent:
    files = tuple(FileToFetch(PartKind(kind), file_id, name, size) for kind, file_id, name, size in data["files"])
    return Sent(text=data["text"], files=files, forwarded=data["forwarded"])
