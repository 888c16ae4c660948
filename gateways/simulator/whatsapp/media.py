"""Files that were uploaded to simulated numbers; each lives 30 days, and for its number only."""

import secrets
import time
from dataclasses import dataclass

from aiohttp import web

from gateways.simulator.meta import GraphError, multipart_of
from gateways.simulator.phones import ChatMedia
from gateways.simulator.platform import Call, json_response

LIFE_S = 30 * 86_400.0
_MAX_BYTES = {"picture": 5 * 1024 * 1024, "video": 16 * 1024 * 1024, "file": 100 * 1024 * 1024}
_KINDS = {
    "image/jpeg": "picture",
    "image/png": "picture",
    "video/mp4": "video",
    "video/3gpp": "video",
    "text/plain": "file",
    "application/pdf": "file",
    "application/msword": "file",
}
_OFFICE = ("application/vnd.ms-", "application/vnd.openxmlformats-officedocument.")


@dataclass(frozen=True, slots=True)
class _Stored:
    number: str
    media: ChatMedia
    content_type: str
    uploaded_at: float  # Unix seconds


class MediaShelf:
    def __init__(self) -> None:
        self.life_s = LIFE_S
        self._stored: dict[str, _Stored] = {}

    def __len__(self) -> int:
        return len(self._stored)

    def number_of(self, media_id: str) -> str:
        """The number that uploaded it; "" where there is no such file."""
        stored = self._stored.get(media_id)
        return stored.number if stored is not None else ""

    def find(self, number: str, media_id: str) -> ChatMedia | None:
        stored = self._stored.get(media_id)
        lives = stored is not None and time.time() - stored.uploaded_at < self.life_s
        return stored.media if stored is not None and lives and stored.number == number else None

    def forget(self) -> None:
        """Every id is dead before its time."""
        self._stored.clear()

    def upload(self, call: Call, number: str) -> web.Response:
        form = multipart_of(call)
        name, content_type, content = form["file"]
        if form["messaging_product"][2] != b"whatsapp":
            raise GraphError(100, "(#100) The parameter messaging_product is required.")
        kind = _KINDS.get(content_type, "file" if content_type.startswith(_OFFICE) else "")
        if not kind:
            raise GraphError(100, "(#100) Param file must be a file with one of the following types: …")
        if not content or len(content) > _MAX_BYTES[kind]:
            raise GraphError(131053, "(#131053) Media upload error")
        media_id = str(secrets.randbelow(9 * 10**15) + 10**15)
        media = ChatMedia(kind, name=name, content=content)
        self._stored[media_id] = _Stored(number, media, content_type, time.time())
        return json_response({"id": media_id})

    def answer(self, call: Call, media_id: str) -> web.Response:
        """GET and DELETE of one file."""
        if call.method == "DELETE":
            del self._stored[media_id]
            return json_response({"success": True})
        stored = self._stored[media_id]
        told = {"mime_type": stored.content_type, "file_size": str(len(stored.media.content or b"")), "id": media_id}
        return json_response({"messaging_product": "whatsapp", **told})
