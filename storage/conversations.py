"""Where each person is in a dialog, and the live cards that are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database, insert, now
from storage.schema import cards, conversations
from storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person is in a dialog, in one chat of one surface; `state` is the dialogs' own plain data."""

    surface: str
    account: str
    chat: str
    person: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Card:
    """A live card as it stands in a chat; `shown` is the hash of its content."""

    id: int
    mailing_id: int
    surface: str
    chat: str
    message_id: str
    account: str
    shown: str | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class _NewCard:
    mailing_id: int
    surface: str
    chat: str
    message_id: str
    account: str
    shown: str | None


@dataclass(frozen=True, slots=True)
class _Move:
    card_id: int
    message_id: str
    shown: str


class Conversations:
    """Each write is committed when it returns."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def find_place(self, surface: str, account: str, chat: str) -> Place:
        """Where the person is; an empty place for somebody new."""
        table = conversations
        statement = select(table.c.person, table.c.state, table.c.revision).where(
            table.c.surface == surface, table.c.account == account, table.c.chat == chat
        )
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return Place(surface, account, chat, *row) if row else Place(surface, account, chat)

    async def places_on(self, surface: str) -> list[Place]:
        """Every place of a surface."""
        table = conversations
        columns = (table.c.surface, table.c.account, table.c.chat, table.c.person, table.c.state, table.c.revision)
        async with self._database.read() as connection:
            found = await connection.execute(select(*columns).where(table.c.surface == surface))
            return [Place(*row) for row in found]

    async def save_place(self, place: Place) -> None:
        """Keep `place`; its revision grows by one."""
        await self._writer.write(_save_places, place)

    async def follow(
        self, mailing_id: int, surface: str, chat: str, message_id: str, account: str, shown: str | None = None
    ) -> None:
        """Keep a live card up to date from now on, whatever that message was before."""
        await self._writer.write(_follow_cards, _NewCard(mailing_id, surface, chat, message_id, account, shown))

    async def open_cards(self) -> list[Card]:
        statement = select(cards).where(cards.c.closed_at.is_(None)).order_by(cards.c.id)
        async with self._database.read() as connection:
            return [_card(row._mapping) for row in await connection.execute(statement)]

    async def card_shown(self, card_id: int, message_id: str, shown: str) -> None:
        """The card shows that content now, at that message."""
        await self._writer.write(_move_cards, _Move(card_id, message_id, shown))

    async def close_card(self, card_id: int) -> None:
        """The card is edited no more."""
        await self._writer.write(_close_cards, card_id)

    async def unfollow(self, surface: str, chat: str, message_id: str) -> None:
        """That message shows something else now."""
        await self._writer.write(_unfollow, (surface, chat, message_id))


async def _save_places(connection: AsyncConnection, places: Sequence[Place]) -> Sequence[None]:
    for place in places:
        statement = insert(connection, conversations).values(
            surface=place.surface,
            account=place.account,
            chat=place.chat,
            person=place.person,
            state=dict(place.state),
            revision=1,
            updated_at=now(),
        )
        statement = statement.on_conflict_do_update(
            index_elements=["surface", "account", "chat"],
            set_={
                "person": statement.excluded.person,
                "state": statement.excluded.state,
                "updated_at": statement.excluded.updated_at,
                "revision": conversations.c.revision + 1,
            },
        )
        await connection.execute(statement)
    return [None] * len(places)


async def _follow_cards(connection: AsyncConnection, new: Sequence[_NewCard]) -> Sequence[None]:
    for card in new:
        statement = insert(connection, cards).values(
            mailing_id=card.mailing_id,
            surface=card.surface,
            chat=card.chat,
            message_id=card.message_id,
            account=card.account,
            shown=card.shown,
            closed_at=None,
        )
        statement = statement.on_conflict_do_update(
            index_elements=["surface", "chat", "message_id"],
            set_={name: statement.excluded[name] for name in ("mailing_id", "account", "shown", "closed_at")},
        )
        await connection.execute(statement)
    return [None] * len(new)


async def _move_cards(connection: AsyncConnection, moves: Sequence[_Move]) -> Sequence[None]:
    for move in moves:
        values = {"message_id": move.message_id, "shown": move.shown}
        await connection.execute(update(cards).where(cards.c.id == move.card_id).values(values))
    return [None] * len(moves)


async def _close_cards(connection: AsyncConnection, ids: Sequence[int]) -> Sequence[None]:
    await connection.execute(update(cards).where(cards.c.id.in_(ids)).values(closed_at=now()))
    return [None] * len(ids)


async def _unfollow(connection: AsyncConnection, messages: Sequence[tuple[str, str, str]]) -> Sequence[None]:
    for surface, chat, message_id in messages:
        here = (cards.c.surface == surface, cards.c.chat == chat, cards.c.message_id == message_id)
        await connection.execute(update(cards).where(*here, cards.c.closed_at.is_(None)).values(closed_at=now()))
    return [None] * len(messages)


def _card(row: Mapping[Any, Any]) -> Card:
    return Card(**{name: row[name] for name in Card.__slots__})
