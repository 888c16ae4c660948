"""The gateway against the simulated Messenger, over real HTTP in both directions: what is sent, told and heard."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from engine.fit import fit
from gateways.base import (
    AccountBroken,
    AddressGone,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    OutsideWindow,
    PartKind,
    Pressed,
    ReceiptState,
    Rejected,
    Subscribed,
    Wrote,
)
from gateways.facebook.capabilities import FACEBOOK
from gateways.facebook.gateway import FacebookGateway
from gateways.markup import read_html
from gateways.message import Buy, Card, Link, Reply, read_message
from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount
from tests.gateways.facebook.simulator.ear import ANN, BEN, PAGE, Ear, send, sent, to
from tests.gateways.outgoing import out, text
from tests.gateways.pictures import JPEG

OPEN = Link("https://shop.example/sale", "Open")
YES = Reply("Yes please", "Yes")
BUY = Buy("SKU-1", "Buy")


# --- what a client sees


async def test_every_part_arrives_as_it_was_meant(gateway: FacebookGateway, ann: SimClient) -> None:
    carousel = out(PartKind.CAROUSEL, data=("c1", "c2"))
    cards = (Card("Boots", "from 49", "https://shop.example/1.jpg", (OPEN, YES)),)
    template = text("Sale", buttons=[[OPEN], [YES], [BUY]], data=["d0", "d1", "d2"])
    for part in (
        text("<b>Hello</b> Ann"), template, out(PartKind.PICTURE, "", "media:sale.jpg"),
        out(PartKind.PICTURE, "", "https://shop.example/2.jpg", buttons=[[OPEN]]),
        out(PartKind.VIDEO, "", "media:clip.mp4"), out(PartKind.FILE, "", "media:price.pdf", name="Prices.pdf"),
        replace(carousel, cards=cards),
    ):  # fmt: skip
        await sent(gateway, to(ANN, part))
    hello, sale, picture, under, video, file, boots = ann.messages
    assert hello.text.text == "Hello Ann"
    assert [(button.label, button.action, button.value) for button in sale.buttons] == [
        ("Open", "link", OPEN.link), ("Yes", "reply", "d1"), ("Buy", "reply", "d2")
    ]  # fmt: skip
    assert (picture.media[0].kind, picture.media[0].content) == ("picture", JPEG)
    assert (under.media[0].url, under.buttons[0].label) == ("https://shop.example/2.jpg", "Open")
    assert (video.media[0].kind, file.media[0].name) == ("video", "Prices.pdf")
    assert (boots.cards[0].title, boots.cards[0].buttons[1].value) == ("Boots", "c2")


EVERYTHING: list[dict[str, Any]] = [
    {"text": "<b>Hi</b> " + "x" * 1990, "buttons": [[{"link": OPEN.link, "label": "Open " * 9}]]},
    {"text": "Hi", "buttons": [[{"message": f"size {n}", "label": f"Size {n}"} for n in range(16)]]},
    {"text": "Hi", "buttons": [[{"link": OPEN.link, "label": "Open"}, *[{"message": "m", "label": "M"}] * 4]]},
    {"text": "Sale", "pictures": ["media:sale.jpg"], "buttons": [[{"link": OPEN.link, "label": "Open"}]]},
    {"pictures": ["media:sale.jpg"], "buttons": [[{"link": OPEN.link, "label": "Open"}]]},
    {"pictures": ["media:sale.jpg", "https://shop.example/2.jpg", "media:sale.jpg"], "text": "Three"},
    {"file": "media:price.pdf", "name": "Prices.pdf", "buttons": [[{"link": OPEN.link, "label": "Open"}]]},
    {"file": "media:price.pdf", "buttons": [[{"message": "m", "label": "More"}]]},
    {"video": "media:clip.mp4", "buttons": [[{"buy": "SKU-1", "label": "Buy", "price": "19.90 EUR"}]]},
    {"location": {"latitude": 50.45, "longitude": 30.52}, "buttons": [[{"message": "m", "label": "More"}]]},
    {"text": "Look", "carousel": [{"title": f"Card {n}", "picture": "https://shop.example/2.jpg", "buttons": [
        {"link": OPEN.link, "label": "Open"}, {"message": "m", "label": "More"}]} for n in range(12)]},
    {"carousel": [{"title": "Card " * 30, "text": "word " * 30}, {"title": "Bare"}], "buttons": [[
        {"message": "m", "label": "More"}]]},
]  # fmt: skip


@pytest.mark.parametrize("plain", EVERYTHING, ids=lambda plain: ",".join(plain))
async def test_messenger_takes_whatever_fit_makes_of_a_message(
    plain: dict[str, Any], gateway: FacebookGateway, ann: SimClient
) -> None:
    parts = fit(read_message(plain), FACEBOOK).parts
    for part in parts:
        data = tuple(f"d{n}" for n in range(20))
        rendered = Outgoing(ANN, part, read_html(part.text), part.buttons, data, "812.1.0", cards=part.cards)
        await sent(gateway, rendered)
    assert len(ann.messages) == len(parts)


async def test_quick_replies_and_buttons_come_back_as_presses(
    gateway: FacebookGateway, meta: FacebookSimulator, ann: SimClient, ear: Ear
) -> None:
    await sent(gateway, to(ANN, text("Sale", buttons=[[OPEN], [YES]], data=["d0", "d1"])))
    await sent(gateway, to(ANN, text("x" * 700, buttons=[[YES]], data=["d2"])))
    template, chips = ann.messages
    meta.presses(ann, template.id, 1)
    meta.presses(ann, chips.id, 0)
    await meta.hooks.settled()
    assert sorted(event.data for event in ear.inbound if isinstance(event, Pressed)) == ["d1", "d2"]


async def test_a_utility_template_goes_where_the_window_is_closed(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    page.details["templates"] = [
        {"name": "ready", "language": "en", "status": "APPROVED", "category": "UTILITY", "id": "1", "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"},
            {"type": "BODY", "text": "{{1}}, it is ready."},
            {"type": "BUTTONS", "buttons": [{"type": "POSTBACK", "text": "Details", "payload": "{{1}}"},
                                            {"type": "URL", "text": "Track", "url": "https://a.test/{{1}}"}]}]},
        {"name": "waiting", "language": "en", "status": "PENDING", "category": "UTILITY", "id": "2", "components": []},
    ]  # fmt: skip
    meta.add_client(PAGE, BEN, state="never_wrote")
    ready, waiting = await gateway.templates()
    assert (ready.parameters, ready.buttons, waiting.status) == (("1",), ("quick_reply", "url_parameter"), "pending")
    assert isinstance(await send(gateway, to(BEN, text())), OutsideWindow)
    field = {"name": "ready", "language": "en", "header": ["812"], "parameters": ["Ben"],
             "buttons": [{"message": "Details"}, "812"]}  # fmt: skip
    await sent(gateway, to(BEN, out(PartKind.TEMPLATE, extra={"template": field}, data=["d0"])))
    message = meta.client(PAGE, BEN).last
    assert message.text.text == "Order 812\nBen, it is ready."
    assert [button.value for button in message.buttons] == ["d0", "https://a.test/812"]
    for wrong in ({**field, "name": "waiting"}, {**field, "parameters": []}, {**field, "language": "uk"}):
        outcome = await send(gateway, to(BEN, out(PartKind.TEMPLATE, extra={"template": wrong}, data=["d0"])))
        assert isinstance(outcome, MessageRejected)


# --- receipts


async def test_an_echo_proves_a_send_and_watermarks_follow(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount, ear: Ear
) -> None:
    page.receipts = {"delivered": 0.01, "read": 0.03}
    accepted = await sent(gateway, to(ANN, text()))
    await meta.hooks.settled()
    echo, delivered = ear.receipts
    assert (echo.state, echo.external_id, echo.reference) == (ReceiptState.SENT, accepted.external_id, "812.1.0")
    assert (delivered.state, delivered.external_id) == (ReceiptState.DELIVERED, accepted.external_id)
    assert [mark.state for mark in ear.watermarks] == [ReceiptState.DELIVERED, ReceiptState.READ]
    # The watermark is Meta's stamp of the message itself, earlier than our answer.
    assert {mark.until for mark in ear.watermarks} == {echo.occurred_at}


async def test_the_echo_of_a_send_whose_answer_was_lost_arrives(
    gateway: FacebookGateway, meta: FacebookSimulator, ear: Ear
) -> None:
    meta.faults.add("drop")
    assert isinstance(await send(gateway, to(ANN, text(), "9.9.9")), OutcomeUnknown)
    await meta.hooks.settled()
    assert [receipt.reference for receipt in ear.receipts] == ["9.9.9"]


async def test_the_echo_may_come_before_the_answer_twice_and_in_one_body_with_others(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount, ear: Ear
) -> None:
    assert page.hook is not None
    page.hook.before_answer, page.hook.duplicates, page.hook.batch = True, 1, 50
    await asyncio.gather(*(sent(gateway, to(ANN, text(f"n {n}"), f"1.1.{n}")) for n in range(5)))
    assert sorted({receipt.reference or "" for receipt in ear.receipts}) == [f"1.1.{n}" for n in range(5)]
    assert len({receipt.key for receipt in ear.receipts}) == 5
    assert len(ear.receipts) == 10
    assert len(ear.bodies) < 10


@pytest.mark.parametrize("how", ["ms", "s", "text"])
async def test_stamps_are_read_as_meta_writes_them(
    how: str, gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount, ear: Ear
) -> None:
    page.details |= {"timestamps": how, "mids": False, "echoes": False}
    page.receipts = {"delivered": 0.0}
    await sent(gateway, to(ANN, text()))
    await meta.hooks.settled()
    assert ear.receipts == []
    (mark,) = ear.watermarks
    assert mark.until is not None
    assert abs(mark.until.timestamp() - time.time()) < 2


# --- clients


async def test_words_links_and_reactions_are_heard(
    gateway: FacebookGateway, meta: FacebookSimulator, ann: SimClient, ear: Ear
) -> None:
    ben = meta.add_client(PAGE, BEN, state="never_wrote")
    meta.opens(ben, "promo42")
    await sent(gateway, to(BEN, text("Welcome")))
    meta.says(ben, "Где мой заказ? 😀")
    meta.opens(ben, "promo43")
    meta.opens(ben, "summer", source="ADS")
    meta.reacts(ben, ben.last)
    await meta.hooks.settled()
    opened = {(event.payload, event.explicit) for event in ear.inbound if isinstance(event, Subscribed)}
    assert opened == {("promo42", True), ("promo43", True), ("summer", False)}
    said = {(event.text, event.what) for event in ear.inbound if isinstance(event, Wrote)}
    assert said == {("Где мой заказ? 😀", "text"), ("❤", "reaction")}
    assert all(body.isascii() for body in ear.bodies)


async def test_a_page_that_is_blocked_says_so_by_webhook_and_by_refusal(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount, ear: Ear
) -> None:
    meta.restrict(page)
    await meta.hooks.settled()
    assert [type(news) for heard in ear.heard for news in heard.news] == [AccountBroken]
    assert isinstance(await send(gateway, to(ANN, text())), ChannelBroken)
    meta.restrict(page, "unblock")
    await sent(gateway, to(ANN, text()))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("blocked", AddressGone), ("blocked_elsewhere", AddressGone), ("cannot_receive", AddressGone),
        ("other_app", Rejected), ("never_wrote", OutsideWindow),
    ],
)  # fmt: skip
async def test_each_state_of_a_client_is_a_refusal(
    state: str, expected: type[GatewayError], gateway: FacebookGateway, ann: SimClient
) -> None:
    ann.state = state
    assert type(await send(gateway, to(ANN, text()))) is expected


async def test_nobody_of_that_number_is_there(gateway: FacebookGateway, page: SimAccount) -> None:
    outcome = await send(gateway, to("1", text()))
    assert isinstance(outcome, AddressGone)
    assert outcome.no_such_address


async def test_a_window_closes_a_day_after_the_last_word(gateway: FacebookGateway, ann: SimClient) -> None:
    ann.last_wrote_at = time.time() - 23 * 3600
    await sent(gateway, to(ANN, text()))
    ann.last_wrote_at = time.time() - 25 * 3600
    assert isinstance(await send(gateway, to(ANN, text())), OutsideWindow)


async def test_words_to_another_app_come_as_standby(
    gateway: FacebookGateway, meta: FacebookSimulator, ann: SimClient, ear: Ear
) -> None:
    ann.state = "other_app"
    meta.says(ann, "hello agent")
    await meta.hooks.settled()
    assert b'"standby"' in ear.bodies[-1]
    assert ear.inbound == []
