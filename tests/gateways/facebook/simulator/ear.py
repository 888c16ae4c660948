"""Our side of the simulated Messenger: the gateway, and a webhook that checks, reads and keeps what comes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from gateways.base import (
    Accepted,
    BadSignature,
    GatewayError,
    Heard,
    Hook,
    Outgoing,
    Receipt,
    Watermark,
)
from gateways.facebook.gateway import FacebookGateway
from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.meta import APP_ID, APP_SECRET
from tests.gateways.cases import MemoryMedia
from tests.gateways.pictures import JPEG

PAGE, ANN, BEN = "1029384756", "7001002003004005", "7001002003004006"


class Ear:
    """Our webhook: it checks and reads whatever the simulator posts, and keeps it. Answers 500 while `deaf`."""

    def __init__(self, gateway: FacebookGateway) -> None:
        self.gateway = gateway
        self.heard: list[Heard] = []
        self.bodies: list[bytes] = []
        self.deaf = False
        self.url = ""
        self._runner: web.ServerRunner | None = None

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        hook = Hook(request.method, _lower(request.headers), dict(request.query), await request.read())
        try:
            self.gateway.verify(hook)
        except BadSignature:
            return web.Response(status=403)
        if self.deaf:
            return web.Response(status=500)
        heard = self.gateway.parse(hook)
        self.bodies.append(hook.body)
        self.heard.append(heard)
        return web.Response(text=heard.answer.body)

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site.port}/hooks/fb-shop"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def inbound(self) -> list[Any]:
        return [event for heard in self.heard for event in heard.inbound]

    @property
    def receipts(self) -> list[Receipt]:
        return [receipt for heard in self.heard for receipt in heard.receipts]

    @property
    def watermarks(self) -> list[Watermark]:
        return [mark for heard in self.heard for mark in heard.watermarks]


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def make(meta: FacebookSimulator, **terms: Any) -> FacebookGateway:
    given: dict[str, Any] = {
        "channel": "fb-shop", "page_id": PAGE, "token": "page-token", "app_secret": APP_SECRET, "app_id": APP_ID,
        "verify_token": "verify", "media": MemoryMedia(sale_jpg=JPEG, clip_mp4=b"ftypmp42", price_pdf=b"%PDF"),
        "api_base": f"{meta.url}/v26.0", "call_s": 10.0,
    }  # fmt: skip
    return FacebookGateway(**(given | terms))


def to(client: str, part: Outgoing, reference: str = "812.1.0") -> Outgoing:
    return replace(part, address=client, reference=reference)


async def send(gateway: FacebookGateway, part: Outgoing) -> Accepted | GatewayError:
    (outcome,) = await gateway.send([part])
    return outcome


async def sent(gateway: FacebookGateway, part: Outgoing) -> Accepted:
    outcome = await send(gateway, part)
    assert isinstance(outcome, Accepted), outcome
    return outcome
