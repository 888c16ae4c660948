"""The people who may use an admin bot, from the configuration and by invitation, each with the language they speak."""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from bot.languages import LANGUAGES, locale_for
from bot.screens import Command, Event, People, Person
from engine.access import require
from engine.errors import Invalid, Refused, _
from storage.audit import Audited
from storage.invitations import Invitation, Joining, Member, NewInvitation
from storage.records import Actor, Role

if TYPE_CHECKING:
    from storage.store import Store

CONSOLE: Final = "console"
INVITED_FOR = timedelta(days=7)
MAX_NAME: Final = 64  # characters, as in [[people]]
_MARK = "join-"  # so that a code is told from whatever else follows /start
# Within the 64 characters of a link to a bot; core.telegram.org/bots/features#deep-linking
_CODE = re.compile(rf"{_MARK}[A-Za-z0-9_-]{{32}}")


class Door(Protocol):
    """A surface, as somebody who was invited finds it."""

    def way_in(self, code: str) -> str:
        """A link, or what to type there; "" while that is not known."""
        ...


class Everybody(Mapping[tuple[str, str], Person]):
    """Who it is, by surface and account; it changes as people choose a language, come and go.

    `doors` are the surfaces of this process, by name; `followers` are called when somebody came, went, or has another
    role or language."""

    def __init__(self, configured: People, store: "Store") -> None:
        self.doors: dict[str, Door] = {}
        self.followers: list[Callable[[], None]] = []
        self._configured = configured
        self._preferences = store.preferences
        self._invitations = store.invitations
        self._languages: dict[str, str] | None = None
        self._members: list[Member] = []
        self._people: People = configured

    async def load(self) -> None:
        """Read what was chosen before, once in the life of a process; who came and went since, every time, because
        another process may have let them."""
        if self._languages is None:
            self._languages = await self._preferences.languages()
        members = await self._invitations.members()
        if members != self._members:
            self._members = members
            self._people = together(self._configured, members)
            self._tell()

    async def speak(self, person: str, language: str) -> None:
        """From now on the bot speaks this language with the person, wherever they meet."""
        await self._preferences.set_language(person, language)
        await self.load()
        self._languages = {**(self._languages or {}), person: language}
        self._tell()

    async def meet(self, person: str, language: str) -> None:
        """A messenger told which language the person uses there: it counts until the person chooses one."""
        await self.load()
        spoken = locale_for(language, "")
        if spoken and person not in (self._languages or {}):
            await self.speak(person, spoken)

    def _tell(self) -> None:
        for follow in self.followers:
            follow()

    # --- coming and going ---

    def named(self, name: str) -> Person | None:
        """Somebody by their name, in capitals or not."""
        return next((one for one in self.values() if one.name.casefold() == name.casefold()), None)

    def is_configured(self, name: str) -> bool:
        """Whether the person's role stands in the configuration."""
        return any(one.name == name for one in self._configured.values())

    def joined(self, name: str) -> list[Member]:
        """The accounts that the person bound by invitation."""
        return [one for one in self._members if one.person == name]

    async def invite(self, name: str, role: Role | None, by: Actor, at: datetime) -> tuple[Invitation, str]:
        """Make a one-time code; returns it with its invitation, and nobody can read it again.

        For somebody who is here already it binds a further account, and the role stays. Raises Invalid, Refused."""
        require(by, "people")
        await self.load()
        known = self.named(_as_name(name))
        if known is not None and role not in (None, known.role):
            raise Refused(_("{name} is here already, as {role}."), name=known.name, role=known.role.value)
        role = known.role if known else role
        if role is None:
            raise Invalid(_("An invitation needs a role: owner, operator, approver or manager."))
        name = known.name if known else _as_name(name)
        code = _MARK + secrets.token_urlsafe(24)
        audited = Audited(at, by, "invite", subject=name, details={"role": role.value})
        expires_at = at + INVITED_FOR
        number = await self._invitations.create(NewInvitation(name, role, code, expires_at, audited))
        return Invitation(number, name, role, by, at, expires_at), code

    async def invitations(self, at: datetime) -> list[Invitation]:
        return await self._invitations.open(at)

    async def invited(self, code: str, at: datetime) -> Invitation:
        """The invitation behind a code. Raises NotFound, Refused."""
        return await self._invitations.find(code, at)

    async def join(self, code: str, surface: str, account: str | None, at: datetime) -> Person | None:
        """Bind the account to whom the code invites; None for a code that never was. Raises Refused."""
        if not await self._invitations.knows(code):
            return None
        member = await self._invitations.join(Joining(code, surface, account, at))
        await self.load()
        return self[member.surface, member.account]

    async def revoke(self, invitation_id: int, by: Actor, at: datetime) -> None:
        require(by, "people")
        await self._invitations.revoke(invitation_id, Audited(at, by, "revoke", subject=str(invitation_id)))

    async def set_role(self, name: str, role: Role, by: Actor, at: datetime) -> None:
        _require_of_others(name, by)
        audited = Audited(at, by, "role", subject=name, details={"role": role.value})
        await self._invitations.set_role(name, role, audited)
        await self.load()

    async def remove(self, name: str, by: Actor, at: datetime) -> None:
        """From now on the person is a stranger, wherever it was by invitation."""
        _require_of_others(name, by)
        await self._invitations.remove(name, Audited(at, by, "remove", subject=name))
        await self.load()

    # --- as a mapping ---

    def __getitem__(self, key: tuple[str, str]) -> Person:
        person = self._people[key]
        spoken = (self._languages or {}).get(person.name)
        return replace(person, locale=spoken) if spoken in LANGUAGES else person

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._people)

    def __len__(self) -> int:
        return len(self._people)


def code_in(event: Event) -> str:
    """The code of an invitation that somebody shows with /start or /join, or ""."""
    match event.what:
        case Command(name="start" | "join", args=args) if _CODE.fullmatch(args):
            return args
        case _:
            return ""


def together(configured: People, members: Iterable[Member]) -> People:
    """Everybody by surface and account. The configuration stands above an invitation: its role, its accounts."""
    persons = {one.name: one for one in configured.values()}
    names = {key: one.name for key, one in configured.items()}
    for member in members:
        person = persons.get(member.person) or Person(member.person, member.role)
        if member.surface != CONSOLE:
            accounts = {member.surface: member.account, **person.accounts}
            person = replace(person, accounts=accounts)
        persons[member.person] = person
        names.setdefault((CONSOLE, member.person), member.person)  # the console calls everybody by name
        names.setdefault((member.surface, member.account), member.person)
    return {key: persons[name] for key, name in names.items()}


def _require_of_others(name: str, by: Actor) -> None:
    require(by, "people")
    if name == by.name and by.surface != "cli":
        raise Refused(_("Nobody changes their own role: another owner can."))


def _as_name(words: str) -> str:
    name = " ".join(words.split())
    if not name or len(name) > MAX_NAME or "|" in name:
        raise Invalid(_("A name has 1 to {most} signs and no “|”."), most=MAX_NAME)
    return name


class OnSurface(Mapping[str, Person]):
    """Those of the people who have an account on a surface, by that account."""

    def __init__(self, people: People, surface: str) -> None:
        self._people = people
        self._surface = surface

    def __getitem__(self, account: str) -> Person:
        return self._people[self._surface, account]

    def __iter__(self) -> Iterator[str]:
        return (account for surface, account in self._people if surface == self._surface)

    def __len__(self) -> int:
        return sum(1 for _account in self)
