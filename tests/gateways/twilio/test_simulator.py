"""The simulated Twilio: what twilio's own library says to it, what the gateway does with it, what it posts to us."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from gateways.base import (
    Accepted,
    AddressGone,
    ChannelBroken,
    Heard,
    Hook,
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
from tests.gateways.twilio.conftest import ACCOUNT, PHONE, PROOF, SENDER, SERVICE, TOKEN, Make
from tests.gateways.twilio.test_out import template, to

SENT, DELIVERED, READ, FAILED = (ReceiptState[name] for name in ("SENT", "DELIVERED", "READ", "FAILED"))
CONTENT = {
    "twilio/quick-reply": {
        "body": "Hi {{1}}, {{2}} off?",
        "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": "m7:yes"}],
    },
    "twilio/text": {"body": "Hi {{1}}, {{2}} off?"},
}
SIGNED = {"Authorization": PROOF}
# The library itself calls what aiohttp is about to drop.
ITS_OWN = pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed:DeprecationWarning")
SAMPLES = {"1": "Sample", "2": "5%"}


class Receiver:
    """Our hook, as far as it is Twilio's business: it keeps what comes, and answers what it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.forms: list[dict[str, str]] = []
        self.hooks: list[Hook] = []
        self.statuses: list[int] = []  # of the next answers; then 200

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        form = {name: str(value) for name, value in (await request.post()).items()}
        signature = request.headers["X-Twilio-Signature"]
        assert RequestValidator(TOKEN).validate(str(request.url), form, signature)
        self.forms.append(form)
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw = request.raw_path.partition("?")[2]
        self.hooks.append(Hook("POST", headers, dict(request.query), body, raw))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    @property
    def told(self) -> list[str]:
        return [form.get("MessageStatus", form.get("Body", "")) for form in self.forms]

    def heard(self, gateway: TwilioGateway) -> list[Heard]:
        for hook in self.hooks:
            gateway.verify(hook)
        return [gateway.parse(hook) for hook in self.hooks]

    def states(self, gateway: TwilioGateway) -> list[tuple[ReceiptState, str | None]]:
        return [(each.state, each.reference) for heard in self.heard(gateway) for each in heard.receipts]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hooks/shop", receiver.take)
    app.router.add_get("/media/sale.jpg", _picture)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{site.port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def _picture(_: web.Request) -> web.Response:
    return web.Response(body=b"\xff\xd8\xff", content_type="image/jpeg")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioSimulator]:
    simulator = TwilioSimulator()
    for key in (SENDER, f"whatsapp:{SENDER}", SERVICE):
        simulator.add_account(
            key,
            details={"account_sid": ACCOUNT, "auth_token": TOKEN},
            everyone="active",
            receipts={"delivered": 0.01, "read": 0.02},
        )
    await simulator.start()
    yield simulator
    await simulator.stop()


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


@pytest.fixture
async def library(twilio: TwilioSimulator) -> AsyncIterator[Client]:
    http = AsyncTwilioHttpClient(timeout=5)
    client = Client(ACCOUNT, TOKEN, http_client=http)
    for product in (client.api, client.content, client.messaging):
        product.base_url = twilio.url
    yield client
    await http.close()


async def post(twilio: TwilioSimulator, **fields: str) -> Any:
    """A bare request to Messages.json; its document."""
    url = f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    async with aiohttp.ClientSession(headers=SIGNED) as session, session.post(url, data=fields) as response:
        return await response.json()


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


# --- twilio's own library


@ITS_OWN
async def test_the_library_sends_lists_and_finds(library: Client, twilio: TwilioSimulator) -> None:
    sent = [
        await library.messages.create_async(to=f"+{PHONE}", from_=SENDER, body="The sale is on €" * count)
        for count in (1, 20)
    ]
    assert [(each.status, each.num_segments, each.direction) for each in sent] == [
        ("queued", "1", "outbound-api"), ("queued", "3", "outbound-api"),
    ]  # fmt: skip
    await twilio.hooks.settled()
    found = await library.messages.list_async(to=f"+{PHONE}", date_sent=sent[0].date_created.date(), page_size=1)
    assert [each.sid for each in found] == [each.sid for each in reversed(sent)]
    assert await library.messages.list_async(to="+447700900999") == []
    fetched = await library.messages(sent[0].sid).fetch_async()
    assert (fetched.status, fetched.date_created) == ("delivered", sent[0].date_created)


@ITS_OWN
async def test_the_library_schedules_and_cancels(library: Client, twilio: TwilioSimulator) -> None:
    later = await library.messages.create_async(
        to=f"+{PHONE}", messaging_service_sid=SERVICE, body="Later", schedule_type="fixed",
        send_at="2099-01-01T00:00:00Z",
    )  # fmt: skip
    assert later.status == "scheduled"
    canceled = await library.messages(later.sid).update_async(status="canceled")
    assert canceled.status == "canceled"
    now = await library.messages.create_async(to=f"+{PHONE}", from_=SENDER, body="Now")
    with pytest.raises(TwilioRestException):
        await library.messages(now.sid).update_async(status="canceled")


@ITS_OWN
async def test_the_library_reads_accounts_numbers_services_senders_and_contents(
    library: Client, twilio: TwilioSimulator
) -> None:
    sid = twilio.contents.add("spring_sale", CONTENT, variables=SAMPLES)
    account = await library.api.v2010.accounts(ACCOUNT).fetch_async()
    (number,) = await library.incoming_phone_numbers.list_async(phone_number=SENDER)
    service = await library.messaging.v1.services(SERVICE).fetch_async()
    (sender,) = await library.messaging.v2.channels_senders.list_async(channel="whatsapp")
    (content,) = await library.content.v1.content_and_approvals.list_async()
    fetched = await library.content.v1.contents(sid).fetch_async()
    approval = await library.content.v1.contents(sid).approval_fetch().fetch_async()
    assert (account.status, number.phone_number, service.sid) == ("active", SENDER, SERVICE)
    assert (sender.sender_id, sender.status) == (f"whatsapp:{SENDER}", "ONLINE")
    assert (content.sid, content.approval_requests["status"], fetched.types) == (sid, "approved", CONTENT)
    assert approval.whatsapp["name"] == "spring_sale"


@ITS_OWN
async def test_the_library_is_refused_with_the_code(library: Client, twilio: TwilioSimulator) -> None:
    wrong = Client(ACCOUNT, "another", http_client=library.http_client)
    wrong.api.base_url = twilio.url
    with pytest.raises(TwilioRestException) as raised:
        await wrong.messages.create_async(to=f"+{PHONE}", from_=SENDER, body="Hello")
    assert (raised.value.status, raised.value.code) == (401, 20003)


GOOD = {"To": f"+{PHONE}", "From": SENDER, "Body": "Hello"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": ""}, 21604), ({"To": "Ann"}, 21211), ({"To": PHONE}, 21211), ({"From": ""}, 21603),
        ({"From": "+15550009999"}, 21606), ({"From": "", "MessagingServiceSid": "MG9"}, 21705), ({"Body": ""}, 21602),
        ({"To": f"whatsapp:+{PHONE}"}, 21910), ({"From": f"whatsapp:{SENDER}"}, 21910), ({"Body": "a" * 1601}, 21617),
        ({"ContentSid": "HX9"}, 21655), ({"MediaUrl": "sale.jpg"}, 21620), ({"StatusCallback": "/hooks"}, 21609),
        ({"StatusCallback": "https://my_shop.test/hooks"}, 21609), ({"ValidityPeriod": "0"}, 21624),
        ({"ValidityPeriod": "36001"}, 21624), ({"ScheduleType": "fixed", "SendAt": "soon"}, 35111),
    ],
    ids=str,
)  # fmt: skip
async def test_a_wrong_request_is_refused_in_twilios_words(
    changes: dict[str, str], code: int, twilio: TwilioSimulator
) -> None:
    answer = await post(twilio, **{name: value for name, value in (GOOD | changes).items() if value})
    assert (answer["code"], answer["status"]) == (code, 400)
    assert answer["more_info"].endswith(str(code))


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ('{"1":"Ann","2":"30%"}', "Hi Ann, 30% off?"), ('{"1":"Ann"}', "Hi Ann, 5% off?"), (None, "Hi Sample, 5% off?"),
        ("{", 21656), ("[]", 21656), ('{"1":""}', 21656), ('{"1":null}', 21656), ('{"1":"a\\nb"}', 21656),
        ('{"1":"a     b"}', 21656),
    ],
)  # fmt: skip
async def test_a_content_is_filled_and_a_value_left_out_is_the_samples(
    variables: str | None, shown: str | int, twilio: TwilioSimulator
) -> None:
    sid = twilio.contents.add("spring_sale", CONTENT, variables=SAMPLES)
    fields = {"To": f"whatsapp:+{PHONE}", "From": f"whatsapp:{SENDER}", "ContentSid": sid}
    answer = await post(twilio, **fields, **({} if variables is None else {"ContentVariables": variables}))
    assert answer.get("code", answer.get("body")) == shown


async def test_what_is_not_there_is_not_found(twilio: TwilioSimulator) -> None:
    async with aiohttp.ClientSession(headers=SIGNED) as session:
        for path in (
            "/", "/2010-04-01/Accounts/AC9.json", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json", "/v1/Services/MG9",
            f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM9.json", "/v1/Content/HX9", "/v2/Channels/Senders/XE9",
        ):  # fmt: skip
            async with session.get(twilio.url + path) as response:
                assert (response.status, (await response.json())["code"]) == (404, 20404)


async def test_a_content_may_be_made_and_asked_for(twilio: TwilioSimulator) -> None:
    async with aiohttp.ClientSession(twilio.url, headers=SIGNED) as session:
        made = {"friendly_name": "autumn", "language": "uk", "variables": SAMPLES, "types": CONTENT}
        async with session.post("/v1/Content", json=made) as response:
            content = await response.json()
        asked = SimpleNamespace(path=f"/v1/Content/{content['sid']}/ApprovalRequests")
        async with session.post(f"{asked.path}/whatsapp", json={"name": "autumn", "category": "UTILITY"}) as response:
            assert (await response.json())["status"] == "received"
        async with session.get(asked.path) as response:
            assert (await response.json())["whatsapp"]["category"] == "UTILITY"
        async with session.post("/v1/Content", json={"types": "?"}) as response:
            assert response.status == 400
