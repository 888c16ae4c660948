"""What people did and was not answered yet: on disk before Slack hears that we have it."""

import asyncio
from weakref import WeakValueDictionary

from bot.surfaces.slack.events import Heard, from_plain, plain
from storage.conversations import Conversations, Place

_PLACES = "slack inbox"


class Inbox:
    """A person's chat holds a few at most, so they stand together in one place of storage."""

    def __init__(self, places: Conversations) -> None:
        self._places = places
        self._order: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def keep(self, heard: Heard) -> None:
        await self._change(heard, add=True)

    async def drop(self, heard: Heard) -> None:
        """It is answered."""
        await self._change(heard, add=False)

    async def waiting(self) -> list[Heard]:
        """What was left when the process ended, each chat's in order."""
        places = await self._places.places_on(_PLACES)
        return [from_plain(data) for place in places for data in place.state.get("waiting", ())]

    async def _change(self, heard: Heard, *, add: bool) -> None:
        lock = self._order.setdefault((heard.account, heard.chat), asyncio.Lock())
        async with lock:
            place = await self._places.find_place(_PLACES, heard.account, heard.chat)
            waiting = [one for one in place.state.get("waiting", ()) if one["key"] != heard.key]
            if add:
                waiting.append(plain(heard))
            await self._places.save_place(Place(_PLACES, heard.account, heard.chat, "", {"waiting": waiting}))
