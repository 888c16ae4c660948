"""What stands in a Telegram chat already: deleted, changed, and refused in Telegram's words."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateways.base import (
    Accepted,
    AddressGone,
    AddressStatus,
    Correction,
    Corrects,
    GatewayError,
    MessageRejected,
    Outgoing,
    PartKind,
    Rejected,
    SentPart,
    TakesBack,
    Throttled,
    Unavailable,
)
from gateways.message import Link
from gateways.simulator.telegram.bots import SimulatedBot
from gateways.simulator.telegram.clients import SimulatedClient
from gateways.simulator.telegram.server import TelegramSimulator
from gateways.telegram.gateway import TelegramGateway
from tests.gateways.cases import MemoryMedia, fields
from tests.gateways.conftest import TOKEN
from tests.gateways.outgoing import out, text
from tests.gateways.stub import Reply, Sent, Stub, message, refused, taken

PLACE = {"chat_id": 100200300, "message_id": 502}
WORDS = SentPart("100200300", "100200300:502")
ALBUM = SentPart("100200300", "100200300:502", {"message_ids": [502, 503]})
OPEN = Link("https://shop.example/sale", "Open")
KEYBOARD = {"inline_keyboard": [[{"text": "Open", "url": "https://shop.example/sale"}]]}


def sent(method: str, **values: Any) -> Sent:
    return Sent(method, values)


@pytest.mark.parametrize(
    ("part", "request_"),
    [
        (WORDS, sent("deleteMessage", **PLACE)),
        (ALBUM, sent("deleteMessages", chat_id=100200300, message_ids=[502, 503])),
        (SentPart("100200300", "-100777:9"), sent("deleteMessage", chat_id=-100777, message_id=9)),  # it moved
    ],
)
async def test_a_message_is_taken_back_as_a_whole(
    gateway: TelegramGateway, stub: Stub, part: SentPart, request_: Sent
) -> None:
    stub.replies = [taken(True)]
    assert await gateway.take_back([part]) == [None]
    assert stub.sent == [request_]


@pytest.mark.parametrize(
    ("outgoing", "request_"),
    [
        (
            text("<b>The right</b> price", buttons=[[OPEN]], extra={"silent": True, "link_preview": False}),
            sent("editMessageText", **PLACE, text="The right price", reply_markup=KEYBOARD,
                 entities=[{"type": "bold", "offset": 0, "length": 9}], link_preview_options={"is_disabled": True}),
        ),
        (
            out(PartKind.PICTURE, "Words", "media:sale.jpg", buttons=[[OPEN]]),
            sent("editMessageCaption", **PLACE, caption="Words", reply_markup=KEYBOARD),
        ),
        (out(PartKind.FILE, "", "media:price.pdf"), sent("editMessageCaption", **PLACE)),
        (
            out(PartKind.LOCATION, buttons=[[OPEN]], latitude=50.0, longitude=30.0),
            sent("editMessageReplyMarkup", **PLACE, reply_markup=KEYBOARD),
        ),
    ],
)  # fmt: skip
async def test_a_message_is_changed_where_it_stands(
    gateway: TelegramGateway, stub: Stub, outgoing: Outgoing, request_: Sent
) -> None:
    stub.replies = [taken(message(502))]
    assert await gateway.correct([Correction(WORDS, outgoing)]) == [None]
    assert stub.sent == [request_]


DELETE: list[tuple[Reply, GatewayError | None]] = [
    (refused(400, "Bad Request: message to delete not found"), None),
    (
        refused(400, "Bad Request: message can't be deleted for everyone"),
        Rejected(code="400", reason="too_old"),
    ),
    (
        refused(403, "Forbidden: bot was blocked by the user"),
        AddressGone("blocked", code="403", status=AddressStatus.BLOCKED),
    ),
    (refused(429, "Too Many Requests: retry after 7", parameters={"retry_after": 7}), Throttled(7.0, code="429")),
    (refused(500, "Internal Server Error"), Unavailable(code="500")),  # asked twice it is gone once
]
EDIT: list[tuple[Reply, GatewayError | None]] = [
    (refused(400, "Bad Request: message is not modified: specified new message content …"), None),
    (refused(400, "Bad Request: message to edit not found"), Rejected(code="400", reason="message_gone")),
    (refused(400, "Bad Request: message can't be edited"), Rejected(code="400", reason="not_editable")),
    (refused(400, "Bad Request: can't parse entities: …"), MessageRejected(code="400")),
]


def same(found: GatewayError | None, wanted: GatewayError | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return fields(found) == fields(wanted)


@pytest.mark.parametrize(("reply", "outcome"), DELETE)
async def test_what_telegram_says_to_a_deletion(
    gateway: TelegramGateway, stub: Stub, reply: Reply, outcome: GatewayError | None
) -> None:
    stub.replies = [reply]
    (found,) = await gateway.take_back([WORDS])
    assert same(found, outcome), found


@pytest.mark.parametrize(("reply", "outcome"), EDIT)
async def test_what_telegram_says_to_an_edit(
    gateway: TelegramGateway, stub: Stub, reply: Reply, outcome: GatewayError | None
) -> None:
    stub.replies = [reply]
    (found,) = await gateway.correct([Correction(WORDS, text("New"))])
    assert same(found, outcome), found


async def test_a_message_without_a_number_can_not_be_found_again(gateway: TelegramGateway, stub: Stub) -> None:
    (found,) = await gateway.take_back([SentPart("100200300", "")])
    assert isinstance(found, Rejected)
    assert found.reason == "no_number"
    assert stub.sent == []
    assert isinstance(gateway, TakesBack)
    assert isinstance(gateway, Corrects)


# --- against the simulated platform


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSimulator]:
    simulator = TelegramSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def ann(telegram: TelegramSimulator) -> SimulatedClient:
    shop: SimulatedBot = telegram.add_bot(TOKEN)
    return shop.add_client(7, "Ann")


@pytest.fixture
async def ours(telegram: TelegramSimulator, ann: SimulatedClient, media: MemoryMedia) -> AsyncIterator[TelegramGateway]:
    opened = TelegramGateway(channel="tg-shop", token=TOKEN, media=media, api_base=telegram.url, polls=True)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_client_sees_the_correction_and_then_nothing(ours: TelegramGateway, ann: SimulatedClient) -> None:
    wrong = [
        text("Sale: 90 %", address="7", buttons=[[OPEN]]),
        out(PartKind.ALBUM, "Wrong", "media:sale.jpg", "media:new.png", address="7"),
    ]
    right = [
        text("Sale: <b>9 %</b>", address="7", buttons=[[OPEN]]),
        out(PartKind.ALBUM, "Right", "media:sale.jpg", "media:new.png", address="7"),
    ]
    accepted = await ours.send(wrong)
    there = [SentPart("7", one.external_id, one.details) for one in accepted if isinstance(one, Accepted)]
    for _again in range(2):
        made = await ours.correct([Correction(*pair) for pair in zip(there, right, strict=True)])
        assert made == [None, None]
    assert [each.text for each in ann.messages] == ["Sale: 9 %", "Right", ""]
    assert [button.label for button in ann.messages[0].keyboard[0]] == ["Open"]
    for _again in range(2):
        assert await ours.take_back(there) == [None, None]
    assert ann.messages == []


async def test_after_two_days_it_stays(ours: TelegramGateway, ann: SimulatedClient) -> None:
    accepted = await ours.send(
        [text("Old", address="7"), out(PartKind.ALBUM, "", *["media:sale.jpg"] * 2, address="7")]
    )
    there = [SentPart("7", one.external_id, one.details) for one in accepted if isinstance(one, Accepted)]
    for shown in ann.messages:
        stored = ann.find_stored(shown.message_id)
        assert stored is not None
        stored.raw["date"] -= 49 * 3600
    outcomes = await ours.take_back(there)
    assert [each.reason for each in outcomes if isinstance(each, Rejected)] == ["too_old", "too_old"]
    assert len(ann.messages) == 3
