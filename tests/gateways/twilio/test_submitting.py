"""A template that is written here becomes a Content of Twilio's and goes to be approved."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gateways.base import GatewayError, NewButton, Rejected, SubmitsTemplates, Submitted, Unavailable
from gateways.simulator.twilio.server import TwilioSimulator
from gateways.twilio.gateway import TwilioGateway
from tests.gateways.new_templates import CALL, OPEN, STOP, new_template
from tests.gateways.stub import AnyStub, Got, Reply, said
from tests.gateways.twilio.conftest import ACCOUNT, PROOF, SENDER, TOKEN, Make
from tests.gateways.twilio.test_errors import refused

HEADERS = {"Authorization": PROOF}
LISTS = Got("/v1/ContentAndApprovals", None, "GET", {"PageSize": "100"}, HEADERS)
BODY = "Hi {{1}}, *{{2}}* off!"
SID = "HX0123456789abcdef0123456789abcdef"
ASKED = said({"name": "spring_sale", "category": "MARKETING", "status": "received", "rejection_reason": ""}, 201)
REPLY = {"type": "QUICK_REPLY", "title": "Stop promotions", "id": "Stop promotions"}
LINK = {"type": "URL", "title": "Open", "url": "https://acme.test/s/{{3}}"}
PHONE = {"type": "PHONE_NUMBER", "title": "Call us", "phone": "+447700900123"}


def contents(*entries: Any) -> Reply:
    return said({"contents": list(entries), "meta": {"next_page_url": None}})


def made(types: Any, **more: Any) -> Got:
    """platforms/twilio.md section 2."""
    common = {"friendly_name": "spring_sale", "language": "en", "variables": {"1": "Ann", "2": "30%"}}
    return Got("/v1/Content", common | {"types": types} | more, headers=HEADERS)


ASKS = Got(
    f"/v1/Content/{SID}/ApprovalRequests/whatsapp", {"name": "spring_sale", "category": "MARKETING"}, headers=HEADERS
)


@pytest.mark.parametrize(
    ("buttons", "lines", "types"),
    [
        ((), {}, {"twilio/text": {"body": BODY}}),
        ((STOP,), {}, {"twilio/quick-reply": {"body": BODY, "actions": [REPLY]}}),
        ((CALL,), {}, {"twilio/call-to-action": {"body": BODY, "actions": [PHONE]}}),
        ((STOP, CALL), {}, {"whatsapp/card": {"body": BODY, "actions": [REPLY, PHONE]}}),
        ((), {"header": "Sale", "footer": "Acme"},
         {"whatsapp/card": {"body": BODY, "header_text": "Sale", "footer": "Acme"}}),
        ((), {"picture": "https://acme.test/a.jpg"},
         {"twilio/media": {"body": BODY, "media": ["https://acme.test/a.jpg"]}}),
        ((STOP,), {"picture": "https://acme.test/a.jpg"},
         {"whatsapp/card": {"body": BODY, "media": ["https://acme.test/a.jpg"], "actions": [REPLY]}}),
    ],
)  # fmt: skip
async def test_each_shape_is_a_content_of_its_type(
    buttons: tuple[NewButton, ...], lines: dict[str, str], types: Any, whatsapp: TwilioGateway, stub: AnyStub
) -> None:
    assert isinstance(whatsapp, SubmitsTemplates)
    stub.replies = [contents(), said({"sid": SID}, 201), ASKED]
    taken = await whatsapp.submit_template(new_template(*buttons, **lines))
    assert taken == Submitted(SID, "pending", "marketing")
    assert stub.sent == [LISTS, made(types), ASKS]


async def test_the_end_of_a_link_is_numbered_after_the_text(whatsapp: TwilioGateway, stub: AnyStub) -> None:
    stub.replies = [contents(), said({"sid": SID}, 201), ASKED]
    await whatsapp.submit_template(new_template(OPEN))
    values = {"1": "Ann", "2": "30%", "3": "spring"}
    types = {"twilio/call-to-action": {"body": BODY, "actions": [LINK]}}
    assert stub.sent[1] == made(types, variables=values)


async def test_what_a_lost_answer_left_behind_is_used_and_one_that_was_submitted_is_not(
    whatsapp: TwilioGateway, stub: AnyStub
) -> None:
    left = {"sid": SID, "friendly_name": "spring_sale", "language": "en", "types": {"twilio/text": {"body": BODY}}}
    other = {**left, "sid": "HX9", "types": {"twilio/text": {"body": "Another text"}}}
    stub.replies = [contents(left, other), ASKED]
    await whatsapp.submit_template(new_template())
    assert stub.sent == [LISTS, ASKS]
    stub.replies = [contents({**left, "approval_requests": {"name": "spring_sale", "status": "rejected"}})]
    with pytest.raises(Rejected, match="there is a template of that name in that language already"):
        await whatsapp.submit_template(new_template())


@pytest.mark.parametrize(
    ("reply", "error"),
    [(refused(20001), Rejected), (refused(20500, status=500), Unavailable), (said({}, 201), Rejected)],
)
async def test_a_refusal_is_an_error_of_ours(
    reply: Reply, error: type[GatewayError], whatsapp: TwilioGateway, stub: AnyStub
) -> None:
    stub.replies = [contents(), reply]
    with pytest.raises(error):
        await whatsapp.submit_template(new_template())


async def test_an_sms_channel_takes_none(sms: TwilioGateway) -> None:
    with pytest.raises(Rejected):
        await sms.submit_template(new_template())


# --- the simulator


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioSimulator]:
    simulator = TwilioSimulator()
    simulator.add_account(f"whatsapp:{SENDER}", details={"account_sid": ACCOUNT, "auth_token": TOKEN})
    await simulator.start()
    yield simulator
    await simulator.stop()


async def test_a_submitted_template_waits_and_is_approved_or_rejected(make: Make, twilio: TwilioSimulator) -> None:
    gateway = make("whatsapp", api_base=twilio.url)
    await gateway.open()
    taken = await gateway.submit_template(new_template(OPEN, STOP, footer="Acme"))
    (known,) = await gateway.templates()
    assert (known.status, known.external_id, known.parameters) == ("pending", taken.external_id, ("1", "2", "3"))
    twilio.judge_template("spring_sale", "rejected", "Promotional content")
    (known,) = await gateway.templates()
    assert (known.status, known.reason) == ("rejected", "Promotional content")
    twilio.judge_template("spring_sale", "approved")
    (known,) = await gateway.templates()
    assert (known.status, known.buttons) == ("approved", ("reply", "url"))
    with pytest.raises(Rejected, match="already"):
        await gateway.submit_template(new_template())


@pytest.mark.parametrize(
    "changes",
    [{"body": "Hi {{1}}"}, {"body": "Hi {{1}} {{2}}!"}, {"examples": ()}, {"name": "Spring"}, {"category": "news"},
     {"buttons": (OPEN, OPEN, OPEN)}, {"header": "Sale", "picture": "https://acme.test/a.jpg"}],
)  # fmt: skip
async def test_the_simulator_refuses_as_twilio_does(
    changes: dict[str, Any], make: Make, twilio: TwilioSimulator
) -> None:
    gateway = make("whatsapp", api_base=twilio.url)
    await gateway.open()
    with pytest.raises(Rejected):
        await gateway.submit_template(replace(new_template(), **changes))
