"""A template that is written here goes to Meta to be approved; the requests as Meta's pages print them."""

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from gateways.base import (
    ChannelBroken,
    GatewayError,
    OutcomeUnknown,
    Rejected,
    SubmitsTemplates,
    Submitted,
    TemplateChanged,
)
from gateways.whatsapp.account import TEMPLATE_FIELDS
from gateways.whatsapp.gateway import WhatsAppGateway
from tests.gateways.cases import Logs
from tests.gateways.new_templates import CALL, OPEN, STOP, new_template
from tests.gateways.pictures import JPEG
from tests.gateways.stub import AnyStub, Got, Reply, said
from tests.gateways.whatsapp.conftest import SECRETS, TOKEN, WABA, got, refused
from tests.gateways.whatsapp.world import World, world

LOOKS = got(
    f"{WABA}/message_templates", None, method="GET",
    query={"fields": TEMPLATE_FIELDS, "name": "spring_sale", "limit": "100"},
)  # fmt: skip
NOTHING = said({"data": []})
TAKEN = said({"id": "1689556908129832", "status": "PENDING", "category": "MARKETING"})
BODY = {"type": "BODY", "text": "Hi {{1}}, *{{2}}* off!", "example": {"body_text": [["Ann", "30%"]]}}


def submits(*components: Any) -> Got:
    """…/whatsapp/templates; platforms/whatsapp.md section 2."""
    common = {"name": "spring_sale", "language": "en", "category": "MARKETING", "parameter_format": "positional"}
    return got(f"{WABA}/message_templates", common | {"components": list(components)})


async def test_a_template_is_submitted_with_its_examples_and_buttons(
    gateway: WhatsAppGateway, stub: AnyStub, logs: Logs
) -> None:
    assert isinstance(gateway, SubmitsTemplates)
    stub.replies = [NOTHING, TAKEN]
    taken = await gateway.submit_template(new_template(OPEN, CALL, STOP, header="Sale", footer="Acme"))
    assert taken == Submitted("1689556908129832", "pending", "marketing")
    buttons = [
        {"type": "QUICK_REPLY", "text": "Stop promotions"},
        {"type": "URL", "text": "Open", "url": "https://acme.test/s/{{1}}", "example": ["https://acme.test/s/spring"]},
        {"type": "PHONE_NUMBER", "text": "Call us", "phone_number": "+447700900123"},
    ]
    header = {"type": "HEADER", "format": "TEXT", "text": "Sale"}
    footer = {"type": "FOOTER", "text": "Acme"}
    assert stub.sent == [LOOKS, submits(header, BODY, footer, {"type": "BUTTONS", "buttons": buttons})]
    logs.require_none_of([*SECRETS, "off!"])


async def test_a_picture_is_brought_as_a_sample_first(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    session = said({"id": "upload:MTphdHRhY2htZW50?sig=ARZqkGCA"})
    stub.replies = [NOTHING, session, said({"h": "4::aW1hZ2U"}), TAKEN]
    await gateway.submit_template(new_template(picture="media:sale.jpg"))
    opens = got("app/uploads", {"file_name": "sale.jpg", "file_length": len(JPEG), "file_type": "image/jpeg"})
    brings = stub.sent[2]
    assert (brings.path, brings.query, brings.raw) == ("/v26.0/upload:MTphdHRhY2htZW50", {"sig": "ARZqkGCA"}, JPEG)
    assert brings.headers == {"Authorization": f"OAuth {TOKEN}"}
    header = {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW1hZ2U"]}}
    assert [stub.sent[1], stub.sent[3]] == [opens, submits(header, BODY)]


async def test_one_of_that_name_and_language_is_never_made_twice(gateway: WhatsAppGateway, stub: AnyStub) -> None:
    known = {"name": "spring_sale", "language": "en", "status": "PENDING", "category": "MARKETING", "components": []}
    stub.replies = [said({"data": [known]})]
    with pytest.raises(Rejected, match="there is a template of that name in that language already"):
        await gateway.submit_template(new_template())
    assert stub.sent == [LOOKS]


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (refused(100, status=400, error_subcode=2388299, error_user_msg="Variables can't be at the end."),
         Rejected, "Variables can't be at the end."),
        (refused(200, "Permissions error", 403), ChannelBroken, "Meta refuses the token"),
        (Reply(hang_up=True), OutcomeUnknown, "answer|connection|lost|drop"),
        (said({"error": {"code": 131000, "message": "Something went wrong"}}, 500), OutcomeUnknown, "Something"),
    ],
)  # fmt: skip
async def test_a_refusal_is_told_in_metas_words(
    reply: Reply, error: type[GatewayError], words: str, gateway: WhatsAppGateway, stub: AnyStub
) -> None:
    stub.replies = [NOTHING, reply]
    with pytest.raises(error, match=words):
        await gateway.submit_template(new_template())


# --- the simulator


async def listed(here: World) -> list[tuple[str, str, str]]:
    return [(one.name, one.status, one.reason) for one in await here.gateway.templates()]


async def test_a_submitted_template_waits_and_is_approved_or_rejected() -> None:
    async with world(call_s=2.0) as here:
        taken = await here.gateway.submit_template(new_template(OPEN, STOP, picture="media:sale.jpg"))
        assert (taken.status, taken.category) == ("pending", "marketing")
        (known,) = await here.gateway.templates()
        assert (known.status, known.external_id, known.header) == ("pending", taken.external_id, "image")
        assert (known.body, known.buttons) == ("Hi {{1}}, *{{2}}* off!", ("quick_reply", "url_parameter"))
        here.platform.judge_template("spring_sale", "rejected", "PROMOTIONAL")
        await here.settled()
        assert here.ear.news == [TemplateChanged("spring_sale", "en", "rejected")]
        assert await listed(here) == [("spring_sale", "rejected", "PROMOTIONAL")]
        async with aiohttp.ClientSession() as session:
            judged = {"name": "spring_sale", "status": "approved"}
            async with session.post(f"{here.platform.url}/_sim/template", json=judged) as response:
                assert response.status == 200
        assert await listed(here) == [("spring_sale", "approved", "")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"body": "Hi {{1}}"}, "can't be at the start or end"),
        ({"body": "Hi {{1}} {{2}}!"}, "too many variable parameters"),
        ({"examples": ()}, "needs a sample for each"),
        ({"name": "Spring"}, "lowercase letters"),
        ({"category": "news"}, "category must be one of"),
        ({"footer": "x" * 61}, "The footer"),
        ({"header": "x" * 61}, "1 to 60 characters"),
        ({"buttons": (STOP, OPEN, STOP)}, "have to be grouped"),
        ({"buttons": (OPEN, OPEN, OPEN)}, "Too many buttons"),
    ],
)
async def test_the_simulator_refuses_as_meta_does(changes: dict[str, Any], words: str) -> None:
    made = replace(new_template(), **changes)
    async with world(call_s=2.0) as here:
        with pytest.raises(Rejected, match=words):
            await here.gateway.submit_template(made)
        assert await listed(here) == []
