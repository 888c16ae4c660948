"""Messages that a platform approved, as it told of them last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import Template
from storage.database import Database, insert
from storage.schema import templates
from storage.writer import Writer

_LISTS = ("parameters", "header_parameters", "buttons")


@dataclass(frozen=True, slots=True)
class Listed:
    """Every template of a channel, as the platform just listed them."""

    channel: str
    templates: tuple[Template, ...]
    at: datetime


class Templates:
    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def sync(self, channel: str, listed: Sequence[Template], at: datetime) -> Sequence[Template]:
        """Keep exactly these; returns those that are not there any more, as they were kept."""
        return await self._writer.write(_sync, Listed(channel, tuple(listed), at))

    async def set_status(self, channel: str, name: str, language: str, status: str) -> None:
        """What the platform told of one of them, until the list is read anew."""
        await self._writer.write(_set_status, (channel, name, language, status))

    async def of_channel(self, channel: str) -> list[Template]:
        """By name and language; empty where none were listed yet."""
        wanted = (
            select(templates).where(templates.c.channel == channel).order_by(templates.c.name, templates.c.language)
        )
        async with self._database.read() as connection:
            return [_template(row) for row in await connection.execute(wanted)]

    async def synced_at(self, channel: str) -> datetime | None:
        """When the list was read last; None: never, or it was empty."""
        wanted = select(templates.c.synced_at).where(templates.c.channel == channel).limit(1)
        async with self._database.read() as connection:
            found: datetime | None = await connection.scalar(wanted)
            return found


async def _sync(connection: AsyncConnection, lists: Sequence[Listed]) -> Sequence[Sequence[Template]]:
    return [await _sync_one(connection, listed) for listed in lists]


async def _sync_one(connection: AsyncConnection, listed: Listed) -> Sequence[Template]:
    its = select(templates).where(templates.c.channel == listed.channel)
    kept = {(row.name, row.language): row for row in await connection.execute(its)}
    rows = {(one.name, one.language): _row(listed, one) for one in listed.templates}
    gone = sorted(kept.keys() - rows.keys())
    if gone:
        named = tuple_(templates.c.name, templates.c.language).in_(gone)
        await connection.execute(delete(templates).where(templates.c.channel == listed.channel, named))
    if rows:
        statement = insert(connection, templates)
        changed = ("status", "category", "external_id", "body", "details", "synced_at")
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["channel", "name", "language"],
                set_={name: statement.excluded[name] for name in changed},
            ),
            list(rows.values()),
        )
    return [_template(kept[name]) for name in gone]


async def _set_status(connection: AsyncConnection, told: Sequence[tuple[str, str, str, str]]) -> Sequence[None]:
    for channel, name, language, status in told:
        await connection.execute(
            update(templates)
            .where(templates.c.channel == channel, templates.c.name == name, templates.c.language == language)
            .values(status=status)
        )
    return [None for _ in told]


def _row(listed: Listed, template: Template) -> dict[str, Any]:
    details = {name: list(getattr(template, name)) for name in _LISTS}
    return {
        "channel": listed.channel,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "external_id": template.external_id,
        "body": template.body,
        "details": details | {"header": template.header, "reason": template.reason},
        "synced_at": listed.at,
    }


def _template(row: Row[Any]) -> Template:
    return Template(
        name=row.name,
        language=row.language,
        status=row.status,
        category=row.category,
        external_id=row.external_id,
        body=row.body,
        header=row.details["header"],
        reason=row.details["reason"],
        **{name: tuple(row.details[name]) for name in _LISTS},
    )
