"""A VK community on a bare server of the API."""

from collections.abc import AsyncIterator

import pytest

from gateways.vk.gateway import VkGateway
from tests.gateways.cases import MemoryMedia, logs
from tests.gateways.pictures import JPEG, PNG, WEBP
from tests.gateways.stub import AnyStub, running_any_stub
from tests.gateways.vk.simulated import ann, ask, http, listener, shop, vk
from tests.gateways.vk.vk import GROUP, NOW, SECRET, TOKEN

__all__ = ["ann", "ask", "http", "listener", "logs", "shop", "vk"]


@pytest.fixture
async def stub() -> AsyncIterator[AnyStub]:
    async with running_any_stub() as running:
        yield running


@pytest.fixture
def media() -> MemoryMedia:
    return MemoryMedia(sale_jpg=JPEG, new_png=PNG, old_webp=WEBP, price_pdf=b"%PDF-1.7 prices", clip_mp4=b"\0\0 clip")


@pytest.fixture
async def gateway(stub: AnyStub, media: MemoryMedia) -> AsyncIterator[VkGateway]:
    opened = VkGateway(
        channel="vk-shop",
        group_id=GROUP,
        token=TOKEN,
        media=media,
        api_base=f"{stub.url}/method",
        confirmation="a1b2c3d4",
        secret=SECRET,
        hook_url="https://m.acme.test/hooks/vk-shop",
        call_s=2.0,
        now=lambda: NOW,
    )
    await opened.open()
    yield opened
    await opened.close()
