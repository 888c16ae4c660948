"""Files: each goes to Telegram once and to everybody after by its id; what Telegram refuses is brought once more."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gateways.base import Accepted, AddressGone, GatewayError, MessageRejected, PartKind, Throttled, Unavailable
from gateways.telegram.gateway import TelegramGateway
from gateways.telegram.media import Item, file_id_of
from tests.gateways.cases import Logs, MemoryMedia
from tests.gateways.conftest import TOKEN
from tests.gateways.outgoing import out
from tests.gateways.pictures import JPEG, PNG, WEBP
from tests.gateways.stub import Reply, Sent, Stub, message, refused, taken

CHAT = 100200300
WRONG_ID = "Bad Request: wrong file identifier/HTTP URL specified"
FAILED_URL = "Bad Request: failed to get HTTP URL content"
UPLOADED = {"file0": ("sale.jpg", "image/jpeg", JPEG)}


def photo(message_id: int, file_id: str) -> Reply:
    return taken(message(message_id, photo=[{"file_id": f"{file_id}-small"}, {"file_id": file_id, "width": 800}]))


def picture(source: str = "media:sale.jpg", caption: str = "") -> Any:
    return out(PartKind.PICTURE, caption, source)


def by_id(file_id: str) -> Sent:
    return Sent("sendPhoto", {"chat_id": CHAT, "photo": file_id})


UPLOAD = Sent("sendPhoto", {"chat_id": CHAT, "photo": "attach://file0"}, UPLOADED)


async def send(gateway: TelegramGateway, part: Any) -> Accepted | GatewayError:
    (outcome,) = await gateway.send([part])
    return outcome


async def test_a_file_is_uploaded_once_and_goes_out_by_its_largest_id_after(
    gateway: TelegramGateway, stub: Stub, media: MemoryMedia
) -> None:
    stub.replies = [photo(1, "id-1"), photo(2, "id-1"), photo(3, "id-1")]
    assert await gateway.needs_upload(picture().part)
    for number in (1, 2, 3):
        assert await send(gateway, picture()) == Accepted(f"{CHAT}:{number}")
        assert not await gateway.needs_upload(picture().part)
    assert stub.sent == [UPLOAD, by_id("id-1"), by_id("id-1")]
    assert media.uploads == {("tg-shop", "media:sale.jpg", PartKind.PICTURE): "id-1"}


async def test_another_process_goes_on_with_the_id_that_is_kept(
    gateway: TelegramGateway, stub: Stub, media: MemoryMedia
) -> None:
    media.uploads["tg-shop", "media:sale.jpg", PartKind.PICTURE] = "kept"
    assert not await gateway.needs_upload(picture().part)
    stub.replies = [photo(1, "kept")]
    await send(gateway, picture())
    assert stub.sent == [by_id("kept")]


async def test_another_channels_id_is_not_used(gateway: TelegramGateway, media: MemoryMedia) -> None:
    media.uploads["tg-other", "media:sale.jpg", PartKind.PICTURE] = "kept"
    assert await gateway.needs_upload(picture().part)


async def test_a_picture_and_an_album_share_ids_but_a_document_does_not(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [photo(1, "id-1")]
    await send(gateway, picture())
    assert not await gateway.needs_upload(out(PartKind.ALBUM, "", "media:sale.jpg", "media:sale.jpg").part)
    assert await gateway.needs_upload(out(PartKind.ALBUM, "", "media:sale.jpg", "media:new.png").part)
    assert await gateway.needs_upload(out(PartKind.FILE, "", "media:sale.jpg").part)


async def test_an_id_that_telegram_forgot_is_forgotten_and_the_file_uploaded_once_more(
    gateway: TelegramGateway, stub: Stub, media: MemoryMedia
) -> None:
    media.uploads["tg-shop", "media:sale.jpg", PartKind.PICTURE] = "stale"
    stub.replies = [refused(400, WRONG_ID), photo(1, "fresh"), photo(2, "fresh")]
    assert await send(gateway, picture()) == Accepted(f"{CHAT}:1")
    assert await send(gateway, picture()) == Accepted(f"{CHAT}:2")
    assert stub.sent == [by_id("stale"), UPLOAD, by_id("fresh")]


async def test_a_file_that_is_refused_in_every_form_is_the_messages_fault(
    gateway: TelegramGateway, stub: Stub, media: MemoryMedia
) -> None:
    media.uploads["tg-shop", "media:sale.jpg", PartKind.PICTURE] = "stale"
    stub.replies = [refused(400, WRONG_ID), refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")]
    outcome = await send(gateway, picture())
    assert isinstance(outcome, MessageRejected)
    assert stub.sent == [by_id("stale"), UPLOAD]
    assert media.uploads == {}


async def test_those_who_meet_a_stale_id_while_it_is_mended_wait_instead_of_uploading_too(
    gateway: TelegramGateway, stub: Stub, media: MemoryMedia
) -> None:
    media.uploads["tg-shop", "media:sale.jpg", PartKind.PICTURE] = "stale"
    stub.replies = [refused(400, WRONG_ID)] * 3 + [replace(photo(1, "fresh"), delay_s=0.5)]
    outcomes = await asyncio.gather(*(send(gateway, picture()) for _ in range(3)))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Accepted", "Throttled", "Throttled"]
    assert [outcome.retry_after_s for outcome in outcomes if isinstance(outcome, Throttled)] == [1.0, 1.0]
    assert stub.sent.count(UPLOAD) == 1


async def test_first_sends_that_start_together_upload_once(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [photo(number, "id-1") for number in range(1, 5)]
    outcomes = await asyncio.gather(*(send(gateway, picture()) for _ in range(4)))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert stub.sent == [UPLOAD, by_id("id-1"), by_id("id-1"), by_id("id-1")]


async def test_a_first_client_who_is_gone_leaves_the_upload_to_the_next(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [refused(403, "Forbidden: bot was blocked by the user"), photo(1, "id-1")]
    assert isinstance(await send(gateway, picture()), AddressGone)
    assert await gateway.needs_upload(picture().part)
    assert await send(gateway, picture()) == Accepted(f"{CHAT}:1")
    assert stub.sent == [UPLOAD, UPLOAD]


async def test_a_url_is_given_to_telegram_once_and_then_the_id(gateway: TelegramGateway, stub: Stub) -> None:
    url = "https://shop.example/a.jpg"
    stub.replies = [photo(1, "id-1"), photo(2, "id-1")]
    assert await gateway.needs_upload(picture(url).part)
    await send(gateway, picture(url))
    assert not await gateway.needs_upload(picture(url).part)
    await send(gateway, picture(url))
    assert stub.sent == [by_id(url), by_id("id-1")]


async def test_a_url_that_telegram_refuses_is_fetched_and_uploaded_by_us(gateway: TelegramGateway, stub: Stub) -> None:
    stub.pages["/pictures/sale"] = Reply(200, PNG, {"Content-Type": "image/png"})
    url = f"{stub.url}/pictures/sale"
    stub.replies = [refused(400, FAILED_URL), photo(1, "id-1"), photo(2, "id-1")]
    assert await send(gateway, picture(url)) == Accepted(f"{CHAT}:1")
    assert await send(gateway, picture(url)) == Accepted(f"{CHAT}:2")
    files = {"file0": ("sale.png", "image/png", PNG)}
    uploaded = Sent("sendPhoto", {"chat_id": CHAT, "photo": "attach://file0"}, files)
    assert stub.sent == [by_id(url), uploaded, by_id("id-1")]


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (Reply(404, b""), "HTTP 404"),
        (Reply(200, b""), "empty"),
        (Reply(200, b"x" * (10 * 1024 * 1024 + 1)), "larger than 10 MB"),
        (Reply(200, b"<html>secret figures</html>"), "can't be read"),
        (Reply(302, b"", {"Location": "file:///etc/passwd"}), "no http or https"),
        (Reply(302, b"", {"Location": "http://169.254.169.254/latest/meta-data"}), "not a public one"),
        (Reply(302, b"", {"Location": "/loop"}), "from place to place"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_url_that_nobody_can_fetch_is_told_in_clear_words(
    page: Reply, words: str, gateway: TelegramGateway, stub: Stub, logs: Logs
) -> None:
    stub.pages["/loop"] = page
    stub.replies = [refused(400, FAILED_URL)]
    outcome = await send(gateway, picture(f"{stub.url}/loop"))
    assert isinstance(outcome, MessageRejected)
    assert words in outcome.words
    assert stub.sent == [by_id(f"{stub.url}/loop")]
    logs.require_none_of([TOKEN])


async def test_a_document_is_never_fetched_from_this_machine(gateway: TelegramGateway, stub: Stub) -> None:
    stub.pages["/metrics"] = Reply(200, b"secret figures")
    stub.replies = [refused(400, FAILED_URL)]
    outcome = await send(gateway, out(PartKind.FILE, "", f"{stub.url}/metrics"))
    assert isinstance(outcome, MessageRejected)
    assert "not a public one" in outcome.words


async def test_an_album_with_one_bad_picture_is_brought_again_whole(gateway: TelegramGateway, stub: Stub) -> None:
    stub.pages["/b.png"] = Reply(200, PNG, {"Content-Type": "image/png"})
    url = f"{stub.url}/b.png"
    album = out(PartKind.ALBUM, "", "media:sale.jpg", url)
    one, two = message(1, photo=[{"file_id": "a"}]), message(2, photo=[{"file_id": "b"}])
    stub.replies = [
        refused(400, f'Bad Request: failed to send message #2 with the error message "{FAILED_URL}"'),
        taken([one, two]),
        taken([one, two]),
    ]
    for _ in range(2):
        assert await send(gateway, album) == Accepted(f"{CHAT}:1", details={"message_ids": [1, 2]})
    assert [sorted(request.files) for request in stub.sent] == [["file0"], ["file0", "file1"], []]
    assert [item["media"] for item in stub.sent[2].values["media"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x89PNG but not quite", "can't be read"),
        (WEBP, "this one is WebP"),
        (b"<svg/>", "can't be read"),
        (JPEG + b"\0" * 10 * 1024 * 1024, "up to 10 MB; this one has 10.0 MB"),
    ],
    ids=["empty", "garbled", "webp", "svg", "large"],
)
async def test_a_picture_that_telegram_could_not_show_is_refused_before_the_call(
    content: bytes, words: str, gateway: TelegramGateway, stub: Stub, media: MemoryMedia
) -> None:
    media.files["media:x.jpg"] = content
    outcome = await send(gateway, picture("media:x.jpg"))
    assert isinstance(outcome, MessageRejected)
    assert words in outcome.words
    assert stub.sent == []


async def test_a_file_that_is_no_longer_kept_is_told(gateway: TelegramGateway, stub: Stub) -> None:
    outcome = await send(gateway, picture("media:lost.jpg"))
    assert isinstance(outcome, MessageRejected)
    assert "add it again" in outcome.words
    assert stub.sent == []


async def test_a_picture_goes_out_under_what_its_bytes_are(
    gateway: TelegramGateway, stub: Stub, media: MemoryMedia
) -> None:
    media.files["media:x.jpeg.bin"] = PNG
    stub.replies = [photo(1, "id-1")]
    await send(gateway, picture("media:x.jpeg.bin"))
    assert stub.sent[0].files == {"file0": ("x.jpeg.png", "image/png", PNG)}


async def test_a_name_with_quotes_and_slashes_can_stand_in_a_form(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(message(1, document={"file_id": "d"}))]
    await send(gateway, out(PartKind.FILE, "", "media:price.pdf", name='../a"b\r\nc.pdf'))
    assert stub.sent[0].files["file0"][0] == "_a_b__c.pdf"


async def test_an_album_never_carries_buttons_silently_away(gateway: TelegramGateway, stub: Stub) -> None:
    from tests.gateways.test_telegram_sending import OPEN

    outcome = await send(gateway, out(PartKind.ALBUM, "", "media:sale.jpg", "media:new.png", buttons=[[OPEN]]))
    assert isinstance(outcome, MessageRejected)
    assert stub.sent == []


async def test_a_server_that_names_no_file_still_sends(gateway: TelegramGateway, stub: Stub) -> None:
    url = "https://shop.example/a.jpg"
    stub.replies = [taken(message(1)), taken(message(2)), taken(message(3))]
    assert await send(gateway, picture()) == Accepted(f"{CHAT}:1")
    assert await send(gateway, picture(url)) == Accepted(f"{CHAT}:2")
    assert not await gateway.needs_upload(picture(url).part)
    assert await send(gateway, picture(url)) == Accepted(f"{CHAT}:3")
    assert stub.sent == [UPLOAD, by_id(url), by_id(url)]


@pytest.mark.parametrize(
    ("kind", "sent", "file_id"),
    [
        (PartKind.PICTURE, {"photo": [{"file_id": "a"}, {"file_id": "b"}]}, "b"),
        (PartKind.PICTURE, {"photo": [{"file_id": "a"}, {"width": 7}]}, "a"),
        (PartKind.PICTURE, {"photo": []}, None),
        (PartKind.PICTURE, {"photo": {"file_id": "a"}}, "a"),
        (PartKind.VIDEO, {"animation": {"file_id": "g"}, "document": {"file_id": "g"}}, "g"),
        (PartKind.FILE, {"document": {"file_id": "d"}}, "d"),
        (PartKind.FILE, {"audio": {"file_id": "m"}}, "m"),
        (PartKind.FILE, {"document": None}, None),
        (PartKind.FILE, None, None),
    ],
)
def test_the_id_is_found_where_telegram_puts_it(kind: PartKind, sent: Any, file_id: str | None) -> None:
    assert file_id_of(sent, kind) == file_id


class _BrokenStore(MemoryMedia):
    async def find_upload(self, channel: str, source: str, kind: PartKind) -> str | None:
        raise RuntimeError("the disk is full")


class _ForgetfulStore(MemoryMedia):
    async def remember_upload(self, channel: str, source: str, kind: PartKind, remote_id: str) -> None:
        raise RuntimeError("the disk is full")


@pytest.fixture
async def opened(stub: Stub, request: pytest.FixtureRequest) -> AsyncIterator[TelegramGateway]:
    gateway = TelegramGateway(channel="c", token=TOKEN, media=request.param(sale_jpg=JPEG), api_base=stub.url)
    await gateway.open()
    yield gateway
    await gateway.close()


@pytest.mark.parametrize("opened", [_BrokenStore], indirect=True)
async def test_a_storage_that_fails_before_the_call_means_surely_not_sent(opened: TelegramGateway, stub: Stub) -> None:
    assert await opened.needs_upload(picture().part)
    assert isinstance(await send(opened, picture()), Unavailable)
    assert stub.sent == []


@pytest.mark.parametrize("opened", [_ForgetfulStore], indirect=True)
async def test_a_storage_that_fails_after_the_call_takes_nothing_back(opened: TelegramGateway, stub: Stub) -> None:
    stub.replies = [photo(1, "id-1"), photo(2, "id-1")]
    assert await send(opened, picture()) == Accepted(f"{CHAT}:1")
    assert await send(opened, picture()) == Accepted(f"{CHAT}:2")
    assert stub.sent == [UPLOAD, by_id("id-1")]


def test_a_source_is_a_url_only_by_its_scheme() -> None:
    assert Item("https://a.b/c", PartKind.PICTURE).is_url
    assert not Item("media:https.jpg", PartKind.PICTURE).is_url
