"""Files on one number: each is uploaded to Meta once, and goes by its id to everybody after, while ids live."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateways.base import MediaStore, MessageRejected, PartKind, Unavailable
from gateways.forms import Upload
from gateways.meta.graph import GraphApi
from gateways.meta.media import Uploads, is_url, picture_type
from gateways.whatsapp.capabilities import MAX_VIDEO_BYTES, MEDIA_DAYS, WHATSAPP

URL_CACHE = timedelta(hours=1)  # what stands behind a URL changes; then it is fetched and uploaded again

_DOCUMENTS = {  # by the ending of the name; …/business-phone-numbers/media#supported-media-types
    "txt": "text/plain",
    "pdf": "application/pdf",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_LIMITS = {
    PartKind.PICTURE: WHATSAPP.max_picture_bytes.value,
    PartKind.VIDEO: MAX_VIDEO_BYTES,
    PartKind.FILE: WHATSAPP.max_file_bytes.value,
}


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a part; `kind` is PICTURE, VIDEO or FILE."""

    source: str
    kind: PartKind
    name: str | None = None


class Files:
    def __init__(
        self,
        channel: str,
        store: MediaStore,
        graph: GraphApi,
        *,
        phone_number_id: str,
        api_base: str,
        now: Callable[[], datetime],
    ) -> None:
        self._graph = graph
        self._path = f"{phone_number_id}/media"
        self._kept, self._by_url = (
            Uploads(channel, store, good_for=good_for, now=now, api_base=api_base)
            for good_for in (timedelta(days=MEDIA_DAYS), URL_CACHE)
        )
        self._uploading = asyncio.Lock()

    async def find(self, item: Item) -> str | None:
        """The id, if Meta has the file and still knows it. Raises Unavailable where the store does not answer."""
        return await self._uploads(item).find(item.source, item.kind)

    async def get(self, item: Item) -> str:
        """The id, uploading the file if need be: once, however many ask. Raises GatewayError."""
        async with self._uploading:
            return await self.find(item) or await self._upload(item)

    async def forget(self, item: Item, media_id: str) -> None:
        """Meta refused this id: the next `get` uploads anew, unless somebody has done so since."""
        async with self._uploading:
            if await self.find(item) == media_id:
                await self._uploads(item).forget(item.source, item.kind)

    async def sample(self, source: str) -> str:
        """The handle of a picture for whoever approves a template. Raises GatewayError."""
        return await self._graph.upload_sample(await self._loaded(Item(source, PartKind.PICTURE)))

    async def _loaded(self, item: Item) -> Upload:
        is_picture = item.kind is PartKind.PICTURE
        file = await self._uploads(item).load(item.source, _LIMITS[item.kind], picture=is_picture, name=item.name)
        return replace(file, content_type=_type_of(item.kind, file))

    async def _upload(self, item: Item) -> str:
        uploads = self._uploads(item)
        file = await self._loaded(item)
        fields = {"messaging_product": "whatsapp", "type": file.content_type}
        media_id = (await self._graph.upload(self._path, fields, "file", file)).values.get("id")
        if not isinstance(media_id, str | int) or not str(media_id):
            raise Unavailable("Meta took a file and named no id for it")
        await uploads.remember(item.source, item.kind, str(media_id))
        return str(media_id)

    def _uploads(self, item: Item) -> Uploads:
        return self._by_url if is_url(item.source) else self._kept


def _type_of(kind: PartKind, file: Upload) -> str:
    """The MIME type, which Meta checks (131053). Raises MessageRejected for what WhatsApp does not show."""
    if kind is PartKind.PICTURE:
        if (found := picture_type(file.content)) == "image/gif":
            raise MessageRejected("WhatsApp takes pictures as JPEG or PNG; this one is GIF", reason="media")
        return found
    if kind is PartKind.VIDEO:
        if file.content[4:8] != b"ftyp":
            raise MessageRejected("WhatsApp takes videos as MP4 or 3GP; this one is neither", reason="media")
        return "video/3gpp" if file.content[8:10] == b"3g" else "video/mp4"
    ending = file.name.rpartition(".")[2].lower()
    known = _DOCUMENTS.get(ending) or ("text/plain" if file.content_type.startswith("text/") else "")
    if not known:
        raise MessageRejected(f"WhatsApp takes files as {', '.join(_DOCUMENTS)}; this one is none", reason="media")
    return known
