"""A Carillon with a channel on every messenger, each beside its simulator; what only these flows need."""

import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import func, select, update

from gateways.simulator.facebook.server import FacebookSimulator
from gateways.simulator.meta import APP_ID, APP_SECRET
from gateways.simulator.phones import SimClient
from gateways.simulator.platform import Platform, SimAccount
from gateways.simulator.twilio.server import TwilioSimulator
from gateways.simulator.viber.server import ViberSimulator
from gateways.simulator.vk.server import FIRST_GROUP, VkSimulator
from gateways.simulator.whatsapp.server import WABA, WhatsAppSimulator
from storage.schema import addresses, deliveries
from tests.flows.carillon import TOKEN, Carillon, carillon, shop_channel

VIBER_TOKEN = "4a5b6c7d8e9f0a1b-2c3d4e5f6a7b8c9d-simulated"
FACEBOOK_PAGE, FACEBOOK_TOKEN = "1001", "EAAsimulated-page-token"
VK_KEY = "vk1.a.simulated-key-of-the-community"
WHATSAPP_NUMBER, WHATSAPP_TOKEN = "3001", "EAAsimulated-whatsapp-token"
TWILIO_ACCOUNT, TWILIO_TOKEN, TWILIO_SENDER = "AC" + "1" * 32, "simulated-auth-token", "+447700900900"
VERIFY_TOKEN = "of-the-flows"
SECRETS = (TOKEN, VIBER_TOKEN, FACEBOOK_TOKEN, VK_KEY, WHATSAPP_TOKEN, TWILIO_TOKEN, APP_SECRET)
FIVE = ("telegram", "viber", "facebook", "vk", "whatsapp")
WITHOUT_TELEGRAM = ("viber", "facebook", "vk", "whatsapp", "sms")  # what reads its updates takes seconds to import
GIVES_DELIVERED = ("viber", "facebook", "whatsapp", "sms")
TEMPLATE = """
[message.only.whatsapp]
template = { name = "hello", language = "en", parameters = ["{{ client.first_name }}"] }
"""


class Five:
    """The running program and, by kind, the platforms beside it. A kind's one channel has the kind's name, Telegram's
    is tg-shop; a client's number makes the addresses."""

    def __init__(self, running: Carillon, platforms: Mapping[str, Platform]) -> None:
        self.running = running
        self.platforms = platforms
        self.accounts: Mapping[str, SimAccount] = {
            kind: next(iter(platform.accounts.values())) for kind, platform in platforms.items()
        }

    async def import_clients(
        self, count: int, kinds: Collection[str], *, first: int = 1, everywhere: bool = False, tags: str = "vip"
    ) -> None:
        """So many for each kind, on its channel alone; with `everywhere` so many in all, on every one, the first kind
        being their main channel."""
        rows = ["id,first_name,tags,main_channel," + ",".join(map(channel_of, kinds))]
        for place, kind in enumerate(kinds if not everywhere else [next(iter(kinds))]):
            for number in range(first, first + count):
                own = [address_of(each, number) if everywhere or each == kind else "" for each in kinds]
                name = f"{kind}-{number}" if not everywhere else f"c-{number}"
                rows.append(",".join([name, f"Name{place}x{number}", tags, channel_of(kind), *own]))
        file = self.running.folder / f"clients-{first}-{len(kinds)}.csv"
        file.write_text("\n".join(rows))
        added = await self.running.cli("clients", "import", str(file))
        assert added["added"] == len(rows) - 1, added

    async def open_windows(self, kind: str, at: datetime | None = None) -> None:
        """As if everybody there had just written, or at that moment."""
        async with self.running.desk.store.database.writing() as connection:
            wrote_at = at or datetime.now(UTC)
            await connection.execute(
                update(addresses).where(addresses.c.channel == channel_of(kind)).values(last_wrote_at=wrote_at)
            )

    def accepted(self, kind: str) -> Mapping[str, int]:
        """How many messages each client got there, by address."""
        if kind == "telegram":
            return {str(chat): number for chat, number in self.running.simulator.accepted_by_chat(TOKEN).items()}
        return {str(chat): number for chat, number in self.accounts[kind].accepted.by_chat.items()}

    def accepted_at(self, kind: str) -> Sequence[float]:
        """When, in order, by the clock of this process."""
        return (
            self.running.simulator.accepted_at(TOKEN) if kind == "telegram" else sorted(self.accounts[kind].accepted.at)
        )

    def phone(self, kind: str, number: int) -> SimClient:
        return self.platforms[kind].client(self.accounts[kind].key, address_of(kind, number))

    def expect_receipts(self, **after_s: float) -> None:
        """Let every platform that tells of a state tell it so long after it took a message."""
        for kind, account in self.accounts.items():
            account.receipts = {state: each for state, each in after_s.items() if state == "read" or kind != "vk"}

    async def states(self, mailing: int, kind: str | None = None) -> Mapping[str, int]:
        """How many rows of the mailing are in each state; those of one channel."""
        query = select(deliveries.c.state, func.count()).where(deliveries.c.step_id == mailing)
        if kind is not None:
            query = query.where(deliveries.c.channel == channel_of(kind))
        async with self.running.desk.store.database.read() as connection:
            return {row[0]: row[1] for row in await connection.execute(query.group_by(deliveries.c.state))}

    async def post(
        self, channel: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"{self.running.url}/hooks/{channel}", data=io.BytesIO(body), headers=dict(headers or {})
            ) as answer,
        ):
            return answer.status, await answer.text()

    def assert_no_secrets(self) -> None:
        log = self.running.log.read_text()
        assert not [secret for secret in SECRETS if secret in log]


def channel_of(kind: str) -> str:
    return "tg-shop" if kind == "telegram" else kind


def address_of(kind: str, number: int) -> str:
    match kind:
        case "telegram":
            return str(100_000 + number)
        case "viber":
            return f"viber{number:06}=="
        case "facebook":
            return str(7_000_000_000_000_000 + number)
        case "vk":
            return str(500_000 + number)
        case _:
            return f"4477{number:08}"


def signed_by_meta(document: object, secret: str = APP_SECRET) -> tuple[bytes, Mapping[str, str]]:
    """Body and headers."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}


@asynccontextmanager
async def five(
    folder: Path, storage_url: str, *, kinds: Sequence[str] = FIVE, rate: float = 25.0, **options: Any
) -> AsyncIterator[Five]:
    """Carillon with a channel on each of these, whose clients are all there; `more` (by kind) is added to a channel."""
    more: Mapping[str, str] = options.pop("more", {})
    async with AsyncExitStack() as stack:
        platforms = {kind: _PLATFORMS[kind]() for kind in kinds if kind != "telegram"}
        for kind, platform in platforms.items():
            await platform.start()
            stack.push_async_callback(platform.stop)
            platform.add_account(_KEYS[kind], everyone="active", details=dict(_DETAILS.get(kind, {})))
        if "whatsapp" in platforms:
            whatsapp = platforms["whatsapp"]
            assert isinstance(whatsapp, WhatsAppSimulator)
            whatsapp.templates.add(WABA, "hello", body="Hello {{1}}, the sale is on.")
        channels = "".join(
            shop_channel(rate, f'mode = "polling"\n{more.get(kind, "")}')
            if kind == "telegram"
            else _channel(kind, platforms[kind].url, rate, more.get(kind, ""))
            for kind in kinds
        )
        options.setdefault("app_more", 'public_url = "{url}"')
        running = await stack.enter_async_context(carillon(folder, storage_url, channels=channels, **options))
        yield Five(running, platforms)


_PLATFORMS: Mapping[str, type[Platform]] = {
    "viber": ViberSimulator,
    "facebook": FacebookSimulator,
    "vk": VkSimulator,
    "whatsapp": WhatsAppSimulator,
    "sms": TwilioSimulator,
}
_KEYS = {
    "viber": VIBER_TOKEN,
    "facebook": FACEBOOK_PAGE,
    "vk": VK_KEY,
    "whatsapp": WHATSAPP_NUMBER,
    "sms": TWILIO_SENDER,
}
_DETAILS: Mapping[str, Mapping[str, Any]] = {
    "facebook": {"token": FACEBOOK_TOKEN, "username": "shop"},
    "whatsapp": {"token": WHATSAPP_TOKEN, "opened": True},
    "sms": {"account_sid": TWILIO_ACCOUNT, "auth_token": TWILIO_TOKEN},
}


def _channel(kind: str, url: str, rate: float, more: str) -> str:
    of_meta = {"app_secret": APP_SECRET, "verify_token": VERIFY_TOKEN}
    keys: Mapping[str, str] = {
        "viber": {"api_base": f"{url}/pa", "token": VIBER_TOKEN, "sender_name": "Shop"},
        "facebook": {
            "api_base": f"{url}/v26.0",
            "page_id": FACEBOOK_PAGE,
            "token": FACEBOOK_TOKEN,
            "app_id": APP_ID,
            **of_meta,
        },
        "vk": {"api_base": f"{url}/method", "group_id": str(FIRST_GROUP), "token": VK_KEY},
        "whatsapp": {
            "api_base": f"{url}/v26.0",
            "provider": "meta",
            "phone_number_id": WHATSAPP_NUMBER,
            "business_account_id": WABA,
            "token": WHATSAPP_TOKEN,
            **of_meta,
        },
        "sms": {
            "api_base": url,
            "provider": "twilio",
            "account_sid": TWILIO_ACCOUNT,
            "auth_token": TWILIO_TOKEN,
            "sender": TWILIO_SENDER,
        },
    }[kind]
    told = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    faster = ["allow_faster = true"] if rate > 25 else []
    return "\n".join(["", "[[channels]]", f'id = "{kind}"', f'kind = "{kind}"', *told, f"rate = {rate}", *faster, more])
