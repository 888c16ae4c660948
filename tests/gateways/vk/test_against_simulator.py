"""The gateway and the simulated VK, over real HTTP, with the real web side in between where it hears."""

import asyncio
import itertools
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

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
    OutcomeUnknown,
    Outgoing,
    PartKind,
    Pressed,
    Subscribed,
    Throttled,
    Unavailable,
    Unreadable,
    Unsubscribed,
    Wrote,
)
from gateways.message import Buy, Card, Link, Reply
from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount
from gateways.simulator.vk.server import VkSimulator
from gateways.vk.api import Requests
from gateways.vk.gateway import VkGateway
from tests.gateways.cases import Logs, MemoryMedia
from tests.gateways.pictures import JPEG
from tests.gateways.vk.simulated import ANN, BOB, GROUP, KEY
from tests.gateways.vk.vk import out


def on(vk: VkSimulator, media: MemoryMedia, *, hook_url: str | None = None, call_s: float = 2.0) -> VkGateway:
    return VkGateway(
        channel="vk-shop", group_id=str(GROUP), token=KEY, media=media, api_base=f"{vk.url}/method", secret="of-ours",
        app_secret=b"app", polls=hook_url is None, hook_url=hook_url, call_s=call_s,
        requests=Requests(itertools.count().__next__),  # its clock leaps, so that nothing waits here
    )  # fmt: skip


@pytest.fixture
async def ours(vk: VkSimulator, ann: SimClient, media: MemoryMedia) -> AsyncIterator[VkGateway]:
    opened = on(vk, media, call_s=0.3)
    await opened.open()
    yield opened
    await opened.close()


def part(number: int, html: str = "Hello there", address: str = ANN) -> Outgoing:
    return replace(out(html=html, address=address), reference=f"{number}.1.0")


async def test_a_message_with_everything_stands_on_the_phone(ours: VkGateway, ann: SimClient) -> None:
    message = out(
        PartKind.ALBUM, "<b>Sale</b> 😀 <a href='https://shop.example'>here</a>", "media:sale.jpg", "photo-5_6",
        buttons=[[Link("https://shop.example", "Open"), Reply("say", "More")], [Buy("S", "Buy", "1 EUR")]],
        data=["c7.0", "c7.1", "c7.2"],
    )  # fmt: skip
    (outcome,) = await ours.send([message])
    shown = ann.last
    assert outcome == Accepted(shown.id)
    assert shown.text.text == "Sale 😀 here"
    assert [(span.tag, span.start, span.end) for span in shown.text.spans] == [("b", 0, 4), ("a", 7, 11)]
    assert [media.content for media in shown.media] == [JPEG, None]
    assert [[(button.label, button.action) for button in row] for row in shown.rows] == [
        [("Open", "link")], [("More", "reply")], [("Buy", "reply")]
    ]  # fmt: skip


async def test_every_other_kind_of_part_stands_there_too(ours: VkGateway, vk: VkSimulator, ann: SimClient) -> None:
    card = Card("Red", "10 EUR", "media:sale.jpg", (Buy("S", "Buy", "1 EUR"),))
    parts = [
        out(PartKind.FILE, "Prices", "media:price.pdf", name="Прайс.pdf"),
        out(PartKind.VIDEO, "", "media:clip.mp4"),
        out(PartKind.LOCATION, latitude=50.45, longitude=30.52),
        out(PartKind.CAROUSEL, "See", cards=[card, replace(card, title="Blue", text="")], data=["c7.0", "c7.1"]),
    ]
    for number, each in enumerate(parts):
        (outcome,) = await ours.send([replace(each, reference=f"{number}.1.0")])
        assert isinstance(outcome, Accepted), outcome
    assert [[media.kind for media in message.media] for message in ann.messages] == [
        ["file"],
        ["file"],
        ["location"],
        [],
    ]
    assert ann.messages[0].media[0].name == "Прайс.pdf"
    assert [card.title for card in ann.last.cards] == ["Red", "Blue"]


async def test_a_batch_has_an_outcome_for_each_of_its_clients(
    ours: VkGateway, vk: VkSimulator, shop: SimAccount, ann: SimClient
) -> None:
    shop.everyone = "active"
    for state, number in (("blacklisted", 3), ("deleted", 4)):
        vk.add_client(KEY, str(number), state=state)
    parts = [part(1, "Ann, hi"), part(2, address=BOB), part(3, address="3"), part(4, address="4"), part(5, address="5")]
    outcomes = await ours.send(parts)
    assert [type(outcome) for outcome in outcomes] == [Accepted, AddressGone, AddressGone, AddressGone, Accepted]
    statuses = [outcome.status for outcome in outcomes if isinstance(outcome, AddressGone)]
    assert statuses == [AddressStatus.UNSUBSCRIBED, AddressStatus.BLOCKED, AddressStatus.GONE]
    assert vk.count_by_name == {"execute": 1}


async def test_equal_texts_named_for_all_travel_by_peer_ids(ours: VkGateway, vk: VkSimulator, shop: SimAccount) -> None:
    shop.everyone = "active"
    parts = [replace(part(number, address=str(number)), shared_reference="s3.0") for number in range(1, 6)]
    assert {type(outcome) for outcome in await ours.send(parts)} == {Accepted}
    assert vk.count_by_name == {"messages.send": 1}
    alone = await ours.send([parts[2]])
    assert isinstance(alone[0], Accepted)
    assert len(shop.accepted.at) == 5, "a repeat of one of them alone is dropped too"


async def test_what_broke_off_after_it_was_taken_is_not_sent_twice_by_a_repeat(
    ours: VkGateway, vk: VkSimulator, shop: SimAccount, ann: SimClient
) -> None:
    for kind in ("drop", "silence", "bad_gateway"):
        vk.faults.add(kind, accepted=True, method="messages.send")
        (outcome,) = await ours.send([part(1)])
        assert type(outcome) is OutcomeUnknown, kind
    (outcome,) = await ours.send([part(1)])
    assert outcome == Accepted(ann.last.id)
    assert len(ann.messages) == 1
    assert shop.accepted.repeats() == 0


async def test_a_batch_that_broke_off_is_not_sent_twice_either(
    ours: VkGateway, vk: VkSimulator, shop: SimAccount
) -> None:
    shop.everyone = "active"
    parts = [part(number, f"Hi {number}", address=str(number)) for number in range(1, 6)]
    vk.faults.add("drop", method="execute")
    assert {type(outcome) for outcome in await ours.send(parts)} == {OutcomeUnknown}
    for each in parts:
        assert isinstance((await ours.send([each]))[0], Accepted)
    assert (len(shop.accepted.at), shop.accepted.repeats()) == (5, 0)


async def test_a_throttle_and_an_outage_send_nothing(ours: VkGateway, vk: VkSimulator, ann: SimClient) -> None:
    vk.faults.add("throttle")
    vk.faults.add("refuse", code=9)
    throttled, flooded = [(await ours.send([part(number)]))[0] for number in (1, 2)]
    assert isinstance(throttled, Throttled)
    assert isinstance(flooded, Throttled)
    assert (throttled.only_this, flooded.only_this) == (False, True)
    async with vk.outage():
        await asyncio.sleep(0.02)  # until the cut of the kept connection is noticed
        assert type((await ours.send([part(3)]))[0]) is Unavailable
    assert ann.messages == []


async def test_twenty_one_sends_in_a_second_are_too_many_and_say_so(ours: VkGateway, ann: SimClient) -> None:
    outcomes = [(await ours.send([part(number)]))[0] for number in range(21)]
    assert isinstance(outcomes[-1], Throttled)
    assert {type(outcome) for outcome in outcomes[:-1]} == {Accepted}


async def test_who_the_key_belongs_to_and_when_it_is_over(ours: VkGateway, shop: SimAccount, logs: Logs) -> None:
    account = await ours.check()
    assert (account.external_id, account.name, account.link) == (str(GROUP), "Shop", f"https://vk.me/club{GROUP}")
    shop.revoked = True
    with pytest.raises(ChannelBroken):
        await ours.check()
    logs.require_none_of([KEY])


async def test_what_was_read_is_asked_for(ours: VkGateway, vk: VkSimulator, ann: SimClient) -> None:
    assert list(await ours.poll_reads([ANN, BOB])) == []
    await ours.send([part(1)])
    await ours.send([part(2)])
    vk.report(ann, ann.messages[0].id, "read")
    (mark,) = await ours.poll_reads([ANN, BOB])
    assert (mark.address, mark.until_id) == (ANN, int(ann.messages[0].id))


# --- hearing


class Ears:
    """What was heard, in order."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    @property
    def kinds(self) -> list[str]:
        return [type(inbound).__name__ for heard in self.heard for inbound in heard.inbound]

    def only(self, kind: type) -> list[object]:
        return [inbound for heard in self.heard for inbound in heard.inbound if isinstance(inbound, kind)]


@asynccontextmanager
async def listening(vk: VkSimulator, media: MemoryMedia, ears: Ears) -> AsyncIterator[tuple[VkGateway, str]]:
    """A gateway behind a hook of a few lines, as the web side answers it."""
    gateways: list[VkGateway] = []

    async def take(request: web.Request) -> web.Response:
        hook = Hook("POST", {name.lower(): value for name, value in request.headers.items()}, {}, await request.read())
        try:
            gateways[0].verify(hook)
            heard = gateways[0].parse(hook)
        except BadSignature:
            return web.Response(status=403)
        except Unreadable:
            return web.Response(status=400)
        ears.heard.append(heard)
        return web.Response(text=heard.answer.body, content_type=heard.answer.content_type)

    app = web.Application()
    app.router.add_post("/hooks/vk-shop", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{site.port}/hooks/vk-shop"
    gateways.append(on(vk, media, hook_url=url))
    await gateways[0].open()
    try:
        yield gateways[0], url
    finally:
        await gateways[0].close()
        await runner.cleanup()


async def test_a_webhook_is_set_confirmed_and_hears_everything(
    vk: VkSimulator, ann: SimClient, media: MemoryMedia
) -> None:
    ears = Ears()
    async with listening(vk, media, ears) as (gateway, url):
        assert (await gateway.check()).webhook is None
        await gateway.set_webhook(url)
        await vk.settled()
        account = await gateway.check()
        assert (account.webhook, account.warnings) == (url, ())
        await gateway.send([out(html="Hi", buttons=[[Reply("say", "More")]], data=["c7.0"])])
        vk.says(ann, "Hello", raw={"ref": "promo_42"})
        vk.presses(ann, ann.last.id, 0)
        vk.report(ann, ann.last.id, "read")
        vk.changes(ann, "denied")
        vk.changes(ann, "active")
        await vk.settled()
        assert sorted(ears.kinds) == ["Pressed", "Subscribed", "Subscribed", "Unsubscribed", "Wrote"]
        (pressed,) = ears.only(Pressed)
        assert isinstance(pressed, Pressed)
        assert pressed.data == "c7.0"
        with vk.subscribe() as phone:
            await gateway.answer_press(pressed, "Спасибо")
            assert (await phone.get()).text == "Спасибо"
        await gateway.answer_press(pressed, "too late is no error")
        assert {each.payload for each in ears.only(Subscribed) if isinstance(each, Subscribed)} == {"promo_42", ""}
        assert [mark.until_id for heard in ears.heard for mark in heard.watermarks] == [int(ann.last.id)]
        assert len(ears.only(Wrote)) == len(ears.only(Unsubscribed)) == 1


async def test_a_webhook_that_was_given_up_is_mended_by_setting_it_again(
    vk: VkSimulator, ann: SimClient, media: MemoryMedia
) -> None:
    async with listening(vk, media, Ears()) as (gateway, url):
        await gateway.set_webhook(url)
        await vk.settled()
        server = next(iter(vk.communities[KEY].servers.values()))
        server.status = "failed"
        account = await gateway.check()
        assert account.webhook is None
        assert "could not" in account.warnings[0]
        await gateway.set_webhook(url)
        await vk.settled()
        assert (await gateway.check()).webhook == url
        assert len(vk.communities[KEY].servers) == 1


async def test_events_with_a_wrong_secret_change_nothing(vk: VkSimulator, ann: SimClient, media: MemoryMedia) -> None:
    ears = Ears()
    async with listening(vk, media, ears) as (gateway, url):
        await gateway.set_webhook(url)
        await vk.settled()
        ears.heard.clear()
        next(iter(vk.communities[KEY].servers.values())).secret = "guessed"
        vk.accounts[KEY].hook = None
        vk.changes(ann, "denied")
        await asyncio.sleep(0.1)
        assert ears.heard == []


async def test_events_are_polled_where_nobody_can_reach_us(ours: VkGateway, vk: VkSimulator, ann: SimClient) -> None:
    texts: list[str] = []

    async def listen() -> None:
        async for heard in ours.updates():
            texts.extend(inbound.text for inbound in heard.inbound if isinstance(inbound, Wrote))

    listener = asyncio.create_task(listen())
    while not vk.communities[KEY].polled or not vk.requests(KEY, "lp"):
        await asyncio.sleep(0.01)
    for number, lost in enumerate((0, 2, 3), start=1):
        if lost:
            vk.communities[KEY].lose_long_poll(lost)
        async with asyncio.timeout(5):
            while f"text {number}" not in texts:
                vk.says(ann, f"text {number}")  # what comes while the queue is lost is lost
                await asyncio.sleep(0.02)
    listener.cancel()


def test_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "gateways.simulator.vk.server", "--accounts", "2", "--count-only"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        body = b"access_token=vk-2&v=5.199&peer_ids=1,2,3&random_id=1&message=Hi"
        with urllib.request.urlopen(f"{url}/method/messages.send", data=body) as answer:  # noqa: S310
            assert b'"peer_id":3' in answer.read()
        process.terminate()
        process.wait(5)
