"""What stands in a VK dialog already: deleted for its reader, changed, and refused in VK's words."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateways.base import (
    Accepted,
    Correction,
    Corrects,
    GatewayError,
    MessageRejected,
    PartKind,
    Rejected,
    SentPart,
    TakesBack,
    Unavailable,
)
from gateways.message import Link
from gateways.simulator.phones import SimClient
from gateways.simulator.vk.server import VkSimulator
from gateways.vk.gateway import VkGateway
from tests.gateways.cases import MemoryMedia, fields
from tests.gateways.stub import AnyStub, Got
from tests.gateways.vk.simulated import ANN, BOB
from tests.gateways.vk.test_against_simulator import on
from tests.gateways.vk.vk import PHOTO, UPLOADING, answered, asked, failed, here, out

OPEN = Link("https://shop.example/sale", "Open")
FIRST, SECOND = SentPart("100500", "7712"), SentPart("100501", "7713")


def deleted(message_id: int, **more: object) -> dict[str, object]:
    return {"peer_id": 100500, "message_id": message_id, "conversation_message_id": 3, "response": 1, **more}


def asked_to_delete(names: str | int) -> Got:
    return asked("messages.delete", message_ids=names, delete_for_all=1)


async def test_many_are_deleted_in_one_call(gateway: VkGateway, stub: AnyStub) -> None:
    too_old = {"code": 924, "description": "Can't delete this message for everybody"}
    stub.replies = [answered([deleted(7713, response=0, error=too_old), deleted(7712)])]
    first, second = await gateway.take_back([FIRST, SECOND])
    assert first is None
    assert isinstance(second, Rejected)
    assert second.reason == "too_old"
    assert stub.sent == [asked_to_delete("7712,7713")]
    assert isinstance(gateway, TakesBack)
    assert isinstance(gateway, Corrects)


async def test_one_that_spoils_the_call_harms_no_other(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [failed(924), answered([deleted(7712)]), failed(924)]
    first, second = await gateway.take_back([FIRST, SECOND])
    assert first is None
    assert isinstance(second, Rejected)
    assert stub.sent == [asked_to_delete("7712,7713"), asked_to_delete(7712), asked_to_delete(7713)]


async def test_an_answer_that_never_came_is_asked_for_again(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = [failed(10), answered([deleted(7712)])]
    (away,) = await gateway.take_back([FIRST])
    assert isinstance(away, Unavailable)
    again, nameless = await gateway.take_back([FIRST, SentPart("100500", "")])
    assert again is None
    assert isinstance(nameless, Rejected)
    assert nameless.reason == "no_number"


async def test_one_message_is_edited_with_all_that_it_has(gateway: VkGateway, stub: AnyStub) -> None:
    stub.replies = here([*UPLOADING, answered(1)], stub)
    message = out(PartKind.PICTURE, "<b>Right</b>", "media:sale.jpg", buttons=[[OPEN]])
    assert await gateway.correct([Correction(FIRST, message)]) == [None]
    action = {"type": "open_link", "label": "Open", "link": "https://shop.example/sale"}
    assert stub.sent[-1] == asked(
        "messages.edit",
        peer_id=100500,
        message_id=7712,
        message="Right",
        format_data={"version": 1, "items": [{"type": "bold", "offset": 0, "length": 5}]},
        attachment=PHOTO,
        keyboard={"inline": True, "buttons": [[{"action": action}]]},
        disable_mentions=1,
    )


CASES: list[tuple[int, GatewayError]] = [
    (909, Rejected(code="909", reason="too_old")),
    (920, Rejected(code="920", reason="not_editable")),
    (914, MessageRejected(code="914", reason="too_long")),
    (13, Unavailable(code="13")),
]


@pytest.mark.parametrize(("code", "outcome"), CASES)
async def test_what_vk_says_to_an_edit(gateway: VkGateway, stub: AnyStub, code: int, outcome: GatewayError) -> None:
    both = [Correction(FIRST, out(html="One")), Correction(SECOND, out(html="Two", address="100501"))]
    error = {"method": "messages.edit", "error_code": code, "error_msg": "said so"}
    stub.replies = [answered([1, False], execute_errors=[error])]
    first, second = await gateway.correct(both)
    assert first is None
    assert second is not None
    assert fields(second) == fields(outcome)
    stub.replies = [failed(code)]
    (alone,) = await gateway.correct(both[:1])
    assert alone is not None
    assert fields(alone) == fields(outcome)


# --- against the simulated platform


@pytest.fixture
async def ours(vk: VkSimulator, ann: SimClient, media: MemoryMedia) -> AsyncIterator[VkGateway]:
    opened = on(vk, media)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_client_sees_the_correction_and_then_nothing(ours: VkGateway, vk: VkSimulator, ann: SimClient) -> None:
    bob = vk.client(ann.account, BOB)
    vk.changes(bob, "active")
    wrong = [
        out(PartKind.PICTURE, "90 %", "media:sale.jpg", buttons=[[OPEN]], address=ANN),
        out(html="90 %", address=BOB),
    ]
    accepted = await ours.send([replace(one, reference=f"{number}.1.0") for number, one in enumerate(wrong)])
    there = [
        SentPart(out.address, one.external_id)
        for out, one in zip(wrong, accepted, strict=True)
        if isinstance(one, Accepted)
    ]
    right = [
        Correction(there[0], out(PartKind.PICTURE, "<b>9</b> %", "media:sale.jpg", buttons=[[OPEN]], address=ANN)),
        Correction(there[1], out(html="9 %", address=BOB)),
    ]
    for _again in range(2):
        assert await ours.correct(right) == [None, None]
    assert [client.last.text.text for client in (ann, bob)] == ["9 %", "9 %"]
    assert [media.kind for media in ann.last.media] == ["picture"]
    ann.change(replace(ann.last, at=ann.last.at - 25 * 3600))
    outcomes = await ours.take_back(there)
    assert isinstance(outcomes[0], Rejected)
    assert outcomes[0].reason == "too_old"
    assert outcomes[1] is None
    assert (len(ann.messages), len(bob.messages)) == (1, 0)
    (late,) = await ours.correct(right[:1])
    assert isinstance(late, Rejected)
    assert late.reason == "too_old"
    assert await ours.take_back(there[1:]) == [None]
