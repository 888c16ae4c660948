"""One event being answered: what a dialog knows of the person, and the small things that every card needs."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from bot.screens import MAX_TOKEN_BYTES, Button, Event, Person, Said, Screen, Style
from bot.texts import Html, Texts, _
from engine.clock import Clock
from engine.errors import Invalid, NotFound
from engine.settings import EngineSettings
from storage.records import Actor, Mailing

if TYPE_CHECKING:
    from bot.people import Everybody
    from engine.operations import Operations
    from storage.store import Store

PAGE: Final = 8  # rows of a list on one card
_MAX_LABEL: Final = 40  # characters of a button that still show on a phone

Rows = list[tuple[Button, ...]]
Screens = list[Screen]


@dataclass(frozen=True, slots=True)
class House:
    """What the conversation says of the installation it serves."""

    name: str = "Carillon"
    locale: str = "en"
    support: str | None = None


@dataclass(slots=True)
class Talk:
    """Everything a dialog may use to answer one event. `state` is kept between events, and is plain JSON."""

    event: Event
    person: Person
    actor: Actor
    t: Texts
    state: dict[str, Any]
    operations: "Operations"
    store: "Store"
    clock: Clock
    settings: EngineSettings
    house: House
    may: Callable[[str], bool]
    speak: Callable[[str], Awaitable[None]]  # from now on, this language
    people: "Everybody"

    def ask(self, name: str, *args: object) -> None:
        """What the person says next is the answer to this; it holds until the next card."""
        self.state["ask"] = [name, *(str(arg) for arg in args)]

    @property
    def asked(self) -> list[str]:
        return list(self.state.get("ask") or ())


class Reads(Protocol):
    """What a card needs that is told also when nobody has asked: whose words, and how the engine is set."""

    @property
    def t(self) -> Texts: ...

    @property
    def settings(self) -> EngineSettings: ...


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who is told something."""

    t: Texts
    settings: EngineSettings


Opens = Callable[..., Awaitable[Screens]]


@dataclass(frozen=True, slots=True)
class Route:
    """What a press or a command leads to, and the right it needs.

    `takes` says what a press's token carries after its name: "n" a number, "w" a short word, "?" after what may be
    absent; a token that carries anything else was not made by us. `fresh` opens the card that a stale press gets."""

    verb: str
    open: Opens
    takes: str = ""
    fresh: Opens | None = None

    def fits(self, args: Sequence[str]) -> bool:
        pattern = "".join(f"(?::{_TAKEN[kind]}){optional}" for kind, optional in _KINDS.findall(self.takes))
        return re.fullmatch(pattern, "".join(f":{arg}" for arg in args)) is not None


_KINDS = re.compile(r"([nw])(\??)")
_TAKEN = {"n": r"[0-9]{1,15}", "w": r"[a-z0-9_]{1,20}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What hears the answer to a question: `hear(talk, said, *args)`; `fresh` as a route's."""

    verb: str
    hear: Callable[..., Awaitable[Screens]]
    fresh: Opens | None = None


def token(name: str, *args: object) -> str:
    made = ":".join([name, *(str(arg) for arg in args)])
    if len(made.encode()) > MAX_TOKEN_BYTES:
        raise ValueError(f"the token {name} is too long")
    return made


def digest(words: str) -> str:
    """A short name for something too long for a token, found again by `chosen`."""
    return hashlib.blake2b(words.encode(), digest_size=6).hexdigest()


def chosen(names: Sequence[str], short: str) -> str:
    """The one of `names` that a token means. Raises NotFound when it has gone in between."""
    for name in names:
        if digest(name) == short:
            return name
    raise NotFound(_("That is no longer in the list; choose again."))


def button(label: str, name: str, *args: object, style: Style = Style.PLAIN) -> Button:
    return Button(short(label, _MAX_LABEL), token(name, *args), style)


def primary(label: str, name: str, *args: object) -> Button:
    return Button(label, token(name, *args), Style.PRIMARY)


def danger(label: str, name: str, *args: object) -> Button:
    return Button(label, token(name, *args), Style.DANGER)


def short(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def in_rows(buttons: Sequence[Button], across: int) -> Rows:
    return [tuple(buttons[at : at + across]) for at in range(0, len(buttons), across)]


def turner(talk: Talk, page: int, more: bool, name: str, *args: object) -> Rows:
    """Earlier and later pages of a list; the page stands last in the token."""
    row = []
    if page > 0:
        row.append(button(talk.t("◀ Back a page"), name, *args, page - 1))
    if more:
        row.append(button(talk.t("More ▶"), name, *args, page + 1))
    return [tuple(row)] if row else []


def footer(talk: Talk, back: Button | None = None, *, leave: int | None = None) -> tuple[Button, ...]:
    """The way back and the way out, which every card has; `leave` is the draft that stays saved."""
    out = button(talk.t("Cancel"), "c:leave", leave) if leave else button(talk.t("Menu"), "h")
    return (back, out) if back else (out,)


def card(text: str, rows: Sequence[tuple[Button, ...]] = (), *, ask: str = "", **more: Any) -> Screen:
    """A card that replaces the one that was pressed."""
    return Screen(text=text, rows=tuple(rows), ask=ask, edit=True, **more)


def paragraphs(*pieces: str | None) -> Html:
    return Html("\n\n".join(piece for piece in pieces if piece))


def lines(*pieces: str | None) -> Html:
    return Html("\n".join(piece for piece in pieces if piece))


def number_of(words: str) -> int:
    """The mailing that somebody typed: "7" or "#7". Raises Invalid."""
    digits = words.strip().lstrip("#№").strip()
    if not digits.isdecimal() or len(digits) > 12:
        raise Invalid(_("“{words}” is no number of a mailing; the list in /mailings has them."), words=short(words, 40))
    return int(digits)


async def find_mailing(talk: Talk, words: str) -> Mailing:
    """The mailing that somebody named by number or by a piece of its name. Raises NotFound and Invalid."""
    if words.strip().lstrip("#№").strip().isdecimal():
        return await talk.operations.get(number_of(words))
    found = await talk.operations.list_mailings(search=words.strip(), limit=2, archived=None)
    if not found:
        raise NotFound(_("There is no mailing “{words}”; the list is in /mailings."), words=short(words.strip(), 60))
    return await talk.operations.get(found[0].id)


def plain_words(said: Said) -> str:
    """What was typed, without formatting: for names, numbers and dates."""
    from gateways.markup import InvalidMarkup, read_html

    try:
        return read_html(said.text).text.strip()
    except InvalidMarkup:
        return said.text.strip()
