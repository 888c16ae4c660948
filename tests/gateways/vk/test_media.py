"""Pictures are brought to the community once; documents to each client; nothing of the outside is linked."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gateways.base import (
    Accepted,
    AddressGone,
    AddressStatus,
    GatewayError,
    MessageRejected,
    Part,
    PartKind,
    Unavailable,
)
from gateways.message import Card, Link
from gateways.vk.gateway import VkGateway
from tests.gateways.cases import MemoryMedia, fields
from tests.gateways.pictures import JPEG, PNG
from tests.gateways.stub import AnyStub, Got, Reply, said
from tests.gateways.vk.vk import (
    BRINGING,
    DOC_SERVER,
    NO_PHOTO,
    PHOTO,
    PHOTO_SERVER,
    UPLOADED,
    UPLOADING,
    answered,
    asked,
    asked_to_save,
    failed,
    here,
    out,
    sent,
    took,
    uploading,
)

PICTURE = out(PartKind.PICTURE, "", "media:sale.jpg")
DOCUMENT = out(PartKind.FILE, "", "media:price.pdf")


def paths(stub: AnyStub) -> list[str]:
    return [got.path.removeprefix("/method/") for got in stub.sent]


async def outcome(gateway: VkGateway, part: Any = PICTURE) -> Accepted | GatewayError:
    (one,) = await gateway.send([part])
    return one


async def test_a_picture_is_brought_once_and_referred_to_ever_after(
    gateway: VkGateway, stub: AnyStub, media: MemoryMedia
) -> None:
    assert await gateway.needs_upload(PICTURE.part)
    stub.replies = here([*UPLOADING, took(1), took(2)], stub)
    assert await outcome(gateway) == Accepted("1")
    assert not await gateway.needs_upload(PICTURE.part)
    assert await outcome(gateway) == Accepted("2")
    assert stub.sent[-2:] == [sent(attachment=PHOTO)] * 2
    assert media.uploads == {("vk-shop", "media:sale.jpg", PartKind.PICTURE): PHOTO}


async def test_what_storage_remembers_is_brought_no_more(gateway: VkGateway, stub: AnyStub, media: MemoryMedia) -> None:
    media.uploads["vk-shop", "media:sale.jpg", PartKind.PICTURE] = "photo-190000017_1"
    assert gateway.together(PICTURE) is None
    assert not await gateway.needs_upload(PICTURE.part)
    assert gateway.together(PICTURE) is not None
    stub.replies = [took()]
    await outcome(gateway)
    assert stub.sent == [sent(attachment="photo-190000017_1")]


async def test_ten_that_send_at_once_bring_a_picture_once(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = here([*UPLOADING, *(took(number) for number in range(1, 11))], stub)
    outcomes = await asyncio.gather(*(outcome(gateway) for _ in range(10)))
    assert {type(each) for each in outcomes} == {Accepted}
    assert paths(stub).count("photos.saveMessagesPhoto") == 1


async def test_a_picture_by_url_is_fetched_here_and_never_linked(gateway: VkGateway, stub: AnyStub) -> None:
    stub.pages["/new.png"] = Reply(200, PNG, {"Content-Type": "image/png"})
    stub.replies = here([*UPLOADING, took()], stub)
    await outcome(gateway, out(PartKind.PICTURE, "", f"{stub.url}/new.png"))
    assert stub.sent == [*uploading("new.png", "image/png", PNG), sent(attachment=PHOTO)]


@pytest.mark.parametrize(
    ("source", "reason"),
    [("media:old.webp", "media"), ("media:none.jpg", "media"), ("media:price.pdf", "media"), ("/gone.png", "media")],
)
async def test_a_picture_that_is_none_is_told_before_anything_is_asked(
    source: str, reason: str, gateway: VkGateway, stub: AnyStub
) -> None:
    source = stub.url + source if source.startswith("/") else source
    stub.replies = [Reply(404)]
    error = await outcome(gateway, out(PartKind.PICTURE, "", source))
    assert isinstance(error, MessageRejected)
    assert error.reason == reason
    assert "photos.getMessagesUploadServer" not in paths(stub)


async def test_the_cards_of_a_carousel_refer_to_pictures_of_the_community(gateway: VkGateway, stub: AnyStub) -> None:
    cards = (Card("Red", "", "media:sale.jpg", (Link("https://shop.example", "Open"),)),)
    carousel = out(PartKind.CAROUSEL, "See", cards=cards)
    part = replace(carousel.part, cards=cards)
    assert await gateway.needs_upload(part)
    stub.replies = here([*UPLOADING, took()], stub)
    assert await outcome(gateway, carousel) == Accepted("7712")
    assert stub.sent[-1].values["template"]["elements"][0]["photo_id"] == "-190000017_900100"
    assert "attachment" not in stub.sent[-1].values
    assert not await gateway.needs_upload(part)


# --- once more from the beginning


@pytest.mark.parametrize(
    "answers",
    [
        [PHOTO_SERVER, NO_PHOTO],
        [PHOTO_SERVER, said({"error": "ERR_UPLOAD_BAD_IMAGE_SIZE", "error_code": 5})],
        [PHOTO_SERVER, UPLOADED, failed(121, "Invalid hash")],
        [PHOTO_SERVER, UPLOADED, failed(129, "Invalid photo")],
        [PHOTO_SERVER, UPLOADED, answered([])],
    ],
    ids=["no photo", "refused", "wrong hash", "wrong photo", "nothing saved"],
)
async def test_a_refused_upload_is_begun_again_once(answers: list[Reply], gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = here([*answers, *UPLOADING, took()], stub)
    assert await outcome(gateway) == Accepted("7712")
    stub.sent.clear()
    stub.replies = here([*answers, *answers], stub)
    error = await outcome(gateway, out(PartKind.PICTURE, "", "media:new.png"))
    assert isinstance(error, MessageRejected)
    assert error.reason == "media"
    assert paths(stub).count("photos.getMessagesUploadServer") == 2


@pytest.mark.parametrize(
    "answers", [[failed(10)], [Reply(502)], [PHOTO_SERVER, Reply(502)], [PHOTO_SERVER, UPLOADED, Reply(hang_up=True)]]
)
async def test_an_upload_that_broke_off_surely_sent_nothing(
    answers: list[Reply], gateway: VkGateway, stub: AnyStub
) -> None:
    stub.replies = here(answers, stub)
    assert type(await outcome(gateway)) is Unavailable


async def test_an_address_that_is_no_server_is_not_followed(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [answered({"upload_url": "file:///etc/passwd"})]
    assert type(await outcome(gateway)) is Unavailable


async def test_a_picture_that_vk_takes_no_more_is_brought_again(
    gateway: VkGateway, stub: AnyStub, media: MemoryMedia
) -> None:
    media.uploads["vk-shop", "media:sale.jpg", PartKind.PICTURE] = "photo-190000017_1"
    refused = failed(100, "One of the parameters specified was missing or invalid: attachment is invalid")
    stub.replies = here([refused, *UPLOADING, took()], stub)
    assert await outcome(gateway) == Accepted("7712")
    assert list(media.uploads.values()) == [PHOTO]


async def test_a_refused_picture_of_somebody_else_is_not_asked_again(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [failed(100, "One of the parameters specified was missing or invalid: attachment is invalid")]
    error = await outcome(gateway, out(PartKind.PICTURE, "", "photo-5_6"))
    assert isinstance(error, MessageRejected)
    assert len(stub.sent) == 1


async def test_a_refused_picture_in_a_script_is_brought_again(
    gateway: VkGateway, stub: AnyStub, media: MemoryMedia
) -> None:
    media.uploads["vk-shop", "media:sale.jpg", PartKind.PICTURE] = "photo-190000017_1"
    await gateway.needs_upload(PICTURE.part)
    error = {"method": "messages.send", "error_code": 100, "error_msg": "attachment is invalid"}
    first = [[{"peer_id": 100500, "message_id": 1}], False]
    again = failed(100, "attachment is invalid")
    stub.replies = here([answered(first, execute_errors=[error]), again, *UPLOADING, took(2)], stub)
    parts = [replace(out(html="Hi"), reference="1.1.0"), replace(PICTURE, reference="2.1.0")]
    assert await gateway.send(parts) == [Accepted("1"), Accepted("2")]


async def test_a_server_that_wants_a_peer_gets_one_and_the_picture_is_not_kept(
    gateway: VkGateway, stub: AnyStub, media: MemoryMedia
) -> None:
    of_the_peer = answered([{"id": 5, "owner_id": 100500, "access_key": "k"}])
    stub.replies = here([failed(1, "Unknown error occurred"), PHOTO_SERVER, UPLOADED, of_the_peer, took()], stub)
    assert await outcome(gateway) == Accepted("7712")
    file = Got("/upload.php", {}, query={"act": "do_add"}, files={"photo": ("sale.jpg", "image/jpeg", JPEG)})
    assert stub.sent == [
        asked("photos.getMessagesUploadServer"),
        asked("photos.getMessagesUploadServer", peer_id=100500),
        file,
        asked_to_save(),
        sent(attachment="photo100500_5_k"),
    ]
    assert media.uploads == {}


# --- documents


async def test_a_document_is_brought_for_each_client(gateway: VkGateway, stub: AnyStub, media: MemoryMedia) -> None:
    stub.replies = here([*BRINGING, took(1), *BRINGING, took(2, 100501)], stub)
    assert await outcome(gateway, DOCUMENT) == Accepted("1")
    media.files.clear()  # the bytes are kept for the next one
    assert await outcome(gateway, replace(DOCUMENT, address="100501")) == Accepted("2")
    assert [got.values.get("peer_id") for got in stub.sent if got.path.endswith("getMessagesUploadServer")] == [
        100500, 100501
    ]  # fmt: skip
    assert not await gateway.needs_upload(DOCUMENT.part)


async def test_a_client_who_allows_nothing_is_known_at_the_upload(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [failed(901, "Can't send messages for users without permission")]
    error = await outcome(gateway, DOCUMENT)
    expected = AddressGone("unsubscribed", code="901", status=AddressStatus.UNSUBSCRIBED)
    assert not isinstance(error, Accepted)
    assert fields(error) == fields(expected)


async def test_a_document_that_vk_does_not_take_is_begun_again_once(gateway: VkGateway, stub: AnyStub) -> None:
    no_file = said({"error": "no_file"})
    stub.replies = here([DOC_SERVER, no_file, DOC_SERVER, no_file], stub)
    error = await outcome(gateway, DOCUMENT)
    assert isinstance(error, MessageRejected)
    assert stub.replies == []


# --- a store that fails


class BrokenStore(MemoryMedia):
    async def find_upload(self, *_: Any) -> str | None:
        raise ConnectionError("postgresql://secret@db")

    async def remember_upload(self, *_: Any) -> None:
        raise ConnectionError("postgresql://secret@db")


async def test_a_store_that_is_away_sends_nothing(stub: AnyStub) -> None:
    gateway = VkGateway(channel="vk", group_id="1", token="t", media=BrokenStore(), api_base=f"{stub.url}/method")
    await gateway.open()
    assert type(await outcome(gateway)) is Unavailable
    assert await gateway.needs_upload(PICTURE.part)
    assert stub.sent == []
    await gateway.close()


async def test_parts_without_pictures_need_no_upload(gateway: VkGateway) -> None:
    kinds: Mapping[PartKind, tuple[str, ...]] = {PartKind.TEXT: (), PartKind.PICTURE: ("photo-1_2",)}
    for kind, sources in kinds.items():
        assert not await gateway.needs_upload(Part(kind, media=sources))
