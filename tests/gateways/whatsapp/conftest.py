"""A WhatsApp number on a bare server that answers what a test tells it to."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateways.whatsapp.gateway import WhatsAppGateway
from tests.gateways.cases import MemoryMedia, logs
from tests.gateways.pictures import JPEG, PNG, WEBP
from tests.gateways.stub import AnyStub, Got, Reply, running_any_stub, said
from tests.gateways.whatsapp.world import World, world

__all__ = ["logs"]

PHONE, WABA = "304000000000001", "204000000000001"
ANN = "447700900123"
ANN_ID = "GB.13491208655302741918"
TOKEN = "EAAG-system-user-token-that-no-log-shows"
APP_SECRET = "carillon-app-secret"
VERIFY = "verify-token-of-ours"
SECRETS = [TOKEN, APP_SECRET, VERIFY]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
REFERENCE = "d7.1.0"  # as tests.gateways.outgoing names it
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def got(path: str, values: Any, **more: Any) -> Got:
    return Got(f"/v26.0/{path}", values, headers=BEARER, **more)


def sends(kind: str, content: Any, to: str = ANN) -> Got:
    """The request that sends this; platforms/whatsapp.md section 2."""
    address = {"to": f"+{to}"} if to.isdigit() else {"recipient": to}
    return got(
        f"{PHONE}/messages",
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **address,
            "biz_opaque_callback_data": REFERENCE,
            "type": kind,
            kind: content,
        },
    )


def accepted(wamid: str = "wamid.OUT", wa_id: str = ANN, **message: Any) -> Reply:
    """What Meta answers to a send; the same page."""
    contacts = [{"input": f"+{ANN}", "wa_id": wa_id}]
    return said({"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": wamid, **message}]})


def refused(code: int, details: str = "", status: int = 400, **rest: Any) -> Reply:
    """An error as section 4 prints it."""
    error = {"message": f"(#{code}) No", "type": "OAuthException", "code": code, "fbtrace_id": "Az8or2yh", **rest}
    if details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return said({"error": error}, status)


def uploads(name: str, content_type: str, content: bytes) -> Got:
    """The request that uploads a file; the stub reads a form's values as JSON where they are that."""
    return got(
        f"{PHONE}/media",
        {"messaging_product": "whatsapp", "type": content_type},
        files={"file": (name, content_type, content)},
    )


def media_id(number: int) -> Reply:
    return said({"id": str(number)})


@pytest.fixture
async def stub() -> AsyncIterator[AnyStub]:
    async with running_any_stub(keeps=["Authorization"]) as running:
        yield running


@pytest.fixture
def media() -> MemoryMedia:
    return MemoryMedia(
        sale_jpg=JPEG, new_png=PNG, odd_webp=WEBP, p_pdf=b"%PDF-1.7 prices", clip_mp4=b"\0\0\0\x18ftypmp42 clip",
        old_3gp=b"\0\0\0\x18ftyp3gp5 clip", fake_mp4=b"no clip at all", list_csv=b"a;b", tool_exe=b"MZ",
        empty_txt=b"", big_jpg=JPEG + bytes(5 * 1024 * 1024),
    )  # fmt: skip


class Moments:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.now = NOW

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Moments:
    return Moments()


@pytest.fixture
async def gateway(stub: AnyStub, media: MemoryMedia, clock: Moments) -> AsyncIterator[WhatsAppGateway]:
    opened = make(f"{stub.url}/v26.0", media, clock)
    await opened.open()
    yield opened
    await opened.close()


def make(api_base: str, media: MemoryMedia, clock: Moments | None = None, **terms: Any) -> WhatsAppGateway:
    moments = clock or Moments()
    return WhatsAppGateway(
        **{
            "channel": "wa-shop",
            "phone_number_id": PHONE,
            "business_account_id": WABA,
            "token": TOKEN,
            "app_secret": APP_SECRET,
            "verify_token": VERIFY,
            "media": media,
            "api_base": api_base,
            "call_s": 2.0,
            "now": lambda: moments.now,
            "monotonic": moments.monotonic,
            **terms,
        }
    )


@pytest.fixture
def listener(media: MemoryMedia) -> WhatsAppGateway:
    return make("https://graph.facebook.com/v26.0", media)


@pytest.fixture
async def here() -> AsyncIterator[World]:
    async with world() as made:
        yield made
