"""pywa, the best-known library, as the other side: it sends to our simulator what our gateway sends, and reads what our
simulator posts as it reads Meta's."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from pywa.client import WhatsApp
from pywa.errors import ReEngagementMessage, WhatsAppError
from pywa.types import templates as t
from pywa.types.callback import (
    Button,
    CallbackButton,
    CallbackSelection,
    Section,
    SectionList,
    SectionRow,
    URLButton,
)
from pywa.types.message import Message
from pywa.types.message_status import MessageStatus, MessageStatusType
from pywa.types.system import PhoneNumberChange
from pywa.types.templates import TemplateStatusUpdate
from pywa.types.user_preferences import UserMarketingPreferences
from pywa.utils import webhook_updates_validator

from gateways.base import Outgoing, PartKind
from gateways.message import Link, Reply
from gateways.simulator.meta import APP_SECRET
from gateways.simulator.whatsapp.server import WABA
from gateways.whatsapp.errors import failure_of
from tests.gateways.outgoing import out
from tests.gateways.whatsapp.world import ANN, NUMBER, TOKEN, World, world

TRACKER = "7.1.0"


@pytest.fixture
async def here() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest.fixture
def other(here: World) -> Iterator[WhatsApp]:
    with httpx.Client() as session:
        client = WhatsApp(phone_id=NUMBER, token=TOKEN, session=session, waba_id=WABA)
        session.base_url = f"{here.platform.url}/v26.0"
        yield client


LIST = SectionList("≡", [Section("", [SectionRow(name, f"c{name}") for name in "abcd"])])
TEMPLATE = {"name": "spring_sale", "language": "en", "parameters": ["Ann", "30%"],
            "buttons": ["abc?m=7", {"message": "Stop"}]}  # fmt: skip
PARAMS = [
    t.BodyText("Hi {{1}}, {{2}} off!", "Eve", "5%").params("Ann", "30%"),  # type: ignore[arg-type]
    t.URLButton.params(url_variable="abc?m=7", index=0),
    t.QuickReplyButton.params(callback_data="c7.0", index=1),
]
PAIRS: list[tuple[str, Outgoing, Callable[[WhatsApp], object]]] = [
    ("text", out(PartKind.TEXT, "<b>Hello</b> Ann"),
     lambda wa: wa.send_message(f"+{ANN}", "*Hello* Ann", tracker=TRACKER)),
    ("text with a link", out(PartKind.TEXT, "See https://acme.test"),
     lambda wa: wa.send_message(f"+{ANN}", "See https://acme.test", preview_url=True, tracker=TRACKER)),
    ("reply buttons", out(PartKind.TEXT, "?", buttons=[[Reply("y", "Yes")], [Reply("n", "No")]], data=["a", "b"]),
     lambda wa: wa.send_message(f"+{ANN}", "?", buttons=[Button("Yes", "a"), Button("No", "b")], tracker=TRACKER)),
    ("list", out(PartKind.TEXT, "?", buttons=[[Reply(n, n)] for n in "abcd"], data=[f"c{n}" for n in "abcd"]),
     lambda wa: wa.send_message(f"+{ANN}", "?", buttons=LIST, tracker=TRACKER)),
    ("link", out(PartKind.TEXT, "?", buttons=[[Link("https://acme.test/l/abc", "Open")]], data=[""]),
     lambda wa: wa.send_message(f"+{ANN}", "?", buttons=URLButton("Open", "https://acme.test/l/abc"), tracker=TRACKER)),
    ("location", out(PartKind.LOCATION, latitude=51.5, longitude=-0.1),
     lambda wa: wa.send_location(f"+{ANN}", 51.5, -0.1, tracker=TRACKER)),
    ("template", out(PartKind.TEMPLATE, "", extra={"template": TEMPLATE}, data=["c7.0"]),
     lambda wa: wa.send_template(f"+{ANN}", "spring_sale", t.TemplateLanguage.ENGLISH, PARAMS, tracker=TRACKER)),
]  # fmt: skip


@pytest.mark.parametrize(("part", "sends"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
async def test_both_send_the_same(
    here: World, other: WhatsApp, part: Outgoing, sends: Callable[[WhatsApp], object]
) -> None:
    add_sale(here)
    await here.take(part, reference=TRACKER)
    sent = await asyncio.to_thread(sends, other)
    assert getattr(sent, "id", "").startswith("wamid.")
    ours, theirs = (_plain(call.json) for call in here.platform.requests(name="messages"))
    assert ours == theirs
    first, second = here.ann.messages
    assert (first.text, first.rows) == (second.text, second.rows)


def _plain(values: Any) -> Any:
    """Without what is the default, with numbers as text and kinds in small letters: Meta takes both, and its own
    examples print either way."""
    if isinstance(values, dict):
        given = {name: _plain(value) for name, value in values.items()}
        given |= {name: given[name].lower() for name in ("type", "sub_type") if isinstance(given.get(name), str)}
        return {name: value for name, value in given.items() if value not in ("False", "None", [], {}, "", None)}
    return [_plain(value) for value in values] if isinstance(values, list) else str(values)


def add_sale(here: World) -> None:
    buttons = [
        {"type": "URL", "text": "Open", "url": "https://acme.test/{{1}}"},
        {"type": "QUICK_REPLY", "text": "Stop"},
    ]
    here.platform.templates.add(
        WABA, "spring_sale", body="Hi {{1}}, {{2}} off!", components=[{"type": "BUTTONS", "buttons": buttons}]
    )


async def test_pywa_reads_every_event_that_our_simulator_posts(here: World, other: WhatsApp) -> None:
    here.account.receipts = {"sent": 0.0, "delivered": 0.01, "read": 0.02}
    replies = out(PartKind.TEXT, "?", buttons=[[Reply("y", "Yes")]], data=["c7.0"])
    rows = out(PartKind.TEXT, "?", buttons=[[Reply(n, n)] for n in "abcd"], data=[f"c7.{n}" for n in "abcd"])
    add_sale(here)
    template = out(PartKind.TEMPLATE, "", extra={"template": TEMPLATE}, data=["c7.9"])
    for part, number in ((replies, 0), (rows, 2), (template, 1)):
        await here.take(part, reference=TRACKER)
        here.platform.presses(here.ann, here.ann.last.id, number)
    here.platform.says(here.ann, "Привет / hello")
    await here.settled()
    here.platform.changes(here.ann, "stopped")
    here.platform.change_template(WABA, "spring_sale", "PAUSED")
    await here.settled()
    here.platform.moves(here.ann, "447700900456")
    await here.settled()
    read = [_read(other, json.loads(request.body)) for request in here.ear.requests]
    assert all(
        webhook_updates_validator(APP_SECRET, request.body, request.headers["x-hub-signature-256"])
        for request in here.ear.requests
    )
    statuses = [each for each in read if isinstance(each, MessageStatus)]
    assert {each.status for each in statuses} == {
        MessageStatusType.SENT, MessageStatusType.DELIVERED, MessageStatusType.READ,
    }  # fmt: skip
    assert {each.tracker for each in statuses} == {TRACKER}
    assert {each.from_user.wa_id for each in statuses} == {ANN}
    assert {str(each.pricing.category) for each in statuses if each.pricing} == {"service", "marketing"}
    pressed = [each for each in read if isinstance(each, CallbackButton | CallbackSelection)]
    assert sorted(str(each.data) for each in pressed) == ["c7.0", "c7.9", "c7.c"]
    (said,) = (each for each in read if isinstance(each, Message))
    assert (said.text, said.from_user.name) == ("Привет / hello", "Ann Lee")
    (wish,) = (each for each in read if isinstance(each, UserMarketingPreferences))
    assert str(wish.value) == "stop"
    (changed,) = (each for each in read if isinstance(each, TemplateStatusUpdate))
    assert (changed.template_name, str(changed.new_status)) == ("spring_sale", "PAUSED")
    (moved,) = (each for each in read if isinstance(each, PhoneNumberChange))
    assert (moved.old_wa_id, moved.new_wa_id) == (ANN, "447700900456")


def _read(other: WhatsApp, body: Any) -> Any:
    """As pywa's server would dispatch it."""
    (change,) = body["entry"][0]["changes"]
    value = change["value"]
    if change["field"] == "user_preferences":
        return UserMarketingPreferences.from_update(other, body)
    if change["field"] == "message_template_status_update":
        return TemplateStatusUpdate.from_update(other, body)
    if "statuses" in value:
        return MessageStatus.from_update(other, body)
    message = value["messages"][0]
    if message["type"] == "system":
        return PhoneNumberChange.from_update(other, body)
    if message["type"] == "button":
        return CallbackButton.from_update(other, body)
    if message["type"] == "interactive":
        kind = CallbackButton if message["interactive"]["type"] == "button_reply" else CallbackSelection
        return kind.from_update(other, body)
    return Message.from_update(other, body)


async def test_pywa_and_we_read_a_refusal_alike(here: World, other: WhatsApp) -> None:
    here.platform.faults.add("refuse", method="messages", code=131047, words="(#131047) Re-engagement message")
    with pytest.raises(ReEngagementMessage):
        await asyncio.to_thread(other.send_message, ANN, "Hi")
    assert failure_of([{"code": 131047}]).reason == "outside_window"
    with pytest.raises(WhatsAppError) as raised:
        await asyncio.to_thread(other.send_message, ANN, "x" * 5000)
    assert raised.value.code == 131009


async def test_pywa_lists_our_simulators_templates_and_uploads_files(here: World, other: WhatsApp) -> None:
    add_sale(here)
    (listed,) = await asyncio.to_thread(lambda: list(other.get_templates()))
    (read,) = await here.gateway.templates()
    assert (listed.name, listed.id, str(listed.status).lower()) == (read.name, read.external_id, read.status)
    assert [type(part).__name__ for part in listed.components] == ["BodyText", "Buttons"]
    uploaded = await asyncio.to_thread(other.upload_media, b"%PDF-1.7", mime_type="application/pdf", filename="p.pdf")
    assert here.platform.media.find(NUMBER, str(getattr(uploaded, "id", uploaded))) is not None
