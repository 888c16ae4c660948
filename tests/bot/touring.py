"""A chat that is led by the names of routes, so that the same way is walked in every language; and what it visits."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, cast

from bot.conversation import _route_of as route_of
from bot.dialogs.routes import ANSWERS, COMMANDS, PRESSES
from bot.dialogs.talk import Screens, digest
from bot.screens import Attachment, Said
from engine.media import Media
from gateways.base import PartKind
from gateways.markup import read_html
from gateways.message import Point
from tests.bot.chat import Chat
from tests.bot.conftest import Desk

Visited = dict[str, set[str]]
_ALL: Mapping[str, Mapping[str, Any]] = {"press": PRESSES, "command": COMMANDS, "answer": ANSWERS}


@contextmanager
def noting_visits() -> Iterator[Visited]:
    """Which routes answered well while it holds: with a card that warns of nothing."""
    visited: Visited = {kind: set() for kind in _ALL}
    before = {kind: dict(routes) for kind, routes in _ALL.items()}
    for kind, routes in before.items():
        for name, route in routes.items():
            part = "hear" if kind == "answer" else "open"
            noted = replace(route, **{part: _noting(getattr(route, part), visited[kind], name)})
            cast(dict[str, Any], _ALL[kind])[name] = noted
    try:
        yield visited
    finally:
        for kind, routes in before.items():
            cast(dict[str, Any], _ALL[kind]).update(routes)


def _noting(
    opens: Callable[..., Awaitable[Screens]], visited: set[str], name: str
) -> Callable[..., Awaitable[Screens]]:
    async def open_it(*args: Any) -> Screens:
        screens = await opens(*args)
        if screens and not any(screen.text.startswith("⚠") for screen in screens):
            visited.add(name)
        return screens

    return open_it


def not_visited(visited: Visited) -> set[str]:
    """Such as `press c:new`."""
    return {f"{kind} {name}" for kind, routes in _ALL.items() for name in set(routes) - visited[kind]}


def named_in(lines: str) -> Visited:
    """The presses and commands that these lines name."""
    steps = [line.strip() for line in lines.splitlines() if line.strip()]
    commands = {line[1:].split()[0] for line in steps if line.startswith("/")}
    presses = {_wanted(line)[0] for line in steps if line[0] not in "@/>?+"}
    return {"press": presses, "command": commands, "answer": set()}


def _wanted(line: str) -> tuple[str, list[str]]:
    return route_of(":".join(digest(one[1:]) if one.startswith("#") else one for one in line.split()))


@dataclass(slots=True)
class Tour:
    """Several people's chats on one desk, led by lines.

    `@Olha` is who goes on, `/words` a command, `> words` are typed, `? words` are refused, `+ name` sends one of
    `things`; any other line presses the newest button whose token is that route's, such as `c:name` or
    `a:via= #tg-shop`."""

    desk: Desk
    language: str = "en"
    things: Mapping[str, Said] = field(default_factory=dict)
    chats: dict[str, Chat] = field(default_factory=dict)
    who: str = ""
    saw: Callable[[Chat], None] = lambda _chat: None

    @property
    def chat(self) -> Chat:
        return self.chats[self.who]

    async def go(self, lines: str) -> None:
        for line in filter(None, (one.strip() for one in lines.splitlines())):
            await self._step(line)

    async def _step(self, line: str) -> None:
        if line.startswith("@"):
            await self._turn_to(line[1:])
            return
        if line.startswith("/"):
            await self.chat.say(line.format(code=self._code()) if line.startswith("/join ") else line)
        elif line[0] in ">?":
            await self.chat.say(line[1:].strip())
        elif line.startswith("+"):
            await self.chat.send(self.things[line[1:].strip()])
        else:
            await self._press(line)
        self._look(line)

    async def _turn_to(self, name: str) -> None:
        self.who = name
        if name not in self.chats:
            self.chats[name] = self.desk.chat(name)
            await self.chat.press_token(f"lang:is:{self.language}")

    async def _press(self, line: str) -> None:
        name, args = _wanted(line)
        for message in reversed(self.chat.messages):
            for one in message.buttons:
                its_name, its_args = route_of(one.token)
                if its_name == name and all(map(fnmatchcase, its_args, args)) and len(its_args) >= len(args):
                    self.chat.transcript.append(f"> [{one.label}]")
                    return await self.chat.press_token(one.token, message.id)
        tokens = [one.token for message in self.chat.messages[-3:] for one in message.buttons]
        raise AssertionError(f"{line}: no such button in {tokens}\n" + "\n".join(self.chat.transcript[-4:]))

    def _code(self) -> str:
        """That of the newest invitation."""
        told = [message.text for chat in self.chats.values() for message in chat.messages]
        return re.findall(r"join-[\w-]{32}", "\n".join(told))[-1]

    def _look(self, line: str) -> None:
        told = "\n".join(self.chat.transcript[-4:])
        assert self.chat.answer, f"no answer to {line}\n{told}"
        for screen in self.chat.answer:
            assert read_html(screen.text).text.startswith("⚠") == line.startswith("?"), f"{line}: {told}"
        self.saw(self.chat)


def things_on(desk: Desk) -> dict[str, Said]:
    """What people send that is no text."""
    media = Media(desk.settings.data_dir)
    png = _png()
    picture = Attachment(PartKind.PICTURE, media.keep(png, "picture.png"))
    rows = "tg-shop,first_name\n2001,Ann\n7001,Nina\nx,Wrong\n"
    table = Attachment(PartKind.FILE, media.keep(rows.encode(), "spring.csv"), "spring.csv")
    return {
        "file": Said(attachments=(table,)),
        "picture": Said(attachments=(picture,)),
        "location": Said(location=Point(50.45, 30.52)),
    }


def _png() -> bytes:
    from io import BytesIO

    from PIL import Image

    made = BytesIO()
    Image.new("RGB", (320, 200), "#336699").save(made, "PNG")
    return made.getvalue()
