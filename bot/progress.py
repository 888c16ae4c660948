"""Live cards kept up to date, and what happened told to those it concerns."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.announcements import FOR_OWNERS, Announcements, moved_on
from bot.dialogs.live import live_card
from bot.dialogs.talk import House
from bot.screens import Busy, People, Person, Screen, Surface, Unreachable, shown_hash
from bot.texts import Texts
from engine.access import may
from engine.clock import Clock
from engine.errors import NotFound
from engine.settings import EngineSettings
from storage.conversations import Card
from storage.records import Actor, Mailing, Notice, Role, Status

if TYPE_CHECKING:
    from engine.operations import Operations
    from storage.store import Store

log = logging.getLogger(__name__)

EDIT_EVERY_S = 3.0  # one card; Telegram bears about one call a second and chat
EDIT_IN_GROUP_EVERY_S = 6.0  # a group of Telegram's bears 20 calls a minute; core.telegram.org/bots/faq, Bot API 10.2
_LOOK_EVERY_S = 0.5
_PAUSE_AFTER_FAILURE_S = (2.0, 5.0, 15.0, 60.0)
_LASTING = (Status.SENDING, Status.PAUSED, Status.INTERRUPTED, Status.SCHEDULED)


@dataclass(slots=True)
class _Pause:
    """Until when a surface is left alone, and how often in a row it failed."""

    until_s: float = 0.0
    failures: int = 0


class LiveCards:
    """Run `run` as a task. Cards and notices are in storage, so both go on after a restart.

    `team_chats` are chats by surface where starts, pauses and finishes are told besides who launched."""

    def __init__(
        self,
        *,
        operations: "Operations",
        store: "Store",
        surfaces: Mapping[str, Surface],
        people: People,
        settings: EngineSettings,
        house: House,
        clock: Clock,
        team_chats: Mapping[str, str] | None = None,
    ) -> None:
        self._operations = operations
        self._store = store
        self._surfaces = surfaces
        self._people = people
        self._settings = settings
        self._house = house
        self._announcements = Announcements(operations, house, clock)
        self._clock = clock
        self._team_chats = team_chats or {}
        self._pauses = {name: _Pause() for name in surfaces}
        self._changed: dict[int, tuple[str | None, float]] = {}  # what a card shows, and since when as far as we know
        self._has_looked = False
        self._told: set[tuple[int, str, str]] = set()

    async def run(self) -> None:
        while True:
            try:
                await self.tick()
            except Exception:
                # Whatever broke here, mailings go on; the next look tries again.
                log.exception("live cards could not be kept up to date")
            await self._clock.sleep(_LOOK_EVERY_S)

    async def tick(self) -> None:
        """Bring every card that is due up to date, then tell what happened."""
        cards = [one for one in await self._store.conversations.open_cards() if one.surface in self._surfaces]
        await self._together(
            self._keep_cards(name, [one for one in cards if one.surface == name]) for name in self._surfaces
        )
        self._has_looked = True
        await self._announce(await self._operations.notices())

    async def _together(self, work: Iterable[Any]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for one in work:
                tasks.create_task(one, name="live cards of a surface")

    # --- cards ---

    async def _keep_cards(self, surface: str, cards: list[Card]) -> None:
        """One slow surface holds up no other."""
        newest = {(one.chat, one.mailing_id): one.id for one in cards}  # cards come in the order of their ids
        # Who waits longest goes first: a surface that takes few edits would serve the same ones again and again.
        for one in sorted(cards, key=lambda card: self._changed.get(card.id, (None, float("-inf")))[1]):
            if self._is_paused(surface):
                return
            if self._is_due(one):
                await self._keep(one, is_newest=newest[one.chat, one.mailing_id] == one.id)

    def _is_due(self, one: Card) -> bool:
        """Whether it stood unchanged for as long as it must; the answer to a press changes it too."""
        now_s = self._clock.monotonic()
        shown, since_s = self._changed.get(one.id, (None, now_s))
        if one.id not in self._changed and not self._has_looked:
            since_s = float("-inf")  # from before a restart
        elif shown != one.shown:
            since_s = now_s
        self._changed[one.id] = (one.shown, since_s)
        return now_s - since_s >= (EDIT_EVERY_S if one.chat == one.account else EDIT_IN_GROUP_EVERY_S)

    async def _keep(self, one: Card, *, is_newest: bool) -> None:
        t = self._texts(one.surface, one.account)
        try:
            mailing = await self._operations.get(one.mailing_id)
            figures = await self._operations.figures(one.mailing_id)
        except NotFound:
            await self._close(one)
            return
        screen = live_card(t, mailing, figures, self._clock.now())
        if not is_newest:
            screen = moved_on(t, mailing)
        is_last = not is_newest or mailing.status not in _LASTING
        if shown_hash(screen) != one.shown and not await self._edit(one, screen):
            return
        if is_last:
            await self._close(one)

    async def _edit(self, one: Card, screen: Screen) -> bool:
        """Whether the card shows it now."""
        try:
            message_id = await self._surfaces[one.surface].edit(one.chat, one.message_id, screen)
        except Unreachable:
            await self._close(one)
            return False
        except Exception as error:  # noqa: BLE001  # a surface that fails must not end the cards of the others
            self._pause(one.surface, error)
            return False
        self._pauses[one.surface].failures = 0
        self._changed[one.id] = (shown_hash(screen), self._clock.monotonic())
        await self._store.conversations.card_shown(one.id, message_id, shown_hash(screen))
        return True

    async def _close(self, one: Card) -> None:
        self._changed.pop(one.id, None)
        await self._store.conversations.close_card(one.id)

    # --- notices ---

    async def _announce(self, notices: Iterable[Notice]) -> None:
        """Tell each in order, and mark it told once it is shown to everybody who can be reached."""
        for notice in notices:
            mailing = await self._mailing_of(notice)
            places = self._places(notice)
            shown = [await self._tell(notice, mailing, *place) for place in places]
            if all(shown):
                await self._operations.mark_told(notice.id)
                self._told -= {(notice.id, surface, chat) for surface, chat, _person in places}

    async def _mailing_of(self, notice: Notice) -> Mailing | None:
        if notice.mailing_id is None:
            return None
        try:
            return await self._operations.get(notice.mailing_id)
        except NotFound:
            return None

    def _places(self, notice: Notice) -> list[tuple[str, str, Person | None]]:
        """Where a notice is told: to who launched it and the team; where that was no person, to the owners.

        Of the stop switch the owners are told, but for who pressed it."""
        actor: Actor | None = notice.actor
        places: list[tuple[str, str, Person | None]] = []
        if notice.kind == "approval_asked":  # whoever may say yes or no, so not who asks
            places += [
                (surface, account, person)
                for (surface, account), person in self._people.items()
                if may(person.role, "approve")
                and surface in self._surfaces
                and (not actor or person.name != actor.name)
            ]
        elif notice.kind not in FOR_OWNERS and (presser := self._person_of(actor)) is not None:
            places.append((*presser, self._people[presser]))
        elif not self._team_chats or notice.kind in FOR_OWNERS:
            presser = (actor.surface, actor.account) if actor is not None and notice.kind in FOR_OWNERS else None
            places += [
                (surface, account, person)
                for (surface, account), person in self._people.items()
                if person.role == Role.OWNER and surface in self._surfaces and (surface, account) != presser
            ]
        places += [(surface, chat, None) for surface, chat in self._team_chats.items() if surface in self._surfaces]
        return list({(surface, chat): (surface, chat, person) for surface, chat, person in places}.values())

    def _person_of(self, actor: Actor | None) -> tuple[str, str] | None:
        """The account of who did it; None where that was no person, or one who was removed since."""
        account = (actor.surface, actor.account) if actor is not None else ("", "")
        return account if account[0] in self._surfaces and account in self._people else None

    async def _tell(
        self, notice: Notice, mailing: Mailing | None, surface: str, chat: str, person: Person | None
    ) -> bool:
        """Whether it is shown there, or can never be."""
        if (notice.id, surface, chat) in self._told:
            return True
        if self._is_paused(surface):
            return False
        own = notice.actor is not None and (surface, chat) == (notice.actor.surface, notice.actor.account)
        screen = await self._announcements.screen(self._texts_of(person), notice, mailing, own=own)
        if screen is not None:
            try:
                message_id = await self._surfaces[surface].show(chat, screen)
            except Unreachable:
                log.warning("an announcement can't be shown", extra={"surface": surface, "notice": notice.id})
            except Exception as error:  # noqa: BLE001  # as for cards
                self._pause(surface, error)
                return False
            else:
                if screen.live is not None:  # only who launched it is told with its card
                    shown = shown_hash(screen)
                    await self._store.conversations.follow(screen.live, surface, chat, message_id, chat, shown)
        self._told.add((notice.id, surface, chat))
        return True

    # --- surfaces ---

    def _texts(self, surface: str, account: str) -> Texts:
        return self._texts_of(self._people.get((surface, account)))

    def _texts_of(self, person: Person | None) -> Texts:
        locale = (person.locale if person else None) or self._house.locale
        return Texts(locale, (person.timezone if person else None) or self._settings.timezone)

    def _is_paused(self, surface: str) -> bool:
        return self._clock.monotonic() < self._pauses[surface].until_s

    def _pause(self, surface: str, error: Exception) -> None:
        """Leave the surface alone: as long as it asks, or a little longer at each failure."""
        pause = self._pauses[surface]
        if isinstance(error, Busy):
            wait_s = error.retry_after_s
        else:
            wait_s = _PAUSE_AFTER_FAILURE_S[min(pause.failures, len(_PAUSE_AFTER_FAILURE_S) - 1)]
            pause.failures += 1
        pause.until_s = self._clock.monotonic() + wait_s
        log.warning(
            "a surface does not take cards", extra={"surface": surface, "wait_s": wait_s, "error": type(error).__name__}
        )
