"""Requests out: exactly what reaches the Bot API, and that aiogram's own models of the methods take it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiogram import methods
from hypothesis import given
from hypothesis import strategies as st

from gateways.base import Accepted, Gateway, HoldsMedia, PartKind, PollsUpdates, Pressed, SetsWebhook
from gateways.base import AnswersPresses as Answers
from gateways.markup import RichText, Span, utf16_length
from gateways.message import Buy, Link, Reply
from gateways.telegram import render
from gateways.telegram.gateway import TelegramGateway
from tests.gateways.cases import Logs, OutCase, check_out, names
from tests.gateways.conftest import SECRET_PART, TOKEN
from tests.gateways.outgoing import out, text
from tests.gateways.pictures import JPEG, PNG
from tests.gateways.stub import Sent, Stub, message, refused, taken
from tests.gateways.test_telegram_updates import NOW

CHAT = 100200300
SIZES = [
    {"file_id": "AgAC-s", "file_unique_id": "s", "width": 90, "height": 60},
    {"file_id": "AgAC-x", "file_unique_id": "x", "width": 800, "height": 533},
]
OPEN = Link(link="https://shop.example/sale?m=17", label="На сайт")
MORE = Reply(message="Tell me more", label="Расскажите")
BUY = Buy(buy="SKU-1", price="19.90 EUR", label="Купить")
PICTURE_URL = "https://shop.example/new.jpg"


def sent(method: str, **values: Any) -> Sent:
    return Sent(method, {"chat_id": CHAT, **values})


def photo(message_id: int, file_id: str = "AgAC-x") -> Any:
    return taken(message(message_id, photo=[*SIZES[:1], {**SIZES[1], "file_id": file_id}]))


CASES = [
    OutCase("plain text", text("Скидка 5 мая"), [taken(message(502))], [sent("sendMessage", text="Скидка 5 мая")],
            Accepted("100200300:502")),
    OutCase(
        "formatting, in UTF-16 units behind an emoji",
        text("<b>Скидка</b> 😀 <i>до 5</i> мая, <a href=\"https://shop.example/a?b=1&amp;c=2\">тут</a>"),
        [taken(message(503))],
        [sent("sendMessage", text="Скидка 😀 до 5 мая, тут", entities=[
            {"type": "bold", "offset": 0, "length": 6},
            {"type": "italic", "offset": 10, "length": 4},
            {"type": "text_link", "offset": 20, "length": 3, "url": "https://shop.example/a?b=1&c=2"},
        ])],
        Accepted("100200300:503"),
    ),
    OutCase(
        "every kind of button",
        text("Choose well", buttons=[[OPEN, BUY], [MORE]], data=["c7.0", "c7.1", "c7.2"]),
        [taken(message(504))],
        [sent("sendMessage", text="Choose well", reply_markup={"inline_keyboard": [
            [{"text": "На сайт", "url": "https://shop.example/sale?m=17"},
             {"text": "Купить", "callback_data": "c7.1"}],
            [{"text": "Расскажите", "callback_data": "c7.2"}],
        ]})],
        Accepted("100200300:504"),
    ),
    OutCase("a text that looks like markup", text("a &lt;b&gt; *c* _d_ {{ e }}"), [taken(message(505))],
            [sent("sendMessage", text="a <b> *c* _d_ {{ e }}")], Accepted("100200300:505")),
    OutCase("no preview, no sound, no forwarding",
            text("Quietly now", extra={"link_preview": False, "silent": True, "protect": True}),
            [taken(message(506))],
            [sent("sendMessage", text="Quietly now", link_preview_options={"is_disabled": True},
                  disable_notification=True, protect_content=True)],
            Accepted("100200300:506")),
    OutCase("a channel by its name", text("Hello there", address="@shop_news"), [taken(message(7))],
            [Sent("sendMessage", {"chat_id": "@shop_news", "text": "Hello there"})], Accepted("@shop_news:7")),
    OutCase("a group", text("Hello there", address="-100200300"), [taken(message(8, -100200300))],
            [Sent("sendMessage", {"chat_id": -100200300, "text": "Hello there"})], Accepted("-100200300:8")),
    OutCase(
        "a picture of ours",
        out(PartKind.PICTURE, "Новинки <b>недели</b>", "media:sale.jpg", buttons=[[OPEN]], data=["c7.0"]),
        [photo(507)],
        [Sent("sendPhoto", {
            "chat_id": CHAT, "photo": "attach://file0", "caption": "Новинки недели",
            "caption_entities": [{"type": "bold", "offset": 8, "length": 6}],
            "reply_markup": {"inline_keyboard": [[{"text": OPEN.label, "url": OPEN.link}]]},
        }, {"file0": ("sale.jpg", "image/jpeg", JPEG)})],
        Accepted("100200300:507"),
    ),
    OutCase("a picture by URL", out(PartKind.PICTURE, "", PICTURE_URL), [photo(508)],
            [sent("sendPhoto", photo=PICTURE_URL)], Accepted("100200300:508")),
    OutCase(
        "an album of both",
        out(PartKind.ALBUM, "Все <i>цвета</i>", "media:sale.jpg", PICTURE_URL, "media:new.png"),
        [taken([message(509, photo=SIZES), message(510, photo=SIZES), message(511, photo=SIZES)])],
        [Sent("sendMediaGroup", {"chat_id": CHAT, "media": [
            {"type": "photo", "media": "attach://file0", "caption": "Все цвета",
             "caption_entities": [{"type": "italic", "offset": 4, "length": 5}]},
            {"type": "photo", "media": PICTURE_URL},
            {"type": "photo", "media": "attach://file1"},
        ]}, {"file0": ("sale.jpg", "image/jpeg", JPEG), "file1": ("new.png", "image/png", PNG)})],
        Accepted("100200300:509", details={"message_ids": [509, 510, 511]}),
    ),
    OutCase("an album of one is a picture", out(PartKind.ALBUM, "", PICTURE_URL), [photo(512)],
            [sent("sendPhoto", photo=PICTURE_URL)], Accepted("100200300:512")),
    OutCase(
        "a document under its own name",
        out(PartKind.FILE, "Цены", "media:price.pdf", name="Прайс май.pdf"),
        [taken(message(513, document={"file_id": "BQAC"}))],
        [Sent("sendDocument", {"chat_id": CHAT, "document": "attach://file0", "caption": "Цены",
                               "disable_content_type_detection": True},
              {"file0": ("Прайс май.pdf", "application/pdf", b"%PDF-1.7 prices")})],
        Accepted("100200300:513"),
    ),
    OutCase(
        "a video",
        out(PartKind.VIDEO, "", "media:clip.mp4"),
        [taken(message(514, video={"file_id": "BAAC"}))],
        [Sent("sendVideo", {"chat_id": CHAT, "video": "attach://file0"},
              {"file0": ("clip.mp4", "video/mp4", b"\0\0\0\x18ftypmp42 clip")})],
        Accepted("100200300:514"),
    ),
    OutCase("a location", out(PartKind.LOCATION, latitude=50.4501, longitude=30.5234), [taken(message(515))],
            [sent("sendLocation", latitude=50.4501, longitude=30.5234)], Accepted("100200300:515")),
    OutCase("code inside bold stands beside it", text("<b>use <code>SPRING</code> now</b>"), [taken(message(516))],
            [sent("sendMessage", text="use SPRING now", entities=[
                {"type": "bold", "offset": 0, "length": 4},
                {"type": "code", "offset": 4, "length": 6},
                {"type": "bold", "offset": 10, "length": 4},
            ])], Accepted("100200300:516")),
    OutCase("carriage returns are no letters", text("one\r\n<b>two</b>\r\n"), [taken(message(517))],
            [sent("sendMessage", text="one\ntwo\n", entities=[{"type": "bold", "offset": 4, "length": 3}])],
            Accepted("100200300:517")),
    OutCase("numbers as strings in the answer", text(), [taken({"message_id": "518"})],
            [sent("sendMessage", text="Hello there")], Accepted("100200300:518")),
    OutCase("a success that says nothing", text(), [taken(True)], [sent("sendMessage", text="Hello there")],
            Accepted("")),
    OutCase(
        "a group that moved",
        text("Hello there", address="-4001"),
        [refused(400, "Bad Request: group chat was upgraded to a supergroup chat",
                 parameters={"migrate_to_chat_id": -1004001}), taken(message(1, -1004001))],
        [Sent("sendMessage", {"chat_id": -4001, "text": "Hello there"}),
         Sent("sendMessage", {"chat_id": -1004001, "text": "Hello there"})],
        Accepted("-1004001:1", new_address="-1004001"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
async def test_a_part_is_sent(case: OutCase, gateway: TelegramGateway, stub: Stub, logs: Logs) -> None:
    await check_out(case, gateway, stub, logs, [TOKEN, SECRET_PART, "hook-secret"])


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_aiogram_reads_each_request_as_its_own_method(case: OutCase) -> None:
    for request in case.requests:
        model = getattr(methods, request.method[0].upper() + request.method[1:])
        known = model.model_validate(_without_files(request.values))
        assert not known.model_extra
        assert known.__api_method__ == request.method


def _without_files(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


async def test_the_token_stands_in_the_path_and_nowhere_else(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(message(1))]
    await gateway.send([text()])
    assert TOKEN not in str(stub.sent)


def test_a_telegram_gateway_is_all_that_the_engine_may_ask_for(gateway: TelegramGateway) -> None:
    for protocol in (Gateway, HoldsMedia, Answers, PollsUpdates, SetsWebhook):
        assert isinstance(gateway, protocol)


async def test_several_parts_have_an_outcome_each_in_order(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(message(1)), taken(message(2))]
    outcomes = await gateway.send([text("First one"), text("Second one")])
    assert outcomes == [Accepted("100200300:1"), Accepted("100200300:2")]


async def test_a_cancelled_send_is_cancelled(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [replace(taken(message(1)), delay_s=0.5)]
    sending = asyncio.create_task(gateway.send([text()]))
    await stub.arrived.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


@given(
    st.text(st.sampled_from("ab 😀\u0301\u200fש\r\n\U0001f1fa"), max_size=24),
    st.lists(st.tuples(st.sampled_from(["b", "i", "u", "s", "code", "a", "blockquote"]), st.integers(0, 24),
                       st.integers(0, 24)), max_size=6),
)  # fmt: skip
def test_entities_lie_inside_the_text_on_borders_of_letters(content: str, marks: list[tuple[str, int, int]]) -> None:
    size = len(content)
    spans = tuple(Span(tag, a, b, "https://a.b/" if tag == "a" else "") for tag, a, b in marks if a < b <= size)
    plain, entities = render.text_and_entities(RichText(content, spans))
    assert plain == content.replace("\r", "")
    units = plain.encode("utf-16-le")
    for entity in entities:
        start, end = entity["offset"] * 2, (entity["offset"] + entity["length"]) * 2
        assert 0 <= start < end <= len(units)
        units[start:end].decode("utf-16-le")  # raises where an emoji is cut in two


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_an_entity_covers_the_very_letters_of_its_span(before: str, bold: str, after: str) -> None:
    before, bold, after = (part.replace("\r", "") for part in (before, bold, after))
    rich = RichText(before + bold + after, (Span("b", len(before), len(before) + len(bold)),) if bold else ())
    plain, entities = render.text_and_entities(rich)
    units = plain.encode("utf-16-le", "surrogatepass")
    assert [units[2 * e["offset"] : 2 * (e["offset"] + e["length"])] for e in entities] == (
        [bold.encode("utf-16-le", "surrogatepass")] if bold else []
    )


def test_a_hundred_entities_are_sent_and_no_more() -> None:
    rich = RichText("ab" * 150, tuple(Span("b", 2 * place, 2 * place + 1) for place in range(150)))
    _, entities = render.text_and_entities(rich)
    assert [entity["offset"] for entity in entities] == [2 * place for place in range(100)]


def test_bold_pieces_that_touch_become_one_entity_unless_that_crosses_another() -> None:
    touching = RichText("abcd", (Span("b", 0, 2), Span("b", 2, 4)))
    assert render.text_and_entities(touching)[1] == [{"type": "bold", "offset": 0, "length": 4}]
    crossing = RichText("abcd", (Span("i", 0, 2), Span("b", 1, 2), Span("b", 2, 4)))
    assert len(render.text_and_entities(crossing)[1]) == 3


def test_a_lone_half_of_an_emoji_fails_no_length() -> None:
    assert utf16_length("a\ud83d") == 2


async def test_a_lone_half_of_an_emoji_is_sent_as_a_question_mark(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(message(1))]
    (outcome,) = await gateway.send([text("Hello \ud83d there")])
    assert outcome == Accepted("100200300:1")
    assert stub.sent == [sent("sendMessage", text="Hello ? there")]


async def test_a_press_is_answered_with_a_note_of_two_hundred_letters(gateway: TelegramGateway, stub: Stub) -> None:
    stub.replies = [taken(True), taken(True)]
    pressed = Pressed("100200300", NOW, "k", "c7.0", "8800")
    await gateway.answer_press(pressed)
    await gateway.answer_press(pressed, "x" * 300)
    assert stub.sent == [
        Sent("answerCallbackQuery", {"callback_query_id": "8800"}),
        Sent("answerCallbackQuery", {"callback_query_id": "8800", "text": "x" * 200}),
    ]


async def test_a_press_that_waited_too_long_is_no_error(gateway: TelegramGateway, stub: Stub) -> None:
    words = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    stub.replies = [refused(400, words)]
    await gateway.answer_press(Pressed("100200300", NOW, "k", "c7.0", "8800"), "Thanks")
    assert stub.replies == []


async def test_a_press_without_an_id_is_not_answered(gateway: TelegramGateway, stub: Stub) -> None:
    await gateway.answer_press(Pressed("100200300", NOW, "k", "c7.0"))
    assert stub.sent == []
