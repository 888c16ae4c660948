"""The gateway against the simulated Viber, and what that posts to our hook."""

import asyncio
from typing import Any

import pytest

from gateways.base import (
    Accepted,
    AddressGone,
    ChannelBroken,
    GatewayError,
    Heard,
    MessageRejected,
    OutcomeUnknown,
    PartKind,
    Pressed,
    ReceiptState,
    Rejected,
    Subscribed,
    Throttled,
    Unavailable,
    Unsubscribed,
    Wrote,
)
from gateways.message import Card, Link, Reply
from gateways.simulator.faults import FaultKind
from gateways.simulator.phones import ChatMedia
from gateways.simulator.platform import SimAccount
from gateways.simulator.viber.marks import read_marks
from gateways.simulator.viber.server import ViberSimulator
from gateways.viber.gateway import ViberGateway
from tests.gateways.cases import Logs, fields, logs
from tests.gateways.outgoing import out
from tests.gateways.viber.conftest import ANNA, BORYS, OLHA, PUBLIC, TOKEN, OurHook, hello, hellos, send
from tests.gateways.viber.test_out import carousel

__all__ = ["logs"]


# --- the webhook


async def test_viber_takes_nothing_before_our_webhook_answers(
    channel: ViberGateway, hook: OurHook, simulator: ViberSimulator
) -> None:
    (outcome,) = await send(channel, hello())
    assert fields(outcome) == fields(Throttled(10.0, code="10"))
    hook.status = 404
    with pytest.raises(Unavailable, match="invalidUrl"):
        await channel.set_webhook(hook.url)
    hook.status = 200
    await channel.set_webhook(hook.url)
    assert hook.heard == [Heard()]
    assert isinstance((await send(channel, hello()))[0], Accepted)
    account = await channel.check()
    assert (account.webhook, account.warnings, account.name) == (hook.url, (), "Shop North")


async def test_a_webhook_that_was_removed_is_set_again(
    channel: ViberGateway, set_hook: OurHook, bot: SimAccount, simulator: ViberSimulator
) -> None:
    bot.hook = None
    (outcome,) = await send(channel, hello())
    assert isinstance(outcome, Throttled)
    assert isinstance((await send(channel, hello()))[0], Accepted)


# --- what clients see


async def test_a_client_sees_what_was_sent(channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator) -> None:
    phone = simulator.client(TOKEN, ANNA)
    buttons = [[Link("https://acme.test", "Open"), Reply("Yes", "Yes & no")]]
    await send(channel, hello(buttons=buttons, data=["c7.0", "c7.1"]))
    await send(channel, out(PartKind.PICTURE, "<b>New</b> boots", "https://cdn.test/a.png", address=ANNA))
    await send(channel, out(PartKind.FILE, "", "media:price.pdf", name="Prices.pdf", address=ANNA))
    await send(channel, out(PartKind.LOCATION, address=ANNA, latitude=50.45, longitude=30.52))
    text, picture, file, place = phone.messages
    assert (text.text.text, [button.label for button in text.buttons]) == ("Hello", ["Open", "Yes & no"])
    assert [button.action for button in text.buttons] == ["link", "reply"]
    assert (picture.text.text, picture.text.spans[0].tag) == ("New boots", "b")
    assert picture.media == (ChatMedia("picture", "https://cdn.test/a.png"),)
    assert (file.media[0].name, file.media[0].url.startswith(f"{PUBLIC}/media/")) == ("Prices.pdf", True)
    assert place.media[0].name == "50.45,30.52"


async def test_a_carousel_is_cut_into_its_cards(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator
) -> None:
    boots = Card(
        "Boots <3", "Warm", "https://cdn.test/b.png", (Link("https://acme.test/1", "Open"), Reply("b", "Choose"))
    )
    hats = Card("Hats", "", None, (Reply("h", "Choose"),))
    await send(channel, carousel(boots, hats, data=("c7.0", "c7.1", "c7.2")))
    (message,) = simulator.client(TOKEN, ANNA).messages
    first, second = message.cards
    assert (first.title, first.text, first.picture) == ("Boots <3", "Warm", "https://cdn.test/b.png")
    assert [button.label for button in first.buttons] == ["Open", "Choose"]
    assert (second.title, second.picture, len(second.buttons)) == ("Hats", "", 1)


@pytest.mark.parametrize(
    ("text", "shown", "tags"),
    [
        ("*bold* and _it_ ~no~ ```x = 1```", "bold and it no x = 1", ["b", "i", "s", "code"]),
        ("*a _b_ c*", "a b c", ["b", "i"]),
        ("*a*b 2*3*4 snake_case_name * x *", "*a*b 2*3*4 snake_case_name * x *", []),
    ],
)
def test_marks_are_shown_as_the_app_does(text: str, shown: str, tags: list[str]) -> None:
    rich = read_marks(text)
    assert (rich.text, [span.tag for span in rich.spans]) == (shown, tags)


# --- presses and words


async def test_a_press_comes_back_and_a_link_too(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator
) -> None:
    await send(channel, hello(buttons=[[Link("https://acme.test/s", "Open"), Reply("Yes", "Yes")]], data=["a", "c7.1"]))
    phone = simulator.client(TOKEN, ANNA)
    simulator.presses(phone, phone.last.id, 1)
    simulator.presses(phone, phone.last.id, 0)
    await simulator.hooks.settled()
    assert {(type(each), each.data) for each in set_hook.inbound} == {
        (Pressed, "c7.1"),
        (Pressed, "https://acme.test/s"),
    }
    assert len(phone.chat) == 1, "a silent press prints nothing"


async def test_words_subscribe_without_an_event_of_their_own(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator
) -> None:
    phone = simulator.client(TOKEN, ANNA)
    simulator.changes(phone, "unsubscribed")
    await simulator.hooks.settled()
    (outcome,) = await send(channel, hello())
    assert fields(outcome)[0] is AddressGone
    simulator.says(phone, "Hello again")
    simulator.says(phone, "", media=(ChatMedia("picture", "https://dl.test/a.jpg"),))
    await simulator.hooks.settled()
    assert [type(each) for each in set_hook.inbound] == [Unsubscribed, Wrote, Wrote]
    assert {(each.text, each.what) for each in set_hook.inbound[1:]} == {("Hello again", "text"), ("", "picture")}
    assert isinstance((await send(channel, hello()))[0], Accepted)


@pytest.mark.parametrize("how", ["press", "words"])
async def test_who_comes_by_a_link_is_welcomed_and_brings_its_payload(
    how: str, channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    phone = simulator.add_client(TOKEN, "Tm9ib2R5", "New", state="new")
    simulator.opens(phone, "promo-42")
    await simulator.hooks.settled()
    assert set_hook.inbound == []
    assert phone.last.text.text.startswith("Press the button")
    if how == "press":
        simulator.presses(phone, phone.last.id, 0)
    else:
        simulator.says(phone, "Hello")
    await simulator.hooks.settled()
    first, *rest = set_hook.inbound
    assert isinstance(first, Subscribed)
    assert (first.payload, first.explicit, [each.text for each in rest]) == (
        ("promo-42", True, []) if how == "press" else ("promo-42", True, ["Hello"])
    )
    assert isinstance((await send(channel, hello("Tm9ib2R5")))[0], Accepted)


async def test_a_subscriber_who_comes_by_a_link_is_not_welcomed_again(
    set_hook: OurHook, simulator: ViberSimulator
) -> None:
    phone = simulator.client(TOKEN, ANNA)
    simulator.opens(phone, "promo-42")
    await simulator.hooks.settled()
    assert [each.payload for each in set_hook.inbound] == ["promo-42"]
    assert phone.chat == []


# --- receipts


async def test_receipts_name_what_the_answer_named(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    bot.receipts = {"delivered": 0.0, "read": 0.02}
    simulator.client(TOKEN, ANNA).details["devices"] = 3
    (accepted,) = await send(channel, hello())
    await simulator.hooks.settled()
    delivered = [each for each in set_hook.receipts if each.state is ReceiptState.DELIVERED]
    read = [each for each in set_hook.receipts if each.state is ReceiptState.READ]
    assert {each.external_id for each in (*delivered, *read)} == {accepted.external_id}
    assert (len(delivered), len({each.key for each in delivered}), len(read)) == (3, 1, 1)


async def test_the_receivers_of_a_broadcast_report_under_one_token(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    bot.receipts = {"delivered": 0.0}
    simulator.changes(simulator.client(TOKEN, BORYS), "unsubscribed")
    first, gone, third = await send(channel, *hellos([ANNA, BORYS, OLHA]))
    await simulator.hooks.settled()
    assert {each.external_id for each in set_hook.receipts} == {first.external_id, third.external_id}
    assert first.external_id.partition(":")[0] == third.external_id.partition(":")[0]
    assert isinstance(gone, AddressGone)
    assert len(simulator.requests(name="broadcast_message")) == 1


async def test_seen_comes_once_for_all_that_waits(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    for _ in range(3):
        await send(channel, hello())
    phone = simulator.client(TOKEN, ANNA)
    for message in phone.messages:
        simulator.report(phone, message.id, "read")
    await simulator.hooks.settled()
    (heard,) = set_hook.heard
    assert (len(heard.receipts), len(heard.watermarks)) == (1, 1)
    assert [message.state for message in phone.messages] == ["read"] * 3


async def test_a_message_can_fail_on_the_phone_after_all(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    bot.receipts = {"delivered": 0.0}
    simulator.client(TOKEN, ANNA).details["fails"] = "message validation failed"
    (accepted,) = await send(channel, hello())
    await simulator.hooks.settled()
    (failed,) = set_hook.receipts
    assert (failed.state, failed.external_id) == (ReceiptState.FAILED, accepted.external_id)
    assert failed.words == "message validation failed"


async def test_delivered_comes_for_clients_own_messages_too(
    set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    bot.details["delivers_inbound"] = True
    simulator.says(simulator.client(TOKEN, ANNA), "Hi")
    await simulator.hooks.settled()
    assert [each.state for each in set_hook.receipts] == [ReceiptState.DELIVERED]


async def test_what_our_hook_did_not_take_comes_again_in_the_same_bytes(
    set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    assert bot.hook is not None
    bot.hook.retry_after_s = 0.01
    set_hook.status = 500
    simulator.says(simulator.client(TOKEN, ANNA), "Привіт")
    while len(set_hook.bodies) < 2:
        await asyncio.sleep(0.005)
    set_hook.status = 200
    await simulator.hooks.settled()
    assert len(set(set_hook.bodies)) == 1
    assert [each.text for each in set_hook.inbound] == ["Привіт"]


async def test_a_receipt_can_come_before_the_answer(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    assert bot.hook is not None
    bot.hook.before_answer, bot.receipts = True, {"delivered": 0.0}
    sending = asyncio.create_task(send(channel, hello()))
    while not set_hook.receipts:
        assert not sending.done()
        await asyncio.sleep(0.002)
    (accepted,) = await sending
    assert set_hook.receipts[0].external_id == accepted.external_id


# --- refusals


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda sim: sim.accounts[TOKEN].clients.pop(ANNA), AddressGone),
        (lambda sim: sim.changes(sim.client(TOKEN, ANNA), "blocked"), AddressGone),
        (lambda sim: setattr(sim.accounts[TOKEN], "revoked", True), ChannelBroken),
        (lambda sim: sim.accounts[TOKEN].details.update(status=23), ChannelBroken),
        (lambda sim: sim.accounts[TOKEN].details.update(status=9), ChannelBroken),
        (lambda sim: sim.faults.add(FaultKind.THROTTLE), Throttled),
        (lambda sim: sim.faults.add(FaultKind.REFUSE, code=21, words="not here"), Rejected),
        (lambda sim: sim.faults.add(FaultKind.REFUSE, code=3, words="badData"), MessageRejected),
        (lambda sim: sim.faults.add(FaultKind.ERROR), OutcomeUnknown),
        (lambda sim: sim.faults.add(FaultKind.BAD_GATEWAY), OutcomeUnknown),
        (lambda sim: sim.faults.add(FaultKind.DROP), OutcomeUnknown),
        (lambda sim: sim.faults.add(FaultKind.CLOSE), OutcomeUnknown),
        (lambda sim: sim.faults.add(FaultKind.SILENCE), OutcomeUnknown),
        (lambda sim: sim.faults.add(FaultKind.SLOW, seconds=0.05), Accepted),
    ],
)
async def test_a_refusal_reaches_us_as_what_it_means(
    change: Any, expected: type, channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, logs: Logs
) -> None:
    change(simulator)
    (outcome,) = await send(channel, hello())
    assert type(outcome) is expected
    if isinstance(outcome, GatewayError):
        assert TOKEN not in outcome.words
    logs.require_none_of([TOKEN, ANNA])


async def test_an_outage_is_a_refused_connection(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator
) -> None:
    async with simulator.outage():
        await send(channel, hello())  # notices that the kept connection is cut
        (outcome,) = await send(channel, hello())
        assert isinstance(outcome, Unavailable)
    assert isinstance((await send(channel, hello()))[0], Accepted)


async def test_the_hundred_and_first_message_of_an_hour_waits_until_the_client_answers(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator
) -> None:
    simulator.clock = lambda: 1793000000.0
    phone = simulator.client(TOKEN, ANNA)
    phone.details["unanswered"] = (1793000000 // 3600, 99)
    assert isinstance((await send(channel, hello()))[0], Accepted)
    (outcome,) = await send(channel, hello())
    assert isinstance(outcome, Throttled)
    assert outcome.only_this
    simulator.says(phone, "Enough")
    assert isinstance((await send(channel, hello()))[0], Accepted)


async def test_an_old_app_gets_the_words_of_a_carousel(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator
) -> None:
    phone = simulator.client(TOKEN, ANNA)
    phone.details["api_version"] = 1
    offer = carousel(Card("Boots", "Warm", None, (Link("https://acme.test/1", "Open"),)))
    (outcome,) = await send(channel, offer)
    assert fields(outcome) == fields(Throttled(0.0, code="13", only_this=True))
    assert isinstance((await send(channel, offer))[0], Accepted)
    assert phone.last.text.text == "Boots\nWarm\nOpen: https://acme.test/1"


async def test_a_bot_without_the_right_to_broadcast_falls_back_by_itself(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    bot.details["broadcast"] = 20
    both = hellos([ANNA, BORYS])
    assert all(isinstance(each, Throttled) and each.only_this for each in await send(channel, *both))
    assert len(bot.accepted.at) == 0
    assert all(isinstance(each, Accepted) for each in await send(channel, *both))
    assert (len(bot.accepted.at), bot.accepted.repeats()) == (2, 0)


async def test_what_a_message_cost_follows_the_session(
    channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    async def cost() -> str:
        (accepted,) = await send(channel, hello())
        return str(accepted.cost)

    assert await cost() == "viber.free"
    bot.details["billable"] = True
    assert await cost() == "viber.charged"
    simulator.says(simulator.client(TOKEN, ANNA), "Hi")
    assert await cost() == "viber.session_billable"
    now = simulator.clock()
    simulator.clock = lambda: now + 25 * 3600
    assert await cost() == "viber.charged"
