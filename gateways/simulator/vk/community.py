"""What a simulated VK keeps of one community: dialogs, files, servers of its Callback API, the queue of Long Poll."""

import secrets
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateways.simulator.hooks import Hook

Json = dict[str, Any]

REPEATS_S = 3600.0  # random_id is compared so far back, dev.vk.com/ru/method/messages.send
REPEATS = 100  # and with so many messages of the dialog
CHANGES_S = (
    24 * 3600.0
)  # a message can be deleted for its reader or edited so long; dev.vk.com/ru/method/messages.delete
PRESS_S = 60.0  # a press may be answered so long; dev.vk.com/ru/method/messages.sendMessageEventAnswer
GIVES_UP_AFTER = 5  # tries in a row that a callback server did not take
QUEUE = 1000  # events that Long Poll keeps

WORDS: Mapping[int, str] = {  # VKCOM/vk-api-schema errors.json
    1: "Unknown error occurred",
    3: "Unknown method passed",
    5: "User authorization failed: invalid access_token (4).",
    6: "Too many requests per second",
    8: "Invalid request",
    9: "Flood control",
    10: "Internal server error",
    12: "Unable to compile code",
    13: "Runtime error occurred during code invocation",
    14: "Captcha needed",
    15: "Access denied",
    18: "User was deleted or banned",
    29: "Rate limit reached",
    100: "One of the parameters specified was missing or invalid",
    105: "Couldn't save file",
    121: "Invalid hash",
    900: "Can't send messages for users from blacklist",
    901: "Can't send messages for users without permission",
    902: "Can't send messages to this user due to their privacy settings",
    909: "Can't edit this message, because it's too old",
    911: "Keyboard format is invalid",
    914: "Message is too long",
    924: "Can't delete this message for everybody",
    950: "The message can't be sent: the reply window is over",
    984: "Spam restriction",
    2000: "Servers number limit is reached",
}


class VkError(Exception):
    """A refusal in VK's words."""

    def __init__(self, code: int, detail: str = "") -> None:
        words = WORDS.get(code, "Error")
        super().__init__(f"{words}: {detail}" if detail else words)
        self.code = code


def bad(parameter: str) -> VkError:
    return VkError(100, parameter)


@dataclass
class Dialog:
    """With one peer. `out_read` is the last of our messages that the person has read."""

    conversation_message_id: int = 0
    last_message_id: int = 0
    in_read: int = 0
    out_read: int = 0
    sent: deque[tuple[int, float, int]] = field(default_factory=lambda: deque(maxlen=REPEATS))  # random_id, at, id

    def find_repeat(self, random_id: int, now: float) -> int | None:
        """The message that a random_id brought already; 0 brings a new one always."""
        if random_id == 0:
            return None
        fresh = (each for each in self.sent if each[0] == random_id and now - each[1] < REPEATS_S)
        return next((message_id for _, _, message_id in fresh), None)


@dataclass
class Server:
    """Of the Callback API."""

    id: int
    url: str
    title: str
    secret: str
    status: str = "unconfigured"
    settings: Json = field(default_factory=dict)
    failures: int = 0  # in a row
    hook: Hook | None = None

    @property
    def described(self) -> Json:
        return {
            "id": self.id, "title": self.title, "creator_id": 1, "url": self.url, "secret_key": self.secret,
            "status": self.status,
        }  # fmt: skip


@dataclass
class Photo:
    owner_id: int
    id: int
    key: str
    content: bytes = b""

    @property
    def name(self) -> str:
        return f"{self.owner_id}_{self.id}"


@dataclass
class Document(Photo):
    title: str = "file"


@dataclass
class Community:
    """`code` is what a confirmation is answered with."""

    group_id: int
    name: str = "Shop"
    code: str = "a1b2c3d4"
    message_id: int = 7000
    dialogs: dict[str, Dialog] = field(default_factory=dict)
    peers: dict[int, str] = field(default_factory=dict)  # to whom each message of ours went
    photos: dict[str, Photo] = field(default_factory=dict)  # by owner_id
    documents: dict[str, Document] = field(default_factory=dict)
    uploads: dict[str, Json] = field(default_factory=dict)  # by hash or file token, each good for one save
    presses: dict[str, tuple[str, float]] = field(default_factory=dict)  # who pressed and when, until it is answered
    servers: dict[int, Server] = field(default_factory=dict)
    held: list[Json] = field(default_factory=list)  # events that wait for a server that was given up
    repeats_dropped: int = 0
    polled: bool = False
    poll_settings: Json = field(default_factory=dict)
    poll_key: str = "k1"
    poll_failed: int = 2  # what a key that is over is told
    queue: deque[tuple[int, Json]] = field(default_factory=lambda: deque(maxlen=QUEUE))
    ts: int = 1

    def dialog(self, peer: str) -> Dialog:
        if peer not in self.dialogs:
            self.dialogs[peer] = Dialog()
        return self.dialogs[peer]

    def next_message(self, dialog: Dialog) -> int:
        self.message_id += 1
        dialog.conversation_message_id += 1
        dialog.last_message_id = self.message_id
        return self.message_id

    def keep_upload(self, values: Json) -> str:
        token = secrets.token_hex(8)
        self.uploads[token] = values
        return token

    def note_press(self, user: str) -> str:
        event_id = secrets.token_hex(6)
        self.presses[event_id] = (user, time.time())
        return event_id

    def take_press(self, event_id: str, user: str, now: float) -> bool:
        """Whether it still waits for an answer; one answer each."""
        who, at = self.presses.pop(event_id, ("", 0.0))
        return who == user and now - at < PRESS_S

    def lose_long_poll(self, failed: int) -> None:
        """1: old events are gone; 2: the key is over; 3: both."""
        if failed != 2:
            self.queue.clear()
            self.ts += QUEUE
        if failed != 1:
            self.poll_failed = failed
            self.poll_key = f"k{secrets.token_hex(4)}"
