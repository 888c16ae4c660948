"""What the gateway does with the simulated Twilio, and what that posts to us."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from gateways.base import (
    Accepted,
    AddressGone,
    ChannelBroken,
    MessageRejected,
    OutcomeUnknown,
    OutsideWindow,
    PartKind,
    Pressed,
    ReceiptState,
    Subscribed,
    Throttled,
    Unavailable,
    Unsubscribed,
    Wrote,
)
from gateways.simulator.hooks import Hook as SimHook
from gateways.simulator.platform import SimAccount
from gateways.simulator.twilio.server import STARTED, STOPPED, TwilioSimulator
from gateways.twilio.gateway import TwilioGateway
from tests.gateways.outgoing import out, text
from tests.gateways.twilio.conftest import (
    CONTENT,
    PHONE,
    SAMPLES,
    SENDER,
    SERVICE,
    Make,
    post,
)
from tests.gateways.twilio.receiver import Receiver, receiving
from tests.gateways.twilio.test_out import template, to

SENT, DELIVERED, READ, FAILED = (ReceiptState[name] for name in ("SENT", "DELIVERED", "READ", "FAILED"))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
def texts(twilio: TwilioSimulator) -> SimAccount:
    return twilio.accounts[SENDER]


@pytest.fixture
def chats(twilio: TwilioSimulator) -> SimAccount:
    return twilio.accounts[f"whatsapp:{SENDER}"]


Opened = Callable[..., Awaitable[TwilioGateway]]


@pytest.fixture
async def gateway_for(make: Make, twilio: TwilioSimulator, receiver: Receiver) -> Opened:
    async def opened(kind: str, **terms: Any) -> TwilioGateway:
        gateway = make(kind, **({"api_base": twilio.url, "hook_url": f"{receiver.url}/hooks/shop"} | terms))
        await gateway.open()
        return gateway

    return opened


# --- the gateway and the simulator


async def test_an_sms_goes_its_way_to_the_phone_and_back(
    gateway_for: Opened, twilio: TwilioSimulator, texts: SimAccount, receiver: Receiver
) -> None:
    sms = await gateway_for("sms")
    (accepted,) = await sms.send([to(text("The sale is on €"))])
    assert isinstance(accepted, Accepted)
    assert accepted.external_id.startswith("SM")
    await twilio.hooks.settled()
    (message,) = twilio.client(SENDER, PHONE).messages
    assert (message.id, message.text.text) == (accepted.external_id, "The sale is on €")
    assert receiver.told == ["queued", "sent", "delivered"]  # SMS is never read
    assert receiver.states(sms) == [(SENT, "d7.1.0"), (SENT, "d7.1.0"), (DELIVERED, "d7.1.0")]
    assert {each.external_id for heard in receiver.heard(sms) for each in heard.receipts} == {accepted.external_id}
    assert len(texts.accepted.at) == 1


async def test_a_whatsapp_message_is_read_and_its_picture_fetched(
    gateway_for: Opened, twilio: TwilioSimulator, receiver: Receiver
) -> None:
    chat = await gateway_for("whatsapp", address_of=lambda _: f"{receiver.url}/media/sale.jpg")
    await chat.send([to(out(PartKind.PICTURE, "<b>New</b>", "media:sale.jpg"))])
    await twilio.hooks.settled()
    message = twilio.client(f"whatsapp:{SENDER}", PHONE).last
    assert ([media.kind for media in message.media], message.text.text) == (["picture"], "*New*")
    assert receiver.told == ["queued", "sent", "delivered", "read"]
    gone = await gateway_for("whatsapp", address_of=lambda _: f"{receiver.url}/media/gone.jpg")
    receiver.forms.clear()
    await gone.send([to(out(PartKind.PICTURE, "", "media:gone.jpg"))])
    await twilio.hooks.settled()
    assert [form.get("ErrorCode") for form in receiver.forms] == [None, "63019"]


async def test_reports_come_early_doubled_and_in_any_order(
    gateway_for: Opened, twilio: TwilioSimulator, texts: SimAccount, receiver: Receiver
) -> None:
    url = f"{receiver.url}/hooks/shop"
    texts.hook = SimHook(url, duplicates=1, shuffle_s=0.05, before_answer=True)
    sms = await gateway_for("sms")
    await sms.send([to(text("Hello"))])
    assert Counter(receiver.told) == {"queued": 2, "sent": 2, "delivered": 2}  # before the answer
    keys = Counter(each.key for heard in receiver.heard(sms) for each in heard.receipts)
    assert len(keys) == 2
    tokens = Counter(hook.headers["i-twilio-idempotency-token"] for hook in receiver.hooks)
    assert set(tokens.values()) == {2}


@pytest.mark.parametrize(
    ("fragment", "statuses", "times"),
    [
        ("", [503], 1), ("", [404], 1), ("#rc=2&rp=5xx", [503, 503, 503], 3), ("#rc=2&rp=all", [404, 200], 2),
        ("#rc=5&rp=5xx,ct,rt", [503, 200], 2), ("#rc=5&rp=5xx,ct,rt", [403], 1),
    ],
)  # fmt: skip
async def test_what_we_do_not_take_comes_again_only_as_the_fragment_says(
    fragment: str, statuses: list[int], times: int, twilio: TwilioSimulator, texts: SimAccount, receiver: Receiver
) -> None:
    texts.receipts, receiver.statuses = {}, list(statuses)
    client = twilio.add_client(SENDER, PHONE)
    texts.hook = SimHook(f"{receiver.url}/hooks/shop{fragment}")
    twilio.says(client, "Hello")
    await twilio.hooks.settled()
    assert receiver.told == ["Hello"] * times


async def test_a_lost_answer_is_proved_by_its_report(
    gateway_for: Opened, twilio: TwilioSimulator, receiver: Receiver
) -> None:
    sms = await gateway_for("sms", call_s=0.15)
    twilio.faults.add("silence", accepted=True, method="Messages")
    (outcome,) = await sms.send([to(text("Hello"))])
    assert isinstance(outcome, OutcomeUnknown)
    await twilio.hooks.settled()
    assert receiver.states(sms) == [(SENT, "d7.1.0"), (SENT, "d7.1.0"), (DELIVERED, "d7.1.0")]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "throttle", "retry_after_s": 3}, Throttled), ({"kind": "error"}, OutcomeUnknown),
        ({"kind": "bad_gateway"}, OutcomeUnknown), ({"kind": "drop"}, OutcomeUnknown),
        ({"kind": "refuse", "code": 21614, "words": "not a mobile"}, AddressGone),
        ({"kind": "refuse", "code": 21609}, MessageRejected),
    ],
    ids=str,
)  # fmt: skip
async def test_a_fault_is_an_outcome(
    fault: dict[str, Any], error: type, gateway_for: Opened, twilio: TwilioSimulator
) -> None:
    sms = await gateway_for("sms", hook_url=None)
    twilio.faults.add(**fault)
    (outcome,) = await sms.send([to(text("Hello"))])
    assert type(outcome) is error
    assert isinstance((await sms.send([to(text("Hello"))]))[0], Accepted)


async def test_a_dark_twilio_takes_nothing_and_a_revoked_token_breaks_the_channel(
    gateway_for: Opened, twilio: TwilioSimulator, texts: SimAccount
) -> None:
    sms = await gateway_for("sms", hook_url=None)
    async with twilio.outage():
        assert isinstance((await sms.send([to(text("Hello"))]))[0], Unavailable)
    texts.revoked = True
    assert isinstance((await sms.send([to(text("Hello"))]))[0], ChannelBroken)
    with pytest.raises(ChannelBroken):
        await sms.check()
    texts.revoked = False
    assert (await sms.check()).name == f"Acme, {SENDER}"
    texts.details["status"] = "suspended"


@pytest.mark.parametrize(
    ("kind", "state", "told", "reason"),
    [
        ("sms", "dead", ["queued", "sent", "undelivered"], "not_found"),
        ("sms", "landline", ["queued", "sent", "undelivered"], "not_found"),
        ("sms", "blocked", ["queued", "sent", "undelivered"], "blocked"),
        ("sms", "away", ["queued", "sent", "undelivered"], "unreachable"),
        ("sms", "filtered", ["queued", "sent", "undelivered"], "spam"),
        ("whatsapp", "no_whatsapp", ["queued", "failed"], "not_found"),
        ("whatsapp", "blocked", ["queued", "failed"], "blocked"),
        ("whatsapp", "experiment", ["queued", "failed"], "capped"),
        ("whatsapp", "never_wrote", ["queued", "failed"], "outside_window"),
    ],
)
async def test_a_message_ends_as_its_client_is(
    kind: str,
    state: str,
    told: list[str],
    reason: str,
    gateway_for: Opened,
    twilio: TwilioSimulator,
    receiver: Receiver,
) -> None:
    gateway = await gateway_for(kind)
    twilio.add_client(SENDER if kind == "sms" else f"whatsapp:{SENDER}", PHONE, state=state)
    assert isinstance((await gateway.send([to(text("Hello"))]))[0], Accepted)
    await twilio.hooks.settled()
    assert receiver.told == told
    assert receiver.heard(gateway)[-1].receipts[0].reason == reason


async def test_a_number_that_is_none_is_refused_at_once(gateway_for: Opened, twilio: TwilioSimulator) -> None:
    sms = await gateway_for("sms")
    twilio.add_client(SENDER, PHONE, state="invalid")
    assert isinstance((await sms.send([to(text("Hello"))]))[0], AddressGone)


async def test_stop_is_heeded_by_twilio_until_start(
    gateway_for: Opened, twilio: TwilioSimulator, texts: SimAccount, receiver: Receiver
) -> None:
    sms = await gateway_for("sms")
    client = twilio.add_client(SENDER, PHONE, "Ann")
    texts.hook = SimHook(f"{receiver.url}/hooks/shop")
    twilio.says(client, " stop")
    await twilio.hooks.settled()
    assert client.last.text.text == STOPPED
    (outcome,) = await sms.send([to(text("Hello"))])
    assert isinstance(outcome, AddressGone)
    assert outcome.status == "unsubscribed"
    twilio.says(client, "START")
    await twilio.hooks.settled()
    assert client.last.text.text == STARTED
    assert isinstance((await sms.send([to(text("Hello"))]))[0], Accepted)
    await twilio.hooks.settled()
    inbound = [type(each) for heard in receiver.heard(sms) for each in heard.inbound]
    assert inbound == [Unsubscribed, Subscribed]


async def test_a_service_has_words_of_its_own(gateway_for: Opened, twilio: TwilioSimulator, receiver: Receiver) -> None:
    account = twilio.accounts[SERVICE]
    account.details["opt_out_words"] = {"STOP": ["СТОП"], "START": ["СТАРТ"]}
    account.hook = SimHook(f"{receiver.url}/hooks/shop")
    sms = await gateway_for("sms", sender=None, service=SERVICE)
    client = twilio.add_client(SERVICE, PHONE)
    for said in ("стоп", "CANCEL"):
        twilio.says(client, said)
        await twilio.hooks.settled()
    assert receiver.forms[0]["OptOutType"] == "STOP"
    assert "OptOutType" not in receiver.forms[1]
    assert receiver.heard(sms)[0].inbound[0].address == PHONE
    assert isinstance((await sms.send([to(text("Hello"))]))[0], AddressGone)


async def test_the_window_opens_when_the_client_writes(
    gateway_for: Opened, twilio: TwilioSimulator, chats: SimAccount, receiver: Receiver
) -> None:
    chats.hook = SimHook(f"{receiver.url}/hooks/shop")
    chat = await gateway_for("whatsapp")
    client = twilio.add_client(chats.key, PHONE, "Ann", state="never_wrote")
    twilio.says(client, "STOP")  # Twilio does not act on it here
    await twilio.hooks.settled()
    (heard,) = receiver.heard(chat)
    (wrote,) = heard.inbound
    assert isinstance(wrote, Wrote)
    assert (wrote.text, wrote.profile.first_name, wrote.profile.phone) == ("STOP", "Ann", f"+{PHONE}")
    receiver.forms.clear()
    await chat.send([to(text("Hello"))])
    await twilio.hooks.settled()
    assert receiver.told[-1] == "read"
    chats.details["window_s"] = 0.0
    await chat.send([to(text("Hello"))])
    await twilio.hooks.settled()
    assert receiver.forms[-1]["ErrorCode"] == "63016"
    twilio.faults.add("refuse", code=63016, words="outside the window")
    assert isinstance((await chat.send([to(text("Hello"))]))[0], OutsideWindow)


async def test_a_template_goes_outside_the_window_and_its_button_comes_back(
    gateway_for: Opened, twilio: TwilioSimulator, chats: SimAccount, receiver: Receiver
) -> None:
    chats.hook = SimHook(f"{receiver.url}/hooks/shop")
    sid = twilio.contents.add("spring_sale", CONTENT, variables=SAMPLES)
    chat = await gateway_for("whatsapp")
    client = twilio.add_client(chats.key, PHONE, "Ann", state="never_wrote")
    (accepted,) = await chat.send([template()])
    assert isinstance(accepted, Accepted)
    assert accepted.cost == "whatsapp.marketing"
    await twilio.hooks.settled()
    assert client.last.text.text == "Hi Ann, 30% off?"
    receiver.hooks.clear()
    twilio.presses(client, client.last.id, 0)
    await twilio.hooks.settled()
    pressed, wrote = receiver.heard(chat)[0].inbound
    assert isinstance(pressed, Pressed)
    assert (pressed.data, pressed.external_id) == ("m7:yes", accepted.external_id)
    assert isinstance(wrote, Wrote)
    assert wrote.text == "Yes"
    for status, code in (("paused", "63041"), ("disabled", "63042"), ("rejected", "63040"), ("pending", "63016")):
        twilio.contents.judge(sid, status)
        chats.details["window_s"] = 0.0
        await chat.send([template()])
        await twilio.hooks.settled()
        assert receiver.forms[-1]["ErrorCode"] == code
    client.state = "capped"
    twilio.contents.judge(sid, "approved")
    await chat.send([template()])
    await twilio.hooks.settled()
    assert receiver.forms[-1]["ErrorCode"] == "63049"


async def test_templates_come_page_by_page(gateway_for: Opened, twilio: TwilioSimulator) -> None:
    names = [f"sale_{number}" for number in range(120)]
    for name in names:
        twilio.contents.add(name, CONTENT, variables=SAMPLES, status="" if name == "sale_7" else "approved")
    found = await (await gateway_for("whatsapp")).templates()
    assert [each.name for each in found] == names
    assert [each.name for each in found if each.status != "approved"] == ["sale_7"]
    assert (found[0].parameters, found[0].buttons, found[0].category) == (("1", "2"), ("reply",), "marketing")


@pytest.mark.parametrize(
    ("kind", "terms"),
    [("sms", {}), ("whatsapp", {}), ("sms", {"sender": None, "service": SERVICE})],
    ids=["a number", "a sender", "a service"],
)
async def test_a_webhook_is_set_told_and_used(
    kind: str, terms: dict[str, Any], gateway_for: Opened, twilio: TwilioSimulator, receiver: Receiver
) -> None:
    url = f"{receiver.url}/hooks/shop"
    gateway = await gateway_for(kind, **terms)
    assert (await gateway.check()).webhook is None
    await gateway.set_webhook(url)
    assert (await gateway.check()).webhook == url
    key = SERVICE if terms else SENDER if kind == "sms" else f"whatsapp:{SENDER}"
    twilio.says(twilio.add_client(key, PHONE), "Hello")
    await twilio.hooks.settled()
    assert receiver.heard(gateway)[0].inbound[0].address == PHONE


# --- queues and limits


async def test_a_queue_leaves_at_the_senders_pace_and_what_is_stale_dies(
    gateway_for: Opened, twilio: TwilioSimulator, texts: SimAccount, receiver: Receiver
) -> None:
    texts.receipts = {}
    texts.details["segments_per_s"] = 20.0
    sms = await gateway_for("sms")
    for words in ("a" * 161, "Hello", "there"):
        await sms.send([to(text(words))])
    assert receiver.told.count("sent") <= 1
    await twilio.hooks.settled()
    assert receiver.told.count("sent") == 3
    texts.details["segments_per_s"] = 0.5
    twilio._queues.clear()
    first = await post(twilio, To=f"+{PHONE}", From=SENDER, Body="Hello")
    stale = await post(twilio, To=f"+{PHONE}", From=SENDER, Body="Hello", ValidityPeriod="1")
    assert (first["status"], stale["status"]) == ("queued", "queued")
    assert (twilio.sent[stale["sid"]].problem, twilio.sent[first["sid"]].problem) == (30036, 0)
    await twilio.hooks.stop()  # no waiting for the second that it has left
    await twilio.hooks.start()


async def test_a_full_queue_refuses_a_number_at_once_and_a_service_later(
    gateway_for: Opened, twilio: TwilioSimulator, receiver: Receiver
) -> None:
    for key in (SENDER, SERVICE):
        twilio.accounts[key].receipts = {}
        twilio.accounts[key].details |= {"segments_per_s": 1.0, "queue_s": 0.5}
    sms = await gateway_for("sms")
    outcomes = [(await sms.send([to(text("Hello"))]))[0] for _ in range(2)]
    assert isinstance(outcomes[-1], Throttled)
    service = await gateway_for("sms", sender=None, service=SERVICE)
    outcomes = [(await service.send([to(text("Hello"))]))[0] for _ in range(2)]
    assert all(isinstance(each, Accepted) for each in outcomes)
    await twilio.hooks.settled()
    assert "30001" in [form.get("ErrorCode") for form in receiver.forms]
    assert any(heard.news for heard in receiver.heard(service))


async def test_too_many_requests_at_once_are_throttled(gateway_for: Opened, twilio: TwilioSimulator) -> None:
    twilio.faults.latency_s = 0.1
    for account in twilio.accounts.values():
        account.details["parallel"] = 5
    sms = await gateway_for("sms", hook_url=None)
    outcomes = [outcome for (outcome,) in await asyncio.gather(*(sms.send([to(text("Hi"))]) for _ in range(9)))]
    assert Counter(map(type, outcomes)) == {Accepted: 5, Throttled: 4}


async def test_only_counting_keeps_nothing(gateway_for: Opened, twilio: TwilioSimulator, texts: SimAccount) -> None:
    twilio.keeps = False
    sms = await gateway_for("sms")
    for _ in range(3):
        await sms.send([to(text("Hello"))])
    assert (len(texts.accepted.at), len(twilio.sent), texts.clients) == (3, 0, {})
