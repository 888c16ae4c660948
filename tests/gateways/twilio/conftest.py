"""A WhatsApp sender and an SMS number of one Twilio account, on a bare server."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from gateways.public_media import media_url
from gateways.simulator.twilio.server import TwilioSimulator
from gateways.twilio.gateway import TwilioGateway
from tests.gateways.cases import fixture, logs
from tests.gateways.stub import AnyStub, running_any_stub

__all__ = ["logs"]

ACCOUNT = "AC00112233445566778899aabbccddeeff"
TOKEN = "carillon-auth-token"  # of the worked example in Twilio's own words
PROOF = "Basic QUMwMDExMjIzMzQ0NTU2Njc3ODg5OWFhYmJjY2RkZWVmZjpjYXJpbGxvbi1hdXRoLXRva2Vu"
SECRETS = [TOKEN, PROOF.removeprefix("Basic ")]
SERVICE = "MG00112233445566778899aabbccddeeff"
SENDER = "+447700900900"
PHONE = "447700900123"
NOW = datetime(2026, 11, 21, 7, 10, tzinfo=UTC)
WA_HOOK = "https://m.acme.test/hooks/wa-shop"
SMS_HOOK = "https://m.acme.test/hooks/sms-shop"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}

Make = Callable[..., TwilioGateway]


@pytest.fixture
async def stub() -> AsyncIterator[AnyStub]:
    async with running_any_stub(("Authorization",)) as running:
        yield running


@pytest.fixture
async def make(stub: AnyStub) -> AsyncIterator[Make]:
    """Gateways that are opened by the test and closed after it."""
    async with AsyncExitStack() as stack:

        def made(kind: str, **terms: Any) -> TwilioGateway:
            known: dict[str, Any] = {
                "account_sid": ACCOUNT,
                "auth_token": TOKEN,
                "sender": SENDER,
                "hook_url": WA_HOOK if kind == "whatsapp" else SMS_HOOK,
                "address_of": lambda source: media_url("https://m.acme.test", b"app secret", source),
                "api_base": stub.url,
                "call_s": 2.0,
                "now": lambda: NOW,
            }
            gateway = TwilioGateway(kind=kind, **(known | terms))
            stack.push_async_callback(gateway.close)
            return gateway

        yield made


@pytest.fixture
async def whatsapp(make: Make) -> TwilioGateway:
    gateway = make("whatsapp")
    await gateway.open()
    return gateway


@pytest.fixture
async def sms(make: Make) -> TwilioGateway:
    gateway = make("sms")
    await gateway.open()
    return gateway


def posted(name: str) -> bytes:
    """A fixture's parameters as the form that Twilio posts."""
    return urlencode(json.loads(fixture(f"twilio/{name}"))).encode()


CONTENT = {
    "twilio/quick-reply": {
        "body": "Hi {{1}}, {{2}} off?",
        "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": "m7:yes"}],
    },
    "twilio/text": {"body": "Hi {{1}}, {{2}} off?"},
}
SIGNED = {"Authorization": PROOF}


SAMPLES = {"1": "Sample", "2": "5%"}


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioSimulator]:
    simulator = TwilioSimulator()
    for key in (SENDER, f"whatsapp:{SENDER}", SERVICE):
        simulator.add_account(
            key,
            details={"account_sid": ACCOUNT, "auth_token": TOKEN},
            everyone="active",
            receipts={"delivered": 0.01, "read": 0.02},
        )
    await simulator.start()
    yield simulator
    await simulator.stop()


async def post(twilio: TwilioSimulator, **fields: str) -> Any:
    """A bare request to Messages.json; its document."""
    url = f"{twilio.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    async with aiohttp.ClientSession(headers=SIGNED) as session, session.post(url, data=fields) as response:
        return await response.json()
