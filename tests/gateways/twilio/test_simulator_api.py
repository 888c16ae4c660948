"""What twilio's own library, and a bare client, say to the simulated Twilio."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from gateways.simulator.twilio.server import TwilioSimulator
from tests.gateways.twilio.conftest import ACCOUNT, CONTENT, PHONE, SAMPLES, SENDER, SERVICE, SIGNED, TOKEN, post

# The library itself calls what aiohttp is about to drop.
ITS_OWN = pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed:DeprecationWarning")


@pytest.fixture
async def library(twilio: TwilioSimulator) -> AsyncIterator[Client]:
    http = AsyncTwilioHttpClient(timeout=5)
    client = Client(ACCOUNT, TOKEN, http_client=http)
    for product in (client.api, client.content, client.messaging):
        product.base_url = twilio.url
    yield client
    await http.close()


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
