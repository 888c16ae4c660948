"""What the simulated Meta refuses, of whoever asks."""

from typing import Any

import aiohttp
import pytest

from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.platform import SimAccount
from tests.gateways.facebook.simulator.ear import ANN, PAGE


def generic(*elements: Any) -> Any:
    return {"attachment": {"type": "template", "payload": {"template_type": "generic", "elements": list(elements)}}}


BUTTON = {"type": "postback", "title": "Yes", "payload": "p"}
WRONG: list[dict[str, Any]] = [
    {"message": {"text": "x" * 2001}},
    {"message": {"text": ""}},
    {"message": {"text": "x", "attachment": {"type": "image", "payload": {"url": "https://a.test/b.jpg"}}}},
    {"message": {"text": "x", "metadata": "m" * 1000}},
    {"message": {"text": "x"}, "messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE"},
    {"message": {"text": "x"}, "messaging_type": "MESSAGE_TAG", "tag": "GAME_EVENT"},
    {"message": {"text": "x"}, "messaging_type": "SHOUT"},
    {"message": {"text": "x"}, "recipient": {}},
    {"message": {"text": "x", "quick_replies": [{"content_type": "text", "title": "t", "payload": "p"}] * 14}},
    {"message": {"text": "x", "quick_replies": [{"content_type": "text", "title": "t" * 21, "payload": "p"}]}},
    {"message": {"template": {"name": "n"}}},
    {"message": {"attachment": {"type": "template", "payload": {"template_type": "button", "text": "x" * 641,
                                                                "buttons": [BUTTON]}}}},
    {"message": {"attachment": {"type": "template", "payload": {"template_type": "button", "text": "x",
                                                                "buttons": [BUTTON] * 4}}}},
    {"message": {"attachment": {"type": "template", "payload": {"template_type": "button", "text": "x",
                                                                "buttons": []}}}},
    {"message": {"attachment": {"type": "template", "payload": {"template_type": "sonnet"}}}},
    {"message": {"attachment": {"type": "image", "payload": {"attachment_id": "1"}}}},
    {"message": {"attachment": {"type": "hologram", "payload": {}}}},
    {"message": generic({"title": "t"})},
    {"message": generic({"title": "t" * 81, "subtitle": "s"})},
    {"message": generic({"title": "t", "subtitle": "s" * 81})},
    {"message": generic({"title": "t", "image_url": "http://a.test/insecure.jpg"})},
    {"message": generic(*[{"title": "t", "subtitle": "s"}] * 11)},
]  # fmt: skip


@pytest.mark.parametrize("values", WRONG, ids=lambda values: str(values)[:70])
async def test_what_is_wrong_is_refused_with_code_100(
    values: dict[str, Any], meta: FacebookSimulator, page: SimAccount
) -> None:
    body = {"recipient": {"id": ANN}, "messaging_type": "UPDATE", **values}
    async with aiohttp.ClientSession() as session:
        response = await session.post(f"{meta.url}/v26.0/me/messages?access_token=page-token", json=body)
        error = (await response.json())["error"]
    assert (response.status, error["code"]) == (400, 100)
    assert len(page.accepted.at) == 0


async def test_a_version_without_a_token_answers_as_metas_probe_says(meta: FacebookSimulator, page: SimAccount) -> None:
    async with aiohttp.ClientSession() as session:
        response = await session.get(f"{meta.url}/v26.0/me")
        assert (await response.json())["error"]["code"] == 2500
        response = await session.get(f"{meta.url}/v26.0/{PAGE}/nonsense?access_token=page-token")
        assert (await response.json())["error"]["code"] == 2500
