import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramEntityTooLarge
from aiogram.types import (
    BufferedInputFile,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
)
from aiogram.types.media_union import MediaUnion

from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.server import TelegramSimulator
from tests.gateways.simulator.conftest import TOKEN, Post
from tests.gateways.simulator.pictures import jpeg, png


def picture(content: bytes | None = None, name: str = "sale.png") -> BufferedInputFile:
    return BufferedInputFile(png() if content is None else content, name)


async def test_a_photo_comes_back_in_ascending_sizes_and_its_last_id_is_reusable(
    bot: Bot, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    bob = shop.add_client(8, "Bob")
    message = await bot.send_photo(7, picture(), caption="<b>New</b>", parse_mode="HTML")
    assert [(size.width, size.height) for size in message.photo or ()] == [(90, 68), (320, 240), (640, 480)]
    assert (message.caption, ann.last.text, ann.last.media[0].content) == ("New", "New", png())
    again = await bot.send_photo(8, (message.photo or [])[-1].file_id)
    assert (again.photo or [])[-1].file_unique_id == (message.photo or [])[-1].file_unique_id
    assert bob.last.media[0].size_bytes == 3000
    await bot.send_photo(8, picture(jpeg(), "sale.jpg"))
    assert bob.last.raw["photo"][-1]["width"] == 640


async def test_a_file_part_may_be_named_like_its_parameter(
    telegram: TelegramSimulator, http: aiohttp.ClientSession, ann: SimulatedClient
) -> None:
    form = aiohttp.FormData({"chat_id": "7"})
    form.add_field("photo", png(), filename="sale.png", content_type="image/png")
    async with http.post(f"{telegram.url}/bot{TOKEN}/sendPhoto", data=form) as answer:
        assert (await answer.json())["ok"]
    assert telegram.requests()[-1].files["photo"].size_bytes == 3000


async def test_a_file_id_belongs_to_one_bot_and_one_kind(
    telegram: TelegramSimulator, bot: Bot, post: Post, ann: SimulatedClient
) -> None:
    other = telegram.add_bot("2:other")
    other.add_client(7, "Ann")
    message = await bot.send_photo(7, picture())
    file_id = (message.photo or [])[-1].file_id
    answer = await post("sendPhoto", token="2:other", chat_id=7, photo=file_id)
    assert answer["description"] == "Bad Request: wrong file identifier/HTTP URL specified"
    with pytest.raises(TelegramBadRequest, match="can't use file of type Photo as Document"):
        await bot.send_document(7, file_id)


async def test_a_picture_that_telegram_would_not_take_is_refused(bot: Bot, ann: SimulatedClient) -> None:
    cases = [
        (picture(b"no picture at all"), "IMAGE_PROCESS_FAILED"),
        (picture(png(9000, 2000)), "PHOTO_INVALID_DIMENSIONS"),
        (picture(png(2100, 100)), "PHOTO_INVALID_DIMENSIONS"),
        (picture(name="sale.webp"), "photo has unsupported extension"),
        (picture(png(size_bytes=10 * 1024 * 1024 + 1)), "is too big for a photo"),
    ]
    for file, words in cases:
        with pytest.raises(TelegramBadRequest, match=words):
            await bot.send_photo(7, file)
    with pytest.raises(TelegramBadRequest, match="message caption is too long"):
        await bot.send_photo(7, picture(), caption="x" * 1025)
    assert ann.messages == []


async def test_any_bytes_are_a_photo_where_pictures_are_not_checked(
    telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient
) -> None:
    telegram.world.files.checks_pictures = False
    await bot.send_photo(7, picture(b"anything"))
    assert ann.last.media[0].content == b"anything"


async def test_a_photo_by_url_is_taken_or_refused_by_a_knob(
    telegram: TelegramSimulator, bot: Bot, ann: SimulatedClient
) -> None:
    await bot.send_photo(7, "https://shop.example/sale.jpg")
    assert ann.last.media[0].source_url == "https://shop.example/sale.jpg"
    telegram.world.refuses_links = True
    with pytest.raises(TelegramBadRequest, match="failed to get HTTP URL content"):
        await bot.send_photo(7, "https://shop.example/sale.jpg")


async def test_documents_videos_and_sounds_keep_their_names(bot: Bot, ann: SimulatedClient) -> None:
    document = await bot.send_document(7, BufferedInputFile(b"%PDF", "price.pdf"), caption="Price")
    assert document.document is not None
    assert (document.document.file_name, document.document.file_size) == ("price.pdf", 4)
    await bot.send_video(7, BufferedInputFile(b"mp4", "a.mp4"))
    animation = await bot.send_animation(7, BufferedInputFile(b"gif", "a.gif"))
    assert animation.document is not None
    await bot.send_audio(7, BufferedInputFile(b"mp3", "a.mp3"))
    await bot.send_voice(7, BufferedInputFile(b"ogg", "a.ogg"))
    assert [message.media[0].kind for message in ann.messages] == ["document", "video", "animation", "audio", "voice"]


async def test_an_album_is_several_messages_of_one_group(bot: Bot, shop: SimulatedBot, ann: SimulatedClient) -> None:
    album: list[MediaUnion] = [
        InputMediaPhoto(media=picture(), caption="<b>Spring</b>", parse_mode="HTML"),
        InputMediaVideo(media=BufferedInputFile(b"mp4", "a.mp4")),
    ]
    first, second = await bot.send_media_group(7, album)
    assert first.media_group_id == second.media_group_id
    assert [message.text for message in ann.messages] == ["Spring", ""]
    assert shop.accepted.by_chat == {7: 2}
    assert len(shop.accepted.at) == 1


async def test_the_rules_of_albums_hold(bot: Bot, post: Post, ann: SimulatedClient) -> None:
    photo = {"type": "photo", "media": "https://shop.example/1.jpg"}
    document = {"type": "document", "media": "https://shop.example/1.pdf"}
    cases: list[tuple[dict[str, object], str]] = [
        ({"media": [photo]}, "2-10 items"),
        ({"media": [photo] * 11}, "2-10 items"),
        ({"media": [photo, document]}, "document can't be mixed"),
        ({"media": [photo, photo], "reply_markup": {"inline_keyboard": []}}, "reply_markup"),
        (
            {"media": [photo, {"type": "photo", "media": "nonsense"}]},
            'failed to send message #2 with the error message "wrong file identifier/HTTP URL specified"',
        ),
    ]
    for parameters, words in cases:
        assert words in (await post("sendMediaGroup", chat_id=7, **parameters))["description"]
    assert ann.messages == []


async def test_media_and_captions_are_edited(bot: Bot, ann: SimulatedClient) -> None:
    message = await bot.send_photo(7, picture(), caption="Old")
    await bot.edit_message_caption(chat_id=7, message_id=message.message_id, caption="New")
    assert (ann.last.text, ann.last.edited) == ("New", 1)
    media = InputMediaDocument(media=BufferedInputFile(b"%PDF", "price.pdf"), caption="Price")
    await bot.edit_message_media(media, chat_id=7, message_id=message.message_id)
    assert (ann.last.media[0].kind, ann.last.text, ann.last.edited) == ("document", "Price", 2)
    with pytest.raises(TelegramBadRequest, match="no text in the message"):
        await bot.edit_message_text("x", chat_id=7, message_id=message.message_id)


async def test_what_a_client_sends_can_be_downloaded(bot: Bot, ann: SimulatedClient) -> None:
    ann.sends_document(b"a,b\n1,2\n", "clients.csv")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.document is not None
    assert update.message.document.file_name == "clients.csv"
    content = await bot.download(update.message.document)
    assert content is not None
    assert content.read() == b"a,b\n1,2\n"


async def test_a_file_too_big_to_download_is_refused(bot: Bot, ann: SimulatedClient) -> None:
    ann.sends_document(bytes(20 * 1024 * 1024 + 1))
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.document is not None
    with pytest.raises(TelegramBadRequest, match="file is too big"):
        await bot.get_file(update.message.document.file_id)


async def test_an_upload_over_50_mb_is_too_large(bot: Bot, ann: SimulatedClient) -> None:
    with pytest.raises(TelegramEntityTooLarge):
        await bot.send_document(7, BufferedInputFile(bytes(50 * 1024 * 1024 + 1), "big.bin"))
