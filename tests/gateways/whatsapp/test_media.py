"""Files: each goes to Meta once, and by its id to everybody after; what Meta would not take is told before."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateways.base import Accepted, GatewayError, MessageRejected, Outgoing, PartKind, Unavailable
from gateways.whatsapp.gateway import WhatsAppGateway
from tests.gateways.cases import MemoryMedia
from tests.gateways.outgoing import out
from tests.gateways.pictures import JPEG
from tests.gateways.stub import AnyStub, Reply, said
from tests.gateways.whatsapp.conftest import ANN, NOW, Moments, accepted, media_id, refused, sends, uploads

UPLOAD = uploads("sale.jpg", "image/jpeg", JPEG)
EXPIRED = "Media ID is not valid or has expired"


def picture(source: str = "media:sale.jpg") -> Outgoing:
    return out(PartKind.PICTURE, "", source, address=ANN)


def by_id(number: str) -> Any:
    return sends("image", {"id": number})


async def send(gateway: WhatsAppGateway, part: Outgoing) -> Accepted | GatewayError:
    (outcome,) = await gateway.send([part])
    return outcome


async def test_a_file_is_uploaded_once_and_goes_by_its_id_after(
    gateway: WhatsAppGateway, stub: AnyStub, media: MemoryMedia
) -> None:
    stub.replies = [media_id(1), accepted(), accepted(), accepted()]
    assert await gateway.needs_upload(picture().part)
    for _ in range(3):
        assert await send(gateway, picture()) == Accepted("wamid.OUT")
        assert not await gateway.needs_upload(picture().part)
    assert stub.sent == [UPLOAD, by_id("1"), by_id("1"), by_id("1")]
    kept = f"1@{NOW.timestamp():.0f}"
    assert media.uploads == {("wa-shop", "media:sale.jpg", PartKind.PICTURE): kept}


async def test_another_process_goes_on_with_an_id_that_still_lives(
    gateway: WhatsAppGateway, stub: AnyStub, media: MemoryMedia, clock: Moments
) -> None:
    # ids live 30 days; developers.facebook.com …/business-phone-numbers/media
    media.uploads["wa-shop", "media:sale.jpg", PartKind.PICTURE] = f"7@{NOW.timestamp():.0f}"
    clock.now = NOW + timedelta(days=28)
    stub.replies = [accepted(), media_id(8), accepted()]
    await send(gateway, picture())
    clock.now = NOW + timedelta(days=30)
    assert await gateway.needs_upload(picture().part)
    await send(gateway, picture())
    assert stub.sent == [by_id("7"), UPLOAD, by_id("8")]


async def test_first_sends_that_start_together_upload_once(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    stub.replies = [media_id(1), *[accepted()] * 4]
    outcomes = await asyncio.gather(*(send(gateway, picture()) for _ in range(4)))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert stub.sent.count(UPLOAD) == 1


@pytest.mark.parametrize("refusal", [refused(131053, "Media upload error"), refused(131009, EXPIRED)])
async def test_an_id_that_died_before_its_time_is_brought_once_more(
    refusal: Reply, gateway: WhatsAppGateway, stub: AnyStub
) -> None:
    stub.replies = [media_id(1), accepted(), refusal, media_id(2), accepted(), accepted()]
    for _ in range(3):
        assert await send(gateway, picture()) == Accepted("wamid.OUT")
    assert stub.sent == [UPLOAD, by_id("1"), by_id("1"), UPLOAD, by_id("2"), by_id("2")]


async def test_a_file_that_meta_refuses_right_after_its_upload_is_the_messages_fault(
    gateway: WhatsAppGateway, stub: AnyStub
) -> None:
    stub.replies = [media_id(1), refused(131053, "Media upload error")]
    outcome = await send(gateway, picture())
    assert isinstance(outcome, MessageRejected)
    assert outcome.reason == "media"


@pytest.mark.parametrize(
    ("kind", "source", "reason", "words"),
    [
        (PartKind.PICTURE, "media:odd.webp", "media", "Meta takes JPEG"),
        (PartKind.PICTURE, "media:big.jpg", "too_big", "5 MB"),
        (PartKind.VIDEO, "media:fake.mp4", "media", "MP4 or 3GP"),
        (PartKind.FILE, "media:tool.exe", "media", "WhatsApp takes files as txt, pdf"),
        (PartKind.FILE, "media:empty.txt", "media", "empty"),
        (PartKind.FILE, "media:lost.pdf", "media", "no longer kept"),
        (PartKind.PICTURE, "http://10.0.0.1/x.jpg", "media", "can't be fetched"),
        (PartKind.FILE, "http://127.0.0.1:9/p.pdf", "media", "can't be fetched"),
    ],
)
async def test_what_meta_would_not_take_is_told_before_any_call(
    kind: PartKind, source: str, reason: str, words: str, gateway: WhatsAppGateway, stub: AnyStub
) -> None:
    outcome = await send(gateway, out(kind, "", source, address=ANN))
    assert isinstance(outcome, MessageRejected)
    assert outcome.reason == reason
    assert words in outcome.words
    assert stub.sent == []


@pytest.mark.parametrize(
    ("kind", "source", "content_type"),
    [
        (PartKind.VIDEO, "media:old.3gp", "video/3gpp"),
        (PartKind.FILE, "media:list.csv", "text/plain"),
        (PartKind.PICTURE, "media:new.png", "image/png"),
    ],
)
async def test_a_file_is_called_what_it_is(
    kind: PartKind, source: str, content_type: str, gateway: WhatsAppGateway, stub: AnyStub
) -> None:
    stub.replies = [media_id(1), accepted()]
    await send(gateway, out(kind, "", source, address=ANN))
    assert stub.sent[0].values == {"messaging_product": "whatsapp", "type": content_type}


async def test_a_picture_behind_a_url_is_uploaded_and_looked_at_again_after_an_hour(
    gateway: WhatsAppGateway, stub: AnyStub, clock: Moments
) -> None:
    stub.pages["/sale.jpg"] = Reply(200, JPEG, {"Content-Type": "image/jpeg"})
    part = picture(f"{stub.url}/sale.jpg")
    stub.replies = [media_id(1), accepted(), accepted(), media_id(2), accepted()]
    await gateway.send([part, part])
    clock.now = NOW + timedelta(minutes=61)
    await send(gateway, part)
    assert stub.sent == [UPLOAD, by_id("1"), by_id("1"), UPLOAD, by_id("2")]


@pytest.mark.parametrize("reply", [said({}), Reply(502, b"x"), said({"id": None})])
async def test_an_upload_without_an_id_sent_nothing(reply: Reply, gateway: WhatsAppGateway, stub: AnyStub) -> None:
    stub.replies = [reply]
    assert isinstance(await send(gateway, picture()), Unavailable)
    assert len(stub.sent) == 1


class _Silent(MemoryMedia):
    async def find_upload(self, channel: str, source: str, kind: PartKind) -> str | None:
        raise ConnectionError("the database is away")


async def test_a_store_that_does_not_answer_sends_nothing(stub: AnyStub, clock: Moments) -> None:
    from tests.gateways.whatsapp.conftest import make

    gateway = make(f"{stub.url}/v26.0", _Silent(sale_jpg=JPEG), clock)
    await gateway.open()
    try:
        assert await gateway.needs_upload(picture().part)
        assert isinstance(await send(gateway, picture()), Unavailable)
    finally:
        await gateway.close()
    assert stub.sent == []
