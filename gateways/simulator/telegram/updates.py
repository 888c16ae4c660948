"""What a bot has not yet heard: one queue that polling and the webhook both take from."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateways.simulator.telegram.answers import Json, Refusal

# Everything but these is sent when allowed_updates is absent; core.telegram.org/bots/api#setwebhook
_ONLY_ON_DEMAND = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
_TAKEN_OVER = "terminated by other getUpdates request; make sure that only one bot instance is running"


@dataclass(frozen=True, slots=True)
class Update:
    update_id: int
    kind: str
    body: Json
    key: tuple[str, int]  # order is strict only among equal keys
    born_at: float = field(default_factory=time.monotonic)


class UpdateQueue:
    def __init__(self, first_id: int | None = None) -> None:
        self._next_id = first_id or random.randint(100_000_000, 900_000_000)
        self.pending: dict[int, Update] = {}
        self.allowed: frozenset[str] | None = None
        self.on_new: Callable[[Update], None] | None = None  # the webhook, while one is set
        self._arrived = asyncio.Event()
        self._poll: asyncio.Future[str | None] | None = None  # resolved with the reason when it has to end

    def put(self, kind: str, body: Json, key: tuple[str, int]) -> int | None:
        """The update's id; None where the bot did not ask for this kind."""
        if not self._wanted(kind):
            return None
        update_id = self._next_id
        self._next_id += 1
        update = Update(update_id, kind, {"update_id": update_id, kind: body}, key)
        self.pending[update_id] = update
        self._arrived.set()
        if self.on_new is not None:
            self.on_new(update)
        return update_id

    def _wanted(self, kind: str) -> bool:
        return kind in self.allowed if self.allowed else kind not in _ONLY_ON_DEMAND

    def allow(self, kinds: object) -> None:
        """None keeps the old list, [] means everything but what is only on demand."""
        if isinstance(kinds, list):
            self.allowed = frozenset(str(kind) for kind in kinds) or None

    def interrupt_poll(self, words: str | None) -> None:
        """End a waiting poll with a conflict, or with an empty answer where there are no words."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(words)

    async def poll(self, offset: int, limit: int, timeout_s: float) -> list[Json]:
        """Long polling. A second poller ends the first one with a conflict."""
        self.interrupt_poll(_TAKEN_OVER)
        self._forget_before(offset)
        if not self.pending and timeout_s > 0:
            await self._wait(timeout_s)
        limit = limit if 1 <= limit <= 100 else 100
        return [update.body for _, update in zip(range(limit), self.pending.values(), strict=False)]

    def _forget_before(self, offset: int) -> None:
        if offset < 0:
            offset = max(self.pending, default=0) + 1 + offset
        for update_id in [each for each in self.pending if each < offset]:
            del self.pending[update_id]

    async def _wait(self, timeout_s: float) -> None:
        mine: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._poll = mine
        self._arrived.clear()
        arrival = asyncio.create_task(self._arrived.wait(), name="updates arrive")
        waiters: list[asyncio.Future[Any]] = [mine, arrival]
        try:
            await asyncio.wait(waiters, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrival.cancel()
            if self._poll is mine:
                self._poll = None
        if mine.done() and (words := mine.result()) is not None:
            raise Refusal(409, words)
