"""Files on one channel: a file goes to Telegram once, and by its file_id to everybody after."""

import asyncio
import logging
import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways.base import MediaStore, MessageRejected, PartKind, Unavailable
from gateways.download import NotFetched, fetch, is_public, near
from gateways.forms import Upload
from gateways.telegram.capabilities import PICTURE_EXTENSIONS, TELEGRAM

log = logging.getLogger(__name__)

URL_CACHE_S = 3600.0  # what stands behind a URL changes; then the store is asked again
PICTURE_KINDS = (PartKind.PICTURE, PartKind.ALBUM)

_STARTS = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tif"),
    (b"MM\x00*", "tif"),
    (b"BM", "bmp"),
)
# Where a file's id stands in the sent message. Telegram may make of a file what it is: a silent video an animation.
_FIELDS: Mapping[PartKind, tuple[str, ...]] = {
    PartKind.PICTURE: ("photo",),
    PartKind.VIDEO: ("video", "animation", "document"),
    PartKind.FILE: ("document", "animation", "audio", "video", "voice"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a part; pictures alone and in albums share their ids, so `kind` is PICTURE, FILE or VIDEO."""

    source: str
    kind: PartKind
    name: str | None = None

    @property
    def is_url(self) -> bool:
        return self.source.startswith(("http://", "https://"))


class Files:
    def __init__(self, channel: str, store: MediaStore, api_base: str, monotonic: Callable[[], float]) -> None:
        self._channel = channel
        self._store = store
        self._monotonic = monotonic
        self._near = near(api_base)
        self._known: dict[Item, tuple[str, float]] = {}  # file_id, and until when it is believed

    async def find(self, item: Item) -> str | None:
        """The file_id, if Telegram has the file already. Without the store's help once it is known."""
        known = self._known.get(item)
        if known is not None and self._monotonic() < known[1]:
            return known[0]
        try:
            file_id = await self._store.find_upload(self._channel, item.source, item.kind)
        except Exception as error:  # noqa: BLE001  # whatever ails the store: nothing was sent yet
            self._log_store(error)
            raise Unavailable("the storage does not answer") from None
        if file_id is not None:
            self._believe(item, file_id)
        return file_id

    async def remember(self, item: Item, message: Any) -> None:
        """Keep the id that Telegram gave in answer to sending `item`. The message is sent, so this never fails."""
        file_id = file_id_of(message, item.kind)
        if file_id is None:
            log.warning("the answer names no file", extra={"channel": self._channel, "kind": item.kind.value})
            if item.is_url:
                self._believe(item, item.source)  # the URL was taken, and is as good as an id for the next one
            return
        self._believe(item, file_id)
        try:
            await self._store.remember_upload(self._channel, item.source, item.kind, file_id)
        except Exception as error:  # noqa: BLE001  # whatever ails the store: it is uploaded again after a restart
            self._log_store(error)

    async def forget(self, item: Item) -> None:
        self._known.pop(item, None)
        try:
            await self._store.forget_upload(self._channel, item.source, item.kind)
        except Exception as error:  # noqa: BLE001  # the same
            self._log_store(error)
            raise Unavailable("the storage does not answer") from None

    def _log_store(self, error: Exception) -> None:
        log.warning("uploads are not kept", extra={"channel": self._channel, "error": type(error).__name__})

    async def load(self, item: Item) -> Upload:
        """The file for uploading. Raises MessageRejected where it can't be had or Telegram would not take it."""
        if item.is_url:
            content, content_type, name = await self._fetch(item)
        else:
            content, content_type, name = await self._read(item), "", item.source.removeprefix("media:")
        name = _plain_name(item.name or name)
        _require_size(item, content)
        if item.kind is PartKind.PICTURE:
            extension = _picture_extension(content)
            return Upload(f"{name.rpartition('.')[0] or name or 'picture'}.{extension}", _type_of(extension), content)
        content_type = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Upload(name or "file", content_type, content)

    async def _read(self, item: Item) -> bytes:
        try:
            return await asyncio.to_thread(self._store.read_file, item.source)
        except OSError as error:
            log.warning("a kept file can't be read", extra={"channel": self._channel, "error": type(error).__name__})
            raise MessageRejected("a file of the message is no longer kept; add it again", reason="media") from None

    async def _fetch(self, item: Item) -> tuple[bytes, str, str]:
        allowed = self._near if item.kind is PartKind.PICTURE else is_public
        try:
            return await fetch(item.source, _max_bytes(item), allowed=allowed)
        except NotFetched as error:
            raise MessageRejected(
                f"Telegram did not take the file by its URL, and we can't fetch it either: {error}", reason="media"
            ) from None

    def _believe(self, item: Item, file_id: str) -> None:
        self._known[item] = (file_id, self._monotonic() + URL_CACHE_S if item.is_url else float("inf"))


def items_of(kind: PartKind, media: Sequence[str], name: str | None) -> tuple[Item, ...]:
    """The files of a part of that kind."""
    kind = PartKind.PICTURE if kind in PICTURE_KINDS else kind
    return tuple(Item(source, kind, name if kind is PartKind.FILE else None) for source in media)


def file_id_of(message: Any, kind: PartKind) -> str | None:
    """The id of the file in a sent message; of a picture the largest, which Telegram lists last."""
    if not isinstance(message, Mapping):
        return None
    for field in _FIELDS[kind]:
        found = message.get(field)
        if isinstance(found, list):
            found = next((size for size in reversed(found) if isinstance(size, Mapping) and size.get("file_id")), None)
        if isinstance(found, Mapping) and found.get("file_id"):
            return str(found["file_id"])
    return None


def _require_size(item: Item, content: bytes) -> None:
    limit = _max_bytes(item)
    if not content:
        raise MessageRejected("a file of the message is empty", reason="media")
    if len(content) > limit:
        what = "pictures" if item.kind is PartKind.PICTURE else "files"
        size_mb = len(content) / 1024 / 1024
        raise MessageRejected(
            f"Telegram takes {what} up to {limit // 1024 // 1024} MB; this one has {size_mb:.1f} MB", reason="too_big"
        )


def _max_bytes(item: Item) -> int:
    limit = TELEGRAM.max_picture_bytes if item.kind is PartKind.PICTURE else TELEGRAM.max_file_bytes
    return limit.value


def _picture_extension(content: bytes) -> str:
    """What the bytes are, whatever the file is called. Raises MessageRejected."""
    for start, extension in _STARTS:
        if content.startswith(start):
            return extension
    known = ", ".join(PICTURE_EXTENSIONS)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        raise MessageRejected(f"Telegram takes pictures as {known}; this one is WebP", reason="media")
    raise MessageRejected(f"the picture can't be read; Telegram takes {known}", reason="media")


def _type_of(extension: str) -> str:
    return {"jpg": "image/jpeg", "tif": "image/tiff"}.get(extension, f"image/{extension}")


def _plain_name(name: str) -> str:
    """A name that can stand in a form's header and on any disk."""
    return re.sub(r'[\x00-\x1f\x7f"\\/<>|:*?]', "_", name).strip(" .")[-120:]
