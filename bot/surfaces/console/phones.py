"""Clients' phones beside the chat, in the demo only: what arrives there live, and what the clients do."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, zip_longest
from typing import Protocol

from bot.surfaces.console import wire

MAX_UNREAD = 1000  # events that wait for a page


class Does(StrEnum):
    """What a client can do on a phone."""

    PRESS = "press"
    SAY = "say"
    BLOCK = "block"
    UNBLOCK = "unblock"


@dataclass(frozen=True, slots=True)
class Phone:
    """One client's phone; `state` is "active", "blocked" …; `kind` of messenger is how it looks."""

    id: str
    name: str
    messenger: str
    bot: str
    state: str
    kind: str


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """`what` is JSON for the page: {"kind": "message", "message": …}, "deleted", "state", "typing", "note"."""

    phone: str
    what: wire.Json


@dataclass(frozen=True, slots=True)
class Picture:
    content: bytes
    content_type: str


class Phones(Protocol):
    """A few simulated clients. Whoever asks for what is not there gets LookupError."""

    def phones(self) -> Sequence[Phone]: ...

    def messages(self, phone: str) -> list[wire.Json]:
        """What stands on the phone now, in order."""
        ...

    def events(self) -> AbstractContextManager[AsyncIterator[PhoneEvent]]:
        """What happens from now on."""
        ...

    def press(self, phone: str, message_id: str, number: int) -> None:
        """Press the button of that number, counted from 0 in reading order, the reply keyboard last."""
        ...

    def say(self, phone: str, text: str) -> None: ...

    def block(self, phone: str) -> None: ...

    def unblock(self, phone: str) -> None: ...

    def picture(self, phone: str, message_id: str) -> Picture: ...


class ManyPhones:
    """Phones of several messengers side by side: the first of each, then the second …; every id is only once there."""

    def __init__(self, groups: Sequence[Phones]) -> None:
        self._groups = groups
        self._owner = {phone.id: group for group in groups for phone in group.phones()}

    def phones(self) -> list[Phone]:
        side_by_side = zip_longest(*(group.phones() for group in self._groups))
        return [phone for phone in chain.from_iterable(side_by_side) if phone is not None]

    def messages(self, phone: str) -> list[wire.Json]:
        return self._owner[phone].messages(phone)

    @contextmanager
    def events(self) -> Iterator[AsyncIterator[PhoneEvent]]:
        waiting: asyncio.Queue[PhoneEvent] = asyncio.Queue(MAX_UNREAD)
        with ExitStack() as stack:
            streams = [stack.enter_context(group.events()) for group in self._groups]
            gathering = [asyncio.create_task(_gather(stream, waiting), name="phones") for stream in streams]
            try:
                yield _given(waiting)
            finally:
                for task in gathering:
                    task.cancel()

    def press(self, phone: str, message_id: str, number: int) -> None:
        self._owner[phone].press(phone, message_id, number)

    def say(self, phone: str, text: str) -> None:
        self._owner[phone].say(phone, text)

    def block(self, phone: str) -> None:
        self._owner[phone].block(phone)

    def unblock(self, phone: str) -> None:
        self._owner[phone].unblock(phone)

    def picture(self, phone: str, message_id: str) -> Picture:
        return self._owner[phone].picture(phone, message_id)


async def _gather(stream: AsyncIterator[PhoneEvent], waiting: "asyncio.Queue[PhoneEvent]") -> None:
    async for event in stream:
        await waiting.put(event)


async def _given(waiting: "asyncio.Queue[PhoneEvent]") -> AsyncIterator[PhoneEvent]:
    while True:
        yield await waiting.get()


def picture_type(content: bytes) -> str:
    starts = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"GIF8": "image/gif"}
    return next((kind for start, kind in starts.items() if content.startswith(start)), "application/octet-stream")
