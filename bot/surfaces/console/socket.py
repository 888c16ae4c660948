"""One open page: what it may say, how fast, and what it is told."""

import asyncio
import html
import logging
from typing import TYPE_CHECKING, Annotated, Final, Literal

from aiohttp import WSMsgType, web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bot.screens import Attachment, Command, Press, Said
from bot.surfaces.console.doors import spoken_by
from bot.surfaces.console.phones import Does, Phone, Phones
from bot.surfaces.console.wire import Json
from engine.clock import Clock
from gateways.markup import InvalidMarkup, read_html

if TYPE_CHECKING:
    from bot.surfaces.console.surface import ConsoleSurface

log = logging.getLogger(__name__)

MAX_FRAME_BYTES: Final = 128 * 1024
MAX_TEXT: Final = 16_000  # characters of one message, formatting included
MAX_FILES: Final = 10  # an album's
MAX_UNREAD: Final = 2_000  # messages for a page that does not read; then it is closed, and comes again by itself
MAX_WAITING: Final = 32  # of a person's actions
RATE: Final = 10.0  # actions/second
BURST: Final = 30.0  # actions


class _Frame(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Key = Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
Name = Annotated[str, Field(max_length=64)]


class SayFrame(_Frame):
    type: Literal["say"]
    key: Key
    html: str = Field(max_length=MAX_TEXT)
    files: list[Name] = Field(default=[], max_length=MAX_FILES)


class PressFrame(_Frame):
    type: Literal["press"]
    key: Key
    token: Name
    message: Name


class PhoneFrame(_Frame):
    type: Literal["phone"]
    phone: Name
    do: Literal["press", "say", "block", "unblock"]
    message: Name = ""
    number: int = 0
    text: str = Field(default="", max_length=4096)


Frame = Annotated[SayFrame | PressFrame | PhoneFrame, Field(discriminator="type")]
_FRAME: TypeAdapter[Frame] = TypeAdapter(Frame)


class Pace:
    """Lets so many actions through at once and so many a second; whoever is faster waits."""

    def __init__(self, clock: Clock, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._seen_at_s = clock.monotonic()

    async def step(self) -> None:
        now_s = self._clock.monotonic()
        self._left = min(self._burst, self._left + (now_s - self._seen_at_s) * self._rate) - 1
        self._seen_at_s = now_s
        if self._left < 0:
            await self._clock.sleep(-self._left / self._rate)


class Socket:
    """Reads a page's actions, hands them on in order, and writes what its chat and the phones tell."""

    def __init__(
        self, surface: "ConsoleSurface", account: str, request: web.Request, socket: web.WebSocketResponse
    ) -> None:
        self._surface = surface
        self._account = account
        self._chat = surface.chat(account)
        self._request = request
        self._socket = socket
        self._pace = Pace(surface.clock, RATE, BURST)
        self._out: asyncio.Queue[Json] = asyncio.Queue(MAX_UNREAD)
        self._acts: asyncio.Queue[SayFrame | PressFrame | None] = asyncio.Queue(MAX_WAITING)

    async def run(self) -> None:
        """Until the page is closed; what it has asked for by then is still done."""
        phones = self._surface.phones
        with self._chat.watched(self._tell):
            self._tell(self._hello(phones))
            async with asyncio.TaskGroup() as tasks:
                telling = [tasks.create_task(self._write(), name=f"console writes to {self._account}")]
                if phones is not None:
                    telling.append(tasks.create_task(self._watch(phones), name="console watches phones"))
                acting = tasks.create_task(self._act(), name=f"console acts for {self._account}")
                try:
                    await self._read(phones)
                finally:
                    if not acting.done():
                        await self._acts.put(None)
                        await acting
                    for task in telling:
                        task.cancel()

    # --- what the page says

    async def _read(self, phones: Phones | None) -> None:
        async for message in self._socket:
            await self._pace.step()
            frame = _read_frame(message.data) if message.type is WSMsgType.TEXT else None
            match frame:
                case SayFrame() | PressFrame():
                    await self._acts.put(frame)
                case PhoneFrame() if phones is not None:
                    self._touch(phones, frame)
                case _:
                    self._tell({"type": "refused"})

    async def _act(self) -> None:
        language = spoken_by(self._request)
        await self._surface.greet(self._account, language)
        while (frame := await self._acts.get()) is not None:
            await self._surface.act(self._account, self._meant(frame), frame.key, language)
            self._tell({"type": "done", "key": frame.key})

    def _meant(self, frame: SayFrame | PressFrame) -> Command | Press | Said:
        if isinstance(frame, PressFrame):
            return Press(frame.token, frame.message)
        found = (self._chat.find_upload(name) for name in frame.files)
        return meant(frame.html, tuple(attachment for attachment in found if attachment is not None))

    def _touch(self, phones: Phones, frame: PhoneFrame) -> None:
        try:
            match Does(frame.do):
                case Does.PRESS:
                    phones.press(frame.phone, frame.message, frame.number)
                case Does.SAY:
                    if frame.text.strip():
                        phones.say(frame.phone, frame.text.strip())
                case Does.BLOCK:
                    phones.block(frame.phone)
                case Does.UNBLOCK:
                    phones.unblock(frame.phone)
        except LookupError:
            log.info("a phone's button had gone while the finger was on its way")

    # --- what the page is told

    def _tell(self, what: Json) -> None:
        try:
            self._out.put_nowait(what)
        except asyncio.QueueFull:
            # The page reads no more. Cut it off: it gets everything again when it comes back.
            if self._request.transport is not None:
                self._request.transport.abort()

    async def _write(self) -> None:
        while True:
            what = await self._out.get()
            try:
                await self._socket.send_json(what)
            except ConnectionError:
                return  # the reader ends by itself

    async def _watch(self, phones: Phones) -> None:
        with phones.events() as events:
            async for event in events:
                self._tell({"type": "phone", "phone": event.phone, **event.what})

    def _hello(self, phones: Phones | None) -> Json:
        person = self._surface.people[self._account]
        hello: Json = {
            "type": "hello",
            "me": {"name": person.name, "role": person.role.value},
            "commands": [{"name": name, "does": does} for name, does in self._surface.commands(self._account)],
            "entries": self._chat.entries,
            "ask": self._chat.ask,
            "typing": self._chat.typing,
        }
        if self._surface.demo:
            hello["people"] = [{"name": one.name, "role": one.role.value} for one in self._surface.people.values()]
        if phones is not None:
            hello["phones"] = [_phone(phones, phone) for phone in phones.phones()]
        return hello


def meant(source: str, attachments: tuple[Attachment, ...] = ()) -> Command | Said:
    """What somebody typed, in our HTML subset as the page wrote it: a command, or words for the bot.

    Who types a tag of the subset by hand means it, where the whole can be read."""
    text = _by_hand(source)
    words = html.unescape(source).strip()
    if words.startswith("/") and not attachments and "\n" not in words:
        name, _space, args = words[1:].partition(" ")
        if name.isidentifier():
            return Command(name.lower(), args.strip())
    return Said(text=text, attachments=attachments)


def _by_hand(source: str) -> str:
    try:
        written = read_html(source)
    except InvalidMarkup:
        return html.escape(html.unescape(source), quote=False)  # not as our page writes: shown as plain words
    if written.spans or "<" not in written.text:
        return source
    try:
        return written.text if read_html(written.text).spans else source
    except InvalidMarkup:
        return source


def _read_frame(data: str) -> SayFrame | PressFrame | PhoneFrame | None:
    try:
        return _FRAME.validate_json(data)
    except ValidationError:
        return None


def _phone(phones: Phones, phone: Phone) -> Json:
    return {
        "id": phone.id,
        "name": phone.name,
        "messenger": phone.messenger,
        "bot": phone.bot,
        "state": phone.state,
        "kind": phone.kind,
        "messages": phones.messages(phone.id),
    }
