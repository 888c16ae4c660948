"""The simulated Viber keeps to the schema; viberbot as the other side."""

import asyncio
import json
import urllib.request
from typing import Any

import pytest
from viberbot import Api, BotConfiguration  # type: ignore[import-untyped]
from viberbot.api.messages import (  # type: ignore[import-untyped]
    FileMessage,
    KeyboardMessage,
    PictureMessage,
    RichMediaMessage,
    TextMessage,
)

from gateways.base import (
    Hook,
)
from gateways.simulator.platform import SimAccount
from gateways.simulator.viber.server import ViberSimulator
from gateways.viber.gateway import ViberGateway
from tests.gateways.cases import logs
from tests.gateways.viber.conftest import ANNA, TOKEN, OurHook, hello, send

__all__ = ["logs"]


def sent_raw(simulator: ViberSimulator, method: str, values: Any, token: str = TOKEN) -> Any:
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    headers = {"X-Viber-Auth-Token": token}
    request = urllib.request.Request(f"{simulator.url}/pa/{method}", body, headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        assert answer.status == 200
        return json.loads(answer.read())


GOOD = {"receiver": ANNA, "sender": {"name": "Shop"}, "type": "text", "text": "Hi"}
BUTTON = {"ActionBody": "yes", "Text": "Yes"}


@pytest.mark.parametrize(
    ("method", "values", "status"),
    [
        ("send_message", {}, 0),
        ("send_message", {"text": ""}, 3),
        ("send_message", {"text": "x" * 7001}, 3),
        ("send_message", {"text": None}, 3),
        ("send_message", {"sender": {"name": "x" * 29}}, 3),
        ("send_message", {"sender": {}}, 4),
        ("send_message", {"type": "hologram"}, 3),
        ("send_message", {"receiver": "nobody"}, 5),
        ("send_message", {"tracking_data": "x" * 4001}, 3),
        ("send_message", {"type": "text", "text": "я" * 20000}, 3),
        ("send_message", {"type": "picture", "media": "https://a.test/b.webp"}, 3),
        ("send_message", {"type": "picture", "media": "https://a.test/b.jpg", "text": "x" * 769}, 3),
        ("send_message", {"type": "picture", "media": "https://a.test/b.jpg"}, 0),
        ("send_message", {"type": "video", "media": "https://a.test/b.mp4"}, 4),
        ("send_message", {"type": "video", "media": "https://a.test/b.mp4", "size": 27 * 1024 * 1024}, 3),
        ("send_message", {"type": "video", "media": "https://a.test/b.mp4", "size": 1000}, 0),
        ("send_message", {"type": "file", "media": "https://a.test/b.exe", "size": 9, "file_name": "b.exe"}, 3),
        ("send_message", {"type": "file", "media": "b.pdf", "size": 9, "file_name": "b.pdf"}, 3),
        ("send_message", {"type": "location", "location": {"lat": 91, "lon": 0}}, 3),
        ("send_message", {"type": "sticker", "sticker_id": 46105}, 0),
        ("send_message", {"type": "url", "media": "https://a.test"}, 0),
        ("send_message", {"type": "contact", "contact": {"name": "Olha", "phone_number": "+3805"}}, 0),
        ("send_message", {"keyboard": {"Buttons": [BUTTON]}}, 3),
        ("send_message", {"keyboard": {"Type": "keyboard", "Buttons": []}}, 3),
        ("send_message", {"keyboard": {"Type": "keyboard", "Buttons": [{"Text": "Yes"}]}}, 3),
        ("send_message", {"keyboard": {"Type": "keyboard", "Buttons": [{**BUTTON, "Columns": 7}]}}, 3),
        ("send_message", {"keyboard": {"Type": "keyboard", "Buttons": [BUTTON]}}, 0),
        ("send_message", {"type": "rich_media", "rich_media": {"Type": "rich_media", "Buttons": [BUTTON] * 43}}, 3),
        ("broadcast_message", {"broadcast_list": []}, 3),
        ("broadcast_message", {"broadcast_list": ["x"] * 301}, 3),
        ("broadcast_message", {"broadcast_list": ["x"] * 300}, 0),
        ("get_online", {"ids": ["x"] * 101}, 3),
        ("wallpaper", {}, 3),
    ],
)
async def test_the_schema_is_looked_at(
    method: str, values: dict[str, Any], status: int, simulator: ViberSimulator, set_hook: OurHook
) -> None:
    answer = await asyncio.to_thread(sent_raw, simulator, method, GOOD | values)
    assert answer["status"] == status
    if status:
        assert answer["status_message"]


async def test_a_request_that_is_no_json_or_no_ones_is_refused(simulator: ViberSimulator) -> None:
    assert (await asyncio.to_thread(sent_raw, simulator, "send_message", b"{"))["status"] == 3
    assert (await asyncio.to_thread(sent_raw, simulator, "send_message", GOOD, "wrong"))["status"] == 2
    assert (await asyncio.to_thread(sent_raw, simulator, "send_message", GOOD, ""))[
        "status_message"
    ] == "missing_auth_token"


# --- viberbot as the other side


@pytest.fixture
def library(simulator: ViberSimulator) -> Any:
    api = Api(BotConfiguration(auth_token=TOKEN, name="Shop North", avatar=None))
    api._request_sender._viber_bot_api_url = f"{simulator.url}/pa"
    return api


async def test_viberbot_talks_to_the_simulator(
    library: Any, simulator: ViberSimulator, set_hook: OurHook, bot: SimAccount
) -> None:
    events = await asyncio.to_thread(library.set_webhook, set_hook.url, ["delivered", "seen"])
    assert set(events) == {"delivered", "seen", "message", "subscribed", "unsubscribed"}
    messages = [
        TextMessage(text="Hi *there*"),
        PictureMessage(media="https://a.test/b.png", text="Look"),
        FileMessage(media="https://a.test/b.pdf", size=9, file_name="b.pdf"),
        KeyboardMessage(keyboard={"Type": "keyboard", "Buttons": [BUTTON]}),
        RichMediaMessage(rich_media={"Type": "rich_media", "ButtonsGroupRows": 1, "Buttons": [BUTTON] * 2}),
    ]
    tokens = await asyncio.to_thread(library.send_messages, ANNA, messages)
    phone = simulator.client(TOKEN, ANNA)
    assert [message.id for message in phone.messages] == [str(token) for token in tokens]
    assert all(token > 2**53 and token % 2 for token in tokens)
    assert (await asyncio.to_thread(library.get_account_info))["name"] == "Shop North"
    assert (await asyncio.to_thread(library.get_user_details, ANNA))["id"] == ANNA
    assert (await asyncio.to_thread(library.get_online, [ANNA]))[0]["online_status"] == 0
    with pytest.raises(Exception, match="failed with status: 5"):
        await asyncio.to_thread(library.send_messages, "nobody", [TextMessage(text="Hi")])


async def test_viberbot_reads_every_event_as_we_do(
    library: Any, channel: ViberGateway, set_hook: OurHook, simulator: ViberSimulator, bot: SimAccount
) -> None:
    bot.receipts = {"delivered": 0.0, "read": 0.01}
    phone = simulator.client(TOKEN, ANNA)
    await send(channel, hello())
    await simulator.hooks.settled()
    simulator.says(phone, "Hi")
    simulator.changes(phone, "unsubscribed")
    simulator.changes(phone, "active")
    simulator.opens(phone, "promo-42")
    phone.details["fails"] = "message validation failed"
    await send(channel, hello())
    await simulator.hooks.settled()
    read = {}
    for body, signature in set_hook.bodies:
        assert library.verify_signature(body, signature)
        request = library.parse_request(body)
        read[request.event_type] = request
        ours = channel.parse(Hook("POST", {}, {}, body))
        user = getattr(request, "user_id", None) or getattr(request, "sender", None) or request.user
        address = user if isinstance(user, str) else user.id
        for each in (*ours.receipts, *ours.inbound):
            assert each.address == address
        for receipt in ours.receipts:
            assert receipt.external_id == f"{request.message_token}:{address}"
    assert set(read) == {
        "delivered", "seen", "message", "unsubscribed", "subscribed", "conversation_started", "failed",
    }  # fmt: skip
    assert (read["message"].message.text, read["failed"].desc) == ("Hi", "message validation failed")
    assert (read["conversation_started"].context, read["conversation_started"].subscribed) == ("promo-42", True)


def test_our_signature_is_viberbots() -> None:
    from gateways.viber.signing import sign

    api = Api(BotConfiguration(auth_token=TOKEN, name="Shop", avatar=None))
    for body in (b"", b"{}", "Привіт".encode(), bytes(range(256))):
        assert api.verify_signature(body, sign(TOKEN, body))
