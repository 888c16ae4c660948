"""Files on one channel of Meta's: uploaded once, and sent by their ids for as long as those live."""

import asyncio
import logging
import mimetypes
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gateways.base import MediaStore, MessageRejected, PartKind, Unavailable
from gateways.download import NotFetched, fetch, is_public, near
from gateways.forms import Upload

log = logging.getLogger(__name__)

_UNFIT_FOR_NAMES = re.compile(r'[\x00-\x1f\x7f"\\/<>|:*?]')


class Uploads:
    """Which file has which id there. An id is kept with its time, as ID@SECONDS, and believed for `good_for`."""

    def __init__(
        self, channel: str, store: MediaStore, *, good_for: timedelta, now: Callable[[], datetime], api_base: str
    ) -> None:
        self._channel = channel
        self._store = store
        self._good_for = good_for
        self._now = now
        self._near = near(api_base)
        self._known: dict[tuple[str, PartKind], tuple[str, datetime]] = {}

    async def find(self, source: str, kind: PartKind) -> str | None:
        """The id, if it is there and young enough. Without the store's help once it is known."""
        known = self._known.get((source, kind))
        if known is None:
            try:
                kept = await self._store.find_upload(self._channel, source, kind)
            except Exception as error:  # noqa: BLE001  # whatever ails the store: nothing was sent yet
                self._log_store(error)
                raise Unavailable("the storage does not answer") from None
            known = _read(kept) if kept else None
            if known is None:
                return None
            self._known[source, kind] = known
        remote_id, uploaded_at = known
        return remote_id if self._now() - uploaded_at < self._good_for else None

    async def remember(self, source: str, kind: PartKind, remote_id: str) -> None:
        """Keep an id that Meta just gave. Never fails: what is not kept is uploaded again after a restart."""
        now = self._now()
        self._known[source, kind] = (remote_id, now)
        try:
            await self._store.remember_upload(self._channel, source, kind, f"{remote_id}@{now.timestamp():.0f}")
        except Exception as error:  # noqa: BLE001  # whatever ails the store
            self._log_store(error)

    async def forget(self, source: str, kind: PartKind) -> None:
        self._known.pop((source, kind), None)
        try:
            await self._store.forget_upload(self._channel, source, kind)
        except Exception as error:  # noqa: BLE001  # the same
            self._log_store(error)
            raise Unavailable("the storage does not answer") from None

    async def load(self, source: str, max_bytes: int, *, picture: bool, name: str | None = None) -> Upload:
        """The file's bytes, kept ones and those behind a URL. Raises MessageRejected where they can't be had."""
        if is_url(source):
            content, content_type, found = await self._fetch(source, max_bytes, picture=picture)
        else:
            content, content_type, found = await self._read(source), "", source.removeprefix("media:")
        if not content:
            raise MessageRejected("a file of the message is empty", reason="media")
        if len(content) > max_bytes:
            limit_mb, size_mb = max_bytes // 1024 // 1024, len(content) / 1024 / 1024
            raise MessageRejected(
                f"a file may have {limit_mb} MB here; this one has {size_mb:.1f} MB", reason="too_big"
            )
        plain = _UNFIT_FOR_NAMES.sub("_", name or found).strip(" .")[-120:] or "file"
        guessed = mimetypes.guess_type(plain)[0] or content_type or "application/octet-stream"
        return Upload(plain, picture_type(content) if picture else guessed, content)

    async def _read(self, source: str) -> bytes:
        try:
            return await asyncio.to_thread(self._store.read_file, source)
        except OSError as error:
            log.warning("a kept file can't be read", extra={"channel": self._channel, "error": type(error).__name__})
            raise MessageRejected("a file of the message is no longer kept; add it again", reason="media") from None

    async def _fetch(self, source: str, max_bytes: int, *, picture: bool) -> tuple[bytes, str, str]:
        try:
            return await fetch(source, max_bytes, allowed=self._near if picture else is_public)
        except NotFetched as error:
            raise MessageRejected(
                f"a file of the message can't be fetched by its URL: {error}", reason="media"
            ) from None

    def _log_store(self, error: Exception) -> None:
        log.warning("uploads are not kept", extra={"channel": self._channel, "error": type(error).__name__})


def is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def picture_type(content: bytes) -> str:
    """What the bytes are, whatever the file is called. Raises MessageRejected."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    raise MessageRejected("the picture can't be read; Meta takes JPEG, PNG and, on Messenger, GIF", reason="media")


def _read(kept: str) -> tuple[str, datetime] | None:
    remote_id, _, seconds = kept.rpartition("@")
    if not remote_id or not seconds.isdecimal():
        return None
    return remote_id, datetime.fromtimestamp(int(seconds), UTC)
