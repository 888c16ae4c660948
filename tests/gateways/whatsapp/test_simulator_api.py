"""What the simulated Cloud API holds around messages: apps, webhooks, tokens, numbers, and what it refuses."""

from typing import Any

import aiohttp
import pytest

from gateways.base import (
    AccountBroken,
    ChannelBroken,
    Rejected,
)
from gateways.markup import to_html
from gateways.simulator.meta import APP_ID, APP_SECRET
from gateways.simulator.whatsapp.marks import rich_of
from tests.gateways.whatsapp.test_simulator import text
from tests.gateways.whatsapp.world import ANN, NUMBER, TOKEN, World, listening, make


async def test_what_is_about_the_account_goes_to_the_apps_one_address(here: World) -> None:
    async with listening(here.gateway) as app:
        query = {"access_token": f"{APP_ID}|{APP_SECRET}"}
        body = {"object": "whatsapp_business_account", "callback_url": app.url, "verify_token": "verify", "fields": "x"}
        async with aiohttp.ClientSession() as session:
            url = f"{here.platform.url}/v26.0/{APP_ID}/subscriptions"
            async with session.post(url, params=query, json=body) as response:
                assert await response.json() == {"success": True}
        here.platform.says(here.ann, "Hi")
        here.platform.restrict(here.account)
        await here.settled()
        assert (len(here.ear.inbound), here.ear.news) == (1, [])
        assert [type(news) for news in app.news] == [AccountBroken]
    assert isinstance(await here.send(text()), ChannelBroken)


async def test_a_webhook_that_does_not_answer_the_challenge_is_not_taken(here: World) -> None:
    stranger = make(here.platform, here.media, verify_token="another")
    await stranger.open()
    try:
        with pytest.raises(Rejected, match="verification failed"):
            await stranger.set_webhook(here.ear.url)
    finally:
        await stranger.close()
    account = await here.gateway.check()
    assert account.webhook == here.ear.url
    assert account.name == "Acme (+442079460001)"


async def test_an_app_that_is_not_subscribed_hears_nothing(here: World) -> None:
    here.account.details["subscribed"] = False
    here.platform.says(here.ann, "Hi")
    await here.settled()
    assert here.ear.inbound == []
    assert "nothing is heard" in (await here.gateway.check()).warnings[0]
    await here.gateway.set_webhook(here.ear.url)
    here.platform.says(here.ann, "Hi again")
    await here.settled()
    assert len(here.ear.inbound) == 1


async def test_a_revoked_token_breaks_the_channel_and_mended_it_goes_on(here: World) -> None:
    here.account.revoked = True
    assert isinstance(await here.send(text()), ChannelBroken)
    with pytest.raises(ChannelBroken):
        await here.gateway.check()
    here.account.revoked = False
    await here.gateway.check()
    await here.take(text())


async def test_two_numbers_of_one_account_hear_each_their_own(here: World) -> None:
    sibling = here.platform.add_account("3002", name="Acme 2", details={"token": TOKEN})
    sibling.hook = here.account.hook  # one address for both
    ben = here.platform.add_client("3002", "447700900456", "Ben")
    here.platform.says(ben, "For the other")
    await here.settled()
    assert here.ear.inbound == []
    cuts = here.gateway.split(here.ear.requests[-1])
    assert set(cuts) == {"phone:3002"}
    other = make(here.platform, here.media, phone_number_id="3002")
    assert [event.address for event in other.parse(cuts["phone:3002"]).inbound] == ["447700900456"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"to": "+447700900123", "type": "text", "text": {"body": "x"}}, 100),
        ({"messaging_product": "whatsapp", "type": "text", "text": {"body": "x"}}, 131008),
        ({"messaging_product": "whatsapp", "to": "x", "type": "text", "text": {"body": "x"}}, 131009),
        ({"messaging_product": "whatsapp", "to": ANN, "type": "text", "text": {"body": "x" * 4097}}, 131009),
        ({"messaging_product": "whatsapp", "to": ANN, "type": "text", "text": {"body": " "}}, 131009),
        ({"messaging_product": "whatsapp", "to": ANN, "type": "image", "image": {}}, 131008),
        ({"messaging_product": "whatsapp", "to": ANN, "type": "image", "image": {"id": "1"}}, 131009),
        ({"messaging_product": "whatsapp", "to": ANN, "type": "song", "song": {"id": "1"}}, 100),
        ({"messaging_product": "whatsapp", "to": ANN, "type": "interactive", "interactive": {"type": "button",
          "body": {"text": "?"}, "action": {"buttons": []}}}, 131009),
        ({"messaging_product": "whatsapp", "to": ANN, "type": "interactive", "interactive": {"type": "list",
          "body": {"text": "?"}, "action": {"button": "x", "sections": [{"rows": [
              {"id": str(n), "title": str(n)} for n in range(11)]}]}}}, 131009),
        ({"messaging_product": "whatsapp", "to": ANN, "type": "interactive", "interactive": {"type": "cta_url",
          "body": {"text": "?"}, "action": {"name": "cta_url", "parameters": {"display_text": "x", "url": "/x"}}}},
         131009),
        ([], 100),
    ],
    ids=["no product", "no client", "an odd client", "long", "empty", "no file", "a lost file", "a song", "no buttons",
         "eleven rows", "half a link", "a list"],
)  # fmt: skip
async def test_the_simulator_refuses_what_meta_refuses(here: World, body: Any, code: int) -> None:
    url, headers = f"{here.platform.url}/v26.0/{NUMBER}/messages", {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == code
    assert len(here.account.accepted.at) == 0


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("*bold* and _italic_, ~gone~", "<b>bold</b> and <i>italic</i>, <s>gone</s>"),
        ("*_both_*", "<b><i>both</i></b>"),
        ("```code *x*```", "<code>code *x*</code>"),
        ("5*3*2 and snake_case_name", "5*3*2 and snake_case_name"),
        ("* not * bold", "* not * bold"),
        ("https://a.test/a_b_c *x*", "https://a.test/a_b_c <b>x</b>"),
        ("*two\nlines*", "*two\nlines*"),
    ],
)
def test_marks_look_as_clients_show_them(written: str, shown: str) -> None:
    assert to_html(rich_of(written)) == shown
