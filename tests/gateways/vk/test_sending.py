"""Requests out: exactly what reaches VK, one by one and several in one call."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from gateways.base import (
    Accepted,
    AddressGone,
    AddressStatus,
    AnswersPresses,
    CostsSlots,
    Gateway,
    GatewayError,
    HoldsMedia,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    PartKind,
    PollsReads,
    PollsUpdates,
    Pressed,
    Rejected,
    SendsTogether,
    SetsWebhook,
    Throttled,
)
from gateways.message import Buy, Card, Link, Reply
from gateways.vk.gateway import VkGateway
from tests.gateways.cases import Logs, OutCase, check_out, fields, names
from tests.gateways.pictures import JPEG
from tests.gateways.stub import AnyStub, Got
from tests.gateways.vk.vk import (
    BRINGING,
    DOC,
    NOW,
    PHOTO,
    SECRET,
    TOKEN,
    UPLOADING,
    answered,
    asked,
    bringing,
    failed,
    here,
    out,
    receiver,
    refused_receiver,
    sent,
    took,
    uploading,
)

OPEN = Link(link="https://shop.example/sale?m=17", label="На сайт")
MORE = Reply(message="Tell me more", label="Расскажите")
BUY = Buy(buy="SKU-1", price="19.90 EUR", label="Купить")


def link_button() -> dict[str, Any]:
    return {"action": {"type": "open_link", "label": "На сайт", "link": OPEN.link}}


def callback(label: str, data: str, color: str = "primary") -> dict[str, Any]:
    payload = json.dumps({"b": data}, separators=(",", ":"))
    return {"action": {"type": "callback", "label": label, "payload": payload}, "color": color}


def keyboard(*rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"inline": True, "buttons": list(rows)}


CARDS = (
    Card("Red", "10 EUR", "photo-1_2_abc", (BUY,)),
    Card("Blue", "", "photo-1_3", (BUY,)),
)

CASES = [
    OutCase("plain text", out(html="Скидка до 5 мая"), [took()], [sent(message="Скидка до 5 мая")], Accepted("7712")),
    OutCase("an answer of one number", out(html="Hello there"), [answered(7712)], [sent(message="Hello there")],
            Accepted("7712")),
    OutCase(
        "formatting in UTF-16 units behind an emoji",
        out(html="<b>Скидка</b> 😀 <i>до 5</i> <u>мая</u>, <a href=\"https://shop.example/sale\">тут</a> <s>нет</s>"),
        [took()],
        [sent(message="Скидка 😀 до 5 мая, тут нет", format_data={"version": 1, "items": [
            {"type": "bold", "offset": 0, "length": 6},
            {"type": "italic", "offset": 10, "length": 4},
            {"type": "underline", "offset": 15, "length": 3},
            {"type": "url", "offset": 20, "length": 3, "url": "https://shop.example/sale"},
        ]})],
        Accepted("7712"),
    ),
    OutCase(
        "every kind of button, a link in a row of its own",
        out(html="Choose well", buttons=[[OPEN, BUY], [MORE]], data=["c7.0", "c7.1", "c7.2"]),
        [took()],
        [sent(message="Choose well", keyboard=keyboard(
            [link_button()], [callback("Купить", "c7.1", "positive")], [callback("Расскажите", "c7.2")]
        ))],
        Accepted("7712"),
    ),
    OutCase("a text that looks like a mention", out(html="Hi [id1|Ann], [club1|Shop] and [this]"), [took()],
            [sent(message="Hi [\u2060id1|Ann], [\u2060club1|Shop] and [this]")], Accepted("7712")),
    OutCase("without a snippet of the link", out(html="https://shop.example", extra={"link_preview": False}), [took()],
            [sent(message="https://shop.example", dont_parse_links=1)], Accepted("7712")),
    OutCase(
        "a picture of ours, with its text and buttons in one message",
        out(PartKind.PICTURE, "Новинки <b>недели</b>", "media:sale.jpg", buttons=[[OPEN]], data=["c7.0"]),
        [*UPLOADING, took()],
        [*uploading("sale.jpg", "image/jpeg", JPEG),
         sent(message="Новинки недели", attachment=PHOTO, keyboard=keyboard([link_button()]),
              format_data={"version": 1, "items": [{"type": "bold", "offset": 8, "length": 6}]})],
        Accepted("7712"),
    ),
    OutCase("a picture that the community has", out(PartKind.PICTURE, "", "photo-123_456"), [took()],
            [sent(attachment="photo-123_456")], Accepted("7712")),
    OutCase("a picture by its page", out(PartKind.PICTURE, "", "https://vk.com/shop?z=photo-123_456%2Falbum-123_00"),
            [took()], [sent(attachment="photo-123_456")], Accepted("7712")),
    OutCase(
        "an album of what is there and what is not",
        out(PartKind.ALBUM, "Все", "media:sale.jpg", "photo-123_456_ab12"),
        [*UPLOADING, took()],
        [*uploading("sale.jpg", "image/jpeg", JPEG), sent(message="Все", attachment=f"{PHOTO},photo-123_456_ab12")],
        Accepted("7712"),
    ),
    OutCase(
        "a document, brought for this client",
        out(PartKind.FILE, "Цены", "media:price.pdf", name="Прайс май.pdf"),
        [*BRINGING, took()],
        [*bringing("Прайс май.pdf", "application/pdf", b"%PDF-1.7 prices"), sent(message="Цены", attachment=DOC)],
        Accepted("7712"),
    ),
    OutCase(
        "a video, as a document",
        out(PartKind.VIDEO, "", "media:clip.mp4"),
        [*BRINGING, took()],
        [*bringing("clip.mp4", "video/mp4", b"\0\0 clip"), sent(attachment=DOC)],
        Accepted("7712"),
    ),
    OutCase("a video that VK has", out(PartKind.VIDEO, "", "video-1_2"), [took()], [sent(attachment="video-1_2")],
            Accepted("7712")),
    OutCase("a document that VK has", out(PartKind.FILE, "", "doc-1_2_ab"), [took()], [sent(attachment="doc-1_2_ab")],
            Accepted("7712")),
    OutCase("a location", out(PartKind.LOCATION, latitude=50.4501, longitude=30.5234), [took()],
            [sent(lat=50.4501, long=30.5234)], Accepted("7712")),
    OutCase(
        "a carousel of cards that are alike",
        out(PartKind.CAROUSEL, "Choose", cards=CARDS, data=["c7.0", "c7.1"]),
        [took()],
        [sent(message="Choose", template={"type": "carousel", "elements": [
            {"title": "Red", "description": "10 EUR", "photo_id": "-1_2", "action": {"type": "open_photo"},
             "buttons": [callback("Купить", "c7.0", "positive")]},
            {"title": "Blue", "description": "\u2800", "photo_id": "-1_3", "action": {"type": "open_photo"},
             "buttons": [callback("Купить", "c7.1", "positive")]},
        ]})],
        Accepted("7712"),
    ),
    OutCase("a carousel without a text", out(PartKind.CAROUSEL, cards=[Card("Red", "", None, (OPEN,))]), [took()],
            [sent(message="⬇️", template={"type": "carousel", "elements": [
                {"title": "Red", "buttons": [link_button()]}]})], Accepted("7712")),
    OutCase("a repeat that VK dropped", out(html="Hello there"), [took(0)], [sent(message="Hello there")],
            Accepted("")),
    OutCase("a text of controls", out(html="one\r\ntwo\u0000 "), [took()], [sent(message="one\ntwo")],
            Accepted("7712")),
    OutCase("an address that is none", out(html="Hello there", address="100500,100501"), [], [],
            AddressGone("not_found", no_such_address=True)),
    OutCase("cards that differ", out(PartKind.CAROUSEL, cards=[CARDS[0], Card("Blue", "", None, (BUY,))]), [], [],
            MessageRejected(reason="carousel")),
    OutCase("cards without buttons", out(PartKind.CAROUSEL, cards=[Card("Red"), Card("Blue")]), [], [],
            MessageRejected(reason="carousel")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
async def test_a_part_is_sent(case: OutCase, gateway: VkGateway, stub: AnyStub, logs: Logs) -> None:
    case = replace(case, replies=here(case.replies, stub))
    await check_out(case, gateway, stub, logs, [TOKEN, SECRET])


def test_a_vk_gateway_is_all_that_the_engine_may_ask_for(gateway: VkGateway) -> None:
    protocols = (Gateway, HoldsMedia, AnswersPresses, PollsUpdates, SetsWebhook, SendsTogether, CostsSlots, PollsReads)
    for protocol in protocols:
        assert isinstance(gateway, protocol)


# --- what a repeat carries


def named(reference: str, shared: str = "", **more: Any) -> Outgoing:
    return replace(out(html="Hello there", **more), reference=reference, shared_reference=shared)


async def random_ids(gateway: VkGateway, stub: AnyStub, *outs: Outgoing) -> list[int]:
    stub.sent.clear()
    for each in outs:
        stub.replies = [took()]
        await gateway.send([each])
    return [got.values["random_id"] for got in stub.sent]


async def test_a_repeat_carries_the_same_number_and_another_part_another(gateway: VkGateway, stub: AnyStub) -> None:
    first, again, next_part, next_try = await random_ids(
        gateway, stub, named("7.1.0"), named("7.1.0"), named("7.1.1"), named("7.2.0")
    )
    assert first == again
    assert len({first, next_part, next_try}) == 3
    assert all(0 < number < 2**31 for number in (first, next_part, next_try))


async def test_two_answers_to_one_client_are_two(gateway: VkGateway, stub: AnyStub) -> None:
    numbers = await random_ids(gateway, stub, named(""), named(""), named("test-alert"), named("test-alert"))
    assert len(set(numbers)) == 4
    assert 0 not in numbers


async def test_a_part_that_is_named_for_all_carries_one_number_for_all(gateway: VkGateway, stub: AnyStub) -> None:
    one, two = await random_ids(gateway, stub, named("7.1.0", "s3.0"), named("8.1.0", "s3.0", address="100501"))
    assert one == two


# --- several in one call


def many(number: int, **more: Any) -> list[Outgoing]:
    return [
        replace(out(html=f"Hello {place}", address=str(100500 + place)), reference=f"{place}.1.0", **more)
        for place in range(number)
    ]


def executed(*calls: dict[str, Any]) -> Got:
    code = ",".join(
        f"API.messages.send({json.dumps(call, ensure_ascii=False, separators=(',', ':'))})" for call in calls
    )
    return asked("execute", code=f"return [{code}];")


async def test_different_texts_travel_in_one_script_with_an_outcome_each(gateway: VkGateway, stub: AnyStub) -> None:
    parts = many(3)
    ids = await random_ids(gateway, stub, *parts)
    stub.sent.clear()
    refused = refused_receiver(901, "Can't send messages for users without permission", 100501)
    stub.replies = [
        answered(
            [[receiver(7714, 100500)], [refused], False],
            execute_errors=[{"method": "messages.send", "error_code": 914, "error_msg": "Message is too long"}],
        )
    ]
    outcomes = await gateway.send(parts)
    assert stub.sent == [
        executed(*(
            {"peer_ids": part.address, "random_id": number, "message": part.text.text, "disable_mentions": 1}
            for part, number in zip(parts, ids, strict=True)
        ))
    ]  # fmt: skip
    assert outcomes[0] == Accepted("7714")
    gone = AddressGone("unsubscribed", code="901", status=AddressStatus.UNSUBSCRIBED)
    assert [fields(outcome) for outcome in outcomes[1:]] == [
        fields(gone), fields(MessageRejected(code="914", reason="too_long"))
    ]  # fmt: skip


async def test_a_failed_call_takes_its_error_from_the_list_in_order(gateway: VkGateway, stub: AnyStub) -> None:
    errors = [{"method": "messages.send", "error_code": code, "error_msg": "no"} for code in (9, 950)]
    stub.replies = [answered([False, [receiver(7714, 100501)], False], execute_errors=errors)]
    outcomes = await gateway.send(many(3))
    assert isinstance(outcomes[0], Throttled)
    assert (outcomes[0].only_this, outcomes[0].retry_after_s) == (True, 60.0)
    assert outcomes[1] == Accepted("7714")
    assert type(outcomes[2]).__name__ == "OutsideWindow"


async def test_a_failed_call_without_its_error_may_have_been_taken(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [answered([False, [receiver(7714, 100501)], False], execute_errors=[])]
    outcomes = await gateway.send(many(3))
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, Accepted, OutcomeUnknown]


async def test_equal_texts_to_many_are_one_call_where_the_part_is_named_for_all(
    gateway: VkGateway, stub: AnyStub
) -> None:
    parts = [named(f"{place}.1.0", "s3.0", address=str(100500 + place)) for place in range(3)]
    refused = refused_receiver(900, "Can't send messages for users from blacklist", 100501)
    stub.replies = [answered([receiver(7714, 100502), refused, receiver(7713, 100500)])]
    outcomes = await gateway.send(parts)
    (got,) = stub.sent
    assert got.path == "/method/messages.send"
    assert (got.values["peer_ids"], got.values["message"]) == ("100500,100501,100502", "Hello there")
    assert (outcomes[0], outcomes[2]) == (Accepted("7713"), Accepted("7714"))
    assert fields(outcomes[1]) == fields(AddressGone("blocked", code="900", status=AddressStatus.BLOCKED))


async def test_equal_and_different_texts_share_a_script(gateway: VkGateway, stub: AnyStub) -> None:
    parts = [named("1.1.0", "s3.0"), *many(2, shared_reference="s3.0")[1:], named("2.1.0", "s3.0", address="100502")]
    answers = [[receiver(1, 100500), receiver(3, 100502)], [receiver(2, 100501)]]
    stub.replies = [answered(answers)]
    assert await gateway.send(parts) == [Accepted("1"), Accepted("2"), Accepted("3")]
    assert '"peer_ids":"100500,100502"' in stub.sent[0].values["code"]


async def test_one_client_stands_in_a_call_once(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [answered([[receiver(1)], [receiver(0)]])]
    assert await gateway.send([named("1.1.0"), named("1.1.0")]) == [Accepted("1"), Accepted("")]


async def test_a_call_refused_as_a_whole_is_made_for_each_alone(gateway: VkGateway, stub: AnyStub) -> None:
    parts = [named(f"{place}.1.0", "s3.0", address=str(100500 + place)) for place in range(2)]
    stub.replies = [
        failed(100, "One of the parameters specified was missing or invalid: peer_ids is invalid"),
        took(7713),
        failed(100, "One of the parameters specified was missing or invalid: peer_ids is invalid"),
    ]
    outcomes = await gateway.send(parts)
    assert outcomes[0] == Accepted("7713")
    assert fields(outcomes[1]) == fields(AddressGone("not_found", code="100", no_such_address=True))
    assert [got.values["peer_ids"] for got in stub.sent] == ["100500,100501", 100500, 100501]


async def test_a_script_that_vk_can_not_read_goes_message_by_message(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [failed(12, "Unable to compile code"), took(1), took(2, 100501)]
    assert await gateway.send(many(2)) == [Accepted("1"), Accepted("2")]


@pytest.mark.parametrize(
    ("code", "kind"), [(6, Throttled), (13, OutcomeUnknown), (36, OutcomeUnknown), (10, OutcomeUnknown)]
)
async def test_a_script_that_failed_as_a_whole_says_so_for_each(
    code: int, kind: type[GatewayError], gateway: VkGateway, stub: AnyStub
) -> None:
    stub.replies = [failed(code)]
    outcomes = await gateway.send(many(3))
    assert [type(outcome) for outcome in outcomes] == [kind] * 3
    assert len(stub.sent) == 1


async def test_an_answer_of_another_length_leaves_all_open(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [answered([[receiver()]])]
    assert [type(outcome) for outcome in await gateway.send(many(2))] == [OutcomeUnknown, OutcomeUnknown]


async def test_a_receiver_that_the_answer_leaves_out_is_open(gateway: VkGateway, stub: AnyStub) -> None:
    parts = [named(f"{place}.1.0", "s3.0", address=str(100500 + place)) for place in range(2)]
    stub.replies = [answered([receiver(5, 100501)])]
    outcomes = await gateway.send(parts)
    assert (type(outcomes[0]), outcomes[1]) == (OutcomeUnknown, Accepted("5"))


async def test_twenty_five_calls_fit_into_a_script_and_no_more(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [
        answered([[receiver(place + 1, 100500 + place)] for place in range(25)]),
        answered([receiver(26, 100525)]),
    ]
    outcomes = await gateway.send(many(26))
    assert outcomes == [Accepted(str(place + 1)) for place in range(26)]
    assert [got.path for got in stub.sent] == ["/method/execute", "/method/messages.send"]


async def test_only_what_needs_no_upload_travels_together(gateway: VkGateway, stub: AnyStub) -> None:
    picture = out(PartKind.PICTURE, "", "media:sale.jpg")
    assert gateway.together(picture) is None
    assert gateway.together(out(PartKind.FILE, "", "media:price.pdf")) is None
    assert gateway.together(out(html="Hello", address="not-a-number")) is None
    assert gateway.together(out(html="Hello")) == gateway.together(out(PartKind.PICTURE, "", "photo-1_2")) is not None
    stub.replies = here([*UPLOADING, took()], stub)
    await gateway.send([picture])
    assert gateway.together(picture) == gateway.together(out(html="Hello"))


async def test_a_picture_that_is_not_there_yet_goes_alone_beside_the_others(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = here([took(1), *UPLOADING, took(2)], stub)
    picture = replace(out(PartKind.PICTURE, "", "media:sale.jpg"), reference="9.1.0")
    assert await gateway.send([named("8.1.0"), picture]) == [Accepted("1"), Accepted("2")]


def test_a_document_costs_more_slots_than_one(gateway: VkGateway) -> None:
    assert gateway.slots(out(PartKind.FILE, "", "media:price.pdf")) == 6
    assert gateway.slots(out(PartKind.FILE, "", "doc-1_2")) == 1
    assert gateway.slots(out(html="Hello")) == 1


async def test_a_text_that_got_too_long_by_its_values_is_the_clients_matter(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [failed(914, "Message is too long")]
    (outcome,) = await gateway.send([out(html="Hi", template="Hi {{ client.name }}")])
    assert type(outcome) is Rejected


async def test_a_cancelled_send_is_cancelled(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [replace(took(), delay_s=0.5)]
    sending = asyncio.create_task(gateway.send([out(html="Hello")]))
    await stub.arrived.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


# --- presses


async def test_a_press_is_answered_with_a_note_of_ninety_letters(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [answered(1), answered(1)]
    pressed = Pressed("100500", NOW, "k", "c7.0", "1b6f0e2c77a1")
    await gateway.answer_press(pressed)
    await gateway.answer_press(pressed, "x" * 100)
    values = {"event_id": "1b6f0e2c77a1", "user_id": 100500, "peer_id": 100500}
    note = {"type": "show_snackbar", "text": "x" * 90}
    assert stub.sent == [
        asked("messages.sendMessageEventAnswer", **values),
        asked("messages.sendMessageEventAnswer", **values, event_data=note),
    ]


@pytest.mark.parametrize("code", [1, 100, 15])
async def test_a_press_that_waited_too_long_is_no_error(code: int, gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [failed(code)]
    await gateway.answer_press(Pressed("100500", NOW, "k", "c7.0", "1b6f0e2c77a1"), "Thanks")
    assert stub.replies == []


async def test_a_text_button_waits_for_no_answer(gateway: VkGateway, stub: AnyStub) -> None:
    await gateway.answer_press(Pressed("100500", NOW, "k", "c7.0"))
    assert stub.sent == []
