"""A Facebook Page as a channel, on a bare server of the Graph API."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from gateways.facebook.gateway import FacebookGateway
from tests.gateways.cases import MemoryMedia, logs
from tests.gateways.pictures import JPEG, PNG
from tests.gateways.stub import AnyStub, running_any_stub

__all__ = ["logs"]

PAGE = "1029384756"
APP = "556677889900"
TOKEN = "EAAGexamplePageToken"
APP_SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
# platforms/facebook.md section 1, worked out with Python's hmac from the two above
PROOF = {"appsecret_proof": "f99f8e850b0afa4c11b49829dd80afa75f4e8b007acee8ffe542f41d7b462413"}
VERIFY = "our-verify-token"
SECRETS = [TOKEN, APP_SECRET, PROOF["appsecret_proof"], VERIFY]
HOOK = "https://m.acme.test/hooks/fb-shop"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Hands:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW
        self.seconds = 0.0


@pytest.fixture
async def stub() -> AsyncIterator[AnyStub]:
    async with running_any_stub(keeps=("Authorization",)) as running:
        yield running


@pytest.fixture
def media() -> MemoryMedia:
    return MemoryMedia(sale_jpg=JPEG, new_png=PNG, price_pdf=b"%PDF-1.7 prices", clip_mp4=b"\0\0\0\x18ftypmp42 clip")


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def gateway(stub: AnyStub, media: MemoryMedia, hands: Hands) -> AsyncIterator[FacebookGateway]:
    opened = make(stub.url, media, hands)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def with_app(stub: AnyStub, media: MemoryMedia, hands: Hands) -> AsyncIterator[FacebookGateway]:
    opened = make(stub.url, media, hands, app_id=APP)
    await opened.open()
    yield opened
    await opened.close()


def make(url: str, media: MemoryMedia, hands: Hands, app_id: str = "", call_s: float = 10.0) -> FacebookGateway:
    return FacebookGateway(
        channel="fb-shop",
        page_id=PAGE,
        token=TOKEN,
        app_secret=APP_SECRET,
        verify_token=VERIFY,
        media=media,
        app_id=app_id,
        api_base=f"{url}/v26.0",
        public_url="https://m.acme.test",
        secret=b"app secret",
        call_s=call_s,
        now=lambda: hands.now,
        monotonic=lambda: hands.seconds,
    )
