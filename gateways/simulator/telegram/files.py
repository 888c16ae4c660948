"""Stored files: ids that belong to one bot and one kind, sizes of pictures, downloads."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from itertools import count

from gateways.simulator.telegram.answers import Json, Refusal, bad
from gateways.simulator.telegram.forms import Upload
from gateways.simulator.telegram.pictures import picture_size

MAX_PHOTO_BYTES = 10 * 1024 * 1024  # core.telegram.org/bots/api#sending-files
MAX_UPLOAD_BYTES = 50 * 1024 * 1024
MAX_DOWNLOAD_BYTES = 20 * 1024 * 1024  # core.telegram.org/bots/api#getfile
MAX_PHOTO_SIDES = 10_000  # pixels, width + height
MAX_PHOTO_RATIO = 20
_PHOTO_EXTENSIONS = frozenset({"jpg", "jpeg", "gif", "png", "tif", "tiff", "bmp"})
_STARTS = {
    "photo": "AgACAgIAAxkD",
    "video": "BAACAgIAAxkD",
    "animation": "CgACAgIAAxkD",
    "document": "BQACAgIAAxkD",
    "audio": "CQACAgIAAxkD",
    "voice": "AwACAgIAAxkD",
    "video_note": "DQACAgIAAxkD",
    "sticker": "CAACAgIAAxkD",
}
_NAMES = {"video_note": "VideoNote"}


@dataclass(frozen=True, slots=True)
class StoredFile:
    file_id: str
    unique_id: str
    bot_id: int
    kind: str
    size_bytes: int
    width: int
    height: int
    file_name: str | None
    mime_type: str
    content: bytes | None
    source_url: str | None = None

    @property
    def path(self) -> str:
        return f"{self.kind}s/file_{self.unique_id}"

    def as_json(self) -> Json:
        """The file as it stands in a message, under the name of its kind."""
        known: Json = {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": self.size_bytes}
        if self.file_name and self.kind in ("document", "video", "animation", "audio"):
            known["file_name"] = self.file_name
        if self.kind in ("document", "video", "animation", "audio", "voice"):
            known["mime_type"] = self.mime_type
        if self.kind in ("video", "animation"):
            known |= {"width": self.width, "height": self.height, "duration": 1}
        if self.kind in ("audio", "voice"):
            known["duration"] = 1
        if self.kind == "video_note":
            known |= {"length": self.width, "duration": 1}
        if self.kind == "sticker":
            known |= {"width": 512, "height": 512, "type": "regular", "is_animated": False, "is_video": False}
        return known


class Files:
    def __init__(self) -> None:
        self.checks_pictures = True  # False: any bytes are a photo of 800 x 533
        self.keeps_content = True
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}
        self._sizes: dict[str, list[Json]] = {}
        self._number = count(1)

    def find(self, file_id: str) -> StoredFile | None:
        return self._by_id.get(file_id)

    def find_path(self, bot_id: int, path: str) -> StoredFile | None:
        file = self._by_path.get(path)
        return file if file is not None and file.bot_id == bot_id else None

    def get(self, bot_id: int, kind: str, file_id: str) -> StoredFile:
        """A stored file for sending. Raises Refusal for another bot's id and for another kind."""
        file = self._by_id.get(file_id)
        if file is None or file.bot_id != bot_id:
            raise bad("wrong file identifier/HTTP URL specified")
        if file.kind != kind and not (kind == "document" and file.kind == "animation"):
            raise bad(f"can't use file of type {_name(file.kind)} as {_name(kind)}")
        return file

    def store(self, bot_id: int, kind: str, upload: Upload) -> StoredFile:
        """Keep uploaded bytes. Raises Refusal where Telegram would not take them as this kind."""
        if not upload.content:
            raise bad("file must be non-empty")
        if upload.size_bytes > MAX_UPLOAD_BYTES:
            raise Refusal(413)
        size = self._photo_size(upload) if kind == "photo" else (640, 360)
        return self._add(bot_id, kind, upload.content, upload.file_name, upload.mime_type, size, None)

    def receive(self, bot_id: int, kind: str, upload: Upload) -> StoredFile:
        """Keep what a client sent: phones send only what Telegram takes, so nothing is checked."""
        size = picture_size(upload.content) or (800, 533)
        return self._add(bot_id, kind, upload.content, upload.file_name, upload.mime_type, size, None)

    def store_link(self, bot_id: int, kind: str, url: str) -> StoredFile:
        """A file that Telegram fetched by URL; the simulator goes to no network."""
        name = url.rsplit("/", 1)[-1].split("?")[0] or "file"
        mime_type = {"photo": "image/jpeg", "video": "video/mp4"}.get(kind, "application/octet-stream")
        return self._add(bot_id, kind, None, name, mime_type, (800, 533), url)

    def clear(self) -> None:
        self._by_id.clear()
        self._by_path.clear()
        self._sizes.clear()

    def sizes(self, photo: StoredFile) -> list[Json]:
        """The ascending list of sizes that stands for a photo in a message."""
        return self._sizes[photo.file_id]

    def _photo_size(self, upload: Upload) -> tuple[int, int]:
        if not self.checks_pictures:
            return 800, 533
        extension = upload.file_name.rpartition(".")[2].lower() if "." in upload.file_name else ""
        if extension and extension not in _PHOTO_EXTENSIONS:
            raise bad(f"photo has unsupported extension {extension}. Use one of jpg, jpeg, gif, png, tif or bmp")
        if upload.size_bytes > MAX_PHOTO_BYTES:
            raise bad(
                f"file of size {upload.size_bytes} bytes is too big for a photo; "
                f"the maximum size is {MAX_PHOTO_BYTES} bytes"
            )
        size = picture_size(upload.content)
        if size is None:
            raise bad("IMAGE_PROCESS_FAILED")
        width, height = size
        if width + height > MAX_PHOTO_SIDES or max(size) > MAX_PHOTO_RATIO * max(1, min(size)):
            raise bad("PHOTO_INVALID_DIMENSIONS")
        return size

    def _add(
        self,
        bot_id: int,
        kind: str,
        content: bytes | None,
        file_name: str,
        mime_type: str,
        size: tuple[int, int],
        source_url: str | None,
    ) -> StoredFile:
        digest = hashlib.blake2b(content or (source_url or "").encode(), digest_size=9).digest()
        unique_id = "AQAD" + urlsafe_b64encode(digest).decode()
        file_id = self._new_id(bot_id, kind)
        size_bytes = len(content) if content is not None else 48_211
        kept = content if self.keeps_content else None
        file = StoredFile(file_id, unique_id, bot_id, kind, size_bytes, *size, file_name, mime_type, kept, source_url)
        self._by_id[file_id] = self._by_path[file.path] = file
        if kind == "photo":
            self._sizes[file_id] = self._make_sizes(file)
        return file

    def _make_sizes(self, photo: StoredFile) -> list[Json]:
        sizes = []
        for side in (90, 320, 800, 1280):
            if side >= max(photo.width, photo.height):
                break
            share = side / max(photo.width, photo.height)
            file_id = self._new_id(photo.bot_id, "photo")
            self._by_id[file_id] = photo  # any size's id sends the photo
            sizes.append(
                {
                    "file_id": file_id,
                    "file_unique_id": f"{photo.unique_id}{side}",
                    "file_size": max(1, int(photo.size_bytes * share * share)),
                    "width": max(1, round(photo.width * share)),
                    "height": max(1, round(photo.height * share)),
                }
            )
        sizes.append(photo.as_json() | {"width": photo.width, "height": photo.height})
        return sizes

    def _new_id(self, bot_id: int, kind: str) -> str:
        number = next(self._number)
        tail = urlsafe_b64encode(f"{bot_id}:{number}".encode()).decode().rstrip("=")
        return f"{_STARTS[kind]}{tail}"


def _name(kind: str) -> str:
    return _NAMES.get(kind, kind.capitalize())
