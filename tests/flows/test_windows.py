"""Windows and templates: what goes to whom when the platform takes no free message, and what stops a mailing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateways.simulator.whatsapp.server import WABA, WhatsAppSimulator
from storage.records import Actor, Role
from tests.flows.carillon import until
from tests.flows.five import TEMPLATE, Five, address_of, five

pytestmark = pytest.mark.timeout(240)
STORAGE = "sqlite:///data/carillon.db"
KINDS = ("facebook", "whatsapp")
OLHA = Actor("Olha", Role.OWNER)
NEVER_WROTE, WROTE, CLOSED_SINCE = 1, 2, 3
UTILITY = """
[message.only.facebook]
template = { name = "sale_utility", language = "en", parameters = ["{{ client.first_name }}"] }
"""


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path, STORAGE, kinds=KINDS, rate=50.0) as one:
        one.accounts["whatsapp"].details["opened"] = False
        template = {
            "id": "1",
            "name": "sale_utility",
            "language": "en",
            "status": "APPROVED",
            "category": "UTILITY",
            "components": [{"type": "BODY", "text": "Hello {{1}}, your sale is on."}],
        }
        one.accounts["facebook"].details["templates"] = [template]
        yield one


def texts(made: Five, kind: str, number: int) -> list[str]:
    return [message.text.text for message in made.phone(kind, number).messages]


async def test_a_closed_window_is_skipped_or_takes_the_template_and_a_refused_one_is_told(made: Five) -> None:
    made.expect_receipts(sent=0.0, delivered=0.1)
    await made.import_clients(3, KINDS)
    await made.running.start(only="web,engine")
    for kind in KINDS:
        for number in (WROTE, CLOSED_SINCE):
            made.platforms[kind].says(made.phone(kind, number), "When is the sale?")
        await made.platforms[kind].hooks.settled()
    # What we don't know: the platforms have closed these two since.
    made.phone("facebook", CLOSED_SINCE).state = "never_wrote"
    made.phone("whatsapp", CLOSED_SINCE).last_wrote_at = 0.0
    free = await made.running.create("Free words")
    figures = await made.running.until_status(free, "sent")
    await made.platforms["whatsapp"].hooks.settled()
    figures = await made.running.figures(free)
    assert figures["skips"] == {"outside_window": 2}
    assert figures["failures"] == {"outside_window": 2}
    assert (figures["sent"], figures["skipped"], figures["failed"]) == (2, 2, 2)
    for kind in KINDS:
        assert texts(made, kind, NEVER_WROTE) == []
        assert len(texts(made, kind, WROTE)) == 1
        called = [call.client for call in made.platforms[kind].requests(name="messages")]
        assert sorted(called) == [address_of(kind, WROTE), address_of(kind, CLOSED_SINCE)], kind
    # With a template it goes where the window is closed, and where the platform says so in its answer.
    both = await made.running.create("With templates", more=TEMPLATE + UTILITY)
    await made.running.until_status(both, "sent")
    await made.platforms["whatsapp"].hooks.settled()
    figures = await made.running.figures(both)
    assert (figures["by_channel"]["facebook"]["sent"], figures["skipped"]) == (3, 0)
    assert texts(made, "facebook", NEVER_WROTE) == ["Hello Name0x1, your sale is on."]
    assert texts(made, "facebook", CLOSED_SINCE) == ["Hello Name0x3, your sale is on."]
    assert texts(made, "facebook", WROTE)[1:] == ["Hi Name0x2!"]
    assert texts(made, "whatsapp", NEVER_WROTE) == ["Hello Name1x1, the sale is on."]
    assert texts(made, "whatsapp", WROTE)[1:] == ["Hi Name1x2!"]
    # WhatsApp refuses later, by a receipt: that is a failure with its reason, never a second send.
    assert figures["failures"] == {"outside_window": 1}
    assert texts(made, "whatsapp", CLOSED_SINCE) == []


async def test_a_template_that_does_not_fit_stops_before_the_start_or_on_the_way(made: Five) -> None:
    whatsapp = made.platforms["whatsapp"]
    assert isinstance(whatsapp, WhatsAppSimulator)
    await made.import_clients(200, ("whatsapp",))
    await made.running.start(only="web,engine")
    await until(lambda: knows_templates(made), 10, "the templates to be read")
    wrong = TEMPLATE.replace('"]', '", "and one more"]')
    draft = await made.running.create("Wrong", more=wrong, launch=False)
    said = await made.running.cli("mailing", "launch", str(draft), code=1)
    assert "hello" in said
    assert (await made.running.figures(draft))["status"] == "draft"
    # Changed on the way: each of three in a row is refused for the same reason, and the mailing stops with it.
    mailing = await made.running.create("Right", more=TEMPLATE)
    await made.running.until_sent(mailing, 20)
    [template] = whatsapp.templates.of(WABA)
    before = template["components"]
    template["components"] = [{"type": "BODY", "text": "Hello {{1}} of {{2}}."}]
    figures = await made.running.until_status(mailing, "interrupted", "sent")
    assert figures["status"] == "interrupted"
    assert "params" in figures["reason"]
    refused = figures["failed"]
    assert 3 <= refused <= 3 + 50
    template["components"] = before
    # Paused by Meta, which says so: that stops it before three clients are refused, as slowly as it goes.
    await made.running.cli("mailing", "resume", str(mailing))
    await made.running.until_sent(mailing, int(figures["sent"]) + 10)
    operations = made.running.desk.operations
    await operations.set_speed(mailing, 1.0, OLHA)
    await asyncio.sleep(0.6)
    whatsapp.change_template(WABA, "hello", "PAUSED")
    figures = await made.running.until_status(mailing, "interrupted", "sent")
    assert figures["reason"] == "whatsapp: the template “hello” is paused"
    whatsapp.change_template(WABA, "hello", "REINSTATED")
    await whatsapp.hooks.settled()
    await operations.set_speed(mailing, 50.0, OLHA)
    await made.running.cli("mailing", "resume", str(mailing))
    figures = await made.running.until_status(mailing, "sent", "interrupted")
    assert (figures["status"], figures["sent"] + figures["failed"]) == ("sent", 200)
    assert max(made.accepted("whatsapp").values()) == 1
    assert len(made.accepted("whatsapp")) == figures["sent"]


async def knows_templates(made: Five) -> bool:
    return bool(await made.running.desk.store.templates.of_channel("whatsapp"))
