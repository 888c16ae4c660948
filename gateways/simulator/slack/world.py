"""What stands in a simulated workspace: channels and their messages, files, open windows."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from gateways.simulator.slack.blocks import elements_of

Json = dict[str, Any]

TEAM = "T0ACME"
_numbers = count(100)


def new_ts() -> str:
    """The name of a message: unique, and later ones are greater."""
    return f"{int(time.time())}.{next(_numbers):06d}"


def new_id(letter: str) -> str:
    return f"{letter}{next(_numbers):09d}"


@dataclass
class StoredFile:
    id: str
    name: str
    content: bytes = b""
    title: str = ""
    content_type: str = "application/octet-stream"
    channels: set[str] = field(default_factory=set)  # where it is seen
    complete: bool = False
    claimed_size: int | None = None  # what Slack says that it has, where that is to differ


@dataclass
class SlackMessage:
    """A message as it stands now. `text` is what notifications have; `shown` what the blocks say, if there are any."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    files: list[StoredFile] = field(default_factory=list)
    thread_ts: str = ""
    edited: int = 0
    for_user: str = ""  # an ephemeral one

    @property
    def shown(self) -> str:
        return "\n".join(text for block in self.blocks for text in _texts(block)) or self.text

    @property
    def buttons(self) -> list[Json]:
        return [one for block in self.blocks for one in elements_of(block) if one.get("type") == "button"]

    @property
    def labels(self) -> list[str]:
        return [one["text"]["text"] for one in self.buttons]

    def button(self, label: str) -> Json:
        """Raises LookupError."""
        for one in self.buttons:
            if label in one["text"]["text"]:
                return one
        raise LookupError(f"no button {label!r} in {self.labels}")


@dataclass
class Channel:
    """`D…` is the bot's own chat with a person."""

    id: str
    members: set[str]
    messages: list[SlackMessage] = field(default_factory=list)
    archived: bool = False

    def find(self, ts: str) -> SlackMessage | None:
        return next((one for one in self.messages if one.ts == ts), None)


@dataclass
class View:
    """An open window; `errors` are what its last submission was answered with."""

    id: str
    user: str
    content: Json
    hash: str
    root: str
    previous: str | None = None
    errors: dict[str, str] = field(default_factory=dict)

    def json(self, state: Json | None = None) -> Json:
        return {
            **self.content,
            "id": self.id,
            "team_id": TEAM,
            "hash": self.hash,
            "root_view_id": self.root,
            "previous_view_id": self.previous,
            "state": {"values": state or {}},
            "external_id": self.content.get("external_id", ""),
            "private_metadata": self.content.get("private_metadata", ""),
            "callback_id": self.content.get("callback_id", ""),
        }


@dataclass
class Trigger:
    """Opens one window, for three seconds."""

    id: str
    user: str
    until: float
    spent: bool = False


class Changes:
    """Whoever waits for something is woken by every change."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()

    async def until(self, look: Callable[[], object], timeout_s: float) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not look():
                self._event.clear()
                await self._event.wait()


def _texts(block: Json) -> Iterator[str]:
    match block.get("type"):
        case "rich_text":
            yield "\n".join(_flat(element) for element in block["elements"])
        case "section":
            texts = [block.get("text"), *block.get("fields", ())]
            yield from (one["text"] for one in texts if one)
        case "header" | "markdown":
            text = block["text"]
            yield text if isinstance(text, str) else text["text"]


def _flat(element: Json) -> str:
    if element.get("type") == "rich_text_list":
        return "\n".join(f"• {_flat(item)}" for item in element["elements"])
    return "".join(run.get("text") or run.get("url") or run.get("name") or "" for run in element.get("elements", ()))
