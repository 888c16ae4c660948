"""What was uploaded to which channel, and the files that messages are made of."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Text, cast, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateways.base import PartKind
from storage.database import Database, insert, now
from storage.schema import amendments, conversations, saved_messages, steps, uploads, written_templates
from storage.writer import Writer

MEDIA = "media:"
_KEPT = re.compile(rf"{MEDIA}[0-9a-f]{{64}}\.[a-z0-9]{{1,10}}")
_REFERRING = (
    steps.c.message,
    amendments.c.message,
    saved_messages.c.message,
    written_templates.c.content,
    conversations.c.state,
)
URL_FRESH_FOR = timedelta(hours=24)  # what stands behind a URL changes; what a kept file's name names does not


@dataclass(frozen=True, slots=True)
class _Upload:
    channel: str
    source: str
    kind: PartKind
    remote_id: str = ""
    uploaded_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.channel, self.source, self.kind.value


class Uploads:
    """Satisfies `gateways.base.MediaStore`; `folder` holds the files that `media:` sources name."""

    def __init__(self, database: Database, writer: Writer, folder: Path, *, now: Callable[[], datetime] = now) -> None:
        self._database = database
        self._writer = writer
        self._folder = folder
        self._now = now

    async def find_upload(self, channel: str, source: str, kind: PartKind) -> str | None:
        """The platform's name of the file, unless the source is a URL that was read more than a day ago."""
        statement = select(uploads.c.remote_id).where(
            uploads.c.channel == channel, uploads.c.source == source, uploads.c.kind == kind.value
        )
        if not source.startswith(MEDIA):
            statement = statement.where(uploads.c.uploaded_at > self._now() - URL_FRESH_FOR)
        async with self._database.read() as connection:
            return (await connection.execute(statement)).scalar_one_or_none()

    async def remember_upload(self, channel: str, source: str, kind: PartKind, remote_id: str) -> None:
        await self._writer.write(_remember, _Upload(channel, source, kind, remote_id, self._now()))

    async def forget_upload(self, channel: str, source: str, kind: PartKind) -> None:
        await self._writer.write(_forget, _Upload(channel, source, kind))

    async def sources_in_use(self) -> set[str]:
        """The kept files that a mailing, a correction, a saved message, a template or somebody's chat refers to."""
        found: set[str] = set()
        async with self._database.read() as connection:
            for column in _REFERRING:
                written = cast(column, Text)
                rows = await connection.execute(select(written).where(written.like(f"%{MEDIA}%")))
                found.update(one for text in rows.scalars() for one in _KEPT.findall(text))
        return found

    def read_file(self, source: str) -> bytes:
        """The bytes of a `media:` source. Raises FileNotFoundError, also for a name that leaves the folder."""
        name = source.removeprefix(MEDIA)
        if not source.startswith(MEDIA) or name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise FileNotFoundError("no kept file has this name")
        file = self._folder / name
        if not file.is_file():
            raise FileNotFoundError("no kept file has this name")
        return file.read_bytes()


async def _remember(connection: AsyncConnection, values: Sequence[_Upload]) -> Sequence[None]:
    # One statement may not touch a row twice on PostgreSQL: the last upload of a file counts.
    latest = {upload.key: upload for upload in values}
    statement = insert(connection, uploads)
    statement = statement.on_conflict_do_update(
        index_elements=["channel", "source", "kind"],
        set_={"remote_id": statement.excluded.remote_id, "uploaded_at": statement.excluded.uploaded_at},
    )
    rows = [
        {
            "channel": upload.channel,
            "source": upload.source,
            "kind": upload.kind.value,
            "remote_id": upload.remote_id,
            "uploaded_at": upload.uploaded_at,
        }
        for _, upload in sorted(latest.items())
    ]
    await connection.execute(statement, rows)
    return [None] * len(values)


async def _forget(connection: AsyncConnection, values: Sequence[_Upload]) -> Sequence[None]:
    for channel, source, kind in sorted({upload.key for upload in values}):
        await connection.execute(
            delete(uploads).where(uploads.c.channel == channel, uploads.c.source == source, uploads.c.kind == kind)
        )
    return [None] * len(values)
