"""A chat with the bot, for tests that read like one: say, press, see. It shows cards as a messenger would."""

import html
from dataclasses import dataclass, field, replace
from itertools import count

from bot.conversation import Conversation
from bot.dialogs.talk import House
from bot.people import Everybody
from bot.screens import Button, Command, Event, Person, Press, Said, Screen
from bot.texts import Texts
from engine.clock import Clock
from engine.operations import Operations
from engine.settings import EngineSettings
from gateways.base import Account
from gateways.markup import read_html
from storage.records import Role
from storage.store import Store
from tests.bot.rendered import require_showable

OLHA = Person("Olha", Role.OPERATOR, accounts={"telegram": "1001"})
OSTAP = Person("Ostap", Role.OWNER)
MARIA = Person("Maria", Role.MANAGER)
PEOPLE = {("telegram", "1001"): OLHA, ("telegram", "1002"): OSTAP, ("telegram", "1003"): MARIA}
ACCOUNTS = {person.name: account for (_surface, account), person in PEOPLE.items()}

_keys = count(1)


@dataclass(slots=True)
class Shown:
    """A message of ours as it stands in the chat."""

    id: str
    screen: Screen

    @property
    def text(self) -> str:
        return read_html(self.screen.text).text

    @property
    def buttons(self) -> list[Button]:
        return [one for row in self.screen.rows for one in row]


@dataclass(slots=True)
class Chat:
    """One person in one chat. `answer` are the screens of the last event."""

    conversation: Conversation
    account: str = "1001"
    chat: str = ""
    private: bool = True
    messages: list[Shown] = field(default_factory=list)
    answer: list[Screen] = field(default_factory=list)
    transcript: list[str] = field(default_factory=list)

    async def say(self, words: str = "", **said: object) -> None:
        """Type something; what begins with / is a command."""
        self.transcript.append(f"> {words}")
        if words.startswith("/") and not said:
            name, _space, args = words[1:].partition(" ")
            await self._do(Command(name, args.strip()))
        else:
            await self._do(Said(text=html.escape(words, quote=False), **said))  # type: ignore[arg-type]

    async def send(self, said: Said) -> None:
        self.transcript.append(f"> ({said.unusable or 'a message'})")
        await self._do(said)

    async def press(self, label: str) -> None:
        """Press the newest button whose label holds these words."""
        message, button = self._find(label)
        self.transcript.append(f"> [{button.label}]")
        await self.press_token(button.token, message.id)

    async def press_token(self, token: str, message_id: str = "") -> None:
        await self._do(Press(token, message_id))

    async def repeat(self, key: str, words: str) -> None:
        await self._do(Said(text=words), key=key)

    def sees(self, *words: str) -> None:
        """The last answer holds these words."""
        shown = "\n".join(read_html(screen.text).text for screen in self.answer)
        for one in words:
            assert one in shown, f"“{one}” is not in:\n{shown}"

    def sees_not(self, words: str) -> None:
        shown = "\n".join(read_html(screen.text).text for screen in self.answer)
        assert words not in shown, f"“{words}” is in:\n{shown}"

    def sees_button(self, label: str) -> Button:
        return self._find(label)[1]

    def labels(self) -> list[str]:
        return [button.label for screen in self.answer for row in screen.rows for button in row]

    def sees_nothing(self) -> None:
        assert self.answer == []

    def card(self) -> Shown:
        return self.messages[-1]

    def _find(self, label: str) -> tuple[Shown, Button]:
        for message in reversed(self.messages):
            for button in message.buttons:
                if label in button.label:
                    return message, button
        raise AssertionError(f"no button “{label}” in {[one.label for m in self.messages for one in m.buttons]}")

    async def _do(self, what: Command | Press | Said, key: str = "") -> None:
        chat = self.chat or self.account
        event = Event("telegram", self.account, chat, key or f"k{next(_keys)}", what, self.private)
        self.answer = await self.conversation.handle(event)
        pressed = what.message_id if isinstance(what, Press) else ""
        for number, screen in enumerate(self.answer):
            require_showable(screen, Texts())
            message_id = self._show(screen, pressed if number == 0 else "")
            await self.conversation.shown(event, screen, message_id)

    def _show(self, screen: Screen, pressed: str) -> str:
        if screen.album:
            self.transcript.append(f"    (pictures: {', '.join(one.title for one in screen.album)})")
        for outgoing in screen.preview:
            self.transcript.append(f"    «{outgoing.text.text}»")
        self.transcript.append(_drawn(screen))
        edited = next((one for one in self.messages if one.id == pressed), None)
        if edited is not None and screen.edit and not screen.preview:
            edited.screen = screen
            self.messages.remove(edited)
            self.messages.append(edited)
            return edited.id
        self.messages.append(Shown(str(1000 + len(self.messages) + next(_keys)), screen))
        return self.messages[-1].id


def _drawn(screen: Screen) -> str:
    text = read_html(screen.text).text
    rows = ["  ".join(f"[{one.label}]" for one in row) for row in screen.rows]
    return "\n".join(f"    {line}" for line in [*text.splitlines(), *rows])


def operations_on(store: Store, settings: EngineSettings, clock: Clock) -> Operations:
    async def check_channel(channel: str) -> Account:
        return Account(external_id=channel, name=channel)

    return Operations(store, settings, clock, check_channel=check_channel)


def conversation_on(store: Store, operations: Operations, settings: EngineSettings, clock: Clock) -> Conversation:
    return Conversation(
        operations=operations,
        store=store,
        people=Everybody(PEOPLE, store),
        settings=settings,
        house=House(name="Acme", support="ops@acme.test"),
        clock=clock,
    )


def without_buttons(screen: Screen) -> Screen:
    return replace(screen, rows=())
