"""A client's phone, as far as one bot can see it: what arrives there, and what the client does."""

import asyncio
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING, Any

from gateways.simulator.telegram.answers import Json, Refusal, bad
from gateways.simulator.telegram.entities import Entity, finished
from gateways.simulator.telegram.messages import Event, EventKind, Message, StoredMessage

if TYPE_CHECKING:
    from gateways.simulator.telegram.bots import SimulatedBot

_group_numbers = count(13_900_000_000_000_001)


class ClientState(StrEnum):
    UNKNOWN = "unknown"
    NEVER_STARTED = "never_started"
    ACTIVE = "active"
    BLOCKED = "blocked"
    DEACTIVATED = "deactivated"
    IS_BOT = "is_bot"


_REFUSALS = {
    ClientState.UNKNOWN: (400, "chat not found"),
    ClientState.NEVER_STARTED: (403, "bot can't initiate conversation with a user"),
    ClientState.BLOCKED: (403, "bot was blocked by the user"),
    ClientState.DEACTIVATED: (403, "user is deactivated"),
    ClientState.IS_BOT: (403, "bots can't send messages to the bot"),
}


class SimulatedClient:
    """One user beside one bot. Slots and lazy parts, because a benchmark has a million of them."""

    __slots__ = (
        "_arrived", "_messages", "_next_message_id", "bot", "first_name", "language_code", "last_name", "state",
        "user_id", "username",
    )  # fmt: skip

    def __init__(
        self,
        bot: "SimulatedBot",
        user_id: int,
        first_name: str,
        last_name: str | None = None,
        username: str | None = None,
        language_code: str | None = None,
        state: ClientState = ClientState.ACTIVE,
    ) -> None:
        self.bot = bot
        self.user_id = user_id
        self.first_name = first_name
        self.last_name = last_name
        self.username = username
        self.language_code = language_code
        self.state = state
        self._next_message_id = 1
        self._messages: dict[int, StoredMessage] | None = None
        self._arrived: asyncio.Event | None = None

    # --- what the client sees

    @property
    def chat(self) -> list[Message]:
        """Everything that stands in the chat now, the client's own messages too, in order."""
        find_file = self.bot.world.files.find
        return [stored.seen(find_file) for stored in (self._messages or {}).values()]

    @property
    def messages(self) -> list[Message]:
        """The bot's messages that the client sees now, edits applied, in order."""
        return [message for message in self.chat if message.from_bot]

    @property
    def last(self) -> Message:
        return self.messages[-1]

    async def wait_for(self, predicate: Callable[["SimulatedClient"], object], timeout_s: float = 5.0) -> None:
        """Until `predicate(client)` is true, looked at after each change of the chat. Raises TimeoutError."""
        if self._arrived is None:
            self._arrived = asyncio.Event()
        async with asyncio.timeout(timeout_s):
            while not predicate(self):
                self._arrived.clear()
                await self._arrived.wait()

    async def receives(self, count: int = 1, containing: str | None = None, timeout_s: float = 5.0) -> list[Message]:
        """Until at least `count` of the bot's messages stand there that contain the words; these messages."""

        def fitting() -> list[Message]:
            return [each for each in self.messages if containing is None or containing in each.text]

        try:
            await self.wait_for(lambda _: len(fitting()) >= count, timeout_s)
        except TimeoutError:
            seen = [message.text for message in self.messages]
            raise TimeoutError(f"client {self.user_id} waited for {count} with {containing!r}, saw {seen}") from None
        return fitting()

    # --- what the platform does

    def user_json(self) -> Json:
        return {"id": self.user_id, "is_bot": False, **self._names(), **self._given("language_code")}

    def chat_json(self) -> Json:
        return {"id": self.user_id, **self._names(), "type": "private"}

    def _names(self) -> Json:
        return {"first_name": self.first_name, **self._given("last_name"), **self._given("username")}

    def _given(self, name: str) -> Json:
        value = getattr(self, name)
        return {} if value is None else {name: value}

    def refusal(self) -> Refusal | None:
        return None if self.state is ClientState.ACTIVE else Refusal(*_REFUSALS[self.state])

    def take_id(self) -> int:
        message_id = self._next_message_id
        self._next_message_id += 1
        return message_id

    def keep(self, raw: Json, *, from_bot: bool, silent: bool = False) -> None:
        if not self.bot.keeps:
            return
        if self._messages is None:
            self._messages = {}
        stored = self._messages[raw["message_id"]] = StoredMessage(raw, from_bot=from_bot, silent=silent)
        self.changed(EventKind.MESSAGE if from_bot else EventKind.SAID, stored)

    def changed(self, kind: EventKind, stored: StoredMessage) -> None:
        if self._arrived is not None:
            self._arrived.set()
        world = self.bot.world
        if world.subscriptions:
            message = stored.seen(world.files.find)
            world.tell(Event(kind, self.bot.token, self.user_id, message.message_id, message, message.text))

    def find_stored(self, message_id: int) -> StoredMessage | None:
        return None if self._messages is None else self._messages.get(message_id)

    def forget(self, message_id: int) -> bool:
        if self._messages is None or (stored := self._messages.pop(message_id, None)) is None:
            return False
        self.changed(EventKind.DELETED, stored)
        return True

    # --- what the client does

    def says(self, text: str, *, entities: Sequence[Entity] = (), **more: Any) -> int:
        """An ordinary message; the message's id. Commands, links and mentions get their entities by themselves."""
        text, found = finished(text, list(entities))
        body: Json = {"text": text}
        if found:
            body["entities"] = [entity.as_json() for entity in found]
        return self.writes(body | more)

    def start(self, payload: str | None = None) -> int:
        """Press Start, with the payload of a deep link."""
        return self.says("/start" if payload is None else f"/start {payload}")

    def writes(self, body: Json) -> int:
        """Any message of the client's: `body` is what differs from an empty one. Whoever writes is active."""
        if self.state is ClientState.BLOCKED:
            self.unblock()
        elif self.state is not ClientState.ACTIVE:
            self.state = ClientState.ACTIVE
        raw: Json = {
            "message_id": self.take_id(),
            "from": self.user_json(),
            "chat": self.chat_json(),
            "date": int(time.time()),
            **body,
        }
        self.keep(raw, from_bot=False)
        self.bot.updates.put("message", raw, ("message", self.user_id))
        return int(raw["message_id"])

    def edits(self, message_id: int, text: str) -> None:
        """Change an own message: an edited_message update."""
        stored = self.find_stored(message_id)
        if stored is None or stored.from_bot:
            raise LookupError(f"client {self.user_id} has no own message {message_id}")
        text, found = finished(text, [])
        stored.raw = {**stored.raw, "text": text, "edit_date": int(time.time())}
        stored.raw["entities"] = [entity.as_json() for entity in found]
        stored.edited += 1
        self.changed(EventKind.EDITED, stored)
        self.bot.updates.put("edited_message", stored.raw, ("message", self.user_id))

    def presses(self, message_id: int, button: str) -> str | None:
        """Press an inline button by its label or callback data: the query's id, None where a press gives no update."""
        stored = self.find_stored(message_id)
        if stored is None:
            raise LookupError(f"client {self.user_id} sees no message {message_id}")
        message = stored.seen(self.bot.world.files.find)
        pressed = message.button(button)
        if pressed in (each for row in message.reply_keyboard for each in row):
            self.says(pressed.label)
            return None
        if pressed.callback_data is None:
            return None
        return self.bot.press(self, stored.raw, pressed.callback_data)

    def sends_press(self, message_id: int, data: str) -> str:
        """A press of a button that is no longer there, or never was: the query's id. Clients can forge both."""
        stored = self.find_stored(message_id)
        gone = {"chat": self.chat_json(), "message_id": message_id, "date": 0}  # what Telegram sends for a lost message
        return self.bot.press(self, gone if stored is None else stored.raw, data)

    def reacts(self, message_id: int, emoji: str) -> None:
        """A reaction; the bot hears of it only where it asked for message_reaction."""
        body = {
            "chat": self.chat_json(),
            "message_id": message_id,
            "user": self.user_json(),
            "date": int(time.time()),
            "old_reaction": [],
            "new_reaction": [{"type": "emoji", "emoji": emoji}],
        }
        self.bot.updates.put("message_reaction", body, ("reaction", self.user_id))

    def block(self) -> None:
        self._flip(ClientState.BLOCKED, "member", "kicked")

    def unblock(self) -> None:
        self._flip(ClientState.ACTIVE, "kicked", "member")

    def deactivate(self) -> None:
        """Delete the account. Telegram tells bots nothing of it: only the next send shows it."""
        self.state = ClientState.DEACTIVATED
        self._tell_state()

    def _flip(self, state: ClientState, old: str, new: str) -> None:
        if self.state is state:
            return
        self.state = state
        self._tell_state()
        body = {
            "chat": self.chat_json(),
            "from": self.user_json(),
            "date": int(time.time()),
            "old_chat_member": self._member(old),
            "new_chat_member": self._member(new),
        }
        self.bot.updates.put("my_chat_member", body, ("my_chat_member", self.user_id))

    def _member(self, status: str) -> Json:
        until = {"until_date": 0} if status == "kicked" else {}
        return {"user": self.bot.short_json, "status": status, **until}

    def _tell_state(self) -> None:
        world = self.bot.world
        if world.subscriptions:
            world.tell(Event(EventKind.STATE, self.bot.token, self.user_id, text=self.state))

    def shares_contact(self, phone: str, user_id: int | None = None) -> int:
        """Share a phone number: the own one, or somebody else's where another `user_id` is given."""
        contact = {"phone_number": phone.lstrip("+"), "first_name": self.first_name, "user_id": user_id or self.user_id}
        return self.writes({"contact": contact})

    def shares_location(self, latitude: float, longitude: float) -> int:
        return self.writes({"location": {"latitude": latitude, "longitude": longitude}})

    def sends_photo(self, content: bytes, caption: str | None = None, *, entities: Sequence[Entity] = ()) -> int:
        return self.sends_file("photo", content, "photo.jpg", caption, entities=entities)

    def sends_document(
        self, content: bytes, file_name: str = "file.txt", caption: str | None = None, mime_type: str = "text/plain"
    ) -> int:
        return self.sends_file("document", content, file_name, caption, mime_type=mime_type)

    def sends_file(
        self,
        kind: str,
        content: bytes,
        file_name: str,
        caption: str | None = None,
        *,
        mime_type: str = "application/octet-stream",
        entities: Sequence[Entity] = (),
        group: str | None = None,
    ) -> int:
        """Any media by its kind: photo, video, animation, document, audio, voice, sticker."""
        body = self.bot.media_json(kind, content, file_name, mime_type)
        if caption is not None:
            body["caption"], found = finished(caption, list(entities))
            if found:
                body["caption_entities"] = [entity.as_json() for entity in found]
        if group is not None:
            body["media_group_id"] = group
        return self.writes(body)

    def sends_album(self, pictures: Sequence[bytes], caption: str | None = None) -> list[int]:
        """Pictures as one album: separate updates that share media_group_id, the caption on the first."""
        if not 2 <= len(pictures) <= 10:
            raise bad("an album has 2 to 10 pictures")
        group = str(next(_group_numbers))
        captions = [caption, *[None] * (len(pictures) - 1)]
        return [
            self.sends_file("photo", picture, "photo.jpg", words, group=group)
            for picture, words in zip(pictures, captions, strict=True)
        ]

    def forwards(self, message: Message | str, *, sender: str = "Channel") -> int:
        """Forward a message (or a text) of somebody else's to the bot."""
        origin = {"type": "hidden_user", "sender_user_name": sender, "date": int(time.time())}
        if isinstance(message, str):
            return self.says(message, forward_origin=origin)
        skipped = ("message_id", "from", "chat", "date", "reply_markup", "edit_date")
        body = {name: value for name, value in message.raw.items() if name not in skipped}
        return self.writes(self.bot.adopted(body) | {"forward_origin": origin})
