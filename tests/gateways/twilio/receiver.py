"""Our hook as Twilio sees it: what it posts is kept, and answered as a test says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from twilio.request_validator import RequestValidator

from gateways.base import (
    Heard,
    Hook,
    ReceiptState,
)
from gateways.twilio.gateway import TwilioGateway
from tests.gateways.twilio.conftest import (
    TOKEN,
)


class Receiver:
    """Our hook, as far as it is Twilio's business: it keeps what comes, and answers what it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.forms: list[dict[str, str]] = []
        self.hooks: list[Hook] = []
        self.statuses: list[int] = []  # of the next answers; then 200

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        form = {name: str(value) for name, value in (await request.post()).items()}
        signature = request.headers["X-Twilio-Signature"]
        assert RequestValidator(TOKEN).validate(str(request.url), form, signature)
        self.forms.append(form)
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw = request.raw_path.partition("?")[2]
        self.hooks.append(Hook("POST", headers, dict(request.query), body, raw))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    @property
    def told(self) -> list[str]:
        return [form.get("MessageStatus", form.get("Body", "")) for form in self.forms]

    def heard(self, gateway: TwilioGateway) -> list[Heard]:
        for hook in self.hooks:
            gateway.verify(hook)
        return [gateway.parse(hook) for hook in self.hooks]

    def states(self, gateway: TwilioGateway) -> list[tuple[ReceiptState, str | None]]:
        return [(each.state, each.reference) for heard in self.heard(gateway) for each in heard.receipts]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hooks/shop", receiver.take)
    app.router.add_get("/media/sale.jpg", _picture)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{site.port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def _picture(_: web.Request) -> web.Response:
    return web.Response(body=b"\xff\xd8\xff", content_type="image/jpeg")
