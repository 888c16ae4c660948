"""People who were invited: one-time codes, of which only a hash is kept, and the accounts that they bound."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.audit import Audited, NewNotice, write_audit, write_notice
from storage.database import Database, insert
from storage.errors import NotFound, Refused, Stale, _
from storage.records import Actor, Role
from storage.schema import invitations, members
from storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Member:
    """An account of somebody who came by invitation."""

    person: str
    role: Role
    surface: str
    account: str
    invited_by: Actor
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """One that may still be used."""

    id: int
    person: str
    role: Role
    invited_by: Actor
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewInvitation:
    person: str
    role: Role
    code: str
    expires_at: datetime
    audited: Audited


@dataclass(frozen=True, slots=True)
class Joining:
    """Somebody shows a code. Without an `account` the person's name is the account, as on the console."""

    code: str
    surface: str
    account: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class _Change:
    audited: Audited
    person: str = ""
    role: Role | None = None
    invitation_id: int = 0


class Invitations:
    """Each write is committed when it returns."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def members(self) -> list[Member]:
        """Everybody who came by invitation, each account on its own."""
        async with self._database.read() as connection:
            return [_member(row) for row in await connection.execute(select(members).order_by(members.c.id))]

    async def open(self, at: datetime) -> list[Invitation]:
        """Those that may still be used, the newest first."""
        wanted = select(invitations).where(
            invitations.c.used_at.is_(None), invitations.c.revoked_at.is_(None), invitations.c.expires_at > at
        )
        async with self._database.read() as connection:
            return [_invitation(row) for row in await connection.execute(wanted.order_by(invitations.c.id.desc()))]

    async def knows(self, code: str) -> bool:
        """Whether such an invitation was ever made, usable or not."""
        wanted = select(invitations.c.id).where(invitations.c.code_hash == hash_code(code))
        async with self._database.read() as connection:
            return await connection.scalar(wanted) is not None

    async def find(self, code: str, at: datetime) -> Invitation:
        """The invitation, where it may be used. Raises NotFound, Refused."""
        async with self._database.read() as connection:
            row = await _find(connection, code)
        _require_usable(row, at)
        return _invitation(row)

    async def create(self, new: NewInvitation) -> int:
        """Returns its id."""
        return await self._writer.write(_create, new)

    async def join(self, joining: Joining) -> Member:
        """Bind the account; a code works once. Raises NotFound, Refused."""
        return await self._writer.write(_join, joining)

    async def revoke(self, invitation_id: int, audited: Audited) -> None:
        """Nobody can use it any more. Raises Stale where it was used, revoked or has expired."""
        await self._writer.write(_revoke, _Change(audited, invitation_id=invitation_id))

    async def set_role(self, person: str, role: Role, audited: Audited) -> None:
        """Raises NotFound for somebody who did not come by invitation."""
        await self._writer.write(_set_roles, _Change(audited, person, role))

    async def remove(self, person: str, audited: Audited) -> None:
        """Unbind every account of the person, and revoke what still invites under that name. Raises NotFound."""
        await self._writer.write(_remove, _Change(audited, person))


def hash_code(code: str) -> bytes:
    """What is kept of a code; it is long and random, so a plain hash tells nobody anything."""
    return hashlib.sha256(code.encode()).digest()


async def _create(connection: AsyncConnection, values: Sequence[NewInvitation]) -> Sequence[int]:
    ids = []
    for new in values:
        row = {
            "code_hash": hash_code(new.code),
            "person": new.person,
            "role": new.role.value,
            "invited_by": str(new.audited.actor),
            "created_at": new.audited.at,
            "expires_at": new.expires_at,
        }
        statement = insert(connection, invitations).values(row).returning(invitations.c.id)
        ids.append((await connection.execute(statement)).scalar_one())
        await write_audit(connection, new.audited, None)
    return ids


async def _join(connection: AsyncConnection, values: Sequence[Joining]) -> Sequence[Member]:
    return [await _join_one(connection, value) for value in values]


async def _join_one(connection: AsyncConnection, value: Joining) -> Member:
    row = await _find(connection, value.code)
    _require_usable(row, value.at)
    account = row.person if value.account is None else value.account
    # Two may show the same code at once, in two processes: the row is taken by whoever marks it first.
    taken = (
        update(invitations)
        .where(invitations.c.id == row.id, invitations.c.used_at.is_(None), invitations.c.revoked_at.is_(None))
        .values(used_at=value.at, used_by=f"{value.surface}|{account}")
        .returning(invitations.c.id)
    )
    if await connection.scalar(taken) is None:
        raise Refused(_USED)
    statement = insert(connection, members).values(
        person=row.person,
        role=row.role,
        surface=value.surface,
        account=account,
        invited_by=row.invited_by,
        joined_at=value.at,
    )
    # On the console the name is the account, so a new link for the same person finds it there.
    kept = statement.on_conflict_do_update(
        index_elements=["surface", "account"],
        set_={"role": statement.excluded.role},
        where=members.c.person == statement.excluded.person,
    )
    made = (await connection.execute(kept.returning(members))).one_or_none()
    if made is None:
        raise Refused(_("This account belongs to somebody else already."))
    member = _member(made)
    who = Actor(member.person, member.role, member.surface, member.account)
    await write_audit(connection, Audited(value.at, who, "join", subject=member.person), None)
    details = {"person": member.person, "role": member.role.value, "surface": member.surface}
    await write_notice(connection, NewNotice("joined", value.at, member.invited_by, details), None)
    return member


async def _revoke(connection: AsyncConnection, values: Sequence[_Change]) -> Sequence[None]:
    for value in values:
        standing = (
            update(invitations)
            .where(
                invitations.c.id == value.invitation_id,
                invitations.c.used_at.is_(None),
                invitations.c.revoked_at.is_(None),
                invitations.c.expires_at > value.audited.at,
            )
            .values(revoked_at=value.audited.at)
        )
        if await connection.scalar(standing.returning(invitations.c.id)) is None:
            raise Stale(_("That invitation can't be used any more anyway."))
        await write_audit(connection, value.audited, None)
    return [None] * len(values)


async def _set_roles(connection: AsyncConnection, values: Sequence[_Change]) -> Sequence[None]:
    for value in values:
        role = value.role.value if value.role else None
        changed = update(members).where(members.c.person == value.person).values(role=role)
        if not (await connection.execute(changed.returning(members.c.id))).all():
            raise NotFound(_NOT_INVITED, name=value.person)
        await write_audit(connection, value.audited, None)
    return [None] * len(values)


async def _remove(connection: AsyncConnection, values: Sequence[_Change]) -> Sequence[None]:
    for value in values:
        gone = delete(members).where(members.c.person == value.person).returning(members.c.id)
        taken_back = (
            update(invitations)
            .where(
                invitations.c.person == value.person,
                invitations.c.used_at.is_(None),
                invitations.c.revoked_at.is_(None),
            )
            .values(revoked_at=value.audited.at)
            .returning(invitations.c.id)
        )
        was_here = (await connection.execute(gone)).all()
        if not [*was_here, *(await connection.execute(taken_back)).all()]:
            raise NotFound(_NOT_INVITED, name=value.person)
        await write_audit(connection, value.audited, None)
    return [None] * len(values)


async def _find(connection: AsyncConnection, code: str) -> Any:
    wanted = select(invitations).where(invitations.c.code_hash == hash_code(code))
    return (await connection.execute(wanted)).one_or_none()


def _require_usable(row: Any, at: datetime) -> None:
    if row is None:
        raise NotFound(_("There is no such invitation."))
    if row.used_at is not None:
        raise Refused(_USED)
    if row.revoked_at is not None:
        raise Refused(_("This invitation was taken back; ask an owner for a new one."))
    if row.expires_at <= at:
        raise Refused(_("This invitation has expired; ask an owner for a new one."))


_USED = _("This invitation was used already: each works once. Ask an owner for a new one.")
_NOT_INVITED = _("{name} did not come by invitation.")


def _member(row: Any) -> Member:
    by = Actor.read(row.invited_by)
    return Member(row.person, Role(row.role), row.surface, row.account, by, row.joined_at)


def _invitation(row: Any) -> Invitation:
    by = Actor.read(row.invited_by)
    return Invitation(row.id, row.person, Role(row.role), by, row.created_at, row.expires_at)
