"""Files on one community: a picture is uploaded to it once and referred to ever after; a document goes to each client.

VK never fetches a link, so a picture by URL is fetched here and uploaded. What VK has already is taken as it stands:
photo-123_456, video-123_456, doc-123_456, or the address of such a page on vk.com."""

import asyncio
import logging
import mimetypes
import re
from collections.abc import Callable, Mapping
from typing import Any

from gateways.base import MediaStore, MessageRejected, Outgoing, Part, PartKind, Unavailable
from gateways.download import NotFetched, fetch, is_public, near
from gateways.forms import Upload
from gateways.vk.api import VkApi
from gateways.vk.capabilities import PICTURE_EXTENSIONS, VK
from gateways.vk.errors import MediaRefused

log = logging.getLogger(__name__)

URL_CACHE_S = 3600.0  # what stands behind a URL changes; then the store is asked again
_STARTS = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
_ID = r"-?[1-9][0-9]{0,18}_[0-9]{1,19}"
_NAMED = re.compile(rf"(?:photo|video|doc){_ID}(?:_[A-Za-z0-9]{{1,64}})?")
# Of a page: vk.com/photo-1_2, vk.com/shop?z=photo-1_2%2Falbum-1_00 …
_PAGE = re.compile(r"^https?://(?:m\.|www\.)?(?:vk\.com|vk\.ru|vkvideo\.ru)/(?P<rest>\S*)$", re.IGNORECASE)
_IN_PAGE = re.compile(rf"(?:^|[?&](?:z|w)=)(?P<name>(?:photo|video){_ID})(?=$|[?&#/]|%2F)", re.IGNORECASE)
_KINDS: Mapping[PartKind, tuple[str, ...]] = {
    PartKind.VIDEO: ("video", "doc"),
    PartKind.FILE: ("doc",),
}
_DOCUMENTS = (PartKind.FILE, PartKind.VIDEO)


def as_it_stands(source: str, kind: PartKind) -> str | None:
    """The attachment that a source names, if VK has it already."""
    named = _NAMED.fullmatch(source)
    name = source if named else _name_in_page(source)
    wanted = _KINDS.get(kind, ("photo",))
    return name if name is not None and name.startswith(wanted) else None


def _name_in_page(source: str) -> str | None:
    page = _PAGE.match(source)
    found = _IN_PAGE.search(page["rest"]) if page else None
    return found["name"] if found else None


def is_document(part: Part) -> bool:
    """Whether each client needs an upload of its own: VK gives a document to the client for whom it was brought."""
    return part.kind in _DOCUMENTS and any(as_it_stands(source, part.kind) is None for source in part.media)


def pictures_of(part: Part) -> tuple[str, ...]:
    """The sources of a part's pictures, those of its cards too."""
    if part.kind in _DOCUMENTS:
        return ()
    return (*part.media, *(card.picture for card in part.cards if card.picture))


class Media:
    def __init__(
        self,
        channel: str,
        store: MediaStore,
        api: VkApi,
        *,
        group_id: str,
        api_base: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._channel = channel
        self._store = store
        self._api = api
        self._group_id = group_id
        self._monotonic = monotonic
        self._near = near(api_base)
        self._known: dict[str, tuple[str, float]] = {}  # attachment by source, and until when it is believed
        self._uploading = asyncio.Lock()
        self._document: tuple[str, Upload, float] | None = None  # the last one, which the next client gets too
        self._loading = asyncio.Lock()

    # --- what VK has already

    def known_now(self, out: Outgoing) -> dict[str, str] | None:
        """The attachments by source, where none of them needs a look into the store or an upload."""
        if is_document(out.part):
            return None
        found = {}
        for source in self._sources(out):
            name = as_it_stands(source, out.part.kind) or self._believed(source)
            if name is None:
                return None
            found[source] = name
        return found

    async def needs_upload(self, part: Part) -> bool:
        return any([await self._find(source) is None for source in pictures_of(part)])

    async def attachments(self, out: Outgoing) -> dict[str, str]:
        """The attachments by source; what VK does not have is uploaded. Raises GatewayError."""
        if is_document(out.part):
            return {source: await self._bring_document(source, out) for source in out.part.media}
        return {
            source: as_it_stands(source, out.part.kind) or await self._picture(source, out.address)
            for source in self._sources(out)
        }

    async def forget(self, out: Outgoing) -> bool:
        """VK does not take what we call these pictures: the next send brings them again. False: none was ours."""
        sources = [source for source in self._sources(out) if as_it_stands(source, out.part.kind) is None]
        if is_document(out.part):
            return False
        for source in sources:
            self._known.pop(source, None)
            try:
                await self._store.forget_upload(self._channel, source, PartKind.PICTURE)
            except Exception as error:  # noqa: BLE001  # whatever ails the store: nothing was sent yet
                raise self._store_is_away(error) from None
        return bool(sources)

    def _sources(self, out: Outgoing) -> list[str]:
        if out.part.kind in _DOCUMENTS:
            return list(out.part.media)
        return [*out.part.media, *(card.picture for card in out.cards if card.picture)]

    def _believed(self, source: str) -> str | None:
        known = self._known.get(source)
        return known[0] if known is not None and self._monotonic() < known[1] else None

    async def _find(self, source: str) -> str | None:
        name = as_it_stands(source, PartKind.PICTURE) or self._believed(source)
        if name is not None:
            return name
        try:
            name = await self._store.find_upload(self._channel, source, PartKind.PICTURE)
        except Exception as error:  # noqa: BLE001  # the same
            raise self._store_is_away(error) from None
        if name is not None:
            self._believe(source, name)
        return name

    def _believe(self, source: str, name: str) -> None:
        self._known[source] = (name, self._monotonic() + URL_CACHE_S if _is_url(source) else float("inf"))

    def _store_is_away(self, error: Exception) -> Unavailable:
        log.warning("uploads are not kept", extra={"channel": self._channel, "error": type(error).__name__})
        return Unavailable("the storage does not answer")

    # --- pictures

    async def _picture(self, source: str, address: str) -> str:
        if (name := await self._find(source)) is not None:
            return name
        async with self._uploading:
            if (name := await self._find(source)) is not None:
                return name
            file = await self._load_picture(source)
            try:
                name = await self._upload_picture(file, address)
            except MediaRefused:
                # The server's answer is good for one try: once more from the beginning.
                name = await self._upload_picture(file, address)
            if name.startswith(f"photo-{self._group_id}_"):
                await self._remember(source, name)
            return name

    async def _upload_picture(self, file: Upload, address: str) -> str:
        server = await self._upload_server(address)
        answer = await self._api.upload(server.get("upload_url"), "photo", file)
        if answer.get("photo") in ("", "[]", None):
            raise MediaRefused("VK can't read the picture", reason="media")
        pieces = {name: answer.get(name, "") for name in ("server", "photo", "hash")}
        saved = await self._api.ask("photos.saveMessagesPhoto", pieces)
        return _attachment("photo", saved[0] if isinstance(saved, list) and saved else None)

    async def _upload_server(self, address: str) -> Mapping[str, Any]:
        """A server for a picture of the community's own; once it was said to need a peer, whose it then is."""
        try:
            server = await self._api.ask("photos.getMessagesUploadServer")
        except Unavailable as error:
            if error.code != "1":
                raise
            server = await self._api.ask("photos.getMessagesUploadServer", {"peer_id": address}, (address,))
        return server if isinstance(server, Mapping) else {}

    async def _remember(self, source: str, name: str) -> None:
        self._believe(source, name)
        try:
            await self._store.remember_upload(self._channel, source, PartKind.PICTURE, name)
        except Exception as error:  # noqa: BLE001  # it is uploaded again after a restart
            self._store_is_away(error)

    async def _load_picture(self, source: str) -> Upload:
        limit = VK.max_picture_bytes.value
        content, _, name = await self._load(source, limit, PartKind.PICTURE)
        extension = _picture_extension(content)
        name = _plain_name(name).rpartition(".")[0] or "picture"
        return Upload(f"{name}.{extension}", f"image/{'jpeg' if extension == 'jpg' else extension}", content)

    # --- documents

    async def _bring_document(self, source: str, out: Outgoing) -> str:
        if (name := as_it_stands(source, out.part.kind)) is not None:
            return name
        file = await self._load_document(source, out.part.name)
        try:
            return await self._upload_document(file, out.address)
        except MediaRefused:
            return await self._upload_document(file, out.address)

    async def _upload_document(self, file: Upload, address: str) -> str:
        asked = {"type": "doc", "peer_id": address}
        server = await self._api.ask("docs.getMessagesUploadServer", asked, (address,))
        answer = await self._api.upload(server.get("upload_url") if isinstance(server, Mapping) else None, "file", file)
        if not isinstance(answer.get("file"), str) or not answer["file"]:
            raise MediaRefused("VK did not take the file", reason="media")
        saved = await self._api.ask("docs.save", {"file": answer["file"], "title": file.name}, (address,))
        return _attachment("doc", saved.get("doc") if isinstance(saved, Mapping) else None)

    async def _load_document(self, source: str, name: str | None) -> Upload:
        async with self._loading:
            kept = self._document
            if kept is None or kept[0] != source or self._monotonic() >= kept[2]:
                content, content_type, own = await self._load(source, VK.max_file_bytes.value, PartKind.FILE)
                own = _plain_name(own) or "file"
                content_type = content_type or mimetypes.guess_type(own)[0] or "application/octet-stream"
                kept = self._document = source, Upload(own, content_type, content), self._monotonic() + URL_CACHE_S
        file = kept[1]
        return Upload(_plain_name(name or "") or file.name, file.content_type, file.content)

    # --- bytes

    async def _load(self, source: str, limit: int, kind: PartKind) -> tuple[bytes, str, str]:
        """Content, type ("" where it is not said) and name. Raises MessageRejected."""
        if _is_url(source):
            allowed = self._near if kind is PartKind.PICTURE else is_public
            try:
                content, content_type, name = await fetch(source, limit, allowed=allowed)
            except NotFetched as error:
                raise MessageRejected(f"the file can't be fetched by its URL: {error}", reason="media") from None
        else:
            content, content_type, name = await self._read(source), "", source.removeprefix("media:")
        if len(content) > limit:
            what, limit_mb, size_mb = kind.value, limit // 1024**2, len(content) / 1024**2
            words = f"VK takes a {what} of up to {limit_mb} MB; this one has {size_mb:.1f} MB"
            raise MessageRejected(words, reason="too_big")
        if not content:
            raise MessageRejected("a file of the message is empty", reason="media")
        return content, content_type, name

    async def _read(self, source: str) -> bytes:
        try:
            return await asyncio.to_thread(self._store.read_file, source)
        except OSError as error:
            log.warning("a kept file can't be read", extra={"channel": self._channel, "error": type(error).__name__})
            raise MessageRejected("a file of the message is no longer kept; add it again", reason="media") from None


def _attachment(kind: str, saved: Any) -> str:
    """photo-190000017_900100_a1b2c3d4e5 of what VK saved. Raises MediaRefused."""
    if not isinstance(saved, Mapping) or not isinstance(saved.get("id"), int):
        raise MediaRefused("VK did not save the file", reason="media")
    key = saved.get("access_key")
    name = f"{kind}{saved.get('owner_id')}_{saved['id']}" + (f"_{key}" if key else "")
    if not _NAMED.fullmatch(name):
        raise MediaRefused("VK did not name the file", reason="media")
    return name


def _picture_extension(content: bytes) -> str:
    """What the bytes are, whatever the file is called. Raises MessageRejected."""
    for start, extension in _STARTS:
        if content.startswith(start):
            return extension
    raise MessageRejected(f"the picture can't be read; VK takes {', '.join(PICTURE_EXTENSIONS)}", reason="media")


def _plain_name(name: str) -> str:
    """A name that can stand in a form's header and on any disk."""
    return re.sub(r'[\x00-\x1f\x7f"\\/<>|:*?]', "_", name).strip(" .")[-120:]


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))
