"""Four people who press and type at random on one desk, with restarts in between; and how cards are judged."""

import random
import re
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import func, select

from bot.conversation import _route_of
from bot.dialogs.routes import PRESSES
from bot.people import Everybody
from bot.screens import Attachment, Said, Screen
from bot.texts import Texts
from gateways.base import PartKind
from gateways.markup import read_html
from gateways.message import Point
from storage.records import Actor, Role
from storage.schema import audit
from tests.bot.bazaar import launch_some
from tests.bot.chat import PEOPLE, Chat
from tests.bot.conftest import Desk
from tests.bot.touring import things_on

BROKEN = "Sorry, something broke on my side. Nothing was sent by it; try again, or start from the menu."
LAUNCHING = ("l:go:", "m:again:", "ap:yes:")
LEFT_ALONE = "lang"  # who speaks which language is the walk's own
TEXTS = (
    "Hello {{ client.first_name }}",
    "{{ client.nothing }}",
    "Open - https://acme.test",
    "vip",
    "city is Kyiv",
    "ltv >= 10",
    "tomorrow 10:00",
    "in 2 hours",
    "10",
    "Ann",
    "1",
    "#2",
    "tg-shop 1001",
    "<b>&",
    "week",
    "",
    "ще щось",
    "50.45, 30.52",
    "https://acme.test/a.png",
    "19.90 EUR",
    "8:30",
    "/new",
    "/now",
    "/mailings",
    "/mailings 1",
    "/after 1",
    "/stats week",
    "/check",
    "/audience",
    "/send",
    "/copy 1",
    "/why 1 Ann",
    "/clients Iryna",
    "/approval",
    "/saved",
    "/segments",
    "/digest",
    "/people",
    "/channels",
    "/stop",
    "/go",
    "/delete 1",
    "/edit 1",
    "/start",
)
ODD = (
    Said(unusable="sticker"),
    Said(problem="It can't be fetched."),
    Said(location=Point(1.0, 2.0)),
    Said(text="caption", attachments=(Attachment(PartKind.PICTURE, "media:" + "a" * 64 + ".jpg"),)),
)
GOOD = {
    "c.name": ("Autumn",),
    "b.lines": ("Open - https://acme.test",),
    "b.label": ("Look",),
    "b.target": ("https://acme.test", "SKU-1"),
    "b.price": ("19.90 EUR",),
    "f.word": ("friend",),
    "f.instead": ("Hello",),
    "l.typed": ("tomorrow 10:00", "10"),
    "l.few": ("2", "10 %"),
    "a.save": ("Regulars",),
    "g.new": ("Fresh",),
    "v.keep": ("Kept",),
    "v.name": ("Kept too",),
    "k.find": ("Ann", "Client"),
    "k.in": ("She asked on the phone",),
    "k.merge": ("Iryna",),
    "d.hour": ("8:30",),
    "d.zone": ("Warsaw",),
    "p.name": ("Petro",),
    "ch.top": ("500",),
    "ap.why": ("Not today",),
    "s.which": ("1",),
    "k.why": ("1",),
    "w.name": ("autumn_sale",),
    "w.language": ("en-us",),
    "w.body": ("Hi {{ client.first_name }}, {{discount}} off!",),
    "w.head": ("Sale",),
    "w.footer": ("Acme",),
    "w.eg": ("30%",),
    "w.put": ("off",),
    "w.label": ("Open",),
    "w.target": ("acme.test/s/{{1}}",),
    "w.end": ("spring",),
}

PETRO = "1004"
OSTAP = Actor("Ostap", Role.OWNER, "telegram", "1002")

_AS_IT_IS = re.compile(
    r"media:\w+\.jpg|join-[\w-]+|https?://\S*|/[a-z]+|[\w.]+_[\w.]+|client\.\w+|\[\[\w+\]\]|Telegram|Carillon|WhatsApp|Viber|VK|\b[Ii]d\b"
)
_TYPED = " ".join((*TEXTS, *(one for each in GOOD.values() for one in each), *map(str, ODD)))
_OURS = set(
    """
    Acme Olha Ostap Maria Petro Ann Lee Bohdan Kit Iryna Sova Max Orlov Bob Client Test Ukrainians Kyiv Lviv Europe UTC
    tg wa sms shop club city ltv language channel last seen created wrote subscribed to connection tag test ops copy
    sale photo word Hi off Look en uk ru es de pl amp plan default SKU GSM CSV XLSX Excel config toml approval phone
    tags timezone Wattsap SMS Manager Sale News Later For all City email free run carillon
    spring csv Nina Wrong
    """.split()  # noqa: SIM905  # a word to a line would fill pages
) | set(re.findall("[A-Za-z]{2,}", _TYPED))


def require_no_english(screen: Screen) -> None:
    """Every word is of another alphabet, or a name of ours, or something that somebody typed."""
    shown = " ".join([read_html(screen.text).text, screen.ask, screen.toast])
    for words in (shown, *(one.label for row in screen.rows for one in row), *(one.title for one in screen.album)):
        left = set(re.findall(r"[A-Za-z]{2,}", _AS_IT_IS.sub(" ", words))) - _OURS
        assert not left, (left, words)


@dataclass(slots=True)
class Walk:
    """Several people on one desk, each at their own cards and at each other's."""

    desk: Desk
    dice: random.Random
    language: str
    chats: dict[str, Chat] = field(default_factory=dict)
    visits: Counter[str] = field(default_factory=Counter)
    things: tuple[Said, ...] = ()

    async def begin(self) -> None:
        await launch_some(self.desk)
        self.things = tuple(things_on(self.desk).values())
        for account in ("1001", "1002", "1003"):
            self.chats[account] = self.desk.chat(account)
            await self._greet(self.chats[account], "/start")
        await self._let_in()

    async def _greet(self, chat: Chat, words: str) -> None:
        await chat.say(words)
        await chat.press_token(f"lang:is:{self.language}")

    async def _let_in(self) -> None:
        """Petro came by invitation: an owner can remove him, give him a role, and invite him again."""
        people = Everybody(PEOPLE, self.desk.store)
        await people.load()
        if ("telegram", PETRO) in people:
            return
        _invitation, code = await people.invite("Petro", self.dice.choice(list(Role)), OSTAP, self.desk.clock.now())
        self.chats[PETRO] = self.desk.chat(PETRO)
        await self._greet(self.chats[PETRO], f"/start {code}")

    async def step(self) -> None:
        account = self.dice.choices(list(self.chats), (4, 4, 1, 1))[0]
        chat = self.chats[account]
        did = self.dice.random()
        before = await self._launches()
        pressed = ""
        if did < 0.55:
            pressed = await self._press(chat)
        elif did < 0.6:
            pressed = await self._press(chat, self.dice.choice(list(self.chats.values())))
        elif did < 0.63:
            await chat.press_token(self._forged(chat))
        elif did < 0.9:
            await self._say(chat)
        elif did < 0.95:
            await chat.send(self.dice.choice((*ODD, *self.things)))
        else:
            await self._happen(account)
            return
        self._judge(chat)
        if await self._launches() > before:
            assert pressed.startswith(LAUNCHING), f"launched by “{pressed}”"
        await self._let_in()

    async def _press(self, chat: Chat, of: Chat | None = None) -> str:
        buttons = [(message, one) for message in (of or chat).messages[-4:] for one in message.buttons]
        buttons = [(message, one) for message, one in buttons if one.token and not one.token.startswith(LEFT_ALONE)]
        if not buttons:
            await chat.say("/start")
            return ""
        weights = [1 / (1 + self.visits[_route_of(one.token)[0]]) ** 2 for _message, one in buttons]
        [(message, button)] = self.dice.choices(buttons, weights)
        self.visits[_route_of(button.token)[0]] += 1
        chat.transcript.append(f"> [{button.label}] {button.token}")
        await chat.press_token(button.token, message.id if of is None else "")
        return button.token

    def _forged(self, chat: Chat) -> str:
        """A token of another version, or of somebody who plays with us."""
        tokens = [one.token for message in chat.messages[-4:] for one in message.buttons if one.token]
        token = self.dice.choice([*tokens, *PRESSES])
        name, args = _route_of(token)
        takes = re.findall(r"[nw]", PRESSES[name].takes) if name in PRESSES else []
        made = {"n": ("0", "1", "7", "999999999999999"), "w": ("all", "x", "tg", "saved", "week", "r0", "is")}
        forged = [self.dice.choice((*made[kind], *args)) for kind in takes]
        token = ":".join([name, *forged])
        if token.startswith((LEFT_ALONE, *LAUNCHING)):
            token = "zz:1"
        chat.transcript.append(f"> forged {token}")
        return token

    async def _say(self, chat: Chat) -> None:
        asked = (await chat.conversation.asked("telegram", chat.account, chat.account)).partition(" ")[0]
        good = GOOD.get(asked, ())
        await chat.say(self.dice.choice(good if good and self.dice.random() < 0.6 else TEXTS))

    async def _happen(self, account: str) -> None:
        """A restart, or an hour that passes."""
        if self.dice.random() < 0.5:
            await self.desk.clock.advance(3600)
            return
        old = self.chats[account]
        self.chats[account] = self.desk.chat(account, messages=old.messages[-8:])

    def _judge(self, chat: Chat) -> None:
        told = "\n".join(chat.transcript[-6:])
        assert chat.answer, f"no answer: {told}"
        assert chat.labels(), f"no way on: {told}"
        broke = Texts(self.language).plain(BROKEN)
        for screen in chat.answer:
            assert broke not in read_html(screen.text).text, told
            if self.language != "en":
                require_no_english(screen)

    async def _launches(self) -> int:
        async with self.desk.store.database.read() as connection:
            wanted = select(func.count()).where(audit.c.verb.in_(("launch", "launch_again")))
            return int(await connection.scalar(wanted) or 0)
