"""What the constructor works on: the message of a draft, one messenger's own version of it, or a saved message."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.dialogs import compose
from bot.dialogs.talk import Talk
from bot.texts import _
from engine.errors import Invalid, Refused, Stale
from gateways.message import ELEMENT_FIELDS, Element, Message, plain
from storage.records import Draft, Mailing
from storage.saved import SavedMessage

ALL = compose.ALL  # a scope is this one, that one, or a kind of messenger, whose own version it is
SAVED = "saved"
MOST_PIECES = 20


@dataclass(frozen=True, slots=True)
class Work:
    """`subject` as it is in storage; `elements` are those of the scope."""

    scope: str
    subject: Mailing | SavedMessage
    elements: tuple[Element, ...]

    @property
    def at(self) -> tuple[str, int, int]:
        """What a token carries: the scope, which one, and how it was when the card was made."""
        return self.scope, self.subject.id, self.subject.revision

    @property
    def message(self) -> Message:
        return self.subject.message if isinstance(self.subject, SavedMessage) else self.subject.draft.message

    @property
    def name(self) -> str:
        return self.subject.name if isinstance(self.subject, SavedMessage) else self.subject.draft.name

    @property
    def kind(self) -> str | None:
        """The kind of messenger whose version it is."""
        return None if self.scope in (ALL, SAVED) else self.scope

    @property
    def draft(self) -> Draft:
        """To fit and to render it by."""
        if isinstance(self.subject, SavedMessage):
            return Draft(self.subject.name, replace(self.message, kinds=frozenset(filter(None, [self.subject.kind]))))
        return self.subject.draft

    @property
    def leave(self) -> int | None:
        """The draft that stays when the person goes."""
        return None if isinstance(self.subject, SavedMessage) else self.subject.id

    def element(self, place: str | int) -> Element:
        """Raises Invalid where it has gone."""
        if int(place) >= len(self.elements):
            raise Invalid(_("That piece is gone; choose again."))
        return self.elements[int(place)]


async def work_at(talk: Talk, scope: str, subject_id: str, revision: str) -> Work:
    """Raises Stale when somebody changed it since the card was made, Refused and NotFound when it can't be changed."""
    if scope == SAVED:
        saved = await talk.store.saved.get(int(subject_id))
        if saved.revision != int(revision):
            raise Stale(_("That card was old: “{name}” has changed since. Here it is as it is now."), name=saved.name)
        return work_of(saved)
    return work_of(await compose.draft_at(talk, subject_id, revision), scope)


def work_of(subject: Mailing | SavedMessage, scope: str = ALL) -> Work:
    if isinstance(subject, SavedMessage):
        return Work(SAVED, subject, subject.message.elements)
    message = subject.draft.message
    return Work(scope, subject, message.elements if scope == ALL else message.for_kind(scope))


def has_own(message: Message, kind: str) -> bool:
    """Whether a kind of messenger has a version of its own, beside what only its gateway knows."""
    return not ELEMENT_FIELDS.isdisjoint(message.only.get(kind, {}))


def own_kinds(message: Message) -> list[str]:
    return sorted(kind for kind in message.only if has_own(message, kind))


async def put(talk: Talk, work: Work, elements: Sequence[Element]) -> Work:
    """Keep these elements in place of those. Raises Stale and Refused."""
    if not elements:
        raise Refused(_("A message has one piece at least: add another first, or change this one."))
    if len(elements) > MOST_PIECES:
        raise Refused(_("A message has {most} pieces at most."), most=MOST_PIECES)
    message = work.message
    if work.kind is None:
        return await put_message(talk, work, replace(message, elements=tuple(elements)))
    own = {"elements": plain(Message(tuple(elements)))["elements"]}
    return await put_message(talk, work, _with_own(message, work.kind, own))


async def put_same(talk: Talk, work: Work, kind: str) -> Work:
    """Let a kind of messenger have the same as all again."""
    return await put_message(talk, work, _with_own(work.message, kind, {}))


async def put_message(talk: Talk, work: Work, message: Message) -> Work:
    if isinstance(work.subject, SavedMessage):
        changed = replace(work.subject, message=message, saved_by=talk.person.name, saved_at=talk.clock.now())
        return work_of(await talk.store.saved.change(changed))
    return work_of(await compose.change(talk, work.subject, message=message), work.scope)


async def put_element(talk: Talk, work: Work, place: str | int, element: Element) -> Work:
    elements = list(work.elements)
    elements[int(place)] = element
    return await put(talk, work, elements)


def _with_own(message: Message, kind: str, own: dict[str, object]) -> Message:
    kept = {name: value for name, value in message.only.get(kind, {}).items() if name not in ELEMENT_FIELDS}
    others = {name: fields for name, fields in message.only.items() if name != kind}
    return replace(message, only=others | ({kind: kept | own} if kept | own else {}))
