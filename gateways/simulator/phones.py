"""Clients' phones on a simulated messenger: what stands in each chat, what the client does, and what happened."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from gateways.markup import RichText
from gateways.simulator.subscription import Subscription

DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ChatButton:
    """`action` is what a press does: "reply" and the like bring us `value`, "link" opens it."""

    label: str
    action: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class ChatMedia:
    """`kind`: picture, video, file, audio, location … `content` is None where the platform fetched no bytes."""

    kind: str
    url: str = ""
    name: str = ""
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class ChatCard:
    title: str
    text: str = ""
    picture: str = ""
    buttons: tuple[ChatButton, ...] = ()
    content: bytes | None = None  # of the picture, where it was brought to the platform


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """What a client sees of one message. `state` is what the sender may be told: sent, delivered, read; one that is
    deleted keeps its place, and nobody sees it.

    `raw` is the platform's own request or object."""

    id: str
    from_us: bool
    at: float  # Unix seconds
    text: RichText = field(default_factory=RichText)
    media: tuple[ChatMedia, ...] = ()
    rows: tuple[tuple[ChatButton, ...], ...] = ()
    cards: tuple[ChatCard, ...] = ()
    state: str = "sent"
    raw: Any = None

    @property
    def buttons(self) -> list[ChatButton]:
        """All of them, in reading order, those of cards last."""
        return [button for row in (*self.rows, *(card.buttons for card in self.cards)) for button in row]


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """`kind`: message (new, or another state), state (of the client), note (words shown for a moment)."""

    kind: str
    account: str
    client: str
    message: ChatMessage | None = None
    text: str = ""


class Phones:
    """All that pages and tests watch."""

    def __init__(self) -> None:
        self.subscriptions: set[Subscription[PhoneEvent]] = set()

    def subscribe(self, bound: int = 10_000) -> Subscription[PhoneEvent]:
        return Subscription(self.subscriptions, bound)

    def tell(self, event: PhoneEvent) -> None:
        for subscription in self.subscriptions:
            subscription.put(event)


@dataclass(eq=False)
class SimClient:
    """One client beside one account of ours. `state` is a word of the platform: "active", "blocked", "never_wrote" …"""

    account: str
    id: str
    name: str = ""
    state: str = "active"
    chat: list[ChatMessage] = field(default_factory=list)
    last_wrote_at: float = 0.0  # Unix seconds; 0: never
    details: dict[str, Any] = field(default_factory=dict)  # what only this platform knows of a client
    phones: Phones = field(default_factory=Phones, repr=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _numbers: "count[int]" = field(default_factory=lambda: count(1), repr=False)

    # --- what the client sees

    @property
    def messages(self) -> list[ChatMessage]:
        """What we sent, in order."""
        return [message for message in self.chat if message.from_us and message.state != DELETED]

    @property
    def last(self) -> ChatMessage:
        return self.messages[-1]

    def find(self, message_id: str) -> ChatMessage:
        """Raises LookupError."""
        for message in self.chat:
            if message.id == message_id:
                return message
        raise LookupError(f"{self.id} has no message {message_id}")

    async def wait_for(self, predicate: Callable[["SimClient"], object], timeout_s: float = 5.0) -> None:
        """Until `predicate(client)` is true, looked at after each change. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not predicate(self):
                self._changed.clear()
                await self._changed.wait()

    async def receives(self, number: int = 1, containing: str = "", timeout_s: float = 5.0) -> list[ChatMessage]:
        """Until at least so many messages of ours stand there that contain the words; these messages."""

        def fitting() -> list[ChatMessage]:
            return [message for message in self.messages if containing in message.text.text]

        await self.wait_for(lambda _: len(fitting()) >= number, timeout_s)
        return fitting()

    # --- what happens

    def keep(self, message: ChatMessage) -> None:
        """It stands in the chat now."""
        self.chat.append(message)
        if not message.from_us:
            self.last_wrote_at = message.at
        self._tell(PhoneEvent("message", self.account, self.id, message))

    def mark(self, message_id: str, state: str) -> ChatMessage | None:
        """A message of ours is in another state; None if it is not there (or not kept)."""
        for place, message in enumerate(self.chat):
            if message.id == message_id:
                self.chat[place] = marked = replace(message, state=state)
                self._tell(PhoneEvent("message", self.account, self.id, marked))
                return marked
        return None

    def change(self, message: ChatMessage) -> None:
        """What we sent reads otherwise now, where it stands. Raises LookupError."""
        before = self.find(message.id)
        self.chat[self.chat.index(before)] = message
        self._tell(PhoneEvent("message", self.account, self.id, message))

    def become(self, state: str) -> None:
        self.state = state
        self._tell(PhoneEvent("state", self.account, self.id, text=state))

    def note(self, words: str) -> None:
        """Something shown for a moment, such as the answer to a press."""
        self._tell(PhoneEvent("note", self.account, self.id, text=words))

    def own_message(self, text: str, **more: Any) -> ChatMessage:
        """What the client writes, kept in the chat."""
        message = ChatMessage(f"c{next(self._numbers)}", from_us=False, at=time.time(), text=RichText(text), **more)
        self.keep(message)
        return message

    def _tell(self, event: PhoneEvent) -> None:
        self._changed.set()
        self.phones.tell(event)
