"""Files: uploaded to the Page once, sent by their ids after, brought anew when those are old or no longer known."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateways.base import Accepted, GatewayError, MessageRejected, Outgoing, PartKind, Throttled, Unavailable
from gateways.facebook.errors import MediaRefused
from gateways.facebook.gateway import FacebookGateway
from tests.gateways.cases import Logs, MemoryMedia
from tests.gateways.facebook.conftest import NOW, SECRETS, Hands, make
from tests.gateways.facebook.test_errors import refused
from tests.gateways.facebook.test_sending import PICTURE_URL, by_id, kept, sent, taken, upload
from tests.gateways.outgoing import out
from tests.gateways.pictures import JPEG, PNG, WEBP
from tests.gateways.stub import AnyStub, Reply, said

KEPT = out(PartKind.PICTURE, "", "media:sale.jpg")
BY_URL = out(PartKind.PICTURE, "", PICTURE_URL)


def uploaded(attachment_id: str) -> Reply:
    return said({"attachment_id": attachment_id})


async def send(gateway: FacebookGateway, part: Outgoing = KEPT) -> Accepted | GatewayError:
    (outcome,) = await gateway.send([part])
    return outcome


async def test_a_file_is_uploaded_once_for_all(gateway: FacebookGateway, stub: AnyStub, media: MemoryMedia) -> None:
    stub.replies = [uploaded("91"), taken("m_1"), taken("m_2")]
    assert await gateway.needs_upload(KEPT.part)
    assert [await send(gateway), await send(gateway)] == [Accepted("m_1"), Accepted("m_2")]
    assert not await gateway.needs_upload(KEPT.part)
    assert stub.sent == [
        kept("image", "sale.jpg", "image/jpeg", JPEG), sent(by_id("image", "91")), sent(by_id("image", "91"))
    ]  # fmt: skip
    assert list(media.uploads.values()) == [f"91@{NOW.timestamp():.0f}"]


async def test_an_id_outlives_a_restart(stub: AnyStub, media: MemoryMedia, hands: Hands) -> None:
    stub.replies = [uploaded("91"), taken("m_1"), taken("m_2")]
    for mid in ("m_1", "m_2"):
        gateway = make(stub.url, media, hands)
        await gateway.open()
        assert await send(gateway) == Accepted(mid)
        await gateway.close()
    assert len(stub.sent) == 3


async def test_an_id_of_eighty_days_is_not_used_any_more(
    gateway: FacebookGateway, stub: AnyStub, media: MemoryMedia, hands: Hands
) -> None:
    stub.replies = [uploaded("91"), taken("m_1"), taken("m_2"), uploaded("92"), taken("m_3")]
    await send(gateway)
    hands.now += timedelta(days=79, hours=23)
    assert await send(gateway) == Accepted("m_2")
    hands.now += timedelta(hours=2)
    assert await gateway.needs_upload(KEPT.part)
    assert await send(gateway) == Accepted("m_3")
    assert stub.sent[-1] == sent(by_id("image", "92"))


async def test_an_id_that_meta_knows_no_longer_is_replaced_within_the_send(
    gateway: FacebookGateway, stub: AnyStub, media: MemoryMedia
) -> None:
    media.uploads["fb-shop", "media:sale.jpg", PartKind.PICTURE] = f"90@{NOW.timestamp():.0f}"
    stub.replies = [refused(100, 2018074), uploaded("91"), taken("m_1")]
    assert await send(gateway) == Accepted("m_1")
    assert stub.sent == [
        sent(by_id("image", "90")), kept("image", "sale.jpg", "image/jpeg", JPEG), sent(by_id("image", "91"))
    ]  # fmt: skip


async def test_a_file_that_is_refused_twice_fails(gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [uploaded("91"), refused(100, 2018047), uploaded("92"), refused(100, 2018047)]
    outcome = await send(gateway)
    assert isinstance(outcome, MediaRefused)
    assert outcome.code == "100/2018047"
    assert stub.replies == []


async def test_an_id_kept_by_an_older_version_is_uploaded_anew(
    gateway: FacebookGateway, stub: AnyStub, media: MemoryMedia
) -> None:
    media.uploads["fb-shop", "media:sale.jpg", PartKind.PICTURE] = "an id without its time"
    stub.replies = [uploaded("91"), taken("m_1")]
    assert await send(gateway) == Accepted("m_1")


async def test_a_url_that_meta_can_not_fetch_is_brought_by_us(gateway: FacebookGateway, stub: AnyStub) -> None:
    url = f"{stub.url}/new.png"
    stub.pages["/new.png"] = Reply(200, PNG, {"Content-Type": "image/png"})
    stub.replies = [refused(100, 2018008), uploaded("91"), taken("m_1")]
    assert await send(gateway, out(PartKind.PICTURE, "", url)) == Accepted("m_1")
    assert stub.sent[:2] == [upload("image", url), kept("image", "new.png", "image/png", PNG)]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (out(PartKind.PICTURE, "", "media:gone.jpg"), "media"),
        (out(PartKind.PICTURE, "", "media:wrong.jpg"), "media"),
        (out(PartKind.PICTURE, "", "media:empty.jpg"), "media"),
        (out(PartKind.PICTURE, "", "media:large.jpg"), "too_big"),
        (out(PartKind.FILE, "", "media:huge.bin"), "too_big"),
    ],
    ids=lambda part: str(getattr(part, "part", part))[-20:],
)
async def test_a_file_that_can_not_be_had_or_taken_is_told_without_a_call(
    part: Outgoing, reason: str, gateway: FacebookGateway, media: MemoryMedia, stub: AnyStub, logs: Logs
) -> None:
    large = b"\xff\xd8\xff" + bytes(8 * 1024 * 1024)
    media.files |= {"media:wrong.jpg": WEBP, "media:empty.jpg": b"", "media:large.jpg": large}
    media.files["media:huge.bin"] = bytes(25 * 1024 * 1024 + 1)
    outcome = await send(gateway, part)
    assert isinstance(outcome, MessageRejected)
    assert outcome.reason == reason
    assert stub.sent == []
    logs.require_none_of(SECRETS)


@pytest.mark.parametrize("reply", [Reply(502, b"<html>"), Reply(hang_up=True), said({}), refused(2)])
async def test_an_upload_that_fails_sent_nothing(reply: Reply, gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [reply]
    assert isinstance(await send(gateway), Unavailable)
    assert len(stub.sent) == 1


async def test_equal_files_sent_at_once_are_uploaded_once(gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [uploaded("91"), *(taken(f"m_{n}") for n in range(5))]
    outcomes = await asyncio.gather(*(send(gateway) for _ in range(5)))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert [request.path.rpartition("/")[2] for request in stub.sent] == ["message_attachments", *["messages"] * 5]


async def test_who_meets_an_upload_that_is_under_way_waits(gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [refused(100, 2018074)]
    await gateway._uploads.remember("media:sale.jpg", PartKind.PICTURE, "90")
    async with gateway._uploading:
        outcome = await send(gateway)
    assert isinstance(outcome, Throttled)


class Broken(MemoryMedia):
    """A storage that fails now."""

    async def find_upload(self, *_: Any) -> str | None:
        raise OSError("disk with a secret name")

    async def remember_upload(self, *_: Any) -> None:
        raise OSError("disk with a secret name")


async def test_a_storage_that_fails_before_the_send_means_later(stub: AnyStub, hands: Hands, logs: Logs) -> None:
    gateway = make(stub.url, Broken(sale_jpg=JPEG), hands)
    assert await gateway.needs_upload(KEPT.part)
    assert isinstance(await send(gateway), Unavailable)
    logs.require_none_of(["disk with a secret name"])


async def test_a_storage_that_fails_after_the_upload_costs_nothing_but_an_upload(
    stub: AnyStub, hands: Hands, logs: Logs
) -> None:
    class Forgetful(Broken):
        async def find_upload(self, *_: Any) -> str | None:
            return None

    gateway = make(stub.url, Forgetful(sale_jpg=JPEG), hands)
    await gateway.open()
    stub.replies = [uploaded("91"), taken("m_1"), taken("m_2")]
    assert [await send(gateway), await send(gateway)] == [Accepted("m_1"), Accepted("m_2")]
    await gateway.close()
    logs.require_none_of(["disk with a secret name"])
