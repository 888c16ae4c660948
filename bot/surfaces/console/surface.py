"""The console page's side of the conversation: what a person does there becomes events, screens become its chat."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from aiohttp import web

from bot.dialogs.home import COMMANDS
from bot.languages import locale_for
from bot.people import OnSurface
from bot.screens import Attachment, Command, Event, People, Person, Press, Said, Screen, Unreachable
from bot.surfaces.console import wire
from bot.surfaces.console.chat import Chat
from bot.surfaces.console.doors import Doorman
from bot.surfaces.console.phones import Phones
from bot.texts import Texts
from engine.access import may
from engine.clock import Clock
from storage.invitations import Invitation

if TYPE_CHECKING:
    from bot.surfaces.console.statistics import Statistics

NAME = "console"


class Talks(Protocol):
    """What the page needs of the conversation."""

    async def handle(self, event: Event) -> Sequence[Screen]: ...

    async def shown(self, event: Event, screen: Screen, message_id: str) -> None: ...


class Media(Protocol):
    """What the page needs of the kept files; `engine.media` satisfies it."""

    def keep(self, source: Path, name: str) -> str: ...

    def path(self, source: str) -> Path: ...


class Invitations(Protocol):
    """Who may come in by a code; `bot.people` satisfies it."""

    async def invited(self, code: str, at: datetime) -> Invitation: ...

    async def join(self, code: str, surface: str, account: str | None, at: datetime) -> Person | None: ...


class ConsoleSurface:
    """The admin bot in the browser: one chat for each of `people` whose surface is "console".

    `public_url` is where the page is reached from outside, for the check of origins. In the `demo`, links open again
    and again, on this machine only, and `phones` stand beside the chat. `statistics` have a page of their own."""

    def __init__(
        self,
        conversation: Talks,
        people: People,
        media: Media,
        clock: Clock,
        *,
        name: str = "Carillon",
        locale: str = "en",
        timezone: str = "UTC",
        public_url: str | None = None,
        invitations: Invitations | None = None,
        demo: bool = False,
        phones: Phones | None = None,
        statistics: "Statistics | None" = None,
    ) -> None:
        self.people: Mapping[str, Person] = OnSurface(people, NAME)
        self.media = media
        self.clock = clock
        self.title = name
        self.public_url = public_url
        self.base_url = ""  # where it is served, once it is
        self.invitations = invitations
        self.demo = demo
        self.phones = phones if demo else None
        self.statistics = statistics
        self.doorman = Doorman(self.people, clock, demo=demo)
        self._conversation = conversation
        self._locale = locale
        self._timezone = timezone
        self._chats: dict[str, Chat] = {}
        self._sockets: set[web.WebSocketResponse] = set()

    # --- what live cards and announcements use

    @property
    def name(self) -> str:
        return NAME

    async def show(self, chat: str, screen: Screen) -> str:
        """Put a screen into a chat, whether its page is open or not; it is there when the person looks.

        Raises Unreachable for somebody who is none of the people."""
        return self._show(self.chat(chat), screen)

    async def edit(self, chat: str, message_id: str, screen: Screen) -> str:
        return self._put(self.chat(chat), message_id, screen)

    # --- what a person does

    async def act(
        self, account: str, what: Command | Press | Said, key: str | None = None, language: str = ""
    ) -> list[str]:
        """Let a person do something, as if on the page; returns the ids of what the bot shows then.

        A press that names no message is of the newest card with that button. A repeat with the same key does nothing.
        Raises Unreachable."""
        chat = self.chat(account)
        if isinstance(what, Press) and not what.message_id:
            what = Press(what.token, chat.newest_with(what.token))
        event = Event(NAME, account, account, f"{account}:{key or secrets.token_hex(8)}", what, language=language)
        async with chat.order:
            if not chat.first_time(event.key):
                return []
            self._echo(chat, what)
            with chat.at_work():
                return await self._answer(chat, event)

    async def greet(self, account: str, language: str = "") -> None:
        """Open a chat that is still empty with the menu."""
        chat = self.chat(account)
        if not chat.entries and not chat.typing:
            await self.act(account, Command("start"), language=language)

    def chat(self, account: str) -> Chat:
        """Raises Unreachable for somebody who is none of the people."""
        if account not in self.people:
            raise Unreachable(f"the console has no chat {account!r}")
        return self._chats.setdefault(account, Chat(account))

    def texts(self, account: str | None, language: str = "") -> Texts:
        """The language of a person; of the browser, else of the house, for nobody and for somebody new."""
        person = self.people.get(account or "")
        locale = (person and person.locale) or locale_for(language, self._locale)
        return Texts(locale, (person and person.timezone) or self._timezone)

    def commands(self, account: str) -> list[tuple[str, str]]:
        """The names of the commands that the person may use, and what they do."""
        t = self.texts(account)
        return [(name, t.plain(does)) for name, does, verb in COMMANDS if may(self.people[account].role, verb)]

    # --- the page

    def links(self, base_url: str) -> list[tuple[Person, str]]:
        """A fresh link for each person."""
        return [(person, self.new_link(account, base_url)) for account, person in self.people.items()]

    def new_link(self, account: str, base_url: str) -> str:
        return f"{base_url.rstrip('/')}/?{urlencode({'key': self.doorman.make_key(account)})}"

    def way_in(self, code: str) -> str:
        """The link by which somebody who is invited opens the page."""
        base_url = self.public_url or self.base_url
        return f"{base_url.rstrip('/')}/console/join?{urlencode({'code': code})}" if base_url else ""

    def routes(self) -> list[web.AbstractRouteDef]:
        from bot.surfaces.console import stats_pages
        from bot.surfaces.console.web import routes

        return [*routes(self), *(stats_pages.routes(self, self.statistics) if self.statistics else ())]

    def add_to(self, app: web.Application) -> None:
        app.add_routes(self.routes())
        app.on_shutdown.append(lambda _: self.close())

    async def close(self) -> None:
        """End every open page, so that the server can stop; the pages look for it again by themselves."""
        for socket in tuple(self._sockets):
            await socket.close(code=1001)

    def opened(self, socket: web.WebSocketResponse) -> None:
        self._sockets.add(socket)

    def closed(self, socket: web.WebSocketResponse) -> None:
        self._sockets.discard(socket)

    # --- within

    def _echo(self, chat: Chat, what: Command | Press | Said) -> None:
        """What the person said, as it stands in their chat; a press leaves nothing, and neither does the greeting."""
        match what:
            case Command(name="start") if not chat.entries:
                return
            case Command(name=name, args=args):
                chat.add("me", self.clock.now(), {"text": [f"/{name} {args}".strip()]})
            case Said(text=text, attachments=attachments):
                media = [_attached(one) for one in attachments]
                chat.add("me", self.clock.now(), {"text": wire.html_tree(text), "media": media})

    async def _answer(self, chat: Chat, event: Event) -> list[str]:
        shown = []
        pressed = event.what.message_id if isinstance(event.what, Press) else ""
        language = self.texts(chat.account).locale
        screens = await self._conversation.handle(event)
        if self.texts(chat.account).locale != language:
            chat.tell({"type": "language"})  # the page's own words are written anew
        for screen in screens:
            if screen.toast:
                chat.tell({"type": "toast", "text": screen.toast})
            if not (screen.text or screen.preview or screen.album):
                continue
            message_id = self._put(chat, pressed, screen) if screen.edit and pressed else self._show(chat, screen)
            if message_id == pressed:
                pressed = ""  # a second card of the same answer stands below the first
            shown.append(message_id)
            chat.set_ask(screen.ask)
            await self._conversation.shown(event, screen, message_id)
        return shown

    def _put(self, chat: Chat, message_id: str, screen: Screen) -> str:
        if screen.preview or screen.album or not chat.has(message_id):
            return self._show(chat, screen)
        chat.replace(message_id, self._card(chat, screen))
        return message_id

    def _show(self, chat: Chat, screen: Screen) -> str:
        message_id = ""
        if screen.album:
            pictures = [
                {"url": f"/console/pictures/{chat.keep_picture(one.png)}", "title": one.title, "words": one.words}
                for one in screen.album
            ]
            message_id = chat.add("bot", self.clock.now(), {"album": pictures})
        if screen.preview:
            messages = [wire.message(one) for one in screen.preview]
            message_id = chat.add("bot", self.clock.now(), {"preview": messages})
        if screen.text:
            message_id = chat.add("bot", self.clock.now(), self._card(chat, screen))
        return message_id

    def _card(self, chat: Chat, screen: Screen) -> wire.Json:
        picture = f"/console/pictures/{chat.keep_picture(screen.picture)}" if screen.picture else None
        return wire.card(screen, picture, [(one.name, f"/console/saved/{chat.keep_file(one)}") for one in screen.files])


def _attached(attachment: Attachment) -> wire.Json:
    return {
        "kind": attachment.kind.value,
        "url": wire.media_address(attachment.source),
        "name": attachment.name or "",
    }
