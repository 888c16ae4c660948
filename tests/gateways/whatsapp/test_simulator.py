"""The gateway against the simulated Cloud API, over real HTTP in both directions."""

import asyncio
import time
from typing import Any

import pytest

from gateways.base import (
    Accepted,
    AccountBroken,
    AddressStatus,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    Moved,
    OutcomeUnknown,
    Outgoing,
    PartKind,
    Pressed,
    ReceiptState,
    Rejected,
    Subscribed,
    TemplateChanged,
    Throttled,
    Unavailable,
    Unsubscribed,
    Wrote,
)
from gateways.markup import to_html
from gateways.message import Buy, Link, Reply
from gateways.simulator.platform import Window
from gateways.simulator.whatsapp.limits import PairLimit
from gateways.simulator.whatsapp.server import WABA
from gateways.templates import problems_of
from tests.gateways.outgoing import out
from tests.gateways.pictures import JPEG
from tests.gateways.whatsapp.world import ANN, NUMBER, World

RECEIPTS = {"sent": 0.0, "delivered": 0.01, "read": 0.02}
BUTTONS = [
    {"type": "URL", "text": "Open", "url": "https://acme.test/{{1}}"},
    {"type": "QUICK_REPLY", "text": "Stop promotions"},
]
SALE = {"name": "spring_sale", "language": "en", "parameters": ["Ann", "30%"]}


def text(html: str = "Hello", **more: Any) -> Outgoing:
    return out(PartKind.TEXT, html, **more)


def template(data: tuple[str, ...] = (), **changes: Any) -> Outgoing:
    return out(PartKind.TEMPLATE, "", extra={"template": SALE | changes}, data=data)


def add_sale(here: World, **terms: Any) -> None:
    here.platform.templates.add(WABA, "spring_sale", body="Hi {{1}}, {{2}} off!", **terms)


async def test_a_text_arrives_and_its_receipts_name_our_reference(here: World) -> None:
    here.account.receipts = RECEIPTS
    taken = await here.take(text("<b>Hello</b> Ann, <i>the</i> sale"), reference="812.1.0")
    await here.settled()
    assert to_html(here.ann.last.text) == "<b>Hello</b> Ann, <i>the</i> sale"
    assert here.ann.last.state == "read"
    assert {(each.external_id, each.reference, each.address) for each in here.ear.receipts} == {
        (taken.external_id, "812.1.0", ANN)
    }
    assert sorted(here.ear.states) == ["delivered", "read", "sent"]


@pytest.mark.parametrize(
    ("part", "media", "labels"),
    [
        (out(PartKind.PICTURE, "Sale", "media:sale.jpg"), ["picture"], []),
        (out(PartKind.FILE, "", "media:p.pdf", name="Prices.pdf"), ["file"], []),
        (out(PartKind.LOCATION, latitude=51.5, longitude=-0.12), ["location"], []),
        (text("?", buttons=[[Reply("y", "Yes")], [Buy("S", "Buy")]], data=["a", "b"]), [], ["Yes", "Buy"]),
        (text("?", buttons=[[Reply(n, n)] for n in "abcde"], data=list("abcde")), [], list("abcde")),
        (text("?", buttons=[[Link("https://a.test/x", "Open")]], data=[""]), [], ["Open"]),
        (out(PartKind.PICTURE, "Seat?", "media:sale.jpg", buttons=[[Reply("y", "Yes")]], data=["a"]),
         ["picture"], ["Yes"]),
    ],
)  # fmt: skip
async def test_every_part_arrives(here: World, part: Outgoing, media: list[str], labels: list[str]) -> None:
    await here.take(part)
    assert [each.kind for each in here.ann.last.media] == media
    assert [each.label for each in here.ann.last.buttons] == labels
    if media == ["picture"]:
        assert here.ann.last.media[0].content == JPEG


async def test_outside_the_window_a_text_is_taken_and_then_fails(here: World) -> None:
    here.ann.last_wrote_at = time.time() - 25 * 3600
    await here.take(text())
    await here.settled()
    (failed,) = here.ear.receipts
    assert (failed.state, failed.reason, failed.code) == (ReceiptState.FAILED, "outside_window", "131047")
    assert here.ann.messages == []


async def test_a_template_goes_where_the_window_is_closed_and_its_buttons_come_back(here: World) -> None:
    here.ann.last_wrote_at = 0.0
    here.account.receipts = RECEIPTS
    header = {"type": "HEADER", "format": "IMAGE"}
    add_sale(here, components=[header, {"type": "BUTTONS", "buttons": BUTTONS}])
    field = {"header": "media:sale.jpg", "buttons": ["abc?m=7", {"message": "Stop"}]}
    (known,) = await here.gateway.templates()
    assert problems_of(SALE | field, known) == []
    await here.take(template(("c7.0",), **field))
    assert here.ann.last.text.text == "Hi Ann, 30% off!"
    assert here.ann.last.media[0].content == JPEG
    assert [(each.label, each.value) for each in here.ann.last.buttons] == [
        ("Open", "https://acme.test/abc?m=7"),
        ("Stop promotions", "c7.0"),
    ]
    here.platform.presses(here.ann, here.ann.last.id, 1)
    await here.settled()
    assert [each.cost for each in here.ear.receipts if each.state is ReceiptState.DELIVERED] == ["whatsapp.marketing"]
    (pressed,) = here.ear.inbound
    assert isinstance(pressed, Pressed)
    assert (pressed.address, pressed.data, pressed.external_id) == (ANN, "c7.0", here.ann.messages[0].id)


async def test_a_quick_reply_without_data_of_ours_is_what_the_client_says(here: World) -> None:
    add_sale(here, components=[{"type": "BUTTONS", "buttons": BUTTONS}])
    await here.take(template(buttons=["abc"]))
    here.platform.presses(here.ann, here.ann.last.id, 1)
    await here.settled()
    (said,) = here.ear.inbound
    assert isinstance(said, Wrote)
    assert said.text == "Stop promotions"


@pytest.mark.parametrize(
    ("state", "reason", "becomes"),
    [
        ("no_whatsapp", "unreachable", None),
        ("blocked_by_us", "blocked", AddressStatus.BLOCKED),
        ("stopped", "unsubscribed", AddressStatus.UNSUBSCRIBED),
        ("capped", "capped", None),
        ("experiment", "capped", None),
    ],
)
async def test_a_client_who_gets_nothing_is_told_later(
    here: World, state: str, reason: str, becomes: AddressStatus | None
) -> None:
    add_sale(here)
    here.ann.state = state
    await here.take(template())
    await here.settled()
    (failed,) = here.ear.receipts
    assert (failed.state, failed.reason, failed.address_status) == (ReceiptState.FAILED, reason, becomes)
    assert here.ann.messages == []


async def test_a_block_is_not_announced_the_message_only_stays_sent(here: World) -> None:
    here.account.receipts = RECEIPTS
    here.platform.changes(here.ann, "blocked")
    await here.take(text())
    await here.settled()
    assert here.ear.states == ["sent"]
    assert here.ear.inbound == []


async def test_whatsapps_own_menu_stops_and_resumes(here: World) -> None:
    here.platform.changes(here.ann, "stopped")
    await here.settled()
    here.platform.changes(here.ann, "active")
    await here.settled()
    stopped, resumed = here.ear.inbound
    assert isinstance(stopped, Unsubscribed)
    assert stopped.status is AddressStatus.UNSUBSCRIBED
    assert isinstance(resumed, Subscribed)
    assert resumed.explicit
    assert not resumed.opens_window


@pytest.mark.parametrize(("drop", "states"), [(False, ["sent", "delivered", "read"]), (True, ["failed"])])
async def test_a_held_template_is_accepted_long_before_it_is_sent(here: World, drop: bool, states: list[str]) -> None:
    add_sale(here, held=True)
    here.account.receipts = RECEIPTS
    taken = await here.take(template())
    await here.settled()
    assert taken.details == {"status": "held_for_quality_assessment"}
    assert (here.ear.receipts, here.ann.messages) == ([], [])
    here.platform.release_held("spring_sale", drop=drop)
    await here.settled()
    assert sorted(here.ear.states) == sorted(states)
    assert [each.reason for each in here.ear.receipts if each.state is ReceiptState.FAILED] == (
        ["template_paused"] if drop else []
    )


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"name": "winter_sale"}, "APPROVED", "132001"),
        ({"language": "uk"}, "APPROVED", "132001"),
        ({"parameters": ["Ann"]}, "APPROVED", "132000"),
        ({"parameters": {"first_name": "Ann", "share": "30%"}}, "APPROVED", "132012"),
        ({}, "PENDING", "132001"),
        ({}, "PAUSED", "132015"),
        ({}, "DISABLED", "132016"),
    ],
)
async def test_a_template_that_does_not_fit_is_the_messages_fault(
    here: World, changes: Any, status: str, code: str
) -> None:
    add_sale(here, status=status)
    outcome = await here.send(template(**changes))
    assert isinstance(outcome, MessageRejected)
    assert outcome.code == code


@pytest.mark.parametrize("status", [400, 429])
async def test_more_than_the_number_may_send_is_throttled(here: World, status: int) -> None:
    here.platform.throttle_status = status
    here.account.limits["throughput"] = Window(3)
    outcomes = [await here.send(text(), f"44770090020{number}") for number in range(5)]
    assert [type(each).__name__ for each in outcomes] == ["Accepted"] * 3 + ["Throttled"] * 2
    assert all(not each.only_this for each in outcomes if isinstance(each, Throttled))


async def test_more_than_one_client_may_get_makes_that_client_wait(here: World) -> None:
    here.platform.pairs = PairLimit(burst=2)
    outcomes = [await here.send(text()) for _ in range(3)] + [await here.send(text(), "447700900456")]
    assert [type(each).__name__ for each in outcomes] == ["Accepted", "Accepted", "Throttled", "Accepted"]
    assert [each.only_this for each in outcomes if isinstance(each, Throttled)] == [True]


async def test_the_portfolios_limit_counts_clients_opened_by_templates(here: World) -> None:
    add_sale(here)
    here.account.details["tier"] = "TIER_250"
    here.account.limits["throughput"] = Window(1000)
    here.account.everyone = "active"
    assert (await here.gateway.check()).quota_left == 250
    for number in range(250):
        here.platform.portfolio.admit("TIER_250", str(number), time.time())
    await here.take(template())  # Ann's window is open
    await here.take(template(), "447700900456", "8.1.0")
    await here.settled()
    (failed,) = here.ear.receipts
    assert (failed.reference, failed.code) == ("8.1.0", "131048")
    assert any(isinstance(news, AccountBroken) for news in here.ear.news)


async def test_an_unknown_outcome_is_settled_by_the_receipts(here: World) -> None:
    here.account.receipts = RECEIPTS
    here.platform.faults.add("drop", method="messages")
    assert isinstance(await here.send(text(), reference="9.1.0"), OutcomeUnknown)
    await here.settled()
    assert {each.reference for each in here.ear.receipts} == {"9.1.0"}
    assert len(here.account.accepted.at) == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "throttle"}, Throttled),
        ({"kind": "error"}, Unavailable),
        ({"kind": "error", "accepted": True}, OutcomeUnknown),
        ({"kind": "bad_gateway"}, OutcomeUnknown),
        ({"kind": "silence"}, OutcomeUnknown),
        ({"kind": "close"}, OutcomeUnknown),
        ({"kind": "refuse", "code": 131042, "words": "no payment"}, ChannelBroken),
        ({"kind": "refuse", "code": 130497, "words": "not there"}, Rejected),
    ],
)
async def test_a_fault_has_its_class(here: World, fault: Any, expected: type[GatewayError]) -> None:
    here.platform.faults.add(**fault, method="messages")
    assert isinstance(await here.send(text()), expected)
    assert isinstance(await here.send(text()), Accepted)


async def test_receipts_come_before_the_answer_twice_and_in_any_order(here: World) -> None:
    hook = here.account.hook
    assert hook is not None
    hook.before_answer, hook.duplicates, hook.shuffle_s = True, 1, 0.05
    here.account.receipts = {"sent": 0.0, "delivered": 0.0, "read": 0.0}
    await here.take(text())
    assert len(here.ear.receipts) == 6
    assert len({each.key for each in here.ear.receipts}) == 3


async def test_what_comes_together_is_one_body(here: World) -> None:
    hook = here.account.hook
    assert hook is not None
    hook.batch = 1000
    here.account.receipts = {"sent": 0.0, "delivered": 0.0}
    for number in range(5):
        await here.take(text(), reference=f"{number}.1.0")
    await here.settled()
    assert len(here.ear.receipts) == 10
    assert len(here.ear.requests) < 5


async def test_what_we_do_not_take_comes_again(here: World) -> None:
    here.ear.deaf = True
    here.platform.says(here.ann, "Where is it?")
    await asyncio.sleep(0.06)
    assert here.ear.inbound == []
    here.ear.deaf = False
    await here.settled()
    (said,) = here.ear.inbound
    assert isinstance(said, Wrote)
    assert (said.text, said.profile.first_name, said.profile.last_name) == ("Where is it?", "Ann", "Lee")


async def test_a_client_whose_phone_is_hidden_is_answered_by_its_other_id(here: World) -> None:
    hidden = here.platform.add_client(NUMBER, "447700900999", "Ben", details={"user_id": "GB.77", "hidden": True})
    here.account.receipts = RECEIPTS
    here.platform.says(hidden, "Hi")
    await here.settled()
    (said,) = here.ear.inbound
    assert (said.address, isinstance(said, Wrote) and said.profile.phone) == ("GB.77", None)
    await here.take(text("Hello"), "GB.77")
    await here.settled()
    assert hidden.last.text.text == "Hello"
    assert {each.address for each in here.ear.receipts} == {"GB.77"}


async def test_a_number_that_whatsapp_writes_in_another_way_is_told(here: World) -> None:
    here.platform.add_client(NUMBER, "5511999998888", details={"wa_id": "551199998888"}, last_wrote_at=time.time())
    assert (await here.take(text(), "5511999998888")).new_address == "551199998888"


async def test_a_client_takes_another_number(here: World) -> None:
    moved = here.platform.moves(here.ann, "447700900456")
    await here.settled()
    (event,) = here.ear.inbound
    assert isinstance(event, Moved)
    assert (event.address, event.new_address) == (ANN, "447700900456")
    await here.take(text("Hi"), "447700900456")
    assert moved.last.text.text == "Hi"


@pytest.mark.parametrize("labels", [["Yes", "No"], ["XS", "S", "M", "L"]])
async def test_a_press_brings_our_data_and_opens_the_window(here: World, labels: list[str]) -> None:
    buttons = [[Reply(label, label)] for label in labels]
    taken = await here.take(text("?", buttons=buttons, data=[f"c7.{number}" for number in range(len(labels))]))
    here.ann.last_wrote_at = 1.0
    here.platform.presses(here.ann, here.ann.last.id, 1)
    await here.settled()
    (pressed,) = here.ear.inbound
    assert isinstance(pressed, Pressed)
    assert (pressed.data, pressed.external_id) == ("c7.1", taken.external_id)
    assert here.ann.last_wrote_at > 1.0


async def test_a_media_id_that_is_dead_is_brought_once_more(here: World) -> None:
    picture = out(PartKind.PICTURE, "", "media:sale.jpg")
    await here.take(picture)
    await here.take(picture)
    assert len(here.platform.requests(name="media")) == 1
    here.platform.media.forget()
    await here.take(picture)
    assert len(here.platform.requests(name="media")) == 2
    assert len(here.ann.messages) == 3


async def test_templates_are_listed_in_pages_and_their_changes_are_told(here: World) -> None:
    for number in range(230):
        here.platform.templates.add(WABA, f"template_{number}", body="Hi")
    add_sale(here, status="PENDING", category="UTILITY")
    listed = await here.gateway.templates()
    assert len(listed) == 231
    assert (listed[-1].status, listed[-1].category, listed[-1].parameters) == ("pending", "utility", ("1", "2"))
    here.platform.change_template(WABA, "spring_sale", "APPROVED")
    await here.settled()
    assert here.ear.news == [TemplateChanged("spring_sale", "en", "approved")]
    await here.take(template())
