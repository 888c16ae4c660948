"""A Telegram channel on a bare server of the Bot API."""

from collections.abc import AsyncIterator

import pytest

from gateways.telegram.gateway import TelegramGateway
from tests.gateways.cases import MemoryMedia, logs
from tests.gateways.pictures import JPEG, PNG
from tests.gateways.stub import Stub, running_stub

__all__ = ["logs"]

TOKEN = "555000111:AAH0of-a_secret_that_no_log_shows"
SECRET_PART = "AAH0of-a_secret_that_no_log_shows"


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with running_stub() as running:
        yield running


@pytest.fixture
def media() -> MemoryMedia:
    return MemoryMedia(sale_jpg=JPEG, new_png=PNG, price_pdf=b"%PDF-1.7 prices", clip_mp4=b"\0\0\0\x18ftypmp42 clip")


@pytest.fixture
async def gateway(stub: Stub, media: MemoryMedia) -> AsyncIterator[TelegramGateway]:
    opened = TelegramGateway(
        channel="tg-shop", token=TOKEN, media=media, api_base=stub.url, webhook_secret="hook-secret", call_s=2.0
    )
    await opened.open()
    yield opened
    await opened.close()
