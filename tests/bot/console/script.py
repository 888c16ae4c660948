"""A conversation that answers as a test tells it to, and the page served over real HTTP."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, CookieJar, web

from bot.http import serve
from bot.screens import Event, People, Person, Screen
from bot.surfaces.console.surface import ConsoleSurface
from engine.clock import Clock, SystemClock
from engine.media import Media
from storage.records import Role

ANN = Person("Ann", Role.OWNER)
MAX = Person("Max", Role.MANAGER)
PEOPLE: People = {("console", "Ann"): ANN, ("console", "Max"): MAX, ("telegram", "1001"): ANN}

Answer = Callable[[Event], Sequence[Screen]]


@dataclass
class Script:
    """`answer` is what the bot says to an event; `heard` and `placed` are what it was told."""

    answer: Answer = lambda _: []
    heard: list[Event] = field(default_factory=list)
    placed: list[tuple[Screen, str]] = field(default_factory=list)

    async def handle(self, event: Event) -> Sequence[Screen]:
        self.heard.append(event)
        return self.answer(event)

    async def shown(self, event: Event, screen: Screen, message_id: str) -> None:
        self.placed.append((screen, message_id))


@dataclass
class Site:
    """The page as it is served, and who looks at it."""

    surface: ConsoleSurface
    script: Script
    url: str
    session: ClientSession

    def link(self, account: str = "Ann") -> str:
        return self.surface.new_link(account, self.url)

    async def enter(self, account: str = "Ann") -> None:
        async with self.session.get(self.link(account)) as answer:
            assert answer.status == 200

    @asynccontextmanager
    async def page(self, **more: Any) -> AsyncIterator["Page"]:
        headers = {"Origin": self.url, **more.pop("headers", {})}
        async with self.session.ws_connect(f"{self.url}/console/socket", headers=headers, **more) as socket:
            yield Page(socket)


@dataclass
class Page:
    socket: ClientWebSocketResponse

    async def say(self, **frame: Any) -> None:
        await self.socket.send_json(frame)

    async def told(self, kind: str) -> dict[str, Any]:
        """The next thing of that kind which the page is told; others before it are passed over."""
        while True:
            what: dict[str, Any] = await self.socket.receive_json(timeout=5)
            if what["type"] == kind:
                return what


@asynccontextmanager
async def site(
    folder: Path, *, script: Script | None = None, clock: Clock | None = None, people: People = PEOPLE, **more: Any
) -> AsyncIterator[Site]:
    script = script or Script()
    surface = ConsoleSurface(script, people, Media(folder), clock or SystemClock(), **more)
    app = web.Application()
    surface.add_to(app)
    # A cookie jar keeps nothing for an address of digits unless it is told to.
    async with serve(app, "127.0.0.1", 0) as port, ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield Site(surface, script, f"http://127.0.0.1:{port}", session)
