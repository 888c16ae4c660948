"""The channel against the whole simulated platform: what clients see, what they do, and pressure and faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateways.base import (
    Accepted,
    AddressGone,
    AddressStatus,
    BadSignature,
    ChannelBroken,
    Heard,
    Hook,
    Inbound,
    MessageRejected,
    OutcomeUnknown,
    PartKind,
    Pressed,
    SharedPhone,
    Subscribed,
    Throttled,
    Unavailable,
    Unsubscribed,
    Wrote,
)
from gateways.message import Link, Reply
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import ClientState, SimulatedClient
from gateways.simulator.telegram.server import TelegramSimulator
from gateways.telegram.gateway import TelegramGateway
from tests.gateways.cases import MemoryMedia
from tests.gateways.conftest import TOKEN
from tests.gateways.outgoing import out, text
from tests.gateways.pictures import JPEG, PNG

ANN = "7"
OPEN = Link(link="https://shop.example/sale", label="Open")
MORE = Reply(message="More", label="More")


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSimulator]:
    simulator = TelegramSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def shop(telegram: TelegramSimulator) -> SimulatedBot:
    return telegram.add_bot(TOKEN)


@pytest.fixture
def ann(shop: SimulatedBot) -> SimulatedClient:
    return shop.add_client(7, "Ann", username="ann_k", language_code="en")


@pytest.fixture
async def channel(
    telegram: TelegramSimulator, shop: SimulatedBot, media: MemoryMedia
) -> AsyncIterator[TelegramGateway]:
    gateway = TelegramGateway(
        channel="tg-shop", token=TOKEN, media=media, api_base=telegram.url, webhook_secret="s", polls=True, call_s=1.0
    )
    await gateway.open()
    yield gateway
    await gateway.close()


async def send(gateway: TelegramGateway, part: Any) -> Any:
    (outcome,) = await gateway.send([part])
    return outcome


async def test_a_client_sees_the_text_its_formatting_and_its_buttons(
    channel: TelegramGateway, ann: SimulatedClient
) -> None:
    part = text("<b>Sale</b> 😀 <i>now</i>", address=ANN, buttons=[[OPEN, MORE]], data=["c1.0", "c1.1"])
    assert await send(channel, part) == Accepted("7:1")
    assert ann.last.text == "Sale 😀 now"
    assert [(each.type, each.offset, each.length) for each in ann.last.entities] == [("bold", 0, 4), ("italic", 8, 3)]
    assert [[button.label for button in row] for row in ann.last.keyboard] == [["Open", "More"]]


async def test_a_client_sees_a_picture_an_album_a_file_and_a_place(
    channel: TelegramGateway, ann: SimulatedClient, telegram: TelegramSimulator
) -> None:
    for _ in range(2):
        for part in (
            out(PartKind.PICTURE, "<b>New</b>", "media:sale.jpg", address=ANN),
            out(PartKind.ALBUM, "All of them", "media:sale.jpg", "https://shop.example/b.jpg", address=ANN),
            out(PartKind.FILE, "", "media:price.pdf", name="Prices.pdf", address=ANN),
            out(PartKind.VIDEO, "", "media:clip.mp4", address=ANN),
            out(PartKind.LOCATION, address=ANN, latitude=50.45, longitude=30.52),
        ):
            assert isinstance(await send(channel, part), Accepted)
    kinds = [[media.kind for media in message.media] for message in ann.messages]
    assert kinds == [["photo"], ["photo"], ["photo"], ["document"], ["video"], []] * 2
    assert [message.text for message in ann.messages[:3]] == ["New", "All of them", ""]
    uploads = [call for call in telegram.requests(TOKEN) if call.files]
    assert [call.method for call in uploads] == ["sendPhoto", "sendDocument", "sendVideo"]


@pytest.mark.parametrize(
    ("state", "reason", "status", "no_such_address"),
    [
        (ClientState.UNKNOWN, "not_found", AddressStatus.GONE, True),
        (ClientState.NEVER_STARTED, "never_subscribed", AddressStatus.GONE, False),
        (ClientState.BLOCKED, "blocked", AddressStatus.BLOCKED, False),
        (ClientState.DEACTIVATED, "deactivated", AddressStatus.GONE, False),
        (ClientState.IS_BOT, "is_bot", AddressStatus.GONE, False),
    ],
)
async def test_a_client_who_can_not_be_reached_is_gone_for_a_reason(
    state: ClientState,
    reason: str,
    status: AddressStatus,
    no_such_address: bool,
    channel: TelegramGateway,
    shop: SimulatedBot,
) -> None:
    shop.add_client(9, "Nobody", state=state)
    outcome = await send(channel, text(address="9"))
    assert isinstance(outcome, AddressGone)
    assert (outcome.reason, outcome.status, outcome.no_such_address) == (reason, status, no_such_address)


async def test_an_id_of_another_bot_is_forgotten_and_the_file_uploaded_again(
    channel: TelegramGateway, ann: SimulatedClient, media: MemoryMedia
) -> None:
    media.uploads["tg-shop", "media:sale.jpg", PartKind.PICTURE] = "AgACAgIAAxkDotherBot"
    assert await send(channel, out(PartKind.PICTURE, "", "media:sale.jpg", address=ANN)) == Accepted("7:1")
    assert media.uploads["tg-shop", "media:sale.jpg", PartKind.PICTURE] != "AgACAgIAAxkDotherBot"


async def test_a_url_that_telegram_can_not_get_is_brought_by_us(
    channel: TelegramGateway, ann: SimulatedClient, telegram: TelegramSimulator
) -> None:
    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=PNG, content_type="image/png")

    app = web.Application()
    app.router.add_get("/a.png", picture)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    telegram.world.refuses_links = True
    url = f"http://127.0.0.1:{site.port}/a.png"
    assert await send(channel, out(PartKind.PICTURE, "", url, address=ANN)) == Accepted("7:1")
    await runner.cleanup()
    assert await send(channel, out(PartKind.PICTURE, "", url, address=ANN)) == Accepted("7:2")


async def test_content_that_is_wrong_for_everybody_is_the_messages_fault(
    channel: TelegramGateway, ann: SimulatedClient
) -> None:
    for part in (
        text("x" * 4097, address=ANN),
        text("x", address=ANN, buttons=[[MORE]], data=["d" * 65]),
        text("x", address=ANN, buttons=[[Link("no address", "x")]]),
        out(PartKind.PICTURE, "x" * 1025, "media:sale.jpg", address=ANN),
    ):
        assert isinstance(await send(channel, part), MessageRejected)
    assert ann.messages == []


async def test_a_flood_says_how_long_to_wait(
    channel: TelegramGateway, ann: SimulatedClient, telegram: TelegramSimulator
) -> None:
    telegram.faults.add("throttle", retry_after_s=17)
    outcome = await send(channel, text(address=ANN))
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after_s == 17.0
    assert isinstance(await send(channel, text(address=ANN)), Accepted)


async def test_a_flood_wait_that_hangs_succeeds_in_the_end(
    channel: TelegramGateway, ann: SimulatedClient, telegram: TelegramSimulator
) -> None:
    telegram.faults.add("hang", seconds=0.3)
    assert isinstance(await send(channel, text(address=ANN)), Accepted)


@pytest.mark.parametrize("fault", ["error", "bad_gateway", "drop", "slow", "silence"])
async def test_a_call_that_may_have_been_taken_is_unknown(
    fault: str, channel: TelegramGateway, ann: SimulatedClient, telegram: TelegramSimulator
) -> None:
    telegram.faults.add(fault, seconds=3.0) if fault == "slow" else telegram.faults.add(fault)
    assert isinstance(await send(channel, text(address=ANN)), OutcomeUnknown)
    telegram.faults.clear()
    assert isinstance(await send(channel, text(address=ANN)), Accepted)


async def test_an_outage_is_known_to_have_taken_nothing(
    channel: TelegramGateway, ann: SimulatedClient, telegram: TelegramSimulator
) -> None:
    async with telegram.outage():
        assert isinstance(await send(channel, text(address=ANN)), Unavailable)
        with pytest.raises(Unavailable):
            await channel.check()
    assert isinstance(await send(channel, text(address=ANN)), Accepted)


async def test_a_revoked_token_breaks_the_channel_until_it_is_mended(
    channel: TelegramGateway, shop: SimulatedBot, ann: SimulatedClient
) -> None:
    shop.revoke()
    assert isinstance(await send(channel, text(address=ANN)), ChannelBroken)
    with pytest.raises(ChannelBroken, match="revoked or mistyped"):
        await channel.check()
    shop.restore()
    assert isinstance(await send(channel, text(address=ANN)), Accepted)


async def test_check_finds_the_bot(channel: TelegramGateway) -> None:
    account = await channel.check()
    assert (account.external_id, account.name) == ("555000111", "Shop (@shop_demo_bot)")
    assert account.warnings == ()


async def test_what_clients_do_is_heard_by_polling(channel: TelegramGateway, ann: SimulatedClient) -> None:
    await send(channel, text(address=ANN, buttons=[[MORE]], data=["c41.0"]))
    ann.start("promo_42")
    ann.says("Where is my order?")
    ann.presses(1, "More")
    ann.shares_contact("380671112233", 7)
    ann.shares_contact("380671112233", 8)
    ann.sends_photo(JPEG, "Nice?")
    ann.block()
    ann.unblock()
    heard: list[Inbound] = []
    async with asyncio.timeout(20), aclosing(channel.updates()) as updates:  # type: ignore[type-var]
        async for each in updates:
            heard += each.inbound
            if len(heard) == 8:
                break
    assert [type(each) for each in heard] == [
        Subscribed, Wrote, Pressed, SharedPhone, Wrote, Wrote, Unsubscribed, Subscribed
    ]  # fmt: skip
    assert {each.address for each in heard} == {ANN}
    assert len({each.key for each in heard}) == 8
    start, words, press, phone, contact, photo, block, _ = heard
    assert isinstance(start, Subscribed)
    assert (start.payload, start.profile.username, start.profile.language) == ("promo_42", "ann_k", "en")
    assert isinstance(words, Wrote)
    assert words.text == "Where is my order?"
    assert isinstance(press, Pressed)
    assert (press.data, press.external_id) == ("c41.0", "7:1")
    assert isinstance(phone, SharedPhone)
    assert phone.phone == "+380671112233"
    assert isinstance(contact, Wrote)
    assert isinstance(photo, Wrote)
    assert (contact.what, photo.what, photo.text) == ("contact", "photo", "Nice?")
    assert isinstance(block, Unsubscribed)
    assert block.status is AddressStatus.BLOCKED
    assert all(abs((each.occurred_at - datetime.now(UTC)).total_seconds()) < 60 for each in heard)
    await channel.answer_press(press, "Thanks")
    await channel.answer_press(press, "Thanks again, and late")


async def test_what_clients_do_is_heard_by_webhook_with_the_secret(
    channel: TelegramGateway, ann: SimulatedClient, telegram: TelegramSimulator
) -> None:
    heard: asyncio.Queue[Heard] = asyncio.Queue()

    async def hook(request: web.Request) -> web.Response:
        taken = Hook("POST", {name.lower(): value for name, value in request.headers.items()}, {}, await request.read())
        try:
            channel.verify(taken)
        except BadSignature:
            return web.Response(status=403)
        heard.put_nowait(channel.parse(taken))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hooks/tg-shop", hook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{site.port}/hooks/tg-shop"
    try:
        await channel.set_webhook(url)
        ann.start("vip")
        async with asyncio.timeout(5):
            (event,) = (await heard.get()).inbound
        assert isinstance(event, Subscribed)
        assert event.payload == "vip"
        async with aiohttp.ClientSession() as session, session.post(url, json={"update_id": 1}) as answer:
            assert answer.status == 403
        account = await channel.check()
        assert account.webhook == url
        assert "it is removed when polling starts" in account.warnings[0]
    finally:
        await telegram.stop()
        await runner.cleanup()


async def test_two_who_poll_are_told(channel: TelegramGateway, telegram: TelegramSimulator, media: MemoryMedia) -> None:
    other = TelegramGateway(channel="tg-two", token=TOKEN, media=media, api_base=telegram.url, polls=True)
    await other.open()

    async def listen(gateway: TelegramGateway) -> None:
        async with aclosing(gateway.updates()) as updates:  # type: ignore[type-var]
            await anext(updates)

    both = [asyncio.create_task(listen(each)) for each in (channel, other)]
    done, waiting = await asyncio.wait(both, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await other.close()
    (error,) = [task.exception() for task in done]
    assert isinstance(error, Unavailable)
    assert "another program polls this bot" in error.words


async def test_a_hundred_at_once_are_all_taken_once(
    telegram: TelegramSimulator, media: MemoryMedia, shop: SimulatedBot
) -> None:
    shop.add_range(range(1000, 1100))
    # A hundred connections at once take a busy machine longer than the other tests' second.
    patient = TelegramGateway(channel="tg-shop", token=TOKEN, media=media, api_base=telegram.url, call_s=30.0)
    await patient.open()
    outcomes = await asyncio.gather(*(send(patient, text(address=str(user))) for user in range(1000, 1100)))
    await patient.close()
    assert [outcome.external_id for outcome in outcomes] == [f"{user}:1" for user in range(1000, 1100)]
