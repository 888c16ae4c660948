"""VK's answers and our requests to it, as platforms/vk.md has them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gateways.base import Outgoing
from gateways.message import Card
from tests.gateways.outgoing import out as any_out
from tests.gateways.stub import AnyStub, Got, Reply, said

TOKEN = "vk1.a.A-key_that_no_log_shows"
SECRET = "s3cr3t-of-the-hook"
GROUP = "190000017"
ADDRESS = "100500"
NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
RANDOM_ID = 1307770723  # of the part d7.1.0 on the channel vk-shop, without an app secret
HERE = "http://here"  # stands for the stub in answers that name a server


def out(*rest: Any, address: str = ADDRESS, cards: Sequence[Card] = (), **more: Any) -> Outgoing:
    return replace(any_out(*rest, address=address, **more), cards=tuple(cards))


def asked(method: str, **values: Any) -> Got:
    return Got(f"/method/{method}", {**values, "access_token": TOKEN, "v": 5.199})


def sent(*, peer_ids: Any = int(ADDRESS), random_id: int = RANDOM_ID, **values: Any) -> Got:
    return asked("messages.send", peer_ids=peer_ids, random_id=random_id, disable_mentions=1, **values)


def answered(response: Any, **rest: Any) -> Reply:
    return said({"response": response, **rest})


def failed(code: int, words: str = "said so", **rest: Any) -> Reply:
    """With what VK echoes: a text and an address that no log may show."""
    echo = [{"key": "method", "value": "messages.send"}, {"key": "peer_ids", "value": ADDRESS}]
    return said({"error": {"error_code": code, "error_msg": words, "request_params": echo, **rest}})


def receiver(message_id: int = 7712, peer: int = int(ADDRESS), **rest: Any) -> dict[str, Any]:
    return {"peer_id": peer, "message_id": message_id, "conversation_message_id": 31, **rest}


def refused_receiver(code: int, words: str = "said so", peer: int = int(ADDRESS)) -> dict[str, Any]:
    return receiver(0, peer, conversation_message_id=0, error={"code": code, "description": words})


def took(message_id: int = 7712, peer: int = int(ADDRESS)) -> Reply:
    return answered([receiver(message_id, peer)])


PHOTO_SERVER = answered({"album_id": -64, "upload_url": f"{HERE}/upload.php?act=do_add", "user_id": 0})
UPLOADED = said({"server": 900001, "photo": '[{"photo":"ab12","sizes":[]}]', "hash": "9c0f2d"})
NO_PHOTO = said({"server": 900001, "photo": "[]", "hash": "9c0f2d"})
SAVED = answered([{"id": 900100, "owner_id": -190000017, "album_id": -64, "access_key": "a1b2c3d4e5"}])
PHOTO = "photo-190000017_900100_a1b2c3d4e5"
UPLOADING = (PHOTO_SERVER, UPLOADED, SAVED)

DOC_SERVER = answered({"upload_url": f"{HERE}/upload_doc.php?act=add_doc"})
DOC_UPLOADED = said({"file": "100500|0|0|600100|abc"})
DOC_SAVED = answered({"type": "doc", "doc": {"id": 700100, "owner_id": 100500, "title": "price.pdf", "ext": "pdf"}})
DOC = "doc100500_700100"
BRINGING = (DOC_SERVER, DOC_UPLOADED, DOC_SAVED)


def asked_to_save(server: int = 900001) -> Got:
    return asked("photos.saveMessagesPhoto", server=server, photo=[{"photo": "ab12", "sizes": []}], hash="9c0f2d")


def uploading(name: str, content_type: str, content: bytes) -> list[Got]:
    """The three requests that bring a picture."""
    file = {"photo": (name, content_type, content)}
    return [
        asked("photos.getMessagesUploadServer"),
        Got("/upload.php", {}, query={"act": "do_add"}, files=file),
        asked_to_save(),
    ]


def bringing(name: str, content_type: str, content: bytes) -> list[Got]:
    """The three requests that bring a document for one client."""
    file = {"file": (name, content_type, content)}
    return [
        asked("docs.getMessagesUploadServer", type="doc", peer_id=int(ADDRESS)),
        Got("/upload_doc.php", {}, query={"act": "add_doc"}, files=file),
        asked("docs.save", file="100500|0|0|600100|abc", title=name),
    ]


def here(replies: Sequence[Reply], stub: AnyStub) -> list[Reply]:
    """The answers with the stub's own address where they name a server."""
    return [replace(reply, body=reply.body.replace(HERE.encode(), stub.url.encode())) for reply in replies]
