"""The gateway against the simulated Messenger, over real HTTP in both directions."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from engine.fit import fit
from gateways.base import (
    Accepted,
    AccountBroken,
    AddressGone,
    BadSignature,
    ChannelBroken,
    GatewayError,
    Heard,
    Hook,
    MessageRejected,
    OutcomeUnknown,
    Outgoing,
    OutsideWindow,
    PartKind,
    Pressed,
    Receipt,
    ReceiptState,
    Rejected,
    Subscribed,
    Throttled,
    Unavailable,
    Watermark,
    Wrote,
)
from gateways.facebook.capabilities import FACEBOOK
from gateways.facebook.gateway import FacebookGateway
from gateways.markup import read_html
from gateways.message import Buy, Card, Link, Reply, read_message
from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.meta import APP_ID, APP_SECRET, Pressure
from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount, Window
from tests.gateways.cases import MemoryMedia
from tests.gateways.outgoing import out, text
from tests.gateways.pictures import JPEG

PAGE, ANN, BEN = "1029384756", "7001002003004005", "7001002003004006"
OPEN = Link("https://shop.example/sale", "Open")
YES = Reply("Yes please", "Yes")
BUY = Buy("SKU-1", "Buy")


class Ear:
    """Our webhook: it checks and reads whatever the simulator posts, and keeps it. Answers 500 while `deaf`."""

    def __init__(self, gateway: FacebookGateway) -> None:
        self.gateway = gateway
        self.heard: list[Heard] = []
        self.bodies: list[bytes] = []
        self.deaf = False
        self.url = ""
        self._runner: web.ServerRunner | None = None

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        hook = Hook(request.method, _lower(request.headers), dict(request.query), await request.read())
        try:
            self.gateway.verify(hook)
        except BadSignature:
            return web.Response(status=403)
        if self.deaf:
            return web.Response(status=500)
        heard = self.gateway.parse(hook)
        self.bodies.append(hook.body)
        self.heard.append(heard)
        return web.Response(text=heard.answer.body)

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site.port}/hooks/fb-shop"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def inbound(self) -> list[Any]:
        return [event for heard in self.heard for event in heard.inbound]

    @property
    def receipts(self) -> list[Receipt]:
        return [receipt for heard in self.heard for receipt in heard.receipts]

    @property
    def watermarks(self) -> list[Watermark]:
        return [mark for heard in self.heard for mark in heard.watermarks]


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@pytest.fixture
async def meta() -> AsyncIterator[FacebookSimulator]:
    simulator = FacebookSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def page(meta: FacebookSimulator) -> SimAccount:
    account = meta.add_account(PAGE, name="Acme Shoes", details={"token": "page-token", "username": "acme"})
    meta.add_client(PAGE, ANN, "Ann")
    return account


@pytest.fixture
def ann(meta: FacebookSimulator, page: SimAccount) -> SimClient:
    return meta.client(PAGE, ANN)


@pytest.fixture
async def gateway(meta: FacebookSimulator) -> AsyncIterator[FacebookGateway]:
    opened = make(meta)
    await opened.open()
    yield opened
    await opened.close()


def make(meta: FacebookSimulator, **terms: Any) -> FacebookGateway:
    given: dict[str, Any] = {
        "channel": "fb-shop", "page_id": PAGE, "token": "page-token", "app_secret": APP_SECRET, "app_id": APP_ID,
        "verify_token": "verify", "media": MemoryMedia(sale_jpg=JPEG, clip_mp4=b"ftypmp42", price_pdf=b"%PDF"),
        "api_base": f"{meta.url}/v26.0", "call_s": 0.3,
    }  # fmt: skip
    return FacebookGateway(**(given | terms))


@pytest.fixture
async def ear(gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount) -> AsyncIterator[Ear]:
    """Our webhook, subscribed as `carillon run` does it."""
    listening = Ear(gateway)
    await listening.start()
    await gateway.set_webhook(listening.url)
    yield listening
    await meta.hooks.settled()
    await listening.stop()


def to(client: str, part: Outgoing, reference: str = "812.1.0") -> Outgoing:
    return replace(part, address=client, reference=reference)


async def send(gateway: FacebookGateway, part: Outgoing) -> Accepted | GatewayError:
    (outcome,) = await gateway.send([part])
    return outcome


async def sent(gateway: FacebookGateway, part: Outgoing) -> Accepted:
    outcome = await send(gateway, part)
    assert isinstance(outcome, Accepted), outcome
    return outcome


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


# --- limits, faults


async def test_video_has_a_limit_of_its_own(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    meta.pressures[PAGE] = Pressure({"text": Window(300), "video": Window(10)}, block_s=0.2)
    video = to(ANN, out(PartKind.VIDEO, "", "media:clip.mp4"))
    outcomes = [await send(gateway, video) for _ in range(11)]
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 10 + [Throttled]
    throttled = outcomes[-1]
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after_s == pytest.approx(0.2, abs=0.01)
    assert isinstance(await send(gateway, to(ANN, text())), Throttled), "the whole page is blocked"


async def test_usage_rises_in_the_headers_until_meta_refuses(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    meta.pressures[PAGE] = Pressure(usage_percent=78, usage_step=4, throttle_code=80006)
    outcomes = [await send(gateway, to(ANN, text())) for _ in range(6)]
    assert [round(each.usage, 2) for each in outcomes if isinstance(each, Accepted)] == [0.82, 0.86, 0.9, 0.94, 0.98]
    assert isinstance(outcomes[-1], Throttled)
    assert outcomes[-1].code == "80006"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "throttle"}, Throttled), ({"kind": "error"}, Unavailable),
        ({"kind": "error", "accepted": True}, OutcomeUnknown), ({"kind": "bad_gateway"}, OutcomeUnknown),
        ({"kind": "close"}, OutcomeUnknown), ({"kind": "silence"}, OutcomeUnknown), ({"kind": "drop"}, OutcomeUnknown),
        ({"kind": "refuse", "code": 368}, ChannelBroken),
        ({"kind": "refuse", "code": 10, "parameters": {"error_subcode": 2018278}}, OutsideWindow),
    ],
)  # fmt: skip
async def test_each_fault_is_a_reaction(
    fault: dict[str, Any], expected: type[GatewayError], gateway: FacebookGateway, meta: FacebookSimulator,
    page: SimAccount,
) -> None:  # fmt: skip
    meta.faults.add(**fault)
    assert type(await send(gateway, to(ANN, text()))) is expected
    await sent(gateway, to(ANN, text()))


async def test_a_throttle_that_holds_refuses_whoever_comes_meanwhile(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    meta.faults.add("throttle", retry_after_s=1, holds=True)
    assert [type(await send(gateway, to(ANN, text()))) for _ in range(2)] == [Throttled, Throttled]


async def test_attachments_are_of_one_page_and_end(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    picture = to(ANN, out(PartKind.PICTURE, "", "media:sale.jpg"))
    await sent(gateway, picture)
    (first,) = meta.attachments
    meta.attachment_life_s = -1.0
    assert isinstance(await send(gateway, picture), MessageRejected), "brought again once, and refused again"
    meta.attachment_life_s = 60.0
    del meta.attachments[first]
    await sent(gateway, picture)


async def test_a_url_that_meta_can_not_fetch_and_we_neither_is_told(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    url = "http://127.0.0.1:1/none.jpg"
    meta.unreachable.add(url)
    outcome = await send(gateway, to(ANN, out(PartKind.PICTURE, "", url)))
    assert isinstance(outcome, MessageRejected)
    assert "fetched" in outcome.words


async def test_an_outage_sends_nothing(gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount) -> None:
    async with meta.outage():
        assert isinstance(await send(gateway, to(ANN, text())), Unavailable | OutcomeUnknown)
    await sent(gateway, to(ANN, text()))
    assert len(page.accepted.at) == 1


# --- the account and its subscription


async def test_check_and_subscription_agree(gateway: FacebookGateway, meta: FacebookSimulator, ear: Ear) -> None:
    account = await gateway.check()
    assert (account.external_id, account.name, account.link) == (PAGE, "Acme Shoes", "https://m.me/acme")
    assert (account.webhook, account.warnings) == (ear.url, ())
    assert meta.accounts[PAGE].details["profile"] == {"get_started": {"payload": "GET_STARTED"}}


async def test_a_hook_that_fails_too_long_is_cut_off_and_set_again(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount, ann: SimClient, ear: Ear
) -> None:
    assert page.hook is not None
    page.hook.retries, page.hook.retry_after_s, meta.unsubscribes_after = 2, 0.001, 3
    ear.deaf = True
    meta.says(ann, "is anybody there?")
    await meta.hooks.settled()
    assert (await gateway.check()).webhook is None
    ear.deaf = False
    await gateway.set_webhook(ear.url)
    meta.says(ann, "hello again")
    await meta.hooks.settled()
    assert [event.text for event in ear.inbound] == ["hello again"]


async def test_a_url_that_does_not_answer_the_challenge_is_not_taken(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    with pytest.raises(GatewayError):
        await gateway.set_webhook("http://127.0.0.1:1/hooks/fb-shop")
    assert meta.callback_url == ""


@pytest.mark.parametrize("terms", [{"token": "another"}, {"page_id": "42"}, {"app_secret": "another"}])
async def test_a_wrong_credential_breaks_the_channel(
    terms: dict[str, str], meta: FacebookSimulator, page: SimAccount
) -> None:
    wrong = make(meta, **terms)
    await wrong.open()
    with pytest.raises(ChannelBroken):
        await wrong.check()
    await wrong.close()


async def test_a_revoked_token_breaks_the_channel_until_it_is_mended(
    gateway: FacebookGateway, page: SimAccount
) -> None:
    page.revoked = True
    assert isinstance(await send(gateway, to(ANN, text())), ChannelBroken)
    with pytest.raises(ChannelBroken):
        await gateway.check()
    page.revoked = False
    await sent(gateway, to(ANN, text()))


async def test_an_app_may_demand_proof(gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount) -> None:
    meta.require_proof = True
    await sent(gateway, to(ANN, text()))
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer page-token"}) as session:
        response = await session.get(f"{meta.url}/v26.0/{PAGE}")
        assert (await response.json())["error"]["code"] == 100


# --- what the simulated Meta refuses, of whoever asks


def generic(*elements: Any) -> Any:
    return {"attachment": {"type": "template", "payload": {"template_type": "generic", "elements": list(elements)}}}


BUTTON = {"type": "postback", "title": "Yes", "payload": "p"}
WRONG: list[dict[str, Any]] = [
    {"message": {"text": "x" * 2001}},
    {"message": {"text": ""}},
    {"message": {"text": "x", "attachment": {"type": "image", "payload": {"url": "https://a.test/b.jpg"}}}},
    {"message": {"text": "x", "metadata": "m" * 1000}},
    {"message": {"text": "x"}, "messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE"},
    {"message": {"text": "x"}, "messaging_type": "MESSAGE_TAG", "tag": "GAME_EVENT"},
    {"message": {"text": "x"}, "messaging_type": "SHOUT"},
    {"message": {"text": "x"}, "recipient": {}},
    {"message": {"text": "x", "quick_replies": [{"content_type": "text", "title": "t", "payload": "p"}] * 14}},
    {"message": {"text": "x", "quick_replies": [{"content_type": "text", "title": "t" * 21, "payload": "p"}]}},
    {"message": {"template": {"name": "n"}}},
    {"message": {"attachment": {"type": "template", "payload": {"template_type": "button", "text": "x" * 641,
                                                                "buttons": [BUTTON]}}}},
    {"message": {"attachment": {"type": "template", "payload": {"template_type": "button", "text": "x",
                                                                "buttons": [BUTTON] * 4}}}},
    {"message": {"attachment": {"type": "template", "payload": {"template_type": "button", "text": "x",
                                                                "buttons": []}}}},
    {"message": {"attachment": {"type": "template", "payload": {"template_type": "sonnet"}}}},
    {"message": {"attachment": {"type": "image", "payload": {"attachment_id": "1"}}}},
    {"message": {"attachment": {"type": "hologram", "payload": {}}}},
    {"message": generic({"title": "t"})},
    {"message": generic({"title": "t" * 81, "subtitle": "s"})},
    {"message": generic({"title": "t", "subtitle": "s" * 81})},
    {"message": generic({"title": "t", "image_url": "http://a.test/insecure.jpg"})},
    {"message": generic(*[{"title": "t", "subtitle": "s"}] * 11)},
]  # fmt: skip


@pytest.mark.parametrize("values", WRONG, ids=lambda values: str(values)[:70])
async def test_what_is_wrong_is_refused_with_code_100(
    values: dict[str, Any], meta: FacebookSimulator, page: SimAccount
) -> None:
    body = {"recipient": {"id": ANN}, "messaging_type": "UPDATE", **values}
    async with aiohttp.ClientSession() as session:
        response = await session.post(f"{meta.url}/v26.0/me/messages?access_token=page-token", json=body)
        error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, 100)
    assert len(page.accepted.at) == 0


async def test_a_version_without_a_token_answers_as_metas_probe_says(meta: FacebookSimulator, page: SimAccount) -> None:
    async with aiohttp.ClientSession() as session:
        response = await session.get(f"{meta.url}/v26.0/me")
        assert (await response.json())["error"]["code"] == 2500
        response = await session.get(f"{meta.url}/v26.0/{PAGE}/nonsense?access_token=page-token")
        assert (await response.json())["error"]["code"] == 2500
