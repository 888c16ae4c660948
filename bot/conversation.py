"""The conversation, without any messenger in it: who is it, may they, which dialog, what is answered."""

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from html import escape
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from bot.dialogs import compose, home, spoken, stats, writing
from bot.dialogs.routes import ANSWERS, BACK, BACK_TO, COMMANDS, PRESSES
from bot.dialogs.talk import House, Opens, Rows, Screens, Talk, button, card, in_rows, paragraphs, plain_words
from bot.languages import locale_for
from bot.people import Everybody, code_in
from bot.screens import Command, Event, Person, Press, Said, Screen, actor_of, shown_hash, with_note
from bot.texts import Html, Texts, _
from engine.access import may
from engine.clock import Clock
from engine.errors import Invalid, Refused, Stale
from engine.settings import EngineSettings
from storage.conversations import Place

if TYPE_CHECKING:
    from engine.operations import Operations
    from storage.store import Store

log = logging.getLogger(__name__)

_ONLY_OWNER = _("Only an owner lets sending go on.")
_NOT_YOURS = _("Your role does not include that; ask an owner.")
_STATISTICS_ONLY = _("You may ask for statistics: /stats. For more, ask an owner.")

_SEEN_KEPT = 30  # keys of a chat's last events, kept with its state
_SEEN_IN_MEMORY = 10_000
_UNKEPT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_PREVIEW_BUTTON = re.compile(r"c\d+\.\d+")  # what engine.personalise gives the buttons of clients


class Conversation:
    """`handle` answers one event, `shown` is told where a live card stands. A chat is answered in order."""

    def __init__(
        self,
        *,
        operations: "Operations",
        store: "Store",
        people: Everybody,
        settings: EngineSettings,
        house: House,
        clock: Clock,
    ) -> None:
        self._operations = operations
        self._store = store
        self._people = people
        self._settings = settings
        self._house = house
        self._clock = clock
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def handle(self, event: Event) -> list[Screen]:
        """The screens that answer; none for a repeated event, and for a stranger who has been told already.

        Where the person is in a dialog is committed before this returns. Never raises but for cancellation."""
        lock = self._locks.setdefault((event.surface, event.chat), asyncio.Lock())
        async with lock:
            try:
                return await self._handle(event)
            except Exception:
                log.exception("the conversation failed", extra={"surface": event.surface, "what": _kind(event)})
                return [self._sorry(event)]

    async def shown(self, event: Event, screen: Screen, message_id: str) -> None:
        """The screen stands in the chat now: a live card is followed from here on, any other is not."""
        if screen.live is not None:
            await self._store.conversations.follow(
                screen.live, event.surface, event.chat, message_id, event.account, shown_hash(screen)
            )
        elif isinstance(event.what, Press) and event.what.message_id == message_id:
            await self._store.conversations.unfollow(event.surface, event.chat, message_id)

    async def asked(self, surface: str, account: str, chat: str) -> str:
        """What the person's next words answer there: the same as long as nothing else was said or pressed."""
        place = await self._store.conversations.find_place(surface, account, chat)
        return " ".join(place.state.get("ask") or ())

    async def _handle(self, event: Event) -> list[Screen]:
        event = _clean(event)
        place = await self._store.conversations.find_place(event.surface, event.account, event.chat)
        if self._is_repeated(event, place):
            return []
        person = await self._meet(event)
        if code := code_in(event):
            event = replace(event, what=Command("join", code))
        joined = person is None and bool(code)
        if person is None:
            try:
                person = await self._let_in(event, code)
            except Invalid as error:
                return await self._not_let_in(event, place, error)
        if person is None:
            return await self._turn_away(event, place)
        if joined:
            place = replace(place, state={})
        state = {name: value for name, value in place.state.items() if name not in ("seen", "refused")}
        screens = await self._welcome(event, person, state) if joined else await self._answered(event, person, state)
        await self._keep(event, place, person.name, state)
        return screens

    async def _meet(self, event: Event) -> Person | None:
        """Who it is, with the language that they chose, or that the messenger told when it was the first time."""
        await self._people.load()
        person = self._people.get((event.surface, event.account))
        if person is not None and event.language:
            await self._people.meet(person.name, event.language)
            person = self._people[event.surface, event.account]
        return person

    async def _let_in(self, event: Event, code: str) -> Person | None:
        """Who shows the code of an invitation becomes the person that it names. Raises Refused."""
        if not code:
            return None
        person = await self._people.join(code, event.surface, event.account, self._clock.now())
        return await self._meet(event) if person is not None else None

    async def _not_let_in(self, event: Event, place: Place, error: Invalid) -> list[Screen]:
        """The code is one of ours and works no more: that is told, because an owner gave it to somebody."""
        await self._keep(event, place, "", {"refused": True})
        t = Texts(locale_for(event.language, self._house.locale), self._settings.timezone)
        return [Screen(t("⚠ {why}", why=t.error(error)))]

    async def _welcome(self, event: Event, person: Person, state: dict[str, Any]) -> list[Screen]:
        """The menu, with a greeting above it."""
        log.info("somebody joined", extra={"surface": event.surface})
        screens = await self._answered(replace(event, what=Command("start")), person, state)
        t = self._talk(event, person, state).t
        note = t("👋 Welcome! You belong to the team now, as {role}.", role=person.role.value)
        return [with_note(screens[0], note), *screens[1:]]

    def _is_repeated(self, event: Event, place: Place) -> bool:
        return (event.surface, event.key) in self._seen or event.key in place.state.get("seen", ())

    async def _keep(self, event: Event, place: Place, name: str, state: Mapping[str, Any]) -> None:
        seen = [*place.state.get("seen", ()), event.key][-_SEEN_KEPT:]
        await self._store.conversations.save_place(
            Place(event.surface, event.account, event.chat, name, {**state, "seen": seen})
        )
        self._seen[event.surface, event.key] = None
        while len(self._seen) > _SEEN_IN_MEMORY:
            self._seen.popitem(last=False)

    async def _turn_away(self, event: Event, place: Place) -> list[Screen]:
        """A stranger gets one polite sentence, once, and nothing else."""
        if place.state.get("refused"):
            return []
        await self._keep(event, place, "", {"refused": True})
        t = Texts(locale_for(event.language, self._house.locale), self._settings.timezone)
        log.info("a stranger was turned away", extra={"surface": event.surface})
        return [
            Screen(
                t(
                    "Sorry, I work for the team of {house} only; if you belong to it, ask an owner to add you "
                    "(your number here is {account}).",
                    house=self._house.name,
                    account=event.account,
                )
            )
        ]

    async def _answered(self, event: Event, person: Person, state: dict[str, Any]) -> list[Screen]:
        talk = self._talk(event, person, state)
        before = dict(state)
        try:
            screens = await self._answer(talk)
        except Invalid as error:
            _restore(state, before)
            return [_told(talk, error)]
        except Exception:
            _restore(state, before)
            log.exception("an answer failed", extra={"surface": event.surface, "what": _kind(event)})
            return [self._sorry(event, talk.t)]
        if screens:
            state["ways"] = spoken.ways_of(screens)
        return screens

    def _talk(self, event: Event, person: Person, state: dict[str, Any]) -> Talk:
        return Talk(
            event=event,
            person=person,
            actor=actor_of(person, event),
            t=Texts(person.locale or self._house.locale, person.timezone or self._settings.timezone),
            state=state,
            operations=self._operations,
            store=self._store,
            clock=self._clock,
            settings=self._settings,
            house=self._house,
            may=lambda verb: may(person.role, verb),
            speak=lambda language: self._people.speak(person.name, language),
            people=self._people,
        )

    async def _answer(self, talk: Talk) -> Screens:
        match talk.event.what:
            case Press(token=token):
                return await _press(talk, token)
            case Command(name=name, args=args):
                return await _command(talk, name, args)
            case Said() as said:
                return await _said(talk, said)

    def _sorry(self, event: Event, texts: Texts | None = None) -> Screen:
        """Something of ours broke: apologise, and say whom to tell."""
        t = texts or Texts(self._house.locale, self._settings.timezone)
        support = self._house.support
        text = paragraphs(
            t("Sorry, something broke on my side. Nothing was sent by it; try again, or start from the menu."),
            t("If it stays so, tell {support}.", support=support) if support else None,
        )
        return Screen(text, rows=((button(t("Menu"), "h"),),))


async def _press(talk: Talk, token: str) -> Screens:
    name, args = _route_of(token)
    route = PRESSES.get(name)
    if route is None or not route.fits(args):
        return await _unknown_press(talk, token)  # forged, or made by another version
    _require(talk, route.verb)
    talk.state.pop("ask", None)
    try:
        return await route.open(talk, *args)
    except Stale as error:
        return await _fresh(talk, route.fresh, args, error)


async def _unknown_press(talk: Talk, token: str) -> Screens:
    t = talk.t
    if _PREVIEW_BUTTON.fullmatch(token):
        note = t("That button belongs to the message: when a client presses it, it is counted.")
    else:
        note = t("I don't know that button any more.")
    return [with_note(screen, note) for screen in await home.open_home(talk)]


async def _command(talk: Talk, name: str, args: str) -> Screens:
    route = COMMANDS.get(name)
    if route is None:
        known = [one for one, at in COMMANDS.items() if talk.may(at.verb)]
        near = get_close_matches(name, known, n=1)
        hint = talk.t("Did you mean /{near}?", near=near[0]) if near else talk.t("/help lists what I understand.")
        text = talk.t("I don't know /{name}. {hint}", name=name[:40], hint=hint)
        return [card(text, [(button(talk.t("Menu"), "h"), button(talk.t("Help"), "h:help"))])]
    _require(talk, route.verb)
    talk.state.pop("ask", None)
    return await route.open(talk, args) if args.strip() else await route.open(talk)


async def _said(talk: Talk, said: Said) -> Screens:
    asked = talk.asked
    if not talk.event.private and not asked:
        return []  # people of a group talk to each other
    words = "" if said.attachments else plain_words(said)
    if way := spoken.way_of(words, talk.state.get("ways") or {}):
        return await _press(talk, way)
    if command := spoken.command_of(words, asked):
        return await _command(talk, command, "")
    answer = ANSWERS.get(asked[0]) if asked else None
    if answer is None or not talk.may(answer.verb):
        return await _unasked(talk, said)
    try:
        return await answer.hear(talk, said, *asked[1:])
    except Stale as error:
        return await _fresh(talk, answer.fresh, asked[1:], error)


async def _unasked(talk: Talk, said: Said) -> Screens:
    """Something said when nothing was asked: a question, or the start of a mailing."""
    words = "" if said.attachments or said.forwarded else plain_words(said)
    if words and (answer := await stats.hear_question(talk, words)):
        return answer
    if talk.may("compose"):
        return await compose.hear_anything(talk, said)
    if words:
        return await stats.hear_which(talk, said)
    return await home.did_not_understand(talk, said)


async def _fresh(talk: Talk, fresh: Opens | None, args: Sequence[str], error: Stale) -> Screens:
    """A stale press: said in one sentence, with the card as it is now."""
    if fresh is None:
        raise error
    screens = await fresh(talk, *args)
    return [*screens[:-1], with_note(screens[-1], talk.t.error(error))]


def _require(talk: Talk, verb: str) -> None:
    if talk.may(verb):
        return
    if verb == "go":
        raise Refused(_ONLY_OWNER)
    raise Refused(_NOT_YOURS if talk.may("look") else _STATISTICS_ONLY)


def _told(talk: Talk, error: Invalid) -> Screen:
    """What can't be done, in one sentence, with the ways on; what was asked stays asked."""
    t = talk.t
    rows: Rows = []
    asked = talk.asked
    back = BACK.get(asked[0].partition(".")[0]) if asked else None
    if asked and asked[0] in writing.BACK:
        rows.append(writing.way_back(talk, asked))
    elif asked and asked[0] in BACK_TO:
        of = [one for one in asked[1:2] if one.isdecimal()]
        rows.append((button(t("◀ Back"), BACK_TO[asked[0]], *of), button(t("Menu"), "h")))
    elif back and len(asked) >= 3:
        out = button(t("Menu"), "h") if back in ("g", "q") else button(t("Cancel"), "c:leave", asked[-2])
        rows.append((button(t("◀ Back"), back, *asked[-2:]), out))
    else:
        ways = [button(t("Menu"), "h")] if talk.may("compose") else [button(t("Statistics"), "s")]
        rows += in_rows(ways, 1)
    why = t.error(error)
    if talk.event.chat != talk.event.account:  # others read along, and several may have pressed
        why = Html(f"<b>{escape(talk.person.name, quote=False)}</b>: {why}")
    return Screen(t("⚠ {why}", why=why), rows=tuple(rows), aside=True)


def _clean(event: Event) -> Event:
    """The event without characters that no storage keeps and nobody sees."""
    match event.what:
        case Said(text=text) if _UNKEPT.search(text):
            return replace(event, what=replace(event.what, text=_UNKEPT.sub("", text)))
        case Command(args=args) if _UNKEPT.search(args):
            return replace(event, what=replace(event.what, args=_UNKEPT.sub("", args)))
        case _:
            return event


def _restore(state: dict[str, Any], before: Mapping[str, Any]) -> None:
    state.clear()
    state.update(before)


def _route_of(token: str) -> tuple[str, list[str]]:
    """The longest name that the token begins with, and what follows it."""
    pieces = token.split(":")
    for length in (2, 1):
        name = ":".join(pieces[:length])
        if name in PRESSES and length <= len(pieces):
            return name, pieces[length:]
    return "", pieces


def _kind(event: Event) -> str:
    match event.what:
        case Command(name=name):
            return f"/{name}" if name in COMMANDS else "command"
        case Press(token=token):
            return _route_of(token)[0] or "press"
        case _:
            return "said"
