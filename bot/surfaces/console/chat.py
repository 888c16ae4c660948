"""One person's chat with the bot, as the page shows it: bounded, and kept while the process lives."""

import asyncio
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from bot.screens import Attachment, Document
from bot.surfaces.console.wire import Json

MAX_ENTRIES = 300
MAX_PICTURE_BYTES = 24 * 1024 * 1024  # of one chat's pictures in memory
MAX_FILE_BYTES = 24 * 1024 * 1024  # of its files to keep
MAX_UPLOADS = 60
MAX_KEYS = 500  # of events, within which a repeat is known

Listener = Callable[[Json], None]


class Chat:
    """What stands in the chat, and who watches it."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.ask = ""
        self.order = asyncio.Lock()  # what a person did is answered in the order in which it came
        self._entries: OrderedDict[str, Json] = OrderedDict()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()
        self._files: OrderedDict[str, Document] = OrderedDict()
        self._uploads: OrderedDict[str, Attachment] = OrderedDict()
        self._keys: deque[str] = deque(maxlen=MAX_KEYS)
        self._listeners: set[Listener] = set()
        # An id of an earlier process must never name a message of this one.
        self._run = secrets.token_hex(3)
        self._count = 0
        self._at_work = 0

    @property
    def entries(self) -> list[Json]:
        return list(self._entries.values())

    @property
    def typing(self) -> bool:
        return self._at_work > 0

    def has(self, message_id: str) -> bool:
        return message_id in self._entries

    def newest_with(self, token: str) -> str:
        """The newest card that has this button, or "" where none has."""
        for message_id, entry in reversed(self._entries.items()):
            if any(button.get("token") == token for row in entry.get("rows", ()) for button in row):
                return message_id
        return ""

    def add(self, side: str, at: datetime, content: Json) -> str:
        """Put a message at the end; `side` is "bot" or "me". Returns its id."""
        message_id = self._next_id()
        entry = {"id": message_id, "side": side, "at": at.isoformat(), **content}
        self._entries[message_id] = entry
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)
        self.tell({"type": "entry", "entry": entry})
        return message_id

    def replace(self, message_id: str, content: Json) -> None:
        """Put other content into a message where it stands. Raises KeyError where it has gone."""
        before = self._entries[message_id]
        entry = {name: before[name] for name in ("id", "side", "at")} | content
        if entry != before:
            self._entries[message_id] = entry
            self.tell({"type": "edit", "entry": entry})

    def set_ask(self, words: str) -> None:
        if words != self.ask:
            self.ask = words
            self.tell({"type": "ask", "text": words})

    def first_time(self, key: str) -> bool:
        """Whether this event has not come before; from now on it has."""
        if key in self._keys:
            return False
        self._keys.append(key)
        return True

    # --- files

    def keep_picture(self, content: bytes) -> str:
        """Its name; the oldest pictures go when they are too many."""
        name = secrets.token_urlsafe(9)
        self._pictures[name] = content
        while len(self._pictures) > 1 and sum(map(len, self._pictures.values())) > MAX_PICTURE_BYTES:
            self._pictures.popitem(last=False)
        return name

    def find_picture(self, name: str) -> bytes | None:
        return self._pictures.get(name)

    def keep_file(self, file: Document) -> str:
        """Its name; the oldest files go when they are too large together."""
        name = secrets.token_urlsafe(9)
        self._files[name] = file
        while len(self._files) > 1 and sum(len(one.content) for one in self._files.values()) > MAX_FILE_BYTES:
            self._files.popitem(last=False)
        return name

    def find_file(self, name: str) -> Document | None:
        return self._files.get(name)

    def keep_upload(self, attachment: Attachment) -> str:
        name = secrets.token_urlsafe(9)
        self._uploads[name] = attachment
        if len(self._uploads) > MAX_UPLOADS:
            self._uploads.popitem(last=False)
        return name

    def find_upload(self, name: str) -> Attachment | None:
        return self._uploads.get(name)

    # --- who watches

    @contextmanager
    def watched(self, listener: Listener) -> Iterator[None]:
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The bot "is typing" while the block runs."""
        self._at_work += 1
        self.tell({"type": "typing", "on": True})
        try:
            yield
        finally:
            self._at_work -= 1
            self.tell({"type": "typing", "on": self.typing})

    def tell(self, what: Json) -> None:
        for listener in tuple(self._listeners):
            listener(what)

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._run}-{self._count}"
