"""The gateway against the simulated Messenger: limits, faults, the account and its subscription."""

from typing import Any

import aiohttp
import pytest

from gateways.base import (
    Accepted,
    ChannelBroken,
    GatewayError,
    MessageRejected,
    OutcomeUnknown,
    OutsideWindow,
    PartKind,
    Throttled,
    Unavailable,
)
from gateways.facebook.gateway import FacebookGateway
from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.meta import Pressure
from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount, Window
from tests.gateways.facebook.simulator.ear import ANN, PAGE, Ear, make, send, sent, to
from tests.gateways.outgoing import out, text

# --- limits, faults


async def test_video_has_a_limit_of_its_own(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    meta.pressures[PAGE] = Pressure({"text": Window(300), "video": Window(10)}, block_s=0.2)
    video = to(ANN, out(PartKind.VIDEO, "", "media:clip.mp4"))
    outcomes = [await send(gateway, video) for _ in range(11)]
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 10 + [Throttled]
    throttled = outcomes[-1]
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after_s == pytest.approx(0.2, abs=0.01)
    assert isinstance(await send(gateway, to(ANN, text())), Throttled), "the whole page is blocked"


async def test_usage_rises_in_the_headers_until_meta_refuses(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    meta.pressures[PAGE] = Pressure(usage_percent=78, usage_step=4, throttle_code=80006)
    outcomes = [await send(gateway, to(ANN, text())) for _ in range(6)]
    assert [round(each.usage, 2) for each in outcomes if isinstance(each, Accepted)] == [0.82, 0.86, 0.9, 0.94, 0.98]
    assert isinstance(outcomes[-1], Throttled)
    assert outcomes[-1].code == "80006"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "throttle"}, Throttled), ({"kind": "error"}, Unavailable),
        ({"kind": "error", "accepted": True}, OutcomeUnknown), ({"kind": "bad_gateway"}, OutcomeUnknown),
        ({"kind": "close"}, OutcomeUnknown), ({"kind": "drop"}, OutcomeUnknown),
        ({"kind": "refuse", "code": 368}, ChannelBroken),
        ({"kind": "refuse", "code": 10, "parameters": {"error_subcode": 2018278}}, OutsideWindow),
    ],
)  # fmt: skip
async def test_each_fault_is_a_reaction(
    fault: dict[str, Any], expected: type[GatewayError], gateway: FacebookGateway, meta: FacebookSimulator,
    page: SimAccount,
) -> None:  # fmt: skip
    meta.faults.add(**fault)
    assert type(await send(gateway, to(ANN, text()))) is expected
    await sent(gateway, to(ANN, text()))


async def test_silence_leaves_the_outcome_open(meta: FacebookSimulator, page: SimAccount) -> None:
    gateway = make(meta, call_s=0.5)
    await gateway.open()
    await sent(gateway, to(ANN, text()))  # the connection stands already
    meta.faults.add("silence")
    assert isinstance(await send(gateway, to(ANN, text())), OutcomeUnknown)
    await gateway.close()


async def test_a_throttle_that_holds_refuses_whoever_comes_meanwhile(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    meta.faults.add("throttle", retry_after_s=1, holds=True)
    assert [type(await send(gateway, to(ANN, text()))) for _ in range(2)] == [Throttled, Throttled]


async def test_attachments_are_of_one_page_and_end(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    picture = to(ANN, out(PartKind.PICTURE, "", "media:sale.jpg"))
    await sent(gateway, picture)
    (first,) = meta.attachments
    meta.attachment_life_s = -1.0
    assert isinstance(await send(gateway, picture), MessageRejected), "brought again once, and refused again"
    meta.attachment_life_s = 60.0
    del meta.attachments[first]
    await sent(gateway, picture)


async def test_a_url_that_meta_can_not_fetch_and_we_neither_is_told(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    url = "http://127.0.0.1:1/none.jpg"
    meta.unreachable.add(url)
    outcome = await send(gateway, to(ANN, out(PartKind.PICTURE, "", url)))
    assert isinstance(outcome, MessageRejected)
    assert "fetched" in outcome.words


async def test_an_outage_sends_nothing(gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount) -> None:
    async with meta.outage():
        assert isinstance(await send(gateway, to(ANN, text())), Unavailable | OutcomeUnknown)
    await sent(gateway, to(ANN, text()))
    assert len(page.accepted.at) == 1


# --- the account and its subscription


async def test_check_and_subscription_agree(gateway: FacebookGateway, meta: FacebookSimulator, ear: Ear) -> None:
    account = await gateway.check()
    assert (account.external_id, account.name, account.link) == (PAGE, "Acme Shoes", "https://m.me/acme")
    assert (account.webhook, account.warnings) == (ear.url, ())
    assert meta.accounts[PAGE].details["profile"] == {"get_started": {"payload": "GET_STARTED"}}


async def test_a_hook_that_fails_too_long_is_cut_off_and_set_again(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount, ann: SimClient, ear: Ear
) -> None:
    assert page.hook is not None
    page.hook.retries, page.hook.retry_after_s, meta.unsubscribes_after = 2, 0.001, 3
    ear.deaf = True
    meta.says(ann, "is anybody there?")
    await meta.hooks.settled()
    assert (await gateway.check()).webhook is None
    ear.deaf = False
    await gateway.set_webhook(ear.url)
    meta.says(ann, "hello again")
    await meta.hooks.settled()
    assert [event.text for event in ear.inbound] == ["hello again"]


async def test_a_url_that_does_not_answer_the_challenge_is_not_taken(
    gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount
) -> None:
    with pytest.raises(GatewayError):
        await gateway.set_webhook("http://127.0.0.1:1/hooks/fb-shop")
    assert meta.callback_url == ""


@pytest.mark.parametrize("terms", [{"token": "another"}, {"page_id": "42"}, {"app_secret": "another"}])
async def test_a_wrong_credential_breaks_the_channel(
    terms: dict[str, str], meta: FacebookSimulator, page: SimAccount
) -> None:
    wrong = make(meta, **terms)
    await wrong.open()
    with pytest.raises(ChannelBroken):
        await wrong.check()
    await wrong.close()


async def test_a_revoked_token_breaks_the_channel_until_it_is_mended(
    gateway: FacebookGateway, page: SimAccount
) -> None:
    page.revoked = True
    assert isinstance(await send(gateway, to(ANN, text())), ChannelBroken)
    with pytest.raises(ChannelBroken):
        await gateway.check()
    page.revoked = False
    await sent(gateway, to(ANN, text()))


async def test_an_app_may_demand_proof(gateway: FacebookGateway, meta: FacebookSimulator, page: SimAccount) -> None:
    meta.require_proof = True
    await sent(gateway, to(ANN, text()))
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer page-token"}) as session:
        response = await session.get(f"{meta.url}/v26.0/{PAGE}")
        assert (await response.json())["error"]["code"] == 100
