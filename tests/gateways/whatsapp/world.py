"""A number on the simulated WhatsApp, and our webhook, over real HTTP in both directions."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from gateways.base import Accepted, BadSignature, Gateway, GatewayError, Heard, Hook, Inbound, News, Outgoing, Receipt
from gateways.simulator.meta import APP_SECRET
from gateways.simulator.phones import SimClient
from gateways.simulator.platform import SimAccount
from gateways.simulator.whatsapp.server import WABA, WhatsAppSimulator
from gateways.whatsapp.gateway import WhatsAppGateway
from tests.gateways.cases import MemoryMedia
from tests.gateways.pictures import JPEG

NUMBER, ANN = "3001", "447700900123"
TOKEN = "system-user-token"


@dataclass
class Ear:
    """Our webhook: it checks and reads what is posted, and keeps it. Answers 500 while `deaf`."""

    gateway: Gateway
    heard: list[Heard] = field(default_factory=list)
    requests: list[Hook] = field(default_factory=list)
    deaf: bool = False
    url: str = ""

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        hook = Hook(request.method, _lower(request.headers), dict(request.query), await request.read())
        try:
            self.gateway.verify(hook)
        except BadSignature:
            return web.Response(status=403)
        if self.deaf:
            return web.Response(status=500)
        heard = self.gateway.parse(hook)
        self.requests.append(hook)
        self.heard.append(heard)
        return web.Response(text=heard.answer.body)

    @property
    def inbound(self) -> list[Inbound]:
        return [event for heard in self.heard for event in heard.inbound]

    @property
    def receipts(self) -> list[Receipt]:
        return [receipt for heard in self.heard for receipt in heard.receipts]

    @property
    def news(self) -> list[News]:
        return [news for heard in self.heard for news in heard.news]

    @property
    def states(self) -> list[str]:
        return [receipt.state.value for receipt in self.receipts]


@asynccontextmanager
async def listening(gateway: Gateway) -> AsyncIterator[Ear]:
    ear = Ear(gateway)
    runner = web.ServerRunner(web.Server(ear), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ear.url = f"http://127.0.0.1:{site.port}/hooks/wa-shop"
    try:
        yield ear
    finally:
        await runner.cleanup()


@dataclass
class World:
    platform: WhatsAppSimulator
    account: SimAccount
    gateway: WhatsAppGateway
    ear: Ear
    media: MemoryMedia
    ann: SimClient

    async def send(self, part: Outgoing, to: str = ANN, reference: str = "7.1.0") -> Accepted | GatewayError:
        (outcome,) = await self.gateway.send([replace(part, address=to, reference=reference)])
        return outcome

    async def take(self, part: Outgoing, to: str = ANN, reference: str = "7.1.0") -> Accepted:
        outcome = await self.send(part, to, reference)
        assert isinstance(outcome, Accepted), repr(outcome)
        return outcome

    async def settled(self) -> None:
        await self.platform.hooks.settled()


@asynccontextmanager
async def world(**terms: Any) -> AsyncIterator[World]:
    """One number with a webhook of its own; Ann wrote a moment ago."""
    platform = WhatsAppSimulator()
    await platform.start()
    account = platform.add_account(NUMBER, name="Acme", details={"token": TOKEN})
    media = MemoryMedia(sale_jpg=JPEG, p_pdf=b"%PDF-1.7")
    gateway = make(platform, media, **terms)
    await gateway.open()
    try:
        async with listening(gateway) as ear:
            await gateway.set_webhook(ear.url)
            ann = platform.add_client(NUMBER, ANN, "Ann Lee")
            platform.says(ann, "Hello")
            await platform.hooks.settled()
            ear.heard.clear()
            ear.requests.clear()
            yield World(platform, account, gateway, ear, media, ann)
            await platform.hooks.settled()
    finally:
        await gateway.close()
        await platform.stop()


def make(platform: WhatsAppSimulator, media: MemoryMedia, **terms: Any) -> WhatsAppGateway:
    given: dict[str, Any] = {
        "channel": "wa-shop", "phone_number_id": NUMBER, "business_account_id": WABA, "token": TOKEN,
        "app_secret": APP_SECRET, "verify_token": "verify", "media": media, "api_base": f"{platform.url}/v26.0",
        "call_s": 0.25,
    }  # fmt: skip
    return WhatsAppGateway(**(given | terms))


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
