"""A WhatsApp sender and an SMS number of one Twilio account, on a bare server."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from gateways.public_media import media_url
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
