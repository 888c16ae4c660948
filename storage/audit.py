"""Who did what, and what people are to be told: both written in the transaction that does it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.records import Actor
from storage.schema import audit, notices


@dataclass(frozen=True, slots=True)
class Audited:
    """Who did what when, written in the transaction that does it."""

    at: datetime
    actor: Actor
    verb: str
    mailing_id: int | None = None
    subject: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewNotice:
    kind: str
    at: datetime
    actor: Actor | None = None  # whom it is for; None: every owner
    details: Mapping[str, Any] = field(default_factory=dict)


async def write_audit(connection: AsyncConnection, audited: Audited, mailing_id: int | None) -> None:
    await connection.execute(
        insert(audit).values(
            at=audited.at,
            actor=str(audited.actor),
            verb=audited.verb,
            mailing_id=mailing_id,
            subject=audited.subject,
            details=dict(audited.details),
        )
    )


async def write_notice(connection: AsyncConnection, notice: NewNotice, mailing_id: int | None) -> None:
    await connection.execute(
        insert(notices).values(
            mailing_id=mailing_id,
            kind=notice.kind,
            actor=str(notice.actor) if notice.actor else None,
            details=dict(notice.details),
            created_at=notice.at,
        )
    )
