"""Requests out: exactly what reaches the Graph API, and what its answers are taken for."""

from dataclasses import replace
from typing import Any

import pytest

from gateways.base import (
    Accepted,
    CostsSlots,
    Gateway,
    HoldsMedia,
    MessageRejected,
    OutsideWindow,
    PartKind,
    Rejected,
    SetsWebhook,
    SharesHook,
    SyncsTemplates,
)
from gateways.facebook.capabilities import FACEBOOK
from gateways.facebook.gateway import FacebookGateway
from gateways.message import Button, Buy, Card, Link, Reply
from gateways.public_media import media_url
from tests.gateways.cases import Logs, OutCase, check_out, names
from tests.gateways.facebook.conftest import PAGE, PROOF, SECRETS, TOKEN, Hands, make
from tests.gateways.outgoing import out, text
from tests.gateways.pictures import JPEG
from tests.gateways.stub import AnyStub, Got, said
from tests.gateways.stub import Reply as Answered

OPEN = Link(link="https://shop.example/sale?m=17", label="На сайт")
MORE = Reply(message="Tell me more", label="Расскажите")
BUY = Buy(buy="SKU-1", price="19.90 EUR", label="Купить")
PICTURE_URL = "https://shop.example/new.jpg"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
CHIPS = [Reply(f"size {n}", f"Size {n}") for n in range(5)]


def call(path: str, values: Any, **more: Any) -> Got:
    return Got(f"/v26.0/{PAGE}/{path}", values, "POST", PROOF, AUTH, **more)


def sent(message: Any, **more: Any) -> Got:
    told = {**message, "metadata": "d7.1.0"}
    return call(
        "messages", {"recipient": {"id": "100200300"}, "messaging_type": "UPDATE", "message": told, **more}
    )  # fmt: skip


def taken(mid: str = "m_1", **headers: str) -> Answered:
    return said({"recipient_id": "100200300", "message_id": mid}, headers=headers)


def template(payload: Any) -> Any:
    return {"attachment": {"type": "template", "payload": payload}}


def upload(kind: str, url: str) -> Got:
    payload = {"url": url, "is_reusable": True}
    return call("message_attachments", {"message": {"attachment": {"type": kind, "payload": payload}}})


def kept(kind: str, name: str, content_type: str, content: bytes) -> Got:
    message = {"attachment": {"type": kind, "payload": {"is_reusable": True}}}
    files = {"filedata": (name, content_type, content)}
    return call("message_attachments", {"message": message}, files=files)


def by_id(kind: str, attachment_id: str) -> Any:
    return {"attachment": {"type": kind, "payload": {"attachment_id": attachment_id}}}


ID = said({"attachment_id": "9182736455463728"})
WEB = {"type": "web_url", "title": "На сайт", "url": OPEN.link}


def carousel(cards: list[Card], *, data: tuple[str, ...] = ()) -> Any:
    made = out(PartKind.CAROUSEL, data=data)
    return replace(made, cards=tuple(cards), part=replace(made.part, cards=tuple(cards)))


def utility(**fields: Any) -> Any:
    field = {"name": "order_ready_v1", "language": "en", **fields}
    made = out(PartKind.TEMPLATE, extra={"template": field}, data=("c7.0",))
    return replace(made, part=replace(made.part, extra={"template": field}))


def filled(*components: Any) -> Any:
    return {"template": {"name": "order_ready_v1", "language": {"code": "en"}, "components": list(components)}}


CASES = [
    OutCase("plain text", text("Скидка 5 мая"), [taken()], [sent({"text": "Скидка 5 мая"})], Accepted("m_1")),
    OutCase(
        "formatting is dropped, a link's address stays",
        text('<b>Скидка</b> 😀 <i>до 5</i> мая, <a href="https://shop.example/a?b=1&amp;c=2">тут</a>'),
        [taken("m_2")],
        [sent({"text": "Скидка 😀 до 5 мая, тут (https://shop.example/a?b=1&c=2)"})],
        Accepted("m_2"),
    ),
    OutCase("marks of other messengers are plain letters", text("*a* _b_ &lt;c&gt; {{ d }}"), [taken()],
            [sent({"text": "*a* _b_ <c> {{ d }}"})], Accepted("m_1")),
    OutCase(
        "every kind of button",
        text("Choose well", buttons=[[OPEN], [BUY], [MORE]], data=["c7.0", "c7.1", "c7.2"]),
        [taken()],
        [sent(template({"template_type": "button", "text": "Choose well", "buttons": [
            WEB, {"type": "postback", "title": "Купить", "payload": "c7.1"},
            {"type": "postback", "title": "Расскажите", "payload": "c7.2"},
        ]}))],
        Accepted("m_1"),
    ),
    OutCase(
        "more buttons than a template holds",
        text("Which size?", buttons=[CHIPS], data=[f"c7.{n}" for n in range(5)]),
        [taken()],
        [sent({"text": "Which size?", "quick_replies": [
            {"content_type": "text", "title": f"Size {n}", "payload": f"c7.{n}"} for n in range(5)]})],
        Accepted("m_1"),
    ),
    OutCase(
        "a text that is too long for a template",
        text("x" * 641, buttons=[[MORE]], data=["c7.0"]),
        [taken()],
        [sent({"text": "x" * 641, "quick_replies": [
            {"content_type": "text", "title": "Расскажите", "payload": "c7.0"}]})],
        Accepted("m_1"),
    ),
    OutCase("silently", text("Quietly now", extra={"silent": True}), [taken()],
            [sent({"text": "Quietly now"}, notification_type="SILENT_PUSH")], Accepted("m_1")),
    OutCase("a picture by URL", out(PartKind.PICTURE, "", PICTURE_URL), [ID, taken()],
            [upload("image", PICTURE_URL), sent(by_id("image", "9182736455463728"))], Accepted("m_1")),
    OutCase("a picture of ours", out(PartKind.PICTURE, "", "media:sale.jpg"), [ID, taken()],
            [kept("image", "sale.jpg", "image/jpeg", JPEG), sent(by_id("image", "9182736455463728"))],
            Accepted("m_1")),
    OutCase(
        "a picture over link buttons",
        out(PartKind.PICTURE, "", PICTURE_URL, buttons=[[OPEN]], data=["c7.0"]),
        [ID, taken()],
        [upload("image", PICTURE_URL),
         sent(template({"template_type": "media", "elements": [
             {"media_type": "image", "attachment_id": "9182736455463728", "buttons": [WEB]}]}))],
        Accepted("m_1"),
    ),
    OutCase(
        "a picture over replies",
        out(PartKind.PICTURE, "", PICTURE_URL, buttons=[[MORE]], data=["c7.0"]),
        [ID, taken()],
        [upload("image", PICTURE_URL),
         sent({**by_id("image", "9182736455463728"), "quick_replies": [
             {"content_type": "text", "title": "Расскажите", "payload": "c7.0"}]})],
        Accepted("m_1"),
    ),
    OutCase("a document under its own name", out(PartKind.FILE, "", "media:price.pdf", name="Прайс май.pdf"),
            [ID, taken()],
            [kept("file", "Прайс май.pdf", "application/pdf", b"%PDF-1.7 prices"),
             sent(by_id("file", "9182736455463728"))],
            Accepted("m_1")),
    OutCase("a video", out(PartKind.VIDEO, "", "media:clip.mp4"), [ID, taken()],
            [kept("video", "clip.mp4", "video/mp4", b"\0\0\0\x18ftypmp42 clip"),
             sent(by_id("video", "9182736455463728"))],
            Accepted("m_1")),
    OutCase(
        "a carousel",
        carousel([Card("Boots", "from 49", PICTURE_URL, (OPEN, MORE)), Card("Hats", "", "media:new.png", (BUY,)),
                  Card("Socks")], data=("c7.0", "c7.1", "c7.2")),
        [taken()],
        [sent(template({"template_type": "generic", "elements": [
            {"title": "Boots", "subtitle": "from 49", "image_url": PICTURE_URL,
             "default_action": {"type": "web_url", "url": OPEN.link},
             "buttons": [WEB, {"type": "postback", "title": "Расскажите", "payload": "c7.1"}]},
            {"title": "Hats", "image_url": media_url("https://m.acme.test", b"app secret", "media:new.png"),
             "buttons": [{"type": "postback", "title": "Купить", "payload": "c7.2"}]},
            {"title": "Socks", "subtitle": "Socks"},
        ]}))],
        Accepted("m_1"),
    ),
    OutCase(
        "a utility template by position",
        utility(parameters=["812", "Ann"], header=["Order"], buttons=[{"message": "Details"}, "812?m=7"]),
        [taken()],
        [sent(filled(
            {"type": "header", "parameters": [{"type": "text", "text": "Order"}]},
            {"type": "body", "parameters": [{"type": "text", "text": "812"}, {"type": "text", "text": "Ann"}]},
            {"type": "buttons", "parameters": [{"type": "POSTBACK", "payload": "c7.0"},
                                               {"type": "URL", "url": "812?m=7"}]},
        ), messaging_type="UTILITY")],
        Accepted("m_1"),
    ),
    OutCase(
        "a utility template by name",
        utility(parameters={"order": "812"}),
        [taken()],
        [sent(filled({"type": "body", "parameters": [{"type": "text", "text": "812", "parameter_name": "order"}]}),
              messaging_type="UTILITY")],
        Accepted("m_1"),
    ),
    OutCase("how much of the limit is used", text(),
            [taken("m_3", **{"X-App-Usage": '{"call_count":41,"total_time":17,"total_cputime":9}',
                             "X-Business-Use-Case-Usage": '{"1029384756":[{"type":"messenger","call_count":83}]}'})],
            [sent({"text": "Hello there"})], Accepted("m_3", usage=0.83)),
    OutCase("a success that names no message", text(), [said({"recipient_id": "100200300"})],
            [sent({"text": "Hello there"})], Accepted("")),
    OutCase("a text that this client's values made too long", text("x" * 2001), [], [],
            Rejected(reason="too_long")),
    OutCase("a text that this client's values left empty", text(" "), [], [], Rejected(reason="empty")),
    OutCase("a template with an empty value", utility(parameters=[" "]), [], [], Rejected(reason="template")),
    OutCase("what is no template", out(PartKind.TEMPLATE), [], [], MessageRejected(reason="template")),
    OutCase("a kind of part that there is not", out(PartKind.LOCATION, latitude=50.4, longitude=30.5), [], [],
            MessageRejected(reason="media")),
    OutCase("outside the window", text(),
            [said({"error": {"message": "(#10) outside of allowed window, 100200300", "type": "OAuthException",
                             "code": 10, "error_subcode": 2018278, "fbtrace_id": "A1"}}, 400)],
            [sent({"text": "Hello there"})], OutsideWindow(code="10/2018278")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
async def test_a_part_is_sent(case: OutCase, gateway: FacebookGateway, stub: AnyStub, logs: Logs) -> None:
    if case.requests and isinstance(case.requests[0], Got) and case.requests[0].values.get("messaging_type"):
        values = case.requests[0].values
        assert len(values["message"].get("metadata", "")) < 1000
    await check_out(case, gateway, stub, logs, SECRETS)


def test_it_is_all_that_it_says(gateway: FacebookGateway) -> None:
    assert isinstance(gateway, Gateway)
    for protocol in (HoldsMedia, SetsWebhook, CostsSlots, SyncsTemplates, SharesHook):
        assert isinstance(gateway, protocol)


async def test_a_word_outside_of_a_mailing_carries_no_reference(gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [taken()]
    await gateway.send([replace(text(), reference="")])
    assert "metadata" not in stub.sent[0].values["message"]


async def test_half_an_emoji_does_not_fail_the_rest(gateway: FacebookGateway, stub: AnyStub) -> None:
    stub.replies = [taken()]
    (outcome,) = await gateway.send([text("a\ud83d")])
    assert outcome == Accepted("m_1")


async def test_a_card_with_a_kept_picture_needs_our_public_address(gateway: FacebookGateway, stub: AnyStub) -> None:
    gateway._public_url = None
    (outcome,) = await gateway.send([carousel([Card("Hats", "", "media:new.png")])])
    assert isinstance(outcome, MessageRejected)
    assert "public_url" in outcome.words
    assert stub.sent == []


@pytest.mark.parametrize(("rate", "slots"), [(None, 4), (25.0, 4), (16.0, 2), (8.0, 1), (1.0, 1)])
def test_video_stays_below_its_own_limit_at_any_rate(rate: float | None, slots: int, hands: Hands) -> None:
    gateway = FacebookGateway(
        channel="f", page_id="1", token="t", app_secret="s", verify_token="v", media=None, rate=rate  # type: ignore[arg-type]
    )  # fmt: skip
    assert gateway.slots(out(PartKind.VIDEO, "", "media:clip.mp4")) == slots
    assert gateway.slots(out(PartKind.PICTURE, "", "media:sale.jpg")) == gateway.slots(text()) == 1
    assert (rate or 25.0) / slots <= 8.0


def test_every_limit_has_its_source() -> None:
    carousel_limits = FACEBOOK.carousel
    assert carousel_limits is not None
    facts = [
        FACEBOOK.max_text, FACEBOOK.max_caption, FACEBOOK.max_picture_bytes, FACEBOOK.max_file_bytes,
        FACEBOOK.max_buttons_in_row, FACEBOOK.max_label, FACEBOOK.max_text_with_buttons,
        carousel_limits.max_title, carousel_limits.max_text, carousel_limits.max_buttons,
        *(buttons.most for buttons in FACEBOOK.button_sets),
    ]  # fmt: skip
    assert all(fact is not None and fact.source.startswith("developers.facebook.com") for fact in facts)
    assert FACEBOOK.window_s is not None
    assert 23 * 3600 < FACEBOOK.window_s < 24 * 3600


def test_a_label_fits_every_button() -> None:
    buttons: list[Button] = [OPEN, MORE, BUY]
    assert all(len(button.label) <= FACEBOOK.max_label.value for button in buttons)


def test_two_gateways_prove_their_calls_alike(hands: Hands) -> None:
    one, two = (make("https://graph.test", None, hands) for _ in range(2))  # type: ignore[arg-type]
    assert one._api._proof == two._api._proof == PROOF
