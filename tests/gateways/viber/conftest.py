"""A Viber channel on a bare server that answers what a test tells it to."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from gateways.base import (
    Heard,
    Hook,
    Outgoing,
)
from gateways.simulator.platform import SimAccount
from gateways.simulator.viber.server import ViberSimulator
from gateways.viber.gateway import ViberGateway
from tests.gateways.cases import MemoryMedia
from tests.gateways.outgoing import text
from tests.gateways.pictures import JPEG, PNG
from tests.gateways.stub import AnyStub, Got, Reply, running_any_stub, said

TOKEN = "4d1c7a2b9e0f5a63-8b7d2c1e4f9a0b36-5e8c1d7f2a4b9c03"
SECRET = b"of the app"
PUBLIC = "https://m.acme.test"
ANNA, BORYS = "Q2xpZW50LTAwMDEtRGVtbw==", "Q2xpZW50LTAwMDItRGVtbw=="
MESSAGE_TOKEN = 5890123456789012347  # beyond 2**53, and odd at its end
HEADERS = {"x-viber-auth-token": TOKEN, "content-type": "application/json"}
SENDER = {"name": "Shop North"}


@pytest.fixture
async def stub() -> AsyncIterator[AnyStub]:
    async with running_any_stub(tuple(HEADERS)) as running:
        yield running


@pytest.fixture
def media() -> MemoryMedia:
    files = {"sale_jpg": JPEG, "new_png": PNG, "price_pdf": b"%PDF-1.7 prices", "clip_mp4": b"\0\0\0\x18ftypmp42 clip"}
    return MemoryMedia(**files, old_webp=b"RIFF....WEBP", setup_exe=b"MZ")


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 12, 40, 0, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make_gateway(stub: AnyStub, media: MemoryMedia, clock: Clock, **changes: Any) -> ViberGateway:
    terms: dict[str, Any] = {
        "channel": "viber-shop",
        "token": TOKEN,
        "sender_name": "Shop North",
        "media": media,
        "secret": SECRET,
        "public_url": PUBLIC,
        "api_base": f"{stub.url}/pa",
        "call_s": 2.0,
        "monotonic": clock.monotonic,
        "now": clock.now,
    }
    return ViberGateway(**(terms | changes))


@pytest.fixture
async def gateway(stub: AnyStub, media: MemoryMedia, clock: Clock) -> AsyncIterator[ViberGateway]:
    opened = make_gateway(stub, media, clock)
    await opened.open()
    yield opened
    await opened.close()


def asked(method: str, values: dict[str, Any]) -> Got:
    """A call as it must have come."""
    return Got(f"/pa/{method}", values, headers=HEADERS)


def sent(address: str = ANNA, **message: Any) -> Got:
    return asked("send_message", {"receiver": address, "sender": SENDER, **message})


def broadcast(*addresses: str, **message: Any) -> Got:
    return asked("broadcast_message", {"broadcast_list": list(addresses), "sender": SENDER, **message})


def taken(token: object = MESSAGE_TOKEN, **rest: Any) -> Reply:
    return said({"status": 0, "status_message": "ok", "message_token": token, "chat_hostname": "SN-CHAT-03_", **rest})


def refused(status: object, words: str = "", **rest: Any) -> Reply:
    """A refusal as Viber gives it, HTTP 200 and all."""
    return said({"status": status, "status_message": words, "chat_hostname": "SN-CHAT-03_", **rest})


def hello(address: str = ANNA, **rest: Any) -> Outgoing:
    return text("Hello", address=address, **rest)


def hellos(addresses: Sequence[str], **rest: Any) -> list[Outgoing]:
    return [hello(address, **rest) for address in addresses]


OLHA = "Q2xpZW50/DAwMDMt+mVtbw=="


class OurHook:
    """Our webhook as the web side has it: verify, parse, keep, answer."""

    def __init__(self, gateway: ViberGateway) -> None:
        self._gateway = gateway
        self.heard: list[Heard] = []
        self.bodies: list[tuple[bytes, str]] = []
        self.status = 200
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        hook = Hook("POST", {name.lower(): value for name, value in request.headers.items()}, {}, body)
        self.bodies.append((body, hook.headers["x-viber-content-signature"]))
        if self.status != 200:
            return web.Response(status=self.status)
        self._gateway.verify(hook)
        heard = self._gateway.parse(hook)
        self.heard.append(heard)
        return web.Response(text=heard.answer.body, content_type=heard.answer.content_type)

    @property
    def inbound(self) -> list[Any]:
        return [each for heard in self.heard for each in heard.inbound]

    @property
    def receipts(self) -> list[Any]:
        return [each for heard in self.heard for each in heard.receipts]


@pytest.fixture
async def simulator() -> AsyncIterator[ViberSimulator]:
    made = ViberSimulator(seed=7)
    bot = made.add_account(TOKEN, name="Shop North")
    for client_id, name in ((ANNA, "Anna"), (BORYS, "Borys"), (OLHA, "Olha")):
        made.add_client(bot.key, client_id, name)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def bot(simulator: ViberSimulator) -> SimAccount:
    return simulator.accounts[TOKEN]


@pytest.fixture
async def channel(simulator: ViberSimulator, media: MemoryMedia) -> AsyncIterator[ViberGateway]:
    opened = ViberGateway(
        channel="viber-shop",
        token=TOKEN,
        sender_name="Shop North",
        media=media,
        secret=SECRET,
        public_url=PUBLIC,
        api_base=f"{simulator.url}/pa",
        call_s=1.5,
    )
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def hook(channel: ViberGateway) -> AsyncIterator[OurHook]:
    """Our hook, not set yet."""
    ours = OurHook(channel)
    app = web.Application()
    app.router.add_post("/hooks/viber-shop", ours.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ours.url = f"http://127.0.0.1:{site.port}/hooks/viber-shop"
    yield ours
    await runner.cleanup()


@pytest.fixture
async def set_hook(channel: ViberGateway, hook: OurHook) -> OurHook:
    await channel.set_webhook(hook.url)
    hook.heard.clear()
    hook.bodies.clear()
    return hook


async def send(channel: ViberGateway, *parts: Any) -> Sequence[Any]:
    return await channel.send(list(parts))
