"""Files for Viber, which fetches everything by URL: where each stands, and how large it is.

bots-api: nothing can be uploaded, and a picture or video is told by the end of its URL's path."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import PurePosixPath

from yarl import URL

from gateways.base import MediaStore, MessageRejected, Part, PartKind
from gateways.download import NotFetched, fetch, near
from gateways.public_media import PREFIX, media_url
from gateways.viber.capabilities import (
    MAX_FILE_NAME,
    MAX_VIDEO_BYTES,
    PICTURE_ENDINGS,
    REFUSED_ENDINGS,
    VIBER,
    VIDEO_ENDINGS,
)

log = logging.getLogger(__name__)

URL_CACHE_S = 3600.0  # what stands behind a URL changes
SIZED = frozenset({PartKind.FILE, PartKind.VIDEO})


class Files:
    """`public_url` is where our own server gives out kept files; None: nobody can reach them."""

    def __init__(
        self,
        store: MediaStore,
        *,
        public_url: str | None,
        secret: bytes,
        api_base: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._public_url = public_url
        self._secret = secret
        self._near = near(api_base)
        self._monotonic = monotonic
        self._sizes: dict[str, tuple[int, float]] = {}  # bytes, and until when they are believed
        self._asking: dict[str, asyncio.Lock] = {}

    def picture_url(self, source: str) -> str:
        """Raises MessageRejected for what Viber would not show."""
        return self._url(source, PICTURE_ENDINGS, "pictures as jpg, png and gif")

    async def video(self, source: str) -> tuple[str, int]:
        """URL and bytes. Raises MessageRejected."""
        url = self._url(source, VIDEO_ENDINGS, "videos as mp4")
        return url, await self._size_bytes(source, MAX_VIDEO_BYTES, "videos")

    async def file(self, source: str, name: str | None) -> tuple[str, int, str]:
        """URL, bytes and name. Raises MessageRejected."""
        url = self._url(source, (), "")
        name = _file_name(name or URL(url).name)
        if name.lower().endswith(REFUSED_ENDINGS):
            raise MessageRejected("Viber takes no programs as files", reason="media")
        return url, await self._size_bytes(source, VIBER.max_file_bytes.value, "files"), name

    def _url(self, source: str, endings: tuple[str, ...], takes: str) -> str:
        if source.startswith(PREFIX):
            if not self._public_url:
                raise MessageRejected(
                    "Viber fetches files by URL, so a kept file needs app.public_url, which is not set", reason="media"
                )
            try:
                url = media_url(self._public_url, self._secret, source)
            except ValueError as error:
                raise MessageRejected(f"a file of the message has no URL: {error}", reason="media") from None
        else:
            url = source
        if endings and not URL(url).path.lower().endswith(endings):
            raise MessageRejected(f"Viber takes {takes}, and their URL must end so", reason="media")
        return url

    def must_ask(self, part: Part) -> bool:
        """Whether the size of the part's file is to be learned first; what was learned long ago is forgotten here."""
        if part.kind not in SIZED:
            return False
        known = self._sizes.get(part.media[0])
        if known is not None and self._monotonic() >= known[1]:
            del self._sizes[part.media[0]]
            return True
        return known is None

    async def _size_bytes(self, source: str, most: int, what: str) -> int:
        """How large the file is, asked once for all that need it at the same time."""
        known = self._sizes.get(source)
        if known is None:
            async with self._asking.setdefault(source, asyncio.Lock()):
                known = self._sizes.get(source) or await self._ask_size(source, most)
                self._sizes[source] = known
        if known[0] > most:
            words = f"Viber takes {what} up to {most // 1024 // 1024} MB; this one has {known[0] / 1024 / 1024:.1f} MB"
            raise MessageRejected(words, reason="too_big")
        return known[0]

    async def _ask_size(self, source: str, most: int) -> tuple[int, float]:
        if source.startswith(PREFIX):
            return await self._kept_size(source), float("inf")
        return await self._size_at(source, most), self._monotonic() + URL_CACHE_S

    async def _kept_size(self, source: str) -> int:
        try:
            return len(await asyncio.to_thread(self._store.read_file, source))
        except OSError as error:
            log.warning("a kept file can't be read", extra={"error": type(error).__name__})
            raise MessageRejected("a file of the message is no longer kept; add it again", reason="media") from None

    async def _size_at(self, url: str, most: int) -> int:
        # HEAD is refused or answered without a length by too many servers, so the file itself is asked for.
        try:
            return len((await fetch(url, most, allowed=self._near)).content)
        except NotFetched as error:
            words = f"Viber must be told a file's size, and we can't fetch it: {error}"
            raise MessageRejected(words, reason="media") from None


def _file_name(name: str) -> str:
    """Cut to what Viber takes, with its extension."""
    if len(name) <= MAX_FILE_NAME:
        return name or "file"
    ending = PurePosixPath(name).suffix[:20]
    return name[: MAX_FILE_NAME - len(ending)] + ending
